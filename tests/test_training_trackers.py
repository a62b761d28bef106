"""TensorBoard and Weights & Biases: what they are told, and what happens where they are missing."""

import math
import sys
import types

import numpy as np
import pytest
import torch

from common.errors import InputError
from tests.training_kit import learn
from training.logging.picture_grid import Faces
from training.logging.rows import read_rows
from training.logging.trackers import require_trackers, tracked


def test_tensorboard_holds_scalars_and_faces_and_a_resume_hides_what_was_lost(write_log):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def events():
        found = EventAccumulator(str(write_log.folder / "tensorboard"))
        found.Reload()
        return found

    log = write_log(tensorboard="auto")
    learn(log, 1, 10)
    log.validation(10, {"val/l1": 5.0}, [], Faces({"real": np.ones((2, 3, 8, 8), np.float32)}))
    log.close()
    assert [event.step for event in events().Scalars("train/total")] == [2, 4, 6, 8, 10]
    assert [event.step for event in events().Scalars("val/l1")] == [4, 8, 10]
    assert [event.step for event in events().Images("faces")] == [10]
    log = write_log(tensorboard="auto", start=6)
    log.step(7, {"total": 0.5}, waited=0.0, took=0.1)
    log.step(8, {"total": 0.5}, waited=0.0, took=0.1)
    log.close()
    assert [(event.step, round(event.value, 4)) for event in events().Scalars("train/total")][2:] == [(6, 0.1667), (8, 0.5)]
    assert not events().Scalars("val/l1")[1:]


def test_tensorboard_takes_figures_of_any_name(write_log):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = write_log(tensorboard="on", log_every=1)
    figures = {"l1": 0.5, "sync/accuracy": 0.25, "adversary/x/y": 2.0, "sync/windows": np.float32(7), "mine": torch.tensor(3.0)}
    log.step(1, figures, waited=0.0, took=0.1)
    log.validation(1, {"val/sync/accuracy": 0.75}, [])
    log.close()
    found = EventAccumulator(str(write_log.folder / "tensorboard"))
    found.Reload()
    values = {name: found.Scalars(name)[0].value for name in found.Tags()["scalars"]}
    told = {"train/l1": 0.5, "train/sync/accuracy": 0.25, "adversary/x/y": 2.0, "train/sync/windows": 7, "train/mine": 3}
    assert {**told, "val/sync/accuracy": 0.75}.items() <= values.items()
    row = {"l1": 0.5, "sync/accuracy": 0.25, "adversary/x/y": 2.0, "mine": 3.0}
    assert row.items() <= read_rows(write_log.folder)[0].items()


def test_without_tensorboard_auto_goes_on_and_on_does_not(write_log, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    learn(write_log(tensorboard="auto"), 1, 2)
    assert "pip install -e '.[trackers]'" in write_log.lines[0]
    assert sum("TensorBoard" in line for line in write_log.lines) == 1
    for choice in ("on", True):
        with pytest.raises(InputError, match=r"pip install -e '.\[trackers\]'"):
            write_log(tensorboard=choice, folder="other")
    assert not write_log.folder.with_name("other").exists()
    require_trackers({"train": {"tensorboard": False}})


@pytest.mark.parametrize(
    ("train", "word"), [({"tensorboard": "yes"}, "auto, on or off"), ({"wandb": True}, "name of a project")]
)
def test_trackers_that_are_none(train, word):
    with pytest.raises(InputError, match=word):
        require_trackers({"train": train})


@pytest.fixture
def wandb(monkeypatch):
    """A stand-in for the package; `wandb.calls` tells what was asked of it."""
    module = types.ModuleType("wandb")
    module.calls, module.Error = [], type("Error", (Exception,), {})

    class StandIn:
        def log(self, values):
            module.calls.append(("log", values))

        def define_metric(self, name, step_metric=None):
            module.calls.append(("metric", name, step_metric))

        def finish(self):
            module.calls.append(("finish",))

    def init(**given):
        module.calls.append(("init", given))
        return StandIn()

    module.init, module.Image = init, lambda array: ("image", array.shape)
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


def test_a_resumed_run_goes_on_in_its_wandb_run(write_log, wandb):
    def started(start):
        log = write_log(start=start, wandb="faces")
        learn(log, start + 1, start + 4)
        log.validation(start + 4, {}, [], Faces({"real": np.ones((2, 3, 8, 8), np.float32)}))
        log.close()
        return [call[1] for call in wandb.calls if call[0] == "init"][-1]

    first, resumed, anew = started(0), started(4), started(0)
    assert first["id"] == resumed["id"] != anew["id"]
    assert (write_log.folder / "wandb_id.txt").read_text().strip() == anew["id"]
    assert first["project"] == "faces" and first["resume"] == "allow" and "mode" not in first
    assert ("metric", "*", "step") in wandb.calls and wandb.calls[-1] == ("finish",)
    logged = [call[1] for call in wandb.calls if call[0] == "log"]
    assert logged[0]["step"] == 2 and logged[0]["train/total"] == 0.5
    assert {"step": 4, "val/l1": math.sin(4), "unseen/l1": math.cos(4)} in logged
    shape = next(call["faces"][1] for call in logged if "faces" in call and call["step"] == 4)
    assert shape[0] > 160 and shape[1] > 320 and shape[2] == 3


def test_wandb_that_is_missing_or_not_logged_in(write_log, wandb, monkeypatch):
    def refuse(**_):
        raise wandb.Error("no API key")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(InputError, match="no API key.*WANDB_MODE=offline"):
        write_log(wandb="faces")
    for absent in (None, types.ModuleType("wandb")):  # the second is an empty folder `wandb`
        monkeypatch.setitem(sys.modules, "wandb", absent)
        with pytest.raises(InputError, match="pip install -e"):
            write_log(wandb="faces")


def test_names_in_trackers():
    values = {"l1": 1, "val/l1": 2.0, "adversary/real": 3.0, "opened": ["sync"]}
    assert tracked(values) == {"train/l1": 1.0, "val/l1": 2.0, "adversary/real": 3.0}
    values = {"sync/accuracy": 0.5, "val/sync/accuracy": 0.6, "unseen/sync/count": 7, "adversary/sharp/patch": 1.0}
    assert tracked(values) == {"train/sync/accuracy": 0.5, **{name: float(values[name]) for name in list(values)[1:]}}


def test_trackers_are_closed_where_the_curve_fails(write_log, wandb, monkeypatch):
    log = write_log(wandb="faces", curve=True)
    learn(log, 1, 2)
    monkeypatch.setattr("training.logging.log.draw_curves", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        log.close()
    assert wandb.calls[-1] == ("finish",)
    log.close()
    assert wandb.calls.count(("finish",)) == 1

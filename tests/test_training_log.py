"""What a run says of itself: rows that outlive a kill, warnings, the bar, trackers, curves and faces."""

import io
import json
import math
import struct
import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.cli import run
from common.errors import InputError
from training import curve
from training.log import Log
from training.picture_grid import GAP, MARGIN, picture_grid
from training.rows import TIMES, Rows, read_rows
from training.trackers import require_trackers, tracked
from training.watchers import CHANCE_STEPS, ChanceWatch, WaitWatch


@pytest.fixture
def draws(monkeypatch):
    """Takes away the drawing of curves, which takes a second, from whoever does not test it; gives what draws them."""
    real = curve.draw_curves
    monkeypatch.setattr("training.log.draw_curves", lambda *_: None)
    return real


@pytest.fixture
def write_log(tmp_path, draws):
    """Open a Log in `tmp_path/run`; its lines are collected in `write_log.lines`."""
    lines, logs = [], []

    def write(start=0, steps=None, folder="run", **train):
        config = {"name": folder, "train": {"log_every": 2, "tensorboard": "off", **train}}
        logs.append(Log(tmp_path / folder, config, lines.append, start=start, steps=steps))
        return logs[-1]

    write.lines, write.folder = lines, tmp_path / "run"
    yield write
    for log in logs:
        log.close()


def learn(log, first, last):
    """Steps first..last of a made-up run whose values depend on the step alone; a validation every 4 steps."""
    for step in range(first, last + 1):
        log.step(step, {"total": 1 / step, "l1": math.sqrt(step), "rate": 1e-4}, waited=0.01, took=0.1)
        if step % 4 == 0:
            log.validation(step, {"val/l1": math.sin(step), "unseen/l1": math.cos(step)}, ["sync"] if step == 8 else [])


def without_times(rows):
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def test_rows_hold_the_values_of_their_step_and_the_last_step_has_one(write_log):
    log = write_log(steps=5)
    for step in range(1, 6):
        log.step(step, {"total": 0.1 * step}, waited=0.1 * step, took=0.4)
    rows = read_rows(write_log.folder)
    assert [(row["step"], row["total"]) for row in rows] == [(2, 0.2), (4, 0.4), (5, 0.5)]
    assert [row["data_time"] for row in rows] == pytest.approx([0.15, 0.35, 0.5])
    assert [row["data_share"] for row in rows] == pytest.approx([0.375, 0.875, 1.25])
    assert all(row["step_time"] == pytest.approx(0.4) and row["memory_mb"] > 1 and row["minutes"] >= 0 for row in rows)
    assert write_log.lines[0].startswith("step 2  total 0.2") and "left 0:00:01" in write_log.lines[0]


@pytest.mark.parametrize("torn", ["", '{"step": 11, "total": 0.0', "\0\0\0", '{"step": 6, "total": 1}\n[1, 2]\n{"total": 3}\n'])
def test_a_killed_and_resumed_run_logs_what_an_unbroken_one_does(write_log, tmp_path, torn):
    learn(write_log(steps=13, folder="whole"), 1, 13)
    learn(write_log(steps=13), 1, 10)  # killed after step 10; its state is of step 5
    with open(write_log.folder / "log.jsonl", "a") as file:
        file.write(torn.replace('"step": 6', '"step": 12'))
    learn(write_log(start=5, steps=13), 6, 13)
    whole, resumed = read_rows(tmp_path / "whole"), read_rows(write_log.folder)
    assert without_times(resumed) == without_times(whole)
    minutes = [row["minutes"] for row in resumed if "minutes" in row]
    assert minutes == sorted(minutes)
    assert any("are cut off" in line for line in write_log.lines) == bool(torn)


def test_a_run_that_stored_nothing_leaves_no_rows_behind(write_log):
    learn(write_log(), 1, 4)
    learn(write_log(), 1, 2)
    assert [row["step"] for row in read_rows(write_log.folder)] == [2]


@given(st.lists(st.floats(allow_nan=True, width=64), min_size=1, max_size=8))
def test_floats_come_back_bit_for_bit_and_what_json_lacks_is_null(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("rows") / "log.jsonl"
    Rows(path, 0).append(7, {f"v{index}": np.float64(value) for index, value in enumerate(values)})
    text = path.read_text()
    row = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    for index, value in enumerate(values):
        if math.isfinite(value):
            assert struct.pack("d", row[f"v{index}"]) == struct.pack("d", value)
        else:
            assert row[f"v{index}"] is None


@given(st.binary(max_size=200), st.integers(0, 3))
def test_no_bytes_in_a_log_stop_a_resume(tmp_path_factory, garbage, start):
    path = tmp_path_factory.mktemp("rows") / "log.jsonl"
    path.write_bytes(b'{"step": 1, "total": 0.5}\n' + garbage)
    rows = Rows(path, start)
    rows.append(start + 1, {"total": 1.0})
    found = read_rows(path)
    assert found[-1] == {"step": start + 1, "total": 1.0}
    assert found[:-1] == rows.kept and all(row["step"] <= start for row in rows.kept)
    assert (found[0] == {"step": 1, "total": 0.5}) == (start > 0)


def chance_lines(log, lines, values):
    """How often chance is pointed out over these losses, a step each."""
    for step, value in enumerate(values, 1):
        log.step(step, {"sync_classification": value}, waited=0.0, took=0.1)
    return sum("at chance" in line for line in lines)


def test_a_loss_at_chance_is_pointed_out(write_log):
    noise = np.random.default_rng(0).normal(0, 0.02, 2 * CHANCE_STEPS)
    assert chance_lines(write_log(log_every=50), write_log.lines, 0.6935 + noise) == 1
    told = next(line for line in write_log.lines if "at chance" in line)
    assert all(word in told for word in ("AV offset", "speakers", "64", "optim.lr", "optim.warmup", "25 frames"))
    write_log.lines.clear()
    learning = [0.6 if step % 1000 < 50 else 0.6935 for step in range(2 * CHANCE_STEPS)]
    assert chance_lines(write_log(log_every=50), write_log.lines, learning) == 0
    assert ChanceWatch().row() is None


def test_waiting_for_data_is_pointed_out_once(write_log):
    log = write_log(log_every=5)
    for step in range(1, 61):
        log.step(step, {"total": 1.0}, waited=5.0 if step == 1 else 0.019 if step < 30 else 0.03, took=0.1)
    told = [line for line in write_log.lines if "waiting for data" in line]
    assert len(told) == 1 and "data.workers" in told[0] and "disk" in told[0]
    assert 30 < int(told[0].split()[1].rstrip(":")) <= 50
    watch = WaitWatch(4)
    watch.step(9.0, 9.0)  # the first step: the loader starts
    assert watch.row() is None and watch.share == 0.0


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_and_notes_do_not_tear_it(write_log, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    log = write_log(start=2, steps=6)
    learn(log, 3, 6)
    log.note("a note")
    log.close()
    shown = sys.stderr.getvalue()
    assert "6/6" in shown and "waiting for data" in shown
    assert not any("rate" in line for line in write_log.lines)  # the rows are in the file alone
    assert [line.split()[0] for line in write_log.lines] == ["step", "a"]
    plain = write_log(folder="plain", steps=6, progress=False)
    learn(plain, 1, 2)
    assert "rate" in write_log.lines[-1] and sys.stderr.getvalue() == shown


def test_a_gate_that_opens_is_told_and_kept(write_log):
    log = write_log()
    log.validation(8, {}, ["sync"])
    log.validation(9, {}, [])
    assert read_rows(write_log.folder) == [{"step": 8, "opened": ["sync"]}]
    assert write_log.lines == ["step 8: loss sync is switched on"]


def test_tensorboard_holds_scalars_and_faces_and_a_resume_hides_what_was_lost(write_log):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def events():
        found = EventAccumulator(str(write_log.folder / "tensorboard"))
        found.Reload()
        return found

    log = write_log(tensorboard="auto")
    learn(log, 1, 10)
    log.validation(10, {"val/l1": 5.0}, [], {"real": np.ones((2, 3, 8, 8), np.float32)})
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
        log.validation(start + 4, {}, [], {"real": np.ones((2, 3, 8, 8), np.float32)})
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
    assert {"step": 4, "faces": ("image", (8, 2 * 8 + GAP + MARGIN, 3))} in logged


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


def test_trackers_are_closed_where_the_curve_fails(write_log, wandb, monkeypatch):
    log = write_log(wandb="faces")
    learn(log, 1, 2)
    monkeypatch.setattr("training.log.draw_curves", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        log.close()
    assert wandb.calls[-1] == ("finish",)
    log.close()
    assert wandb.calls.count(("finish",)) == 1


def test_curves_of_one_run_and_of_two(write_log, draws, tmp_path, capsys, monkeypatch):
    from PIL import Image

    monkeypatch.setattr("training.log.draw_curves", draws)
    for folder in ("run", "other"):
        log = write_log(folder=folder)
        learn(log, 1, 12)
        log.step(13, {"total": float("nan"), "adversary/real": 1.0, "sync_classification": 0.7}, waited=0.0, took=0.1)
        log.step(14, {"total": float("nan"), "adversary/real": 1.0, "sync_classification": 0.7}, waited=0.0, took=0.1)
        log.close()
    with Image.open(write_log.folder / "curve.png") as one:
        assert len(one.convert("RGB").getcolors(1 << 20)) > 50
    runs = [str(tmp_path / "run"), str(tmp_path / "other" / "log.jsonl")]
    assert run(curve.main, [*runs, "--outfile", str(tmp_path / "o.png")]) == 0
    assert (tmp_path / "o.png").stat().st_size > 10000
    assert run(curve.main, [str(tmp_path / "nowhere")]) == 2
    assert "no such log" in capsys.readouterr().err
    panels = dict(curve.panels_of([curve.series_of(read_rows(tmp_path / "run"))]))
    assert panels["l1"] == ["l1", "val/l1", "unseen/l1"] and panels["adversary"] == ["adversary/real"]
    assert panels["seconds a step"] == ["step_time", "data_time"] and list(panels)[0] == "total"


def test_curves_need_rows_and_matplotlib(write_log, draws, monkeypatch, capsys):
    monkeypatch.setattr("training.log.draw_curves", draws)
    write_log().close()
    assert "nothing was logged" in write_log.lines[-1]
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    log = write_log()
    learn(log, 1, 2)
    log.close()
    assert write_log.lines[-1] == curve.NO_MATPLOTLIB and not (write_log.folder / "curve.png").exists()
    assert run(curve.main, [str(write_log.folder)]) == 2
    assert "pip install matplotlib" in capsys.readouterr().err


def test_smoothing_is_the_mean_of_neighbours():
    values = np.sin(np.arange(240.0))
    expected = [values[max(0, place - 3) : place + 4].mean() for place in range(240)]
    np.testing.assert_allclose(curve.smoothed(values), expected, atol=1e-12)
    with_gap = np.where(np.arange(240) == 100, np.nan, 1.0)
    np.testing.assert_allclose(curve.smoothed(with_gap), 1.0)
    assert np.isnan(curve.smoothed(np.array([1.0, np.nan]))[1])


def test_faces_stand_in_rows_by_name(write_log):
    from PIL import Image

    real = np.zeros((2, 3, 8, 8), np.float32)
    real[0, 0], real[1, 2] = 1.0, 2.0  # red; blue, too bright
    made = np.full((3, 3, 4, 4), np.nan, np.float32)
    grid, tops = picture_grid({"real": real, "generated": made})
    assert grid.shape == (8 + GAP + 4, 8 + GAP + 8, 3) and tops == (0, 8 + GAP)
    assert grid[0, 0].tolist() == [255, 0, 0] and grid[7, 8 + GAP].tolist() == [0, 0, 255]
    assert (grid[0, 8] == 255).all() and (grid[8 + GAP, 0] == 0).all() and (grid[-1, -1] == 255).all()
    assert picture_grid({"real": np.zeros((20, 3, 8, 8))}, most=5)[0].shape[1] == 5 * 8 + 4 * GAP
    write_log().validation(4, {}, [], {"real": real, "generated": made})
    with Image.open(write_log.folder / "faces.png") as page:
        assert page.size == (grid.shape[1] + MARGIN, grid.shape[0])
        assert (np.asarray(page)[:, MARGIN:] == grid).all() and (np.asarray(page)[:, :MARGIN] < 128).any()


@pytest.mark.parametrize("pictures", [{}, {"real": np.zeros((0, 3, 8, 8))}, {"real": np.zeros((3, 8, 8))}])
def test_pictures_that_are_none(pictures):
    with pytest.raises(ValueError, match="pictures"):
        picture_grid(pictures)


def test_without_pillow_no_faces_and_one_line(write_log, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    log = write_log()
    for step in (1, 2):
        log.validation(step, {}, [], {"real": np.zeros((1, 3, 8, 8))})
    assert sum("Pillow" in line for line in write_log.lines) == 1
    assert not (write_log.folder / "faces.png").exists()

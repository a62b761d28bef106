"""A run that is stopped, killed, or runs out of disk goes on as if nothing had happened."""

import json
import os
import resource
import signal
import time

import pytest
import torch

import train as train_script
from common.cli import run
from common.errors import InputError
from tests.training_kit import start_training
from training.checkpoint import load_checkpoint
from training.config import load_config
from training.logging.rows import TIMES
from training.loop import train
from training.run import Run
from training.storage.state import StorageError, load_state, save_state
from training.storage.store import Store

LATER = {"metric": "val/l1", "below": 9}
EVERYTHING = {
    "model": {"name": "wav2lip", "face_size": 96, "width": 0.25, "audio_gate": True, "spatial_input": True},
    "data": {"window": "phoneme", "longest": 3, "augment": {"flip": 0.5, "colour": 0.1, "noise": 0.2}},
    "losses": {
        "l1": {"weight": "rest"},
        "adversarial": {"weight": 0.07, "discriminator": "conditional", "width": 0.25, "enable_when": LATER},
        "temporal_lip": {"weight": 0.1},
        "spatial_texture": {"weight": 0.05},
    },
}


def quiet(_line):
    pass


def rows_of(folder):
    """Rows of a run's log, without what depends on the clock."""
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


def test_resumed_run_equals_an_unbroken_one_to_the_last_bit(write_config, capsys):
    path = write_config(**EVERYTHING)
    whole = Run(load_config(path, ["name=whole"]))
    train(whole, quiet)
    first = Run(load_config(path, ["name=parts", "train.minutes=0"]))
    assert train(first, quiet) and first.step == 1
    for step in (1, 2, 3):
        rest = Run(load_config(path, ["name=parts", *(["train.minutes=0"] if step < 3 else [])]))
        assert Store(rest).load() == step
        train(rest, quiet)
    assert rest.step == 4
    for mine, theirs in ((rest, whole), (rest.criterion.terms["adversarial"], whole.criterion.terms["adversarial"])):
        mine, theirs = (getattr(one, "model", one).state_dict() for one in (mine, theirs))
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert all(torch.equal(rest.average.values[name], value) for name, value in whole.average.values.items())
    assert rows_of(rest.folder) == rows_of(whole.folder) and len(rows_of(whole.folder)) == 6
    assert whole.criterion.open["adversarial"]  # the gate opened at step 2 and stayed so
    assert run(train_script.main, [str(path), "name=whole"]) == 0  # chained commands go on
    assert f"{whole.folder}: is done: it has reached step 4" in capsys.readouterr().out
    with pytest.raises(InputError, match="checkpoint.pt: is the state from which train.py goes on.*best.safetensors"):
        load_checkpoint(whole.folder / "checkpoint.pt")


@pytest.mark.slow
def test_ten_kills_leave_no_trace(write_config, tmp_path):
    settings = {"train": {"steps": 60, "validate_every": 12, "checkpoint_every": 3, "log_every": 1, "keep": 2}}
    path = write_config(**settings)
    train(Run(load_config(path, ["name=whole"])), quiet)
    folder, kills = tmp_path / "runs" / "killed", 0
    while True:
        with start_training(path, "name=killed") as process:
            reached = _wait_for_steps(process, folder, 5 + kills % 3)
            if kills < 10 and reached:
                time.sleep(0.013 * kills)  # not always at the same place of a step
                process.send_signal(signal.SIGKILL)
                kills += 1
            output = process.stdout.read()
            code = process.wait(120)
        state = folder / "checkpoint.pt"
        assert not state.exists() or load_state(state)["step"] % 3 == 0  # never half-written
        if code != -signal.SIGKILL:
            break
    assert code == 0, output
    assert kills == 10
    assert rows_of(folder) == rows_of(tmp_path / "runs" / "whole")
    ours, theirs = (load_state(tmp_path / "runs" / name / "checkpoint.pt") for name in ("killed", "whole"))
    assert all(torch.equal(ours["model"][name], value) for name, value in theirs["model"].items())


def _wait_for_steps(process, folder, count):
    """Wait until the run has logged `count` steps more than its checkpoint held; False where it ends before."""
    state = folder / "checkpoint.pt"
    begun = load_state(state)["step"] if state.exists() else 0
    for line in process.stdout:
        words = line.split()
        if words[:1] == ["step"] and words[1].isdigit() and int(words[1]) >= begun + count:
            return True
    return False


def test_a_signal_stores_the_step_and_the_same_command_goes_on(write_config, tmp_path):
    path = write_config(train={"steps": 5000, "validate_every": 5000, "checkpoint_every": 5000})
    with start_training(path) as process:
        for line in process.stdout:
            if line.startswith("step 2 "):
                break
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        said = process.stdout.read()
        assert "stopping after this step" in said and "stopped at step " in said and "the same command goes on" in said
        assert process.wait(60) == 130
    again = Run(load_config(path))
    assert Store(again).load() >= 2
    assert not [name for name in (tmp_path / "runs" / "try").rglob(".partial*")]


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "scheduler"])
def test_a_signal_to_the_run_and_its_loaders_stores_the_step(write_config, tmp_path, kind):
    path = write_config(train={"steps": 5000, "validate_every": 5000, "checkpoint_every": 5000})
    with start_training(path, "data.workers=2", session=True) as process:
        for line in process.stdout:
            if line.startswith("step 2 "):
                break
        os.killpg(process.pid, kind)
        said = process.stdout.read()
        assert process.wait(60) == 130, said
    assert "stopped at step " in said and "Traceback" not in said
    assert Store(Run(load_config(path))).load() >= 2


def leave_no_room():
    """A write beyond a megabyte fails from now on, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_a_full_disk_ends_the_run_with_words_and_keeps_the_last_checkpoint(write_config, tmp_path):
    path = write_config(train={"steps": 2, "snapshot_dtype": "float16"})
    with start_training(path) as process:
        process.stdout.read()
    checkpoint = tmp_path / "runs" / "try" / "checkpoint.pt"
    before = checkpoint.read_bytes()
    with start_training(path, "train.steps=4", first=leave_no_room) as process:
        output = process.stdout.read()
        assert process.wait(60) == 1
    assert "checkpoint.pt: cannot be written" in output and "make room" in output and "Traceback" not in output
    assert checkpoint.read_bytes() == before
    assert Store(Run(load_config(path))).load() == 2
    assert not list(checkpoint.parent.glob(".partial*"))


def test_a_state_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    save_state(tmp_path / "s.pt", {"step": 1})

    def full(_state, file):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(StorageError, match="No space left"):
        save_state(tmp_path / "s.pt", {"step": 2})
    assert load_state(tmp_path / "s.pt") == {"step": 1} and len(list(tmp_path.iterdir())) == 1


def test_a_damaged_checkpoint_is_refused(write_config, tmp_path):
    job = Run(load_config(write_config(), ["train.steps=1"]))
    train(job, quiet)
    path = job.folder / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match="cannot resume"):
        Store(Run(load_config(write_config()))).load()
    save_state(path, {"version": 1})
    with pytest.raises(InputError, match="another version"):
        Store(Run(load_config(write_config()))).load()


def test_the_newest_snapshots_are_kept(write_config):
    job = Run(load_config(write_config(), ["train.keep=2", "train.steps=5", "train.checkpoint_every=1"]))
    train(job, quiet)
    assert [path.name[5:13] for path in sorted((job.folder / "snapshots").iterdir())] == ["00000004", "00000005"]

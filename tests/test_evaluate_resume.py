"""evaluate.py goes on where it stopped, and several processes share its work."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from metrics.process_group import ProcessGroup
from metrics.progress import Progress
from metrics.results import Results
from metrics.scorer import Scorer
from tests.conftest import ROOT
from tests.evaluate_kit import run, save_expert, table, use_drawn_faces, write_clips
from tests.forks_kit import run_ranks
from tests.inference_kit import moving_portrait, tone, write_video

# An evaluation of drawn faces whose process is killed when the second face is due; the first has been saved.
KILLED = """
import os, signal, sys
import faces.detectors
import faces.tracking.track
from metrics import progress
from metrics.scorer import Scorer
from tests.evaluate_kit import DrawnFaces, never_covered, run

faces.tracking.track.covered_frames = never_covered
faces.detectors.build_detector = lambda *args, **options: DrawnFaces()
progress.SAVE_SECONDS, progress.SAVE_SHARE = 0, float("inf")
measure, done = Scorer.measure, []

def measured(scorer, item):
    if done:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(item.face)
    return measure(scorer, item)

Scorer.measure = measured
sys.exit(run(*sys.argv[1:]))
"""
# Each process says what its share is, on whatever device there is.
SHARES = """
import sys
from metrics.process_group import ProcessGroup

processes = ProcessGroup.join(sys.argv[1])
processes.wait()
print(f"<{processes.rank} {processes.size} {processes.device} {processes.part_of(list(range(5)))}>", flush=True)
processes.wait()
processes.leave()
"""


def python(*arguments, **environment):
    """A process of this interpreter in the checkout, without a GPU; its subprocess.CompletedProcess."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **environment}
    return subprocess.run([sys.executable, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True,
                          timeout=90, check=False)  # fmt: skip


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    write_clips(folder / "real", {"a": 0, "b": 5, "e": 9})
    write_clips(folder / "made", {"a": 1, "b": 7, "e": 8})
    save_expert(folder / "tiny.safetensors")
    return folder


@pytest.fixture
def measured(monkeypatch):
    """Notes in `.faces` the faces that are measured; after `.stop` of them the next one is an interruption."""
    use_drawn_faces(monkeypatch)
    original, watched = Scorer.measure, SimpleNamespace(faces=[], stop=None)

    def measure(scorer, item):
        if len(watched.faces) == watched.stop:
            raise KeyboardInterrupt
        watched.faces.append(item.face)
        return original(scorer, item)

    monkeypatch.setattr(Scorer, "measure", measure)
    return watched


def arguments_of(material, out, *more):
    return ["--generated", material / "made", "--real", material / "real", "--expert", material / "tiny.safetensors", "--force",
            "--device", "cpu", "--out", out, *more]


def assert_equal(first, second):
    """Equal reports; the Frechet distances but for the rounding of sums in another order."""
    assert [list(row["cells"]) for row in first["rows"]] == [list(row["cells"]) for row in second["rows"]]
    for report in (first, second):
        report["distances"] = [row["cells"].pop("frechet")["mean"] for row in report["rows"]]
        report["entries"] = [entry.pop("value") for entry in report["frechet"]]
    for key in ("distances", "entries"):
        one, other = (np.array(report.pop(key), float) for report in (first, second))
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert first == second


@pytest.fixture(scope="module")
def uninterrupted(material, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        use_drawn_faces(patch)
        out = tmp_path_factory.mktemp("whole") / "t"
        assert run(*arguments_of(material, out)) == 0
    return lambda: table(out)


def test_an_interrupted_evaluation_goes_on(material, tmp_path, measured, uninterrupted, capsys):
    arguments = arguments_of(material, tmp_path / "t")
    measured.stop = 2
    assert run(*arguments) == 130
    assert measured.faces == ["a", "b"] and {path.name for path in tmp_path.iterdir()} == {"t.progress"}
    assert f"is kept in {tmp_path / 't.progress'}; the same command goes on" in capsys.readouterr().err
    measured.stop = None
    assert run(*arguments) == 0
    assert measured.faces == ["a", "b", "e"] and "2 of 3 faces were measured before" in capsys.readouterr().err
    assert not (tmp_path / "t.progress").exists()
    assert_equal(table(tmp_path / "t"), uninterrupted())


def test_an_evaluation_that_was_killed_goes_on(material, tmp_path, measured, uninterrupted):
    arguments = arguments_of(material, tmp_path / "t")
    killed = python("-c", KILLED, *arguments)
    assert killed.returncode == -9, killed.stderr
    (kept,) = (tmp_path / "t.progress").iterdir()
    assert run(*arguments) == 0
    assert measured.faces == ["b", "e"] and not kept.exists()
    assert_equal(table(tmp_path / "t"), uninterrupted())


def test_results_of_another_protocol_or_of_other_files_are_not_taken(material, tmp_path, measured):
    made = write_clips(tmp_path / "made", {"a": 1, "b": 7, "e": 8})
    arguments = ["--generated", made, "--real", material / "real", "--expert", "none", "--out", tmp_path / "t"]

    def measured_by(*more):
        measured.faces.clear()
        measured.stop = 1
        assert run(*arguments, *more) == 130
        return list(measured.faces)

    assert measured_by() == ["a"]
    assert measured_by() == ["b"], "goes on"
    for more in (["--face_size", 64], ["--frames", 5], ["--protocol", "unpaired"], ["--face_index", 0],
                 ["--expert", material / "tiny.safetensors"]):
        assert measured_by(*more) == ["a"], more
    write_clips(tmp_path / "made", {"b": 3})
    assert measured_by() == ["a"]


def test_features_of_the_real_videos_are_not_missing_when_the_reference_is_gone(material, tmp_path, measured, monkeypatch):
    from tests.test_evaluate_networks import StandIn

    monkeypatch.setattr("metrics.networks.load.InceptionFeatures.load", lambda path, device: StandIn())
    weights = ["--expert", "none", "--inception_weights", "any.pth"]
    inputs = ["--generated", material / "made", "--real", material / "real", *weights]
    assert run(*inputs, "--fid_reference", tmp_path / "real.npz", "--out", tmp_path / "first") == 0
    measured.faces.clear()
    measured.stop = 2
    assert run(*inputs, "--fid_reference", tmp_path / "real.npz", "--out", tmp_path / "t") == 130
    measured.stop = None
    assert run(*inputs, "--out", tmp_path / "t") == 0
    first, again = table(tmp_path / "first"), table(tmp_path / "t")
    assert again["protocol"]["counts"] == first["protocol"]["counts"]
    assert again["rows"] == first["rows"]


def test_damaged_or_doubled_progress_is_refused(material, tmp_path, measured, capsys):
    arguments = arguments_of(material, tmp_path / "t")
    measured.stop = 1
    assert run(*arguments) == 130
    (kept,) = (tmp_path / "t.progress").iterdir()
    content = kept.read_bytes()
    for wrong in (content[:-200], b"text", content[:300] + bytes(100) + content[400:]):
        kept.write_bytes(wrong)
        capsys.readouterr()
        assert run(*arguments) == 2
        error = capsys.readouterr().err
        assert f"error: {kept}: not a saved evaluation, or damaged" in error and error.count("\n") == 1
    kept.write_bytes(content)
    kept.with_name(kept.name.replace(".npz", "x.npz")).write_bytes(content)
    assert run(*arguments) == 2 and "same --out" in capsys.readouterr().err
    assert measured.faces == ["a"]


def test_saving_takes_a_small_share_of_the_time(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("metrics.progress.time.monotonic", lambda: now[0])
    saved = []
    monkeypatch.setattr(Results, "save", lambda self, path: (saved.append(now[0]), now.__setitem__(0, now[0] + 10)))
    folder, held = Progress(tmp_path / "p", {}), Results()
    folder.save(held, now=True)
    assert not saved, "there is nothing to save"
    held.faces.append("a")
    for _ in range(100):
        now[0] += 10
        folder.save(held)
    assert saved[0] == 70 and len(saved) == 5, "one of 10 s needs 200 s more"


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    """Clips of a photograph, which the real detector finds."""
    folder = tmp_path_factory.mktemp("portraits")
    for name, part in (("real", slice(0, 8)), ("made", slice(3, 11))):
        for face in ("a", "b", "e"):
            frames = moving_portrait(14)[part]
            (folder / name).mkdir(exist_ok=True)
            write_video(folder / name / f"{face}.mp4", frames, audio=tone(0.32))
    save_expert(folder / "tiny.safetensors")
    return folder


@pytest.mark.slow
def test_two_processes_come_to_the_table_of_one(portraits, tmp_path):
    alone = arguments_of(portraits, tmp_path / "one")
    assert run(*alone) == 0
    shared = python("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", 2, ROOT / "evaluate.py",
                    *arguments_of(portraits, tmp_path / "two"))
    assert shared.returncode == 0, shared.stderr
    assert shared.stdout.count("written: ") == 1 and {path.suffix for path in tmp_path.glob("two*")} == {
        ".json", ".csv", ".md", ".tex", ".html"}
    assert_equal(table(tmp_path / "two"), table(tmp_path / "one"))


def test_processes_share_the_work_without_a_gpu_too(tmp_path):
    script = tmp_path / "shares.py"
    script.write_text(SHARES, encoding="utf-8")
    for device in ("auto", "cpu"):
        found = run_ranks(script, device)
        assert "<0 2 cpu [0, 2, 4]>" in found and "<1 2 cpu [1, 3]>" in found


def test_one_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    processes = ProcessGroup.join("auto")
    processes.wait()
    processes.leave()
    assert processes.first and processes.device == "auto" and processes.part_of([1, 2]) == [1, 2]
    assert torch.distributed.is_available()

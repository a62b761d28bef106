"""F1 and accuracy of action units in evaluate.py: by geometry, by a classifier, and who was taught with it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from metrics.measures.action_units import UnitScores
from metrics.measures.base import Pair
from metrics.report.trust import unit_notes
from models import build_model
from tests.action_units_kit import speaking
from tests.evaluate_kit import GAPS, cells, run, table, talking, use_drawn_faces, values, write
from training.checkpoint import save_checkpoint

MODEL = {"name": "action_units", "stage": "classifier", "face_size": 96, "width": 0.125}


class FakeFootage:
    """Frames that hold one number each; a crop of a frame is the frame."""

    def __init__(self, numbers):
        self.info, self._numbers = SimpleNamespace(fps=25), numbers

    def frames(self):
        return iter(self._numbers)

    def crops(self, spec, smooth=True):
        self.smooth = smooth
        return [SimpleNamespace(extract=lambda frame: frame)] * len(self._numbers)


class OddNumbers:
    """Stands for a UnitJudge: AU25 is present in odd frames, and no other unit."""

    name, sha256, labels, raw_crops = "odd", "0" * 64, "geometry", False
    crop_spec = SimpleNamespace(kind="au112", size=112)

    def read(self, crops):
        units = np.zeros((len(numbers := list(crops)), 5), bool)
        units[:, 3] = np.array(numbers) % 2
        return units


def pair(made, real, frames=None, numbers=None):
    """Pair of landmarks (N, 68, 2); `numbers`: the frames of the generated video, 0 to N - 1 in the real one."""
    frames = np.arange(len(real)) if frames is None else frames
    footage = [FakeFootage(one) for one in (range(len(real)) if numbers is None else numbers, range(len(real)))]
    return Pair(*footage, frames, [], made[frames].astype(np.float64), real[frames].astype(np.float64))


def test_geometry_compares_the_units_of_both_videos():
    real, still = speaking(60, gap=0.25, chin=0.2), speaking(60)
    same = UnitScores().compare(pair(real, real))
    assert {key: same[key] for key in ("au_f1_geometry", "au25_f1_geometry", "au26_f1_geometry", "au_accuracy_geometry")} == {
        "au_f1_geometry": 1, "au25_f1_geometry": 1, "au26_f1_geometry": 1, "au_accuracy_geometry": 1}  # fmt: skip
    assert same["au20_f1_geometry"] is None, "in neither video"
    found = UnitScores().compare(pair(still, real))
    assert found["au25_f1_geometry"] == found["au26_f1_geometry"] == found["au_f1_geometry"] == 0
    assert found["au25_accuracy_geometry"] == pytest.approx(26 / 60, abs=0.03) and found["au20_accuracy_geometry"] == 1
    half = UnitScores().compare(pair(speaking(60, gap=0.25), real))
    assert half["au25_f1_geometry"] == 1 and half["au26_f1_geometry"] == 0
    assert half["au_f1_geometry"] == pytest.approx(np.mean([half[f"au{one}_f1_geometry"] for one in (25, 26)]))


def test_a_mouth_that_is_drawn_open_at_rest_counts_as_open():
    real = speaking(60, gap=0.25, chin=0.2)
    made = real.copy()
    made[:, [65, 66, 67, *range(55, 60)], 1] += np.ptp(real[:, 66, 1]) / 2  # the lower lip hangs, always
    found = UnitScores().compare(pair(made, real))
    assert found["au25_f1_geometry"] == pytest.approx(2 * 34 / (34 + 60), abs=0.03)


def test_geometry_knows_no_neutral_face_of_a_real_video_that_does_not_speak():
    moving, still = speaking(60, gap=0.25, chin=0.2), speaking(60)
    for made, real, frames in ((moving, still, None), (moving, moving, np.arange(24))):
        found = UnitScores().compare(pair(made, real, frames))
        assert len(found) == 12 and set(found.values()) == {None}


def test_the_classifier_reads_the_compared_frames_of_both_videos():
    real, frames = speaking(60, gap=0.25, chin=0.2), np.flatnonzero(np.arange(60) % 4 != 3)
    same = UnitScores(OddNumbers()).compare(pair(real, real, frames))
    assert same["au25_f1_classifier"] == same["au_f1_classifier"] == 1 and same["au10_f1_classifier"] is None
    numbers = [one + (one >= 30) for one in range(60)]  # the second half is odd where the real one is even
    found = UnitScores(OddNumbers()).compare(pair(real, real, frames, numbers))
    true, said = frames % 2, (frames + (frames >= 30)) % 2
    assert found["au25_f1_classifier"] == pytest.approx(2 * (true & said).sum() / (true.sum() + said.sum()))
    assert found["au_accuracy_classifier"] == pytest.approx((4 + (true == said).mean()) / 5)
    assert len(found) == 24 == len(UnitScores(OddNumbers()).columns)


def test_crops_are_laid_as_the_classifier_saw_them():
    judge, compared = OddNumbers(), pair(speaking(30, gap=0.25), speaking(30, gap=0.25))
    for raw in (False, True):
        judge.raw_crops = raw
        UnitScores(judge).compare(compared)
        assert compared.real.smooth == compared.made.smooth == (not raw)
        assert UnitScores(judge).facts(None)["au_classifier_crop"].endswith("each by its own frame") == raw


def save_classifier(path, facts=None, data=None, **options):
    """A classifier of action units with random weights; `facts`: of its losses. Returns (path, 16 digits of its SHA-256)."""
    from common.files import content_hash

    torch.manual_seed(0)
    section = {**MODEL, **options}
    training = {"config": {"name": "units_a"}, "facts": facts or {}}
    save_checkpoint(path, build_model(section), {"model": section, "data": data or {"crop": "au112"}, "training": training})
    return path, content_hash(path)[:16]


def test_every_report_has_the_figures_and_says_who_was_taught_with_the_classifier(tmp_path, monkeypatch, capsys):
    use_drawn_faces(monkeypatch)
    facts = {"dice": {"rates": [0.5] * 5, "labels": ["geometry"]}, "face": {"judge": "x", "judge_sha256": "0" * 64}}
    path, sha256 = save_classifier(tmp_path / "c.safetensors", facts)
    frames = talking(np.resize(GAPS, 30))
    write(tmp_path / "real" / "a.mp4", frames, sound=True)
    own = {"comment": f"synthetic media: face generated by talkingface 1 with checkpoint best.safetensors (sha256 {sha256})"}
    for name, tags in (("pupil", {"taught_with": f"judge best {sha256}"}), ("itself", own),
                       ("other", {"taught_with": f"judge best {'f' * 16}"})):  # fmt: skip
        write(tmp_path / name / "a.mp4", talking(np.resize(np.roll(GAPS, 5), 30)), sound=True, metadata=tags)
    systems = [tmp_path / name for name in ("pupil", "itself", "other")]
    arguments = ["--generated", *systems, "--real", tmp_path / "real", "--expert", "none"]
    columns = ["au_f1_geometry", "au_f1_classifier", "au25_accuracy_classifier"]
    assert run(*arguments, "--au_classifier", path, "--columns", *columns, "--out", tmp_path / "t") == 0
    report = table(tmp_path / "t")
    real, made = values(report, "real video"), cells(report, "pupil, paired")
    assert real["au_accuracy_classifier"] == 1 and made["au_accuracy_classifier"]["mean"] is not None
    assert values(report, "real video")["au25_f1_geometry"] == 1
    protocol = report["protocol"]
    assert protocol["au_classifier"] == "units_a" and protocol["au_classifier_sha256"].startswith(sha256)
    assert report["taught_with_au_classifier"] == ["pupil", "itself"]
    told = "pupil was taught with the classifier of action units units_a, which is no judge of it"
    labels = "the classifier of action units units_a learned labels of geometry of landmarks, no FACS coding"
    said = capsys.readouterr().out
    assert told in said and labels in said
    for suffix in (".md", ".html", ".tex"):
        text = (tmp_path / f"t{suffix}").read_text()
        assert "other was taught" not in text and told.split(" units_a")[0] in text and "no FACS coding" in text, suffix
        assert "au classifier sha256" in text and sha256[:12] in text, suffix
    assert "au25_accuracy_classifier" in (tmp_path / "t.csv").read_text().splitlines()[0]


def test_a_classifier_whose_file_does_not_tell_whose_labels_it_learned():
    report = {"protocol": {"au_classifier": "old", "au_classifier_labels": ""}}
    assert unit_notes(report) == ["the classifier of action units old does not tell whose labels it learned"]
    assert unit_notes({"protocol": {}}) == []


def test_without_a_classifier_its_columns_are_absent_and_one_of_another_stage_is_refused(tmp_path, capsys):
    assert {column.key.rpartition("_")[2] for column in UnitScores().columns} == {"geometry"}
    path, _ = save_classifier(tmp_path / "a.safetensors", stage="audio")
    assert run("--generated", tmp_path, "--real", tmp_path, "--expert", "none", "--au_classifier", path) == 2
    assert "a.safetensors: is of stage audio and has no classifier of action units; give one of" in capsys.readouterr().err
    path, _ = save_classifier(tmp_path / "b.safetensors", data={"pads": [0, 0, 0, 0]})
    assert run("--generated", tmp_path, "--real", tmp_path, "--expert", "none", "--au_classifier", path) == 2
    assert "b.safetensors: does not say which crops it saw" in capsys.readouterr().err
    missing = tmp_path / "none.safetensors"
    assert run("--generated", tmp_path, "--real", tmp_path, "--expert", "none", "--au_classifier", missing) == 2
    error = capsys.readouterr().err
    assert "none.safetensors" in error and error.count("\n") == 1

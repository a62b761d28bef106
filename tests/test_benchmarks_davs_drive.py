"""benchmarks/davs/drive: what is drawn with what, and the figures of drawings whose truth is known."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import models
from benchmarks.davs import drive, drive_measure, stage
from benchmarks.davs.drive_measure import plan
from benchmarks.davs.drive_report import bars_of, summary
from benchmarks.held_out.drive import Footage
from common.cli import run
from datasets.prepared import ClipRow
from tests.davs_speech_kit import SIDE, KnowingDavs, make_spoken_corpus, save_knowing

SPLITS = ("train", "train", "train", "test", "test", "test", "test", "test", "test", "unseen")


def read_brightness(crops, detector):
    """Stands for the landmark detector: the mouth is open where the lower face is bright."""
    opening = crops[:, SIDE // 2 :].mean((1, 2, 3)) / 255
    return Footage(crops, np.zeros((len(crops), 68, 2)), opening)


class Colour:
    """Stands for the face network: the colour of the upper face as an angle."""

    @staticmethod
    def load():
        return Colour()

    def __call__(self, frame, landmarks):
        middle = len(frame) // 2
        angle = frame[middle - 60 : middle - 20, middle - 20 : middle + 20].mean() / 80
        return np.array([np.cos(angle), np.sin(angle)])


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    monkeypatch.setitem(models.MODELS, "davs", KnowingDavs)
    monkeypatch.setattr(stage, "read_crops", read_brightness)
    monkeypatch.setattr("metrics.networks.face_embedding.FaceEmbedder", Colour)
    monkeypatch.setattr("faces.detectors.build_detector", lambda name: SimpleNamespace(close=lambda: None))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_spoken_corpus(tmp_path_factory.mktemp("davs") / "corpus", splits=SPLITS)


def measured(tmp_path, corpus, **options):
    """(exit code, figures, folder) of benchmarks.davs.drive."""
    path = save_knowing(tmp_path / "net.safetensors", **options)
    code = run(drive.main, ["--corpus", str(corpus), "--checkpoint", str(path), "--out", str(tmp_path / "out"), "--clips", "4"])
    return code, json.loads((tmp_path / "out.json").read_text()), tmp_path


def test_a_network_that_follows_holds_the_bars(corpus, tmp_path):
    code, figures, folder = measured(tmp_path, corpus)
    found = figures["summary"]["test"]
    assert code == 0, figures["bars"]
    assert found["sound_r"]["median"] > 0.9 and found["video_r"]["median"] > 0.99
    assert found["video_nearer"]["mean"] == 1
    assert found["silence_ratio"]["median"] < 1e-6
    assert found["swapped_heard"]["median"] > 0.9 and found["swapped_r"]["median"] < 0
    assert set(figures["splits"]) == {"test", "unseen"}
    rows = figures["splits"]["test"]
    assert all(row["driver"].split("/")[0] != row["person"] == row["picture"].split("/")[0] for row in rows)
    assert found["psnr"]["median"] > found["psnr"]["held"]
    sheet = cv2.imread(str(folder / "out_sheet.png"))
    assert sheet.shape == (4 * 4 * (2 * SIDE + 22), 9 * 2 * SIDE, 3)  # four people: the picture, eight moments


def test_a_network_that_does_not_move_misses_them(corpus, tmp_path):
    code, figures, _ = measured(tmp_path, corpus, stiff=True)
    assert code == 1
    assert [bar["holds"] for bar in figures["bars"]] == [False, False, True]
    assert figures["summary"]["test"]["sound_r"]["count"] == 0


def test_drivers_are_other_people_and_take_turns():
    rows = [ClipRow(f"{person}/{number}", person, "test") for person in ("a", "b", "c") for number in range(3)]
    plans = plan(rows[:3], rows, {"a", "b"})
    assert [one.driver.id for one in plans] == ["b/0", "c/0", "b/1"]
    assert [one.known for one in plans] == [True, False, True]
    assert all(one.picture_of.speaker == "a" and one.picture_of.id != one.row.id for one in plans)
    assert plan(rows[:3], rows[:3], {"a"}) == []


def test_frames_without_a_face_are_left_out_and_counted(corpus, tmp_path, monkeypatch):
    def blind(crops, detector):
        found = read_brightness(crops, detector)
        found.opening[::3], found.landmarks[::3] = np.nan, np.nan
        return found

    monkeypatch.setattr(stage, "read_crops", blind)
    _, figures, _ = measured(tmp_path, corpus)
    row = figures["splits"]["test"][0]
    assert row["no_face"] == 20 * 3 + 4 and row["frames"] == 60 * 3 + 12 and row["sound_r"] > 0.9


def test_silence_is_compared_with_the_drawn_mouth():
    rest = drive_measure._at_rest(np.full(12, 0.3), np.linspace(0.1, 0.5, 60))
    assert rest["silence_ratio"] < 1e-9 and 0.4 < rest["silence_level"] < 0.6
    assert drive_measure._at_rest(np.full(3, np.nan), np.ones(4)) == {"silence_ratio": None, "silence_level": None}


def test_bars_take_the_median_and_the_share():
    row = {"sound_r": 0.7, "video_r": 0.5, "driver_known": True}
    row |= {key: 0.5 for key in summary_keys(row)} | {"video_picture": 0.9, "video_other": 0.4}
    table = summary([row, {**row, "video_picture": 0.1}])
    assert [(bar["value"], bar["holds"]) for bar in bars_of(table)] == [(0.7, True), (0.5, False), (0.5, False)]


def summary_keys(given):
    """Plain figures that a summary asks for, less the given ones."""
    from benchmarks.davs.drive_report import LINES

    names = {key for key, _ in LINES if not key.endswith("_nearer") and not key.startswith("video_r_")}
    return {*names, "sound_picture", "sound_other", "real_picture", "real_other"} - set(given)


def test_a_network_that_draws_nothing_is_refused(corpus, tmp_path, capsys):
    path = save_knowing(tmp_path / "net.safetensors", stage="disentangle")
    assert run(drive.main, ["--corpus", str(corpus), "--checkpoint", str(path)]) == 2
    assert "is of stage disentangle; --checkpoint needs one of stage generate" in capsys.readouterr().err

"""benchmarks/davs/drive: what is drawn with what, and the figures of drawings whose truth is known."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import models
from benchmarks.davs import drive, stage
from benchmarks.davs.drive_measure import plan
from benchmarks.davs.drive_report import BARS, bars_of, summary, wilson
from benchmarks.held_out.rest import at_rest
from common.cli import run
from datasets.prepared import ClipRow
from tests.davs_speech_kit import SIDE, Colour, KnowingDavs, make_spoken_corpus, read_brightness, save_knowing

SPLITS = ("train", "train", "train", "test", "test", "test", "test", "test", "test", "unseen")


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    monkeypatch.setitem(models.MODELS, "davs", KnowingDavs)
    monkeypatch.setattr(stage, "read_crops", read_brightness)
    monkeypatch.setattr("metrics.networks.face_embedding.FaceEmbedder", Colour)
    monkeypatch.setattr("faces.detectors.build_detector", lambda name: SimpleNamespace(close=lambda: None))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_spoken_corpus(tmp_path_factory.mktemp("davs") / "corpus", splits=SPLITS, pause=10)


def measured(tmp_path, corpus, *flags, **options):
    """(exit code, figures, folder) of benchmarks.davs.drive."""
    path = save_knowing(tmp_path / "net.safetensors", **options)
    code = run(drive.main, ["--corpus", str(corpus), "--checkpoint", str(path), "--out", str(tmp_path / "out"), *flags])
    return code, json.loads((tmp_path / "out.json").read_text()), tmp_path


def test_a_network_that_follows_holds_the_bars(corpus, tmp_path):
    code, figures, folder = measured(tmp_path, corpus, "--clips", "4")
    found = figures["summary"]["test"]
    assert code == 0, figures["bars"]
    assert found["sound_r"]["median"] > 0.9 and found["video_r"]["median"] > 0.99
    assert found["video_nearer"]["mean"] == 1
    assert found["quiet_spread"]["median"] < 1e-6 and found["quiet_level"]["median"] < 0.1
    assert found["pause_level"]["median"] < 0.1 and found["pause_spread"]["median"] < 0.3
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
    assert holding(figures) == {"video_nearer", "quiet_spread", "pause_spread", "no_face"}
    assert (figures["summary"]["test"]["sound_r"]["count"], figures["summary"]["test"]["sound_r"]["planned"]) == (0, 6)


def holding(figures):
    """Keys of the bars that hold."""
    return {key for key, bar in zip([*BARS, "no_face"], figures["bars"], strict=True) if bar["holds"]}


def test_a_mouth_that_moves_in_quiet_noise_misses_the_bar_and_all_clips_are_measured(corpus, tmp_path):
    code, figures, folder = measured(tmp_path, corpus, restless=True)
    assert code == 1 and "quiet_spread" not in holding(figures) and {"sound_r", "video_r", "no_face"} <= holding(figures)
    assert len(figures["splits"]["test"]) == 6 and figures["summary"]["test"]["video_nearer"]["ends"] == list(wilson(6, 6))
    assert "100.0% of 6 [61.0%, 100.0%]" in (folder / "out.md").read_text()


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
    code, figures, folder = measured(tmp_path, corpus, "--clips", "1")
    row = figures["splits"]["test"][0]
    assert row["no_face"] == 20 * 3 + 25 and row["frames"] == 60 * 3 + 75 and row["sound_r"] > 0.9
    assert code == 1 and set(BARS) - holding(figures) == {"video_nearer"}, "the face of the picture itself is not found"
    assert "(found 510 of 765), at most 0.05 is asked: misses" in (folder / "out.md").read_text()


def test_a_mouth_without_words_is_compared_with_the_real_one_at_rest():
    pauses = np.arange(60) < 20
    real = np.where(pauses, 0.1, np.linspace(0.1, 0.6, 60))
    spoken = np.where(pauses, 0.2, np.linspace(0.1, 0.5, 60))
    rest = at_rest(np.full(75, 0.3), spoken, real, pauses)
    wide = np.percentile(real, 95) - 0.1
    assert rest["quiet_level"] == pytest.approx(0.2 / wide) and rest["pause_level"] == pytest.approx(0.1 / wide)
    assert rest["quiet_spread"] < 1e-6 and rest["pause_spread"] < 1e-6
    moving = at_rest(np.tile([0.1, 0.4], 30), np.tile([0.1, 0.5], 30), real, pauses)
    assert moving["quiet_spread"] == pytest.approx(0.75) and moving["pause_spread"] == pytest.approx(1)
    unknown = at_rest(np.full(75, 0.3), spoken, real, pauses & False)
    assert unknown["pause_level"] is unknown["pause_spread"] is None and unknown["quiet_level"] > 0
    lost = at_rest(np.full(75, np.nan), spoken, real, pauses)
    assert lost["quiet_level"] is None and lost["pause_level"] is not None
    assert at_rest(np.full(75, 0.3), spoken, np.full(60, np.nan), pauses)["quiet_level"] is None


def row_of(**figures):
    """A clip that holds all bars, but for what is given."""
    row = {key: 0.5 for key in summary_keys(())} | {"sound_r": 0.7, "video_r": 0.7, "driver_known": True, "pauses": 9}
    row |= {"video_picture": 0.9, "video_other": 0.4, "quiet_level": 0, "pause_level": 0, "frames": 100, "no_face": 1}
    return row | figures


def held(rows):
    return {key: (bar["value"], bar["holds"]) for key, bar in zip([*BARS, "no_face"], bars_of(summary(rows)), strict=True)}


def test_bars_take_the_median_and_the_share():
    found = held([row_of(video_r=0.5), row_of(video_r=0.5, video_picture=0.1)])
    assert (found["sound_r"], found["video_r"], found["video_nearer"]) == ((0.7, True), (0.5, False), (0.5, False))
    assert (found["quiet_level"], found["pause_spread"], found["no_face"]) == ((0, True), (0.5, True), (0.01, True))


def test_a_clip_without_a_figure_is_a_miss_in_every_bar():
    missing = {"sound_r": None, "video_r": float("nan"), "video_picture": None, "quiet_level": None, "quiet_spread": None,
               "pause_level": None, "pause_spread": None}  # fmt: skip
    good, bad = row_of(), row_of(**missing, no_face=100)
    found = held([good, bad, bad])
    assert {key: one for key, one in found.items() if key != "video_nearer"} == dict.fromkeys(
        [key for key in BARS if key != "video_nearer"], (None, False)) | {"no_face": (0.67, False)}  # fmt: skip
    assert found["video_nearer"] == (pytest.approx(1 / 3), False)
    found = held([good, good, bad])
    assert found["sound_r"] == (0.7, True) and found["video_nearer"][1] is False and found["pause_level"] == (0, True)
    told = bars_of(summary([good, good, bad]))
    assert all((one["found"], one["planned"]) == (2, 3) for one in told[:-1])


def test_clips_without_pauses_give_no_bar_and_say_so():
    found = bars_of(summary([row_of(pauses=0, pause_level=None, pause_spread=None)] * 2))
    assert [one["holds"] for one in found] == [True] * 5 + [None, None, True]


def test_interval_of_a_share():
    np.testing.assert_allclose(wilson(8, 10), (0.4902, 0.9433), atol=1e-4)
    np.testing.assert_allclose(wilson(12, 12), (0.7575, 1), atol=1e-4)
    assert wilson(0, 5)[0] == pytest.approx(0, abs=1e-9)


def summary_keys(given):
    """Plain figures that a summary asks for, less the given ones."""
    from benchmarks.davs.drive_report import LINES

    names = {key for key, _ in LINES if not key.endswith("_nearer") and not key.startswith("video_r_")}
    return {*names, "sound_picture", "sound_other", "real_picture", "real_other"} - set(given)


def test_a_network_that_draws_nothing_is_refused(corpus, tmp_path, capsys):
    path = save_knowing(tmp_path / "net.safetensors", stage="disentangle")
    assert run(drive.main, ["--corpus", str(corpus), "--checkpoint", str(path)]) == 2
    assert "is of stage disentangle; --checkpoint needs one of stage generate" in capsys.readouterr().err

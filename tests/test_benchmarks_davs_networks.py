"""benchmarks/davs on a real DAVS network with random weights: the three commands, and clips through inference.py."""

import json

import numpy as np
import pytest

from benchmarks.davs import disentangle, probes, words
from benchmarks.davs.end_to_end import through_inference
from benchmarks.davs.networks import open_corpus, open_networks, untrained
from benchmarks.davs.stage import Stage
from common.cli import run
from common.errors import InputError
from faces.detectors import build_detector
from tests.davs_driving_kit import save_davs
from tests.davs_speech_kit import SIDE, make_spoken_corpus
from tests.inference_kit import moving_portrait, tone, write_video

SPLITS = ("train",) * 4 + ("val", "test", "test", "unseen")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_spoken_corpus(tmp_path_factory.mktemp("davs") / "corpus", splits=SPLITS, crop="davs", people=2)


def test_the_commands_take_the_network(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(probes, "EPOCHS", 1)
    monkeypatch.setattr(probes, "FORMS", probes.FORMS[1:2])
    monkeypatch.setattr("benchmarks.davs.readings.MAPS_EVERY", 6)
    first, second = save_davs(tmp_path / "a.safetensors", "words"), save_davs(tmp_path / "b.safetensors", "disentangle")
    given = ["--corpus", str(corpus), "--out", str(tmp_path / "out"), "--checkpoint", str(second)]
    run(words.main, [*given, str(first)])
    found = json.loads((tmp_path / "out.json").read_text())["splits"]["test"]["networks"]
    assert list(found) == ["b", "a"] and found["a"]["accuracy"]["video"]["all"]["words"] == 4
    run(disentangle.main, [*given, "--stage1", str(first), "--seeds", "1", "--no_untrained"])
    found = json.loads((tmp_path / "out.json").read_text())["networks"]
    assert set(found["a"]) < set(found["b"]) and found["b"]["word_maps"]["linear"]["unseen"]["chance"] == 0.5


def test_faces_are_drawn_from_codes_of_either_side(corpus, tmp_path):
    networks = open_networks([save_davs(tmp_path / "c.safetensors")])
    stage = Stage(networks[0], open_corpus(corpus, networks, words=False)[0], None, None)
    (row, _) = stage.corpus.split("test")
    made = [stage.draw(stage.first(row), stage.codes(row, side)[:4]) for side in ("audio", "video")]
    assert all(one.shape == (4, SIDE, SIDE, 3) and one.dtype == np.uint8 for one in made)
    assert not np.array_equal(*made)
    random = untrained(networks[0])
    assert random.model.width == networks[0].model.width and random.name == "untrained"


def test_clips_go_through_inference(corpus, tmp_path):
    for name in ("s1/video/bbaf2n.mp4", "s2/video/lwbz3a.mp4"):
        write_video(tmp_path / name, moving_portrait(8), audio=tone(0.32))
    row = {"clip": "s1/bbaf2n", "picture": "s1/bbaf2n", "driver": "s2/lwbz3a", "sound_r": 0.5, "video_r": 0.4}
    prepared = open_corpus(corpus, [], words=False)[0]
    given = [save_davs(tmp_path / "c.safetensors"), tmp_path]
    detector = build_detector("mediapipe")
    try:
        found = through_inference(*given, [row], prepared, detector, tmp_path / "made")
        with pytest.raises(InputError, match="has no clip s3/x, which"):
            through_inference(*given, [{**row, "driver": "s3/x"}], prepared, detector, tmp_path / "made")
    finally:
        detector.close()
    assert [(one["by"], one["r_crops"], one["frames"]) for one in found] == [("sound", 0.5, 8), ("video", 0.4, 8)]
    assert all((tmp_path / "made" / f"s1_bbaf2n_{by}.mp4").is_file() for by in ("sound", "video"))

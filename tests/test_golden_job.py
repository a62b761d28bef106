"""The whole main job on a synthetic talking head with a known mouth: prepare, train, infer, evaluate.

The mouth must follow the audio."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import evaluate
import inference
import prepare
import train
from common.cli import run
from metrics.formulas.correlation import pearson
from tests.synthetic import make_talking_head

pytestmark = pytest.mark.slow

CLIPS, SECONDS, STEPS = 4, 5.0, 150


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Folder with heads/ (videos), prepared/, runs/golden/last.safetensors; and the known openings by clip."""
    folder = tmp_path_factory.mktemp("golden")
    openings = {}
    for number in range(CLIPS):
        path = folder / "heads" / f"speaker{number}" / "talk.mp4"
        path.parent.mkdir(parents=True)
        openings[number] = make_talking_head(path, SECONDS, seed=number)
    arguments = ["--corpus", "folder", "--root", str(folder / "heads"), "--out", str(folder / "prepared"), "--workers", "1"]
    arguments += ["--unseen_speakers", f"speaker{CLIPS - 1}", "--val_share", "0", "--test_share", "0"]
    assert run(prepare.main, arguments) == 0
    config = {
        "name": "golden",
        "model": {"name": "wav2lip", "face_size": 96, "width": 0.25},
        "data": {"corpus": str(folder / "prepared"), "window": 1, "workers": 0},
        "losses": {"l1": {"weight": 1.0, "mouth_weight": 20.0, "upper_weight": 0.1}},
        "optim": {"lr": 2e-3, "warmup": 10, "schedule": "cosine"},
        "train": {"batch_size": 8, "steps": STEPS,
                  "device": "cpu", "runs": str(folder / "runs"), "validate_every": STEPS, "ema": 0.9},
    }
    (folder / "golden.yaml").write_text(yaml.safe_dump(config))
    assert run(train.main, [str(folder / "golden.yaml")]) == 0
    return folder, openings


def drive(folder, face, audio, name):
    """Run inference.py; returns the path of the result."""
    out = folder / "results" / f"{name}.mp4"
    arguments = ["--face", str(face), "--audio", str(audio), "--outfile", str(out), "--no_cache", "--device", "cpu"]
    arguments += ["--checkpoint_path", str(folder / "runs" / "golden" / "last.safetensors")]
    assert run(inference.main, arguments) == 0
    return out


def opening_of(video):
    """(N,) mouth opening measured in a video."""
    from faces.detectors import build_detector
    from faces.mouth import mouth_opening
    from faces.tracking.track import track_face
    from media import VideoReader

    with VideoReader(video) as reader:
        return mouth_opening(track_face(reader, build_detector("mediapipe"), fps=reader.info.fps).landmarks)


@pytest.mark.timeout(400)
def test_the_mouth_follows_the_audio(job):
    folder, openings = job
    last = CLIPS - 1
    held_out = folder / "heads" / f"speaker{last}" / "talk.mp4"
    made = drive(folder, held_out, held_out, "own")
    generated = opening_of(made)
    assert len(generated) == len(openings[last])
    assert pearson(generated, openings[last]) > 0.75

    swapped = drive(folder, held_out, folder / "heads" / "speaker0" / "talk.mp4", "swapped")
    generated = opening_of(swapped)
    heard, seen = openings[0][: len(generated)], openings[last][: len(generated)]
    assert pearson(generated, heard) > 0.75
    assert abs(pearson(generated, seen)) < abs(pearson(generated, heard)) - 0.3

    out = folder / "results" / "table"
    arguments = ["--generated", str(made), "--real", str(held_out), "--out", str(out)]
    assert run(evaluate.main, arguments) == 0
    table = json.loads(Path(f"{out}.json").read_text())
    assert "mouth" in json.dumps(table)


def test_preparing_again_repeats_nothing(job, capsys):
    folder, _ = job
    before = (folder / "prepared" / "manifest.jsonl").read_text()
    arguments = ["--corpus", "folder", "--root", str(folder / "heads"), "--out", str(folder / "prepared"), "--workers", "1"]
    arguments += ["--unseen_speakers", f"speaker{CLIPS - 1}", "--val_share", "0", "--test_share", "0"]
    assert run(prepare.main, arguments) == 0
    assert f"{CLIPS} done before, 0 to prepare" in capsys.readouterr().out
    assert (folder / "prepared" / "manifest.jsonl").read_text() == before
    assert run(prepare.main, [*arguments, "--size", "128"]) == 2
    assert "size" in capsys.readouterr().err


def test_prepared_clips_hold_what_they_promise(job):
    from datasets.prepared import PreparedCorpus

    corpus = PreparedCorpus.open_folder(job[0] / "prepared")
    assert len(corpus.rows) == CLIPS and len(corpus.split("unseen")) == 1
    row = corpus.rows[0]
    clip = corpus.open(row)
    assert clip["face"].shape == (row.frames, 96, 96, 3) and row.frames == pytest.approx(SECONDS * 25, abs=2)
    assert clip["mel"].shape[1] == pytest.approx(row.seconds * 80, abs=2)
    assert abs(len(clip["waveform"]) - row.seconds * 16000) < 700
    assert np.isfinite(clip["landmarks"]).all() and clip["landmarks"].mean() == pytest.approx(48, abs=12)
    mouth = clip["landmarks"][:, 48:68].mean((0, 1))
    assert abs(mouth[0] - 47.5) < 5 and 55 < mouth[1] < 80  # the mouth lies in the lower half, in the middle

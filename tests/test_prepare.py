"""prepare.py on clips that work and clips that do not."""

import json

import numpy as np
import pytest

import prepare
from common.cli import run
from datasets.prepared import PreparedCorpus
from tests.make_media import make_video
from tests.synthetic import make_talking_head


def rows_of(folder):
    return {row["id"]: row for row in map(json.loads, (folder / "manifest.jsonl").read_text().splitlines())}


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """A talking head of 1.6 s."""
    path = tmp_path_factory.mktemp("head") / "head.mp4"
    make_talking_head(path, 1.6, seed=3)
    return path


def test_lrs2_with_bad_clips_beside_a_good_one(head, tmp_path, capsys):
    root, out = tmp_path / "LRS2", tmp_path / "out"
    for name in ("100/00001", "100/00002", "100/00003"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / f"{name}.txt").write_text("Text:  HELLO THERE\n")
    (root / "100/00001.mp4").write_bytes(head.read_bytes())
    (root / "100/00002.mp4").write_text("this is no video")
    noise = np.random.default_rng(0).integers(0, 255, (15, 64, 64, 3), np.uint8)
    make_video(root / "100/00003.mp4", list(noise), 25, audio=np.zeros((1, 9600), np.float32), sample_rate=16000)
    (root / "train.txt").write_text("100/00001\n")
    arguments = ["--corpus", "lrs2", "--root", str(root), "--out", str(out), "--workers", "1"]
    assert run(prepare.main, arguments) == 0
    rows = rows_of(out)
    assert rows["100/00001"]["error"] == "" and rows["100/00001"]["split"] == "train"
    assert rows["100/00001"]["transcript"] == "hello there"
    assert "00002.mp4" in rows["100/00002"]["error"] and "face" in rows["100/00003"]["error"]
    assert "2 failed" in capsys.readouterr().out

    assert run(prepare.main, arguments) == 0  # goes on: nothing is repeated, failures neither
    assert "3 done before, 0 to prepare" in capsys.readouterr().out
    (root / "100/00002.mp4").write_bytes(head.read_bytes())
    assert run(prepare.main, [*arguments, "--retry_failed"]) == 0
    assert "1 done before, 2 to prepare" in capsys.readouterr().out
    assert rows_of(out)["100/00002"]["error"] == ""
    assert len(PreparedCorpus.open_folder(out).rows) == 2


def test_box_crop_and_another_size(head, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.mp4").write_bytes(head.read_bytes())
    arguments = ["--corpus", "folder", "--root", str(tmp_path / "root"), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert run(prepare.main, [*arguments, "--crop", "box", "--size", "128"]) == 0
    corpus = PreparedCorpus.open_folder(tmp_path / "out")
    clip = corpus.open(corpus.rows[0])
    assert corpus.settings["crop"] == "box" and clip["face"].shape[1:] == (128, 128, 3)
    mouth = clip["landmarks"][:, 48:68].mean((0, 1))
    assert 40 < mouth[0] < 88 and 64 < mouth[1] < 120  # in the lower half, which is what gets masked


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--corpus", "gird"], "gird"),
        (["--root", "nowhere"], "nowhere"),
        (["--size", "8"], "--size"),
        (["--fps", "0"], "--fps"),
        (["--val_share", "0.9", "--test_share", "0.2"], "--val_share"),
        (["--detector", "dlib"], "dlib"),
    ],
)
def test_mistakes_end_with_code_2(head, tmp_path, capsys, change, word):
    arguments = ["--corpus", "folder", "--root", str(head.parent), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert run(prepare.main, [*arguments, *change]) == 2
    assert word in capsys.readouterr().err

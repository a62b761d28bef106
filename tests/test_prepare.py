"""prepare.py on clips that work and clips that do not."""

import json

import numpy as np
import pytest

import prepare
from common.cli import run
from datasets.prepared import PreparedCorpus
from speech.arpabet import NUMBER
from speech.waveform import load_waveform
from tests.conftest import ROOT
from tests.make_media import make_video
from tests.synthetic import TalkingPicture, make_talking_head


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
    assert rows["100/00001"]["transcript"] == "hello there" and rows["100/00001"]["offset"] == 0
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


def test_offset_is_where_the_clip_begins_in_its_source(tmp_path):
    root, out = tmp_path / "root", tmp_path / "out"
    root.mkdir()
    picture = TalkingPicture().with_mouth(0.4)
    seconds = np.arange(64000) / 16000
    sound = np.where(seconds < 1, 0, 0.5 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)
    frames = [np.zeros_like(picture)] * 7 + [picture] * 93
    make_video(root / "late.mp4", frames, 25, audio=sound[None], sample_rate=16000)
    assert (
        run(prepare.main, ["--corpus", "folder", "--root", str(root), "--out", str(out), "--workers", "1", "--align", "none"])
        == 0
    )
    row = PreparedCorpus.open_folder(out).rows[0]
    assert row.offset == pytest.approx(7 / 25) and row.frames == 93
    onset = np.flatnonzero(np.abs(PreparedCorpus.open_folder(out).open(row)["waveform"]) > 4000)[0] / 16000
    assert onset + row.offset == pytest.approx(1, abs=0.01)


def test_phones_of_real_speech(tmp_path, capsys):
    """A corpus prepared without phones gets them afterwards, in two processes, and its faces are not cut again."""
    pytest.importorskip("pocketsphinx")
    root, out = tmp_path / "root", tmp_path / "out"
    root.mkdir()
    speech, picture = load_waveform(ROOT / "samples" / "speech.wav"), TalkingPicture().with_mouth(0.4)
    make_video(root / "told.mp4", [picture] * 60, 10, audio=speech[None], sample_rate=16000)
    (root / "told.txt").write_text((ROOT / "samples" / "speech.txt").read_text())
    (root / "heard.mp4").write_bytes((root / "told.mp4").read_bytes())
    arguments = ["--corpus", "folder", "--root", str(root), "--out", str(out), "--fps", "10"]
    assert run(prepare.main, [*arguments, "--workers", "1", "--align", "none"]) == 0
    cut = (out / "clips" / "told.safetensors").stat().st_mtime_ns
    assert {row["phones"] for row in rows_of(out).values()} == {""}
    assert run(prepare.main, [*arguments, "--workers", "2"]) == 0
    assert (out / "clips" / "told.safetensors").stat().st_mtime_ns == cut
    assert "0 to prepare" in (said := capsys.readouterr().out) and "0 clips without" in said
    assert {name: row["phones"] for name, row in rows_of(out).items()} == {"told": "pocketsphinx", "heard": "recognised"}
    corpus = PreparedCorpus.open_folder(out)
    for row in corpus.rows:
        phones = corpus.phones(row)
        sound = np.abs(corpus.open(row)["waveform"].astype(np.float64))
        assert phones[0].start == 0 and phones[-1].end == len(sound) / 16000
        loud = [sound[int(one.start * 16000) : int(one.end * 16000)].mean() for one in phones]
        silent = [one.label == "SIL" for one in phones]
        assert np.mean(np.array(loud)[~np.array(silent)]) > 4 * np.mean(np.array(loud)[silent])
        assert len(phones) > 40
    told = next(row for row in corpus.rows if row.id == "told")
    runs = corpus.phoneme_runs(told)
    assert runs.frames == told.frames and len(set(runs.labels.tolist()) - {NUMBER["SIL"]}) > 15


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--corpus", "gird"], "gird"),
        (["--root", "nowhere"], "nowhere"),
        (["--size", "8"], "--size"),
        (["--fps", "0"], "--fps"),
        (["--val_share", "0.9", "--test_share", "0.2"], "--val_share"),
        (["--detector", "dlib"], "dlib"),
        (["--align", "kaldi"], "kaldi"),
    ],
)
def test_mistakes_end_with_code_2(head, tmp_path, capsys, change, word):
    arguments = ["--corpus", "folder", "--root", str(head.parent), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert run(prepare.main, [*arguments, *change]) == 2
    assert word in capsys.readouterr().err

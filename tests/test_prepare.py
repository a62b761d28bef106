"""prepare.py on clips that work and clips that do not."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

import prepare
from common.cli import run
from common.errors import InputError
from datasets.prepared import ClipRow, PreparedCorpus
from datasets.preparing.clips import longest_run
from datasets.preparing.report import count_clips, reason_kind
from datasets.preparing.requirements import check_sound, check_uncovered, face_height
from datasets.preparing.settings import PrepareSettings
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
        (["--val_share", "nan"], "--val_share"),
        (["--test_share", "nan"], "--test_share"),
        (["--detector", "dlib"], "dlib"),
        (["--align", "kaldi"], "kaldi"),
        (["--workers", "0"], "--workers 0"),
        (["--min_face", "-1"], "--min_face -1"),
        (["--time_limit", "nan"], "--time_limit nan"),
    ],
)
def test_mistakes_end_with_code_2(head, tmp_path, capsys, change, word):
    arguments = ["--corpus", "folder", "--root", str(head.parent), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert run(prepare.main, [*arguments, *change]) == 2
    assert word in capsys.readouterr().err


def test_gates_and_their_report(head, tmp_path, capsys):
    """Clips are left out for the face's height, for silence and for having no face; report.json counts each reason."""
    root, out = tmp_path / "root", tmp_path / "out"
    root.mkdir()
    for name in ("1", "2"):
        (root / f"{name}.mp4").write_bytes(head.read_bytes())
    picture, grey = TalkingPicture().with_mouth(0.4), np.full((64, 64, 3), 128, np.uint8)
    for name, frame, level in (("silent", picture, 0.0005), ("empty", grey, 0.5)):
        sound = level * np.sin(np.arange(16000) / 10, dtype=np.float32)
        make_video(root / f"{name}.mp4", [frame] * 25, 25, audio=sound[None], sample_rate=16000)
    arguments = ["--corpus", "folder", "--root", str(root), "--out", str(out), "--workers", "1", "--align", "none"]
    assert run(prepare.main, [*arguments, "--min_face", "20"]) == 0
    counts = json.loads((out / "report.json").read_text())
    assert counts["reasons"] == {"no face in any frame": 1, "the sound is silent": 1}
    assert (counts["clips"], counts["kept"], counts["left_out"]) == (4, 2, 2)
    assert counts["phones_missing"] == {"not aligned yet": 2} and sum(counts["splits"].values()) == 2
    said = capsys.readouterr().out
    assert "2 failed" in said and "  1 x the sound is silent" in said

    assert run(prepare.main, [*arguments, "--min_face", "400"]) == 2  # another setting, another corpus
    assert "min_face" in capsys.readouterr().err
    arguments[5] = str(tmp_path / "strict")
    assert run(prepare.main, [*arguments, "--min_face", "400"]) == 2  # no clip was kept
    assert "no clip was kept" in capsys.readouterr().err
    counts = json.loads((tmp_path / "strict" / "report.json").read_text())
    assert counts["reasons"]["the face is N pixels high, N are needed (--min_face)"] == 3 and counts["kept"] == 0


def test_a_corpus_of_before_there_were_new_settings_goes_on(head, tmp_path, capsys):
    arguments = ["--corpus", "folder", "--root", str(head.parent), "--out", str(tmp_path), "--workers", "1", "--align", "none"]
    assert run(prepare.main, arguments) == 0
    stored = json.loads((tmp_path / "corpus.json").read_text())
    del stored["settings"]["min_face"], stored["settings"]["raw_crops"]
    (tmp_path / "corpus.json").write_text(json.dumps(stored))
    assert run(prepare.main, arguments) == 0 and "0 to prepare" in capsys.readouterr().out
    assert run(prepare.main, [*arguments, "--min_face", str(PrepareSettings().min_face + 1)]) == 2
    assert run(prepare.main, [*arguments, "--raw_crops"]) == 2 and "raw_crops" in capsys.readouterr().err


def test_the_height_of_a_face_and_the_level_of_silence():
    landmarks = np.zeros((5, 68, 2))
    landmarks[:, 8, 1], landmarks[:, 16, 0] = [10, 50, 60, 70, 500], 300
    assert face_height(landmarks) == 60
    check_sound(np.float32([0, 0, 0.002]), "a")
    for silent in (np.zeros(0, np.float32), np.float32([0, 9e-4])):
        with pytest.raises(InputError, match="a: the sound is silent"):
            check_sound(silent, "a")


@pytest.mark.parametrize(
    ("text", "source", "kind"),
    [
        ("/my clips: 1/a b.mp4: a face in 40% of the frames only, 90% are needed", "a b.mp4",
         "a face in N% of the frames only, N% are needed"),
        ("x/a.mp4: the decoder crashed (signal 11)", "a.mp4", "the decoder crashed (signal N)"),
        ("x/a.align: holds no time", "a.mp4", "holds no time"),
        ("x/a.mp4: its name is not UTF-8", "a.mp4", "its name is not UTF-8"),
        ("word 3 of 'hello there' is -0.5 s long", "", "word N of ... is N s long"),
    ],
)  # fmt: skip
def test_reasons_are_counted_without_what_differs(text, source, kind):
    assert reason_kind(text, source) == kind


def test_a_clip_is_the_longest_run_of_one_shot_that_shows_the_mouth():
    track = SimpleNamespace(covered=np.zeros(20, bool), shots=np.repeat([0, 1], [12, 8]))
    crops = [object()] * 20
    assert longest_run(crops, track) == (0, 12)
    track.covered[3] = True
    assert longest_run(crops, track) == (4, 12)
    crops[7] = None
    assert longest_run(crops, track) == (12, 20)
    assert longest_run([None] * 20, track) == (0, 0)


def test_a_cover_is_blamed_only_where_the_clip_would_be_long_enough_without(tmp_path):
    def check(shots, covered):
        track = SimpleNamespace(covered=np.isin(np.arange(30), covered), shots=np.asarray(shots))
        crops = [object()] * 30
        check_uncovered(longest_run(crops, track), longest_run(crops, track, covered=True), len(covered), 25, "a.mp4")

    check(np.zeros(30), [14])  # 15 frames in a row show it
    check(np.arange(30) // 8, [3])  # cuts leave 8 frames at most, with the cover or without
    with pytest.raises(InputError, match="a.mp4: the mouth is covered in 2 frames, and fewer than 12 in a row show it"):
        check(np.zeros(30), [10, 20])


def test_clips_are_counted():
    rows = [ClipRow(f"a/{n}", "a", "train", seconds=1800, phones="given" if n else "") for n in range(3)]
    error = "r/{0}.mp4: the face is {0} pixels high"
    rows += [ClipRow(f"b/{n}", "b", "val", source=f"{n}.mp4", error=error.format(n)) for n in range(2)]
    assert count_clips(rows) == {
        "clips": 5, "kept": 3, "left_out": 2, "hours": 1.5, "splits": {"train": 3},
        "reasons": {"the face is N pixels high": 2}, "covered": 0, "notes": {}, "phones": {"given": 2},
        "phones_missing": {"not aligned yet": 1}, "side": {},
    }  # fmt: skip
    assert count_clips([])["reasons"] == {}


TRAPPED = """
import ctypes, sys, time
import datasets.preparing.clips
import prepare
from common.cli import run
inner = datasets.preparing.clips.prepare_clip
def trapped(source, *rest):
    if source.id == "crash":
        ctypes.string_at(0)
    if source.id == "slow":
        time.sleep(600)
    return inner(source, *rest)
datasets.preparing.clips.prepare_clip = trapped  # in the processes, too: they import this script
if __name__ == "__main__":
    sys.exit(run(prepare.main))
"""


@pytest.mark.slow
def test_a_clip_that_crashes_and_going_on_after_the_run_was_killed(head, tmp_path, capsys):
    root, out = tmp_path / "root", tmp_path / "out"
    root.mkdir()
    for name in ("crash", "good", "slow"):
        (root / f"{name}.mp4").write_bytes(head.read_bytes())
    (tmp_path / "trapped.py").write_text(TRAPPED)
    arguments = ["--corpus", "folder", "--root", str(root), "--out", str(out), "--workers", "1", "--align", "none"]
    command = [sys.executable, str(tmp_path / "trapped.py"), *arguments]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not (out / "manifest.jsonl").is_file() or len(rows_of(out)) < 2:
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    rows = rows_of(out)
    assert rows["crash"]["error"] == f"{root / 'crash.mp4'}: the decoder crashed (signal 11)" and not rows["good"]["error"]
    cut = (out / "clips" / "good.safetensors").stat().st_mtime_ns

    assert run(prepare.main, arguments) == 0
    assert "2 done before, 1 to prepare" in capsys.readouterr().out
    assert json.loads((out / "report.json").read_text())["reasons"] == {"the decoder crashed (signal N)": 1}
    assert run(prepare.main, [*arguments, "--retry_failed"]) == 0
    assert [row["error"] for row in rows_of(out).values()] == [""] * 3
    assert (out / "clips" / "good.safetensors").stat().st_mtime_ns == cut
    lines = (out / "manifest.jsonl").read_text().splitlines()
    assert len(lines) == 4 and set(json.loads(lines[0])) == set(asdict(ClipRow("", "", "")))

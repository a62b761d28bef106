"""temporal_processing.py end to end, and what it says of bad input."""

import json

import numpy as np
import pytest

from common.cli import run
from speech.labelling import SpeechText, align_speech
from tests.conftest import ROOT
from tests.inference_kit import blank, tone, write_video, write_wav
from tests.synthetic import make_talking_head

SPEECH, WORDS = ROOT / "samples" / "speech.wav", ROOT / "samples" / "speech.txt"


def process(*arguments):
    """Exit code of the script, run inside this process."""
    import temporal_processing

    return run(temporal_processing.main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two talking heads of three seconds, with different mouths."""
    folder = tmp_path_factory.mktemp("videos")
    make_talking_head(folder / "real.mp4", 3.0, 1)
    make_talking_head(folder / "fake.mp4", 3.0, 2)
    return folder


@pytest.fixture(scope="module")
def phones(tmp_path_factory):
    """An alignment file of three seconds."""
    path = tmp_path_factory.mktemp("phones") / "phones.csv"
    rows = ["0,0.5,SIL", "0.5,0.7,HH", "0.7,1.1,AH0", "1.1,1.11,L", "1.11,1.6,OW1", "1.6,2.2,M", "2.2,3,SIL"]
    path.write_text("start,end,label\n" + "\n".join(rows) + "\n")
    return path


def load(folder, name):
    return json.loads((folder / name).read_text())


def test_alignment_and_modules_without_a_video(tmp_path, capsys):
    (tmp_path / "out").mkdir()
    for name in ("temporal_01.png", "temporal_02.png", "lips.json", "temporal_a.png", "temporal_01.svg"):
        (tmp_path / "out" / name).write_text("of an earlier run")
    assert process("--audio", SPEECH, "--align", tmp_path / "out" / "temporal_02.png", "--out", tmp_path / "out") == 2
    assert "temporal_02.png: the output is the same file as the input" in capsys.readouterr().err
    assert process("--audio", SPEECH, "--transcript", WORDS, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "1  forced alignment" in shown and "2  temporal modules" in shown and "need --video and --generated" in shown
    assert "moon" in shown and "M UW N" in shown
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "alignment.TextGrid", "alignment.json", "modules.json", "temporal.png",
        "temporal_a.png", "temporal_01.svg"}  # fmt: skip
    assert "removed, of an earlier run: lips.json, temporal_01.png, temporal_02.png" in shown
    modules = load(tmp_path / "out", "modules.json")
    assert modules["frames"] == 150 and modules["fps"] == "25"
    runs = modules["runs"]
    assert runs[0]["start"] == 0 and runs[-1]["end"] == 150
    assert all(one["end"] == other["start"] for one, other in zip(runs[:-1], runs[1:], strict=True))
    assert (tmp_path / "out" / "temporal.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_a_long_sound_is_shown_in_parts(kind, tmp_path):
    from pipeline.lips.plot import parts_of, write_plots
    from speech.phonemes import phoneme_runs

    path = tmp_path / "phones.csv"
    path.write_text("start,end,label\n0,9.9,SIL\n9.9,10.1,AA\n10.1,20.8,SIL\n20.8,21,M\n")
    alignment = align_speech(tone(21.0)[0], SpeechText(align=path), "tone")
    runs = phoneme_runs(alignment.phones, 25, 525)
    paths = write_plots(tmp_path / "temporal", kind, tone(21.0)[0], alignment, runs, title="$a_b$")
    assert parts_of(21.0) == [(0, 7), (7, 14), (14, 21)] and parts_of(10.0) == [(0, 10)] and len(parts_of(10.1)) == 2
    assert [path.name for path in paths] == {"pdf": ["temporal.pdf"]}.get(kind, [f"temporal_0{at}.{kind}" for at in (1, 2, 3)])
    start = {"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}[kind]
    assert all(path.read_bytes().startswith(start) for path in paths)
    if kind == "pdf":
        assert paths[0].read_bytes().count(b"/Type /Page ") == 3


def test_what_is_written_can_be_given_again(tmp_path, capsys):
    assert process("--audio", SPEECH, "--transcript", WORDS, "--out", tmp_path / "first") == 0
    for name, flag in (("alignment.TextGrid", "--textgrid"), ("alignment.json", "--align")):
        assert process("--audio", SPEECH, flag, tmp_path / "first" / name, "--out", tmp_path / "second") == 0
        assert load(tmp_path / "second", "modules.json") == load(tmp_path / "first", "modules.json"), name


def test_loss_and_weight_of_each_run(videos, phones, tmp_path, capsys):
    common = ("--audio", videos / "real.mp4", "--align", phones, "--video", videos / "real.mp4")
    assert process(*common, "--generated", videos / "fake.mp4", "--out", tmp_path / "apart") == 0
    shown = capsys.readouterr().out
    assert "3  lip loss of each run" in shown and "lip loss of the clip" in shown
    lips = load(tmp_path / "apart", "lips.json")
    assert [row["phoneme"] for row in lips["runs"]] == ["SIL", "HH", "AH", "L", "OW", "M", "SIL"]
    assert lips["lip_loss"] > 0.003
    total = sum(row["loss"] * row["weight"] for row in lips["runs"]) / sum(row["compared"] for row in lips["runs"])
    assert lips["lip_loss"] == pytest.approx(total)
    assert all(0 <= row["least"] <= row["weight"] <= row["most"] <= 1 for row in lips["runs"])

    assert process(*common, "--generated", videos / "real.mp4", "--out", tmp_path / "same") == 0
    same = load(tmp_path / "same", "lips.json")
    assert same["lip_loss"] == 0 and all(row["weight"] == pytest.approx(1) for row in same["runs"])

    assert process(*common, "--generated", videos / "fake.mp4", "--mode", "uniform", "--similarity", "shape",
                   "--out", tmp_path / "uniform") == 0  # fmt: skip
    uniform = load(tmp_path / "uniform", "lips.json")
    assert {row["weight"] for row in uniform["runs"]} == {1.0}
    assert uniform["lip_loss"] > lips["lip_loss"], "weights below 1 lower the loss"


def test_a_real_video_alone_shows_its_mouth(videos, phones, tmp_path, capsys):
    assert process("--audio", videos / "real.mp4", "--align", phones, "--video", videos / "real.mp4", "--out", tmp_path) == 0
    assert load(tmp_path, "modules.json")["frames"] == 75
    assert not (tmp_path / "lips.json").exists()


def test_any_rate_and_channels_are_brought_to_16_khz(tmp_path, capsys):
    import soundfile

    samples, rate = soundfile.read(SPEECH, dtype="float32")
    louder = np.interp(np.arange(0, len(samples), rate / 44100), np.arange(len(samples)), samples)
    soundfile.write(tmp_path / "stereo.wav", np.stack([louder, louder], 1), 44100)
    assert process("--audio", tmp_path / "stereo.wav", "--transcript", WORDS, "--out", tmp_path / "out") == 0
    assert "moon" in capsys.readouterr().out


def test_unknown_words_are_spoken_by_their_spelling_and_named(tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text(WORDS.read_text().replace("moon", "mooon"))
    assert process("--audio", SPEECH, "--transcript", words, "--out", tmp_path / "out") == 0
    assert "guessed from the spelling: mooon" in capsys.readouterr().out


def test_no_words_known_is_marked_as_recognised(tmp_path, capsys):
    assert process("--audio", SPEECH, "--out", tmp_path / "out") == 0
    assert "recognised" in capsys.readouterr().out
    assert load(tmp_path / "out", "alignment.json")["source"] == "recognised"


def test_a_transcript_that_does_not_fit_is_reported_and_strict_refuses_it(tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("the quick brown fox jumps over the lazy dog and then sleeps under a tree until the sun goes down\n")
    code = process("--audio", SPEECH, "--transcript", words, "--out", tmp_path / "out")
    output = capsys.readouterr()
    assert (code == 2 and "fit" in output.err) or (code == 0 and "poorly" in output.out)
    assert process("--audio", SPEECH, "--transcript", words, "--strict", "--out", tmp_path / "out") == 2
    assert "fit" in capsys.readouterr().err
    assert process("--audio", SPEECH, "--transcript", WORDS, "--strict", "--out", tmp_path / "out") == 0


def bad(tmp_path, videos, phones):
    """{name: (arguments, words of the message)}."""
    silence, empty, flat = tmp_path / "silence.wav", tmp_path / "empty.wav", tmp_path / "zero.wav"
    write_wav(silence, np.zeros((1, 16000), np.float32))
    write_wav(flat, np.zeros((1, 0), np.float32))
    empty.write_bytes(b"")
    (tmp_path / "none.txt").write_text("... !\n")
    (tmp_path / "torn.csv").write_text("start,end,label\n0,x,AA\n")
    (tmp_path / "late.csv").write_text("start,end,label\n30,31,AA\n")
    (tmp_path / "strange.csv").write_text("start,end,label,tier\n0,1,QX,phones\n1,2,AA,phones\n")
    write_video(tmp_path / "faceless.mp4", [blank()] * 30, audio=tone(1.2))
    words = ("--transcript", WORDS)
    pair = ("--audio", videos / "real.mp4", "--align", phones)
    return {
        "no audio": (("--audio", tmp_path / "missing.wav"), "no such file"),
        "empty audio": (("--audio", empty), "empty"),
        "zero length": (("--audio", flat), "flat.wav|zero"),
        "no speech": (("--audio", silence, *words), "no speech|silen"),
        "no speech, no words": (("--audio", silence), "no speech|silen"),
        "no transcript": (("--audio", SPEECH, "--transcript", tmp_path / "missing.txt"), "missing.txt"),
        "transcript without words": (("--audio", SPEECH, "--transcript", tmp_path / "none.txt"), "no word"),
        "two of them": (("--audio", SPEECH, *words, "--align", phones), "give one of them"),
        "broken alignment": (("--audio", SPEECH, "--align", tmp_path / "torn.csv"), "torn.csv"),
        "alignment of another sound": (("--audio", SPEECH, "--align", tmp_path / "late.csv"), "does not belong"),
        "unknown phones": (("--audio", SPEECH, "--align", tmp_path / "strange.csv"), "QX"),
        "unknown aligner": (("--audio", SPEECH, *words, "--aligner", "pocket"), "did you mean pocketsphinx"),
        "unknown mode": (("--audio", SPEECH, *words, "--mode", "litteral"), "did you mean literal"),
        "unknown similarity": (("--audio", SPEECH, *words, "--similarity", "move"), "similarity"),
        "generated alone": (("--audio", SPEECH, *words, "--generated", videos / "fake.mp4"), "the real video too"),
        "rate and video": ((*pair, "--video", videos / "real.mp4", "--fps", "30"), "leave --fps out"),
        "rate zero": (("--audio", SPEECH, *words, "--fps", "0"), "--fps"),
        "faceless": ((*pair, "--video", tmp_path / "faceless.mp4"), "no face"),
        "picture": ((*pair, "--video", SPEECH), "speech.wav"),
        "no generated video": ((*pair, "--video", videos / "real.mp4", "--generated", SPEECH), "speech.wav"),
        "out is a file": (("--audio", SPEECH, *words, "--out", phones), "is a file"),
    }


def test_bad_input_gives_one_line_and_exit_code_2(videos, phones, tmp_path, capsys):
    import re

    for name, (arguments, words) in bad(tmp_path, videos, phones).items():
        out = () if "--out" in arguments else ("--out", tmp_path / "out")
        try:
            code = process(*arguments, *out)
        except SystemExit as error:  # argparse
            code = error.code
        message = capsys.readouterr().err.strip().splitlines()
        assert code == 2, f"{name}: exit code {code}"
        assert re.search(words, message[-1]), f"{name}: {message[-1]}"
        assert not any("Traceback" in line for line in message), name


def test_both_videos_are_opened_before_any_work(videos, phones, tmp_path, monkeypatch):
    monkeypatch.setattr("speech.waveform.load_waveform", lambda *_: pytest.fail("work began"))
    assert process("--audio", videos / "real.mp4", "--align", phones, "--video", videos / "real.mp4", "--generated", SPEECH,
                   "--out", tmp_path / "out") == 2  # fmt: skip


@pytest.mark.media
def test_a_real_grid_clip(shared_media, tmp_path, capsys):
    clip = shared_media / "grid" / "s1" / "video" / "bbaf2n.mpg"
    align = shared_media / "grid" / "s1" / "align" / "bbaf2n.align"
    assert process("--audio", clip, "--align", align, "--video", clip, "--generated", clip, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "B L UW" in shown and "T UW" in shown
    lips = load(tmp_path / "out", "lips.json")
    assert lips["lip_loss"] == 0
    runs = {row["phoneme"]: row for row in lips["runs"]}
    blue = [row for row in lips["runs"] if row["phoneme"] == "B"][1]
    assert 29 <= blue["start"] <= 31, "'blue' begins at 1.18 s of the .align file"
    assert runs["SIL"]["end"] == 75

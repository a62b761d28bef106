"""Alignment of prepared clips: which way each takes, what is stored, what is repeated."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import datasets.preparing.phones
from common.errors import InputError
from datasets.clip_files import clip_path, is_current, read_side, side_path, write_side
from datasets.corpora import ClipSource, list_clips
from datasets.prepared import PreparedCorpus, read_manifest
from datasets.preparing.phones import align_corpus, store
from speech.aligners import Aligner
from speech.alignment import Alignment, AlignmentError, Interval, cover
from speech.arpabet import PHONES
from tests.prepared_kit import make_alignment, make_corpus

SECONDS = 1.6


class StubAligner(Aligner):
    """Hears the same in every clip; refuses word times that hold the word "wrong" and a transcript that holds "noise"."""

    name = "pocketsphinx"
    seen, runs, missing = [], 0, False

    def align(self, utterance):
        self.seen.append(utterance)
        labels = [word.label for word in utterance.words if word.label]
        if "wrong" in labels:
            raise AlignmentError(f"{utterance.id}: word 3 of 'wrong' is 0.031 s long")
        if "noise" in utterance.transcript and not utterance.words:
            raise AlignmentError(f"{utterance.id}: the sound does not fit (score -{len(self.seen)}.5)")
        source = "given words, pocketsphinx" if labels else "pocketsphinx" if utterance.transcript else "recognised"
        seconds = len(utterance.waveform) / 16000
        score = -7.5 if "mumble" in utterance.transcript else -1.25
        return Alignment(cover([Interval(0.2, 0.9, "AH", 1), Interval(0.9, 1.1, "T")], seconds), (), seconds, source, score)

    def align_many(self, utterances):
        type(self).runs += 1
        yield from super().align_many(list(utterances))


@pytest.fixture
def stub(monkeypatch):
    def build(name, **options):
        if StubAligner.missing:
            raise InputError("PocketSphinx is not installed: pip install it")
        return StubAligner()

    monkeypatch.setattr(datasets.preparing.phones, "build_aligner", build)
    StubAligner.seen, StubAligner.runs, StubAligner.missing = [], 0, False
    return StubAligner


@pytest.fixture
def folder(tmp_path):
    """Three prepared clips as earlier versions left them: without phones, and without a word of them in the manifest."""
    folder = make_corpus(tmp_path / "corpus", clips=3)
    shutil.rmtree(folder / "phones")
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    for row in rows:
        for key in ("offset", "phones", "phones_error", "phones_score"):
            del row[key]
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def clips_of(folder, **known):
    """A ClipSource for each row; `known` maps the clip's number, as "clip0", to its fields."""
    rows = sorted(read_manifest(folder).values(), key=lambda row: row.id)
    return [ClipSource(row.id, folder / "x.mp4", row.speaker, **known.get(row.id.split("/")[1], {})) for row in rows]


def by_name(folder):
    return {name.split("/")[1]: row for name, row in read_manifest(folder).items()}


def test_corpora_of_before_are_readable(folder):
    corpus = PreparedCorpus.open_folder(folder)
    assert [(row.offset, row.phones, row.phones_error) for row in corpus.rows] == [(0.0, "", "")] * 3
    assert corpus.phones(corpus.rows[0]) is None and corpus.phoneme_runs(corpus.rows[0]) is None


def test_each_clip_goes_the_best_way_that_it_has(folder, stub, capsys):
    (folder / "a.align").write_text("0 10000 sil\n10000 20000 hello\n20000 40000 sil\n")
    clips = clips_of(
        folder, clip0={"align": folder / "a.align", "transcript": "something else"}, clip1={"transcript": "hello there"}
    )
    align_corpus(clips, folder)
    rows = by_name(folder)
    assert [rows[f"clip{n}"].phones for n in range(3)] == ["given words, pocketsphinx", "pocketsphinx", "recognised"]
    assert rows["clip1"].transcript == "hello there"
    seen = {one.id.split("/")[1]: one for one in stub.seen}
    assert seen["clip0"].words[1] == Interval(0.4, 0.8, "hello") and seen["clip1"].words == ()
    assert seen["clip0"].waveform.dtype == np.float32 and len(seen["clip0"].waveform) == SECONDS * 16000
    assert "3 to align" in (out := capsys.readouterr().out) and "1 recognised" in out and "0 clips without" in out
    corpus = PreparedCorpus.open_folder(folder)
    phones = corpus.phones(corpus.rows[0])
    assert [(one.label, one.stress) for one in phones] == [("SIL", None), ("AH", 1), ("T", None), ("SIL", None)]
    assert phones[0].start == 0 and phones[-1].end == SECONDS
    assert corpus.phoneme_runs(corpus.rows[0]).ends.tolist() == [5, 22, 27, 40]
    notes = read_side(folder, "phones", corpus.rows[0].id)[1]
    assert notes["score"] == -1.25 and notes["parameters"]["align"] == "auto"


def test_given_times_move_with_the_clip_that_was_cut(folder, stub):
    rows = [replace(row, offset=0.48) for row in read_manifest(folder).values()]
    (folder / "manifest.jsonl").write_text("".join(json.dumps(vars(row)) + "\n" for row in rows))
    (folder / "a.align").write_text("0 10000 before\n20000 30000 inside\n30000 40000 more\n60000 70000 after\n")
    align_corpus(clips_of(folder, clip0={"align": folder / "a.align"}), folder)
    seen = next(one for one in stub.seen if one.id.endswith("clip0"))
    assert [word.label for word in seen.words] == ["", "inside", "more", ""]
    assert seen.words[1].start == pytest.approx(0.32) and seen.words[1].end == pytest.approx(0.72)
    assert seen.transcript == "inside more"  # not of the words that were cut away


@pytest.mark.parametrize("text", ["0 10000 wrong\n10000 40000 sil\n", "no times at all\n", "0 40000 sil\n"])
def test_given_times_that_do_not_work(folder, stub, text):
    (folder / "a.align").write_text(text)
    known = {"clip0": {"align": folder / "a.align", "transcript": "hello"}}
    align_corpus(clips_of(folder, **known), folder)
    row = by_name(folder)["clip0"]
    assert row.phones == "pocketsphinx"
    assert "given times could not be used" in read_side(folder, "phones", row.id)[1]["notes"][0]
    align_corpus(clips_of(folder, **known), folder, "given", realign=True)
    row = by_name(folder)["clip0"]
    assert row.phones == "" and row.phones_error and not side_path(folder, "phones", row.id).is_file()


def test_a_file_that_has_phones_is_taken_as_it_is(folder, stub):
    text = "start,end,label,tier\n0.1,0.5,hello,words\n0.1,0.3,HH,phones\n0.3,0.5,OW1,phones\n"
    (folder / "a.csv").write_text(text)
    align_corpus(clips_of(folder, clip0={"align": folder / "a.csv"}), folder, "given")
    rows = by_name(folder)
    assert rows["clip0"].phones == "given" and not stub.seen
    corpus = PreparedCorpus.open_folder(folder)
    assert [one.label for one in corpus.phones(rows["clip0"])] == ["SIL", "HH", "OW", "SIL"]
    assert "gives no times" in rows["clip1"].phones_error


def test_pocketsphinx_alone_does_not_look_at_given_times(folder, stub):
    (folder / "a.align").write_text("0 10000 wrong\n")
    align_corpus(clips_of(folder, clip0={"align": folder / "a.align"}), folder, "pocketsphinx")
    assert all(one.words == () for one in stub.seen) and by_name(folder)["clip0"].phones == "pocketsphinx"


def test_failures_are_counted_by_reason_and_do_not_fail_the_clip(folder, stub, capsys):
    align_corpus(clips_of(folder, **{f"clip{n}": {"transcript": "noise"} for n in range(2)}), folder)
    out, err = capsys.readouterr()
    assert "2 clips without" in out and "2 x the sound does not fit (score N)" in out
    assert "s1/clip0: no phones: the sound does not fit" in err
    rows = by_name(folder)
    assert rows["clip0"].error == "" and not rows["clip0"].phones_error.startswith("s1/")
    assert len(PreparedCorpus.open_folder(folder).rows) == 3


def test_words_that_fit_poorly_are_said_and_counted(folder, stub, capsys):
    align_corpus(clips_of(folder, clip0={"transcript": "mumble"}, clip1={"transcript": "hello"}), folder)
    out, err = capsys.readouterr()
    assert "s1/clip0: the words fit the sound poorly (score -7.5)" in err and "s2/clip1" not in err
    assert "1 of them from words that fit the sound poorly" in out
    assert by_name(folder)["clip0"].phones_score == -7.5


def test_goes_on_where_it_stopped(folder, stub, capsys):
    clips = clips_of(folder, clip0={"transcript": "noise"})
    align_corpus(clips[:2], folder)  # the other clip is not asked for
    assert len(stub.seen) == 2 and by_name(folder)["clip1"].phones == ""
    align_corpus(clips, folder)
    assert len(stub.seen) == 3
    align_corpus(clips, folder)
    assert len(stub.seen) == 3 and "3 aligned before, 0 to align" in capsys.readouterr().out
    align_corpus(clips, folder, retry_failed=True)
    assert len(stub.seen) == 4
    side_path(folder, "phones", clips[2].id).unlink()
    align_corpus(clips, folder)
    assert len(stub.seen) == 5 and side_path(folder, "phones", clips[2].id).is_file()
    align_corpus(clips, folder, realign=True)
    assert len(stub.seen) == 8
    before = (folder / "manifest.jsonl").read_text()
    align_corpus(clips, folder, "none", realign=True)
    assert len(stub.seen) == 8 and (folder / "manifest.jsonl").read_text() == before


@pytest.mark.parametrize("tail", ['{"id": "s1/cl', "whole"])
def test_a_torn_manifest_is_mended(folder, stub, tail):
    path = folder / "manifest.jsonl"
    path.write_text(path.read_text() + tail if tail != "whole" else path.read_text().rstrip("\n"))
    align_corpus(clips_of(folder), folder)
    assert [row.phones for row in read_manifest(folder).values()] == ["recognised"] * 3
    assert path.read_text().count("\n") == 6


def test_clips_that_failed_are_left_alone(folder, stub):
    rows = [replace(row, error="no face") for row in read_manifest(folder).values()]
    (folder / "manifest.jsonl").write_text("".join(json.dumps(vars(row)) + "\n" for row in rows))
    align_corpus(clips_of(folder), folder)
    assert not stub.seen


def test_no_pocketsphinx_is_a_warning_under_auto_only(folder, stub, capsys):
    stub.missing = True
    before = (folder / "manifest.jsonl").read_text()
    align_corpus(clips_of(folder), folder)
    err = capsys.readouterr().err
    assert err.startswith("warning: no phones: PocketSphinx is not installed") and err.count("\n") == 1
    assert (folder / "manifest.jsonl").read_text() == before
    for how in ("pocketsphinx", "given", "mfa"):
        with pytest.raises(InputError, match="not installed"):
            align_corpus(clips_of(folder), folder, how)
    with pytest.raises(InputError, match="given"):
        align_corpus(clips_of(folder), folder, "givn")


def test_mfa_runs_once_over_all(folder, stub, capsys):
    known = {"clip0": {"transcript": "hello"}, "clip1": {"transcript": "noise"}, "clip2": {"transcript": "there"}}
    align_corpus(clips_of(folder, **known), folder, "mfa")
    assert stub.runs == 1 and len(stub.seen) == 3
    rows = by_name(folder)
    assert rows["clip0"].phones and rows["clip1"].phones_error and rows["clip2"].phones
    assert "phones from elsewhere" in capsys.readouterr().out  # the stub calls itself pocketsphinx


@given(st.integers(0, 10**6), st.floats(0.04, 20))
@settings(deadline=None, max_examples=30)
def test_phones_come_back_as_they_were(tmp_path_factory, seed, seconds):
    folder = tmp_path_factory.mktemp("store")
    alignment = make_alignment(np.random.default_rng(seed), seconds)
    marked = tuple(replace(one, stress=n % 3) if one.label == "AH" else one for n, one in enumerate(alignment.phones))
    store(folder, "a/b", replace(alignment, phones=marked), "auto")
    row = datasets.prepared.ClipRow("a/b", "a", "train", frames=3, phones="given")
    corpus = PreparedCorpus(folder, {})
    assert corpus.phones(row) == marked
    assert corpus.phoneme_runs(row).frames == 3
    assert set(PHONES) >= {one.label for one in marked}


def test_side_files_of_clips_with_alike_names_do_not_collide(tmp_path):
    names = ["a", "a.phones", "phones", "phones/a", "a.b.c", "a.b"]
    for number, name in enumerate(names):
        write_side(tmp_path, "phones", name, {"x": np.array([number])}, {})
    assert [int(read_side(tmp_path, "phones", name)[0]["x"][0]) for name in names] == list(range(6))
    paths = [side_path(tmp_path, "phones", name) for name in names] + [clip_path(tmp_path, name) for name in names]
    assert len(set(paths)) == 12


def test_side_files_know_what_they_are(tmp_path):
    write_side(tmp_path, "texture", "s1/a", {"labels": np.zeros((3, 4), np.uint8)}, {"k": 64, "m": 10.0}, {"seconds": 1.5})
    arrays, notes = read_side(tmp_path, "texture", "s1/a")
    assert arrays["labels"].shape == (3, 4) and notes["seconds"] == 1.5 and notes["parameters"] == {"k": 64, "m": 10.0}
    assert is_current(tmp_path, "texture", "s1/a", {"m": 10.0, "k": 64})
    assert not is_current(tmp_path, "texture", "s1/a", {"k": 65, "m": 10.0})
    assert not is_current(tmp_path, "texture", "s1/b", {"k": 64, "m": 10.0})
    shutil.copy(side_path(tmp_path, "texture", "s1/a"), side_path(tmp_path, "texture", "s1/b"))
    with pytest.raises(InputError, match="s1/b"):
        read_side(tmp_path, "texture", "s1/b")
    path = side_path(tmp_path, "texture", "s1/a")
    path.write_bytes(path.read_bytes()[:-2])
    assert not is_current(tmp_path, "texture", "s1/a", {"k": 64, "m": 10.0})
    with pytest.raises(ValueError, match="clips"):
        write_side(tmp_path, "clips", "s1/a", {}, {})


def test_phones_whose_file_is_gone_or_damaged(folder, stub):
    align_corpus(clips_of(folder), folder)
    corpus = PreparedCorpus.open_folder(folder)
    write_side(folder, "phones", corpus.rows[0].id, {"phone": np.zeros(3, np.uint8)}, {})
    with pytest.raises(InputError, match="phone_times|stress"):
        corpus.phones(corpus.rows[0])
    side_path(folder, "phones", corpus.rows[0].id).unlink()
    with pytest.raises(InputError, match="prepare"):
        corpus.phones(corpus.rows[0])


def test_word_times_are_found_beside_the_clips(tmp_path):
    words = "Text:  HELLO THERE\nConf:  4\n\nWORD START END ASDSCORE\nHELLO 0.10 0.40 7.1\nTHERE 0.40 0.90 5.0\n"
    for name, text in {"1/a": words, "1/b": "Text:  HELLO THERE\nConf:  4\n", "1/c": "just words\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.mp4").write_text("x")
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "1/b.TextGrid").write_text("x")
    lrs = {clip.id: clip for clip in list_clips("lrs2", tmp_path)}
    assert lrs["1/a"].align == tmp_path / "1/a.txt" and lrs["1/b"].align is None
    assert [lrs[name].transcript for name in ("1/a", "1/b", "1/c")] == ["hello there", "hello there", ""]
    plain = {clip.id: clip for clip in list_clips("folder", tmp_path)}
    assert plain["1/a"].align.name == "a.txt" and plain["1/b"].align.name == "b.TextGrid" and plain["1/c"].align is None
    assert plain["1/a"].transcript == "HELLO THERE" and plain["1/c"].transcript == "just words"

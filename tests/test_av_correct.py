"""Stored sound is moved against the picture where the offset is sure: once, with all that is counted in its time."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.clip_files import clip_path, open_arrays, open_clip, read_side, write_clip
from datasets.prepared import PreparedCorpus
from datasets.preparing import av_correct
from datasets.speech import SpeechFile
from datasets.words import read_words
from speech.mel import mel_spectrogram
from speech.mfcc import mfcc
from tests.prepared_kit import make_corpus

FRAMES, FPS = 30, 25
OFFSETS = {"s1/clip0": (2.2, True), "s2/clip1": (-3.4, True), "s1/clip2": (4.0, False)}


@pytest.fixture
def folder(tmp_path):
    """Three clips of noise: 2 frames late, 3 early, and one that is not sure."""
    folder = make_corpus(tmp_path / "c", clips=3, size=32, frames=FRAMES, splits=("train",))
    rng, lines = np.random.default_rng(0), []
    for row in PreparedCorpus.open_folder(folder).rows:
        arrays, notes = open_arrays(clip_path(folder, row.id))
        samples = rng.integers(-9000, 9000, FRAMES * 640).astype(np.int16)
        write_clip(clip_path(folder, row.id), {**arrays, "waveform": samples}, notes)
        row.offset, (row.av_offset, row.av_sure) = 0.4, OFFSETS[row.id]
        row.av_confidence = 0.5
        lines.append(json.dumps(vars(row)) + "\n")
    (folder / "manifest.jsonl").write_text("".join(lines))
    return folder


@pytest.fixture
def quick(monkeypatch):
    """No speech features are made."""
    monkeypatch.setattr(av_correct, "add_speech", lambda *_: None)


def stored(folder, kind="clips"):
    return {path.stem: path.read_bytes() for path in sorted((folder / kind).rglob("*.safetensors"))}


def test_sound_moves_with_all_that_is_counted_in_its_time(folder, quick, capsys):
    before = {row.id: (row, {**open_clip(clip_path(folder, row.id))}) for row in PreparedCorpus.open_folder(folder).rows}
    texture = stored(folder, "texture-64-10")
    phones = {row.id: PreparedCorpus.open_folder(folder).phones(row) for row, _ in before.values()}
    words = {name: read_words(folder, row) for name, (row, _) in before.items()}
    av_correct.correct_corpus(folder)
    assert "3 clips, 2 to correct" in capsys.readouterr().out
    corpus = PreparedCorpus.open_folder(folder)
    for row in corpus.rows:
        moved = {"s1/clip0": 2, "s2/clip1": -3, "s1/clip2": 0}[row.id]
        old, arrays = before[row.id][1], open_clip(clip_path(folder, row.id))
        by = 640 * moved
        wanted = np.pad(old["waveform"], 4000)[4000 + by : 4000 + by + FRAMES * 640]
        np.testing.assert_array_equal(arrays["waveform"], wanted)
        for name in ("face", "landmarks", "matrix", "interpolated"):
            np.testing.assert_array_equal(arrays[name], old[name])
        assert row.av_corrected == moved and row.frames == FRAMES
        if moved:
            assert row.sound_offset == pytest.approx(0.4 + moved / FPS) and row.offset == 0.4
            np.testing.assert_allclose(arrays["mel"], mel_spectrogram(wanted / np.float32(32767)), atol=1e-5)
            np.testing.assert_allclose(arrays["mfcc"], mfcc(wanted / np.float32(32767)), atol=1e-4)
        label = {name: [next(one.label for one in some if one.start <= time < one.end) for time in TIMES]
                 for name, some in (("old", _moved(phones[row.id], moved / FPS)), ("new", corpus.phones(row)))}  # fmt: skip
        assert label["old"] == label["new"]
        times, names = read_words(folder, row)
        assert names == words[row.id][1] and np.all(np.diff(times) > 0)
        edge = words[row.id][0][0, 1] - moved / FPS
        np.testing.assert_allclose(times[0], [max(0.0, -moved / FPS), edge])
    assert stored(folder, "texture-64-10") == texture


TIMES = np.arange(0.2, FRAMES / FPS - 0.2, 0.01)


def _moved(phones, by):
    return [type(one)(one.start - by, one.end - by, one.label) for one in phones]


def test_speech_features_are_made_anew_for_moved_clips_alone(folder):
    before = stored(folder, "speech")
    av_correct.correct_corpus(folder)
    after, corpus = stored(folder, "speech"), PreparedCorpus.open_folder(folder)
    assert {name for name in before if before[name] != after[name]} >= {"clip0", "clip1"}
    assert all(len(SpeechFile(folder, row).voices) == 2 for row in corpus.rows)


def test_a_second_run_moves_nothing(folder, quick, capsys):
    manifest = folder / "manifest.jsonl"
    before = manifest.read_text()
    av_correct.correct_corpus(folder)
    after = {kind: stored(folder, kind) for kind in ("clips", "phones", "words")}
    av_correct.correct_corpus(folder)
    assert "0 to correct" in capsys.readouterr().out
    manifest.write_text(before)  # as where the first run ended between a clip and its row
    av_correct.correct_corpus(folder)
    assert {kind: stored(folder, kind) for kind in after} == after
    assert {row.id: row.av_corrected for row in PreparedCorpus.open_folder(folder).rows}["s1/clip0"] == 2


def test_a_missing_package_leaves_a_warning(folder, monkeypatch, capsys):
    from speech.features import embedding

    embedding.load_embedding.cache_clear()
    monkeypatch.setattr(embedding.util, "find_spec", lambda name: None)
    av_correct.correct_corpus(folder)
    embedding.load_embedding.cache_clear()
    assert "out of date" in capsys.readouterr().err
    assert PreparedCorpus.open_folder(folder).rows[0].av_corrected == 2


@given(st.lists(st.floats(0.01, 0.4), min_size=1, max_size=8), st.floats(-2, 2), st.integers(0, 2**31))
@settings(deadline=None)
def test_moved_phones_cover_the_clip(lengths, by, seed):
    rng = np.random.default_rng(seed)
    times = np.concatenate([[0], np.cumsum(lengths)])
    arrays = {"phone_times": times, "phone": rng.integers(0, 40, len(lengths)).astype(np.uint8),
              "stress": np.zeros(len(lengths), np.int8)}  # fmt: skip
    moved, notes = av_correct._moved_phones(arrays, {"words": [[0.0, float(times[-1]), "a"]]}, by, float(times[-1]))
    edges, labels = moved["phone_times"], moved["phone"]
    assert edges[0] == 0 and edges[-1] == times[-1] and (np.diff(edges) > 0).all()
    assert len(labels) == len(moved["stress"]) == len(edges) - 1
    for time in rng.uniform(0, times[-1], 20):
        heard = time + by
        inside = 0 <= heard < times[-1]
        wanted = arrays["phone"][np.searchsorted(times, heard, side="right") - 1] if inside else 0
        got = labels[np.searchsorted(edges, time, side="right") - 1]
        assert got == wanted or np.abs(np.concatenate([times - by, [0, times[-1]]]) - time).min() < 1e-6
    assert all(0 <= start < end <= times[-1] for start, end, _ in notes["words"])


def test_side_files_say_how_far_they_were_moved(folder, quick):
    av_correct.correct_corpus(folder)
    assert read_side(folder, "phones", "s1/clip0")[1][av_correct.MOVED] == 2
    assert open_arrays(clip_path(folder, "s2/clip1"))[1][av_correct.MOVED] == "-3"
    assert av_correct.MOVED not in read_side(folder, "phones", "s1/clip2")[1]

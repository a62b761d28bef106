"""PocketSphinx as an aligner: what it finds in speech of known words, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from speech.aligners import Utterance, build_aligner
from speech.alignment import POOR_FIT, AlignmentError, Interval, cover, poor_fit
from speech.arpabet import NUMBER, SILENCE
from speech.waveform import load_waveform
from tests.conftest import ROOT

TEXT = (ROOT / "samples" / "speech.txt").read_text()
OTHER = "the quick brown fox jumps over the lazy dog and sleeps under a tree until the sun goes down"


@pytest.fixture(scope="module")
def aligner():
    return build_aligner("pocketsphinx")


@pytest.fixture(scope="module")
def waveform():
    return load_waveform(ROOT / "samples" / "speech.wav")


def spoken(alignment):
    return [phone.label for phone in alignment.phones if phone.label != SILENCE]


def words_of(alignment):
    return [word.label for word in alignment.words if word.label]


def test_words_and_phones_of_known_speech(aligner, waveform):
    found = aligner.align(Utterance("a", waveform, TEXT))
    assert words_of(found) == TEXT.lower().replace(",", "").replace("?", "").replace(".", "").split()
    assert found.source == "pocketsphinx" and not found.recognised and not poor_fit(found) and found.score > POOR_FIT
    assert spoken(found)[:6] == ["M", "AA", "M", "AH", "M", "EY"] and found.unknown == ()
    assert found.seconds == pytest.approx(len(waveform) / 16000) and set(spoken(found)) <= NUMBER.keys()
    map_ = next(word for word in found.words if word.label == "map")
    quiet = next(word for word in found.words if not word.label and word.start > 0.5)
    loud = np.abs(waveform[int(map_.start * 16000) : int(map_.end * 16000)]).mean()
    assert loud > 10 * np.abs(waveform[int((quiet.start + 0.05) * 16000) : int((quiet.end - 0.05) * 16000)]).mean()


def test_the_pause_between_the_sentences_is_silence(aligner, waveform):
    found = aligner.align(Utterance("a", waveform, TEXT))
    (pause,) = [phone for phone in found.phones if phone.label == SILENCE and phone.start > 1 and phone.end < 5]
    level = np.abs(waveform)
    middle = slice(int((pause.start + 0.04) * 16000), int((pause.end - 0.04) * 16000))
    assert level[middle].mean() < 0.1 * level.mean()


def test_results_do_not_depend_on_what_came_before(aligner, waveform):
    first = aligner.align(Utterance("a", waveform, TEXT))
    with pytest.raises(AlignmentError):
        aligner.align(Utterance("b", waveform[:8000], TEXT))
    aligner.align(Utterance("c", waveform[: 3 * 16000], "mama may I bring my map"))
    assert aligner.align(Utterance("a", waveform, TEXT)) == first
    assert build_aligner("pocketsphinx").align(Utterance("a", waveform, TEXT)) == first


@pytest.mark.parametrize("gain", [0.02, 3.0])
def test_level_changes_little(aligner, waveform, gain):
    loud = np.clip(waveform * gain / max(1.0, gain * np.abs(waveform).max()), -1, 1)
    first, second = (aligner.align(Utterance("a", sound, TEXT)) for sound in (waveform, loud))
    assert spoken(first) == spoken(second)
    assert max(abs(one.start - other.start) for one, other in zip(first.phones, second.phones, strict=True)) <= 0.05


def test_unknown_words_are_guessed_and_named(aligner, waveform):
    found = aligner.align(Utterance("a", waveform, TEXT.replace("moon", "mooon")))
    assert found.unknown == ("mooon",) and "mooon" in words_of(found)
    assert aligner.align(Utterance("a", waveform, TEXT.replace("moon", "mooon"))).unknown == ("mooon",), "the second time too"
    assert aligner.align(Utterance("a", waveform, TEXT)).unknown == ()


def test_what_is_no_word_is_left_out_and_noted(aligner, waveform):
    found = aligner.align(Utterance("a", waveform, f"[laughter] {TEXT}"))
    assert "mama" in words_of(found)
    assert any("[laughter]" in note for note in found.notes)


def test_phones_lie_inside_the_given_words(aligner, waveform):
    free = aligner.align(Utterance("a", waveform, TEXT))
    shifted = [Interval(word.start + 0.02, word.end + 0.01, word.label) for word in free.words if word.label]
    given = cover(shifted, free.seconds, blank="")
    found = aligner.align(Utterance("a", waveform, words=given))
    assert found.source == "given words, pocketsphinx" and found.words == given
    assert spoken(found) == spoken(free)
    edges = np.array([edge for phone in found.phones for edge in (phone.start, phone.end)])
    for word in given:
        if word.label:
            assert max(np.abs(edges - word.start).min(), np.abs(edges - word.end).min()) < 1e-5, word


def test_given_words_that_cannot_be_spoken_are_named(aligner, waveform):
    free = [word for word in aligner.align(Utterance("a", waveform, TEXT)).words if word.label]
    partly = [replace(free[0], label=f"{free[0].label} [laughter]"), *free[1:]]
    notes = aligner.align(Utterance("a", waveform, words=cover(partly, 5.97, blank=""))).notes
    assert any("left out of the transcript: [laughter]" in note for note in notes)
    for labels, message in ((["мир"], "these given words cannot be spoken: мир"), (["мир"] * len(free), "is not English")):
        changed = [replace(word, label=label) for word, label in zip(free, labels, strict=False)] + free[len(labels) :]
        with pytest.raises(AlignmentError, match=f"^a: .*{message}"):
            aligner.align(Utterance("a", waveform, words=cover(changed, 5.97, blank="")))


def test_given_words_of_another_sound_are_refused(aligner, waveform):
    words = cover([Interval(0.3 * at, 0.3 * at + 0.3, word) for at, word in enumerate(OTHER.split())], 5.97, blank="")
    with pytest.raises(AlignmentError):
        found = aligner.align(Utterance("a", waveform, words=words))
        assert poor_fit(found)
        raise AlignmentError("a poor fit, said so")


def test_without_words_phones_are_recognised_and_marked(aligner, waveform):
    found = aligner.align(Utterance("a", waveform))
    assert found.recognised and found.words == () and "no alignment" in found.notes[0]
    heard = spoken(found)
    assert {"M", "AY", "F", "L"} <= set(heard) and 35 <= len(heard) <= 75
    assert aligner.align(Utterance("a", waveform)) == found


def test_another_text_is_refused_or_marked(aligner, waveform):
    try:
        found = aligner.align(Utterance("a", waveform, OTHER))
    except AlignmentError:
        return
    assert poor_fit(found) and any("poorly" in note for note in found.notes)


def noise(seconds, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * 16000))).astype(np.float32)


@pytest.mark.parametrize(
    ("sound", "text", "words"),
    [
        (np.zeros(0, np.float32), TEXT, "shorter"),
        (np.zeros(800, np.float32), TEXT, "shorter"),
        (np.zeros(32000, np.float32), TEXT, "silent"),
        (np.zeros(32000, np.float32), "", "silent"),
        (noise(2), "", "no speech"),
        (noise(0.3), TEXT, "do not fit"),
        (noise(2), "... !", "no word"),
    ],
)
def test_what_cannot_be_aligned_is_refused(aligner, sound, text, words):
    with pytest.raises(AlignmentError, match=words):
        aligner.align(Utterance("clip", sound, text))


def test_many_at_once_a_failure_stops_no_other(aligner, waveform):
    sounds = {"good": waveform, "bad": waveform[:4000], "again": waveform}
    found = dict(aligner.align_many(Utterance(name, sound, TEXT) for name, sound in sounds.items()))
    assert isinstance(found["bad"], AlignmentError) and found["good"] == found["again"]


def test_mild_noise_is_aligned(aligner, waveform):
    level = float(np.sqrt(np.mean(waveform**2))) / 10  # 20 dB below the speech
    noisy = (waveform + level * np.random.default_rng(1).standard_normal(len(waveform))).astype(np.float32)
    clean, found = (aligner.align(Utterance("a", sound, TEXT)) for sound in (waveform, noisy))
    starts = [[word.start for word in one.words if word.label] for one in (clean, found)]
    assert np.median(np.abs(np.subtract(*starts))) <= 0.02


@pytest.mark.media
def test_word_times_of_real_grid_clips(shared_media, aligner):
    from speech.alignment.given import read_alignment

    errors = []
    for name in ("bbaf2n", "bbaf4p", "bbal6n"):
        align = shared_media / "grid" / "s1" / "align" / f"{name}.align"
        clip = next((shared_media / "grid" / "s1" / "video").glob(f"{name}.*"))
        sound = load_waveform(clip)
        given = read_alignment(align, len(sound) / 16000)
        reference = [word for word in given.words if word.label]
        found = aligner.align(Utterance(name, sound, " ".join(word.label for word in reference)))
        own = [word for word in found.words if word.label]
        errors += [abs(one.start - other.start) for one, other in zip(own, reference, strict=True)]
    assert np.median(errors) < 0.06

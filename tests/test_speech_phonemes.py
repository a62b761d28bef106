"""Phoneme runs: the rules, on random intervals and rates, against a plain reference that goes frame by frame."""

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from speech.alignment import Interval
from speech.arpabet import NUMBER, PHONES
from speech.phonemes import phoneme_runs, shuffled_runs

RATES = (23.976, Fraction(24000, 1001), 25, Fraction(25), 29.97, Fraction(30000, 1001), 30, 50.0, 60)
SIL, AA, B, T = (NUMBER[name] for name in ("SIL", "AA", "B", "T"))


def tier(*pairs, start=0.0):
    """Intervals from (label, milliseconds)."""
    found, at = [], round(start * 1000)
    for label, length in pairs:
        found.append(Interval(at / 1000, (at + length) / 1000, label))
        at += length
    return tuple(found)


# labels few, so that equal neighbours are frequent; lengths from far below a frame to several frames; odd microseconds too
lengths = st.one_of(st.integers(1, 40).map(lambda n: n * 10_000), st.integers(1, 90_000))
pieces = st.lists(st.tuples(st.sampled_from(["SIL", "AA", "B", "T"]), lengths), max_size=25)


def from_pieces(parts, start=0):
    edges = np.cumsum([start, *(length for _, length in parts)]) / 1e6
    return tuple(Interval(float(a), float(b), label) for (label, _), a, b in zip(parts, edges[:-1], edges[1:], strict=True))


def exact(seconds):
    return Fraction(round(seconds * 10**6), 10**6)


def reference(phones, fps, frames):
    """(label of every frame, lost, moved) by the rules as written, phone after phone and frame after frame."""
    fps = Fraction(fps).limit_denominator(10**5)
    centres = [(t + Fraction(1, 2)) / fps for t in range(frames)]
    merged = []  # [label, start, end]
    for one in phones:
        if merged and merged[-1][0] == one.label:
            merged[-1][2] = exact(one.end)
        else:
            merged.append([one.label, exact(one.start), exact(one.end)])
    groups = []  # [label, start, end, frames]
    for label, start, end in merged:
        own = [t for t, centre in enumerate(centres) if start <= centre < end]
        inside = end > 0 and start < frames / fps
        if not own and (label == "SIL" or not inside):
            continue
        if groups and groups[-1][0] == label:
            groups[-1][2:] = [end, groups[-1][3] + own]
        else:
            groups.append([label, start, end, own])
    after = [t for t, centre in enumerate(centres) if not phones or centre >= exact(phones[-1].end)]
    if after:
        if groups and groups[-1][0] == "SIL":
            groups[-1][3] += after
        else:
            groups.append(["SIL", None, None, after])
    before = [t for t, centre in enumerate(centres) if phones and centre < exact(phones[0].start)]
    if before:
        if groups and groups[0][0] == "SIL":
            groups[0][3] = before + groups[0][3]
        else:
            groups.insert(0, ["SIL", None, None, before])
    done, lost, moved = [], [], []
    for index, (label, start, end, own) in enumerate(groups):
        if done and done[-1][0] == label:
            done[-1][1] += own
            continue
        if not own:
            right = next((other[3] for other in groups[index + 1 :] if other[3]), [])
            left = done[-1][1] if done else []
            free = ([left[-1]] if len(left) > 1 else []) + ([right[0]] if len(right) > 1 else [])
            if not free:
                lost.append((label, start, end))
                continue
            taken = min(free, key=lambda t: (abs(centres[t] - (start + end) / 2), t))
            (left if left and taken == left[-1] else right).remove(taken)
            own = [taken]
            moved.append((label, start, end))
        done.append([label, own])
    return [label for label, own in done for _ in own], lost, moved


def as_keys(intervals):
    return [(one.label, exact(one.start), exact(one.end)) for one in intervals]


@settings(max_examples=300, deadline=None)
@given(pieces, st.sampled_from(RATES), st.integers(0, 60), st.sampled_from([0, 0, 30_000, 215_001]))
def test_agrees_with_the_reference(parts, fps, frames, start):
    phones = from_pieces(parts, start)
    runs = phoneme_runs(phones, fps, frames)
    labels, lost, moved = reference(phones, fps, frames)
    assert [PHONES[label] for label in runs.frame_labels()] == labels
    assert as_keys(runs.lost) == lost
    assert as_keys(runs.moved) == moved


def check_whole(runs):
    """Every frame in exactly one run, sorted, neighbours differ."""
    assert runs.labels.dtype == runs.starts.dtype == runs.ends.dtype == np.int64
    assert len(runs) == len(runs.labels) == len(runs.starts) == len(runs.ends)
    assert (runs.lengths > 0).all() and runs.lengths.sum() == runs.frames
    assert (runs.starts[1:] == runs.ends[:-1]).all()
    if runs.frames:
        assert runs.starts[0] == 0 and runs.ends[-1] == runs.frames
    assert (runs.labels[1:] != runs.labels[:-1]).all()
    assert len(runs.frame_labels()) == len(runs.frame_runs()) == runs.frames
    for number, (first, end) in enumerate(zip(runs.starts, runs.ends, strict=True)):
        assert (runs.frame_runs()[first:end] == number).all() and (runs.frame_labels()[first:end] == runs.labels[number]).all()


@settings(max_examples=300, deadline=None)
@given(pieces, st.sampled_from(RATES), st.integers(0, 60))
def test_rules(parts, fps, frames):
    phones = from_pieces(parts)
    runs = phoneme_runs(phones, fps, frames)
    check_whole(runs)
    period = 1 / float(fps)
    assert all(one.label != "SIL" and one.end - one.start <= period + 2e-6 or one.end > frames * period for one in runs.lost)
    assert not set(runs.lost) & set(runs.moved)
    # every frame that changed hands belongs to a phone beside its centre: nobody gets a frame from far away
    reach = len(runs.moved) * period + 1e-5
    for t, label in enumerate(runs.frame_labels()):
        centre = (t + 0.5) * period
        assert PHONES[label] in {one.label for one in phones if one.start < centre + reach and one.end > centre - reach} | {
            "SIL"
        }


@settings(max_examples=200, deadline=None)
@given(pieces, st.sampled_from(RATES), st.integers(0, 60), st.integers(0, 2**31))
def test_shuffled(parts, fps, frames, seed):
    runs = phoneme_runs(from_pieces(parts), fps, frames)
    other, again = shuffled_runs(runs, seed), shuffled_runs(runs, seed)
    check_whole(other)
    assert np.bincount(other.frame_labels(), minlength=40).tolist() == np.bincount(runs.frame_labels(), minlength=40).tolist()
    assert (other.frame_labels() == again.frame_labels()).all()
    assert other.fps == runs.fps and other.frames == runs.frames


def test_shuffling_depends_on_the_seed():
    runs = phoneme_runs(tier(*[(PHONES[1 + n % 39], 80) for n in range(39)]), 25, 78)
    orders = [tuple(shuffled_runs(runs, seed).labels) for seed in range(5)]
    assert len({*orders, tuple(runs.labels)}) == 6
    assert all(sorted(order) == sorted(runs.labels) for order in orders)


def test_a_centre_on_an_edge_belongs_to_the_phone_that_begins_there():
    for edge in range(60, 2000, 40):  # centres of 25 fps
        for shift in (-1e-9, 0.0, 1e-9):
            phones = (Interval(0.0, edge / 1000 + shift, "AA"), Interval(edge / 1000 + shift, 3.0, "B"))
            runs = phoneme_runs(phones, 25, 60)
            t = (edge - 20) // 40
            assert runs.frame_labels()[t] == B and runs.frame_labels()[t - 1] == AA


def test_short_phone_takes_the_nearer_frame():
    # B from 185 to 215 would hold the centre 200 at 5 frames a second; at 25 fps the centres are 180 and 220
    runs = phoneme_runs(tier(("AA", 185), ("B", 30), ("T", 185)), 25, 10)
    assert runs.frame_labels().tolist() == [AA] * 4 + [B] + [T] * 5  # middle 200, a tie: the earlier one
    assert [one.label for one in runs.moved] == ["B"] and not runs.lost
    runs = phoneme_runs(tier(("AA", 195), ("B", 20), ("T", 185)), 25, 10)
    assert runs.frame_labels().tolist() == [AA] * 5 + [B] + [T] * 4  # middle 205: nearer to 220


def test_the_only_frame_of_a_run_is_not_taken():
    runs = phoneme_runs(tier(("AA", 35), ("B", 10), ("T", 115)), 25, 4)
    assert runs.frame_labels().tolist() == [AA, B, T, T]
    runs = phoneme_runs(tier(("AA", 35), ("B", 10), ("T", 35)), 25, 2)
    assert runs.frame_labels().tolist() == [AA, T]
    assert [one.label for one in runs.lost] == ["B"] and not runs.moved


def test_lost_phone_between_two_of_one_label():
    runs = phoneme_runs(tier(("T", 35), ("B", 10), ("T", 35)), 25, 2)
    assert runs.labels.tolist() == [T] and runs.ends.tolist() == [2] and len(runs.lost) == 1


def test_short_pause_vanishes_and_is_not_lost():
    runs = phoneme_runs(tier(("AA", 105), ("SIL", 15), ("AA", 80)), 25, 5)
    assert runs.labels.tolist() == [AA] and not runs.lost and not runs.moved


def test_silence_after_the_end_and_phones_beyond_the_last_frame():
    runs = phoneme_runs(tier(("AA", 100)), 25, 10)
    assert runs.labels.tolist() == [AA, SIL] and runs.ends.tolist() == [2, 10]
    runs = phoneme_runs(tier(("AA", 400), ("B", 10), ("T", 10)), 25, 10)
    assert runs.labels.tolist() == [AA] and not runs.lost
    assert phoneme_runs((), 25, 3).labels.tolist() == [SIL]
    assert len(phoneme_runs(tier(("AA", 400)), 25, 0)) == 0


def test_stress_does_not_part_a_run():
    phones = (Interval(0.0, 0.1, "AA", 1), Interval(0.1, 0.2, "AA", 0))
    assert phoneme_runs(phones, 25, 5).labels.tolist() == [AA]


def test_json():
    runs = phoneme_runs(tier(("AA", 35), ("B", 10), ("T", 35)), Fraction(30000, 1001), 2)
    assert runs.as_json()["fps"] == "30000/1001"
    assert runs.as_json()["runs"] == [{"phone": "AA", "start": 0, "end": 1}, {"phone": "T", "start": 1, "end": 2}]
    assert runs.as_json()["lost"] == [{"phone": "B", "start": 0.035, "end": 0.045}]


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf"), "fast", None])
def test_bad_rate(fps):
    with pytest.raises(InputError, match="frame rate"):
        phoneme_runs((), fps, 3)


def test_bad_phones():
    with pytest.raises(ValueError, match="no phone class"):
        phoneme_runs((Interval(0, 1, "QX"),), 25, 3)
    with pytest.raises(ValueError, match="gap"):
        phoneme_runs((Interval(0, 1, "AA"), Interval(1.5, 2, "B")), 25, 3)
    with pytest.raises(ValueError, match="-1 frames"):
        phoneme_runs((), 25, -1)


def test_an_hour_is_quick():
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 17, 45_000)
    phones = tier(*zip(rng.choice(PHONES, 45_000), (lengths * 10).tolist(), strict=True))
    before = time.process_time()
    runs = phoneme_runs(phones, Fraction(60000, 1001), 3600 * 60)
    assert time.process_time() - before < 3  # about 0.3 s
    assert runs.lengths.sum() == runs.frames and (runs.labels[1:] != runs.labels[:-1]).all()

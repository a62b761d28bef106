"""Which frames a face is drawn from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from faces.drawing.bank import MOST, build_bank, cheapest_path, faded, spread_out
from tests.faces_kit import smooth_picture
from tests.test_faces_warp import SIZE, face

FRAMES = 30


def clip(openings=None):
    """Landmarks (N, 68, 2) and pictures of a face with lips, at these openings."""
    openings = 0.15 - 0.15 * np.cos(np.arange(FRAMES)) if openings is None else openings
    landmarks = np.stack([face(opening) for opening in openings])
    skin = np.random.default_rng(0).normal(0, 4, (SIZE, SIZE, 3)) + smooth_picture(SIZE, SIZE, 1) * 0.3 + 90
    pictures = np.repeat(np.clip(skin, 0, 255).astype(np.uint8)[None], len(landmarks), 0)
    for shown, points in zip(pictures, landmarks, strict=True):
        left, top = np.floor(points[48:60].min(0)).astype(int)
        right, bottom = np.ceil(points[48:60].max(0)).astype(int)
        shown[top:bottom, left:right] = (170, 60, 60)
    return landmarks, pictures


def bank_of(landmarks, pictures, usable=None, **options):
    usable = np.ones(len(landmarks), bool) if usable is None else usable
    return build_bank(landmarks, usable, lambda numbers: pictures[numbers], **options)


def test_a_bank_covers_the_openings():
    landmarks, pictures = clip()
    bank = bank_of(landmarks, pictures, size=6)
    assert len(bank) == 6 and (np.diff(bank.numbers) > 0).all()
    gaps, all_gaps = (np.linalg.norm(points[:, 66] - points[:, 62], axis=1) for points in (bank.landmarks, landmarks))
    assert gaps.max() > 0.95 * all_gaps.max() and gaps.min() < all_gaps.min() + 0.05 * all_gaps.max()


def test_covered_blurred_and_dark_frames_are_refused():
    import cv2

    landmarks, pictures = clip()
    pictures[3:9, 70:110, 40:90] = (90, 110, 90)
    pictures[12] = cv2.GaussianBlur(pictures[12], (0, 0), 4)
    pictures[20:23] //= 3
    assert not {3, 4, 5, 6, 7, 8, 12, 20, 21, 22} & set(bank_of(landmarks, pictures).numbers.tolist())


def test_what_covers_most_frames_is_refused_too():
    landmarks, pictures = clip()
    pictures[8:, 70:110, 40:90] = (90, 110, 90)
    assert set(bank_of(landmarks, pictures).numbers.tolist()) <= set(range(8))


def test_a_covered_frame_is_told_from_a_free_one():
    landmarks, pictures = clip()
    bank = bank_of(landmarks[:20], pictures[:20])
    covered = pictures[25].copy()
    covered[64:112, 36:94] = (20, 60, 200)
    assert bank.uncovered(pictures[25], landmarks[25]) == 1 and bank.uncovered(covered, landmarks[25]) == 0
    assert bank.uncovered(pictures[25] // 3, landmarks[25]) == 1


def test_a_shot_is_drawn_from_its_own_frames():
    landmarks, pictures = clip()
    landmarks[15:] += (30.0, 0)
    pictures[15:] = np.roll(pictures[15:], 30, axis=2)[..., ::-1]
    bank = bank_of(landmarks, pictures, shots=np.arange(FRAMES) // 15)
    sources = bank.sources(landmarks, np.arange(FRAMES))
    used = bank.numbers[sources.entries]
    assert (used[:15] < 15).all() and (used[15:][sources.weights[15:] > 0] >= 15).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 6), st.integers(0, 3), st.floats(0, 0.2))
def test_sources_keep_the_gap_and_their_weights_sum_to_one(gap, fade, switch):
    landmarks, pictures = clip()
    bank = bank_of(landmarks, pictures)
    shown = np.abs((np.arange(50) + 7) % 58 - 29)
    sources = bank.sources(landmarks[shown], shown, gap=gap, fade=fade, switch=switch)
    near = np.abs(bank.numbers[sources.entries] - shown[:, None]) < gap
    assert not (near & (sources.weights > 0)).any()
    assert np.allclose(sources.weights.sum(1), 1) and (sources.weights[:, 0] >= sources.weights[:, 1]).all()


def test_a_gap_that_leaves_nothing_is_refused():
    landmarks, pictures = clip()
    with pytest.raises(InputError, match="too short"):
        bank_of(landmarks, pictures).sources(landmarks, np.arange(FRAMES), gap=FRAMES)


def test_one_picture_is_a_bank_and_no_face_is_none():
    landmarks, pictures = clip(np.zeros(1))
    bank = bank_of(landmarks, pictures)
    sources = bank.sources(np.repeat(landmarks, 4, 0), np.zeros(4, int))
    assert len(bank) == 1 and sources.weights[:, 0].tolist() == [1] * 4
    with pytest.raises(InputError, match="no frame"):
        bank_of(landmarks, pictures, np.zeros(1, bool))


def test_frames_without_a_face_do_not_break_the_path():
    landmarks, pictures = clip()
    wanted = landmarks.copy()
    wanted[4:7] = np.nan
    assert np.isfinite(bank_of(landmarks, pictures).sources(wanted, np.arange(FRAMES)).weights).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 7), st.integers(1, 4), st.floats(0, 1), st.integers(0, 1000))
def test_the_path_is_the_cheapest(frames, entries, switch, seed):
    from itertools import product

    cost = np.random.default_rng(seed).random((frames, entries))

    def price(path):
        return cost[np.arange(frames), path].sum() + switch * np.count_nonzero(np.diff(path))

    path = cheapest_path(cost, switch)
    assert price(path) <= min(price(np.array(other)) for other in product(range(entries), repeat=frames)) + 1e-9


def test_a_change_is_mixed_over_the_fade():
    path = np.array([0] * 5 + [1] * 5)
    sources = faded(path, np.zeros((10, 2), bool), 2, 1)
    assert sources.entries[[3, 4, 5, 6], 0].tolist() == [0, 0, 1, 1]
    assert np.allclose(sources.weights[[3, 4, 5, 6], 0], [1, 0.75, 0.75, 1])


def test_another_person_in_the_same_place_and_light_is_another_shot():
    landmarks, pictures = clip(np.zeros(FRAMES))
    assert np.unique(bank_of(landmarks, pictures, shots=np.arange(FRAMES) // 10).shots).tolist() == [0]
    wide, other = landmarks.copy(), pictures.copy()
    wide[20:, 27:36] += (0, 3.0)  # another nose: nothing else differs
    assert np.unique(bank_of(wide, pictures, shots=np.arange(FRAMES) // 10).shots).tolist() == [0, 2]
    other[20:, :60] = np.clip(other[20:, :60] * 1.3, 0, 255)
    other[20:, 60:] = other[20:, 60:] * 0.8
    assert np.unique(bank_of(landmarks, other, shots=np.arange(FRAMES) // 10).shots).tolist() == [0, 2]


def test_who_comes_back_begins_a_shot_that_joins_the_old_one():
    landmarks, pictures = clip()
    landmarks[10:15] = np.nan
    assert set(bank_of(landmarks, pictures, shots=(np.arange(FRAMES) >= 15).astype(int)).shot_of.tolist()) == {0}
    assert set(bank_of(landmarks, pictures).shot_of.tolist()) == {0}


def test_a_short_calm_shot_keeps_entries():
    landmarks, pictures = clip()
    landmarks[26:] = landmarks[26]
    landmarks[26:, 27:36] += (0, 3.0)
    shots = (np.arange(FRAMES) >= 26).astype(int)
    bank = bank_of(landmarks, pictures, shots=shots, size=6)
    assert len(bank) == 4 and np.bincount(bank.shots).tolist() == [3, 1]


def test_candidates_are_bounded_and_shots_without_any_serve_themselves():
    count, read = 300, []
    landmarks, pictures = clip(np.zeros(count))
    landmarks[:, 27:36, 1] += np.arange(count)[:, None] % 7

    def show(numbers):
        read.extend(numbers)
        return pictures[numbers]

    bank = build_bank(landmarks, np.ones(count, bool), show, shots=np.arange(count))
    assert len(read) == MOST and len(bank) <= MOST
    lonely = np.setdiff1d(bank.shot_of, bank.shots)
    shown = np.flatnonzero(np.isin(bank.shot_of, lonely))
    assert len(shown) and (bank.sources(landmarks[shown], shown).weights == 0).all()
    assert (bank.sources(landmarks[shown], shown, gap=2).weights.sum(1) == 1).all()


def test_places_that_are_the_same_are_taken_once():
    assert spread_out(np.zeros((5, 3)), 4).tolist() == [0]
    assert sorted(spread_out(np.array([[0.0], [0], [2], [2], [5]]), 5)) == [0, 2, 4]

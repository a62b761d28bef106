"""Which frames a face is drawn from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from faces.drawing.bank import build_bank, cheapest_path, faded, shots_of, whole
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
    assert shots_of(landmarks).tolist() == [0] * 15 + [1] * 15
    bank = bank_of(landmarks, pictures)
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


def test_a_face_that_leaves_the_frame_is_not_whole():
    landmarks, _ = clip()
    landmarks[2] += (60.0, 0)
    assert whole(landmarks, SIZE, SIZE).tolist() == [True, True, False] + [True] * (FRAMES - 3)

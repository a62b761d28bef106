"""Tracks of boxes, their squares, and what is cut out of the frame, against plain versions of run_pipeline.py's rules."""

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from faces.crops import BOX_EXTENT, CropSpec, face_boxes, plan_crops
from metrics.face_rows import draw_face_rows, evenly_spaced
from metrics.formulas.image import sharpness
from metrics.sync.crops import (
    BoxTrack,
    TrackRules,
    cut_square,
    find_tracks,
    jpeg_colours,
    recolour,
    track_squares,
    whole_frame,
)
from tests.faces_kit import plain_face, smooth_picture, track_of

EASY = TrackRules(min_track=6, min_face=20)


def steady(count, x=100.0, y=80.0, size=60.0):
    """(count, 4) boxes of one face that does not move."""
    return np.tile([x - size / 2, y - size / 2, x + size / 2, y + size / 2], (count, 1)).astype(np.float64)


def spans(tracks):
    return [(track.start, track.start + len(track)) for track in tracks]


# tracks


def test_a_track_needs_more_detections_than_min_track():
    assert spans(find_tracks(steady(101, size=120))) == [(0, 101)]
    with pytest.raises(InputError, match=r"longest face track has 100 detections; more than 100 are needed.*--min_track"):
        find_tracks(steady(100, size=120))
    with pytest.raises(InputError, match="has 0 detections"):
        find_tracks(np.full((200, 4), np.nan))
    holed = steady(130, size=120)
    holed[10:40:2] = np.nan  # detections count, not frames
    assert spans(find_tracks(holed, TrackRules(min_track=114))) == [(0, 130)]
    with pytest.raises(InputError, match="has 115 detections"):
        find_tracks(holed, TrackRules(min_track=115))


def test_a_face_must_be_larger_than_min_face_on_one_side():
    assert len(find_tracks(steady(101, size=100.5))) == 1
    with pytest.raises(InputError, match=r"the face is 100 pixels large; more than 100 are needed.*--min_face"):
        find_tracks(steady(101, size=100))
    high = steady(101, size=50)
    high[:, 3] += 60
    assert len(find_tracks(high)) == 1
    growing = np.concatenate([steady(60, size=90), steady(60, size=108)])  # 99 in the mean
    with pytest.raises(InputError, match="99 pixels"):
        find_tracks(growing)


@pytest.mark.parametrize(("missing", "joined"), [(1, True), (24, True), (25, False), (40, False)])
def test_gaps_end_a_track_after_max_missing_frames(missing, joined):
    boxes = np.concatenate([steady(20, x=100), steady(missing), steady(30, x=100 + 10)])
    boxes[20 : 20 + missing] = np.nan
    found = find_tracks(boxes, EASY)
    if not joined:
        assert spans(found) == [(0, 20), (20 + missing, 50 + missing)]
        return
    assert spans(found) == [(0, 50 + missing)] and np.isfinite(found[0].boxes).all()
    middles = (found[0].boxes[:, 0] + found[0].boxes[:, 2]) / 2
    np.testing.assert_allclose(middles[19 : 21 + missing], np.linspace(100, 110, missing + 2))
    np.testing.assert_allclose(found[0].boxes[-30:], boxes[-30:])


def test_a_jump_starts_another_track_and_the_face_may_come_back():
    elsewhere = steady(12, x=300)
    boxes = np.concatenate([steady(20), elsewhere, steady(20)])
    found = find_tracks(boxes, EASY)
    assert spans(found) == [(0, 52), (20, 32)]  # as run_pipeline.py has it: 12 frames are bridged
    np.testing.assert_allclose(found[0].boxes, steady(52))
    np.testing.assert_allclose(found[1].boxes, elsewhere)


@pytest.mark.parametrize(("shift", "joined"), [(19.9, True), (20.0, False), (20.1, False)])
def test_consecutive_boxes_overlap_by_more_than_half(shift, joined):
    # Equal squares of side 60 shifted by d overlap by (60 - d) / (60 + d): one half at 20.
    boxes = np.concatenate([steady(20), steady(20, x=100 + shift)])
    assert len(find_tracks(boxes, EASY)) == (1 if joined else 2)


def plain_tracks(boxes, rules):
    """The tracks as a list of (frame, box) lists, grown one detection at a time over what nobody has taken."""
    free, tracks = [at for at in range(len(boxes)) if not np.isnan(boxes[at]).any()], []
    while free:
        track = []
        for at in list(free):
            if not track:
                take = True
            elif at - track[-1] > rules.max_missing:
                break
            else:
                a, b = boxes[at], boxes[track[-1]]
                width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
                common = max(0, width) * max(0, height)
                area = sum((one[2] - one[0]) * (one[3] - one[1]) for one in (a, b))
                take = common / (area - common) > rules.min_overlap
            if take:
                track.append(at)
                free.remove(at)
        tracks.append(track)
    return [track for track in tracks if len(track) > rules.min_track]


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 2**32 - 1), st.integers(1, 120), st.floats(0, 0.6), st.floats(0, 15), st.integers(1, 30))
def test_tracks_equal_a_plain_loop(seed, count, hidden, wander, max_missing):
    random = np.random.default_rng(seed)
    boxes = steady(count) + np.cumsum(random.normal(0, wander, (count, 4)) * [1, 1, 0, 0], 0)[:, [0, 1, 0, 1]]
    boxes += 200 * (random.random((count, 1)) < 0.1)
    boxes[random.random(count) < hidden] = np.nan
    rules = TrackRules(min_track=6, min_face=20, max_missing=max_missing)
    expected = plain_tracks(boxes, rules)
    if not expected:
        with pytest.raises(InputError, match="longest face track"):
            find_tracks(boxes, rules)
        return
    found = find_tracks(boxes, rules)
    assert spans(found) == [(track[0], track[-1] + 1) for track in expected]
    for track, frames in zip(found, expected, strict=True):
        np.testing.assert_allclose(track.boxes[np.array(frames) - track.start], boxes[frames])


# squares


def median_filtered(values, width):
    """Median of each value and its neighbours, zeros beyond both ends."""
    padded = [0.0] * (width // 2) + list(values) + [0.0] * (width // 2)
    return [sorted(padded[at : at + width])[width // 2] for at in range(len(values))]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(7, 60), st.sampled_from([1, 5, 13]))
def test_squares_are_medians_of_middle_and_larger_half_side(seed, count, median):
    random = np.random.default_rng(seed)
    corner, extent = random.uniform(-50, 300, (count, 2)), random.uniform(20, 200, (count, 2))
    squares = track_squares(BoxTrack(3, np.concatenate([corner, corner + extent], 1)), TrackRules(median=median))
    raw = [corner[:, 0] + extent[:, 0] / 2, corner[:, 1] + extent[:, 1] / 2, extent.max(1) / 2]
    np.testing.assert_allclose(squares, np.stack([median_filtered(series, median) for series in raw], 1))


def test_one_wrong_box_does_not_move_the_crop():
    boxes = steady(30)
    boxes[12] += 25
    np.testing.assert_array_equal(track_squares(BoxTrack(0, boxes)), np.tile([100, 80, 30], (30, 1)))


def test_short_tracks_do_not_count_for_their_square_would_be_empty():
    with pytest.raises(InputError, match="has 6 detections; more than 6 are needed"):
        find_tracks(steady(6), TrackRules(min_track=1, min_face=20))
    (track,) = find_tracks(steady(7), TrackRules(min_track=1, min_face=20))
    squares = track_squares(track)
    assert (squares[:, 2] == 30).all()
    for square in squares:
        cut_square(smooth_picture(), square)


# crops


def test_the_crop_reaches_from_the_top_of_the_box_to_below_the_chin():
    frame = smooth_picture(400, 300)
    crop = cut_square(frame, (200.0, 120.0, 50.0))
    np.testing.assert_array_equal(crop, cv2.resize(frame[70:210, 130:270], (224, 224)))
    narrow = cut_square(frame, (200.0, 120.0, 50.0), crop_scale=0.2)
    np.testing.assert_array_equal(narrow, cv2.resize(frame[70:190, 140:260], (224, 224)))


@pytest.mark.parametrize(("x", "y", "grey"), [
    (10, 150, (slice(60, 160), slice(0, 60))), (390, 150, (slice(60, 160), slice(-60, None))),
    (200, 10, (slice(0, 30), slice(60, 160))), (200, 290, (slice(-60, None), slice(60, 160))),
    (2, 2, (slice(0, 40), slice(0, 60))), (-30, 150, (slice(60, 160), slice(0, 120))),
    (200, -60, (slice(0, 120), slice(60, 160))), (420, 320, (slice(-120, None), slice(-80, None))),
])  # fmt: skip
def test_outside_the_frame_the_crop_is_grey_and_its_scale_stays(x, y, grey):
    frame, half = smooth_picture(400, 300), 50.0
    crop = cut_square(frame, (float(x), float(y), half))
    assert crop.shape == (224, 224, 3) and (crop[grey] == 110).all()
    wide = np.full((900, 1000, 3), 110, np.uint8)
    wide[300:600, 300:700] = frame
    left, top = 300 + x - 70, 300 + y - 50
    np.testing.assert_array_equal(crop, cv2.resize(wide[top : top + 140, left : left + 140], (224, 224)))


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 200), st.floats(0, 150), st.floats(5, 120), st.sampled_from([0.4, 0.2]))
def test_crops_equal_padding_first_and_slicing_then(x, y, half, scale):
    frame = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8)
    pad = int(half * (1 + 2 * scale))
    wide = np.pad(frame, ((pad, pad), (pad, pad), (0, 0)), constant_values=110)
    rows = slice(int(y + pad - half), int(y + pad + half * (1 + 2 * scale)))
    columns = slice(int(x + pad - half * (1 + scale)), int(x + pad + half * (1 + scale)))
    np.testing.assert_array_equal(cut_square(frame, (x, y, half), scale), cv2.resize(wide[rows, columns], (224, 224)))


def test_a_whole_frame_is_squeezed():
    frame = smooth_picture(320, 100)
    np.testing.assert_array_equal(whole_frame(frame), cv2.resize(frame, (224, 224)))


# boxes of landmarks


@pytest.mark.parametrize("roll", [0, 25, -40])
def test_face_boxes_are_the_extent_of_s3fd_boxes_in_eye_distances(roll):
    track = track_of([plain_face(160, 110, 40, roll), None, plain_face(170, 110, 20, roll)])
    boxes = face_boxes(track)
    assert boxes.shape == (3, 4) and np.isnan(boxes[1]).all()
    left, top, right, bottom = BOX_EXTENT
    np.testing.assert_allclose(boxes[:, 2] - boxes[:, 0], [40 * (right - left), np.nan, 20 * (right - left)], rtol=1e-5)
    np.testing.assert_allclose(boxes[:, 3] - boxes[:, 1], [40 * (bottom - top), np.nan, 20 * (bottom - top)], rtol=1e-5)
    if not roll:
        np.testing.assert_allclose(boxes[0], [160 + 40 * left, 110 + 40 * top, 160 + 40 * right, 110 + 40 * bottom], atol=1e-3)


def test_face_boxes_leave_interpolated_frames_out_and_reach_beyond_the_frame():
    track = track_of([plain_face(10, 20, 40)] * 3)
    track.interpolated[1] = True
    boxes = face_boxes(track)
    assert np.isfinite(boxes).all(1).tolist() == [True, False, True] and (boxes[0, :2] < 0).all()


def test_face_boxes_are_blind_to_the_mouth_and_equal_the_box_crop():
    plain, open_mouth = plain_face(160, 110, 40), plain_face(160, 110, 40)
    open_mouth[48:] += (0, 15)
    open_mouth[:17] += (0, 30)
    boxes = face_boxes(track_of([plain, open_mouth]))
    np.testing.assert_allclose(boxes[0], boxes[1])
    crop = plan_crops(track_of([plain]), CropSpec("box", 96, (0, 0, 0, 0)), smooth=False)[0]
    y1, y2, x1, x2 = crop.box
    np.testing.assert_allclose(boxes[0], [x1, y1, x2, y2], atol=0.51)


# sharpness and rows of faces


def test_sharpness_falls_with_blur_and_is_that_of_the_grey_picture():
    picture = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    values = [sharpness(cv2.GaussianBlur(picture, (0, 0), sigma)) for sigma in (0.5, 1, 2, 4)]
    assert sharpness(picture) > values[0] and values == sorted(values, reverse=True) and values[-1] > 0
    assert sharpness(picture) == sharpness(picture.copy()) and sharpness(np.full((9, 9, 3), 77, np.uint8)) == 0
    grey = (picture.astype(np.float64) @ [0.299, 0.587, 0.114]).round()
    wide = np.pad(grey, 1, mode="reflect")
    laplacian = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - 4 * grey
    assert sharpness(picture) == pytest.approx(laplacian.var(), rel=1e-3)
    red = np.zeros((16, 16, 3), np.uint8)
    red[8:, :, 0] = 200
    assert sharpness(red) == pytest.approx((0.299 / 0.114) ** 2 * sharpness(red[..., ::-1].copy()), rel=0.05)


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 10))
def test_evenly_spaced_pictures_have_the_first_and_the_last(length, count):
    found = evenly_spaced(range(length), count)
    assert len(found) == min(length, count) and found == sorted(set(found))
    if length:
        assert found[0] == 0 and (count == 1 or found[-1] == length - 1)


def test_rows_of_faces_lie_one_below_the_other():
    rows = [[np.full((16, 16, 3), 20 * at, np.uint8) for at in range(12)], [np.full((16, 16, 3), (250, 0, 0), np.uint8)] * 3]
    sheet = cv2.imdecode(np.frombuffer(draw_face_rows(rows), np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    assert sheet.shape == (32, 128, 3)
    np.testing.assert_allclose(sheet[8, 8::16, 0], [20 * at for at in (0, 2, 3, 5, 6, 8, 9, 11)], atol=4)
    assert np.abs(sheet[24, 8:48:16] - (250, 0, 0)).max() < 12 and sheet[24, 60:].max() < 6


def test_colours_are_those_that_a_jpeg_of_the_video_has():
    assert jpeg_colours(None) is None and jpeg_colours((0.299, 0.114)) is None
    matrix = jpeg_colours((0.2126, 0.0722))
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-12)  # grey stays grey
    picture = np.random.default_rng(0).integers(70, 180, (32, 32, 3)).astype(np.uint8)
    options = {"format": "yuv444p", "src_color_range": 2, "dst_color_range": 2, "interpolation": "BICUBIC"}
    stored = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(dst_colorspace=1, **options).to_ndarray()
    luma, blue, red = (plane.astype(float) for plane in stored)
    seen = np.stack([luma + 1.402 * (red - 128), luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
                     luma + 1.772 * (blue - 128)], -1)  # JFIF's own formula
    assert np.abs(recolour(picture, matrix) - seen).mean() < 1 and np.abs(picture - seen).mean() > 2
    assert recolour(picture, None) is picture

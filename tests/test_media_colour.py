"""HDR and wide-gamut video: the formulas by the standards' own numbers, the tables by the formulas, the reader by both."""

import numpy as np
import pytest

from media import VideoReader, probe
from media.colour.light import (
    BT709,
    BT2020,
    HLG,
    PQ,
    SRGB,
    WHITE,
    conversion,
    hlg_light,
    into_gamut,
    luma,
    mapping_for,
    pq_light,
    pq_signal,
    tone_map,
)
from media.colour.lookup import Lookup
from media.pictures.stills import over_grey
from tests.make_media import make_deep_video

GREYS = {  # (transfer, signal): grey of the result; BT.2408: 18 % grey, diffuse white, and the ends
    (HLG, 0.0): 0, (HLG, 0.38): 109, (HLG, 0.75): 230, (HLG, 1.0): 255,
    (PQ, 0.0): 0, (PQ, 0.38): 108, (PQ, 0.5807): 230, (PQ, 0.7518): 255, (PQ, 1.0): 255,
}  # fmt: skip


def patch(colour, side=32):
    return np.tile(np.asarray(colour, float), (side, side, 1))


def test_pq_by_the_standard():
    """BT.2100 table 4; BT.2408: 58 % is 203 cd/m2."""
    assert np.allclose(pq_light(np.array([0, 0.508078, 0.751827, 1])), [0, 100, 1000, 10000], rtol=1e-4)
    assert round(float(pq_signal(203.0)), 2) == 0.58
    assert np.allclose(pq_signal(pq_light(np.linspace(0, 1, 9))), np.linspace(0, 1, 9), atol=1e-6)


def test_hlg_by_the_standard():
    """BT.2100 table 5; BT.2408: 75 % is 203 cd/m2 on a display of 1000, 38 % is 26."""
    light = hlg_light(np.repeat(np.array([[0.0], [0.38], [0.75], [1.0]]), 3, 1), luma(BT2020))
    assert np.allclose(light[:, 0], [0, 26, 203, 1000], rtol=0.02)
    assert np.ptp(light, axis=1).max() < 1e-9


def test_the_matrix_by_the_standard():
    """BT.2087 table 1, inverse; and a white stays white from all primaries."""
    published = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    assert np.abs(conversion(BT2020) - published).max() < 1e-4
    for primaries in (BT709, BT2020, 11, 12):
        assert np.allclose(conversion(primaries).sum(1), 1)


def test_tone_mapping_keeps_what_is_dark_hue_order_and_range():
    dark = np.linspace(0, 87 / WHITE, 50)[:, None] * [1.0, 0.8, 0.6]  # the knee of 1000 to 203 cd/m2 is at 88
    assert np.allclose(tone_map(dark, 1000.0), dark, rtol=1e-6, atol=1e-9)
    bright = np.linspace(0, 2000 / WHITE, 500)[:, None] * [1.0, 0.7, 0.5]
    mapped = tone_map(bright, 1000.0)
    assert mapped.max() <= 1 + 1e-9 and (np.diff(mapped[:, 0]) >= -1e-9).all()
    assert np.allclose(mapped[1:, 1] / mapped[1:, 0], 0.7) and np.allclose(mapped[1:, 2] / mapped[1:, 0], 0.5)


def test_colours_outside_the_gamut_keep_their_luminance_and_hue():
    light = np.array([[1.2, 0.1, -0.1], [0.5, 0.5, 0.5], [-0.1, 0.4, 0.0]])
    inside = into_gamut(light)
    assert inside.min() >= 0 and inside.max() <= 1
    assert np.allclose(inside @ luma(BT709), light @ luma(BT709))
    away, before = (one - (one @ luma(BT709))[:, None] for one in (inside, light))
    assert np.allclose(np.cross(away, before), 0, atol=1e-12)  # on the line to grey


@pytest.mark.parametrize(("primaries", "transfer"), [(9, PQ), (9, HLG), (9, 1), (12, SRGB), (12, 1), (11, 4)])
def test_tables_follow_the_formulas(primaries, transfer):
    rng = np.random.default_rng(0)
    mapping = mapping_for(primaries, transfer)
    codes = (rng.random((64, 256, 3)) * (2400 if mapping.peak else 4095)).astype(np.uint16)  # HDR: up to diffuse white
    made = np.empty(codes.shape, np.uint8)
    Lookup(mapping)(*np.moveaxis(codes, -1, 0), made)
    wrong = np.abs(made - mapping(codes / 4095) * 255)
    assert np.percentile(wrong, 99) <= 1 and np.percentile(wrong, 99.9) <= 2 and wrong.max() <= 8  # at the edge of the gamut


def test_other_tags_change_nothing():
    for primaries, transfer in ((1, 1), (2, 2), (5, 6), (6, 6), (0, 0), (1, 13), (4, 4), (22, 1)):
        assert mapping_for(primaries, transfer) is None


@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_grey_patches(tmp_path, transfer):
    for (kind, signal), grey in GREYS.items():
        if kind == transfer:
            path = make_deep_video(tmp_path / "g.mkv", [patch([signal] * 3)], primaries=BT2020, transfer=transfer)
            frame = next(iter(VideoReader(path)))
            assert np.abs(frame.astype(int) - grey).max() <= 1, (signal, frame[0, 0])
    name = "HLG" if transfer == HLG else "PQ"
    assert probe(path).notes == (f"HDR ({name}, up to 1000 cd/m2) is tone-mapped to BT.709",)


@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_colours_of_bt709_come_back(tmp_path, transfer):
    """A BT.709 picture, put into HDR as BT.2408 says, looks as before where it is not brighter than the knee."""
    colours = np.array([[150, 110, 90], [140, 40, 50], [40, 120, 60], [50, 60, 150], [120, 120, 120]]) / 255
    wide = colours**2.4 @ np.linalg.inv(conversion(BT2020)).T * WHITE
    if transfer == PQ:
        signal = pq_signal(wide)
    else:  # the inverse of BT.2100's OOTF and inverse OETF
        scene = wide / 1000 * ((wide @ luma(BT2020))[:, None] / 1000) ** (1 / 1.2 - 1)
        a = 0.17883277
        high = a * np.log(np.maximum(12 * scene - 1 + 4 * a, 1e-9)) + 0.5 - a * np.log(4 * a)
        signal = np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)
    picture = np.repeat(np.repeat(signal[None], 16, 0), 16, 1)
    frame = next(iter(VideoReader(make_deep_video(tmp_path / "c.mkv", [picture], primaries=BT2020, transfer=transfer))))
    assert np.abs(frame[8, 8::16] - colours * 255).max() <= 1.5


def test_what_phones_write(tmp_path):
    """H.265, 10 bits, 4:2:0, limited range, HLG."""
    path = make_deep_video(
        tmp_path / "p.mp4", [patch([0.75, 0.75, 0.75], 64)] * 3, primaries=BT2020, transfer=HLG, codec="libx265",
        pix_fmt="yuv420p10le", options={"x265-params": "log-level=none:crf=5"},
    )  # fmt: skip
    frames = list(VideoReader(path))
    assert len(frames) == 3 and np.abs(frames[1].astype(int) - 230).max() <= 2
    assert probe(path).luma == (0.2126, 0.0722)


DISPLAY = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(6000000,50)"  # in units of 0.0001 cd/m2


@pytest.mark.parametrize(("stated", "peak"), [("max-cll=300,100", 300), (DISPLAY, 600), (f"{DISPLAY}:max-cll=300,100", 300)])
def test_the_peak_that_a_stream_states_counts(tmp_path, stated, peak):
    params = f"log-level=none:crf=5:hdr10=1:{stated}"
    path = make_deep_video(
        tmp_path / "m.mp4", [patch([0.5807] * 3, 64)] * 2, primaries=BT2020, transfer=PQ, codec="libx265",
        pix_fmt="yuv420p10le", options={"x265-params": params},
    )  # fmt: skip
    assert probe(path).notes == (f"HDR (PQ, up to {peak} cd/m2) is tone-mapped to BT.709",)
    darker = next(iter(VideoReader(path)))[9, 9]
    assert 230 < darker.min() < 255  # less has to be squeezed than from 1000 cd/m2


@pytest.mark.parametrize(("primaries", "name"), [(BT2020, "BT.2020"), (12, "Display P3")])
def test_wide_gamut_in_standard_range(tmp_path, primaries, name):
    colour = np.array([0.7, 0.45, 0.35])
    path = make_deep_video(tmp_path / "w.mkv", [patch(colour)], primaries=primaries, transfer=1)
    expected = (conversion(primaries) @ colour**2.4) ** (1 / 2.4) * 255
    assert np.abs(expected - colour * 255).max() > 5
    assert np.abs(next(iter(VideoReader(path)))[9, 9] - expected).max() <= 1
    assert probe(path).notes == (f"{name} colours are converted to BT.709",)


def test_hdr_is_turned_and_made_square_like_other_video(tmp_path):
    picture = patch([0.0, 0.0, 0.0], 64)
    picture[:32, :32] = 0.75
    path = make_deep_video(tmp_path / "t.mkv", [picture[:48]], primaries=BT2020, transfer=HLG)
    frame = next(iter(VideoReader(path)))
    assert frame.shape == (48, 64, 3) and frame[5, 5, 0] == 230 and frame[40, 50, 0] == 0 and frame.flags.c_contiguous


def test_over_grey():
    rgba = np.array([[[255, 0, 10, 0], [255, 0, 10, 255], [255, 0, 10, 51]]], np.uint8)
    assert over_grey(rgba).tolist() == [[[128, 128, 128], [255, 0, 10], [153, 102, 104]]]

"""Pictures of phones and of the web: HEIC, AVIF, JPEG XL, JPEG 2000; colour profiles; animations."""

import struct
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from common.errors import InputError
from media import VideoReader, probe
from media.colour.light import BT2020, HLG, SRGB, mapping_for
from media.notes import ALPHA
from tests.make_media import make_deep_video
from tests.test_media_stills import COLOURS, bars, only_frame

P3_COLUMNS = {b"rXYZ": (0.51512, 0.2412, -0.00105), b"gXYZ": (0.29198, 0.69225, 0.04189), b"bXYZ": (0.1571, 0.06657, 0.78407)}


def corners():
    """Four grey levels, one a corner, (48, 64, 3)."""
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:24, :32], frame[:24, 32:], frame[24:, :32] = 250, 170, 90
    return frame


def write(path, picture, **options):
    """Save an array as the kind of picture that the suffix names."""
    if path.suffix == ".heic":
        pillow_heif.from_pillow(Image.fromarray(picture)).save(path, quality=95, **options)
    elif path.suffix == ".jxl":
        codec = pytest.importorskip("pylibjxl", reason="no wheel of pylibjxl for this machine")
        path.write_bytes(codec.encode(picture, distance=0.3, **options))
    else:
        Image.fromarray(picture).save(path, quality=95, **options)
    return path


def profile_with(columns, name=b"Our Own P3"):
    """An sRGB profile with other primaries and another name, as bytes (ICC.1: a table of tags, XYZ as s15Fixed16)."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for at in range(132, 132 + 12 * struct.unpack_from(">I", data, 128)[0], 12):
        tag, offset, _ = struct.unpack_from(">4sII", data, at)
        if tag in columns:
            struct.pack_into(">3i", data, offset + 8, *(round(value * 65536) for value in columns[tag]))
        if tag == b"desc":
            text = name.decode().encode("utf-16-be")
            struct.pack_into(">I", data, offset + 20, len(text))
            data[offset + 28 : offset + 28 + len(text)] = text
    return bytes(data)


@pytest.mark.parametrize("name", ["a.heic", "a.avif", "a.jxl", "a.jp2"])
def test_kinds(tmp_path, name):
    frame = only_frame(write(tmp_path / name, bars()))
    for k, colour in enumerate(COLOURS):
        assert np.abs(frame[32, 16 * k + 8].astype(int) - colour).max() <= 4
    assert probe(tmp_path / name).notes == ()


@pytest.mark.parametrize("name", ["a.heic", "a.avif", "a.jxl", "a.jp2"])
def test_a_still_is_a_still_at_any_rate(tmp_path, name):
    reader = VideoReader(write(tmp_path / name, bars()), fps=30)
    assert (reader.info.fps, reader.info.frames, reader.info.is_image, len(list(reader))) == (30, 1, True, 1)


def test_heic_of_tiles(tmp_path):
    large = np.repeat(np.repeat(bars(), 8, 0), 8, 1)  # 384 x 512
    write(tmp_path / "g.heic", large, tile_size=128)
    assert b"grid" in (tmp_path / "g.heic").read_bytes()
    frame = only_frame(tmp_path / "g.heic")
    assert frame.shape == large.shape and np.abs(frame[4:].astype(int) - large[4:]).mean() < 1.5


def test_heic_takes_the_main_picture_not_the_first_or_a_thumbnail(tmp_path):
    file = pillow_heif.from_pillow(Image.new("RGB", (32, 24), (9, 9, 9)))
    file.add_from_pillow(Image.fromarray(bars()))
    file.save(tmp_path / "two.heic", primary_index=1, quality=95)
    assert only_frame(tmp_path / "two.heic").shape == (48, 64, 3)
    assert probe(tmp_path / "two.heic").notes == ("it holds 2 pictures; the main one is read",)


@pytest.mark.parametrize("name", ["r.heic", "r.avif"])
@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, -1), (8, 1)])
def test_rotation(tmp_path, name, orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    if name.endswith("heic"):
        file = pillow_heif.from_pillow(Image.fromarray(corners()))
        file[0].info["exif"] = exif.tobytes()
        file.save(tmp_path / name, quality=95)
    else:
        write(tmp_path / name, corners(), exif=exif)
    expected = np.rot90(corners(), turns)
    assert np.abs(only_frame(tmp_path / name)[2:-2, 2:-2].astype(int) - expected[2:-2, 2:-2]).mean() < 3


@pytest.mark.parametrize("name", ["t.heic", "t.avif", "t.jxl", "t.png"])
def test_transparency_lies_over_grey_and_is_told(tmp_path, name):
    rgba = np.dstack([bars(), np.full((48, 64), 128, np.uint8)])
    frame = only_frame(write(tmp_path / name, rgba))
    assert np.abs(frame[32, 8].astype(int) - (164, 79, 84)).max() <= 3
    assert probe(tmp_path / name).notes == (ALPHA,)
    rgba[..., 3] = 255
    assert probe(write(tmp_path / name, rgba)).notes == ()


@pytest.mark.parametrize("name", ["p.png", "p.jpg", "p.heic", "p.avif", "p.jxl"])
def test_colour_profiles_become_srgb(tmp_path, name):
    """A Display P3 profile gives what the matrices of the two spaces give."""
    picture = np.full((48, 64, 3), (190, 110, 90), np.uint8)
    how = {"icc": profile_with(P3_COLUMNS)} if name == "p.jxl" else {"icc_profile": profile_with(P3_COLUMNS)}
    if name == "p.heic":
        image = Image.fromarray(picture)
        image.info |= how
        pillow_heif.from_pillow(image).save(tmp_path / name, quality=95)
    else:
        write(tmp_path / name, picture, **how)
    expected = mapping_for(12, SRGB)(picture[0, 0] / 255) * 255
    assert np.abs(expected - picture[0, 0]).max() > 5
    assert np.abs(only_frame(tmp_path / name)[24, 32] - expected).max() <= 4
    (note,) = probe(tmp_path / name).notes
    assert "converted to sRGB" in note


def test_a_profile_that_is_srgb_changes_no_pixel(tmp_path):
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    write(tmp_path / "s.png", bars(), icc_profile=own)
    assert np.array_equal(only_frame(tmp_path / "s.png")[1:], bars()[1:])
    assert probe(tmp_path / "s.png").notes == ()


def test_a_broken_profile_is_told_and_left_out(tmp_path):
    write(tmp_path / "b.png", bars(), icc_profile=b"nonsense" * 40)
    assert np.array_equal(only_frame(tmp_path / "b.png")[1:], bars()[1:])
    assert probe(tmp_path / "b.png").notes == ("its colour profile cannot be read; it is taken as sRGB",)


def test_grey_and_print_profiles(tmp_path):
    """A grey picture with an RGB profile, as some scanners write it, and transparency beside a profile."""
    profile = profile_with(P3_COLUMNS)
    Image.new("L", (64, 48), 100).save(tmp_path / "g.png", icc_profile=profile)
    assert np.abs(only_frame(tmp_path / "g.png")[9, 9].astype(int) - 100).max() <= 1
    rgba = np.dstack([np.full((48, 64, 3), (190, 110, 90), np.uint8), np.zeros((48, 64), np.uint8)])
    write(tmp_path / "a.png", rgba, icc_profile=profile)
    assert only_frame(tmp_path / "a.png")[9, 9].tolist() == [128, 128, 128]
    assert len(probe(tmp_path / "a.png").notes) == 2


def test_hdr_heic_by_its_tags(tmp_path):
    """Cameras write HLG stills without a profile, with tags alone."""
    image = pillow_heif.from_pillow(Image.new("RGB", (64, 48), (191, 191, 191)))
    tags = {"color_primaries": BT2020, "transfer_characteristics": HLG, "matrix_coefficients": 9, "full_range_flag": 1}
    image.save(tmp_path / "h.heic", quality=95, **tags)
    assert np.abs(only_frame(tmp_path / "h.heic")[20, 20].astype(int) - 230).max() <= 2
    assert probe(tmp_path / "h.heic").notes == ("HDR (HLG, up to 1000 cd/m2) is tone-mapped to BT.709",)


def test_hdr_avif_by_its_tags(tmp_path):
    path = make_deep_video(
        tmp_path / "h.avif", [np.full((64, 64, 3), 0.75)], primaries=BT2020, transfer=HLG, codec="libsvtav1",
        pix_fmt="yuv420p10le", options={"crf": "10", "preset": "12", "svtav1-params": "lossless=0"},
    )  # fmt: skip
    assert np.abs(only_frame(path)[20, 20].astype(int) - 230).max() <= 3
    assert probe(path).notes == ("HDR (HLG, up to 1000 cd/m2) is tone-mapped to BT.709",)


@pytest.mark.parametrize("name", ["m.webp", "m.avif", "m.gif", "m.png"])
def test_animations_play_with_their_own_timing(tmp_path, name):
    frames = [Image.fromarray(np.full((48, 64, 3), level, np.uint8)) for level in (40, 90, 140, 190)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=[40, 80, 40, 120], lossless=True)
    info = probe(tmp_path / name)
    assert (info.fps, info.is_image, info.is_animation) == (25, False, True)
    levels = [round(float(frame.mean()) / 10) * 10 for frame in VideoReader(tmp_path / name)]
    assert levels == [40, 90, 90, 140, 190, 190, 190]
    assert len(list(VideoReader(tmp_path / name, fps=50))) == 14


def test_animated_transparency(tmp_path):
    frames = [Image.new("RGBA", (64, 48), (200, 100, 0, alpha)) for alpha in (0, 255)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    assert [frame[9, 9].tolist() for frame in VideoReader(tmp_path / "a.webp")] == [[128] * 3, [200, 100, 0]]
    assert probe(tmp_path / "a.webp").notes == (ALPHA,)


@pytest.mark.parametrize("name", ["c.heic", "c.avif", "c.jxl", "c.jp2"])
def test_what_is_cut_short_is_refused(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    data = write(tmp_path / name, noise).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=f"{name}.*cut short"):
        probe(tmp_path / name)


def test_tiff_takes_the_whole_picture_not_a_reduced_copy(tmp_path):
    with TiffImagePlugin.AppendingTiffWriter(tmp_path / "t.tif", True) as file:
        for picture, reduced in ((Image.fromarray(bars()).resize((16, 12)), 1), (Image.fromarray(bars()), 0)):
            picture.save(file, format="TIFF", tiffinfo={254: reduced})
            file.newFrame()
    assert only_frame(tmp_path / "t.tif").shape == (48, 64, 3)


def test_a_missing_package_is_told(tmp_path, monkeypatch):
    write(tmp_path / "a.jxl", bars())
    write(tmp_path / "a.heic", bars())
    monkeypatch.setitem(__import__("sys").modules, "pylibjxl", None)
    monkeypatch.setitem(__import__("sys").modules, "pi_heif", None)
    for name, package in (("a.jxl", "pylibjxl"), ("a.heic", "pi-heif")):
        with pytest.raises(InputError, match=f"{name}.*pip install {package}"):
            probe(Path(tmp_path / name))

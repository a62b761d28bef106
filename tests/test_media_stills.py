"""Pictures as videos of one frame."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from media import VideoReader, probe

COLOURS = [(200, 30, 40), (30, 180, 60), (20, 50, 220), (128, 128, 128)]


def bars():
    frame = np.zeros((48, 64, 3), np.uint8)
    for k, colour in enumerate(COLOURS):
        frame[:, 16 * k : 16 * k + 16] = colour
    frame[:16] //= 2
    return frame


def only_frame(path):
    frames = list(VideoReader(path))
    assert len(frames) == 1
    info = probe(path)
    assert info.is_image and info.frames == 1 and not info.has_audio
    assert frames[0].shape == (info.height, info.width, 3)
    assert frames[0].dtype == np.uint8
    frames[0][0, 0] = 0
    return frames[0]


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.png", {}, 0),
        ("a.bmp", {}, 0),
        ("a.tiff", {}, 0),
        ("a.ppm", {}, 0),
        ("a.gif", {}, 0),
        ("a.webp", {"lossless": True}, 0),
        ("b.webp", {"quality": 95}, 4),
        ("a.jpg", {"quality": 98, "subsampling": 0}, 3),
    ],
)
def test_formats(tmp_path, name, options, tolerance):
    Image.fromarray(bars()).save(tmp_path / name, **options)
    frame = only_frame(tmp_path / name)
    for k, colour in enumerate(COLOURS):
        assert np.abs(frame[32, 16 * k + 8].astype(int) - colour).max() <= tolerance


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "I;16"])
def test_pixel_modes(tmp_path, mode):
    image = Image.fromarray(bars())
    path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    if mode == "I;16":
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
        Image.fromarray(grey).save(path)
        expected = np.asarray(image.convert("L").convert("RGB"))
    else:
        image.convert(mode).save(path, quality=98)
        expected = np.asarray(image.convert(mode).convert("RGB"))
    assert np.abs(only_frame(path)[24:].astype(int) - expected[24:]).max() <= 4


def test_sixteen_bit_colour(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "c.png"), bars()[..., ::-1].astype(np.uint16) * 257)
    assert np.array_equal(only_frame(tmp_path / "c.png")[1:], bars()[1:])


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_transparency_lies_over_grey(tmp_path, name):
    rgba = np.dstack([bars(), np.full((48, 64), 128, np.uint8)])
    Image.fromarray(rgba).save(tmp_path / name, lossless=True)
    assert only_frame(tmp_path / name)[32, 8].tolist() == [164, 79, 84]


def test_transparent_palette_colour_is_grey(tmp_path):
    image = Image.fromarray(bars()).convert("P")
    image.save(tmp_path / "p.png", transparency=image.getpixel((8, 32)))
    assert only_frame(tmp_path / "p.png")[32, 8].tolist() == [128, 128, 128]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["e.jpg", "e.png"])
def test_exif_orientation(tmp_path, name, orientation):
    """EXIF 2.3 tag 0x0112: the stored picture is turned back to what the camera saw."""
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:24, :32], upright[:24, 32:], upright[24:, :32] = 250, 170, 90
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / name, exif=exif, quality=98)
    assert np.abs(only_frame(tmp_path / name)[1:].astype(int) - upright[1:]).max() <= 3


def test_one_pixel(tmp_path):
    for name in ("o.png", "o.jpg"):
        Image.new("RGB", (1, 1), (100, 20, 30)).save(tmp_path / name)
        assert only_frame(tmp_path / name).shape == (1, 1, 3)


def png_header(width, height):
    """A PNG that states its size and holds no pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0)
        + b"IDAT"
    )


def test_8000_pixels_squared_is_read_and_more_is_refused(tmp_path):
    Image.new("L", (8000, 8000), 77).save(tmp_path / "big.jpg", quality=10)
    assert next(iter(VideoReader(tmp_path / "big.jpg"))).shape == (8000, 8000, 3)
    for size in ((9000, 9000), (60000, 60000)):
        (tmp_path / "huge.png").write_bytes(png_header(*size))
        with pytest.raises(InputError, match="too large"):
            probe(tmp_path / "huge.png")


def test_truncated_picture_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    for name in ("t.jpg", "t.png", "t.webp"):
        Image.fromarray(noise).save(tmp_path / name)
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(InputError, match=f"{name}.*cut short"):
            list(VideoReader(tmp_path / name))


def test_wanted_rate_of_a_picture(tmp_path):
    Image.fromarray(bars()).save(tmp_path / "a.png")
    reader = VideoReader(tmp_path / "a.png", fps="30000/1001")
    assert (float(reader.info.fps), reader.info.frames, len(list(reader))) == (30000 / 1001, 1, 1)

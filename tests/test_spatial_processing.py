"""spatial_processing.py: what it writes for pictures and videos, and what it says of bad input."""

import json
import weakref

import numpy as np
import pytest
from PIL import Image

import spatial_processing
from common.cli import run
from faces.texture import TextureSpec, module_means, texture_modules
from media import VideoReader
from pipeline.texture.modules import borders, centre_distances, differences, find_texture, picture_loss, statistics
from tests.inference_kit import blank, moving_portrait, portrait, read_video, tone, write_video

PICTURES = {"blocks.png", "distance.png", "modules.png", "modules.json", "modules.npz", "spatial.png"}


def process(*arguments):
    """Exit code of spatial_processing.py, run inside this process."""
    return run(spatial_processing.main, [str(argument) for argument in arguments])


def blurred(frames, top=0):
    """The frames with little texture from row `top` on: a poor generator."""
    import cv2

    made = []
    for frame in frames:
        soft = cv2.GaussianBlur(frame, (0, 0), 4)
        made.append(np.concatenate([frame[:top], soft[top:]]))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures and videos: real, generated, without a face."""
    path = tmp_path_factory.mktemp("media")
    face, frames = portrait(), moving_portrait(8)
    Image.fromarray(face).save(path / "face.png")
    Image.fromarray(blurred([face], 120)[0]).save(path / "fake.png")
    Image.fromarray(blank()).save(path / "blank.png")
    Image.fromarray(face[:64, :80]).save(path / "small.png")
    Image.fromarray(face[:1, :1]).save(path / "dot.png")
    write_video(path / "real.mp4", frames)
    write_video(path / "fake.mp4", blurred(frames, 120), audio=tone(8 / 25))
    return path


def test_a_picture_step_by_step(folder, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    for name in ("out/loss.json", "elsewhere.png"):
        (tmp_path / name).write_text("of an earlier run")
    (tmp_path / "out" / "blocks.png").symlink_to(tmp_path / "elsewhere.png")  # written through, so not stale
    assert process("--image", folder / "small.png", "--clusters", 20, "--out", tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert told.endswith("removed, of an earlier run: loss.json\n")
    assert [line[0] for line in told.splitlines() if line[:1].isdigit()] == ["1", "2", "3", "4"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == PICTURES
    picture = np.asarray(Image.open(folder / "small.png"))
    with np.load(tmp_path / "out" / "modules.npz") as stored:
        labels = stored["labels"]
    assert np.array_equal(labels, texture_modules(picture, 20))
    table = json.loads((tmp_path / "out" / "modules.json").read_text())
    assert sum(row["pixels"] for row in table["modules"]) == 64 * 80 and len(table["modules"]) == labels.max() + 1
    for row in table["modules"][:3]:
        inside = picture[labels == row["module"]].astype(float)
        assert row["colour_mean"] == pytest.approx(inside.mean(0), abs=1e-2)
        assert row["colour_deviation"] == pytest.approx(inside.std(0), abs=1e-2)
        assert row["centre"] == pytest.approx(np.argwhere(labels == row["module"])[:, ::-1].mean(0), abs=1e-2)
    for name in ("blocks.png", "distance.png", "modules.png"):
        assert Image.open(tmp_path / "out" / name).size == (80, 64)
    assert Image.open(tmp_path / "out" / "spatial.png").size[0] > 1000
    overlay = np.asarray(Image.open(tmp_path / "out" / "modules.png"))
    assert np.array_equal((overlay != picture).any(-1) & ~borders(labels), np.zeros_like(labels, bool))


@pytest.mark.parametrize("shape", [(40, 160), (96, 96), (160, 64)])
def test_no_text_of_the_plot_lies_over_another_or_over_a_picture(shape):
    from pipeline.texture.frames import View
    from pipeline.texture.plot import draw_plot

    picture = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    view = View(3, find_texture(picture, TextureSpec(12)), picture, picture, picture, 0.1, 0.2)
    figure = draw_plot(view, "real.mp4 and fake.mp4, frame 3", [(at, 0.1, 0.2) for at in range(4)])
    figure.canvas.draw()
    pictures = [axis for axis in figure.axes if axis.images]
    texts = [text for axis in figure.axes for text in (axis.title, axis.xaxis.label, axis.yaxis.label)]
    texts += [text for axis in pictures for bar in axis.child_axes for text in (bar.xaxis.label, *bar.get_xticklabels())]
    boxes = [text.get_window_extent() for text in [*texts, *figure.texts] if text.get_text()]
    assert len(pictures) == 8 and len(boxes) > 15
    taken = [*boxes, *(axis.get_window_extent() for axis in pictures)]
    width, height = figure.canvas.get_width_height()
    for at, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
        for other in taken[at + 1:]:
            across, down = min(box.x1, other.x1) - max(box.x0, other.x0), min(box.y1, other.y1) - max(box.y0, other.y0)
            assert across <= 1 or down <= 1, (box, other)


def test_the_plot_has_the_format_that_was_asked_for(folder, tmp_path):
    assert process("--image", folder / "small.png", "--clusters", "20", "--out", tmp_path, "--format", "svg") == 0
    assert (tmp_path / "spatial.svg").read_bytes().startswith(b"<?xml") and not (tmp_path / "spatial.png").exists()


def test_distances_are_those_of_the_formula():
    from skimage.color import rgb2lab

    picture = portrait()[60:100, 60:110]
    found = find_texture(picture, TextureSpec(12, 20.0))
    lab, size = rgb2lab(picture), (40 * 50 / 12) ** 0.5
    for y, x in ((0, 0), (17, 31), (39, 49)):
        inside = np.argwhere(found.labels == found.labels[y, x])
        colour = lab[y, x] - lab[found.labels == found.labels[y, x]].mean(0)
        place = np.array([y, x]) - inside.mean(0)
        wanted = np.sqrt((colour**2).sum() + (place**2).sum() / size**2 * 20**2)
        assert found.distance[y, x] == pytest.approx(wanted, rel=1e-5)
    flat = centre_distances(np.full((6, 6, 3), 90, np.uint8), np.zeros((6, 6), np.int32), 3.0, 10.0)
    assert flat[0, 0] == flat[5, 5] == pytest.approx(10 / 3 * np.hypot(2.5, 2.5), rel=1e-6)


def test_differences_add_up_to_the_loss():
    real = portrait()[:96, :96]
    fake, labels = blurred([real])[0], texture_modules(real)
    table = differences(real, fake, labels)
    each = module_means(table, labels)
    assert each.mean() / 255 == pytest.approx(picture_loss(fake, real, labels), rel=0.05)  # its roots are smooth near 0
    assert picture_loss(real, real, labels) == 0 and not differences(real, real, labels).any()
    assert len(statistics(find_texture(real, TextureSpec()))) == labels.max() + 1


def test_a_video_and_the_generated_one(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert process("--video", folder / "real.mp4", "--generated", folder / "fake.mp4", "--out", out, "--frame", 3) == 0
    told = capsys.readouterr().out
    assert "4  face optimisation: spatial loss" in told and "5  spatial loss" in told
    assert {path.name for path in out.iterdir()} == PICTURES | {"modules.mp4", "optimised.mp4", "loss.json"}
    losses = json.loads((out / "loss.json").read_text())
    assert [row["frame"] for row in losses["frames"]] == list(range(8))
    assert losses["loss"] == pytest.approx(np.mean([row["loss"] for row in losses["frames"]]))
    assert 0 < losses["loss_optimised"] < losses["loss"]
    real, fake, better = (read_video(path) for path in (folder / "real.mp4", folder / "fake.mp4", out / "optimised.mp4"))
    with np.load(out / "modules.npz") as stored:
        assert len(stored.files) == 8
        labels = stored["labels_000003"]
    assert np.array_equal(labels, texture_modules(real[3]))
    assert losses["frames"][3]["loss"] == pytest.approx(picture_loss(fake[3], real[3], labels), rel=1e-5)
    assert better.shape == fake.shape and read_video(out / "modules.mp4").shape == (8, 256, 512, 3)
    assert np.abs(better.astype(int) - fake)[:, 120:].max() > 8, "the face did change"
    assert np.abs(better.astype(int) - fake)[:, :60].mean() < 4, "what is not the face did not, but for compression"
    with VideoReader(out / "optimised.mp4") as reader:
        assert reader.info.has_audio
    assert json.loads((out / "modules.json").read_text())["frame"] == 3


def test_the_face_crop(folder, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ("--crop", "--size", 64, "--clusters", 30, "--frames", 3, "--out", out)
    assert process("--video", folder / "real.mp4", "--generated", folder / "fake.mp4", *arguments) == 0
    assert "face crops of 64x64" in capsys.readouterr().out
    table = json.loads((out / "modules.json").read_text())
    assert table["width"] == table["height"] == 64 and table["crop"] and table["frames"]["count"] == 3
    assert read_video(out / "optimised.mp4").shape == (3, 256, 256, 3), "the whole frame, the face laid back"
    assert Image.open(out / "modules.png").size == (64, 64)


def test_frames_without_a_face_are_left_out_of_a_crop(tmp_path, capsys):
    frames = [*moving_portrait(9), *[blank()] * 12]
    write_video(tmp_path / "real.mp4", frames)
    out = tmp_path / "out"
    arguments = ("--crop", "--size", 48, "--out", out, "--frame", 20)
    assert process("--video", tmp_path / "real.mp4", "--generated", tmp_path / "real.mp4", *arguments) == 0
    losses = json.loads((out / "loss.json").read_text())
    assert losses["loss"] == 0.0, "the same picture on both sides"
    assert losses["frames"][-1]["loss"] is None and losses["frames"][0]["loss"] == 0.0
    table = json.loads((out / "modules.json").read_text())
    assert table["frames"]["without_face"] >= 5 and table["frame"] < 20
    assert len(read_video(out / "optimised.mp4")) == len(read_video(out / "modules.mp4")) == 21
    assert "without a face, left out" in capsys.readouterr().out


def test_a_picture_beside_a_generated_picture_or_video(folder, tmp_path):
    out = tmp_path / "one"
    assert process("--image", folder / "face.png", "--generated", folder / "fake.png", "--out", out) == 0
    assert {path.name for path in out.iterdir()} == PICTURES | {"optimised.png", "loss.json"}
    fake, better = (np.asarray(Image.open(path)).astype(int) for path in (folder / "fake.png", out / "optimised.png"))
    assert np.array_equal(better[:60], fake[:60]) and (better != fake).any()
    out = tmp_path / "two"
    assert process("--image", folder / "face.png", "--generated", folder / "fake.mp4", "--no_optimise", "--out", out) == 0
    losses = json.loads((out / "loss.json").read_text())
    assert len(losses["frames"]) == 8 and losses["loss_optimised"] is None
    assert not (out / "optimised.mp4").exists()


def test_without_a_face_the_whole_picture_is_compared_and_the_optimisation_says_so(folder, tmp_path, capsys):
    arguments = ("--image", folder / "blank.png", "--generated", folder / "blank.png", "--out", tmp_path / "out")
    assert process(*arguments) == 0
    assert "note: no face optimisation" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "loss.json").read_text())["loss"] == 0.0
    assert process(*arguments, "--crop") == 2
    assert "no face" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "I;16", "1"])
def test_pictures_of_any_kind(folder, tmp_path, mode):
    face = Image.open(folder / "small.png")
    if mode == "I;16":
        face = Image.fromarray(np.asarray(face.convert("L")).astype(np.uint16) * 257)
    else:
        face = face.convert(mode)
    face.save(tmp_path / "face.png")
    assert process("--image", tmp_path / "face.png", "--clusters", 9, "--out", tmp_path / "out") == 0
    with np.load(tmp_path / "out" / "modules.npz") as stored:
        assert stored["labels"].shape == (64, 80)


def test_a_picture_of_one_pixel(folder, tmp_path, capsys):
    assert process("--image", folder / "dot.png", "--out", tmp_path / "out") == 2
    assert "--clusters 64" in capsys.readouterr().err
    assert process("--image", folder / "dot.png", "--clusters", 1, "--out", tmp_path / "out") == 0
    assert json.loads((tmp_path / "out" / "modules.json").read_text())["modules"][0]["pixels"] == 1


def bad(folder, tmp_path):
    """{what is wrong: (arguments, word of the message)}."""
    (tmp_path / "empty.mp4").write_bytes(b"")
    whole = (folder / "real.mp4").read_bytes()
    (tmp_path / "headless.mp4").write_bytes(whole[:200])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes((folder / "face.png").read_bytes()[:20000])
    (tmp_path / "file").write_text("x")
    face, small, real = folder / "face.png", folder / "small.png", folder / "real.mp4"
    return {
        "no face with --crop": (("--image", folder / "blank.png", "--crop"), "no face"),
        "more clusters than pixels": (("--image", small, "--clusters", 64 * 80 + 1), "--clusters 5121"),
        "more clusters than the crop has pixels": (("--image", face, "--crop", "--size", 16, "--clusters", 257), "face crop"),
        "no clusters": (("--image", face, "--clusters", 0), "clusters"),
        "compactness of 0": (("--image", face, "--compactness", 0), "compactness"),
        "compactness nan": (("--image", face, "--compactness", "nan"), "compactness"),
        "missing": (("--image", tmp_path / "none.png"), "none.png"),
        "missing generated": (("--image", face, "--generated", tmp_path / "none.png"), "none.png"),
        "empty video": (("--video", tmp_path / "empty.mp4"), "empty.mp4"),
        "video without frames": (("--video", tmp_path / "headless.mp4"), "headless.mp4"),
        "no picture": (("--image", tmp_path / "text.png"), "text.png"),
        "cut picture": (("--image", tmp_path / "cut.png"), "cut.png"),
        "video as picture": (("--image", real), "--video"),
        "picture as video": (("--video", face), "--image"),
        "other sizes": (("--image", face, "--generated", small), "80x64"),
        "generated picture for a video": (("--video", real, "--generated", face), "is a picture"),
        "out is a file": (("--image", face, "--out", tmp_path / "file"), "--out"),
        "size without crop": (("--image", face, "--size", 96), "--size"),
        "negative frame": (("--video", real, "--frame", -1), "--frame"),
        "no frames": (("--video", real, "--frames", 0), "--frames"),
        "unknown detector": (("--image", face, "--detector", "mediapip"), "did you mean mediapipe"),
    }


CASES = sorted(["no face with --crop", "more clusters than pixels", "more clusters than the crop has pixels", "no clusters",
                "compactness of 0", "compactness nan", "missing", "missing generated", "empty video", "video without frames",
                "no picture", "cut picture", "video as picture", "picture as video", "other sizes",
                "generated picture for a video", "out is a file", "size without crop", "negative frame", "no frames",
                "unknown detector"])  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused_in_one_line(case, folder, tmp_path, capsys):
    arguments, word = bad(folder, tmp_path)[case]
    out = () if "--out" in arguments else ("--out", tmp_path / "out")
    assert process(*arguments, *out) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("error: ") and word in told, told
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_picture_or_video_must_be_named(capsys):
    for arguments in ((), ("--image", "a.png", "--video", "b.mp4")):
        with pytest.raises(SystemExit) as end:
            process(*arguments)
        assert end.value.code == 2
    assert "--image" in capsys.readouterr().err


def test_a_padded_or_longer_generated_video_fits(folder, tmp_path):
    odd = [frame[:255, :253] for frame in moving_portrait(4)]
    write_video(tmp_path / "odd.mp4", [*odd, odd[0], odd[0]])  # H.264 pads it to 254 x 256
    Image.fromarray(np.ascontiguousarray(odd[0])).save(tmp_path / "odd.png")
    both = ("--image", tmp_path / "odd.png", "--generated", tmp_path / "odd.mp4", "--no_optimise")
    assert process(*both, "--out", tmp_path / "a") == 0
    assert len(json.loads((tmp_path / "a" / "loss.json").read_text())["frames"]) == 6
    write_video(tmp_path / "fast.mp4", [frame for frame in moving_portrait(8) for _ in (0, 1)], fps=50)
    both = ("--video", folder / "real.mp4", "--generated", tmp_path / "fast.mp4", "--no_optimise")
    assert process(*both, "--out", tmp_path / "b") == 0
    losses = json.loads((tmp_path / "b" / "loss.json").read_text())
    assert len(losses["frames"]) == 8 and losses["loss"] < 0.01, "the same moments at another rate"


def test_frames_do_not_pile_up(folder, tmp_path, monkeypatch):
    from pipeline.texture import frames as texture_frames

    alive, most = weakref.WeakSet(), []

    class Counted(texture_frames.View):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            alive.add(self)
            most.append(len(alive))

        __hash__ = object.__hash__

    monkeypatch.setattr(texture_frames, "View", Counted)
    write_video(tmp_path / "long.mp4", [frame[:64, :64] for frame in moving_portrait(40)])
    assert process("--video", tmp_path / "long.mp4", "--clusters", 9, "--out", tmp_path / "out") == 0
    assert len(most) == 40 and max(most) <= 3


@pytest.mark.media
def test_a_real_clip(shared_media, tmp_path):
    clip = sorted((shared_media / "grid" / "s1" / "video").glob("*.mpg"))[0]
    out = tmp_path / "out"
    assert process("--video", clip, "--generated", clip, "--crop", "--frames", 4, "--out", out) == 0
    losses = json.loads((out / "loss.json").read_text())
    assert losses["loss"] == 0.0 and len(losses["frames"]) == 4
    table = json.loads((out / "modules.json").read_text())
    assert 30 < table["frames"]["modules_mean"] < 80

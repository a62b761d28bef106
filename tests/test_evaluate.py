"""evaluate.py from the command line down, on drawn faces whose landmarks a test detector reads back, and on real clips."""

import csv
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import evaluate
from common import cli
from common.errors import InputError
from faces.detectors import Face
from faces.landmarks import CANONICAL_STABLE, STABLE
from media import VideoWriter, probe
from metrics.compare import METRICS, compare_videos, fitting
from metrics.pairs import pair_videos
from metrics.report import build_report, format_table, summarise, write_report

WIDTH, HEIGHT, EYES = 160, 176, 40.0
RED, BLUE = (255, 0, 0), (0, 0, 255)


def layout(x, y, gap):
    """68 landmarks of a drawn face: eyes' middle at (x, y), lips `gap` pixels apart; jaw and brows lie on a circle."""
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = np.stack([1.2 * np.cos(angles), 0.6 + 1.2 * np.sin(angles)], 1)
    points[list(STABLE)] = CANONICAL_STABLE
    around = np.linspace(np.pi, 3 * np.pi, 12, endpoint=False)
    points[48:60] = np.stack([0.4 * np.cos(around), 1.2 + 0.15 * np.sin(around)], 1)
    points[60:68] = np.stack([0.3 * np.cos(around[::2][:1]).repeat(8), np.full(8, 1.2)], 1)
    points[60:68, 0] = [-0.3, -0.15, 0, 0.15, 0.3, 0.15, 0, -0.15]
    points = points * EYES + (x, y)
    points[61:64, 1] -= gap / 2
    points[65:68, 1] += gap / 2
    return points.astype(np.float32)


def draw(x, y, gap, seen=True, seed=0):
    """A textured frame with a red square between the eyes and a blue bar as high as the lips are apart (plus 4 px)."""
    texture = np.random.default_rng(seed).integers(60, 190, (HEIGHT // 8, WIDTH // 8), np.uint8)
    frame = cv2.cvtColor(cv2.resize(texture, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
    if seen:
        frame[y - 4:y + 4, x - 4:x + 4] = RED
        middle = int(y + 1.2 * EYES)
        half = int(gap) // 2 + 2
        frame[middle - half:middle + half, x - 12:x + 12] = BLUE
    return frame


class DrawnFaces:
    """Reads `draw`'s marks back."""

    name, version = "drawn", "1"

    def detect(self, frame):
        red, green, blue = (frame[..., channel].astype(int) for channel in range(3))
        spot, bar = (red > 150) & (green < 90) & (blue < 90), (blue > 150) & (green < 90) & (red < 90)
        if spot.sum() < 16:
            return []
        rows, columns = np.nonzero(spot)
        return [Face.from_landmarks(layout(columns.mean() + 0.5, rows.mean() + 0.5, bar.any(1).sum() - 4), 1.0)]

    def follow(self, frame, face):
        return next(iter(self.detect(frame)), None)

    def close(self):
        pass


def write(path, frames, fps=25):
    with VideoWriter(path, width=frames[0].shape[1], height=frames[0].shape[0], fps=fps, crf=1) as writer:
        for frame in frames:
            writer.write(frame)
    return path


# Multiples of 4 keep the marks' edges on the chroma grid, where the encoder leaves them.
GAPS = 4 * np.round(3 + 3 * np.sin(np.arange(30) / 3)).astype(int)


def talking(gaps, hidden=(), seed=0):
    return [draw(80 + 2 * (i % 3), 60, gap, seen=i not in hidden, seed=seed) for i, gap in enumerate(gaps)]


@pytest.fixture
def drawn(monkeypatch):
    monkeypatch.setattr("faces.detectors.build_detector", lambda *args, **options: DrawnFaces())
    return DrawnFaces()


def run(*arguments):
    return cli.run(evaluate.main, [str(argument) for argument in arguments])


def test_a_generated_clip_is_measured_beside_its_baselines(tmp_path, drawn, capsys):
    real = write(tmp_path / "real clip.mp4", talking(GAPS))
    other = np.roll(GAPS, 4) // 8 * 4
    made = write(tmp_path / "generated.mp4", talking(other))
    assert run("--generated", made, "--real", real, "--out", tmp_path / "new" / "table.json") == 0
    report = json.loads((tmp_path / "new" / "table.json").read_text())
    (clip,) = report["clips"]
    rows = clip["rows"]
    assert clip["frames"] == {"compared": 30, "generated": 30, "real": 30,
                              "left_out": {"no_face_real": 0, "no_face_generated": 0, "beyond_the_shorter": 0}}
    assert rows["generated"]["mouth_correlation"] == pytest.approx(np.corrcoef(other, GAPS)[0, 1], abs=1e-4)
    assert rows["generated"]["mouth_range"] == pytest.approx(other.std() / GAPS.std(), rel=1e-3)
    crop_scale = 96 / (2.8 * EYES)
    by_hand = np.abs(other - GAPS).mean() / 2 * 6 / 20
    assert rows["generated"]["lmd_raw"] == pytest.approx(by_hand * crop_scale, rel=0.02)
    assert rows["generated"]["lmd_aligned"] == pytest.approx(by_hand * crop_scale, rel=0.02)
    assert rows["generated"]["lmd_normalised"] == pytest.approx(by_hand / (1.4 * EYES), rel=0.02)
    assert rows["copy"]["mouth_correlation"] is None and rows["copy"]["mouth_range"] == 0
    held = np.abs(GAPS[1:] - GAPS[0]).mean() / 2 * 6 / 20
    assert rows["copy"]["lmd_normalised"] == pytest.approx(held / (1.4 * EYES), rel=0.02)
    assert rows["real"]["ssim_face"] == pytest.approx(1) and rows["real"]["psnr_mouth"] == 100
    assert rows["real"]["lmd_raw"] == 0 and rows["real"]["mouth_correlation"] == pytest.approx(1)
    for metric in ("ssim_face", "ssim_mouth", "psnr_face", "psnr_mouth"):
        assert rows["generated"][metric] < rows["real"][metric]
    assert rows["generated"]["ssim_mouth"] < rows["generated"]["ssim_face"]
    with open(tmp_path / "new" / "table.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["row"] for line in lines[:3]] == ["generated", "copy", "real"] and lines[1]["mouth_correlation"] == ""
    assert float(lines[0]["ssim_face"]) == rows["generated"]["ssim_face"]
    printed = capsys.readouterr().out
    assert "SSIM face" in printed and f"{rows['generated']['ssim_face']:.4f}" in printed


def test_frames_without_a_face_are_left_out_and_counted(tmp_path, drawn):
    real = write(tmp_path / "real.mp4", talking(GAPS, hidden={0, 1, 12}))
    made = write(tmp_path / "made.mp4", talking(GAPS, hidden={1, 12, 20})[:28])
    result = compare_videos(made, real, drawn)
    assert result.frames == {"compared": 24, "generated": 28, "real": 30,
                             "left_out": {"no_face_real": 3, "no_face_generated": 1, "beyond_the_shorter": 2}}
    assert result.rows["generated"]["lmd_raw"] == pytest.approx(0, abs=1e-3)
    assert len(result.openings["real"]) == 24 and any("lengths differ" in note for note in result.notes)


def test_size_and_rate_of_the_generated_video_are_brought_to_the_real_one(tmp_path, drawn):
    frames = talking(GAPS)
    real = write(tmp_path / "real.mp4", frames)
    large = write(tmp_path / "large.mp4", [cv2.resize(f, (2 * WIDTH, 2 * HEIGHT)) for f in frames])
    result = compare_videos(large, real, drawn)
    assert result.rows["generated"]["ssim_face"] > 0.97 and any("320x352" in note for note in result.notes)
    double = write(tmp_path / "double.mp4", [f for f in frames for _ in range(2)], fps=50)
    result = compare_videos(double, real, drawn)
    assert result.frames["compared"] == 30 and result.rows["generated"]["mouth_correlation"] > 0.999
    assert any("it has 50" in note for note in result.notes)
    wide = write(tmp_path / "wide.mp4", [cv2.resize(f, (2 * WIDTH, HEIGHT)) for f in frames])
    with pytest.raises(InputError, match="320x176"):
        compare_videos(wide, real, drawn)


def test_a_padded_odd_size_is_cut_not_resized(tmp_path, drawn, monkeypatch):
    odd = [frame[:175, :159] for frame in talking(GAPS)]
    made = write(tmp_path / "made.mp4", odd)
    assert probe(made).width == 160 and probe(made).height == 176
    monkeypatch.setattr("cv2.resize", lambda *args, **options: pytest.fail("resized"))
    fit = fitting(probe(made), SimpleNamespace(width=159, height=175, path="real"))
    padded = np.pad(odd[0], ((0, 1), (0, 1), (0, 0)), mode="edge")
    np.testing.assert_array_equal(fit(padded), odd[0])


def test_folders_are_paired_and_one_bad_pair_does_not_stop_the_rest(tmp_path, drawn, capsys):
    for folder, shift in (("real", 0), ("made", 2)):
        for index, name in enumerate(["a.mp4", "deep/b.mp4", "c.mp4"]):
            faceless = range(30) if (folder, name) == ("made", "c.mp4") else ()
            write(tmp_path / folder / name, talking(np.roll(GAPS, shift + index), hidden=faceless))
    assert run("--generated", tmp_path / "made", "--real", tmp_path / "real", "--out", tmp_path / "t", "--frames", 20) == 1
    report = json.loads((tmp_path / "t.json").read_text())
    assert [clip["name"] for clip in report["clips"]] == ["a", "deep/b"]
    assert [entry["name"] for entry in report["failed"]] == ["c"] and "no face" in report["failed"][0]["reason"]
    assert all(clip["frames"]["real"] == 20 for clip in report["clips"])
    captured = capsys.readouterr()
    assert "FAILED" in captured.out and "c.mp4: no face" in captured.err
    values = [clip["rows"]["generated"]["lmd_raw"] for clip in report["clips"]]
    assert report["summary"]["generated"]["lmd_raw"] == {"mean": np.mean(values), "median": np.median(values), "clips": 2}


def test_bad_input_leaves_with_2_and_writes_nothing(tmp_path, drawn, capsys):
    real = write(tmp_path / "real.mp4", talking(GAPS))
    blank = write(tmp_path / "blank.mp4", talking(GAPS, hidden=range(30)))
    long = write(tmp_path / "long.mp4", talking(np.tile(GAPS, 2)))
    text = tmp_path / "text.mp4"
    text.write_text("no video at all")
    (tmp_path / "folder").mkdir()
    cases = [
        ([tmp_path / "missing.mp4", real], "missing.mp4: no such file"),
        ([text, real], "text.mp4"),
        ([blank, real], "blank.mp4: no face"),
        ([real, blank], "blank.mp4: no face"),
        ([long, real], "60 frames"),
        ([tmp_path / "folder", real], "real.mp4: is a file"),
        ([real, real, "--frames", "0"], "--frames 0"),
        ([real, real, "--face_size", "8"], "--face_size 8"),
        ([real, real, "--out", tmp_path / "folder"], "is a folder"),
    ]
    for (made, truth, *more), message in cases:
        out = [] if "--out" in more else ["--out", tmp_path / "table"]
        assert run("--generated", made, "--real", truth, *more, *out) == 2, message
        error = capsys.readouterr().err
        assert message in error and "Traceback" not in error
    assert not (tmp_path / "table.json").exists() and not (tmp_path / "table.csv").exists()


def test_unknown_detector_is_refused(tmp_path, capsys):
    real = write(tmp_path / "real.mp4", talking(GAPS))
    assert run("--generated", real, "--real", real, "--detector", "magic", "--out", tmp_path / "t") == 2
    assert "--detector magic" in capsys.readouterr().err


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def test_pairing_by_name(tmp_path):
    made = touch(tmp_path / "made", "a.mp4", "sub/b.MP4", "notes.txt", ".partial-x.mp4")
    real = touch(tmp_path / "real", "sub/b.mpg", "a.avi")
    assert [(name, g.name, r.name) for name, g, r in pair_videos(made, real)] == [
        ("a", "a.mp4", "a.avi"), ("sub/b", "b.MP4", "b.mpg")]
    touch(real, *(f"more{i}.mp4" for i in range(7)))
    with pytest.raises(InputError, match=r"2 generated, 9 real.*made lacks more0, more1.* and 2 more"):
        pair_videos(made, real)
    with pytest.raises(InputError, match="same name"):
        pair_videos(touch(made, "a.mov"), real)
    with pytest.raises(InputError, match="holds no video"):
        pair_videos(touch(tmp_path / "none", "readme.txt"), real)
    with pytest.raises(InputError, match="no such folder"):
        pair_videos(tmp_path / "absent", real)


def test_summary_leaves_undefined_values_out_and_says_how_many_counted(tmp_path):
    base = {row: dict.fromkeys(METRICS, 1.0) for row in ("generated", "copy", "real")}
    other = {row: dict.fromkeys(METRICS, 4.0) | {"mouth_correlation": None} for row in base}
    summary = summarise([base, other, other])
    assert summary["copy"]["lmd_raw"] == {"mean": 3.0, "median": 4.0, "clips": 3}
    assert summary["copy"]["mouth_correlation"] == {"mean": 1.0, "median": 1.0, "clips": 1}
    assert summarise([other])["copy"]["mouth_correlation"] == {"mean": None, "median": None, "clips": 0}
    frames = {"compared": 5, "left_out": {"no_face_real": 1}}
    result = SimpleNamespace(rows=other, fps="25", frames=frames, notes=[])
    report = build_report([("x", "g", "r", result)], [("y", "why")], {"face_size": 96})
    assert "-" in format_table(report) and "5 frames compared, 1 left out" in format_table(report)
    paths = write_report(report, tmp_path / "with.dots" / "table.v1")
    assert [path.name for path in paths] == ["table.v1.json", "table.v1.csv"] and all(path.is_file() for path in paths)


@pytest.mark.media
def test_a_real_clip_against_itself_and_against_another(shared_media, tmp_path):
    clips = sorted((shared_media / "grid" / "s1" / "video").iterdir())[:2]
    assert run("--generated", clips[0], "--real", clips[0], "--out", tmp_path / "same", "--frames", 40) == 0
    same = json.loads((tmp_path / "same.json").read_text())["clips"][0]["rows"]
    assert same["generated"]["ssim_face"] > 0.999 and same["generated"]["lmd_aligned"] < 0.05
    assert same["generated"]["mouth_correlation"] > 0.99
    assert run("--generated", clips[1], "--real", clips[0], "--out", tmp_path / "other", "--frames", 40) == 0
    other = json.loads((tmp_path / "other.json").read_text())["clips"][0]["rows"]
    assert other["generated"]["ssim_face"] < 0.9 and other["generated"]["lmd_aligned"] > 0.5
    assert other["copy"] == same["copy"]

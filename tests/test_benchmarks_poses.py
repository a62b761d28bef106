"""The benchmark of poses: its geometry is exact, its measures see what they should see, and it runs."""

import json

import numpy as np
import pytest

from benchmarks.material import write_face_video
from benchmarks.poses import __main__ as poses
from benchmarks.poses import measure
from benchmarks.poses.material import EYES, HEIGHT, UPRIGHT, WIDTH, FaceClip, Pose, list_clips
from common.cli import run
from common.errors import InputError
from faces.crops import CropSpec, paste_mask, plan_crops
from faces.landmarks import LEFT_EYE, RIGHT_EYE, apply_affine
from tests.faces_kit import plain_face, smooth_picture, track_of

FPS = 25.0


def face_at(matrix):
    """(68, 2) landmarks of a plain face, which a pose carries into the frame."""
    return apply_affine(matrix, plain_face(0, -0.6, 1.0).astype(float)).astype(np.float32)


def posed(pose, count=30):
    """(frames, matrices, track) of a face that is found exactly where it is."""
    matrices = np.stack([pose.matrix(number / FPS) for number in range(count)])
    track = track_of([face_at(matrix) for matrix in matrices], WIDTH, HEIGHT)
    return [smooth_picture(WIDTH, HEIGHT)] * count, matrices, track


def figures(pose, kind, shift=0.0, noise=0.0):
    _, upright, steady = posed(UPRIGHT)
    truth = measure.read_truth(steady, upright, FPS)
    frames, matrices, track = posed(pose)
    track.landmarks[:] += np.float32(shift) + np.random.default_rng(0).normal(0, noise, (30, 1, 2)).astype(np.float32)
    return measure.measure_pose(frames, matrices, track, truth, upright[0], FPS, kind)


@pytest.mark.parametrize("pose", [UPRIGHT, Pose("", roll=40), Pose("", roll=-35, scale=2), Pose("", scale=0.5)])
def test_an_aligned_crop_of_known_points_is_without_error(pose):
    found = figures(pose, "aligned")
    assert found["frames"] == found["found"] == found["good"] == 30
    assert max(found["error"]) < 1e-4 and found["jitter"] < 1e-3


def test_a_box_is_good_upright_and_bad_when_the_head_leans():
    assert figures(UPRIGHT, "box")["good"] == 30
    leaning = figures(Pose("", roll=40), "box")
    assert leaning["good"] == 0 and leaning["found"] == 30 and 0.4 < np.median(leaning["error"]) < 0.6


def test_errors_are_counted_in_eye_distances():
    near, far = (figures(Pose("", roll=20), "aligned", shift=share * EYES / np.sqrt(2)) for share in (0.14, 0.16))
    assert near["error"] == pytest.approx([0.14] * 30, abs=0.01) and near["good"] == 30
    assert far["error"] == pytest.approx([0.16] * 30, abs=0.01) and far["good"] == 0


def test_jitter_is_that_of_the_crop_alone():
    swinging = Pose("", sway=20)
    assert figures(swinging, "aligned")["jitter"] < 0.5  # what the smoothing leaves behind
    calm, shaky = (figures(UPRIGHT, "aligned", noise=noise)["jitter"] for noise in (0.2, 2.0))
    assert calm < 0.1 and shaky > 5 * calm


def test_frames_without_a_face_count_as_failures():
    frames, matrices, track = posed(UPRIGHT)
    truth = measure.read_truth(track, matrices, FPS)
    lost = track_of([None if 10 <= t < 20 else points for t, points in enumerate(track.landmarks)], WIDTH, HEIGHT)
    found = measure.measure_pose(frames, matrices, lost, truth, matrices[0], FPS, "aligned")
    assert (found["frames"], found["found"], found["good"]) == (30, 20, 20)


@pytest.mark.parametrize("kind", measure.KINDS)
def test_a_hard_border_is_seen_and_a_feathered_one_is_not(kind):
    frame = smooth_picture(WIDTH, HEIGHT, 6)
    (crop,) = plan_crops(track_of([face_at(UPRIGHT.matrix())], WIDTH, HEIGHT), CropSpec(kind))
    face = measure.brighter(crop.extract(frame))
    feather, hard = (measure.seam(frame, crop, face, paste_mask(96, style, kind)) for style in ("feather", "hard"))
    assert hard > 1.5 and feather < 1.25 and hard > feather + 0.5
    same = measure.seam(frame, crop, crop.extract(frame), paste_mask(96, "feather", kind))
    assert same == pytest.approx(1, abs=0.1)
    assert measure.seam(frame, crop, face, np.zeros((96, 96), np.float32)) is None


@pytest.mark.parametrize("pose", [UPRIGHT, Pose("", roll=33, scale=0.4), Pose("", roll=-120, scale=2, place=(0.2, 0.8))])
def test_posed_frames_show_the_clip_where_the_matrix_says(pose):
    face, eyes = np.array([170.0, 130.0]), 60.0
    picture = smooth_picture(320, 260, 2)
    ((frame, matrix),) = FaceClip("a", "b", [picture], face, eyes, FPS).posed(pose)
    assert frame.shape == (HEIGHT, WIDTH, 3)
    for offset in ((0, 0), (0.9, 0.3), (-0.5, 1.0)):
        x, y = np.rint(apply_affine(matrix, np.array([offset]))[0]).astype(int)
        u, v = np.rint(face + np.array(offset) * eyes).astype(int)
        if 0 <= x < WIDTH and 0 <= y < HEIGHT:
            assert np.abs(frame[y, x].astype(int) - picture[v, u]).max() <= 9
    turned = face_at(matrix)
    across = turned[LEFT_EYE].mean(0) - turned[RIGHT_EYE].mean(0)
    assert np.rad2deg(np.arctan2(across[1], across[0])) == pytest.approx(pose.roll, abs=0.1)  # the right way round


def test_clips_are_taken_from_as_many_folders_as_there_are(tmp_path):
    for name in ("grid/s1/a.mpg", "grid/s1/b.mpg", "grid/s2/c.mpg", "clips/hdtf/d.mp4", "grid/s1/note.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    chosen = list_clips(tmp_path, 2)
    assert [(name, path.name) for name, path in chosen] == [("grid", "a.mpg"), ("grid", "c.mpg"), ("hdtf", "d.mp4")]
    assert [name for name, _ in list_clips(tmp_path, 9, ["hdtf"])] == ["hdtf"]
    with pytest.raises(InputError, match="--sets lrs9: no such collection; there are grid hdtf"):
        list_clips(tmp_path, 2, ["lrs9"])


def test_mistakes_end_with_code_2(tmp_path, capsys):
    assert run(poses.main, ["--media", str(tmp_path / "nowhere")]) == 2
    assert run(poses.main, ["--media", str(tmp_path)]) == 2
    assert run(poses.main, ["--media", str(tmp_path), "--frames", "1"]) == 2
    said = capsys.readouterr().err
    assert "no such folder" in said and "no video in it" in said and "--frames" in said


def test_the_benchmark_on_a_made_clip(tmp_path, capsys):
    (tmp_path / "media").mkdir()
    write_face_video(tmp_path / "media" / "face.mp4", 10)
    arguments = ["--media", str(tmp_path / "media"), "--quick", "--pictures", str(tmp_path / "pictures")]
    assert run(poses.main, [*arguments, "--out", str(tmp_path / "one.json")]) == 0
    said = capsys.readouterr().out
    assert "100.0% of the frames good; bar 95%: reached" in said
    assert run(poses.main, [*arguments, "--out", str(tmp_path / "two.json")]) == 0
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    assert one == two  # deterministic
    assert one["table"]["roll -40"]["aligned"]["good"] == 1 and one["table"]["roll -40"]["box"]["good"] == 0
    assert (tmp_path / "pictures" / "media_face.png").is_file()

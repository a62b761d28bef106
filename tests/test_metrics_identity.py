"""Is it the same person: with a made embedder what is held against what, and with dlib's network real people."""

import builtins
import gc
import importlib.util
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import InputError
from faces.detectors import build_detector
from metrics.footage import open_footage
from metrics.measures.base import View
from metrics.measures.identity import FRAMES, Identity
from metrics.networks.face_embedding import FaceEmbedder
from metrics.networks.load import Networks
from metrics.rows import COPY, REAL, Row
from metrics.scorer import Item, Scorer, Variant
from tests.evaluate_kit import GAPS, DrawnFaces, cells, run, table, talking, use_drawn_faces, write, write_clips

PAIRED, UNPAIRED = Row("generated", "ours", "paired"), Row("generated", "ours", "unpaired")
INSTALLED = all(importlib.util.find_spec(name) for name in ("dlib", "face_recognition_models"))


class Brightness:
    """An embedder that tells a bright picture from a dark one: (bright, dark)."""

    name, sha256, precision = "brightness", "ab" * 32, "fp32"

    def __init__(self):
        self.looked = 0

    def __call__(self, frame, landmarks):
        assert frame.dtype == np.uint8 and landmarks.shape == (68, 2) and np.isfinite(landmarks).all()
        self.looked += 1
        level = frame.mean() / 255
        return np.array([level, 1 - level])


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """real, same (another movement), dark (a picture of a darker texture), gap, once."""
    folder = tmp_path_factory.mktemp("identity")
    dark = [(frame * [1, 0.3, 0.3]).astype(np.uint8) for frame in talking(GAPS)]
    write(folder / "real.mp4", talking(GAPS), sound=True)
    write(folder / "same.mp4", talking(np.roll(GAPS, 3)), sound=True)
    write(folder / "dark.mp4", dark, sound=True)
    write(folder / "gap.mp4", talking(GAPS, hidden=range(5, 25)), sound=True)
    write(folder / "once.mp4", talking(GAPS, hidden=set(range(30)) - {4}), sound=True)
    return folder


def item(clips, real, **variants):
    made = tuple(Variant(name, row, clips / f"{name}.mp4") for name, row in variants.items())
    return Item("face", clips / f"{real}.mp4", made)


def test_every_row_has_an_identity_and_another_picture_has_less(clips):
    embedder = Brightness()
    scores = Scorer(DrawnFaces(), Networks(embedder=embedder)).measure(item(clips, "real", same=PAIRED, dark=UNPAIRED))
    found = {record["row"]: record["values"] for record in scores.records}
    assert set(found) == {REAL, COPY, PAIRED, UNPAIRED} and not scores.failed
    for row in (REAL, COPY, PAIRED):
        assert found[row]["identity_cosine"] > 0.999 and found[row]["identity_distance"] < 0.05
    assert found[UNPAIRED]["identity_cosine"] < 0.97 and found[UNPAIRED]["identity_distance"] > 0.2
    assert embedder.looked == FRAMES + 1 + 2 * FRAMES, "the real video once, the held picture once"


def test_frames_without_a_face_are_not_looked_at(clips):
    embedder = Brightness()
    scores = Scorer(DrawnFaces(), Networks(embedder=embedder)).measure(item(clips, "gap", gap=PAIRED))
    assert embedder.looked == FRAMES + 1 + FRAMES and not scores.failed


def test_no_frame_is_held_against_itself(clips):
    class Numbers:
        """Each look gives another direction."""

        name, sha256 = "numbers", "cd" * 32

        def __init__(self):
            self.looked = 0

        def __call__(self, frame, landmarks):
            self.looked += 1
            return np.eye(32)[self.looked - 1]

    real = open_footage(clips / "real.mp4", DrawnFaces())
    found = Identity(Numbers()).look(View(real, real, None, "", None, None)).values
    assert found["identity_cosine"] == 0, "the mean of the others has nothing of a frame's own direction"
    assert found["identity_distance"] == pytest.approx(np.sqrt(1 + 1 / (FRAMES - 1)))


def test_the_last_real_video_is_let_go(clips):
    measure = Identity(Brightness())
    real = open_footage(clips / "real.mp4", DrawnFaces())
    held = weakref.ref(real)
    measure.look(View(real, real, None, "", None, None))
    del real
    gc.collect()
    assert held() is None, "its frames would lie beside those of the next one"


def test_one_frame_with_a_face_has_no_identity(clips):
    scores = Scorer(DrawnFaces(), Networks(embedder=Brightness())).measure(item(clips, "once", same=UNPAIRED))
    for record in scores.records:
        assert record["values"]["identity_cosine"] is None and "identity: too few frames with a face" in record["notes"]


def test_the_flag_adds_the_columns_and_says_which_network(tmp_path, monkeypatch, capsys):
    use_drawn_faces(monkeypatch)
    monkeypatch.setattr("metrics.networks.load.FaceEmbedder.load", Brightness)
    for name in ("real", "made"):
        write_clips(tmp_path / name, {"a": 0}, count=12)
    arguments = ["--generated", tmp_path / "made", "--real", tmp_path / "real", "--expert", "none", "--out", tmp_path / "t"]
    assert run(*arguments, "--identity") == 0
    report = table(tmp_path / "t")
    assert cells(report, "made, paired")["identity_cosine"]["mean"] > 0.99
    assert report["protocol"]["identity_network"] == "brightness" and report["protocol"]["judges_precision"] == "fp32"
    assert "identity network: brightness" in capsys.readouterr().out
    assert run(*arguments) == 0
    assert "identity_cosine" not in cells(table(tmp_path / "t"), "made, paired")


@pytest.mark.parametrize(("missing", "package"), [("dlib", "dlib-bin"), ("face_recognition_models", "face-recognition-models")])
def test_a_missing_package_is_named(monkeypatch, missing, package):
    real_import, real_find = builtins.__import__, importlib.util.find_spec

    def without(name, *args, **options):
        if name == missing:
            raise ImportError(f"No module named {name!r}")
        return real_import(name, *args, **options) if name != "dlib" else object()

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == missing else real_find(name, *rest))
    with pytest.raises(InputError, match=f"--identity needs the package {package}.*pip install 'dlib-bin==20.0.1.post1'"):
        FaceEmbedder.load()


@pytest.mark.skipif(not INSTALLED, reason="the extra identity is not installed")
def test_damaged_weights_are_refused(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "dlib_face_recognition_resnet_model_v1.dat").write_bytes(b"no weights")
    found = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    with pytest.raises(InputError, match=r"dlib_face_recognition_resnet_model_v1\.dat: cannot be read by dlib"):
        FaceEmbedder.load()


@pytest.mark.skipif(not INSTALLED, reason="the extra identity is not installed")
def test_the_chip_is_that_of_the_documentation():
    """150 pixels, 1.5 times dlib's unit square, from nose, eyes and upper lip alone; lengths scale with the face."""
    import dlib

    from faces.landmarks import STABLE
    from metrics.formulas.head_pose import MEAN_HEAD

    embedder = FaceEmbedder.load()
    assert embedder.sha256 and embedder.precision == "fp32"
    points = np.random.default_rng(0).uniform(150, 250, (68, 2))
    points[list(STABLE)] = MEAN_HEAD[:, :2] * 60 + 200
    frame = np.random.default_rng(1).integers(0, 256, (400, 400, 3), np.uint8)
    chip = embedder._cut(frame, points)
    assert chip.shape == (150, 150, 3) and chip.dtype == np.uint8
    used = []
    for at in range(68):
        moved = points.copy()
        moved[at] += 30
        if (embedder._cut(frame, moved) != chip).any():
            used.append(at)
    assert used == [*range(27, 55), *range(60, 65)]
    parts = dlib.points([dlib.point(*map(int, one)) for one in points])
    face = dlib.full_object_detection(dlib.rectangle(0, 0, 400, 400), parts)
    sides = [dlib.get_face_chip_details(face, 150, padding).rect.width() for padding in (0.0, 0.25)]
    assert sides[1] / sides[0] == pytest.approx(1.5, rel=0.02)
    found = embedder(frame, points)
    assert found.shape == (128,) and found.dtype == np.float64
    np.testing.assert_array_equal(found, embedder(frame, points))


@pytest.mark.media
@pytest.mark.skipif(not INSTALLED, reason="the extra identity is not installed")
def test_real_people_are_told_apart(shared_media, request):
    """Two clips of each of four GRID speakers: a person is nearer to himself in another clip than to anyone else."""
    detector, embedder = build_detector("mediapipe"), FaceEmbedder.load()
    request.addfinalizer(detector.close)
    known, footage = {}, {}

    def remembered(frame, landmarks):
        key = frame.tobytes()
        if key not in known:
            known[key] = embedder(frame, landmarks)
        return known[key]

    measure = Identity(remembered)
    for speaker in ("s1", "s2", "s22", "s31"):
        for at, path in enumerate(sorted((shared_media / "grid" / speaker / "video").iterdir())[:2]):
            footage[speaker, at] = open_footage(path, detector, limit=10)
    same, different = [], []
    for (speaker, at), real in footage.items():
        for (other, number), made in footage.items():
            if number != at:
                values = measure.look(View(made, real, None, "", None, None)).values
                (same if other == speaker else different).append((values["identity_cosine"], values["identity_distance"]))
    assert min(cosine for cosine, _ in same) > max(cosine for cosine, _ in different) + 0.02
    assert max(distance for _, distance in same) < 0.6 < min(distance for _, distance in different)

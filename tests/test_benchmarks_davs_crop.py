import numpy as np
import pytest

from benchmarks.faces import davs_crop
from common.cli import run
from faces.three_points import TEMPLATE
from tests.drawn_face_kit import a_crop, drawn_as, moved

EYES = np.array([(80.0, 90.0), (120.0, 90.0)])


def still(count):
    """(N, 2, 3) identities."""
    return np.broadcast_to(np.eye(2, 3), (count, 2, 3)).copy()


def test_figures_tell_a_zoom_that_follows_the_mouth_from_a_still_crop_and_from_a_head_that_comes_nearer():
    time = np.arange(100) / 25
    mouth = 0.2 + 0.2 * np.sin(2 * np.pi * 3 * time)
    zoom = 1 - 0.1 * (mouth - 0.2)
    path = still(100) * zoom[:, None, None]
    found = davs_crop.crop_figures(path, still(100), EYES, mouth, 25)
    assert found["r"] == pytest.approx(-1, abs=0.01) and found["mouth"] == pytest.approx(-100 * zoom.std(), rel=0.1)
    assert found["step"] == pytest.approx(100 * np.diff(zoom).std(), rel=0.02)
    held = davs_crop.crop_figures(still(100), still(100), EYES, mouth + np.cos(time), 25)
    assert max(held["step"], held["fast"], abs(held["mouth"]), held["away"]) < 1e-9
    heads = davs_crop.inverted(path)  # the head grows as the crop's pixels did, and the crop follows it
    followed = davs_crop.crop_figures(heads, heads, EYES, mouth, 25)
    assert max(followed["step"], followed["away"]) < 1e-6
    assert davs_crop.crop_figures(still(100), heads, EYES, mouth, 25)["step"] == pytest.approx(found["step"], rel=0.01)


def test_paths_that_are_chained_inverted_and_zoomed():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, (2, 2, 3))
    points = rng.normal(0, 1, (5, 2))
    twice = (points @ first[:, :2].T + first[:, 2]) @ second[:, :2].T + second[:, 2]
    chain = davs_crop.chained(second, first)
    np.testing.assert_allclose(points @ chain[:, :2].T + chain[:, 2], twice)
    np.testing.assert_allclose(davs_crop.chained(davs_crop.inverted(first[None])[0], first), np.eye(2, 3), atol=1e-9)
    a, b, x, y = davs_crop.zoomed(np.array([[30.0, 4.0, 100.0, 120.0]]), np.array([1.1]))[0]
    middle_x, middle_y = TEMPLATE.mean(0)
    assert a == pytest.approx(33) and b == pytest.approx(4.4)
    assert a * middle_x - b * middle_y + x == pytest.approx(30 * middle_x - 4 * middle_y + 100)


def test_ecc_reads_a_zoom_and_gives_none_where_it_fails():
    matrix, target, landmarks = a_crop(davs_crop.SIDE)
    move = moved(davs_crop.SIDE, 1.02)
    found = davs_crop.registered(drawn_as(matrix, move, davs_crop.SIDE), target, landmarks)
    assert np.linalg.det(found[:, :2]) ** 0.5 == pytest.approx(1 / 1.02, abs=0.004)
    assert davs_crop.registered(np.full_like(target, 90), target, landmarks) is None
    results = [drawn_as(matrix, moved(davs_crop.SIDE, zoom), davs_crop.SIDE) for zoom in (1.01, 0.99, 1.01)]
    found = davs_crop.stabilise_figures([target, *results], [target] * 3, landmarks, 25)
    assert found["the same, stabilised"]["step"] < 0.3 * found["published crops"]["step"]
    assert found["one crop held"]["step"] < 0.01


def test_table_and_mistakes(tmp_path, capsys):
    figures = dict.fromkeys(davs_crop.COLUMNS, 0.5)
    clips = {f"{name}/a.mp4": {"crops": {"one": figures}, "stabilise": {"two": {"step": 1.0, "fast": 2.0}}}
             for name in ("grid", "mead")}  # fmt: skip
    text = davs_crop.table(clips)
    assert "GRID, 1 clips" in text and "others, 1 clips" in text and "| two | 1.00 | 2.00 |" in text
    assert run(davs_crop.main, ["--media", str(tmp_path / "none")]) == 2
    assert run(davs_crop.main, ["--media", str(tmp_path), "--frames", "5"]) == 2 and "--frames" in capsys.readouterr().err

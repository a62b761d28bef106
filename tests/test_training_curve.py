"""Pictures of a run: curves and faces."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.cli import run
from tests.training_kit import learn
from training.logging import curve
from training.logging.picture_grid import GAP, MARGIN, TITLE, Faces, _wrapped, faces_page, picture_grid
from training.logging.rows import read_rows


def test_curves_of_one_run_and_of_two(write_log, tmp_path, capsys):
    from PIL import Image

    for folder in ("run", "other"):
        log = write_log(folder=folder, curve=True)
        learn(log, 1, 12)
        log.step(13, {"total": float("nan"), "adversary/real": 1.0, "sync_classification": 0.7}, waited=0.0, took=0.1)
        log.step(14, {"total": float("nan"), "adversary/real": 1.0, "sync_classification": 0.7}, waited=0.0, took=0.1)
        log.close()
    with Image.open(write_log.folder / "curve.png") as one:
        assert len(one.convert("RGB").getcolors(1 << 20)) > 50
    runs = [str(tmp_path / "run"), str(tmp_path / "other" / "log.jsonl")]
    assert run(curve.main, [*runs, "--outfile", str(tmp_path / "o.png")]) == 0
    assert (tmp_path / "o.png").stat().st_size > 10000
    assert run(curve.main, [str(tmp_path / "nowhere")]) == 2
    assert "no such log" in capsys.readouterr().err
    panels = dict(curve.panels_of([curve.series_of(read_rows(tmp_path / "run"))]))
    assert panels["l1"] == ["l1", "val/l1", "unseen/l1"] and panels["adversary"] == ["adversary/real"]
    assert panels["seconds a step"] == ["step_time", "data_time"] and list(panels)[0] == "total"


NAMES = st.text("abc_-", min_size=1, max_size=4).map(lambda name: f"x{name}")  # as a config permits them
FIGURES = st.lists(NAMES, min_size=1, max_size=3).map("/".join) | NAMES.map("adversary/{0}/y".format)


@given(st.dictionaries(FIGURES, st.floats(-1e6, 1e6) | st.integers(0, 10**7), max_size=6))
def test_every_figure_has_one_panel_with_its_validation(values):
    validated = {f"{split}/{name}": value for split in ("val", "unseen") for name, value in values.items()}
    series = curve.series_of([{"step": 1, "total": 1.0, "step_time": 0.1, **values}, {"step": 1, **validated}])
    panels = curve.panels_of([series])
    drawn = [name for _, names in panels for name in names]
    assert sorted(drawn) == sorted(set(series) - {"opened", "changed"})
    for name in values:
        inside = next(names for _, names in panels if name in names)
        assert f"val/{name}" in inside and f"unseen/{name}" in inside
        assert name.startswith("adversary/") or {*inside} == {name, f"val/{name}", f"unseen/{name}"}
    assert len(dict(panels)) == len(panels)


def test_accuracies_counts_and_several_adversaries_are_drawn(write_log):
    log = write_log(curve=True)
    for step in range(1, 5):
        figures = {"sync": 0.7, "sync/accuracy": 0.5 + step / 10, "sync/windows": 12345, "adversary/sharp/patch": 1.0}
        log.step(step, {"total": 1.0, **figures, "adversary/sharp/whole": 2.0, "rate": 1e-4, "gradient/sharp": 2.0},
                 waited=0.0, took=0.1)  # fmt: skip
    log.validation(4, {"val/sync": 0.7, "val/sync/accuracy": 0.9}, [])
    log.close()
    panels = dict(curve.panels_of([curve.series_of(read_rows(write_log.folder))]))
    assert panels["sync"] == ["sync", "val/sync"] and panels["sync/accuracy"] == ["sync/accuracy", "val/sync/accuracy"]
    assert panels["adversary"] == ["adversary/sharp/patch", "adversary/sharp/whole"]
    assert panels["norm of the gradient"] == ["gradient/sharp"]
    assert any("sync/windows 12345  " in line and "sync/accuracy 0.7  " in line for line in write_log.lines)
    assert (write_log.folder / "curve.png").stat().st_size > 10000


@pytest.mark.parametrize("name", ["sync_classification", "judge"])
def test_chance_is_marked_whatever_the_loss_is_called(write_log, monkeypatch, name):
    marked = []
    monkeypatch.setattr(curve, "_mark_chance", lambda axes: marked.append(axes.get_title(loc="left")))
    log = write_log(losses={"l1": {"weight": 1}, name: {"loss": "sync_classification", "weight": 1}})
    for step in range(1, 5):
        log.step(step, {"l1": 1.0, name: 0.7}, waited=0.0, took=0.1)
    curve.draw_curves([write_log.folder / "log.jsonl"], write_log.folder / "curve.png")
    assert marked == [name]
    for broken in ("losses: 5", "losses: [l1]", "[", ""):
        (write_log.folder / "config.yaml").write_text(broken)
        assert curve._two_way_loss_of(write_log.folder) in ("sync_classification", None)


def test_settings_that_changed_are_marked(write_log, monkeypatch):
    log, marks = write_log(steps=12, curve=True), []
    monkeypatch.setattr(curve, "_mark", lambda axes, step, text, *how: marks.append((axes.get_title(), step, text)))
    learn(log, 1, 4)
    log.changes(4, {"optim.lr": [1e-4, 2e-5], "train.batch_size": [16, 8], "clips.train": [900, 1000]})
    learn(log, 5, 6)
    log.close()
    assert {step for _, step, _ in marks} == {4} and "optim.lr 0.0001 -> 2e-05, train.batch..." in {text for *_, text in marks}
    assert len(marks) == len(curve.panels_of([curve.series_of(curve.read_rows(write_log.folder))]))


def test_curves_need_rows_and_matplotlib(write_log, monkeypatch, capsys):
    write_log(curve=True).close()
    assert "nothing was logged" in write_log.lines[-1]
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    log = write_log(curve=True)
    learn(log, 1, 2)
    log.close()
    assert write_log.lines[-1] == curve.NO_MATPLOTLIB and not (write_log.folder / "curve.png").exists()
    assert run(curve.main, [str(write_log.folder)]) == 2
    assert "pip install matplotlib" in capsys.readouterr().err


def test_smoothing_is_the_mean_of_neighbours():
    values = np.sin(np.arange(240.0))
    expected = [values[max(0, place - 3) : place + 4].mean() for place in range(240)]
    np.testing.assert_allclose(curve.smoothed(values), expected, atol=1e-12)
    with_gap = np.where(np.arange(240) == 100, np.nan, 1.0)
    np.testing.assert_allclose(curve.smoothed(with_gap), 1.0)
    assert np.isnan(curve.smoothed(np.array([1.0, np.nan]))[1])


def test_faces_are_large_and_stand_in_rows_by_name(write_log):
    from PIL import Image

    real = np.zeros((2, 3, 80, 80), np.float32)
    real[0, 0], real[1, 2] = 1.0, 2.0  # red; blue, too bright
    made = np.full((3, 3, 200, 200), np.nan, np.float32)
    grid, tops, lefts = picture_grid({"real": real, "generated": made})
    assert grid.shape == (160 + GAP + 200, 3 * 200 + 2 * GAP, 3)
    assert tops == [0, 160 + GAP] and lefts == [0, 200 + GAP, 2 * (200 + GAP)]
    assert (grid[:160, :160] == [255, 0, 0]).all() and (grid[159, 200 + GAP:360 + GAP] == [0, 0, 255]).all()
    assert (grid[:160, 160:200] == 255).all() and (grid[160 + GAP:, :200] == 0).all()
    assert picture_grid({"real": np.zeros((20, 3, 160, 160))}, most=5)[0].shape[1] == 5 * 160 + 4 * GAP
    write_log().validation(4, {}, [], Faces({"real": real, "generated": made}, ("s1/bbaf2n, frame 7",) * 3))
    with Image.open(write_log.folder / "faces.png") as page:
        shown = np.asarray(page)
    assert (shown[TITLE:TITLE + grid.shape[0], MARGIN:MARGIN + grid.shape[1]] == grid).all()
    title, names, clips = shown[:TITLE], shown[TITLE:TITLE + grid.shape[0], :MARGIN], shown[TITLE + grid.shape[0]:, MARGIN:]
    assert all((part < 100).any() for part in (title, names[:160], names[160:], *np.split(clips, lefts[1:], 1)))


def test_the_page_tells_step_and_clips():
    rows = {"real": np.zeros((2, 3, 160, 160))}
    clips = ("s1/bbaf2n, frame 7", "a/very/long/name/" * 30 + "end, frame 3")
    page = faces_page(Faces(rows, clips), 4500)
    assert (faces_page(Faces(rows, clips), 4501) != page).any()
    assert faces_page(Faces(rows, clips[:1] * 2), 4500).shape != page.shape, "longer names take more lines"
    lines = _wrapped(clips[1], 20)
    assert len(lines) == 3 and lines[0].startswith("...") and lines[-1].endswith("end, frame 3") and max(map(len, lines)) <= 20
    assert faces_page(Faces(rows), 1).shape[0] == TITLE + 160


@pytest.mark.parametrize("pictures", [{}, {"real": np.zeros((0, 3, 8, 8))}, {"real": np.zeros((3, 8, 8))}])
def test_pictures_that_are_none(pictures):
    with pytest.raises(ValueError, match="pictures"):
        Faces(pictures)


def test_without_pillow_no_faces_and_one_line(write_log, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    log = write_log()
    for step in (1, 2):
        log.validation(step, {}, [], Faces({"real": np.zeros((1, 3, 8, 8))}))
    assert sum("Pillow" in line for line in write_log.lines) == 1
    assert not (write_log.folder / "faces.png").exists()

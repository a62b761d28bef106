"""The results of an evaluation: split, merged, saved and read back; and the folder that keeps them."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import InputError
from metrics.progress import Progress
from metrics.results import PICTURES, Results
from metrics.rows import COPY, REAL, Row
from metrics.scorer import Scores
from tests.evaluate_kit import read_damaged

MADE, OTHER = Row("generated", "ours", "paired"), Row("generated", "ours", "unpaired")


def scores_of(number):
    """Invented Scores of the face with this number."""
    random, name = np.random.default_rng(number), f"clip {number}"
    scores = Scores()
    for row in (REAL, COPY, MADE, OTHER):
        scores.records.append({"name": name, "face": name, "row": row, "values": {"sharpness": random.random(), "lpips": None}})
        scores.features[row] = random.normal(number % 3, 1, (random.integers(1, 9), 4)).astype(np.float32)
    scores.pictures = [{"name": name, "row": row, "value": float(random.integers(0, 5)), "jpeg": bytes([number % 256, 0, 255])}
                       for row in (MADE, OTHER)]  # fmt: skip
    if number % 4 == 0:
        scores.failed.append({"name": name, "face": name, "row": OTHER, "path": "x.mp4", "reason": "because"})
    return scores


def results_of(numbers):
    results = Results()
    for number in numbers:
        results.add(f"clip {number}", scores_of(number))
    return results


def by_name(entries):
    return sorted(entries, key=lambda entry: (entry["name"], entry["row"].label))


def assert_same(first, second):
    """Equal but for the order of faces and the rounding of sums."""
    assert sorted(first.faces) == sorted(second.faces)
    assert by_name(first.records) == by_name(second.records) and by_name(first.failed) == by_name(second.failed)
    assert sorted(first.pictures(), key=repr) == sorted(second.pictures(), key=repr)
    assert first.statistics.keys() == second.statistics.keys()
    for key, statistics in first.statistics.items():
        other = second.statistics[key]
        assert statistics.count == other.count
        np.testing.assert_allclose(statistics.mean, other.mean, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(statistics.state()["scatter"], other.state()["scatter"], rtol=1e-9, atol=1e-11)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=14), st.permutations(range(3)))
def test_any_split_joins_to_the_whole(places, order):
    whole = results_of(range(len(places)))
    joined = Results()
    for place in order:
        joined.merge(results_of([number for number, at in enumerate(places) if at == place]))
    assert_same(joined, whole)
    distances = [results.distances(force=True) for results in (joined, whole)]
    assert distances[0].keys() == distances[1].keys()
    for row, found in distances[0].items():
        expected = distances[1][row]
        assert found["samples"] == expected["samples"] and found["reason"] == expected["reason"]
        if expected["value"] is not None:
            assert found["value"] == pytest.approx(expected["value"], rel=1e-8, abs=1e-9)


def test_saved_and_read_back_it_goes_on_exactly(tmp_path):
    path = tmp_path / "new" / "kept.npz"
    results_of(range(5)).save(path)
    found, whole = Results.load(path), results_of(range(9))
    assert (found.faces, found.records, found.failed) == tuple(
        getattr(results_of(range(5)), name) for name in ("faces", "records", "failed"))
    for number in range(5, 9):
        found.add(f"clip {number}", scores_of(number))
    assert (found.faces, found.records, found.failed) == (whole.faces, whole.records, whole.failed)
    assert found.pictures() == whole.pictures() and found.distances(force=True) == whole.distances(force=True)
    Results().save(path)
    assert Results.load(path).faces == [] and Results.load(path).distances() == {}


def test_a_strange_name_survives(tmp_path):
    results, name = Results(), "caf\udce9 \u2028 \"'"
    results.add(name, scores_of(1))
    results.save(tmp_path / "t.npz")
    assert Results.load(tmp_path / "t.npz").faces == [name]


def test_pictures_are_the_worst_and_the_best_and_no_more():
    results = Results()
    for number in np.random.default_rng(0).permutation(40).tolist():
        picture = {"name": f"v{number:02}", "row": MADE, "value": float(number), "jpeg": b"x"}
        results.add(str(number), Scores(pictures=[picture]))
        assert sum(map(len, results._pictures.values())) <= 2 * PICTURES
    shown = [(picture["rank"], picture["name"]) for picture in results.pictures()]
    assert shown == [("worst", "v00"), ("worst", "v01"), ("worst", "v02"), ("best", "v39"), ("best", "v38"), ("best", "v37")]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_of_few_pictures_none_is_shown_twice(count):
    results = results_of(range(count))
    shown = [(picture["row"], picture["name"]) for picture in results.pictures()]
    assert len(set(shown)) == len(shown) == 2 * count


def test_distances_name_counts_and_reasons():
    found = results_of(range(2)).distances()
    assert found[MADE]["value"] is None or found[MADE]["samples"] > 4
    whole = results_of(range(30))
    found = whole.distances()
    assert found.keys() == {REAL, COPY, MADE, OTHER} and all(one["value"] >= 0 for one in found.values())
    assert found[REAL]["samples"] == whole.real_statistics().count == sum(
        whole.statistics[REAL, half].count for half in (0, 1))
    reference = results_of(range(100, 130)).real_statistics()
    assert whole.distances(reference).keys() == {COPY, MADE, OTHER}
    assert whole.distances(reference)[MADE]["value"] != found[MADE]["value"]
    one = results_of([7]).distances(force=True)
    assert one[REAL] == {"value": None, "samples": len(scores_of(7).features[REAL]),
                         "reason": "too few real videos to compare one half of them with the other"}


def test_features_of_no_frame_count_for_nothing(tmp_path):
    results = Results()
    results.add("a", Scores(features={REAL: np.zeros((0, 4), np.float32)}))
    results.save(tmp_path / "t.npz")
    assert Results.load(tmp_path / "t.npz").distances(force=True) == {}


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_files_are_refused_or_whole(tmp_path, data):
    path = tmp_path / "kept.npz"
    if not path.exists():
        results_of(range(2)).save(path)
    found = read_damaged(Results.load, tmp_path / "damaged.npz", path.read_bytes(), data)
    assert found is None or found.faces == ["clip 0", "clip 1"]


def test_foreign_archives_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", facts=np.frombuffer(b'{"format": "other"}', np.uint8))
    np.savez(tmp_path / "b.npz", facts=np.frombuffer(b"[1]", np.uint8))
    np.savez(tmp_path / "c.npz", other=np.zeros(3))
    np.savez(tmp_path / "d.npz", facts=np.array([{}, {}]))
    for name in "abcd":
        with pytest.raises(InputError, match=f"{name}.npz: not a saved evaluation"):
            Results.load(tmp_path / f"{name}.npz")
    with pytest.raises(InputError, match="none.npz"):
        Results.load(tmp_path / "none.npz")


def test_progress_belongs_to_a_plan(tmp_path):
    first, second = Progress(tmp_path / "p", {"a": 1}), Progress(tmp_path / "p", {"a": 1})
    first.save(results_of([0]), now=True)
    second.save(results_of([1, 2]), now=True)
    again = Progress(tmp_path / "p", {"a": 1})
    assert sorted(again.earlier.faces) == ["clip 0", "clip 1", "clip 2"]
    assert Progress(tmp_path / "p", {"a": 2}).earlier.faces == []
    (tmp_path / "p" / "notes.txt").write_text("mine")
    again.remove()
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["notes.txt"], "only what is ours goes"
    Progress(tmp_path / "never made", {}).remove()

"""Frechet distance: streamed moments against numpy, distances against closed forms, sqrtm and pytorch-fid; its files."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import metrics.networks.fid as fid
from benchmarks.peers.fid import STEP, inception_state, seeded_features, seeded_images
from common.errors import InputError
from metrics.networks.fid import (
    GaussianStatistics,
    InceptionFeatures,
    frechet_distance,
    read_statistics,
    refusal,
    write_statistics,
)
from models.inception import FidInception
from tests.evaluate_kit import read_damaged

GOLDEN = Path(__file__).with_name("golden") / "inception.npz"
FACTS = {"network": "ab" * 32, "crop": "aligned", "face_size": 96, "files": ["1", "2"]}


def statistics_of(features):
    statistics = GaussianStatistics()
    statistics.add(features)
    return statistics


def random_set(seed, count, dimension, shift=0.0):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, dimension)) @ random.normal(size=(dimension, dimension)) + shift


# moments


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.lists(st.integers(0, 9), min_size=1, max_size=6),
       st.sampled_from([0.0, 30.0, 1e6]), st.data())
def test_any_split_gives_the_moments_of_the_whole(seed, dimension, sizes, shift, data):
    sizes.append(max(0, 2 - sum(sizes)))
    features = random_set(seed, sum(sizes), dimension, shift)
    sides = [GaussianStatistics(), GaussianStatistics()]
    start = 0
    for size in sizes:
        sides[data.draw(st.integers(0, 1))].add(features[start:start + size].astype(np.float64))
        start += size
    sides[0].merge(sides[1])
    assert (sides[0].count, sides[0].dimension) == (len(features), dimension)
    np.testing.assert_allclose(sides[0].mean, features.mean(0), rtol=1e-12, atol=1e-12)
    expected = np.cov(features, rowvar=False).reshape(dimension, dimension)
    np.testing.assert_allclose(sides[0].covariance, expected, rtol=1e-7, atol=1e-9 + 1e-10 * shift)
    assert (sides[0].covariance == sides[0].covariance.T).all()


def test_large_means_leave_the_covariance_alone():
    features = random_set(3, 1000, 4)
    expected = np.cov(features, rowvar=False)
    streamed = GaussianStatistics()
    for start in range(0, 1000, 7):
        streamed.add(features[start:start + 7] + 1e8)
    np.testing.assert_allclose(streamed.covariance, expected, rtol=0, atol=1e-6)


def test_merging_leaves_the_other_side_as_it_was():
    first, second = statistics_of(random_set(0, 9, 3)), statistics_of(random_set(1, 5, 3))
    before = second.covariance.copy()
    fresh = GaussianStatistics()
    fresh.merge(second)
    fresh.merge(first)
    assert (second.covariance == before).all() and second.count == 5 and fresh.count == 14


def test_arrays_come_back():
    statistics = statistics_of(random_set(0, 9, 3))
    again = GaussianStatistics.from_arrays(**statistics.arrays())
    again.add(random_set(1, 4, 3))
    statistics.add(random_set(1, 4, 3))
    np.testing.assert_allclose(again.covariance, statistics.covariance, rtol=1e-12)
    assert again.count == 13


@pytest.mark.parametrize("features", [np.zeros(3), np.full((2, 3), np.nan), np.zeros((2, 4))])
def test_features_that_do_not_fit_are_refused(features):
    with pytest.raises(ValueError, match="features"):
        statistics_of(random_set(0, 9, 3)).add(features)


def test_statistics_without_a_count_take_nothing_in():
    unknown = GaussianStatistics.from_arrays(np.zeros(3), np.eye(3))
    with pytest.raises(ValueError, match="count"):
        unknown.add(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="count"):
        statistics_of(random_set(0, 9, 3)).merge(unknown)


# distance


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(2, 20), st.integers(2, 20))
def test_equal_sets_are_at_0_and_both_ways_are_as_long(seed, dimension, count, other_count):
    first = statistics_of(random_set(seed, count, dimension))
    second = statistics_of(random_set(seed + 1, other_count, dimension))
    size = np.trace(first.covariance) + np.trace(second.covariance)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-12 * size)
    assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first), abs=1e-10 * size)
    assert frechet_distance(first, second) >= 0


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(*[st.floats(0, 50)] * 2, *[st.floats(-20, 20)] * 2), min_size=1, max_size=8))
def test_diagonal_covariances_have_a_closed_form(entries):
    """Sum of (m1 - m2)^2 + (s1 - s2)^2 with deviations s; 0 among them makes singular covariances."""
    s1, s2, m1, m2 = np.array(entries).T
    first, second = (GaussianStatistics.from_arrays(m, np.diag(s**2)) for m, s in ((m1, s1), (m2, s2)))
    expected = ((m1 - m2) ** 2 + (s1 - s2) ** 2).sum()
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9, abs=1e-7 * (s1 @ s1 + s2 @ s2))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 10))
def test_full_rank_covariances_equal_sqrtm(seed, dimension):
    first, second = statistics_of(random_set(seed, 60, dimension)), statistics_of(random_set(seed + 1, 50, dimension, 0.5))
    root = scipy.linalg.sqrtm(first.covariance @ second.covariance).real
    difference = first.mean - second.mean
    expected = difference @ difference + np.trace(first.covariance) + np.trace(second.covariance) - 2 * np.trace(root)
    size = np.trace(first.covariance) + np.trace(second.covariance)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6, abs=1e-6 * size)


def test_fewer_samples_than_dimensions_are_exact_too():
    """Of centred samples X (n, D) and Y (m, D), the trace of the root is the nuclear norm of X Y^T / sqrt((n-1)(m-1))."""
    first, second = random_set(0, 12, 60), random_set(1, 9, 60, 0.3)
    x, y = first - first.mean(0), second - second.mean(0)
    root = np.linalg.svd(x @ y.T, compute_uv=False).sum() / np.sqrt(11 * 8)
    expected = ((first.mean(0) - second.mean(0)) ** 2).sum() + (x**2).sum() / 11 + (y**2).sum() / 8 - 2 * root
    assert frechet_distance(statistics_of(first), statistics_of(second)) == pytest.approx(expected, rel=1e-12)


def test_distance_is_that_of_pytorch_fid():
    with np.load(GOLDEN, allow_pickle=False) as stored:
        expected = float(stored["distance"])
    assert frechet_distance(*map(statistics_of, seeded_features())) == pytest.approx(expected, rel=1e-10)


def test_sides_that_cannot_be_compared():
    with pytest.raises(ValueError, match="3 and of 4 dimensions"):
        frechet_distance(statistics_of(random_set(0, 9, 3)), statistics_of(random_set(0, 9, 4)))
    with pytest.raises(InputError, match="at least two samples on each side, not 1 and 9"):
        frechet_distance(statistics_of(random_set(0, 1, 3)), statistics_of(random_set(0, 9, 3)))


# refusal


def test_more_samples_than_dimensions_are_needed_on_both_sides():
    enough, few = statistics_of(random_set(0, 5, 4)), statistics_of(random_set(0, 4, 4))
    assert refusal(enough, enough) is None
    assert refusal(few, enough) == ("sample counts 4 and 5: a Frechet distance of 4 features needs more than 4 samples on each "
                                    "side; --force computes it anyway")
    assert "5 and 4" in refusal(enough, few) and "5 and 0" in refusal(enough, GaussianStatistics())
    assert "0 and 0" in refusal(GaussianStatistics(), GaussianStatistics())


def test_unknown_count_is_told_by_the_rank():
    enough = statistics_of(random_set(0, 5, 4))
    full, singular = (GaussianStatistics.from_arrays(np.zeros(4), np.cov(random_set(1, n, 4), rowvar=False)) for n in (5, 4))
    assert refusal(full, enough) is None
    assert "counts 5 and unknown" in refusal(enough, singular) and "cannot be checked" in refusal(enough, singular)
    rough = GaussianStatistics.from_arrays(np.zeros(4), np.cov(random_set(1, 4, 4), rowvar=False).astype(np.float32))
    assert "unknown" in refusal(enough, rough)


# files


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "real.npz"
    write_statistics(path, statistics_of(random_set(0, 9, 3)), FACTS)
    return path


def test_statistics_come_back_with_their_facts(stored):
    statistics, facts = read_statistics(stored)
    expected = statistics_of(random_set(0, 9, 3))
    assert facts == FACTS and statistics.count == 9
    assert (statistics.mean == expected.mean).all()
    np.testing.assert_allclose(statistics.covariance, expected.covariance, rtol=1e-14)
    with np.load(stored, allow_pickle=False) as arrays:  # pytorch-fid reads these two
        assert (arrays["mu"] == expected.mean).all() and (arrays["sigma"] == expected.covariance).all()


def test_file_of_pytorch_fid_has_no_count(tmp_path):
    path, features = tmp_path / "peer.npz", random_set(0, 9, 3)
    np.savez_compressed(path, mu=features.mean(0), sigma=np.cov(features, rowvar=False))
    statistics, facts = read_statistics(path)
    assert (statistics.count, facts) == (None, {})
    assert frechet_distance(statistics, statistics_of(features)) == pytest.approx(0, abs=1e-10)
    write_statistics(tmp_path / "again", statistics, {})
    assert read_statistics(tmp_path / "again")[0].count is None


@pytest.mark.parametrize("arrays", [
    {"mu": np.zeros(3)}, {"mu": np.zeros(3), "sigma": np.eye(4)}, {"mu": np.zeros(3), "sigma": np.full((3, 3), np.nan)},
    {"mu": np.zeros(2), "sigma": np.array([[1.0, 2.0], [0.0, 1.0]])}, {"mu": np.zeros(2, int), "sigma": np.eye(2)},
    {"mu": np.zeros(2), "sigma": np.eye(2), "count": 1}, {"mu": np.zeros(2), "sigma": np.eye(2), "count": 7.5},
    {"mu": np.zeros(2), "sigma": np.eye(2), "facts": np.array("{")}, {"mu": np.zeros(2), "sigma": np.eye(2), "facts": 3},
    {"mu": np.array([{}, {}]), "sigma": np.eye(2)},
])  # fmt: skip
def test_foreign_archives_are_refused(tmp_path, arrays):
    path = tmp_path / "foreign.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="foreign.npz: no statistics of a Frechet distance"):
        read_statistics(path)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_files_are_refused_or_whole(tmp_path, stored, data):
    found = read_damaged(read_statistics, tmp_path / "damaged.npz", stored.read_bytes(), data)
    assert found is None or found[0].dimension == 3


def test_missing_and_other_files_are_refused(tmp_path):
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("none.npz", "array.npy"):
        with pytest.raises(InputError, match=name):
            read_statistics(tmp_path / name)


# features


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights as the published file has them: the old torch format, without num_batches_tracked."""
    path = tmp_path_factory.mktemp("inception") / "pt_inception.pth"
    state = {name: tensor for name, tensor in inception_state().items() if not name.endswith("num_batches_tracked")}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


def test_frames_become_the_features_of_pytorch_fid(weights, monkeypatch):
    network = InceptionFeatures.load(weights)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (network.name, network.dimension, network.sha256, network.is_fid) == ("pt_inception", 2048, sha256, False)
    frames = (seeded_images().numpy() * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
    features = network(frames, batch_size=1)
    with np.load(GOLDEN, allow_pickle=False) as stored:
        expected = stored["features"]
    assert features.dtype == np.float32 and features.shape == (2, 2048)
    np.testing.assert_allclose(features[:, ::STEP], expected, rtol=0, atol=2e-5 * expected.max())
    assert network(frames[:0]).shape == (0, 2048)
    for wrong in (frames[0], frames.astype(np.float32), frames[..., :1]):
        with pytest.raises(ValueError, match="uint8"):
            network(wrong)
    monkeypatch.setattr(fid, "PUBLISHED_SHA256", sha256[:8])
    assert InceptionFeatures(FidInception(), "x", sha256).is_fid


def small_file(path, **changes):
    """A file with every tensor of the network but one stored number each; `changes` by name, None leaves the tensor out."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in FidInception().state_dict().items()} | changes
    state = {name: torch.ones(1).expand(shape) for name, shape in shapes.items() if shape is not None and len(shape)}
    state |= {name: torch.tensor(0) for name, shape in shapes.items() if shape is not None and not len(shape)}
    torch.save(state, path)
    return path


def test_new_files_with_counters_load_too(tmp_path):
    assert InceptionFeatures.load(small_file(tmp_path / "new.pth")).name == "new"


@pytest.mark.parametrize(("changes", "reason"), [
    ({"fc.weight": (1000, 2048)}, "other shape: fc.weight"),
    ({"Mixed_5b.branch5x5_2.conv.weight": (64, 48, 3, 3)}, "other shape: Mixed_5b.branch5x5_2.conv.weight"),
    ({"Mixed_7a.branch3x3_1.bn.running_var": None}, "missing: Mixed_7a.branch3x3_1.bn.running_var"),
    ({"AuxLogits.conv0.conv.weight": (128, 768, 1, 1)}, "unknown: AuxLogits.conv0.conv.weight"),
])  # fmt: skip
def test_weights_of_another_layout_are_refused(tmp_path, changes, reason):
    with pytest.raises(InputError, match=reason):
        InceptionFeatures.load(small_file(tmp_path / "other.pth", **changes))

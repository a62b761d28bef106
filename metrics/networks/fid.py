"""Frechet Inception distance: how far a set of generated frames is from a set of real ones, as a whole."""

import json
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from common.errors import InputError
from common.files import atomic_output, require_file
from metrics.networks.precision import precision_of
from training.checkpoint import load_checkpoint

PUBLISHED_SHA256 = "6726825d"  # its beginning, which is in the name of pytorch-fid's weights file
_BATCH = 16
_UNREADABLE = (  # what numpy and json raise over a damaged or hostile .npz
    OSError, EOFError, ValueError, TypeError, KeyError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error,
)


class GaussianStatistics:
    """Count, mean and covariance of feature vectors that come in batches; float64, memory D x D whatever the count.

    Batches are joined by the update of Chan, Golub & LeVeque 1983 (The American Statistician 37(3), eq. 1.5), which subtracts
    no large numbers from each other.

    Attributes:
        count: samples so far; None where a stored file does not tell.
        dimension: D; None before the first sample.
        mean: (D,) float64.
    """

    def __init__(self):
        self.count, self.dimension, self.mean = 0, None, None
        self._scatter = None  # sum over samples of the outer product of (sample - mean); the covariance itself without count
        self._eps = np.finfo(np.float64).eps

    @property
    def covariance(self):
        """(D, D) float64, divided by count - 1 as numpy.cov does.

        Raises:
            ValueError: fewer than two samples.
        """
        if self.count is None:
            return self._scatter
        if self.count < 2:
            raise ValueError(f"a covariance needs at least two samples, not {self.count}")
        return self._scatter / (self.count - 1)

    def add(self, features):
        """Take in (n, D) float features; n may be 0.

        Raises:
            ValueError: not (n, D), another D than before, NaN or infinity, or statistics without a count.
        """
        features = np.asarray(features, np.float64)
        if features.ndim != 2 or not np.isfinite(features).all():
            raise ValueError(f"features must be finite and (n, D), not {features.shape}")
        if not len(features):
            return
        mean = features.mean(0)
        step = self._join(len(features), mean)
        rows = np.vstack([features - mean, step])
        self._scatter += rows.T @ rows

    def merge(self, other):
        """Take in the samples of another GaussianStatistics, as if they had been added here.

        Raises:
            ValueError: another D, or one of the two has no count.
        """
        if other.count != 0:
            if other.count is None:
                raise ValueError("statistics without a count cannot be merged")
            scatter = other._scatter
            step = self._join(other.count, other.mean)
            self._scatter += scatter + np.outer(step, step)

    def _join(self, count, mean):
        """Move count and mean; returns the (D,) vector whose outer product the move adds to the scatter."""
        if self.count is None:
            raise ValueError("statistics without a count take no more samples")
        if self.count == 0:
            self.dimension, self.mean, self._scatter = len(mean), np.zeros(len(mean)), np.zeros((len(mean), len(mean)))
        elif len(mean) != self.dimension:
            raise ValueError(f"features have {len(mean)} dimensions, those before {self.dimension}")
        total, delta = self.count + count, mean - self.mean
        step = delta * np.sqrt(self.count * count / total)
        self.mean = self.mean + delta * (count / total)
        self.count = total
        return step

    def arrays(self):
        """{"mu": (D,), "sigma": (D, D) float64, "count": int}, what `from_arrays` takes; no "count" where it is unknown.

        Raises:
            ValueError: fewer than two samples.
        """
        stored = {"mu": self.mean, "sigma": self.covariance}
        return stored if self.count is None else {**stored, "count": self.count}

    @staticmethod
    def from_arrays(mu, sigma, count=None):
        """Statistics of stored arrays.

        Args:
            mu, sigma: (D,) and (D, D) float.
            count: samples behind them, at least 2, or None if unknown.

        Raises:
            ValueError: shapes that do not fit, NaN or infinity, a sigma that is not symmetric, or a wrong count.
        """
        mean, covariance = np.array(mu, np.float64), np.array(sigma, np.float64)
        if mean.ndim != 1 or not mean.size or covariance.shape != (mean.size, mean.size):
            raise ValueError(f"mu is {mean.shape} and sigma {covariance.shape}; (D,) and (D, D) are needed")
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            raise ValueError("NaN or infinity in mu or sigma")
        if np.abs(covariance - covariance.T).max() > 1e-5 * np.abs(covariance).max():
            raise ValueError("sigma is not symmetric")
        if count is not None and count < 2:
            raise ValueError(f"a count of {count} is not possible")
        new = GaussianStatistics()
        new.count, new.dimension, new.mean = None if count is None else int(count), mean.size, mean
        new._scatter = covariance if count is None else covariance * (new.count - 1)
        if np.asarray(sigma).dtype.kind == "f":
            new._eps = max(new._eps, np.finfo(np.asarray(sigma).dtype).eps)
        return new

    def state(self):
        """{"count": int, "mean": (D,), "scatter": (D, D) float64}, what `from_state` takes: to go on adding later, exactly."""
        return {"count": self.count, "mean": self.mean, "scatter": self._scatter}

    @staticmethod
    def from_state(count, mean, scatter):
        """Statistics that go on where those that `state` was called of were; ValueError for shapes that do not fit."""
        mean, scatter = np.array(mean, np.float64), np.array(scatter, np.float64)
        if mean.ndim != 1 or scatter.shape != (mean.size, mean.size) or count < 1:
            raise ValueError(f"mean is {mean.shape}, scatter {scatter.shape}, count {count}; they do not fit")
        new = GaussianStatistics()
        new.count, new.dimension, new.mean, new._scatter = int(count), mean.size, mean, scatter
        return new

    def rank(self):
        """Rank of the covariance, as far as its stored precision shows it."""
        return int(np.linalg.matrix_rank(self.covariance, hermitian=True, rtol=self.dimension * self._eps))


def frechet_distance(first, second):
    """|mu1 - mu2|^2 + tr(S1 + S2 - 2 sqrt(S1 S2)), Dowson & Landau 1982; of Inception features: FID, Heusel et al. 2017, eq. 6.

    S1 S2 has the eigenvalues of sqrt(S1) S2 sqrt(S1). With S = L L^T from the eigenvectors of S, the trace of the root is the
    sum of the singular values of L1^T L2; no root of a number near 0 is taken there, so covariances may be singular.

    Args:
        first, second: GaussianStatistics of one dimension.

    Returns:
        float, at least 0.

    Raises:
        ValueError: different dimensions.
        InputError: fewer than two samples on a side.
    """
    if any(side.count is not None and side.count < 2 for side in (first, second)):
        raise InputError(f"a Frechet distance needs at least two samples on each side, not {first.count} and {second.count}")
    if first.dimension != second.dimension:
        raise ValueError(f"features of {first.dimension} and of {second.dimension} dimensions cannot be compared")
    covariances = first.covariance, second.covariance
    left, right = (_factor(covariance) for covariance in covariances)
    root = np.linalg.svd(left.T @ right, compute_uv=False).sum() if left.size and right.size else 0.0
    difference = first.mean - second.mean
    distance = difference @ difference + sum(np.trace(covariance) for covariance in covariances) - 2 * root
    return max(0.0, float(distance))


def _factor(covariance):
    """L (D, rank) with L L^T = covariance; directions below the rounding of the largest are left out."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    keep = values > values[-1] * len(values) * np.finfo(np.float64).eps
    return vectors[:, keep] * np.sqrt(values[keep])


def refusal(first, second):
    """Why the Frechet distance of these two would say little, or None.

    With n samples a covariance has a rank of n - 1 at most, so at or below D samples it is singular. Where the count is unknown
    (pytorch-fid's files), a covariance of full rank shows that there were enough.

    Args:
        first, second: GaussianStatistics.

    Returns:
        One sentence with both counts and the way to get the number anyway, or None.
    """
    dimension = first.dimension or second.dimension
    if not all(side.dimension and _enough(side) for side in (first, second)):
        counts = " and ".join("unknown" if side.count is None else str(side.count) for side in (first, second))
        unknown = first.count is None or second.count is None
        note = "; an unknown count cannot be checked, and that covariance is not of full rank" if unknown else ""
        wanted = f"of {dimension} features needs more than {dimension} samples" if dimension else "needs samples"
        return f"sample counts {counts}: a Frechet distance {wanted} on each side{note}; --force computes it anyway"
    return None


def _enough(side):
    return side.rank() == side.dimension if side.count is None else side.count > side.dimension


class InceptionFeatures:
    """Features of frames by the Inception network of FID.

    Attributes:
        name: the weights file's name without ending.
        sha256: of that file.
        is_fid: the weights are the published ones, so a distance of these features may be called FID.
        dimension: 2048.
        precision: what it computes in, see `metrics.networks.precision`.
    """

    dimension = 2048

    def __init__(self, model, name, sha256):
        self.name, self.sha256, self.is_fid = name, sha256, sha256.startswith(PUBLISHED_SHA256)
        self._model = model.eval().to(memory_format=torch.channels_last)
        self.precision = precision_of(next(model.parameters()))

    @staticmethod
    def load(path, device="cpu"):
        """Read pytorch-fid's `pt_inception-2015-12-05-6726825d.pth`, or other weights of that layout.

        Raises:
            InputError: see `training.checkpoint.load_checkpoint`.
        """
        checkpoint = load_checkpoint(path, device, expect="fid_inception")
        return InceptionFeatures(checkpoint.model, Path(path).stem, checkpoint.sha256)

    @torch.inference_mode()
    def __call__(self, frames, batch_size=_BATCH):
        """(N, H, W, 3) uint8 RGB frames -> (N, 2048) float32; N may be 0.

        Raises:
            ValueError: frames of another shape or type.
        """
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
            raise ValueError(f"frames must be (N, H, W, 3) uint8, not {frames.shape} {frames.dtype}")
        device = next(self._model.parameters()).device
        features = np.empty((len(frames), self.dimension), np.float32)
        for start in range(0, len(frames), batch_size):
            batch = torch.from_numpy(np.ascontiguousarray(frames[start : start + batch_size])).to(device)
            features[start : start + batch_size] = self._model(batch.permute(0, 3, 1, 2).float() / 255).cpu().numpy()
        return features


def write_statistics(path, statistics, facts):
    """Store statistics as .npz: `mu` and `sigma` under pytorch-fid's names, `count`, and `facts` as JSON.

    Args:
        path: file to write or replace.
        statistics: GaussianStatistics of at least two samples.
        facts: dict of what JSON can hold: what the features were made from.

    Raises:
        InputError: the path cannot be written.
    """
    text = json.dumps(facts, sort_keys=True, allow_nan=False)
    with atomic_output(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, allow_pickle=False, facts=np.array(text), **statistics.arrays())


def read_statistics(path):
    """Statistics of a file of `write_statistics` or of pytorch-fid, which tells neither count nor facts.

    Returns:
        (GaussianStatistics, facts): `count` is None and `facts` {} where the file lacks them.

    Raises:
        InputError: no such file, damaged, or not of this kind.
    """
    path = require_file(path, "statistics of a Frechet distance")
    try:
        with open(path, "rb") as file:
            if file.read(4) != b"PK\x03\x04":
                raise ValueError("not an .npz")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ("mu", "sigma", "count", "facts") if name in stored}
        facts = json.loads(arrays.pop("facts").item()) if "facts" in arrays else {}
        if missing := [name for name in ("mu", "sigma") if name not in arrays]:
            raise ValueError(f"no array {missing[0]!r} in it")
        if any(arrays[name].dtype.kind != "f" for name in ("mu", "sigma")) or not isinstance(facts, dict):
            raise ValueError("its arrays are of another type")
        count = arrays.pop("count", None)
        if count is not None and (count.shape != () or count.dtype.kind not in "iu"):
            raise ValueError("its count is no whole number")
        return GaussianStatistics.from_arrays(**arrays, count=None if count is None else int(count)), facts
    except _UNREADABLE as error:
        reason = str(error) or type(error).__name__
        raise InputError(f"{path}: no statistics of a Frechet distance, or damaged ({reason}); make the file again") from error

"""A lip refiner at work: on whole window crops of any size, at their own resolution."""

import cv2
import numpy as np
import torch

from faces.crops import ALIGNED_SIDE, ALIGNED_TOP, inverse
from faces.drawing.lip_drawing import lip_drawing
from faces.landmarks import CANONICAL_STABLE, STABLE, fit_similarity
from pipeline.drivers.precision import PRECISIONS
from training.checkpoint import load_checkpoint

# The square around the mouth, in eye distances from the point between the eyes (see CANONICAL_STABLE): as the network learned.
_LEFT, _TOP, _SIDE = -ALIGNED_SIDE / 4, ALIGNED_TOP + ALIGNED_SIDE / 2, ALIGNED_SIDE / 2
STRENGTH = 0.5  # of flow and tone: on people never seen half of what the network finds is better than all of it
FINE, LEAST_FINE, MOST_DETAIL = 0.03, 0.7, 1.3  # shares of the square's side; pixels; a factor
_SPREAD = 1.5  # pixels of the window a pixel of the square, above which pictures are shrunk by area


def load_refiner(path, *, device="cpu", precision="fp32"):
    """Refiner of a checkpoint of `lip_refiner`.

    Raises:
        InputError: no such file, or a checkpoint of another network.
    """
    checkpoint = load_checkpoint(path, device, expect="lip_refiner")
    return Refiner(checkpoint.model, device=device, precision=precision, sha256=checkpoint.sha256)


class Refiner:
    """What a trained lip refiner does to a drawn face.

    Args:
        network: models.lips.refiner.LipRefiner.
        device, precision: where and how it runs; sha256: of its file, "" where there is none.
    """

    def __init__(self, network, *, device="cpu", precision="fp32", sha256=""):
        self.device, self.dtype, self.sha256 = torch.device(device), PRECISIONS[precision], sha256
        self.network = network.to(self.device, self.dtype, memory_format=torch.channels_last).eval()

    def refine(self, drawn, landmarks, source=None):
        """Refine the lower face of one crop.

        Flow, tone, paint and blending mask are found at the network's resolution, in the aligned square around the mouth, and
        laid over the crop at its own: what the network does not paint keeps its detail.

        Args:
            drawn: (S, S, 3) uint8 RGB: the frame that is on screen, with its lower face drawn of a warped source.
            landmarks: (68, 2) float, crop pixels: the wanted ones, as `drawn` shows them.
            source: (68, 2) float, any pixels: landmarks of the picture that was warped, of several the heaviest; None: as
                open as the wanted ones.

        Returns:
            (S, S, 3) uint8 RGB: `drawn` with its lower face refined; as it was outside the square, and outside the lower face.
        """
        size, side = len(drawn), self.network.side
        matrix = square_matrix(landmarks, side)
        rectangle = _covered(matrix, side, size)
        if rectangle is None:
            return drawn
        drawing = lip_drawing(landmarks, size, source)
        picture, lips = (self._planes(_cut(one, matrix, side)) for one in (drawn, drawing))
        with torch.inference_mode():
            found = self.network.find(picture, lips)
            maps = torch.cat(tuple(vars(found).values()), 1)[0].permute(1, 2, 0).float().cpu().numpy()
        maps[..., :5] *= STRENGTH
        return _laid(drawn, maps, drawing[..., 3], matrix, rectangle)

    def _planes(self, square):
        """(S, S, C) uint8 -> (1, C, S, S) in [0, 1] on the device."""
        planes = torch.from_numpy(square).permute(2, 0, 1)[None].to(self.device, self.dtype)
        return planes / 255


def square_matrix(landmarks, side):
    """(2, 3) float64: crop pixels -> pixels of the square of `side` pixels around the mouth, turned as the face is."""
    points = np.asarray(landmarks, np.float64)[list(STABLE)]
    pose = fit_similarity(CANONICAL_STABLE, points)
    unit = _SIDE / side
    start = np.array([_LEFT + unit / 2, _TOP + unit / 2])
    to_crop = np.concatenate([pose[:, :2] * unit, (pose[:, :2] @ start + pose[:, 2])[:, None]], 1)
    return inverse(to_crop)


def _covered(matrix, side, size):
    """(rows, columns) slices of a crop that the square covers; None: nothing of it."""
    edge = side - 0.5
    back = inverse(matrix)
    corners = np.array([(-0.5, -0.5), (edge, -0.5), (edge, edge), (-0.5, edge)]) @ back[:, :2].T + back[:, 2]
    left, top = np.clip(np.floor(corners.min(0)).astype(int), 0, size)
    right, bottom = np.clip(np.ceil(corners.max(0)).astype(int) + 1, 0, size)
    return None if right <= left or bottom <= top else (slice(top, bottom), slice(left, right))


def _cut(picture, matrix, side):
    """(S, S, C) uint8 -> (side, side, C) uint8; shrunk by area where the crop is much finer."""
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    fine = 1 if zoom * _SPREAD >= 1 else int(np.ceil(1 / zoom))
    larger = matrix * fine
    larger[:, 2] += (fine - 1) / 2
    extent = (side * fine, side * fine)
    cut = cv2.warpAffine(picture, larger, extent, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cut if fine == 1 else cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)


def _laid(drawn, maps, inside, matrix, rectangle):
    """`drawn` with the maps (side, side, 9) applied in `rectangle`, weighed by `inside` (S, S) uint8.

    The maps are turned and enlarged with the square; the flow, a share of its side, is turned too.
    """
    (rows, columns), side = rectangle, len(maps)
    shifted = matrix.copy()
    shifted[:, 2] += shifted[:, :2] @ (columns.start, rows.start)
    extent = (columns.stop - columns.start, rows.stop - rows.start)
    weight = cv2.warpAffine(_edges(side), shifted, extent, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    back = inverse(matrix)[:, :2]
    cubic = {"flags": cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_REPLICATE}
    thirds = np.split(maps, 3, -1)  # OpenCV takes up to four channels at once
    found = np.concatenate([cv2.warpAffine(np.ascontiguousarray(part), shifted, extent, **cubic) for part in thirds], -1)
    weight = weight * inside[rows, columns] / np.float32(255)
    flow = found[..., :2] @ (back.T * side).astype(np.float32) * weight[..., None]
    x, y = np.meshgrid(np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop))
    places = np.stack((x, y), -1).astype(np.float32) + flow
    base = cv2.remap(drawn, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    base += 255 * weight[..., None] * found[..., 2:5]
    base += (weight * found[..., 8])[..., None] * (255 * found[..., 5:8] - base)
    unit = side / float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))  # pixels of the crop
    base = as_sharp(base, drawn[rows, columns], weight, max(FINE * unit, LEAST_FINE))
    out = drawn.copy()
    out[rows, columns] = np.clip(np.rint(base), 0, 255).astype(np.uint8)
    return out


def as_sharp(picture, model, weights, sigma):
    """A picture with as much fine detail as another one: moving pixels by parts of a pixel takes some away.

    Args:
        picture: (h, w, 3) float32; model: (h, w, 3) uint8 or float32.
        weights: (h, w) float32 in [0, 1]: where detail is compared and made stronger.
        sigma: pixels: what a Gaussian of this width takes away is detail.

    Returns:
        (h, w, 3) float32: detail multiplied by one factor, from 1 to MOST_DETAIL.
    """
    own, wanted = (one - cv2.GaussianBlur(one, (0, 0), sigma) for one in (picture, np.asarray(model, np.float32)))
    energies = [float((detail**2).mean(-1).ravel() @ weights.ravel()) for detail in (own, wanted)]
    factor = float(np.clip(np.sqrt(energies[1] / max(energies[0], 1e-6)), 1, MOST_DETAIL))
    return picture + (factor - 1) * own * weights[..., None]


def _edges(side):
    """(side, side) float32: 1, falling to 0 over the outermost tenth, so that the square shows no border."""
    at = (np.arange(side) + 0.5) / side
    ramp = np.clip(np.minimum(at, 1 - at) / 0.1, 0, 1)
    return (ramp[:, None] * ramp[None]).astype(np.float32)

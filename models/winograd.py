"""3x3 convolution with a quarter of the multiplications: Winograd's F(4x4, 3x3) in matrix products.

Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308: every 4x4 tile of the output is
A^T [(G g G^T) * (B^T d B)] A, with d the 6x6 input tile and g the kernel; summing over channels turns the product into 36
matrix products. Worth it on a CPU from about 128 channels on; below that the transforms cost what the products save.
"""

import torch
import torch.nn.functional as F
from torch import nn

TILE, POINTS = 4, 6
TILES_AT_ONCE = 576  # few enough for the cache; enough to read the weights seldom, and for few meetings of the threads
MIN_CHANNELS, MAX_CHANNELS = 128, 512

_INPUT = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_KERNEL = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]  # in 1/24
_OUTPUT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
_ALL_ONES = 7  # point (1, 1) goes with weight 1 into each of the 16 outputs, so the bias is added there once


class Winograd(nn.Module):
    """A 3x3 convolution of stride 1 and padding 1, for inference in float32 on the CPU.

    Equal to the convolution it is made from to about 1e-5 of the size of its outputs.
    """

    def __init__(self, conv):
        super().__init__()
        kernel = torch.tensor(_KERNEL, dtype=torch.float64) / 24
        weight = torch.einsum("ai,bj,ocij->abco", kernel, kernel, conv.weight.detach().double())
        self.register_buffer("weight", weight.flatten(0, 1).float().contiguous(), persistent=False)
        self.register_buffer("bias", conv.bias.detach().clone(), persistent=False)
        for name, matrix in (("to_points", _INPUT), ("from_points", _OUTPUT)):
            matrix = torch.tensor(matrix, dtype=torch.float32)
            self.register_buffer(name, torch.kron(matrix, matrix), persistent=False)

    @staticmethod
    def possible(conv):
        """True when `conv` is a convolution that this class can do, and that gains by it."""
        plain = conv.kernel_size == (3, 3) and conv.stride == (1, 1) and conv.padding == (1, 1)
        return plain and MIN_CHANNELS <= min(conv.weight.shape[:2]) and max(conv.weight.shape[:2]) <= MAX_CHANNELS

    def pays(self, x):
        """True when for this input it is possible and faster: whole tiles, enough of them, float32 on the CPU, no gradient."""
        tiles = x.shape[0] * x.shape[2] * x.shape[3] // TILE**2
        whole = x.shape[2] % TILE == 0 and x.shape[3] % TILE == 0
        graph = torch.is_grad_enabled() and x.requires_grad
        return whole and 4 * tiles >= x.shape[1] and x.device.type == "cpu" and x.dtype == torch.float32 and not graph

    def forward(self, x, residual=None):
        """(B, in, H, W), H and W multiples of 4 -> (B, out, H, W) float32; `residual`, of the output's shape, is added."""
        batch, channels, height, width = x.shape
        rows, columns = height // TILE, width // TILE
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        out = torch.empty((batch, height, width, self.weight.shape[2]))
        added = None if residual is None else residual.permute(0, 2, 3, 1)
        images, band = max(1, TILES_AT_ONCE // (rows * columns)), max(1, min(rows, TILES_AT_ONCE // columns))
        for image in range(0, batch, images):
            for row in range(0, rows, band):
                last = TILE * min(row + band, rows)
                part = slice(image, image + images), slice(TILE * row, last)
                points = self._tiles(padded[part[0], TILE * row : last + 2], columns)
                extra = 0 if added is None else _split(added[part])
                torch.add(self._multiply(points, channels, (-1, last // TILE - row, columns)), extra, out=_split(out[part]))
        return out.permute(0, 3, 1, 2)

    @staticmethod
    def _tiles(padded, columns):
        """(n, 4 r + 2, 4 c + 2, C) -> (36, n * r * c * C): overlapping 6x6 tiles."""
        n, height, _, channels = padded.shape
        frame, line, pixel, _ = padded.stride()
        shape = (POINTS, POINTS, n, height // TILE, columns, channels)
        strides = (line, pixel, frame, TILE * line, TILE * pixel, 1)
        return padded.as_strided(shape, strides, padded.storage_offset()).reshape(POINTS**2, -1)

    def _multiply(self, points, channels, grid):
        """Tiles to outputs: (36, T * in) -> (n, r, 4, c, 4, out), a view."""
        product = torch.bmm(torch.mm(self.to_points, points).view(POINTS**2, -1, channels), self.weight)
        product[_ALL_ONES] += self.bias
        pixels = torch.mm(self.from_points, product.flatten(1))
        return pixels.view(TILE, TILE, *grid, self.weight.shape[2]).permute(2, 3, 0, 4, 1, 5)


def _split(x):
    """(n, 4 r, 4 c, C) -> (n, r, 4, c, 4, C), a view."""
    return x.unflatten(2, (-1, TILE)).unflatten(1, (-1, TILE))

"""Texture modules of whole batches, on any device: SLIC in torch, without a loop over clusters, pixels or pictures.

METHODS 1.6 (inferred). The clusters keep their places in the grid of blocks: a pixel looks at the centres of its own block and
of the eight around it that lie in the search window of 2S x 2S, so that one step is nine comparisons of whole pictures and one
scattered mean.
"""

import torch

from faces.texture import CLUSTERS, COMPACTNESS, ITERATIONS, SMALLEST, TextureSpec, block_size, texture_modules

_SRGB_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_WHITE = (0.95047, 1.0, 1.08883)  # D65


def batch_texture_modules(images, clusters=CLUSTERS, compactness=COMPACTNESS, iterations=ITERATIONS):
    """Texture modules of a batch: by `slic` on a GPU, by scikit-image, picture after picture, on a CPU.

    Args:
        images: (B, 3, H, W) float in [0, 1] RGB.
        clusters, compactness, iterations: see faces.texture.TextureSpec.

    Returns:
        (B, H, W) int64 labels on the images' device, 0 ... K_b - 1 in each picture, each in use, each region 4-connected.

    Raises:
        InputError: a value out of range, or more clusters than pixels.
    """
    if images.device.type != "cpu":
        return slic(images, clusters, compactness, iterations)
    pictures = (images.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    found = [torch.from_numpy(texture_modules(picture, clusters, compactness, iterations)) for picture in pictures]
    return torch.stack(found).long()


@torch.no_grad()
def slic(images, clusters=CLUSTERS, compactness=COMPACTNESS, iterations=ITERATIONS):
    """SLIC of a batch; arguments and result as of `batch_texture_modules`."""
    TextureSpec(clusters, compactness, iterations)
    size = block_size(*images.shape[2:], clusters)
    with torch.autocast(images.device.type, enabled=False):
        labels = cluster(rgb_to_lab(images.float()), max(1, round(size)), compactness, iterations)
    return number_regions(merge_small(connected_regions(labels), int(SMALLEST * size**2)))


def rgb_to_lab(images):
    """(B, 3, H, W) sRGB in [0, 1] -> CIELAB under D65, L in [0, 100]; float32, also under autocast."""
    images = images.float().clamp(0, 1)
    linear = torch.where(images > 0.04045, ((images + 0.055) / 1.055) ** 2.4, images / 12.92)
    matrix = images.new_tensor(_SRGB_TO_XYZ) / images.new_tensor(_WHITE)[:, None]
    with torch.autocast(images.device.type, enabled=False):  # it would round the products
        xyz = torch.einsum("ij,bjhw->bihw", matrix, linear)
    x, y, z = torch.where(xyz > 0.008856, xyz.clamp_min(1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def cluster(lab, step, compactness, iterations, window=1.0):
    """Number of the nearest centre for each pixel, after `iterations` moves of the centres.

    Args:
        lab: (B, 3, H, W) CIELAB.
        step: S in whole pixels, as scikit-image takes it.
        compactness: m.
        window: half of the search window's side in S.

    Returns:
        (B, H, W) int64 cluster numbers, in reading order of the blocks; a cluster may be empty or in pieces.
    """
    batch, _, height, width = lab.shape
    (rows, block_row), (columns, block_column) = (_blocks(side, step, lab.device) for side in (height, width))
    down, along = (torch.arange(side, device=lab.device) for side in (height, width))
    place = torch.stack(torch.meshgrid(down.to(lab), along.to(lab), indexing="ij")) / step
    pixels = torch.cat([lab / compactness, place.expand(batch, -1, -1, -1)], 1).flatten(2)  # D / m is a plain distance here
    own = (block_row[:, None] * columns + block_column).flatten()
    labels = own.expand(batch, -1)
    centres = _means(pixels, labels, rows * columns)[0]
    around = [_neighbours(block_row, block_column, (rows, columns), way) for way in _WAYS]
    for turn in range(iterations):
        if turn:
            means, counts = _means(pixels, labels, rows * columns)
            centres = torch.where(counts[:, None] > 0, means, centres)  # an empty cluster stays where it was
        labels = _assign(pixels, centres, around, labels, window)
    return labels.view(batch, height, width)


def _blocks(side, step, device):
    """(how many blocks a side has, (side,) number of the one whose middle is nearest, the lower of two)."""
    middles = torch.arange(min(step, side) // 2, side, step, device=device)
    edges = (middles[1:] + middles[:-1]) // 2  # the last pixel of each block but the last
    return len(middles), torch.searchsorted(edges, torch.arange(side, device=device))


_WAYS = [(down, along) for down in (-1, 0, 1) for along in (-1, 0, 1)]


def _neighbours(block_row, block_column, grid, way):
    """((HW,) cluster numbers of the block one step away, (HW,) bool whether there is one)."""
    row, column = block_row + way[0], block_column + way[1]
    inside = ((row >= 0) & (row < grid[0]))[:, None] & ((column >= 0) & (column < grid[1]))
    number = row.clamp(0, grid[0] - 1)[:, None] * grid[1] + column.clamp(0, grid[1] - 1)
    return number.flatten(), inside.flatten()


def _assign(pixels, centres, around, labels, window):
    """(B, HW) nearest cluster among those around; a pixel that no search window reaches keeps its label."""
    best = pixels.new_full(labels.shape, float("inf"))
    for number, inside in around:
        square = (pixels - centres[:, :, number]).square()
        reached = inside & (square[:, 3:] <= window**2).all(1)
        distance = torch.where(reached, square.sum(1), float("inf"))
        nearer = distance < best
        labels = torch.where(nearer, number, labels)
        best = torch.where(nearer, distance, best)
    return labels


def _means(pixels, labels, count):
    """((B, C, K) mean of each cluster's pixels, (B, K) how many they are); 0 where a cluster is empty."""
    batch, channels, _ = pixels.shape
    counts = pixels.new_zeros(batch, count).scatter_add_(1, labels, torch.ones_like(pixels[:, 0]))
    sums = pixels.new_zeros(batch, channels, count).scatter_add_(2, labels[:, None].expand(-1, channels, -1), pixels)
    return sums / counts.clamp_min(1)[:, None], counts


def connected_regions(labels):
    """4-connected regions of equal labels.

    Each pixel takes the least number among its neighbours' regions, each region that of its pixels, and pointers are followed,
    until nothing changes: few rounds, as the pointers double their reach in each.

    Args:
        labels: (B, H, W) int64.

    Returns:
        (B, H, W) int64: the place, in the flattened batch, of the region's first pixel.
    """
    region = torch.arange(labels.numel(), device=labels.device)
    same_down, same_along = labels[:, 1:] == labels[:, :-1], labels[:, :, 1:] == labels[:, :, :-1]
    while True:
        grid, low = region.view_as(labels), region.view_as(labels).clone()
        low[:, 1:] = torch.where(same_down, torch.minimum(low[:, 1:], grid[:, :-1]), low[:, 1:])
        low[:, :-1] = torch.where(same_down, torch.minimum(low[:, :-1], grid[:, 1:]), low[:, :-1])
        low[:, :, 1:] = torch.where(same_along, torch.minimum(low[:, :, 1:], grid[:, :, :-1]), low[:, :, 1:])
        low[:, :, :-1] = torch.where(same_along, torch.minimum(low[:, :, :-1], grid[:, :, 1:]), low[:, :, :-1])
        after = region.scatter_reduce(0, region, low.flatten(), "amin")
        after = _follow(torch.minimum(after, low.flatten()))
        if torch.equal(after, region):
            return region.view_as(labels)
        region = after


def _follow(pointers):
    """Each pointer replaced by where it leads in the end."""
    while True:
        further = pointers[pointers]
        if torch.equal(further, pointers):
            return pointers
        pointers = further


def merge_small(region, smallest):
    """Regions with fewer than `smallest` pixels join the neighbour with which they share the longest border.

    Of two neighbours the smaller joins the greater, so that no two join each other; a small region whose neighbour is smaller
    still waits for it. Each round the smallest of all joins another, so that the rounds end.

    Args:
        region: (B, H, W) int64, see `connected_regions`.

    Returns:
        (B, H, W) int64 regions, numbered as before.
    """
    total = region.numel()
    while True:
        sizes = torch.bincount(region.flatten(), minlength=total)
        here, there = _borders(region)
        small = sizes[here] < smallest
        pairs, lengths = torch.unique(here[small] * total + there[small], return_counts=True)
        here, there = pairs // total, pairs % total
        longest = torch.zeros_like(sizes).scatter_reduce(0, here, lengths, "amax")
        keep = lengths == longest[here]
        target = torch.full_like(sizes, total).scatter_reduce(0, here[keep], there[keep], "amin")
        joins = torch.zeros_like(sizes, dtype=torch.bool)
        here = here.unique()
        there = target[here]
        joins[here] = (sizes[there] > sizes[here]) | ((sizes[there] == sizes[here]) & (there < here))
        if not joins.any():
            return region
        numbers = torch.arange(total, device=region.device)
        region = _follow(torch.where(joins, target, numbers))[region.flatten()].view_as(region)


def _borders(region):
    """((E,), (E,)) regions on either side of each border between two pixels, both ways round."""
    pairs = [(region[:, 1:], region[:, :-1]), (region[:, :, 1:], region[:, :, :-1])]
    pairs = [(one[one != other], other[one != other]) for one, other in pairs]
    here, there = (torch.cat(side) for side in zip(*pairs, strict=True))
    return torch.cat([here, there]), torch.cat([there, here])


def number_regions(region):
    """(B, H, W) regions -> labels 0 ... K_b - 1 of each picture, in reading order of their first pixels."""
    flat, places = region.flatten(), torch.arange(region.numel(), device=region.device)
    first = torch.full_like(places, region.numel()).scatter_reduce(0, flat, places, "amin")[flat]
    used = torch.zeros(region.numel(), dtype=torch.int64, device=region.device).index_fill_(0, first, 1)
    order = used.view(len(region), -1).cumsum(1).flatten() - 1
    return order[first].view_as(region)

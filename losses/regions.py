"""Parts of a face crop that a picture loss may look at."""

from common.suggest import refuse_unknown

# name: top, bottom, left, right as shares of the crop's side
REGIONS = {
    "face": (0.0, 1.0, 0.0, 1.0),
    "upper": (0.0, 0.5, 0.0, 1.0),
    "lower": (0.5, 1.0, 0.0, 1.0),
    "square": (0.5, 1.0, 0.25, 0.75),  # as metrics measure: from the base of the nose to below the chin
    "mouth": (0.55, 0.90, 0.25, 0.75),  # docs/methods.md, section 5
    "davs_mouth": (170 / 256, 234 / 256, 64 / 256, 192 / 256),  # of aligned faces of kind davs (arXiv 1807.07860, public code)
    "pcavs_mouth": (0.5, 0.85, 0.25, 0.75),  # of crops of kind pcavs, whose mean mouth lies at 5/8 of the height (ours)
}


def region_of(name, key):
    """One of REGIONS; `key` says in the message where the name was given.

    Raises:
        InputError: unknown.
    """
    refuse_unknown([name], REGIONS, key)
    return REGIONS[name]


def slices(region, height, width):
    """(rows, columns) of a region of pictures of `height` x `width` pixels, as slices; parts of pixels are cut off."""
    top, bottom, left, right = region
    return slice(int(top * height), int(bottom * height)), slice(int(left * width), int(right * width))


def cut(pictures, region):
    """(..., H, W) -> the part of it, a view."""
    return pictures[(..., *slices(region, *pictures.shape[-2:]))]

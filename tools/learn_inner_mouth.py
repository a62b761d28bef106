"""Make checkpoints/inner_mouth.safetensors."""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faces import teeth  # noqa: E402
from faces.inner_mouth import RELEASED, InnerMouth  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RELEASED)
    options = parser.parse_args()
    upper = teeth.row_of_teeth(teeth.UPPER, teeth.UPPER_EDGE, 1)
    lower = np.ascontiguousarray(teeth.row_of_teeth(teeth.LOWER, teeth.LOWER_EDGE, 2)[::-1])
    margin = teeth.MARGIN * teeth.DENSITY
    lines = {"upper": len(upper) - margin, "lower": margin}
    InnerMouth(upper, lower, lines, teeth.DENSITY * teeth.MILLIMETRES).save(options.out)


if __name__ == "__main__":
    main()

"""Where the released checkpoints and the configs lie, in a checkout and in an installed package."""

from pathlib import Path

import common

_HOME = Path(common.__file__).resolve().parents[1]

CHECKPOINTS = _HOME / "checkpoints"
"""pathlib.Path of the folder of released checkpoints (*.safetensors); README.md in it holds their model cards."""

CONFIGS = _HOME / "configs"
"""pathlib.Path of the folder of training configs (*.yaml)."""

"""The Python interface: a checkpoint that is loaded once and drives many faces, and the scripts as functions.

    from talking_faces import Talker

    Talker().drive("face.png", "speech.wav", "out.mp4")

docs/api.md describes it. The names load when they are first asked for, so that `import talking_faces` costs nothing.
"""

from importlib import import_module

__all__ = [
    "CHECKPOINTS",
    "CONFIGS",
    "Comparison",
    "DriveOptions",
    "FaceOptions",
    "FaceSelection",
    "InputError",
    "Report",
    "Talker",
    "Transform",
    "__version__",
    "compare",
    "run_evaluate",
    "run_prepare",
    "run_train",
]


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.api"), name)


def __dir__():
    return __all__

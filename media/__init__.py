"""Video and audio files in and out: streaming reader and writer, probing, audio decoding, geometry of frames.

`from media import VideoReader` loads PyAV on first use of the name, so that importing the package alone needs numpy only.
"""

from importlib import import_module

_HOMES = {
    "VideoInfo": "info",
    "probe": "info",
    "VideoReader": "reader",
    "VideoWriter": "writer",
    "read_metadata": "info",
    "decode_audio": "audio",
    "transform_frame": "transform",
    "transformed_size": "transform",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'media' has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

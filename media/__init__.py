"""Video and audio files in and out: streaming reader and writer, probing, audio decoding, geometry of frames.

`from media import VideoReader` loads PyAV on first use of the name, so that importing the package alone needs numpy only.
"""

from importlib import import_module

_HOMES = {
    "VideoInfo": "media.info",
    "probe": "media.info",
    "VideoReader": "media.reader",
    "VideoWriter": "media.writer",
    "read_metadata": "media.info",
    "decode_audio": "media.audio",
    "transform_frame": "media.transform",
    "transformed_size": "media.transform",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'media' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

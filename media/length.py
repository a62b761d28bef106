"""How long the tracks of a file are by its packets, which are listed and not decoded; and whether it has sound at all."""

from common.errors import InputError
from media.container import audio_stream, open_input, video_stream


def packet_seconds(path):
    """Length of the picture track in seconds (float), from the first to the end of the last packet.

    Where a container claims a wrong duration this is still right, at the cost of reading the file once.

    Returns:
        float, or None where the packets have no times.

    Raises:
        InputError: no video that can be opened.
    """
    with open_input(path, "video") as container:
        stream = video_stream(container, path)
        first = last = None
        for packet in container.demux(stream):
            time = packet.dts if packet.pts is None else packet.pts
            if time is None:
                continue
            end = time + (packet.duration or 0)
            first, last = (time, end) if first is None else (min(first, time), max(last, end))
        return None if first is None else float((last - first) * stream.time_base)


def require_sound(path):
    """Raise InputError where a file is no media file or has no sound track; nothing is decoded."""
    with open_input(path, "audio") as container:
        if audio_stream(container) is None:
            raise InputError(f"{path}: has no sound track; give an audio file, or a video with sound")

"""How long the picture track of a file is by its packets, which are listed and not decoded."""

from media.container import open_input, video_stream


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

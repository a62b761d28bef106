"""How long the tracks of a file are, and when its frames begin, by their packets, which are listed and not decoded."""

import numpy as np

from media.container import audio_stream, open_input, start_seconds, video_stream, zero_seconds
from media.info import probe
from media.timeline import steady_times


def packet_seconds(path):
    """Length of the picture track in seconds (float), from the first to the end of the last packet.

    Where a container claims a wrong duration this is still right, at the cost of reading the file once.

    Returns:
        float, or None where the packets have no times.

    Raises:
        InputError: no video that can be opened.
    """
    return track_ends(path)[0]


def track_ends(path, what="video"):
    """When picture and sound of a video end, in seconds after its first picture; the file is read once.

    The padding of an encoder counts as sound, so that the sound may end some 0.1 s before.

    Args:
        path: the file.
        what: what it was given for, for messages.

    Returns:
        (float, float or None): of the picture track, and of the sound track where there is one. (None, None) where the packets
        of the picture have no times.

    Raises:
        InputError: no video that can be opened.
    """
    with open_input(path, what) as container:
        video, sound = video_stream(container, path), audio_stream(container)
        spans = {stream.index: None for stream in (video, sound) if stream is not None}
        for packet in container.demux([stream for stream in (video, sound) if stream is not None]):
            time = packet.dts if packet.pts is None else packet.pts
            if time is None:
                continue
            first, last = spans[packet.stream.index] or (time, time)
            spans[packet.stream.index] = min(first, time), max(last, time + (packet.duration or 0))
        if spans[video.index] is None:
            return None, None
        begin, end = (float(one * video.time_base) for one in spans[video.index])
        heard = None if sound is None or spans[sound.index] is None else float(spans[sound.index][1] * sound.time_base)
        return end - begin, None if heard is None else heard - begin


def frame_starts(path, what="video"):
    """When the frames of a video begin, in order, without resampling; the file is read once.

    Args:
        path: the file.
        what: what it was given for, for messages.

    Returns:
        (n,) float64 seconds, never decreasing, from the time 0 of media.VideoReader and mended as there, see
        `media.timeline.steady_times`.

    Raises:
        InputError: no video that can be opened.
    """
    info = probe(path, what)
    with open_input(path, what) as container:
        video = video_stream(container, path)
        zero = zero_seconds(start_seconds(video), start_seconds(audio_stream(container)))
        frames = [packet for packet in container.demux(video) if packet.size and not packet.is_discard]
        timed = [(None if one.pts is None else one.pts * one.time_base - zero,
                  one.duration * one.time_base if one.duration else None, None) for one in as_shown(frames)]  # fmt: skip
    return np.array([float(start) for start, _, _ in steady_times(timed, 1 / info.fps)])


def as_shown(packets):
    """List of packets in the order in which they are decoded -> in the order in which their frames are shown.

    Frames change places between two key frames at most, so that a break in the time stamps, which begins with a key frame,
    stays where it is. A packet without a time stays behind the one before it.
    """
    keys, group, time = [], 0, 0
    for packet in packets:
        group += bool(packet.is_keyframe)
        time = time if packet.pts is None else packet.pts
        keys.append((group, time))
    return [packets[at] for at in sorted(range(len(packets)), key=keys.__getitem__)]

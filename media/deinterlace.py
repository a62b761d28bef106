"""Interlaced frames to whole ones, one for one, by FFmpeg's bwdif."""

from contextlib import suppress

import av

# The field that is shown first, by codes of AVFieldOrder.
_FIRST_FIELD = {2: "tff", 3: "bff", 4: "bff", 5: "tff"}
# Frames of these codecs do not say that they are interlaced; their container does.
_SAY_NOTHING = {"rawvideo", "v210", "v308", "v408", "v410", "r210", "jpeg2000", "png", "qtrle"}
_LEAST_WIDTH, _LEAST_HEIGHT = 3, 4  # of bwdif


def stated_order(stream):
    """Where the container alone says that a stream is interlaced: "tff" or "bff", the field that is shown first; else None."""
    context = stream.codec_context
    return _FIRST_FIELD.get(int(context.field_order)) if context.name in _SAY_NOTHING else None


def is_interlaced(frame, order=None):
    """A decoded frame consists of two fields; `order` as `stated_order` gives it."""
    return bool(frame.interlaced_frame or order) and frame.width >= _LEAST_WIDTH and frame.height >= _LEAST_HEIGHT


def deinterlaced(frames, order=None, threads=1, found=None):
    """Decoded frames, those that are interlaced replaced by whole ones of the same times.

    Each output has the lines of the field that comes first in time, and the missing ones interpolated from it and its
    neighbours in time. Progressive frames pass as they are; a stream without an interlaced frame meets no filter.

    Args:
        frames: iterable of av.VideoFrame in order of presentation.
        order: see `stated_order`.
        threads: of the filter.
        found: called without arguments when the first interlaced frame comes.

    Yields:
        av.VideoFrame, as many as come in.
    """
    graph = shape = None
    for frame in frames:
        if graph is not None and shape != _shape(frame):
            yield from _rest(graph)
            graph = None
        if graph is None:
            if not is_interlaced(frame, order):
                yield frame
                continue
            if found is not None and shape is None:
                found()
            graph, shape = _graph(frame, order, threads), _shape(frame)
        graph.push(frame)
        yield from _ready(graph)
    if graph is not None:
        yield from _rest(graph)


def _shape(frame):
    return frame.width, frame.height, frame.format.name


def _graph(frame, order, threads):
    graph = av.filter.Graph()
    graph.threads = threads
    node = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    steps = [("bwdif", f"mode=send_frame:parity=auto:deint={'all' if order else 'interlaced'}"), ("buffersink", None)]
    for name, options in [("setfield", order), *steps] if order else steps:
        following = graph.add(name, options)
        node.link_to(following)
        node = following
    graph.configure()
    return graph


def _ready(graph):
    with suppress(av.error.BlockingIOError, av.error.EOFError):
        while True:
            yield graph.pull()


def _rest(graph):
    graph.push(None)
    yield from _ready(graph)

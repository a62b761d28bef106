"""What a judge by landmarks does on prepared clips: ranks, offsets, and how sure it is with other people's sound."""

from dataclasses import dataclass

import numpy as np
import torch

from datasets.av_offset import MelOffset
from faces.mouth import canonical_mouth, resting_mouth
from metrics.rows import MAX_SHIFT
from models.lips.sync import shift_cosines
from speech.features import features

AWAY = 5  # frames from which on another moment counts as another
SPANS = {"1 s": 25, "0.36 s": 9}
LONG = 100  # frames of a clip whose offset must be found
LENGTHS = (40, 50, 75, 100, 150, 200, 250)  # frames of pieces that are held against other people's sound
PIECES = 1000  # of each length
FULL_SCALE = 32767


@dataclass
class Clip:
    """A prepared clip as the judge has it.

    Attributes:
        row: datasets.prepared.ClipRow; lips, sound: (N, D) float32 of unit length.
        offset, confidence: of the whole clip, frames by which the sound trails the picture; None where it is too short.
        other: what the mel says (datasets.av_offset), rounded, whoever measured the corpus: a judge would agree with itself;
            None where it is not sure.
        own: offset at which the clip's own sound is taken: the judge's where both agree to a frame, else 0.
    """

    row: object
    lips: torch.Tensor
    sound: torch.Tensor
    offset: int | None = None
    confidence: float = 0.0
    other: int | None = None
    own: int = 0


@torch.inference_mode()
def embed(model, corpus, rows):
    """List of Clip."""
    clips = []
    for row in rows:
        arrays = corpus.open(row)
        points = canonical_mouth(np.asarray(arrays["landmarks"]))
        waveform = np.asarray(arrays["waveform"], np.float32) / np.float32(FULL_SCALE)
        heard = torch.from_numpy(features(model.features, waveform, 0, row.frames))
        lips, sound = model.embed(torch.from_numpy(points)[None], heard[None], torch.from_numpy(resting_mouth(points))[None])
        clip = Clip(row, lips[0], sound[0])
        if row.frames >= MAX_SHIFT + 25:
            clip.offset, clip.confidence = judge(clip.lips, clip.sound)
        found = MelOffset()(waveform, np.asarray(arrays["landmarks"]), row.fps)
        clip.other = round(found.frames) if found.sure else None
        if None not in (clip.offset, clip.other) and abs(clip.offset - clip.other) <= 1:
            clip.own = clip.offset
        clips.append(clip)
    return clips


def judge(lips, sound):
    """(offset, confidence) of embeddings of the same frames, see `models.lips.sync.shift_cosines`."""
    curve = shift_cosines(lips, sound, MAX_SHIFT)
    best = int(curve.argmax())
    return best - MAX_SHIFT, float(curve[best] - curve.median())


def rank(clip, span):
    """How often the clip's own sound comes first over `span` frames.

    Returns:
        (share of pairs of an own and another moment, AWAY frames apart or more, in which the own one fits better; share of
        moments whose own sound fits better than all others), or None for a clip without such pairs.
    """
    cosines = clip.lips @ clip.sound.T
    count = len(cosines) - span + 1
    if count <= AWAY:
        return None
    means = sum(cosines[step : step + count, step : step + count] for step in range(span)) / span
    moments = torch.arange(count)
    moments = moments[(moments + clip.own >= 0) & (moments + clip.own < count)]
    others = (torch.arange(count)[None] - moments[:, None] - clip.own).abs() >= AWAY
    first = means[moments, moments + clip.own][:, None] > means[moments]
    if not others.any():
        return None
    return float(first[others].float().mean()), float((first | ~others).all(1).float().mean())


def strangers(clips, generator):
    """Confidences with other people's sound: {frames of a piece: (K,) float}, K = PIECES; people are drawn alike."""
    found = {}
    for length in LENGTHS:
        people, values = _people(clips, length), []
        for _ in range(PIECES if len(people) > 1 else 0):
            one, other = (_piece(people[who], length, generator) for who in generator.choice(len(people), 2, replace=False))
            values.append(judge(one[1], other[2])[1])
        found[length] = np.array(values)
    return found


def own_pieces(clips, generator):
    """The same with the clips' own sound: {frames: (K, 2) float: confidence, frames by which the offset is off `own`}."""
    found = {}
    for length in LENGTHS:
        people, rows = _people(clips, length), []
        for _ in range(PIECES if people else 0):
            clip, lips, sound = _piece(people[int(generator.integers(len(people)))], length, generator)
            offset, confidence = judge(lips, sound)
            rows.append((confidence, abs(offset - clip.own)))
        found[length] = np.array(rows).reshape(-1, 2)
    return found


def _people(clips, length):
    """List of each person's clips of `length` frames or more."""
    people = {}
    for clip in clips:
        if clip.row.frames >= length:
            people.setdefault(clip.row.speaker, []).append(clip)
    return list(people.values())


def _piece(clips, length, generator):
    """(clip, lips, sound) of `length` frames from anywhere in one of the clips."""
    clip = clips[int(generator.integers(len(clips)))]
    at = int(generator.integers(clip.row.frames - length + 1))
    return clip, clip.lips[at : at + length], clip.sound[at : at + length]


def calibrate(found, share=0.005):
    """(a, b) so that at most `share` of other people's sound has a confidence of a + b / sqrt(frames) or more.

    Args:
        found: what `strangers` gave.

    Returns:
        a line through the quantiles of all lengths over 1 / sqrt(frames), raised until it holds at each length; through 0 where
        it would fall below that for endless clips, of which there are too few to learn from.
    """
    lengths = [length for length, values in found.items() if len(values)]
    limits = np.array([np.quantile(found[length], 1 - share) for length in lengths])
    root = 1 / np.sqrt(lengths)
    slope, constant = np.polyfit(root, limits, 1)
    if constant < 0:
        return 0.0, float((limits / root).max())
    return float(constant + max(0, (limits - constant - slope * root).max())), float(slope)

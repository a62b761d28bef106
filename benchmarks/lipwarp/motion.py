"""Figures of a lip motion network on one clip: its lips, from the clip's own sound, against the real ones."""

import numpy as np

from common.errors import InputError
from faces.landmarks import MOUTH
from faces.lip_space import COMPONENTS, Person, lip_space, movements, placed
from faces.mouth import mouth_opening
from models.lips.motion import MARGIN
from speech.arpabet import PHONES
from speech.features import FRAME_RATE, features
from speech.phonemes import phoneme_runs

CLOSED = 0.02  # of the outer eye distance: how far above the opening at rest lips still count as closed
CLOSING = ("B", "P", "M")
LOUDNESS = {"silence": None, "noise": -50.0}  # dB of full scale
SILENT = 100  # frames


def offset_of(row):
    """Frames by which a clip's sound trails its picture, as measured; 0 in GRID, which is in step, and where it is not sure."""
    if not row.speaker.startswith("c_") or row.av_offset is None or not row.av_is_sure:
        return 0.0
    return row.av_offset - row.av_corrected


def heard(network, waveform, frames, rest, runs=None):
    """Movements (frames, 20, 2) float64 of a person who says this; see models.LipMotion.move.

    `runs`: speech.phonemes.Runs over the frames, which a network with an audio gate needs.

    Raises:
        InputError: a gate, and no runs.
    """
    import torch

    if network.audio_gate is None:
        phonemes = None
    elif runs is None:
        raise InputError("this network has an audio gate, and a clip has no phones; run prepare.py with --align")
    else:
        phonemes = torch.from_numpy(runs.frame_labels())[None]

    speech = features(network.features, np.asarray(waveform, np.float32), -MARGIN, frames + 2 * MARGIN)
    rest = torch.from_numpy(np.asarray(rest, np.float32))[None]
    return network.move(torch.from_numpy(speech)[None], rest, phonemes)[0].double().numpy()


def measure(network, corpus, row, *, portrait=False):
    """Figures of one clip.

    Args:
        network: models.LipMotion.
        corpus: datasets.prepared.PreparedCorpus; row: its ClipRow.
        portrait: whether rest and amplitude are known of the first frame alone.

    Returns:
        dict: frames, offset, amplitude; r, r_velocity, r2, r3 (opening, its changes, second and third component); spread,
        spread2 ... spread6, roughness (deviations over the real ones; of changes of the opening); error, held, first (mean
        distance of the mouth's points in eye distances: of the network, of the real mouth's median, of its first frame);
        silence, noise (deviation of the opening over the real one's); closed, closed_real (runs of B, P, M in which the lips
        meet), runs.
    """
    clip = corpus.open(row)
    landmarks = np.asarray(clip["landmarks"], np.float64)
    waveform = np.asarray(clip["waveform"], np.float32) / 32767
    known = Person.of(landmarks)
    person = Person.of(landmarks[:1]) if portrait else known
    offset = offset_of(row)
    made = heard(network, waveform, len(landmarks), person.rest, corpus.phoneme_runs(row))
    made = at(made, np.arange(len(landmarks)) + offset)
    drawn = placed(made, person, landmarks)
    opening, real = mouth_opening(drawn), mouth_opening(landmarks)
    moved, truly = movements(drawn, known), movements(landmarks, known)
    coefficients, true = (lip_space().coefficients(values) for values in (moved, truly))
    found = {"frames": len(landmarks), "offset": offset, "amplitude": known.amplitude}
    found |= {"r": _r(opening, real), "r_velocity": _r(np.diff(opening), np.diff(real))}
    found |= {f"r{place + 1}": _r(coefficients[:, place], true[:, place]) for place in (1, 2)}
    found |= {"spread": opening.std() / real.std(), "roughness": np.diff(opening).std() / np.diff(real).std()}
    found |= {f"spread{place + 1}": coefficients[:, place].std() / true[:, place].std() for place in range(1, COMPONENTS)}
    apart = {"error": moved - truly, "held": np.median(truly, 0) - truly, "first": truly[0] - truly}
    found |= {name: float(np.linalg.norm(one, axis=-1).mean() * known.amplitude) for name, one in apart.items()}
    for name, level in LOUDNESS.items():
        found[name] = still_opening(network, person, level).std() / real.std()
    return found | closures(corpus, row, opening, real, offset)


def at(values, places):
    """(N, ...) at places in frames, (n,) float, interpolated; the first and last ones beyond."""
    places = np.clip(places, 0, len(values) - 1)
    low = np.minimum(places.astype(np.int64), len(values) - 2)
    share = (places - low).reshape(-1, *[1] * (values.ndim - 1))
    return values[low] * (1 - share) + values[low + 1] * share


def still_opening(network, person, level):
    """(SILENT,) opening of a mouth that hears digital silence (None), or white noise of a level in dB of full scale."""
    silence = phoneme_runs((), FRAME_RATE, SILENT)
    noise = np.random.default_rng(0).standard_normal(SILENT * 640) * (0 if level is None else 10 ** (level / 20))
    mouth = np.zeros((SILENT, 68, 2))
    mouth[:, 36, 0], mouth[:, 45, 0] = -0.7, 0.7
    mouth[:, MOUTH] = person.rest + person.amplitude * heard(network, noise, SILENT, person.rest, silence)
    return mouth_opening(mouth)


def closures(corpus, row, opening, real, offset):
    """{"closed", "closed_real": runs of B, P, M in which the lips meet, "runs"}; zeros where the clip has no phones."""
    runs = corpus.phoneme_runs(row)
    if runs is None:
        return {"closed": 0, "closed_real": 0, "runs": 0}
    least = np.median(np.sort(real)[: max(1, len(real) // 5)]) + CLOSED
    counts = [0, 0, 0]
    for start, end, phoneme in zip(runs.starts, runs.ends, runs.labels, strict=True):
        first, last = (int(round(place - offset)) for place in (start - 1, end + 1))
        if PHONES[phoneme] in CLOSING and first >= 0 and last <= len(real):
            counts[0] += opening[first:last].min() <= least
            counts[1] += real[first:last].min() <= least
            counts[2] += 1
    return dict(zip(("closed", "closed_real", "runs"), map(int, counts), strict=True))


def _r(one, other):
    """Correlation; 0 where one does not move."""
    return float(np.corrcoef(one, other)[0, 1]) if one.std() > 1e-9 and other.std() > 1e-9 else 0.0

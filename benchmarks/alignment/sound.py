"""Where the sound itself changes beside two claims of where phones begin: a judge of their bias that belongs to neither."""

import numpy as np

from benchmarks.alignment.measure import pair_labels
from speech.arpabet import SILENCE
from speech.waveform import SAMPLE_RATE

HOP = 32  # samples between two spectra: 2 ms
SIDE = 8  # hops on each side of a place whose mean spectra are compared: 16 ms
REACH = 15  # hops searched on each side of a claim: 30 ms
APART = 0.05  # seconds; claims further apart are of no one event
FEWEST = 100  # claims in a group, for a mean that has one peak
_DRAWS = 200
_SEED = 0


def spectral_change(waveform):
    """How much the spectrum changes at each hop: (ceil(n / HOP),), its median 1; value k belongs to (k - 0.5) HOP samples.

    Root mean square over 26 mel bands of the difference of the mean log amplitudes of the 16 ms before and after.
    """
    from librosa.feature import melspectrogram

    how = {"n_fft": 256, "win_length": 160, "hop_length": HOP, "n_mels": 26, "fmin": 100, "power": 1}
    bands = melspectrogram(y=np.asarray(waveform, np.float32), sr=SAMPLE_RATE, **how)
    total = np.cumsum(np.log(np.pad(bands, ((0, 0), (1, 0))) + 1e-4), 1)
    places, change = np.arange(SIDE, bands.shape[1] - SIDE), np.zeros(bands.shape[1])
    differences = total[:, places + SIDE] - 2 * total[:, places] + total[:, places - SIDE]
    change[places] = np.sqrt(np.square(differences / SIDE).mean(0))
    return change / max(np.median(change), 1e-9)


def begins_sharply(word):
    """Whether a word of GRID begins with a fricative: at these starts alone its words have one clear change of the sound."""
    return len(word) > 1 and word[0] in "sfz"


def against_sound(cases, outcomes, tier="phones", silence=SILENCE, judged=lambda label: True):
    """How early the reference and the aligner put starts, by the change of the sound around them.

    The change is laid over itself at all starts that both have, once as the reference has them and once as the aligner does;
    where the mean has its peak the sound changes. Nothing is searched start by start, which would pull the place to the claim.
    Starts whose label `judged` refuses are left out.

    Returns:
        {"all", and each group of FEWEST starts: {"count", "reference_ms", "aligner_ms": how long after the start the sound
        changes, median over resampled starts, "reference_sd", "aligner_sd": their spread}}.
    """
    profiles = {}
    for case in cases:
        found = outcomes[case.id].alignment
        if found is not None:
            profiles.setdefault(case.group, []).extend(
                _profiles(case, getattr(case, tier), getattr(found, tier), lambda label: label != silence and judged(label))
            )
    profiles = {"all": [one for group in profiles.values() for one in group], **profiles}
    return {group: _judged(np.array(rows)) for group, rows in profiles.items() if len(rows) >= FEWEST}


def _profiles(case, reference, found, judged):
    """(2, 2 REACH + 1) of each start that both have: the change around the reference's place, and around the aligner's."""
    change = spectral_change(case.waveform)
    pairs = pair_labels([one.label for one in reference], [one.label for one in found]).same
    for row, column in pairs:
        starts = (reference[row].start, found[column].start)
        if not judged(reference[row].label) or abs(starts[0] - starts[1]) > APART:
            continue
        places = [start * SAMPLE_RATE / HOP + 0.5 + np.arange(-REACH, REACH + 1) for start in starts]
        if all(0 <= one[0] and one[-1] <= len(change) - 1 for one in places):
            yield np.stack([np.interp(one, np.arange(len(change)), change) for one in places])


def _judged(rows):
    draws = np.random.default_rng(_SEED).integers(0, len(rows), (_DRAWS, len(rows)))
    peaks = np.array([[_peak(rows[draw, side].mean(0)) for side in (0, 1)] for draw in draws]) * 1000 * HOP / SAMPLE_RATE
    middle, spread = np.median(peaks, 0), peaks.std(0)
    return {"count": len(rows), "reference_ms": float(middle[0]), "aligner_ms": float(middle[1]),
            "reference_sd": float(spread[0]), "aligner_sd": float(spread[1])}  # fmt: skip


def _peak(profile):
    """Hops from the middle to the highest place of a profile smoothed over three hops, to a part of a hop."""
    smooth = np.convolve(profile, np.ones(3) / 3, "valid")
    at = int(smooth[1:-1].argmax()) + 1
    before, here, after = smooth[at - 1 : at + 2]
    bend = before - 2 * here + after
    return at + 1 - REACH + (0.5 * (before - after) / bend if bend else 0.0)

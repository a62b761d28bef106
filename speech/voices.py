"""Changed voices of a piece of speech: what a network must hear to know more voices than the corpus has (ours).

A voice is a recipe: speed and pitch together (the sound is played faster or slower), formants moved along the frequency axis
apart from the pitch, an equaliser, coloured noise, loudness. Only the speed moves anything in time, by a known amount: the
middle of frame j of the voice is the middle of frame j * speed of the clip.
"""

from dataclasses import asdict, dataclass
from zlib import crc32

import numpy as np

from speech.waveform import SAMPLE_RATE

FRAME = 640  # samples of a frame of 25 a second
PARTS = 80  # a speed is a whole number of these, so that sound is moved by whole samples
SLOWEST, FASTEST = 0.82, 1.22
FORMANTS = 0.12  # most that formants move, up or down, as a share
KNOTS, EQUALISER = 9, 4.0  # places of the equaliser along log frequency; their standard deviation in dB
QUIETEST, LOUDEST = -14.0, 6.0  # gain in dB
CLEAN, NOISY = 30.0, 5.0  # signal to noise in dB
WINDOW, HOP, LIFTER = 512, 128, 22  # short transforms; cepstral numbers that make the envelope of a spectrum
MOST_CHANGE = 18.0  # dB of moved formants


@dataclass(frozen=True)
class VoiceRecipe:
    """One changed voice.

    Attributes:
        speed: 1 / PARTS of the clip's speed: 88 is 1.1 times as fast and as high.
        formant: factor on the frequencies of the spectral envelope.
        equaliser: KNOTS gains in dB, from 100 Hz to 8 kHz along log frequency.
        snr, colour: signal to noise in dB; power of the noise ~ frequency ** -colour.
        gain: dB. seed: of the noise.
    """

    speed: int
    formant: float
    equaliser: tuple[float, ...]
    snr: float
    colour: float
    gain: float
    seed: int

    def frames(self, frames):
        """Frames of the voice of a clip of `frames`, all of whose middles lie inside the clip."""
        return (frames - 1) * PARTS // self.speed + 1

    def as_json(self):
        """Plain dict."""
        return asdict(self) | {"equaliser": list(self.equaliser)}


def draw_recipes(name, count):
    """`count` VoiceRecipes that the name of a clip decides; speeds lie in `count` equal parts of the range, one in each."""
    recipes = []
    for number in range(count):
        rng = np.random.default_rng([crc32(name.encode()), number])
        share = (number + rng.random()) / count
        speed = int(np.rint(PARTS * SLOWEST * (FASTEST / SLOWEST) ** share))
        equaliser = tuple(np.round(EQUALISER * rng.standard_normal(KNOTS), 2).tolist())
        formant, snr = 1 + FORMANTS * rng.uniform(-1, 1), rng.uniform(NOISY, CLEAN)
        colour, gain = rng.uniform(0, 2), rng.uniform(QUIETEST, LOUDEST)
        rounded = (round(float(value), 3) for value in (snr, colour, gain))
        recipes.append(VoiceRecipe(speed, round(formant, 4), equaliser, *rounded, int(rng.integers(2**31))))
    return recipes


def changed_voice(waveform, recipe, frames):
    """The sound of a clip in another voice.

    Args:
        waveform: (n,) float32 in [-1, 1], 16 kHz, of a clip of `frames` frames of 25 a second.
        recipe: VoiceRecipe.

    Returns:
        (640 * recipe.frames(frames),) float32 in [-1, 1]: the middle of frame j is that of frame j * speed / PARTS of the clip.
    """
    spoken = _coloured(np.asarray(waveform, np.float64), recipe)
    spoken = _at_speed(spoken, recipe.speed, FRAME * recipe.frames(frames))
    noise = _noise(len(spoken), recipe.colour, np.random.default_rng(recipe.seed))
    level = np.sqrt(np.mean(spoken**2))
    loud = (spoken + level * 10 ** (-recipe.snr / 20) * noise) * 10 ** (recipe.gain / 20)
    return (loud / max(1.0, np.abs(loud).max(initial=0.0))).astype(np.float32)


def _at_speed(samples, speed, length):
    """Played at speed / PARTS, the middle of the first frame in its place; cut or filled with zeros to `length` samples."""
    from scipy.signal import resample_poly

    ahead = FRAME // 2 * (PARTS - speed) // PARTS  # exact: PARTS divides FRAME / 2
    samples = samples[ahead:] if ahead >= 0 else np.concatenate([np.zeros(-ahead), samples])
    played = resample_poly(samples, PARTS, speed) if speed != PARTS else samples
    return np.pad(played[:length], (0, max(0, length - len(played))))


def _coloured(samples, recipe):
    """Formants moved and the equaliser applied, by short transforms that overlap by three quarters."""
    window = np.hanning(WINDOW + 1)[:-1]
    padded = np.pad(samples, (WINDOW, WINDOW + (-len(samples)) % HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * window
    spectra = np.fft.rfft(frames)
    bins = np.arange(spectra.shape[1])
    cepstra = np.fft.irfft(np.log(np.abs(spectra) + 1e-5))
    cepstra[:, LIFTER : WINDOW - LIFTER + 1] = 0
    envelope = np.fft.rfft(cepstra).real
    moved = np.stack([np.interp(bins / recipe.formant, bins, one) for one in envelope])
    most = MOST_CHANGE * np.log(10) / 20
    hertz = np.log(np.maximum(bins * SAMPLE_RATE / WINDOW, 100.0))
    knots = np.linspace(np.log(100), np.log(SAMPLE_RATE / 2), KNOTS)
    gains = np.interp(hertz, knots, recipe.equaliser) * np.log(10) / 20
    pieces = np.fft.irfft(spectra * np.exp(np.clip(moved - envelope, -most, most) + gains)) * window
    made, weight = np.zeros(len(padded)), np.zeros(len(padded))
    for number, piece in enumerate(pieces):
        made[number * HOP : number * HOP + WINDOW] += piece
        weight[number * HOP : number * HOP + WINDOW] += window**2
    return (made / np.maximum(weight, 1e-3))[WINDOW : WINDOW + len(samples)]


def _noise(length, colour, rng):
    """(length,) noise of power 1 whose power falls with frequency ** -colour above 50 Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    hertz = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 50.0)
    noise = np.fft.irfft(spectrum * hertz ** (-colour / 2), length)
    return noise / max(np.sqrt(np.mean(noise**2)), 1e-12)

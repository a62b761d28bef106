"""Fields made of samples: each column lies where it should, changes of sound act on them, options are checked."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from datasets.augment import SILENCE, AudioChange
from datasets.clip_files import clip_path, open_arrays, write_clip
from datasets.prepared import PreparedCorpus
from datasets.windows import WindowDataset
from speech.mel import mel_spectrogram
from speech.mfcc import FRAME, PSF, RECIPES, STEP, SYNCNET, mfcc
from speech.windows import MEL_STEPS, mel_window_start, window_start
from tests.fields_kit import whole
from tests.prepared_kit import make_corpus

RATE = 16000


def put_sound(folder, waveform):
    """Give all clips of a corpus this sound, (n,) float, and its mel."""
    for row in PreparedCorpus.open_folder(folder).rows:
        arrays, notes = open_arrays(clip_path(folder, row.id))
        arrays = {name: np.array(array) for name, array in arrays.items()}
        arrays["waveform"] = np.rint(waveform * 32767).astype(np.int16)
        arrays["mel"] = mel_spectrogram(waveform)
        write_clip(clip_path(folder, row.id), arrays, notes)
    return PreparedCorpus.open_folder(folder)


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """A corpus whose clips hold 1.6 s of one noise; and the noise."""
    sound = np.random.default_rng(3).uniform(-0.3, 0.3, 40 * 640).astype(np.float32)
    return put_sound(make_corpus(tmp_path_factory.mktemp("noise") / "c", size=32), sound), sound


@given(st.integers(0, 10**6), st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(24)]), st.integers(1, 9))
@settings(deadline=None)
def test_the_rule_for_any_feature_is_that_of_the_mel(frame, fps, span):
    wanted = mel_window_start(frame, fps, span=span)
    assert window_start(frame, fps, columns=MEL_STEPS, step=200, first=0, span=span) == wanted


@given(st.integers(-40, 20_000), st.integers(1, 60), st.sampled_from([25, 30, Fraction(24000, 1001)]))
@settings(deadline=None)
def test_cepstral_windows_are_nearest_to_the_middle_of_their_frame(frame, columns, fps):
    start = window_start(frame, fps, columns=columns, step=STEP, first=FRAME // 2)
    middle = Fraction(FRAME // 2) + STEP * (start + Fraction(columns - 1, 2))
    error = middle - RATE * (Fraction(2 * frame + 1, 2) / fps)
    assert -STEP / 2 < error <= STEP / 2


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("columns", [1, 12, 20, 25, 28])
def test_an_impulse_arrives_in_the_right_frame(tmp_path, recipe, columns):
    """A click in the middle of frame 20 is heard in the middle of that frame's window, and in the window of no far frame."""
    sound = np.zeros(40 * 640, np.float32)
    sound[20 * 640 + 320] = 0.9
    corpus = put_sound(make_corpus(tmp_path / "c", clips=1, size=32, splits=("train",)), sound)
    options = {"mfcc": {"columns": columns, "recipe": recipe, "place": "centred"}}
    data = WindowDataset(corpus, "train", 5, ("mfcc", "frame", "waveform"), options=options)
    silent = mfcc(np.zeros(FRAME), RECIPES[recipe])
    middles = {}
    for index in range(60):
        item = whole(data, index)
        assert item["mfcc"].shape == (5, columns, RECIPES[recipe].coefficients)
        for place, window in enumerate(item["mfcc"]):
            heard = np.flatnonzero((abs(window - silent.T) > 1e-3).any(1))
            frame = int(item["frame"]) + place
            if len(heard):
                middles[frame] = heard.mean() - (columns - 1) / 2
            reach = columns * STEP / 2 + FRAME / 2 + STEP
            assert len(heard) or abs(frame - 20) * 640 > reach - 2 * FRAME, frame
            assert not len(heard) or abs(frame - 20) * 640 < reach, frame
        if 15 < item["frame"] <= 20:
            assert np.abs(item["waveform"]).argmax() == (20 - int(item["frame"])) * 640 + 320
    assert abs(middles[20]) <= 1.5  # columns; the frames of 25 ms that hold the click are two or three
    if columns > 10:
        assert middles[19] > middles[20] > middles[21]


@pytest.mark.parametrize("recipe", RECIPES)
def test_windows_are_cut_of_the_whole_clips_coefficients(noise, recipe):
    corpus, sound = noise
    whole_clip = mfcc(np.rint(sound * 32767) / 32767, RECIPES[recipe])
    options = {"mfcc": {"columns": 28, "recipe": recipe, "place": "centred"}}
    data = WindowDataset(corpus, "train", 5, ("mfcc", "frame"), options=options)
    for index in range(20):
        item = whole(data, index)
        for place, window in enumerate(item["mfcc"]):
            start = window_start(int(item["frame"]) + place, 25, columns=28, step=STEP, first=FRAME // 2)
            inside = [at for at in range(28) if 0 <= start + at < whole_clip.shape[1]]
            assert len(inside) > 9
            wanted = whole_clip[:, start + inside[0] : start + inside[-1] + 1].T
            np.testing.assert_allclose(window[inside], wanted, atol=1e-4)


def test_the_recipe_of_syncnet_is_its_formulas():
    """Wojcicki's MFCC written out as loops: magnitudes, 13 triangles from 300 to 3700 Hz on 1127 ln(1 + f/700), c1 to c12."""
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 1600)
    samples = np.rint(sound * 32768)
    emphasised = samples - 0.97 * np.concatenate([[0], samples[:-1]])
    edges = np.linspace(1127 * np.log(1 + 300 / 700), 1127 * np.log(1 + 3700 / 700), 15)
    corners = 700 * np.exp(edges / 1127) - 700
    hertz = np.linspace(0, 8000, 257)
    wanted = np.zeros((12, 8))
    for column in range(8):
        frame = emphasised[160 * column : 160 * column + 400]
        frame = frame * (0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399))
        magnitude = np.abs(np.fft.fft(frame, 512))[:257]
        bands = []
        for low, middle, high in zip(corners, corners[1:], corners[2:], strict=False):
            up, down = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
            bands.append(np.log((np.clip(np.minimum(up, down), 0, None) * magnitude).sum()))
        for k in range(1, 13):
            sum_of = sum(np.cos(np.pi * k * (m + 0.5) / 13) * band for m, band in enumerate(bands))
            wanted[k - 1, column] = (1 + 11 * np.sin(np.pi * k / 22)) * np.sqrt(2 / 13) * sum_of
    np.testing.assert_allclose(mfcc(sound, SYNCNET)[:, :8], wanted, atol=1e-3)


def test_the_waveform_is_the_windows_sound_with_a_margin(noise):
    corpus, sound = noise
    plain = WindowDataset(corpus, "train", 5, ("waveform", "frame"))
    wide = WindowDataset(corpus, "train", 5, ("waveform",), options={"waveform": {"margin": 1600}})
    assert plain[0]["waveform"].dtype == np.int16
    padded = np.pad(sound, 1600)
    for index in range(20):
        item, start = whole(plain, index), int(plain[index]["frame"]) * 640
        np.testing.assert_allclose(item["waveform"], sound[start : start + 3200], atol=2e-5)
        np.testing.assert_allclose(whole(wide, index)["waveform"], padded[start : start + 6400], atol=2e-5)


def test_louder_sound_moves_the_log_energy_alone(noise):
    corpus, _ = noise
    options = {"mfcc": {"columns": 8, "recipe": "psf", "place": "centred"}}
    plain = WindowDataset(corpus, "train", 3, ("mfcc", "waveform"), options=options)
    louder = WindowDataset(corpus, "train", 3, ("mfcc", "waveform"), options=options, augment={"gain_db": 3.0})
    for index in range(6):
        window, one, two = louder.window_of(index), whole(plain, index), whole(louder, index)
        decibels = window.sound.shift / 0.08
        np.testing.assert_allclose(two["waveform"], one["waveform"] * 10 ** (decibels / 20), atol=1e-4)
        moved = two["mfcc"] - one["mfcc"]
        inside = (one["mfcc"] != mfcc(np.zeros(FRAME), PSF).T).any(-1)[:, 2:-2]
        assert inside.sum() >= 10
        np.testing.assert_allclose(moved[:, 2:-2, 0][inside], decibels * np.log(10) / 10, atol=0.02)


def test_noise_lies_at_the_level_of_the_mels_floor():
    for seed in range(4):
        change = AudioChange({"noise": 1.0}, np.random.default_rng(seed), np.zeros((80, 40)))
        made = change.samples(np.zeros(32000, np.float32), np.random.default_rng(1))
        assert abs(float(mel_spectrogram(made).mean()) - change.floor) < 0.15, "the lowest are clipped at -4"


def test_silence_reaches_samples_and_coefficients(tmp_path):
    rng = np.random.default_rng(0)
    sound = (rng.uniform(-1, 1, 40 * 640) * np.where(np.arange(40 * 640) // 640 < 20, 0.3, 0.003)).astype(np.float32)
    corpus = put_sound(make_corpus(tmp_path / "c", clips=1, size=32, splits=("train",)), sound)
    options = {"mfcc": {"columns": 12, "recipe": "psf", "place": "centred"}}
    data = WindowDataset(corpus, "train", 3, ("mfcc", "waveform", "mel", "frame"), options=options, augment={"silence": 1.0})
    silent = mfcc(np.zeros(FRAME), PSF)
    seen = set()
    for index in range(40):
        item = whole(data, index)
        hushed = (item["mel"] == SILENCE).all((1, 2, 3))
        for quiet, window in zip(hushed, item["mfcc"], strict=True):
            assert np.allclose(window, silent.T, atol=1e-4) == quiet
        assert (not item["waveform"].any()) == hushed.all()
        seen |= set(hushed.tolist())
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mfcc": {"colums": 3}}, "did you mean columns"),
        ({"mfc": {}}, "did you mean mfcc"),
        ({"mfcc": {"recipe": "psv"}}, "field mfcc: .*did you mean psf"),
        ({"mfcc": {"columns": 28}}, "field mfcc: columns: 28: a published window has 20 columns; give place"),
        ({"mfcc": {"place": "centre"}}, "field mfcc: .*did you mean centred"),
        ({"mfcc": {"columns": 0}}, "field mfcc: columns: 0"),
        ({"mfcc": {"columns": 2.5}}, "field mfcc: columns: 2.5"),
        ({"waveform": {"margin": -1}}, "field waveform: margin: -1"),
        ({"face": {"size": 3}}, "unknown option of field face"),
    ],
)
def test_options_that_cannot_be_are_named(noise, given, words):
    with pytest.raises(InputError, match=words):
        WindowDataset(noise[0], "train", 3, ("mfcc",), options=given)

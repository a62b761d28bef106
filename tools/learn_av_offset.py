"""Learn the networks of datasets/av_offset.py from the clips of a prepared GRID corpus.

    python tools/learn_av_offset.py --corpus prepared/grid             # writes datasets/av_offset.npz; about five minutes
    python tools/learn_av_offset.py --corpus prepared/grid --without s4_hd,s4 --out results/fold.npz

Of a stretch of a clip, all lags between sound and lips are scored at once, and the right one is to win (cross-entropy over
lags; its neighbours take a small part of the target, because clips are in step to a fraction of a frame only). Sound is heard
clean or with noise, other speech, another colour or an echo; speech is made slower or faster; landmarks tremble. Speakers with
few clips are drawn more often. The clips of the split "train" alone are learned from.

The data are class A: GRID (Cooke et al. 2006), CC BY 4.0.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.files import atomic_output  # noqa: E402
from datasets.av_offset import BANDS, FPS, HEARD, MAX_LAG, MODEL, SEEN, SHAPES, lip_features, lip_shape, sound_features  # noqa: E402
from datasets.prepared import PreparedCorpus  # noqa: E402
from speech.mel import mel_spectrogram  # noqa: E402

HIDDEN, VECTOR = 64, 16
BATCH, STEPS, RATE = 32, 1800, 3e-3
DROP = 0.3
BESIDE = 0.15  # of the target that each neighbour of the right lag takes
RARE = 8  # clips of speakers other than the most frequent one count so many times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="prepared GRID corpus, made with --av_offset off")
    parser.add_argument("--out", type=Path, default=MODEL)
    parser.add_argument("--without", default="", help="speakers to leave out, separated by commas")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of networks (%(default)s)")
    options = parser.parse_args()
    clips = read(options.corpus, options.without.split(","), np.random.default_rng(0))
    print(f"{len(clips)} clips of {len({clip['speaker'] for clip in clips})} speakers", flush=True)
    pairs = [learn(clips, seed) for seed in range(options.pairs)]
    with atomic_output(options.out) as temporary:
        np.savez_compressed(temporary, **{name: np.stack([pair[name] for pair in pairs]) for name in pairs[0]})
    print(f"{options.out}: {options.out.stat().st_size} bytes")


def read(folder, without, rng):
    """Clips of the split "train": list of dict(speaker, shape, mels): `lip_shape`, and the mel clean and spoiled twice."""
    corpus = PreparedCorpus.open_folder(folder)
    rows = [row for row in corpus.split("train") if row.speaker not in without and row.fps == FPS]
    waves = [np.array(corpus.open(row)["waveform"]) / 32768 for row in rows]
    clips = []
    for row, wave in zip(rows, waves, strict=True):
        clip = corpus.open(row)
        spoiled = [mel_spectrogram(spoil(wave, waves, rng)) for _ in range(2)]
        clips.append({"speaker": row.speaker, "shape": lip_shape(clip["landmarks"]), "mels": [np.array(clip["mel"]), *spoiled]})
    return clips


def spoil(wave, others, rng):
    """Sound with white or pink noise or other speech under it, coloured, with an echo, at another level: (n,) -> (n,)."""
    count, kind = len(wave), rng.integers(3)
    noise = rng.standard_normal(count)
    if kind == 1:
        noise = np.fft.irfft(np.fft.rfft(noise) / np.sqrt(np.arange(count // 2 + 1) + 1), count)
    if kind == 2:
        noise = np.resize(np.roll(others[rng.integers(len(others))], rng.integers(count)), count)
    wave = wave + noise * np.sqrt((wave**2).mean() / ((noise**2).mean() + 1e-12)) * 10 ** (-rng.uniform(3, 25) / 20)
    if rng.random() < 0.5:
        bins = np.fft.rfft(wave)
        decibels = np.interp(np.linspace(0, 8, len(bins)), [0, 1, 2, 4, 8], rng.uniform(-12, 6, 5))
        wave = np.fft.irfft(bins * 10 ** (decibels / 20), count)
    if rng.random() < 0.4:
        echo = np.exp(-np.arange(4000) / rng.uniform(300, 1200)) * rng.standard_normal(4000)
        echo[0] = rng.uniform(3, 8)
        wave = np.fft.irfft(np.fft.rfft(wave, count + 4000) * np.fft.rfft(echo, count + 4000), count + 4000)[:count]
    return wave / np.abs(wave).max() * rng.uniform(0.05, 1)


def draw(clips, length, rng):
    """(sound, lips) features of a stretch of one clip, (length, 340) and (length, 72) float32."""
    clip = clips[rng.integers(len(clips))]
    speed = rng.uniform(0.8, 1.2) if rng.random() < 0.5 else 1.0
    count = len(clip["shape"])
    places = rng.uniform(0, max(0.0, count - length * speed)) + np.arange(length) * speed
    shape = clip["shape"] + rng.choice([0, 0.005, 0.01, 0.02]) * rng.standard_normal(clip["shape"].shape)
    shape = np.stack([np.interp(places, np.arange(count), column) for column in shape.T], 1)
    lips = lip_features(shape).reshape(length, 2 * SEEN + 1, SHAPES)
    sound = sound_features(clip["mels"][rng.integers(3)], (places + 0.5) / FPS, speed).reshape(length, len(HEARD), BANDS)
    if rng.random() < 0.5:
        lips *= rng.random(SHAPES) > 0.2  # some lengths are not seen
    if rng.random() < 0.3:
        low = rng.integers(BANDS)
        sound[..., low : low + rng.integers(1, 5)] = 0  # some bands are not heard
    return sound.reshape(length, -1).astype(np.float32), lips.reshape(length, -1).astype(np.float32)


def learn(clips, seed):
    """One pair of networks -> dict of float16 arrays, see `datasets.av_offset.OffsetModel`."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    frequent = max({clip["speaker"] for clip in clips}, key=[clip["speaker"] for clip in clips].count)
    pool = [clip for clip in clips for _ in range(1 if clip["speaker"] == frequent else RARE)]
    sound, lips = build(len(HEARD) * BANDS, DROP / 2), build((2 * SEEN + 1) * SHAPES, 0.0)
    sharpness = torch.nn.Parameter(torch.tensor(0.0))
    parameters = [*sound.parameters(), *lips.parameters(), sharpness]
    optimiser = torch.optim.AdamW(parameters, RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS)
    target = torch.zeros(2 * MAX_LAG + 1)
    target[MAX_LAG - 1 : MAX_LAG + 2] = torch.tensor([BESIDE, 1 - 2 * BESIDE, BESIDE])
    total = 0.0
    for step in range(1, STEPS + 1):
        length = int(rng.integers(45, 70))
        drawn = [draw(pool, length, rng) for _ in range(BATCH)]
        heard, seen = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
        scores = agreement(sound(heard), lips(seen)) * (10 * sharpness.exp())
        loss = -(target * scores.log_softmax(-1)).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        total += loss.item()
        if step % 300 == 0:
            print(f"pair {seed}, step {step}: loss {total / 300:.3f}", flush=True)
            total = 0.0
    weights = {}
    for name, network in (("sound", sound), ("lips", lips)):
        for part, layer in (("in", network[1]), ("out", network[4])):
            weights |= {f"{name}_{part}": layer.weight.T, f"{name}_{part}_bias": layer.bias}
    return {name: value.detach().numpy().astype(np.float16) for name, value in weights.items()}


def build(inputs, drop):
    """One tower: features -> vector."""
    from torch import nn

    return nn.Sequential(
        nn.Dropout(drop), nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Dropout(DROP), nn.Linear(HIDDEN, VECTOR)
    )  # fmt: skip


def agreement(heard, seen):
    """Mean cosine at each lag, as `OffsetModel.scores`: (B, n, d) twice -> (B, 31)."""
    import torch
    from torch.nn.functional import normalize

    heard, seen = (normalize(part - part.mean(1, keepdim=True), dim=-1) for part in (heard, seen))
    table = heard @ seen.transpose(1, 2)
    return torch.stack([table.diagonal(-lag, 1, 2).mean(-1) for lag in range(-MAX_LAG, MAX_LAG + 1)], -1)


if __name__ == "__main__":
    main()

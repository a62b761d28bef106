"""Which sound belongs to which video: windows of mouth features among others."""

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.crops import crops_of
from benchmarks.motion.clips import hear, heard_windows, watch
from metrics.formulas.bootstrap import pooled_interval

AMONG, SHIFT, SEED = 50, 5, 0
SIDES = {"video_by_sound": "the video of a sound", "sound_by_video": "the sound of a video"}
FIGURES = ("rank1", "rank5", "mrr", "own_clip", "own_clip_chance", "shifted")


@dataclass(frozen=True)
class Windows:
    """Windows of some clips.

    Attributes:
        rows: list of ClipRow.
        frames: of a window.
        clips: (n,) int, number of the clip of each window in `rows`; starts: (n,) int, its first frame.
        others: (n, k) int, the windows among which each is looked for; k = AMONG - 1, or all others where there are fewer.
    """

    rows: list = field(repr=False)
    frames: int
    clips: np.ndarray = field(repr=False)
    starts: np.ndarray = field(repr=False)
    others: np.ndarray = field(repr=False)

    @staticmethod
    def of(rows, frames):
        """All windows of some clips, one after another; what each is compared with is drawn once, the same for each network."""
        places = [(clip, start) for clip, row in enumerate(rows) for start in range(0, row.frames - frames + 1, frames)]
        clips, starts = np.array(places).reshape(-1, 2).T
        rng, count = np.random.default_rng(SEED), len(places)
        most = min(AMONG, count) - 1
        drawn = [rng.permutation(count - 1)[:most] for _ in range(count)]
        others = [picks + (picks >= own) for own, picks in enumerate(drawn)]
        return Windows(rows, frames, clips, starts, np.array(others, np.int64).reshape(count, most))

    @property
    def chance(self):
        """Rank 1 of a guess."""
        return 1 / (self.others.shape[1] + 1)

    def same_clip(self):
        """Share of the windows compared that are of the same clip as the right one."""
        return float((self.clips[self.others] == self.clips[:, None]).mean()) if self.others.size else 0.0


@torch.inference_mode()
def features_of(tested, corpus, windows):
    """Mouth features of each clip, by sound and by video: list of ((F, M), (F, M)) float32 tensors.

    Args:
        tested: benchmarks.tested.Tested of the stage speech or generate; corpus: PreparedCorpus; windows: Windows.
    """
    model, options, found = tested.model, tested.model.field_options().get("log_mel", {}), []
    for row in windows.rows:
        seen = model.mouth(watch(model, crops_of(corpus, row)))
        found.append((hear(model, heard_windows(corpus, row, options)), seen))
    return found


def retrieve(windows, features, centred=False):
    """Figures of one network.

    Args:
        windows: Windows; features: what `features_of` gives.
        centred: the mean of a window is taken from its features first.

    Returns:
        {side of SIDES: {figure: {"value", "low", "high"}}}, with 95 % bootstrap intervals over clips, None where undefined:
        `rank1`, `rank5`: share of the windows whose partner is the first, or among the first five, of Windows.others and
        itself; one that is as near as the partner comes before it. `mrr`: mean of 1 / rank. `own_clip`: rank 1 among the
        windows of the same clip alone, so that neither voice nor face tells; `own_clip_chance`: that of a guess. `shifted`:
        share of the comparisons with the partner SHIFT frames earlier or later in the same clip in which that one is as near
        or nearer; a guess has one half.
    """
    def joined(clip, side, start):
        """(frames * M,) of unit length."""
        found = features[clip][side][start : start + windows.frames]
        return F.normalize((found - found.mean(0) if centred else found).flatten(), dim=0, eps=1e-6)

    places = list(zip(windows.clips, windows.starts, strict=True))
    sound, video = (torch.stack([joined(clip, side, start) for clip, start in places]) for side in (0, 1))
    likeness = (sound @ video.T).double().numpy()
    shifted = [_shifted(windows, joined, sound, video, asked) for asked in (0, 1)]
    found = {}
    for side, near, moved in (("video_by_sound", likeness, shifted[0]), ("sound_by_video", likeness.T, shifted[1])):
        own = np.diag(near)
        ranks = 1 + (np.take_along_axis(near, windows.others, 1) >= own[:, None]).sum(1)
        same = windows.clips[:, None] == windows.clips[None]
        inside = (near >= own[:, None]) & same
        counts = same.sum(1)
        told = counts > 1
        sums = {"rank1": (ranks == 1, True), "rank5": (ranks <= 5, True), "mrr": (1 / ranks, True),
                "own_clip": ((inside.sum(1) == 1) & told, told), "own_clip_chance": (told / counts, told),
                "shifted": moved}  # fmt: skip
        found[side] = {name: _pooled(windows, *pair) for name, pair in sums.items()}
    return found


def _shifted(windows, joined, sound, video, asked):
    """(how often a shifted partner of each window is as near or nearer, how often that was asked): (n,) each.

    `asked`: 0: the sound stays, and the video is shifted; 1: the other way round.
    """
    nearer, times = np.zeros(len(windows.clips)), np.zeros(len(windows.clips))
    kept, moved = (sound, video) if asked == 0 else (video, sound)
    for number, (clip, start) in enumerate(zip(windows.clips, windows.starts, strict=True)):
        for begin in (start - SHIFT, start + SHIFT):
            if 0 <= begin <= windows.rows[clip].frames - windows.frames:
                other = joined(clip, 1 - asked, begin)
                nearer[number] += float(kept[number] @ other >= kept[number] @ moved[number])
                times[number] += 1
    return nearer, times


def _pooled(windows, right, asked):
    """{"value", "low", "high"} of a share over windows; the interval is over clips."""
    right, asked = (np.broadcast_to(np.asarray(one, np.float64), windows.clips.shape) for one in (right, asked))
    sums = np.zeros((len(windows.rows), 2))
    np.add.at(sums, windows.clips, np.stack([right, asked], 1))
    if not asked.sum():
        return {"value": None, "low": None, "high": None}

    def share(totals):
        with np.errstate(invalid="ignore", divide="ignore"):
            return totals[:, :1] / totals[:, 1:]

    low, high = pooled_interval(sums, share)
    ends = {name: float(end[0]) if np.isfinite(end[0]) else None for name, end in (("low", low), ("high", high))}
    return {"value": float(right.sum() / asked.sum()), **ends}

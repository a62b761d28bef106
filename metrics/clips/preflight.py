"""What can be known of the videos of an evaluation before the first frame: readable, of one length and shape, with sound."""

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from common.errors import InputError
from common.terminal import counting
from media import probe
from media.audio import require_sound
from media.length import packet_seconds
from metrics.compare import check_lengths, fitting
from metrics.rows import REAL

THREADS, SHOWN = 8, 5


class Preflight:
    """Looks at the containers of all videos, and decodes nothing but the first frame of each.

    Args:
        items: list of metrics.scorer.Item.
        frames: only the first so many of each video are measured; None: all.
        sounds: paths of the sounds from which the videos are yet to be generated; None where the videos are there.
        shown: whether progress is shown.
    """

    def __init__(self, items, *, frames=None, sounds=None, shown=True):
        self._items, self._frames, self._sounds, self._shown = items, frames, sounds, shown

    @cached_property
    def _found(self):
        """{path: VideoInfo, or the InputError that it raises}."""
        paths = dict.fromkeys((item.real for item in self._items), "real video")
        if self._sounds is None:
            made = (variant.path for item in self._items for variant in item.variants)
            paths |= {path: "generated video" for path in made if path not in paths}
        found, total = {}, len(paths) if self._shown else 0
        with ThreadPoolExecutor(THREADS) as threads, counting(total, "video", "checking", leave=False) as counter:
            for path, info in zip(paths, threads.map(_probed, paths, paths.values()), strict=True):
                found[path] = info
                counter.update()
        return found

    @cached_property
    def problems(self):
        """[(what it is called, reason)] of all that cannot be measured, by its name and row."""
        found = []
        for item in self._items:
            truth = self._found[item.real]
            if isinstance(truth, InputError):
                found.append((f"{item.face}, {REAL.label}", f"the real video: {truth}"))
                continue
            if self._sounds is None:
                found += [(f"{one.name}, {one.row.label}", str(error)) for one in item.variants
                          if (error := self._problem(one, truth)) is not None]  # fmt: skip
        errors = {path: _refusal(require_sound, path) for path in dict.fromkeys(self._sounds or ())}
        found += [(Path(path).name, str(error)) for path, error in errors.items() if error]
        return found

    def _problem(self, variant, truth):
        """InputError that says why a generated video cannot be measured, or None."""
        made = self._found[variant.path]
        if isinstance(made, InputError):
            return made
        paired = variant.row.protocol == "paired"
        return _refusal(fitting, made, truth) or (_refusal(self._check_lengths, made, truth) if paired else None)

    def _check_lengths(self, made, truth):
        """Raise InputError where two lengths differ, by claims of the containers and by their packets: claims may be wrong."""
        for seconds_of in (_claimed, _counted):
            counts = [self._count(seconds_of(info), truth.fps) for info in (made, truth)]
            if None in counts or not (error := _refusal(check_lengths, made.path, counts[0], truth, counts[1])):
                return
        raise error

    def _count(self, seconds, fps):
        if seconds is None:
            return None
        count = max(1, round(seconds * fps))
        return count if self._frames is None else min(count, self._frames)

    def silent(self):
        """{Row of the generated videos: (names of those without a sound track, how many there are)}, where there is one."""
        rows = {}
        for variant in (variant for item in self._items for variant in item.variants if self._sounds is None):
            info = self._found[variant.path]
            if not isinstance(info, InputError):
                rows.setdefault(variant.row, []).append((variant.name, info.has_audio))
        silent = {row: ([name for name, has in videos if not has], len(videos)) for row, videos in rows.items()}
        return {row: one for row, one in silent.items() if one[0]}

    def refuse(self, *, hears):
        """Raise InputError that names all videos that cannot be measured, and each system without any sound.

        Args:
            hears: there is a judge of lip sync, which needs sound.
        """
        problems = self.problems
        if len(problems) == 1 and len(self._items) == 1:
            raise InputError(problems[0][1])
        if problems:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in problems)
            raise InputError(f"{len(problems)} video(s) or sounds cannot be used, and nothing was measured; mend them, or give "
                             f"--keep_going to measure the others: {reasons}")
        for row, (names, count) in self.silent().items() if hears else ():
            if len(names) == count:
                raise InputError(f"{row.label}: none of its {count} video(s) has a sound track, which the judge of lip sync "
                                 "needs; give videos with sound, or --expert none to measure the pictures alone")

    def notes(self, *, hears):
        """Sentences on what will be missing although the evaluation goes on."""
        notes = [f"{name}: cannot be used, and becomes a failed row: {reason}" for name, reason in self.problems]
        for row, (names, _) in self.silent().items() if hears else ():
            shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
            notes.append(f"{row.label}: no sound track, so no figures of lip sync: {shown}")
        return notes

    def real_frames(self):
        """How many frames of real videos will be seen by what the containers claim; None where one does not say."""
        claims = [self._found[item.real].frames for item in self._items if not isinstance(self._found[item.real], InputError)]
        return None if None in claims else sum(min(one, self._frames or one) for one in claims)


def _probed(path, what):
    """VideoInfo, or the InputError that says why there is none."""
    try:
        info = probe(path, what)
    except InputError as error:
        return error
    return InputError(f"{path}: is a picture; a video is needed") if info.is_image else info


def _refusal(check, *arguments):
    """The InputError that a check raises, or None."""
    try:
        check(*arguments)
    except InputError as error:
        return error
    return None


def _claimed(info):
    return info.seconds


def _counted(info):
    return packet_seconds(info.path)

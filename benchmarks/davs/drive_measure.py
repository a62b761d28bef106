"""The figures of benchmarks.davs.drive: one target with one picture, driven by sound and by the video of another person."""

from dataclasses import dataclass, field

import numpy as np

from benchmarks.held_out.measure import best_lag
from benchmarks.held_out.rest import at_rest, moving
from losses.regions import REGIONS, slices
from metrics.formulas.correlation import pearson
from metrics.formulas.image import psnr, sharpness, ssim


@dataclass(frozen=True)
class Plan:
    """What is made of one held-out sentence.

    Attributes:
        row: the sentence: its sound drives, and its person is drawn.
        picture_of: the sentence whose first crop is the identity picture; of the same person.
        swapped: the sentence whose sound drives in place of its own.
        driver: the sentence of another person whose video drives.
        known: whether the driver is a person of the training.
    """

    row: object
    picture_of: object
    swapped: object
    driver: object
    known: bool


def plan(rows, pool, trained):
    """Plans of some sentences, without chance.

    Args:
        rows: list of ClipRow that are measured; pool: those that may drive; trained: names of the people of the training.

    Returns:
        list of Plan, without sentences for which the pool holds no other person.
    """
    plans = []
    for number, row in enumerate(rows):
        own = [one for one in pool if one.speaker == row.speaker and one.id != row.id]
        others = [one for one in pool if one.speaker != row.speaker]
        if others:
            driver = _in_turn(others, number)
            plans.append(Plan(row, _in_turn(own, number) if own else row, _in_turn(own or others, number + 1), driver,
                              driver.speaker in trained))  # fmt: skip
    return plans


def _in_turn(rows, number):
    """Row `number`, each person's turn being as frequent as the others'."""
    people = sorted({row.speaker for row in rows})
    own = [row for row in rows if row.speaker == people[number % len(people)]]
    return own[number // len(people) % len(own)]


@dataclass(frozen=True)
class Made:
    """Figures of one plan, and what the contact sheet shows: (N, S, S, 3) uint8 crops."""

    figures: dict
    picture: np.ndarray = field(repr=False)
    real: np.ndarray = field(repr=False)
    by_sound: np.ndarray = field(repr=False)
    driver: np.ndarray = field(repr=False)
    by_video: np.ndarray = field(repr=False)


def measure(stage, one):
    """Made of one Plan.

    Figures: `sound_r`, `video_r`: correlation of the mouth's opening with that of the real clip, or of the driver; `*_lag`: lag
    in frames at which that is highest, positive where the drawn mouth is late; `*_spread`: standard deviation of the opening
    over the real one. `swapped_r`: correlation of what other sound draws with the real clip, `swapped_heard`: with the mouth
    that belongs to that sound. `quiet_*`: of the mouth that quiet noise draws, `pause_*`: of what the clip's own sound draws in
    the pauses of the sentence, `real_pause_*`: of the real mouth there. `*_level`: median of the opening above the real resting
    mouth over the real range (10th to 95th percentile): 0 is at rest, 1 wide open; the resting mouth is the median of the real
    one in the pauses, its 10th percentile where there are none. `*_spread`: standard deviation of the opening over that of the
    same mouth with speech. `*_picture`, `*_other`: cosines of the face embedding of what is drawn with the
    identity picture and with the other person, `real_picture`, `real_other` those of the real clip. `ssim`, `psnr`, `sharpness`
    (over the real one) and `mouth_*`: of what is drawn by sound from the clip's own first frame; `held_*`: of that frame held
    still. `pauses`: frames of the sentence without a word. `frames`, `no_face`: of all that was drawn.
    """
    picture, real, driver = stage.first(one.picture_of), stage.real(one.row), stage.real(one.driver)
    sound = stage.read(stage.draw(picture, stage.codes(one.row, "audio")))
    video = stage.read(stage.draw(picture, stage.codes(one.driver, "video")))
    swapped = stage.read(stage.draw(picture, stage.codes(one.swapped, "audio")))
    quiet = stage.read(stage.draw(picture, stage.quiet()))
    figures = {"clip": one.row.id, "person": one.row.speaker, "picture": one.picture_of.id, "swapped": one.swapped.id,
               "driver": one.driver.id, "driver_known": one.known}  # fmt: skip
    figures |= _follows("sound", sound.opening, real.opening) | _follows("video", video.opening, driver.opening)
    figures["swapped_r"] = pearson(*_common(swapped.opening, real.opening))
    figures["swapped_heard"] = pearson(*_common(swapped.opening, stage.real(one.swapped).opening))
    pauses = stage.pauses(one.row)
    figures |= at_rest(quiet.opening, sound.opening, real.opening, pauses) | {"pauses": int(pauses.sum())}
    figures |= _whose(stage, {"sound": sound, "video": video, "real": real}, stage.read(np.stack([picture] * 2)), driver)
    figures |= _likeness(stage.draw(stage.first(one.row), stage.codes(one.row, "audio")), real.crops)
    drawn = (sound, video, swapped, quiet)
    figures["frames"] = sum(len(footage.opening) for footage in drawn)
    figures["no_face"] = sum(int(np.isnan(footage.opening).sum()) for footage in drawn)
    return Made(figures, picture, real.crops, sound.crops, driver.crops, video.crops)


def _follows(name, made, truth):
    made, truth = _common(made, truth)
    return {f"{name}_r": pearson(made, truth), f"{name}_lag": best_lag(made, truth),
            f"{name}_spread": moving(made) / max(moving(truth), 1e-9)}  # fmt: skip


def _whose(stage, footages, picture, other):
    """Cosines of each footage with the picture and with the other person; None where a face is missing."""
    shown, against = stage.embedding(picture), stage.embedding(other)
    found = {}
    for name, footage in footages.items():
        own = stage.embedding(footage)
        for what, vector in (("picture", shown), ("other", against)):
            found[f"{name}_{what}"] = None if own is None or vector is None else float(own @ vector)
    return found


def _likeness(made, real):
    """SSIM, PSNR and sharpness over the real one, of the whole crop and of the mouth, and of the first real crop held still."""
    side, figures = real.shape[1], {}
    mouth = slices(REGIONS["davs_mouth"], side, side)
    count = min(len(made), len(real))
    for way, crops in (("", made), ("held_", np.broadcast_to(real[:1], real.shape))):
        pairs = list(zip(crops[:count], real[:count], strict=True))
        for part, cut in (("", np.s_[:, :]), ("mouth_", mouth)):
            figures[f"{way}{part}ssim"] = float(np.mean([ssim(a[cut], b[cut]) for a, b in pairs]))
            figures[f"{way}{part}psnr"] = float(np.mean([psnr(a[cut], b[cut]) for a, b in pairs]))
            detail = np.mean([[sharpness(np.ascontiguousarray(one[cut])) for one in pair] for pair in pairs], 0)
            figures[f"{way}{part}sharpness"] = float(detail[0] / max(detail[1], 1e-9))
    return figures


def _common(first, second):
    count = min(len(first), len(second))
    return first[:count], second[:count]

"""Learn the constants of `faces/lip_space.py` from the landmarks of a prepared corpus; run from the checkout.

    python -m tools.learn_lip_space prepared/people

People count alike, whatever their clips; those whose ids begin with --exclude do not count (people whose pictures may be used
for research alone). The share of the head's pose is a ridge regression over all people, each about the person's own mean, in
which opening, width and upper lip stand beside the pose: without them it would take speech for pose. It prints how much of a
person's movement each constant explains, also on people that it was not learned from.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from common.cli import run
from common.errors import InputError
from common.files import atomic_output
from datasets.prepared import PreparedCorpus
from faces.landmarks import JAW, MIRROR, MOUTH
from faces.lip_space import COMPONENTS, CONSTANTS, LEAST_OPEN, LipSpace, pose_of, to_canonical
from faces.mouth import mouth_opening

MOST = 1500  # frames of a person
RIDGE = 0.04  # tenths of an eye distance: what a movement of a stable point must exceed to count as pose
EVEN = 4  # components that leave left and right alike: opening, width, rounding and one more; then the others
TAPER = np.array([0, 0.15, 0.5, *[1] * 11, 0.5, 0.15, 0])  # of the jaw's own movement, from ear to ear


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="prepared corpus")
    parser.add_argument("--exclude", default="c_", help="beginnings of ids to leave out, separated by commas (%(default)s)")
    parser.add_argument("--ridge", type=float, default=RIDGE, help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=CONSTANTS, help="(%(default)s)")
    return parser.parse_args(argv)


def main(argv):
    """Learn, write, print."""
    args = parse(argv)
    corpus = PreparedCorpus.open_folder(args.corpus)
    left_out = tuple(one for one in args.exclude.split(",") if one)
    people = read_people(corpus, [row for row in corpus.split("train") if not row.id.startswith(left_out)])
    if len(people) < 3:
        raise InputError(f"{args.corpus}: {len(people)} people, at least 3 are needed")
    space = learn(list(people.values()), args.ridge)
    with atomic_output(args.out) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **{name: np.float32(value) for name, value in vars(space).items()})
    print(f"{args.out}: {len(people)} people, spread of the opening {space.spread:.4f}")
    report(space, people, "people that it was learned from")
    report(space, read_people(corpus, corpus.split("val")), "validation people")
    return 0


def read_people(corpus, rows):
    """{speaker: (n, 68, 2) landmarks}, at most MOST frames of each, spread over the clips."""
    clips = defaultdict(list)
    for row in rows:
        clips[row.speaker].append(row)
    people = {}
    for speaker, own in clips.items():
        own = own[:: max(1, sum(row.frames for row in own) // MOST)]
        found = np.concatenate([np.asarray(corpus.open(row)["landmarks"], np.float64) for row in own])
        people[speaker] = found[np.isfinite(found).all((1, 2))][:MOST]
    return {speaker: points for speaker, points in people.items() if len(points) >= 50}


def learn(people, ridge):
    """List of (n, 68, 2) -> LipSpace. Each person counts mirrored, too, so that left and right are treated alike."""
    people = [*people, *(points[:, MIRROR] * (-1.0, 1.0) for points in people)]
    pose_mean, pose = head_share(people, ridge)
    spread = float(np.mean([mouth_opening(points).std() for points in people]))
    space = LipSpace(pose_mean, pose, np.zeros((COMPONENTS, 40)), np.ones(COMPONENTS), np.zeros((COMPONENTS, 34)), None, spread)
    mouths, jaws, rests = [], [], []
    for landmarks in people:
        mouth, jaw, rest = at_rest(space, landmarks)
        rests.append(rest)
        mouths.append(mouth / len(mouth) ** 0.5)
        jaws.append(jaw / len(jaw) ** 0.5)
    stacked = np.concatenate(mouths)
    components = np.concatenate([directions(stacked, 1)[:EVEN], directions(stacked, -1)[: COMPONENTS - EVEN]])
    opening = components.reshape(-1, 20, 2)
    components = components * np.where(opening[:, 18, 1] < opening[:, 14, 1], -1, 1)[:, None]
    coefficients = stacked @ components.T
    scale = np.sqrt((coefficients**2).sum(0) / len(people))
    jaw_of = np.linalg.lstsq(coefficients, np.concatenate(jaws), rcond=None)[0] * np.repeat(TAPER, 2)
    return LipSpace(pose_mean, pose, components, scale, jaw_of, np.mean(rests, 0), spread)


def directions(stacked, side):
    """Principal directions of (n, 40), largest first, among those that a mirrored face keeps (`side` 1) or turns round (-1)."""
    mirrored = np.arange(20)[np.array(MIRROR[MOUTH]) - MOUTH.start]
    turned = (stacked.reshape(-1, 20, 2)[:, mirrored] * (-1.0, 1.0)).reshape(-1, 40)
    _, _, found = np.linalg.svd((stacked + side * turned) / 2, full_matrices=False)
    return found


def at_rest(space, landmarks):
    """(n, 68, 2) of a person -> movement of the mouth (n, 40) and of the jaw (n, 34) over the amplitude, rest (20, 2)."""
    points, _ = to_canonical(landmarks)
    free, opening = points - space.head_effect(points), mouth_opening(landmarks)
    least = np.argsort(opening, kind="stable")[: max(1, round(len(points) * LEAST_OPEN))]
    rest = np.median(free[least], 0)
    amplitude = np.clip(opening.std() / space.spread, 0.5, 2)
    moved = (free - rest) / amplitude
    return moved[:, MOUTH].reshape(-1, 40), moved[:, JAW].reshape(-1, 34), rest[MOUTH]


def covariates(points):
    """(n, 68, 2) canonical -> (n, 3): opening, width, height of the upper lip."""
    mouth = points[:, MOUTH]
    return np.stack([mouth[:, 18, 1] - mouth[:, 14, 1], mouth[:, 6, 0] - mouth[:, 0, 0], mouth[:, 14, 1] - mouth[:, 3, 1]], 1)


def head_share(people, ridge):
    """Ridge regression -> pose_mean (22,), pose (22, 74).

    Minimises the mean over people of the mean over frames of |y - pose A - covariates B|^2 + (ridge / 10)^2 |A|^2, each person
    about its own mean.
    """
    left, right, means = np.zeros((25, 25)), np.zeros((25, 74)), []
    for landmarks in people:
        points, _ = to_canonical(landmarks)
        given = np.concatenate([pose_of(points), covariates(points)], 1)
        told = np.concatenate([points[:, MOUTH].reshape(-1, 40), points[:, JAW].reshape(-1, 34)], 1)
        means.append(given[:, :22].mean(0))
        given, told = given - given.mean(0), told - told.mean(0)
        left += given.T @ given / len(points) / len(people)
        right += given.T @ told / len(points) / len(people)
    left[:22, :22] += (ridge / 10) ** 2 * np.eye(22)
    return np.mean(means, 0), np.linalg.solve(left, right)[:22]


def report(space, people, who):
    """Print shares of variance, means over people."""
    shares = []
    for landmarks in people.values():
        points, _ = to_canonical(landmarks)
        mouth, jaw, _ = at_rest(space, landmarks)
        plain = points[:, MOUTH].reshape(-1, 40) - points[:, MOUTH].reshape(-1, 40).mean(0)
        beside = covariates(points) - covariates(points).mean(0)
        free = mouth - mouth.mean(0)
        coefficients = mouth @ space.components.T
        kept = [1 - ((mouth - coefficients[:, :n] @ space.components[:n]) ** 2).sum() / (mouth**2).sum() for n in (1, 2, 3, 6)]
        other = [float((_beside(values, beside) ** 2).sum()) for values in (plain, free)]
        amplitude = np.clip(mouth_opening(landmarks).std() / space.spread, 0.5, 2)
        jaw_kept = 1 - ((jaw - coefficients @ space.jaw_of)[:, 6:28].var(0).sum() / jaw[:, 6:28].var(0).sum())
        shares.append([*kept, jaw_kept, other[1] * amplitude**2 / other[0]])
    names = ("1 component", "2", "3", "6", "jaw by regression", "left beside the covariates once the pose is out")
    told = ", ".join(f"{name} {value:.2f}" for name, value in zip(names, np.mean(shares, 0), strict=True))
    print(f"{len(people)} {who}: {told}")


def _beside(values, given):
    """What least squares on `given` leaves of `values`."""
    return values - given @ np.linalg.lstsq(given, values, rcond=None)[0]


if __name__ == "__main__":
    sys.exit(run(main))

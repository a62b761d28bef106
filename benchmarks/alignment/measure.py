"""How far borders lie from a reference: which phones of two pronunciations are the same, their errors, what sums them up."""

from dataclasses import dataclass

import numpy as np

from speech.arpabet import SILENCE, VOWELS

CLASSES = {
    "vowels": VOWELS,
    "stops": ("B", "D", "G", "K", "P", "T"),
    "affricates": ("CH", "JH"),
    "fricatives": ("DH", "F", "HH", "S", "SH", "TH", "V", "Z", "ZH"),
    "nasals": ("M", "N", "NG"),
    "liquids, glides": ("L", "R", "W", "Y"),
}
CLASS_OF = {phone: name for name, phones in CLASSES.items() for phone in phones}
GROSS_MS = 200.0  # an utterance whose median error is larger than this is not aligned at all
_GAP, _ALIKE, _UNLIKE = 1.0, 1.1, 1.9


@dataclass(frozen=True)
class Pairing:
    """Two label sequences side by side.

    Attributes:
        same: list of (place in the reference, place in the other), labels equal.
        substituted: list of the same, labels different.
        missing: places in the reference that the other has nothing for.
        extra: places in the other that the reference has nothing for.
    """

    same: list
    substituted: list
    missing: list
    extra: list


def pair_labels(reference, other):
    """Edit alignment of two label sequences; times play no part, so that it favours nobody.

    A gap costs 1, another label of the same class of phones 1.1, any other label 1.9; silence pairs with silence alone. Of
    equally cheap ways the one that pairs later places counts.

    Args:
        reference, other: sequences of str.

    Returns:
        Pairing.
    """
    rows, columns = len(reference), len(other)
    cost = [[_GAP * (row + column) for column in range(columns + 1)] for row in range(rows + 1)]
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            step = _substitution(reference[row - 1], other[column - 1])
            cost[row][column] = min(
                cost[row - 1][column - 1] + step, cost[row - 1][column] + _GAP, cost[row][column - 1] + _GAP
            )
    pairing, row, column = Pairing([], [], [], []), rows, columns
    while row or column:
        step = _substitution(reference[row - 1], other[column - 1]) if row and column else None
        if step is not None and cost[row][column] == cost[row - 1][column - 1] + step:
            row, column = row - 1, column - 1
            (pairing.same if reference[row] == other[column] else pairing.substituted).append((row, column))
        elif row and cost[row][column] == cost[row - 1][column] + _GAP:
            row -= 1
            pairing.missing.append(row)
        else:
            column -= 1
            pairing.extra.append(column)
    return Pairing(*(found[::-1] for found in (pairing.same, pairing.substituted, pairing.missing, pairing.extra)))


def _substitution(one, other):
    if one == other:
        return 0.0
    if SILENCE in (one, other) or "" in (one, other):
        return float("inf")
    return _ALIKE if one in CLASS_OF and CLASS_OF[one] == CLASS_OF.get(other) else _UNLIKE


@dataclass(frozen=True)
class Errors:
    """Borders of one utterance beside the reference.

    Attributes:
        starts: list of (label, signed seconds: the aligner's start minus the reference's), of paired equal labels, no silence.
        ends: likewise of their ends.
        silences: list of (start, end) signed seconds of paired silences inside and at the end.
        paired, differing: labels of the reference that found an equal one, and that did not; silence not counted.
        extra: labels of the aligner that the reference lacks; silence not counted.
        missed_silences, extra_silences: silences that one side has alone.
    """

    starts: list
    ends: list
    silences: list
    paired: int
    differing: int
    extra: int
    missed_silences: int
    extra_silences: int

    @property
    def median_ms(self):
        """Median absolute error of the starts in ms; NaN where nothing was paired."""
        return float(np.median([abs(value) for _, value in self.starts]) * 1000) if self.starts else float("nan")


def compare(reference, other, silence=SILENCE):
    """Errors of one tier beside the reference tier.

    Args:
        reference, other: sequences of Interval from 0 on.
        silence: label that stands for nothing said.

    Returns:
        Errors.
    """
    pairing = pair_labels([one.label for one in reference], [one.label for one in other])
    pairs = [(reference[row], other[column]) for row, column in pairing.same]
    spoken = [(one, two) for one, two in pairs if one.label != silence]
    quiet = [(one, two) for one, two in pairs if one.label == silence and one.start > 0 and two.start > 0]
    missing = [reference[row].label for row, _ in pairing.substituted] + [reference[row].label for row in pairing.missing]
    extra = [other[column].label for column in pairing.extra]
    return Errors(
        starts=[(one.label, two.start - one.start) for one, two in spoken],
        ends=[(one.label, two.end - one.end) for one, two in spoken],
        silences=[(two.start - one.start, two.end - one.end) for one, two in quiet],
        paired=len(spoken),
        differing=sum(label != silence for label in missing),
        extra=sum(label != silence for label in extra),
        missed_silences=sum(label == silence for label in missing),
        extra_silences=sum(label == silence for label in extra),
    )


def spread(differences):
    """What sums up signed differences in seconds.

    Returns:
        {"count", "median_ms", "mean_ms", "p85_ms", "p95_ms" of their sizes, "within_20", "within_40" shares of sizes of at most
        20 and 40 ms, "bias_ms" mean with sign, "shift_ms" median with sign}; all but count None where there are none.
    """
    values = np.asarray(list(differences), np.float64) * 1000
    names = ("median_ms", "mean_ms", "p85_ms", "p95_ms", "within_20", "within_40", "bias_ms", "shift_ms")
    if not values.size:
        return {"count": 0} | dict.fromkeys(names)
    sizes = np.abs(values)
    median, p85, p95 = np.percentile(sizes, (50, 85, 95))
    within = [float((sizes <= limit + 1e-6).mean()) for limit in (20, 40)]  # 40 ms sharp counts, whatever floats say
    figures = (median, sizes.mean(), p85, p95, *within, values.mean(), np.median(values))
    return {"count": int(values.size)} | dict(zip(names, map(float, figures), strict=True))


def score_separation(right, wrong):
    """Share of (right, wrong) pairs in which the right transcript scored higher; ties count half. None without both."""
    right, wrong = np.asarray(right, float), np.asarray(wrong, float)
    if not right.size or not wrong.size:
        return None
    return float(((right[:, None] > wrong).mean() + (right[:, None] >= wrong).mean()) / 2)


HOP = 0.005  # seconds between two levels


def speech_level(waveform, rate):
    """Level above 150 Hz, where no rumble reaches, in 20 ms windows: (ceil(n / (HOP * rate)),) decibels."""
    from scipy.signal import butter, sosfiltfilt

    band = sosfiltfilt(butter(4, 150, "highpass", fs=rate, output="sos"), np.asarray(waveform, np.float64))
    size, step = round(0.02 * rate), round(HOP * rate)
    padded = np.pad(band**2, (size // 2, size - size // 2 - 1))
    return 10 * np.log10(np.convolve(padded, np.full(size, 1 / size), "valid")[::step] + 1e-10)


def step_near(level, at, rising, reach=0.2, side=0.1):
    """Where the level changes most near a time: seconds, or None when the sound leaves no room for the search.

    Args:
        level: of `speech_level`.
        at: seconds.
        rising: True for the steepest rise, False for the steepest fall.
        reach: seconds around `at` that are searched.
        side: seconds on each side whose mean levels are compared.
    """
    width, total = round(side / HOP), np.concatenate([[0.0], np.cumsum(level)])
    first, last = round((at - reach) / HOP), round((at + reach) / HOP)
    if first < width or last + width > len(level):
        return None
    places = np.arange(first, last + 1)
    rise = total[places + width] - 2 * total[places] + total[places - width]
    return float(places[(rise if rising else -rise).argmax()] * HOP)


def slope_within(groups, x, y):
    """Slope of the least squares lines y = slope x + shift of all groups, each with a shift of its own; None without spread."""
    groups, x, y = np.asarray(groups), np.array(x, float), np.array(y, float)
    for group in np.unique(groups):
        x[groups == group] -= x[groups == group].mean()
        y[groups == group] -= y[groups == group].mean()
    return float(x @ y / (x @ x)) if x @ x > 0 else None

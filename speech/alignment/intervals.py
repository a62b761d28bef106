"""Who says which phone when: the type that every aligner and parser gives, and its invariants."""

from dataclasses import dataclass, replace

from common.errors import InputError
from speech.arpabet import NUMBER, SILENCE

_CLOSE = 1e-6  # seconds; closer edges are one edge

# PocketSphinx's score below which words fit a sound poorly. Measured, least score of right words and greatest of another text:
# flite -4.6 and -9.8, with 20 dB noise -5.5 and -7.2, GRID -6.1 and -7.7 (all six words wrong), real recordings -5.0 and -7.5.
POOR_FIT = -6.5
# The same where phones of another language stand for English ones: 64 of 80 cuts of Arabic speech, 1.2 s each, have -10.4 to
# -6.0 (95 % -9.8 or more), another cut's words -10.1 or less in 19 of 20, where they find a path at all.
POOR_FIT_FOREIGN = -9.7


class AlignmentError(InputError):
    """Speech and transcript could not be aligned; the message says why. Never passed on as an alignment."""


@dataclass(frozen=True)
class Interval:
    """One label in time.

    Attributes:
        start, end: seconds from the beginning of the sound, start < end.
        label: a phone of `speech.arpabet.PHONES`; in a tier of words the word in lower case, "" for silence.
        stress: 0, 1, 2 of a vowel where it is known, else None.
    """

    start: float
    end: float
    label: str
    stress: int | None = None


@dataclass(frozen=True)
class Alignment:
    """Phones and words of one sound.

    `phones` and `words` are sorted, without gap or overlap, from 0 to `seconds`; `cover` brings any list into that form.

    Attributes:
        phones: tuple of Interval, labels from `speech.arpabet.PHONES`.
        words: tuple of Interval; () where no words are known.
        seconds: length of the sound.
        source: where it comes from: "pocketsphinx", "mfa", "recognised" (no transcript: phones heard by the decoder), "given"
            (read from a file), or "given words, pocketsphinx"; "pocketsphinx, de" where German was pronounced by eSpeak NG.
        score: how well the sound fits the phones, in the aligner's own unit; higher is better, None where there is none.
        unknown: words that no dictionary held, so that their phones were guessed from the spelling.
        notes: sentences for the user, such as what a low score means.
    """

    phones: tuple[Interval, ...]
    words: tuple[Interval, ...]
    seconds: float
    source: str
    score: float | None = None
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        _check(self.phones, self.seconds, "phones")
        if self.words:
            _check(self.words, self.seconds, "words")
        for phone in self.phones:
            if phone.label not in NUMBER:
                raise ValueError(f"{phone.label!r} is no phone class")

    @property
    def recognised(self):
        """True where no transcript stood behind it."""
        return self.source == "recognised"


def poor_fit(alignment):
    """True where the words fit the sound poorly: by PocketSphinx's score; other aligners refuse such words themselves."""
    return fits_poorly(alignment.source, alignment.score)


def fits_poorly(source, score):
    """`poor_fit` of an alignment's source and its score, which may be None."""
    return score is not None and "pocketsphinx" in source and score < poor_limit(source)


def poor_limit(source):
    """Score below which words fit poorly, of PocketSphinx with English or with another language."""
    return POOR_FIT_FOREIGN if "pocketsphinx, " in source else POOR_FIT


def cover(intervals, seconds, blank=SILENCE):
    """Sort intervals and make them one gap-free tier over [0, seconds].

    What lies outside is cut off; where two overlap, the first ends where the second begins; gaps become intervals of
    label `blank`; neighbouring blanks merge. Intervals that nothing is left of are dropped.

    Args:
        intervals: iterable of Interval in any order.
        seconds: length of the sound, > 0.
        blank: label of silence: SILENCE for phones, "" for words.

    Returns:
        tuple of Interval.

    Raises:
        InputError: `seconds` is not positive, or an edge is not a finite number.
    """
    if not 0 < seconds < float("inf"):
        raise InputError(f"a sound of {seconds} seconds cannot be aligned")
    tier = []
    for one in sorted(intervals, key=lambda one: (one.start, one.end)):
        if not abs(one.start) < float("inf") or not abs(one.end) < float("inf"):
            raise InputError(f"{one.label!r} from {one.start} to {one.end}: not a finite time")
        one = replace(one, start=max(0.0, one.start), end=min(float(seconds), one.end))
        if one.end - one.start <= _CLOSE:
            continue
        if tier and tier[-1].end > one.start:
            tier[-1] = replace(tier[-1], end=one.start)
            if tier[-1].end - tier[-1].start <= _CLOSE:
                tier.pop()
        tier.append(one)
    return _filled(tier, float(seconds), blank)


def _filled(tier, seconds, blank):
    """Gaps filled with `blank`, edges that nearly touch made one, blanks merged."""
    filled, at = [], 0.0
    for one in tier:
        if one.start - at > _CLOSE:
            _append(filled, Interval(at, one.start, blank), blank)
        _append(filled, replace(one, start=at if one.start - at <= _CLOSE else one.start), blank)
        at = one.end
    if seconds - at > _CLOSE or not filled:
        _append(filled, Interval(at, seconds, blank), blank)
    filled[-1] = replace(filled[-1], end=seconds)
    return tuple(filled)


def _append(tier, one, blank):
    if tier and tier[-1].label == blank == one.label:
        tier[-1] = replace(tier[-1], end=one.end)
    else:
        tier.append(one)


def _check(tier, seconds, what):
    if not tier or tier[0].start != 0.0 or tier[-1].end != seconds:
        raise ValueError(f"{what} do not run from 0 to {seconds} s")
    for one, other in zip(tier, (*tier[1:], None), strict=True):
        if one.start >= one.end or (other is not None and one.end != other.start):
            raise ValueError(f"{what} have a gap or an overlap at {one.end} s")

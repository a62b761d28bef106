"""Word borders of GRID: the aligner beside the .align files, and both beside the level of the sound."""

from collections import Counter

import numpy as np

from benchmarks.alignment.material import false_texts
from benchmarks.alignment.measure import HOP, slope_within, speech_level, spread, step_near
from benchmarks.alignment.parts import against_false, summarise
from benchmarks.alignment.run import align_cases
from benchmarks.alignment.sound import against_sound, begins_sharply
from speech.alignment.interval_files import GRID_RATE
from speech.waveform import SAMPLE_RATE

DISPUTED = 0.1  # seconds between two claims of where the first word starts


def measure_grid(cases, facts, aligner, jobs):
    """Word borders of GRID clips.

    Returns:
        `summarise` of the words, with "places" (borders by their place in the sentence), "suffixes" (`summarise` by suffix of
        the video), "unit" (`grid_unit`), "disputed" (`judge_first_words`), and where the clips differ in words "false texts",
        with as few words in common as there are, and "false words", with most of them in common.
    """
    outcomes = align_cases(cases, aligner, jobs)
    pairs = {case.id: _both(case, outcomes[case.id]) for case in cases}
    pairs = {name: both for name, both in pairs.items() if both}
    figures = summarise(cases, outcomes, "words") | {
        "places": {
            "first word's start": spread(mine[0].start - words[0].start for words, mine in pairs.values()),
            "other starts": spread(
                mine[at].start - words[at].start for words, mine in pairs.values() for at in range(1, len(words))
            ),
            "last word's end": spread(mine[-1].end - words[-1].end for words, mine in pairs.values()),
        },
        "suffixes": {},
        "unit": grid_unit(cases, facts, pairs),
        "disputed": judge_first_words(cases, pairs),
        "sound": against_sound(cases, outcomes, "words", "", begins_sharply),
    }
    for suffix in sorted({one["suffix"] for one in facts.values()}):
        rows = summarise([case for case in cases if facts[case.id]["suffix"] == suffix], outcomes, "words")
        figures["suffixes"][suffix] = {key: value for key, value in rows.items() if key not in ("groups", "worst")}
    if len({case.text for case in cases}) > 1:
        for name, alike in (("false texts", False), ("false words", True)):
            figures[name] = against_false(outcomes, align_cases(cases, aligner, jobs, false_texts(cases, alike)))
    return figures


def _both(case, outcome):
    """(words of the file, words of the aligner), silences left out, or None where it has none or marked them."""
    if outcome.alignment is None or outcome.marked:
        return None
    words, mine = ([word for word in tier if word.label] for tier in (case.words, outcome.alignment.words))
    return (words, mine) if [word.label for word in words] == [word.label for word in mine] else None


def grid_unit(cases, facts, pairs):
    """The times of .align files, read with GRID_RATE, beside the sound itself.

    "ends": end of the last line less the length of the sound. "rise" and "fall": the steepest change of level near the first
    word's start and the last word's end, less those; "middle": half way between the two, which a shift of the times would move
    and wider or narrower words would not. "aligner": the unit that fits its starts between words best, place by place in the
    sentence, so that a habit at one word (a late "at") passes for no other unit.
    """
    edges = []
    for case in cases:
        words = [word for word in case.words if word.label]
        level = speech_level(case.waveform, SAMPLE_RATE)
        rise, fall = step_near(level, words[0].start, True), step_near(level, words[-1].end, False)
        if rise is not None and fall is not None:
            edges.append((rise - words[0].start, fall - words[-1].end))
    rises, falls = zip(*edges, strict=True) if edges else ((), ())
    report = {
        "ends": spread(facts[case.id]["ends"] - case.seconds for case in cases),
        "rise": spread(rises),
        "fall": spread(falls),
        "middle": spread((rise + fall) / 2 for rise, fall in edges),
    }
    borders = [
        (at, words[at].start, mine[at].start)
        for words, mine in pairs.values()
        for at in range(1, len(words))
        if abs(mine[at].start - words[at].start) < DISPUTED
    ]
    slope = slope_within(*zip(*borders, strict=True)) if borders else None
    return report | ({"aligner": {"borders": len(borders), "unit": GRID_RATE / slope}} if slope else {})


def judge_first_words(cases, pairs):
    """Where file and aligner put the first word's start more than DISPUTED apart: whom does the level of the sound agree with?

    Where the stretch between the two is quiet, the one that begins there is wrong, else the one that lets it go by. Quiet: its
    median level lies in the lower half between the 10th and 90th percentile of the clip's.

    Returns:
        {"count", "aligner wrong", "file wrong", "ids" of those where the aligner is}.
    """
    verdicts, ids = Counter(), []
    for case in cases:
        if case.id not in pairs:
            continue
        given, mine = (tier[0].start for tier in pairs[case.id])
        if abs(given - mine) <= DISPUTED:
            continue
        level = speech_level(case.waveform, SAMPLE_RATE)
        between = level[round(min(given, mine) / HOP) : round(max(given, mine) / HOP)]
        quiet = np.median(between) < np.mean(np.percentile(level, (10, 90)))
        wrong = "aligner wrong" if quiet == (mine < given) else "file wrong"
        verdicts[wrong] += 1
        if wrong == "aligner wrong":
            ids.append(case.id)
    return {"count": verdicts.total(), **{key: verdicts[key] for key in ("aligner wrong", "file wrong")}, "ids": ids}

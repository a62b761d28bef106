"""The parts of the alignment benchmark: each takes cases and gives the figures of one question."""

from collections import Counter

import numpy as np

from benchmarks.alignment.material import false_texts, noisy_cases
from benchmarks.alignment.measure import (
    CLASS_OF,
    CLASSES,
    GROSS_MS,
    compare,
    score_separation,
    spread,
)
from benchmarks.alignment.run import align_cases, kind_of
from benchmarks.alignment.sound import against_sound

WORST = 8


def measure_synthesised(cases, aligner, jobs, ratios=(20, 10), seed=0):
    """Clean, with noise, and with false texts: {"clean", "20 dB", ..., "false texts"}, see `summarise` and `against_false`."""
    conditions = {"clean": cases} | {f"{ratio} dB": noisy_cases(cases, ratio, seed) for ratio in ratios}
    figures, outcomes = {}, {}
    for name, heard in conditions.items():
        outcomes[name] = align_cases(heard, aligner, jobs)
        figures[name] = summarise(cases, outcomes[name])
    figures["clean"]["sound"] = against_sound(cases, outcomes["clean"])
    wrong = align_cases(cases, aligner, jobs, false_texts(cases))
    return figures | {"false texts": against_false(outcomes["clean"], wrong)}


def summarise(cases, outcomes, tier="phones"):
    """Figures of one run over cases with a reference in `tier` ("phones" or "words").

    An alignment that the aligner marked as a poor fit counts among the errors too; "gross" are alignments passed on unmarked
    whose median error is larger than GROSS_MS.
    """
    silence = {} if tier == "phones" else {"silence": ""}
    errors = {
        case.id: compare(getattr(case, tier), getattr(outcomes[case.id].alignment, tier), **silence)
        for case in cases
        if outcomes[case.id].alignment is not None
    }
    gross = [name for name, one in errors.items() if not one.median_ms <= GROSS_MS]
    figures = _failures(cases, outcomes) | {
        "gross": [name for name in gross if not outcomes[name].marked],
        "gross_marked": [name for name in gross if outcomes[name].marked],
        **_borders(errors.values()),
        "groups": {
            group: {
                **_failures([case for case in cases if case.group == group], outcomes),
                **_borders([errors[case.id] for case in cases if case.group == group and case.id in errors]),
            }
            for group in dict.fromkeys(case.group for case in cases)
        },
        "worst": _worst(errors, outcomes),
    }
    if tier == "phones":
        figures |= _by_label(errors.values())
    return figures


def _failures(cases, outcomes):
    """How many failed and why, and how many were marked."""
    failed = [case for case in cases if outcomes[case.id].alignment is None]
    reasons = Counter(kind_of(outcomes[case.id].reason, (case.id,)) for case in failed)
    return {
        "utterances": len(cases),
        "failed": len(failed),
        "failed_ids": [case.id for case in failed],
        "reasons": dict(reasons.most_common()),
        "marked": sum(outcomes[case.id].marked for case in cases),
    }


def _borders(errors):
    errors = list(errors)
    return {
        "starts": spread(value for one in errors for _, value in one.starts),
        "ends": spread(value for one in errors for _, value in one.ends),
        "silence_starts": spread(start for one in errors for start, _ in one.silences),
        "paired": sum(one.paired for one in errors),
        "differing": sum(one.differing for one in errors),
        "extra": sum(one.extra for one in errors),
        "missed_silences": sum(one.missed_silences for one in errors),
        "extra_silences": sum(one.extra_silences for one in errors),
    }


def _by_label(errors):
    starts = [pair for one in errors for pair in one.starts]
    return {
        "classes": {name: spread(value for label, value in starts if CLASS_OF[label] == name) for name in CLASSES},
        "labels": {
            label: spread(value for other, value in starts if other == label)
            for label in sorted({label for label, _ in starts})
        },
    }


def _worst(errors, outcomes):
    order = sorted(errors, key=lambda name: -np.nan_to_num(errors[name].median_ms, nan=np.inf))
    return [
        {
            "id": name,
            "median_ms": errors[name].median_ms,
            "score": outcomes[name].alignment.score,
            "marked": outcomes[name].marked,
        }
        for name in order[:WORST]
    ]


def against_false(right, wrong):
    """How well false transcripts are told from right ones.

    Args:
        right, wrong: {id: Outcome} of the same sounds with their own and with another's text.
    """
    refused = sum(one.alignment is None for one in wrong.values())
    marked = sum(one.marked for one in wrong.values())
    scores = [
        [one.alignment.score for one in side.values() if one.alignment is not None and one.alignment.score is not None]
        for side in (right, wrong)
    ]
    return {
        "utterances": len(wrong),
        "refused": refused,
        "marked": marked,
        "caught": (refused + marked) / len(wrong),
        "passed": [name for name, one in wrong.items() if one.alignment is not None and not one.marked],
        "right_marked": sum(one.marked for one in right.values()) / len(right),
        "right_refused": sum(one.alignment is None for one in right.values()) / len(right),
        "separation": score_separation(*scores),
        "scores": {
            name: [float(value) for value in np.percentile(side, (0, 1, 5, 50, 95, 99, 100))] if side else None
            for name, side in zip(("right", "wrong"), scores, strict=True)
        },
    }


def measure_speech(cases, aligner, jobs):
    """Labelled recordings of people, file by file: {"phones": figures, "words": figures, "unlabelled": {id: "" or reason}}."""
    outcomes = align_cases(cases, aligner, jobs)
    figures = {}
    for tier in ("phones", "words"):
        labelled = [case for case in cases if getattr(case, tier)]
        if labelled:
            figures[tier] = summarise(labelled, outcomes, tier)
        if labelled and tier == "phones":
            figures[tier]["sound"] = against_sound(labelled, outcomes)
    bare = [case.id for case in cases if not case.phones and not case.words]
    return figures | {"unlabelled": {name: outcomes[name].reason for name in bare}}

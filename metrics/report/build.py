"""The report of one evaluation: means over videos with their intervals, as a dict ready for JSON."""

import math
from collections import defaultdict
from dataclasses import asdict
from fractions import Fraction
from numbers import Integral, Real

import numpy as np

from metrics.formulas.bootstrap import LEVEL, RESAMPLES, SEED, interval, paired_difference
from metrics.report.trust import taught_with_classifier, trust_of
from metrics.rows import COPY, FRECHET, PROTOCOLS, REAL, Row

FORMAT = "talkingface-evaluation-2"
OVER_FITTED = "over-fitted"
DEFINITIONS = {
    "crop": "aligned face crop of the real video, applied to both; mouth crop: its rows S/2 to S, columns S/4 to 3S/4",
    "ssim": "Wang et al. 2004, RGB channel mean, Gaussian window 11x11 sigma 1.5, population covariance, data range 255",
    "psnr": "dB, peak 255, over RGB; mean of frames; equal crops count as 100 dB",
    "action_units": "units of the generated against those of the real video; geometry: five distances of landmarks against the "
                    "real video's neutral face, no FACS coding",
    "frames": "frames without a detected face in one of the videos compared, or that only the longer has, are left out",
    "copy": "no motion: the first frame of the real video that has a face, held; compared on the other frames",
    "average": "each video counts once; undefined values are left out",
    "interval": f"{LEVEL:.0%} percentile bootstrap of the mean over videos, {RESAMPLES} resamples, seed {SEED}",
    "leakage": "unpaired minus paired, the videos of one face averaged first, over the faces that have both; paired bootstrap",
    "over_fitted": "a generated row's mean of a sync expert's measure that is better than the real video's",
}


def build_report(columns, videos, failed, frechet, protocol, *, systems):
    """Put everything into one dict, ready for JSON.

    Args:
        columns: tuple of metrics.rows.Column.
        videos: list of video records: {"name", "face", "row": Row, "path", "real", "values": {key: float or None},
            "curve": [31 floats] or None, "frames", "fps", "precision", "taught", "weights", "notes"}.
        failed: list of {"name", "face", "row": Row, "path", "reason"}.
        frechet: {Row: {"value": float or None, "samples": int, "reason": str or None}}.
        protocol: dict of what was chosen; may hold dicts. `DEFINITIONS` are added to it.
        systems: names of the systems, in the order of the table.

    Returns:
        {"format", "protocol", "columns", "rows", "trust" and "taught_with_au_classifier" (metrics.report.trust), "leakage",
        "videos", "failed", "frechet"}. A row is {"row", "label", "videos", "failed", "cells"}, a cell {"mean", "median", "low",
        "high", "videos", "flag"}, and that of the Frechet distance has "samples" and "reason" besides. A value that is not
        finite counts as undefined and becomes None.

    Raises:
        ValueError: a row of a system that `systems` lacks.
    """
    videos, failed = _plain(list(videos)), _plain(list(failed))
    by_row, failures = defaultdict(list), defaultdict(int)
    for video in videos:
        by_row[Row.from_dict(video["row"])].append(video)
    for one in failed:
        failures[Row.from_dict(one["row"])] += 1
    order = [REAL, COPY, *(Row("generated", system, protocol) for system in systems for protocol in PROTOCOLS)]
    unknown = ({*by_row, *failures, *frechet}) - set(order)
    if unknown:
        raise ValueError(f"rows of no known system: {sorted(row.label for row in unknown)}")
    rows = []
    for row in (row for row in order if row in by_row or row in failures or row in frechet):
        cells = {column.key: _cell(column, by_row[row], frechet.get(row)) for column in columns}
        rows.append({"row": row.as_dict(), "label": row.label, "videos": len(by_row[row]), "failed": failures[row],
                     "cells": cells})
    _flag_over_fitted(columns, rows)
    return {
        "format": FORMAT,
        "protocol": {**DEFINITIONS, **_plain(protocol)},
        "columns": [asdict(column) for column in columns],
        "rows": rows,
        "trust": trust_of(videos, _plain(protocol), systems),
        "taught_with_au_classifier": taught_with_classifier(videos, _plain(protocol), systems),
        "leakage": [entry for system in systems for entry in _leakage(system, columns, by_row, frechet)],
        "videos": videos,
        "failed": failed,
        "frechet": [{"row": row.as_dict(), **_plain(frechet[row])} for row in order if row in frechet],
    }


def _plain(value):
    """The same of types that JSON has; numbers that are not finite become None."""
    if isinstance(value, Row):
        return value.as_dict()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and not isinstance(value, Fraction):
        return float(value) if math.isfinite(value) else None
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")  # a file name need not be UTF-8


def _cell(column, videos, distance):
    if column.key == FRECHET:
        distance = _plain(distance or {"value": None, "samples": 0, "reason": None})
        return {"mean": distance["value"], "median": None, "low": None, "high": None, "videos": None, "flag": None,
                "samples": distance["samples"], "reason": distance["reason"]}
    values = [video["values"].get(column.key) for video in videos]
    values = [value for value in values if value is not None]
    mean, median = (float(np.mean(values)), float(np.median(values))) if values else (None, None)
    low, high = interval(values)
    return {"mean": mean, "median": median, "low": low, "high": high, "videos": len(values), "flag": None}


def _flag_over_fitted(columns, rows):
    """Mark, in place, what a sync expert likes better than the real video."""
    real = next((row["cells"] for row in rows if row["row"]["kind"] == "real"), None)
    if real is None:
        return
    for column in (column for column in columns if column.expert):
        truth, sign = real[column.key]["mean"], 1 if column.better == "high" else -1
        for row in (row for row in rows if row["row"]["kind"] == "generated"):
            cell = row["cells"][column.key]
            if truth is not None and cell["mean"] is not None and sign * (cell["mean"] - truth) > 0:
                cell["flag"] = OVER_FITTED


def _leakage(system, columns, by_row, frechet):
    """What one system's measures become when the sound is not the video's own: a list of one entry a column."""
    paired, unpaired = (Row("generated", system, protocol) for protocol in PROTOCOLS)
    entries = []
    for column in (column for column in columns if not column.paired_only):
        if column.key == FRECHET:
            first, second = (frechet.get(row, {"value": None})["value"] for row in (paired, unpaired))
            change = None if first is None or second is None else float(second - first)
            entry = {"difference": change, "low": None, "high": None, "faces": None, "p": None}
        else:
            entry = paired_difference(*(_by_face(by_row[row], column.key) for row in (paired, unpaired)))
            entry["faces"] = entry.pop("videos")
        if entry["difference"] is not None:
            entries.append({"system": system, "column": column.key, **entry})
    return entries


def _by_face(videos, key):
    """{face: mean over its videos}, for the faces that have the value."""
    values = defaultdict(list)
    for video in videos:
        if video["values"].get(key) is not None:
            values[video["face"]].append(video["values"][key])
    return {face: float(np.mean(one)) for face, one in values.items()}

"""The figures of all methods, brought together: by group of clips, way of driving and seed."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.compare_methods.clips import GROUPS
from benchmarks.seeds import Figures
from common.errors import InputError
from metrics.formulas.bootstrap import paired_difference

COLUMNS = {  # key: (head, digits, better, opinion of a judge of sync)
    "sync_distance": ("D", 3, "low", True),
    "sync_confidence": ("C", 3, "high", True),
    "sync_offset": ("AV offset", 2, "zero", False),
    "expert_distance": ("D (pixels)", 3, "low", True),
    "expert_confidence": ("C (pixels)", 3, "high", True),
    "frechet": ("FD", 3, "low", False),
    "ssim_mouth": ("SSIM mouth", 3, "high", False),
    "psnr_mouth": ("PSNR mouth", 2, "high", False),
    "lmd_normalised": ("LMD", 4, "low", False),
    "mouth_correlation": ("mouth r", 3, "high", False),
    "mouth_range": ("mouth range", 2, "one", False),
    "sharpness": ("sharpness", 2, "one", False),
    "identity_cosine": ("identity", 3, "high", False),
    "jitter": ("jitter", 2, "one", False),
    "jitter_mouth": ("jitter mouth", 2, "one", False),
    "yaw_error": ("yaw error", 2, "low", False),
    "pitch_error": ("pitch error", 2, "low", False),
    "au_f1_geometry": ("AU F1", 3, "high", False),
    "words_read": ("words read", 3, "high", False),
    "open_in_silence": ("open in silence", 3, "none", False),
    "mouth_movement": ("movement", 2, "none", False),
    "own_mouth": ("own mouth r", 3, "none", False),
}
REAL, STILL = "real", "no motion"


@dataclass(frozen=True)
class Found:
    """Everything that was measured.

    Attributes:
        methods: {key: {(group, way): Figures}}; the keys "real" and "no motion" have one way, "own", and the seed 0.
        seconds, parameters: {key: float}, seconds a frame with own sound (median), millions.
        failed: list of sentences.
        labels: {key of a column: its name in the table, with that of the judge}.
    """

    methods: dict
    seconds: dict
    parameters: dict
    failed: list
    labels: dict


def read(folder, keys):
    """Found in a folder of figures: real.json and KEY-SEED.json, and those of a second judge in second/.

    Raises:
        InputError: no method has been measured.
    """
    folder = Path(folder)
    stored = {}
    for key in keys:
        paths = {int(path.stem.rsplit("-", 1)[1]): path for path in sorted(folder.glob(f"{key}-[0-9]*.json"))}
        stored |= {key: {seed: _load(path) for seed, path in paths.items()}} if paths else {}
    if not stored:
        raise InputError(f"{folder}: no figures yet; run  python -m benchmarks.compare_methods")
    real = _load(folder / "real.json") if (folder / "real.json").is_file() else {"clips": [], "frechet": {}, "failed": []}
    sharp = {(one["clip"], "real"): one["values"].get("sharpness") for one in real["clips"] if one["way"] == REAL}
    ids = {group: sorted({one["clip"] for one in real["clips"] if one["group"] == group}
                         or {one["clip"] for runs in stored.values() for run in runs.values() for one in run["clips"]
                             if one["group"] == group}) for group in GROUPS}  # fmt: skip
    methods, seconds, parameters, failed = {}, {}, {}, list(real["failed"])
    for way in (REAL, STILL):
        methods[way] = {(group, "own"): _figures({0: real}, group, way, ids[group], sharp) for group in GROUPS if ids[group]}
    for key, runs in stored.items():
        ways = {one["way"] for run in runs.values() for one in run["clips"]}
        methods[key] = {
            (group, way): _figures(runs, group, way, ids[group], sharp) for group in GROUPS for way in ways if ids[group]
        }
        taken = [value for run in runs.values() for value in run.get("seconds", {}).get("own", {}).values()]
        seconds[key] = float(np.median(taken)) if taken else None
        parameters[key] = next(iter(runs.values())).get("parameters")
        failed += [f"{key}, seed {seed}: {reason}" for seed, run in runs.items() for reason in run["failed"]]
    said = real.get("labels", {})
    return Found(methods, seconds, parameters, failed, {key: said.get(key, head) for key, (head, *_) in COLUMNS.items()})


def _load(path):
    """Figures of a file; those of the second judge are laid beside the others, for real and own-sound videos."""
    found, second = json.loads(path.read_text(encoding="utf-8")), path.parent / "second" / path.name
    if second.is_file():
        more = json.loads(second.read_text(encoding="utf-8"))
        for one in found["clips"]:
            if one["way"] in ("own", REAL):
                one["values"] |= more.get(one["clip"], {})
    return found


def _figures(runs, group, way, ids, sharp):
    seeds = tuple(sorted(runs))
    values = {key: np.full((len(seeds), len(ids)), np.nan) for key in COLUMNS}
    for at, seed in enumerate(seeds):
        for one in runs[seed]["clips"]:
            if one["group"] != group or one["way"] != way or one["clip"] not in ids:
                continue
            found = dict(one["values"])
            reference = sharp.get((one["clip"], "real"))
            found["sharpness"] = found["sharpness"] / reference if reference and found.get("sharpness") is not None else None
            for key in COLUMNS:
                if found.get(key) is not None:
                    values[key][at, ids.index(one["clip"])] = found[key]
        distance = runs[seed]["frechet"].get(group, {}).get(way)
        values["frechet"][at] = np.nan if distance is None else distance
    return Figures(values, seeds)


def disagreements(found, names, group, keys):
    """Where two judges order two methods differently, each of them beyond chance.

    Args:
        found: Found; names: {key: name in the table}; group: of GROUPS.
        keys: of the judges' columns, all "high".

    Returns:
        list of sentences.
    """
    orders, told = {}, []
    for key in keys:
        for a in names:
            for b in names:
                if a < b and (sign := _sign(found.methods, a, b, group, key)):
                    orders.setdefault((a, b), {})[key] = sign
    for (a, b), signs in orders.items():
        if len(set(signs.values())) > 1:
            says = ", ".join(f"{found.labels[key]}: {names[b if sign > 0 else a]}" for key, sign in signs.items())
            told.append(f"{names[a]} or {names[b]}? The better one by {says}")
    return told


def _sign(methods, a, b, group, key):
    """1 where b is better than a beyond chance over clips, -1 where a is; else 0."""
    values = [methods[one].get((group, "own")) for one in (a, b)]
    if None in values:
        return 0
    found = paired_difference(*(one.by_clip(key) for one in values))
    if found["low"] is None or found["low"] <= 0 <= found["high"]:
        return 0
    return 1 if found["low"] > 0 else -1

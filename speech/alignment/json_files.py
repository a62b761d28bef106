"""Alignments as JSON: everything that an Alignment holds, for people and programs.

Schema, version 1 (times in seconds; every list gap-free from 0 to `seconds`):

    {
      "format": "talking-faces alignment",
      "version": 1,
      "seconds": 2.98,
      "source": "pocketsphinx",             as Alignment.source
      "score": -3.1,                        or null
      "unknown": ["word", ...],
      "notes": ["sentence", ...],
      "words": [{"start": 0.0, "end": 0.5, "label": ""}, ...],                        [] where no words are known
      "phones": [{"start": 0.0, "end": 0.5, "label": "SIL"}, {..., "label": "AH", "stress": 0}, ...]
    }

For reading as a given alignment, "words" or "phones" alone is enough.
"""

import json

from common.errors import InputError
from common.files import atomic_output
from speech.alignment.interval_files import Row, number
from speech.alignment.intervals import Alignment, Interval
from speech.text.files import read_text

FORMAT = "talking-faces alignment"
VERSION = 1


def write_json(alignment, path):
    """Write an Alignment; one interval a line. The file appears whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    head = {
        "format": FORMAT,
        "version": VERSION,
        "seconds": alignment.seconds,
        "source": alignment.source,
        "score": alignment.score,
        "unknown": list(alignment.unknown),
        "notes": list(alignment.notes),
    }
    parts = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]
    for name in ("words", "phones"):
        lines = [f"    {json.dumps(_as_dict(one), ensure_ascii=False)}" for one in getattr(alignment, name)]
        parts.append(f'  "{name}": [\n' + ",\n".join(lines) + "\n  ]" if lines else f'  "{name}": []')
    with atomic_output(path) as temporary:
        temporary.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _as_dict(one):
    fields = {"start": one.start, "end": one.end, "label": one.label}
    return fields if one.stress is None else {**fields, "stress": one.stress}


def read_json(path):
    """The Alignment that `write_json` wrote, unchanged.

    Raises:
        InputError: no file of this format, or an alignment with gaps, overlaps or unknown phones.
    """
    data = load_object(read_text(path, "alignment"), path)
    if data.get("format") != FORMAT:
        raise InputError(f'{path}: is not of the format "{FORMAT}"')
    tiers = {name: tuple(Interval(*one) for one in _intervals(data, name, path)) for name in ("words", "phones")}
    score = data.get("score")
    unknown, notes = (_strings(data, name, path) for name in ("unknown", "notes"))
    try:
        return Alignment(
            **tiers,
            seconds=number(data.get("seconds"), path, '"seconds"'),
            source=str(data.get("source", "given")),
            score=None if score is None else number(score, path, '"score"'),
            unknown=unknown,
            notes=notes,
        )
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def load_object(text, path):
    """JSON object of a text; InputError where there is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: no JSON that can be read ({str(error)[:80]})") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: holds no JSON object")
    if data.get("format") == FORMAT and data.get("version") != VERSION:
        raise InputError(f"{path}: version {str(data.get('version'))[:20]} of the format; this program reads version {VERSION}")
    return data


def parse_rows(data, path):
    """{"words": rows, "phones": rows} of an object of this format; a tier that is absent or empty is left out.

    A stress is put behind its phone again ("AH0").
    """
    tiers = {}
    for name in ("words", "phones"):
        rows = [
            Row(start, end, label if stress is None else f"{label}{stress}", f'"{name}", entry {place}')
            for place, (start, end, label, stress) in enumerate(_intervals(data, name, path), 1)
        ]
        if rows:
            tiers[name] = rows
    if not tiers:
        raise InputError(f'{path}: has neither "words" nor "phones"; see speech/alignment/json_files.py for the format')
    return tiers


def _intervals(data, name, path):
    entries = data.get(name, [])
    if not isinstance(entries, list):
        raise InputError(f'{path}: "{name}" is no list')
    for place, entry in enumerate(entries, 1):
        where = f'"{name}", entry {place}'
        if not isinstance(entry, dict) or not isinstance(entry.get("label"), str):
            raise InputError(f"{path}: {where}: expected start, end and label")
        stress = entry.get("stress")
        if stress not in (None, 0, 1, 2) or isinstance(stress, bool | float):
            raise InputError(f"{path}: {where}: a stress is 0, 1 or 2, not {str(stress)[:20]}")
        yield number(entry.get("start"), path, where), number(entry.get("end"), path, where), entry["label"], stress


def _strings(data, name, path):
    values = data.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError(f'{path}: "{name}" is no list of strings')
    return tuple(values)

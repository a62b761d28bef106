"""How a corpus came out: clips kept, and clips left out by reason; for people to read and as report.json."""

import json
import re
from collections import Counter

from common.files import atomic_output
from common.terminal import span
from datasets.prepared import read_manifest


def reason_kind(text, source=""):
    """A reason less what differs from clip to clip: "a.mp4: a face in 40% of the frames only" -> "a face in N% of ...".

    Args:
        text: of a manifest row's `error` or `phones_error`.
        source: name of the clip's file; the path that ends with it, and begins the reason, is left out.
    """
    found = text.find(f"{source}: ") if source else -1
    if found >= 0:
        text = text[found + len(source) + 2 :]
    text = re.sub(r"^\S*[/\\]\S+: ", "", text)  # another file
    return re.sub(r"(?<![A-Za-z])(?<![A-Za-z]-)-?\d+(\.\d+)?", "N", re.sub(r"'[^']*'", "...", text))


def count_clips(rows):
    """Counts of manifest rows.

    Args:
        rows: iterable of datasets.prepared.ClipRow.

    Returns:
        dict: `clips`, `kept`, `left_out` (numbers of clips); `hours` kept; `splits` {name: kept clips}; `reasons` {reason:
        clips left out}, `covered` (frames left out of kept clips because something covers the mouth), `notes` {what was changed
        in the pictures: kept clips}, `phones` {source: kept clips} and `phones_missing` {reason: kept clips}, the most frequent
        first; `side` {kind of side files: what `count_side` gives of the kept clips}.
    """
    rows = list(rows)
    kept = [row for row in rows if not row.error]
    return {
        "clips": len(rows),
        "kept": len(kept),
        "left_out": len(rows) - len(kept),
        "hours": round(sum(row.seconds for row in kept) / 3600, 4),
        "splits": dict(sorted(Counter(row.split for row in kept).items())),
        "reasons": _counts(reason_kind(row.error, row.source) for row in rows if row.error),
        "covered": sum(row.covered for row in kept),
        "notes": _counts(note for row in kept for note in row.notes),
        "phones": _counts(row.phones for row in kept if row.phones),
        "phones_missing": _counts(reason_kind(row.phones_error) or "not aligned yet" for row in kept if not row.phones),
        "side": {name: count_side(name, kept) for name in sorted({name for row in kept for name in row.side})},
    }


def count_side(name, rows):
    """{"from": {origin: clips}, "missing": {reason: clips}} of one kind of side files of good rows, the most frequent first."""
    entries = [row.side.get(name, {}) for row in rows]
    return {
        "from": _counts(entry["from"] for entry in entries if "from" in entry),
        "missing": _counts(reason_kind(entry.get("error", "not made yet")) for entry in entries if "from" not in entry),
    }


def _counts(names):
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def write_report(folder):
    """Write `report.json` of a prepared corpus.

    Args:
        folder: Path.

    Returns:
        list of lines that say the same.
    """
    counts = count_clips(read_manifest(folder).values())
    with atomic_output(folder / "report.json") as path:
        path.write_text(json.dumps(counts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    splits = ", ".join(f"{name} {count}" for name, count in counts["splits"].items())
    kept = f"{counts['kept']} clips ({splits})" if splits else "0 clips"
    lines = [f"{folder}: {kept}, {span(3600 * counts['hours'])}; {counts['left_out']} failed"]
    if counts["covered"]:
        lines.append(f"  {counts['covered']} frames left out of kept clips: something covers the mouth")
    lines += [f"  {count} x {reason}" for reason, count in counts["reasons"].items()]
    return lines + [f"  {count} x changed: {note}" for note, count in counts["notes"].items()]

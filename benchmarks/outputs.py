"""What a benchmark leaves behind."""

import json
from pathlib import Path

from common.files import atomic_output


def write_outputs(out, figures, table):
    """Write OUT.json and OUT.md.

    Args:
        out: path without suffix; a dot in its name stays.
        figures: what JSON can hold.
        table: text.
    """
    out = Path(out)
    for suffix, text in ((".json", json.dumps(figures, indent=1)), (".md", table)):
        with atomic_output(out.with_name(out.name + suffix)) as path:
            path.write_text(text + "\n", encoding="utf-8")


def finite(value):
    """The same structure with None for NaN."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and value != value else value

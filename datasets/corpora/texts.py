"""Transcripts as the corpora write them; text with bytes that are not UTF-8 is read with these replaced."""

import re
from pathlib import Path

_TIMES = re.compile(r"\s*\d+\s+\d+\s+", re.ASCII)


def read_words(path):
    """Words of a text file with white space made single; "" where there is no such file."""
    return " ".join(_read(path).split())


def read_lrs(path):
    """(words of the line `Text:`, the path itself where it has the table of word times, else None) of an LRS2 text.

    "" where there is no such line or file.
    """
    lines = _read(path).splitlines()
    words = next((" ".join(line[len("Text:") :].split()) for line in lines if line.startswith("Text:")), "")
    return words, path if any(line.split()[:3] == ["WORD", "START", "END"] for line in lines) else None


def read_timit(path):
    """Words of a TIMIT text, whose line may begin with the first and the last sample: "0 46797 She had your dark suit"."""
    return " ".join(" ".join(_TIMES.sub("", line, count=1).split()) for line in _read(path).splitlines()).strip()


def _read(path):
    path = Path(path)
    return path.read_text(encoding="utf-8-sig", errors="replace") if path.is_file() else ""

"""Transcripts as the corpora write them. A file that is no text leaves its clip without a transcript, and a warning says so."""

import logging
import re
from pathlib import Path

from common.errors import InputError
from speech.alignment.given import read_transcript
from speech.text.files import read_text

_TIMES = re.compile(r"\s*\d+\s+\d+\s+", re.ASCII)
_LOG = logging.getLogger(__name__)


def read_words_and_times(path):
    """(words, the path itself where it is an LRS2 text with word times, else None) of a text or subtitle file.

    The words are those of `speech.alignment.given.read_transcript`; "" where there is no such file.
    """
    words = _known(read_transcript, path)
    return words, path if words and _has_word_times(_text(path)) else None


def read_lrs(path):
    """(words of the line `Text:`, the path itself where it has the table of word times, else None) of an LRS2 text.

    "" where there is no such line or file.
    """
    text = _known(_text, path)
    words = next((" ".join(line[len("Text:") :].split()) for line in text.split("\n") if line.startswith("Text:")), "")
    return words, path if _has_word_times(text) else None


def read_timit(path):
    """Words of a TIMIT text, whose line may begin with the first and the last sample: "0 46797 She had your dark suit"."""
    lines = _known(_text, path).split("\n")
    return " ".join(" ".join(_TIMES.sub("", line, count=1).split()) for line in lines).strip()


def _text(path):
    return read_text(path, "transcript")


def _has_word_times(text):
    """Whether a text has the table of word times of LRS2's pretrain."""
    return any(line.split()[:3] == ["WORD", "START", "END"] for line in text.split("\n"))


def _known(read, path):
    """What `read` gives of a file; "" where there is none, where it is empty, or, with a warning, where it cannot be read."""
    path = Path(path)
    try:
        return read(path) if path.is_file() and path.stat().st_size else ""
    except InputError as error:
        _LOG.warning("%s; its clip goes without a transcript", error)
        return ""

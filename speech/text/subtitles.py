"""Subtitle files as transcripts: SubRip (.srt), WebVTT (.vtt), SubStation Alpha (.ass, .ssa) and YouTube's .sbv."""

import html
import re

_CLOCK = r"(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}"
_ARROW = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}")
_SBV = re.compile(r"\s*\d+:\d{2}:\d{2}\.\d{3},\d+:\d{2}:\d{2}\.\d{3}\s*")
_INNER_TIME = re.compile(rf"<{_CLOCK}>")
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]*>|<\d[\d:.,]*>|\{\\[^{}]*\}")
_SPEAKER = re.compile(r"^\s*(?:>>+|[-\u2013\u2014])?\s*(?:[A-Z][A-Z0-9 .'-]*:(?=\s))?")  # "- ", ">> ", "ANNA: "
_DESCRIPTION = re.compile(r"^\s*(?:\([^()]*\)|\u266a+)\s*$")  # a line in brackets alone, or notes of music
_ASS_FIELDS = 10  # of a line `Dialogue:`, the text last, where no line `Format:` says otherwise


def is_subtitles(text):
    """Whether a text is a subtitle file of a known kind; told by its first lines, whatever its suffix is."""
    head = text.lstrip().split("\n", 40)[:40]
    if not head[0]:
        return False
    return head[0].startswith(("WEBVTT", "[Script Info]")) or bool(_SBV.fullmatch(head[0])) or any(map(_ARROW.match, head[:3]))


def subtitle_words(text):
    """What is said in a subtitle file: the lines of its cues without times, numbers, tags, speakers' names and notes.

    Lines that rolling captions repeat from the cue before count once.

    Args:
        text: contents of the file, lines ended by "\\n".

    Returns:
        str, words apart by single spaces; "" where nothing is said.
    """
    if text.lstrip().startswith("[Script Info]"):
        cues = _ass_cues(text)
    else:
        cues = _cues(text)
    rolling, said, before = _INNER_TIME.search(text) is not None, [], []
    for lines in cues:
        lines = [line for line in map(_plain, lines) if line]
        said += [line for line in lines if not (rolling and line in before)]
        before = lines
    return " ".join(" ".join(said).split())


def _cues(text):
    """Lists of lines of .srt, .vtt and .sbv: what follows a line of times, up to an empty line."""
    cues, inside = [], False
    lines = text.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if _ARROW.match(line) or _SBV.fullmatch(line):
            cues.append([])
            inside = True
        elif not line.strip():
            inside = False  # the blocks of WebVTT (NOTE, STYLE, REGION) stand behind an empty line, outside any cue
        elif inside and not (line.strip().isdigit() and _ARROW.match(following)):  # a number without an empty line before it
            cues[-1].append(line)
    return cues


def _ass_cues(text):
    """Lists of lines of .ass and .ssa, in the order of their times."""
    cues, fields = [], None
    for line in text.split("\n"):
        kind, _, rest = line.partition(":")
        if kind.strip() == "Format":
            fields = [name.strip().lower() for name in rest.split(",")]  # that of [Events] comes last
        elif kind.strip() == "Dialogue":
            count = len(fields) if fields and fields[-1] == "text" else _ASS_FIELDS
            parts = rest.split(",", count - 1)
            if len(parts) == count:
                cues.append((_seconds(parts[1]), len(cues), re.split(r"\\[Nn]|\\h", parts[-1])))
    return [lines for _, _, lines in sorted(cues)]


def _seconds(clock):
    return sum(float(part) * 60**place for place, part in enumerate(reversed(re.findall(r"\d+(?:\.\d+)?", clock))))


def _plain(line):
    line = html.unescape(_TAG.sub("", line))
    line = "" if _DESCRIPTION.match(line) else _SPEAKER.sub("", line)
    return " ".join(line.replace("\u266a", " ").split())

"""Ids of clips: which texts are ids, since an id is also the path of a clip's files below the corpus's folder."""

from pathlib import PureWindowsPath

from common.errors import InputError


def why_no_id(text):
    """Why a text is no id of a clip, to go on from "it"; "" where it is one.

    An id is a relative path with forward slashes: no part is empty, `.` or `..`; no backslash, NUL or drive letter; UTF-8.
    """
    if not isinstance(text, str) or not text:
        return "is no text, or empty"
    if "\0" in text or "\\" in text:
        return "holds a backslash or a NUL"
    if text.startswith("/") or PureWindowsPath(text).drive:
        return "is an absolute path"
    if any(part in ("", ".", "..") for part in text.split("/")):
        return "has a part that is empty, . or .."
    return "" if is_utf8(text) else "is not UTF-8"


def check_id(text):
    """Return an id; InputError for a text that would lead out of the corpus's folder, or cannot be stored."""
    if why := why_no_id(text):
        raise InputError(f"{printable(str(text))!r}: no id of a clip, it {why}")
    return text


def is_utf8(text):
    """Whether a text can be stored as UTF-8; the name of a file whose bytes are not UTF-8 cannot."""
    return not any(map(_is_surrogate, text))


def printable(text):
    """A text that can be printed and stored: bytes of a file's name that are not UTF-8 become such as `\\xe9`."""
    return "".join(f"\\x{_byte(char):02x}" if _is_surrogate(char) else char for char in text)


def escaped_id(text):
    """An id that stands for a text that is none, so that the manifest can say why: what does not fit becomes such as `%E9`."""
    return "/".join(_escaped_part(part) for part in text.split("/"))


def _escaped_part(part):
    if part in ("", ".", ".."):
        return "%2E" * len(part) or "%"
    unfit = {char for char in part if char in "\\\0%:" or _is_surrogate(char)}
    return "".join(f"%{_byte(char):02X}" if char in unfit else char for char in part)


def _is_surrogate(char):
    """Python reads a byte of a file's name that is not UTF-8 as a lone surrogate."""
    return 0xD800 <= ord(char) <= 0xDFFF


def _byte(char):
    return ord(char) & 0xFF

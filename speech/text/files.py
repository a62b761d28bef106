"""Text files in whatever encoding people have them."""

import codecs
import logging
import unicodedata

from common.errors import InputError
from common.files import require_file

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DOCUMENTS = ((b"{\\rtf", "an RTF document"), (b"%PDF", "a PDF"), (b"PK\x03\x04", "a Word document or another archive"))
_CONTROLS = "\t\n\v\f\r\x1a\x85"  # of these characters text may hold some; \x1a ended the files of DOS
_LOG = logging.getLogger(__name__)


def read_text(path, what):
    """Text of a file: UTF-8, UTF-16 and UTF-32 with a byte-order mark, UTF-8 and UTF-16 without, else Windows-1252 or Latin-1,
    which a warning says.

    Args:
        path: file.
        what: what it should be, for messages, such as "transcript".

    Returns:
        str without byte-order mark, lines ended by "\\n".

    Raises:
        InputError: no such file, an empty one, or one that is no text.
    """
    path = require_file(path, what)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    for head, document in _DOCUMENTS:
        if raw.startswith(head):
            raise InputError(f"{path}: is {document}; {what} must be plain text: save it as .txt in UTF-8")
    text, encoding = _decoded(raw)
    if text is None:
        raise InputError(f"{path}: is no text file; {what} must be one")
    if encoding in ("cp1252", "latin-1"):
        name = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}[encoding]
        _LOG.warning("%s: is not UTF-8; read as %s. Save it as UTF-8 if letters come out wrong", path, name)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(raw):
    """(text, encoding) of bytes; (None, "") where they are no text."""
    marked = [encoding for mark, encoding in _MARKS if raw.startswith(mark)]
    encodings = marked or ["utf-8", *_orders(raw), "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _is_text(text):
            return text, encoding
    return None, ""


def _orders(raw):
    """UTF-16 without a mark: the order in which the high bytes, of which a script has few, come where they would."""
    kinds = [len(set(raw[place::2])) for place in (0, 1)]
    few = 0 in raw or (len(raw) >= 12 and 3 * min(kinds) <= max(kinds))
    return (["utf-16-be"] if kinds[0] < kinds[1] else ["utf-16-le"]) if few and len(raw) % 2 == 0 else []


def _is_text(text):
    return not any(
        category[0] == "C" and category != "Cf" and character not in _CONTROLS
        for character in set(text)
        if (category := unicodedata.category(character))
    )

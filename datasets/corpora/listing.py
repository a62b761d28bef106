"""All clips of a corpus, whichever it is."""

from dataclasses import replace
from pathlib import Path

from common.errors import InputError
from datasets.clip_ids import escaped_id, is_utf8, printable, why_no_id
from datasets.corpora import au, davs, folder, grid, lrs2, lrw, tcd_timit
from datasets.corpora.clips import folders_in
from datasets.corpora.layout import describe

_READERS = {
    "grid": (grid.list_grid, grid.LAYOUT),
    "lrs2": (lrs2.list_lrs2, lrs2.LAYOUT),
    "lrw": (lrw.list_lrw, lrw.LAYOUT),
    "tcd_timit": (tcd_timit.list_tcd_timit, tcd_timit.LAYOUT),
    "davs": (davs.list_davs, davs.LAYOUT),
    "au": (au.list_au, au.LAYOUT),
    "folder": (folder.list_folder, folder.LAYOUT),
}
# Where a folder fits several, the first is meant: a plain folder is everything.
_FITS = {
    "davs": davs.fits_davs,
    "au": au.fits_au,
    "tcd_timit": tcd_timit.fits_tcd_timit,
    "grid": grid.fits_grid,
    "lrw": lrw.fits_lrw,
    "lrs2": lrs2.fits_lrs2,
    "folder": folder.fits_folder,
}
CORPORA = tuple(_READERS)


def list_clips(corpus, root):
    """All clips of a corpus, sorted by id. No video is opened. docs/corpora.md has the layouts in full.

    Args:
        corpus: "grid", "lrs2", "lrw", "tcd_timit", "davs", "au", or "folder" (any videos below the root).
        root: folder.

    Returns:
        list of ClipSource, at least one, no two with the same id.

    Raises:
        InputError: no such folder, an unknown corpus, no video where the corpus has them (the message says what is there
            instead, and which corpus it looks like), or a malformed list of LRS2; the root's name is not UTF-8.
    """
    root = Path(root)
    if not is_utf8(str(root)):
        raise InputError(f"{printable(str(root))}: the folder's name is not UTF-8, which videos are opened by; rename it")
    if corpus not in _READERS:
        raise InputError(f"--corpus {corpus}: unknown; choose one of {', '.join(CORPORA)}")
    if not root.is_dir():
        raise InputError(f"{root}: no such folder (root of the {corpus} corpus)")
    reader, layout = _READERS[corpus]
    try:
        clips = [] if corpus == "lrs2" and _looks_like(root) not in ("lrs2", "folder", None) else reader(root)
        if not clips:
            raise InputError(_misfit(corpus, root, layout))
    except OSError as error:
        raise InputError(f"{error.filename or root}: cannot be read ({error.strerror})") from error
    taken = {clip.id for clip in clips}
    return sorted((_named(clip, taken) for clip in clips), key=lambda clip: clip.id)


def _named(clip, taken):
    """A clip as it is; or, where its names cannot be stored, with names that can, and the fault that keeps it out.

    Args:
        clip: ClipSource; taken: ids of all clips, which the new id joins.
    """
    why = why_no_id(clip.id)
    if not why and is_utf8(f"{clip.path}{clip.speaker}"):
        return clip
    if not is_utf8(f"{clip.path}"):
        fault = "the name of the file, or of a folder above it, is not UTF-8; rename it"
    else:
        fault = f"its name makes no id of a clip ({printable(clip.id)!r} {why}); rename the file"
    clip_id = escaped_id(clip.id)
    while clip_id in taken:
        clip_id += "%"
    taken.add(clip_id)
    return replace(clip, id=clip_id, speaker=printable(clip.speaker), align=None, fault=fault)


def _looks_like(root):
    """Name of the corpus that a folder is laid out as, or None. LRS2's bare `<video>/<clip>` counts as a plain folder."""
    return next((name for name, fits in _FITS.items() if fits(root)), None)


def _misfit(corpus, root, layout):
    return f"{root}: no video found where {corpus} has them, that is {layout}; found {describe(root)}{_hint(corpus, root)}"


def _hint(corpus, root):
    other = _looks_like(root)
    if other not in (None, "folder"):
        return f"; looks like {other}: use --corpus {other}"
    near = next((place for place in (*folders_in(root), root.resolve().parent) if _fits(corpus, place)), None)
    if near is not None and corpus != "folder":
        return f"; {near} looks like {corpus}: use --root {near}"
    return "; --corpus folder takes videos that lie in any other way" if other else ""


def _fits(corpus, place):
    """Whether a folder near the root is laid out as a corpus; what cannot be read there gives no hint."""
    try:
        return _FITS[corpus](place)
    except OSError:
        return False

"""All clips of a corpus, whichever it is."""

from pathlib import Path

from common.errors import InputError
from datasets.corpora import folder, grid, lrs2, lrw, tcd_timit
from datasets.corpora.clips import folders_in
from datasets.corpora.layout import describe

_READERS = {
    "grid": (grid.list_grid, grid.LAYOUT),
    "lrs2": (lrs2.list_lrs2, lrs2.LAYOUT),
    "lrw": (lrw.list_lrw, lrw.LAYOUT),
    "tcd_timit": (tcd_timit.list_tcd_timit, tcd_timit.LAYOUT),
    "folder": (folder.list_folder, folder.LAYOUT),
}
# Where a folder fits several, the first is meant: a plain folder is everything.
_FITS = {
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
        corpus: "grid", "lrs2", "lrw", "tcd_timit", or "folder" (any videos below the root).
        root: folder.

    Returns:
        list of ClipSource, at least one, no two with the same id.

    Raises:
        InputError: no such folder, an unknown corpus, no video where the corpus has them (the message says what is there
            instead, and which corpus it looks like), or a malformed list of LRS2.
    """
    root = Path(root)
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
    return sorted(clips, key=lambda clip: clip.id)


def _looks_like(root):
    """Name of the corpus that a folder is laid out as, or None. LRS2's bare `<video>/<clip>` counts as a plain folder."""
    return next((name for name, fits in _FITS.items() if fits(root)), None)


def _misfit(corpus, root, layout):
    return f"{root}: no video found where {corpus} has them, that is {layout}; found {describe(root)}{_hint(corpus, root)}"


def _hint(corpus, root):
    other = _looks_like(root)
    if other not in (None, "folder"):
        return f"; looks like {other}: use --corpus {other}"
    near = next((place for place in (*folders_in(root), root.resolve().parent) if _FITS[corpus](place)), None)
    if near is not None and corpus != "folder":
        return f"; {near} looks like {corpus}: use --root {near}"
    return "; --corpus folder takes videos that lie in any other way" if other else ""

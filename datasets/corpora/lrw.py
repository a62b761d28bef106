"""LRW: `lipread_mp4/<WORD>/<train|val|test>/<WORD>_00001.mp4`; a clip is 1.16 s long and its word sits in the middle."""

from common.errors import InputError
from datasets.corpora.clips import ClipSource, folders_in, videos_in

LAYOUT = "lipread_mp4/ABOUT/train/ABOUT_00001.mp4, with train, val and test below each word; the root may be lipread_mp4 itself"
SPLITS = ("train", "val", "test")
_ARCHIVE = "lipread_mp4"


def list_lrw(root):
    """ClipSources of LRW, without order.

    The numbers begin anew in each split, so the id holds it: `ABOUT/train/ABOUT_00001`. Nobody is told to speak: each clip's
    speaker is its id. `align` is None: the `.txt` beside a clip has the word's duration alone, and no reader of alignments
    takes it.

    Raises:
        InputError: no clip is named as the folder that would be its word.
    """
    clips = [clip for word, split, folder in _folders(root) for clip in _clips_of(word, split, folder)]
    if clips and not any(clip.path.stem.lower().startswith(f"{clip.word}_") for clip in clips):
        raise InputError(f"{clips[0].path}: does not lie below its word, which begins the name of the file; the label of a "
                         f"clip of lrw is that folder: {LAYOUT}")  # fmt: skip
    return clips


def fits_lrw(root):
    """Whether a folder holds a video where LRW has them."""
    return any(videos_in(folder) for _, _, folder in _folders(root))


def _folders(root):
    """(word, split, folder) of all that are there."""
    base = root / _ARCHIVE if (root / _ARCHIVE).is_dir() else root
    for word in folders_in(base):
        for folder in folders_in(word):
            if folder.name in SPLITS:
                yield word.name, folder.name, folder


def _clips_of(word, split, folder):
    for path in videos_in(folder):
        clip_id = f"{word}/{split}/{path.stem}"
        yield ClipSource(clip_id, path, clip_id, word.lower(), None, split, complete=False, word=word.lower())

"""Corpora prepared for the published code of DAVS: `<train|val|test>/<class number>/<video number>/align_face256`, `mfcc20`."""

from datasets.corpora.clips import ClipSource, folders_in
from datasets.davs.lists import FACES, SPLITS, speakers_of, words_of

LAYOUT = "train/0/0/align_face256/2.jpg with train/0/0/mfcc20/2.bin: split, number of the class, number of the video"


def list_davs(root):
    """ClipSources of examples, without order: id `train/0/12`, `path` the folder of the example.

    The speaker is told by `clips.tsv`, which our writer leaves; without it each clip counts as a speaker of its own.
    """
    found = list(_folders(root))
    words, speakers = words_of(root, {number for _, number, _ in found}), speakers_of(root)
    clips = []
    for split, number, folder in found:
        name = f"{split}/{number}/{folder.name}"
        clips.append(ClipSource(name, folder, speakers.get(name, name), words[number], None, split, complete=False,
                                word=words[number]))  # fmt: skip
    return clips


def fits_davs(root):
    """Whether a folder holds an example of this layout."""
    return any(True for _ in _folders(root))


def davs_words(root):
    """Words of all classes of a root in order, see `datasets.davs.lists.words_of`."""
    return words_of(root, {number for _, number, _ in _folders(root)})


def _folders(root):
    """(split, class number, folder of the example) of all that are there."""
    for split in SPLITS:
        for folder in folders_in(root / split):
            if folder.name.isdecimal() and str(int(folder.name)) == folder.name:
                for example in folders_in(folder):
                    if (example / FACES).is_dir():
                        yield split, int(folder.name), example

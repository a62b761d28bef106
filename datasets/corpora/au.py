"""Corpora prepared for the published code of speech action units: `<speaker>/<clip>/align_face`, `mfcc35`."""

from datasets.au_layout.lists import FACES, splits_of
from datasets.corpora.clips import ClipSource, folders_in

LAYOUT = "28/0/align_face/0.jpg with 28/0/mfcc35/mfcc.npy: speaker, clip"


def list_au(root):
    """ClipSources of examples, without order: id `28/0`, `path` the folder of the example.

    The lists in the root say the split; examples that no list names are split as those of other corpora.
    """
    splits = splits_of(root)
    clips = []
    for folder in _folders(root):
        speaker = folder.parent.name
        name = f"{speaker}/{folder.name}"
        clips.append(ClipSource(name, folder, speaker, split=splits.get(name), complete=False))
    return clips


def fits_au(root):
    """Whether a folder holds an example of this layout."""
    return any(True for _ in _folders(root))


def _folders(root):
    """Folders of the examples that are there."""
    for speaker in folders_in(root):
        for example in folders_in(speaker):
            if (example / FACES).is_dir():
                yield example

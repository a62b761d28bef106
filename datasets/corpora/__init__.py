"""Where the clips of a corpus lie, and what is known of each before it is opened; a reader for each corpus."""

from datasets.corpora.clips import AUDIO_SUFFIXES, VIDEO_SUFFIXES, ClipSource
from datasets.corpora.grid import WORDS as GRID_WORDS
from datasets.corpora.grid import transcript as grid_transcript
from datasets.corpora.listing import CORPORA, list_clips
from datasets.corpora.splits import (
    PUBLISHED,
    SPLITS,
    UNSEEN,
    assign_split,
    held_out_names,
    unseen_speakers,
    validation_from_training,
)

__all__ = [
    "AUDIO_SUFFIXES",
    "CORPORA",
    "GRID_WORDS",
    "PUBLISHED",
    "SPLITS",
    "UNSEEN",
    "VIDEO_SUFFIXES",
    "ClipSource",
    "assign_split",
    "held_out_names",
    "grid_transcript",
    "list_clips",
    "unseen_speakers",
    "validation_from_training",
]

"""Can the lips be read: the share of the words said that a lip reader reads."""

import numpy as np

from metrics.clips.words import read_words, words_file
from metrics.measures.base import TrackMeasure
from metrics.rows import Column

PLACE = 115


class Words(TrackMeasure):
    """Share of the words of a video that a lip reader tells from its mouth alone, each among all words of its vocabulary.

    The words and their times are those of the alignment file beside the real video (`metrics.clips.words`). Undefined where
    there is none, where a face is missing in more than a tenth of the frames, or where no word is in the vocabulary. Chance is
    one in the number of words.

    Args:
        judge: metrics.networks.word_reader.WordJudge.
    """

    columns = (Column("words_read", "words read", "high", 3, "share of the words said that a lip reader tells from the mouth"),)

    def __init__(self, judge):
        self._judge = judge

    def facts(self, options):
        judge = self._judge
        return {"word_reader": judge.name, "word_reader_sha256": judge.sha256, "word_reader_words": len(judge.words)}

    def compare(self, pair):
        path = words_file(pair.real.path)
        length = len(pair.made)
        crops = pair.made.crops(self._judge.crop_spec, smooth=not self._judge.raw_crops)
        there = [at for at, crop in enumerate(crops) if crop is not None]
        if path is None or len(there) < 0.9 * length:
            return {"words_read": None}
        words = read_words(path, len(pair.real) / float(pair.real.info.fps))
        cut = {at: crops[at].extract(frame) for at, frame in enumerate(pair.made.frames()) if crops[at] is not None}
        nearest = [there[int(np.argmin(np.abs(np.array(there) - at)))] for at in range(length)]
        read = self._judge.read(np.stack([cut[at] for at in nearest]), pair.made.info.fps, words)
        return {"words_read": float(np.mean([said == seen for said, seen in read])) if read else None}


def build(networks):
    return Words(networks.word_reader) if networks.word_reader else None

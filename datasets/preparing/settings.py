"""What decides how a prepared clip looks: settings of the user, kept in corpus.json."""

import json
from dataclasses import asdict, dataclass

from common.files import atomic_output
from datasets.prepared import FORMAT, PreparedCorpus
from datasets.preparing.requirements import MIN_FACE

SPLITTING = ("unseen_speakers", "val_speakers", "val_share", "test_share", "split_seed")  # what decides the split


@dataclass(frozen=True)
class PrepareSettings:
    """What decides how a prepared clip looks; stored in corpus.json.

    Attributes:
        crop: "aligned", "box", "davs", "au112", "au128" or "pcavs"; size: side of the stored crops in pixels;
            pads: of a box crop.
        fps: frame rate to which every clip is brought.
        detector: name, see faces.detectors.
        unseen_speakers: held out whole; val_speakers: for validation, whole.
        val_share, test_share: of the other speakers' clips; split_seed: which of them.
        min_face: height of the smallest face that is kept, in pixels of the source, see `datasets.preparing.requirements`.
        av_offset: "correct": the AV offset is measured, and sound and picture are shifted where it is sure; "measure"; "off".
        raw_crops: each crop is laid by its own frame's landmarks alone; else their path is smoothed over time.
        sound: "waveform": clips hold their sound, and what is computed of it; "mfcc20": windows of MFCC in its place, as the
            published layout of DAVS has them; "mfcc_wide": the same for that of action units.
    """

    crop: str = "aligned"
    size: int = 96
    pads: tuple[int, int, int, int] = (0, 10, 0, 0)
    fps: int = 25
    detector: str = "mediapipe"
    unseen_speakers: tuple[str, ...] = ()
    val_speakers: tuple[str, ...] = ()
    val_share: float = 0.05
    test_share: float = 0.05
    split_seed: int = 0
    min_face: int = MIN_FACE
    av_offset: str = "correct"
    raw_crops: bool = False
    sound: str = "waveform"

    def as_json(self):
        """Plain dict, as it comes back from JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def av_way(folder):
    """What a corpus does about AV offsets: as corpus.json says, "off" where that is older, "correct" where there is none."""
    path = folder / "corpus.json"
    if not path.is_file():
        return PrepareSettings.av_offset
    return PreparedCorpus.open_folder(folder).settings.get("av_offset", "off")


def begun_with(folder, key):
    """Value of a setting of the corpus that was begun in `folder`; that of PrepareSettings where it says nothing."""
    usual = PrepareSettings().as_json()[key]
    return PreparedCorpus.open_folder(folder).settings.get(key, usual) if (folder / "corpus.json").is_file() else usual


def store_settings(folder, settings, **beside):
    """Write corpus.json of a corpus: `settings`, and what stands beside them until it is written again; both as JSON takes."""
    with atomic_output(folder / "corpus.json") as temporary:
        text = json.dumps({"format": FORMAT, "settings": settings, **beside}, indent=1)
        temporary.write_text(text + "\n", encoding="utf-8")

"""What decides how a prepared clip looks: settings of the user, and the detector that cut the faces; kept in corpus.json."""

import json
from dataclasses import asdict, dataclass

from common.errors import InputError
from common.files import atomic_output
from datasets.prepared import FORMAT, PreparedCorpus
from datasets.preparing.requirements import MIN_FACE

# Version of how faces are followed, smoothed and cropped (faces.track, .smoothing, .crops): raise it when crops change.
TRACKING = 1
_MADE_WITH = ("detector_version", "detector_weights", "tracking")
_OF_THE_SPLIT = ("unseen_speakers", "val_speakers", "val_share", "test_share", "split_seed")


@dataclass(frozen=True)
class PrepareSettings:
    """What decides how a prepared clip looks; stored in corpus.json.

    Attributes:
        crop: "aligned" or "box"; size: side of the stored crops in pixels; pads: of a box crop.
        fps: frame rate to which every clip is brought.
        detector: name, see faces.detectors.
        unseen_speakers: held out whole; val_speakers: for validation, whole.
        val_share, test_share: of the other speakers' clips; split_seed: which of them.
        min_face: height of the smallest face that is kept, in pixels of the source, see `datasets.preparing.requirements`.
        av_offset: "correct": the AV offset is measured, and sound and picture are shifted where it is sure; "measure"; "off".
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


def begin(folder, settings):
    """Write corpus.json, or make sure that the one there says the same.

    Args:
        folder: of the prepared corpus; settings: PrepareSettings.

    Raises:
        InputError: the folder holds a corpus of other settings; the detector is not installed.
    """
    path = folder / "corpus.json"
    if not path.is_file():
        store_settings(folder, settings.as_json() | made_with(settings.detector))
        return
    stored, wanted = PreparedCorpus.open_folder(folder).settings, settings.as_json()
    before = PrepareSettings(av_offset="off").as_json() | stored  # a key may be newer than the corpus
    if other := [key for key in wanted if before[key] != wanted[key]]:
        cure = "choose another --out"
        if set(other) <= set(_OF_THE_SPLIT):
            flags = " ".join(f"--{key} ..." for key in other)
            cure += f", or change the split of the clips that are there:  prepare.py --out {folder} --split shares {flags}"
        raise InputError(f"{path}: was prepared with other settings ({', '.join(other)}); {cure}")


def made_with(detector):
    """Version and weights of an installed detector and the way faces are followed, as corpus.json has them."""
    from faces.detectors.identity import detector_identity

    found = detector_identity(detector)
    return {"detector_version": found["version"], "detector_weights": found["weights"], "tracking": TRACKING}


def check_detector(folder, settings, *, trusted=False, any_cut=True):
    """Make sure that further clips are cut by the detector that cut the others; called where there are clips to cut.

    Args:
        folder: of a prepared corpus whose settings are checked; settings: PrepareSettings.
        trusted: where corpus.json is older and does not say, note the installed detector as the one that cut them.
        any_cut: whether the corpus holds any clip yet; where not, the installed detector is noted.

    Raises:
        InputError: another version, other weights or another way to follow faces; or nobody knows.
    """
    path, stored = folder / "corpus.json", PreparedCorpus.open_folder(folder).settings
    installed = made_with(settings.detector)
    before = {key: stored[key] for key in _MADE_WITH if key in stored}
    if before == installed:
        return
    if not any_cut or (not before and trusted):
        store_settings(folder, stored | installed)
        return
    name = f"{settings.detector} {installed['detector_version']}"
    if not before:
        raise InputError(f"{path}: does not say which version of {settings.detector} cut its clips, and more would be cut now; "
                         f"if it was {name}, which is installed, add --trust_detector, else choose another --out")  # fmt: skip
    if before.get("detector_version") != installed["detector_version"]:
        raise InputError(f"{path}: its clips were cut with {settings.detector} {before.get('detector_version')}, installed is "
                         f"{installed['detector_version']}; install that version, or choose another --out")  # fmt: skip
    if before.get("detector_weights") != installed["detector_weights"]:
        raise InputError(f"{path}: its clips were cut with other weights of {name}; bring these back, or choose another --out")
    raise InputError(f"{path}: its clips were cut by another version of this program, which follows faces in another way "
                     f"({before.get('tracking')}, now {TRACKING}); choose another --out")  # fmt: skip


def detector_version(folder):
    """Version of the detector that cuts the clips of a corpus, as corpus.json says."""
    return PreparedCorpus.open_folder(folder).settings["detector_version"]


def store_settings(folder, settings):
    """Write corpus.json of a corpus: `settings` as a dict that JSON can hold."""
    with atomic_output(folder / "corpus.json") as temporary:
        temporary.write_text(json.dumps({"format": FORMAT, "settings": settings}, indent=1) + "\n", encoding="utf-8")

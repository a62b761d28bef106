"""What cuts the clips of a corpus: one detector, one way to follow faces, one way to read videos."""

from common.errors import InputError
from datasets.prepared import PreparedCorpus
from datasets.preparing.settings import SPLITTING, PrepareSettings, store_settings

# In corpus.json: `tracking` is METHOD of faces/tracking/track.py, `reader` READER of media/reader.py. Corpora of before
# `reader` have a count of their own in `tracking`, 1. A change of smoothing or of faces/crops.py raises METHOD, too.
MADE_WITH = ("detector_version", "detector_weights", "tracking", "reader")


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
        if set(other) <= set(SPLITTING):
            flags = " ".join(f"--{key} ..." for key in other)
            cure += f", or change the split of the clips that are there:  prepare.py --out {folder} --split shares {flags}"
        raise InputError(f"{path}: was prepared with other settings ({', '.join(other)}); {cure}")


def made_with(detector):
    """Version and weights of an installed detector, and of the ways to follow faces and to read videos, as in corpus.json."""
    from faces.detectors.identity import detector_identity
    from faces.tracking.track import METHOD
    from media.reader import READER

    found = detector_identity(detector)
    return dict(zip(MADE_WITH, (found["version"], found["weights"], METHOD, READER), strict=True))


def check_detector(folder, settings, *, trusted=False, any_cut=True):
    """Make sure that further clips are cut by the detector that cut the others; called where there are clips to cut.

    Args:
        folder: of a prepared corpus whose settings are checked; settings: PrepareSettings.
        trusted: where corpus.json is older and does not say, note the installed detector as the one that cut them.
        any_cut: whether the corpus holds any clip yet; where not, the installed detector is noted.

    Raises:
        InputError: another version, other weights, another way to follow faces or to read videos; or nobody knows.
    """
    path, stored = folder / "corpus.json", PreparedCorpus.open_folder(folder).settings
    installed = made_with(settings.detector)
    before = {key: stored[key] for key in MADE_WITH if key in stored}
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
    same = before.get("tracking") == installed["tracking"]
    what, key = ("reads videos", "reader") if same else ("follows faces", "tracking")
    raise InputError(f"{path}: its clips were cut by another version of this program, which {what} in another way "
                     f"({before.get(key, 'not noted')}, now {installed[key]}); choose another --out")  # fmt: skip


def detector_version(folder):
    """Version of the detector that cuts the clips of a corpus, as corpus.json says."""
    return PreparedCorpus.open_folder(folder).settings["detector_version"]

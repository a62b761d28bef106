"""What differs between a stored run and the command that resumes it: settings, processes, clips."""

from common.schema import shown

# Settings that change nothing of what is learned, measured or timed.
_OUTSIDE = {"train.minutes", "train.runs", "train.keep", "train.checkpoint_every", "train.progress", "train.curve",
            "train.print_every", "train.tensorboard", "train.wandb", "train.init", "train.cpu_config", "data.workers",
            "name"}  # fmt: skip
# Settings, or beginnings of their names, that decide what a value of validation means. Settings that select clips are not among
# them: the clips themselves are compared (clips.val, clips.unseen). Negatives are: an expert is validated with them, too.
_OF_VALIDATION = (
    "losses.", "data.window", "data.longest", "data.phonemes", "data.audio_window", "data.centre", "data.identity",
    "data.mask_top", "data.texture.", "data.negatives.", "train.batch_size", "train.validate_batches", "train.best",
    "clips.val", "clips.unseen",
)  # fmt: skip
_SPLITS = ("train", "val", "unseen")


def changed_settings(before, now):
    """Settings of two resolved configs that differ, but for those that change no result.

    Returns:
        dict of key ("optim.lr") -> [old, new], each a value that JSON can hold; None stands for a key that is not there.
    """
    old, new = _flat(before), _flat(now)
    keys = [key for key in {**old, **new} if key not in _OUTSIDE and old.get(key) != new.get(key)]
    return {key: [old.get(key), new.get(key)] for key in keys}


def clips_of(training, validation):
    """dict of split -> ids of the clips that a run uses, as one text with a line for each, for the checkpoint.

    Args:
        training: datasets.windows.WindowDataset; validation: dict of split -> the same.
    """
    return {name: "\n".join(row.id for row in data.rows) for name, data in {"train": training, **validation}.items()}


def changed_clips(before, now):
    """Numbers of clips where the splits of a corpus are not those that the run began with.

    Args:
        before, now: from `clips_of`.

    Returns:
        (dict of "clips.<split>" -> [old number, new number]; ids, sorted, that were for training and now validate).
    """
    old, new = ({name: set(found.get(name, "").splitlines()) for name in _SPLITS} for found in (before, now))
    changed = {f"clips.{name}": [len(old[name]), len(new[name])] for name in _SPLITS if old[name] != new[name]}
    return changed, sorted(old["train"] & (new["val"] | new["unseen"]))


def of_validation(changes):
    """Whether values of validation mean something else after these changes, so that earlier ones do not compare."""
    return any(key.startswith(_OF_VALIDATION) for key in changes)


def describe_changes(changes):
    """Changes in words: "optim.lr 0.0001 -> 2e-05, 900 -> 1000 clips of split train"."""
    return ", ".join(_change(key, old, new) for key, (old, new) in changes.items())


def _change(key, old, new):
    kind, _, split = key.partition(".")
    if kind == "clips":
        return f"other clips of split {split} ({new} as before)" if old == new else f"{old} -> {new} clips of split {split}"
    return f"{key} {_word(old)} -> {_word(new)}"


def _word(value):
    return "none" if value is None else value if isinstance(value, str) else shown(value)


def _flat(config, above=""):
    """dict of full key -> value; sections are entered, lists are values."""
    found = {}
    for key, value in config.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = value
    return found

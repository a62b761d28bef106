"""Which words and people the classes of a run stand for: a network goes on only where its classes mean the same."""

from common.errors import InputError

KINDS = ("words", "people")
_FIELDS = {"words": "spoken_word", "people": "speaker"}


def classes_of_run(model, data, starts, load):
    """Names of the classes that a run learns: those of its corpus, and those with which its network begins.

    Args:
        model: models.network.Network.
        data: datasets.windows.WindowDataset of training.
        starts, load: as of `begun_with`.

    Returns:
        dict of "words" and "people" -> list of str.

    Raises:
        InputError: see `require_room` and `joined`.
    """
    own, folder = classes_of(data), data.corpus.folder
    require_room(model, own, folder)
    before = begun_with(model, starts, load)
    return joined(own, {kind: (f"train.init: {path}", names) for kind, (path, names) in before.items()}, folder)


def classes_of(data):
    """Names of the classes that a dataset numbers, and that the run learns.

    Args:
        data: datasets.windows.WindowDataset of training.

    Returns:
        dict of "words" and "people" -> list of str in the order of the classes, for those that a field of the batch tells.
    """
    names = {"words": data.vocabulary, "people": data.people}
    return {kind: list(names[kind]) for kind in KINDS if _FIELDS[kind] in data.fields}


def require_room(model, own, corpus):
    """InputError where a corpus has more classes than the network tells apart; both numbers are named.

    Args:
        model: models.network.Network; own: from `classes_of`; corpus: its folder.
    """
    for kind, (count, _) in model.classes().items():
        names = own.get(kind, ())
        if len(names) > count:
            told = "words" if kind == "words" else "people in the training split"
            raise InputError(f"model.{kind}: is {count}, but {corpus} has {len(names)} {told}; give model.{kind}={len(names)}")


def begun_with(model, starts, load):
    """Names of the classes that a network begins with.

    Args:
        model: models.network.Network.
        starts: list of {"checkpoint": path, "parts": list of names or None}, see training.config.starts_of.
        load: function of a path -> section `data` of the config that the checkpoint stores.

    Returns:
        dict of "words" and "people" -> (path, list of str), of the starts whose parts tell these classes apart.
    """
    found = {}
    for start in starts if model.classes() else ():
        stored = load(start["checkpoint"])
        for kind, (_, parts) in model.classes().items():
            if stored.get(kind) and (start["parts"] is None or set(parts) & set(start["parts"])):
                found[kind] = start["checkpoint"], list(stored[kind])
    return found


def joined(own, before, corpus):
    """Classes of a run that goes on with those of another one; the longer list where one is the beginning of the other.

    Args:
        own: from `classes_of`; before: dict of "words" and "people" -> (where they come from, list of str).
        corpus: folder of the corpus, for messages.

    Returns:
        dict of "words" and "people" -> list of str.

    Raises:
        InputError: a class stands for another word or person; the message names the first one.
    """
    classes = dict(own)
    for kind, (where, names) in before.items():
        here = own.get(kind, [])
        for number, (old, new) in enumerate(zip(names, here, strict=False)):
            if old != new:
                one = "word" if kind == "words" else "person"
                raise InputError(f"{where}: learned {len(names)} {kind}, {corpus} has {len(here)} others or in another order: "
                                 f"class {number} is the {one} {old!r} there and {new!r} here; train on a corpus with the same "
                                 f"{kind}, or begin without what tells them apart")  # fmt: skip
        classes[kind] = max(names, here, key=len)
    return classes

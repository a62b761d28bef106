"""Which words and people the classes of a run stand for: a network goes on only where its classes mean the same."""

from common.errors import InputError

KINDS = ("words", "people")
_FIELDS = {"words": "spoken_word", "people": "speaker"}


def classes_of_run(model, data, begun, notes):
    """Names of the classes that a run learns: those of its corpus, and those with which its network begins.

    Args:
        model: models.network.Network.
        data: datasets.windows.WindowDataset of training.
        begun: list of training.parts.Start; notes: list that takes the lines of `unnamed`.

    Returns:
        dict of "words" and "people" -> list of str.

    Raises:
        InputError: see `require_room` and `joined`.
    """
    own, folder = classes_of(data), data.corpus.folder
    require_room(model, own, folder)
    notes += unnamed(model, begun, own)
    return joined(own, begun_with(model, begun), folder)


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


def begun_with(model, begun):
    """Names of the classes that a network begins with.

    Args:
        model: models.network.Network; begun: list of training.parts.Start.

    Returns:
        dict of "words" and "people" -> (where they come from, list of str, what else may be done where they do not fit), of the
        checkpoints whose parts tell these classes apart.
    """
    found = {}
    for start, kind, part in _tellers(model, begun):
        if names := start.config["data"].get(kind):
            cure = f"leave {part} out of the parts that train.init names"
            found[kind] = f"train.init: {start.checkpoint}", list(names), cure
        else:
            found.pop(kind, None)
    return found


def unnamed(model, begun, own):
    """Lines on parts that tell apart classes of which their checkpoint, such as a published file, stores no list.

    Args:
        model, begun: see `begun_with`; own: from `classes_of`.
    """
    last = {kind: (start, part) for start, kind, part in _tellers(model, begun)}
    return [f"train.init: {start.checkpoint} stores no list of {kind}: it is not known in which order {part} tells them apart; "
            f"where it is another order than that of this corpus, {part} begins with wrong answers"
            for kind, (start, part) in last.items() if own.get(kind) and not start.config["data"].get(kind)]  # fmt: skip


def _tellers(model, begun):
    """(Start, "words" or "people", part that tells them apart) of all that the network has begun from, in its order."""
    for start in begun:
        for kind, (_, parts) in model.classes().items():
            if told := [part for part in parts if part in start.parts]:
                yield start, kind, told[0]


def joined(own, before, corpus):
    """Classes of a run that goes on with those of another one; the longer list where one is the beginning of the other.

    Args:
        own: from `classes_of`; before: see `begun_with`.
        corpus: folder of the corpus, for messages.

    Returns:
        dict of "words" and "people" -> list of str.

    Raises:
        InputError: a class stands for another word or person; the message names the first one.
    """
    classes = dict(own)
    for kind, (where, names, cure) in before.items():
        here = own.get(kind, [])
        for number, (old, new) in enumerate(zip(names, here, strict=False)):
            if old != new:
                one = "word" if kind == "words" else "person"
                raise InputError(f"{where}: learned {len(names)} {kind}, {corpus} has {len(here)} others or in another order: "
                                 f"class {number} is the {one} {old!r} there and {new!r} here; train on a corpus with the same "
                                 f"{kind}, or {cure}")  # fmt: skip
        classes[kind] = max(names, here, key=len)
    return classes

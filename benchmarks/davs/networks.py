"""The networks that are measured beside one another, and what is known of their training."""

from dataclasses import dataclass, field

from benchmarks.held_out.networks import facts_of, names_of
from common.errors import InputError

STAGES = ("words", "disentangle", "generate")
SEVERAL = "unknown"  # folder of a corpus that is no person: the sentences of people whose names are not known


@dataclass(frozen=True)
class Tested:
    """One network.

    Attributes:
        name: what tables call it; no two of a table share it.
        model: models.davs.Davs in eval mode.
        crop: kind of crop that it was trained on; None: not known.
        words: tuple of the words that its classes stand for; () where it does not tell.
        facts: {"file", "sha256", "stage", "step", "seed", "config"}, for the protocol.
    """

    name: str
    model: object = field(repr=False)
    crop: str | None
    words: tuple
    facts: dict = field(repr=False)


def open_networks(paths, device="cpu"):
    """Tested networks of checkpoints, in their order.

    Raises:
        InputError: a path holds no DAVS checkpoint.
    """
    import torch

    from training.checkpoint import load_checkpoint

    loaded = [load_checkpoint(path, device, expect="davs") for path in paths]
    names = names_of(loaded)
    found = []
    for name, one in zip(names, loaded, strict=True):
        data = one.config["data"]
        model = one.model.to(memory_format=torch.channels_last)  # two to seven times as fast on a CPU
        found.append(Tested(name, model, data.get("crop"), tuple(data.get("words") or ()), facts_of(one)))
    return found


def untrained(like, seed=0):
    """A Tested network of the same layout with random weights: what the layout tells before it has learned anything."""
    import torch

    from models import build_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_model(dict(like.facts["model"])).eval().to(memory_format=torch.channels_last)
    facts = {"file": None, "sha256": None, "stage": like.facts["stage"], "step": 0, "seed": seed, "model": like.facts["model"]}
    return Tested("untrained", model, like.crop, like.words, facts)


def require_stage(tested, least, what):
    """Raise InputError where a network is of an earlier stage than `least`, of STAGES; `what` needs it, for the message."""
    if STAGES.index(tested.facts["stage"]) < STAGES.index(least):
        raise InputError(f"{tested.facts['file']}: is of stage {tested.facts['stage']}; {what} needs one of stage {least}")


def open_corpus(folder, networks, *, words=True):
    """PreparedCorpus whose crops the networks know, and its vocabulary; `words`: it must have one.

    Returns:
        (datasets.prepared.PreparedCorpus, tuple of words).

    Raises:
        InputError: other crops, another frame rate, no words, more words than a network has classes, or a speaker who is
            several people.
    """
    from datasets.prepared import PreparedCorpus
    from datasets.words import read_vocabulary

    corpus = PreparedCorpus.open_folder(folder)
    crop, size = corpus.settings.get("crop"), corpus.settings.get("size")
    vocabulary = read_vocabulary(corpus.folder)
    if words and not vocabulary:
        raise InputError(f"{corpus.folder}: its clips hold no words; run prepare.py on it again with --words")
    if several := [row.speaker for row in corpus.rows if row.speaker.lower() == SEVERAL]:
        raise InputError(f"{corpus.folder}: the speaker {several[0]!r} ({len(several)} clips) may be several people, and "
                         "figures here compare people; prepare the corpus from a --root without that folder")  # fmt: skip
    for one in networks:
        if size != one.model.face_size or one.crop not in (None, crop):
            raise InputError(f"{corpus.folder}: holds {crop} crops of {size} pixels, but {one.name} learned from "
                             f"{one.crop or crop} crops of {one.model.face_size}; prepare the corpus with --crop "
                             f"{one.crop or crop} --size {one.model.face_size}")  # fmt: skip
        odd = [pair for pair in zip(one.words, vocabulary, strict=False) if pair[0] != pair[1]]
        if odd:
            raise InputError(f"{corpus.folder}: its words are not those of {one.name}: {odd[0][1]!r} stands where the network "
                             f"has {odd[0][0]!r}; give the corpus that it was trained on")  # fmt: skip
        if len(vocabulary) > one.model.words:
            raise InputError(f"{corpus.folder}: has {len(vocabulary)} words, but {one.name} knows {one.model.words} classes; "
                             "give the corpus that it was trained on")  # fmt: skip
    return corpus, vocabulary


def window_of(networks):
    """{"frames", "stride"} that the word classifiers hear; InputError where the networks differ."""
    shapes = {(one.model.speech_frames, one.model.speech_stride) for one in networks}
    if len(shapes) > 1:
        raise InputError(f"--checkpoint: the networks hear windows of different (frames, stride), {sorted(shapes)}; measure "
                         "them apart")  # fmt: skip
    frames, stride = shapes.pop()
    return {"frames": frames, "stride": stride}

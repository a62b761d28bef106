"""One kind of face crop from preparation to inference: what disagrees is refused before training begins.

The corpus decides. Its kind is written into each checkpoint, and inference cuts faces so.
"""

from common.errors import InputError
from training.checkpoint import load_checkpoint


def require_one_crop(config, settings):
    """Compare the crops of corpus, config, starting checkpoint and lip-sync expert.

    Args:
        config: of the run; `data.crop` None takes what the corpus holds.
        settings: of the prepared corpus.

    Raises:
        InputError: the corpus holds crops of another kind than `data.crop` names, or than `train.init` or the expert of
            `losses.sync` learnt from. A `train.init` of another kind is let through where `data.crop` is given: a network may
            go over from one kind to the other when that is what the user wants.
    """
    data, crop = config["data"], settings["crop"]
    again = "prepare the corpus with --crop"
    if data["crop"] not in (None, crop):
        raise InputError(f"data.crop: is {data['crop']}, but {data['corpus']} holds {crop} crops; {again} {data['crop']}")
    init = config["train"]["init"]
    if init and data["crop"] is None and (learnt := _crop_of(init)) not in (None, crop):
        raise InputError(
            f"train.init: {init} learnt from {learnt} crops, {data['corpus']} holds {crop} ones; {again} {learnt}, or give "
            f"data.crop={crop} to train it over"
        )
    expert = ((config["losses"] or {}).get("sync") or {}).get("expert")
    if expert and (learnt := _crop_of(expert)) not in (None, crop):
        raise InputError(f"losses.sync.expert: {expert} judges {learnt} crops, {data['corpus']} holds {crop} ones")


def _crop_of(path):
    """Kind of the crops that a checkpoint learnt from; None where it does not say."""
    return load_checkpoint(path).config.get("data", {}).get("crop")

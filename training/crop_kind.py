"""One kind of face crop from preparation to inference: what disagrees is refused before training begins.

The corpus decides. Its kind is written into each checkpoint, and inference cuts faces so.
"""

from common.errors import InputError


def require_one_crop(config, settings, learnt, begun):
    """Compare the crops of corpus, config, starting checkpoints and the networks of losses.

    Args:
        config: of the run; `data.crop` None takes what the corpus holds.
        settings: of the prepared corpus.
        begun: list of training.parts.Start, what the network has begun from.
        learnt: dict of config key -> (path, kind of crop) of networks in losses, see training.setup.build_losses.

    Raises:
        InputError: the corpus holds crops of another kind than `data.crop` names, or than `train.init` or a network of a loss
            learnt from. A `train.init` of another kind is let through where `data.crop` is given: a network may go over from
            one kind to the other when that is what the user wants.
    """
    data, crop = config["data"], settings["crop"]
    again = "prepare the corpus with --crop"
    if data["crop"] not in (None, crop):
        raise InputError(f"data.crop: is {data['crop']}, but {data['corpus']} holds {crop} crops; {again} {data['crop']}")
    for start in begun if data["crop"] is None else ():
        if (own := start.config["data"].get("crop")) not in (None, crop):
            raise InputError(
                f"train.init: {start.checkpoint} learnt from {own} crops, {data['corpus']} holds {crop} ones; {again} {own}, "
                f"or give data.crop={crop} to train it over"
            )
    for key, (path, own) in learnt.items():
        if own not in (None, crop):
            raise InputError(f"{key}: {path} judges {own} crops, {data['corpus']} holds {crop} ones")

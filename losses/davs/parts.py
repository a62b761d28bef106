"""What a term asks of the network that is trained (`losses.term.Setting.model`): its outputs, frames and people."""

from common.errors import InputError


def model_giving(setting, name, *outputs):
    """The network that is trained, which must give these outputs.

    Args:
        setting: losses.term.Setting.
        name: of the term in the config, for the message.
        outputs: names among `models.network.Network.gives`.

    Raises:
        InputError: no network, or one that lacks an output.
    """
    model = setting.model
    missing = [one for one in outputs if one not in getattr(model, "gives", ())]
    if missing:
        stage = getattr(model, "stage", None)
        found = "the network" if stage is None else f"the network at model.stage={stage}"
        raise InputError(f"losses.{name}: needs {' and '.join(missing)}, which {found} does not give; take a network, "
                         "a stage or options that give it, or remove this loss")  # fmt: skip
    return model


def model_with_several(setting, name, frames, *outputs):
    """As `model_giving`, of a network that gives two frames of a window or more.

    Args:
        frames: "identity_frames" or "drawn_frames", how many of them there are.

    Raises:
        InputError: no network, one that lacks an output, or that gives a single frame.
    """
    model = model_giving(setting, name, *outputs)
    if getattr(model, frames) < 2:
        raise InputError(f"losses.{name}: compares frames of a window; set model.{frames} to 2 or more")
    return model


def people_of(model, name):
    """Number of people that the network, and what learns against it, tells apart.

    Raises:
        InputError: none.
    """
    if not model.people:
        raise InputError(f"losses.{name}: needs people to tell apart; set model.people to the number of speakers of the "
                         "training split, or remove this loss")  # fmt: skip
    return model.people

"""Networks, pure torch: `build_model` makes any of them from the `model` section of a config.

`MODELS` is the one table to add a network to; what else the code must know of it stands in its class (`models.network`).
"""

import inspect
from collections.abc import Mapping
from difflib import get_close_matches

from common.errors import InputError
from models.au import ActionUnits, ActionUnitsDiffusion, FaceAutoencoder
from models.davs import Davs
from models.discriminators import ConditionalDiscriminator, QualityDiscriminator
from models.fuse import fuse_for_inference, fuse_named, fuse_sequences
from models.inception import FidInception
from models.lips.landmarks import LipLandmarks
from models.lips.motion import LipMotion
from models.lips.refiner import LipRefiner
from models.lips.sync import LipSync
from models.lips.words import WordReader
from models.motion import PcAvs
from models.network import Network
from models.syncnet import SyncNetColor, lower_halves, sync_probability
from models.syncnet_v2 import SyncNetV2
from models.vgg import Vgg19
from models.wav2lip import Wav2Lip

__all__ = [
    "MODELS",
    "ActionUnits",
    "ActionUnitsDiffusion",
    "ConditionalDiscriminator",
    "Davs",
    "FaceAutoencoder",
    "FidInception",
    "LipLandmarks",
    "LipSync",
    "LipMotion",
    "LipRefiner",
    "Network",
    "PcAvs",
    "QualityDiscriminator",
    "SyncNetColor",
    "SyncNetV2",
    "Vgg19",
    "Wav2Lip",
    "WordReader",
    "build_model",
    "fuse_for_inference",
    "fuse_named",
    "fuse_sequences",
    "lower_halves",
    "sync_probability",
]

MODELS = {
    "wav2lip": Wav2Lip,
    "syncnet_color": SyncNetColor,
    "disc_quality": QualityDiscriminator,
    "disc_conditional": ConditionalDiscriminator,
    "lip_landmarks": LipLandmarks,
    "lip_sync": LipSync,
    "lip_motion": LipMotion,
    "lip_refiner": LipRefiner,
    "word_reader": WordReader,
    "davs": Davs,
    "action_units": ActionUnits,
    "action_units_diffusion": ActionUnitsDiffusion,
    "face_autoencoder": FaceAutoencoder,
    "pcavs": PcAvs,
    "syncnet_v2": SyncNetV2,
    "fid_inception": FidInception,
    "vgg19": Vgg19,
}


def build_model(config):
    """Make a network with fresh weights, in training mode, on the CPU.

    Args:
        config: mapping with "name" (a key of MODELS) and that network's keys, all optional: "face_size" (96, 128, 192, 256,
            384; default 96), "width" (0.25-1.0; default 1.0; not of lip_landmarks), for syncnet_color "frames" (default 5), for
            wav2lip "audio_gate" and "spatial_input" (default false); for lip_sync, lip_motion, lip_refiner, word_reader, davs,
            action_units, action_units_diffusion, face_autoencoder and pcavs see their classes; syncnet_v2, fid_inception and
            vgg19 take none.

    Raises:
        InputError: an unknown name or key (the nearest known one is named), or a value out of range.
    """
    if not isinstance(config, Mapping) or "name" not in config:
        raise InputError(f"model: give a mapping with a name, one of {', '.join(MODELS)}")
    name, options = config["name"], {key: value for key, value in config.items() if key != "name"}
    if not isinstance(name, str) or name not in MODELS:
        raise InputError(f"model.name: {_unknown(name, MODELS)}")
    known = list(inspect.signature(MODELS[name]).parameters)
    for key in options:
        if key not in known:
            raise InputError(f"model.{key}: {_unknown(key, ['name', *known])}")
    return MODELS[name](**options)


def _unknown(word, known):
    near = get_close_matches(str(word), known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return f"{word!r} is not known; {hint}"

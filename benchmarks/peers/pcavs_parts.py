"""What both sides of benchmarks/peers/pcavs.py share: the inputs, and what our networks make of them."""

from zlib import crc32

import numpy as np
import torch

PEOPLE = 40


def inputs():
    """dict of float32 tensors in [0, 1], each from a seed of its name: faces (2, 3, 224, 224), log_mel (2, 1, 80, 20)."""
    sizes = {"faces": (2, 3, 224, 224), "log_mel": (2, 1, 80, 20)}
    return {name: torch.from_numpy(np.random.default_rng(crc32(name.encode())).random(size, np.float32))
            for name, size in sizes.items()}  # fmt: skip


@torch.inference_mode()
def outputs(model, discriminator):
    """What a PcAvs of the published layout and a TwoScaleDiscriminator make of `inputs`: dict of float32 tensors."""
    given = inputs()
    identity, features = model.identify(given["faces"]), model.watch(given["faces"])
    mouth, pose = model.mouth(features), model.pose(features)
    made = {"identity_code": identity.code, "identity_maps": identity.maps, "features": features, "mouth": mouth, "pose": pose,
            "people": model.tell_people(identity.code)["identity_people"], "heard": model.hear(given["log_mel"]),
            "pose_people": model.non_identity_encoder.people_of(pose, learning=False),
            "mouth_code": model.mouth_code(mouth), "face": model.paint(identity, mouth, pose)}  # fmt: skip
    for scale, found in enumerate(discriminator(given["faces"])):
        made |= {f"scale{scale}_{number}": one for number, one in enumerate(found)}
    return made

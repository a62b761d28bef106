"""What both sides of benchmarks/peers/davs.py share: the inputs, and what our networks make of them."""

from zlib import crc32

import numpy as np
import torch

from models.davs import IdentityWords, Modality, PatchDiscriminator

ROW = 4093  # numbers that are drawn for a tensor at most
DISCRIMINATORS = {"netD": 1, "netD_mul": 6}  # names in a published file -> frames at once


def inputs():
    """dict of float32 tensors, each from a seed of its name: faces (1, 3, 256, 256) and pictures (2, 18, 256, 256) in [0, 1],
    mfcc (2, 20, 12) and heard (2, 6, 20, 12) as wide as MFCC are, codes (1, 12, 256), maps (1, 20, 64, 64, 64)."""
    sizes = {"faces": (1, 3, 256, 256), "pictures": (2, 18, 256, 256), "mfcc": (2, 20, 12), "heard": (2, 6, 20, 12),
             "codes": (1, 12, 256), "maps": (1, 20, 64, 64, 64)}  # fmt: skip
    made = {}
    for name, size in sizes.items():
        random = np.random.default_rng(crc32(name.encode()))
        draw = random.random if name in ("faces", "pictures") else random.standard_normal
        made[name] = torch.from_numpy(draw(size, np.float32)) * (10 if name in ("mfcc", "heard") else 1)
    return made


def tiled_state(model):
    """Weights that anyone can make again, as `benchmarks.peers.models.recipe_state`, but quickly: the numbers of a large tensor
    are a short row again and again. The row's length is a prime, so no two filters are alike."""
    state = {}
    gain = 1 if any(name.endswith("running_var") for name in model.state_dict()) else 2
    for name, tensor in model.state_dict().items():
        random, shape = np.random.default_rng(crc32(name.encode())), tuple(tensor.shape)
        count = min(tensor.numel(), ROW)
        if tensor.dim() >= 2:
            row = random.normal(0, np.sqrt(gain / np.prod(shape[1:])), count)
        elif name.endswith("running_var") or (name.endswith("weight") and tensor.dim() == 1):
            row = random.uniform(0.5, 1.5, count)
        else:
            row = random.normal(0, 0.1, count)
        whole = torch.from_numpy(np.resize(row.astype(np.float32), shape))
        state[name] = whole if tensor.is_floating_point() else torch.zeros_like(tensor, device="cpu")
    return state


def adversaries():
    """Our adversaries at the published layout, by the names that they have in a published file."""
    made = {"ID_lip_discriminator": IdentityWords(), "discriminator_audio": Modality()}
    return made | {name: PatchDiscriminator(frames=frames) for name, frames in DISCRIMINATORS.items()}


@torch.inference_mode()
def outputs(model):
    """What a Davs of the published layout makes of `inputs`: dict of float32 tensors."""
    given, seen = inputs(), {}
    encoder = model.identity_encoder
    hooks = [block.register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
             for name, block in (("identity_8", encoder.block42), ("identity_16", encoder.block34))]  # fmt: skip
    identity = model.identify(given["faces"])
    for hook in hooks:
        hook.remove()
    audio = model.hear(given["mfcc"])
    video, heatmaps = model.video_encoder(given["faces"])
    return {"audio": audio, "video": video, "heatmaps": heatmaps, "identity_code": identity.code, **seen,
            "identity_skip": identity.skip, "identity_maps": identity.maps, "words": model.classify(given["codes"]),
            "face": model.draw(identity, audio[:1])}  # fmt: skip


@torch.inference_mode()
def judged(adversary, name):
    """What an adversary of `adversaries` makes of `inputs`: dict of float32 tensors, as the public code gives them."""
    given = inputs()
    if name == "ID_lip_discriminator":
        return {"identity_words": adversary(given["maps"])}
    if name == "discriminator_audio":
        return {"modality": adversary(given["codes"]).sigmoid()}
    frames = DISCRIMINATORS[name]
    patches, match = adversary.patches_and_match(given["pictures"][:, : 3 * frames], given["heard"][:, :frames])
    return {f"{name}_patches": patches.sigmoid(), f"{name}_match": match.sigmoid()}

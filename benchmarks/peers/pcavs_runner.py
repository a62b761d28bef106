"""Runs the networks of a public PC-AVS checkout with random weights; started by benchmarks/peers/pcavs.py.

    python pcavs_runner.py --pcavs PATH --weights FOLDER --outputs FILE

The checkout is imported as it is. FOLDER gets the weights in the published form, FILE what the networks make of
`pcavs_parts.inputs` (safetensors). Noise is the fixed one of the generator. torchvision is needed, as the public code needs it.
"""

import argparse
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors.torch import save_file

from benchmarks.peers.davs_parts import tiled_state
from benchmarks.peers.pcavs_parts import PEOPLE, inputs

OPTIONS = {"crop_size": 224, "output_nc": 3, "num_inputs": 1, "num_clips": 1, "clip_len": 1, "num_classes": PEOPLE,
           "pose_dim": 12, "n_mel_T": 4, "style_dim": 2560, "feature_encoded_dim": 2560, "style_feature_loss": True,
           "norm_D": "spectralinstance", "ndf": 64, "D_input": "single", "num_D": 2, "n_layers_D": 4, "netD_subarch": "n_layer",
           "no_ganFeat_loss": False}  # fmt: skip


def networks():
    """dict of the names in published files -> networks with the recipe's weights, in eval mode."""
    peer, options = importlib.import_module("models.networks"), SimpleNamespace(**OPTIONS)
    made = {"G": peer.ModulateGenerator(options), "V": peer.ResNeXtEncoder(options), "E": peer.FanEncoder(options),
            "A_sync": peer.ResSESyncEncoder(options), "D": peer.MultiscaleDiscriminator(options)}  # fmt: skip
    for network in made.values():
        kernels = {name: value for name, value in network.state_dict().items() if name.endswith(".kernel")}
        network.load_state_dict({**tiled_state(network), **kernels})
        network.eval()
    return made


@torch.no_grad()
def outputs(peer):
    """What the networks make of `pcavs_parts.inputs`, under the names of `pcavs_parts.outputs`."""
    given = inputs()
    pictures = given["faces"] * 2 - 1
    (code, maps), people = peer["V"](pictures)
    features = peer["E"].forward_feature(pictures)
    mouth, pose = peer["E"].to_mouth(features), peer["E"].headpose_embed(peer["E"].to_headpose(features))
    heard, mouth_code = peer["A_sync"].forward_feature(given["log_mel"]), peer["E"].mouth_embed(mouth)
    style = torch.cat((code, mouth_code, pose), 1)
    face, _ = peer["G"]([style], identity_style=maps, randomize_noise=False)
    made = {"identity_code": code, "identity_maps": maps, "people": people, "features": features, "mouth": mouth, "pose": pose,
            "pose_people": peer["E"].headpose_fc(pose), "heard": heard, "mouth_code": mouth_code,
            "face": (face + 1) / 2}  # fmt: skip
    for scale, found in enumerate(peer["D"](pictures)):
        made |= {f"scale{scale}_{number}": one for number, one in enumerate(found)}
    return made


def main():
    parser = argparse.ArgumentParser(prog="pcavs_runner.py")
    for flag in ("--pcavs", "--weights", "--outputs"):
        parser.add_argument(flag, required=True, type=Path)
    args = parser.parse_args()
    sys.dont_write_bytecode = True  # the checkout stays as it is
    for name in [name for name in sys.modules if name.partition(".")[0] in ("models", "util")]:
        del sys.modules[name]  # the peer has rooms of the same names
    sys.path.insert(0, str(args.pcavs))
    peer = networks()
    for name, network in peer.items():
        torch.save(network.state_dict(), args.weights / f"latest_net_{name}.pth")
    save_file({name: value.contiguous().clone() for name, value in outputs(peer).items()}, args.outputs)


if __name__ == "__main__":
    main()

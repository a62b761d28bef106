"""Runs the networks of a public DAVS checkout with random weights; started by benchmarks/peers/davs.py.

    python davs_runner.py --davs PATH --bundle FILE --outputs FILE --layout FOLDER --loaded FILE

The code is of Python 2.7 and torch 0.2. It is read from the checkout and changed in memory alone, as MENDED says; the checkout
stays as it is. FILE gets the weights in the published form, what the networks make of `davs_parts.inputs`, and what the data
loader reads of FOLDER, a split of the published layout (safetensors). The loader deletes examples that it cannot read.
"""

import argparse
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from benchmarks.peers.davs_parts import DISCRIMINATORS, inputs, tiled_state

MENDED = (
    ("str(01)", "str(1)"),  # an octal number of Python 2
    ("argparse.ArgumentParser()", 'argparse.ArgumentParser(conflict_handler="resolve")'),  # options are given twice
    ("mode='bilinear'", "mode='bilinear', align_corners=True"),  # what torch 0.2 did
    ("nn.BatchNorm1d(64)", "nn.BatchNorm2d(64)"),  # of maps; torch refuses it today
    ("nn.init.normal(", "nn.init.normal_("),
    ("nn.init.constant(", "nn.init.constant_("),
    ("nn.init.kaiming_normal(", "nn.init.kaiming_normal_("),
)


class MendedLoader(importlib.machinery.SourceFileLoader):
    """Loads a source file with the changes of MENDED."""

    def get_data(self, path):
        text = Path(path).read_text(encoding="utf-8")
        for old, new in MENDED:
            text = text.replace(old, new)
        return text.encode()


def load(checkout, name):
    """A module of the peer, also known to its other modules by the last part of its name."""
    loader = MendedLoader(name.rpartition("/")[2], str(checkout / f"{name}.py"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


def networks(checkout):
    """dict of the names in a published file -> networks with the recipe's weights, in eval mode."""
    sys.argv = [sys.argv[0]]  # both files of options read the command line
    load(checkout, "Options_all")
    options = load(checkout, "Options").Config().parse()
    fan, identity = load(checkout, "network/FAN_feature_extractor"), load(checkout, "network/IdentityEncoder")
    sound, decoder = load(checkout, "network/mfcc_networks"), load(checkout, "network/Decoder_networks")
    plain, judges = load(checkout, "network/networks"), load(checkout, "network/Discriminator_networks")
    made = {
        "mfcc_encoder": sound.mfcc_encoder_two(options),
        "lip_feature_encoder": fan.FanFusion(options),
        "model_fusion": plain.ModelFusion(options),
        "ID_encoder": identity.IdentityEncoder(options),
        "Decoder": decoder.Decoder(options),
        "ID_lip_discriminator": judges.ID_dis32(feature_length=64, config=options),
        "discriminator_audio": plain.discriminator_audio(),
        "netD": judges.Discriminator(input_nc=3, use_sigmoid=options.no_lsgan),
        "netD_mul": judges.Discriminator(input_nc=3 * options.sequence_length, use_sigmoid=options.no_lsgan),
    }
    made["ID_lip_discriminator"].config = options  # which it reads and never keeps
    for network in made.values():
        network.load_state_dict(tiled_state(network))
        network.eval()
    return made


@torch.no_grad()
def outputs(peer):
    """What the networks make of `davs_parts.inputs`, under the names of `davs_parts.outputs`."""
    given = inputs()
    audio = peer["mfcc_encoder"](given["mfcc"])
    identity = peer["ID_encoder"](given["faces"])
    made = {"audio": audio, "video": peer["lip_feature_encoder"](given["faces"])}
    made["heatmaps"] = peer["lip_feature_encoder"].model(given["faces"])
    made |= dict(zip(("identity_code", "identity_8", "identity_16", "identity_skip", "identity_maps"), identity, strict=True))
    made["words"] = peer["model_fusion"](given["codes"])
    made["face"] = peer["Decoder"](identity, audio[:1])
    made["identity_words"] = peer["ID_lip_discriminator"](given["maps"])
    made["modality"] = peer["discriminator_audio"](given["codes"])
    for name in ("netD", "netD_mul"):
        pictures, heard = given["pictures"][:, : 3 * DISCRIMINATORS[name]], given["heard"][:, : DISCRIMINATORS[name]]
        made[f"{name}_patches"], made[f"{name}_match"] = peer[name](pictures, heard)
    return made


def loaded(checkout, folder):
    """What the loader gives for validation of a folder of classes: "N/video" (25, 3, 256, 256) float32 RGB in [0, 1], "N/mfcc"
    (25, 1, 20, 12) float64 and "N/class" (1,) int64 of its N-th example."""
    options = sys.modules["Options"].Config().parse()
    loader = load(checkout, "Dataloader/Data_load_sequence")
    vars(loader.config).update(vars(options), require_audio=True)  # it never reads its options, and lacks this one
    found = {}
    for number, (example, label) in enumerate(loader.VideoFolder(str(folder), mode="val")):
        found[f"{number}/video"] = torch.from_numpy(example["video"]).float()
        found[f"{number}/mfcc"] = torch.from_numpy(example["mfcc20"])
        found[f"{number}/class"] = torch.tensor([label])
    return found


def main():
    parser = argparse.ArgumentParser(prog="davs_runner.py")
    for flag in ("--davs", "--bundle", "--outputs", "--layout", "--loaded"):
        parser.add_argument(flag, required=True, type=Path)
    args = parser.parse_args()
    sys.dont_write_bytecode = True  # the checkout stays as it is
    peer = networks(args.davs)
    state = {name: {f"module.{key}": value for key, value in network.state_dict().items()} for name, network in peer.items()}
    torch.save({"epoch": 101, "step": 7, **state}, args.bundle)
    for made, path in ((outputs(peer), args.outputs), (loaded(args.davs, args.layout), args.loaded)):
        save_file({name: value.contiguous() for name, value in made.items()}, path)


if __name__ == "__main__":
    main()

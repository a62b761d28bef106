"""DAVS as it is published: names, shapes and outputs of the public networks, and the files in which their weights come."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.peers.davs import main, sample
from benchmarks.peers.davs_parts import adversaries, judged, outputs, tiled_state
from common.errors import InputError
from models import build_model
from models.davs import Davs
from tests.davs_kit import hollow_form, published_network, save_as_python_2
from training.checkpoint import load_checkpoint

GOLDEN = Path(__file__).parent / "golden"
UNUSED = {  # of the adversaries
    "netD": ("bn7.", "bn8.", "bn9.", "conv8."),
    "netD_mul": ("bn7.", "bn8.", "bn9.", "conv8."),
    "ID_lip_discriminator": (),
    "discriminator_audio": (),
}


def close(ours, theirs):
    """Within a ten-thousandth of the largest number."""
    theirs = theirs.reshape(-1)
    assert theirs.std() > 0.01
    np.testing.assert_allclose(sample(ours), theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())


def test_names_and_shapes_are_the_published_ones():
    published = json.loads((GOLDEN / "davs.json").read_text())
    with torch.device("meta"):
        model, judges = build_model({"name": "davs"}), adversaries()
    kept = {}
    for name, part in Davs.bundle.items():
        kept[name] = getattr(model, part), tuple(one.removeprefix(f"{part}.") for one in Davs.unused if one.startswith(part))
    kept |= {name: (judge, UNUSED[name]) for name, judge in judges.items()}
    assert kept.keys() == published.keys()
    for name, (part, unused) in kept.items():
        named = {key: shape for key, shape in published[name].items() if not key.startswith(unused or ("\0",))}
        assert {key: list(value.shape) for key, value in part.state_dict().items()} == named, name


def test_outputs_are_the_published_ones():
    with np.load(GOLDEN / "davs.npz") as stored:
        golden = dict(stored)
    for name, value in outputs(published_network()).items():
        close(value, golden.pop(name))
    for name, judge in adversaries().items():
        judge.load_state_dict(tiled_state(judge))
        for key, value in judged(judge.eval(), name).items():
            close(value, golden.pop(key))
    assert not golden


def test_a_published_file_of_python_2_loads(tmp_path):
    path = tmp_path / "101_DAVS_checkpoint.pth.tar"
    content = hollow_form()
    content["model_fusion"] |= {"module.dis.weight": torch.zeros(1, 512), "module.dis.bias": torch.zeros(1)}  # used nowhere
    save_as_python_2(content, path)
    found = load_checkpoint(path, expect="davs")
    assert found.config["data"] == {"crop": "davs", "channel_order": "rgb"} and found.origin == "foreign"
    assert found.config["model"] == {"name": "davs", "face_size": 256, "width": 1.0, "stage": "generate", "words": 500,
                                     "speech_frames": 12}  # fmt: skip
    for name, part in Davs.bundle.items():
        for key, value in getattr(found.model, part).state_dict().items():
            given = content[name][f"module.{key}"]
            assert value.shape == given.shape and value.flatten()[-1] == given.flatten()[-1], f"{part}.{key}"
    assert len({float(value.flatten()[0]) for value in found.model.decoder.state_dict().values()}) > 100


def test_the_word_classifier_tells_how_many_words_there_are(tmp_path):
    torch.save({"state_dict": hollow_form(words=51, frames=6, before="")}, tmp_path / "few.pth.tar")
    model = load_checkpoint(tmp_path / "few.pth.tar").model
    assert (model.words, model.speech_frames, model.stage, model.training) == (51, 6, "generate", False)


def test_a_published_file_that_lacks_parts_names_them(tmp_path):
    path = tmp_path / "some.pth.tar"
    content = hollow_form()
    torch.save({name: value for name, value in content.items() if name not in ("Decoder", "ID_encoder")}, path)
    with pytest.raises(InputError, match="some.pth.tar: holds only some parts of a DAVS network: ID_encoder, Decoder missing"):
        load_checkpoint(path)
    del content["ID_encoder"]["module.block1.conv01_a.weight"]
    torch.save(content, path)
    with pytest.raises(InputError, match="does not fit davs: missing: identity_encoder.block1.conv01_a.weight"):
        load_checkpoint(path)
    content = hollow_form()
    content["Decoder"]["module.conv7_2.weight"] = torch.zeros(32, 3, 5, 5)
    torch.save(content, path)
    with pytest.raises(InputError, match=r"decoder.conv7_2.weight is \(32, 3, 5, 5\) in place of \(32, 3, 3, 3\)"):
        load_checkpoint(path)
    torch.save(hollow_form(), path)
    with pytest.raises(InputError, match=r"holds a DAVS network \(davs\); a generator \(wav2lip\) is needed here"):
        load_checkpoint(path, expect="wav2lip")


def test_what_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(InputError, match="no Options.py in it; give a checkout of Talking-Face-Generation-DAVS"):
        main(["--davs", str(tmp_path)])

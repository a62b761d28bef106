"""DAVS as it is published: names, shapes and outputs of the public networks, and the files in which their weights come."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from benchmarks.peers.davs import compare_loaded, layout_of, main, our_loaded, sample
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
    assert found.config["data"] == {"crop": "davs", "raw_crops": True, "channel_order": "rgb"}
    assert found.origin == "foreign"
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


def test_examples_for_the_public_loader_and_what_ours_reads_of_them(tmp_path, capsys):
    layout = layout_of(None, tmp_path / "made")
    ours = our_loaded(layout)
    assert {name: tuple(one.shape) for name, one in ours.items()} == {
        "0/video": (25, 3, 256, 256), "0/mfcc": (25, 1, 20, 12), "0/class": (1,)}  # fmt: skip
    picture = cv2.imread(str(layout / "7/0/align_face256/5.jpg"))[2:258, 2:258, ::-1].transpose(2, 0, 1) / 255
    assert np.abs(ours["0/video"][3].numpy() - picture).max() <= 3 / 255 and int(ours["0/class"]) == 7
    np.testing.assert_array_equal(ours["0/mfcc"][3, 0], np.fromfile(layout / "7/0/mfcc20/5.bin").reshape(20, 12))
    assert compare_loaded(ours, ours)
    assert not compare_loaded(ours, {**ours, "0/mfcc": ours["0/mfcc"] + 1e-9})
    assert not compare_loaded(ours, {**ours, "0/video": ours["0/video"] + 4 / 255})
    assert not compare_loaded(ours, {}) and "ours reads 1 examples, the peer 0" in capsys.readouterr().out
    copied = layout_of(_as_train(tmp_path, layout), tmp_path / "copied")
    assert [path.relative_to(copied).as_posix() for path in copied.glob("*/*")] == ["7/0"]
    with pytest.raises(InputError, match="has no example in train; give a folder that prepare.py --davs_layout wrote"):
        layout_of(tmp_path / "nothing", tmp_path / "none")


def _as_train(tmp_path, layout):
    shutil.copytree(layout, tmp_path / "root" / "train")
    return tmp_path / "root"


def test_what_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(InputError, match="no Options.py in it; give a checkout of Talking-Face-Generation-DAVS"):
        main(["--davs", str(tmp_path)])

"""Spatial modules of the reference as an input of the generator: maps, old checkpoints, nothing of the target leaks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from datasets.preparing.texture import add_texture
from datasets.windows import WindowDataset, collate
from faces.texture import TextureSpec, texture_modules
from models import build_model, fuse_for_inference
from models.spatial_input import module_maps
from pipeline.drivers import load_driver
from pipeline.drivers.partial import decode_from
from tests.inference_kit import OWN, TINY, enliven, infer, portrait, read_video, save_tiny
from tests.prepared_kit import make_corpus
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import load_config
from training.loop import train
from training.run import Run

SPATIAL = {**TINY, "spatial_input": True}
DATA = {**OWN, "texture": {"clusters": 20, "compactness": 10.0}}


def spatial(weight=0.5):
    """A seeded generator that has learned to use the modules of its reference."""
    torch.manual_seed(3)
    model = build_model(SPATIAL)
    part, model.spatial_input = model.spatial_input, None  # without modules while `enliven` sets the weights
    enliven(model)
    model.spatial_input = part
    torch.manual_seed(4)
    for layer in (part.colour, part.position):
        torch.nn.init.normal_(layer.weight, std=weight)
    return model.eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("spatial") / "spatial.safetensors"
    save_checkpoint(path, spatial(), {"model": SPATIAL, "data": DATA, "training": {}})
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = make_corpus(tmp_path_factory.mktemp("corpus") / "corpus", frames=20)
    add_texture(folder, TextureSpec(20))
    return folder


def inputs(items=2, frames=3):
    draw = torch.Generator().manual_seed(2)
    mel = torch.rand(items, frames, 1, 80, 16, generator=draw) * 8 - 4
    faces = torch.rand(items, 6, frames, 96, 96, generator=draw)
    return mel, faces, torch.randint(0, 30, (items, frames, 96, 96), generator=draw)


def by_loops(picture, labels):
    """The two maps of one picture, module after module."""
    (_, height, width), colour, position = picture.shape, torch.zeros_like(picture), torch.zeros(2, *labels.shape)
    rows, columns = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    for module in labels.unique():
        inside = labels == module
        colour[:, inside] = picture[:, inside].mean(1, keepdim=True)
        for axis, places, side in ((0, columns, width), (1, rows, height)):
            position[axis, inside] = places[inside].mean() * 2 / (side - 1) - 1 if side > 1 else 0.0
    return colour, position


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 12), st.integers(0, 1000))
def test_maps_are_means_by_module(count, height, width, modules, seed):
    draw = torch.Generator().manual_seed(seed)
    pictures = torch.rand(count, 3, height, width, generator=draw)
    labels = torch.randint(0, modules, (count, height, width), generator=draw)
    colour, position = module_maps(pictures, labels)
    for at in range(count):
        slow = by_loops(pictures[at], labels[at])
        torch.testing.assert_close(colour[at], slow[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(position[at], slow[1], rtol=0, atol=1e-5)
    shuffled = torch.randperm(modules, generator=draw)[labels]
    for one, other in zip(module_maps(pictures, shuffled), (colour, position), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_a_fresh_input_changes_nothing_and_a_learned_one_does():
    mel, faces, modules = inputs()
    fresh = spatial(0.0)
    plain = build_model(TINY)
    plain.load_state_dict({key: value for key, value in fresh.state_dict().items() if not key.startswith("spatial_input")})
    with torch.no_grad():
        bare = plain.eval().generate(mel, faces)
        assert torch.equal(fresh.generate(mel, faces, modules=modules), bare)
        assert (spatial().generate(mel, faces, modules=modules) - bare).abs().amax() > 1e-2
    fresh.generate(mel, faces, modules=modules).mean().backward()
    assert fresh.spatial_input.colour.weight.grad.abs().max() > 0 and fresh.spatial_input.position.weight.grad.abs().max() > 0


def test_each_frame_gets_its_own_modules_and_they_must_be_given():
    model, (mel, faces, modules) = spatial(), inputs()
    with torch.no_grad():
        window = model.generate(mel, faces, modules=modules)
        for item, frame in ((0, 0), (0, 2), (1, 1)):
            at = (slice(item, item + 1), frame)
            one = model.generate(mel[at], faces[item : item + 1, :, frame], modules=modules[at])
            torch.testing.assert_close(window[item, :, frame], one[0], rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="modules"):
        model.generate(mel, faces)
    assert "reference_module" in model.needs and "module" not in model.needs
    assert "reference_module" not in build_model(TINY).needs
    with pytest.raises(InputError, match="spatial_input"):
        build_model({**TINY, "spatial_input": 1})


def test_fused_and_drawn_in_part_it_is_the_same_network():
    model, (mel, faces, modules) = spatial(), inputs(3, 1)
    mel, faces, modules = mel[:, 0], faces[:, :, 0], modules[:, 0]
    with torch.no_grad():
        whole, fused = model.generate(mel, faces, modules=modules), fuse_for_inference(model)
        torch.testing.assert_close(fused.generate(mel, faces, modules=modules), whole, rtol=0, atol=1e-4)
        lower = decode_from(fused, fused.encode_audio(mel), fused.encode_face(faces, modules), 42)
    torch.testing.assert_close(lower, whole[:, :, 42:], rtol=0, atol=1e-4)


def test_no_gradient_reaches_the_mouth_of_the_target():
    model, (mel, faces, modules) = spatial(), inputs()
    target = faces[:, :3].clone().requires_grad_()
    seen = torch.ones(96, 1)
    seen[48:] = 0
    model.generate(mel, torch.cat([target * seen, faces[:, 3:]], 1), modules=modules).square().sum().backward()
    assert torch.count_nonzero(target.grad[..., 48:, :]) == 0
    assert target.grad[..., :48, :].abs().max() > 0


class Remade:
    """A prepared corpus whose target frames have another mouth; the reference frame is left as it is."""

    def __init__(self, dataset, seed, item):
        frame, number = int(item["frame"]), int(item["clip"])
        clip = {name: np.array(values) for name, values in dataset.clip(number).items()}
        labels = np.array(dataset.kept.labels(number, "reference_module"))
        rng = np.random.default_rng(seed)
        window = slice(frame, frame + dataset.window)
        clip["face"][window, 48:] = rng.integers(0, 256, clip["face"][window, 48:].shape)
        labels[window] = np.stack([texture_modules(face, 20) for face in clip["face"][window]])
        dataset.kept.hold(number, clip)
        dataset.kept.hold_labels(number, "reference_module", labels)


def windows(corpus):
    from datasets.prepared import PreparedCorpus

    fields = ("face", "masked_face", "reference_face", "reference_module", "module", "mel", "clip", "frame")
    textures = dict.fromkeys(("module", "reference_module"), TextureSpec(20))
    return WindowDataset(PreparedCorpus.open_folder(corpus), "train", 3, fields, textures=textures)


def test_in_training_another_mouth_of_the_target_changes_no_input_of_the_generator(corpus):
    model, told = spatial(), 0
    for index in range(4):
        before = windows(corpus)
        first = before[index]
        changed = windows(corpus)
        Remade(changed, index, first)
        second = changed[index]
        assert (first["face"] != second["face"]).mean() > 0.3, "the target did change"
        for name in ("reference_face", "reference_module", "mel"):
            assert np.array_equal(first[name], second[name]), name
        with torch.no_grad():
            one, other = (before.complete(collate([item])) for item in (first, second))
            assert torch.equal(one["masked_face"], other["masked_face"])
            assert torch.equal(model(one)["face"], model(other)["face"])
            # the control: given the modules of the target, the same network does show the change
            leaks = [model({**item, "reference_module": item["module"]})["face"] for item in (one, other)]
            told += int(not torch.equal(*leaks))
    assert told == 4


def pictures(count, seed=0):
    """(count, 96, 96, 3) uint8: a portrait, shifted and noisy."""
    import cv2

    face = cv2.resize(portrait(), (96, 96), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(seed)
    moved = [np.roll(face, int(rng.integers(-4, 5)), axis=1) for _ in range(count)]
    return np.clip(np.stack(moved) + rng.integers(-6, 7, (count, 96, 96, 3)), 0, 255).astype(np.uint8)


def test_in_inference_the_modules_are_those_of_the_reference_alone(checkpoint):
    generator = load_driver(checkpoint, device="cpu").generator
    mels = np.random.default_rng(1).uniform(-4, 4, (4, 80, 16)).astype(np.float32)
    faces, reference = pictures(4), pictures(1, seed=9)
    made = generator(mels, faces, reference)
    other = faces.copy()
    other[:, 48:] = np.random.default_rng(5).integers(0, 256, other[:, 48:].shape)
    assert np.array_equal(generator(mels, other, reference), made)
    model, labels = load_checkpoint(checkpoint).model, texture_modules(reference[0], 20)
    masked = np.where(np.arange(96)[:, None, None] < 48, faces, 0)
    seen = np.concatenate([masked, np.repeat(reference, 4, 0)], 3).transpose(0, 3, 1, 2) / 255
    modules = torch.from_numpy(labels.astype(np.int64)).expand(4, -1, -1)
    with torch.no_grad():
        shown = torch.tensor(mels)[:, None], torch.tensor(seen, dtype=torch.float32)
        wanted = model.generate(*shown, modules=modules)
        flat = model.generate(*shown, modules=torch.zeros_like(modules))
    assert np.abs(made - 255 * wanted.numpy().transpose(0, 2, 3, 1)).max() <= 1
    assert (wanted - flat).abs().max() * 255 > 3, "the modules matter to this network"


def test_modules_of_one_reference_are_found_once(checkpoint, monkeypatch):
    import pipeline.drivers.mouth_generator as module

    calls = []
    monkeypatch.setattr(module, "texture_modules", lambda *args: calls.append(1) or texture_modules(*args))
    generator, faces = load_driver(checkpoint, device="cpu").generator, pictures(3)
    for _ in range(3):
        generator.encode(faces, faces[:1].copy())
    assert len(calls) == 1
    generator.encode(faces, faces[1:2])
    assert len(calls) == 2
    each, same = generator.encode(faces, faces), generator.encode(faces[2:], faces[2:])
    assert len(calls) == 6
    torch.testing.assert_close(each[0][2:], same[0], rtol=0, atol=1e-4)


def test_texture_settings_of_a_checkpoint_are_checked_and_an_old_checkpoint_is_left_alone(tmp_path):
    generator = load_driver(save_tiny(tmp_path / "plain.safetensors"), device="cpu").generator
    assert generator.wants_modules is False
    for wrong in ({"clusters": 0}, {"blobs": 3}, None):
        path = tmp_path / "wrong.safetensors"
        save_checkpoint(path, spatial(), {"model": SPATIAL, "data": {**OWN, "texture": wrong}, "training": {}})
        with pytest.raises(InputError, match="data.texture"):
            load_driver(path, device="cpu")


def test_inference_draws_with_modules(checkpoint, tmp_path, capsys):
    from PIL import Image

    from tests.conftest import ROOT

    Image.fromarray(portrait()).save(tmp_path / "face.png")
    flat = tmp_path / "flat.safetensors"
    save_checkpoint(flat, spatial(0.0), {"model": SPATIAL, "data": DATA, "training": {}})
    made = {}
    for path in (checkpoint, flat):
        outfile = tmp_path / f"{path.stem}.mp4"
        code = infer("--face", tmp_path / "face.png", "--audio", ROOT / "samples" / "speech.wav", "--checkpoint_path", path,
                     "--outfile", outfile, "--no_cache", "--fps", 5)  # fmt: skip
        assert code == 0, capsys.readouterr().err
        made[path.stem] = read_video(outfile).astype(int)
    assert np.abs(made["spatial"] - made["flat"])[:, 100:200, 60:200].max() > 10


@pytest.fixture
def config(tmp_path, corpus):
    import yaml

    path = tmp_path / "spatial.yaml"
    path.write_text(yaml.safe_dump({
        "model": SPATIAL,
        "data": {"corpus": str(corpus), "window": 2, "workers": 0, "texture": {"clusters": 20}},
        "losses": {"l1": {"weight": 1.0}},
        "train": {"batch_size": 2, "steps": 3,
                  "device": "cpu", "runs": str(tmp_path / "runs"), "log_every": 1, "validate_every": 3,
                  "validate_batches": 1, "threads": 1, "tensorboard": "off", "curve": False},
    }))  # fmt: skip
    return path


def test_a_checkpoint_without_it_is_taught_on_and_the_new_one_knows_its_modules(config, tmp_path):
    save_tiny(tmp_path / "plain.safetensors")
    run = Run(load_config(config, [f"train.init={tmp_path / 'plain.safetensors'}"]))
    plain = load_checkpoint(tmp_path / "plain.safetensors").model
    assert torch.equal(run.model.output_block[1].weight, plain.output_block[1].weight)
    assert not run.model.spatial_input.colour.weight.any()
    train(run, lambda _line: None)
    assert run.model.spatial_input.colour.weight.any() and run.model.spatial_input.position.weight.any()
    stored = load_checkpoint(run.folder / "last.safetensors")
    assert stored.config["data"]["texture"]["clusters"] == 20
    assert load_driver(run.folder / "last.safetensors", device="cpu").generator._texture == TextureSpec(20)


def test_gate_and_modules_go_together():
    torch.manual_seed(0)
    model = build_model({**SPATIAL, "audio_gate": True}).eval()
    mel, faces, modules = inputs()
    phonemes = torch.zeros(2, 3, dtype=torch.int64)
    with torch.no_grad():
        assert model.generate(mel, faces, phonemes, modules).shape == (2, 3, 3, 96, 96)
    assert {"phoneme", "reference_module"} <= set(model.needs)

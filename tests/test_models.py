"""The networks: equal to the published ones, at every size and width, and the same after fusing."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.peers.models import PEERS, call_of, outputs, recipe_inputs, recipe_state, sample
from common.errors import InputError
from models import Wav2Lip, build_model, fuse_for_inference, lower_halves, sync_probability
from models.blocks import FACE_SIZES, batch_to_frames, frames_to_batch
from models.discriminators import lower_half, run_blocks
from models.winograd import Winograd

GOLDEN = Path(__file__).parent / "golden"


FAMILY = ("wav2lip", "syncnet_color", "disc_quality", "disc_conditional")  # those with a face_size and a width


@pytest.fixture(scope="module")
def generator():
    """The published generator with the recipe's weights, in eval mode."""
    model = build_model({"name": "wav2lip"})
    model.load_state_dict(recipe_state(model))
    return model.eval()


@pytest.mark.parametrize("name", list(PEERS))
def test_names_and_shapes_are_the_published_ones(name):
    published = json.loads((GOLDEN / "wav2lip.json").read_text())[name]
    with torch.device("meta"):
        ours = build_model({"name": name})
    assert {key: list(value.shape) for key, value in ours.state_dict().items()} == published


@pytest.mark.parametrize(("name", "mode"), [*product(PEERS, ("eval", "train"))])
def test_outputs_are_the_published_ones(name, mode):
    with np.load(GOLDEN / "wav2lip.npz") as golden:
        theirs = golden[f"{name}_{mode}"]
    ours = sample(outputs(build_model({"name": name}), name, mode == "train"))
    assert theirs.std() > 0.01
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 if mode == "eval" else 1e-4)


def inputs_for(name, face_size, batch):
    """(arguments, shapes of the results) of one forward pass."""
    mel, face = torch.rand(batch, 1, 80, 16) * 8 - 4, torch.rand(batch, 3, face_size, face_size)
    if name == "wav2lip":
        return (mel, face.repeat(1, 2, 1, 1)), [(batch, 3, face_size, face_size)]
    if name == "syncnet_color":
        return (mel, torch.rand(batch, 15, face_size // 2, face_size)), [(batch, 128), (batch, 128)]
    return ((face,) if name == "disc_quality" else (mel, face, face)), [(batch, 1)]


@pytest.mark.parametrize(("name", "face_size"), [*product(FAMILY, FACE_SIZES)])
def test_every_size_goes_forward_and_backward(name, face_size):
    model = build_model({"name": name, "face_size": face_size, "width": 0.25})
    arguments, shapes = inputs_for(name, face_size, batch=2)
    results = call_of(model)(*arguments)
    results = results if isinstance(results, tuple) else (results,)
    assert [tuple(result.shape) for result in results] == shapes
    assert all(result.min() >= 0 and result.max() <= 1 for result in results)
    (-torch.cat([result.flatten(1) for result in results], dim=1).square().mean()).backward()
    silent = [key for key, value in model.named_parameters() if value.grad is None or not torch.isfinite(value.grad).all()]
    assert silent == []


@pytest.mark.parametrize(("name", "width"), [*product(FAMILY, (0.25, 0.4, 0.5, 0.75, 1.0))])
def test_every_width_has_shapes_that_fit(name, width):
    with torch.device("meta"):
        model = build_model({"name": name, "width": width})
        arguments, _ = inputs_for(name, 96, batch=2)
        results = call_of(model)(*arguments)
        full = build_model({"name": name})
    size, most = (sum(value.numel() for value in network.parameters()) for network in (model, full))
    assert (results[0] if isinstance(results, tuple) else results).shape[0] == 2
    assert width**2 / 1.2 < size / most < width**2 * 1.2


def test_frames_in_a_window_are_generated_one_by_one(generator):
    mel, faces = recipe_inputs("wav2lip")
    with torch.inference_mode():
        window = generator.generate(mel, faces)
        single = [generator.generate(mel[:, frame], faces[:, :, frame]) for frame in range(faces.shape[2])]
    assert window.shape == (3, 3, 2, 96, 96)
    torch.testing.assert_close(window, torch.stack(single, dim=2), rtol=0, atol=1e-5)


def test_face_maps_of_a_still_picture_serve_every_audio_code(generator):
    mel, faces = recipe_inputs("wav2lip")
    still = faces[:1, :, 0]
    with torch.inference_mode():
        together = generator.decode(generator.encode_audio(mel[:, 0]), generator.encode_face(still))
        apart = generator.generate(mel[:, 0], still.expand(3, -1, -1, -1))
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-3


def test_frames_to_batch_and_back():
    x = torch.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)
    flat = frames_to_batch(x)
    assert torch.equal(flat[2 * 3 + 1], x[1, :, 3])
    assert torch.equal(batch_to_frames(flat, 2), x)


def test_lower_halves_puts_frames_one_after_the_other():
    faces = torch.rand(2, 3, 5, 96, 96)
    halves = lower_halves(faces)
    assert halves.shape == (2, 15, 48, 96)
    assert torch.equal(halves[1, 3 * 4 + 2], faces[1, 2, 4, 48:])


def test_discriminators_look_at_the_lower_half_only():
    for name in ("disc_quality", "disc_conditional"):
        model = build_model({"name": name, "width": 0.25}).eval()
        mel, person, face = torch.rand(2, 1, 80, 16), torch.rand(2, 3, 96, 96), torch.rand(2, 3, 96, 96)
        other = face.clone()
        other[:, :, :48] = 0
        lead = () if name == "disc_quality" else (mel, person)
        with torch.inference_mode():
            assert torch.equal(model(*lead, face), model(*lead, other))
            assert not torch.equal(model(*lead, face), model(*lead, face.flip(2)))
            torch.testing.assert_close(model.logits(*lead, face).sigmoid(), model(*lead, face))


def test_conditional_discriminator_listens_and_knows_the_person():
    model = build_model({"name": "disc_conditional", "width": 0.25}).eval()
    mel, person, face = torch.rand(2, 3, 1, 80, 16), torch.rand(2, 3, 3, 96, 96), torch.rand(2, 3, 3, 96, 96)
    with torch.inference_mode():
        score = model.logits(mel, person, face)
        assert score.shape == (6, 1)
        assert not torch.allclose(score, model.logits(-4 * mel, person, face))
        assert not torch.allclose(score, model.logits(mel, 1 - person, face))
        torch.testing.assert_close(score[2:4], model.logits(mel[:, 1], person[:, :, 1], face[:, :, 1]), rtol=0, atol=1e-5)


def test_sync_probability_is_the_cosine():
    audio = torch.nn.functional.normalize(torch.rand(4, 8), dim=1)
    face = torch.nn.functional.normalize(torch.rand(4, 8), dim=1)
    torch.testing.assert_close(sync_probability(audio, face), (audio * face).sum(1))
    assert (sync_probability(audio, audio) <= 1).all()


@pytest.mark.parametrize("name", ["disc_quality", "disc_conditional"])
def test_fresh_discriminator_does_not_judge_all_faces_alike(name):
    torch.manual_seed(0)
    model = build_model({"name": name, "width": 0.5}).eval()
    arguments, _ = inputs_for(name, 96, batch=4)
    with torch.inference_mode():
        mouths = run_blocks(model.face_encoder_blocks, lower_half(arguments[-1])).flatten(1)
    assert mouths.std(dim=0).mean() > 0.01 * mouths.std()


def test_fresh_generator_starts_from_grey_and_learns():
    torch.manual_seed(0)
    model = Wav2Lip(width=0.25)
    colours = torch.tensor([[0.1, 0.3, 0.9], [0.9, 0.2, 0.2], [0.2, 0.8, 0.1], [0.8, 0.8, 0.8]])
    target = colours[:, :, None, None].expand(-1, -1, 96, 96)
    mel, faces = torch.rand(4, 1, 80, 16) * 8 - 4, target.repeat(1, 2, 1, 1)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    losses = []
    for _ in range(20):
        loss = (model.generate(mel, faces) - target).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[0] < 0.4
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("batch", [1, 11])
def test_fused_generator_gives_the_same_faces(generator, batch):
    random = torch.Generator().manual_seed(batch)
    mel = torch.rand(batch, 1, 80, 16, generator=random) * 8 - 4
    faces = torch.rand(batch, 6, 96, 96, generator=random)
    with torch.inference_mode():
        fused, plain = fuse_for_inference(generator).generate(mel, faces), generator.generate(mel, faces)
    torch.testing.assert_close(fused, plain, rtol=0, atol=1e-4)


def test_fused_copy_stands_apart_and_reuses_face_maps():
    model = Wav2Lip(width=0.5).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fused = fuse_for_inference(model)
    mel, still = torch.rand(3, 1, 80, 16), torch.rand(1, 6, 96, 96)
    with torch.inference_mode():
        faces = fused.decode(fused.encode_audio(mel), fused.encode_face(still))
        torch.testing.assert_close(faces, model.generate(mel, still.expand(3, -1, -1, -1)), rtol=0, atol=1e-4)
    assert not any(value.requires_grad for value in fused.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", ["syncnet_color", "disc_quality", "disc_conditional"])
def test_other_networks_fuse_too(name):
    model = build_model({"name": name, "width": 0.25})
    model.load_state_dict(recipe_state(model))
    arguments, _ = inputs_for(name, 96, batch=2)
    with torch.inference_mode():
        fused, plain = call_of(fuse_for_inference(model))(*arguments), call_of(model.eval())(*arguments)
    torch.testing.assert_close(fused, plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("channels", "batch", "height", "width"), [(128, 4, 16, 8), (128, 3, 48, 48), (256, 8, 12, 12)])
def test_winograd_equals_the_convolution(channels, batch, height, width):
    torch.manual_seed(channels)
    conv = torch.nn.Conv2d(channels, 128, 3, padding=1).requires_grad_(False)
    x, residual = torch.randn(batch, channels, height, width), torch.randn(batch, 128, height, width)
    fast = Winograd(conv)
    assert Winograd.possible(conv)
    assert fast.pays(x)
    torch.testing.assert_close(fast(x), conv(x), rtol=0, atol=1e-4)
    torch.testing.assert_close(fast(x, residual), conv(x) + residual, rtol=0, atol=1e-4)


def test_winograd_knows_where_it_does_not_fit():
    conv = torch.nn.Conv2d(128, 128, 3, padding=1)
    fast = Winograd(conv)
    assert not fast.pays(torch.zeros(16, 128, 6, 6))
    assert not fast.pays(torch.zeros(1, 128, 8, 8))
    assert not fast.pays(torch.zeros(16, 128, 8, 8, dtype=torch.bfloat16))
    assert not fast.pays(torch.zeros(16, 128, 8, 8, requires_grad=True))
    assert not Winograd.possible(torch.nn.Conv2d(64, 64, 3, padding=1))
    assert not Winograd.possible(torch.nn.Conv2d(128, 128, 3, stride=2, padding=1))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"name": "wav2lips"}, "did you mean wav2lip?"),
        ({"name": "wav2lip", "face_sise": 96}, "did you mean face_size?"),
        ({"name": "wav2lip", "qqqq": 1}, "known are name, face_size, width"),
        ({"name": "wav2lip", "face_size": 100}, "96, 128, 192, 256, 384"),
        ({"name": "wav2lip", "face_size": "96"}, "model.face_size"),
        ({"name": "wav2lip", "face_size": [96]}, "model.face_size"),
        ({"name": "disc_quality", "width": 0.2}, "model.width"),
        ({"name": "disc_conditional", "width": "wide"}, "model.width"),
        ({"name": "wav2lip", "width": float("nan")}, "model.width"),
        ({"name": "syncnet_color", "frames": 0}, "model.frames"),
        ({"name": ["wav2lip"]}, "model.name"),
        ({"face_size": 96}, "give a mapping with a name"),
        (None, "give a mapping with a name"),
    ],
)
def test_wrong_config_is_refused_with_advice(config, says):
    with pytest.raises(InputError) as caught:
        build_model(config)
    assert says in str(caught.value)

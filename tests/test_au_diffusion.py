"""The diffusion renderer of action units: what it draws is decided by its weights, its condition and its seed."""

import sys

import pytest
import torch

from common.errors import InputError
from models import build_model
from models.au.diffusion import ActionUnitsDiffusion
from models.au.noising import PREDICTS, STEPS, draw_noise, draw_steps, kept, noised, sample, wanted_of
from models.au.unet import REACH
from tests.au_kit import SMALL as FUSION
from tests.conftest import ROOT
from tests.diffusion_kit import AUTOENCODER, SMALL, Problem, batch, renderer
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import load_config
from training.parts import build_network, require_starts
from training.run import Run


@pytest.fixture(scope="module")
def drawn():
    """(network in eval mode, Person, features (T, D), masked frames) of a clip of 7 frames."""
    model, given = renderer().eval(), batch(items=1, frames=7)
    with torch.no_grad():
        return model, model.identify(given["identity_face"]), model.hear(given["mfcc"][0]), given["masked_face"][0]


# --- what is drawn ----------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_two_calls_draw_the_same_faces(drawn):
    """The published code draws new keys and values at every call, so that no two of its results agree."""
    model, person, features, masked = drawn
    faces = model.draw(person, features, masked)
    assert faces.shape == (7, 3, 96, 96) and faces.dtype == torch.float32 and 0 <= faces.min() < faces.max() <= 1
    assert torch.equal(faces, model.draw(person, features, masked))
    torch.manual_seed(7)
    assert torch.equal(faces, model.draw(person, features, masked))
    assert not torch.equal(faces, model.draw(person, features, masked, seed=1))
    assert not torch.equal(faces, model.draw(person, features, masked, steps=4))


@torch.inference_mode()
def test_another_condition_draws_another_face(drawn):
    model, person, features, masked = drawn
    codes = model.fuse(person, features[None])
    tokens = model.conditions(codes)[0]
    faces = model.paint(person, masked, tokens)
    for other in (10 * torch.randn(tokens.shape, generator=torch.Generator().manual_seed(0)), tokens.flip(1) * 9):
        assert (faces - model.paint(person, masked, other)).abs().mean() > 1e-5
    latents, steps = draw_noise((7, 3, 24, 24), False), torch.full((7,), 500)
    said = [model.unet(latents, steps, latents, latents, one) for one in (tokens, tokens.flip(1))]
    assert (said[0] - said[1]).abs().max() > 1e-6, "the order of the five frames says nothing"


@torch.inference_mode()
def test_a_frame_does_not_depend_on_the_others_of_the_call(drawn):
    model, person, features, masked = drawn
    tokens = model.conditions(model.fuse(person, features[None]))[0]
    faces = model.paint(person, masked, tokens)
    torch.testing.assert_close(model.paint(person, masked[4:6], tokens[4:6]), faces[4:6], rtol=0, atol=1e-4)
    still = model.paint(person, masked[:1], tokens)  # one picture for all
    torch.testing.assert_close(still[:1], faces[:1], rtol=0, atol=1e-4)
    assert len(still) == 7


@torch.inference_mode()
@pytest.mark.parametrize("frames", [1, 2, 9])
def test_any_number_of_frames_is_drawn(drawn, frames):
    model, person, features, masked = drawn
    many = features.repeat(2, 1)[:frames]
    assert model.draw(person, many, masked[:1], steps=1).shape == (frames, 3, 96, 96)
    tokens = model.conditions(torch.arange(frames).float()[None, :, None])[0, :, :, 0]
    assert tokens.shape == (frames, 2 * REACH + 1)
    wanted = [[min(max(number, 0), frames - 1) for number in row] for row in model.around(range(frames))]
    assert tokens.tolist() == wanted


# --- training ---------------------------------------------------------------------------------------------------------------


def test_gradients_reach_every_learned_weight_and_keys_and_values_are_stored():
    model = renderer(shuffled=False)
    torch.nn.init.normal_(model.unet.net.conv_out.weight, std=0.1)
    found = model(batch())
    assert set(found) == set(model.gives)
    (found["noise_predicted"] - found["noise"]).square().mean().backward()
    logits = tuple(f"audio_to_units.nets.{number}.logit." for number in range(5))  # nothing that is drawn depends on them
    learned = {name: one for name, one in model.named_parameters() if not name.startswith(("autoencoder.", *logits))
               and ".kept." not in name}  # fmt: skip
    # windows of 12 columns give recurrent layers one step, in which their state is 0
    still = [name for name, one in learned.items() if one.grad is None or not one.grad.any() or not one.grad.isfinite().all()]
    assert not still
    projections = [name for name in model.state_dict() if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))]
    assert len(projections) >= 12 and set(projections) <= set(learned)
    assert model.state_dict()[projections[0]].shape[1] == model.temporal.channels
    assert not any(one.requires_grad for one in model.autoencoder.parameters())
    assert all(one.grad is None for one in model.autoencoder.parameters())


def test_the_autoencoder_never_learns():
    model = renderer()
    before = {name: one.clone() for name, one in model.autoencoder.state_dict().items()}
    assert model.training and not any(module.training for module in model.autoencoder.modules())
    model(batch())
    assert all(torch.equal(before[name], one) for name, one in model.autoencoder.state_dict().items())


def test_validation_compares_and_training_varies():
    model, given = renderer().eval(), batch(frames=5)
    with torch.no_grad():
        one, other = model(given), model(given)
        assert all(torch.equal(one[name], other[name]) for name in one)
        assert one["noised_frames"].tolist() == [[1, 3]] * 2
        model.train()
        first, second = model(given), model(given)
        assert not torch.equal(first["noise"], second["noise"]) and first["noise"].shape == (2, 2, 3, 24, 24)
        state = torch.get_rng_state()
        again = [(torch.set_rng_state(state), model(given))[1]["noise_predicted"] for _ in range(2)]
        assert torch.equal(*again), "a resumed run goes on with other noise"
    steps = draw_steps(10, False)
    assert sorted(steps.tolist()) == [50 + 100 * number for number in range(10)] and torch.equal(steps, draw_steps(10, False))
    assert 0 <= draw_steps(1000, True).min() < draw_steps(1000, True).max() < STEPS


def test_pictures_of_a_validation_are_faces(drawn):
    model, given = drawn[0], batch(frames=3)
    outputs = model(given)
    rows = model.pictures(outputs, given)
    assert list(rows) == ["input", "reference", "generated", "real"] and model.pictured(outputs) == 1
    assert all(one.shape == (2, 3, 96, 96) for one in rows.values())
    assert torch.equal(rows["real"], given["face"][:, 1]) and not rows["input"][:, :, 48:].any()


@pytest.mark.parametrize(("shuffled", "least", "most"), [(False, 0.9, 1.0), (True, 0.25, 0.8)])
def test_the_score_of_units_falls_where_the_condition_is_shuffled(shuffled, least, most):
    """Trained in order, what is drawn tells the unit of its frame; in random order, at most how often the window has it."""
    torch.manual_seed(0)
    model = build_model({**SMALL, "predicts": "velocity", "shuffled": shuffled})
    problem = Problem(model.temporal.channels)
    problem.train(model, 80, 5e-3)
    score = problem.score(model.eval())
    assert least <= score <= most, score


# --- noise ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("predicts", PREDICTS)
def test_a_sampler_that_is_told_the_truth_finds_the_latents(predicts):
    latents, start = draw_noise((2, 3, 4, 4), False, seed=1), draw_noise((2, 3, 4, 4), False, seed=2)

    def truth(noisy, step):
        share = kept(torch.full((2,), step))
        noise = (noisy - share.sqrt() * latents) / (1 - share).sqrt()
        return wanted_of(predicts, latents, noise, torch.full((2,), step))

    for steps in (1, 7, 200):
        torch.testing.assert_close(sample(truth, start, steps, predicts), latents, rtol=1e-2, atol=1e-2)


def test_noise_is_added_as_published():
    """arXiv 2112.10752's linear schedule from 0.0015 to 0.0195: the values of diffusers, which computes it by itself."""
    from diffusers import DDIMScheduler

    theirs = DDIMScheduler(STEPS, 0.0015, 0.0195, "scaled_linear")
    steps = torch.tensor([0, 10, 500, 999])
    torch.testing.assert_close(kept(steps).flatten(), theirs.alphas_cumprod[steps], rtol=1e-4, atol=1e-7)
    latents, noise = torch.rand(4, 3, 2, 2), torch.randn(4, 3, 2, 2)
    torch.testing.assert_close(noised(latents, noise, steps), theirs.add_noise(latents, noise, steps), rtol=1e-4, atol=1e-5)
    velocity = wanted_of("velocity", latents, noise, steps)
    torch.testing.assert_close(velocity, theirs.get_velocity(latents, noise, steps), rtol=1e-4, atol=1e-5)
    assert wanted_of("noise", latents, noise, steps) is noise


# --- files and mistakes ---------------------------------------------------------------------------------------------------


def test_it_begins_from_fusion_and_autoencoder(tmp_path):
    fusion = {**FUSION, "columns": SMALL["columns"], "unit_reader": False}
    for name, section in (("fusion", fusion), ("autoencoder", AUTOENCODER)):
        torch.manual_seed(5)
        save_checkpoint(tmp_path / f"{name}.safetensors", build_model(section), {"model": section, "data": {"crop": "au112"}})
    parts = {"fusion": ["audio_to_units", "identity_encoder", "speech_encoder", "temporal"], "autoencoder": ["autoencoder"]}
    starts = [{"checkpoint": str(tmp_path / f"{name}.safetensors"), "parts": some} for name, some in parts.items()]
    model = build_network({"model": SMALL, "data": {}, "train": {"seed": 0, "freeze": []}}, torch.device("cpu"), starts)
    for name, some in parts.items():
        stored = load_checkpoint(tmp_path / f"{name}.safetensors").model.state_dict()
        taken = [key for key in stored if key.startswith(tuple(f"{part}." for part in some))]
        assert taken and all(torch.equal(model.state_dict()[key], stored[key]) for key in taken)
    other = {**SMALL, "codes": 64}
    with pytest.raises(InputError, match="does not fit the section model: other shape: autoencoder.codec.quantize"):
        build_network({"model": other, "data": {}, "train": {"seed": 0, "freeze": []}}, torch.device("cpu"), starts[1:])


@pytest.mark.parametrize("starts", ["null", "[{checkpoint: a, parts: [temporal]}]"])
def test_a_fresh_run_without_a_trained_autoencoder_is_refused(starts):
    path = ROOT / "configs" / "au_small_diffusion.yaml"
    with pytest.raises(InputError, match=r"names no checkpoint for the part autoencoder, .* parts: \[autoencoder\]"):
        Run(load_config(path, ["train.device=cpu", f"train.init={starts}", "train.runs=nowhere"]))
    for fits in ("a.safetensors", "[{checkpoint: a, parts: [autoencoder]}]"):
        require_starts(load_config(path, [f"train.init={fits}"]))


def test_the_published_form_has_the_published_sizes():
    with torch.device("meta"):
        model = ActionUnitsDiffusion()
    net = model.unet.net
    assert net.config.block_out_channels == (256, 512, 768, 1024) and net.config.cross_attention_dim == 1024
    assert net.conv_in.in_channels == 9 and model.autoencoder.codec.quantize.embedding.weight.shape == (8192, 3)
    batch_ = {name: one.to("meta") for name, one in batch(items=1, frames=5).items()}
    with torch.device("meta"):
        assert model.see(batch_["face"][0]).shape == (5, 3, 24, 24)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"face_size": 100}, "model.face_size: 100 .*96, 112, 128"),
        ({"unet_width": 0.05}, "model.unet_width: 0.05 .*0.0625 to 1"),
        ({"autoencoder_width": "1"}, "model.autoencoder_width: '1'"),
        ({"codes": 8}, "model.codes: 8 .*16 to 65536"),
        ({"depth": 0}, "model.depth: 0 .*1 to 3"),
        ({"frames": 0}, "model.frames: 0"),
        ({"predicts": "sample"}, "model.predicts: 'sample' .*noise, velocity"),
        ({"shuffled": 1}, "model.shuffled: 1 .*true or false"),
        ({"steps": 1001}, "model.steps: 1001 .*1 to 1000"),
        ({"stage": "fusion"}, "model.stage: "),
    ],
)
def test_a_value_that_is_not_possible_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        build_model({**SMALL, **options})


@pytest.mark.parametrize("section", [SMALL, AUTOENCODER], ids=lambda one: one["name"])
def test_without_diffusers_one_line_says_what_to_do(section, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    words = r"needs diffusers \(.*\); install diffusers \(.*\), or use configs/au_fusion.yaml, which needs none"
    with pytest.raises(InputError, match=words):
        build_model(section)
    assert build_model(FUSION) is not None  # the direct form needs none

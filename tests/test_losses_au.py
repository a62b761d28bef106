"""Terms of action units: their formulas against numpy, unknown frames, rates of the corpus, what is refused."""

import json
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.action_units import UNITS
from common.errors import InputError
from datasets.action_units import read_action_units
from datasets.label_rates import label_rates, label_sources
from datasets.prepared import PreparedCorpus
from losses.au.identity import IdentityUpper
from losses.au.motion import FaceMotion
from losses.au.perceptual import PerceptualUnits, PerceptualVgg
from losses.au.units import ActionUnitBce, ActionUnitDice
from losses.criterion import build_criterion
from losses.term import Setting
from models import build_model, vgg
from models.au import UnitClassifier
from tests.au_kit import batch_of, units
from tests.prepared_kit import make_corpus
from training.config import load_config
from training.setup import build_losses

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(deadline=None, max_examples=12)
RATES = st.lists(st.floats(0.01, 1), min_size=5, max_size=5)


def drawn(seed, items=3, frames=4):
    """outputs, batch: logits with a gradient; some frames are unknown, some only pad."""
    rng = np.random.default_rng(seed)
    logits = torch.tensor(4 * rng.standard_normal((items, frames, 5)).astype(np.float32)).requires_grad_()
    batch = {"action_units": torch.tensor((rng.random((items, frames, 5)) > 0.5).astype(np.float32)),
             "action_units_known": torch.tensor(rng.random((items, frames)) > 0.3),
             "valid": torch.tensor((rng.random((items, frames)) > 0.2).astype(np.float32))}  # fmt: skip
    batch["action_units_known"][0, 0] = batch["valid"][0, 0] = True
    return {"drawn_units": logits}, batch


def in_numpy(outputs, batch):
    """(probabilities, labels, counting) as float64."""
    logits = outputs["drawn_units"].detach().numpy().astype(np.float64)
    counting = batch["action_units_known"].numpy() & (batch["valid"].numpy() > 0)
    return 1 / (1 + np.exp(-logits)), batch["action_units"].numpy().astype(np.float64), counting


def weights_of(rates):
    inverse = 1 / np.array(rates)
    return len(rates) * inverse / inverse.sum()


@FEW
@given(SEEDS, RATES)
def test_cross_entropy_is_the_published_formula_over_the_known_frames(seed, rates):
    outputs, batch = drawn(seed)
    found, real, counting = in_numpy(outputs, batch)
    value, figures = ActionUnitBce(rates)(outputs, batch)
    apart = -(real * np.log(found) + (1 - real) * np.log(1 - found))
    assert float(value.detach()) == pytest.approx(((weights_of(rates) * apart).mean(2)[counting]).mean(), rel=1e-4)
    value.backward()
    gradient = outputs["drawn_units"].grad
    assert bool(gradient[torch.tensor(counting)].any()) and not gradient[torch.tensor(~counting)].any()
    said, real = (found > 0.5)[counting], (real > 0.5)[counting]
    for number, unit in enumerate(UNITS):
        hits = (said & real)[:, number].sum()
        misses = (said != real)[:, number].sum()
        assert [int(one) for one in figures[f"f1_au{unit}"]] == [2 * hits, 2 * hits + misses]
        assert [int(one) for one in figures[f"accuracy_au{unit}"]] == [len(real) - misses, len(real)]


@FEW
@given(SEEDS, RATES, st.floats(0.01, 2))
def test_dice_is_the_published_formula_over_the_known_frames(seed, rates, epsilon):
    outputs, batch = drawn(seed)
    found, real, counting = in_numpy(outputs, batch)
    value = ActionUnitDice(rates, epsilon)(outputs, batch)
    share = (2 * real * found + epsilon) / (real**2 + found**2 + epsilon)
    wanted = (weights_of(rates) * (1 - share)).mean(2)[counting].mean()
    assert float(value.detach()) == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    value.backward()
    assert not outputs["drawn_units"].grad[torch.tensor(~counting)].any()


def test_weights_have_a_mean_of_1_and_rare_units_weigh_more():
    weights = ActionUnitBce([0.1, 0.2, 0.4, 0.8, 0.8]).weights
    assert float(weights.mean()) == pytest.approx(1)
    assert weights.tolist() == pytest.approx([float(8 * weights[3]), *(float(one * weights[3]) for one in (4, 2, 1, 1))])
    assert ActionUnitBce().weights.tolist() == [1] * 5


@pytest.mark.parametrize("term", [ActionUnitBce(), ActionUnitDice()])
def test_a_batch_without_known_frames_counts_nothing(term):
    outputs, batch = drawn(0)
    batch["action_units_known"][:] = False
    found = term(outputs, batch)
    value = found[0] if isinstance(found, tuple) else found
    value.backward()
    assert float(value.detach()) == 0 and not outputs["drawn_units"].grad.any() and int(term.count(outputs, batch)) == 0
    assert not isinstance(found, tuple) or all(int(count) == 0 for _, count in found[1].values())


def test_of_names_what_is_read():
    outputs, batch = drawn(1)
    criterion = build_criterion({"heard": {"loss": "action_unit_dice", "of": "audio_units", "weight": 1}})
    assert criterion.reads("heard") == ("audio_units",)
    total, _ = criterion({"audio_units": outputs["drawn_units"]}, batch)
    assert float(total.detach()) == pytest.approx(float(ActionUnitDice()(outputs, batch).detach()))


@FEW
@given(SEEDS, st.sampled_from([32, 33]))
def test_the_upper_half_is_that_of_the_identity_picture(seed, side):
    rng = np.random.default_rng(seed)
    faces, own = (torch.tensor(rng.random(shape).astype(np.float32)) for shape in ((2, 3, 3, side, side), (2, 3, side, side)))
    faces.requires_grad_()
    value = IdentityUpper()({"face": faces}, {"identity_face": own})
    upper = faces.detach()[..., : side // 2, :] - own[:, None, :, : side // 2]
    assert float(value.detach()) == pytest.approx(float(upper.abs().mean()), rel=1e-5)
    value.backward()
    assert faces.grad[..., : side // 2, :].any() and not faces.grad[..., side // 2 :, :].any()


@FEW
@given(SEEDS, st.integers(2, 5))
def test_movement_of_the_lower_half_is_followed_from_0_to_1(seed, frames):
    rng = np.random.default_rng(seed)
    real = torch.tensor(rng.random((2, frames, 3, 16, 16)).astype(np.float32))
    still, batch = real.mean(1, keepdim=True), {"face": real}
    assert float(FaceMotion()({"face": real}, batch)) == 0
    assert float(FaceMotion()({"face": still.expand_as(real)}, batch)) == pytest.approx(1, rel=1e-4)
    other = torch.rand(2, 1, 3, 16, 16)  # another face, which moves half as much, and above the middle not at all
    half = (other + 0.5 * (real - still)).requires_grad_()
    value = FaceMotion()({"face": half}, batch)
    assert float(value.detach()) == pytest.approx(0.25, rel=1e-3)
    value.backward()
    assert half.grad[..., 8:, :].any() and not half.grad[..., :8, :].any()
    padded = {"face": torch.cat((real, torch.rand(2, 1, 3, 16, 16)), 1), "valid": torch.ones(2, frames + 1)}
    padded["valid"][:, -1] = 0
    drawn = torch.cat((half.detach(), torch.rand(2, 1, 3, 16, 16)), 1)
    assert float(FaceMotion()({"face": drawn}, padded)) == pytest.approx(0.25, rel=1e-3)


def classifier():
    torch.manual_seed(0)
    return UnitClassifier(96, 0.125)


def thin_vgg():
    with mock.patch.object(vgg, "CHANNELS", tuple(tuple(8 for _ in group) for group in vgg.CHANNELS)):
        torch.manual_seed(0)
        return vgg.Vgg19()


@pytest.mark.parametrize(("kind", "make"), [(PerceptualUnits, classifier), (PerceptualVgg, thin_vgg)])
def test_features_are_compared_layer_by_layer_and_their_network_is_frozen(kind, make):
    network = make()
    term = kind(network).train()
    assert not network.training and not any(one.requires_grad for one in network.parameters())
    batch = batch_of(frames=2)
    faces = torch.rand(batch["face"].shape, requires_grad=True)
    value = term({"face": faces}, batch)
    maps = network.maps if kind is PerceptualUnits else network
    found, real = ([one.numpy() for one in maps(given.detach().flatten(0, 1))] for given in (faces, batch["face"]))
    assert len(found) == (4 if kind is PerceptualUnits else 5)
    wanted = np.mean([np.abs(one - other).mean() for one, other in zip(found, real, strict=True)])
    assert float(value.detach()) == pytest.approx(wanted, rel=1e-4)
    value.backward()
    assert bool(faces.grad[..., :48, :].any()) == (kind is PerceptualVgg) and faces.grad[..., 48:, :].any()
    assert float(term({"face": batch["face"]}, batch)) == 0


# --- configs and corpora ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return PreparedCorpus.open_folder(make_corpus(tmp_path_factory.mktemp("rates") / "corpus", frames=12, size=16))


def test_rates_are_those_of_the_known_frames_of_the_training_clips(corpus):
    present = [read_action_units(corpus.folder, row) for row in corpus.split("train")]
    wanted = np.concatenate([one.present[one.known] for one in present]).mean(0)
    assert 0 < sum(one.known.sum() for one in present) < sum(len(one.known) for one in present)
    assert label_rates(corpus, "action_units") == pytest.approx(wanted.tolist()) and min(wanted) > 0
    setting = Setting(rates=lambda field: label_rates(corpus, field), sources=lambda field: label_sources(corpus, field))
    term = build_criterion({"units": {"loss": "action_unit_bce", "weight": 1}}, setting).terms["units"]
    assert term.facts() == {"rates": pytest.approx(wanted.tolist()), "labels": ["geometry"]}
    assert json.loads(json.dumps(term.facts())) == term.facts()
    given = build_criterion({"action_unit_dice": {"weight": 1, "rates": [0.5, 0.5, 0.25, 1, 1]}}, setting)
    assert given.terms["action_unit_dice"].facts() == {"rates": [0.5, 0.5, 0.25, 1, 1], "labels": ["geometry"]}
    with pytest.raises(ValueError, match="field lips has no rates"):
        label_rates(corpus, "lips")


def test_a_run_stores_the_rates_and_whose_labels_it_learned(corpus):
    config = load_config(Path(__file__).parents[1] / "configs" / "au_small_audio.yaml")
    config["data"]["corpus"] = str(corpus.folder)
    facts = build_losses(config, torch.device("cpu"), build_model(config["model"])).facts()
    wanted = {"rates": label_rates(corpus, "action_units"), "labels": ["geometry"]}
    assert facts == {"units": wanted, "dice": wanted}


def test_a_corpus_without_labels_has_no_rates(tmp_path):
    folder = make_corpus(tmp_path / "corpus", clips=2, frames=12, size=16, words=False)
    with pytest.raises(InputError, match="no training clip has action units; run prepare.py on it again with --action_units"):
        label_rates(PreparedCorpus.open_folder(folder), "action_units")


def stored(stage="classifier", face_size=96):
    """What loading a checkpoint of action units gives."""
    return SimpleNamespace(model=units(stage=stage, face_size=face_size), path=Path("x.safetensors"), sha256="0" * 64)


@pytest.mark.parametrize(
    ("losses", "found", "words"),
    [
        ({"action_unit_bce": {"rates": [0.5] * 4}}, None, "losses.action_unit_bce.rates: .*list of 5"),
        ({"mine": {"loss": "action_unit_bce", "rates": [0.5, 0, 0.5, 1, 1]}}, None, r"losses.mine.rates\[1\]: .*above 0"),
        ({"action_unit_dice": {"epsilon": 0}}, None, "losses.action_unit_dice.epsilon"),
        ({"action_unit_bce": {}}, None, r"losses.action_unit_bce.rates: no training clip shows AU14, AU20; give .*0.50, 0.01"),
        ({"face_motion": {"region": "chin"}}, None, "unknown losses.face_motion.region .chin."),
        ({"perceptual_units": {}}, None, r"losses.perceptual_units.classifier: name the checkpoint .*au_classifier.yaml"),
        ({"perceptual_units": {"classifier": "x"}}, stored("audio"), "is of stage audio and has no classifier of faces"),
        ({"perceptual_units": {"classifier": "x"}}, stored(face_size=112), "made for faces of 112 pixels"),
        ({"perceptual_vgg": {"weight": 1}}, None, "losses.perceptual_vgg.weights: name a file of VGG-19's weights"),
    ],
)
def test_mistakes_are_one_line(losses, found, words):
    setting = Setting(lambda *_: found, rates=lambda _field: [0.5, 0.0, 0.0, 0.9, 0.2])
    with pytest.raises(InputError, match=words) as error:
        build_criterion({name: {"weight": 1, **options} for name, options in losses.items()}, setting)
    assert "\n" not in str(error.value)


def test_movement_needs_a_window():
    with pytest.raises(InputError, match="losses.face_motion: compares the frames of a window; give data.window 2"):
        build_criterion({"face_motion": {"weight": 1}}, Setting(frames=1))

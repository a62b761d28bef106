"""The adaptive lip weight inside the generator: the gate, its table in checkpoints, in training and in inference."""

import numpy as np
import pytest
import torch
import yaml

from common.errors import InputError
from models import build_model, fuse_for_inference
from pipeline.drivers import load_driver
from speech.arpabet import NUMBER, PHONES
from tests.conftest import ROOT
from tests.inference_kit import OWN, TINY, enliven, infer, portrait, read_video, save_tiny
from tests.prepared_kit import make_corpus
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import load_config
from training.loop import train
from training.run import Run
from training.storage.store import Store

GATED = {**TINY, "audio_gate": True}


def gated(beta=2.0):
    """A seeded generator with a gate that has learned something: AA weighs much, silence little."""
    torch.manual_seed(3)
    model = build_model(GATED)
    model.audio_gate.table.update(torch.tensor([NUMBER["AA"], NUMBER["SIL"]]), torch.tensor([1.0, 0.4]),
                                  torch.ones(2, dtype=torch.bool))  # fmt: skip
    with torch.no_grad():
        model.audio_gate.beta.fill_(beta)
    # without phonemes while `enliven` sets the weights
    gate, model.audio_gate = model.audio_gate, None
    enliven(model)
    model.audio_gate = gate
    return model.eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("gated") / "gated.safetensors"
    save_checkpoint(path, gated(), {"model": GATED, "data": OWN, "training": {}})
    return path


def inputs(items=2, frames=3):
    generator = torch.Generator().manual_seed(2)
    mel = torch.rand(items, frames, 1, 80, 16, generator=generator) * 8 - 4
    faces = torch.rand(items, 6, frames, 96, 96, generator=generator)
    phonemes = torch.tensor([[NUMBER["AA"], NUMBER["SIL"], NUMBER["ZH"]]] * items)
    return mel, faces, phonemes


def test_a_fresh_gate_changes_nothing():
    mel, faces, phonemes = inputs()
    closed, open_ = gated(beta=0.0), gated(beta=2.0)
    with torch.no_grad():
        bare = closed.generate(mel, faces, phonemes)
        changed = (open_.generate(mel, faces, phonemes) - bare).abs().amax((1, 3, 4))
    torch.manual_seed(3)
    plain = build_model(TINY)
    plain.load_state_dict({key: value for key, value in closed.state_dict().items() if not key.startswith("audio_gate")})
    with torch.no_grad():
        assert torch.equal(plain.eval().generate(mel, faces), bare)
    assert (changed[:, :2] > 1e-3).all() and (changed[:, 2] == 0).all(), "a class never seen is left as it is"


def test_codes_are_scaled_as_the_formula_says():
    model, (mel, _, phonemes) = gated(beta=0.5), inputs(1)
    with torch.no_grad():
        codes = model.encode_audio(mel[0], phonemes[0])
        factors = (codes / model.audio_encoder(mel[0]))[:, :, 0, 0].nanmean(1)
    assert factors.tolist() == pytest.approx([1 + 0.5 * 0.3, 1 - 0.5 * 0.3, 1.0], abs=1e-5)  # the mean of 1.0 and 0.4 is 0.7


def test_each_frame_gets_its_own_phoneme():
    model, (mel, faces, phonemes) = gated(), inputs()
    with torch.no_grad():
        window = model.generate(mel, faces, phonemes)
        for item in range(2):
            for frame in range(3):
                at = slice(item, item + 1)
                one = model.generate(mel[at, frame], faces[at, :, frame], phonemes[at, frame])
                torch.testing.assert_close(window[item, :, frame], one[0], rtol=0, atol=1e-5)


def test_the_gate_learns_and_must_be_told_the_phonemes():
    model, (mel, faces, phonemes) = gated(beta=0.0), inputs()
    model.generate(mel, faces, phonemes).mean().backward()
    assert model.audio_gate.beta.grad.abs() > 0
    with pytest.raises(ValueError, match="phonemes"):
        model.generate(mel, faces)
    assert "phoneme" in model.needs
    assert "phoneme" not in build_model(TINY).needs
    with pytest.raises(InputError, match="audio_gate"):
        build_model({**TINY, "audio_gate": "yes"})


def test_table_and_beta_travel_in_the_checkpoint_and_through_fusing(checkpoint):
    model = load_checkpoint(checkpoint).model
    assert model.audio_gate.table.as_dict() == pytest.approx({"SIL": 0.4, "AA": 1.0})
    assert float(model.audio_gate.beta.detach()) == 2.0
    mel, faces, phonemes = inputs()
    with torch.no_grad():
        fused = fuse_for_inference(model).generate(mel, faces, phonemes)
        torch.testing.assert_close(fused, model.generate(mel, faces, phonemes), rtol=0, atol=1e-4)


def test_the_generator_of_the_pipeline_passes_phonemes_on(checkpoint):
    generator = load_driver(checkpoint, device="cpu").generator
    assert generator.wants_phonemes
    rng = np.random.default_rng(1)
    mels = rng.uniform(-4, 4, (3, 80, 16)).astype(np.float32)
    faces = rng.integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    silent = generator(mels, faces, faces, phonemes=np.zeros(3, np.int64))
    spoken = generator(mels, faces, faces, phonemes=np.array([0, NUMBER["AA"], NUMBER["ZH"]]))
    apart = np.abs(silent.astype(int) - spoken).max((1, 2, 3))
    assert apart[0] == 0 and apart[1] > 3 and apart[2] > 0


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    from PIL import Image

    path = tmp_path_factory.mktemp("face") / "face.png"
    Image.fromarray(portrait()).save(path)
    return path


def test_inference_takes_an_alignment_a_transcript_or_hears_for_itself(checkpoint, face, tmp_path, capsys):
    speech = ROOT / "samples" / "speech.wav"
    everything = tmp_path / "phones.csv"
    everything.write_text("start,end,label\n0,5.9,AA\n")
    nothing = tmp_path / "unseen.csv"
    nothing.write_text("start,end,label\n0,5.9,ZH\n")
    common = ("--face", face, "--audio", speech, "--checkpoint_path", checkpoint, "--no_cache")
    made = {}
    for name, flags in {
        "open": ("--align", everything),
        "shut": ("--align", nothing),
        "transcript": ("--transcript", ROOT / "samples" / "speech.txt"),
        "heard": (),
    }.items():
        outfile = tmp_path / f"{name}.mp4"
        assert infer(*common, *flags, "--outfile", outfile) == 0, capsys.readouterr().err
        made[name] = read_video(outfile).astype(int)
    apart = {pair: np.abs(made[pair[0]] - made[pair[1]])[:, 100:200, 60:200].max() for pair in
             (("open", "shut"), ("transcript", "shut"), ("heard", "shut"))}  # fmt: skip
    assert min(apart.values()) > 20, apart


def test_inference_says_when_words_change_nothing_and_refuses_two_of_them(face, checkpoint, tmp_path, capsys):
    plain = save_tiny(tmp_path / "plain.safetensors")
    speech, words = ROOT / "samples" / "speech.wav", ROOT / "samples" / "speech.txt"
    common = ("--face", face, "--audio", speech, "--outfile", tmp_path / "out.mp4", "--no_cache")
    assert infer(*common, "--checkpoint_path", plain, "--transcript", words) == 0
    assert "no audio gate" in capsys.readouterr().err
    assert infer(*common, "--checkpoint_path", checkpoint, "--transcript", words, "--align", words) == 2
    assert "give one of them" in capsys.readouterr().err
    assert infer(*common, "--checkpoint_path", checkpoint, "--transcript", tmp_path / "none.txt") == 2
    assert "none.txt" in capsys.readouterr().err
    assert infer(*common, "--checkpoint_path", checkpoint, "--aligner", "pocketsphinks") == 2
    assert "did you mean pocketsphinx" in capsys.readouterr().err


@pytest.fixture
def config(tmp_path):
    """Path of a small config with lip loss, gate and windows of whole runs."""
    corpus = make_corpus(tmp_path / "corpus", frames=20)
    path = tmp_path / "temporal.yaml"
    path.write_text(yaml.safe_dump({
        "model": GATED,
        "data": {"corpus": str(corpus), "window": "phoneme", "longest": 6, "workers": 0},
        "losses": {"l1": {"weight": 0.9}, "temporal_lip": {"weight": 0.1}},
        "train": {"batch_size": 2, "steps": 4,
                  "device": "cpu", "runs": str(tmp_path / "runs"), "log_every": 1, "validate_every": 2,
                  "validate_batches": 1, "threads": 1, "tensorboard": "off", "curve": False},
    }))  # fmt: skip
    return path


def quiet(_line):
    pass


def test_training_fills_the_table_and_a_resumed_run_equals_an_unbroken_one(config):
    whole = Run(load_config(config, ["name=whole"]))
    train(whole, quiet)
    half = Run(load_config(config, ["name=half", "train.steps=2"]))
    train(half, quiet)
    rest = Run(load_config(config, ["name=half"]))
    assert Store(rest).load() == 2
    assert rest.model.audio_gate.table.mass.sum() > 0
    train(rest, quiet)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, rest.model.state_dict()[name]), name
    stored = load_checkpoint(whole.folder / "last.safetensors")
    facts = stored.config["training"]["facts"]["temporal_lip"]["lip_weight"]
    assert facts == whole.model.audio_gate.table.as_dict() and set(facts) <= set(PHONES) and len(facts) > 5
    assert all(0 <= value <= 1 for value in facts.values())
    assert stored.model.audio_gate.table.seen.any()


def test_a_loss_without_a_gate_keeps_a_table_of_its_own(config):
    whole = Run(load_config(config, ["name=whole", "model.audio_gate=false"]))
    train(whole, quiet)
    again = Run(load_config(config, ["name=whole", "model.audio_gate=false", "train.steps=6"]))
    assert Store(again).load() == 4
    assert again.criterion.terms["temporal_lip"].table.as_dict() == whole.criterion.terms["temporal_lip"].table.as_dict() != {}


def test_a_checkpoint_without_a_gate_can_be_taught_on_with_one(config, tmp_path):
    save_tiny(tmp_path / "plain.safetensors")
    run = Run(load_config(config, [f"train.init={tmp_path / 'plain.safetensors'}"]))
    plain = load_checkpoint(tmp_path / "plain.safetensors").model
    assert torch.equal(run.model.output_block[1].weight, plain.output_block[1].weight)
    assert float(run.model.audio_gate.beta.detach()) == 0


def test_the_shuffled_control_trains_too(config):
    readings = ["losses.temporal_lip.mode=literal", "losses.temporal_lip.similarity=shape"]
    run = Run(load_config(config, ["data.phonemes=shuffled", *readings]))
    train(run, quiet)
    assert run.step == 4
    with pytest.raises(InputError, match="aligned or shuffled"):
        load_config(config, ["data.phonemes=mixed"])
    with pytest.raises(InputError, match="data.longest"):
        load_config(config, ["data.longest=1"])
    with pytest.raises(InputError, match="data.window"):
        load_config(config, ["data.window=phone"])

"""Sound to lips: what the network hears, that pieces fit together, its losses, and a run that learns."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.lipwarp.motion import heard, offset_of
from common.cli import run
from common.errors import InputError
from datasets.av_offset import NOTHING
from datasets.fields.lips import in_step
from datasets.prepared import ClipRow, PreparedCorpus
from datasets.windows import WindowDataset, collate
from faces.landmarks import MIRROR, MOUTH
from faces.lip_space import lip_space
from losses.criterion import build_criterion
from losses.temporal import run_distances
from losses.term import Setting
from models import build_model
from models.lips.motion import MARGIN, NARROW, local_mean
from speech.features import features
from speech.phonemes import phoneme_runs
from tests.conftest import ROOT
from tools import learn_inner_mouth, lip_offsets
from tools.fit_lip_motion import at_the_edge
from tools.lip_offsets import best_shift
from training.checkpoint import load_checkpoint, save_checkpoint

MODEL = {"name": "lip_motion", "width": 16, "hears": ["mid", "fin"]}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_model(MODEL).eval()


def speech(frames, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(1, frames + 2 * MARGIN, 288)).astype(np.float32))


REST = torch.from_numpy(np.float32(lip_space().rest))[None]


def test_pieces_of_a_sound_give_pieces_of_its_movements(network):
    heard = speech(40)
    whole = network.lips(heard, REST)
    assert whole.shape == network.move(heard, REST).shape == (1, 40, 20, 2)
    piece = network.lips(heard[:, 10 : 10 + 12 + 2 * MARGIN], REST)
    torch.testing.assert_close(piece, whole[:, 10:22], atol=1e-5, rtol=1e-4)
    far = heard.clone()
    far[:, :20] = speech(40, 1)[:, :20]  # what frames from 20 on do not hear
    torch.testing.assert_close(network.lips(far, REST)[:, 20:], whole[:, 20:], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(network.lips(far, REST)[:, 15], whole[:, 15], atol=1e-4)


def test_movements_lie_in_the_lip_space_and_the_gain_scales_them(network):
    moved = network.lips(speech(5), REST)[0].detach().double().numpy()
    space = lip_space()
    assert space.shape(space.coefficients(moved)) == pytest.approx(moved, abs=1e-5)
    assert network.move(speech(5), REST)[0].double().numpy() == pytest.approx(moved, abs=1e-5)  # gain 1
    network.gain[0] = 2.0
    wider = space.coefficients(network.move(speech(5), REST)[0].double().numpy())
    network.gain[0] = 1.0
    coefficients = space.coefficients(moved)
    middle = local_mean(torch.from_numpy(coefficients)[None])[0].numpy()
    assert wider[:, 0] == pytest.approx((2 * coefficients - middle)[:, 0], abs=1e-5)
    assert wider[:, 1:] == pytest.approx(coefficients[:, 1:], abs=1e-5)


def test_nearly_closed_lips_are_moved_together(network):
    plain = network.move(speech(30), REST)
    network.closing.fill_(0.05)
    closer = network.move(speech(30), REST)
    network.closing.fill_(0)
    gaps = [one[0, :, 17:20, 1].mean(1) - one[0, :, 13:16, 1].mean(1) for one in (plain, closer)]
    torch.testing.assert_close(gaps[0] - gaps[1], 0.05 * torch.exp(-gaps[0].clamp_min(0) / NARROW))
    assert torch.equal(plain[:, :, :12], closer[:, :, :12])


def test_what_does_not_move_has_no_gain():
    steady = torch.full((1, 80, 2), 0.3)
    torch.testing.assert_close(local_mean(steady), steady)
    torch.testing.assert_close(local_mean(torch.arange(300.0)[None, :, None])[:, 60:240, 0], torch.arange(60.0, 240.0)[None])


def test_where_a_mouth_lies_in_the_face_makes_no_difference(network):
    torch.testing.assert_close(network.move(speech(3), REST + 0.2), network.move(speech(3), REST))


def test_a_checkpoint_needs_nothing_else(network, tmp_path):
    save_checkpoint(tmp_path / "motion.safetensors", network, {"model": MODEL, "data": {}, "training": {}})
    found = load_checkpoint(tmp_path / "motion.safetensors", expect="lip_motion").model
    found.components.mul_(1)  # buffers of the file, not of the code
    assert torch.equal(found.move(speech(4), REST), network.move(speech(4), REST))
    assert {"components", "scale", "mean_rest", "gain", "closing"} <= set(network.state_dict())


def test_what_it_cannot_hear_is_refused():
    with pytest.raises(InputError, match="did you mean fin"):
        build_model({"name": "lip_motion", "hears": ["finn"]})
    with pytest.raises(InputError, match="mid"):
        build_model({"name": "lip_motion", "features": "mel", "hears": ["mid"]})
    with pytest.raises(InputError, match="hears names at least one part"):
        build_model({"name": "lip_motion", "hears": []})
    gated = build_model({**MODEL, "audio_gate": True}).eval()
    assert "phoneme" in gated.needs
    with pytest.raises(ValueError, match="must be given the phonemes"):
        gated.move(speech(3), REST)
    phonemes = torch.zeros(1, 3, dtype=torch.int64)
    plain = gated.move(speech(3), REST, phonemes)
    with torch.no_grad():
        gated.audio_gate.table.update(torch.tensor([0, 1]), torch.tensor([0.2, 0.8]), torch.tensor([True, True]))
        torch.testing.assert_close(gated.move(speech(3), REST, phonemes), plain)  # beta begins at 0
        gated.audio_gate.beta.fill_(1.0)
    assert not torch.allclose(gated.move(speech(3), REST, phonemes), plain)


@pytest.mark.parametrize("key", ["features", "hears", "width", "dropout", "deaf", "audio_gate"])
def test_values_of_a_wrong_type_are_refused(key):
    for value in ("x", None, [1], float("nan"), {}) if key != "width" else ("abc", 96.5, True, None):
        with pytest.raises(InputError, match="model|kind of speech feature"):
            build_model({"name": "lip_motion", key: value})
    with pytest.raises(InputError, match="hears"):
        build_model({"name": "lip_motion", "hears": "all"})
    if key in ("width", "features", "dropout"):
        with pytest.raises(InputError, match=f"model.{key}"):
            build_model({"name": "lip_sync", key: [1]})


def test_movements_are_computed_in_float32_under_autocast(network):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = torch.randn(1, 3, 6, generator=torch.Generator().manual_seed(0))
        shapes, person = network._shapes(values), network._person(REST + 0.1 * torch.randn(1, 20, 2))
        left = network.lips(speech(3), REST)
    assert torch.equal(shapes, network._shapes(values)) and shapes.dtype == person.dtype == left.dtype == torch.float32


@pytest.mark.parametrize("name", ["lip_velocity", "lip_spread"])
def test_windows_without_movement_are_refused(name):
    with pytest.raises(InputError, match=f"losses.{name}: looks at how lips move; give data.window 2 frames"):
        build_criterion({name: {"weight": 1.0}}, Setting(frames=1))


def test_a_gated_network_of_a_clip_without_phones_is_told():
    gated = build_model({"name": "lip_motion", "features": "mel", "width": 8, "audio_gate": True}).eval()
    sound, runs = np.zeros(3200, np.float32), phoneme_runs((), 25, 5)
    assert heard(gated, sound, 5, REST[0], runs).shape == (5, 20, 2)
    with pytest.raises(InputError, match="a clip has no phones"):
        heard(gated, sound, 5, REST[0])


def test_fields_follow_voice_mirror_and_av_offset(small_corpus):
    corpus = PreparedCorpus.open_folder(small_corpus)
    options = {"speech": {"features": "embedding", "margin": MARGIN}}
    fields = ("speech", "lips", "rest", "clip", "frame")
    plain, mirrored = (
        WindowDataset(corpus, "train", 8, fields, seed=3, options=options, augment={"flip": flip}) for flip in (0.0, 1.0)
    )
    lips = np.array(MIRROR[MOUTH]) - MOUTH.start
    for index in range(3):
        one, other = (data.complete(collate([data[index]])) for data in (plain, mirrored))
        assert one["speech"].shape == (1, 8 + 2 * MARGIN, 288) and one["lips"].shape == (1, 8, 20, 2)
        assert other["lips"][..., lips, :].numpy() * np.float32([-1, 1]) == pytest.approx(one["lips"].numpy(), abs=1e-6)
        assert other["rest"][:, lips].numpy() * np.float32([-1, 1]) == pytest.approx(one["rest"].numpy(), abs=1e-6)
    voiced = WindowDataset(corpus, "train", 8, fields, seed=3, options=options, augment={"voice": 1.0})
    assert np.isfinite(voiced[0]["lips"]).all()
    ramp = np.arange(20.0)[:, None]
    row = ClipRow("c/x", "c", "train", frames=20, av_offset=2.5, av_confidence=0.9, av_corrected=1)
    assert in_step(ramp, row)[5:15, 0] == pytest.approx(np.arange(5, 15) - 1.5)
    row.av_confidence = 0.1
    assert in_step(ramp, row) is ramp
    row.av_confidence, row.av_sure = 0.35, False
    assert in_step(ramp, row) is ramp, "not sure by the scale of what measured it"
    row.speaker = "c_x"
    assert offset_of(row) == 0 and offset_of(replace(row, av_sure=True)) == 1.5
    row.av_confidence, row.av_sure = 0.2, True
    assert in_step(ramp, row) is not ramp


def test_the_measure_by_made_lips_says_how_sure_it_is():
    made = np.random.default_rng(0).normal(size=40)
    for shift in (-2, 0, 3):
        found = best_shift(np.roll(made, shift), made)
        assert found.frames == shift and found.sure and found.confidence == pytest.approx(1)
    other = best_shift(made, np.random.default_rng(1).normal(size=40))
    assert not other.sure and other.confidence < 0.35 and other.least == 0.35
    assert best_shift(made, np.zeros(40)) == NOTHING


def test_offsets_by_made_lips_are_whole_rows(small_corpus, tmp_path, network, capsys):
    folder = tmp_path / "corpus"
    shutil.copytree(small_corpus, folder)
    save_checkpoint(tmp_path / "lips.safetensors", network, {"model": MODEL, "data": {}})
    rows = PreparedCorpus.open_folder(folder).rows
    command = [str(tmp_path / "lips.safetensors"), "--corpus", str(folder), "--only", rows[0].id]
    assert run(lip_offsets.main, command) == 0 and "of 1 clips" in capsys.readouterr().out
    found = PreparedCorpus.open_folder(folder).rows
    assert found[1:] == rows[1:] and found[0].av_by.startswith("lips of lips ")
    assert found[0].av_sure == (found[0].av_confidence >= lip_offsets.LEAST)
    assert (found[0].av_offset is None) == (found[0].av_confidence == 0)
    assert run(lip_offsets.main, [*command[:3], "--only", "nobody"]) == 2


def lips_of(seed, batch=3, frames=12):
    shapes = np.random.default_rng(seed).normal(size=(batch, frames, 6)) * lip_space().scale
    return torch.from_numpy(lip_space().shape(shapes).astype(np.float32))


@pytest.mark.parametrize("name", ["lip_coefficients", "lip_opening", "lip_velocity", "lip_spread", "temporal_motion"])
def test_losses_are_0_for_equal_lips_and_pull_towards_them(name):
    units = [{"unit": "frame", "mode": "uniform"}, {"unit": "run", "mode": "uniform"}] if name == "temporal_motion" else [{}]
    run = torch.arange(12)[None].expand(3, -1) // 4
    batch = {"lips": lips_of(0), "phoneme": run, "run": run}
    for unit in units:
        term = build_criterion({name: {"weight": 1.0, **unit}})
        assert float(term({"lips": batch["lips"]}, batch)[0]) == pytest.approx(0, abs=1e-6)
        made = (batch["lips"] * 0.6 + 0.1 * lips_of(1)).requires_grad_()
        value = term({"lips": made}, batch)[0]
        value.backward()
        with torch.no_grad():
            assert value > 0 and term({"lips": made - made.grad / made.grad.norm() * 0.01}, batch)[0] < value


def test_centred_coefficients_forgive_what_a_window_is_off_all_the_time():
    term = build_criterion({"lip_coefficients": {"weight": 1.0, "centred": True}})
    real = lips_of(0)
    assert float(term({"lips": real + 0.2 * lips_of(1)[:, :1]}, {"lips": real})[0]) == pytest.approx(0, abs=1e-6)
    made, valid = real.clone(), torch.ones(3, 12)
    made[:, 9:] += 5
    assert float(term({"lips": made}, {"lips": real})[0]) > 1
    valid[:, 9:] = 0
    assert float(term({"lips": made}, {"lips": real, "valid": valid})[0]) == pytest.approx(0, abs=1e-6)


def test_runs_are_compared_by_mean_and_change():
    """Against the formula written out, with padding."""
    fake, real = lips_of(2) / 1.4, lips_of(3) / 1.4
    run = torch.tensor([[0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4]] * 3)
    valid = torch.ones(3, 12, dtype=torch.bool)
    valid[1, 9:] = False
    found = run_distances(fake, real, run, valid)
    for item in range(3):
        for number in range(5):
            frames = [t for t in range(12) if run[item, t] == number and valid[item, t]]
            if frames:
                apart = (fake - real)[item, frames]
                wanted = sum(one.norm(dim=-1).mean() for one in (apart.mean(0), apart[-1] - apart[0]))
                assert found[item, frames].numpy() == pytest.approx(float(wanted), abs=3e-3)


def test_spread_counts_what_moves_too_little():
    term = build_criterion({"lip_spread": {"weight": 1.0}})
    real = lips_of(0)
    narrow = [float(term({"lips": real * share}, {"lips": real})[0]) for share in (1.0, 0.8, 0.5)]
    assert narrow[0] < 1e-6 and narrow[0] < narrow[1] < narrow[2]
    assert narrow[2] == pytest.approx(np.log(2) ** 2, rel=0.05)


@pytest.mark.parametrize("name", ["lipwarp", "lipwarp_all", "lipwarp_mel"])
def test_released_networks_rest_in_silence_with_closed_lips(name):
    found = load_checkpoint(ROOT / "checkpoints" / f"{name}.safetensors", expect="lip_motion")
    network, silence = found.model, np.zeros(16000, np.float32)
    if network.features == "mel":
        heard = features("mel", silence, -MARGIN, 25 + 2 * MARGIN)
    else:
        heard = features("embedding", silence, -MARGIN, 25 + 2 * MARGIN)
    moved = network.move(torch.from_numpy(heard)[None], REST)[0]
    assert float(moved.std(0).max()) < 1e-3
    mouth = moved.numpy() + lip_space().rest
    assert (mouth[:, 18, 1] - mouth[:, 14, 1]).max() < 0.03
    assert "/" not in str(found.config["training"]["config"]["data"]["corpus"]).removeprefix("prepared/")


def test_what_ends_at_the_edge_of_the_grid_is_told():
    assert not list(at_the_edge(np.full(6, 1.5), 0.02))
    first, second, third = at_the_edge(np.float32([1.5, 2.2, 1.5, 2.2, 1, 1.5]), 0.06)
    assert "component 2, 4: 2.2" in first and "component 5: 1," in second and "closing: 0.06" in third


def test_tools_end_with_code_2_on_a_missing_folder(tmp_path, capsys):
    assert run(learn_inner_mouth.main, ["--people", str(tmp_path / "none")]) == 2
    (tmp_path / "people").mkdir()
    assert run(learn_inner_mouth.main, ["--people", str(tmp_path / "people")]) == 2
    assert "--people" in capsys.readouterr().err

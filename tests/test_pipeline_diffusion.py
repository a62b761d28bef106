"""The driver of the diffusion renderer: what it sees and hears, batches, jobs, and what it refuses."""

import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import InputError
from media import probe, read_metadata
from pipeline.drivers import load_driver
from pipeline.drivers.action_units import ActionUnitsDriver
from pipeline.drivers.diffusion import DiffusionDriver
from pipeline.drivers.mask_top import checked_mask_top
from pipeline.driving import Driving
from pipeline.options import DriveOptions
from pipeline.sound import Sound
from tests.diffusion_kit import SMALL, save_renderer
from tests.inference_kit import moving_portrait, read_video, save_tiny, shown, tone, write_video, write_wav
from tests.whole_face_kit import job_on
from training.checkpoint import load_checkpoint

SIDE = SMALL["face_size"]


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """Folder with face.png, face.mp4 (4 frames), a.wav (0.16 s) and checkpoints."""
    folder = tmp_path_factory.mktemp("renderer")
    Image.fromarray(moving_portrait(1)[0]).save(folder / "face.png")
    write_video(folder / "face.mp4", moving_portrait(4))
    write_wav(folder / "a.wav", tone(0.16))
    save_renderer(folder / "renderer.safetensors")
    save_renderer(folder / "boxed.safetensors", data={"crop": "box"})
    save_renderer(folder / "masked.safetensors", data={"mask_top": 0.7})
    save_tiny(folder / "mouth.safetensors")
    return folder


@pytest.fixture(scope="module")
def driver(kit):
    return load_driver(kit / "renderer.safetensors", device="cpu")


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (6, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def looked(driver, pictures):
    """(codes of 6 frames of sound, state of a shot whose reference is the first picture)."""
    samples = tone(0.24)
    codes = driver.listen(Driving(Sound(samples, 16000, samples[0])), Fraction(25), 6)
    scene = shown(pictures[:1])
    scene.options = DriveOptions()
    return codes, driver.look(scene, codes)


@pytest.mark.parametrize("crop", ["au112", "au128", "aligned", "davs"])
def test_it_draws_the_crops_on_which_it_can_be_trained(tmp_path, crop):
    driver = load_driver(save_renderer(tmp_path / "one.safetensors", data={"crop": crop}), device="cpu")
    assert driver.crop.kind == crop and crop in ActionUnitsDriver.kinds


@pytest.mark.parametrize("top", [0.05, 0.7, True, "half", None])
def test_a_mask_that_is_no_share_is_refused(top):
    assert checked_mask_top({"mask_top": 0.375}, "x") == 0.375 and checked_mask_top({}, "x") == 0.5
    with pytest.raises(InputError, match="x: its config says data.mask_top = .*; a share from 0.1 to 0.5 is needed"):
        checked_mask_top({"mask_top": top}, "x")


@torch.inference_mode()
def test_batches_draw_what_the_network_draws_of_the_whole_clip(kit, driver, pictures, looked):
    codes, state = looked
    network = load_checkpoint(kit / "renderer.safetensors").model
    planes = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    masked = planes.clone()
    masked[:, :, SIDE // 2 :] = 0
    wanted = network.draw(network.identify(planes[:1]), codes.features, masked).mul(255).permute(0, 2, 3, 1).numpy()
    drawn = [driver.draw(state, codes[some], pictures[some], some) for some in ([0, 1], [2, 3, 4], [5])]
    assert np.abs(np.concatenate(drawn) - wanted).max() < 1.6
    again = [driver.draw(state, codes[some], pictures[some], some) for some in ([0, 1], [2, 3, 4], [5])]
    assert all(np.array_equal(one, other) for one, other in zip(drawn, again, strict=True))


def test_nothing_of_the_lower_half_is_seen(driver, pictures, looked):
    codes, state = looked
    other = pictures[1:3].copy()
    other[:, SIDE // 2 :] = 255 - other[:, SIDE // 2 :]
    assert np.array_equal(driver.sees(other[0]), driver.sees(pictures[1])) and not np.array_equal(other[0], pictures[1])
    faces = [driver.draw(state, codes[[1, 2]], some, [1, 2]) for some in (pictures[1:3], other)]
    assert np.array_equal(*faces)
    still = driver.draw(state, codes[[1, 2]], pictures[1:2], [1, 2])  # one picture serves for all
    assert still.shape == (2, SIDE, SIDE, 3) and np.abs(still[0].astype(int) - faces[0][0]).max() <= 1


def test_half_precision_draws_the_same(kit, driver, pictures, looked):
    half = DiffusionDriver(load_checkpoint(kit / "renderer.safetensors"), device=torch.device("cpu"), precision="bf16")
    samples, (_, state) = tone(0.24), looked
    codes = half.listen(Driving(Sound(samples, 16000, samples[0])), Fraction(25), 6)
    own = half.look(state.scene, codes)
    faces = [one.draw(some, codes, pictures[:3], [0, 1, 2]).astype(int) for one, some in ((half, own), (driver, state))]
    assert codes.features.dtype == torch.bfloat16 and np.abs(faces[0] - faces[1]).mean() < 3
    other = driver.draw(state, codes, pictures[3:], [3, 4, 5]).astype(int)
    assert np.abs(faces[0] - other).mean() > 3 * np.abs(faces[0] - faces[1]).mean()


@torch.inference_mode()
def test_tokens_lie_a_25th_of_a_second_apart_at_any_rate(driver, pictures, looked):
    codes, state = looked
    fast = driver.listen(Driving(Sound(tone(0.24), 16000, tone(0.24)[0])), Fraction(75), 18)
    swift = driver.look(state.scene, fast)
    moments = [1, 4, 7, 10, 13, 16]  # whose middles are those of frames 0 to 5 at 25 a second
    faces = [driver.draw(one, None, pictures[:1], some) for one, some in ((state, range(6)), (swift, moments))]
    assert np.abs(faces[0].astype(int) - faces[1]).max() <= 1


def test_a_picture_and_a_video_speak(kit, tmp_path):
    job = job_on(kit, tmp_path / "r.mp4")
    assert job("--ddim_steps", 2, audio="a.wav", checkpoint="renderer") == 0
    info, tags = probe(tmp_path / "r.mp4"), read_metadata(tmp_path / "r.mp4")
    assert (info.width, info.frames, info.has_audio) == (256, 4, True) and tags["ddim_steps"] == "2" and "stabilise" not in tags
    changed = np.abs(read_video(tmp_path / "r.mp4").astype(int) - moving_portrait(1)[0]).mean((0, 3))
    assert changed[:60].mean() < 4 and changed[130:170, 100:150].mean() > 8, "the lower half of the face alone is drawn"
    assert job("--output", "crop", face="face.mp4", audio="a.wav", checkpoint="renderer") == 0
    assert probe(tmp_path / "r.mp4").width == SIDE and read_metadata(tmp_path / "r.mp4")["ddim_steps"] == "3"


@pytest.mark.parametrize(
    ("flags", "checkpoint", "words"),
    [
        ((), "boxed", "its config says data.crop = 'box'; this version knows au112, au128, aligned, davs"),
        ((), "masked", "its config says data.mask_top = 0.7; a share from 0.1 to 0.5 is needed"),
        (("--ddim_steps", 0), "renderer", "--ddim_steps 0: must be a whole number from 1 to 1000"),
        (("--ddim_steps", 5), "mouth", "--ddim_steps: mouth.safetensors cannot use it; it is for checkpoints of the diffusion"),
        (("--stabilise",), "renderer", "--stabilise: renderer.safetensors cannot use it"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(kit, tmp_path, capsys, flags, checkpoint, words):
    assert job_on(kit, tmp_path / "r.mp4")(*flags, checkpoint=checkpoint, audio="a.wav") == 2
    said = capsys.readouterr().err
    assert words in said and len(said.strip().splitlines()) == 1


def test_without_diffusers_a_job_ends_with_one_line(kit, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    assert job_on(kit, tmp_path / "r.mp4")(checkpoint="renderer", audio="a.wav") == 2
    said = capsys.readouterr().err
    assert "needs diffusers" in said and "configs/au_fusion.yaml" in said and len(said.strip().splitlines()) == 1

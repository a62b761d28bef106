"""The driver of action units: what it hears, codes fused over the whole clip, shots, jobs, and what it refuses."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from media import probe, read_metadata
from pipeline.drivers import load_driver
from pipeline.drivers.action_units import ActionUnitsDriver
from pipeline.drivers.fused_codes import FusedCodes, Heard
from pipeline.driving import Driving
from pipeline.frames import draw_frames
from pipeline.options import DriveOptions
from pipeline.sound import Sound
from speech.mfcc import SYNCNET, mfcc
from speech.mfcc_windows import mfcc_windows
from tests.au_kit import SMALL, units
from tests.inference_kit import moving_portrait, planned, portrait, read_video, save_tiny, shown, tone, write_video, write_wav
from tests.test_pipeline_shots import other_portrait
from tests.whole_face_kit import job_on
from training.checkpoint import load_checkpoint, save_checkpoint

SIDE = SMALL["face_size"]


def lively(**options):
    """A network in eval mode whose batch norms are not trivial and whose faces follow sound and picture."""
    network = units(**options).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.2, 0.2)
            layer.running_var.uniform_(0.5, 1.5)
            layer.bias.data.uniform_(-0.3, 0.3)
    if network.decoder is not None:
        with torch.no_grad():
            for layer in (network.speech_encoder.first, network.speech_encoder.second):
                layer.weight.mul_(8)
            network.decoder.first.weight.mul_(100)
            network.decoder.last.weight.mul_(8)
    return network


def save_units(path, crop="au112", **options):
    """Write a checkpoint of `lively`."""
    save_checkpoint(path, lively(**options), {"model": {**SMALL, **options}, "data": {"crop": crop}, "training": {}})
    return path


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """Folder with face.png, cut.mp4 (two shots of 5 frames, 30000/1001 a second), a.wav (0.4 s), still.wav and checkpoints."""
    folder = tmp_path_factory.mktemp("units")
    Image.fromarray(portrait()).save(folder / "face.png")
    write_video(folder / "cut.mp4", moving_portrait(5) + [other_portrait()] * 5, fps="30000/1001")
    write_wav(folder / "a.wav", tone(0.4))
    write_wav(folder / "still.wav", 0 * tone(0.2))
    save_units(folder / "units.safetensors", columns=25)
    save_units(folder / "gru.safetensors", temporal="gru", unit_codes=False, unit_reader=False)
    for stage in ("audio", "classifier"):
        save_units(folder / f"{stage}.safetensors", stage=stage)
    save_units(folder / "boxed.safetensors", crop="box")
    save_tiny(folder / "mouth.safetensors")
    return folder


@pytest.fixture(scope="module")
def driver(kit):
    return load_driver(kit / "units.safetensors", device="cpu")


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8)


def planes(pictures):
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def heard(seconds):
    """Driving by a tone."""
    samples = tone(seconds)
    return Driving(Sound(samples, 16000, samples[0]))


def looked(driver, pictures, codes):
    """What `look` gives of a scene that holds nothing but (R, S, S, 3) pictures."""
    scene = shown(pictures)
    scene.options = DriveOptions(output="crop")
    return driver.look(scene, codes)


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(50)])
def test_windows_of_the_checkpoint_are_heard_25_times_a_second(driver, monkeypatch, fps):
    monkeypatch.setattr("pipeline.drivers.whole_face.HEARD", 8)
    driving = heard(0.5)
    frames = driver.frames(driving, fps)
    codes = driver.listen(driving, fps, frames)
    windows = mfcc_windows(mfcc(driving.sound.waveform, SYNCNET), range(13), 25, columns=25, place="centred")
    with torch.inference_mode():
        wanted = lively(columns=25).hear(torch.from_numpy(windows))
    assert codes.features.shape == wanted.shape and codes.features.std(0).mean() > 0.01
    torch.testing.assert_close(codes.features, wanted, atol=1e-4, rtol=1e-4)
    places = np.clip((np.arange(frames) + 0.5) * 25 / float(fps) - 0.5, 0, 12)
    between = np.stack([np.interp(places, range(13), column) for column in codes.features.T], 1)
    torch.testing.assert_close(codes[list(range(frames))], torch.from_numpy(between).float(), atol=1e-5, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("name", ["units", "gru"])
def test_faces_of_a_moment_are_the_same_at_any_rate(kit, picture, name):
    one = load_driver(kit / f"{name}.safetensors", device="cpu")
    states = {fps: looked(one, picture, one.listen(heard(0.4), Fraction(fps), 10 * fps // 25)) for fps in (25, 50, 75)}
    slow, fast = (one.draw(states[fps], None, picture, range(10 * fps // 25)).astype(int) for fps in (25, 75))
    assert np.abs(fast[1::3] - slow).max() <= 1 < np.ptp(slow, axis=0).max()
    codes = {fps: state.codes(range(10 * fps // 25)) for fps, state in states.items()}
    torch.testing.assert_close(codes[50][1:-1:2], 0.75 * codes[25][:-1] + 0.25 * codes[25][1:])
    torch.testing.assert_close(codes[50][2::2], 0.25 * codes[25][:-1] + 0.75 * codes[25][1:])


@torch.inference_mode()
@pytest.mark.parametrize("name", ["units", "gru"])
def test_batches_draw_what_the_network_draws_of_the_whole_clip(kit, picture, monkeypatch, name):
    monkeypatch.setattr("pipeline.drivers.fused_codes.PIECE", 8)
    one = load_driver(kit / f"{name}.safetensors", device="cpu")
    codes = one.listen(heard(0.8), Fraction(25), 20)
    network = load_checkpoint(kit / f"{name}.safetensors").model.eval()
    wanted = (network.draw(network.identify(planes(picture)), codes.features) * 255).permute(0, 2, 3, 1).numpy()
    state = looked(one, picture, codes)
    batches = [0, 1, 2], list(range(3, 12)), list(range(12, 20))
    drawn = [one.draw(state, codes[numbers], picture, numbers) for numbers in batches]
    assert np.abs(np.concatenate(drawn) - wanted).max() < 0.6
    assert np.ptp(wanted, axis=0).max() > 2, "the sound moves the face"
    again = one.draw(looked(one, picture, codes), codes, picture, list(range(20)))
    assert np.abs(again.astype(int) - np.concatenate(drawn)).max() <= 1, "whatever the batches are"
    assert np.abs(one.draw(looked(one, 255 - picture, codes), codes, picture, [0]) - wanted[:1]).max() > 5


@torch.inference_mode()
def test_codes_of_any_frames_are_made_in_pieces(monkeypatch):
    monkeypatch.setattr("pipeline.drivers.fused_codes.PIECE", 5)
    network, features = lively(), torch.randn(23, 64 + 320)
    identity = network.identify(torch.rand(1, 3, SIDE, SIDE))
    codes, sizes = FusedCodes(network, identity, Heard(features, 25, 23)), []
    whole = network.fuse(identity, features[None])[0]
    fuse = network.fuse
    monkeypatch.setattr(network, "fuse", lambda who, some: sizes.append(some.shape[1]) or fuse(who, some))
    torch.testing.assert_close(codes([14, 4, 5, 4]), whole[[14, 4, 5, 4]])
    torch.testing.assert_close(codes([-2, 22, 30]), whole[[0, 22, 22]])  # beyond the ends
    assert max(sizes) == 5 + 2 * network.temporal.margin and len(sizes) == 4, "frames 0 to 4 were there already"


def test_half_precision_draws_the_same(kit, driver, picture):
    half = ActionUnitsDriver(load_checkpoint(kit / "units.safetensors"), device=torch.device("cpu"), precision="bf16")
    codes = {one: one.listen(heard(0.12), Fraction(25), 3) for one in (half, driver)}
    faces = [one.draw(looked(one, picture, codes[one]), codes[one], picture, [0, 1, 2]).astype(int) for one in (half, driver)]
    assert codes[half].features.dtype == torch.bfloat16 and np.abs(faces[0] - faces[1]).mean() < 3


def test_each_shot_is_drawn_of_its_own_picture_and_laid_over_it(kit, driver):
    plan = planned(kit, driver, "cut.mp4", output="crop")
    assert len(plan.scene.references) == 2 and plan.scene.crops[0].size == SIDE
    drawn = np.stack([one.face for one in draw_frames(plan, driver, 4)]).astype(int)
    states = [driver.look(plan.scene.for_reference(reference), plan.codes) for reference in sorted(plan.scene.references)]
    for at, rows in ((0, slice(0, 5)), (1, slice(5, 10))):
        numbers = list(range(10))[rows]
        own, other = (np.abs(drawn[rows] - driver.draw(states[shot], plan.codes[numbers], drawn[:1], numbers)).max()
                      for shot in (at, 1 - at))  # fmt: skip
        assert own <= 1 < other
    assert planned(kit, driver, "cut.mp4", output="crop", reference=7).scene.references == (7,)


def test_a_picture_and_a_video_speak(kit, tmp_path):
    job = job_on(kit, tmp_path / "r.mp4")
    assert job("--stabilise", audio="a.wav", checkpoint="units") == 0
    info, tags = probe(tmp_path / "r.mp4"), read_metadata(tmp_path / "r.mp4")
    assert (info.width, info.height, info.frames, info.fps) == (256, 256, 10, 25) and info.has_audio
    assert "face generated by" in tags["comment"] and tags["stabilise"] == "true" and "speech_gain" not in tags
    changed = np.abs(read_video(tmp_path / "r.mp4").astype(int) - portrait()).mean((0, 3))
    assert changed[:20].mean() < 4 and changed[-20:].mean() < 4 and changed[80:130, 100:150].mean() > 8
    assert job("--output", "crop", face="cut.mp4", audio="still.wav", checkpoint="units") == 0
    info = probe(tmp_path / "r.mp4")
    assert (info.width, info.frames, info.fps) == (SIDE, 6, Fraction(30000, 1001))
    still = read_video(tmp_path / "r.mp4").astype(int)
    assert np.abs(still[4] - still[3]).mean() < np.abs(still[5] - still[4]).mean() / 2, "the second shot begins at frame 5"


@pytest.mark.parametrize(
    ("flags", "checkpoint", "words"),
    [
        ((), "audio", "audio.safetensors: holds a network of action units of the stage 'audio', which draws no faces;"),
        ((), "classifier", "of the stage 'fusion', as configs/au_fusion.yaml or configs/au_small_fusion.yaml trains it"),
        ((), "boxed", "its config says data.crop = 'box'; this version knows au112, au128, aligned, davs"),
        (("--box", 40, 180, 70, 190), "units", "--box: units.safetensors is shown faces aligned by eyes and nose"),
        (("--reference", "same"), "units", "--reference same: units.safetensors would keep the mouth of each frame"),
        (("--speech_gain", 1.5), "units", "--speech_gain: units.safetensors cannot use it; it is for checkpoints of DAVS or"),
        (("--drive", "cut.mp4"), "units", "--drive: units.safetensors cannot follow the speech of a driving video"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(kit, tmp_path, capsys, flags, checkpoint, words):
    job = job_on(kit, tmp_path / "r.mp4")
    sound = {} if "--drive" in flags else {"audio": "a.wav"}
    flags = [kit / flag if str(flag).endswith(".mp4") else flag for flag in flags]
    assert job(*flags, checkpoint=checkpoint, **sound) == 2
    said = capsys.readouterr().err
    assert words in said and len(said.strip().splitlines()) == 1

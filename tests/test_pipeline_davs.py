"""The driver of DAVS: codes of sounds and of driving videos, identities, and what is drawn of them."""

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from common.errors import InputError
from faces.crops import plan_crops
from models import fuse_named
from pipeline.drivers import load_driver
from pipeline.drivers.davs import DavsDriver
from pipeline.drivers.identity_tuning import TRAINED, tuned_parts
from pipeline.driving import Driving, DrivingVideo
from pipeline.frames import draw_frames
from pipeline.options import DriveOptions, FaceOptions
from pipeline.sound import Sound
from pipeline.tracking import TrackStore
from speech.mfcc import SYNCNET, mfcc
from speech.mfcc_windows import mfcc_windows
from tests.davs_driving_kit import DATA, TINY, save_davs, tiny_davs, write_davs_job
from tests.inference_kit import moving_portrait, planned, shown, tone, write_video
from tests.test_pipeline_shots import other_portrait
from training.checkpoint import load_checkpoint

SIDE = TINY["face_size"]


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return write_davs_job(tmp_path_factory.mktemp("davs"))


@pytest.fixture(scope="module")
def driver(kit):
    return load_driver(kit / "davs.safetensors", device="cpu")


def heard(seconds):
    """Driving by a tone."""
    samples = tone(seconds)
    return Driving(Sound(samples, 16000, samples[0]))


def looked(driver, pictures, codes, **options):
    """What `look` gives of a scene that holds nothing but (R, S, S, 3) pictures."""
    scene = shown(pictures)
    scene.options = DriveOptions(output="crop", **options)
    return driver.look(scene, codes)


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(50)])
def test_codes_of_a_sound_are_those_of_its_windows(driver, monkeypatch, fps):
    monkeypatch.setattr("pipeline.drivers.whole_face.HEARD", 8)
    driving = heard(0.8)
    frames = driver.frames(driving, fps)
    codes = driver.listen(driving, fps, frames)
    windows = mfcc_windows(mfcc(driving.sound.waveform, SYNCNET), range(frames), fps)
    with torch.inference_mode():
        wanted = tiny_davs().hear(torch.from_numpy(windows))
    assert frames == math.ceil(0.8 * fps) and codes.shape == (frames, 32)
    torch.testing.assert_close(codes, wanted, atol=1e-4, rtol=1e-4)
    assert torch.equal(codes[[3, 9]], torch.stack([codes[3], codes[9]])) and codes.std(0).min() > 0
    assert torch.equal(codes, driver.listen(driving, fps, frames))


def test_a_sound_of_one_sample_is_a_frame(driver, picture):
    driving = Driving(Sound(np.zeros((1, 1), np.float32), 16000, np.zeros(1, np.float32)))
    codes = driver.listen(driving, Fraction(25), driver.frames(driving, Fraction(25)))
    assert driver.draw(looked(driver, picture, codes), codes, picture, [0]).shape == (1, SIDE, SIDE, 3)


def test_codes_of_a_driving_video_are_those_of_its_crops(driver, kit):
    video = DrivingVideo.follow(kit / "drive.mp4", "--drive", FaceOptions(), store=TrackStore(kit / "cache"))
    driving = Driving(None, speech=video)
    crops = np.stack(list(video.crops(driver.crop)))
    with torch.inference_mode():
        wanted = tiny_davs().watch(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255)
    own = driver.listen(driving, Fraction(25), 20)
    torch.testing.assert_close(own, wanted, atol=1e-4, rtol=1e-4)
    assert driver.frames(driving, Fraction(50)) == 40
    twice = driver.listen(driving, Fraction(50), 40)
    torch.testing.assert_close(twice[1:-1:2], own[:-1] * 0.75 + own[1:] * 0.25)
    torch.testing.assert_close(twice[[0, -1]], own[[0, -1]])


def test_values_between_driving_frames():
    video = SimpleNamespace(fps=Fraction(10))
    values = np.arange(5, dtype=np.float32)[:, None]
    there = DrivingVideo.at_rate(video, values, Fraction(20), 12)[:, 0]
    np.testing.assert_allclose(there, [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4, 4, 4])
    np.testing.assert_allclose(DrivingVideo.at_rate(video, values, Fraction(5), 2)[:, 0], [0.5, 2.5])
    assert np.array_equal(DrivingVideo.at_rate(video, values, Fraction(10), 5), values)


def test_a_driving_video_ends_with_its_sound(driver, kit):
    video = DrivingVideo.follow(kit / "early.mp4", "--drive", FaceOptions(), store=TrackStore(kit / "cache"))
    for seconds, fits in ((0.44, True), (0.46, False)):
        driving = Driving(heard(seconds).sound, speech=video)
        if fits:
            assert driver.frames(driving, Fraction(25)) == 11
        else:
            with pytest.raises(InputError, match=r"--drive .*early.mp4: its picture ends after 0.2 s, its sound after 0.5 s"):
                driver.frames(driving, Fraction(25))


def test_faces_are_drawn_of_identity_and_codes(driver, picture):
    codes = driver.listen(heard(0.2), Fraction(25), 5)
    drawn = driver.draw(looked(driver, picture, codes), codes, picture, list(range(5)))
    network = tiny_davs()
    with torch.inference_mode():
        identity = network.identify(torch.from_numpy(picture).permute(0, 3, 1, 2).float() / 255)
        wanted = (network.draw(identity, codes) * 255).permute(0, 2, 3, 1).numpy()
    assert drawn.dtype == np.uint8 and np.abs(drawn - wanted).max() < 0.51
    assert np.ptp(drawn.astype(int), axis=0).max() > 3, "the sound moves the face"
    louder = driver.draw(looked(driver, picture, codes, speech_gain=1.5), codes, picture, list(range(5)))
    with torch.inference_mode():
        wanted = (network.draw(identity, 1.5 * codes) * 255).permute(0, 2, 3, 1).numpy()
    assert np.abs(louder - wanted).max() < 0.51 and not np.array_equal(louder, drawn)


def test_each_frame_can_be_its_own_picture(driver, picture):
    codes = driver.listen(heard(0.08), Fraction(25), 2)
    both = np.concatenate([picture, 255 - picture])
    state = looked(driver, picture[:0], codes, reference="same")
    drawn = driver.draw(state, codes, both, [0, 1])
    for number in range(2):
        alone = driver.draw(looked(driver, both[[number]], codes), codes[[number]], both[[number]], [number])
        assert np.abs(drawn[number].astype(int) - alone[0]).max() <= 1


def test_half_precision_draws_the_same(kit, driver, picture):
    half = DavsDriver(load_checkpoint(kit / "davs.safetensors"), device=torch.device("cpu"), precision="bf16")
    codes, states = {}, {}
    for one in (half, driver):
        codes[one] = one.listen(heard(0.08), Fraction(25), 2)
        states[one] = looked(one, picture, codes[one], identity_steps=1)
    faces = [one.draw(states[one], codes[one], picture, [0, 1]).astype(int) for one in (half, driver)]
    assert codes[half].dtype == torch.bfloat16 and np.abs(faces[0] - faces[1]).mean() < 2


def test_norms_are_folded_in():
    network, faces = tiny_davs(), torch.rand(2, 3, SIDE, SIDE)
    fused = fuse_named(network)
    kept = sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in fused.decoder.modules())
    assert kept == 1 and not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in fused.identity_encoder.modules())
    with torch.inference_mode():
        for one, other in zip(fused.identify(faces), network.identify(faces), strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
        codes = network.watch(faces)
        torch.testing.assert_close(fused.draw(fused.identify(faces), codes), network.draw(network.identify(faces), codes),
                                   atol=1e-4, rtol=1e-4)  # fmt: skip


def test_steps_on_the_picture_bring_it_nearer_and_leave_the_network_alone(driver, picture):
    network = tiny_davs()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    faces = torch.from_numpy(picture).permute(0, 3, 1, 2).float() / 255
    codes = network.hear(torch.randn(2, 20, 12)).detach()

    def away(parts):
        drawn = parts["decoder"](parts["identity_encoder"](faces), codes[:1])
        miss = (drawn - faces).abs()
        return float(miss[:, :, : SIDE // 2].mean().detach())

    parts = tuned_parts(network, faces, codes, 3)
    again = tuned_parts(network, faces, codes, 3)
    assert away(parts) < away({name: getattr(network, name) for name in TRAINED})
    assert all(torch.equal(one, two) for name in TRAINED for one, two in
               zip(parts[name].state_dict().values(), again[name].state_dict().values(), strict=True))  # fmt: skip
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())

    heard_codes = driver.listen(heard(0.08), Fraction(25), 2)
    plain, *tuned, after = (
        driver.draw(looked(driver, picture, heard_codes, identity_steps=steps), heard_codes, picture, [0, 1])
        for steps in (0, 2, 2, None)
    )
    assert np.array_equal(*tuned) and np.array_equal(plain, after) and not np.array_equal(plain, tuned[0])


def test_each_shot_is_drawn_of_its_own_picture(driver, kit):
    write_video(kit / "cut.mp4", moving_portrait(5) + [other_portrait()] * 5)
    plan = planned(kit, driver, "cut.mp4", output="crop")
    assert len(plan.scene.references) == 2
    drawn = np.stack([one.face for one in draw_frames(plan, driver, 4)]).astype(int)
    states = [driver.look(plan.scene.for_reference(reference), plan.codes) for reference in sorted(plan.scene.references)]
    for at, rows in ((0, slice(0, 5)), (1, slice(5, 10))):
        numbers = list(range(10))[rows]
        own, other = (np.abs(drawn[rows] - driver.draw(states[shot], plan.codes[numbers], drawn[:1], numbers)).max()
                      for shot in (at, 1 - at))  # fmt: skip
        assert own <= 1 < other


def test_steps_on_the_picture_take_the_code_of_what_is_followed(driver, kit, picture, monkeypatch):
    """As the two public test models: of the sound the first frames, of a driving video the lips of the picture itself."""
    given = []
    monkeypatch.setattr("pipeline.drivers.davs.tuned_parts", lambda network, faces, codes, steps: given.append(codes) or {})
    video = DrivingVideo.follow(kit / "drive.mp4", "--drive", FaceOptions(), store=TrackStore(kit / "cache"))
    by_sound = driver.listen(heard(0.4), Fraction(25), 10)
    by_video = driver.listen(Driving(None, speech=video), Fraction(25), 20)
    for codes in (by_sound, by_video):
        looked(driver, picture, codes, identity_steps=3)
    with torch.inference_mode():
        own = tiny_davs().watch(torch.from_numpy(picture).permute(0, 3, 1, 2).float() / 255)
    assert torch.equal(given[0], by_sound[:3])
    torch.testing.assert_close(given[1], own, atol=1e-4, rtol=1e-4)
    assert (given[1] - by_video[:1]).abs().max() > 1e-2


@pytest.mark.parametrize(("raw", "smooth", "wanted"), [(False, True, True), (False, False, False), (True, True, False)])
def test_crops_are_laid_as_those_of_the_training(kit, monkeypatch, raw, smooth, wanted):
    """Those of the source and of the driving video alike; --nosmooth is heard by both."""
    path = save_davs(kit / f"raw{raw}.safetensors", data={**DATA, "raw_crops": raw})
    one, asked = load_driver(path, device="cpu"), []

    def laid(track, spec, *, fps, smooth):
        asked.append(smooth)
        return plan_crops(track, spec, fps=fps, smooth=smooth)

    for place in ("pipeline.driving", "pipeline.drivers.driver"):
        monkeypatch.setattr(f"{place}.plan_crops", laid)
    video = DrivingVideo.follow(kit / "drive.mp4", "--drive", FaceOptions(), smooth=smooth, store=TrackStore(kit / "cache"))
    one.listen(Driving(None, speech=video), Fraction(25), 20)
    planned(kit, one, "face.mp4", smooth=smooth)
    assert asked == [wanted, wanted]


def test_the_frame_that_is_named_is_the_picture(kit, driver):
    plan = planned(kit, driver, "face.mp4", output="crop", reference=11)
    assert plan.scene.references == (11,)
    drawn = np.stack([one.face for one in draw_frames(plan, driver)]).astype(int)
    pictures = plan.scene.pictures([0, 11])
    states = [looked(driver, one[None], plan.codes) for one in pictures]
    other, own = (np.abs(driver.draw(state, plan.codes, drawn[:1], list(range(12))) - drawn).max() for state in states)
    assert own <= 1 < other


def test_drawn_faces_are_held_still_where_that_is_wanted(kit, driver, monkeypatch):
    """A network that draws the source's own crops 3 pixels aside, and every fourth as noise."""
    plans = {wanted: planned(kit, driver, "face.mp4", output="crop", stabilise=wanted) for wanted in (False, True)}
    real = plans[True].scene.pictures(list(range(12))).astype(int)
    noise = np.random.default_rng(0).integers(0, 256, real[0].shape)
    planes = np.stack([noise if number % 4 == 3 else np.roll(one, 3, 1) for number, one in enumerate(real)])
    planes = torch.from_numpy(planes).permute(0, 3, 1, 2).float() / 255
    order = iter(range(24))
    monkeypatch.setattr(driver._ready, "draw", lambda identity, codes: planes[[next(order) % 12 for _ in codes]])
    drawn = {wanted: np.stack([one.face for one in draw_frames(plan, driver)]).astype(int) for wanted, plan in plans.items()}
    whole = [number for number in range(12) if number % 4 != 3]
    away = {wanted: np.abs(faces - real)[whole, 4:-4, 8:-8].mean() for wanted, faces in drawn.items()}
    assert away[True] < away[False] / 3
    lost = np.stack([noise] * 3)
    assert np.array_equal(drawn[False][3::4], lost) and all(np.abs(one - noise).mean() > 9 for one in drawn[True][3::4])
    (remark,) = driver.remarks()
    assert remark.startswith("--stabilise: 3 drawn faces were not like enough to the crop of the source")

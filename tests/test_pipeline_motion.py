"""The driver of motion: whose pose and whose mouth is drawn, the paste, jobs, and what is refused."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from media import probe, read_metadata
from models.motion.network import PcAvs
from pipeline.drivers import load_driver
from pipeline.drivers.motion import MotionDriver
from pipeline.driving import Driving, DrivingVideo
from pipeline.frames import draw_frames
from pipeline.options import DriveOptions, FaceOptions
from pipeline.output import output_of
from pipeline.plan import make_plan
from pipeline.playback.source import FaceSource
from pipeline.sound import Sound
from pipeline.tracking import TrackStore, prepare
from speech.log_mel import log_mel, log_mel_windows
from tests.inference_kit import infer, shown
from tests.motion_driving_kit import SIDE, register, write_motion_job
from tests.whole_face_kit import job_on
from training.checkpoint import load_checkpoint


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        yield write_motion_job(tmp_path_factory.mktemp("motion"))


@pytest.fixture(scope="module")
def store(kit):
    return TrackStore(kit / "cache")


@pytest.fixture(scope="module")
def driver(kit):
    return load_driver(kit / "motion.safetensors", device="cpu")


@pytest.fixture(scope="module")
def planned(kit, store, driver):
    """Function of a face, of what is followed and of DriveOptions that gives (Plan, state of the first shot)."""

    def plan_it(face="face.png", drive=None, pose=None, driven=driver, **options):
        source = FaceSource(kit / face, FaceOptions())
        how = {name: DrivingVideo.follow(kit / path, f"--{flag}", FaceOptions(), store=store)
               for name, flag, path in (("speech", "drive", drive), ("pose", "pose", pose))
               if path not in (None, "still")}  # fmt: skip
        driving = Driving(Sound.read(kit / (drive or "a.wav")), still=pose == "still", **how)
        frames = driven.frames(driving, source.fps)
        options = DriveOptions(**{"pose_smoothing": 0.0, "output": "crop", **options})
        track = prepare(source, FaceOptions(), store=store, frames=frames)
        plan = make_plan(source, track, driving, frames, driven, options)
        return plan, driven.look(plan.scene.for_reference(plan.scene.references[0]), plan.codes)

    return plan_it


def pose_of(pictures):
    """(n, 2) codes of the stand-in, of (n, S, S, 3) uint8 crops."""
    return pictures.mean((1, 2))[:, [0, 2]] / 255


def followed(kit, store, driver, name):
    """(DrivingVideo, its crops)."""
    video = DrivingVideo.follow(kit / name, "--pose", FaceOptions(), store=store)
    return video, np.stack(list(video.crops(driver.crop)))


@pytest.mark.parametrize("options", [{}, {"pose_amplitude": 0.5}, {"absolute_pose": True}])
def test_the_pose_of_a_video_is_carried_to_a_picture(kit, store, driver, planned, options):
    plan, state = planned(pose="pose.mp4", **options)
    own = pose_of(plan.scene.pictures([0]))
    video, crops = followed(kit, store, driver, "pose.mp4")
    codes = pose_of(crops)
    nearest = codes[np.argmin(np.square(codes - own).sum(1))]
    base = nearest if options.get("absolute_pose") else own
    codes = base + options.get("pose_amplitude", 1) * (codes - nearest)
    wanted = video.at_rate(codes.astype(np.float32), Fraction(25), 10, "pingpong")
    np.testing.assert_allclose(state.poses, wanted, atol=2e-3)
    assert np.ptp(wanted, 0).min() > 0.03, "the test says something"


@pytest.mark.parametrize(("drive", "pose"), [(None, None), (None, "still"), ("drive.mp4", "still")])
def test_a_picture_keeps_its_pose_where_none_is_followed(planned, drive, pose):
    plan, state = planned(drive=drive, pose=pose)
    np.testing.assert_allclose(state.poses, np.repeat(pose_of(plan.scene.pictures([0])), plan.scene.frames, 0), atol=2e-3)


def test_a_driving_video_gives_mouth_and_pose(kit, store, driver, planned):
    plan, state = planned(drive="drive.mp4")
    crops = followed(kit, store, driver, "drive.mp4")[1]
    np.testing.assert_allclose(plan.codes[list(range(8))][:, 0], crops.mean((1, 2))[:, 1] / 255, atol=2e-3)
    codes, own = pose_of(crops), pose_of(plan.scene.pictures([0]))
    nearest = codes[np.argmin(np.square(codes - own).sum(1))]
    np.testing.assert_allclose(state.poses, own + codes - nearest, atol=2e-3)
    other, there = planned(drive="drive.mp4", pose="pose.mp4")
    assert torch.equal(other.codes.mouth, plan.codes.mouth) and (there.poses - state.poses).abs().max() > 0.03


def test_a_face_video_keeps_the_pose_of_its_frames(planned):
    for drive in (None, "drive.mp4"):
        plan, state = planned("face.mp4", drive=drive)
        wanted = pose_of(plan.scene.pictures(plan.scene.shown))
        np.testing.assert_allclose(state.poses, wanted, atol=2e-3)
    assert np.ptp(wanted, 0).max() > 1e-3
    _, still = planned("face.mp4", pose="still")
    _, held = planned("face.mp4", pose_amplitude=0.0)
    assert torch.equal(still.poses, held.poses) and (still.poses == still.poses[0]).all()


def test_the_mouth_is_that_of_the_sound(kit, driver, planned):
    plan, state = planned()
    windows = log_mel_windows(log_mel(Sound.read(kit / "a.wav").waveform), range(10), Fraction(25))
    np.testing.assert_allclose(plan.codes.mouth[:, 0], windows.mean((1, 2, 3)), atol=1e-4)
    crop = plan.scene.pictures([0])
    drawn = driver.draw(state, plan.codes[[2, 5]], crop, [2, 5])
    louder = driver.draw(replace(state, gain=2.0), plan.codes[[2, 5]], crop, [2, 5])
    green = lambda faces: faces[:, SIDE // 2 :, :, 1].mean((1, 2)) / 255  # noqa: E731
    more = 0.1 * plan.codes.mouth[[2, 5], 0].numpy()
    np.testing.assert_allclose(green(drawn) - green(crop), more, atol=0.01)
    np.testing.assert_allclose(green(louder) - green(drawn), more, atol=0.01)


def test_a_head_that_keeps_its_pose_shows_no_seam_and_the_colours_of_the_picture(kit, planned):
    tinted = load_driver(kit / "tinted.safetensors", device="cpu")
    plan, state = planned(driven=tinted, output="frame", speech_gain=0.0)
    one = next(draw_frames(plan, tinted))
    crop = plan.scene.pictures([0])[0].astype(int)
    raw = tinted.draw(replace(state, colours=None), plan.codes[[0]], crop[None], [0])[0]
    laid = output_of(plan)(one).astype(int)
    assert np.abs(raw - crop).mean() > 15 and np.abs(one.face - crop).mean() < 6
    assert np.abs(laid - one.frame).max(-1)[[0, -1]].max() == 0
    steps = [np.abs(np.diff(picture, axis=axis)) for picture in (laid, one.frame.astype(int)) for axis in (0, 1)]
    assert max(steps[0].mean() - steps[2].mean(), steps[1].mean() - steps[3].mean()) < 0.3, "no edge that was not there"
    assert one.mask[SIDE // 2, SIDE // 2] == 1 and max(one.mask[0].max(), one.mask[:, [0, -1]].max()) < 0.05


def test_half_precision_draws_the_same(kit, driver, planned):
    half = MotionDriver(load_checkpoint(kit / "motion.safetensors"), device=torch.device("cpu"), precision="bf16")
    faces = []
    for one in (half, driver):
        plan, state = planned(pose="pose.mp4", driven=one)
        faces.append(one.draw(state, plan.codes[[1, 6]], plan.scene.pictures([0]), [1, 6]).astype(int))
    assert state.poses.dtype == torch.float32 and np.abs(faces[0] - faces[1]).mean() < 3


@pytest.fixture
def job(kit, tmp_path):
    """Runs inference.py on the kit with motion.safetensors; its result goes to the folder `out`."""
    (tmp_path / "out").mkdir()
    run_it = job_on(kit, tmp_path / "out" / "r.mp4")
    return lambda *flags, checkpoint="motion", **named: run_it(*flags, checkpoint=checkpoint, **named)


def test_a_job_says_what_it_made_and_what_it_used(job, kit, tmp_path, capsys):
    assert job("--output", "crop", "--pose_amplitude", 1.5, face="two.png", audio="a.wav", pose="cut.mp4") == 0
    said, tags = capsys.readouterr().err, read_metadata(tmp_path / "out" / "r.mp4")
    info = probe(tmp_path / "out" / "r.mp4")
    assert (info.frames, info.width, info.height) == (10, SIDE, SIDE)
    assert "two.png: shows 2 faces; the largest is driven unless --face_index" in said
    assert "cut.mp4: has 2 shots; the head follows the longest, frames 3 to 8" in said
    assert "cut.mp4: its movement lasts 0.2 s and the result 0.4 s; it is played to and fro" in said
    wanted = {"speech_gain": "1", "pose_amplitude": "1.5", "pose_smoothing": "0.04", "absolute_pose": "false"}
    assert {name: tags[name] for name in wanted} == wanted


def test_a_table_may_say_still(job, kit, tmp_path):
    listed = tmp_path / "jobs.csv"
    listed.write_text(f"face,audio,pose,outfile\n{kit / 'face.png'},{kit / 'a.wav'},still,{tmp_path / 'out' / 'b.mp4'}\n")
    assert job("--jobs", listed, face=None) == 2, "an outfile beside a table"
    assert infer("--jobs", listed, "--checkpoint_path", kit / "motion.safetensors", "--cache_dir", kit / "cache") == 0
    assert probe(tmp_path / "out" / "b.mp4").width == 256, "whole frames unless --output says otherwise"


@pytest.mark.parametrize(
    ("flags", "named", "words"),
    [
        ((), {"audio": "a.wav", "pose": "wall.mp4"}, "--pose: "),
        ((), {"audio": "a.wav", "pose": "wall.mp4"}, "wall.mp4: no face found in any of the 3 frames; use another video"),
        ((), {"audio": "a.wav", "pose": "face.png"}, "face.png: is a picture; give a video whose face moves"),
        ((), {"drive": "early.mp4"}, "early.mp4: its picture ends after 0.1 s, its sound after 0.8 s; cut both"),
        ((), {"audio": "a.wav", "checkpoint": "speech"}, "holds a motion network of the stage 'speech', which draws no faces"),
        ((), {"audio": "a.wav", "checkpoint": "boxed"}, "its config says data.crop = 'box'; this version knows pcavs"),
        (("--box", 40, 180, 70, 190), {"audio": "a.wav"}, "--box: motion.safetensors is shown faces aligned by eyes and mouth"),
        (("--pose_amplitude", 4), {"audio": "a.wav"}, "--pose_amplitude 4: must be from 0, a head that keeps its pose, to 3"),
        (("--pose_smoothing", "nan"), {"audio": "a.wav"}, "--pose_smoothing nan: must be from 0 to 2 seconds"),
        (("--pose", "still", "--pose_amplitude", 1), {"audio": "a.wav"}, "--pose_amplitude: with --pose still the head"),
        (("--pose", "still", "--absolute_pose"), {"audio": "a.wav"}, "--absolute_pose: with --pose still the head"),
        (("--pose", "still"), {"audio": "a.wav", "checkpoint": "mouth"}, "--pose still: mouth.safetensors has no codes"),
        (("--pose_smoothing", 0), {"audio": "a.wav", "checkpoint": "mouth"}, "it is for checkpoints of motion"),
        (("--absolute_pose",), {"audio": "a.wav", "checkpoint": "mouth"}, "--absolute_pose: mouth.safetensors cannot use it"),
        (("--stabilise",), {"audio": "a.wav"}, "--stabilise: motion.safetensors cannot use it"),
        (("--reference", "same"), {"audio": "a.wav"}, "--reference same: motion.safetensors is shown one picture"),
        (("--compat", "wav2lip", "--pose", "still"), {"audio": "a.wav", "checkpoint": "mouth"}, "leave --pose out"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(refused, flags, named, words):
    assert words in refused(*flags, **named)


def test_the_network_itself_draws(kit, tmp_path):
    """Not the stand-in: mouth features of a sound and codes of a pose, at the smallest size."""
    config = {"name": "pcavs", "face_size": 64, "width": 0.125, "stage": "generate"}
    torch.manual_seed(0)
    network = PcAvs(**{name: value for name, value in config.items() if name != "name"}).eval()
    checkpoint = SimpleNamespace(model=network, path=tmp_path / "real.safetensors", sha256="", taught_with=None, run=None,
                                 config={"model": config, "data": {"crop": "pcavs"}})  # fmt: skip
    driver = MotionDriver(checkpoint, device=torch.device("cpu"), precision="fp32")
    sound = Sound.read(kit / "a.wav")
    codes = driver.listen(Driving(sound), Fraction(25), 4)
    scene = shown(np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8))
    scene.options, scene.still, scene.frames = DriveOptions(output="crop"), True, 4
    faces = driver.draw(driver.look(scene, codes), codes[[0, 3]], scene.pictures((0,)), [0, 3])
    planes = driver.planes(scene.pictures((0,)))
    with torch.inference_mode():
        heard = network.hear(torch.from_numpy(log_mel_windows(log_mel(sound.waveform), [0, 3], Fraction(25))))
        pose = network.pose(network.watch(planes)).expand(2, -1)
        wanted = network.paint(network.identify(planes), heard, pose).permute(0, 2, 3, 1).numpy() * 255
    assert np.abs(faces - wanted).max() < 0.6 and np.abs(np.diff(wanted, axis=0)).max() > 1

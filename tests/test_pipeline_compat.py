"""`--compat wav2lip` against the public script's recipe, written anew here from what that script is known to compute."""

import cv2
import numpy as np
import pytest
import torch

from pipeline.drivers import load_driver
from pipeline.drivers.wav2lip_script import smooth_boxes, smooth_crops
from pipeline.driving import Driving
from pipeline.frames import draw_frames
from pipeline.options import DriveOptions, FaceOptions
from pipeline.plan import make_plan
from pipeline.playback.source import FaceSource
from pipeline.sound import Sound
from tests.inference_kit import PUBLIC, moving_portrait, read_video, save_tiny, tone, write_video, write_wav
from training.checkpoint import load_checkpoint

BOX = (41, 170, 83, 180)  # top, bottom, left, right: odd sizes on purpose


def recipe(frames_rgb, mel, model, fps, box, batch=7):
    """The public inference loop: faces before paste-back and whole frames, both BGR as OpenCV holds them."""
    frames = [frame[..., ::-1].copy() for frame in frames_rgb]
    step, chunks, i = 80.0 / fps, [], 0
    while True:
        begin = int(i * step)
        if begin + 16 > mel.shape[1]:
            chunks.append(mel[:, mel.shape[1] - 16 :])
            break
        chunks.append(mel[:, begin : begin + 16])
        i += 1
    y1, y2, x1, x2 = box
    faces_out, frames_out = [], []
    for at in range(0, len(chunks), batch):
        part = chunks[at : at + batch]
        shown = [frames[(at + k) % len(frames)].copy() for k in range(len(part))]
        faces = np.asarray([cv2.resize(frame[y1:y2, x1:x2], (96, 96)) for frame in shown])
        masked = faces.copy()
        masked[:, 48:] = 0
        both = np.concatenate([masked, faces], axis=3) / 255.0
        with torch.no_grad():
            made = model.generate(
                torch.tensor(np.asarray(part), dtype=torch.float32)[:, None],
                torch.tensor(both.transpose(0, 3, 1, 2), dtype=torch.float32),
            )
        for face, frame in zip(made.numpy().transpose(0, 2, 3, 1) * 255.0, shown, strict=True):
            face = face.astype(np.uint8)
            frame[y1:y2, x1:x2] = cv2.resize(face, (x2 - x1, y2 - y1))
            faces_out.append(face)
            frames_out.append(frame)
    return np.stack(faces_out), np.stack(frames_out)


@pytest.mark.parametrize(("fps", "seconds"), [(25, 1.33), (30, 0.9)])
def test_the_same_faces_to_one_grey_level_and_the_same_paste(tmp_path, fps, seconds):
    checkpoint = save_tiny(tmp_path / "public.safetensors", PUBLIC)
    video = write_video(tmp_path / "face.mp4", moving_portrait(9), fps=fps)
    sound = Sound.read(write_wav(tmp_path / "a.wav", tone(seconds)))
    model = load_checkpoint(checkpoint).model
    faces, frames = recipe(read_video(video), sound.mel, model, fps, BOX)

    driver, driving = load_driver(checkpoint, device="cpu", compat="wav2lip"), Driving(sound)
    source = FaceSource(video, FaceOptions())
    plan = make_plan(source, None, driving, driver.frames(driving, source.fps), driver, DriveOptions(box=BOX))
    drawn = list(draw_frames(plan, driver, batch_size=4))

    assert len(drawn) == len(frames)
    assert np.ptp(faces) > 20, "a flat picture would prove nothing"
    for one, face, frame in zip(drawn, faces, frames, strict=True):
        assert np.abs(one.face[..., ::-1].astype(int) - face).max() <= 1
        pasted = one.crop.paste(one.frame, one.face, one.mask)[..., ::-1].astype(int)
        assert np.abs(pasted - frame).max() <= 2
        inside = np.zeros(frame.shape[:2], bool)
        inside[BOX[0] : BOX[1], BOX[2] : BOX[3]] = True
        assert (pasted[~inside] == frame[~inside]).all()


def public_smoothing(boxes, window=5):
    """Another way to say it: with plain lists and sums, in place, whole numbers by truncation."""
    boxes = [list(box) for box in boxes]
    for i in range(len(boxes)):
        seen = boxes[len(boxes) - window :] if i + window > len(boxes) else boxes[i : i + window]
        boxes[i] = [int(sum(box[k] for box in seen) / len(seen)) for k in range(4)]
    return boxes


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 17])
def test_boxes_are_smoothed_as_the_public_script_does(count):
    boxes = np.random.default_rng(count).integers(10, 200, (count, 4))
    before = boxes.copy()
    assert smooth_boxes(boxes).tolist() == public_smoothing(boxes.tolist())
    assert (boxes == before).all()


def test_frames_without_a_face_stay_without_one():
    from faces.crops import BoxCrop

    crops = [None, BoxCrop((10, 20, 30, 40), 96), BoxCrop((12, 22, 32, 42), 96), None, BoxCrop((90, 99, 90, 99), 96)]
    smooth = smooth_crops(crops)
    assert [crop is None for crop in smooth] == [True, False, False, True, False]
    assert smooth[4].box == (90, 99, 90, 99)

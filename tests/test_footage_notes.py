"""What is changed in footage is said: by inference.py, prepare.py, evaluate.py, spatial_processing.py."""

import json
import os
import threading
from dataclasses import asdict
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from datasets.corpora import ClipSource
from datasets.prepared import ClipRow, manifest_path, read_manifest
from datasets.preparing.clips import prepare_clip
from datasets.preparing.report import write_report
from datasets.preparing.settings import PrepareSettings
from media import probe
from media.notes import ALPHA, DOLBY, INTERLACED
from metrics.compare import reading_notes
from tests.evaluate_kit import DrawnFaces
from tests.inference_kit import OWN, infer, moving_portrait, save_tiny, tone, write_wav
from tests.make_media import make_video


@pytest.fixture(scope="module")
def animated_face(tmp_path_factory):
    """An AVIF of three frames of a portrait, transparent on the left, a fifth of a second each."""
    path = tmp_path_factory.mktemp("face") / "face.avif"
    frames = []
    for picture in moving_portrait(3):
        alpha = np.full(picture.shape[:2], 255, np.uint8)
        alpha[:, :20] = 0
        frames.append(Image.fromarray(np.dstack([picture, alpha])))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=200, quality=90)
    return path


def test_inference_says_it_once_and_takes_a_rate_for_an_animation_and_sound_through_a_pipe(animated_face, tmp_path, capsys):
    write_wav(tmp_path / "a.wav", tone(0.5))
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=(tmp_path / "pipe").write_bytes, args=((tmp_path / "a.wav").read_bytes(),), daemon=True).start()
    given = {"face": animated_face, "audio": tmp_path / "pipe", "outfile": tmp_path / "o.mp4", "fps": 30}
    given |= {"checkpoint_path": save_tiny(tmp_path / "own.safetensors", OWN), "cache_dir": tmp_path / "cache"}
    assert infer(*(f"--{name}={value}" for name, value in given.items())) == 0
    assert (probe(tmp_path / "o.mp4").fps, probe(tmp_path / "o.mp4").frames) == (30, 15)
    assert capsys.readouterr().err.count(f"note: {animated_face}: {ALPHA}\n") == 1


def test_prepare_notes_it_for_each_clip_and_counts_it(tmp_path):
    glass = [np.full((48, 64, 4), 90, np.uint8)] * 25
    clip = make_video(tmp_path / "a.mov", glass, codec="qtrle", pix_fmt="argb", audio=tone(1.0), sample_rate=16000)
    row = prepare_clip(ClipSource("a", clip, "x"), PrepareSettings(), DrawnFaces(), "train", tmp_path)
    assert row.notes == [ALPHA] and row.error
    rows = [ClipRow(name, "x", "train", notes=[INTERLACED, ALPHA][:count]) for name, count in (("a", 1), ("b", 2), ("c", 0))]
    folder = tmp_path / "corpus"
    folder.mkdir()
    manifest_path(folder).write_text("".join(json.dumps(asdict(one)) + "\n" for one in rows))
    assert [one.notes for one in read_manifest(folder).values()] == [[INTERLACED], [INTERLACED, ALPHA], []]
    assert write_report(folder)[-2:] == [f"  2 x changed: {INTERLACED}", f"  1 x changed: {ALPHA}"]


def test_evaluate_has_it_among_the_notes_of_a_video():
    footage = SimpleNamespace(path="a.ts", info=SimpleNamespace(notes=(INTERLACED,)), damage="2 of its frames are damaged")
    assert reading_notes(footage) == [f"a.ts: {INTERLACED}", "a.ts: 2 of its frames are damaged"]


def test_dolby_vision_that_others_cannot_show_is_told(tmp_path):
    with av.open(str(tmp_path / "d.mp4"), "w") as container:
        stream = container.add_stream("libx265", rate=25, options={"x265-params": "log-level=none"})
        context = stream.codec_context
        context.width, context.height, context.pix_fmt, context.codec_tag = 64, 64, "yuv420p10le", "dvh1"
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 99, np.uint8), format="rgb24").reformat(format="yuv420p10le")
        for number in range(3):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert probe(tmp_path / "d.mp4").notes == (DOLBY,)

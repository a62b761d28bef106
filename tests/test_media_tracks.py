"""Which track of a container is read; transparency of WebM; what unreadable files are called."""

from fractions import Fraction

import av
import numpy as np
import pytest

from common.errors import InputError
from media import VideoReader, decode_audio, probe
from media.notes import ALPHA, many_tracks, say_notes
from pipeline.options import FaceOptions
from pipeline.playback.source import FaceSource
from speech.waveform import load_waveform
from tests.make_media import make_wav, tone


def many_videos(path, tracks):
    """A file with several H.264 tracks.

    Args:
        tracks: list of (width, height, grey, frames, disposition or None).
    """
    with av.open(str(path), "w") as container:
        streams = []
        for width, height, _, _, disposition in tracks:
            stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
            stream.codec_context.width, stream.codec_context.height, stream.codec_context.pix_fmt = width, height, "yuv420p"
            if disposition is not None:
                stream.disposition = disposition
            streams.append(stream)
        for stream, (width, height, grey, frames, _) in zip(streams, tracks, strict=True):
            for number in range(frames):
                picture = av.VideoFrame.from_ndarray(np.full((height, width, 3), grey, np.uint8), format="rgb24")
                picture.pts, picture.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(picture.reformat(format="yuv420p")))
            container.mux(stream.encode(None))
    return path


DEFAULT, NONE, COVER = 1, 0, 1024


@pytest.mark.parametrize(
    ("name", "tracks", "wanted"),
    [
        ("large.ts", [(32, 32, 60, 5, None), (96, 64, 180, 5, None)], 1),
        ("first.ts", [(96, 64, 180, 5, None), (32, 32, 60, 5, None)], 0),
        ("default.mkv", [(96, 64, 60, 5, NONE), (64, 48, 180, 5, DEFAULT)], 1),
        ("still.mp4", [(96, 64, 60, 1, None), (64, 48, 180, 5, None)], 1),
    ],
)
def test_the_track_that_is_meant(tmp_path, name, tracks, wanted):
    path = many_videos(tmp_path / name, tracks)
    width, height, grey, frames, _ = tracks[wanted]
    info, read = probe(path), list(VideoReader(path))
    assert (info.width, info.height, len(read)) == (width, height, frames)
    assert abs(float(read[0].mean()) - grey) < 4
    assert info.notes == (many_tracks(2, wanted + 1, width, height),)


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparency_of_webm(tmp_path, codec):
    """FFmpeg's own decoders of VP8 and VP9 drop it."""
    with av.open(str(tmp_path / "a.webm"), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"crf": "4", "b": "2M", "auto-alt-ref": "0"})
        stream.codec_context.width, stream.codec_context.height, stream.codec_context.pix_fmt = 64, 48, "yuva420p"
        stream.metadata["alpha_mode"] = "1"
        for number in range(4):
            rgba = np.full((48, 64, 4), (200, 200, 200, 255), np.uint8)
            rgba[:, :32, 3] = 0
            picture = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format="yuva420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    frames = list(VideoReader(tmp_path / "a.webm"))
    assert len(frames) == 4 and probe(tmp_path / "a.webm").notes == (ALPHA,)
    for frame in frames:
        assert np.abs(frame[24, 8].astype(int) - 128).max() <= 4 and np.abs(frame[24, 50].astype(int) - 200).max() <= 4


def test_unreadable_files_are_called_what_they_were_given_for(tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"no media at all " * 99)
    for read, what in (
        (lambda path: VideoReader(path, what="clip"), "clip"),
        (lambda path: load_waveform(path, what="clip"), "clip"),
        (lambda path: decode_audio(path, "driving video"), "driving video"),
        (lambda path: FaceSource(path, FaceOptions()), "face picture or video"),
        (decode_audio, "audio"),
    ):
        with pytest.raises(InputError, match=f"x.mp4: cannot be read as {what}"):
            read(tmp_path / "x.mp4")
    with pytest.raises(InputError, match="missing.mp4: no such file .clip"):
        VideoReader(tmp_path / "missing.mp4", what="clip")


def test_a_video_without_sound_is_asked_for_by_its_name(tmp_path):
    path = many_videos(tmp_path / "v.mp4", [(32, 32, 60, 3, None)])
    with pytest.raises(InputError, match="has no sound track; give a driving video with sound"):
        decode_audio(path, "driving video")
    with pytest.raises(InputError, match="has no sound track; give an audio file, or a video with sound"):
        decode_audio(path)


def test_notes_are_said_once(tmp_path, capsys):
    path = many_videos(tmp_path / "large.ts", [(32, 32, 60, 5, None), (96, 64, 180, 5, None)])
    say_notes(probe(path))
    say_notes(probe(path))
    assert capsys.readouterr().err == f"note: {path}: it holds 2 video tracks; number 2 (96x64) is read\n"
    say_notes(probe(many_videos(tmp_path / "one.ts", [(32, 32, 60, 5, None)])))
    assert capsys.readouterr().err == ""


def test_animations_are_resampled_for_talking_and_keep_their_rate_elsewhere(tmp_path):
    from PIL import Image

    frames = [Image.fromarray(np.full((48, 64, 3), level, np.uint8)) for level in (40, 140)]
    for name in ("a.webp", "a.gif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=200, lossless=True)
        source = FaceSource(tmp_path / name, FaceOptions())
        assert (source.fps, source.claimed_frames, source.still) == (25, 10, False)
        assert [round(float(frame.mean())) for frame in source.frames()] == [40] * 5 + [140] * 5
        shown = [(index, round(float(frame.mean()))) for index, frame in source.play(14, "pingpong")]
        assert shown[:10] == [(k, 40 if k < 5 else 140) for k in range(10)] and shown[10] == (8, 140)
        assert FaceSource(tmp_path / name, FaceOptions(fps=Fraction(50))).claimed_frames == 20
        assert probe(tmp_path / name).fps == 5


def test_sound_beside_a_picture_track_is_not_moved(tmp_path):
    make_wav(tmp_path / "a.wav", tone(0.5), 16000)
    samples, rate = decode_audio(tmp_path / "a.wav")
    assert samples.shape == (1, 8000) and rate == 16000

import dataclasses

import cv2
import numpy as np
import pytest

from common.errors import InputError
from faces.detectors import Face
from faces.detectors.s3fd_fan import FAN_FILE, S3FD_FILE
from faces.tracking.track import FaceSelection
from pipeline import tracking
from pipeline.options import FaceOptions, Transform
from pipeline.playback.source import FaceSource
from pipeline.tracking import TrackStore, default_cache, prepare, track_key
from tests.inference_kit import blank, moving_portrait, write_video


class CountingDetector:
    """Says that every frame with some contrast holds one face in the middle; counts what it is asked."""

    name, version, asked = "counting", "1", 0

    def detect(self, frame):
        type(self).asked += 1
        if frame[:, :, 0].std() < 50:
            return []
        points = np.stack([np.linspace(80, 160, 68), np.linspace(70, 190, 68)], 1)
        return [Face.from_landmarks(points, 1.0)]

    def follow(self, frame, face):
        return (self.detect(frame) or [None])[0]

    def close(self):
        pass


@pytest.fixture
def asked(monkeypatch):
    """Number of frames that the detector has seen so far, as a callable."""
    monkeypatch.setattr(tracking, "build_detector", lambda *_, **__: CountingDetector())
    CountingDetector.asked = 0
    return lambda: CountingDetector.asked


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "face.mp4", moving_portrait(60))


def tracked(video, store, frames=None, **changes):
    options = FaceOptions(**changes)
    return prepare(FaceSource(video, options), options, store=store, frames=frames)


def test_a_stored_track_is_taken_by_content_not_by_name(tmp_path, video, asked):
    first = tracked(video, TrackStore(tmp_path / "cache"))
    assert asked() == 60
    renamed = video.rename(tmp_path / "other name.mp4")
    again = tracked(renamed, TrackStore(tmp_path / "cache"))
    assert asked() == 60
    np.testing.assert_array_equal(first.landmarks, again.landmarks)
    write_video(renamed, moving_portrait(59))
    tracked(renamed, TrackStore(tmp_path / "cache"))
    assert asked() == 119


def test_only_as_much_is_tracked_as_the_audio_needs(tmp_path, video, asked):
    store = TrackStore(tmp_path / "cache")
    assert len(tracked(video, store, 10)) == 10
    assert asked() == 35  # and a second more, so that gaps at the end can be bridged
    assert len(tracked(video, store, 30)) == 30
    assert asked() == 35
    assert len(tracked(video, store, 200)) == 60
    assert asked() == 95
    assert len(tracked(video, TrackStore(tmp_path / "cache"), 500)) == 60
    assert asked() == 95
    assert len(list((tmp_path / "cache" / "tracks").iterdir())) == 2


def test_whatever_decides_the_track_is_part_of_its_key(video, monkeypatch):
    monkeypatch.setattr(tracking, "detector_identity", lambda name, weights: {"version": "1", "weights": {name: "2"}})
    plain = FaceOptions()
    changed = [
        {"transform": Transform(resize_factor=2)},
        {"transform": Transform(rotate=True)},
        {"transform": Transform(crop=(0, 100, 0, 100))},
        {"static": True},
        {"detector": "face-alignment"},
        {"selection": FaceSelection(index=1)},
        {"selection": FaceSelection(near=(1.0, 2.0))},
    ]
    keys = {track_key(video, plain), *(track_key(video, dataclasses.replace(plain, **change)) for change in changed)}
    assert len(keys) == len(changed) + 1


@pytest.mark.parametrize("damage", ["track", "details", "both empty"])
def test_a_damaged_store_costs_time_not_the_job(tmp_path, video, asked, damage):
    folder = tmp_path / "cache"
    tracked(video, TrackStore(folder))
    for file in (folder / "tracks").iterdir():
        if damage == "both empty":
            file.write_bytes(b"")
        elif (damage == "track") == (file.suffix == ".npz"):
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert tracked(video, TrackStore(folder)).present.all()
    assert asked() == 120
    tracked(video, TrackStore(folder))
    assert asked() == 120


def test_a_store_that_cannot_be_written_is_said_and_survived(tmp_path, video, asked, caplog):
    (tmp_path / "file").write_text("no folder")
    store = TrackStore(tmp_path / "file")
    assert tracked(video, store).present.all()
    assert "--cache_dir" in caplog.text
    tracked(video, store)
    assert asked() == 60, "it is still kept in memory"


def test_without_a_folder_nothing_is_written(tmp_path, video, asked):
    store = TrackStore(None)
    tracked(video, store)
    tracked(video, store)
    assert asked() == 60
    assert list(tmp_path.iterdir()) == [video]


def test_of_many_videos_the_last_tracks_are_held_in_memory(tmp_path, asked):
    store, videos = TrackStore(tmp_path / "cache"), [tmp_path / f"{number}.mp4" for number in range(6)]
    for number, path in enumerate(videos):
        tracked(write_video(path, moving_portrait(2 + number)), store)
    seen = asked()
    assert len(store) == 4
    tracked(videos[0], store)
    assert asked() == seen and len(store) == 4, "the folder has the others"


def test_other_weights_of_the_detector_are_another_track(tmp_path, video, monkeypatch):
    from faces.detectors import identity

    monkeypatch.setattr(identity, "version", lambda package: "1.4")
    folders = []
    for name, content in (("a", b"one"), ("same", b"one"), ("other", b"two")):
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        for file in (S3FD_FILE, FAN_FILE):
            (folders[-1] / file).write_bytes(content)
    first, same, other = (
        track_key(video, FaceOptions(detector="face-alignment", detector_weights=str(folder))) for folder in folders
    )
    assert first == same != other
    (folders[0] / FAN_FILE).write_bytes(b"three")
    assert track_key(video, FaceOptions(detector="face-alignment", detector_weights=str(folders[0]))) not in (first, other)


def test_no_face_anywhere_names_the_file_and_the_ways_out(tmp_path, asked):
    video = write_video(tmp_path / "wall.mp4", [blank()] * 5)
    with pytest.raises(InputError, match="wall.mp4: no face found in any of the 5 frames.*--box"):
        tracked(video, TrackStore(None))
    with pytest.raises(InputError, match="first frame"):
        tracked(video, TrackStore(None), static=True)


def test_where_one_frame_of_a_video_has_no_face_the_others_are_named_first(tmp_path, asked):
    video = write_video(tmp_path / "late.mp4", [blank()] * 2 + moving_portrait(3))
    with pytest.raises(InputError, match="the first frame; leave --static out, so that all frames are searched"):
        tracked(video, TrackStore(None), static=True)


@pytest.mark.parametrize(
    ("size", "how", "words"),
    [
        ((3840, 2160), {}, "3840x2160 pixels: cut the person out with --crop"),
        ((120, 90), {}, "120x90 pixels, and a face needs about 40"),
        ((640, 480), {"resize_factor": 3}, "leave --resize_factor 3 out"),
        ((640, 480), {"crop": (0, 40, 0, 40)}, "make --crop wider"),
        ((640, 480), {}, "face found in the picture; try --detector face-alignment"),
    ],
)
def test_where_no_face_is_found_the_flags_that_help_are_named(tmp_path, asked, size, how, words):
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((*size[::-1], 3), 120, np.uint8))
    with pytest.raises(InputError, match=words):
        tracked(tmp_path / "wall.png", TrackStore(None), transform=Transform(**how))


def test_the_default_folder_follows_the_xdg_rule(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "talkingface"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "home" / ".cache" / "talkingface"


def test_the_folder_of_weights_reaches_the_detector(tmp_path, monkeypatch):
    asked_for = {}

    def build(name, **options):
        asked_for.update(options, name=name)
        return CountingDetector()

    monkeypatch.setattr(tracking, "build_detector", build)
    monkeypatch.setattr(tracking, "detector_identity", lambda name, weights: asked_for.update(identity=weights) or {})
    video = write_video(tmp_path / "a.mp4", moving_portrait(3))
    options = FaceOptions(detector="face-alignment", detector_weights=str(tmp_path))
    prepare(FaceSource(video, options), options, store=TrackStore(None))
    assert asked_for["name"] == "face-alignment" and asked_for["weights"] == asked_for["identity"] == str(tmp_path)

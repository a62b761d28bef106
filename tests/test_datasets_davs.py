"""Windows of sound for single frames, words in the middle of windows, numbers of people, faces of identity."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from datasets.centring import JITTER, Spoken, centred_start
from datasets.clip_files import clip_path, open_arrays, write_clip, write_side
from datasets.prepared import PreparedCorpus
from datasets.windows import WindowDataset, collate
from datasets.words import KIND, extend_vocabulary
from faces.landmarks import MIRROR
from speech.mfcc import FRAME, STEP, SYNCNET, mfcc
from speech.mfcc_windows import mfcc_window_start, mfcc_windows
from tests.fields_kit import whole
from tests.prepared_kit import make_corpus

FIELDS = ("face", "mfcc", "spoken_word", "speaker", "identity_face", "landmarks", "clip", "frame")
OF_CLIP = {"identity_face": {"of": "clip"}}
RATES = (25, 30, Fraction(30000, 1001), Fraction(24000, 1001), 50, 60, 12.5)
WORDS = {  # clip -> [(first frame, end, word)]
    0: [(0, 6, "bin"), (10, 17, "blue"), (30, 40, "now")], 1: [(18, 23, "blue")], 2: [(5, 9, "at"), (22, 30, "now")],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six clips of 40 frames and a noise each; clips 0 to 2, which are for training, and clip 3 hold words, the others none."""
    folder = make_corpus(tmp_path_factory.mktemp("davs") / "c", size=32, words=False, splits=("train",) * 4 + ("val", "unseen"))
    text = (folder / "manifest.jsonl").read_text()
    for row in PreparedCorpus.open_folder(folder).rows:
        number = int(row.id[-1])
        arrays, notes = open_arrays(clip_path(folder, row.id))
        arrays = {name: np.array(array) for name, array in arrays.items()}
        arrays["waveform"] = np.random.default_rng(number).integers(-9000, 9000, 40 * 640).astype(np.int16)
        arrays["face"] = np.random.default_rng(number).integers(0, 256, arrays["face"].shape, np.uint8)
        write_clip(clip_path(folder, row.id), arrays, notes)
        words = WORDS.get(number, [(12, 18, "bin")] if number == 4 else [])
        if words:
            times = np.array([[first / 25, end / 25] for first, end, _ in words])
            write_side(folder, KIND, row.id, {"word_times": times}, {}, {"words": [word for *_, word in words]})
            mine = f'"id": "{row.id}"'
            text = "".join(line.replace('"side": {}', '"side": {"words": {"from": "given"}}') if mine in line else line
                           for line in text.splitlines(keepends=True))  # fmt: skip
    (folder / "manifest.jsonl").write_text(text)
    extend_vocabulary(folder, {"bin", "blue", "at", "now"})
    return folder


@pytest.fixture
def corpus(folder):
    return PreparedCorpus.open_folder(folder)


def test_published_windows_are_columns_4l_minus_8_to_4l_plus_11():
    assert [mfcc_window_start(frame, 25) for frame in (0, 1, 2, 26, 5000)] == [-8, -4, 0, 96, 19992]
    coefficients = np.arange(12 * 120, dtype=np.float32).reshape(12, 120)
    windows = mfcc_windows(coefficients, [2, 0], 25)
    np.testing.assert_array_equal(windows[0], coefficients[:, :20].T)
    np.testing.assert_array_equal(windows[1, 8:], coefficients[:, :12].T)
    assert not windows[1, :8].any() and windows.shape == (2, 20, 12) and windows.dtype == np.float32
    assert not mfcc_windows(coefficients[:, :0], [0, 1], 25).any()


@given(st.integers(-10, 30_000), st.sampled_from(RATES))
@settings(deadline=None)
def test_the_middle_of_a_window_lies_within_a_column_of_that_of_its_frame(frame, fps):
    start = mfcc_window_start(frame, fps)
    middle = Fraction(FRAME // 2) + STEP * (start + Fraction(19, 2))
    later = middle - 16000 * Fraction(2 * frame + 1, 2) / Fraction(fps)
    assert 0 <= later < STEP
    assert fps != 25 or later == Fraction(3, 4) * STEP


def test_a_rate_that_is_none_is_refused():
    with pytest.raises(InputError, match="frame rate 0"):
        mfcc_window_start(3, 0)
    with pytest.raises(ValueError, match="no place 'published' for windows of 12 columns"):
        mfcc_window_start(3, 25, columns=12)


def test_silence_outside_the_clip_is_what_digital_silence_gives():
    assert np.abs(mfcc(np.zeros(1600), SYNCNET)).max() < 1e-9


@pytest.mark.parametrize("augment", [None, {"gain_db": 1e-12}])
def test_training_cuts_the_windows_that_driving_cuts(corpus, augment):
    """Of the kept coefficients, and of the samples of the window where the sound may be changed."""
    data = WindowDataset(corpus, "train", 25, FIELDS, options=OF_CLIP, augment=augment)
    seen = set()
    for index in range(12):
        item = whole(data, index)
        sound = data.clip(int(item["clip"]))["waveform"] / np.float32(32767)
        start = int(item["frame"])
        wanted = mfcc_windows(mfcc(sound, SYNCNET), range(start, start + 25), 25)
        np.testing.assert_allclose(item["mfcc"], wanted, atol=0 if augment is None else 1e-4)
        seen.add(start)
    assert min(seen) < 2 and max(seen) > 12, "windows at both ends of the clips, too"


def middle_of(words, number):
    return {word: (first + end) // 2 for first, end, word in words[number]}


@pytest.mark.parametrize("window", [9, 8])
def test_windows_are_centred_on_words(corpus, window):
    data = WindowDataset(corpus, "train", window, FIELDS, options=OF_CLIP, centre="word")
    assert data.vocabulary == ("at", "bin", "blue", "now") and data.without == {"words": 1}
    seen = set()
    for index in range(60):
        item = whole(data, index)
        number, start = int(data.rows[int(item["clip"])].id[-1]), int(item["frame"])
        word = data.vocabulary[int(item["spoken_word"])]
        wanted = middle_of(WORDS, number)[word] - window // 2
        assert start == min(max(wanted, 0), 40 - window)
        seen.add((number, word))
    assert seen == {(number, word) for number in WORDS for *_, word in WORDS[number]}


def test_training_moves_a_centred_window_by_a_frame_at_most(corpus):
    data = WindowDataset(corpus, "train", 9, FIELDS, options=OF_CLIP, centre="word", jitter=JITTER)
    moved = set()
    for index in range(80):
        item = whole(data, index)
        number, word = int(data.rows[int(item["clip"])].id[-1]), data.vocabulary[int(item["spoken_word"])]
        if word in ("blue", "at"):  # these lie far from the clip's ends
            moved.add(int(item["frame"]) - (middle_of(WORDS, number)[word] - 4))
    assert moved == {-1, 0, 1}


@given(st.floats(0, 3), st.sampled_from((25, 30000 / 1001, 24)), st.integers(1, 40), st.integers(0, 2))
@settings(deadline=None)
def test_the_middle_of_the_word_is_heard_in_the_middle_frame(middle, fps, window, jitter):
    frames = max(window, int(3 * fps))
    start = centred_start(Spoken(0, middle), fps, frames, window, jitter, np.random.default_rng(0))
    assert 0 <= start <= frames - window
    if 0 < start < frames - window:
        assert abs(start + window // 2 - int(middle * fps)) <= jitter


def test_known_centres_where_words_are_known(corpus):
    data = WindowDataset(corpus, "train", 9, FIELDS, options=OF_CLIP, centre="known")
    assert len(data.rows) == 4 and data.without == {}
    anywhere = set()
    for index in range(80):
        item = whole(data, index)
        known = data.rows[int(item["clip"])].id != "s2/clip3"
        assert (item["spoken_word"] >= 0) == known
        if not known:
            anywhere.add(int(item["frame"]))
    assert len(anywhere) > 8


def test_without_a_centre_the_word_is_that_of_the_middle_frame(corpus):
    data = WindowDataset(corpus, "train", 9, ("spoken_word", "word", "clip", "frame"))
    assert data.without == {"words": 1}
    found = set()
    for index in range(40):
        item = whole(data, index)
        assert item["spoken_word"] == item["word"][4] and item["spoken_word"].dtype == np.int64
        found.add(int(item["spoken_word"]))
    assert -1 in found and len(found) > 2


def test_asking_for_words_and_people_changes_nothing_else(corpus):
    plain = WindowDataset(corpus, "train", 9, ("face", "frame", "clip"), seed=2)
    more = WindowDataset(corpus, "train", 9, (*FIELDS[1:2], *FIELDS[3:5], "face", "frame", "clip"), seed=2, options=OF_CLIP)
    for index in range(6):
        one, two = whole(plain, index), whole(more, index)
        for name, value in one.items():
            np.testing.assert_array_equal(value, two[name])


def test_people_are_numbered_by_the_training_split(corpus, folder):
    data = WindowDataset(corpus, "train", 9, FIELDS, options=OF_CLIP)
    assert data.people == ("s1", "s2")
    for index in range(8):
        item = whole(data, index)
        assert data.people[int(item["speaker"])] == data.rows[int(item["clip"])].speaker
    rows = [row for row in corpus.rows if row.split != "unseen"]
    strange = PreparedCorpus(folder, corpus.settings, [*rows, *(row for row in corpus.rows if row.split == "unseen")])
    strange.split("unseen")[0].speaker = "zoe"
    unseen = WindowDataset(strange, "unseen", 9, ("speaker",))
    assert whole(unseen, 0)["speaker"] == -1
    assert whole(WindowDataset(corpus, "val", 9, ("speaker",)), 0)["speaker"] == 0


@pytest.mark.parametrize("of", ["same", "elsewhere", "clip"])
def test_whose_face_the_identity_is(corpus, of):
    window = 25
    names = ("identity_face", "identity_landmarks", "clip", "frame")
    data = WindowDataset(corpus, "train", window, names, options={"identity_face": {"of": of}})
    own, inside = 0, 0
    for index in range(40):
        item = whole(data, index)
        place = data.window_of(index).second(of)
        face = data.clip(place.number)["face"][place.start].transpose(2, 0, 1) / np.float32(255)
        np.testing.assert_array_equal(item["identity_face"], face)
        np.testing.assert_array_equal(item["identity_landmarks"], data.clip(place.number)["landmarks"][place.start])
        own += place.number == int(item["clip"])
        inside += place.number == int(item["clip"]) and item["frame"] <= place.start < item["frame"] + window
    assert (own == 40) == (of != "same") and (own == 0) == (of == "same")
    assert (inside > 10) == (of == "clip")


@pytest.mark.parametrize("of", ["same", "clip"])
def test_landmarks_of_the_identity_move_with_its_face(corpus, of):
    """A face of another clip is mirrored as the window is, one of the same clip is moved as well."""
    augment = {"flip": 0.5, "shift": 3}
    data = WindowDataset(corpus, "train", 5, ("identity_face", "identity_landmarks"), augment=augment,
                         options={"identity_face": {"of": of}})  # fmt: skip
    mirrored = 0
    for index in range(12):
        window, item = data.window_of(index), data[index]
        place, look = window.second(of), window.look
        stored = np.array(data.clip(place.number)["landmarks"][place.start])
        stored += np.array(look.shift[::-1]) if of == "clip" else 0
        if look.flip:
            stored = stored[list(MIRROR)] * [-1, 1] + [31, 0]
            mirrored += 1
        np.testing.assert_allclose(item["identity_landmarks"], stored, atol=1e-4)
    assert 0 < mirrored < 12


def test_an_identity_of_the_clip_needs_no_room_beside_the_window(corpus):
    assert WindowDataset(corpus, "train", 40, ("identity_face",), options=OF_CLIP)[0]["identity_face"].shape == (1, 32, 32, 3)
    with pytest.raises(InputError, match="46 frames or more"):
        WindowDataset(corpus, "train", 40, ("identity_face",))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"centre": "wrod"}, "data.centre.*did you mean word"),
        ({"centre": "word", "cut": "phoneme"}, "data.centre: .*give data.window a number"),
        ({"options": {"identity_face": {"of": "clips"}}}, "field identity_face: .*did you mean clip"),
    ],
)
def test_settings_that_cannot_be_are_named(corpus, options, words):
    with pytest.raises(InputError, match=words):
        WindowDataset(corpus, "train", 9, ("identity_face",), **options)


@pytest.mark.parametrize("fields", [("face",), ("spoken_word",)])
def test_a_centre_needs_words(tmp_path, fields):
    corpus = PreparedCorpus.open_folder(make_corpus(tmp_path / "c", clips=1, size=32, words=False, splits=("train",)))
    with pytest.raises(InputError, match="hold no words; run prepare.py on it again with --words"):
        WindowDataset(corpus, "train", 9, fields, centre="word")
    item = collate([WindowDataset(corpus, "train", 9, ("spoken_word",), centre="known")[0]])
    assert item["spoken_word"].tolist() == [-1]

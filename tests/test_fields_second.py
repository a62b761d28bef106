"""Second windows: drawn only when a field asks, from a generator of their own, from where they should come."""

import numpy as np
import pytest

from common.errors import InputError
from datasets.fields import REFERENCE_GAP
from datasets.prepared import PreparedCorpus
from datasets.windows import WindowDataset
from tests.fields_kit import make_noise_corpus, whole
from tests.prepared_kit import make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Five clips of training: s1 has three, s2 two."""
    return PreparedCorpus.open_folder(make_noise_corpus(tmp_path_factory.mktemp("prepared") / "corpus", splits=("train",)))


def test_asking_for_one_changes_nothing_else_in_an_item(corpus):
    augment = {"flip": 0.5, "shift": 2, "noise": 0.5}
    plain = WindowDataset(corpus, "train", 5, ("face", "mel", "reference_face"), augment=augment)
    more = WindowDataset(corpus, "train", 5, ("identity_face", "face", "mel", "reference_face"), augment=augment)
    for index in range(6):
        one, two = whole(plain, index), whole(more, index)
        for name, value in one.items():
            np.testing.assert_array_equal(value, two[name])


@pytest.mark.parametrize("augment", [{"shift": 4, "flip": 0.5}, {"shift": 3, "turn": 9, "zoom": 0.1}])
@pytest.mark.parametrize("of", ["same", "elsewhere", "clip", "first"])
def test_an_identity_face_of_the_window_s_clip_is_moved_with_the_window(corpus, of, augment):
    data = WindowDataset(corpus, "train", 5, ("identity_face",), augment=augment, options={"identity_face": {"of": of}})
    moves = 0
    for index in range(6):
        window = data.window_of(index)
        window.name = "identity_face"
        place = window.second(of)
        assert of != "first" or (place.number, place.frames.tolist()) == (window.number, [0])
        faces = data.clip(place.number)["face"]
        still, moved = (window.look.pixels(faces, place.frames, moved=one)[0] for one in (False, True))
        wanted = still if of == "same" else moved
        np.testing.assert_array_equal(data[index]["identity_face"][0], wanted)
        moves += not np.array_equal(still, moved)
    assert moves > 3


@pytest.mark.parametrize("span", [1, 4])
def test_each_kind_lies_where_it_should(corpus, span):
    data = WindowDataset(corpus, "train", 5, ("identity_face",))
    seen = set()
    for index in range(60):
        window = data.window_of(index)
        window.name = "identity_face"
        near, same, other = (window.second(kind, span) for kind in ("elsewhere", "same", "other"))
        assert near.number == window.number
        assert near.frames[-1] < window.start - REFERENCE_GAP or near.start >= window.start + window.count + REFERENCE_GAP
        assert same.number != window.number and same.row.speaker == window.row.speaker
        assert other.row.speaker != window.row.speaker
        for place in (near, same, other):
            assert len(place.frames) == span and 0 <= place.start <= place.frames[-1] < place.row.frames
        assert window.second("same", span) is same, "the same for every field of an item"
        seen.add((same.number, same.start))
    assert len(seen) > 30


def test_an_identity_face_is_a_stored_face_of_the_same_person(corpus):
    data = WindowDataset(corpus, "train", 5, ("identity_face", "clip"), seed=3)
    for index in range(8):
        window, item = data.window_of(index), whole(data, index)
        place = window.second("same")
        face = data.clip(place.number)["face"][place.start]
        np.testing.assert_array_equal(item["identity_face"], face.transpose(2, 0, 1) / np.float32(255))


def test_a_speaker_of_one_clip_is_seen_elsewhere_in_it(tmp_path):
    corpus = PreparedCorpus.open_folder(make_corpus(tmp_path / "c", clips=1, splits=("train",)))
    data = WindowDataset(corpus, "train", 5, ("identity_face",))
    for index in range(8):
        window = data.window_of(index)
        window.name = "identity_face"
        place = window.second("same")
        assert place.number == 0 and not window.start - REFERENCE_GAP <= place.start < window.start + 5 + REFERENCE_GAP
        with pytest.raises(InputError, match="identity_face needs two speakers"):
            window.second("other")

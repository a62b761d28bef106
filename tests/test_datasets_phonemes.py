"""Windows of whole phoneme runs, the fields of phonemes, and their control."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from datasets.prepared import PreparedCorpus
from datasets.windows import WindowDataset, collate
from losses.criterion import build_criterion
from tests.prepared_kit import make_corpus

FIELDS = ("face", "mel", "phoneme", "run", "valid", "frame", "clip")
LONGEST = 9


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return PreparedCorpus.open_folder(make_corpus(tmp_path_factory.mktemp("prepared") / "corpus", frames=40))


@pytest.fixture(scope="module")
def by_runs(corpus):
    return WindowDataset(corpus, "train", LONGEST, FIELDS, cut="phoneme")


@settings(deadline=None, max_examples=60)
@given(index=st.integers(0, 5000))
def test_a_window_holds_whole_runs_and_pads_the_rest(by_runs, index):
    item = by_runs[index]
    runs = by_runs.runs(int(item["clip"]))
    start, count = int(item["frame"]), int(item["valid"].sum())
    assert (item["valid"] == (np.arange(LONGEST) < count)).all() and count >= 1
    labels, numbers = runs.frame_labels(), runs.frame_runs()
    assert (item["phoneme"][:count] == labels[start : start + count]).all()
    assert (item["run"][:count] == numbers[start : start + count] - numbers[start]).all()
    assert (item["run"][count:] == item["run"][count - 1]).all()
    first, last = numbers[start], numbers[start + count - 1]
    long = runs.lengths[first] > LONGEST
    assert long or start == runs.starts[first], "a window begins with a run"
    assert count == LONGEST or start + count == runs.ends[last], "and ends with one"
    if start + count < runs.frames and count < LONGEST:
        assert count + runs.lengths[last + 1] > LONGEST, "the next run would have fitted"
    assert (item["face"][count:] == item["face"][count - 1]).all(), "padding repeats the last frame"


def test_all_frames_are_seen_alike(by_runs):
    seen = np.zeros((len(by_runs.rows), 40))
    for index in range(1500):
        item = by_runs[index]
        start, count = int(item["frame"]), int(item["valid"].sum())
        seen[int(item["clip"]), start : start + count] += 1
    assert (seen > 0).all()
    assert seen.max() / np.median(seen) < 4


def test_long_runs_are_cut_into_pieces(corpus):
    dataset = WindowDataset(corpus, "train", 2, FIELDS, cut="phoneme")
    assert max(dataset.runs(0).lengths) > 2
    for index in range(200):
        item = dataset[index]
        runs = dataset.runs(int(item["clip"]))
        first = int(runs.frame_runs()[item["frame"]])
        assert (int(item["frame"]) - runs.starts[first]) % 2 == 0


def test_windows_of_fixed_length_have_phonemes_too(corpus):
    dataset = WindowDataset(corpus, "train", 5, FIELDS)
    item = dataset[3]
    assert item["valid"].all() and item["run"][0] == 0 and (np.diff(item["run"]) >= 0).all()
    changes = np.diff(item["phoneme"]) != 0
    assert (changes == (np.diff(item["run"]) == 1)).all()


def test_shuffled_runs_keep_their_lengths_and_lose_their_places(corpus):
    aligned = WindowDataset(corpus, "train", 5, FIELDS)
    shuffled = WindowDataset(corpus, "train", 5, FIELDS, phonemes="shuffled")
    differ = []
    for number in range(len(aligned.rows)):
        own, other = aligned.runs(number), shuffled.runs(number)
        assert sorted(own.frame_labels()) == sorted(other.frame_labels())
        differ.append((own.frame_labels() != other.frame_labels()).mean())
        again = WindowDataset(corpus, "train", 5, FIELDS, phonemes="shuffled").runs(number)
        assert (again.frame_labels() == other.frame_labels()).all(), "the same in every epoch"
    assert np.mean(differ) > 0.7


def test_clips_without_phones_are_left_out_and_counted(tmp_path):
    corpus = PreparedCorpus.open_folder(make_corpus(tmp_path / "corpus"))
    train = corpus.split("train")
    train[0].phones = ""
    dataset = WindowDataset(corpus, "train", 5, ("phoneme",))
    assert dataset.without == {"phones": 1} and len(dataset.rows) == len(train) - 1
    assert WindowDataset(corpus, "train", 5, ("face",)).without == {}
    for row in train:
        row.phones = ""
    with pytest.raises(InputError, match="prepare.py"):
        WindowDataset(corpus, "train", 5, ("phoneme",))


@pytest.mark.parametrize("name", ["l1", "laplacian"])
def test_padding_counts_in_no_loss(by_runs, name):
    batch = by_runs.complete(collate([by_runs[index] for index in range(6)]))
    assert 0 < batch["valid"].mean() < 1
    criterion = build_criterion({name: {"weight": 1.0, **({"gradient": 1.0} if name == "l1" else {})}})
    fake = torch.rand(batch["face"].shape, generator=torch.Generator().manual_seed(1))
    value = criterion({"face": fake}, batch)[0]
    spoilt = torch.where(batch["valid"][:, :, None, None, None] > 0, fake, 7.0)
    assert float(criterion({"face": spoilt}, batch)[0]) == pytest.approx(float(value), rel=1e-5)
    valid = batch["valid"].bool()
    alone = criterion({"face": fake[valid][:, None]}, {"face": batch["face"][valid][:, None]})[0]
    assert float(alone) == pytest.approx(float(value), rel=1e-5)

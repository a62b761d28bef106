"""Corpora, prepared clips and windows."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from datasets.augment import SILENCE
from datasets.clip_files import clip_path, open_clip, write_clip
from datasets.corpora import assign_split, grid_transcript, list_clips
from datasets.fields import FIELDS, check_fields
from datasets.fields.window import draw_outside
from datasets.prepared import PreparedCorpus, read_manifest
from datasets.windows import REFERENCE_GAP, WindowDataset, collate
from tests.fields_kit import whole
from tests.prepared_kit import make_corpus

ALL = tuple(FIELDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("prepared") / "corpus")


@pytest.fixture
def corpus(folder):
    return PreparedCorpus.open_folder(folder)


def touch(path, text="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_grid_layout(tmp_path):
    for name in ("s1/video/bbaf2n.mpg", "s1/video/bbaf2n.mp4", "s1/align/bbaf2n.align", "s2/video/swwp2s.mpg", "s2/notes.txt"):
        touch(tmp_path / name)
    clips = list_clips("grid", tmp_path)
    assert [clip.id for clip in clips] == ["s1/bbaf2n", "s2/swwp2s"]
    assert clips[0].align.name == "bbaf2n.align" and clips[1].align is None
    assert clips[0].transcript == "bin blue at f two now"
    assert clips[1].transcript == "set white with p two soon"


def test_grid_transcript_of_other_names():
    assert grid_transcript("holiday") == "" and grid_transcript("zzzzzz") == ""


def test_lrs2_layout_with_lists(tmp_path):
    for name in ("main/553/00001", "main/553/00002", "main/554/00001"):
        touch(tmp_path / f"{name}.mp4")
        touch(tmp_path / f"{name}.txt", "Text:  WHEN I WAS YOUNG\nConf:  4\n")
    touch(tmp_path / "train.txt", "553/00001\n")
    touch(tmp_path / "val.txt", "554/00001 extra\n")
    clips = {clip.id: clip for clip in list_clips("lrs2", tmp_path)}
    assert sorted(clips) == ["553/00001", "553/00002", "554/00001"]
    assert clips["553/00001"].split == "train" and clips["554/00001"].split == "val" and clips["553/00002"].split is None
    assert clips["553/00001"].transcript == "when i was young"


def test_folder_layout_keeps_equal_base_names_apart(tmp_path):
    for name in ("a/talk.mp4", "b/talk.mp4", "b/talk.mov", "solo.webm"):
        touch(tmp_path / name)
    touch(tmp_path / "a/talk.txt", "hello  there\n")
    clips = list_clips("folder", tmp_path)
    assert len({clip.id for clip in clips}) == 4
    assert {clip.transcript for clip in clips} == {"hello there", ""}


@pytest.mark.parametrize(("name", "make"), [("grid", False), ("nonsense", True), ("folder", True)])
def test_corpus_mistakes_are_named(tmp_path, name, make):
    root = tmp_path / "root"
    if make:
        root.mkdir()
    with pytest.raises(InputError, match="root|--corpus"):
        list_clips(name, root)


def test_splits_are_stable_and_have_their_shares():
    splits = [assign_split(f"s1/{number}", "s1", val_share=0.1, test_share=0.2) for number in range(4000)]
    assert abs(splits.count("test") / 4000 - 0.2) < 0.03 and abs(splits.count("val") / 4000 - 0.1) < 0.02
    assert splits == [assign_split(f"s1/{number}", "s1", val_share=0.1, test_share=0.2) for number in range(4000)]
    assert assign_split("s9/x", "s9", unseen_speakers=("s9",)) == "unseen"


@given(st.integers(0, 200), st.integers(1, 30), st.data())
@settings(deadline=None, max_examples=50)
def test_reference_lies_outside_the_window(seed, window, data):
    count = window + data.draw(st.integers(0, 60))
    start = data.draw(st.integers(0, count - window))
    low, high = start - REFERENCE_GAP, start + window + REFERENCE_GAP
    pick = draw_outside(np.random.default_rng(seed), count, low, high)
    assert 0 <= pick < count
    if low > 0 or high < count:
        assert not low <= pick < high


def test_clip_file_round_trip(tmp_path):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([True, False]), "c": np.zeros((0, 4), np.uint8)}
    write_clip(tmp_path / "x.safetensors", arrays, {"format": "t"})
    back = open_clip(tmp_path / "x.safetensors")
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype and back[name].shape == array.shape
        np.testing.assert_array_equal(back[name], array)
    from safetensors.numpy import load_file

    np.testing.assert_array_equal(load_file(tmp_path / "x.safetensors")["a"], arrays["a"])


@pytest.mark.parametrize("keep", [0, 5, 40, -1])
def test_damaged_clip_file_is_named(tmp_path, keep):
    path = tmp_path / "x.safetensors"
    write_clip(path, {"a": np.arange(60, dtype=np.float32)}, {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="x.safetensors"):
        open_clip(path)


def test_manifest_drops_a_torn_last_line_only(folder, tmp_path):
    text = (folder / "manifest.jsonl").read_text()
    (tmp_path / "manifest.jsonl").write_text(text + '{"id": "s1/to')
    assert len(read_manifest(tmp_path)) == 6
    (tmp_path / "manifest.jsonl").write_text('{"id": "s1/to\n' + text)
    with pytest.raises(InputError, match="line 1"):
        read_manifest(tmp_path)


def test_other_format_is_refused(tmp_path):
    (tmp_path / "corpus.json").write_text(json.dumps({"format": "other-9", "settings": {}}))
    with pytest.raises(InputError, match="other-9"):
        PreparedCorpus.open_folder(tmp_path)
    with pytest.raises(InputError, match="prepare.py"):
        PreparedCorpus.open_folder(tmp_path / "nowhere")


def test_items_have_the_shapes_that_fields_promise(corpus):
    item = whole(WindowDataset(corpus, "train", 5, ALL), 3)
    sizes = {"T": 5, "S": 96, "K": 1, "C": 12, "N": 20, "L": 3200, "T + 2 M": 5, "D": 288}
    for name, field in FIELDS.items():
        words = [word.strip() for word in field.shape.strip("()").split(",") if word.strip()]
        shape = tuple(sizes[word] if word in sizes else int(word) for word in words)
        assert item[name].shape == shape, name
        assert str(np.asarray(item[name]).dtype) == field.dtype, name
    assert item["face"].min() >= 0 and item["face"].max() <= 1
    assert not item["masked_face"][:, :, 48:].any()
    np.testing.assert_array_equal(item["masked_face"][:, :, :48], item["face"][:, :, :48])


def test_items_depend_on_seed_epoch_and_index_alone(corpus):
    augment = {"flip": 0.5, "colour": 0.2, "gain_db": 3, "noise": 0.5, "silence": 0.5}
    one = WindowDataset(corpus, "train", 5, ALL, seed=4, augment=augment)
    two = WindowDataset(corpus, "train", 5, ALL, seed=4, augment=augment)
    [two[index] for index in (7, 1, 0)]  # another order of reading
    for name, value in whole(one, 2).items():
        np.testing.assert_array_equal(value, whole(two, 2)[name])
    other_epoch, other_seed = one[2 + len(one)], WindowDataset(corpus, "train", 5, ALL, seed=5, augment=augment)[2]
    assert any(not np.array_equal(one[2][name], other_epoch[name]) for name in ("clip", "frame", "mel"))
    assert any(not np.array_equal(one[2][name], other_seed[name]) for name in ("clip", "frame", "mel"))


def test_sound_and_picture_of_an_item_belong_together(corpus):
    """The brightness of the mouth follows the mel (see prepared_kit), so the middle column must tell it."""
    data = WindowDataset(corpus, "train", 5, ("face", "mel"))
    for index in range(10):
        item = whole(data, index)
        mouth = item["face"][:, 0, 67, 48]
        heard = (item["mel"][:, 0, 0, 7:9].mean(-1) + 3) / 6 * 200 / 255
        np.testing.assert_allclose(mouth, heard, atol=0.06)


def test_shifted_sound_is_marked(corpus):
    data = WindowDataset(corpus, "train", 5, ("sync_mel", "heard_mel", "in_sync"))
    items = [data[index] for index in range(60)]
    own = [item for item in items if item["in_sync"] == 1]
    assert 15 < len(own) < 45
    assert all(np.array_equal(item["sync_mel"], item["heard_mel"][0]) for item in own)
    assert all(not np.array_equal(item["sync_mel"], item["heard_mel"][0]) for item in items if item["in_sync"] == 0)


def test_mirrored_landmarks_stay_on_the_mirrored_picture(corpus):
    plain = WindowDataset(corpus, "train", 2, ("face", "landmarks"), seed=1)
    flipped = WindowDataset(corpus, "train", 2, ("face", "landmarks"), seed=1, augment={"flip": 1.0})
    one, two = whole(plain, 0), whole(flipped, 0)
    np.testing.assert_array_equal(one["face"][..., ::-1], two["face"])
    assert two["landmarks"][0, 36, 0] == pytest.approx(95 - one["landmarks"][0, 45, 0])
    assert two["landmarks"][0, 36, 1] == pytest.approx(one["landmarks"][0, 45, 1])


def test_the_mask_begins_where_it_is_told(corpus):
    item = whole(WindowDataset(corpus, "train", 2, ("face", "masked_face"), mask_top=0.375), 0)
    assert not item["masked_face"][:, :, 36:].any()
    np.testing.assert_array_equal(item["masked_face"][:, :, :36], item["face"][:, :, :36])


def test_shifted_picture_and_landmarks_move_together_and_the_reference_stays(corpus):
    fields = ("face", "masked_face", "reference_face", "landmarks")
    plain = WindowDataset(corpus, "train", 2, fields, seed=1)
    moved = WindowDataset(corpus, "train", 2, fields, seed=1, augment={"shift": 3})
    seen = set()
    for index in range(8):
        one, two = whole(plain, index), whole(moved, index)
        right, down = (two["landmarks"] - one["landmarks"])[0, 0]
        steps = (round(float(right)), round(float(down)))
        assert max(map(abs, steps)) <= 3
        np.testing.assert_allclose(two["landmarks"] - one["landmarks"], np.broadcast_to(steps, (2, 68, 2)), atol=1e-4)
        rolled = np.roll(one["face"], steps[::-1], (2, 3))
        np.testing.assert_array_equal(two["face"][..., 4:-4, 4:-4], rolled[..., 4:-4, 4:-4])
        np.testing.assert_array_equal(two["reference_face"], one["reference_face"])
        seen.add(steps)
    assert len(seen) > 3


def test_quiet_windows_become_digital_silence_and_loud_ones_stay(corpus):
    changed = WindowDataset(corpus, "train", 1, ("mel",), augment={"silence": 1.0})
    plain = WindowDataset(corpus, "train", 1, ("mel",))
    pairs = [(plain[index]["mel"], changed[index]["mel"]) for index in range(200)]
    hushed = [before for before, after in pairs if (after == SILENCE).all()]
    kept = [before for before, after in pairs if np.array_equal(before, after)]
    assert hushed and len(hushed) + len(kept) == 200
    assert np.mean([mel.mean() for mel in hushed]) < np.mean([mel.mean() for mel in kept])


def test_balance_draws_rare_speakers_more_often(tmp_path):
    folder = make_corpus(tmp_path / "c", clips=9, frames=20, splits=("train",))
    text = (folder / "manifest.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in text]
    for row in rows[:8]:
        row["speaker"] = "many"
    rows[8]["speaker"] = "one"
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = PreparedCorpus.open_folder(folder)
    rare = [row.speaker for row in corpus.split("train")].index("one")

    def share(balance):
        data = WindowDataset(corpus, "train", 2, ("clip",), balance=balance)
        return np.mean([data[index]["clip"] == rare for index in range(400)])

    assert abs(share(1.0) - 1 / 9) < 0.06 and abs(share(0.0) - 1 / 2) < 0.08


def test_collate_stacks(corpus):
    data = WindowDataset(corpus, "train", 3, ("face", "in_sync"))
    batch = collate([data[0], data[1]])
    assert batch["face"].shape == (2, 3, 96, 96, 3) and batch["in_sync"].shape == (2, 1)


def test_unknown_field_and_empty_split(corpus):
    with pytest.raises(InputError, match="masked_face"):
        check_fields(["masked_fase"])
    with pytest.raises(InputError, match="nosplit"):
        WindowDataset(corpus, "nosplit", 5, ("face",))


def test_missing_clip_file_is_named(tmp_path):
    folder = make_corpus(tmp_path / "c", clips=3, frames=20)
    corpus = PreparedCorpus.open_folder(folder)
    clip_path(folder, corpus.rows[0].id).unlink()
    with pytest.raises(InputError, match="clip0"):
        corpus.open(corpus.rows[0])

"""Sounds that an expert's windows are heard with, and which clips an expert learns from."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from datasets.av_offset import CONFIDENT
from datasets.negatives import NEAR, Negatives
from datasets.prepared import PreparedCorpus, manifest_path
from datasets.windows import WindowDataset, part_of
from tests.prepared_kit import make_corpus


@given(
    seed=st.integers(0, 10**6), starts=st.integers(1, 80), place=st.floats(0, 1), clips=st.integers(1, 4),
    near=st.floats(0, 1), far=st.floats(0, 1), least=st.integers(1, NEAR), sounds=st.integers(1, 6),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_negatives_are_where_they_are_said_to_be(seed, starts, place, clips, near, far, least, sounds):
    start = min(starts - 1, int(place * starts))
    rule = Negatives(near, far, 0.1, least, sounds)
    drawn = rule.draw(np.random.default_rng(seed), 0, start, starts, list(range(clips)), lambda _clip: 5)
    assert len(drawn) == sounds
    if sounds > 1:
        assert drawn[0] == (0, start)
    for clip, at in drawn:
        if clip == 0:
            assert 0 <= at < starts and (at == start or abs(at - start) >= least)
        else:
            assert clip < clips and 0 <= at < 5


@pytest.mark.parametrize(("kind", "wanted"), [("near", lambda apart: apart <= NEAR), ("far", lambda apart: apart > NEAR)])
def test_shares_choose_the_kind(kind, wanted):
    rule = Negatives(**{**dict.fromkeys(("near", "far", "other"), 0.0), kind: 1.0}, least=2, sounds=9)
    drawn = rule.draw(np.random.default_rng(0), 3, 40, 80, [3, 4], lambda _clip: 80)
    assert all(clip == 3 and wanted(abs(at - 40)) for clip, at in drawn[1:])
    other = Negatives(0, 0, 1, sounds=4).draw(np.random.default_rng(0), 3, 40, 80, [3, 4], lambda _clip: 80)
    assert [clip for clip, _ in other] == [3, 4, 4, 4]


def test_the_published_way_is_one_sound_that_is_right_half_of_the_time():
    rng = np.random.default_rng(0)
    own = sum(Negatives().draw(rng, 0, 30, 70, [0], lambda _clip: 70) == [(0, 30)] for _ in range(400))
    assert 160 < own < 240


@pytest.mark.parametrize("wrong", [{"near": -1}, {"near": 0, "far": 0, "other": 0}, {"least": 0}, {"least": 16}, {"sounds": 0}])
def test_shares_that_cannot_be(wrong):
    with pytest.raises(InputError, match=r"data\.negatives"):
        Negatives(**wrong)


def test_a_window_is_heard_with_its_own_sound_first(small_corpus):
    corpus = PreparedCorpus.open_folder(small_corpus)
    data = WindowDataset(corpus, "train", 5, ("sync_mel", "heard_mel", "in_sync"), negatives=Negatives(sounds=4))
    item = data[3]
    assert item["heard_mel"].shape == (4, 1, 80, 16) and item["in_sync"].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert np.array_equal(item["heard_mel"][0], item["sync_mel"])
    assert not np.array_equal(item["heard_mel"][1], item["sync_mel"])


def test_two_parts_share_no_clip_and_leave_none_out(tmp_path):
    corpus = PreparedCorpus.open_folder(make_corpus(tmp_path / "c", clips=12, frames=12, splits=("train",)))
    parts = [WindowDataset(corpus, "train", 5, ("face",), part=part) for part in ((0.0, 0.5), (0.5, 1.0))]
    ids = [{row.id for row in part.rows} for part in parts]
    assert not ids[0] & ids[1] and ids[0] | ids[1] == {row.id for row in corpus.rows}
    assert all(part_of(name) < 0.5 for name in ids[0])


def test_only_clips_that_are_surely_in_sync(tmp_path):
    folder = make_corpus(tmp_path / "c", clips=5, frames=12, splits=("train",))
    with pytest.raises(InputError, match="--measure_av_offset"):
        WindowDataset(PreparedCorpus.open_folder(folder), "train", 5, ("face",), min_av_confidence=CONFIDENT)
    rows = [json.loads(line) for line in manifest_path(folder).read_text().splitlines()]
    measured = [(0.2, CONFIDENT, 0), (0.2, CONFIDENT / 2, 0), (3.1, 9.0, 3), (3.1, 9.0, 0), (None, 0.0, 0)]
    for row, (offset, confidence, corrected) in zip(rows, measured, strict=True):
        row.update(av_offset=offset, av_confidence=confidence, av_corrected=corrected)
    manifest_path(folder).write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = WindowDataset(PreparedCorpus.open_folder(folder), "train", 5, ("face",), min_av_confidence=CONFIDENT)
    assert [row.id for row in data.rows] == [rows[0]["id"], rows[2]["id"]]
    data = WindowDataset(PreparedCorpus.open_folder(folder), "train", 5, ("face",), min_av_confidence=0)
    assert [row.id for row in data.rows] == sorted(row["id"] for row in rows[:3]), "no clip whose offset is not known"
    with pytest.raises(InputError, match="data.min_av_confidence"):
        WindowDataset(PreparedCorpus.open_folder(folder), "train", 5, ("face",), min_av_confidence=99.0)
    data = WindowDataset(PreparedCorpus.open_folder(folder), "train", 5, ("face",), min_av_confidence="sure")
    assert [row.id for row in data.rows] == [rows[0]["id"], rows[2]["id"]], "rows of before say nothing: 0.3"
    for row, sure in zip(rows, (False, True, True, True, False), strict=True):
        row.update(av_sure=sure)
    manifest_path(folder).write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = WindowDataset(PreparedCorpus.open_folder(folder), "train", 5, ("face",), min_av_confidence="sure")
    assert {row.id for row in data.rows} == {rows[1]["id"], rows[2]["id"]}

"""All measures of one face, and which generated video belongs to which real one."""

import io

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from metrics.clips.items import match_items
from metrics.networks.load import Networks
from metrics.rows import COPY, REAL, Row
from metrics.scorer import Item, Options, Scorer, Variant
from metrics.sync.judges import load_judge
from tests.evaluate_kit import GAPS, LEAST, DrawnFaces, save_expert, talking, write

PAIRED, UNPAIRED = Row("generated", "ours", "paired"), Row("generated", "ours", "unpaired")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """real, made, other (longer, other sound), silent: drawn faces of 45 frames and more, and some that cannot be used."""
    folder, gaps = tmp_path_factory.mktemp("scorer"), np.resize(GAPS, 90)
    write(folder / "real.mp4", talking(gaps[:LEAST]), sound=True)
    write(folder / "made.mp4", talking(np.roll(gaps, 3)[:LEAST]), sound=True)
    write(folder / "other.mp4", talking(np.roll(gaps, 3)[:60], hidden={4}), sound=True)
    write(folder / "silent.mp4", talking(gaps[:LEAST]))
    write(folder / "blank.mp4", talking(GAPS[:12], hidden=range(12)), sound=True)
    write(folder / "gap.mp4", talking(gaps, hidden=range(40, 49)), sound=True)
    write(folder / "scrap.mp4", talking(gaps, hidden=range(20, 29)), sound=True)
    write(folder / "once.mp4", talking(GAPS[:12], hidden=set(range(12)) - {5}), sound=True)
    return folder


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return load_judge(save_expert(tmp_path_factory.mktemp("judge") / "tiny.safetensors"))


def item(clips, real, /, **variants):
    """Item of a real clip and {clip: row}."""
    made = tuple(Variant(name, row, clips / f"{name}.mp4") for name, row in variants.items())
    return Item("face", clips / f"{real}.mp4", made)


def by_row(scores):
    return {record["row"]: record for record in scores.records}


def test_an_item_gives_a_record_for_each_video_and_its_two_baselines(clips, judge):
    scores = Scorer(DrawnFaces(), Networks(judge)).measure(item(clips, "real", made=PAIRED, other=UNPAIRED, blank=PAIRED))
    records = by_row(scores)
    assert list(records) == [REAL, COPY, PAIRED, UNPAIRED]
    assert [(one["name"], one["reason"]) for one in scores.failed] == [
        ("blank", f"{clips / 'blank.mp4'}: no face was found in any of its 12 frames; give a video that shows a face")]
    for row, record in records.items():
        assert record["face"] == "face" and record["real"].endswith("real.mp4") and record["fps"] == "25"
        assert len(record["curve"]) == 31 and record["values"]["sync_distance"] == pytest.approx(min(record["curve"]))
        assert record["values"]["sync_zero"] == pytest.approx(record["curve"][15])
        assert ("ssim_face" in record["values"]) == (row != UNPAIRED)
        assert len(scores.features[row]) == (55 if row == UNPAIRED else 40) and scores.features[row].shape[1] == 128
    assert records[UNPAIRED]["frames"] == {"compared": 59, "generated": 60, "real": None, "left_out": {"no_face_generated": 1}}
    assert np.ptp(scores.features[COPY], axis=0).max() == 0 < np.ptp(scores.features[REAL], axis=0).max()
    assert records[COPY]["values"]["mouth_range"] == 0 and records[REAL]["values"]["mouth_range"] == 1
    assert [one["name"] for one in scores.pictures] == ["made", "other"]
    assert {one["measure"] for one in scores.pictures} == {"sync confidence"}
    assert scores.pictures[0]["value"] == records[PAIRED]["values"]["sync_confidence"]
    assert Image.open(io.BytesIO(scores.pictures[0]["jpeg"])).size == (8 * 96, 2 * 96)


def test_without_a_judge_there_is_neither_sync_nor_a_distance(clips):
    scores = Scorer(DrawnFaces()).measure(item(clips, "real", made=PAIRED, other=UNPAIRED))
    assert not scores.features and {record["curve"] for record in scores.records} == {None}
    assert not any(key.startswith("sync") for record in scores.records for key in record["values"])
    (picture,) = scores.pictures
    assert (picture["measure"], picture["value"]) == ("SSIM mouth", by_row(scores)[PAIRED]["values"]["ssim_mouth"])


def test_without_sound_the_rest_is_measured(clips, judge):
    scores = Scorer(DrawnFaces(), Networks(judge)).measure(item(clips, "real", silent=PAIRED))
    record = by_row(scores)[PAIRED]
    assert record["values"]["sync_distance"] is None and record["curve"] is None and record["values"]["ssim_face"] > 0.9
    assert any(note.startswith("no sync figures: ") and "silent.mp4" in note for note in record["notes"])
    assert PAIRED not in scores.features and REAL in scores.features and not scores.pictures and not scores.failed


def test_too_few_frames_for_sync_are_told(clips, judge):
    scores = Scorer(DrawnFaces(), Networks(judge), options=Options(frames=4)).measure(item(clips, "real", made=PAIRED))
    record = by_row(scores)[PAIRED]
    assert record["frames"]["compared"] == 4 and any("too short to be judged" in note for note in record["notes"])


def test_several_tracks_and_what_is_left_out_of_them_are_noted(clips, judge):
    scores = Scorer(DrawnFaces(), Networks(judge)).measure(item(clips, "gap", gap=PAIRED))
    record = by_row(scores)[PAIRED]
    assert any(note.startswith("2 face tracks were judged together") for note in record["notes"])
    assert record["frames"]["left_out"]["no_face_real"] == 9 and len(scores.features[PAIRED]) == 35 + 36
    scores = Scorer(DrawnFaces(), Networks(judge)).measure(item(clips, "scrap", scrap=PAIRED))
    record = by_row(scores)[PAIRED]
    assert record["notes"][0].startswith("15 windows of 1 face tracks were left out of the sync figures: each of these is")
    assert record["values"]["sync_distance"] is not None and len(scores.features[PAIRED]) == 15 + 56


def test_a_short_clip_has_features_but_no_sync_figures(clips, judge):
    scores = Scorer(DrawnFaces(), Networks(judge), options=Options(frames=44)).measure(item(clips, "real", made=PAIRED))
    for record in scores.records:
        assert record["values"]["sync_distance"] is record["values"]["sync_zero"] is record["curve"] is None
        assert any("this sync expert needs 45 frames" in note for note in record["notes"])
    assert {len(features) for features in scores.features.values()} == {39}


def test_one_frame_with_a_face_has_no_row_without_motion(clips):
    scores = Scorer(DrawnFaces(), options=Options(frames=12)).measure(item(clips, "once", real=PAIRED))
    assert not scores.failed and list(by_row(scores)) == [REAL, PAIRED]
    assert by_row(scores)[PAIRED]["frames"]["compared"] == 1


@pytest.mark.parametrize("real", ["blank", "missing"])
def test_of_a_real_video_that_fails_nothing_is_kept(clips, judge, real):
    scores = Scorer(DrawnFaces(), Networks(judge)).measure(item(clips, real, made=PAIRED, other=UNPAIRED))
    assert not scores.records and not scores.features and not scores.pictures
    assert [(one["name"], one["row"]) for one in scores.failed] == [("face", REAL), ("made", PAIRED), ("other", UNPAIRED)]
    assert all(one["reason"].startswith(f"the real video: {clips / real}.mp4: no") for one in scores.failed)


def test_frames_that_are_not_held_are_decoded_again_to_the_same_figures(clips, judge):
    held, again = (Scorer(DrawnFaces(), Networks(judge), options=Options(keep_bytes=room)).measure(
        item(clips, "real", made=PAIRED, other=UNPAIRED)) for room in (1 << 30, 0))
    assert held.records == again.records and held.pictures == again.pictures
    for row, features in held.features.items():
        np.testing.assert_array_equal(features, again.features[row])


class MeanColour:
    """Stands for the Inception network."""

    name, is_fid = "mean_colour", False

    def __call__(self, frames):
        return frames.mean((1, 2)).astype(np.float32)


@pytest.mark.parametrize("crop", ["face", "frame"])
def test_an_inception_network_sees_faces_or_frames(clips, judge, crop):
    options = Options(frechet_crop=crop)
    given = item(clips, "gap", other=UNPAIRED)
    scores = Scorer(DrawnFaces(), Networks(judge, MeanColour()), options=options).measure(given)
    assert {row: features.shape for row, features in scores.features.items()} == {
        REAL: (81 if crop == "face" else 90, 3), COPY: (90, 3), UNPAIRED: (60, 3)}
    fewer = Scorer(DrawnFaces(), Networks(judge, MeanColour()), options=options, needs_real_features=False).measure(given)
    assert set(fewer.features) == {COPY, UNPAIRED} and fewer.records == scores.records


def test_lpips_is_a_mean_over_the_compared_frames(clips):
    def difference(first, second):
        return np.abs(first.astype(float) - second).mean((1, 2, 3))

    difference.name = "difference"
    scores = Scorer(DrawnFaces(), Networks(lpips=difference)).measure(item(clips, "real", made=PAIRED, other=UNPAIRED))
    records = by_row(scores)
    assert records[REAL]["values"]["lpips"] == 0 < records[PAIRED]["values"]["lpips"] < 50
    assert "lpips" not in records[UNPAIRED]["values"]


# which video belongs to which


def touch(folder, *names):
    for name in names:
        path = folder / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_videos_of_several_folders_are_sorted_by_face(tmp_path):
    real = touch(tmp_path / "real", "a", "b", "c", "d")
    first, second = touch(tmp_path / "one", "a", "b", "x"), touch(tmp_path / "two", "b", "c", "b__a")
    items, unmatched = match_items([first, second], None, real, ["one", "two"])
    assert [(one.face, [(v.name, v.row.label) for v in one.variants]) for one in items] == [
        ("a", [("a", "one, paired")]), ("b", [("b", "one, paired"), ("b", "two, paired"), ("b__a", "two, unpaired")]),
        ("c", [("c", "two, paired")])]
    assert [(str(folder), names) for folder, names in unmatched] == [
        (str(first), ["x"]), (f"{real} beside {first}", ["c"]), (f"{real} beside {second}", ["a"]), (str(real), ["d"])]


def test_what_a_protocol_asks_for_must_be_there(tmp_path):
    real, made, other = (touch(tmp_path / name, "a", "b") for name in ("real", "made", "other"))
    with pytest.raises(InputError, match="--protocol both: only paired videos are there"):
        match_items([made], None, real, ["made"], "both")
    items, _ = match_items([made], [other], real, ["made"], "both")
    assert [variant.row.protocol for variant in items[0].variants] == ["paired", "unpaired"]
    with pytest.raises(InputError, match="other/a.mp4: .*made/a.mp4 is the unpaired video of this name already"):
        match_items([made], [other], real, ["made"], "unpaired")


def test_single_files_have_the_name_of_the_real_one(tmp_path):
    for name in ("real", "made", "real__other"):
        (tmp_path / f"{name}.mp4").write_bytes(b"x")
    for made, protocol in (("made", "paired"), ("real__other", "unpaired")):
        ((item,), unmatched) = match_items([tmp_path / f"{made}.mp4"], None, tmp_path / "real.mp4", ["x"])
        assert (item.face, item.variants[0].name, item.variants[0].row.protocol, unmatched) == ("real", "real", protocol, [])

"""The arithmetic of the evaluation's benchmarks: they must see a difference, a slow run, and a wrong order."""

import numpy as np
import pytest

from benchmarks.peers.syncnet import BARS
from benchmarks.peers.syncnet_report import gaps, markdown, missed
from benchmarks.sync.order import groups, parse, shifted
from benchmarks.sync.order import markdown as order_markdown
from benchmarks.sync.strangers import markdown as strangers_markdown
from benchmarks.sync.strangers import measure as measure_strangers
from benchmarks.sync.strangers import parse as parse_strangers
from common.errors import InputError


def verdict(offset=0, distance=7.0, confidence=3.0):
    return {"offset": offset, "distance": distance, "confidence": confidence}


def report(**changes):
    same = {name: verdict() for name in ("peer", "same_files", "lossless", "clip_itself")}
    made = {
        "machine": {"cpu": "a cpu", "cores": 2, "torch": "2", "load": 0.0},
        "networks": {"names": 102, "same": True, "difference": 1e-7, "fused": 1e-6},
        "whole": [{"clip": "a", "mfcc": 1e-6, **same}],
        "tracked": [{"clip": "a", "boxes": 0.0, "crops": 0, "public": verdict(), **same}],
        "speed": [{"peer": 20.0, "ours": 2.0, "peer_work": 18.0, "ours_work": 1.5, "ratio": ratio, "work_ratio": 12.0}
                  for ratio in (9.0, 10.0, 30.0)],
    }  # fmt: skip
    for key, value in changes.items():
        made[key][0] |= value
    return made


@pytest.mark.parametrize(("changes", "late"), [
    ({}, []),
    ({"whole": {"same_files": verdict(distance=7.002)}}, ["distance"]),
    ({"tracked": {"same_files": verdict(offset=1)}}, ["offset"]),
    ({"tracked": {"public": verdict(confidence=3.1)}}, ["confidence"]),
    ({"tracked": {"crops": 1}}, ["crops"]),
    ({"whole": {"mfcc": 1e-3}}, ["mfcc"]),
    ({"whole": {"clip_itself": verdict(distance=9.0)}}, []),  # the peer's own compression has no bar
])  # fmt: skip
def test_peers_miss_a_bar_where_the_sides_differ(changes, late):
    made = report(**changes)
    assert missed(made, BARS) == late
    assert markdown(made, BARS).count("MISSED") == len(late)


def test_other_networks_and_a_slow_median_are_missed():
    made = report()
    made["networks"]["same"] = False
    for one in made["speed"]:
        one["ratio"] = 4.0
    made["speed"][0]["ratio"] = 100.0
    assert gaps(made)["speed"] == 4.0 and missed(made, BARS) == ["network", "speed"]


def test_sound_is_moved_by_whole_frames_and_keeps_its_length():
    sound = np.arange(1, 33, dtype=np.float32)[None].repeat(2, 0)
    late, early = shifted(sound, 100, 2), shifted(sound, 100, -2)  # 100 samples a second: 8 of them
    assert late.shape == early.shape == sound.shape
    assert not late[:, :8].any() and not early[:, -8:].any()
    np.testing.assert_array_equal(late[:, 8:], sound[:, :-8])
    np.testing.assert_array_equal(early[:, :-8], sound[:, 8:])


def test_order_is_counted_clip_by_clip():
    def clip(in_sync, late, other, offset=0):
        figures = {"in_sync": in_sync, "late": late, "early": late, "other": other}
        return {name: {"zero": zero, "least": least, "offset": offset} for name, (zero, least) in figures.items()}

    right, wrong = clip((0.7, 0.7), (0.9, 0.72), (1.0, 0.95)), clip((0.9, 0.8), (0.8, 0.8), (0.7, 0.6), offset=5)
    text = order_markdown({"expert": "e", "groups": {"g": {"a": right, "b": wrong}}, "left_out": {"c": "no face"}})
    assert "| all three in order: zero-shift in sync < late, and least late < other | 1 of 2 |" in text
    assert "| AV offset in sync within one frame | 1 of 2 |" in text and "Left out: c: no face" in text


def test_clips_of_grid_are_those_that_training_left_out(tmp_path):
    for name in ("s1", "s22"):
        folder = tmp_path / name / "video"
        folder.mkdir(parents=True)
        for at in range(60):
            (folder / f"clip{at}.mpg").touch()
    found = groups(parse(["--grid", str(tmp_path)]))
    assert len(found["GRID, speakers never seen"]) == 60
    assert 0 < len(found["GRID, held-out sentences"]) < 20
    assert all(name.startswith("s1/") for name, _ in found["GRID, held-out sentences"])
    with pytest.raises(InputError, match="--grid, --clips"):
        groups(parse([]))


def test_sync_strangers_counts_far_offsets_by_both_rules():
    random, runs = np.random.default_rng(0), {}
    for name in "abcd":
        lips = random.normal(size=(60, 16)).astype(np.float32)
        lips /= np.linalg.norm(lips, axis=1, keepdims=True)
        runs[name] = (lips, lips)
    found = measure_strangers(runs, 20)
    assert {rule: one["own"]["within_one"] for rule, one in found.items()} == {"padded": 1, "overlap": 1}
    assert {one["strangers"]["count"] for one in found.values()} == {20}
    assert found["padded"]["strangers"]["far"] > found["overlap"]["strangers"]["far"]
    report = {"expert": "e", "groups": {"GRID": {"clips": 4, **found}}, "left_out": {"z": "no sound"}}
    text = strangers_markdown(report)
    assert "| GRID, 4 clips | overlap |" in text and "Left out: z: no sound" in text and "of 20" in text
    with pytest.raises(InputError, match="--grid, --clips"):
        groups(parse_strangers([]))

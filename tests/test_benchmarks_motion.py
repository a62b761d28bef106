"""benchmarks/motion: figures whose truth is known, and what is refused."""

import json
from itertools import product
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import models
from benchmarks.motion import drive, drive_measure, speech
from benchmarks.motion.givers import Givers, cheapest_way
from common.cli import run
from datasets.prepared import PreparedCorpus
from metrics.formulas.head_pose import head_angles
from tests.davs_speech_kit import Colour
from tests.motion_benchmark_kit import FRAMES, SIDE, KnowingMotion, landmarks_like, make_moving_corpus, read_heads, save_motion


@pytest.fixture(autouse=True)
def knowing(monkeypatch):
    monkeypatch.setitem(models.MODELS, "pcavs", KnowingMotion)
    monkeypatch.setattr(drive_measure, "read_crops", read_heads)
    monkeypatch.setattr("metrics.networks.face_embedding.FaceEmbedder", Colour)
    monkeypatch.setattr("faces.detectors.build_detector", lambda name: SimpleNamespace(close=lambda: None))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_moving_corpus(tmp_path_factory.mktemp("motion") / "corpus")


def measured(program, tmp_path, *flags):
    """(exit code, figures, table) of a benchmark."""
    out = tmp_path / "out"
    code = run(program.main, [*(str(flag) for flag in flags), "--out", str(out)])
    return code, json.loads(out.with_name("out.json").read_text()), out.with_name("out.md").read_text()


def test_the_kit_turns_heads_as_it_says():
    angles = np.array([(0.0, 0.0), (12.0, -5.0), (-20.0, 9.0)])
    assert head_angles(landmarks_like(angles))[:, :2] == pytest.approx(angles, abs=0.01)


def test_sound_finds_its_video_and_a_deaf_network_does_not(tmp_path):
    many = make_moving_corpus(tmp_path / "many", splits=("unseen",) * 8 + ("val",) * 2)
    paths = [save_motion(tmp_path / f"{name}.safetensors", name, stage="speech", deaf=name == "deaf")
             for name in ("good_s0", "good_s1", "deaf")]  # fmt: skip
    flags = ("--corpus", many, "--checkpoint")
    code, figures, table = measured(speech, tmp_path, *flags, *paths)
    found = figures["splits"]["unseen"]
    assert code == 0 and (found["windows"], found["among"], found["chance"]) == (8 * FRAMES // 8, 32, 1 / 32)
    assert [figures["splits"]["val"][key] for key in ("windows", "among")] == [8, 8]
    for side in ("video_by_sound", "sound_by_video"):
        good, deaf = (found["networks"][name][side] for name in ("good_s0", "deaf"))
        assert good["rank1"]["value"] > 0.8 and good["own_clip"]["value"] > 0.8 and good["shifted"]["value"] < 0.2
        assert good["rank1"]["low"] <= good["rank1"]["value"] <= good["rank1"]["high"]
        assert good["own_clip_chance"]["value"] == pytest.approx(1 / 4) and deaf["rank1"]["value"] < 0.2
    assert "| good | 2 | " in table and "of rank 1: 3.1%" in table
    code, figures, table = measured(speech, tmp_path, "--frames", "16", "--centred", *flags, paths[2])
    assert figures["splits"]["unseen"]["windows"] == 8 * FRAMES // 16 and "of 16 frames, without their means" in table
    assert code == 1 and not any(one["holds"] for one in figures["bars"])


def test_drawn_heads_and_mouths_that_follow(corpus, tmp_path):
    paths = [save_motion(tmp_path / f"{name}.safetensors", name, stiff=name == "stiff") for name in ("good", "stiff")]
    flags = ("--corpus", corpus, "--givers", "unseen", "--expert", "none", "--sheet", "1", "--checkpoint")
    code, figures, table = measured(drive, tmp_path, *flags, *paths)
    assert code == 0, figures["bars"]
    assert list(figures["splits"]) == ["test", "unseen", "all"] and len(figures["splits"]["all"]["clips"]) == 5
    whole = figures["splits"]["all"]
    assert list(whole["drawers"]) == ["real clip", "first frame held still", "frames of the pose giver", "good", "stiff"]
    real, held, giver, good, stiff = ({key: one["mean"] for key, one in drawer["summary"].items() if key != "no_face"}
                                      for drawer in whole["drawers"].values())  # fmt: skip
    assert real["psnr"] == 100 and real["yaw_r"] == pytest.approx(1) and real["lmd"] == pytest.approx(0, abs=1e-9)
    assert good["yaw_r"] > 0.9 and good["pitch_r"] > 0.9 and good["r"] > 0.9 and good["lag"] == 0 and good["nearer"] == 1
    assert good["yaw_given_r"] > 0.99 and abs(good["giver_r"]) < 0.5 < good["swapped_heard"]
    assert abs(good["swapped_r"]) < 0.5 and good["psnr"] > held["psnr"] and real["velocity"] == 0 < held["velocity"]
    assert giver["nearer"] == giver["nearer_frames"] == 0 and giver["yaw_given_r"] == pytest.approx(1)
    assert stiff["r"] is None and stiff["yaw_r"] is None and stiff["yaw_error"] > 3 * good["yaw_error"]
    errors = whole["given"]["errors"]
    assert errors["yaw"] < 3 > errors["pitch"] and whole["given"]["moving"] == {"yaw": 5, "pitch": 5, "roll": 0}
    changed = whole["differences"]["stiff"]["yaw_error"]
    assert 0 < changed["low"] <= changed["difference"] <= changed["high"] and "good" not in whole["differences"]
    assert all(one["clip"][:2] != one["giver"][:2] for one in whole["givers"])
    assert "off the real ones by yaw" in table and "| stiff | " in table
    sheet = cv2.imread(str(tmp_path / "out_sheet.png"))
    assert sheet.shape == (2 * (2 + 2 * 2) * (2 * SIDE + 22), 9 * 2 * SIDE, 3)


def test_seeds_stand_together_and_a_network_that_draws_one_person_misses_its_bar(corpus, tmp_path):
    names = ("bad_s0", "bad_s1", "good_s0", "good_s1")
    paths = [save_motion(tmp_path / f"{name}.safetensors", name, copies=name.startswith("bad")) for name in names]
    flags = ("--corpus", corpus, "--split", "test", "--limit", "1", "--expert", "none", "--sheet", "0", "--relative")
    code, figures, table = measured(drive, tmp_path, *flags, "--checkpoint", *paths)
    assert code == 1 and [one["holds"] for one in figures["bars"]] == [True, True, True, False]
    found = figures["splits"]["test"]
    assert list(found["differences"]) == ["good"] and found["differences"]["good"]["nearer"]["difference"] == 1
    assert "| bad | 2 | " in table and figures["relative"] and not (tmp_path / "out_sheet.png").exists()


def test_a_pose_moves_as_far_as_it_is_told(corpus, tmp_path):
    network = save_motion(tmp_path / "good.safetensors")
    flags = ("--corpus", corpus, "--split", "test", "--limit", "1", "--expert", "none", "--sheet", "0", "--relative", "--own")
    _, still, table = measured(drive, tmp_path, *flags, "--pose_amplitude", "0", "--checkpoint", network)
    summary = still["splits"]["test"]["drawers"]["motion"]["summary"]
    assert still["pose_amplitude"] == 0 and "changes of its pose codes, times 0, from the portrait's own" in table
    assert summary["yaw_r"]["mean"] is None and summary["r"]["mean"] > 0.9  # the mouth moves all the same


def test_own_leaves_out_other_sounds_and_identity(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(Colour, "load", lambda: pytest.fail("no identity is asked"), raising=False)
    good = save_motion(tmp_path / "good.safetensors")
    flags = ("--corpus", corpus, "--split", "test", "--limit", "1", "--expert", "none", "--sheet", "0", "--own")
    code, figures, _ = measured(drive, tmp_path, *flags, "--checkpoint", good)
    summary = figures["splits"]["test"]["drawers"]["motion"]["summary"]
    assert code == 0 and len(figures["bars"]) == 3
    assert {summary[name]["count"] for name in ("swapped_r", "swapped_heard", "nearer", "picture")} == {0}


def test_the_cheapest_way_is_that_of_all_ways():
    rng = np.random.default_rng(0)
    for stride, jump in ((1, 0.3), (2, 1.0), (1, 100.0)):
        costs = rng.uniform(0, 1, (5, 5))

        def cost(way, costs=costs, stride=stride, jump=jump):
            return costs[range(5), way].sum() + jump * (np.abs(np.diff(way)) > stride).sum()

        total, way = cheapest_way(costs, stride, jump)
        assert total == pytest.approx(min(cost(np.array(one)) for one in product(range(5), repeat=5)))
        assert cost(way) == pytest.approx(total)


def test_the_giver_is_another_person_whose_poses_are_near(corpus):
    opened = PreparedCorpus.open_folder(corpus)
    rows = opened.split("unseen")
    found = Givers(opened, rows).of(rows[0])
    assert found.row.speaker != rows[0].speaker and found.errors.max() < 3 and len(found.frames) == FRAMES
    assert Givers(opened, rows[:1]).of(rows[0]) is None


def test_what_cannot_be_measured_is_refused(corpus, tmp_path, capsys, monkeypatch):
    early = save_motion(tmp_path / "early.safetensors", stage="identity")
    path = save_motion(tmp_path / "a.safetensors")

    def refused(said, *flags, program=drive, folder=corpus, network=path):
        assert run(program.main, ["--corpus", str(folder), "--checkpoint", str(network), *flags]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1

    monkeypatch.setattr(drive, "EXPERT", "none")
    refused("is of stage identity, and generate is asked; give a checkpoint of configs/pcavs.yaml", network=early)
    refused("is of stage identity, and speech or generate is asked", network=early, program=speech)
    refused("--limit must be 1 or more", "--limit", "0")
    refused("--limit must be 1 or more", "--limit", "0", program=speech)
    refused("--sheet must be from 0 to 1000", "--sheet", "-1")
    refused("--speech_gain must be from 0 to 1000", "--speech_gain", "nan")
    refused("--pose_amplitude is for --relative", "--pose_amplitude", "1.5")
    refused("--pose_amplitude must be from 0 to 1000", "--relative", "--pose_amplitude", "-1")
    refused("split val has no clip of 10 frames; choose another --split", "--split", "val")
    refused("splits train hold no other person", "--split", "train", "--givers", "train")
    mute = make_moving_corpus(tmp_path / "mute", splits=("test",), sound=False)
    refused("its clips hold no sound", folder=mute)
    large = make_moving_corpus(tmp_path / "large", splits=("test",), size=2 * SIDE)
    refused("holds pcavs crops of 128 pixels, but motion learned from pcavs crops of 64", folder=large)
    monkeypatch.setattr("metrics.sync.judges.load_judge", lambda path: SimpleNamespace(by_landmarks=False))
    refused("--expert x: looks at pixels; give a judge by landmarks", "--expert", "x")

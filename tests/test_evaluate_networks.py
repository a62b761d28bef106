"""evaluate.py and its networks: what the columns are called, the Frechet distance and its stored reference; --compare."""

import csv
import hashlib
import json
import re

import numpy as np
import pytest
import torch

import metrics.networks.fid
import metrics.sync.judges
from metrics.measures.registry import build_measures, columns_of
from metrics.networks.fid import read_statistics
from metrics.networks.load import Networks
from models import build_model
from models.inception import FidInception
from tests.evaluate_kit import cells, heads, run, save_expert, table, use_drawn_faces, values, write_clips

STRICT = re.compile(r"\b(?:LSE|FID)\b|LSE-")


@pytest.fixture
def drawn(monkeypatch):
    return use_drawn_faces(monkeypatch)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Two faces whose names fall into the two halves of the real set."""
    folder = tmp_path_factory.mktemp("networks")
    write_clips(folder / "real", {"a": 0, "e": 5})
    write_clips(folder / "made", {"a": 1, "e": 9})
    save_expert(folder / "tiny.safetensors")
    return folder


class StandIn:
    """An Inception network of four features that counts what it has looked at."""

    dimension, name, sha256, is_fid, precision = 4, "stand_in", "12" * 32, False, "fp32"

    def __init__(self):
        self.seen = 0

    def __call__(self, frames):
        self.seen += len(frames)
        return np.concatenate([frames.mean((1, 2)), frames.std((1, 2, 3))[:, None]], 1).astype(np.float32)


@pytest.fixture
def stand_in(monkeypatch):
    network = StandIn()
    monkeypatch.setattr("metrics.networks.load.InceptionFeatures.load", lambda path, device: network)
    return network


def evaluated(material, out, *more):
    """Exit code for the two folders."""
    return run("--generated", material / "made", "--real", material / "real", "--out", out, *more)


def shown(out):
    """Everything that the table, its CSV head and the HTML show, pictures left out."""
    with open(f"{out}.csv", newline="") as file:
        head = next(csv.reader(file))
    pages = [out.with_name(out.name + suffix).read_text() for suffix in (".html", ".md", ".tex")]
    return " ".join(heads(table(out)) + head) + re.sub(r"data:image/[^\"]*", "", " ".join(pages))


def test_without_published_weights_the_columns_bear_the_experts_name(material, tmp_path, drawn, capsys):
    out = tmp_path / "t"
    assert evaluated(material, out, "--expert", material / "tiny.safetensors") == 0
    report, printed = table(out), capsys.readouterr().out
    assert heads(report)[:5] == ["D (tiny)", "C (tiny)", "AV offset", "D at 0 (tiny)", "FD (tiny)"]
    assert not STRICT.search(shown(out)) and not STRICT.search(printed)
    assert report["protocol"]["expert"] == "tiny" and "(the expert's own)" in report["protocol"]["sync_crop"]
    sha256 = hashlib.sha256((material / "tiny.safetensors").read_bytes()).hexdigest()
    assert report["protocol"]["expert_sha256"] == report["protocol"]["frechet_sha256"] == sha256
    assert "D (tiny)" in printed and f"sha256: {sha256[:12]}..." in printed
    cell = cells(report, "made, paired")["frechet"]
    assert cell["mean"] is None and "of 128 features needs more than 128 samples" in cell["reason"]
    assert "FD (tiny) of made, paired left out: sample counts 80 and 80" in printed
    assert len(report["videos"][0]["curve"]) == 31


def test_without_expert_there_is_no_sync_column(material, tmp_path, drawn):
    assert evaluated(material, tmp_path / "t", "--expert", "none") == 0
    report = table(tmp_path / "t")
    assert not [key for key in values(report, "real video", "a") if key.startswith(("sync", "frechet"))]
    assert heads(report)[0] == "SSIM face" and "expert" not in report["protocol"] and not STRICT.search(shown(tmp_path / "t"))


def test_only_the_published_weights_are_called_lse(material, tmp_path, drawn, monkeypatch):
    torch.manual_seed(0)
    path = tmp_path / "syncnet_v2.model"
    torch.save(build_model({"name": "syncnet_v2"}).state_dict(), path)
    arguments = ["--syncnet_weights", path, "--sync_crop", "whole", "--frames", 7]
    assert evaluated(material, tmp_path / "other", *arguments) == 0
    assert heads(table(tmp_path / "other"))[:2] == ["D (syncnet_v2)", "C (syncnet_v2)"]
    assert not STRICT.search(shown(tmp_path / "other"))
    monkeypatch.setattr(metrics.sync.judges, "PUBLISHED_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    assert evaluated(material, tmp_path / "lse", *arguments) == 0
    report, other = table(tmp_path / "lse"), table(tmp_path / "other")
    assert heads(report)[:5] == ["LSE-D", "LSE-C", "AV offset", "D at 0", "FD (syncnet_v2)"]
    assert report["protocol"]["sync_crop"] == "whole"
    assert values(report, "made, paired", "a") == values(other, "made, paired", "a"), "the name changes, the figures do not"


def test_a_face_too_small_for_the_tracked_crop_has_no_sync_figures_and_a_note(material, tmp_path, drawn):
    torch.save(build_model({"name": "syncnet_v2"}).state_dict(), tmp_path / "s.model")
    assert evaluated(material, tmp_path / "t", "--syncnet_weights", tmp_path / "s.model", "--frames", 7) == 0
    report = table(tmp_path / "t")
    assert values(report, "made, paired", "a")["sync_distance"] is None
    assert any("more than 100 are needed" in note for note in report["videos"][0]["notes"])
    assert report["protocol"]["track_rules"]["min_track"] == 100


def small_inception(path):
    """A file of the Inception layout with one stored number for each tensor."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in FidInception().state_dict().items() if tensor.dim()}
    torch.save({name: torch.ones(1).expand(shape) for name, shape in shapes.items()}, path)
    return path


def test_the_frechet_column_is_named_after_the_weights_file(material, tmp_path, drawn, capsys, monkeypatch):
    path = small_inception(tmp_path / "random_inception.pth")
    networks = Networks.load(inception=path)
    assert columns_of(build_measures(networks))[0].label == "FD (random_inception)"
    monkeypatch.setattr(metrics.networks.fid, "PUBLISHED_SHA256", networks.inception.sha256[:8])
    monkeypatch.setattr("metrics.scorer.Scorer.measure", lambda *_: pytest.fail("work was done"))
    assert columns_of(build_measures(Networks.load(inception=path)))[0].label == "FID"
    capsys.readouterr()
    assert evaluated(material, tmp_path / "t", "--expert", "none", "--inception_weights", path) == 2
    error = capsys.readouterr().err
    assert "the real videos have 90 frames" in error and "needs more than 2048" in error and "--force" in error
    assert not list(tmp_path.glob("t*"))


def test_a_frechet_distance_of_frames_or_faces(material, tmp_path, drawn, stand_in):
    weights = ["--inception_weights", "any.pth", "--expert", material / "tiny.safetensors"]
    assert evaluated(material, tmp_path / "face", *weights) == 0
    report = table(tmp_path / "face")
    assert heads(report)[4] == "FD (stand_in)" and report["protocol"]["frechet_crop"] == "face"
    assert [cells(report, label)["frechet"]["samples"] for label in ("real video", "no motion", "made, paired")] == [90] * 3
    assert stand_in.seen == 2 * (45 + 1 + 45), "one look at the still row"
    distance = cells(report, "made, paired")["frechet"]
    assert distance["mean"] > 0 and distance["low"] is None and distance["reason"] is None
    assert evaluated(material, tmp_path / "frame", *weights, "--fid_crop", "frame") == 0
    assert cells(table(tmp_path / "frame"), "made, paired")["frechet"]["mean"] != distance["mean"]


def test_too_few_samples_are_computed_by_force_alone(material, tmp_path, drawn, stand_in):
    weights = ["--inception_weights", "any.pth", "--expert", "none", "--frames", 2]
    assert evaluated(material, tmp_path / "t", *weights) == 2 and stand_in.seen == 0
    assert evaluated(material, tmp_path / "t", *weights, "--force") == 0
    assert cells(table(tmp_path / "t"), "made, paired")["frechet"]["mean"] > 0


def test_a_broken_real_video_is_a_row_though_its_frames_are_to_be_counted(material, tmp_path, drawn, stand_in):
    for folder in ("real", "made"):
        (tmp_path / folder).mkdir()
        for path in (material / folder).iterdir():
            (tmp_path / folder / path.name).symlink_to(path)
    for folder in ("real", "made"):
        (tmp_path / folder / "broken.mp4").write_text("no video")
    assert evaluated(tmp_path, tmp_path / "t", "--inception_weights", "any.pth", "--expert", "none", "--keep_going") == 1
    assert [one["name"] for one in table(tmp_path / "t")["failed"]] == ["broken", "broken"]


def test_statistics_of_the_real_set_are_written_and_used_again(material, tmp_path, drawn, stand_in, capsys):
    stored = tmp_path / "real.npz"
    arguments = ["--inception_weights", "any.pth", "--expert", "none", "--fid_reference", stored]
    assert evaluated(material, tmp_path / "first", *arguments) == 0
    statistics, facts = read_statistics(stored)
    assert statistics.count == 90 and facts == {"frechet_sha256": stand_in.sha256, "frechet_crop": "face", "face_size": 96,
                                                "videos": ["a", "e"]}
    first, stand_in.seen = table(tmp_path / "first"), 0
    assert evaluated(material, tmp_path / "again", *arguments) == 0
    again = table(tmp_path / "again")
    assert stand_in.seen == 2 * (1 + 45), "not the real videos"
    for label in ("no motion", "made, paired"):
        assert cells(again, label)["frechet"]["mean"] == pytest.approx(cells(first, label)["frechet"]["mean"], rel=1e-9)
    assert cells(again, "real video")["frechet"]["mean"] is None
    assert again["protocol"]["counts"] == {"frechet_reference": "real.npz",
                                           "frechet_samples": ["90 of real video", "90 of no motion", "90 of made, paired"]}
    capsys.readouterr()
    for more, message in ((["--fid_crop", "frame"], "was made with frechet_crop face, this evaluation has frame"),
                          (["--face_size", 64], "was made with face_size 96")):
        assert evaluated(material, tmp_path / "other", *arguments, *more) == 2
        assert message in capsys.readouterr().err
    stand_in.sha256 = "34" * 32
    assert evaluated(material, tmp_path / "other", *arguments) == 2 and "frechet_sha256" in capsys.readouterr().err


def test_two_tables_side_by_side(material, tmp_path, drawn, capsys):
    for name, folder in (("first", "made"), ("second", "real")):
        (tmp_path / name).mkdir()
        arguments = ["--generated", material / folder, "--real", material / "real", "--expert", "none"]
        assert run(*arguments, "--out", tmp_path / name / "t") == 0
    paths = [tmp_path / name / "t.json" for name in ("first", "second")]
    before = [path.read_bytes() for path in paths]
    capsys.readouterr()
    assert run("--compare", *paths, "--out", tmp_path / "c") == 0
    comparison, printed = json.loads((tmp_path / "c.json").read_text()), capsys.readouterr().out
    row = next(row for row in comparison["rows"] if row["label"] == "made, paired / real, paired")
    assert row["cells"]["lmd_raw"]["second"] == 0 and row["cells"]["ssim_face"]["difference"] > 0
    assert (tmp_path / "c.md").is_file() and "second - first" in printed and str(paths[0]) in printed
    assert run("--compare", *paths, "--out", tmp_path / "first" / "t") == 2, "would replace its input"
    assert run("--compare", *paths, "--generated", material / "made", "--out", tmp_path / "c") == 2
    assert [path.read_bytes() for path in paths] == before
    paths[0].write_text(json.dumps({"format": "talkingface-evaluation-1"}))
    capsys.readouterr()
    assert run("--compare", *paths, "--out", tmp_path / "d") == 2
    assert "older format" in capsys.readouterr().err and not (tmp_path / "d.json").exists()

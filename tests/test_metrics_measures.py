"""Measures are files: a new one is found, and its column stands in every output; what the report says of precision."""

import csv
import json
import re

import numpy as np
import pytest
import torch

from media import VideoWriter
from metrics import measures
from metrics.clips.video_tags import VideoTags, told_precisions
from metrics.evaluation import one_or_all
from metrics.measures.registry import build_measures, columns_of
from metrics.networks.load import Networks
from metrics.networks.precision import precision_of
from metrics.rows import REAL, Row
from metrics.sync.judges import load_judge
from tests.evaluate_kit import GAPS, LEAST, cells, run, save_expert, table, talking, use_drawn_faces, values, write, write_clips
from tests.inference_kit import tone

NEW = '''
"""How red the picture is, a measure of this test."""

from metrics.measures.base import Findings, VideoMeasure
from metrics.rows import Column

PLACE = 55


class Redness(VideoMeasure):
    columns = (Column("redness", "redness", "one", 3, "mean red over that of the real video", paired_only=False),)

    def facts(self, options):
        return {"redness_of": "whole frames"}

    def look(self, view):
        red = [sum(float(frame[..., 0].mean()) for frame in one.frames()) / len(one) for one in (view.footage, view.real)]
        return Findings({"redness": red[0] / red[1]}, ["redness was looked at"])


def build(networks):
    return Redness()
'''


def test_a_new_file_is_a_column_of_every_output(tmp_path, monkeypatch, capsys):
    use_drawn_faces(monkeypatch)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "redness.py").write_text(NEW)
    monkeypatch.setattr(measures, "__path__", [*measures.__path__, str(tmp_path / "more")])
    write_clips(tmp_path / "real", {"a": 0, "b": 3}, count=12)
    write_clips(tmp_path / "made", {"a": 1, "b": 5}, count=12)
    for name in ("t", "u"):
        arguments = ["--generated", tmp_path / "made", "--real", tmp_path / "real", "--expert", "none"]
        arguments += ["--columns", "redness", "ssim_face"]
        assert run(*arguments, "--out", tmp_path / name) == 0
    report, printed = table(tmp_path / "t"), capsys.readouterr().out
    heads = [column["key"] for column in report["columns"]]
    assert heads.index("open_in_silence") + 1 == heads.index("redness") == heads.index("sharpness") - 1, "by its place"
    assert cells(report, "real video")["redness"]["mean"] == 1 != cells(report, "made, paired")["redness"]["mean"]
    assert report["leakage"] == [] and report["protocol"]["redness_of"] == "whole frames"
    assert "redness was looked at" in report["videos"][0]["notes"]
    with open(tmp_path / "t.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert float(lines[-1]["redness"]) and lines[0]["redness"] == "1.0"
    for suffix in (".md", ".tex", ".html"):
        assert re.search(r"redness.{0,24}(→|rightarrow)", (tmp_path / f"t{suffix}").read_text()), suffix
    assert "redness →1" in printed
    assert run("--compare", tmp_path / "t.json", tmp_path / "u.json", "--out", tmp_path / "c") == 0
    assert "redness →1" in capsys.readouterr().out and "redness →1" in (tmp_path / "c.md").read_text()
    assert "redness" in json.loads((tmp_path / "c.json").read_text())["rows"][0]["cells"]


def test_columns_differ_and_say_what_they_are(tmp_path):
    judge = load_judge(save_expert(tmp_path / "tiny.safetensors"))
    built = build_measures(Networks(judge))
    columns = columns_of(built)
    keys = [column.key for column in columns]
    assert len(set(keys)) == len(keys) and len({column.label for column in columns}) == len(keys)
    assert all(column.meaning and column.better in ("low", "high", "zero", "one", "none") for column in columns)
    assert keys[:5] == ["sync_distance", "sync_confidence", "sync_offset", "sync_zero", "frechet"]
    without = columns_of(build_measures(Networks()))
    assert [column.key for column in without] == keys[5:], "a measure whose network was not asked for is left out"


def test_the_real_video_and_no_motion_have_sensible_values(tmp_path, monkeypatch):
    """The ceiling of every column that compares is reached by the real video, and movement is 0 where there is none."""
    use_drawn_faces(monkeypatch)
    write_clips(tmp_path / "real", {"a": 0}, count=30)
    write_clips(tmp_path / "made", {"a": 3}, count=30)
    assert run("--generated", tmp_path / "made", "--real", tmp_path / "real", "--expert", "none", "--out", tmp_path / "t") == 0
    report = table(tmp_path / "t")
    real, held = values(report, "real video"), values(report, "no motion")
    for column in report["columns"]:
        best = {"one": 1, "high": 100 if column["key"].startswith("psnr") else 1, "low": 0}.get(column["better"])
        if best is not None and real[column["key"]] is not None:
            assert real[column["key"]] == pytest.approx(best, abs=1e-9), column["key"]
    assert held["jitter"] == held["jitter_mouth"] == held["mouth_range"] == 0


# in which precision the videos were made, and in which the judges ran


def test_the_report_tells_both_precisions_in_every_format(tmp_path, monkeypatch, capsys):
    use_drawn_faces(monkeypatch)
    write_clips(tmp_path / "real", {"a": 0, "b": 3})
    for name, tags in (("a", {"precision": "fp16"}), ("b", None)):
        path = tmp_path / "made" / f"{name}.mp4"
        path.parent.mkdir(exist_ok=True)
        sound = {"audio": tone(1.8), "sample_rate": 16000}
        with VideoWriter(path, width=160, height=176, fps=25, crf=1, metadata=tags, **sound) as writer:
            for frame in talking(np.resize(GAPS, LEAST)):
                writer.write(frame)
    expert = save_expert(tmp_path / "tiny.safetensors")
    assert run("--generated", tmp_path / "made", "--real", tmp_path / "real", "--expert", expert, "--out", tmp_path / "t") == 0
    report, printed = table(tmp_path / "t"), capsys.readouterr().out
    told = "made: fp16 (1 video), not told (1 video)"
    assert report["protocol"]["generated_precision"] == told and report["protocol"]["judges_precision"] == "fp32"
    made = [video for video in report["videos"] if video["row"]["kind"] == "generated"]
    assert {video["name"]: video["precision"] for video in made} == {"a": "fp16", "b": None}
    with open(tmp_path / "t.csv", newline="") as file:
        lines = {(line["kind"], line["name"], line["precision"]) for line in csv.DictReader(file)}
    assert lines >= {("generated", "a", "fp16"), ("generated", "b", ""), ("real", "a", "")}
    texts = [printed, *((tmp_path / f"t{suffix}").read_text() for suffix in (".md", ".tex", ".html"))]
    for text in texts:
        assert "judges precision" in text and "generated precision" in text and "fp16 (1 video)" in text


def test_precisions_in_words(tmp_path):
    def record(system, precision):
        return {"row": Row("generated", system, "paired"), "precision": precision}

    real = {"row": REAL, "precision": None}
    assert told_precisions([real, record("a", "fp32"), record("b", "fp32")], ["a", "b"]) == "fp32"
    assert told_precisions([record("b", "fp16"), record("a", "fp32")], ["a", "b"]) == "a: fp32; b: fp16"
    assert told_precisions([record("a", None)] * 2, ["a"]) == "not told"
    assert one_or_all({"sync": "fp32", "frechet": "fp32"}) == "fp32"
    assert one_or_all({"sync": "fp32", "frechet": "fp16"}) == "sync: fp32, frechet: fp16"
    assert [precision_of(torch.zeros(1, dtype=one)) for one in (torch.float32, torch.float16, torch.bfloat16)] == [
        "fp32", "fp16", "bf16"]
    assert VideoTags.read(tmp_path / "none.mp4") == VideoTags()
    assert VideoTags.read(write(tmp_path / "plain.mp4", talking(GAPS[:3]))) == VideoTags()

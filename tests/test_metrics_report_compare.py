"""Two reports side by side: which rows meet, what differs, what is warned of, and which files are refused."""

import json

import pytest

from common.errors import InputError
from metrics.report.build import DEFINITIONS, build_report
from metrics.report.compare import compare_reports, format_comparison, read_report, write_comparison
from metrics.report.files import write_report
from metrics.report.matching import ALONE, NAME, WEIGHTS, match_systems
from metrics.rows import COPY, REAL, Row
from tests.evaluate_kit import columns_for

COLUMNS = columns_for(expert="judge", is_lse=False, frechet="net")
PROTOCOL = {"expert": {"name": "judge", "sha256": "ab" * 32}, "face_size": 96, "detector": "drawn 1", "generated": "here"}


def generated(system, protocol="paired"):
    return Row("generated", system, protocol)


def video(row, name, distance, **values):
    sync = {"sync_distance": distance, "sync_confidence": 5.0, "sync_offset": 0.0, "sync_zero": 9.0}
    values = {**sync, "ssim_face": 0.5, **values}
    return {"name": name, "face": name, "row": row, "path": "p", "real": "r", "values": values, "curve": None, "fps": "25",
            "frames": {"compared": 5, "generated": 5, "real": 5, "left_out": {}}, "notes": []}


def report(system="ours", distances=(6.0, 7.0, 8.0), rows=("paired",), real=4.0, protocol=PROTOCOL, columns=COLUMNS,
           frechet=20.0):  # fmt: skip
    videos = [video(row, f"v{i}", real) for row in (REAL, COPY) for i in range(len(distances))]
    videos += [video(generated(system, way), f"v{i}", one) for way in rows for i, one in enumerate(distances)]
    distance = {generated(system): {"value": frechet, "samples": 99, "reason": None}} if "paired" in rows else {}
    return build_report(columns, videos, [], distance, protocol, systems=(system,))


def rows_of(comparison):
    return {row["label"]: row for row in comparison["rows"]}


def test_differences_are_paired_by_video():
    found = compare_reports(report(), report(distances=(6.5, 7.6, 8.4), frechet=18.0), ("a", "b"))
    cell = rows_of(found)["ours, paired"]["cells"]["sync_distance"]
    assert (cell["first"], cell["second"], cell["videos"]) == (7.0, 7.5, 3)
    assert cell["difference"] == pytest.approx(0.5) and cell["differs"]
    assert cell["low"] == pytest.approx(0.4) and cell["high"] == pytest.approx(0.6)
    frechet = rows_of(found)["ours, paired"]["cells"]["frechet"]
    assert (frechet["difference"], frechet["low"], frechet["differs"]) == (-2.0, None, False)
    assert not rows_of(found)["real video"]["cells"]["sync_distance"]["differs"]
    assert found["protocol"] == [] and found["unmatched"] == [[], []]
    text = format_comparison(found)
    assert "+0.500 [0.400, 0.600] *" in text and text.count("] *") == 1
    assert "first: a; second: b" in text and "WARNING" not in text and "fewer than 10 videos" in text
    assert "LMD" not in text  # a measure that neither report has in any row


def test_only_common_videos_count_and_the_others_are_told():
    second = report(distances=(6.5, 7.5, 8.5, 100.0))
    found = compare_reports(report(), second, ("a", "b"))
    row = rows_of(found)["ours, paired"]
    assert (row["videos"], row["only_first"], row["only_second"]) == (3, 0, 1)
    assert (row["cells"]["sync_distance"]["first"], row["cells"]["sync_distance"]["second"]) == (7.0, 7.5)
    assert "ours, paired (3 videos in both; 1 only in the second)" in format_comparison(found)
    second["videos"][-2]["values"]["sync_distance"] = None
    cell = rows_of(compare_reports(report(), second, ("a", "b")))["ours, paired"]["cells"]["sync_distance"]
    assert cell["videos"] == 2 and cell["first"] == 6.5


def test_two_single_systems_meet_whatever_their_names():
    first, second = report("old", rows=("paired", "unpaired")), report("new", rows=("paired",))
    found = compare_reports(first, second, ("a", "b"))
    assert [row["label"] for row in found["rows"]] == ["real video", "no motion", "old, paired / new, paired"]
    assert found["unmatched"] == [["old, unpaired"], []]
    assert "rows of the first report alone: old, unpaired" in format_comparison(found)


def test_several_systems_meet_by_name_only():
    videos = [video(generated(system), "v0", 6.0) for system in ("old", "same")]
    first = build_report(COLUMNS, videos, [], {}, PROTOCOL, systems=("old", "same"))
    found = compare_reports(first, report("same"), ("a", "b"))
    assert [row["label"] for row in found["rows"]] == ["same, paired"]
    assert found["unmatched"] == [["old, paired"], ["real video", "no motion"]]
    alone = build_report(COLUMNS, videos[:1] + [video(generated("x"), "v0", 1.0)], [], {}, PROTOCOL, systems=("old", "x"))
    other = build_report(COLUMNS, [video(generated("y"), "v0", 1.0)], [], {}, PROTOCOL, systems=("y",))
    with pytest.raises(InputError, match="a and b: have no row in common"):
        compare_reports(alone, other, ("a", "b"))
    with pytest.raises(InputError, match="no column in common"):
        compare_reports(report(columns=COLUMNS[:2]), report(columns=COLUMNS[5:]), ("a", "b"))


def test_other_protocols_are_warned_of():
    other = {**PROTOCOL, "expert": {"name": "judge", "sha256": "cd" * 32}, "face_size": 128, "generated": "there", "extra": 1}
    found = compare_reports(report(), report(protocol=other), ("a", "b"))
    assert [(one["name"], one["first"], one["second"]) for one in found["protocol"]] == [
        ("expert: sha256", "ab" * 32, "cd" * 32), ("face size", "96", "128"), ("extra", "-", "1")]
    text = format_comparison(found)
    assert text.index("WARNING: the protocols differ") < text.index("real video") and "  face size: 96 / 128" in text
    lse = report(columns=columns_for(expert="judge", is_lse=True, frechet="net"))
    found = compare_reports(report(), lse, ("a", "b"))
    assert {"name": "head of sync_distance", "first": "D (judge)", "second": "LSE-D"} in found["protocol"]


def test_over_fitting_keeps_its_mark():
    found = compare_reports(report(real=6.5), report(distances=(5.0, 6.0, 7.0), real=6.5), ("a", "b"))
    assert rows_of(found)["ours, paired"]["cells"]["sync_distance"]["flags"] == [None, "over-fitted"]
    text = format_comparison(found)
    assert "6.000†" in text and "7.000†" not in text and "not a win" in text
    assert "†" not in format_comparison(compare_reports(report(), report(), ("a", "b")))


def test_comparison_is_written(tmp_path):
    found = compare_reports(report(), report("x|<b>_y", distances=(6.5, 7.5, 8.5)), ("a|b", "c"))
    paths = write_comparison(found, tmp_path / "new" / "both.md")
    assert [path.name for path in paths] == ["both.json", "both.md"]
    assert json.loads(paths[0].read_text(encoding="utf-8")) == found
    text = paths[1].read_text(encoding="utf-8")
    assert r"x\|\<b\>\_y" in text and r"a\|b" in text and "<b>" not in text and "+0.500" in text
    assert {line.replace(r"\|", "").count("|") for line in text.split("\n") if line.startswith("|")} == {7}


def test_a_written_report_is_read_back(tmp_path):
    made = report()
    path = write_report(made, tmp_path / "t")[0]
    assert read_report(path) == made == read_report(str(path))
    assert made["protocol"]["average"] == DEFINITIONS["average"]


def test_files_that_are_no_report_are_refused(tmp_path):
    def refused(content, message):
        path = tmp_path / "t.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        with pytest.raises(InputError, match=message) as caught:
            read_report(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)

    whole = report()
    refused(b"{", "is not JSON")
    refused(b"\xff\xfe\x00", "is not JSON")
    refused([1, 2], "is not a report")
    refused({"format": "something"}, "is not a report")
    refused({"format": "talkingface-evaluation-1", "clips": []}, "older format.*run evaluate.py again")
    refused({name: part for name, part in whole.items() if name not in ("rows", "videos")}, "lacks rows, videos")
    refused({**whole, "columns": {}}, "lacks columns")
    refused({**whole, "columns": [{"key": "sync_distance"}]}, "lacks parts of its rows")
    refused({**whole, "rows": [{**whole["rows"][0], "cells": {}}]}, "lacks parts of its rows.*sync_distance")
    refused({**whole, "videos": [{"name": "x", "row": REAL.as_dict()}]}, "values")
    refused({**whole, "videos": ["x"]}, "lacks parts")
    with pytest.raises(InputError, match="missing.json: cannot be read"):
        read_report(tmp_path / "missing.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_report(tmp_path)


def with_weights(made, **weights):
    return {**made, "protocol": {**made["protocol"], "checkpoints": weights}}


def several(**weights):
    """A report of some systems, each with the weights that it is given, or none."""
    videos = [video(generated(system), "v0", 6.0) for system in weights]
    told = {system: one for system, one in weights.items() if one}
    return with_weights(build_report(COLUMNS, videos, [], {}, PROTOCOL, systems=tuple(weights)), **told)


def met(first, second):
    return [(one["first"], one["second"], one["by"], one["weights"]) for one in match_systems(first, second)]


def test_systems_meet_by_their_weights_before_their_names():
    one, other, third = "ab" * 32, "cd" * 32, "ef" * 32
    first, second = several(best=one, old=other, plain=None), several(new=one, best=third, plain=None)
    assert met(first, second) == [("best", "new", WEIGHTS, "same"), ("plain", "plain", NAME, "unknown")]
    assert met(several(a=one, b=other), several(a=other, b=one)) == [("a", "b", WEIGHTS, "same"), ("b", "a", WEIGHTS, "same")]
    assert met(several(a=one, b=other), several(a=third, b=other)) == [
        ("a", "a", NAME, "different"), ("b", "b", WEIGHTS, "same")]
    assert met(several(a=one, b=one), several(b=one, c=None)) == [("b", "b", NAME, "same")], "two have these weights"
    assert met(several(a=one[:16], b=None), several(x=one, b=other)) == [
        ("a", "x", WEIGHTS, "same"), ("b", "b", NAME, "unknown")]
    assert met(several(a=one), several(b=other)) == [("a", "b", ALONE, "different")]
    found = compare_reports(first, second, ("a", "b"))
    assert [row["label"] for row in found["rows"]] == ["best, paired / new, paired", "plain, paired"]
    text = format_comparison(found)
    assert text.split("\n")[1:3] == ["best and new: matched by the SHA-256 of the weights",
                                     "plain: matched by name; the weights are not stored in both reports"]
    assert "the weights DIFFER" in format_comparison(compare_reports(several(a=one), several(a=other), ("a", "b")))


def test_weights_of_a_changed_file_are_not_believed():
    for wrong in ("text", ["a"], {"ours": 5}, None):
        broken = {**report(), "protocol": {**PROTOCOL, "checkpoints": wrong}}
        assert met(broken, report()) == [("ours", "ours", NAME, "unknown")]

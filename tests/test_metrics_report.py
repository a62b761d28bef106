"""The report of an evaluation, on invented records: figures, marks, and every format that it is written in."""

import csv
import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from metrics.report.build import FORMAT, OVER_FITTED, build_report
from metrics.report.cells import number
from metrics.report.files import write_report
from metrics.report.html import html_page
from metrics.report.plots import encoded, offset_scatter, row_styles, shift_curves
from metrics.report.tex import escape_tex, tex_table
from metrics.report.text import escape_markdown, format_published_table, format_table, markdown_page
from metrics.rows import COPY, REAL, Row
from tests.evaluate_kit import columns_for

OURS, OTHER = "ours", "other"
PAIRED, UNPAIRED = Row("generated", OURS, "paired"), Row("generated", OURS, "unpaired")
COLUMNS = columns_for(expert="judge", is_lse=False, frechet="net")
NO_SYNC = columns_for()
SHA = "0123456789abcdef" * 4
PROTOCOL = {"expert": {"name": "judge", "sha256": SHA}, "sync_crop": "tracked", "crop": "aligned", "face_size": 96,
            "detector": "drawn 1", "first_frames": None, "note": np.float32(0.5)}
NASTY = "<script>alert('x')</script> a|b_c & 50% $x$ {y} \\z"
PUBLISHED = (["method", "LSE-D ↓"], [["Wav2Lip | <b>", "6.386"]], ["from a paper & a_b"])


def video(row, name, face=None, curve=True, **values):
    """A record; without values of sync when `curve` is False."""
    sync = {"sync_distance": 7.0, "sync_confidence": 5.0, "sync_offset": 0.0, "sync_zero": 7.5} if curve else {}
    return {"name": name, "face": face or name, "row": row, "path": f"made/{name}.mp4", "real": f"real/{name}.mp4",
            "values": {**sync, "sharpness": 100.0, "ssim_face": 0.5, **values}, "fps": "25",
            "curve": (10 - 3 * np.exp(-np.arange(-15.0, 16) ** 2 / 8)).tolist() if curve else None,
            "frames": {"compared": 10, "generated": 12, "real": 12, "left_out": {"no_face_real": 2, "beyond_the_shorter": 1}},
            "notes": ["read at 25"]}


def failure(row, name="bad"):
    return {"name": name, "face": name, "row": row, "path": f"{name}.mp4", "reason": "no face & <none>"}


def build(videos, failed=(), frechet=None, columns=COLUMNS, systems=(OURS,), protocol=PROTOCOL):
    return build_report(columns, videos, list(failed), frechet or {}, protocol, systems=systems)


def four_rows(count=6):
    """Real 7, copy 9, paired 6 and unpaired 8 in D; confidence 5, 1, 4, 6."""
    videos = []
    for row, distance, confidence in ((REAL, 7, 5), (COPY, 9, 1), (PAIRED, 6, 4), (UNPAIRED, 8, 6)):
        for index in range(count):
            wobble = 0.01 * (index - (count - 1) / 2)
            videos.append(video(row, f"v{index}", f"f{index}", sync_distance=distance + wobble,
                                sync_confidence=confidence + wobble, sync_zero=7.5))  # fmt: skip
    return videos


def cells_of(report, key):
    return {row["label"]: row["cells"][key] for row in report["rows"]}


class Page(HTMLParser):
    """Tags, text and what the page would fetch."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.fetched = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            assert not name.startswith("on"), f"{tag} has {name}"
            if name in ("src", "href", "srcset", "action", "poster", "data"):
                self.fetched.append(value)

    def handle_data(self, data):
        self.text.append(data)


def test_rows_stand_in_order_and_hold_the_figures_of_their_videos():
    other = Row("generated", OTHER, "paired")
    videos = [video(other, "a", sharpness=1.0), video(other, "b", sharpness=2.0), video(other, "c", sharpness=6.0),
              video(UNPAIRED, "a"), video(PAIRED, "a", ssim_face=None), video(COPY, "a"), video(REAL, "a")]
    report = build(videos, [failure(other)], systems=(OTHER, OURS))
    labels = [row["label"] for row in report["rows"]]
    assert labels == ["real video", "no motion", "other, paired", "ours, paired", "ours, unpaired"]
    assert report["format"] == FORMAT and [(row["videos"], row["failed"]) for row in report["rows"]][2:4] == [(3, 1), (1, 0)]
    cell = cells_of(report, "sharpness")["other, paired"]
    assert (cell["mean"], cell["median"], cell["videos"], cell["flag"]) == (3.0, 2.0, 3, None)
    assert 1 <= cell["low"] < 3 < cell["high"] <= 6
    undefined = {"mean": None, "median": None, "low": None, "high": None, "videos": 0, "flag": None}
    assert cells_of(report, "ssim_face")["ours, paired"] == undefined
    with pytest.raises(ValueError, match="other, paired"):
        build(videos, systems=(OURS,))


def test_what_a_sync_expert_likes_better_than_the_real_video_is_marked_and_nothing_else():
    report = build(four_rows(), [], {PAIRED: {"value": 0.0, "samples": 9, "reason": None}})
    marked = {(row["label"], key) for row in report["rows"] for key, cell in row["cells"].items() if cell["flag"]}
    assert marked == {("ours, paired", "sync_distance"), ("ours, unpaired", "sync_confidence")}
    assert cells_of(report, "sync_distance")["ours, paired"]["flag"] == OVER_FITTED
    table = format_table(report)
    assert "6.000†" in table and "6.000† [5." in table and table.count("†") == 3 and "not a win" in table
    assert "8.000†" not in table and "4.000†" not in table
    for text in (table, markdown_page(report), tex_table(report), html_page(report)):
        assert "**" not in text and "textbf" not in text and "<b>" not in text and "<strong" not in text
    assert tex_table(report).count(r"$^\dagger$") == 3
    without = build([one for one in four_rows() if one["row"] != REAL])
    assert "†" not in format_table(without) and "†" not in markdown_page(without)


def test_leakage_is_paired_over_faces():
    changes = {"f1": 1.0, "f2": 2.0, "f3": 3.0}
    videos = [video(PAIRED, face, face, sync_distance=6.0) for face in (*changes, "paired alone")]
    for face, change in changes.items():
        videos += [video(UNPAIRED, f"{face}{wobble}", face, sync_distance=6.0 + change + wobble) for wobble in (-0.5, 0.5)]
    frechet = {PAIRED: {"value": 20.0, "samples": 99, "reason": None}, UNPAIRED: {"value": 21.5, "samples": 99, "reason": None}}
    report = build(videos, [], frechet)
    found = {entry["column"]: entry for entry in report["leakage"]}
    assert list(found) == ["sync_distance", "sync_confidence", "sync_offset", "sync_zero", "frechet", "sharpness"]
    distance = found["sync_distance"]
    assert distance["difference"] == pytest.approx(2) and distance["faces"] == 3 and distance["system"] == OURS
    assert 1 <= distance["low"] < distance["high"] <= 3
    assert found["frechet"]["difference"] == 1.5 and found["frechet"]["low"] is None
    table = format_table(report)
    assert re.search(r"unpaired - paired: ours: D \(judge\) \+2\.000 \[\d\.\d+, \d\.\d+\] \(3 faces\)", table)
    assert build([one for one in videos if one["row"] == PAIRED])["leakage"] == []
    one_refused = {PAIRED: frechet[PAIRED], UNPAIRED: {"value": None, "samples": 3, "reason": "too few"}}
    assert "frechet" not in {entry["column"] for entry in build(videos, [], one_refused)["leakage"]}


def test_frechet_distance_and_its_refusal(tmp_path):
    frechet = {PAIRED: {"value": 23.456, "samples": 5000, "reason": None},
               UNPAIRED: {"value": None, "samples": 300, "reason": "300 samples are too few"}}
    report = build(four_rows(), [], frechet)
    cell = cells_of(report, "frechet")["ours, paired"]
    assert (cell["mean"], cell["low"], cell["videos"], cell["samples"], cell["reason"]) == (23.456, None, None, 5000, None)
    assert report["frechet"][1] == {"row": UNPAIRED.as_dict(), **frechet[UNPAIRED]}
    for text in (format_table(report), markdown_page(report), tex_table(report), html_page(report)):
        assert "23.46" in text and "300 samples are too few" in text


def test_terminal_has_aligned_lines_counts_and_protocol():
    report = build(four_rows(), [failure(PAIRED)])
    table = format_table(report, width=100)
    lines = table.split("\n")
    blocks = table.split("\n† ")[0].split("\n\n")
    assert len(blocks) > 2 and all([line.split(",")[0].split("  ")[0] for line in block.split("\n")[1:]]
                                   == ["real video", "no motion", "ours", "ours"] for block in blocks)
    for block in blocks:
        assert max(map(len, block.split("\n"))) <= 100 and len({len(line) for line in block.split("\n")}) <= 2
    assert "12 generated videos, 120 frames compared, 36 left out; 1 FAILED and is not in the table" in lines
    assert f"expert: sha256: {SHA[:12]}..." in lines and "sync crop: tracked" in lines and "face size: 96" in lines
    assert not any(line.startswith("first frames") for line in lines)
    assert "failed: bad: no face & <none>" in lines
    assert "0.00 [0.00, 0.00] (median 0.00)" in table and "fewer than 10 videos" in table


def test_one_video_has_no_intervals():
    report = build([video(row, "x") for row in (REAL, COPY, PAIRED)])
    table = format_table(report)
    assert "[" not in table and "7.000" in table and "1 generated video, 10 frames compared, 3 left out" in table
    assert "median" not in table and "interval" not in table
    assert all(cell["low"] is None for row in report["rows"] for cell in row["cells"].values())


def test_rows_that_failed_altogether_are_still_there(tmp_path):
    report = build([], [failure(REAL), failure(PAIRED)])
    found = [(row["label"], row["videos"], row["failed"]) for row in report["rows"]]
    assert found == [("real video", 0, 1), ("ours, paired", 0, 1)]
    table = format_table(report)
    assert "0 videos, 0 frames compared, 0 left out; 2 FAILED and are not in the table" in table
    assert all(path.stat().st_size for path in write_report(report, tmp_path / "t"))
    assert "nothing to plot" in (tmp_path / "t.html").read_text()


def test_files_round_trip_and_suffixes_are_dropped(tmp_path):
    videos = [*four_rows(3), video(UNPAIRED, 'comma, "quoted"\nline', "f0", ssim_face=None)]
    report = build(videos, [failure(PAIRED)])
    paths = write_report(report, tmp_path / "new" / "table.v1.html")
    assert [path.name for path in paths] == [f"table.v1.{suffix}" for suffix in ("json", "csv", "md", "tex", "html")]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in paths)
    text = paths[0].read_text(encoding="utf-8")
    assert json.loads(text) == report and "NaN" not in text
    assert json.loads(text)["protocol"]["note"] == 0.5
    assert [Row.from_dict(row["row"]) for row in report["rows"]] == [REAL, COPY, PAIRED, UNPAIRED]
    with open(paths[1], newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["line"] for line in lines] == ["video"] * 13 + ["mean", "median", "low", "high"] * 4
    last = lines[12]
    assert last["name"] == 'comma, "quoted"\nline' and last["ssim_face"] == "" and last["protocol"] == "unpaired"
    assert float(lines[0]["sync_distance"]) == videos[0]["values"]["sync_distance"] and lines[0]["frames"] == "10"
    mean = next(line for line in lines if line["line"] == "mean" and line["protocol"] == "paired")
    assert float(mean["sync_distance"]) == cells_of(report, "sync_distance")["ours, paired"]["mean"]


def test_values_that_are_not_finite_are_undefined(tmp_path):
    record = video(REAL, "x", sync_distance=float("nan"), sync_zero=np.float32("inf"), sharpness=np.float32(2))
    record["curve"][0] = float("nan")
    report = build([record, video(REAL, "name \udcff that is not UTF-8")])
    assert report["videos"][0]["values"]["sync_distance"] is None and report["videos"][0]["values"]["sharpness"] == 2
    assert report["rows"][0]["cells"]["sync_zero"]["videos"] == 1 and report["videos"][0]["curve"][0] is None
    write_report(report, tmp_path / "t")
    assert json.loads((tmp_path / "t.json").read_text()) == report
    assert "defined in only a part of a row's videos: D (judge), D at 0 (judge)" in format_table(report)


def test_names_are_escaped_in_every_format(tmp_path):
    row = Row("generated", NASTY, "paired")
    record = video(row, NASTY)
    record["notes"] = [NASTY]
    picture = {"name": NASTY, "row": row, "rank": "worst", "value": 1.5, "jpeg": jpeg()}
    report = build([video(REAL, NASTY), record], [failure(row, NASTY)], systems=(NASTY,), protocol={NASTY: NASTY})
    published = ([NASTY, NASTY], [[NASTY, NASTY]], [NASTY])
    page = Page(html_page(report, [picture], published))
    assert "script" not in page.tags and "".join(page.text).count(NASTY) >= 8
    markdown = markdown_page(report, published)
    for line in (line for line in markdown.split("\n") if line.startswith("|")):
        assert len(re.findall(r"(?<!\\)\|", line)) in (3, 4, len(COLUMNS) + 3)
    assert not re.search(r"(?<!\\)<", markdown) and not re.search(r"(?<!\\)\$", markdown)
    lines = [line for line in tex_table(report, published).split("\n") if not line.startswith("%")]
    assert len(lines) > 20
    for line in lines:
        assert "<" not in line and "50%" not in line and "a|b_c" not in line and "$x$" not in line
    assert escape_tex("a_b & 5% {x} \\ ~^#$") == r"a\_b \& 5\% \{x\} \textbackslash{} \textasciitilde{}\textasciicircum{}\#\$"
    assert escape_markdown("a|b\n`c`") == r"a\|b \`c\`"
    control = build([video(REAL, "x")], [failure(PAIRED, "red \x1b[31m\nline")])
    assert "failed: red  [31m line: no face" in format_table(control)


def jpeg():
    return cv2.imencode(".jpg", np.full((8, 64, 3), 90, np.uint8))[1].tobytes()


def test_html_is_self_contained():
    pictures = [{"name": f"clip {rank}", "row": PAIRED, "rank": rank, "value": 3.25, "jpeg": jpeg(), "measure": "C (judge)"}
                for rank in ("best", "worst")]
    text = html_page(build(four_rows(), [failure(PAIRED)]), pictures, PUBLISHED)
    page = Page(text)
    assert page.fetched and all(one.startswith("data:image/") for one in page.fetched)
    assert not set(page.tags) & {"script", "link", "iframe", "object", "embed", "base"}
    assert "http" not in re.sub(r"http-equiv", "", text) and "@import" not in text and "url(" not in text
    assert "default-src 'none'" in text and 'name="viewport"' in text and "prefers-color-scheme: dark" in text
    shown = " ".join("".join(page.text).split())
    for part in ("clip worst (ours, paired): C (judge) 3.25", "no face & <none>", "1 failed", "read at 25: v0, v1", "sync crop",
                 "do not compare across tables", "Wav2Lip | <b>", "not a win", SHA):
        assert part in shown
    assert shown.index("Worst videos") < shown.index("Best videos") and page.tags.count("img") == 4


def test_without_sync_the_plots_are_left_out():
    report = build([video(row, name, curve=False) for row in (REAL, PAIRED) for name in "ab"], columns=NO_SYNC)
    assert offset_scatter(report) is None and shift_curves(report) is None
    page = Page(html_page(report))
    assert "img" not in page.tags and "nothing to plot" in "".join(page.text)


def test_plots_draw_each_row_in_its_colour():
    videos = four_rows()
    for at, record in enumerate(videos):
        record["curve"] = [value + at // 6 for value in record["curve"]]
    report = build(videos)
    styles = row_styles(report)
    assert len({style.colour for style in styles}) == 4 and len({style.sign for style in styles}) == 4
    for draw in (offset_scatter, shift_curves):
        picture = cv2.imdecode(np.frombuffer(encoded(draw(report), "png"), np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture.shape[2] == 4 and picture[2, 2, 3] == 0
        for style in styles:
            colour = [int(style.colour[at:at + 2], 16) for at in (5, 3, 1)]
            near = np.abs(picture[..., :3].astype(int) - colour).max(-1) < 4
            assert (near & (picture[..., 3] > 150)).sum() > 50, f"{draw.__name__}: {style}"
    gap = four_rows(1)
    gap[0]["curve"] = [None] * 31
    assert shift_curves(build(gap)) is not None


def test_published_numbers_are_a_table_of_their_own():
    report = build(four_rows())
    assert format_published_table(PUBLISHED).split("\n")[0].startswith("published numbers, measured by others")
    assert "6.386" in format_published_table(PUBLISHED) and "6.386" not in format_table(report)
    markdown, tex = markdown_page(report, PUBLISHED), tex_table(report, PUBLISHED)
    assert "6.386" not in markdown.split("## Published numbers")[0] and "do not compare across tables" in markdown
    assert "6.386" not in tex.split("Published numbers")[0] and "6.386" not in tex_table(report)
    assert tex.count(r"\begin{table}") == tex_table(report).count(r"\begin{table}") + 1
    assert "6.386" not in html_page(report)


def test_numbers_never_show_a_negative_nought():
    assert number(-0.00001, 3) == "0.000" and number(None, 2) == "-" and number(0.5, 1, "+") == "+0.5"

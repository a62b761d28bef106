"""The main table of a report: chosen measures, the best value bold, LaTeX for a paper; and the figures as files."""

import re
from functools import cache

import pytest

from common.errors import InputError
from metrics.report.build import build_report
from metrics.report.cells import best_labels
from metrics.report.files import write_report
from metrics.report.html import html_page
from metrics.report.style import FIRST, TableStyle
from metrics.report.tex import escape_tex, tex_table
from metrics.report.text import format_table, markdown_page
from metrics.rows import REAL, Row
from tests.test_metrics_report import COLUMNS, NASTY, PAIRED, PROTOCOL, PUBLISHED, UNPAIRED, build, failure, four_rows, video

SYSTEMS = ("ours", "other_one", "third")


@cache
def three_systems(**changed):
    """Real 7.0 in D, and three systems that are over-fitted (6.0), best (7.5) and worst (8.0); SSIM 0.5, 0.7, 0.6."""
    videos = [video(REAL, f"v{at}", sync_distance=7.0, sync_confidence=5.0, ssim_mouth=1.0) for at in range(3)]
    figures = {"ours": (6.0, 0.5), "other_one": (7.5, 0.7), "third": (8.0, 0.6)} | changed
    for name, (distance, similarity) in figures.items():
        row = Row("generated", name, "paired")
        videos += [video(row, f"v{at}", sync_distance=distance, sync_confidence=4.0, ssim_mouth=similarity,
                         sync_offset={"ours": -2.0, "other_one": 1.0}.get(name, 3.0)) for at in range(3)]  # fmt: skip
    return build_report(COLUMNS, videos, [], {}, PROTOCOL, systems=SYSTEMS)


@cache
def four():
    """The report of `four_rows`."""
    return build(four_rows())


def column(report, key):
    return next(one for one in COLUMNS if one.key == key)


def bold(report, key):
    return best_labels(report, column(report, key))


def tabulars(text):
    """[(number of columns, [cells of each line])] of every outer tabular; checks that environments and braces balance."""
    stack, opened = [], re.findall(r"\\(begin|end)\{(\w+)\}", text)
    for way, name in opened:
        if way == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    found = []
    for spec, body in re.findall(r"\\begin\{tabular\}\{@\{\}(l[lr]*)@\{\}\}\n(.*?)\n\\end\{tabular\}\n", text, re.DOTALL):
        lines = [line for line in body.split("\n") if line.endswith(r" \\")]
        cells = []
        for line in lines:
            inner = re.sub(r"\\begin\{tabular\}.*?\\end\{tabular\}", "x", line.removesuffix(r" \\"))
            parts = re.split(r"(?<!\\) & ", inner)
            wide = sum(int(found) - 1 for found in re.findall(r"\\multicolumn\{(\d+)\}", inner))
            cells.append((line, len(parts) + wide))
        found.append((len(spec), cells))
    return found


def test_the_best_of_the_systems_is_bold_and_never_an_over_fitted_one():
    report = three_systems()
    assert bold(report, "sync_distance") == {"other_one, paired"}, "ours is better, and over-fitted"
    assert bold(report, "ssim_mouth") == {"other_one, paired"}
    assert bold(report, "sync_offset") == {"other_one, paired"}, "nearest to 0, whatever its sign"
    assert bold(report, "sharpness") == set(), "no better and no worse"
    assert bold(report, "lmd_raw") == set(), "no values"
    assert bold(three_systems(third=(8.0, 0.70000001)), "ssim_mouth") == {"other_one, paired", "third, paired"}
    assert bold(three_systems(ours=(7.5, 0.7), third=(7.5, 0.7)), "ssim_mouth") == set(), "all alike"
    assert bold(three_systems(ours=(6.0, 0.5), other_one=(6.1, 0.5), third=(6.2, 0.5)), "sync_distance") == set()
    assert bold(four(), "ssim_face") == set(), "a system alone is not the best"
    texts = tex_table(report), markdown_page(report), html_page(report)
    for text, mark in zip(texts, (r"\textbf{%s}", "**%s**", "<b>%s</b>"), strict=True):
        assert "bold: the best of the systems" in text
        assert mark % "7.500" in text and mark % "0.7000" in text and mark % "6.000" not in text and mark % "1.0000" not in text


@pytest.mark.parametrize("write", [format_table, markdown_page, html_page, tex_table])
def test_the_dagger_is_explained_where_it_is_shown(write):
    report, mark = three_systems(), "fitted to the expert, not a win"
    assert mark in write(report, style=TableStyle(columns=("sync_distance",)))
    without = write(report, style=TableStyle(columns=("ssim_mouth",)))
    main, _, rest = without.partition("All measures")
    assert mark not in main and (mark in rest) == (write in (markdown_page, html_page)), "all measures have one"


def test_columns_are_chosen_and_ordered():
    report, style = three_systems(), TableStyle(columns=("ssim_mouth", "sync_distance"))
    table, markdown, page = (write(report, style=style) for write in (format_table, markdown_page, html_page))
    assert table.split("\n")[0].split() == ["videos", "SSIM", "mouth", "↑", "D", "(judge)", "↓"]
    assert markdown.split("\n")[2] == "|  | videos | SSIM mouth ↑ | D (judge) ↓ |" and "## All measures" in markdown
    head = page[page.index("<thead>"):page.index("</thead>")]
    assert head.index("SSIM mouth") < head.index(">D ↓") and head.count("<th") == 5 and "All measures" in page
    assert "own offset" not in tex_table(report, style=TableStyle(columns=("ssim_mouth",))), "no note of what is not shown"
    (number, lines), = tabulars(tex_table(report, style=style))
    assert number == 3 and all(count == 3 for _, count in lines)
    assert "All measures" not in html_page(report) + markdown_page(report)
    first = [one.key for one in TableStyle().columns_shown(report)]
    assert first[:4] == list(FIRST[:4]) and sorted(first) == sorted(one.key for one in COLUMNS)
    with pytest.raises(InputError, match="--columns ssim_mout: .*did you mean ssim_mouth.*known: sync_distance, sync_conf"):
        TableStyle(columns=("sync_distance", "ssim_mout")).check(COLUMNS)
    with pytest.raises(InputError, match="--columns frechet: is given twice"):
        TableStyle(columns=("frechet", "frechet")).check(COLUMNS)


@pytest.mark.parametrize("intervals", [False, True])
def test_tex_has_one_table_whose_lines_fill_their_columns(intervals):
    style = TableStyle(intervals=intervals)
    refused = {PAIRED: {"value": 3.0, "samples": 9, "reason": None},
               UNPAIRED: {"value": None, "samples": 3, "reason": "too few"}}
    for report in (three_systems(), build(four_rows(), [failure(PAIRED)], refused), build([], [failure(REAL)])):
        text = tex_table(report, style=style)
        (number, lines), = tabulars(text)
        assert len(lines) >= 2 and all(count == number for _, count in lines), lines
        assert text.isascii() and text.count(r"\begin{table}") == text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    lines = [line for line in tex_table(four(), style=style).split("\n") if not line.startswith("%")]
    assert any("interval" in line for line in lines) == any(r"\scriptsize {[}" in line for line in lines) == intervals
    published = tabulars(tex_table(three_systems(), PUBLISHED))
    assert [number for number, _ in published] == [published[0][0], len(PUBLISHED[0])]
    assert r"$-$" in tex_table(build([video(REAL, "a", sync_offset=-2.0)]))


def test_tex_groups_heads_by_judge_and_rows_by_sound():
    text = tex_table(build(four_rows(), [], {PAIRED: {"value": 3.0, "samples": 9, "reason": None}}))
    body = text.split(r"\toprule")[1]
    assert r"\multicolumn{2}{c}{judge}" in body and r"\cmidrule(lr){2-3}" in body and "D (judge)" not in body
    assert body.index("own sound (paired)") < body.index("other sound (unpaired)") and "ours, paired" not in body
    assert r"$\downarrow$" in text and "unpaired minus paired, ours" in text, "leakage stands in a comment"
    alone = tex_table(three_systems())
    assert "own sound" not in alone and r"other\_one & " in alone and "Means over 3 videos; bold" in alone


def test_caption_and_label():
    report = three_systems()
    text = tex_table(report, name="my table_1")
    assert r"\label{tab:my-table_1}" in text
    text = tex_table(report, style=TableStyle(caption=r"Ours with $\lambda=1$ \cite{a_b}, 5\,\%", label="tab:main"))
    assert r"\caption{Ours with $\lambda=1$ \cite{a_b}, 5\,\%}" in text and r"\label{tab:main}" in text
    for wrong in ("a}", "{", "50% of", "end\\", "}{"):
        with pytest.raises(InputError, match="--caption: "):
            TableStyle(caption=wrong)
    for wrong in ("a b", "x}", "", "a#"):
        with pytest.raises(InputError, match="--label"):
            TableStyle(label=wrong)
    assert escape_tex(NASTY) in tex_table(build([video(Row("generated", NASTY, "paired"), "a")], systems=(NASTY,)))


def test_the_first_columns_are_seen_and_the_others_are_scrolled():
    page = html_page(three_systems())
    assert "overflow-x: auto" in page and "position: sticky; left: 0" in page and "::-webkit-scrollbar" in page
    few = html_page(three_systems(), style=TableStyle(columns=("frechet",)))
    assert "scroll the table" in page and "scroll the table" not in few


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_figures_are_files(kind, tmp_path):
    start = {"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}[kind]
    paths = write_report(four(), tmp_path / "t", figures=(kind,))[5:]
    assert [path.name for path in paths] == [f"t_offsets.{kind}", f"t_shifts.{kind}"]
    assert all(path.read_bytes().startswith(start) for path in paths)
    if kind == "svg":
        first = [path.read_bytes() for path in paths]
        write_report(four(), tmp_path / "t", figures=(kind,))
        assert [path.read_bytes() for path in paths] == first, "the same figures are the same files"
    silent = build([video(REAL, "a", curve=False)])
    assert len(write_report(silent, tmp_path / "s", figures=(kind,))) == 5, "nothing to plot"

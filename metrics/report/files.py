"""The files of a report: tables as JSON, CSV, Markdown, LaTeX and HTML, and its figures."""

import json
from pathlib import Path

from common.files import atomic_output
from metrics.report.html import html_page
from metrics.report.plots import PLOTS, encoded
from metrics.report.style import TableStyle
from metrics.report.tex import tex_table
from metrics.report.text import markdown_page, write_csv

SUFFIXES = (".json", ".csv", ".md", ".tex", ".html")


def write_report(report, out, pictures=(), published=None, style=None, figures=()):
    """Write `out`.json, .csv, .md, .tex and .html, each whole or not at all; such a suffix of `out` is dropped.

    Args:
        report: what `metrics.report.build.build_report` gave.
        out: path without suffix.
        pictures: list of {"name", "row": Row, "rank": "worst" or "best", "value": float, "jpeg": bytes}, for the HTML; with
            "measure": what the value is, for the caption.
        published: None, or (heads, cells, footnotes), lists of str, list of lists of str, list of str: the numbers of others,
            printed as a table of their own in .md, .tex and .html.
        style: metrics.report.style.TableStyle of the main table; None: the default.
        figures: formats, some of common.plot_formats.PLOT_FORMATS: each plot of the HTML is written as `out`_NAME.FORMAT, too.

    Returns:
        list of Paths: the five files, then the figures.
    """
    out, style = Path(out), style or TableStyle()
    if out.suffix in SUFFIXES:
        out = out.with_suffix("")
    texts = {
        ".json": json_text(report),
        ".md": markdown_page(report, published, style),
        ".tex": tex_table(report, published, style, name=out.name),
        ".html": html_page(report, pictures, published, style),
    }
    paths = [out.with_name(out.name + suffix) for suffix in SUFFIXES]
    for path in paths:
        with atomic_output(path) as temporary:
            if path.suffix == ".csv":
                with open(temporary, "w", newline="", encoding="utf-8") as file:
                    write_csv(report, file)
            else:
                temporary.write_text(texts[path.suffix], encoding="utf-8")
    return paths + _write_figures(report, out, figures)


def _write_figures(report, out, formats):
    paths = []
    for name, draw in PLOTS.items() if formats else ():
        figure = draw(report, for_paper=True)
        for kind in formats if figure is not None else ():
            paths.append(out.with_name(f"{out.name}_{name}.{kind}"))
            with atomic_output(paths[-1]) as temporary:
                temporary.write_bytes(encoded(figure, kind))
    return paths


def json_text(report):
    """The report as JSON with one row, video or failure a line."""
    parts = []
    for key, value in report.items():
        shown = json.dumps(value, ensure_ascii=False, allow_nan=False)
        if isinstance(value, list) and value:
            lines = ",\n".join(json.dumps(one, ensure_ascii=False, allow_nan=False) for one in value)
            shown = f"[\n{lines}\n]"
        parts.append(f"{json.dumps(key)}: {shown}")
    return "{\n" + ",\n".join(parts) + "\n}\n"

"""The report as one LaTeX table for a paper: needs \\usepackage{booktabs} and nothing else."""

import re
from itertools import groupby

from metrics.report.cells import (
    OVER_FITTED_NOTE,
    PUBLISHED_TITLE,
    best_labels,
    cell_of,
    counts,
    flagged,
    footnotes,
    leakage,
    main_protocol,
    plain,
    split_head,
)
from metrics.report.style import TableStyle
from metrics.rows import PROTOCOLS

_DAGGER = r"$^\dagger$"
_DRIVEN = {"paired": "own sound (paired)", "unpaired": "other sound (unpaired)"}
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "[": "{[}", "]": "{]}", "-": "{-}", "`": "{`}", "'": "{'}", "*": r"$*$",
    "↓": r"$\downarrow$", "↑": r"$\uparrow$", "→": r"$\rightarrow$", "†": _DAGGER,
}  # fmt: skip


def tex_table(report, published=None, style=None, name="evaluation"):
    """LaTeX to \\input into a document; it compiles with \\usepackage{booktabs}.

    One table environment: a row for each system, the measures of the style, the best value of each measure bold. What else the
    report says stands above it as comments.

    Args:
        report: what `metrics.report.build.build_report` gave.
        published: as for `metrics.report.files.write_report`; becomes a table environment of its own.
        style: TableStyle; None: the default.
        name: of the file, for the label.

    Returns:
        str.
    """
    style = style or TableStyle()
    lines = ["% Needs \\usepackage{booktabs}.", *(f"% {plain(one)}" for one in _remarks(report))]
    lines += _measured(report, style, name)
    if published is not None:
        lines += _published(*published)
    return "\n".join(lines) + "\n"


def _remarks(report):
    """What stands in comments: counts, leakage and protocol."""
    yield counts(report)
    for system, changes in leakage(report):
        yield f"unpaired minus paired, {system}: " + "; ".join(f"{label} {change}" for label, change in changes)
    yield from (f"{name}: {value}" for name, value in main_protocol(report))


def _measured(report, style, name):
    columns, rows = style.columns_in_latex(report), report["rows"]
    best = {column.key: best_labels(report, column) for column in columns}
    even = len({row["videos"] for row in rows}) < 2 and not report["failed"]
    heads = [*([] if even else ["videos"]), *(column.head for column in columns)]
    marked = flagged(report, columns)
    bold = any(best.values()) * ("the best of the systems" + " without †" * marked)
    lines = [*_opening(_caption(report, style, even, bold), _label(style, name)),
             rf"\begin{{tabular}}{{@{{}}l{'r' * len(heads)}@{{}}}}", r"\toprule", *_heads(heads), r"\midrule"]  # fmt: skip
    protocols = [one for one in PROTOCOLS if any(row["row"]["protocol"] == one for row in rows)]
    groups = [(None, [row for row in rows if row["row"]["protocol"] is None]),
              *((one, [row for row in rows if row["row"]["protocol"] == one]) for one in protocols)]  # fmt: skip
    for protocol, members in (group for group in groups if group[1]):
        if protocol is not None and members[0] is not rows[0]:
            lines.append(r"\midrule")
        if len(protocols) > 1 and protocol is not None:
            lines.append(_line([rf"\multicolumn{{{len(heads) + 1}}}{{@{{}}l}}{{\emph{{{_DRIVEN[protocol]}}}}}"]))
        for row in members:
            cells = [cell_of(row, column) for column in columns]
            texts = [_cell(cell, style.intervals, row["label"] in best[column.key])
                     for cell, column in zip(cells, columns, strict=True)]  # fmt: skip
            lines.append(_line([escape_tex(row["row"]["system"] or row["label"]),
                                *([] if even else [str(row["videos"])]), *texts]))  # fmt: skip
    notes = [f"{_DAGGER} {escape_tex(OVER_FITTED_NOTE)}"] if marked else []
    notes += [escape_tex(counts(report))] if report["failed"] else []
    notes += map(escape_tex, footnotes(report, columns, intervals=style.intervals))
    return [*lines, r"\bottomrule", r"\end{tabular}", *_notes(notes), r"\end{table}"]


def _caption(report, style, even, bold):
    """The user's caption as it is, or what the figures are; `bold`: what is bold, or ""."""
    if style.caption is not None:
        return style.caption
    count = report["rows"][0]["videos"] if report["rows"] and even else None
    sentences = ["Means over the videos of each row"]
    if count is not None:
        sentences = [f"Means over {count} video{'s' if count != 1 else ''}"]
    sentences += ["below each its 95 % interval (bootstrap over videos)"] if style.intervals else []
    sentences += [f"bold: {bold}"] if bold else []
    return escape_tex(f"{'; '.join(sentences)}.")


def _label(style, name):
    return style.label or "tab:" + (re.sub(r"[^A-Za-z0-9:._+-]+", "-", name).strip("-") or "evaluation")


def _opening(caption, label, size=r"\footnotesize", gap=3):
    return [r"\begin{table}[tbp]", r"\centering", rf"\caption{{{caption}}}", rf"\label{{{label}}}",
            rf"\par\smallskip{size}\setlength{{\tabcolsep}}{{{gap}pt}}"]  # fmt: skip


def _heads(heads):
    """The line of heads; above it, over the columns that belong together, what stands in brackets behind their names."""
    parts = [split_head(head) for head in heads]
    names = [_stacked("b", map(escape_tex, _two_lines(name))) for name, _ in parts]
    if not any(bracket for _, bracket in parts):
        return [_line(["", *names])]
    above, rules, at = [""], [], 2
    for bracket, members in groupby(parts, key=lambda part: part[1]):
        count = len(list(members))
        if bracket:
            above.append(rf"\multicolumn{{{count}}}{{c}}{{{escape_tex(bracket)}}}")
            rules.append(rf"\cmidrule(lr){{{at}-{at + count - 1}}}")
        else:
            above += [""] * count
        at += count
    return [_line(above), "".join(rules), _line(["", *names])]


def _cell(cell, intervals, best):
    """Mean, bold where it is the best, with its interval on a line of its own."""
    mean = _figure(cell.mean) + _DAGGER * cell.over_fitted
    mean = rf"\textbf{{{mean}}}" if best else mean
    return _stacked("t", [mean, rf"\scriptsize {_figure(cell.interval)}"]) if intervals and cell.interval else mean


def _two_lines(name):
    """"SSIM mouth ↑" -> ["SSIM", "mouth ↑"]; a short name stays on one line."""
    *words, last = name.split(" ")
    last = [words.pop(), last] if words and last[0] in "↓↑→" else [last]
    return [" ".join(words), " ".join(last)] if words else [" ".join(last)]


def _stacked(place, lines):
    """Lines below each other in one cell, which stands on the last ("b") or the first ("t") of them."""
    lines = list(lines)
    if len(lines) == 1:
        return lines[0]
    return rf"\begin{{tabular}}[{place}]{{@{{}}r@{{}}}}" + r" \\ ".join(lines) + r"\end{tabular}"


def _figure(text):
    return "--" if text == "-" else escape_tex(text).replace("{-}", "$-$")


def _line(cells):
    return " & ".join(cells) + r" \\"


def _notes(notes):
    notes = list(notes)
    if not notes:
        return []
    return [r"\par\smallskip", r"\begin{minipage}{\linewidth}\raggedright\scriptsize", *(rf"{note}\par" for note in notes),
            r"\end{minipage}"]


def _published(heads, cells, notes):
    title = escape_tex(f"{PUBLISHED_TITLE[0].upper()}{PUBLISHED_TITLE[1:]}.")
    lines = ["", *_opening(title, "tab:published", r"\scriptsize", 2)]
    lines += [rf"\begin{{tabular}}{{@{{}}l{'r' * (len(heads) - 1)}@{{}}}}", r"\toprule"]
    lines += [_line(map(escape_tex, heads)), r"\midrule"]
    lines += [_line(map(escape_tex, line)) for line in cells]
    return [*lines, r"\bottomrule", r"\end{tabular}", *_notes(map(escape_tex, notes)), r"\end{table}"]


def escape_tex(text):
    """Text that LaTeX sets as it stands; a character that only Unicode engines know stays as it is."""
    return "".join(_SPECIAL.get(one, one) for one in plain(text))

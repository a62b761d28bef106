"""The report as LaTeX tables: needs \\usepackage{booktabs} and nothing else."""

from metrics.report.cells import (
    OVER_FITTED_NOTE,
    PUBLISHED_TITLE,
    cell_of,
    columns_of,
    counts,
    footnotes,
    leakage,
    main_protocol,
    plain,
)

ACROSS = 4  # measures in one table; more go to a further table, so that each fits the width of a page
_DAGGER = r"$^\dagger$"
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "[": "{[}", "]": "{]}", "-": "{-}", "`": "{`}", "'": "{'}", "*": r"$*$",
    "↓": r"$\downarrow$", "↑": r"$\uparrow$", "→": r"$\rightarrow$", "†": _DAGGER,
}  # fmt: skip


def tex_table(report, published=None):
    """LaTeX tables to \\input into a document; they compile with \\usepackage{booktabs}.

    Args:
        report: what `metrics.report.build.build_report` gave.
        published: as for `metrics.report.build.write_report`; becomes a table environment of its own.

    Returns:
        str.
    """
    columns = columns_of(report)
    lines = ["% Needs \\usepackage{booktabs}."]
    for start in range(0, max(len(columns), 1), ACROSS):
        lines += _measured(report, columns[start:start + ACROSS], last=start + ACROSS >= len(columns))
    if published is not None:
        lines += _published(*published)
    return "\n".join(lines) + "\n"


def _measured(report, columns, last):
    """One table environment: some of the measures of all rows; the last one has the notes."""
    lines = [*_opening("Mean over videos, and the interval of the mean.")]
    heads = ["", "videos", *(_head(column.head) for column in columns)]
    lines += [rf"\begin{{tabular}}{{p{{0.2\linewidth}}{'r' * (len(heads) - 1)}}}", r"\toprule", _line(heads), r"\midrule"]
    over_fitted = False
    for row in report["rows"]:
        lines += [r"\addlinespace[2pt]"] if row is not report["rows"][0] else []
        cells = [cell_of(row, column) for column in columns]
        over_fitted |= any(cell.over_fitted for cell in cells)
        label = rf"\raggedright {escape_tex(row['label'])}".replace("/", r"/\allowbreak{}").replace(r"\_", r"\_\allowbreak{}")
        lines.append(_line([label, str(row["videos"]), *map(_cell, cells)]))
    lines += [r"\bottomrule", r"\end{tabular}"]
    notes = [f"{_DAGGER} {escape_tex(OVER_FITTED_NOTE)}"] if over_fitted else []
    return [*lines, *_notes(notes + (_last_notes(report) if last else [])), r"\end{table}"]


def _last_notes(report):
    notes = footnotes(report)
    for system, changes in leakage(report):
        notes.append(f"unpaired minus paired, {system}: " + "; ".join(f"{label} {change}" for label, change in changes))
    notes += [counts(report), *(f"{name}: {value}" for name, value in main_protocol(report))]
    return [escape_tex(note) for note in notes]


def _published(heads, cells, notes):
    lines = ["", *_opening(f"{PUBLISHED_TITLE[0].upper()}{PUBLISHED_TITLE[1:]}.")]
    lines += [rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule", _line(map(escape_tex, heads)), r"\midrule"]
    lines += [_line(map(escape_tex, line)) for line in cells]
    return [*lines, r"\bottomrule", r"\end{tabular}", *_notes(map(escape_tex, notes)), r"\end{table}"]


def _opening(caption):
    return [r"\begin{table}[tbp]", r"\centering\scriptsize\setlength{\tabcolsep}{3pt}", rf"\caption{{{escape_tex(caption)}}}"]


def _head(text):
    """A head with what stands in brackets on a second line."""
    first, bracket, rest = text.partition(" (")
    return _stacked("b", [escape_tex(first), escape_tex(bracket.strip() + rest)]) if bracket else escape_tex(text)


def _cell(cell):
    """Mean, with its interval and more on lines of their own."""
    mean = _figure(cell.mean) + _DAGGER * cell.over_fitted
    below = [_figure(text) for text in (cell.interval, cell.more) if text]
    return _stacked("t", [mean, *below]) if below else mean


def _stacked(place, lines):
    """Lines below each other in one cell, which stands on the last ("b") or the first ("t") of them."""
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


def escape_tex(text):
    """Text that LaTeX sets as it stands; a character that only Unicode engines know stays as it is."""
    return "".join(_SPECIAL.get(one, one) for one in plain(text))

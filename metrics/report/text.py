"""The report for the terminal, as Markdown, and as CSV."""

import csv
import re

from metrics.report.cells import (
    BEST_NOTE,
    DAGGER,
    LEAKAGE_TITLE,
    OVER_FITTED_NOTE,
    PUBLISHED_TITLE,
    best_labels,
    cell_of,
    columns_of,
    counts,
    flagged,
    footnotes,
    leakage,
    main_protocol,
    plain,
    protocol_items,
)
from metrics.report.style import TableStyle
from metrics.rows import Row

WIDTH = 150
# What starts markup within a line; brackets only in what could be a link, underscores only at the edge of a word.
_SPECIAL = re.compile(r"[\\`*<>|~$&]|(?<![^\W_])_|_(?![^\W_])|^#")
_LINK = re.compile(r"\][\[(:]")


def format_table(report, width=WIDTH, style=None):
    """The report for the terminal.

    One line for each row, "mean [low, high]" in each column, "-" where a value is undefined. Columns beyond `width` characters
    go to a further block of the same rows.

    Args:
        report: what `metrics.report.build.build_report` gave.
        width: characters in a line, about.
        style: metrics.report.style.TableStyle; None: the default.

    Returns:
        str without a newline at its end.
    """
    columns = (style or TableStyle()).columns_shown(report)
    labels = ["", *(plain(row["label"]) for row in report["rows"])]
    table = [["videos", *(str(row["videos"]) for row in report["rows"])]]
    table += [[column.head, *(cell_of(row, column).line() for row in report["rows"])] for column in columns]
    lines = _blocks(labels, table, width)
    lines += [f"{DAGGER} {OVER_FITTED_NOTE}"] if flagged(report, columns) else []
    lines += footnotes(report, columns)
    for system, changes in leakage(report):
        lines.append(f"{LEAKAGE_TITLE}: {plain(system)}: " + "; ".join(f"{label} {text}" for label, text in changes))
    lines.append(counts(report))
    lines += [f"{name}: {value}" for name, value in main_protocol(report)]
    lines += [f"failed: {plain(one['name'])}: {plain(one['reason'])}" for one in report["failed"]]
    return "\n".join(lines)


def format_published_table(published):
    """The numbers of others for the terminal.

    Args:
        published: (heads, cells, footnotes): list of str, list of lists of str, list of str.

    Returns:
        str without a newline at its end.
    """
    heads, cells, notes = published
    lines = [[plain(one) for one in line] for line in (heads, *cells)]
    first, *others = ([line[index] for line in lines] for index in range(len(heads)))
    return "\n".join([PUBLISHED_TITLE, *_blocks(first, others, width=None), *(plain(note) for note in notes)])


def _blocks(labels, columns, width):
    """Lines of aligned text, with a blank line between blocks; `width` None: one block."""
    margin = max(map(len, labels), default=0)
    blocks, used = [[]], margin
    for column in columns:
        wide = max(map(len, column)) + 2
        if width is not None and blocks[-1] and used + wide > width:
            blocks.append([])
            used = margin
        blocks[-1].append([text.rjust(wide) for text in column])
        used += wide
    lines = []
    for block in blocks:
        lines += [""] if lines else []
        lines += ["".join([label.ljust(margin), *cells]).rstrip() for label, *cells in zip(labels, *block, strict=True)]
    return lines


def markdown_page(report, published=None, style=None):
    """The report as a Markdown page with GitHub tables; `published` and `style` as for `metrics.report.files.write_report`."""
    style = style or TableStyle()
    columns, chosen = columns_of(report), style.columns_shown(report)
    notes = _notes(report, chosen)
    lines = ["# Evaluation", "", *_measured(report, chosen), ""]
    lines += [f"* {escape_markdown(note)}" for note in [*notes, counts(report)]]
    changes = leakage(report)
    if changes:
        lines += ["", f"## Leakage: {LEAKAGE_TITLE}", ""]
        lines += [f"* {escape_markdown(system)}: " + "; ".join(escape_markdown(f"{label} {text}") for label, text in one)
                  for system, one in changes]  # fmt: skip
    if style.columns is not None:
        more = [note for note in _notes(report, columns) if note not in notes]
        lines += ["", "## All measures", "", *_measured(report, columns), *([""] if more else [])]
        lines += [f"* {escape_markdown(note)}" for note in more]
    if report["failed"]:
        lines += ["", "## Failed", "", *_table(["video", "row", "reason"], [
            [one["name"], Row.from_dict(one["row"]).label, one["reason"]] for one in report["failed"]])]  # fmt: skip
    lines += ["", "## Measures", "", *(f"* {escape_markdown(f'{column.head}: {column.meaning}')}" for column in columns)]
    lines += ["", "## Protocol", "", *(f"* {escape_markdown(f'{name}: {value}')}" for name, value in protocol_items(report))]
    if published is not None:
        heads, cells, notes = published
        lines += ["", "## Published numbers", "", f"{PUBLISHED_TITLE[0].upper()}{PUBLISHED_TITLE[1:]}.", "",
                  *_table(heads, cells), "", *(f"* {escape_markdown(note)}" for note in notes)]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def _notes(report, columns):
    """Notes below a table of these measures."""
    notes = [f"{DAGGER} {OVER_FITTED_NOTE}"] if flagged(report, columns) else []
    notes += [BEST_NOTE] if any(best_labels(report, column) for column in columns) else []
    return notes + footnotes(report, columns)


def _measured(report, columns):
    """Lines of the table of these measures, the best value of each bold."""
    best = {column.key: best_labels(report, column) for column in columns}
    lines = []
    for row in report["rows"]:
        cells = [cell_of(row, column) for column in columns]
        texts = [escape_markdown(cell.line()) for cell in cells]
        for at, (cell, column) in enumerate(zip(cells, columns, strict=True)):
            if row["label"] in best[column.key]:
                mean = escape_markdown(cell.mean)
                texts[at] = f"**{mean}**{texts[at].removeprefix(mean)}"
        lines.append([escape_markdown(row["label"]), str(row["videos"]), *texts])
    return _escaped_table([escape_markdown(head) for head in ("", "videos", *(column.head for column in columns))], lines)


def _table(heads, cells):
    heads, *cells = ([escape_markdown(one) for one in line] for line in (heads, *cells))
    return _escaped_table(heads, cells)


def _escaped_table(heads, cells):
    lines = [heads, *cells]
    lines.insert(1, ["---", *["---:"] * (len(lines[0]) - 1)])
    return ["| " + " | ".join(line) + " |" for line in lines]


def escape_markdown(text):
    """Text that Markdown shows as it stands, in a table too."""
    escaped = _SPECIAL.sub(r"\\\g<0>", plain(text))
    return re.sub(r"[][]", r"\\\g<0>", escaped) if _LINK.search(escaped) else escaped


def write_csv(report, file):
    """Write the report as CSV: one line for each video and row, then for each row the mean, median, low and high.

    Args:
        report: what `metrics.report.build.build_report` gave.
        file: text file, opened with newline="". An empty field is an undefined value. The first column, "line", is "video",
            "mean", "median", "low" or "high".
    """
    keys = [column["key"] for column in report["columns"]]
    writer = csv.writer(file)
    writer.writerow(["line", "name", "face", "kind", "system", "protocol", "frames", "precision", *keys])
    for video in report["videos"]:
        writer.writerow(["video", video["name"], video["face"], *_row_fields(video), video["frames"]["compared"],
                         video.get("precision"), *(video["values"].get(key) for key in keys)])  # fmt: skip
    for row in report["rows"]:
        for line in ("mean", "median", "low", "high"):
            writer.writerow([line, "", "", *_row_fields(row), "", "", *(row["cells"][key][line] for key in keys)])


def _row_fields(one):
    return [one["row"][part] for part in ("kind", "system", "protocol")]

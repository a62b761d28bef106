"""The report as one HTML file that loads nothing: no script, pictures inside as base64, readable on a phone and in the dark."""

from base64 import b64encode
from html import escape

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
    plain,
    protocol_items,
    split_head,
)
from metrics.report.plots import JITTER, encoded, offset_scatter, row_styles, shift_curves
from metrics.report.style import TableStyle
from metrics.rows import Row

RANKS = ("worst", "best")
SEEN = 10  # measures that a screen of 1,280 pixels shows beside the names
STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e21; --soft: #62676d; --line: #d9dce0; --shade: #f5f6f8;
        --mark: #b3400a; --dark: #0005 }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15171a; --ink: #e6e7e9; --soft: #a0a5ac; --line: #363a40; --shade: #1f2226; --mark: #ff9a5c; --dark: #000c }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 78rem; padding: 1rem; background: var(--paper); color: var(--ink);
       font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: .5rem 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
p, li { max-width: 48rem } .soft, small, figcaption { color: var(--soft) } ul { padding-left: 1.2rem }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem;
        background: linear-gradient(to left, var(--paper) 2rem, transparent 4rem) right / 4rem 100% no-repeat local,
                    linear-gradient(to left, var(--dark), transparent) right / 1.1rem 100% no-repeat scroll var(--paper) }
@supports not selector(::-webkit-scrollbar) { .wide { scrollbar-color: var(--soft) var(--shade) } }
.wide::-webkit-scrollbar { height: .8rem } .wide::-webkit-scrollbar-track { background: var(--shade) }
.wide::-webkit-scrollbar-thumb { background: var(--soft); border-radius: .4rem; border: .15rem solid var(--shade) }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; overflow-wrap: normal }
th, td { padding: .4rem .55rem; font-size: .9rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line);
         vertical-align: top }
th:first-child, td:first-child { text-align: left; background: var(--paper); position: sticky; left: 0; white-space: normal;
                                 min-width: 8rem; max-width: 16rem; overflow-wrap: break-word }
th:first-child, td:first-child { border-right: 1px solid var(--line) }
thead th { font-weight: 600; vertical-align: bottom } thead th:first-child { background: var(--shade) }
thead th small { display: block; font-weight: 400 } tbody th { font-weight: 500 }
tbody tr:last-child > * { border-bottom: 0 } td small { display: block; font-size: .75rem }
table.text td, table.text thead th { text-align: left; white-space: normal; overflow-wrap: break-word; max-width: 36rem }
.mark { color: var(--mark); font-weight: 400 } .legend > span { margin-right: 1rem; display: inline-block }
dl { display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; gap: .3rem 1rem; margin: 0 }
dt { color: var(--soft) } dd { margin: 0 }
img { max-width: 100%; height: auto; display: block } figure { margin: 0 }
.plots, .strips { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)) }
.strips { grid-template-columns: 1fr } .published { border-style: dashed } summary { cursor: pointer }
@media (max-width: 36rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .6rem }
                           th, td { padding: .35rem .5rem } }
"""


def html_page(report, pictures=(), published=None, style=None):
    """One self-contained HTML page.

    Args:
        report: what `metrics.report.build.build_report` gave.
        pictures, published, style: as for `metrics.report.files.write_report`.

    Returns:
        str.
    """
    style = style or TableStyle()
    parts = [
        _head(), "<h1>Evaluation of talking faces</h1>", f"<p>{_text(counts(report))}</p>",
        "<h2>Result</h2>", _result(report, style.columns_shown(report)), _all_measures(report, style), _leakage(report),
        _plots(report), _pictures(pictures), _failed(report),
        _published(published), _measures(report), _protocol(report), _notes(report), "</body></html>",
    ]  # fmt: skip
    return "\n".join(part for part in parts if part) + "\n"


def _head():
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>Evaluation of talking faces</title>\n<style>{STYLE}</style></head><body>")  # fmt: skip


def _text(text):
    return escape(plain(text))


def _result(report, columns):
    notes = _notes_below(report, columns)
    notes += ["More measures stand to the right: scroll the table."] if len(columns) > SEEN else []
    return "\n".join([_table(report, columns), *_soft(notes)])


def _notes_below(report, columns):
    """Notes below a table of these measures, as HTML."""
    notes = [f'<span class="mark">{DAGGER}</span> {OVER_FITTED_NOTE}'] if flagged(report, columns) else []
    notes += [BEST_NOTE] if any(best_labels(report, column) for column in columns) else []
    return notes + [_text(note) for note in footnotes(report, columns)]


def _soft(notes):
    return [f'<p class="soft">{note}</p>' for note in notes]


def _all_measures(report, style):
    """All measures in a table that is opened by a click, where the main table shows a choice."""
    if style.columns is None:
        return ""
    columns, below = columns_of(report), _notes_below(report, style.columns_shown(report))
    notes = "\n".join(_soft(note for note in _notes_below(report, columns) if note not in below))
    return f"<details><summary>All measures</summary>\n{_table(report, columns)}{notes}</details>"


def _table(report, columns):
    lines = ["<div class=wide tabindex=0><table><thead><tr><th></th><th scope=col>videos</th>"]
    for column in columns:
        name, bracket = split_head(column.head)
        below = f"<small>{_text(bracket)}</small>" if bracket else ""
        lines.append(f'<th scope=col title="{_text(column.meaning)}">{_text(name)}{below}</th>')
    lines.append("</tr></thead><tbody>")
    best = {column.key: best_labels(report, column) for column in columns}
    for row in report["rows"]:
        missing = f"<small>{row['failed']} failed</small>" if row["failed"] else ""
        lines.append(f"<tr><th scope=row>{_text(row['label'])}</th><td>{row['videos']}{missing}</td>")
        lines += [_cell(cell_of(row, column), row["label"] in best[column.key]) for column in columns]
        lines.append("</tr>")
    return "\n".join([*lines, "</tbody></table></div>"])


def _cell(cell, best):
    mean = f"<b>{_text(cell.mean)}</b>" if best else _text(cell.mean)
    mark = f'<span class="mark">{DAGGER}</span>' if cell.over_fitted else ""
    below = "".join(f"<small>{_text(one)}</small>" for one in (cell.interval, cell.more) if one)
    return f"<td>{mean}{mark}{below}</td>"


def _leakage(report):
    changes = leakage(report)
    if not changes:
        return ""
    lines = [f"<h2>Leakage: {LEAKAGE_TITLE}</h2>", "<ul>"]
    for system, one in changes:
        items = "".join(f"<li>{_text(f'{label} {text}')}</li>" for label, text in one)
        lines.append(f"<li>{_text(system)}<ul>{items}</ul></li>")
    return "\n".join([*lines, "</ul>"])


def _plots(report):
    scatter, curves = offset_scatter(report), shift_curves(report)
    lines = ["<h2>Lip sync of each video</h2>"]
    if scatter is None and curves is None:
        return "\n".join([*lines, "<p>No video has a value of a sync expert, so there is nothing to plot.</p>"])
    lines.append('<p class="legend">')
    lines += [f'<span><span style="color:{style.colour}">{style.sign}</span> {_text(row["label"])}</span>'
              for row, style in zip(report["rows"], row_styles(report), strict=True)]  # fmt: skip
    lines.append('</p><div class="plots">')
    if scatter is not None:
        caption = ("Confidence over AV offset, a point for each video; points are moved by up to "
                   f"{JITTER} frames to either side, so that equal offsets show.")  # fmt: skip
        lines.append(_figure(encoded(scatter, "png"), "png", caption))
    if curves is not None:
        caption = ("Mean distance over the shift of the sound: mean over videos, with a band from the lower to the upper "
                   "quartile; dashed: unpaired.")  # fmt: skip
        lines.append(_figure(encoded(curves, "png"), "png", caption))
    return "\n".join([*lines, "</div>"])


def _figure(data, kind, caption):
    shown = _text(caption)
    return (f'<figure><img alt="{shown}" src="data:image/{kind};base64,{b64encode(data).decode("ascii")}">'
            f"<figcaption>{shown}</figcaption></figure>")  # fmt: skip


def _pictures(pictures):
    lines = []
    for rank in RANKS:
        chosen = [picture for picture in pictures if picture["rank"] == rank]
        if chosen:
            lines.append(f"<h2>{rank.capitalize()} videos</h2>")
            lines += ["<p>Faces of the generated video above, of the real one below.</p>", '<div class="strips">']
            lines += [_figure(one["jpeg"], "jpeg", _caption(one)) for one in chosen]
            lines.append("</div>")
    return "\n".join(lines)


def _caption(picture):
    return f"{picture['name']} ({picture['row'].label}): {picture.get('measure', 'value')} {picture['value']:.4g}"


def _failed(report):
    if not report["failed"]:
        return ""
    cells = [[one["name"], Row.from_dict(one["row"]).label, one["reason"]] for one in report["failed"]]
    return f"<h2>Failed</h2>\n{_text_table(['video', 'row', 'reason'], cells, 'wide')}"


def _text_table(heads, cells, classes):
    lines = [f'<div class="{classes}"><table class="text"><thead><tr>']
    lines += [f"<th scope=col>{_text(head)}</th>" for head in heads]
    lines.append("</tr></thead><tbody>")
    lines += ["<tr>" + "".join(f"<td>{_text(one)}</td>" for one in line) + "</tr>" for line in cells]
    return "\n".join([*lines, "</tbody></table></div>"])


def _published(published):
    if published is None:
        return ""
    heads, cells, notes = published
    title = PUBLISHED_TITLE[0].upper() + PUBLISHED_TITLE[1:]
    return "\n".join(["<h2>Published numbers</h2>", f"<p><span class=mark>{_text(title)}.</span></p>",
                      _text_table(heads, cells, "wide published"), *(f'<p class="soft">{_text(note)}</p>' for note in notes)])


def _measures(report):
    return "\n".join(["<h2>Measures</h2>", _definitions((column.head, column.meaning) for column in columns_of(report))])


def _protocol(report):
    return "\n".join(["<h2>Protocol</h2>", _definitions(protocol_items(report))])


def _definitions(items):
    return "\n".join(["<dl>", *(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in items), "</dl>"])


def _notes(report):
    """Notes on videos, the same sentence once with the videos it belongs to."""
    notes = {}
    for video in report["videos"]:
        for note in video["notes"]:
            notes.setdefault(note, {})[video["name"]] = None
    if not notes:
        return ""
    items = [f"<li>{_text(note)}: {_text(', '.join(names))}</li>" for note, names in notes.items()]
    opening = f"<h2>Notes</h2>\n<details><summary>{len(notes)} notes on videos</summary><ul>"
    return "\n".join([opening, *items, "</ul></details>"])

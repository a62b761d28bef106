"""The tables of the comparison, as Markdown, JSON and one HTML page."""

from base64 import b64encode
from html import escape
from pathlib import Path

import numpy as np

from benchmarks.compare_methods.clips import GROUPS, WAYS
from benchmarks.compare_methods.figures import COLUMNS, REAL, STILL, disagreements, read
from benchmarks.outputs import finite, write_outputs
from benchmarks.seeds import goodness, verdict
from benchmarks.tables import number
from common.files import atomic_output
from metrics.report.html import STYLE

MAIN = ("sync_distance", "sync_confidence", "sync_offset", "frechet", "ssim_mouth", "psnr_mouth", "lmd_normalised",
        "mouth_correlation", "mouth_range", "sharpness", "words_read")  # fmt: skip
REST = ("expert_distance", "expert_confidence", "identity_cosine", "jitter", "jitter_mouth", "yaw_error", "pitch_error",
        "au_f1_geometry", "open_in_silence")  # fmt: skip
CONTROLS = (("other", ("sync_confidence", "own_mouth", "mouth_movement")), ("silent", ("mouth_movement", "open_in_silence")))
PORTRAIT = ("sync_confidence", "sync_offset", "lmd_normalised", "mouth_correlation", "mouth_range", "sharpness",
            "identity_cosine", "words_read")  # fmt: skip
JUDGES = ("sync_confidence", "expert_confidence", "mouth_correlation", "words_read")


def write_report(out, methods, facts, pictures=()):
    """Write OUT/table.md, table.json and page.html.

    Args:
        out: folder, with its figures in OUT/figures.
        methods: tuple of methods.Method, in the order of the table; facts: {what: text}, above
            the tables.
        pictures: list of (title, path of a PNG or MP4) for the page.

    Returns:
        text of the Markdown.

    Raises:
        InputError: nothing has been measured.
    """
    out = Path(out)
    found = read(out / "figures", [method.key for method in methods])
    methods = [method for method in methods if method.key in found.methods]
    blocks = list(_blocks(found, methods, facts))
    text = "\n\n".join(_markdown(*block) for block in blocks)
    summary = {
        key: {" ".join(place): {column: one.mean(column) for column in COLUMNS} for place, one in groups.items()}
        for key, groups in found.methods.items()
    }
    write_outputs(out / "table", finite(summary), text)
    with atomic_output(out / "page.html") as temporary:
        temporary.write_text(_page(blocks, pictures), encoding="utf-8")
    return text


def _blocks(found, methods, facts):
    """(title, heads, rows of cells, notes) of each table."""
    yield "What was done", (), (), [f"{name}: {text}" for name, text in facts.items()]
    for group, words in GROUPS.items():
        real = found.methods[REAL].get((group, "own"))
        if real is None:
            continue
        count = real.values["sync_distance"].shape[1]
        title = f"{words[0].upper()}{words[1:]}, {count} clips"
        yield f"{title}: {WAYS['own'][1]}", *_table(found, methods, group, "own", MAIN, True), _legend()
        yield f"{title}: further measures of the same videos", *_table(found, methods, group, "own", REST, True), []
        yield f"{title}: {WAYS['portrait'][1]}", *_table(found, methods, group, "portrait", PORTRAIT, False), []
        yield (
            f"{title}: controls",
            *_controls(found, methods, group),
            [
                "other: C of the sound that is heard; own mouth r near 0 and movement near 1 are right. silent: movement 0"
            ],
        )
        names = {method.key: method.name for method in methods}
        told = disagreements(found, names, group, JUDGES)
        yield f"{title}: where judges disagree", (), (), told or ["No two judges order two methods differently beyond chance."]
    rows = [
        [method.name, number(found.parameters[method.key], 2), number(found.seconds[method.key], 3)] for method in methods
    ]
    yield (
        "Size and speed",
        ("method", "million parameters", "seconds a frame"),
        rows,
        [
            "Seconds a frame, own sound, median over clips: decoding, drawing, pasting, encoding; without finding the face."
        ],
    )
    if found.failed:
        yield "Videos that failed", (), (), found.failed


def _legend():
    return ["Mean over clips and seeds, in brackets its 95 % interval over clips. ▲ better, ▼ worse than Wav2Lip: in every "
            "seed, and the interval of the difference leaves out 0. Bold: the best method. † better than the real video by a "
            "judge of sync: over-fitted, never bold. Sharpness is over the real video's; range, jitter and sharpness are best "
            "at 1."]  # fmt: skip


def _table(found, methods, group, way, keys, references):
    """(heads, rows) of one group and way; columns that nobody has are left out."""
    rows = {method.key: found.methods[method.key].get((group, way)) for method in methods}
    rows = {key: one for key, one in rows.items() if one is not None}
    still = {key: found.methods[key].get((group, "own")) for key in (REAL, STILL)} if references else {}
    keys = [key for key in keys if any(np.isfinite(one.mean(key)) for one in rows.values())]
    heads = ("method", *(found.labels[key] for key in keys), "seeds")
    best = {key: _best(rows, still.get(REAL), key) for key in keys}
    lines = [[key, *(number(one.mean(column), COLUMNS[column][1]) for column in keys), ""] for key, one in still.items()]
    for method in methods:
        if method.key not in rows:
            continue
        base = rows.get(method.baseline)
        cells = [_cell(rows[method.key], base, still.get(REAL), column, best[column] == method.key) for column in keys]
        lines.append([method.name, *cells, str(len(rows[method.key].seeds))])
    return heads, lines


def _controls(found, methods, group):
    heads = ["method", *(f"{way}: {found.labels[key]}" for way, keys in CONTROLS for key in keys)]
    lines = []
    for method in methods:
        cells = []
        for way, keys in CONTROLS:
            one = found.methods[method.key].get((group, way))
            cells += [_cell(one, None, None, key, False) if one is not None else "-" for key in keys]
        lines.append([method.name, *cells])
    return heads, lines


def _cell(figures, base, real, column, best):
    _, digits, better, opinion = COLUMNS[column]
    mean = figures.mean(column)
    text = number(mean, digits)
    text += "†" if opinion and real is not None and _over_fitted(mean, real.mean(column), better) else ""
    text = f"**{text}**" if best else text
    low, high = (None, None) if column == "frechet" else figures.interval(column)
    text += f" [{number(low, digits)}, {number(high, digits)}]" if low is not None else ""
    return text + (f" {mark}" if base is not None and (mark := verdict(figures, base, column, better)) else "")


def _best(rows, real, column):
    """Key of the best row of a column, of those that no judge prefers to the real video; None where better is undefined."""
    _, _, better, opinion = COLUMNS[column]
    if better == "none":
        return None
    means = {key: one.mean(column) for key, one in rows.items()}
    fair = {key: mean for key, mean in means.items() if np.isfinite(mean)
            and not (opinion and real is not None and _over_fitted(mean, real.mean(column), better))}  # fmt: skip
    return max(fair, key=lambda key: float(goodness(fair[key], better))) if fair else None


def _over_fitted(mean, real, better):
    return bool(np.isfinite(mean) and np.isfinite(real) and (mean > real if better == "high" else mean < real))


def _markdown(title, heads, rows, notes):
    lines = [f"**{title}**", ""]
    if rows:
        lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
        lines += [""] if notes else []
    if rows:
        lines += notes
    else:
        lines += [f"* {note}" for note in notes]
    return "\n".join(lines).rstrip()


def _page(blocks, pictures):
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Talking faces: all methods</title><style>{STYLE}</style><h1>All methods, one protocol</h1>",
    ]
    for title, path in pictures:
        kind = "video/mp4" if str(path).endswith(".mp4") else "image/png"
        data = f"data:{kind};base64,{b64encode(Path(path).read_bytes()).decode()}"
        shown = (
            f"<video controls width=100% src='{data}'></video>"
            if kind.startswith("video")
            else f"<img alt='{escape(title)}' src='{data}'>"
        )
        parts.append(f"<h2>{escape(title)}</h2><figure>{shown}</figure>")
    for title, heads, rows, notes in blocks:
        parts.append(f"<h2>{escape(title)}</h2>")
        if rows:
            head = "".join(f"<th>{escape(one)}</th>" for one in heads)
            body = "".join("<tr>" + "".join(f"<td>{_html(cell)}</td>" for cell in row) + "</tr>" for row in rows)
            parts.append(f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")
        parts += [f"<p class=soft>{escape(note)}</p>" for note in notes]
    return "\n".join(parts) + "\n"


def _html(cell):
    """A cell of the Markdown as HTML: bold, and the interval on a line of its own."""
    text = escape(cell)
    if text.startswith("**"):
        text = "<b>" + text[2:].replace("**", "</b>", 1)
    return text.replace(" [", "<small>[", 1).replace("]", "]</small>", 1) if " [" in text else text

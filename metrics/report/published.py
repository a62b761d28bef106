"""Numbers that papers print, kept apart from what is measured here: `published.csv`, its table and the page docs/published.md.

They were read in lipsync-papers (github.com/will-rice/lipsync-papers, commit f1b2efc), a machine conversion of the papers, but
for those that name the Wav2Lip repository.
"""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.suggest import refuse_unknown

TABLE = Path(__file__).with_name("published.csv")
REAL_VIDEO = "real video"
MARK = " (published)"
MEASURES = {"lse_d": "LSE-D", "lse_c": "LSE-C", "fid": "FID", "ssim": "SSIM", "psnr": "PSNR", "lmd": "LMD"}
FIELDS = ("dataset", "method", *MEASURES, "paired", "source", "protocol", "note")
RERUNS = ("W2L issue #445", "LP:2602.00189", "LP:2211.14758 VideoReTalking")
OWN = "LP:2008.10010 Wav2Lip"
COPY_WORDS = ("copied row", "same ", " as in LP:")  # how a note says that its row stands in another paper too


@dataclass(frozen=True)
class Published:
    """One row of one table of one paper.

    Attributes:
        dataset: "GRID", "LRS2", "LRS3", "LRW" or "TCD-TIMIT".
        method: as its table names it; "theirs": the paper's own, whose name is not kept here; "real video": the ground truth.
        lse_d, lse_c, fid, ssim, psnr, lmd: float, or None where the source gives none. SSIM is a fraction of 1, PSNR in dB;
            LMD is in pixels of a crop that is not known here, or without unit where the note says normalised.
        paired: the table's sound. "P": of the real video itself; "U": other sound; "?": not known here.
        source: short name of the paper; "LP:" stands before the arXiv number of a file of lipsync-papers.
        protocol: what is known of sets, counts and crops; "" for nothing.
        note: what is special about the row; "" for nothing. Parts are set apart by "; ".
        printed: the six measures as text, with the digits that the source gives; "" for none.
    """

    dataset: str
    method: str
    lse_d: float | None
    lse_c: float | None
    fid: float | None
    ssim: float | None
    psnr: float | None
    lmd: float | None
    paired: str
    source: str
    protocol: str
    note: str
    printed: tuple


def read_published(path=TABLE):
    """All rows of the file, in its order.

    Returns:
        list of Published.

    Raises:
        InputError: the file cannot be read, or is not such a table.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != FIELDS:
                raise InputError(f"{path}: the columns must be {', '.join(FIELDS)}")
            return [_row(line, f"{path}: line {reader.line_num}") for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table of published numbers ({error})") from error


def _row(line, place):
    if None in line or None in line.values():
        raise InputError(f"{place}: must have {len(FIELDS)} fields")
    if line["paired"] not in ("P", "U", "?"):
        raise InputError(f"{place}: paired must be P, U or ?, not {line['paired']!r}")
    try:
        values = {key: float(line[key]) if line[key] else None for key in MEASURES}
    except ValueError as error:
        raise InputError(f"{place}: {error}") from error
    return Published(**{**line, **values}, printed=tuple(line[key] for key in MEASURES))


def select(dataset):
    """The rows of one data set, in the order of the file.

    Args:
        dataset: its name, in any case.

    Returns:
        list of Published, not empty.

    Raises:
        InputError: no published numbers of that data set are kept here.
    """
    rows = read_published()
    refuse_unknown([dataset.lower()], dict.fromkeys(row.dataset.lower() for row in rows), "data set of published numbers")
    return [row for row in rows if row.dataset.lower() == dataset.lower()]


def format_published(rows):
    """Text of a table of published rows; each method is marked as published, so that it cannot pass for a measured one.

    Args:
        rows: iterable of Published.

    Returns:
        heads, list of 9 str; cells, a list of 9 str for each row. "-" stands where the source gives nothing, and under P/U
        of the real video, which is driven by no sound.
    """
    heads = ["Method", *MEASURES.values(), "P/U", "Source"]
    cells = [[row.method + MARK, *_numbers(row), "-" if row.method == REAL_VIDEO else row.paired, row.source] for row in rows]
    return heads, cells


def footnotes(rows):
    """What belongs below such a table: for each paper its protocol and what holds for all its rows, then the notes of rows.

    Args:
        rows: iterable of Published.

    Returns:
        list of str, one line each; papers and rows of which nothing is to be said have none.
    """
    lines = []
    for group in _groups(rows):
        first, shared = group[0], _shared(group)
        if known := "; ".join(filter(None, [first.protocol, *shared])):
            lines.append(f"{first.source} ({first.dataset}, {first.paired}): {known}")
        lines += [f"{row.method}, {row.source} ({row.dataset}, {row.paired}): {note}"
                  for row in group if (note := _own_note(row, shared))]
    return lines


def _numbers(row):
    return [text or "-" for text in row.printed]


def _groups(rows):
    """Lists of the rows that stand in one table of one paper."""
    groups = {}
    for row in rows:
        groups.setdefault((row.dataset, row.source, row.paired, row.protocol), []).append(row)
    return list(groups.values())


def _shared(group):
    """Parts of the notes that every row of a group of several has."""
    parts = [row.note.split("; ") for row in group]
    return [part for part in parts[0] if part and len(group) > 1 and all(part in other for other in parts)]


def _own_note(row, shared):
    return "; ".join(part for part in row.note.split("; ") if part not in shared)


_OPENING = """\
# Published numbers

What papers print for {datasets}: {count} rows of {papers} sources, from `metrics/report/published.csv`. None was
measured here. They were read from a machine conversion of the papers (lipsync-papers, markdown): **spot-check a number in the
paper itself before it goes into a paper of yours.** Each row names its source. "LP:" stands before an arXiv
number, "W2L" for the Wav2Lip repository.

`python evaluate.py ... --with_published lrs2` (or `grid`) prints the rows of a data set beneath the measured table, each marked
"(published)".

## How to use them

* Never mix rows of different papers, nor a paper's rows with your own: crops, clips, detectors and counts differ. The next
  section shows how much.
* Measure the real video and the released Wav2Lip in your own pipeline, and compare gaps to those two: a paper's gaps with
  your own.
* P: the sound is the real video's own. U: other sound. "?": not known here. P alone hides a model that reads the mouth
  from its reference: with other sound, in Yaman's tables (LP:2307.09368, LP:2507.20953), LSE-C falls from {iplap}
  for IP-LAP and from {talklip} for TalkLip.
* A better LSE than the real video's is the opinion of a sync expert that the model was trained to please.
* A still picture already has SSIM {still} on GRID (LP:2005.03201), so read SSIM beside the measured table's
  "no motion" row.
* "-": the source gives none. SSIM is a fraction of 1, PSNR is in dB, the crop of LMD is not stated. Digits are as read. Other
  measures of these tables (LPIPS, CPBD, CSIM, FVD, word error rate WER, action units) are left out, or stand in a note.
* "theirs": the paper's own method, whose name is not kept here. ATVG and ATVGnet are one method, here called ATVGnet.
"""
_SPREAD = """\

## The same weights in many papers

Rows of LRS2 that are Wav2Lip without GAN; they are taken for the released weights.

{table}

LSE-C {lse_c}, FID {fid}, SSIM {ssim}, PSNR {psnr}. Papers do not agree on real video
either: its LSE-C is {real_lrs2} on LRS2 and {real_grid} on GRID. (IP-LAP's LMD is normalised and its LSE-C is of other
sound; OpFlowTalker's LMD is the mouth's.)
"""
_RERUNS = """\

## The released weights measured again

On LRS2 with other sound, as in the paper's own table, which stands first.

{table}

Others measure an LSE-D about 0.75 higher and an LSE-C about 1.0 lower than the paper prints for Wav2Lip. Expect that, not 6.386
and 7.789.
"""
_COPIED = """\

## Copied rows

A number that stands in two papers may be one measurement. The LRS2 rows of FT2TF and the Wav2Lip, IP-LAP and EAMM rows of
CEM-Net are IP-LAP's, and are left out here. These are kept, and their notes say so:

{rows}
"""
_ENDING = """
## Making this page

From `metrics/report/published.csv`; a test compares the two.

```
python -m metrics.report.published > docs/published.md
```
"""


def page():
    """The whole text of docs/published.md."""
    rows = read_published()
    datasets = list(dict.fromkeys(row.dataset for row in rows))
    lrs2, grid = select("LRS2"), select("GRID")
    text = _OPENING.format(
        datasets=f"{', '.join(datasets[:-1])} and {datasets[-1]}", count=len(rows), papers=len({row.source for row in rows}),
        iplap=_fall(lrs2, "IP-LAP"), talklip=_fall(lrs2, "TalkLip"),
        still=next(row.printed[3] for row in grid if row.source == "LP:2005.03201"))
    wav2lip = [row for row in lrs2 if row.method == "Wav2Lip"]
    real_lrs2, real_grid = ([row for row in part if row.method == REAL_VIDEO] for part in (lrs2, grid))
    text += _SPREAD.format(
        table=_table(["Paper", *MEASURES.values(), "P/U"], [[row.source, *_numbers(row), row.paired] for row in wav2lip]),
        lse_c=_span(wav2lip, "lse_c", 1), fid=_span(wav2lip, "fid", 1), ssim=_span(wav2lip, "ssim", 2),
        psnr=_span(wav2lip, "psnr", 1), real_lrs2=_span(real_lrs2, "lse_c", 1), real_grid=_span(real_grid, "lse_c", 1))
    again = [row for source in (OWN, *RERUNS) for row in lrs2
             if row.source == source and row.method in ("Wav2Lip", "Wav2Lip+GAN")]
    text += _RERUNS.format(table=_table(["Source", "Method", "LSE-D", "LSE-C", "FID"],
                                        [[row.source, row.method, *_numbers(row)[:3]] for row in again]))
    same = [row for row in rows if any(word in row.note for word in COPY_WORDS)]
    text += _COPIED.format(rows="\n".join(f"* {row.dataset}, {row.source}, {row.method}: {row.note}" for row in same))
    return text + "".join(_dataset(name, [row for row in rows if row.dataset == name]) for name in datasets) + _ENDING


def _dataset(name, rows):
    """Section of one data set: for each paper its protocol and its rows."""
    text = f"\n## {name}\n"
    for group in _groups(rows):
        shared = _shared(group)
        sound = {"P": "P, own sound", "U": "U, other sound", "?": "?, sound not stated"}[group[0].paired]
        known = [sound, *filter(None, [group[0].protocol, *shared])]
        known += ["nothing more is known"] * (len(known) == 1)
        lines = [[row.method, *_numbers(row), _own_note(row, shared)] for row in group]
        text += f"\n### {name}, {group[0].source} ({group[0].paired})\n\nProtocol: {'; '.join(known)}.\n\n"
        text += _table(["Method", *MEASURES.values(), "Note"], lines) + "\n"
    return text


def _table(heads, lines):
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [heads, ["---"] * len(heads), *lines])


def _span(rows, key, digits):
    values = [getattr(row, key) for row in rows if getattr(row, key) is not None]
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def _fall(rows, method):
    """LSE-C of a method with own and with other sound in Yaman's tables."""
    own, other = (next(row.lse_c for row in rows if (row.source, row.paired, row.method) == (source, paired, method))
                  for source, paired in (("LP:2307.09368 Yaman", "P"), ("LP:2507.20953 Yaman", "U")))
    return f"{own:.2f} to {other:.2f}"


if __name__ == "__main__":
    sys.stdout.write(page())

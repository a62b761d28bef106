"""The published numbers: as they were read, sane, marked as published, and the page made from them."""

import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import InputError
from metrics.report.published import FIELDS, MEASURES, REAL_VIDEO, footnotes, format_published, page, read_published, select

ROOT = Path(__file__).resolve().parents[1]
# arXiv 2504.04427: LSE-D, LSE-C, FID, SSIM in per cent; on GRID, then on LRS2.
FLUENTLIP = {
    REAL_VIDEO: ((7.213, 6.143, 0, 100), (6.252, 10.427, 0, 100)),
    "ATVGnet": ((7.081, 5.523, 36.00, 90.35), (6.109, 8.323, 29.36, 83.76)),
    "Wav2Lip": ((6.352, 6.627, 26.71, 96.10), (5.487, 11.516, 28.80, 91.93)),
    "SadTalker": ((7.195, 5.542, 20.08, 87.80), (5.524, 9.792, 98.50, 55.59)),
    "TalkLip": ((5.808, 7.534, 35.38, 95.85), (5.755, 10.561, 22.71, 92.64)),
    "Diff2Lip": ((5.710, 6.903, 33.70, 95.37), (4.748, 11.926, 19.83, 94.54)),
    "FluentLip": ((6.258, 6.790, 21.94, 96.25), (5.018, 11.984, 16.93, 93.31)),
}


@pytest.fixture(scope="module")
def rows():
    return read_published()


def table(dataset, paper, *keys, paired=None):
    """{method: values of the keys} of one paper on one data set."""
    return {row.method: tuple(getattr(row, key) for key in keys) for row in select(dataset)
            if row.source.startswith(paper) and paired in (None, row.paired)}


@pytest.mark.parametrize(("dataset", "column"), [("GRID", 0), ("LRS2", 1)])
def test_fluentlip(dataset, column):
    found = table(dataset, "LP:2504.04427", "lse_d", "lse_c", "fid", "ssim", "paired")
    assert found.keys() == FLUENTLIP.keys()
    for method, values in found.items():
        *others, per_cent = FLUENTLIP[method][column]
        assert values == (*others, pytest.approx(per_cent / 100), "P")


def test_table_1_of_wav2lip():
    assert table("LRS2", "LP:2008.10010", "lse_d", "lse_c", "fid", "paired") == {
        REAL_VIDEO: (6.736, 7.838, None, "U"), "Speech2Vid": (14.23, 1.587, 12.32, "U"), "LipGAN": (10.33, 3.199, 4.861, "U"),
        "Wav2Lip": (6.386, 7.789, 4.887, "U"), "Wav2Lip+GAN": (6.469, 7.781, 4.446, "U"),
    }


def test_released_weights_measured_again():
    assert table("LRS2", "W2L issue #445", "lse_d", "lse_c") == {"Wav2Lip": (7.15, 6.77), "Wav2Lip+GAN": (7.21, 6.79)}
    assert table("LRS2", "LP:2602.00189", "lse_d", "lse_c", "fid")["Wav2Lip"] == (7.151, 6.761, 4.922)
    assert table("LRS2", "LP:2211.14758", "lse_d", "lse_c", "fid")["Wav2Lip"] == (7.116, 6.889, 5.069)


def test_vast_on_grid():
    assert table("GRID", "LP:2308.04830", "ssim", "fid", "lmd", "lse_d", "lse_c") == {
        REAL_VIDEO: (None, None, 0, 6.959, 7.039), "ATVGnet": (0.830, 56.4, 2.738, 8.031, 5.434),
        "MakeItTalk": (0.810, 38.2, 2.593, 10.138, 3.446), "Wav2Lip": (0.946, 22.6, 1.616, 6.472, 8.038),
        "VAST": (0.922, 21.0, 1.444, 6.656, 7.571),
    }


def test_yaman_with_own_and_other_sound():
    own = table("LRS2", "LP:2307.09368", "ssim", "psnr", "fid", "lmd", "lse_c", "lse_d")
    assert len(own) == 8 and own["IP-LAP"] == (0.87, 29.67, 4.10, 2.11, 6.49, 7.16)
    other = table("LRS2", "LP:2507.20953", "ssim", "psnr", "fid", "lmd", "lse_c", "lse_d", paired="U")
    assert len(other) == 6 and other["IP-LAP"] == (0.861, 28.99, 3.95, None, 3.627, 10.102)


@pytest.mark.parametrize(("dataset", "paper", "method", "key", "value"), [
    ("LRS2", "LP:2305.08293", "Wav2Lip", "fid", 43.46), ("LRS2", "LP:2303.17480", REAL_VIDEO, "lse_d", 6.45),
    ("LRS2", "LP:2305.19556", REAL_VIDEO, "lse_c", 8.247), ("LRS2", "LP:2310.05720", REAL_VIDEO, "lse_d", 6.204),
    ("LRS2", "LP:2405.14709", "Wav2Lip", "lse_c", 7.519), ("LRS2", "LP:2201.06260", "Wav2Lip", "psnr", 31.84),
    ("LRS2", "LP:2503.16357", "Wav2Lip", "lse_d", 7.521), ("LRS2", "LP:2307.03270", "Audio2Head", "lse_c", 3.18),
    ("GRID", "dubbing", REAL_VIDEO, "lse_d", 6.78), ("GRID", "LP:2005.03201", "no motion (static picture)", "ssim", 0.81),
    ("GRID", "LP:2306.16003", "PC-AVS", "lse_d", 6.944), ("GRID", "LP:2209.04252", "Wav2Lip", "lmd", 2.05),
    ("TCD-TIMIT", "LP:2005.12318", "theirs", "psnr", 26.15), ("LRW", "LP:2308.09716", "Wav2Lip", "lse_d", 6.09),
    ("LRW", "LP:2002.10137", "DAVS", "psnr", 29.90), ("LRS3", "LP:2305.08293", "IP-LAP", "ssim", 0.922),
])
def test_single_values(dataset, paper, method, key, value):
    assert table(dataset, paper, key)[method] == (value,)


def test_ranges(rows):
    sane = {"lse_d": (4, 15), "lse_c": (1, 13), "fid": (0, 300), "ssim": (0.3, 1), "psnr": (10, 40), "lmd": (0, 10)}
    for row in rows:
        values = {key: getattr(row, key) for key in MEASURES if getattr(row, key) is not None}
        assert values, row
        for key, value in values.items():
            assert sane[key][0] <= value <= sane[key][1], (row, key)
        assert (0 in (row.fid, row.lmd) or row.ssim == 1) <= (row.method == REAL_VIDEO), row
        assert [float(text) for text in row.printed if text] == list(values.values())


def test_every_row_says_whence_and_stands_once(rows):
    assert all(row.source and row.method and row.dataset and row.paired in ("P", "U", "?") for row in rows)
    keys = [(row.dataset, row.source, row.method, row.paired) for row in rows]
    assert len(set(keys)) == len(keys)


def test_select_in_any_case(rows):
    assert select("grid") == select("GRID") == [row for row in rows if row.dataset == "GRID"] != []
    assert {row.dataset for row in select("Tcd-Timit")} == {"TCD-TIMIT"}


def test_unknown_data_set_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="'hdtf'; known: grid, lrs2, lrs3, lrw, tcd-timit"):
        select("hdtf")
    with pytest.raises(InputError, match="did you mean lrs2"):
        select("lrs-2")


def test_a_table_marks_every_method_as_published(rows):
    heads, cells = format_published(rows)
    assert heads == ["Method", "LSE-D", "LSE-C", "FID", "SSIM", "PSNR", "LMD", "P/U", "Source"]
    assert len(cells) == len(rows)
    for row, line in zip(rows, cells, strict=True):
        assert len(line) == len(heads) and all(isinstance(cell, str) and cell for cell in line)
        assert line[0] == f"{row.method} (published)" and line[-1] == row.source
    wav2lip = next(line for line in cells if line[0].startswith("Wav2Lip ") and line[-1].startswith("LP:2504.04427"))
    assert wav2lip[1:-1] == ["6.352", "6.627", "26.71", "0.9610", "-", "-", "P"]  # digits as in the source
    assert {line[-2] for line in cells if line[0].startswith(REAL_VIDEO)} == {"-"}
    assert format_published([])[1] == []


def test_footnotes_hold_every_protocol_and_note(rows):
    lines = footnotes(rows)
    assert len(lines) == len(set(lines))
    text = "\n".join(lines)
    for row in rows:
        assert row.protocol in text and all(part in text for part in row.note.split("; "))
    assert "LP:2305.08293 IP-LAP (LRS2, P): 45 clips, 128 px; " in text
    assert sum("LMD is normalised" in line for line in lines) == 1  # said once for the paper, not for each row


def test_the_page_is_what_the_module_prints():
    stored = (ROOT / "docs" / "published.md").read_text(encoding="utf-8")
    assert stored == page(), "run: python -m metrics.report.published > docs/published.md"
    run = subprocess.run([sys.executable, "-m", "metrics.report.published"], cwd=ROOT, capture_output=True, check=True)
    assert run.stdout.decode() == stored


def test_the_page_holds_all_rows_and_the_warnings(rows):
    text = page()
    lines = text.splitlines()
    for row in rows:
        head = lines.index(f"### {row.dataset}, {row.source} ({row.paired})")
        section = lines[head + 1:next((i for i in range(head + 1, len(lines)) if lines[i].startswith("#")), None)]
        cells = " | ".join(text or "-" for text in row.printed)
        assert any(line.startswith(f"| {row.method} | {cells} |") for line in section), row
    for phrase in ("machine conversion", "spot-check", "Never mix rows", "3.9 to 11.5", "4.7 to 43.5", "8.53 to 6.04"):
        assert phrase in text
    assert text.endswith("```\npython -m metrics.report.published > docs/published.md\n```\n")


GOOD = ("GRID", "Wav2Lip", "6.3", "", "", "0.9", "", "", "P", "a paper", "", "")


@pytest.mark.parametrize(("lines", "match"), [
    ([FIELDS[:-1], GOOD[:-1]], "columns must be"),
    ([], "columns must be"),
    ([FIELDS, GOOD, GOOD[:-1]], "line 3: must have 12 fields"),
    ([FIELDS, (*GOOD, "more")], "line 2: must have 12 fields"),
    ([FIELDS, (*GOOD[:2], "six", *GOOD[3:])], "line 2: could not convert"),
    ([FIELDS, (*GOOD[:8], "x", *GOOD[9:])], "line 2: paired must be P, U or [?]"),
])
def test_a_damaged_table_is_refused(tmp_path, lines, match):
    path = tmp_path / "table.csv"
    path.write_text("".join(",".join(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=match):
        read_published(path)


def test_a_missing_table_is_refused_and_a_good_one_read(tmp_path):
    path = tmp_path / "table.csv"
    with pytest.raises(InputError, match="table.csv"):
        read_published(path)
    path.write_text(",".join(FIELDS) + "\n" + ",".join(GOOD) + "\n")
    (row,) = read_published(path)
    assert (row.lse_d, row.lse_c, row.ssim, row.printed) == (6.3, None, 0.9, ("6.3", "", "", "0.9", "", ""))

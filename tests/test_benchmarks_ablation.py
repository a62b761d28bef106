"""The ablation's rows and its table: what is marked, and what is not."""

import json

import pytest

from benchmarks.ablation import __main__ as ablation
from benchmarks.ablation.measure import COLUMNS
from benchmarks.ablation.report import figures_of, write_report
from benchmarks.ablation.rows import BY_KEY, ROWS
from benchmarks.seeds import BETTER, WORSE, verdict
from benchmarks.sync.expert_accuracy import accuracies
from common.errors import InputError


def run_of(shift, clips=12, split="test", jitter=0.0):
    """Figures of `clips` clips, all columns `shift` from a common value."""
    return [{"clip": f"c{n}", "split": split, **{key: 1.0 + 0.01 * n + shift + jitter * (-1) ** n for key in COLUMNS}}
            for n in range(clips)]  # fmt: skip


def test_a_difference_counts_when_all_seeds_and_the_clips_agree():
    base = figures_of({seed: run_of(0.1 * seed) for seed in range(3)}, "test")
    more = figures_of({seed: run_of(0.1 * seed + 0.02) for seed in range(3)}, "test")
    assert verdict(more, base, "ssim", "high") == BETTER and verdict(more, base, "lmd", "low") == WORSE
    mixed = figures_of({0: run_of(0.02), 1: run_of(0.12), 2: run_of(0.19)}, "test")
    assert verdict(mixed, base, "ssim", "high") == ""  # the third seed says otherwise
    unsure = figures_of({seed: run_of(0.1 * seed + 0.001, jitter=0.5) for seed in range(3)}, "test")
    assert verdict(unsure, base, "ssim", "high") == ""  # the clips do not agree


def test_runs_are_compared_with_those_of_their_own_seed():
    base = figures_of({0: run_of(0.0), 1: run_of(1.0)}, "test")
    one = figures_of({1: run_of(0.9)}, "test")  # above the base's mean, below its seed
    assert verdict(one, base, "ssim", "high") == WORSE
    assert verdict(figures_of({7: run_of(5.0)}, "test"), base, "ssim", "high") == ""


def test_the_table_holds_rows_ranges_and_references(tmp_path):
    clips = [{**clip, "correlation": None} for clip in run_of(0.5, split="unseen")]
    for key, shift in (("wav2lip", 0.0), ("tc_loss", 0.05)):
        for seed in (0, 1):
            (tmp_path / f"{key}-{seed}.json").write_text(json.dumps(run_of(shift + 0.001 * seed) + clips))
    real = [{**clip, "psnr": None} for clip in run_of(0.0) + run_of(0.0, split="unseen")]
    (tmp_path / "references.json").write_text(json.dumps({"real": real, "no motion": real}))
    text = write_report(tmp_path)
    line = next(line for line in text.splitlines() if "+ TC loss |" in line)
    assert "1.105 (1.105-1.106) ▼" in line and "▲" in line and line.endswith("| 2 |")
    assert "| no motion |" in text and "other speakers, 12 clips" in text
    summary = json.loads((tmp_path / "table.json").read_text())
    assert summary["test"]["tc_loss"]["seeds"] == 2 and summary["test"]["wav2lip"]["ssim"] == pytest.approx(1.0555)
    with pytest.raises(InputError, match="no figures"):
        write_report(tmp_path / "none")


def test_every_row_is_compared_with_another_one_of_the_table():
    assert all(row.against in BY_KEY for row in ROWS)
    assert BY_KEY["tc_shuffled"].against == "tc_gate" and BY_KEY["sc_grid"].against == "sc_loss"
    with pytest.raises(InputError, match="unknown"):
        ablation.main(["--rows", "tc_los", "--report_only"])


def test_accuracy_counts_yes_and_no_alike():
    import torch

    lips = torch.eye(30)
    found = accuracies(lips, lips, None)
    assert found["any other moment of the clip"] == found["1 frame away"] == 1.0
    late = accuracies(lips, lips.roll(1, 0), None)  # hears the next frame's sound: never its own
    assert late["1 frame away"] == pytest.approx(0.25, abs=0.02) and late["more than 15 frames away"] < 0.51

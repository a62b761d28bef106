"""What a run says of itself: rows that outlive a kill, warnings, the bar."""

import io
import json
import math
import struct
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training_kit import learn
from training.logging.progress import Progress, line
from training.logging.rows import TIMES, Rows, read_rows
from training.logging.warnings import CHANCE_STEPS, ChanceWarning, WaitWarning


def without_times(rows):
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def test_rows_hold_the_values_of_their_step_and_the_last_step_has_one(write_log):
    log = write_log(steps=5)
    for step in range(1, 6):
        log.step(step, {"total": 0.1 * step}, waited=0.1 * step, took=0.4)
    rows = read_rows(write_log.folder)
    assert [(row["step"], row["total"]) for row in rows] == [(2, 0.2), (4, 0.4), (5, 0.5)]
    assert [row["data_time"] for row in rows] == pytest.approx([0.15, 0.35, 0.5])
    assert [row["data_share"] for row in rows] == pytest.approx([0.375, 0.875, 1.25])
    assert all(row["step_time"] == pytest.approx(0.4) and row["memory_mb"] > 1 and row["minutes"] >= 0 for row in rows)
    assert write_log.lines[0].startswith("step 2 of 5  total 0.2") and "left 0:00:01" in write_log.lines[0]


@pytest.mark.parametrize("torn", ["", '{"step": 11, "total": 0.0', "\0\0\0", '{"step": 6, "total": 1}\n[1, 2]\n{"total": 3}\n'])
def test_a_killed_and_resumed_run_logs_what_an_unbroken_one_does(write_log, tmp_path, torn):
    learn(write_log(steps=13, folder="whole"), 1, 13)
    learn(write_log(steps=13), 1, 10)  # killed after step 10; its state is of step 5
    with open(write_log.folder / "log.jsonl", "a") as file:
        file.write(torn.replace('"step": 6', '"step": 12'))
    learn(write_log(start=5, steps=13), 6, 13)
    whole, resumed = read_rows(tmp_path / "whole"), read_rows(write_log.folder)
    assert without_times(resumed) == without_times(whole)
    minutes = [row["minutes"] for row in resumed if "minutes" in row]
    assert minutes == sorted(minutes)
    assert any("are cut off" in line for line in write_log.lines) == bool(torn)


def test_a_run_that_stored_nothing_leaves_no_rows_behind(write_log):
    learn(write_log(), 1, 4)
    learn(write_log(), 1, 2)
    assert [row["step"] for row in read_rows(write_log.folder)] == [2]


@given(st.lists(st.floats(allow_nan=True, width=64), min_size=1, max_size=8))
def test_floats_come_back_bit_for_bit_and_what_json_lacks_is_null(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("rows") / "log.jsonl"
    Rows(path, 0).append(7, {f"v{index}": np.float64(value) for index, value in enumerate(values)})
    text = path.read_text()
    row = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    for index, value in enumerate(values):
        if math.isfinite(value):
            assert struct.pack("d", row[f"v{index}"]) == struct.pack("d", value)
        else:
            assert row[f"v{index}"] is None


@given(st.binary(max_size=200), st.integers(0, 3))
def test_no_bytes_in_a_log_stop_a_resume(tmp_path_factory, garbage, start):
    path = tmp_path_factory.mktemp("rows") / "log.jsonl"
    path.write_bytes(b'{"step": 1, "total": 0.5}\n' + garbage)
    rows = Rows(path, start)
    rows.append(start + 1, {"total": 1.0})
    found = read_rows(path)
    assert found[-1] == {"step": start + 1, "total": 1.0}
    assert found[:-1] == rows.kept and all(row["step"] <= start for row in rows.kept)
    assert (found[0] == {"step": 1, "total": 0.5}) == (start > 0)


def chance_lines(log, lines, values, name="sync_classification"):
    """How often chance is pointed out over these losses, a step each."""
    for step, value in enumerate(values, 1):
        log.step(step, {name: value}, waited=0.0, took=0.1)
    return sum("at chance" in line for line in lines)


def test_a_loss_at_chance_is_pointed_out(write_log):
    noise = np.random.default_rng(0).normal(0, 0.02, 2 * CHANCE_STEPS)
    losses = {"sync_classification": {"weight": 1}}
    assert chance_lines(write_log(log_every=50, losses=losses), write_log.lines, 0.6935 + noise) == 1
    told = next(line for line in write_log.lines if "at chance" in line)
    assert all(word in told for word in ("AV offset", "speakers", "64", "optim.lr", "optim.warmup", "25 frames"))
    write_log.lines.clear()
    learning = [0.6 if step % 1000 < 50 else 0.6935 for step in range(2 * CHANCE_STEPS)]
    assert chance_lines(write_log(log_every=50, losses=losses), write_log.lines, learning) == 0
    assert ChanceWarning().row() is None


def test_the_loss_at_chance_may_have_any_name(write_log):
    losses = {"l1": {"weight": 1}, "judge": {"loss": "sync_classification", "weight": 1}}
    values = [0.6935] * (CHANCE_STEPS + 1000)
    assert chance_lines(write_log(log_every=50, losses=losses), write_log.lines, values, "judge") == 1
    write_log.lines.clear()
    assert chance_lines(write_log(log_every=50, losses=losses), write_log.lines, values) == 0




def test_waiting_for_data_is_pointed_out_once(write_log):
    log = write_log(log_every=5)
    for step in range(1, 61):
        log.step(step, {"total": 1.0}, waited=5.0 if step == 1 else 0.019 if step < 30 else 0.03, took=0.1)
    told = [line for line in write_log.lines if "waiting for data" in line]
    assert len(told) == 1 and "data.workers" in told[0] and "disk" in told[0]
    assert 30 < int(told[0].split()[1].rstrip(":")) <= 50
    watch = WaitWarning(4)
    watch.step(9.0, 9.0)  # the first step: the loader starts
    assert watch.row() is None and watch.share == 0.0


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_and_notes_do_not_tear_it(write_log, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", Terminal())
    log = write_log(start=2, steps=6)
    learn(log, 3, 6)
    log.note("a note")
    log.close()
    shown = sys.stderr.getvalue()
    assert "6/6" in shown and "waiting for data" in shown
    assert not any("rate" in line for line in write_log.lines)  # the rows are in the file alone
    assert [line.split()[0] for line in write_log.lines] == ["step", "a"]
    plain = write_log(folder="plain", steps=6, progress=False)
    learn(plain, 1, 2)
    assert "rate" in write_log.lines[-1] and sys.stderr.getvalue() == shown


def shown_progress(steps, *, every=60, seconds=None, took=7.0, start=0):
    """Lines of a run of `steps` steps of `took` seconds, with a clock of its own."""
    now, lines = [0.0], []
    progress = Progress(lines.append, start=start, steps=steps, every=every, seconds=seconds, clock=lambda: now[0])
    for number in range(start + 1, steps + 1):
        now[0] += took
        progress.step(number, {"total": 1.0}, took)
        progress.row(number, {"total": 1.0, "step_time": took}, 0.0)
    return lines


def test_a_log_file_gets_a_line_a_minute_the_first_step_and_the_last():
    lines = shown_progress(30)
    assert [line.split("  ")[0] for line in lines] == [f"step {step} of 30" for step in (1, 10, 19, 28, 30)]
    assert lines[1].endswith("step_time 7  left 0:02:20") and "left" not in lines[-1]
    assert len(shown_progress(30, every=0)) == 30, "each row of the log"


def test_the_time_that_is_left_counts_to_whichever_end_comes_first():
    lines = shown_progress(30, seconds=100)
    assert lines[0].endswith("left 0:01:33 of train.minutes") and lines[-2].endswith("left 0:00:00 of train.minutes")
    assert shown_progress(30, seconds=1000)[0].endswith("left 0:03:23")


def test_output_to_a_file_gets_lines_though_errors_go_to_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert len(shown_progress(3)) == 2 and "3/3" in sys.stderr.getvalue()
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert shown_progress(3) == []


def test_counts_are_told_whole():
    told = {"l1": 0.123456, "sync/windows": 12345, "frames": 12345.0, "rate": 1e-4, "sync/hits": 7, "big": 1.5e12}
    assert line(3, told) == "step 3  l1 0.1235  sync/windows 12345  frames 12345  rate 0.0001  sync/hits 7  big 1.5e+12"
    assert line(3, {"l1": float("nan"), "total": float("inf")}) == "step 3  l1 nan  total inf"


def test_a_gate_that_opens_is_told_and_kept(write_log):
    log = write_log()
    log.validation(8, {}, ["sync"])
    log.validation(9, {}, [])
    assert read_rows(write_log.folder) == [{"step": 8, "opened": ["sync"]}]
    assert write_log.lines == ["step 8: loss sync is switched on"]

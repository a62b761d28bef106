"""benchmarks.lipwarp.ideas: differences from the row that an idea is laid over, and what is refused."""

import json

import pytest

from benchmarks.lipwarp import ideas
from common.cli import run
from common.errors import InputError

KEYS = ("r", "r_velocity", "r2", "r3", "error", "held", "first")


def figures(folder, row, seed, shift=0.0, name="forced"):
    folder.mkdir(parents=True, exist_ok=True)
    found = {f"s22/c{at}": {"speaker": "s22", **{key: 0.5 + 0.01 * at + 0.02 * seed for key in KEYS}} for at in range(10)}
    for values in found.values():
        values["r"] += shift
    (folder / f"{name}-{row}-{seed}.json").write_text(json.dumps(found))


def test_an_idea_stands_as_its_difference_from_what_it_is_compared_with(tmp_path):
    for seed in range(3):
        figures(tmp_path / "figures", "plain", seed)
        figures(tmp_path / "figures", "run", seed, shift=0.05)
        figures(tmp_path / "figures", "run_shuffled", seed, shift=0.05 if seed else 0.04)
    text = ideas.write_report(tmp_path, ["forced", "recognised"])
    lines = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in text.splitlines() if line.startswith("| ")}
    assert lines["without"][1] == "0.565"
    second = lines["second reading: mean and change of runs, less without"]
    assert second[1] == "+0.050 [+0.050, +0.050] (3) ▲" and second[2].startswith("+0.000")
    control = next(cells for title, cells in lines.items() if title.startswith("control: second reading"))
    assert control[1] == "-0.003 [-0.003, -0.003] (0)"  # in two seeds of three there is no difference
    assert text.count("phones forced: 10 clips of GRID") == 1 and "recognised" not in text


def test_every_row_is_compared_with_one_of_the_table():
    assert all(against is None or against in ideas.ROWS for _, _, against in ideas.ROWS.values())
    assert ideas.ROWS["run_shuffled"][1] == (*ideas.ROWS["run"][1], ideas.SHUFFLED)


@pytest.mark.parametrize(("flags", "told"), [
    (["--corpus", "prepared/grid"], "NAME=FOLDER"),
    (["--corpus", "a=b", "--seeds", "0"], "must be 1 or more"),
])  # fmt: skip
def test_mistakes_are_one_line(flags, told, capsys, tmp_path):
    assert run(ideas.main, [*flags, "--out", str(tmp_path)]) == 2
    assert told in capsys.readouterr().err


def test_nothing_measured_is_a_clear_message(tmp_path):
    with pytest.raises(InputError, match="no figures yet"):
        ideas.write_report(tmp_path, ["forced"])

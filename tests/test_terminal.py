"""Progress where there is a terminal, where it has no size, and where there is none; Ctrl-C says what is kept."""

import io
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from common.cli import EXIT_INTERRUPTED, run, when_interrupted
from common.terminal import bar_size, counting, span
from tests.conftest import ROOT


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (99, "99 s"), (450, "7.5 min"), (104400, "29.00 h")])
def test_lengths_of_time_are_readable(seconds, text):
    assert span(seconds) == text


def test_a_log_file_gets_a_line_a_minute(capsys):
    now = [0.0]
    with counting(10, "clip", "texture", clock=lambda: now[0]) as progress:
        for number in range(10):
            now[0] += 25
            progress.update()
            if number == 4:
                progress.note("a/b: no face")
    said = capsys.readouterr()
    told = [f"texture: {done} of 10 clips, 25 s each, left 0:{left}" for done, left in
            ((3, "02:55"), (6, "01:40"), (9, "00:25"))]  # fmt: skip
    assert said.err.splitlines() == [told[0], "a/b: no face", *told[1:]] and said.out == "", "results alone go to stdout"
    with counting(None, "frame", clock=lambda: now[0]) as progress:
        for _ in range(2):
            now[0] += 90
            progress.update()
    assert capsys.readouterr().err == "1 frame, 90 s each\n2 frames, 90 s each\n"
    with counting(1, "clip", clock=lambda: now[0]) as progress:
        now[0] += 90
        progress.update()
    assert capsys.readouterr().err == "1 of 1 clip, 90 s each, left 0:00:00\n"


def test_a_terminal_gets_a_bar_and_nothing_is_shown_of_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with counting(0, "clip") as progress:
        pass
    assert sys.stderr.getvalue() == ""
    with counting(2, "clip") as progress:
        progress.update()
        progress.note("a note")
        progress.update()
    assert "2/2" in sys.stderr.getvalue() and "a note" in sys.stderr.getvalue()


@pytest.mark.parametrize(("size", "known"), [((80, 24), True), ((0, 0), False), (OSError(), False)])
def test_a_terminal_without_a_size_gets_a_bar_of_100_columns(monkeypatch, size, known):
    def told(_):
        if isinstance(size, OSError):
            raise size
        return os.terminal_size(size)

    monkeypatch.setattr(os, "get_terminal_size", told)
    assert bar_size(SimpleNamespace(fileno=lambda: 2)) == ({"dynamic_ncols": True} if known else {"ncols": 100, "nrows": 24})


@pytest.mark.parametrize("kept", ["the clips are in x", lambda: "the clips are in x"])
def test_ctrl_c_says_what_is_kept(capsys, kept):
    def main(_):
        with when_interrupted("never said"), when_interrupted(kept):
            raise KeyboardInterrupt

    assert run(main, []) == EXIT_INTERRUPTED
    assert capsys.readouterr().err == "interrupted: the clips are in x\n"


def test_ctrl_c_while_a_script_still_loads_is_a_line():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.modules['__main__'].__file__ = {str(ROOT / 'x.py')!r}"
    code += "; import common.cli; raise KeyboardInterrupt"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGINT and done.stderr.startswith("interrupted: nothing was written"), done.stderr
    assert len(done.stderr.splitlines()) == 1

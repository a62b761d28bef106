"""How scripts end: one line for what a user can mend, a stack trace for a fault of ours, and no message ends any work."""

import errno
import io
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import common
from common.cli import NOTHING_KEPT, run
from common.errors import InputError
from common.files import atomic_output
from tests.conftest import ROOT

SCRIPT = """
import sys
from common.cli import NOTHING_KEPT, run
def main(argv):
    with open(argv[0], "w") as file:
        assert file.fileno() > 2, "a file has taken the number of a standard stream"
        print("\\u0436" * 40000, flush=True)
        print("on", file=sys.stderr, flush=True)
        print("and on")
        file.write("whole")
    return int(argv[1])
sys.exit(run(main))
"""


def fails_with(error):
    def main(_):
        raise error

    return run(main, [])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("a\nb.wav: is empty"), "a\\nb.wav: is empty"),
        (OSError(errno.ENOSPC, "No space left on device", "out.mp4"), "out.mp4: No space left on device; make room"),
        (OSError(errno.ENOSPC, "No space left on device"), "the system: No space left on device; make room"),
        (PermissionError(errno.EACCES, "Permission denied", "x.json"), "x.json: Permission denied; permit it"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "gone.mp4"), "gone.mp4: No such file or directory; was"),
        (OSError(errno.EXDEV, "Invalid cross-device link", "a", None, "b"), None),
        (OSError(errno.EROFS, "Read-only file system", "a", None, "b"), "a -> b: Read-only file system; choose a place"),
        (OSError(errno.EMFILE, "Too many open files", "a"), "ulimit -n"),
        (OSError(errno.EBADF, "Bad file descriptor"), None),
        (OSError("cannot identify"), None),
        (OSError(errno.ENOENT, "No such file or directory"), None),
        (FileNotFoundError(errno.ENOENT, "No such file", str(Path(common.__file__).parent / "absent.npz")), None),
        (io.UnsupportedOperation("fileno"), None),
        (ValueError("ours"), None),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_an_error_of_the_system_is_one_line_and_a_fault_of_ours_keeps_its_trace(capsys, error, words):
    if words is None:
        with pytest.raises(type(error)):
            fails_with(error)
        return
    assert fails_with(error) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ") and words in lines[0]


def test_no_folder_for_temporary_files(monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/absent"])
    assert run(lambda _: tempfile.gettempdir(), []) == 2
    assert "set TMPDIR" in capsys.readouterr().err


def test_a_file_that_may_not_grow_leaves_nothing(tmp_path, capfd):
    """A limit of the shell stands for a full disk."""

    def main(_):
        with atomic_output(tmp_path / "out.bin") as temporary:
            temporary.write_bytes(bytes(1 << 16))

    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, kept[1]))
    try:
        code = run(main, [])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert code == 2 and list(tmp_path.iterdir()) == []
    assert "File too large" in capfd.readouterr().err


def test_ctrl_c_tells_what_is_kept(capsys):
    assert fails_with(KeyboardInterrupt()) == 130 and fails_with(KeyboardInterrupt("3 jobs are done")) == 130
    assert capsys.readouterr().err.splitlines() == [f"interrupted: {NOTHING_KEPT}",
                                                    "interrupted: 3 jobs are done"]  # fmt: skip


def closed(*numbers):
    return lambda: [os.close(number) for number in numbers]


def full(number):
    return lambda: os.dup2(os.open("/dev/full", os.O_WRONLY), number)


@pytest.mark.parametrize(
    ("prepare", "said", "encoding"),
    [
        (closed(1), b"on\n", "utf-8"),
        (closed(2), b"", "utf-8"),
        (closed(0, 1, 2), b"", "utf-8"),
        (full(1), b"on\nwarning: messages on standard output were lost (No space left on device)\n", "utf-8"),
        (full(2), b"", "utf-8"),
        (None, b"on\n", "cp1252"),
        (None, b"on\n", "ascii"),
    ],
    ids=["no stdout", "no stderr", "no stream at all", "stdout full", "stderr full", "cp1252", "ascii"],
)
@pytest.mark.parametrize("code", [0, 1])
def test_messages_that_cannot_be_shown_change_no_ending(tmp_path, prepare, said, encoding, code):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "file"), str(code)]
    done = subprocess.run(command, cwd=ROOT, env=environment, preexec_fn=prepare, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (code, said)
    assert (tmp_path / "file").read_text() == "whole"
    if encoding != "utf-8":
        assert done.stdout == b"\\u0436" * 40000 + b"\nand on\n"


def test_a_closed_pipe_is_quiet(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "file"), "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b"on\n"
    assert process.returncode == 0 and (tmp_path / "file").read_text() == "whole"


def test_a_stream_without_a_file_behind_it_serves(monkeypatch):
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    assert run(lambda _: print("said"), []) == 0
    assert sys.stdout is out and out.getvalue() == "said\n"

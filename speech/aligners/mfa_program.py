"""The `mfa` program: where it is, which version it is, and one run of it that disturbs no other run."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError

VARIABLE = "TALKINGFACE_MFA"  # path of the executable, where it is not on the PATH
INSTALL = 'install it with `conda create -n aligner -c conda-forge "montreal-forced-aligner>=3,<4"`'
_VERSION_SECONDS = 300  # its first start compiles Python files
_TAIL = 600  # characters of its complaint that go into a message
_DECORATION = re.compile(r"[\u2500-\u257f]+|\^{2,}|\x1b\[[0-9;?]*[A-Za-z]")
_PROGRESS = re.compile(r"\d+%\|| \[[\d:]+<")


@dataclass(frozen=True)
class Outcome:
    """How a run ended: exit code, and what it said last on stderr (or on stdout, where stderr is empty)."""

    code: int
    said: str

    @property
    def tail(self):
        """The end of it, on one line."""
        return tail_of(self.said)

    def says(self, words):
        """Whether it says these words, however its lines are broken."""
        return words in " ".join(_DECORATION.sub(" ", self.said).split())


def find_executable(given=None):
    """Path of `mfa`: the one given, else that of the environment variable TALKINGFACE_MFA, else the one on the PATH.

    Raises:
        InputError: there is none, or it is not executable; says how to install it.
    """
    named = given or os.environ.get(VARIABLE)
    found = shutil.which(str(named) if named else "mfa")
    if found:
        return Path(found).absolute()
    if named:
        raise InputError(f"{named}: no such program (mfa); {INSTALL} and give the path of its bin/mfa")
    raise InputError(
        f"the Montreal Forced Aligner is not installed (no `mfa` on the PATH): {INSTALL}, then `mfa model download acoustic "
        f"english_us_arpa` and `mfa model download dictionary english_us_arpa`; outside its environment set {VARIABLE} to its "
        "bin/mfa"
    )


def check_version(executable):
    """Version as `mfa version` prints it; InputError when it does not start or is not of series 3, whose flags are used."""
    try:
        done = subprocess.run(
            [str(executable), "version"], env=environment(executable), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=_VERSION_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{executable}: does not start ({error}); {INSTALL}") from error
    if done.returncode:
        raise InputError(f"{executable}: `mfa version` fails: {tail_of(done.stderr or done.stdout)}; {INSTALL}")
    version = done.stdout.strip().split("\n")[-1].strip()
    major = re.match(r"\d+", version)
    if major and major[0] != "3":
        raise InputError(f"{executable}: is version {version[:40]}; series 3 is needed: {INSTALL}")
    return version


def environment(executable, root=None):
    """Variables for the program: its own folder first on the PATH (it calls neighbours), none of this Python's paths.

    Args:
        root: folder for MFA_ROOT_DIR, or None to leave it.
    """
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "MFA_PROFILE")}
    variables["PATH"] = os.pathsep.join([str(executable.parent), variables.get("PATH", os.defpath)])
    variables |= {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"}
    if root is not None:
        variables["MFA_ROOT_DIR"] = str(root)
    return variables


def own_root(folder):
    """Make `folder` an MFA_ROOT_DIR that sees the user's downloaded models and shares nothing else.

    MFA unpacks models below its root and deletes what an earlier run unpacked there, so two runs with one root clash.
    """
    folder.mkdir()
    user = Path(os.path.expanduser(os.environ.get("MFA_ROOT_DIR", "~/Documents/MFA"))).absolute()  # without a home: as it is
    if (user / "pretrained_models").is_dir():
        (folder / "pretrained_models").symlink_to(user / "pretrained_models", target_is_directory=True)
    return folder


def run(command, variables, folder, timeout=None):
    """Run a command to its end, its output in files of `folder`.

    Args:
        command: list of str, no shell.
        variables: its environment.
        folder: existing folder for the log files.
        timeout: seconds, or None.

    Returns:
        Outcome.

    Raises:
        InputError: it does not start, or takes longer than `timeout`; its whole process group is then ended.
    """
    with open(folder / "stdout.log", "wb") as out, open(folder / "stderr.log", "wb") as err:
        try:
            process = subprocess.Popen(
                command, env=variables, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        except OSError as error:
            raise InputError(f"{command[0]}: does not start ({error.strerror}); {INSTALL}") from error
        with _ended(process):
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired as error:
                raise InputError(
                    f"mfa {command[1]} took longer than {timeout:g} s and was ended: {tail_of(_said(folder))}; allow it more "
                    "time or give it fewer clips"
                ) from error
    return Outcome(code, _said(folder))


@contextmanager
def _ended(process):
    """Whatever happens in the block, an interrupt included, no process of the group outlives it."""
    try:
        yield
    finally:
        if process.poll() is None:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, sign)
                    process.wait(5)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
        process.wait()


def _said(folder):
    texts = [(folder / name).read_bytes()[-65536:].decode("utf-8", "replace") for name in ("stderr.log", "stdout.log")]
    return texts[0] if texts[0].strip() else texts[1]


def tail_of(text):
    """End of a program's output on one line, without progress bars, frames and colours."""
    lines = [" ".join(_DECORATION.sub(" ", line).split()) for line in re.split(r"[\r\n]", text)]
    lines = [line for line in lines if line and not _PROGRESS.search(line)]
    joined = " | ".join(lines[-12:])
    return (joined if len(joined) <= _TAIL else f"... {joined[-_TAIL:]}") or "it says nothing"

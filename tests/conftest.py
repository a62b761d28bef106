"""Fixtures that every test may use: where the real clips lie, and a quiet torch."""

import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# A shell makes its background jobs deaf to Ctrl-C, and so would be all processes that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The files that take longest begin first: one that began last would keep a single worker busy at the end.
LONGEST = (
    "test_training_resume.py", "test_golden_job.py", "test_training_families.py", "test_training_processes.py",
    "test_configs.py", "test_prepare.py",
    "test_benchmarks_gpu.py", "test_inference_bad_input.py", "test_evaluate_resume.py", "test_av_offset.py",
    "test_audio_gate.py", "test_training_lock.py", "test_benchmarks_alignment.py",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    """Put the tests of LONGEST first; the others keep their order."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def forked_workers():
    """Processes that prepare clips are forked with their packages loaded; `spawned_workers` is for tests of the processes."""
    from datasets.workers.processes import Processes

    usual = Processes.__init__

    def begin(self, *arguments, **options):
        from tests.forks_kit import Spawning

        usual(self, *arguments, **options)
        self._context = Spawning()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Processes, "__init__", begin)
        yield usual


@pytest.fixture
def spawned_workers(forked_workers, monkeypatch):
    """Processes that prepare clips start as users' ones do."""
    from datasets.workers.processes import Processes

    monkeypatch.setattr(Processes, "__init__", forked_workers)


@pytest.fixture(scope="session")
def shared_media():
    """Path of the folder of real clips; skips the test, and says why, where it is absent."""
    folder = Path(os.environ.get("TALKINGFACE_MEDIA", ROOT.parent / "shared" / "media"))
    if not (folder / "MANIFEST.md").is_file():
        pytest.skip(f"real clips are absent: no {folder / 'MANIFEST.md'} (set TALKINGFACE_MEDIA to their folder)")
    return folder


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory):
    """A prepared corpus of six clips of 20 frames, made from noise; tests leave it as it is."""
    from tests.prepared_kit import make_corpus

    return make_corpus(tmp_path_factory.mktemp("prepared") / "corpus", frames=20)


@pytest.fixture
def write_config(tmp_path, small_corpus):
    """Write a small config with changes laid over it; returns its path. Runs go to `tmp_path / "runs"`."""
    from tests.training_kit import small_config, write_yaml

    def write(**changes):
        return write_yaml(tmp_path / "config.yaml", small_config(small_corpus, tmp_path / "runs", **changes))

    return write


@pytest.fixture
def one_step(monkeypatch):
    """The diffusion renderer takes one step of DDIM, not ten, for the pictures of a validation."""
    monkeypatch.setattr("models.au.diffusion.SHOWN_STEPS", 1)


@pytest.fixture
def refused(job, tmp_path, capfd):
    """Runs the test file's own `job`, which must be refused and leave `tmp_path / "out"` empty; gives the line that is said."""

    def run_it(*flags, **named):
        capfd.readouterr()
        assert job(*flags, **named) == 2
        said = capfd.readouterr()
        lines = [line for line in said.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1 and "Traceback" not in said.err and not said.out
        assert list((tmp_path / "out").iterdir()) == []
        return lines[0]

    return run_it


@pytest.fixture
def write_log(tmp_path):
    """Open a Log in `tmp_path/run`, which draws curves where `curve` is True; its lines are collected in `write_log.lines`."""
    from training.logging.log import Log

    lines, logs = [], []

    def write(start=0, steps=None, folder="run", losses=None, **train):
        train = {"log_every": 2, "tensorboard": "off", "curve": False, "print_every": 0, **train}
        config = {"name": folder, "losses": losses, "train": train}
        logs.append(Log(tmp_path / folder, config, lines.append, start=start, steps=steps))
        return logs[-1]

    write.lines, write.folder = lines, tmp_path / "run"
    yield write
    for log in logs:
        log.close()

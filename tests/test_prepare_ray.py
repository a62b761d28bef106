"""prepare.py --ray: the same rows as without it, and what becomes of a clip whose actor dies."""

import ctypes
import json
import os
import socket
import sys

import pytest

import prepare
from common.cli import run
from common.errors import InputError
from datasets.workers.cluster import ray_workers
from datasets.workers.jobs import results
from datasets.workers.pool import Task
from tests.prepared_kit import make_corpus
from tests.synthetic import make_talking_head


def test_without_ray_the_message_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    make_corpus(tmp_path / "corpus", clips=1)
    assert run(prepare.main, ["--out", str(tmp_path / "corpus"), "--texture", "--ray", "auto"]) == 2
    assert "pip install 'ray==" in capsys.readouterr().err


@pytest.fixture(scope="module")
def ray():
    """A cluster of two CPUs on this machine."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -e .[cluster]")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


def work(job):
    """The deed that the job names."""
    deeds = {
        "segfault": lambda: ctypes.string_at(0),
        "exit": lambda: os._exit(9),
        "fault": lambda: [][1],
        "mistake": lambda: refuse("x.mp4: wrong"),
    }
    return f"{job}: {deeds.get(job, os.getpid)()}"


def refuse(text):
    raise InputError(text)


def lost(job, reason):
    return f"{job}: lost, it {reason}"


def test_an_actor_that_dies_takes_one_job_with_it(ray, capfd):
    with ray_workers("auto") as workers:
        assert workers.count == 2
        found = sorted(results(Task(work, lost), ["a", "segfault", "b", "fault", "exit", "c"], workers))
    assert found[3:] == [
        "exit: lost, it crashed (its Ray worker died)",
        "fault: lost, it failed (IndexError: list index out of range)",
        "segfault: lost, it crashed (its Ray worker died)",
    ]
    assert [one.split(":")[0] for one in found[:3]] == ["a", "b", "c"]
    assert str(os.getpid()) not in {one.split()[1] for one in found[:3]}
    assert ray.is_initialized(), "a cluster that was there before stays"


@pytest.mark.parametrize("options", [{"start": refuse, "arguments": ("no such detector",)}, {}])
def test_a_mistake_ends_the_run(ray, options):
    with ray_workers("auto", 1) as workers, pytest.raises(InputError, match="no such detector" if options else "x.mp4: wrong"):
        list(results(Task(work, lost, **options), ["a", "mistake"], workers))


def test_the_same_rows_as_without(ray, tmp_path, capsys):
    root = tmp_path / "root"
    root.mkdir()
    make_talking_head(root / "good.mp4", 1.2, seed=3)
    (root / "bad.mp4").write_text("this is no video")
    rows, files = {}, {}
    for name, flags in (("here", ["--workers", "1"]), ("ray", ["--ray", "auto", "--workers", "1"])):
        out = tmp_path / name
        arguments = ["--corpus", "folder", "--root", str(root), "--out", str(out), "--texture", *flags]
        assert run(prepare.main, arguments) == 0
        lines = (out / "manifest.jsonl").read_text().splitlines()
        rows[name] = {row["id"]: row for row in map(json.loads, lines)}
        files[name] = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.safetensors")}
    assert rows["here"] == rows["ray"] and "not a media file" in rows["ray"]["bad"]["error"]
    assert files["here"] == files["ray"] and len(files["ray"]) >= 2
    capsys.readouterr()
    assert run(prepare.main, arguments) == 0 and "2 done before, 0 to prepare" in capsys.readouterr().out


def test_an_address_without_a_cluster(monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -e .[cluster]")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InputError, match=f"--ray {address}: no cluster there"), ray_workers(address):
            pass

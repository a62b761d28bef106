"""`python -m benchmarks.gpu` on the CPU: the same code with small networks, its runner, and what it needs."""

import json
import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_map

from benchmarks.faces import texture_agreement
from benchmarks.gpu import __main__ as command
from benchmarks.gpu import drawing, judging, networks, runner, texture, training, waits
from benchmarks.gpu.bench import FAILED, LATE, LEFT_OUT, OK, PASSED, Bench, Line, Material, as_json, from_json
from benchmarks.gpu.material import CONFIGS, draw_corpus, load_light
from datasets.prepared import PreparedCorpus
from models import MODELS, build_model, fuse_for_inference
from tests.conftest import ROOT
from tests.fake_cuda_kit import CUDA, fake_gpu, lend
from tests.test_architecture import HEAVY, LIGHT, OPTIONAL, WALLED, reach_of
from training.config import load_config

GPU_FILES = sorted((ROOT / "benchmarks" / "gpu").glob("*.py"))


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """(exit code, what the JSON holds) of a whole quick run in this process."""
    out, threads = tmp_path_factory.mktemp("gpu") / "quick", torch.get_num_threads()
    code = command.main(["--device", "cpu", "--quick", "--one_process", "--seconds", "400", "--out", str(out)])
    torch.set_num_threads(threads)
    return code, json.loads(out.with_name("quick.json").read_text())


def bench_of(**options):
    return Bench("part", "cpu", None, write=lambda _line: None, **options)


@pytest.mark.slow
def test_a_quick_run_on_the_cpu_finds_nothing_wrong(quick):
    code, result = quick
    bad = [line for line in result["lines"] if line["state"] not in (OK, LEFT_OUT)]
    assert not bad and code is None


@pytest.mark.slow
def test_a_quick_run_reaches_every_part_and_every_network(quick):
    lines = quick[1]["lines"]
    assert {line["part"] for line in lines} == set(runner.PARTS)
    for name in MODELS:
        assert any(line["part"] == "networks" and line["name"].startswith(f"{name}, ") for line in lines), name
    assert quick[1]["machine"]["torch"] == torch.__version__


@pytest.mark.slow
def test_on_the_cpu_a_resumed_run_and_an_unbroken_one_have_equal_losses(quick):
    found = {line["name"]: line for line in quick[1]["lines"] if line["part"] == "training"}
    for name in training.QUICK:
        line = found[f"{name}, all steps after resuming, totals apart"]
        assert line["value"] == line["more"]["losses_apart"] == 0


def test_the_families_hold_every_network_loss_and_discriminator_of_the_configs():
    def kinds(name):
        config = load_config(CONFIGS / f"{name}.yaml", ())
        found = {("network", config["model"]["name"]), ("window", str(config["data"]["window"] == "phoneme"))}
        found |= {(key, value) for key, value in config["model"].items() if value is True}
        for loss, options in config["losses"].items():
            if "weights" not in options:  # without a file that is not ours
                found |= {("loss", options.get("loss", loss)), ("discriminator", str(options.get("discriminator")))}
        return found

    held = set().union(*map(kinds, training.FAMILIES))
    for path in CONFIGS.glob("*.yaml"):
        assert kinds(path.stem) <= held, f"{path.stem}: enter its family in benchmarks/gpu/training.py"


def test_the_drawn_corpus_serves_every_config(tmp_path):
    corpus = draw_corpus(tmp_path / "corpus", 40)
    rows = PreparedCorpus.open_folder(corpus).rows
    assert {row.split for row in rows} == {"train", "val", "unseen"}
    material = Material(corpus, 96, {0.25: tmp_path / "expert.safetensors"}, tmp_path)
    for path in CONFIGS.glob("*.yaml"):
        config = load_light(path.stem, material)
        assert config["train"]["init"] is None and config["data"]["corpus"] == str(corpus)
        assert not any(options.get("enable_when") for options in config["losses"].values())


def test_a_mistake_in_the_arguments_is_told(tmp_path):
    from common.errors import InputError

    with pytest.raises(InputError, match="seconds"):
        command.parse(["--seconds", "nan"])
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="no GPU; --device cpu --quick"):
            command.main(["--out", str(tmp_path / "out")])
    with pytest.raises(InputError, match="not a prepared corpus"):
        command.main(["--device", "cpu", "--corpus", str(tmp_path), "--out", str(tmp_path / "out")])


@pytest.mark.parametrize(
    ("value", "bounds", "state"),
    [(1.0, {}, OK), (1.0, {"most": 1.0}, OK), (1.1, {"most": 1.0}, PASSED), (0.9, {"least": 1.0}, PASSED),
     (float("nan"), {}, PASSED), (float("inf"), {"least": 1.0}, PASSED), (2, {"most": 1}, PASSED), ("words", {}, OK)],
)  # fmt: skip
def test_a_value_beyond_its_bound_or_not_finite_is_marked(value, bounds, state):
    bench = bench_of()
    assert bench.line("a figure", value, **bounds) == (state == OK)
    assert bench.lines[0].state == state


def test_a_failure_is_entered_and_the_rest_goes_on():
    bench = bench_of()
    for name in bench.cases(["first", "second"]):
        with bench.guard(name):
            if name == "first":
                raise RuntimeError("CUDA error: out of luck\nmore")
            bench.line(name, 1.0)
    assert [(line.name, line.state) for line in bench.lines] == [("first", FAILED), ("second", OK)]
    assert bench.lines[0].value == "RuntimeError: CUDA error: out of luck" and "Traceback" in bench.lines[0].more["trace"]


def test_what_there_is_no_time_for_is_entered_as_not_run():
    bench = bench_of(seconds=0)
    assert list(bench.cases(["one", "two"])) == []
    assert [line.state for line in bench.lines] == [LATE, LATE]


@pytest.mark.parametrize("state", [FAILED, PASSED, LATE])
def test_whatever_is_wrong_gives_exit_code_1(monkeypatch, tmp_path, state):
    monkeypatch.setattr(command, "run_parts", lambda *_: [Line("waits", "a figure", 1.0, state=state)])
    options = ["--device", "cpu", "--quick", "--out", str(tmp_path / "out")]
    assert command.main(options) == 1
    monkeypatch.setattr(command, "run_parts", lambda *_: [Line("waits", "a figure", 1.0)])
    assert command.main(options) is None
    monkeypatch.setattr(command, "run_parts", lambda *_: [])
    assert command.main(options) == 1


def test_losses_are_compared_by_value_and_nan_is_infinitely_far():
    one, other = {"total": 1.0, "l1": 0.01, "gradient": 1.0}, {"total": 1.1, "l1": 0.03, "gradient": 9.0}
    assert training.losses_apart([one], [other]) == pytest.approx(0.2)  # 0.02 of 0.1
    assert training.totals_apart([one, one], [other, one]) == pytest.approx(0.1 / 1.1 / 2)
    assert training.losses_apart([{"total": float("nan")}], [{"total": 1.0}]) == float("inf")


def test_a_line_comes_back_from_json():
    line = Line("part", "name", 0.5, "s", 1.0, None, PASSED, {"places": {"a:1": 2}})
    assert from_json(as_json(line)) == line


def test_a_part_runs_in_a_process_of_its_own(tmp_path):
    options = ["--device", "cpu", "--quick", "--parts", "texture", "--out", str(tmp_path / "out")]
    assert command.main(options) is None
    lines = json.loads((tmp_path / "out.json").read_text())["lines"]
    assert any(line["name"].startswith("96 px, boundary recall against the CPU") for line in lines)


@pytest.mark.parametrize(
    ("end", "state"), [("os.kill(os.getpid(), 11)", FAILED), ("time.sleep(60)", LATE), ("sys.exit(0)", OK)]
)
def test_a_process_that_crashes_or_hangs_costs_its_part_alone(tmp_path, end, state):
    """A stand-in for the part's process, which tells one figure and then ends as `end` says."""
    (tmp_path / "benchmarks" / "gpu").mkdir(parents=True)
    row = as_json(Line("waits", "first", 1.0))
    begin = "import json, os, sys, time\nfile = open(json.loads(sys.argv[1])['rows'], 'w')"
    torn = f"file.write({row!r} + chr(10) + '{{to')"
    (tmp_path / "benchmarks" / "gpu" / "runner.py").write_text("\n".join([begin, torn, "file.flush()", end, ""]))
    material, shown = Material(tmp_path, 96, {}, tmp_path), []
    args = SimpleNamespace(device="cpu", quick=True)
    lines = runner.run_process("waits", args, material, 1.0, 3.0, shown.append, root=tmp_path)
    assert lines == shown and lines[0].name == "first"
    assert [line.state for line in lines[1:]] == ([] if state == OK else [state])


def test_the_time_is_shared_among_the_parts(monkeypatch):
    given = {}
    monkeypatch.setattr(runner, "run_part", lambda name, _args, _material, seconds, _show: given.update({name: seconds}) or [])
    runner.run_parts(list(runner.PARTS), SimpleNamespace(quick=False, seconds=330.0, one_process=True), None, print)
    assert list(given) == list(runner.PARTS) and given["compiled"] == pytest.approx(330, rel=0.01)  # none used any before


def test_host_waits_are_counted_by_place():
    def work():
        for _ in range(2):
            warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        warnings.warn("Synchronization debug mode does not yet detect all synchronizing operations", stacklevel=1)

    with pytest.MonkeyPatch.context() as patch:
        modes = []
        patch.setattr(torch.cuda, "get_sync_debug_mode", lambda: 0)
        patch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
        places = waits.cuda_waits(work)
    assert list(places.values()) == [2] and modes == ["warn", 0]


def test_operations_that_wait_are_seen():
    values, free = torch.arange(4.0), torch.tensor(1.0)
    with waits.Operations([free]) as operations:
        values[values > 1].sum().item()
        values.nonzero()
        values[torch.tensor([0, 1])].sum()
        free.item()
    assert operations.found == {("index", "cpu"): 1, ("_local_scalar_dense", "cpu"): 1, ("nonzero", "cpu"): 1}


def test_agreement_is_that_of_the_texture_benchmark():
    rng = np.random.default_rng(0)
    one, other = (np.kron(rng.integers(0, 5, (6, 7)), np.ones((5, 4), int)) for _ in range(2))
    other = np.roll(other, 1, 0)
    assert texture.boundary_recall(one, other) == texture_agreement.boundary_recall(one, other)
    assert texture.undersegmentation(one, other) == texture_agreement.undersegmentation_error(one, other)


@pytest.mark.parametrize("name", [*MODELS, "wav2lip with gate and texture"])
def test_every_network_is_fed_on_the_right_device(name):
    """On fake CUDA tensors, where an operation between two devices is refused as on a real GPU."""
    model, inputs = networks.make_network(name, 0.25, 1)
    with fake_gpu() as mode:
        inputs = tree_map(lambda one: mode.from_tensor(one) if isinstance(one, torch.Tensor) else one, inputs)
        model, inputs = lend(model.eval(), mode), networks.moved(inputs, CUDA)
        outputs = networks.values_of(model(inputs) if isinstance(inputs, dict) else model(*inputs))
    assert outputs and all(one.device == CUDA for one in outputs)


def test_what_drivers_do_stays_on_the_device():
    model = fuse_for_inference(build_model({"name": "wav2lip", "width": 0.25}).eval(), winograd=False).half()
    with fake_gpu() as mode:
        mels, crops = torch.zeros(2, 80, 16), torch.zeros(2, 96, 96, 3, dtype=torch.uint8)
        drawn = drawing.draw.__wrapped__(lend(model, mode), mels, crops, CUDA, torch.float16)
    assert drawn.shape == (2, 96, 96, 3) and drawn.dtype == torch.uint8 and drawn.device.type == "cpu"


@pytest.mark.parametrize("part", [judging.published_lips, judging.published_sound, judging.colour_lips, judging.inception])
def test_what_judges_do_stays_on_the_device(part):
    model, call, make, _ = part(bench_of(quick=True))
    given = make(3)
    with fake_gpu() as mode:
        found = call(lend(model, mode), mode.from_tensor(given).to(CUDA))
    assert found.device == CUDA and len(found) == 3


def test_the_benchmark_reaches_light_packages_only():
    assert set().union(*(reach_of(path)[1] for path in GPU_FILES)) <= LIGHT | OPTIONAL


def test_the_benchmark_runs_where_all_else_is_missing(tmp_path):
    """A whole part behind a wall before the other packages: what needs scikit-image is left out, and nothing fails."""
    modules = [f"benchmarks.gpu.{path.stem}" for path in GPU_FILES if path.stem not in ("__init__", "__main__")]
    code = WALLED.format(blocked=HEAVY | OPTIONAL | {"scipy", "jax"}, modules=modules)
    options = ["gpu", "--device", "cpu", "--quick", "--one_process", "--parts", "texture", "waits", "--out", str(tmp_path)]
    begin = code.index("sys.argv")
    code = f"{code[:begin]}sys.argv = {options!r}\nrunpy.run_module('benchmarks.gpu', run_name='__main__')\n"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "scikit-image is not installed" in result.stdout

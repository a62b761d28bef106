"""Steps a second at full width, share of the device's peak, wait for data, memory."""

import time

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.facts import cores
from benchmarks.gpu.material import load_light, make_start

FORMS = ("wav2lip", "wav2lip_gan", "sto")
WORKERS = 8
WAIT = 0.1  # share of the time that a step may wait for data, where there are as many cores as workers
ROUNDS = 40
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def measure(bench: Bench):
    """Enter the lines of this part."""
    for name in bench.cases(FORMS[:1] if bench.quick else FORMS):
        with bench.guard(name):
            time_steps(bench, name)


def time_steps(bench, name):
    """Figures of one config, as train.py runs it; in the tests at a quarter of the width, two windows a step."""
    from training.run import Run

    rounds = 1 if bench.quick else ROUNDS
    workers = min(WORKERS, cores()) if not bench.quick else 0
    sizes = {"batch_size": 2} if bench.quick else {}
    config = load_light(name, bench.material, f"name={name}-speed", f"data.workers={workers}", width=bench.full_width,
                        device=str(bench.device), steps=10**6, **sizes)  # fmt: skip
    run = Run(make_start(config, bench.material))
    if bench.cuda:
        torch.cuda.reset_peak_memory_stats(bench.device)
    waits, took = drive(bench, run, rounds)
    most_held = torch.cuda.max_memory_allocated(bench.device) if bench.cuda else 0
    held = next(loader(run, 1))
    flops = count_flops(run, held)
    ready = bench.seconds_of(lambda: run.learn([held]), rounds=rounds)
    peak = matrix_peak(bench, TYPES[run.engine.precision])
    label = f"{name}, {run.engine.precision}"
    bench.line(f"{label}, steps a second, batch ready", 1 / ready, "1/s", windows=config["train"]["batch_size"])
    bench.line(f"{label}, steps a second with loader", rounds / took, "1/s", workers=workers)
    enough = bench.cuda and cores() >= WORKERS
    bench.line(f"{label}, share of time waiting for data", waits / took, most=WAIT if enough else None, workers=workers)
    bench.line(f"{label}, work of a step", flops / 1e9, "GFLOP")
    bench.line(f"{label}, share of the matrix peak", flops / ready / peak, peak_tflops=peak / 1e12)
    if bench.cuda:
        bench.line(f"{label}, peak memory", most_held / 2**30, "GiB")


def loader(run, count, first=0):
    """Iterator over `count` batches, as train.py's."""
    from training.setup import batches

    config, numbers = run.config, range(first, first + count)
    return iter(batches(run.training, config["train"]["batch_size"], numbers, config["data"]["workers"], run.device))


def drive(bench, run, rounds):
    """(seconds of waiting for data, seconds in all) of `rounds` steps with the loader, after a few that are not counted."""
    warm = min(5, rounds)
    source = loader(run, warm + rounds)
    for _ in range(warm):
        run.learn([next(source)])
    bench.wait()
    begun, waits = time.perf_counter(), 0.0
    for batch in source:
        asked = time.perf_counter()
        run.learn([batch])
        waits -= time.perf_counter() - asked
    bench.wait()
    took = time.perf_counter() - begun
    return took + waits, took


def count_flops(run, batch):
    """FLOP of one step as torch counts it: convolutions and matrix products, a multiplication and an addition being two."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter:
        run.learn([batch])
    return counter.get_total_flops()


def matrix_peak(bench, dtype):
    """FLOP a second of the fastest matrix product over a few sizes; float32 as convolutions round it (TF32 on a GPU)."""
    best, kept = 0.0, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    try:
        for size in (4096, 8192) if bench.device.type == "cuda" else (512,):
            left, right = (torch.randn(size, size, device=bench.device).to(dtype) for _ in range(2))
            best = max(best, 2 * size**3 / bench.seconds_of(lambda: left @ right, rounds=20, warm=3))  # noqa: B023 - called at once
    finally:
        torch.backends.cuda.matmul.allow_tf32 = kept
    return best

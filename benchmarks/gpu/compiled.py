"""torch.compile: graph breaks, graphs made anew, losses and speed with and without it."""

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.training import losses_apart, start, take, totals_apart

TRACED = ("sto", "expert", "lip_landmarks")  # the networks that are trained, the generator with all of its parts
APART = 0.05  # of totals: fused kernels round elsewhere
STEPS = 6


def measure(bench: Bench):
    """Enter the lines of this part."""
    for name in bench.cases([f"{one}, traced" for one in TRACED]):
        with bench.guard(name):
            trace(bench, name.split(",")[0], "eager")
    if bench.quick:
        bench.left_out("sto, compiled", "not in --quick: compiling takes minutes")
        return
    for name in bench.cases(["sto, compiled"]):
        with bench.guard(name):
            compare(bench)


def trace(bench, name, backend):
    """Two steps of a network that is traced but not compiled: breaks and graphs."""
    run = start(bench, name, "traced", 2)
    with Traces() as traces:
        run.model.compile(backend=backend)
        take(run, 2)
    bench.line(f"{name}, graph breaks", traces.breaks, most=0, reasons=traces.reasons)
    bench.line(f"{name}, graphs of the forward pass", traces.graphs, most=1)


def compare(bench):
    """Losses and seconds of steps with and without `train.compile`."""
    import time

    from training.loop import steps_left

    seconds, losses = {}, {}
    for label, compiled in (("plain", False), ("compiled", True)):
        with Traces() as traces:
            run = start(bench, "sto", label, STEPS + 21, compile=compiled)
            begun = time.perf_counter()
            losses[label] = take(run, STEPS)
            bench.wait()
            if compiled:
                bench.line("sto, first steps with compiling", time.perf_counter() - begun, "s")
                bench.line("sto, compiled, graph breaks", traces.breaks, most=0, reasons=traces.reasons)
                bench.line("sto, compiled, graphs of the forward pass", traces.graphs, most=1)
        batch = next(steps_left(run))
        seconds[label] = bench.seconds_of(lambda: run.learn(batch), rounds=20)  # noqa: B023 - called at once
    both = losses["compiled"], losses["plain"]
    bench.line("sto, totals with and without compile apart", totals_apart(*both), most=APART, losses_apart=losses_apart(*both))
    bench.line("sto, speed with compile over without", seconds["plain"] / seconds["compiled"], "times", **seconds)


class Traces:
    """Context that counts what torch.compile does inside it.

    Attributes:
        breaks: graph breaks; reasons: dict of reason -> count; graphs: graphs that were made.
    """

    def __enter__(self):
        import torch._dynamo.utils as utils

        torch.compiler.reset()
        utils.counters.clear()
        self._counters = utils.counters
        return self

    def __exit__(self, *_):
        return None

    @property
    def reasons(self):
        """dict of reason -> count."""
        return {reason.splitlines()[0][:200]: count for reason, count in self._counters["graph_break"].items()}

    @property
    def breaks(self):
        """Graph breaks so far."""
        return sum(self._counters["graph_break"].values())

    @property
    def graphs(self):
        """Graphs so far: 1, where nothing broke and nothing was compiled anew."""
        return self._counters["stats"]["unique_graphs"]

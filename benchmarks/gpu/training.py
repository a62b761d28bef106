"""Steps of every family of configs with a checkpoint and a resumption half way, and in each precision."""

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.material import load_light, make_start

# together they hold every network, loss and discriminator of configs/
FAMILIES = ("sto", "expert", "wav2lip_gan", "lip_landmarks", "tcsc", "demo_spatial", "wav2lip", "lip_sync",
            "lipwarp_motion_gate", "lipwarp_refine_gan", "davs_disentangle", "davs_small", "davs_small_landmarks",
            "au_audio", "au_small_fusion_gan", "au_small_autoencoder", "au_small_diffusion",
            "au_small_diffusion_shuffled", "pcavs", "motion_small", "word_reader")  # fmt: skip
QUICK = ("expert",)
STEPS, SHORT, QUICK_STEPS = 30, 6, 2
RESUMED_FIRST, RESUMED = 1e-2, 0.05  # on a GPU, whose sums have no fixed order; on a CPU there is no difference
PRECISION = 0.15  # of the totals of the first steps: on a CPU bfloat16 lies 0.07 away for `expert`, 0.01 at most for the others


def measure(bench: Bench):
    """Enter the lines of this part."""
    for name in bench.cases(QUICK if bench.quick else FAMILIES):
        with bench.guard(name):
            resume(bench, name)
        with bench.guard(f"{name}, precisions"):
            compare_precisions(bench, name)


def precisions(bench):
    """Those that are tried beside the default one."""
    if not bench.cuda:
        return ["bf16"] if not bench.quick else []
    return ["fp16", "bf16"] if torch.cuda.is_bf16_supported(including_emulation=False) else ["fp16"]


def start(bench, name, label, steps, *, tuned=True, **train):
    """training.run.Run of a light config, in a run folder of its own.

    Args:
        tuned: cuDNN looks for its fastest way at the first step, as train.py lets it; False saves that time.
        train: settings of its section of that name.
    """
    from training.run import Run

    batch = 2 if bench.quick else 4
    overrides = [f"name={name}-{label}", "optim.warmup=0"]
    config = load_light(name, bench.material, *overrides, width=bench.width, device=str(bench.device), batch_size=batch,
                        steps=steps, validate_batches=1, **train)  # fmt: skip
    run = Run(make_start(config, bench.material))
    torch.backends.cudnn.benchmark = tuned and bench.cuda
    return run


def take(run, count):
    """Losses of the next `count` steps: list of dict."""
    from training.loop import steps_left

    batches = steps_left(run)
    return [run.learn(next(batches))[0] for _ in range(count)]


def resume(bench, name):
    """An unbroken run against one that is stopped half way and goes on from its checkpoint."""
    from training.storage.store import Store
    from training.validation import validate

    steps = QUICK_STEPS if bench.quick else STEPS
    run = start(bench, name, "whole", steps)
    first = take(run, steps // 2)
    Store(run).save()
    kept = flat(run.state())
    rest = take(run, steps - steps // 2)
    metrics, _ = validate(run)
    bench.line(f"{name}, {run.engine.precision}, losses finite in training and validation",
               float(all_finite([*first, *rest, metrics])), least=1.0, first=first[0], last=rest[-1])  # fmt: skip
    again = start(bench, name, "whole", steps)
    Store(again).load()
    back = flat(again.state())
    equal = kept.keys() == back.keys() and all(torch.equal(kept[key], back[key].to(kept[key].device)) for key in kept)
    bench.line(f"{name}, state after loading equals the stored one", float(equal), least=1.0, tensors=len(kept))
    resumed = take(again, len(rest))
    first, later = (RESUMED_FIRST, RESUMED) if bench.cuda else (0.0, 0.0)
    bench.line(f"{name}, first step after resuming, losses apart", losses_apart(resumed[:1], rest[:1]), most=first)
    bench.line(f"{name}, all steps after resuming, totals apart", totals_apart(resumed, rest), most=later,
               losses_apart=losses_apart(resumed, rest))  # fmt: skip


def compare_precisions(bench, name):
    """Losses of a few steps in half precision against the same in float32."""
    halves = precisions(bench)
    if not halves:
        return
    plain = take(start(bench, name, "fp32", SHORT, tuned=False, precision="fp32"), SHORT)
    for precision in halves:
        run = start(bench, name, precision, SHORT, tuned=False, precision=precision)
        found = take(run, SHORT)
        bench.line(f"{name}, {precision}, {SHORT} steps, totals apart from fp32", totals_apart(found, plain), most=PRECISION,
                   losses_apart=losses_apart(found, plain), scale=run.engine.scaler_state().get("scale"))  # fmt: skip


def losses_apart(ours, theirs):
    """Greatest relative distance of the losses of two lists of steps; gradients' norms and shares of hits are left out.

    Distances of values below 0.1 count as of 0.1.
    """
    found = 0.0
    for one, other in zip(ours, theirs, strict=True):
        for name, value in other.items():
            if not name.startswith("gradient") and not name.rpartition("/")[2].startswith(("accuracy", "f1_")):
                distance = abs(one[name] - value) / max(abs(value), 0.1)
                found = max(found, distance) if distance == distance else float("inf")
    return found


def totals_apart(ours, theirs):
    """Relative distance of the totals of two lists of steps, a mean over the steps: one step's tell little of batch norms."""
    distances = [abs(one["total"] - other["total"]) / abs(other["total"]) for one, other in zip(ours, theirs, strict=True)]
    return sum(distances) / len(distances)


def all_finite(rows):
    """Whether all losses of these dicts are finite; norms of gradients may not be, in fp16."""
    return all(abs(value) < float("inf") for row in rows for name, value in row.items() if not name.startswith("gradient"))


def flat(state, prefix=""):
    """dict of path -> tensor copy of all tensors in nested dicts and lists."""
    if isinstance(state, torch.Tensor):
        return {prefix: state.detach().clone()}
    if isinstance(state, dict | list | tuple):
        pairs = state.items() if isinstance(state, dict) else enumerate(state)
        return {key: value for name, one in pairs for key, value in flat(one, f"{prefix}/{name}").items()}
    return {}

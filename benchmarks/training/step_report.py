"""The table of train_step, and whether its bar is met."""

from statistics import median

BASE, FULL = "wav2lip_gan", "sto"
BAR, BAR_WIDTH = 1.25, 1.0


def summary(width, measured):
    """(lines of the table, sentences on missed bars).

    Args:
        width: of the networks.
        measured: dict: `seconds`, dict of form -> one number a round, in the same order; `flops`, dict of form -> int or None;
            `matmul` and `convolution`, the device's rates, FLOP a second, one a round.
    """
    seconds, flops = measured["seconds"], measured["flops"]
    rate = max(median(measured["matmul"]), median(measured["convolution"]))
    product, convolution = (spread([one / 1e9 for one in measured[name]], ".0f") for name in ("matmul", "convolution"))
    lines = [
        f"Width {width:g}. GFLOP/s of the device: matmul {product}, 5x5 convolution {convolution}",
        "",
        "| form | ms a step | GFLOP | GFLOP/s | of the device's | over wav2lip_gan |",
        "|---|---|---|---|---|---|",
    ]
    for name, values in seconds.items():
        work = flops[name] if flops[name] is not None else flops[BASE]
        reached = work / median(values)
        cells = (name, spread([1000 * value for value in values], ".0f"), "" if flops[name] is None else f"{work / 1e9:.1f}",
                 f"{reached / 1e9:.1f}", f"{reached / rate:.0%}", spread(ratios(seconds, name, BASE), ".3f"))  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    missed = []
    if FULL in seconds and width == BAR_WIDTH and (over := median(ratios(seconds, FULL, BASE))) > BAR:
        missed.append(f"width {width:g}: {FULL} takes {over:.3f} times as long as {BASE}, above {BAR:g}")
    return lines, missed


def ratios(seconds, one, other):
    """Time of a form over that of another, round by round."""
    return [left / right for left, right in zip(seconds[one], seconds[other], strict=True)]


def spread(values, style):
    """ "median (least-greatest)" in a number format."""
    return f"{median(values):{style}} ({min(values):{style}}-{max(values):{style}})"

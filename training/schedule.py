"""Learning rates over the steps of a run."""

import math

LEAST = 0.02  # share of the rate that a cosine schedule ends at


def rate_at(step, steps, lr, warmup=0, schedule="constant"):
    """Learning rate of step number `step`: linear warm-up, then constant, or half a cosine down to LEAST of it.

    Args:
        step: from 0; steps: of the whole run; warmup: steps.
        schedule: "constant" or "cosine".
    """
    warm = min(1.0, (step + 1) / max(1, warmup))
    if schedule == "constant":
        return lr * warm
    done = min(1.0, step / max(1, steps))
    return lr * warm * (LEAST + (1 - LEAST) * 0.5 * (1 + math.cos(math.pi * done)))

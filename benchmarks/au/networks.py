"""Networks of action units: parts that a benchmark needs, and who taught them."""

from common.errors import InputError

ALIKE = 0.9  # cosine of all weights; of two trainings from other seeds it is about 0


def require_part(tested, part, cure):
    """Raise InputError where a network lacks a part, such as "unit_classifier"; `cure`: the config that trains one."""
    if getattr(tested.model, part, None) is None:
        stage = tested.facts["stage"]
        raise InputError(f"{tested.facts['file']}: is of stage {stage} and has no {part}; give a checkpoint of {cure}")


def taught_by(networks, judge):
    """Names of the networks that learned with the classifier that judges them.

    That is so where a loss held it, or a loss of what the network began from, where the network began from its checkpoint, and
    where a network's own classifier began from it: its rate is so low that it keeps its direction (ALIKE).

    Args:
        networks: list of benchmarks.tested.Tested; judge: one with a unit_classifier, or None.
    """
    return [] if judge is None else [one.name for one in networks if judge.facts["sha256"] in one.judges or _began(one, judge)]


def _began(tested, judge):
    """Whether the classifier inside a network has almost the weights of the judge."""
    import torch

    own = getattr(tested.model, "unit_classifier", None)
    if own is None:
        return False
    parts = own, judge.model.unit_classifier
    first, second = (torch.cat([one.detach().flatten() for one in part.parameters()]) for part in parts)
    return first.shape == second.shape and float(torch.cosine_similarity(first, second, 0)) > ALIKE

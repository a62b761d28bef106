"""Names, weighs and sums the losses of a method."""

import torch
from torch import nn

from common.errors import InputError
from common.suggest import refuse_unknown
from losses.adversarial import AdversarialLoss
from losses.landmarks import LandmarkDistance
from losses.reconstruction import L1Loss, LaplacianLoss
from losses.spatial import SpatialTextureLoss
from losses.sync import SyncChoice, SyncClassification, SyncLoss
from losses.temporal import TemporalLipLoss

LOSSES = {
    "l1": L1Loss,
    "laplacian": LaplacianLoss,
    "sync": SyncLoss,
    "adversarial": AdversarialLoss,
    "sync_classification": SyncClassification,
    "sync_choice": SyncChoice,
    "landmark_distance": LandmarkDistance,
    "temporal_lip": TemporalLipLoss,
    "spatial_texture": SpatialTextureLoss,
}
_OWN_KEYS = ("weight", "enable_when")
REST = "rest"  # the weight that makes the weights of the terms that are switched on sum to 1


class Criterion(nn.Module):
    """Weighted sum of named terms.

    A term is an nn.Module with `needs` (fields), `reads` (outputs of the network) and `forward(outputs, batch) -> scalar`. A
    term with `enable_when: {metric: val/sync, below: 0.75}` counts only once that validation metric has fallen below the limit,
    and from then on; its value is measured in validation from the start.

    A weight may be "rest": what the other terms that are switched on leave of 1 (the L1 of METHODS 1.6 and 5.1).

    A term with an adversary has `adversary`, a module that learns beside the model: `adversary(outputs, batch) -> scalar` is
    what it learns from.

    A term that learns something of its own may have `memory`, a module whose state a resumed run gets back, and `facts()`, what
    a checkpoint tells of it.

    Args:
        terms: dict of name -> term.
        weights: dict of name -> float, or "rest" for one of them.
        gates: dict of name -> (metric, limit), for terms with `enable_when`.
    """

    def __init__(self, terms, weights, gates=None):
        super().__init__()
        self.terms = nn.ModuleDict(terms)
        self.weights, self.gates = dict(weights), dict(gates or {})
        self.open = {name: name not in self.gates for name in self.terms}

    @property
    def needs(self):
        """Fields that the terms need, sorted."""
        return tuple(sorted({name for term in self.terms.values() for name in term.needs}))

    def forward(self, outputs, batch, *, all_terms=False):
        """Total and parts.

        Args:
            outputs: dict of what the model gave.
            batch: dict of fields.
            all_terms: compute also terms that are still switched off; they do not enter the total.

        Returns:
            scalar tensor, dict of name -> detached scalar tensor.
        """
        total, parts = None, {}
        for name, term in self.terms.items():
            if self.open[name] or all_terms:
                value = term(outputs, batch)
                parts[name] = value.detach()
                if self.open[name]:
                    total = self.weight(name) * value + (0.0 if total is None else total)
        if total is None:
            total = torch.zeros((), device=next(iter(outputs.values())).device)
        return total, parts

    def weight(self, name):
        """Present weight of a term that is switched on."""
        if self.weights[name] != REST:
            return self.weights[name]
        return 1.0 - sum(self.weights[other] for other in self.terms if other != name and self.open[other])

    def adversaries(self):
        """dict of name -> module that learns beside the model."""
        return {name: term.adversary for name, term in self.terms.items() if hasattr(term, "adversary")}

    def memory(self):
        """dict of name -> state dict of the terms that have a memory."""
        return {name: term.memory.state_dict() for name, term in self.terms.items() if hasattr(term, "memory")}

    def remember(self, memory):
        """Put back what `memory` gave."""
        for name, state in memory.items():
            self.terms[name].memory.load_state_dict(state)

    def facts(self):
        """dict of name -> what a checkpoint tells of the term."""
        return {name: term.facts() for name, term in self.terms.items() if hasattr(term, "facts")}

    def update_gates(self, metrics):
        """Switch on the terms whose metric has fallen below its limit; returns the names of those switched on now."""
        opened = []
        for name, (metric, limit) in self.gates.items():
            if not self.open[name] and metrics.get(metric, float("inf")) < limit:
                self.open[name] = True
                opened.append(name)
        return opened


def build_criterion(config, resources):
    """Criterion from the `losses` section of a config.

    Args:
        config: dict of loss name -> {"weight": w, "enable_when": {...}, other arguments of the loss}.
        resources: dict of loss name -> arguments that a config cannot hold, such as a loaded expert.

    Raises:
        InputError: unknown loss or key, missing or negative weight.
    """
    if not isinstance(config, dict) or not config:
        raise InputError("losses: name at least one loss, such as  l1: {weight: 1.0}")
    refuse_unknown(config, LOSSES, "loss")
    terms, weights, gates = {}, {}, {}
    for name, options in config.items():
        weights[name] = _weight(name, options)
        if gate := options.get("enable_when"):
            if not isinstance(gate, dict) or set(gate) != {"metric", "below"} or not isinstance(gate["below"], int | float):
                raise InputError(f"losses.{name}.enable_when: must hold a metric and below, a number")
            gates[name] = (gate["metric"], float(gate["below"]))
        arguments = {key: value for key, value in options.items() if key not in _OWN_KEYS}
        terms[name] = _build(name, {**arguments, **resources.get(name, {})})
    _check_rest(weights)
    return Criterion(terms, weights, gates)


def _weight(name, options):
    """The weight that a config gives to a loss: a float, or REST."""
    weight = options.get("weight") if isinstance(options, dict) else None
    if weight == REST:
        return REST
    if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
        raise InputError(f'losses.{name}.weight: must be a number, 0 or more, or "rest"')
    return float(weight)


def _check_rest(weights):
    rests = [name for name, weight in weights.items() if weight == REST]
    others = sum(weight for weight in weights.values() if weight != REST)
    if len(rests) > 1:
        raise InputError(f"losses: only one weight can be the rest, not those of {' and '.join(rests)}")
    if rests and others >= 1:
        raise InputError(f"losses.{rests[0]}.weight: the other weights sum to {others:g} and leave nothing of 1")


def _build(name, arguments):
    import inspect

    known = [key for key in inspect.signature(LOSSES[name]).parameters]
    refuse_unknown(arguments, known, f"key of losses.{name}")
    try:
        return LOSSES[name](**arguments)
    except (TypeError, ValueError) as error:
        raise InputError(f"losses.{name}: {error}") from error

"""Action units from sound, from faces or from drawn faces, against those of the real frames (arXiv 2110.09951).

Units that are rare weigh more: w_i = n (1 / r_i) / sum_j (1 / r_j) of n units, r_i the share of the training frames in which
unit i is present. Frames whose units are unknown, and frames that pad a window, do not count.
"""

import torch
import torch.nn.functional as F

from common.action_units import LABELS, UNITS
from common.errors import InputError
from common.schema import REQUIRED, ListOf, Number
from losses.term import Term


class UnitTerm(Term):
    """Base: logits of units against `action_units`; `drawn_units`, unless a config's `of` names another output.

    Args:
        rates: r_i of the five units, each above 0, at most 1. None: a config's are those of the training clips; without a
            corpus all units weigh alike.
        sources: names of whose labels the training clips hold (common.action_units.SOURCES); (): not known.
    """

    needs = ("action_units", "action_units_known")
    reads = ("drawn_units",)
    made = ("sources",)

    def __init__(self, rates=None, sources=()):
        super().__init__()
        rates = [1.0] * len(UNITS) if rates is None else list(map(float, rates))
        if len(rates) != len(UNITS) or not all(0 < rate <= 1 for rate in rates):
            raise ValueError(f"rates: give {len(UNITS)} shares above 0, those of {', '.join(LABELS)}")
        self.rates, self.sources = rates, list(sources)
        inverse = 1 / torch.tensor(rates)
        self.register_buffer("weights", len(UNITS) * inverse / inverse.sum(), persistent=False)

    @classmethod
    def prepare(cls, options, setting, name):
        """Whose labels the training clips hold, and their rates, where the config gives none; see losses.term.Term."""
        if setting.sources is not None:
            options = {**options, "sources": setting.sources("action_units")}
        given = options.get("rates")
        if given is not None:
            return {**options, "rates": _RATES.check(given, f"losses.{name}.rates")}
        if setting.rates is None:
            return options
        rates = setting.rates("action_units")
        if absent := [label for label, rate in zip(LABELS, rates, strict=True) if not rate > 0]:
            usual = ", ".join(f"{max(rate, 0.01):.2f}" for rate in rates)
            raise InputError(f"losses.{name}.rates: no training clip shows {', '.join(absent)}; give the rates of the five "
                             f"units, such as [{usual}]")  # fmt: skip
        return {**options, "rates": rates}

    def facts(self):
        """What a checkpoint tells: the rates that the weights were made of, and whose labels it learned."""
        return {"rates": self.rates, "labels": self.sources}

    def count(self, outputs, batch):
        """See losses.term.Precise: frames whose units are known."""
        return _counting(batch).sum()

    def mean(self, values, batch):
        """(B, T, 5) -> scalar: weighed mean over the units, then over the frames that count; 0 where none does."""
        counting = _counting(batch)
        frames = (values * self.weights).mean(2)
        return frames.masked_fill(~counting, 0).sum() / counting.sum().clamp_min(1)


class ActionUnitBce(UnitTerm):
    """Weighed binary cross-entropy, -(1 / n) sum_i w_i [y_i log p_i + (1 - y_i) log (1 - p_i)].

    The figures `f1_au25` and `accuracy_au25`, and so of each unit: 2 TP / (2 TP + FP + FN) of all frames together, and the
    share of frames that are right, at a probability of 1/2.
    """

    def forward(self, outputs, batch):
        """`drawn_units` (B, T, 5) logits; `action_units` (B, T, 5) 0 or 1, `action_units_known` (B, T) bool -> scalar."""
        logits, units = outputs[self.reads[0]], batch["action_units"]
        values = F.binary_cross_entropy_with_logits(logits, units, reduction="none")
        return self.mean(values, batch), unit_figures(logits, units, _counting(batch))


class ActionUnitDice(UnitTerm):
    """Weighed Dice loss, (1 / n) sum_i w_i [1 - (2 y_i p_i + e) / (y_i^2 + p_i^2 + e)].

    Args:
        epsilon: e, which keeps the fraction from 0 / 0; its value is not published, 1 is usual (inferred).
    """

    ranges = {"epsilon": Number(REQUIRED, 0, 100, above=True)}

    def __init__(self, rates=None, epsilon=1.0, sources=()):
        super().__init__(rates, sources)
        self.epsilon = float(epsilon)

    def forward(self, outputs, batch):
        """As of ActionUnitBce -> scalar."""
        found, units = outputs[self.reads[0]].sigmoid(), batch["action_units"]
        same = (2 * units * found + self.epsilon) / (units.square() + found.square() + self.epsilon)
        return self.mean(1 - same, batch)


def unit_figures(logits, units, counting):
    """Figures of each unit, see losses.term.Term: dict of name -> (sum, count).

    Args:
        logits: (B, T, 5) float; units: (B, T, 5) float 0 or 1; counting: (B, T) bool.
    """
    found, real = logits.detach() > 0, units > 0.5
    counting = counting[..., None].expand_as(found)
    both = (found & real & counting).sum((0, 1))
    either = (found & counting).sum((0, 1)) + (real & counting).sum((0, 1))
    right, frames = ((found == real) & counting).sum((0, 1)), counting.sum((0, 1))
    figures = {}
    for number, label in enumerate(LABELS):
        figures[f"f1_{label.lower()}"] = (2 * both[number], either[number])
        figures[f"accuracy_{label.lower()}"] = (right[number], frames[number])
    return figures


def _counting(batch):
    """(B, T) bool: frames whose units are known and that are no padding."""
    known = batch["action_units_known"].bool()
    return known & (batch["valid"] > 0) if "valid" in batch else known


_RATES = ListOf(Number(REQUIRED, 0, 1, above=True), None, "", length=len(UNITS))

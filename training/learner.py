"""A network and its optimiser, and the learning rates of a step."""

import torch

from training.schedule import rate_at


class Learner:
    """A network and its optimiser.

    Where there are several processes, DistributedDataParallel averages the gradients while they are made, and waits for one of
    every parameter. Which parameters get none, because no loss that is switched on reaches them, the first step finds out,
    whose gradients are averaged afterwards; DistributedDataParallel then leaves these parameters out, and autograd, too.

    Args:
        engine: training.engine.Engine; module: the network; groups: for torch.optim, each with its lr; settings: warmup, clip
            and, for a network that has one, schedule.

    Attributes:
        module: the network itself; network: the same, prepared for this run's processes and precision; in a first step a
            function that calls it.
        rates: learning rate of each group, before warm-up and schedule.
    """

    def __init__(self, engine, module, groups, settings):
        self.engine, self.module, self.settings = engine, module, settings
        self._unreached = []
        self.network, self._first = (engine.prepare(module), False) if engine.size == 1 else (module.forward, True)
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    def find_anew(self):
        """Let the next step be a first step: other losses are switched on."""
        if self.engine.size > 1:
            for parameter in self._unreached:
                parameter.requires_grad_(True)
            self._unreached, self.network, self._first = [], self.module.forward, True

    def step_done(self):
        """After a first step: leave out what got no gradient from here on."""
        if self._first:
            for parameter in self._unreached:
                parameter.requires_grad_(False)
            self.network, self._first = self.engine.prepare(self.module), False

    def clip(self):
        """Norm of the gradients, a tensor on the device; they are cut to the settings' limit."""
        if self._first:
            learning = [one for one in self.module.parameters() if one.requires_grad]
            found = zip(learning, self.engine.average_gradients(learning), strict=True)
            self._unreached = [one for one, reached in found if not reached]
        return self.engine.clip(self.optimizer, self.settings["clip"])

    def rate(self, step, steps, lr):
        """Learning rate of step number `step` where it is `lr` after the warm-up."""
        return rate_at(step, steps, lr, self.settings["warmup"], self.settings.get("schedule", "constant"))

    def set_rates(self, step, steps):
        """Learning rates of step number `step`."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = self.rate(step, steps, rate)


def rates_of(learner, adversaries, step, steps):
    """Learning rates of a step by name, as a log holds them.

    Args:
        learner: the network's Learner; adversaries: dict of name -> Learner.
        step, steps: number of the step, and of steps of the run.

    Returns:
        dict of name -> float: "rate" of what `optim.parts` does not name (left out where it names all), "rate/<part>" of each
        part there, "rate/adversary/<name>" of each adversary.
    """
    parts = learner.settings.get("parts") or {}
    found = {}
    if len(learner.rates) > len(parts):
        found["rate"] = learner.rate(step, steps, learner.settings["lr"])
    found |= {f"rate/{name}": learner.rate(step, steps, part["lr"]) for name, part in parts.items()}
    return found | {
        f"rate/adversary/{name}": adversary.rate(step, steps, adversary.rates[0]) for name, adversary in adversaries.items()
    }

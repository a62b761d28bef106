"""One run of one config: everything that the loop moves. It knows no method by name."""

from pathlib import Path

import torch

from common.errors import InputError
from losses.criterion import as_pair
from models import build_model
from training.batch_norm import share_batch_norm
from training.crop_kind import require_one_crop
from training.engine import Engine
from training.parts import build_network, keep_frozen_in_eval, parameter_groups
from training.schedule import rate_at
from training.setup import (
    adversary_settings,
    build_datasets,
    build_losses,
    field_options,
    needed_fields,
    sync_frames_of,
    textures_of,
)
from training.storage.state import Average

PASSED_OVER = 50  # fp16: steps in a row that the loss scale may pass over; halving it helps within some 20, or never


class NotFinite(ArithmeticError):
    """A loss or a gradient is NaN or infinite.

    Attributes:
        clips: [[clip id, first frame], ...] of the windows at fault, or of the whole step where it was the gradient.
        parts: dict of loss name -> float.
    """

    def __init__(self, what, clips, parts):
        super().__init__(what)
        self.clips, self.parts = clips, parts

    def __reduce__(self):
        return NotFinite, (self.args[0], self.clips, self.parts)


class Learner:
    """A network and what moves it.

    Args:
        engine: training.engine.Engine; module: the network; groups: for torch.optim, each with its lr; settings: warmup, clip
            and, for a network that has one, schedule.

    Attributes:
        module: the network itself; network: the same, prepared for this run's processes and precision.
        rates: learning rate of each group, before warm-up and schedule.
    """

    def __init__(self, engine, module, groups, settings):
        self.engine, self.module, self.settings = engine, module, settings
        self.network = engine.prepare(module)
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    def clip(self):
        """Norm of the gradients, a tensor on the device; they are cut to the settings' limit."""
        return self.engine.clip(self.optimizer, self.settings["clip"])

    def set_rates(self, step, steps):
        """Learning rates of step number `step`."""
        schedule = self.settings.get("schedule", "constant")
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate_at(step, steps, rate, self.settings["warmup"], schedule)


class Run:
    """Network, losses, adversaries, optimisers, data and their state.

    Args:
        config: from training.config.load_config.

    Attributes:
        step: optimiser steps done.
        best_by: name of the validation metric whose least value makes best.safetensors; best: that value so far.
        validation: dict of split -> datasets.windows.WindowDataset: "val" sentences, "unseen" speakers, as far as there are.
        learner: the network's Learner; adversaries: dict of name -> Learner.
    """

    def __init__(self, config):
        self.config, train = config, config["train"]
        self.engine = Engine(train["device"], train["precision"])
        self.device = self.engine.device
        if train["threads"]:
            torch.set_num_threads(train["threads"])
        self.model, learnt = build_network(config, self.device), {}
        self.criterion = build_losses(config, self.device, self.model, learnt)
        self.criterion.set_precision(self.engine.half)
        fields = needed_fields(config, self.model, self.criterion)
        wanted = (sync_frames_of(config, self.model, self.criterion), textures_of(config, self.criterion))
        options = field_options(self.model, self.criterion)
        self.training, self.validation = build_datasets(
            config, fields, *wanted, options, getattr(self.model, "face_size", None)
        )
        self.corpus = self.training.corpus
        require_one_crop(config, self.corpus.settings, learnt)
        self.best_by = self._metric(train["best"])
        for name, (metric, _) in self.criterion.gates.items():
            self._require_metric(metric, f"losses.{name}.enable_when.metric")
            if not self.validation:
                raise InputError(f"losses.{name}.enable_when: without clips to validate it would never be switched on")
        self.average = Average(self.model, train["ema"])
        self.averaged_model = build_model(config["model"]).to(self.device, memory_format=torch.channels_last).eval()
        self.averaged_model.configure(config["data"])
        self._set_up_learners()
        self.step, self.best, self.passed_over = 0, float("inf"), 0
        self.folder = Path(train["runs"]) / config["name"]

    def _set_up_learners(self):
        train, engine = self.config["train"], self.engine
        adversaries, settings = self.criterion.adversaries(), adversary_settings(self.config, self.criterion)
        if engine.size > 1 and train["sync_batchnorm"]:
            for module in (self.model, *adversaries.values()):
                share_batch_norm(module, self.device)
        if train["compile"]:
            self.model.compile()
        optim = self.config["optim"]
        self.learner = Learner(engine, self.model, parameter_groups(self.model, optim), optim)
        self.adversaries = {
            name: Learner(engine, module, parameter_groups(module, settings[name]), settings[name])
            for name, module in adversaries.items()
        }

    def _metric(self, name):
        """The validation metric whose least value makes the best weights."""
        if name is None:
            return "unseen/total" if self.validation and "val" not in self.validation else "val/total"
        self._require_metric(name, "train.best")
        return name

    def _require_metric(self, name, key):
        split, _, part = str(name).partition("/")
        parts = ("total", *self.criterion.terms)
        if split not in ("val", "unseen") or part not in parts:
            raise InputError(f"{key}: {name!r}: no such metric; write val/ or unseen/ and one of {', '.join(parts)}")
        if self.validation and split not in self.validation:
            raise InputError(f"{key}: {name}: the corpus has no clips of split {split}")

    def rate(self):
        """Learning rate of the present step, of all parts without one of their own."""
        optim = self.config["optim"]
        return rate_at(self.step, self.config["train"]["steps"], optim["lr"], optim["warmup"], optim["schedule"])

    def learn(self, batches, stop=False):
        """One optimiser step of the network and of its adversaries.

        The host waits for the device once: for the values of the step, which decide whether it is taken. fp16's loss scale
        waits once more for each optimiser. Each batch is let go before the next one is looked at.

        Args:
            batches: list of batches as they are shipped, on the CPU, whose gradients are summed; all of one size.
            stop: this process has been asked to stop.

        Returns:
            dict of named floats, over batches and processes; whether any process has been asked to stop.

        Raises:
            NotFinite: before anything has changed but batch statistics and the table of phoneme weights.
        """
        self.model.train()
        keep_frozen_in_eval(self.model, self.config)
        learners = {"": self.learner, **self.adversaries}
        totals, parts, against = [], [], {name: [] for name in self.adversaries}
        for number, batch in enumerate(batches):
            batch = self.move(batch, self.training)
            with self.engine.without_sync([one.network for one in learners.values()], number + 1 < len(batches)):
                outputs, total, found = self._forward(batch)
                self.engine.backward(total / len(batches))
                outputs = {name: value.detach() for name, value in outputs.items()}
                for name, adversary in self.adversaries.items():
                    loss = adversary.network(self.criterion.seen_by(name.partition("/")[0], outputs), batch)
                    self.engine.backward(loss / len(batches))
                    against[name].append(loss.detach().float())
            totals.append(total.detach().float())
            parts.append(found)
            del batch, outputs, total  # before the next one is moved to the device
        norms = [learner.clip() for learner in learners.values()]
        values, stop = self._fetch(totals, parts, against, norms, stop)
        try:
            self._require_finite(values, totals, batches)
        except NotFinite:
            for learner in learners.values():
                learner.optimizer.zero_grad(set_to_none=True)
            raise
        for learner in learners.values():
            learner.set_rates(self.step, self.config["train"]["steps"])
        self.engine.step([learner.optimizer for learner in learners.values()])
        self.average.update(self.model, self.step)
        self.step += 1
        return values, stop

    def _forward(self, batch):
        """(outputs, total, parts) of one batch."""
        with self.engine.autocast():
            outputs = self.learner.network(batch)
            total, parts = self.criterion(outputs, batch)
        return outputs, total, parts

    def _fetch(self, totals, parts, against, norms, stop):
        """({name: float}, bool): the values of a step over batches and processes, fetched from the device in one go."""
        rows = [{"total": total, **found} for total, found in zip(totals, parts, strict=True)]
        table = {name: torch.stack([as_pair(row[name]) for row in rows]).mean(0) for name in rows[0]}
        table |= {f"adversary/{name}": as_pair(torch.stack(losses).mean()) for name, losses in against.items()}
        names = ("gradient", *(f"gradient/{name}" for name in against))
        table |= {name: as_pair(norm) for name, norm in zip(names, norms, strict=True)}
        table["stop"] = as_pair(totals[0].new_full((), float(stop)))
        pairs = self.engine.mean(torch.stack(list(table.values()))).tolist()
        values = {name: value / count if count else 0.0 for name, (value, count) in zip(table, pairs, strict=True)}
        return values, values.pop("stop") > 0

    def _require_finite(self, values, totals, batches):
        """NotFinite where a loss is not, or a gradient; fp16's loss scale passes over steps whose gradients are not."""
        bad = [name for name, value in values.items() if not abs(value) < float("inf")]
        losses = [name for name in bad if not name.startswith("gradient")]
        step = f"step {self.step + 1}"
        if losses:
            own = torch.stack(totals).tolist()
            mine = [batch for batch, total in zip(batches, own, strict=True) if not abs(total) < float("inf")]
            if all(name.startswith("adversary/") for name in losses):
                mine = batches
            raise NotFinite(f"{step}: the loss is not finite ({', '.join(losses)})", self._windows_of_all(mine), values)
        self.passed_over = self.passed_over + 1 if bad else 0
        if bad and (self.engine.precision != "fp16" or self.passed_over > PASSED_OVER):
            raise NotFinite(f"{step}: the gradient is not finite", self._windows_of_all(batches), values)

    def _windows_of_all(self, batches):
        """`_windows` of the batches of all processes, all of which must call it."""
        return [clip for part in self.engine.gather(self._windows(batches)) for clip in part]

    def _windows(self, batches):
        """[[clip id, first frame], ...] of batches."""
        rows = self.training.rows
        return [
            [rows[clip].id, frame]
            for batch in batches
            for clip, frame in zip(batch["clip"].tolist(), batch["frame"].tolist(), strict=True)
        ]

    def state(self):
        """Everything that the next step depends on, but the random generators."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.learner.optimizer.state_dict(),
            "adversaries": {
                name: {"model": adversary.module.state_dict(), "optimizer": adversary.optimizer.state_dict()}
                for name, adversary in self.adversaries.items()
            },
            "average": self.average.values,
            "scaler": self.engine.scaler_state(),
            "step": self.step,
            "best": self.best,
            "open": dict(self.criterion.open),
            "memory": self.criterion.memory(),
            "crop": self.corpus.settings["crop"],
        }

    def load_state(self, state):
        """Put back what `state` gave.

        Raises:
            InputError: learnt from another kind of crop. RuntimeError, ValueError, KeyError: of another network.
        """
        crop = self.corpus.settings["crop"]
        if state["crop"] != crop:
            told = f"learnt from {state['crop']} crops, the corpus holds {crop} ones"
            raise InputError(f"{self.folder}: {told}; choose another name")
        if set(state["adversaries"]) != set(self.adversaries):
            raise KeyError("adversaries")
        self.model.load_state_dict(state["model"])
        self.learner.optimizer.load_state_dict(state["optimizer"])
        for name, stored in state["adversaries"].items():
            self.adversaries[name].module.load_state_dict(stored["model"])
            self.adversaries[name].optimizer.load_state_dict(stored["optimizer"])
        self.average.values = {name: tensor.to(self.device) for name, tensor in state["average"].items()}
        self.engine.load_scaler(state["scaler"])
        self.step, self.best = state["step"], state["best"]
        self.criterion.open.update(state["open"])
        self.criterion.remember(state["memory"])

    def move(self, batch, windows):
        """The fields of a batch that a loader of `windows` shipped, on the device of the run."""
        return windows.complete({name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()})


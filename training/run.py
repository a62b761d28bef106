"""One run of one config: everything that the loop moves. It knows no method by name."""

import json
from pathlib import Path

import torch

from common.errors import InputError
from datasets.preparing.split import command
from losses.criterion import as_pair, counted
from models import build_model
from training.batch_norm import share_batch_norm
from training.best import BestWeights, metric_of_best, require_gates
from training.changes import changed_clips, changed_settings, clips_of, of_validation
from training.classes import classes_of_run, joined
from training.config import starts_of
from training.config.missing import config_of
from training.crop_kind import require_one_crop
from training.engine import Engine
from training.learner import Learner, rates_of
from training.parts import (
    build_network,
    inherited_facts,
    keep_frozen_in_eval,
    new_modules,
    parameter_groups,
    require_starts,
)
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


class Run:
    """Network, losses, adversaries, optimisers, data and their state.

    Args:
        config: from training.config.load_config.
        trial: for a dry run: a checkpoint that another config of `configs/` would leave, and that is not there yet, is replaced
            by an untrained network of that config; `notes` says so.

    Attributes:
        step: optimiser steps done.
        best: training.best.BestWeights.
        notes: lines for the user on how the run was built.
        changes: dict of setting -> [old, new]: what differs from the stored run that this one goes on with.
        validation: dict of split -> datasets.windows.WindowDataset: "val" sentences, "unseen" speakers, as far as there are.
        inherited: what its checkpoints say of the judges of what it began from, see training.parts.inherited_facts.
        classes: dict of "words" and "people" -> names of the classes in order, as far as the network has them.
        learner: the network's Learner; adversaries: dict of name -> Learner.
    """

    def __init__(self, config, *, trial=False):
        self.config, train, self.notes, self.changes = config, config["train"], [], {}
        self.folder = Path(train["runs"]) / config["name"]
        self.engine = Engine(train["device"], train["precision"])
        self.device = self.engine.device
        if train["threads"]:
            torch.set_num_threads(train["threads"])
        begun, learnt = [], {}
        self.model = build_network(config, self.device, self._starts(trial), begun)
        self.notes += new_modules(begun)
        self.inherited = inherited_facts(begun)
        self.criterion = build_losses(config, self.device, self.model, learnt, self.notes if trial else None)
        self.criterion.set_precision(self.engine.half)
        fields = needed_fields(config, self.model, self.criterion)
        wanted = (sync_frames_of(config, self.model, self.criterion), textures_of(config, self.criterion))
        options = field_options(self.model, self.criterion)
        self.training, self.validation = build_datasets(
            config, fields, *wanted, options, getattr(self.model, "face_size", None)
        )
        self.corpus = self.training.corpus
        require_one_crop(config, self.corpus.settings, learnt, begun)
        self.classes = classes_of_run(self.model, self.training, begun, self.notes)
        self.best = BestWeights(metric_of_best(train["best"], list(self.validation), self.criterion, self.cure))
        require_gates(self.criterion, self.validation, self.cure)
        self.average = Average(self.model, train["ema"])
        self.averaged_model = build_model(config["model"]).to(self.device, memory_format=torch.channels_last).eval()
        self.averaged_model.configure(config["data"])
        self._set_up_learners()
        self.step, self.passed_over = 0, 0
        if self.engine.rank:  # all networks are built alike; from here on each process draws its own noise and dropout
            torch.manual_seed(train["seed"] + self.engine.rank)

    def _starts(self, trial):
        """What the network begins from; nothing where the run goes on from its own checkpoint."""
        if (self.folder / "checkpoint.pt").is_file():
            return []
        require_starts(self.config)
        starts = starts_of(self.config["train"])
        missing = [one for one in starts if trial and not Path(one["checkpoint"]).exists() and config_of(one["checkpoint"])]
        self.notes += [f"train.init: {one['checkpoint']} is not there yet: this dry run begins from new weights"
                       for one in missing]  # fmt: skip
        return [one for one in starts if one not in missing]

    def cure(self, split):
        """How to get clips of a split, in words."""
        again = command(self.corpus.folder) if split == "val" else (
            f"python prepare.py --out {self.corpus.folder} --split shares --unseen_speakers NAMES")  # fmt: skip
        return f"to get some, run  {again}"

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

    def rates(self):
        """Learning rates of the present step by name, see `training.learner.rates_of`."""
        return rates_of(self.learner, self.adversaries, self.step, self.config["train"]["steps"])

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
                for name in self.adversaries:
                    against[name].append(self._against(name, outputs, batch, len(batches)))
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
        for learner in learners.values():
            learner.step_done()
        self.average.update(self.model, self.step)
        self.step += 1
        return values, stop

    def _against(self, name, outputs, batch, batches):
        """(2,) value and count of what an adversary learns from one of `batches` batches, whose gradient is added."""
        adversary, seen = self.adversaries[name], self.criterion.seen_by(name.partition("/")[0], outputs)
        loss = adversary.network(seen, batch)
        self.engine.backward(loss / batches)
        return as_pair(counted(loss, adversary.module.count(seen, batch)))

    def _forward(self, batch):
        """(outputs, total, parts) of one batch."""
        with self.engine.autocast():
            outputs = self.learner.network(batch)
            total, parts = self.criterion(outputs, batch)
        return outputs, total, parts

    def _fetch(self, totals, parts, against, norms, stop):
        """({name: float}, bool): values of a step over batches and processes, fetched at once; none of what counted nothing."""
        rows = [{"total": total, **found} for total, found in zip(totals, parts, strict=True)]
        table = {name: torch.stack([as_pair(row[name]) for row in rows]).mean(0) for name in rows[0]}
        table |= {f"adversary/{name}": torch.stack(losses).mean(0) for name, losses in against.items()}
        names = ("gradient", *(f"gradient/{name}" for name in against))
        table |= {name: as_pair(norm) for name, norm in zip(names, norms, strict=True)}
        table["stop"] = as_pair(totals[0].new_full((), float(stop)))
        pairs = self.engine.mean(torch.stack(list(table.values()))).tolist()
        values = {name: value / count for name, (value, count) in zip(table, pairs, strict=True) if count}
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
            "best": self.best.state(),
            "config": json.dumps(self.config),
            "processes": self.engine.size,
            "clips": clips_of(self.training, self.validation),
            "open": dict(self.criterion.open),
            "memory": self.criterion.memory(),
            "crop": self.corpus.settings["crop"],
            "classes": self.classes,
            "inherited": self.inherited,
        }

    def load_state(self, state):
        """Put back what `state` gave.

        Raises:
            InputError: learnt from another kind of crop, or of other words or people.
            RuntimeError, ValueError, KeyError: of another network.
        """
        crop = self.corpus.settings["crop"]
        if state["crop"] != crop:
            told = f"learnt from {state['crop']} crops, the corpus holds {crop} ones"
            raise InputError(f"{self.folder}: {told}; choose another name")
        before = {kind: (self.folder, names, "choose another name") for kind, names in state.get("classes", {}).items()}
        self.classes = joined(self.classes, before, self.corpus.folder)
        if set(state["adversaries"]) != set(self.adversaries):
            raise KeyError("adversaries")
        self.model.load_state_dict(state["model"])
        self.learner.optimizer.load_state_dict(state["optimizer"])
        for name, stored in state["adversaries"].items():
            self.adversaries[name].module.load_state_dict(stored["model"])
            self.adversaries[name].optimizer.load_state_dict(stored["optimizer"])
        self.average.values = {name: tensor.to(self.device) for name, tensor in state["average"].items()}
        self.engine.load_scaler(state["scaler"])
        self.step, self.inherited = state["step"], state.get("inherited", {})
        self._load_best(state)
        self.criterion.open |= {name: counts for name, counts in state["open"].items() if name in self.criterion.gates}
        self.criterion.remember(state["memory"])

    def _load_best(self, state):
        """The best so far, unless what has changed since then makes it another thing; a state of before has no config."""
        discarded = self.best.load(state["best"], self.step)
        if "config" not in state:
            return
        before = {**json.loads(state["config"]), "processes": state["processes"]}
        self.changes = changed_settings(before, {**json.loads(json.dumps(self.config)), "processes": self.engine.size})
        clips, leaked = changed_clips(state["clips"], clips_of(self.training, self.validation))
        self.changes |= clips
        if discarded or of_validation(self.changes):
            self.best.begin_anew(self.step)
            self.notes.append("what validation measures has changed: the best weights are chosen anew from here on")
        if leaked:
            some = ", ".join(leaked[:3]) + (" and others" if len(leaked) > 3 else "")
            count = "1 clip" if len(leaked) == 1 else f"{len(leaked)} clips"
            self.notes.append(f"warning: validation now holds {count} from which this run has learned ({some}): values of "
                              "validation look better than they are; a run of another name compares")  # fmt: skip

    def move(self, batch, windows):
        """The fields of a batch that a loader of `windows` shipped, on the device of the run."""
        return windows.complete({name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()})


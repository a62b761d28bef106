"""One run of one config: everything that the loop moves. It knows no method by name."""

from pathlib import Path

import torch

from common.errors import InputError
from models import build_model
from models.interface import INTERFACES
from training.batch_norm import share_batch_norm
from training.crop_kind import require_one_crop
from training.engine import Engine
from training.schedule import rate_at
from training.setup import (
    build_datasets,
    build_losses,
    build_network,
    needed_fields,
    sync_frames_of,
    textures_of,
)
from training.state import Average


class NotFinite(ArithmeticError):
    """A loss or a gradient is NaN or infinite.

    Attributes:
        clips: [[clip id, first frame], ...] of the windows at fault, or of the whole step where it was the gradient.
        parts: dict of loss name -> float.
    """

    def __init__(self, what, clips, parts):
        super().__init__(what)
        self.clips, self.parts = clips, parts


class Run:
    """Network, losses, adversaries, optimisers, data and their state.

    Args:
        config: from training.config.load_config.

    Attributes:
        step: optimiser steps done.
        best_by: name of the validation metric whose least value makes best.safetensors; best: that value so far.
        validation: dict of split -> datasets.windows.WindowDataset: "val" sentences, "unseen" speakers, as far as there are.
    """

    def __init__(self, config):
        self.config, train = config, config["train"]
        self.engine = Engine(train["device"], train["precision"])
        self.device = self.engine.device
        if train["threads"]:
            torch.set_num_threads(train["threads"])
        self.model = build_network(config, self.device)
        self.interface = INTERFACES[config["model"]["name"]]
        self.criterion = build_losses(config, self.device, self.model)
        fields = needed_fields(config, self.model, self.criterion)
        frames = sync_frames_of(config, self.model, self.criterion)
        self.training, self.validation = build_datasets(config, fields, frames, textures_of(config, self.criterion))
        self.corpus = self.training.corpus
        require_one_crop(config, self.corpus.settings)
        self.best_by = self._metric(train["best"])
        for name, (metric, _) in self.criterion.gates.items():
            self._require_metric(metric, f"losses.{name}.enable_when.metric")
            if not self.validation:
                raise InputError(f"losses.{name}.enable_when: without clips to validate it would never be switched on")
        self.average = Average(self.model, train["ema"])
        self.averaged_model = build_model(config["model"]).to(self.device, memory_format=torch.channels_last).eval()
        self._set_up_optimisers()
        self.step, self.best = 0, float("inf")
        self.folder = Path(train["runs"]) / config["name"]

    def _set_up_optimisers(self):
        train, engine = self.config["train"], self.engine
        adversaries = self.criterion.adversaries()
        if engine.size > 1 and train["sync_batchnorm"]:
            share_batch_norm(self.model, self.device)
            for adversary in adversaries.values():
                share_batch_norm(adversary, self.device)
        if train["compile"]:
            self.model.compile()
        self.network = engine.prepare(self.model)
        self.optimizer = engine.prepare_optimizer(_adamw(self.model, self.config["optim"]))
        self.adversaries = {
            name: (engine.prepare(module), engine.prepare_optimizer(_adamw(module, self.config["adversary"])))
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
        """Learning rate of the present step."""
        optim = self.config["optim"]
        return rate_at(self.step, self.config["train"]["steps"], optim["lr"], optim["warmup"], optim["schedule"])

    def learn(self, batches, stop=False):
        """One optimiser step.

        Args:
            batches: list of batches on the CPU, whose gradients are summed; all of one size.
            stop: this process has been asked to stop.

        Returns:
            dict of named floats, means over batches and processes; whether any process has been asked to stop.

        Raises:
            NotFinite: before anything has changed but batch statistics.
        """
        self.model.train()
        seen, reports = [], []
        for number, batch in enumerate(batches):
            batch = self.move(batch)
            with self.engine.without_sync([self.network], number + 1 < len(batches)):
                with self.engine.autocast():
                    outputs = self.interface.predict(self.network, batch)
                    total, parts = self.criterion(outputs, batch)
                self.engine.backward(total / len(batches))
            seen.append(({name: value.detach() for name, value in outputs.items()}, batch))
            reports.append(torch.stack([total.detach().float(), *(value.float() for value in parts.values())]))
        names = ("total", *parts)
        local = torch.stack(reports)
        means = self.engine.mean(torch.cat([local.mean(0), local.new_tensor([float(stop)])])).tolist()
        values = dict(zip(names, means[:-1], strict=True))
        self._require_finite(values, local[:, 0], seen)
        norm = self._take_step(self.optimizer, self.model, self.config["optim"], self.rate())
        if not torch.isfinite(norm) and self.engine.precision != "fp16":  # fp16's loss scale passes such steps over
            raise NotFinite(f"step {self.step + 1}: the gradient is not finite", self._windows(seen), values)
        values["gradient"] = float(norm)
        values |= self._teach_adversaries(seen)
        self.average.update(self.model, self.step)
        self.step += 1
        return values, means[-1] > 0

    def _take_step(self, optimizer, module, settings, rate):
        norm = self.engine.clip(optimizer, list(module.parameters()), settings["clip"])
        for group in optimizer.param_groups:
            group["lr"] = rate
        if torch.isfinite(norm) or self.engine.precision == "fp16":
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return norm

    def _teach_adversaries(self, seen):
        """A step of every adversary on the faces of this step; returns dict of named floats."""
        values = {}
        for name, (adversary, optimizer) in self.adversaries.items():
            losses = []
            for number, (outputs, batch) in enumerate(seen):
                with self.engine.without_sync([adversary], number + 1 < len(seen)):
                    with self.engine.autocast():
                        loss = adversary(outputs, batch)
                    self.engine.backward(loss / len(seen))
                losses.append(loss.detach().float())
            mean = self.engine.mean(torch.stack(losses).mean()[None])
            settings = self.config["adversary"]
            rate = rate_at(self.step, self.config["train"]["steps"], settings["lr"], settings["warmup"])
            self._take_step(optimizer, adversary, settings, rate)
            values[f"adversary/{name}"] = float(mean)
            if not torch.isfinite(mean).all():
                raise NotFinite(f"step {self.step + 1}: the adversary's loss is not finite", self._windows(seen), values)
        return values

    def _require_finite(self, values, totals, seen):
        if all(value == value and abs(value) != float("inf") for value in values.values()):
            return
        mine = [one for one, total in zip(seen, totals.tolist(), strict=True) if not abs(total) < float("inf")]
        clips = [clip for part in self.engine.gather(self._windows(mine)) for clip in part]
        bad = ", ".join(name for name, value in values.items() if not abs(value) < float("inf"))
        raise NotFinite(f"step {self.step + 1}: the loss is not finite ({bad})", clips, values)

    def _windows(self, seen):
        """[[clip id, first frame], ...] of batches."""
        rows = self.training.rows
        return [
            [rows[clip].id, frame]
            for _, batch in seen
            for clip, frame in zip(batch["clip"].tolist(), batch["frame"].tolist(), strict=True)
        ]

    def state(self):
        """Everything that the next step depends on, but the random generators."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "adversaries": {
                name: {"model": self.criterion.terms[name].adversary.state_dict(), "optimizer": optimizer.state_dict()}
                for name, (_, optimizer) in self.adversaries.items()
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
        self.optimizer.load_state_dict(state["optimizer"])
        for name, stored in state["adversaries"].items():
            self.criterion.terms[name].adversary.load_state_dict(stored["model"])
            self.adversaries[name][1].load_state_dict(stored["optimizer"])
        self.average.values = {name: tensor.to(self.device) for name, tensor in state["average"].items()}
        self.engine.load_scaler(state["scaler"])
        self.step, self.best = state["step"], state["best"]
        self.criterion.open.update(state["open"])
        self.criterion.remember(state["memory"])

    def move(self, batch):
        """The fields of a batch that the loader shipped, on the device of the run."""
        return self.training.complete({name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()})


def _adamw(module, settings):
    return torch.optim.AdamW(
        module.parameters(), lr=settings["lr"], betas=tuple(settings["betas"]), weight_decay=settings.get("weight_decay", 0.0)
    )

"""The training loop, which knows no method by name."""

import time
from pathlib import Path

import torch

from common.errors import InputError
from models import build_model
from models.devices import choose_device
from models.interface import INTERFACES
from training.checkpoint import save_checkpoint
from training.crop_kind import require_one_crop
from training.distributed import Group
from training.log import Log
from training.setup import (
    batches,
    build_datasets,
    build_losses,
    build_network,
    checkpoint_config,
    needed_fields,
    sync_frames_of,
    textures_of,
)
from training.state import Average, load_state, save_state


class Run:
    """One run of one config: everything that the loop moves, and where it stores it.

    `runs/<name>/` holds `config.yaml` (resolved), `log.jsonl` (one JSON object a line), `state.pt` (to go on),
    `last.safetensors` and `best.safetensors` (averaged weights, to use). Starting the same command again goes on from
    `state.pt`.
    """

    def __init__(self, config):
        self.config, train = config, config["train"]
        self.group, device = Group.join(train["device"])
        self.device = choose_device(device, flag="train.device", order=("cuda", "cpu"))
        if train["threads"]:
            torch.set_num_threads(train["threads"])
        self.model = build_network(config, self.device)
        self.interface = INTERFACES[config["model"]["name"]]
        self.network = self.group.wrap(self.model)  # what the steps go through; the same weights
        self.criterion = build_losses(config, self.device, self.model)
        fields = needed_fields(config, self.model, self.criterion)
        frames = sync_frames_of(config, self.model, self.criterion)
        self.training, self.validation = build_datasets(config, fields, frames, textures_of(config, self.criterion))
        require_one_crop(config, self.training.corpus.settings)
        optim = config["optim"]
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=optim["lr"], betas=tuple(optim["betas"]), weight_decay=optim["weight_decay"]
        )
        self.average = Average(self.model, train["ema"])
        self.averaged_model = build_model(config["model"]).to(self.device).eval()
        self.step, self.best = 0, float("inf")
        self.folder = Path(train["runs"]) / config["name"]

    def resume(self):
        """Go on from the run folder where there is one; returns the step."""
        path = self.folder / "state.pt"
        if path.is_file():
            state = load_state(path)
            crop = self.training.corpus.settings["crop"]
            if state.get("crop", crop) != crop:
                learnt = f"learnt from {state['crop']} crops, the corpus holds {crop} ones"
                raise InputError(f"{path}: {learnt}; choose another name")
            try:
                self.model.load_state_dict(state["model"])
                self.optimizer.load_state_dict(state["optimizer"])
            except (RuntimeError, ValueError, KeyError) as error:
                raise InputError(f"{path}: is of another network; remove the run folder or choose another name") from error
            self.average.values = {name: tensor.to(self.device) for name, tensor in state["average"].items()}
            self.step, self.best = state["step"], state["best"]
            self.criterion.open.update(state["open"])
            self.criterion.remember(state.get("memory", {}))
        return self.step

    def rate(self):
        """Learning rate of the present step: linear warm-up, then constant or half a cosine down to 2 %."""
        optim, steps = self.config["optim"], self.config["train"]["steps"]
        warm = min(1.0, (self.step + 1) / max(1, optim["warmup"]))
        if optim["schedule"] == "constant":
            return optim["lr"] * warm
        done = torch.tensor(min(1.0, self.step / max(1, steps)))
        return optim["lr"] * warm * float(0.02 + 0.98 * (0.5 + 0.5 * torch.cos(torch.pi * done)))

    def learn(self, batch):
        """One step; returns dict of named floats."""
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        with self._autocast():
            outputs = self.interface.predict(self.network, batch)
            total, parts = self.criterion(outputs, batch)
        if not torch.isfinite(total):
            raise FloatingPointError(f"step {self.step}: the loss is not finite ({', '.join(parts)})")
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config["optim"]["clip"] or float("inf"))
        self.optimizer.step()
        self.average.update(self.model, self.step)
        self.step += 1
        return {
            "total": float(total.detach()),
            "gradient": float(norm),
            **{name: float(value) for name, value in parts.items()},
        }

    @torch.no_grad()
    def validate(self):
        """{"val/l1": mean, "val/total": mean, ...} over the fixed validation windows, with the averaged weights."""
        if self.validation is None:
            return {}
        self.averaged_model.load_state_dict(self.average.values)
        self.criterion.eval()
        sums, count = {}, 0
        steps, batch_size = self.config["train"]["validate_batches"], self.config["data"]["batch"]
        for batch in batches(self.validation, batch_size, 0, steps, 0, self.device):
            batch = self.move(batch)
            with self._autocast():
                outputs = self.interface.predict(self.averaged_model, batch)
                total, parts = self.criterion(outputs, batch, all_terms=True)
            for name, value in {"total": total, **parts}.items():
                sums[f"val/{name}"] = sums.get(f"val/{name}", 0.0) + float(value)
            count += 1
        self.criterion.train()
        return {name: value / count for name, value in sums.items()}

    def store(self, *, best=False):
        """Write the state to go on from and the averaged weights to use; the first process does."""
        if not self.group.first:
            return
        settings = self.training.corpus.settings
        self.averaged_model.load_state_dict(self.average.values)
        config = checkpoint_config(self.config, settings, self.step, self.criterion.facts())
        for name in ("last", "best") if best else ("last",):
            path = self.folder / f"{name}.safetensors"
            save_checkpoint(path, self.averaged_model, config, dtype=self.config["train"]["snapshot_dtype"])
        save_state(
            self.folder / "state.pt",
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            average=self.average.values,
            step=self.step,
            best=self.best,
            open=dict(self.criterion.open),
            memory=self.criterion.memory(),
            crop=settings["crop"],
        )

    def move(self, batch):
        """The batch on the device of the run."""
        return {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}

    def _autocast(self):
        half = self.config["train"]["precision"] == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=half)


def train(run, report=print):
    """Run until the configured step or minute; store state and weights on the way and at the end.

    Args:
        run: Run.
        report: takes one line of text.
    """
    config, settings, data, group = run.config, run.config["train"], run.config["data"], run.group
    log = Log(run.folder, config, report) if group.first else None
    begun = time.monotonic()
    steps = (run.step, settings["steps"])
    for batch in batches(run.training, data["batch"], *steps, data["workers"], run.device, group.rank, group.size):
        values = run.learn(run.move(batch))
        minutes = (time.monotonic() - begun) / 60
        over = run.step >= settings["steps"]
        if settings["minutes"] is not None:
            over = group.share(over or minutes >= settings["minutes"])
        if log and (run.step % settings["log_every"] == 0 or over):
            log.step(run.step, {**values, "rate": run.rate(), "minutes": minutes})
        if run.step % settings["validate_every"] == 0 or over:
            metrics = group.share(run.validate() if group.first else None)
            if opened := run.criterion.update_gates(metrics):
                run.best = float("inf")  # totals before and after do not compare
            better = metrics.get("val/total", 0.0) < run.best
            run.best = min(run.best, metrics.get("val/total", float("inf")))
            run.store(best=better)
            if log:
                log.validation(run.step, metrics, opened)
        if over:
            break

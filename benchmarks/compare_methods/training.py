"""Every method trained for the same minutes: steps from the measured time of a step, the same for all seeds."""

import json
import re
import sys
import threading
from collections import defaultdict
from pathlib import Path

from benchmarks.compare_methods.corpora import people
from benchmarks.runs import ROOT, run_logged, trained
from common.errors import InputError
from common.files import atomic_output

LEAST_STEPS = 20
_STEP = re.compile(r"dry run: ([0-9.]+) s a step.* for ([0-9]+) steps")
_CONFIGS = ROOT / "configs"


class Trainer:
    """Trains the stages of methods, in a folder for each seed; a stage that several methods share is trained once.

    Args:
        out: folder of the comparison: OUT/seed_S/runs/NAME are the runs, OUT/steps.json the steps of each stage.
        corpora: {key: folder}; minutes: of each method and seed, on one core or GPU; None: the steps of the configs.
        threads: OMP_NUM_THREADS of a training, or None.
        overrides: key.sub=value for all stages.
    """

    def __init__(self, out, corpora, minutes, *, threads=None, overrides=()):
        self._out, self._corpora, self._minutes = Path(out).resolve(), corpora, minutes
        self._threads, self._overrides = threads, tuple(overrides)
        self._locks, self._guard = defaultdict(threading.Lock), threading.Lock()
        self._steps_path = self._out / "steps.json"

    def plan(self, stage):
        """Steps of a stage, measured unless known; what it begins from need not be there yet. None: those of its config."""
        if self._minutes is None:
            return None
        folder = self._out / "dry_run"
        folder.mkdir(parents=True, exist_ok=True)
        with self._lock("steps", stage.run):  # methods that share a stage ask for the same time
            command = self.command(stage, 0)  # a dry run knows stand-ins for what the config begins from, and for nothing else
            return self._steps(stage, [word for word in command if not str(word).startswith("train.init=")], folder)

    def train(self, method, seed):
        """Train what is missing of a method.

        Returns:
            path of the weights that draw.
        """
        folder = self._out / f"seed_{seed}"
        for stage in method.stages:
            with self._lock(seed, stage.run):
                steps = self.plan(stage)
                if not trained(folder / "runs" / stage.run, steps):
                    folder.mkdir(parents=True, exist_ok=True)
                    print(f"seed {seed}, {method.name}: {stage.run}" + (f", {steps} steps" if steps else ""), flush=True)
                    self._train(stage, steps, seed, folder)
        self._finish(method, folder)
        return self.weights(method, seed)

    def weights(self, method, seed):
        """Path of the weights of a method that draw, trained or not."""
        folder = self._out / f"seed_{seed}"
        return folder / f"{method.key}.safetensors" if method.after else self._learned(method, folder)

    def command(self, stage, seed):
        """Words of train.py for a stage, without its steps."""
        corpus = self._corpora[stage.corpus]
        known = {"people": people(corpus)} if any("{people}" in one for one in stage.overrides) else {}
        own = [one.replace("{people}", str(known.get("people", ""))) for one in stage.overrides]
        if stage.config == "ablation_small":
            own.append(f"losses.sync.expert={ROOT / 'checkpoints' / 'expert_grid.safetensors'}")
        common = [f"name={stage.run}", f"data.corpus={corpus}", f"train.seed={seed}"]
        return [sys.executable, ROOT / "train.py", _CONFIGS / f"{stage.config}.yaml", *common, *self._overrides, *own]

    def _train(self, stage, steps, seed, folder):
        command, log = self.command(stage, seed), self._out / "logs" / f"seed_{seed}_{stage.run}.txt"
        if steps is not None:
            every = -(-steps // 3)
            command += [f"train.steps={steps}", f"train.validate_every={every}", f"train.checkpoint_every={every}"]
        run_logged(command, log, folder=folder, threads=self._threads)

    def _steps(self, stage, command, folder):
        """Steps of a stage: as stored, else those that its share of the minutes holds, but no more than its config says."""
        with self._guard:
            stored = json.loads(self._steps_path.read_text(encoding="utf-8")) if self._steps_path.is_file() else {}
        minutes = round(self._minutes * stage.share, 4)
        found = stored.get(stage.run)
        if found and found["minutes"] != minutes:
            raise InputError(f"{self._steps_path}: {stage.run} has had {found['minutes']:g} minutes, not {minutes:g}; give "
                             "another --out for another --minutes")  # fmt: skip
        if found:
            return found["steps"]
        log = self._out / "logs" / f"time_{stage.run}.txt"
        log.unlink(missing_ok=True)
        run_logged([*command, "--dry_run"], log, folder=folder, threads=self._threads)
        told = _STEP.search(log.read_text(encoding="utf-8"))
        seconds, most = float(told[1]), int(told[2])
        steps = min(most, max(LEAST_STEPS, int(60 * minutes / seconds)))
        with self._guard:
            stored = json.loads(self._steps_path.read_text(encoding="utf-8")) if self._steps_path.is_file() else {}
            stored[stage.run] = {"steps": steps, "seconds_a_step": seconds, "minutes": minutes}
            with atomic_output(self._steps_path) as path:
                path.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
        return steps

    def _learned(self, method, folder):
        return folder / "runs" / method.stages[-1].run / f"{method.weights}.safetensors"

    def _finish(self, method, folder):
        """Do what `method.after` asks for."""
        made = folder / f"{method.key}.safetensors"
        if method.after and not made.is_file():
            command = [sys.executable, "-m", method.after, self._learned(method, folder)]
            command += ["--corpus", self._corpora[method.stages[-1].corpus], "--out", made]
            run_logged(command, self._out / "logs" / f"{folder.name}_{method.key}_after.txt", threads=self._threads)

    def _lock(self, *what):
        with self._guard:
            return self._locks[what]

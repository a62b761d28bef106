"""The work of the comparison on disk: trainings, figures, videos, pictures."""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.compare_methods.methods import Method
from benchmarks.compare_methods.training import Trainer
from benchmarks.runs import minutes_taken, run_logged, trained
from benchmarks.sync.expert_accuracy import STRETCHES
from datasets.prepared import PreparedCorpus

LEAST_ACCURACY = 0.75  # of a second judge of sync, over 1 s, on people that it never saw; chance is 0.5


class Work:
    """What a comparison does, step by step.

    Args:
        args: of the command line; methods: list of Method; corpora: {key: folder}.
    """

    def __init__(self, args, methods, corpora):
        self._args, self._methods, self._corpora = args, methods, corpora
        self._out = Path(args.out).resolve()
        self._threads = 1 if args.jobs > 1 else None
        self._trainer = Trainer(self._out, corpora, args.minutes, threads=self._threads, overrides=args.overrides)
        self._released = {f"released_{path.stem}": path.resolve() for path in args.released}

    def rows(self):
        """Methods in the order of the table, those of finished weights last."""
        return [*self._methods, *(Method(key, f"{path.stem}, released", ()) for key, path in self._released.items())]

    def figures(self, key, seed):
        """Where the figures of a method and seed lie."""
        return self._out / "figures" / f"{key}-{seed}.json"

    def plan(self, stage):
        """Measure how many steps a stage has."""
        self._trainer.plan(stage)

    def train(self, method, seed):
        """Path of the weights of a method, trained where they are missing."""
        return self._trainer.train(method, seed)

    def read_words(self, stage):
        """Train the lip reader that judges."""
        folder = self._out / "judges"
        if not trained(folder / "runs" / stage.run):
            folder.mkdir(parents=True, exist_ok=True)
            print(f"judge: {stage.run}", flush=True)
            command = self._trainer.command(stage, 0)
            run_logged(command, self._out / "logs" / f"judge_{stage.run}.txt", folder=folder, threads=self._threads)

    def expert_accuracy(self):
        """Share of windows of 1 s that the second judge tells from other moments, on people never seen; None without one."""
        if self._args.expert is None:
            return None
        path = self._out / "judges" / "expert_accuracy.json"
        if not path.is_file():
            command = [sys.executable, "-m", "benchmarks.sync.expert_accuracy", self._args.expert.resolve(), "--corpus",
                       self._corpora["faces"], "--splits", "unseen", "--out", path]  # fmt: skip
            run_logged(command, self._out / "logs" / "expert_accuracy.txt", threads=self._threads)
        clips = json.loads(path.read_text(encoding="utf-8"))["unseen"].values()
        return float(np.mean([clip[STRETCHES[21]] for clip in clips if STRETCHES[21] in clip]))

    def weights(self, method):
        """Path of the weights of a method that draw, of seed 0, or those that were released; they may not be there yet."""
        return self._released.get(method.key) or self._trainer.weights(method, 0)

    def measure(self, key, seed, weights, options):
        """Drive and measure one network."""
        log = self._out / "logs" / f"measure_{key}_{seed}.txt"
        run_logged([*self._one(self.figures(key, seed)), "--checkpoint", weights, "--options", json.dumps(options)], log,
                   threads=self._threads)  # fmt: skip

    def measure_real(self):
        """Measure the real videos, and these without motion."""
        path = self._out / "figures" / "real.json"
        if not path.is_file():
            run_logged(self._one(path), self._out / "logs" / "measure_real.txt", threads=self._threads)

    def judge_again(self):
        """Let the second judge look at all videos that were measured, if it knows people never seen."""
        if self._args.expert is None or self.expert_accuracy() < LEAST_ACCURACY:
            return
        for path in sorted((self._out / "figures").glob("*.json")):
            out = path.parent / "second" / path.name
            if out.is_file():
                continue
            out.parent.mkdir(exist_ok=True)
            videos = [] if path.stem == "real" else ["--videos", self._out / "videos" / path.stem / "own"]
            command = [sys.executable, "-m", "benchmarks.compare_methods.second", out, "--expert", self._args.expert.resolve()]
            log = self._out / "logs" / f"second_{path.stem}.txt"
            run_logged([*command, *self._clips(), *videos], log, threads=self._threads)

    def measure_released(self):
        """Drive and measure finished weights."""
        for key, path in self._released.items():
            if not self.figures(key, 0).is_file():
                self.measure(key, 0, path, {})

    def facts(self):
        """{what: text} for the head of the report."""
        args, steps = self._args, self._out / "steps.json"
        stored = json.loads(steps.read_text(encoding="utf-8")) if steps.is_file() else {}
        speakers = Counter(row.speaker for row in PreparedCorpus.open_folder(self._corpora["faces"]).split("train"))
        budget = "as many steps as the configs say, for each method and seed" if args.minutes is None else (
            f"{args.minutes:g} minutes of one core or GPU for each method and seed")  # fmt: skip
        told = {
            "Data": f"GRID, {speakers.total()} training sentences of {len(speakers)} people, {max(speakers.values())} of one "
                    "person; the same for all methods; phones by forced alignment of the known words",
            "Training": f"{budget}, all stages together; what methods share is trained once",
        }  # fmt: skip
        if args.config == "small":
            told["Beside the budget"] = (
                "the lip-sync expert (expert_grid) and the lip-landmark network of losses, and what draws the inner mouth of "
                "lipwarp, are released weights"
            )
        if (accuracy := self.expert_accuracy()) is not None:
            used = "it stands beside the judge by landmarks" if accuracy >= LEAST_ACCURACY else (
                f"it is left out, for {LEAST_ACCURACY:.0%} is asked")  # fmt: skip
            told["Second judge"] = (
                f"{args.expert.stem}, by pixels: tells the sound of people never seen from another moment of the "
                f"clip, over 1 s, in {accuracy:.1%} of all cases; {used}"
            )
        taken = {one.name: self._minutes_of(one) for one in self._methods}
        if any(minutes for minutes in taken.values()):
            told["Minutes taken"] = "; ".join(f"{name} {np.mean(one):.1f}" for name, one in taken.items() if one)
        if stored:
            told["Steps"] = "; ".join(f"{run} {one['steps']} of {one['seconds_a_step']:.2f} s" for run, one in stored.items())
        return told

    def _minutes_of(self, method):
        """list of the minutes that all stages of a method took, validation included, a seed each."""
        found = []
        for seed in range(self._args.seeds):
            stages = [minutes_taken(self._out / f"seed_{seed}" / "runs" / stage.run) for stage in method.stages]
            found += [sum(stages)] if None not in stages else []
        return found

    def _clips(self):
        """Flags of one.py and second.py that say which clips are meant."""
        grid = Path(self._args.grid).resolve()
        return ["--grid", grid, "--corpus", self._corpora["faces"], "--clips", self._args.clips]

    def _one(self, path):
        """Words of one.py without a checkpoint."""
        args, reader = self._args, self._out / "judges" / "runs" / "word_reader" / "best.safetensors"
        command = [sys.executable, "-m", "benchmarks.compare_methods.one", path, *self._clips()]
        command += ["--folder", self._out / "videos", "--reader", reader]
        command += ["--judge", args.syncnet_weights.resolve()] if args.syncnet_weights else []
        command += ["--inception_weights", args.inception_weights.resolve()] if args.inception_weights else []
        return command + (["--identity"] if args.identity else [])

"""What the trainings of the comparison would take: hours, memory and disk of each stage, by train.py's dry run."""

import re

from benchmarks.compare_methods.training import Trainer
from benchmarks.runs import run_logged
from common.errors import InputError

_WANTED = {
    "parameters": re.compile(r"^\S+: ([0-9.]+ M) parameters", re.M),
    "time": re.compile(r"^dry run: .*?; (.*?) for [0-9]+ steps", re.M),
    "steps": re.compile(r" for ([0-9]+) steps", re.M),
    "memory": re.compile(r"^memory: (.*)$", re.M),
    "disk": re.compile(r"takes up to ([0-9]+ MB)", re.M),
}


def dry_run(out, methods, corpora, overrides):
    """Markdown: a row for each training, each once."""
    trainer, lines, seen = Trainer(out, corpora, None, overrides=overrides), [], set()
    folder = out / "dry_run"
    folder.mkdir(parents=True, exist_ok=True)
    for method in methods:
        for stage in method.stages:
            if stage.run in seen:
                continue
            seen.add(stage.run)
            log = (out / "logs" / f"dry_{stage.run}.txt").resolve()
            log.unlink(missing_ok=True)
            try:
                run_logged([*trainer.command(stage, 0), "--dry_run"], log, folder=folder)
            except InputError as error:
                lines.append(f"| {method.name} | {stage.config} | {error} | | | |")
                continue
            text = log.read_text(encoding="utf-8")
            found = {key: (match := pattern.search(text)) and match[1] or "-" for key, pattern in _WANTED.items()}
            lines.append(f"| {method.name} | {stage.config} | {' | '.join(found.values())} |")
    heads = ["method", "training", *_WANTED]
    return "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *lines])

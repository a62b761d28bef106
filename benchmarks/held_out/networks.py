"""What the outputs of a benchmark say of checkpoints."""

from collections import Counter
from pathlib import Path


def names_of(loaded):
    """Names of training.checkpoint.Checkpoints: of their runs where they tell the checkpoints apart, else their paths."""
    for name_of in (lambda one: one.run or one.path.stem, lambda one: f"{one.run or one.path.parent.name}/{one.path.stem}"):
        names = [name_of(one) for one in loaded]
        if max(Counter(names).values()) == 1:
            return names
    return [Path(one.path).as_posix() for one in loaded]


def facts_of(checkpoint):
    """What a protocol says of a training.checkpoint.Checkpoint; what JSON can hold."""
    training = checkpoint.config.get("training", {})
    config = training.get("config") or {}
    return {
        "file": str(checkpoint.path),
        "sha256": checkpoint.sha256,
        "stage": getattr(checkpoint.model, "stage", None),
        "step": training.get("step"),
        "seed": config.get("train", {}).get("seed"),
        "corpus": config.get("data", {}).get("corpus"),
        "speakers": config.get("data", {}).get("speakers"),
        "exclude": config.get("data", {}).get("exclude"),
        "losses": {name: {key: value for key, value in one.items() if isinstance(value, int | float | str)}
                   for name, one in config.get("losses", {}).items() if isinstance(one, dict)},
        "model": checkpoint.config["model"],
    }  # fmt: skip


def network_lines(networks):
    """Lines of Markdown, a table of {name: what `facts_of` gives}."""
    lines = ["| network | stage | step | seed of training | file, sha256 |", "|---|---|---|---|---|"]
    for name, facts in networks.items():
        file = f"`{facts['file']}`, {facts['sha256'][:12]}" if facts["file"] else "random weights"
        cells = ["-" if facts[key] is None else str(facts[key]) for key in ("stage", "step", "seed")]
        lines.append(f"| {name} | {' | '.join(cells)} | {file} |")
        limits = [f"data.{key} {facts[key]}" for key in ("speakers", "exclude") if facts.get(key)]
        if limits:
            lines.append(f"| | | | | of the training people only: {'; '.join(limits)} |")
    return lines

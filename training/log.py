"""What a run says of itself: one JSON object a line in its folder, and the same on the terminal."""

import json
import time

import yaml

from common.files import atomic_output

CHANCE = 0.6931  # ln 2
CHANCE_BAND, CHANCE_STEPS = 0.007, 5000


class Log:
    """`config.yaml` and `log.jsonl` of a run, and the same on the terminal.

    Args:
        folder: of the run; made here.
        config: resolved.
        report: takes one line of text.
    """

    def __init__(self, folder, config, report):
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_output(folder / "config.yaml") as path:
            path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        self._path, self._report = folder / "log.jsonl", report
        self._every, self._at_chance = config["train"]["log_every"], 0
        self._last = None  # (step, time) of the last line, to tell the seconds of a step

    def step(self, step, values):
        """One line on a training step."""
        now = time.monotonic()
        if self._last and step > self._last[0]:
            values["s/step"] = (now - self._last[1]) / (step - self._last[0])
        self._last = (step, now)
        self._write(step, values)
        self._watch_chance(step, values.get("sync_classification"))

    def validation(self, step, metrics, opened):
        """One line on a validation, and one for each loss that it switched on."""
        if metrics:
            self._write(step, metrics)
        for name in opened:
            self._report(f"step {step}: loss {name} is switched on")
        self._last = (step, time.monotonic())

    def _write(self, step, values):
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        self._report(f"step {step}  " + "  ".join(f"{name} {value:.4g}" for name, value in values.items()))

    def _watch_chance(self, step, value):
        """Say so when a two-way loss has stood at ln 2 for long: it has learnt nothing (ANCHORS A.4, row 6)."""
        if value is None:
            return
        self._at_chance = self._at_chance + self._every if abs(value - CHANCE) < CHANCE_BAND else 0
        if self._at_chance >= CHANCE_STEPS:
            self._at_chance = 0
            self._report(
                f"step {step}: the expert's loss has stood at chance (0.693) for {CHANCE_STEPS} steps; check that sound and "
                "picture of the clips are in sync, use more speakers, a batch of 64 or more, or a lower rate"
            )

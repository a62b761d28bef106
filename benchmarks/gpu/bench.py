"""What a part of the benchmark is given, and where its figures go."""

import json
import time
import traceback
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

OK, PASSED, FAILED, LATE, LEFT_OUT = "ok", "bound passed", "failed", "no time", "left out"
BAD = (PASSED, FAILED, LATE)


@dataclass
class Line:
    """One figure.

    Attributes:
        part, name: where it belongs; value: number or short text; unit: of the value.
        most, least: bounds, or None.
        state: OK, PASSED (a bound), FAILED (value holds the error), LATE (not run, the part's time was over), LEFT_OUT (cannot
            be run here, value says why).
        more: details for the JSON.
    """

    part: str
    name: str
    value: object
    unit: str = ""
    most: float | None = None
    least: float | None = None
    state: str = OK
    more: dict | None = None

    @property
    def bound(self):
        """The bound in words, or ""."""
        return f"<= {self.most:g}" if self.most is not None else f">= {self.least:g}" if self.least is not None else ""


@dataclass(frozen=True)
class Material:
    """What the parts work on; see benchmarks.gpu.material.

    Attributes:
        corpus: folder of a prepared corpus; face_size: side of its faces; expert: dict of width -> checkpoint of a lip-sync
            expert; folder: for run folders.
    """

    corpus: Path
    face_size: int
    expert: dict
    folder: Path


class Bench:
    """Device, material and clock of one part.

    Args:
        part: its name.
        device: torch.device.
        material: Material.
        seconds: after which no further case is begun.
        quick: small networks and few steps, for tests.
        write: takes each Line as soon as it is known.
    """

    def __init__(self, part, device, material, *, seconds=60.0, quick=False, write=print):
        self.part, self.device, self.material, self.quick, self._write = part, torch.device(device), material, quick, write
        self.lines, self._end = [], time.monotonic() + seconds

    @property
    def cuda(self):
        """Whether the device is a GPU of NVIDIA's (or one that passes for it)."""
        return self.device.type == "cuda"

    @property
    def width(self):
        """Width of networks whose numbers, not whose speed, count."""
        return 0.25

    @property
    def full_width(self):
        """Width of networks whose speed counts."""
        return 0.25 if self.quick else 1.0

    def left(self):
        """Seconds that this part has left."""
        return self._end - time.monotonic()

    def line(self, name, value, unit="", *, most=None, least=None, **more):
        """Enter a figure; a value that is not finite, or beyond its bound, fails. Returns whether it is all right."""
        good = not isinstance(value, float) or abs(value) < float("inf")
        good = good and (most is None or value <= most) and (least is None or value >= least)
        self._enter(Line(self.part, name, value, unit, most, least, OK if good else PASSED, more or None))
        return good

    def left_out(self, name, why):
        """Enter that something cannot be run here; no failure."""
        self._enter(Line(self.part, name, why, state=LEFT_OUT))

    def _enter(self, line):
        self.lines.append(line)
        self._write(line)

    @contextmanager
    def guard(self, name):
        """An error inside is entered as a failure, and the rest goes on."""
        try:
            yield
            self.wait()  # an error of the device is told when it is waited for
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the benchmark looks for
            told = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            self._enter(Line(self.part, name, told, state=FAILED, more={"trace": traceback.format_exc()}))

    def cases(self, names):
        """Yield names as long as there is time; the others are entered as not run."""
        for name in names:
            if self.left() > 0:
                yield name
            else:
                self._enter(Line(self.part, name, "raise --seconds", state=LATE))

    def wait(self):
        """Wait until the device has done all that it was given."""
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def seconds_of(self, work, *, rounds, warm=1):
        """Wall seconds of one call of `work`, a mean over `rounds`, or over as many as half of the time that is left holds."""
        for _ in range(warm):
            work()
        self.wait()
        begun, done, enough = time.perf_counter(), 0, max(0.5, 0.5 * self.left())
        while done < rounds and (not done or time.perf_counter() - begun < enough):
            work()
            done += 1
            if not done % 4:
                self.wait()  # so that the clock is looked at with the work behind it
        self.wait()
        return (time.perf_counter() - begun) / done


def as_json(line):
    """Line -> str, one row of JSON."""
    return json.dumps(asdict(line), default=str)


def from_json(text):
    """What `as_json` gave -> Line."""
    return Line(**json.loads(text))

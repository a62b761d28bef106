"""Several processes that evaluate together, started by `accelerate launch`: each measures a part of the videos."""

import os
from dataclasses import dataclass
from datetime import timedelta

from common.errors import InputError
from models.devices import choose_device

PATIENCE = timedelta(days=7)  # one process may be done long before the others


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those of the run.

    Attributes:
        rank, size: number of this process and of all.
        device: name of the device it works on.
    """

    rank: int
    size: int
    device: str

    @staticmethod
    def join(device):
        """Join the group of a launcher, or be alone.

        Args:
            device: "auto", "cpu", "cuda", ...; under a launcher, "auto" and "cuda" become the device of this process.

        Raises:
            InputError: a launcher started this, and accelerate is not installed, or there is no such device.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return ProcessGroup(0, 1, device)
        kind = choose_device(device).type
        state = _accelerate_state(cpu=kind != "cuda", timeout=PATIENCE)
        if kind == "cuda" and device in ("auto", "cuda"):
            device = str(state.device)
        return ProcessGroup(state.process_index, state.num_processes, kind if device == "auto" else device)

    @property
    def first(self):
        """True in the process that writes the report."""
        return self.rank == 0

    def part_of(self, items):
        """The items of a list that this process measures."""
        return items[self.rank :: self.size]

    def wait(self):
        """Wait until every process has come so far."""
        if self.size > 1:
            _accelerate_state().wait_for_everyone()

    def leave(self):
        """End the group."""
        if self.size > 1:
            _accelerate_state().destroy_process_group()


def _accelerate_state(**options):
    try:
        from accelerate import PartialState
    except ImportError as error:
        raise InputError("several processes need the package accelerate: pip install accelerate") from error
    return PartialState(**options)

"""What a run leaves behind: one checkpoint to go on from, and snapshots to use.

`runs/<name>/` holds

    checkpoint.pt                 everything that the next step depends on; replaced as a whole
    last.safetensors              averaged weights with their config, ready for inference.py
    best.safetensors              those with the least value of train.best in validation
    snapshots/step-00012000.safetensors   the newest train.keep of them
"""

import shutil
from pathlib import Path

from safetensors import SafetensorError

from common.errors import InputError
from common.files import atomic_output
from training.checkpoint import save_checkpoint
from training.setup import checkpoint_config
from training.storage.state import StorageError, load_state, random_states, restore_random, save_state

VERSION = 2


class Store:
    """Checkpoint and snapshots of a run.

    Args:
        run: training.run.Run.
    """

    def __init__(self, run):
        self.run, self.folder = run, run.folder
        self.path = self.folder / "checkpoint.pt"

    def save(self, *, best=False):
        """Write the checkpoint and a snapshot; all processes must call it, the first one writes.

        Raises:
            StorageError: they cannot be written, for want of room or of permission.
        """
        run = self.run
        states = run.engine.gather(random_states())
        failure = None
        if run.engine.first:
            try:
                save_state(self.path, {**run.state(), "random": states, "version": VERSION})
                self._snapshot(best)
            except StorageError as error:
                failure = error
        failure = run.engine.broadcast(failure)
        if failure is not None:
            raise failure

    def load(self):
        """Go on from the checkpoint, where there is one; returns the step.

        Raises:
            InputError: it is damaged, of another network, another crop or an older version.
        """
        if not self.path.is_file():
            return 0
        state = load_state(self.path)
        if state.get("version") != VERSION:
            raise InputError(f"{self.path}: of another version of this code; choose another name or remove the run folder")
        try:
            self.run.load_state(state)
            states = state["random"]
            if len(states) == self.run.engine.size:
                restore_random(states[self.run.engine.rank])
        except (RuntimeError, ValueError, KeyError) as error:
            raise InputError(
                f"{self.path}: is of another network, other losses, or other parts that learn (train.freeze, optim.parts); "
                "choose another name or remove the run folder"
            ) from error
        return self.run.step

    def _snapshot(self, best):
        run, train = self.run, self.run.config["train"]
        run.averaged_model.load_state_dict(run.average.values)
        facts = {**run.inherited, **run.criterion.facts()}
        config = checkpoint_config(run.config, run.model, run.corpus.settings, run.step, facts, run.classes)
        newest = self.folder / "snapshots" / f"step-{run.step:08d}.safetensors"
        try:
            save_checkpoint(newest, run.averaged_model, config, dtype=train["snapshot_dtype"])
            for name in ("last", "best") if best else ("last",):
                _copy(newest, self.folder / f"{name}.safetensors")
            for old in sorted(newest.parent.glob("step-*.safetensors"))[: -train["keep"]]:
                old.unlink()
        except (OSError, SafetensorError) as error:
            raise StorageError(newest, error) from error


def _copy(source, target):
    with atomic_output(target) as temporary:
        shutil.copyfile(source, temporary)


def room_needed(run):
    """Bytes that checkpoint and snapshots of a run take at most, while a new one stands beside the old."""
    weights = sum(tensor.numel() * tensor.element_size() for tensor in run.model.state_dict().values())
    learned = [run.model, *run.criterion.adversaries().values()]
    both = sum(parameter.numel() * parameter.element_size() for module in learned for parameter in module.parameters())
    return 2 * (weights + 3 * both) + (run.config["train"]["keep"] + 3) * weights


def room_left(folder):
    """Bytes that are free where `folder` lies or will lie."""
    folder = Path(folder).absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free

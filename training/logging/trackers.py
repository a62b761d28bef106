"""TensorBoard and Weights & Biases: the rows of a log for those who watch runs there. Neither has to be installed."""

import secrets

from common.errors import InputError
from common.files import atomic_output
from training.logging.rows import SPLITS

_CHOICES = ("auto", "on", "off")
_FAMILIES = (*SPLITS, "adversary")
_WORDS = {True: "on", False: "off"}  # YAML reads on and off as truth values
_NO_TENSORBOARD = "TensorBoard is not installed: the curves are in log.jsonl and curve.png alone (pip install -e '.[trackers]')"

_WANDB_COMMAND = "pip install -e '.[wandb]'"


def require_trackers(config):
    """Refuse what cannot be followed, before anything is built.

    Args:
        config: resolved; `train.tensorboard` is auto, on or off, `train.wandb` off or the name of a project. A missing key is
            the default: auto, and off.

    Raises:
        InputError: another value, or a package that is asked for is not installed; the message names the command.
    """
    if _tensorboard_of(config) == "on":
        _summary_writer(required=True)
    if _project_of(config):
        _wandb()


def open_trackers(folder, config, report, *, start=0):
    """Those trackers that the config asks for.

    Args:
        folder: of the run, a Path.
        config: resolved.
        report: takes one line of text.
        start: step that the run goes on from; what a killed run tracked later is hidden.

    Returns:
        list of objects with `scalars(step, values)`, `picture(step, name, array)` and `close()`.

    Raises:
        InputError: see `require_trackers`; or W&B does not let the run start.
    """
    trackers = []
    choice = _tensorboard_of(config)
    if choice != "off":
        writer = _summary_writer(required=choice == "on")
        if writer is None:
            report(_NO_TENSORBOARD)
        else:
            trackers.append(TensorBoard(writer, folder / "tensorboard", start))
            report(f"TensorBoard: tensorboard --logdir {folder / 'tensorboard'}")
    if project := _project_of(config):
        trackers.append(WeightsAndBiases(project, folder, config, start))
    return trackers


def tracked(values):
    """The values of a row under the names that they have in a tracker: `train/` before those that are of no family of theirs.

    Args:
        values: dict of name -> number; lists and dicts are left out.

    Returns:
        dict of name -> float: "train/l1", "train/sync/accuracy", "val/sync/accuracy", "adversary/sharp".
    """
    numbers = {name: float(value) for name, value in values.items() if not isinstance(value, list | dict)}
    return {name if name.partition("/")[0] in _FAMILIES else f"train/{name}": value for name, value in numbers.items()}


class TensorBoard:
    """Event files of one run.

    Args:
        writer: the class `SummaryWriter`.
        folder: for the files.
        start: step that the run goes on from; events of later steps, of a run that was killed, are hidden.
    """

    def __init__(self, writer, folder, start):
        self._writer = writer(str(folder), purge_step=start + 1 if start else 0)

    def scalars(self, step, values):
        """Values of one row, dict of name -> number."""
        for name, value in tracked(values).items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step, name, array):
        """A picture, (H, W, 3) uint8 RGB."""
        self._writer.add_image(name, array, step, dataformats="HWC")

    def close(self):
        """Write what is left."""
        self._writer.close()


class WeightsAndBiases:
    """One run at W&B. Its id is kept in `wandb_id.txt` of the run folder, so that a resumed run goes on in it.

    The environment decides the rest, as always with W&B: WANDB_MODE=offline keeps all in `<folder>/wandb` for `wandb sync`. W&B
    takes rows in any order of steps, because the step is given as a value of its own: a row that a killed run had sent before
    is sent again.

    Args:
        project: name of the project.
        folder: of the run.
        config: resolved; W&B shows it.
        start: step that the run goes on from; 0 begins a new run.

    Raises:
        InputError: W&B does not let the run start, for want of a login for example.
    """

    def __init__(self, project, folder, config, start):
        self._wandb, path = _wandb(), folder / "wandb_id.txt"
        going_on = start and path.is_file()
        identity = path.read_text(encoding="utf-8").strip() if going_on else secrets.token_hex(4)
        try:
            self._run = self._wandb.init(project=project, id=identity, resume="allow", name=config.get("name") or folder.name,
                                         dir=str(folder), config=config)  # fmt: skip
        except self._wandb.Error as error:
            cure = "log in (wandb login), set WANDB_MODE=offline, or train.wandb=off"
            raise InputError(f"train.wandb: W&B does not start ({error}); {cure}") from error
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")
        if not going_on:
            with atomic_output(path) as temporary:
                temporary.write_text(identity + "\n", encoding="utf-8")

    def scalars(self, step, values):
        """Values of one row, dict of name -> number."""
        self._run.log({"step": step, **tracked(values)})

    def picture(self, step, name, array):
        """A picture, (H, W, 3) uint8 RGB."""
        self._run.log({"step": step, name: self._wandb.Image(array)})

    def close(self):
        """Send what is left."""
        self._run.finish()


def _tensorboard_of(config):
    """`auto`, `on` or `off`."""
    given = config["train"].get("tensorboard", "auto")
    choice = _WORDS[given] if isinstance(given, bool) else given
    if choice not in _CHOICES:
        raise InputError(f"train.tensorboard: {choice!r}: unknown; choose auto, on or off")
    return choice


def _project_of(config):
    """Name of the W&B project, or None."""
    project = config["train"].get("wandb", "off")
    if project in (False, None, "off"):
        return None
    if not isinstance(project, str) or not project.strip() or project == "on":
        raise InputError(f"train.wandb: {project!r}: must be the name of a project, or off")
    return project


def _summary_writer(*, required):
    """The class SummaryWriter, or None where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        if required:
            raise InputError("train.tensorboard: TensorBoard is not installed; pip install -e '.[trackers]', or choose "
                             f"auto ({error})") from error  # fmt: skip
        return None
    return SummaryWriter


def _wandb():
    """The package; a folder `wandb` in the working folder, which W&B itself makes, is none."""
    missing = f"train.wandb: W&B is not installed; {_WANDB_COMMAND}"
    try:
        import wandb
    except ImportError as error:
        raise InputError(missing) from error
    if not hasattr(wandb, "init"):
        raise InputError(missing)
    return wandb

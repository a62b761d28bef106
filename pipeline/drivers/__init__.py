"""From a checkpoint to the driver of its family. A new family is one file here and one line in DRIVERS."""

from common.errors import InputError
from models.devices import choose_device
from pipeline.drivers.action_units import ActionUnitsDriver
from pipeline.drivers.davs import DavsDriver
from pipeline.drivers.diffusion import DiffusionDriver
from pipeline.drivers.driver import Driver
from pipeline.drivers.lipwarp import LipwarpDriver
from pipeline.drivers.motion import MotionDriver
from pipeline.drivers.mouth import MouthDriver
from pipeline.drivers.precision import choose_precision
from training.checkpoint import load_checkpoint

__all__ = ["DRIVERS", "Driver", "load_driver"]

# Name of the network (a key of models.MODELS): subclass of Driver.
DRIVERS = {"wav2lip": MouthDriver, "lip_motion": LipwarpDriver, "davs": DavsDriver, "action_units": ActionUnitsDriver,
           "action_units_diffusion": DiffusionDriver, "pcavs": MotionDriver}  # fmt: skip


def load_driver(path, *, device="auto", precision="auto", compat=None):
    """Read a checkpoint and make the driver of its family.

    Args:
        path: checkpoint, ours or a published one.
        device: "auto", "cuda", "cuda:1", "mps" or "cpu".
        precision: "auto" (fp16 on CUDA, fp32 elsewhere and with `compat`), "fp32", "fp16" or "bf16".
        compat: name of another program whose pixels are wanted ("wav2lip"), or None.

    Returns:
        Driver.

    Raises:
        InputError: no checkpoint, damaged, of a network that draws no faces, with settings that this version does not know, or
            a device, precision or `compat` that it cannot have.
    """
    device = choose_device(device)
    precision = choose_precision(precision, device, compat)
    checkpoint = load_checkpoint(path, device)
    name = checkpoint.config["model"]["name"]
    if name not in DRIVERS:
        role = getattr(type(checkpoint.model), "role", None) or "a network"
        raise InputError(f"{path}: holds {role} ({name}), which cannot draw a talking face; give the checkpoint of a generator "
                         f"({', '.join(DRIVERS)})")
    return DRIVERS[name](checkpoint, device=device, precision=precision, compat=compat)

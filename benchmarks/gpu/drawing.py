"""The whole generator, all rows of the face: frames a second in half and in single precision, pixels against the CPU's.

As in drivers, float32 is computed without TF32. Drivers decode the rows alone that are pasted, and so draw faster.
"""

import copy
from pathlib import Path

import torch

from benchmarks.gpu.bench import Bench
from models.precision import exact_products

SIDES = (96, 256)
BATCH = 64
RELEASED = Path(__file__).resolve().parents[2] / "checkpoints" / "demo.safetensors"
MOST, MEAN = 4.0, 0.5  # grey levels, float16 with trained weights
MOST_FP32, MEAN_FP32 = 1.0, 0.02  # grey levels, float32 on the device against the CPU


def measure(bench: Bench):
    """Enter the lines of this part."""
    for side in bench.cases([96] if bench.quick else list(SIDES)):
        with bench.guard(f"{side} pixels"):
            time_frames(bench, side)
    for name in bench.cases(["trained weights"]):
        with bench.guard(name):
            compare_pixels(bench)


def time_frames(bench, side):
    """Frames a second from uint8 crops on the host to uint8 faces on the host, reference and masked face in each frame anew."""
    from models import build_model, fuse_for_inference

    torch.manual_seed(0)
    model = build_model({"name": "wav2lip", "face_size": side, "width": bench.full_width}).eval()
    mels, crops = make_frames(4 if bench.quick else BATCH, side)
    for label, dtype in dtypes(bench).items():
        ready = fuse_for_inference(copy.deepcopy(model).to(bench.device)).to(dtype)
        with exact_products(dtype == torch.float32):
            seconds = bench.seconds_of(lambda: draw(ready, mels, crops, bench.device, dtype), rounds=1 if bench.quick else 20)  # noqa: B023
        bench.line(f"{side} px, {label}, frames a second", len(mels) / seconds, "1/s", batch=len(mels))


def dtypes(bench):
    """The precisions that are timed; a CPU draws in float32."""
    return {"fp16": torch.float16, "fp32": torch.float32} if bench.cuda else {"fp32": torch.float32}


def compare_pixels(bench):
    """Pixels of the released generator, whose weights are trained, against those of float32 on the CPU."""
    from models import fuse_for_inference
    from training.checkpoint import load_checkpoint

    if not RELEASED.is_file():
        bench.left_out("pixels against float32 on the CPU", f"there is no {RELEASED.parent.name}/{RELEASED.name}")
        return
    model = load_checkpoint(RELEASED).model.eval()
    mels, crops = make_frames(4 if bench.quick else BATCH, model.face_size)
    reference = draw(fuse_for_inference(model), mels, crops, torch.device("cpu"), torch.float32)
    bounds = {"fp32": (MOST_FP32, MEAN_FP32), "fp16": (MOST, MEAN)}
    for label, dtype in dtypes(bench).items():
        with exact_products(dtype == torch.float32):
            found = draw(fuse_for_inference(copy.deepcopy(model).to(bench.device)).to(dtype), mels, crops, bench.device, dtype)
        levels = (found.int() - reference.int()).abs().float()
        most, mean = bounds[label]
        bench.line(f"released generator, {label}, pixels apart at most", float(levels.max()), "grey levels", most=most)
        bench.line(f"released generator, {label}, pixels apart on average", float(levels.mean()), "grey levels", most=mean)


def make_frames(count, side):
    """(count, 80, 16) float32 mel windows; (count, side, side, 3) uint8 crops of a talking drawn face."""
    import numpy as np

    from benchmarks.gpu.material import draw_faces

    rng = np.random.default_rng(0)
    loud = 0.5 + 0.5 * np.sin(np.arange(count) / 3)
    mels = 6 * loud[:, None, None] - 3 + np.linspace(1, -1, 80)[:, None] + 0.2 * rng.standard_normal((count, 80, 16))
    return torch.from_numpy(mels.astype(np.float32)), torch.from_numpy(draw_faces(loud, side, rng)[0])


@torch.inference_mode()
def draw(model, mels, crops, device, dtype):
    """(N, S, S, 3) uint8 on the CPU: what a driver does with a batch.

    Args:
        model: from fuse_for_inference, on `device`, in `dtype`.
        mels: (N, 80, 16) float32; crops: (N, S, S, 3) uint8, both on the CPU.
    """
    planes = crops.to(device).permute(0, 3, 1, 2).float().div(255).to(dtype)
    masked = planes.clone()
    masked[:, :, planes.shape[2] // 2 :] = 0
    faces = torch.cat((masked, planes[:1].expand(planes.shape)), 1).contiguous(memory_format=torch.channels_last)
    drawn = model.decode(model.encode_audio(mels.to(device, dtype)[:, None]), model.encode_face(faces))
    return (drawn.float() * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu()

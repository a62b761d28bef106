"""Every network on the device, in each precision, against float32 on the CPU: outputs and gradient."""

import copy
from inspect import signature

import torch

from benchmarks.gpu.bench import Bench
from models.precision import exact_products

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
SCALE = 2.0**10  # of the loss, in all precisions: float16 loses small gradients, for which a run has its own scale
# in training the one forgets persons at random, the others drop maps, and a GPU draws other ones than a CPU
PLAIN = ("lip_motion", "davs", "action_units", "action_units_diffusion", "face_autoencoder", "pcavs")
QUANTISED = ("face_autoencoder",)  # which of its codes is the nearest turns over with the rounding: in exact float32 alone
JUDGES = ("syncnet_v2", "fid_inception", "vgg19")  # never trained here: in eval mode alone, and no gradient in half precision
# mode -> precision -> (outputs, gradient): the greatest distance that is let pass, see `apart`. In mode "plain" the batch norms
# do nothing, so that only the rounding of the products is left: bfloat16 has 8 bits, float16 and TF32, in which CUDA convolves
# float32 unless told otherwise, 11. In mode "training" each of 40 to 60 batch norms enlarges what rounding did below it, and
# ReLUs turn over: on a CPU the gradient of bfloat16 lies 0.2 to 1.1 from that of float32. A kernel that is wrong gives 1 or
# more in mode "plain".
BOUNDS = {
    "plain": {"fp32 exact": (5e-4, 1e-2), "fp32": (1e-2, 0.1), "fp16": (1e-2, 0.1), "bf16": (2e-2, 0.3)},
    "training": {"fp32 exact": (5e-3, 0.3), "fp32": (5e-2, 1.0), "fp16": (5e-2, 1.0), "bf16": (0.3, 2.0)},
}
PIXELS = {torch.float16: (8.0, 1.0), torch.bfloat16: (64.0, 8.0)}  # random weights: bfloat16 on a CPU has 29, 2.4 grey levels
WITH_WIDTH = ("wav2lip", "syncnet_color", "disc_quality", "disc_conditional", "lip_refiner", "word_reader", "davs",
              "action_units", "action_units_diffusion", "face_autoencoder", "pcavs")
FEWER = {"davs": {"face_size": 96, "words": 50, "people": 9, "speech_frames": 5, "speech_stride": 1, "drawn_frames": 2,
                  "identity_frames": 3}, "action_units": {"face_size": 96},
         "action_units_diffusion": {"face_size": 96, "unet_width": 0.0625, "autoencoder_width": 0.0625, "codes": 64,
                                    "depth": 1},
         "face_autoencoder": {"face_size": 96, "codes": 64, "depth": 1},
         "pcavs": {"face_size": 64, "people": 9, "second_view": True}}  # fmt: skip


def measure(bench: Bench):
    """Enter the lines of this part."""
    from models import MODELS

    if not bench.cuda:
        bench.left_out("fp16", "a CPU convolves float16 at a hundredth of its speed")
    for name in bench.cases([*MODELS, "wav2lip with gate and texture"]):
        with bench.guard(name):
            compare(bench, name)
    for name in bench.cases([f"inference in {half}" for half in halves(bench)]):
        with bench.guard(name):
            compare_inference(bench, name, HALVES[name.split()[-1]])


def compare(bench, name):
    """Outputs and gradient of one network in all modes and precisions."""
    for mode in ("plain",) if bench.quick or name in (*JUDGES, *PLAIN) else ("plain", "training"):
        model, inputs = make_network(name, bench.width, 1 if bench.quick else 4)
        model.train(mode == "training")
        reference = run_network(model, inputs, torch.device("cpu"), None)
        flat = all(parameter.dim() <= 4 for parameter in model.parameters())
        model = model.to(bench.device, memory_format=torch.channels_last if flat else torch.preserve_format)
        rounded = [] if name in QUANTISED else [*(["fp32"] if bench.cuda else []), *halves(bench)]
        for precision in ("fp32 exact", *rounded):
            with exact_products(precision == "fp32 exact"):
                found = run_network(model, inputs, bench.device, HALVES.get(precision))
            pairs = zip(("output", "gradient"), found, reference, BOUNDS[mode][precision], strict=True)
            for what, ours, theirs, bound in pairs:
                if what == "output" or name not in JUDGES or precision not in HALVES:
                    bench.line(f"{name}, {mode}, {precision}, {what}", apart(ours, theirs), most=bound)


def halves(bench):
    """Half precisions in which this device can be tried."""
    if not bench.cuda:
        return ["bf16"]
    return [name for name in HALVES if name == "fp16" or torch.cuda.is_bf16_supported(including_emulation=False)]


def run_network(model, inputs, device, half):
    """[outputs, gradient] of a network, each a flat float32 tensor on the CPU.

    The gradient, in all parameters and in the inputs that take one, is that of the outputs' sum, weighed by random numbers that
    are the same for all items.

    Args:
        model: on `device`; inputs: dict or tuple of tensors on the CPU.
        half: torch.float16 or torch.bfloat16, in which autocast computes; None for float32.
    """
    model.zero_grad()
    inputs = moved(inputs, device)
    leaves = [one for one in values_of(inputs) if one.is_floating_point()]
    for leaf in leaves:
        leaf.requires_grad_()
    with torch.autocast(device.type, dtype=half or torch.bfloat16, enabled=half is not None):
        outputs = [one.float() for one in values_of(model(inputs) if isinstance(inputs, dict) else model(*inputs))]
    generator = torch.Generator().manual_seed(5)
    weights = [torch.randn(one.shape[1:], generator=generator).to(device) for one in outputs]
    total = sum((one * weight).mean() for one, weight in zip(outputs, weights, strict=True))
    (SCALE * total).backward()
    gradients = [one.grad for one in [*model.parameters(), *leaves] if one.grad is not None]
    return [torch.cat([one.detach().float().flatten().cpu() for one in found]) for found in (outputs, gradients)]


def values_of(held):
    """The tensors of a dict, a tuple or one tensor."""
    return [held] if isinstance(held, torch.Tensor) else list(held.values() if isinstance(held, dict) else held)


def moved(held, device):
    """Copies of a dict or a tuple of tensors on a device."""
    if isinstance(held, dict):
        return {name: one.to(device).detach().clone() for name, one in held.items()}
    return tuple(one.to(device).detach().clone() for one in held)


def apart(ours, theirs):
    """|ours - theirs| / |theirs|, lengths of vectors; infinite where something is not finite."""
    if not ours.isfinite().all():
        return float("inf")
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm().clamp_min(1e-30))


def make_network(name, width, windows):
    """(network of random weights, its inputs: a dict of fields, or a tuple of tensors), on the CPU."""
    from models import MODELS, build_model

    kind, whole = (name, False) if name != "wav2lip with gate and texture" else ("wav2lip", True)
    generator = torch.Generator().manual_seed(3)
    torch.manual_seed(0)
    section = {"name": kind, **FEWER.get(kind, {})} | ({"width": width} if kind in WITH_WIDTH else {})
    section |= {"dropout": 0.0} if "dropout" in signature(MODELS[kind]).parameters else {}  # it is drawn anew in each run
    model = build_model(section | ({"audio_gate": True, "spatial_input": True} if whole else {}))
    if whole:
        open_parts(model, generator)
    return model, make_inputs(kind, windows, generator)


def open_parts(model, generator):
    """Give gate and texture input weights, which begin at 0, and leave half of the phoneme classes unseen."""
    table = model.audio_gate.table
    with torch.no_grad():
        model.audio_gate.beta.fill_(0.5)
        table.mass[::2] = 0.1
        table.total[::2] = 0.1 * torch.rand(table.total[::2].shape, generator=generator)
        for conv in (model.spatial_input.colour, model.spatial_input.position):
            conv.weight.copy_(0.1 * torch.randn(conv.weight.shape, generator=generator))


def make_inputs(kind, windows, generator):
    """What a network of models.MODELS is called with: `windows` windows of 5 faces of 96 pixels, or what else it takes."""

    def smooth(*shape, side=96):
        coarse = torch.rand(*shape, side // 8, side // 8, generator=generator)
        fine = torch.nn.functional.interpolate(coarse.flatten(0, -4), size=(side, side), mode="bilinear")
        return fine.view(*shape, side, side)

    def mel(*shape):
        return torch.rand(*shape, 1, 80, 16, generator=generator) * 8 - 4

    many, faces = windows, 5
    if kind == "wav2lip":
        masked = smooth(many, faces, 3)
        masked[..., 48:, :] = 0
        return {"masked_face": masked, "reference_face": smooth(many, faces, 3), "mel": mel(many, faces),
                "phoneme": torch.randint(0, 40, (many, faces), generator=generator),
                "reference_module": torch.randint(0, 64, (many, faces, 96, 96), generator=generator)}  # fmt: skip
    if kind == "syncnet_color":
        return {"face": smooth(4 * many, faces, 3), "heard_mel": mel(4 * many, 2)}
    if kind == "lip_landmarks":
        return {"face": smooth(many, faces, 3)}
    if kind == "lip_sync":
        lips = torch.randn(many, 20, 20, 2, generator=generator)
        return {"sync_lips": lips, "sync_rest": lips[:, 0], "speech": torch.randn(many, 20, 288, generator=generator)}
    if kind == "lip_motion":
        from models.lips.motion import MARGIN

        rest = torch.randn(many, 20, 2, generator=generator) / 10
        return {"speech": torch.randn(many, 20 + 2 * MARGIN, 288, generator=generator), "rest": rest}
    if kind == "lip_refiner":
        return {"warped_face": smooth(many, faces, 3, side=192), "lip_drawing": smooth(many, faces, 4, side=192)}
    if kind == "word_reader":
        word = torch.arange(faces).clamp_max(1).expand(many, -1)
        return {"face": smooth(many, faces, 3), "word": word, "spoken_word": word[:, -1]}
    if kind == "davs":
        sound = 10 * torch.randn(many, faces, 20, 12, generator=generator)
        return {"face": smooth(many, faces, 3), "mfcc": sound, "identity_face": smooth(many, 3)}
    if kind == "action_units":
        return {"mfcc": 10 * torch.randn(many, faces, 28, 12, generator=generator), "identity_face": smooth(many, 3)}
    if kind == "face_autoencoder":
        return {"face": smooth(many, faces, 3)}
    if kind == "action_units_diffusion":
        sound = 10 * torch.randn(many, faces, 28, 12, generator=generator)
        return {"mfcc": sound, "identity_face": smooth(many, 3), "face": smooth(many, faces, 3),
                "masked_face": smooth(many, faces, 3)}  # fmt: skip
    if kind == "pcavs":
        change = torch.tensor([[0.1, -0.1, 0.05, 0.1, 0.5, 0.9]]).repeat(many, 1)
        views = {name: smooth(many, faces, 3, side=64) for name in ("augmented", "second_view")}
        sound = torch.rand(many, faces, 1, 80, 20, generator=generator)
        return {**views, "view_change": change, "log_mel": sound, "identity_face": smooth(many, 3, side=64)}
    if kind == "disc_quality":
        return (smooth(many * faces, 3),)
    if kind == "disc_conditional":
        return mel(many * faces), smooth(many * faces, 3), smooth(many * faces, 3)
    if kind == "syncnet_v2":
        return torch.randn(many, 1, 13, 20, generator=generator), 255 * smooth(many, 3, faces, side=224)
    if kind in ("fid_inception", "vgg19"):
        return (smooth(many, 3),)
    raise KeyError(f"{kind}: this benchmark does not know what to feed it with; enter it in benchmarks/gpu/networks.py")


def compare_inference(bench, name, dtype):
    """The generator with gate and texture input as drivers run it, moved to half precision as a whole, against float32."""
    from models import fuse_for_inference

    model, fields = make_network("wav2lip with gate and texture", bench.width, 2)
    settle(model, fields)
    arguments = flat_arguments(fields)
    with torch.inference_mode():
        reference = generate(fuse_for_inference(model), arguments, torch.device("cpu"), torch.float32)
        fused = fuse_for_inference(copy.deepcopy(model).to(bench.device)).to(dtype)
        found = generate(fused, arguments, bench.device, dtype)
    bench.line(f"{name}, finite", float(found.isfinite().float().mean()), least=1.0)
    levels = 255 * (found - reference).abs()
    most, mean = PIXELS[dtype]
    bench.line(f"{name}, pixels apart at most", float(levels.max()), "grey levels", most=most)
    bench.line(f"{name}, pixels apart on average", float(levels.mean()), "grey levels", most=mean)


@torch.no_grad()
def settle(model, fields, rounds=4):
    """Give the batch norms the statistics of these fields; the network is in eval mode afterwards."""
    norms = [one for one in model.modules() if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = None  # the plain mean over the rounds
        norm.reset_running_stats()
    for _ in range(rounds):
        model.train()(fields)
    model.eval()


def flat_arguments(fields):
    """Fields of windows -> (mel, faces, phonemes, modules) frame by frame, as `generate` takes them."""
    faces = torch.cat([fields["masked_face"], fields["reference_face"]], 2).flatten(0, 1)
    return fields["mel"].flatten(0, 1), faces, fields["phoneme"].flatten(), fields["reference_module"].flatten(0, 1)


def generate(model, arguments, device, dtype):
    """Faces (N, 3, S, S) float32 on the CPU, through the three calls that drivers make."""
    mel, faces, phonemes, modules = (one.to(device) for one in arguments)
    maps = model.encode_face(faces.to(dtype).contiguous(memory_format=torch.channels_last), modules)
    return model.decode(model.encode_audio(mel.to(dtype), phonemes), maps).float().cpu()

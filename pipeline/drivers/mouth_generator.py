"""A Wav2Lip generator with its checkpoint's conventions, ready to draw mouths: uint8 crops in, uint8 faces out."""

import numpy as np
import torch

from common.errors import InputError
from faces.texture import TextureSpec, texture_modules
from models import fuse_for_inference
from models.precision import exact_products
from pipeline.drivers.mask_top import checked_mask_top
from pipeline.drivers.partial import decode_from
from pipeline.drivers.precision import PRECISIONS
from speech.windows import MODES

DATA_CHOICES = {
    "crop": ("aligned", "box"),
    "audio_window": MODES,
    "channel_order": ("rgb", "bgr"),
    "reference": ("same", "fixed"),
}


class MouthGenerator:
    """The network of a checkpoint, its colour order, its mask and its texture modules, behind one call.

    The benchmarks call it without the pipeline, so it sees to whole float32 itself.

    Args:
        checkpoint: training.checkpoint.Checkpoint of a Wav2Lip.
        device: torch.device that its network is on.
        precision: "fp32", "fp16" or "bf16".

    Attributes:
        face_size: S, side of the crops in pixels.
        data: {"crop", "pads", "audio_window", "channel_order", "reference", "mask_top"} of the checkpoint.
        mask_row: first row of a crop that the model does not see.
        wants_phonemes: the network has an audio gate and must be told the phonemes.
        wants_modules: the network has a spatial input; the modules of the reference are found here.

    Raises:
        InputError: data settings that this version does not know.
    """

    def __init__(self, checkpoint, device, precision):
        self._device, self._precision, self._dtype = device, precision, PRECISIONS[precision]
        data, path = checkpoint.config["data"], checkpoint.path
        self.face_size = checkpoint.model.face_size
        self.data = _checked_data(data, path)
        self.mask_row = int(self.data["mask_top"] * self.face_size)
        self._model = fuse_for_inference(checkpoint.model).to(self._dtype)
        self.wants_phonemes = checkpoint.model.audio_gate is not None
        self.wants_modules = checkpoint.model.spatial_input is not None
        self._texture = _texture_of(data, path) if self.wants_modules else None
        self._reference = (None, None)  # the last one, and its modules
        self._reverse = self.data["channel_order"] == "bgr"

    @torch.inference_mode()
    def encode(self, faces, references):
        """What the model sees of the faces.

        Args:
            faces: (B, S, S, 3) uint8 RGB crops; they are blanked here from `mask_row` on.
            references: (B, S, S, 3) or (1, S, S, 3) uint8 RGB crops.

        Returns:
            list of feature maps for `draw`.
        """
        modules = None if self._texture is None else self._modules(references).expand(len(faces), -1, -1)
        faces, references = self._planes(faces), self._planes(references)
        masked = faces.clone()
        masked[:, :, self.mask_row :] = 0
        both = torch.cat((masked, references.expand_as(masked)), dim=1)
        with exact_products(self._precision == "fp32"):
            return self._model.encode_face(both.contiguous(memory_format=torch.channels_last), modules)

    @torch.inference_mode()
    def draw(self, mels, maps, *, phonemes=None, truncate=False, row=0):
        """Faces with the mouths that are heard.

        Args:
            mels: (B, 80, 16) float32 mel windows.
            maps: from `encode`, of B faces or of one.
            phonemes: (B,) int64 classes of the phonemes that are spoken, where the network wants them.
            truncate: cut off the fraction of a grey level, as the public script does, in place of rounding.
            row: the first row that is wanted; what lies above is not computed.

        Returns:
            (B, S - row, S, 3) uint8 RGB.
        """
        mels = torch.from_numpy(np.ascontiguousarray(mels)).to(self._device, self._dtype)[:, None]
        if phonemes is not None:
            phonemes = torch.from_numpy(np.ascontiguousarray(phonemes)).to(self._device)
        with exact_products(self._precision == "fp32"):
            faces = decode_from(self._model, self._model.encode_audio(mels, phonemes), maps, row).float() * 255
        faces = (faces if truncate else faces.round()).clamp_(0, 255).to(torch.uint8)
        if self._reverse:
            faces = faces.flip(1)
        return faces.permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def __call__(self, mels, faces, references, *, phonemes=None, truncate=False, row=0):
        """`encode` and `draw` in one: (B, S - row, S, 3) uint8 RGB."""
        return self.draw(mels, self.encode(faces, references), phonemes=phonemes, truncate=truncate, row=row)

    def _modules(self, references):
        """(B, S, S) int64: texture modules of the references; those of one reference for all faces are found once."""
        if len(references) == 1 and self._reference[0] is not None and np.array_equal(self._reference[0], references):
            return self._reference[1]
        spec = self._texture
        labels = [texture_modules(picture, spec.clusters, spec.compactness, spec.iterations) for picture in references]
        labels = torch.from_numpy(np.stack(labels).astype(np.int64)).to(self._device)
        if len(references) == 1:
            self._reference = references.copy(), labels
        return labels

    def _planes(self, faces):
        """(B, S, S, 3) uint8 RGB -> (B, 3, S, S) in [0, 1], channels in the model's order."""
        planes = torch.from_numpy(np.ascontiguousarray(faces)).to(self._device).permute(0, 3, 1, 2)
        return (planes.flip(1) if self._reverse else planes).to(torch.float32).div(255).to(self._dtype)


def _texture_of(data, path):
    """TextureSpec of the reference's modules, or InputError."""
    texture = data.get("texture", {})
    try:
        return TextureSpec(**texture)
    except (TypeError, InputError) as error:
        raise InputError(f"{path}: its config says data.texture = {texture!r}; clusters and compactness are needed") from error


def _checked_data(data, path):
    """The data section with every key known and possible, or InputError."""
    for key, choices in DATA_CHOICES.items():
        if data.get(key) not in choices:
            raise InputError(
                f"{path}: its config says data.{key} = {data.get(key)!r}; this version knows {', '.join(choices)}: update "
                "it, or take another checkpoint"
            )
    pads = data.get("pads", (0, 0, 0, 0))
    if not isinstance(pads, list | tuple) or len(pads) != 4 or not all(isinstance(pad, int) for pad in pads):
        raise InputError(f"{path}: its config says data.pads = {pads!r}; four whole numbers are needed")
    return {**{key: data[key] for key in DATA_CHOICES}, "pads": tuple(pads), "mask_top": checked_mask_top(data, path)}

"""A prepared corpus of noise, settings of windows over it, and digests of their batches: what tests/golden/fields.json records.

The digests were made by `collate` of the release whose loader shipped every field whole, in float32. What the loader ships
today, completed on the CPU, must give the same bits.
"""

import hashlib

import numpy as np

from datasets.clip_files import clip_path, open_arrays, write_clip
from datasets.negatives import Negatives
from datasets.prepared import PreparedCorpus
from datasets.preparing.texture import store_modules
from datasets.windows import collate
from faces.texture import TextureSpec
from tests.prepared_kit import make_corpus

SIZE = 48
FIELDS = ("clip", "face", "frame", "heard_mel", "in_sync", "landmarks", "masked_face", "mel", "module", "phoneme",
          "reference_face", "reference_module", "run", "sync_mel", "valid")  # fmt: skip
SOUND = {"gain_db": 4, "noise": 0.3, "silence": 0.5}
SETTINGS = {  # name -> (window, keyword arguments of WindowDataset, first item)
    "plain": (5, {}, 0),
    "flip": (5, {"seed": 3, "augment": {"flip": 0.5}}, 0),
    "shift": (5, {"seed": 4, "augment": {"flip": 0.5, "shift": 6}, "mask_top": 0.375}, 1000),
    "colour": (5, {"seed": 5, "augment": {"flip": 0.5, "shift": 3, "colour": 0.3, **SOUND}, "balance": 0.0}, 7),
    "phoneme": (8, {"seed": 6, "augment": {"flip": 0.5, "shift": 2, "colour": 0.1, **SOUND}, "cut": "phoneme", "sync_frames": 5,
                    "phonemes": "shuffled"}, 0),
    "negatives": (5, {"seed": 7, "audio_window": "wav2lip_train", "negatives": Negatives(sounds=4)}, 0),
}  # fmt: skip


def make_noise_corpus(folder, size=SIZE, **options):
    """Corpus of tests.prepared_kit whose faces and texture modules are noise, so that any pixel out of place shows."""
    make_corpus(folder, frames=30, size=size, **options)
    for number, row in enumerate(PreparedCorpus.open_folder(folder).rows):
        rng = np.random.default_rng([11, number])
        arrays, notes = open_arrays(clip_path(folder, row.id))
        arrays = {name: np.array(array) for name, array in arrays.items()}
        arrays["face"] = rng.integers(0, 256, arrays["face"].shape, np.uint8)
        arrays["mel"] = rng.uniform(-4, 4, arrays["mel"].shape).astype(np.float32)
        arrays["waveform"] = rng.integers(-9000, 9000, arrays["waveform"].shape).astype(np.int16)
        write_clip(clip_path(folder, row.id), arrays, notes)
        store_modules(folder, row, TextureSpec(), rng.integers(0, 64, (row.frames, size, size)))
    return folder


def digests(batch):
    """dict of field -> dtype, shape and SHA-256 of a batch of torch tensors on the CPU."""
    return {
        name: f"{tensor.dtype} {tuple(tensor.shape)} {hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()[:24]}"
        for name, tensor in sorted(batch.items())
    }


def whole(data, index):
    """All fields of one item of a WindowDataset, completed on the CPU: dict of numpy arrays without the leading B."""
    return {name: tensor[0].numpy() for name, tensor in data.complete(collate([data[index]])).items()}

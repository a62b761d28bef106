"""What the loader ships, completed on the device, is bit for bit what an earlier release shipped whole."""

import json

import numpy as np
import pytest
import torch

from datasets.fields import FIELDS
from datasets.prepared import PreparedCorpus
from datasets.preparing.texture import store_modules
from datasets.windows import WindowDataset, collate
from faces.texture import TextureSpec
from tests.conftest import ROOT
from tests.fields_kit import FIELDS as RECORDED
from tests.fields_kit import SETTINGS, SIZE, digests, make_noise_corpus, whole

GOLDEN = json.loads((ROOT / "tests" / "golden" / "fields.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return PreparedCorpus.open_folder(make_noise_corpus(tmp_path_factory.mktemp("prepared") / "corpus"))


@pytest.mark.parametrize("order", ["sorted", "reverse"])
@pytest.mark.parametrize("name", SETTINGS)
def test_completed_batches_are_the_recorded_ones(corpus, name, order):
    window, options, first = SETTINGS[name]
    data = WindowDataset(corpus, "train", window, RECORDED if order == "sorted" else RECORDED[::-1], **options)
    numbers = range(first, first + 6)
    stacked = data.complete(collate(data.__getitems__(numbers)))
    assert digests(stacked) == GOLDEN[f"{name}, {order}"]
    assert digests(data.complete(collate([data[number] for number in numbers]))) == GOLDEN[f"{name}, {order}"]


def test_a_batch_of_the_spatio_temporal_method_ships_a_tenth(tmp_path):
    """configs/sto.yaml: 10 windows of 8 frames of 96 pixels; whole fields took 38.8 MB."""
    from benchmarks.training.loader_speed import STO_FIELDS

    corpus = PreparedCorpus.open_folder(make_noise_corpus(tmp_path / "corpus", 96))
    data = WindowDataset(corpus, "train", 8, STO_FIELDS, cut="phoneme", sync_frames=5, augment={"flip": 0.5, "colour": 0.1})
    batch = collate(data.__getitems__(range(10)))
    assert sum(tensor.nbytes for tensor in batch.values()) < 3.9e6
    assert sum(tensor.nbytes for tensor in data.complete(batch).values()) == 38_844_640


CHANGES = ({"blur": 1.0}, {"turn": 10.0, "zoom": 0.1}, {"grain": 0.1, "colour": 0.2}, {"blur": 0.5, "grain": 0.05, "flip": 0.5})


@pytest.mark.parametrize("augment", CHANGES)
def test_retouched_pictures_are_rounded_once(corpus, augment):
    """Against the same change in float32, colour included, without rounding."""
    fields = ("face", "masked_face", "reference_face")
    data = WindowDataset(corpus, "train", 3, fields, seed=2, augment=augment)
    for index in range(4):
        item = whole(data, index)
        assert data[index]["face"].dtype == np.uint8
        assert item["face"].min() >= 0 and item["face"].max() <= 1
        assert not item["masked_face"][:, :, SIZE // 2 :].any()
        same = np.array_equal(item["masked_face"][:, :, : SIZE // 2], item["face"][:, :, : SIZE // 2])
        assert same == ("grain" not in augment), "a generator must not see the grain of its target"


def test_pixels_and_colour_are_the_change_of_a_whole_clip(corpus):
    """PictureChange called on a clip, which benchmarks do, is what a batch is completed to."""
    augment = {"flip": 0.5, "shift": 4, "turn": 5.0, "blur": 0.5, "colour": 0.2}
    data = WindowDataset(corpus, "train", 3, ("face", "clip", "frame"), seed=2, augment=augment)
    for index in range(4):
        window = data.window_of(index)
        frames = np.array(data.clip(window.number)["face"][window.frames])
        np.testing.assert_array_equal(window.look(frames), whole(data, index)["face"])


def test_labels_of_one_and_of_two_bytes_go_into_one_batch(tmp_path):
    corpus = PreparedCorpus.open_folder(make_noise_corpus(tmp_path / "corpus"))
    wide = corpus.split("train")[1]
    labels = np.random.default_rng(0).integers(0, 900, (wide.frames, SIZE, SIZE))
    labels[:, 0, 0] = 900
    store_modules(corpus.folder, wide, TextureSpec(), labels)
    data = WindowDataset(corpus, "train", 3, ("module", "reference_module", "clip"))
    numbers = range(12)
    stacked, single = (data.complete(collate(items)) for items in (data.__getitems__(numbers), [data[i] for i in numbers]))
    assert set(stacked["clip"].tolist()) == {0, 1, 2} and stacked["module"].max() > 255
    for name, tensor in single.items():
        assert torch.equal(stacked[name], tensor), name


def test_completing_runs_on_a_device_and_never_asks_it(corpus):
    """On the meta device, as on a GPU, a tensor left on the CPU and a value read back are errors."""
    fields = tuple(FIELDS)
    data = WindowDataset(corpus, "train", 5, fields, augment={"flip": 0.5, "colour": 0.2, "grain": 0.1})
    batch = collate(data.__getitems__(range(3)))
    moved = data.complete({name: tensor.to("meta") for name, tensor in batch.items()})
    for name, tensor in data.complete(batch).items():
        assert moved[name].device.type == "meta", name
        assert moved[name].shape == tensor.shape and moved[name].dtype == tensor.dtype, name

"""Preparation, training and inference agree on the kind of crop, through corpus and checkpoint."""

import json

import numpy as np
import pytest

from common.errors import InputError
from faces.crops import AlignedCrop, BoxCrop, CropSpec
from models import build_model
from pipeline.drivers import load_driver
from pipeline.options import DriveOptions
from pipeline.plan import lay_crops
from tests.faces_kit import plain_face, track_of
from tests.prepared_kit import make_corpus
from training.checkpoint import save_checkpoint
from training.config import load_config
from training.config.settings import DEFAULTS
from training.run import Run
from training.storage.store import Store

SMALL = {"name": "wav2lip", "face_size": 96, "width": 0.25}
EXPERT = {"name": "syncnet_color", "face_size": 96, "width": 0.25}
KINDS = ("aligned", "box")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """A corpus of each kind."""
    folder = tmp_path_factory.mktemp("corpora")
    made = {kind: make_corpus(folder / kind, clips=4, frames=12) for kind in KINDS}
    for kind, corpus in made.items():
        stored = json.loads((corpus / "corpus.json").read_text())
        stored["settings"] |= {"crop": kind, "pads": [1, 2, 3, 4]}
        (corpus / "corpus.json").write_text(json.dumps(stored))
    return made


@pytest.fixture
def start(corpora, tmp_path):
    """Make a Run on the corpus of one kind, with overrides."""

    def make(kind, *overrides):
        path = tmp_path / "config.yaml"
        train = {"batch_size": 1, "tensorboard": "off", "curve": False, "device": "cpu"}
        train |= {"threads": 1, "runs": str(tmp_path / "runs"), "validate_batches": 1}
        path.write_text(json.dumps({
            "name": "try", "model": SMALL, "train": train, "losses": {"l1": {"weight": 1.0}},
            "data": {"corpus": str(corpora[kind]), "window": 1, "workers": 0},
        }))  # fmt: skip
        return Run(load_config(path, overrides))

    return make


def checkpoint(path, kind, model=None):
    data = {"crop": kind, "pads": [0, 10, 0, 0], "audio_window": "centred", "channel_order": "rgb", "reference": "fixed"}
    save_checkpoint(path, build_model(model or SMALL), {"model": model or SMALL, "data": data, "training": {}})
    return path


@pytest.mark.parametrize(("kind", "crop"), [("aligned", AlignedCrop), ("box", BoxCrop)])
def test_inference_cuts_faces_as_the_corpus_of_the_training_did(start, kind, crop):
    job = start(kind)
    Store(job).save()
    driver = load_driver(job.folder / "last.safetensors", device="cpu")
    assert driver.crop_spec() == CropSpec(kind, 96, (1, 2, 3, 4))
    source = type("Source", (), {"width": 320, "height": 240, "fps": 25})()
    (laid,) = lay_crops(source, track_of([plain_face(roll=25)]), driver, DriveOptions())
    assert isinstance(laid, crop)
    turned = laid.matrix[0, 1]
    assert (abs(turned) > 0.1) == (kind == "aligned")


def test_a_corpus_of_another_kind_than_the_config_names_is_refused(start):
    assert start("box", "data.crop=box").training.corpus.settings["crop"] == "box"
    with pytest.raises(InputError, match=r"data\.crop: is aligned, but .* holds box crops; .* --crop aligned"):
        start("box", "data.crop=aligned")
    with pytest.raises(InputError, match=r"data\.crop: 'round'"):
        start("box", "data.crop=round")
    assert DEFAULTS["data"]["crop"] is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_start_of_another_kind_is_refused_unless_it_is_meant(start, tmp_path, kind):
    other = KINDS[1 - KINDS.index(kind)]
    init = f"train.init={checkpoint(tmp_path / 'start.safetensors', kind)}"
    start(kind, init)
    with pytest.raises(InputError, match=f"train.init: .* learnt from {kind} crops, .* holds {other} ones"):
        start(other, init)
    job = start(other, init, f"data.crop={other}")
    assert job.step == 0 and np.isfinite(float(next(job.model.parameters()).sum().detach()))


def test_an_expert_of_another_kind_is_refused(start, tmp_path):
    expert = checkpoint(tmp_path / "expert.safetensors", "aligned", EXPERT)
    sync = f"losses={{l1: {{weight: 1.0}}, sync: {{expert: {expert}, weight: 0.03}}}}"
    start("aligned", sync, "data.window=5")
    for overrides in ([], ["data.crop=box"]):
        with pytest.raises(InputError, match=r"losses\.sync\.expert: .* judges aligned crops, .* holds box ones"):
            start("box", sync, "data.window=5", *overrides)


def test_a_run_does_not_go_on_with_crops_of_another_kind(start):
    job = start("aligned")
    Store(job).save()
    assert Store(start("aligned")).load() == 0
    with pytest.raises(InputError, match="learnt from aligned crops, the corpus holds box ones"):
        Store(start("box")).load()

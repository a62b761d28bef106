"""Checkpoints: what is saved comes back, published files load, and damaged or hostile ones are refused in plain words."""

import io
import json
import os
import pickle
import struct
import zipfile

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from common.errors import InputError
from common.files import content_hash
from models import build_model
from training.checkpoint import load_checkpoint, save_checkpoint
from training.weights.foreign import read_foreign

SMALL = {"name": "wav2lip", "face_size": 96, "width": 0.25}
CONFIG = {"model": SMALL, "data": {"crop": "aligned", "pads": [0, 10, 0, 0]}, "training": {"steps": 10, "word": "äß"}}


@pytest.fixture(scope="module")
def small():
    return build_model(SMALL)


@pytest.fixture(scope="module")
def discriminator():
    """The smallest of the published networks, full size."""
    return build_model({"name": "disc_quality"}).eval()


@pytest.fixture
def own(tmp_path, small):
    path = tmp_path / "own one.safetensors"
    save_checkpoint(path, small, CONFIG)
    return path


def refusal(path, **options):
    """The message of the InputError that loading `path` ends in; it names the file."""
    with pytest.raises(InputError) as caught:
        load_checkpoint(path, **options)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_saved_comes_back_with_its_config(own, small):
    loaded = load_checkpoint(own, expect="wav2lip")
    assert (loaded.origin, loaded.config, loaded.sha256, loaded.path) == ("own", CONFIG, content_hash(own), own)
    assert not loaded.model.training
    state = loaded.model.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in small.state_dict().items())
    assert all(value.requires_grad for value in loaded.model.parameters())
    with safe_open(own, framework="pt") as file:
        assert file.metadata()["format"] == "talking-face-checkpoint"


@pytest.mark.parametrize(("dtype", "error"), [(torch.float16, 1e-3), ("bfloat16", 1e-2)])
def test_half_precision_is_half_the_file_and_loads_as_float32(tmp_path, own, small, dtype, error):
    path = tmp_path / "half.safetensors"
    save_checkpoint(path, small, CONFIG, dtype=dtype)
    assert path.stat().st_size < 0.55 * own.stat().st_size
    state = load_checkpoint(path).model.state_dict()
    for key, value in small.state_dict().items():
        assert state[key].dtype == value.dtype
        torch.testing.assert_close(state[key], value, rtol=error, atol=1e-6)


def test_training_goes_on_from_a_loaded_model(own):
    model = load_checkpoint(own).model.train()
    model.generate(torch.rand(2, 1, 80, 16), torch.rand(2, 6, 96, 96)).mean().backward()
    torch.optim.SGD(model.parameters(), 0.1).step()


def test_channels_last_model_is_saved_the_same(tmp_path, own, small):
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, build_model(SMALL).to(memory_format=torch.channels_last), CONFIG)
    state = load_checkpoint(path).model.state_dict()
    assert {key: value.shape for key, value in state.items()} == {k: v.shape for k, v in small.state_dict().items()}


def test_failed_save_leaves_the_old_file(own):
    before = own.read_bytes()
    broken = build_model(SMALL)
    broken.output_block[1].bias.data[0] = float("nan")
    with pytest.raises(InputError, match="NaN or infinity.*output_block.1.bias"):
        save_checkpoint(own, broken, CONFIG)
    with pytest.raises(ValueError, match="does not describe this network"):
        save_checkpoint(own, build_model(SMALL), {**CONFIG, "model": {**SMALL, "width": 0.5}})
    broken.output_block[1].bias.data[0] = 1e6
    with pytest.raises(InputError, match="NaN or infinity"):
        save_checkpoint(own, broken, CONFIG, dtype="float16")
    assert own.read_bytes() == before
    assert [item.name for item in own.parent.iterdir()] == [own.name]


def published_forms(model):
    """Name -> function that writes the state dict in one of the forms in which such weights are passed around."""
    state = model.state_dict()
    training = {
        "state_dict": state,
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-4}]},
        "global_step": 3,
        "global_epoch": 1,
    }
    parallel = {**training, "state_dict": {f"module.{key}": value for key, value in state.items()}}
    compiled = {f"_orig_mod.module.{key}": value for key, value in state.items()}
    no_counters = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    return {
        "published": lambda path: torch.save(training, path),
        "compiled": lambda path: torch.save({"epoch": 3, "model": {"generator": {"state_dict": compiled}}}, path),
        "old format": lambda path: torch.save(parallel, path, _use_new_zipfile_serialization=False),
        "bare": lambda path: torch.save(state, path),
        "half": lambda path: torch.save({key: value.half() for key, value in state.items()}, path),
        "before torch 0.4.1": lambda path: torch.save(no_counters, path),
        "torchscript": lambda path: torch.jit.trace(model, torch.rand(1, 3, 96, 96)).save(path),
        "safetensors": lambda path: save_file(state, path),
    }


FORMS = ["published", "compiled", "old format", "bare", "half", "before torch 0.4.1", "torchscript",
         "safetensors"]  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("form", FORMS)
def test_published_forms_load_without_conversion(tmp_path, discriminator, form):
    path = tmp_path / "weights.bin"
    published_forms(discriminator)[form](path)
    loaded = load_checkpoint(path, expect="disc_quality")
    face = torch.rand(2, 3, 96, 96)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(face), discriminator(face), rtol=0, atol=1e-2 if form == "half" else 1e-6)
    assert loaded.origin == "foreign"
    assert loaded.config["model"] == {"name": "disc_quality", "face_size": 96, "width": 1.0}
    assert loaded.config["data"] == {
        "crop": "box",
        "pads": [0, 10, 0, 0],
        "audio_window": "wav2lip_train",
        "channel_order": "bgr",
        "reference": "same",
    }
    assert next(loaded.model.parameters()).dtype == torch.float32


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_network_gives_its_tensors(tmp_path):
    """torch.jit.script, unlike torch.jit.trace, keeps lists of numbers beside the tensors: the padding of a convolution."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4))
    torch.jit.script(network).save(tmp_path / "scripted.pt")
    read = read_foreign(tmp_path / "scripted.pt")
    assert list(read) == list(network.state_dict())
    assert all(torch.equal(value, read[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("name", ["wav2lip", "syncnet_color"])
def test_network_is_known_by_its_keys(tmp_path, name):
    path = tmp_path / "weights.pth"
    model = build_model({"name": name})
    torch.save({"state_dict": {f"module.{key}": value.half() for key, value in model.state_dict().items()}}, path)
    assert load_checkpoint(path).config["model"]["name"] == name
    other = "wav2lip" if name == "syncnet_color" else "syncnet_color"
    wanted, found = ("a generator", "a lip-sync expert")[:: 1 if other == "wav2lip" else -1]
    message = refusal(path, expect=other)
    assert f"holds {found}" in message and f"{wanted} ({other}) is needed" in message


class TouchesAFile:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


@pytest.mark.parametrize("form", ["zip", "old", "bare pickle", "torchscript"])
def test_hostile_pickle_is_not_run(tmp_path, form):
    path, witness = tmp_path / "wav2lip.pth", tmp_path / "witness"
    payload = {"state_dict": {"output_block.1.weight": TouchesAFile(witness)}}
    if form == "bare pickle":
        path.write_bytes(pickle.dumps(payload))
    elif form == "torchscript":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/constants.pkl", pickle.dumps(()))
            archive.writestr("a/data.pkl", pickle.dumps(payload))
    else:
        torch.save(payload, path, _use_new_zipfile_serialization=form == "zip")
    message = refusal(path)
    assert not witness.exists()
    assert ("was not opened" in message and "system" in message) or form == "bare pickle"
    if form == "zip":
        torch.load(path, weights_only=False)
        assert witness.exists(), "the payload must be one that would work"


def test_not_a_checkpoint(tmp_path):
    path = tmp_path / "x.pth"
    assert "no such file" in refusal(path)
    for content, says in [
        (b"", "empty"),
        (b"hello, I am a text", "is not a checkpoint"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"PK\x03\x04 no zip", "damaged"),
        (b"\x80\x02 no pickle", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "is not a checkpoint"),
    ]:
        path.write_bytes(content)
        assert says in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "not of torch" in refusal(path)
    assert "is a folder" in refusal(tmp_path)


def test_state_dict_of_other_things(tmp_path):
    path = tmp_path / "x.pth"
    for content, says in [
        ([1, 2], "holds no state dict"),
        ({"state_dict": {}}, "holds no state dict"),
        ({"state_dict": {"a": 1}}, "'a' is not a tensor"),
        ({3: torch.zeros(1)}, "is not a tensor"),
        ({"netcnnaud.0.weight": torch.zeros(2)}, "unknown network"),
        (torch.zeros(3), "holds no state dict"),
        ({"a": torch.eye(2).to_sparse()}, "not a plain tensor"),
    ]:
        torch.save(content, path)
        assert says in refusal(path)


def test_mismatch_names_the_first_keys(tmp_path, discriminator):
    path, state = tmp_path / "x.pth", discriminator.state_dict()
    fewer = dict(list(state.items())[:1] + list(state.items())[6:])
    torch.save(fewer, path)
    message = refusal(path)
    assert "missing: face_encoder_blocks.0.0.conv_block.0.bias" in message and "and 2 more" in message
    torch.save({**state, "extra.weight": torch.zeros(1)}, path)
    assert "unknown: extra.weight" in refusal(path)
    torch.save({**state, "binary_pred.0.weight": torch.zeros(1, 256, 1, 1)}, path)
    assert "binary_pred.0.weight is (1, 256, 1, 1) in place of (1, 512, 1, 1)" in refusal(path)
    huge = torch.zeros(1).expand(1 << 40)
    torch.save({**state, "binary_pred.0.weight": huge}, path)
    assert "other shape" in refusal(path)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(tmp_path, discriminator, bad):
    path = tmp_path / "x.pth"
    state = {key: value.clone() for key, value in discriminator.state_dict().items()}
    state["binary_pred.0.bias"][0] = bad
    torch.save(state, path)
    assert "NaN or infinity in the file (binary_pred.0.bias)" in refusal(path)


@pytest.mark.parametrize("form", ["published", "old format", "torchscript"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_truncated_torch_file(tmp_path, discriminator, form):
    path = tmp_path / "x.pth"
    published_forms(discriminator)[form](path)
    whole = path.read_bytes()
    for share in (0.0001, 0.3, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        message = refusal(path)
        assert "damaged" in message or "not whole" in message


def test_truncated_and_absurd_safetensors(tmp_path, own):
    whole = own.read_bytes()
    header = struct.unpack("<Q", whole[:8])[0]
    path = tmp_path / "x.safetensors"
    for length in (9, 100, 8 + header, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert "damaged" in refusal(path)
    for absurd in (1 << 63, 99_999_999, (1 << 64) - 1):
        path.write_bytes(struct.pack("<Q", absurd) + b"{" + bytes(1000))
        assert "damaged" in refusal(path)
    path.write_bytes(whole[:8] + b"{" * header + whole[8 + header :])
    assert "damaged" in refusal(path)


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"version": "99"}, "newer than this code"),
        ({"version": "one"}, "cannot be read"),
        ({"config": "{"}, "cannot be read"),
        ({"config": "[" * 100_000}, "cannot be read"),
        ({"config": "[]"}, "cannot be read"),
        ({"config": '{"model": {"name": "nothing"}}'}, "stored config is not usable"),
        ({"config": json.dumps({"model": {**SMALL, "width": 0.5}})}, "does not fit wav2lip"),
    ],
)
def test_own_file_with_wrong_metadata(tmp_path, small, metadata, says):
    path = tmp_path / "x.safetensors"
    good = {"format": "talking-face-checkpoint", "version": "1", "config": json.dumps(CONFIG)}
    save_file(small.state_dict(), path, metadata={**good, **metadata})
    assert says in refusal(path)


def test_zip_of_a_later_version_is_damaged(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"binary_pred.0.weight": torch.zeros(2)}, path)
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 6] = 99  # the version that is needed to unpack an entry
    path.write_bytes(content)
    assert "damaged or not whole (zip file version 9.9)" in refusal(path)


def test_zip_that_unpacks_to_more_than_it_is(tmp_path):
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}))
        archive.writestr("a/data/0", bytes(50_000_000))
    assert path.stat().st_size < 100_000
    assert "compressed" in refusal(path)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x04", struct.pack("<Q", 20) + b"{"]),
    rest=st.binary(max_size=80),
)
def test_any_small_file_is_refused_as_input_error(tmp_path, start, rest):
    path = tmp_path / "x.pth"
    path.write_bytes(start + rest or b"x")
    refusal(path)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), value=st.integers(0, 255))
def test_one_changed_byte_loads_or_is_refused(tmp_path, place, value):
    buffer = io.BytesIO()
    torch.save({"state_dict": {"binary_pred.0.weight": torch.zeros(2)}}, buffer)
    content = bytearray(buffer.getvalue())
    content[int(place * (len(content) - 1))] = value
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    refusal(path)

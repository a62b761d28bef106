"""What is written in a config: files laid over their bases, mistakes in them, numbers and weights of losses."""

import inspect

import pytest

from common.errors import InputError
from losses.criterion import LOSSES, build_criterion
from training.config import load_config


@pytest.fixture
def write(tmp_path):
    """Write configs by name; returns the path of the last."""

    def write_all(**texts):
        for name, text in texts.items():
            path = tmp_path / f"{name}.yaml"
            path.write_text(text, encoding="utf-8")
        return path

    return write_all


def test_a_config_is_laid_over_its_bases(write):
    below = "name: low\nmodel: {name: wav2lip, width: 1}\nlosses: {l1: {weight: rest, gradient: 1}, laplacian: {weight: 0.1}}\n"
    middle = "base: low.yaml\nlosses: {laplacian: null}\noptim: {betas: [0.5, 0.9]}\n"
    top = "base: middle.yaml\nmodel: {width: 0.25}\nlosses: {l1: {gradient: 2}}\n"
    config = load_config(write(low=below, middle=middle, top=top))
    assert config["model"] == {"name": "wav2lip", "width": 0.25}
    assert config["losses"] == {"l1": {"weight": "rest", "gradient": 2}}
    assert config["optim"]["betas"] == [0.5, 0.9] and config["name"] == "top"
    over = load_config(write(low=below), ["losses.laplacian=null", "losses.l1.weight=0.5"])
    assert over["losses"] == {"l1": {"weight": 0.5, "gradient": 1}}
    parts = "optim: {lr: 1.0e-3, parts: {audio_encoder: {lr: 1.0e-5}, face_encoder: {lr: 2.0e-5}}}\n"
    apart = load_config(write(parts=parts, top="base: parts.yaml\noptim: {parts: {audio_encoder: null}}\n"))
    assert list(apart["optim"]["parts"]) == ["face_encoder"]
    assert load_config(write(parts=parts), ["optim.parts.face_encoder=null"])["optim"]["parts"].keys() == {"audio_encoder"}
    again = load_config(write(middle=middle, back="base: middle.yaml\nlosses: {laplacian: {weight: 0.2}}\n"))
    assert again["losses"]["laplacian"] == {"weight": 0.2}


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"top": "base: nowhere.yaml\n"}, ["nowhere.yaml", "top.yaml"]),
        ({"top": "base: top.yaml\n"}, ["top.yaml", "its own base"]),
        ({"other": "base: top.yaml\n", "top": "base: other.yaml\n"}, ["top.yaml", "other.yaml", "its own base"]),
        ({"low": "train: {stepps: 5}\n", "top": "base: low.yaml\n"}, ["train.stepps", "train.steps"]),
        ({"low": "trian: {steps: 5}\n", "top": "base: low.yaml\n"}, ["trian", "train"]),
        ({"low": "train: {steps: many}\n", "top": "base: low.yaml\n"}, ["train.steps", "whole number"]),
        ({"low": "- a\n", "top": "base: low.yaml\n"}, ["low.yaml", "mapping"]),
        ({"low": "a: [1\n", "top": "base: low.yaml\n"}, ["low.yaml", "YAML"]),
    ],
)
def test_mistakes_in_a_base_name_the_file_or_the_key(write, texts, words):
    with pytest.raises(InputError) as error:
        load_config(write(**texts))
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize("override", [False, True], ids=["in a file", "in an override"])
@pytest.mark.parametrize(
    ("path", "there", "misspelt"),
    [("losses", "temporal_lip: {weight: 0.1}", "temporal_lpi"), ("optim.parts", "audio_encoder: {lr: 1.0e-5}", "audio_encodr")],
)
def test_a_null_that_takes_nothing_away_is_refused(write, path, there, misspelt, override):
    def nested(entry):
        return f"losses: {{{entry}}}\n" if path == "losses" else f"optim: {{parts: {{{entry}}}}}\n"

    top = "base: low.yaml\n" + ("" if override else nested(f"{misspelt}: null"))
    with pytest.raises(InputError, match=f"{misspelt}.*did you mean"):
        load_config(write(low=nested(there), top=top), [f"{path}.{misspelt}=null"] if override else [])


@pytest.mark.parametrize("name", LOSSES)
def test_every_number_and_flag_of_a_loss_is_checked_and_holds_its_default(name):
    kind = LOSSES[name]
    signature = inspect.signature(kind).parameters.values()
    checked = {int, float, bool}
    numbers = {one.name: one.default for one in signature if type(one.default) in checked and one.name not in kind.made}
    assert numbers.keys() == kind.ranges.keys()
    for key, default in numbers.items():
        assert kind.ranges[key].check(default, key) == default


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ({"l1": {"weight": "rest"}, "laplacian": {"weight": "rest"}}, ["rest", "l1", "laplacian"]),
        ({"l1": {"weight": "rest"}, "laplacian": {"weight": 1.0}}, ["losses.l1.weight", "sum to 1"]),
        ({"l1": {"weight": "rest"}, "laplacian": {"weight": 0.6}, "spatial_texture": {"weight": 0.7}}, ["losses.l1", "1.3"]),
        ({"l1": {"weight": "most"}}, ["losses.l1.weight", "rest"]),
        ({"l1": {"weight": -0.1}}, ["losses.l1.weight", "from 0 to"]),
        ({"l1": {"weight": True}}, ["losses.l1.weight"]),
        ({"l1": {"weight": 1, "mouth_weight": -1}}, ["losses.l1.mouth_weight: -1 must be a number from 0 to 1000"]),
        ({"mine": {"loss": "l1", "weight": 1, "upper_rows": 5}}, ["losses.mine.upper_rows: 5", "from 0 to 1"]),
        ({"laplacian": {"weight": 1, "levels": 2.5}}, ["losses.laplacian.levels", "whole number from 1 to 5"]),
        ({"sync_choice": {"weight": 1, "scale": 0}}, ["losses.sync_choice.scale", "above 0"]),
        ({"l1": {"weight": 1, "enable_when": {"metric": "val/l1", "below": True}}}, ["losses.l1.enable_when.below", "number"]),
        ({"l1": {"weight": 1, "enable_when": {"metric": "val/l1"}}}, ["losses.l1.enable_when.below", "missing"]),
        ({"l1": {"weight": 1, "enable_when": 5}}, ["losses.l1.enable_when", "metric, below"]),
    ],
)
def test_weights_and_arguments_that_cannot_be_are_refused(losses, words):
    with pytest.raises(InputError) as error:
        build_criterion(losses)
    assert all(word in str(error.value) for word in words), error.value

"""Weights as other code wraps them, and what is said of those that are none."""

import pytest
import torch

from common.errors import InputError
from models import MODELS
from training.checkpoint import load_checkpoint
from training.weights.wrappings import find_network


def state_of(name, value=0.0, prefix=""):
    """The names by which a network is recognised, each with a tensor of one value."""
    return {prefix + key: torch.full((1,), value) for key in (*MODELS[name].sign, "further.weight")}


def compiled(state, *added):
    return {"".join(added) + key: tensor for key, tensor in state.items()}


GENERATOR, EXPERT = state_of("wav2lip", 1.0), state_of("syncnet_color", 2.0)
WRAPPED = {
    "bare": GENERATOR,
    "state_dict": {"state_dict": GENERATOR, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}},
    "deep": {"checkpoint": {"model": {"net": {"state_dict": {"a": {"b": {"c": {"d": {"e": {"f": GENERATOR}}}}}}}}}},
    "torch.compile": compiled(GENERATOR, "_orig_mod."),
    "DistributedDataParallel": {"model": compiled(GENERATOR, "module.")},
    "both": compiled(GENERATOR, "module.", "_orig_mod."),
    "the other way round": {"generator": compiled(GENERATOR, "_orig_mod.", "module.")},
    "a compiled part": {key.replace(".0.", ".0._orig_mod.", 1): value for key, value in GENERATOR.items()},
    "Lightning": {"state_dict": {**compiled(EXPERT, "judge."), **compiled(GENERATOR, "generator.")}, "epoch": 2},
    "with other networks": {"judge": EXPERT, "generator": GENERATOR},
    "with a number in it": {**GENERATOR, "epoch": 7, "name": "mine"},
    "averaged by torch": {"n_averaged": torch.tensor(4), **compiled(GENERATOR, "module.")},
    "averaged beside the raw ones": {"generator": state_of("wav2lip", 9.0), "ema": {"generator": GENERATOR}},
    "averaged, named": {"g_ema": GENERATOR, "g": state_of("wav2lip", 9.0)},
    "averaged, by prefix": {**compiled(state_of("wav2lip", 9.0), "net."), **compiled(GENERATOR, "ema.net.")},
}


@pytest.mark.parametrize("form", WRAPPED)
def test_a_wrapped_network_is_found_under_its_own_names(form):
    name, state = find_network(WRAPPED[form], "weights.pth")
    assert name == "wav2lip"
    assert {key: float(value) for key, value in state.items()} == dict.fromkeys(GENERATOR, 1.0)


def test_a_hostile_nest_of_dicts_is_read_in_no_time():
    nest = GENERATOR
    for _ in range(20):
        nest = {str(number): nest for number in range(100)}
    nest["itself"] = nest
    assert find_network(nest, "weights.pth")[0] == "wav2lip"


def test_the_expected_network_is_taken_of_several():
    name, state = find_network(WRAPPED["with other networks"], "weights.pth", "syncnet_color")
    assert name == "syncnet_color" and state.keys() == EXPERT.keys()
    assert find_network(WRAPPED["bare"], "weights.pth", "syncnet_color")[0] == "wav2lip"  # the caller says what is wrong


def test_no_part_of_a_networks_own_name_is_taken_for_a_wrapper():
    for name, network in MODELS.items():
        with torch.device("meta"):
            names = network(**network.published).state_dict()
        assert not {"module", "_orig_mod", "n_averaged"} & {part for key in names for part in key.split(".")}, name


def test_another_architecture_says_what_was_expected():
    other = {"first_stage.conv.weight": torch.zeros(2), "b": torch.zeros(1)}
    with pytest.raises(InputError, match=r"unknown network \(first names: first_stage.conv.weight, b\); give a Wav2Lip gen"):
        find_network({"state_dict": other}, "weights.pth")
    with pytest.raises(InputError, match=r"give a checkpoint, published or of this project, with a lip-sync expert \(sync"):
        find_network(other, "weights.pth", "syncnet_color")
    with pytest.raises(InputError, match=r"give a checkpoint of this project with .*\(lip_motion\)"):
        find_network(other, "weights.pth", "lip_motion")


def test_the_state_of_a_run_names_the_weights_beside_it(tmp_path):
    path = tmp_path / "checkpoint.pt"
    keys = ("model", "optimizer", "average", "random", "step", "crop")
    torch.save({**dict.fromkeys(keys, 0), "model": GENERATOR}, path)
    (tmp_path / "snapshots").mkdir()
    beside = ["snapshots/step-00000002.safetensors", "last.safetensors", "best.safetensors"]
    with pytest.raises(InputError, match="checkpoint.pt: is the state .*; give best.safetensors or a snapshot of a run"):
        load_checkpoint(path)
    for name in beside:
        (tmp_path / name).write_bytes(b"weights")
        with pytest.raises(InputError, match=f"not weights for use; give {tmp_path / name}, which lies beside it"):
            load_checkpoint(path)

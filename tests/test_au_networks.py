"""The network of action units: stages, sizes, temporal modules on any number of frames, mistakes; VGG-19's file."""

import runpy
import warnings

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from common.errors import InputError
from models import build_model, recurrent, vgg
from models.au import FACE_SIZES, ActionUnits, FaceDiscriminator
from models.au.temporal import REACH, FeatureAttention, NormedConv, Temporal
from models.recurrent import BothWays, Gru
from tests.au_kit import SMALL, batch_of, units
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config.missing import config_of_network
from training.parts import build_network

KINDS = [("gru", "features"), ("tcn", "features"), ("tcsan", "features"), ("tcsan", "frames")]
DRAWS = {"identity_encoder", "speech_encoder", "temporal", "decoder"}
PARTS = {"audio": {"audio_to_units"}, "classifier": {"unit_classifier"}}
PARTS["fusion"] = PARTS["audio"] | PARTS["classifier"] | DRAWS
HEARD = {"audio_units", "audio_unit_codes"}
GIVES = {"audio": HEARD, "classifier": {"face_units"}, "fusion": {*HEARD, "face", "drawn_units"}}


@pytest.mark.parametrize(("face_size", "width"), [*((size, 0.125) for size in FACE_SIZES), (112, 0.3), (112, 1.0)])
def test_every_size_has_shapes_that_fit(face_size, width):
    columns = 28 if width == 1 else 12  # few steps of the recurrent layers, which are slow on the device meta
    batch = {name: one.to("meta") for name, one in batch_of(face_size, frames=7, columns=columns).items()}
    with torch.device("meta"):
        found, section = {}, {**SMALL, "face_size": face_size, "width": width, "columns": columns}
        for stage in PARTS:
            found |= build_model({**section, "stage": stage})(batch)
        model = build_model(section)
        identity = model.identify(batch["identity_face"])
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "audio_units": (2, 7, 5), "audio_unit_codes": (2, 7, 320), "face_units": (2, 7, 5), "drawn_units": (2, 7, 5),
        "face": (2, 7, 3, face_size, face_size)}  # fmt: skip
    assert [one.shape[-1] for one in identity.maps] == [face_size >> level for level in (1, 2, 3, 4)]
    with torch.device("meta"):
        assert FaceDiscriminator(face_size, width).logits(batch["face"].transpose(1, 2)).shape == (14, 1)


def test_full_width_has_the_published_codes():
    with torch.device("meta"):
        model = ActionUnits()
    assert model.identity_encoder.code.out_features == model.speech_encoder.second.out_features == 512
    assert model.temporal.blocks[0].past.in_channels == 512 + 512 + 320  # arXiv 2110.09951: identity, speech, five codes of 64
    assert [block.first.dilation for block in model.temporal.blocks] == [1, 2]


@pytest.mark.parametrize("columns", [12, 25, 35])
def test_other_windows_of_sound_are_heard(columns):
    model = units(columns=columns, unit_reader=False)
    assert model.field_options() == {"mfcc": {"columns": columns, "place": "centred"}}
    assert model(batch_of(columns=columns, items=1))["audio_units"].shape == (1, 3, 5)


def test_stages_have_their_parts_fields_and_outputs():
    batch = batch_of(items=1)
    for stage, parts in PARTS.items():
        model = units(stage=stage)
        assert set(model.parts()) == parts == {name.partition(".")[0] for name in model.state_dict()}
        assert set(model({name: batch[name] for name in model.needs})) == set(model.gives) == GIVES[stage]
        assert model.face_size == (None if stage == "audio" else 96)
        assert set(model.field_options()) == (set() if stage == "classifier" else {"mfcc"})
    plain = units(unit_codes=False, unit_reader=False)
    assert set(plain(batch)) == set(plain.gives) == {"face"} and set(plain.parts()) == DRAWS
    assert plain.hear(batch["mfcc"][0]).shape == (3, 64) and units().hear(batch["mfcc"][0]).shape == (3, 64 + 320)


@pytest.mark.parametrize(("temporal", "attention"), KINDS)
def test_all_weights_learn(temporal, attention):
    model = units(temporal=temporal, attention=attention)
    found = model(batch_of(items=2, frames=3))
    assert found["face"].min() >= 0 and found["face"].max() <= 1 and found["face"].dtype == torch.float32
    (found["drawn_units"].square().mean() + found["audio_units"].square().mean()).backward()  # through the drawn faces, too
    silent = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.isfinite().all()]
    still = [name for name, value in model.named_parameters() if value.grad is not None and not value.grad.any()]
    assert not silent and not still


def test_dropout_is_that_of_the_single_stages():
    for stage, name in (("audio", "audio_units"), ("classifier", "face_units")):
        batch = batch_of(items=1)
        for dropout in (0.0, 0.5):
            model = units(stage=stage, dropout=dropout)
            with torch.no_grad():
                same = torch.equal(model(batch)[name], model(batch)[name])
            assert same == (dropout == 0)
    fused = units(dropout=0.5)
    assert {one.p for part in (fused.audio_to_units, fused.unit_classifier) for one in part.modules()
            if isinstance(one, torch.nn.Dropout)} == {0.0}  # fmt: skip


# --- frames ---------------------------------------------------------------------------------------------------------------


@torch.inference_mode()
@pytest.mark.parametrize(("temporal", "attention"), KINDS)
def test_a_batch_holds_what_the_parts_give_without_a_window(temporal, attention):
    model, batch = units(temporal=temporal, attention=attention).eval(), batch_of(frames=5)
    found = model(batch)
    for item in range(2):
        identity = model.identify(batch["identity_face"][item : item + 1])
        faces = model.draw(identity, model.hear(batch["mfcc"][item]))
        torch.testing.assert_close(found["face"][item], faces, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found["drawn_units"][item], model.read_units(faces), rtol=1e-3, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize(("temporal", "attention"), KINDS)
def test_a_code_depends_on_the_frames_of_its_margin_alone(temporal, attention):
    torch.manual_seed(0)
    module = Temporal(24, temporal, attention, width=0.125).eval()
    for frames in (1, 2, 50, 51):  # not tied to the 50 frames of the published code
        assert module(torch.randn(2, frames, 24)).shape == (2, frames, module.channels)
    frames, place = 130, 65
    given = torch.randn(1, frames, 24)
    other = given.clone()
    other[:, place] += 5
    apart = (module(given) - module(other)).abs().amax((0, 2))
    touched = (apart > 1e-6).nonzero()[:, 0]
    if module.margin is None:
        assert touched.min() == place and apart[:place].max() == 0 and apart[place : place + 3].min() > 1e-6
    else:
        assert module.margin == 6 + (2 * REACH if attention == "frames" else 0)
        assert touched.min() == place - module.margin and touched.max() == place + module.margin
    part = module(given[:, place - 64 : place + 64])  # a part of a clip, with the margin on either side
    if module.margin is not None:
        torch.testing.assert_close(part[:, 64], module(given)[:, place], rtol=1e-4, atol=1e-5)


def test_attention_between_features_weighs_the_features_of_one_frame():
    torch.manual_seed(0)
    attention = FeatureAttention(32)
    frames = torch.randn(2, 32, 5)
    alone = torch.cat([attention(frames[..., one : one + 1]) for one in range(5)], 2)
    torch.testing.assert_close(attention(frames), alone, rtol=1e-4, atol=1e-6)
    other = frames.clone()
    other[:, 24:, 2] += 3  # one token of one frame
    moved = (attention(frames) - attention(other)).abs().amax((0, 1))
    assert moved[2] > 1e-4 and moved[[0, 1, 3, 4]].max() < 1e-6
    assert (attention(frames) - attention(other))[:, :8, 2].abs().max() > 1e-5  # another token sees it


def test_a_normed_convolution_is_torch_s_weight_norm():
    torch.manual_seed(0)
    ours = NormedConv(6, 4, 2)
    theirs = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(6, 4, 3, padding=2, dilation=2), dim=0)
    with torch.no_grad():
        ours.length.mul_(1.7)
        theirs.parametrizations.weight.original0.copy_(ours.length)
        theirs.parametrizations.weight.original1.copy_(ours.direction)
        theirs.bias.copy_(ours.bias)
    given = torch.randn(2, 6, 9)
    torch.testing.assert_close(ours(given), theirs(given))


@pytest.mark.parametrize("fused", [True, False], ids=["kernels", "steps"])
def test_recurrent_layers_are_those_of_torch(fused, monkeypatch):
    assert recurrent._fused(torch.zeros(1)) and not recurrent._fused(torch.zeros(1, dtype=torch.float16))
    monkeypatch.setattr(recurrent, "_fused", lambda x: fused)
    torch.manual_seed(0)
    given = torch.randn(3, 7, 10)
    lstm, ours = torch.nn.LSTM(10, 6, 2, batch_first=True, bidirectional=True), BothWays(10, 6, 2)
    gru, own, back = torch.nn.GRU(10, 6, batch_first=True, bidirectional=True), Gru(10, 6), Gru(10, 6, backwards=True)
    pairs = [(one, lstm, f"l{layer}{ending}") for ending, side in (("", ours.forwards), ("_reverse", ours.backwards))
             for layer, one in enumerate(side)]  # fmt: skip
    with torch.no_grad():
        for one, other, name in [*pairs, (own, gru, "l0"), (back, gru, "l0_reverse")]:
            one.given.weight.copy_(getattr(other, f"weight_ih_{name}"))
            one.kept.weight.copy_(getattr(other, f"weight_hh_{name}"))
            bias, kept = getattr(other, f"bias_ih_{name}"), getattr(other, f"bias_hh_{name}")
            one.given.bias.copy_(bias if one.kept.bias is not None else bias + kept)
            if one.kept.bias is not None:
                one.kept.bias.copy_(kept)
    torch.testing.assert_close(ours(given), lstm(given)[0])
    torch.testing.assert_close(torch.cat([own(given), back(given)], 2), gru(given)[0])


# --- training and files -----------------------------------------------------------------------------------------------------


def test_the_network_is_one_graph():
    torch._dynamo.reset()
    net = units(stage="audio", columns=12).audio_to_units.nets[0]  # one step of its recurrent layers, quick to trace
    for network, name in ((units(unit_codes=False, columns=12), None), (net, "mfcc")):
        counter = CompileCounter()
        compiled = torch.compile(network, backend=counter, fullgraph=True)
        for seed in range(2):
            batch = batch_of(items=1, frames=2, columns=12, seed=seed)
            found = compiled(batch if name is None else batch[name][0])
            sum(one.mean() for one in (found.values() if name is None else found)).backward()
        assert counter.frame_count == 1


def test_fusion_begins_from_the_stages_before(tmp_path):
    for stage in ("audio", "classifier"):
        section = {**SMALL, "stage": stage}
        torch.manual_seed(5)
        save_checkpoint(tmp_path / f"{stage}.safetensors", build_model(section), {"model": section, "data": {"crop": "au112"}})
    config = {"model": SMALL, "data": {}, "train": {"seed": 0, "freeze": []}}
    starts = [{"checkpoint": str(tmp_path / f"{stage}.safetensors"), "parts": list(PARTS[stage])} for stage in PARTS
              if stage != "fusion"]  # fmt: skip
    model = build_network(config, torch.device("cpu"), starts)
    for stage in ("audio", "classifier"):
        stored = load_checkpoint(tmp_path / f"{stage}.safetensors").model.state_dict()
        assert all(torch.equal(model.state_dict()[name], value) for name, value in stored.items())
    wrong = [{**starts[0], "parts": ["unit_classifier"]}]
    words = r"it is of stage audio, and unit_classifier comes with stage classifier \(such as .* configs/au_classifier.yaml\)"
    with pytest.raises(InputError, match=f"has no part unit_classifier: {words}"):
        build_network(config, torch.device("cpu"), wrong)


@pytest.mark.parametrize(
    ("name", "stage", "width", "found"),
    [("action_units", "audio", 0.25, "au_small_audio"), ("action_units", "classifier", 0.25, "au_small_classifier"),
     ("action_units", "fusion", 0.25, "au_small_fusion"), ("action_units", "audio", 1.0, "au_audio"),
     ("davs", "words", 0.25, "davs_small_words")],
)  # fmt: skip
def test_the_config_of_the_same_size_is_advised(name, stage, width, found):
    sizes = {"face_size": 96 if name == "davs" else 112, "width": width}
    assert config_of_network({"name": name, "stage": stage}, sizes).stem == found
    assert config_of_network({"name": "none"}) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stage": "paint"}, "model.stage: 'paint' .*audio, classifier, fusion"),
        ({"face_size": 100}, "model.face_size: 100 .*96, 112, 128"),
        ({"face_size": 112.0}, "model.face_size: 112.0"),
        ({"width": 0.1}, "model.width: 0.1 .*0.125 to 1"),
        ({"width": True}, "model.width: True"),
        ({"columns": 11}, "model.columns: 11 .*12 to 100"),
        ({"temporal": "lstm"}, "model.temporal: 'lstm' .*gru, tcn, tcsan"),
        ({"attention": ["frames"]}, "model.attention: .*features, frames"),
        ({"unit_codes": 1}, "model.unit_codes: 1 .*true or false"),
        ({"unit_reader": None}, "model.unit_reader: None"),
        ({"dropout": 1.0}, "model.dropout: 1.0"),
        ({"temporl": "gru"}, "model.temporl: .*temporal"),
    ],
)
def test_a_value_that_is_not_possible_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        build_model({**SMALL, **options})


def test_torchvision_s_file_of_vgg_is_read_without_what_no_output_depends_on(tmp_path, monkeypatch):
    monkeypatch.setattr(vgg, "CHANNELS", tuple(tuple(8 for _ in group) for group in vgg.CHANNELS))
    torch.manual_seed(0)
    network = vgg.Vgg19()
    assert [name for name in network.state_dict() if name.endswith("weight")] == [
        f"features.{place}.weight" for place in (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28)]  # fmt: skip
    state = {**network.state_dict(), "features.30.weight": torch.zeros(8, 8, 3, 3), "features.34.bias": torch.zeros(8),
             "classifier.6.weight": torch.zeros(10, 4)}  # fmt: skip
    torch.save(state, tmp_path / "vgg19-dcbb9e9d.pth")
    found = load_checkpoint(tmp_path / "vgg19-dcbb9e9d.pth", expect="vgg19").model
    faces = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        maps = found(faces)
        assert all(torch.equal(one, other) for one, other in zip(maps, network(faces), strict=True))
    assert [one.shape[-1] for one in maps] == [32, 16, 8, 4, 2] and all(one.min() == 0 < one.max() for one in maps)
    smaller = {name: value for name, value in state.items() if not name.startswith("features.16.")}  # VGG-16 pools there
    torch.save(smaller, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other.pth: weights of an unknown network .*VGG-19 \(vgg19\)"):
        load_checkpoint(tmp_path / "other.pth", expect="vgg19")


def test_cudnn_s_warning_of_loose_weights_is_not_shown():
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        runpy.run_path(recurrent.__file__)
        warnings.warn("RNN module weights are not part of single contiguous chunk of memory. This means", UserWarning, 2)
        warnings.warn("RNN module weights are on another device", UserWarning, 2)
    assert [str(one.message) for one in shown] == ["RNN module weights are on another device"]

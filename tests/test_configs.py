"""Every config in configs/: it says how it is run, builds, does a step, and differs from its base in what it says."""

import functools
import json
import math
import shutil
from unittest import mock

import pytest
import torch
import yaml

from benchmarks.ablation.rows import ROWS
from common.action_units import UNITS
from common.errors import InputError
from models import build_model, vgg
from tests.conftest import ROOT
from tests.losses_kit import THIN
from tests.prepared_kit import make_corpus
from training.checkpoint import save_checkpoint
from training.config import load_config
from training.config.missing import config_of
from training.loop import steps_left
from training.run import Run
from training.validation import validate

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
GOLDEN = json.loads((ROOT / "tests" / "golden" / "configs.json").read_text(encoding="utf-8"))
SAID = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in CONFIGS}
VARIANTS = [path for path in CONFIGS if path.read_text(encoding="utf-8").startswith("base:")]
ROOTS = [path for path in CONFIGS if path not in VARIANTS]
EXPERT = {"sync_classification", "sync_choice"}
READERS = {"pose_reading", "pose_blind", "word_classification", "person_classification", "identity_words", "modality"}
FIGURES = {  # of each loss
    **dict.fromkeys({*EXPERT, *READERS}, ("accuracy",)),
    **{"sync_contrast": ("frames", "windows"), "association": ("right",), "identity_contrast": ("right",),
       "speech_people": ("audio", "video")},
    **{"drawn_adversarial": ("patches",), "landmark_heatmaps": ("pixels",)},
    **{"codebook": ("used",), "two_scale": ("patches",), "crossed_cycle": ("pose", "mouth")},
    **{"view_alignment": ("mouth", "pose", "velocity"), "speech_contrast": ("right",)},
    **{"action_unit_bce": tuple(f"{figure}_au{unit}" for figure in ("f1", "accuracy") for unit in UNITS)},
}
ADVERSARIAL = {"adversarial", "lip_patches", "modality", "identity_words", "speech_people", "drawn_adversarial", "two_scale"}
WAV2LIP = {"l1", "sync"}
STO = {*WAV2LIP, "adversarial", "temporal_lip", "spatial_texture"}
MOTION = {"lip_coefficients", "lip_opening", "lip_velocity"}
TCSC = {*WAV2LIP, "adversarial", "temporal_lip"}
REFINE = {"l1", "lip_distance"}
# DAVS: adversaries that read codes, and what else cleans them
CODES = {"modality", "identity_constancy", "identity_words", "identity_code_words", "speech_people", "speech_people_linear"}
TOLD = {"identity_words", "identity_contrast"}
WORDS = {"audio_words", "video_words"}
SHARED = {*WORDS, "association", "modality"}
DRAWN = {"drawn", "drawn_mouth", "drawn_still", "drawn_adversarial"}
APART = {*SHARED, *CODES, "people"}
FUSED = {"l1", "identity_upper", "perceptual_units", "drawn_units", "drawn_dice"}
HEARD = {"speech_contrast", "mouth_match"}
MOVED = {*HEARD, "people", "pose_reading", "pose_blind", "two_scale"}
LIPS = {"video_lips", "audio_lips"}
PCAVS, SMALL = {*MOVED, "drawn_vgg"}, {"people", "two_scale", "drawn", "drawn_mouth", "drawn_motion"}
TAUGHT = {*SMALL, *HEARD, *LIPS, "portrait_moves"}
CRA, STAC = {"crossed_cycle", "crossed_moments"}, {"view_alignment"}
PCAVS_SIZES = {"face_size": 64, "width": 0.125, "people": 2, "read_frames": 2}
OURS = {"reads_lips": True, "moves_portrait": True, "normed_codes": True, "own_pose": True}
DAVS = {"words": 2, "speech_frames": 4, "drawn_frames": 2, "identity_frames": 3, "identity_stride": 1}  # of small ones
LOSSES_OF = {  # the losses of each config
    **dict.fromkeys(("expert", "expert_box", "expert_grid", "expert_mixed", "expert_near"), EXPERT),
    **{"lip_landmarks": {"landmark_distance"}, "word_reader": {"video_words"}},
    **dict.fromkeys(("lipwarp_motion", "lipwarp_motion_all", "lipwarp_motion_mel"), MOTION),
    **dict.fromkeys((f"lipwarp_motion_{one}" for one in ("tc", "run", "shuffled", "gate")), {*MOTION, "temporal_motion"}),
    **dict.fromkeys(("lip_sync", "lip_sync_a", "lip_sync_b", "lip_sync_mel"), {"sync_contrast"}),
    **{"wav2lip": WAV2LIP, "wav2lip_paper": WAV2LIP, "wav2lip_gan": {*WAV2LIP, "adversarial"}},
    **{"tcsc": TCSC, "tcsc_box": TCSC, "tcsc_no_tc": TCSC - {"temporal_lip"}},
    **dict.fromkeys(("sto", "sto_quality", "sto_no_gate", "sto_literal", "sto_shape", "sto_shuffled"), STO),
    **dict.fromkeys(("sto_no_sc_input", "sto_grid"), STO),
    **{"sto_no_sc": STO - {"spatial_texture"}, "sto_no_tc": STO - {"temporal_lip"}},
    **{"ablation_small": WAV2LIP, "demo_l1": {"l1"}, "demo": {"l1"}, "demo_sync": WAV2LIP},
    **{"lipwarp_refine": REFINE, "lipwarp_refine_gan": {*REFINE, "lip_patches"}},
    **dict.fromkeys(("lipwarp_refine_sc", "lipwarp_refine_grid"), {*REFINE, "spatial_texture"}),
    **{"demo_temporal": {"l1", "temporal_lip"}, "demo_spatial": {"l1", "spatial_texture"}},
    **{"davs_words": SHARED, "davs_disentangle": {*SHARED, *TOLD}, "davs": {*SHARED, "identity_words", *DRAWN}},
    **{"davs_small_landmarks": {"landmark_heatmaps"}, "davs_small_words": SHARED, "davs_small_words_plain": WORDS},
    **{"davs_small_disentangle": APART, "davs_small_disentangle_plain": APART - CODES},
    **{"davs_small": {*APART, *DRAWN, "drawn_motion"}, "davs_small_plain": {*APART, *DRAWN, "drawn_motion"} - CODES},
    **{"davs_grid_landmarks": {"landmark_heatmaps"}, "davs_grid_words": SHARED, "davs_grid_disentangle": APART},
    **{"davs_grid": {*APART, *DRAWN, "drawn_motion"}},
    **dict.fromkeys(("au_audio", "au_classifier", "au_small_audio", "au_small_classifier"), {"units", "dice"}),
    **dict.fromkeys(("au_fusion", "au_fusion_gru"), FUSED),
    **dict.fromkeys(("au_fusion_gan",), {*FUSED, "adversarial"}),
    **{"au_small_fusion": {*FUSED, "face_motion"}, "au_small_fusion_gan": {*FUSED, "face_motion", "adversarial"}},
    **dict.fromkeys(("au_autoencoder", "au_small_autoencoder"), {"l1", "perceptual_units", "codebook"}),
    **dict.fromkeys(("motion_landmarks", "motion_small_landmarks"), {"landmark_heatmaps"}),
    **dict.fromkeys(("motion_identity", "motion_small_identity"), {"people"}),
    **{"motion_speech": HEARD, "motion_small_speech": {"speech_contrast", *LIPS}},
    **{"motion_small_pose": {*HEARD, *LIPS, "portrait_moves"}},
    **{"pcavs": PCAVS, "motion": {*PCAVS, *CRA, *STAC}, "pcavs_small": SMALL, "motion_small_plain": TAUGHT},
    **{"pcavs_paper": PCAVS - {"mouth_match", "pose_reading", "pose_blind"}},
    **dict.fromkeys(("motion_small", *(f"motion_small_{one}" for one in ("random", "space", "time"))), {*TAUGHT, *CRA, *STAC}),
    **{"motion_small_cra": {*TAUGHT, *CRA}, "motion_small_stac": {*TAUGHT, *STAC}},
    **{"motion_small_no_cycle": {*TAUGHT, "crossed_moments", *STAC}},
    **dict.fromkeys(("au_diffusion", "au_small_diffusion", "au_small_diffusion_shuffled"), {"noise_error"}),
}  # fmt: skip


def stem(path):
    return path.stem


def leaves(said, above=()):
    """(path of keys, value) of all that is no section."""
    for key, value in said.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def at(config, keys):
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config


NETWORKS = {  # of each kind of crop: what runs begin from, and what losses ask
    "aligned": [("syncnet_color", {}), ("wav2lip", {}), ("lip_refiner", {})],
    "davs": [("davs", {**DAVS, "people": 2, "width": 0.125})],
    "pcavs": [("pcavs", PCAVS_SIZES), ("pcavs_small", {"name": "pcavs", **PCAVS_SIZES, **OURS}), ("vgg19", {})],
    "au112": [("action_units", {"temporal": "gru", "width": 0.125}),
              ("action_units_diffusion", {"width": 0.125, "unet_width": 0.0625, "autoencoder_width": 0.0625, "codes": 64,
                                          "depth": 1})],
}


@pytest.fixture(autouse=True, scope="session")
def thin_vgg():
    """VGG-19 with an eighth of its channels."""
    with mock.patch.object(vgg, "CHANNELS", THIN):
        yield


@pytest.fixture(scope="session")
def stage(small_corpus, tmp_path_factory):
    """Corpora of each kind of crop whose AV offsets are known, and for each networks to begin with: overrides by kind."""
    folder, overrides = tmp_path_factory.mktemp("configs"), {}
    torch.manual_seed(0)
    for crop in ("aligned", "box", "davs", "pcavs", "au112"):
        small = make_corpus(folder / "small", frames=12, size=64, words=False) if crop == "pcavs" else small_corpus
        corpus = shutil.copytree(small, folder / crop)
        stored = json.loads((corpus / "corpus.json").read_text())
        stored["settings"]["crop"] = crop
        (corpus / "corpus.json").write_text(json.dumps(stored))
        rows = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
        rows = [{**row, "av_offset": 0.0, "av_confidence": 1.0} for row in rows]
        (corpus / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        weights = {}
        for name, more in NETWORKS.get(crop, NETWORKS["aligned"]):
            network = {"name": name, **({"face_size": 96, "width": 0.25} if name != "vgg19" else {}), **more}
            weights[name] = folder / f"{name}-{crop}.safetensors"
            save_checkpoint(weights[name], build_model(network), {"model": network, "data": {"crop": crop}})
        overrides[crop] = {"data.corpus": corpus, "losses.sync.expert": weights.get("syncnet_color"), "train.init": weights}
    return overrides


def begun_with(init, path):
    """A setting `train.init` with another checkpoint, whose parts are the same."""
    return str(path) if isinstance(init, str) else [{**one, "checkpoint": str(path)} for one in init]


def lighten(config, stage, runs):
    """Overrides that lay a config over the small corpus, at a quarter of its width, or an eighth."""
    given = stage[config["data"]["crop"] or "aligned"]
    small = {"data.corpus": given["data.corpus"], "data.workers": 0, "data.speakers": "null", "train.batch_size": 2,
             "train.validate_batches": 1, "train.device": "cpu", "train.threads": 1, "train.runs": runs}  # fmt: skip
    if config["data"]["window"] not in ("phoneme", *range(16)):
        small["data.window"] = 12
    if "face_size" in config["model"]:
        small["model.face_size"] = 96
    if config["model"].get("width", 2) <= 1:
        small["model.width"] = 0.25
    if config["model"]["name"] == "action_units":
        small |= {"model.width": 0.125, "data.window": 12}  # so many frames that every unit counts in its figures
    if config["model"]["name"] in ("face_autoencoder", "action_units_diffusion"):
        own = {"width": 0.0625, "codes": 64, "depth": 1}
        more = {"width": 0.125, "unet_width": 0.0625, "autoencoder_width": 0.0625, "frames": 2}
        own |= more if config["model"]["name"] == "action_units_diffusion" else {}
        small |= {f"model.{key}": value for key, value in own.items()} | {"data.window": min(config["data"]["window"], 5)}
    if "perceptual_units" in config["losses"]:
        small["losses.perceptual_units.classifier"] = given["train.init"]["action_units"]
    if "sync" in config["losses"]:
        small["losses.sync.expert"] = given["losses.sync.expert"]
    if config["model"]["name"] == "davs":
        own = {**DAVS, "people": 2 if config["model"].get("people") else 0}
        small |= {f"model.{key}": value for key, value in own.items() if config["model"].get("speech_frames") != 1}
        small["model.width"] = 0.125
        small |= {"losses.association.frames": 4} if "association" in config["losses"] else {}
    if config["model"]["name"] == "pcavs":
        own = {"face_size": 64, "width": 0.125, "people": 2 if config["model"].get("people") else 0}
        own |= {"read_frames": 2, "drawn_frames": 2} if config["model"]["stage"] == "generate" else {}
        small |= {f"model.{key}": value for key, value in own.items()} | {"data.window": min(config["data"]["window"], 4)}
        small |= {"losses.speech_contrast.frames": 3} if "speech_contrast" in config["losses"] else {}
    if "drawn_vgg" in config["losses"]:
        small["losses.drawn_vgg.weights"] = given["train.init"]["vgg19"]
    if config["train"]["init"]:
        small_form = config["model"].get("moves_portrait", False)
        weights = given["train.init"].get("pcavs_small" if small_form else config["model"]["name"])
        small["train.init"] = json.dumps(begun_with(config["train"]["init"], weights))
    return [f"{key}={value}" for key, value in small.items()]


def kind_of(job, name):
    """Which loss stands under a name of the config."""
    return job.config["losses"][name].get("loss", name)


def figures_of(job, losses):
    return {f"{name}/{figure}" for name in losses for figure in FIGURES.get(kind_of(job, name), ())}


def do_a_step(job, losses):
    """Learn from one step; the losses must be those that are expected, finite, and move the network."""
    before = [parameter.detach().clone() for parameter in job.model.parameters()]
    values, _ = job.learn(next(steps_left(job)))
    open_losses = {name for name in losses if job.criterion.open[name]}
    adversarial = {name for name in losses if kind_of(job, name) in ADVERSARIAL}
    adversaries = {f"{kind}/{one}" for one in adversarial for kind in ("adversary", "gradient")}
    assert set(values) == {"total", "gradient"} | open_losses | adversaries | figures_of(job, losses)
    assert all(math.isfinite(value) for value in values.values()), values
    assert any(not torch.equal(old, new) for old, new in zip(before, job.model.parameters(), strict=True))


def flat(section, above=""):
    """(full key, value) of all that is no section; `model` and `losses` count as values."""
    for key, value in section.items():
        if isinstance(value, dict) and value and above + key not in ("model", "losses"):
            yield from flat(value, f"{above}{key}.")
        else:
            yield above + key, value


@pytest.mark.parametrize("name", sorted(GOLDEN["configs"]))
def test_a_config_resolves_to_what_it_always_was(name):
    """tests/golden/configs.json was written by the code that had no schema; keys that came later have their default."""
    now = dict(flat(load_config(ROOT / "configs" / f"{name}.yaml")))
    later = {key: now.pop(key) for key in set(now) - set(GOLDEN["defaults"])}
    assert json.dumps(now, sort_keys=True) == json.dumps({**GOLDEN["defaults"], **GOLDEN["configs"][name]}, sort_keys=True)
    small = later.pop("train.cpu_config")
    assert small is None or "cpu_config" not in (ROOT / "configs" / small).read_text(encoding="utf-8")
    assert later == {"optim.parts": {}, "adversary.weight_decay": 0.0, "train.freeze": [], "data.augment.voice": 0.0,
                     "data.speakers": None, "data.centre": None, "data.identity": None, "data.action_units": None,
                     "train.print_every": 60, "train.curve": True}  # fmt: skip


def test_every_config_has_its_losses_listed():
    assert set(LOSSES_OF) == {path.stem for path in CONFIGS}


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=stem)
def test_a_config_builds_validates_and_does_a_step(path, stage, tmp_path, one_step):
    job = Run(load_config(path, lighten(load_config(path), stage, tmp_path)))
    losses = LOSSES_OF[path.stem]
    assert set(job.criterion.terms) == losses
    do_a_step(job, losses)
    metrics, _ = validate(job)
    assert all(math.isfinite(value) for value in metrics.values()) and job.best.metric in metrics
    names = ("total", *losses, *figures_of(job, losses))
    steady = job.criterion.steady
    names += ("steady",) if 0 < len(steady) < len(losses) else ()
    assert metrics.keys() == {f"{split}/{name}" for split in ("val", "unseen") for name in names}
    gated = set(job.criterion.gates)
    assert gated == ({"sync"} if path.stem.startswith(("wav2lip", "tcsc", "sto")) else set())
    if gated:  # with its gate open, all weights sum to 1
        assert job.criterion.update_gates({"val/sync": 0.74}) == ["sync"]
        assert sum(job.criterion.weight(name) for name in losses) == pytest.approx(1.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", [one for one in CONFIGS if isinstance(load_config(one)["train"]["init"], list)], ids=stem)
def test_the_parts_with_which_a_config_begins_are_in_both_networks(path):
    config = load_config(path)
    network = shapes_of(json.dumps(config["model"]))
    parts = network.parts()
    for start in config["train"]["init"]:
        made = shapes_of(json.dumps(load_config(config_of(start["checkpoint"]))["model"]))
        assert set(start["parts"] or ()) <= parts.keys()
        for part in start["parts"] or ():
            for module in parts[part]:
                theirs, own = (one.get_submodule(module).state_dict() for one in (made, network))
                assert {name: one.shape for name, one in theirs.items()} == {name: one.shape for name, one in own.items()}


@functools.cache
def shapes_of(model):
    """The network of a section `model` (JSON), without memory for its weights."""
    with torch.device("meta"):
        return build_model(json.loads(model))


def test_davs_is_trained_as_published():
    """arXiv 1807.07860 and its code: weights, sizes, and what the codes of sound and video are compared over."""
    config = load_config(ROOT / "configs" / "davs.yaml")
    weights = {"drawn": 4, "drawn_mouth": 8, "drawn_still": 5, "association": 1, "audio_words": 1, "video_words": 1,
               "identity_words": 1e6, "modality": 5, "drawn_adversarial": 1}  # fmt: skip
    assert {name: loss["weight"] for name, loss in config["losses"].items()} == weights
    said = config["losses"]
    assert (said["drawn"]["region"], said["drawn_mouth"]["region"]) == ("face", "davs_mouth")
    assert (said["association"]["frames"], said["association"]["detach"]) == (12, "video")
    network = build_model(config["model"])
    assert (network.face_size, network.width, network.words, network.stage) == (256, 1, 500, "generate")
    assert (network.speech_frames, network.speech_stride, network.drawn_frames, network.identity_frames) == (12, 2, 6, 20)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_a_row_of_the_ablation_builds_and_does_a_step(row, stage, tmp_path):
    path = ROOT / "configs" / "ablation_small.yaml"
    config = load_config(path, row.overrides)
    job = Run(load_config(path, [*row.overrides, *lighten(config, stage, tmp_path)]))
    do_a_step(job, set(config["losses"]))
    assert sum(job.criterion.weight(name) for name in config["losses"]) == pytest.approx(1.0)
    assert all(load_config(path, other.overrides) != config for other in ROWS if other is not row)


@pytest.mark.parametrize("path", ROOTS, ids=stem)
def test_a_config_begins_with_the_command_that_runs_it(path):
    header = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        header.append(line)
    assert any(f"train.py configs/{path.name}" in line for line in header if line.startswith("#   ")), header


def test_runs_of_two_configs_do_not_share_a_folder():
    names = [load_config(path)["name"] for path in CONFIGS]
    assert len(set(names)) == len(names)
    assert all(load_config(path)["name"] == path.stem for path in VARIANTS)


@pytest.mark.parametrize("path", VARIANTS, ids=stem)
def test_a_variant_is_short_and_says_nothing_that_its_base_says(path):
    said = dict(SAID[path.stem])
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 4
    assert "#" in path.read_text(encoding="utf-8").splitlines()[0], "what it is for"
    own, base = load_config(path), load_config(path.parent / said.pop("base"))
    for keys, value in leaves(said):
        assert at(base, keys) != value, f"{'.'.join(keys)} is that of the base"
        assert at(own, keys) == value
    differing = {keys for keys, value in {*_flat(own), *_flat(base)} if at(own, keys) != at(base, keys)} - {("name",)}
    assert all(any(keys[: len(one)] == one for one, _ in leaves(said)) for keys in differing), differing


def _flat(config):
    return {(keys, json.dumps(value)) for keys, value in leaves(config)}


def test_a_crop_of_the_other_kind_is_refused(stage, tmp_path):
    path = ROOT / "configs" / "tcsc_box.yaml"
    right = lighten(load_config(path), stage, tmp_path)
    for key in ("data.corpus", "losses.sync.expert"):
        with pytest.raises(InputError, match="aligned"):
            Run(load_config(path, [*right, f"{key}={stage['aligned'][key]}"]))
    assert Run(load_config(path, right)).corpus.settings["crop"] == "box"


def test_an_expert_wants_offsets_that_were_measured(stage, small_corpus, tmp_path):
    path = ROOT / "configs" / "expert.yaml"
    overrides = [*lighten(load_config(path), stage, tmp_path), f"data.corpus={small_corpus}"]
    with pytest.raises(InputError, match="--measure_av_offset"):
        Run(load_config(path, overrides))

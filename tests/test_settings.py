"""Values of a config: each has a range that its message names; whatever is given, the answer is one line or a valid dict."""

import json

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import train as train_script
from common.cli import run
from common.errors import InputError
from common.schema import Number
from training.config import checked_section, load_config, starts_of
from training.config.settings import CONFIG, DEFAULTS
from training.config.yaml_text import parse_yaml

ROWS = list(CONFIG.table())
NUMBERS = {}  # full key -> Number
WRONG = [one.strip() for one in """
optim.lr=-1; optim.lr=nan; optim.lr=.inf; optim.lr=1e400; optim.lr=2; optim.lr=true; optim.lr=[1e-4];
optim.betas=[0.9,1.5]; optim.betas=[0.9,1]; optim.betas=[-0.1,0.9]; optim.betas=0.9; optim.betas=[.nan,0.9];
optim.weight_decay=-1; optim.clip=-1; optim.warmup=-5; optim.warmup=1.5; optim.schedule=wild; adversary.lr=-1;
adversary.betas=[0.9,1.5]; adversary.weight_decay=-1; adversary.warmup=-5; adversary.clip=-1; optim.parts.decoder.lr=-1;
optim.parts.decoder.betas=[0.9,2]; optim.parts.decoder=5; optim.parts=[1]; train.seed=-1; train.seed=99999999999;
train.minutes=-1; train.minutes=nan; train.threads=-1; train.ema=1.5; train.batch_size=0; train.keep=0; train.steps=0;
train.log_every=0; train.accumulate=0; train.init=[]; train.init=[{parts: [a]}]; train.init=[{checkpoint: a, parts: []}];
train.init=5; train.freeze=decoder; train.compile=1; train.progress=maybe; train.tensorboard=yes please; train.wandb=on;
train.device=''; data.augment.flip=7; data.augment.shift=-1; data.augment.shift=0.5; data.augment.noise=-0.1;
data.balance=-1; data.part=[0.5,0.5]; data.part=[0.5,1.1]; data.part=[0.1,0.2,0.3]; data.mask_top=0.05;
data.texture.clusters=0; data.texture.compactness=0; data.negatives.least=0; data.negatives.least=16;
data.negatives.near=-1; data.negatives={near: 0, far: 0, other: 0}; data.negatives.sounds=0; data.window=0;
data.window=phone; data.longest=1; data.workers=-1; data.exclude=s3; data.exclude=[[s3]]; data.min_av_confidence=-1;
data.min_av_confidence=true; data.min_av_confidence=surely; data.crop=round; name=../up; name=a/b; losses=5; losses.l1=5;
model=wav2lip; optim=5; data.corpus=[a]
""".split(";")]  # fmt: skip


def _find_numbers(section, above=""):
    for key, kind in section.keys.items():
        if hasattr(kind, "keys"):
            _find_numbers(kind, f"{above}{key}.")
        elif isinstance(kind, Number):
            NUMBERS[above + key] = kind


_find_numbers(CONFIG)


@pytest.fixture
def write(tmp_path):
    """Write bytes or text as a config; returns its path."""

    def one(text, name="c.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return one


def refusal(path, *overrides):
    """The message of the mistake; one line."""
    with pytest.raises(InputError) as error:
        load_config(path, overrides)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


@pytest.mark.parametrize("override", WRONG)
def test_a_value_that_cannot_be_is_refused_with_its_key_and_what_can_be(write, override):
    told = refusal(write("name: a\n"), override)
    key = override.partition("=")[0]
    assert told.startswith((key, key.rpartition(".")[0], "'")) and key.rpartition(".")[2] in told, told
    assert " must " in told or "not all be 0" in told, told


@pytest.mark.parametrize("key", NUMBERS)
def test_every_number_is_held_to_its_range(write, key):
    """The ends are permitted where the range says so; what lies beyond, NaN and infinity are refused, and the range is told."""
    kind, path = NUMBERS[key], write("name: a\n")
    step = 1 if kind.whole else 1e-3
    for end, out, beyond in ((kind.low, kind.above, kind.low - step), (kind.high, kind.below, kind.high + step)):
        if not out and not key.startswith("data.negatives"):
            value = load_config(path, [f"{key}={end}"])
            for part in key.split("."):
                value = value[part]
            assert value == end and type(value) is (int if kind.whole else float)
        assert f"from {kind.low}" in (told := refusal(path, f"{key}={beyond}")) or f"above {kind.low}" in told
        assert told.startswith(f"{key}: ") and str(kind.high) in told
    for bad in (".nan", "nan", "-.inf", "inf", "many", "true", "[1]", "{a: 1}", "''"):
        told = refusal(path, f"{key}={bad}")
        assert told.startswith(f"{key}: ") and str(kind.low) in told and str(kind.high) in told


def test_every_section_of_numbers_was_found():
    assert {"optim.lr", "adversary.clip", "data.augment.flip", "train.seed"} <= NUMBERS.keys() and len(NUMBERS) > 40


def test_numbers_keep_their_type_and_text_that_is_a_number_is_read(write):
    config = load_config(write("name: 7\n"), ["optim.lr=3e-4", "train.ema=1", "train.steps=1e5", "data.balance=1"])
    assert config["name"] == "7" and config["optim"]["lr"] == 3e-4
    assert [type(config[section][key]) for section, key in (("train", "ema"), ("data", "balance"))] == [float, float]
    assert config["train"]["steps"] == 100000 and type(config["train"]["steps"]) is int
    assert load_config(write("train: {tensorboard: off, wandb: off}\n"))["train"]["tensorboard"] == "off"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("optim: {lr: 1e-4}\noptim: {lr: 5}\n", ["line 2", "'optim'", "twice", "line 1"]),
        ("optim:\n  lr: 1e-4\n  warmup: 5\n  lr: 1e-3\n", ["line 4", "'lr'", "first in line 2"]),
        ("losses:\n  l1: {weight: 1, weight: 2}\n", ["line 2", "'weight'"]),
        ('model: {name: wav2lip, "name": wav2lip}\n', ["'name'"]),
        ("train: {freeze: [{a: 1, a: 1}]}\n", ["'a'"]),
        ("optim: {lr: .nan}\n", ["optim.lr", "nan", "above 0 and up to 1"]),
        ("optim: {betas: [0.9, .inf]}\n", ["optim.betas[1]", "inf", "from 0 to below 1"]),
        ("losses: {l1: {enable_when: {below: [.nan]}}}\n", ["losses.l1.enable_when.below[0]", "finite"]),
        ("model: {width: -.inf}\n", ["model.width", "finite"]),
        ("model: {width: 0x" + "f" * 5000 + "}\n", ["model.width", "thousands of digits"]),
        ("train: {runs: .nan}\n", ["train.runs"]),
        ("losses: {l1: {weight: .inf}}\n", ["losses.l1.weight", "finite"]),
        ("train: {steps: 99999999999999999999}\n", ["train.steps", "from 1 to 1000000000"]),
        ("train: {seed: 0x" + "f" * 5000 + "}\n", ["train.seed", "from 0 to 4294967295"]),
        ("1: 2\n", ["key 1", "text"]),
        ("on: 2\n", ["key True", "text"]),
        ("a: &a [*a]\n", ["nested too deeply"]),
        ("a: " + "[" * 500 + "\n", ["nested too deeply"]),
        ("a: &a [1,2,3,4,5,6,7,8,9]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
         "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e]\n", ["too much"]),
        ("name: !!python/object/apply:os.system [ls]\n", ["tags"]),
        ("data: !!set {a}\n", ["tags"]),
        ("train: {steps: !!int x}\n", ["not YAML"]),
        ("a: [1\n", ["not YAML", "line 2"]),
        ("a: 1\n---\nb: 2\n", ["not YAML"]),
        ("optim:\n", ["optim", "section"]),
        ("", ["mapping"]),
        ("base: 5\n", ["base"]),
        ("losses: {'a/b': {weight: 1}}\n", ["a/b", "name of a loss"]),
        ("losses: {total: {weight: 1}}\n", ["losses.total", "log"]),
        ("losses: {unseen: {weight: 1}}\n", ["losses.unseen", "log"]),
        (b"# gr\xfc\xdfe\nname: a\n", ["UTF-8", "0xfc", "line 1"]),
        ("name: a\n".encode("utf-16"), ["UTF-8"]),
        (b"name: a\x07\n", ["not YAML"]),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_is_refused_with_its_place(write, text, words):
    """In the file itself, in its base, and as an override."""
    path = write(text)
    told = refusal(path)
    assert all(word in told for word in words), told
    assert all(word in refusal(write("base: c.yaml\n", "top.yaml")) for word in words)
    assert run(train_script.main, [str(path)]) == 2


@pytest.mark.parametrize("override", ["optim={lr: 1e-4, lr: 1e-3}", "train={a: {b: 1, b: 1}}"])
def test_a_key_given_twice_in_an_override_is_refused(write, override):
    assert "twice" in refusal(write("name: a\n"), override)


def test_of_two_overrides_of_one_key_the_last_counts(write):
    assert load_config(write("name: a\n"), ["optim.lr=1e-3", "optim.lr=1e-2"])["optim"]["lr"] == 1e-2


def test_anchors_and_a_merge_key_and_a_byte_order_mark_are_read(write):
    text = "optim: &rates {lr: 1e-3, warmup: 5}\nadversary:\n  <<: *rates\n  lr: 1e-5\nname: 2026-11-27\n"
    config = load_config(write(b"\xef\xbb\xbf" + text.encode()))
    assert (config["adversary"]["lr"], config["adversary"]["warmup"], config["name"]) == (1e-5, 5, "2026-11-27")


@pytest.mark.parametrize("name", ["c.yaml", "x" * 300 + ".yaml", "folder", "a\0b"])
def test_a_config_that_is_not_there_or_no_file(tmp_path, name):
    (tmp_path / "folder").mkdir()
    assert "no such config file" in refusal(tmp_path / name)


def test_configs_that_come_with_the_code_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config("configs/wav2lip_gan.yaml")["name"] == "wav2lip_gan", "with its base"
    for name in ("configs/none.yaml", "other/sto.yaml", "sto.yaml"):
        assert "no such config file" in refusal(name)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "sto.yaml").write_text("name: mine\n")
    assert load_config("configs/sto.yaml")["name"] == "mine"


def test_parts_take_what_they_do_not_say_from_the_section(write):
    text = "optim: {lr: 1e-3, betas: [0.5, 0.9], parts: {decoder: {lr: 1e-5}, audio: {weight_decay: 0.1}}}\n"
    parts = load_config(write(text), ["optim.weight_decay=0.01"])["optim"]["parts"]
    assert parts == {
        "decoder": {"lr": 1e-5, "betas": [0.5, 0.9], "weight_decay": 0.01},
        "audio": {"lr": 1e-3, "betas": [0.5, 0.9], "weight_decay": 0.1},
    }
    assert parts["decoder"]["betas"] is not parts["audio"]["betas"]
    assert "optim.parts.decoder.warmup" in refusal(write("name: a\n"), "optim.parts.decoder.warmup=5")
    assert "name of a part" in refusal(write("optim: {parts: {a/b: {lr: 1}}}\n"))


def test_init_is_a_path_or_a_list_of_them(write):
    path = write("name: a\n")
    assert starts_of(load_config(path)["train"]) == []
    assert starts_of(load_config(path, ["train.init=a.pth"])["train"]) == [{"checkpoint": "a.pth", "parts": None}]
    several = load_config(path, ["train.init=[{checkpoint: a, parts: [mouth]}, {checkpoint: b}]"])["train"]
    assert starts_of(several) == [{"checkpoint": "a", "parts": ["mouth"]}, {"checkpoint": "b", "parts": None}]
    assert "did you mean train.init[0].checkpoint" in refusal(path, "train.init=[{chekpoint: a}]")


def test_a_section_elsewhere_is_checked_like_its_model():
    assert checked_section("adversary", {"lr": "1e-3"}, "losses.faces.optim") == {**DEFAULTS["adversary"], "lr": 1e-3}
    below = {**DEFAULTS["adversary"], "clip": 0.0}
    assert checked_section("adversary", {}, "losses.faces.optim", below) == below
    for wrong, word in (({"lr": -1}, "optim.lr: -1 must be a number above 0"), ({"lrr": 1}, "optim.lr?"), (5, "section")):
        with pytest.raises(InputError) as error:
            checked_section("adversary", wrong, "losses.faces.optim")
        assert word in str(error.value) and "losses.faces.optim" in str(error.value)


def test_defaults_are_permitted_and_are_not_shared(write):
    assert CONFIG.read({**DEFAULTS, "name": "a"}, "") == {**DEFAULTS, "name": "a"}
    one, other = load_config(write("name: a\n")), load_config(write("name: a\n"))
    one["optim"]["betas"].append(1)
    one["model"]["width"] = 5
    assert other["optim"]["betas"] == DEFAULTS["optim"]["betas"] == [0.9, 0.999] and DEFAULTS["model"]["width"] == 1.0


KEYS = st.sampled_from(sorted({part for key, *_ in ROWS for part in key.split(".")} | {"base", "l1", "weight"}))
WORDS = st.sampled_from(["phoneme", "auto", "1e-4", "off"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
UNHURRIED = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def answer(path, overrides=()):
    """A valid dict, or None where the mistake was told in one line."""
    try:
        config = load_config(path, overrides)
    except InputError as error:
        assert len(str(error).splitlines()) == 1, str(error)
        return None
    assert config.keys() == DEFAULTS.keys()
    assert all(config[key].keys() == DEFAULTS[key].keys() for key in ("data", "optim", "adversary", "train"))
    assert json.loads(json.dumps(config, allow_nan=False)) == config  # a checkpoint holds it
    again = path.with_name("again.yaml")
    again.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")  # as Log writes config.yaml
    assert load_config(again) == config
    return config


@UNHURRIED
@given(st.binary(max_size=120) | st.text(max_size=120).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_a_config_or_one_line(tmp_path, data):
    (tmp_path / "c.yaml").write_bytes(data)
    answer(tmp_path / "c.yaml")


@UNHURRIED
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_values_give_a_config_or_one_line(tmp_path, values):
    (tmp_path / "c.yaml").write_text(yaml.dump(values), encoding="utf-8", errors="surrogatepass")
    answer(tmp_path / "c.yaml")


@UNHURRIED
@given(st.lists(st.tuples(st.sampled_from([key for key, *_ in ROWS]), VALUES), max_size=4), st.text(max_size=20))
def test_any_overrides_give_a_config_or_one_line(tmp_path, pairs, text):
    (tmp_path / "c.yaml").write_text("name: a\n")
    written = [f"{key}={yaml.dump(value, default_flow_style=True)}" for key, value in pairs]
    answer(tmp_path / "c.yaml", [*written, text])
    for one in written:
        answer(tmp_path / "c.yaml", [one])


@given(st.text(max_size=80))
def test_any_text_is_yaml_or_one_line(text):
    try:
        value = parse_yaml(text, "here")
    except InputError as error:
        assert str(error).startswith("here: ") and len(str(error).splitlines()) == 1
    else:
        json.dumps(value)

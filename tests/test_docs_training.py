"""docs/training.md agrees with the code: keys and defaults, losses, fields, configs, and commands that parse."""

import inspect
import re
import shlex

import pytest
import yaml

import evaluate
import prepare
import train
from datasets.fields import FIELDS
from losses.criterion import LOSSES
from tests.conftest import ROOT
from tools.settings_table import updated
from training.config import load_config
from training.config.settings import CONFIG

TEXT = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
CONFIGS = sorted(path.name for path in (ROOT / "configs").glob("*.yaml"))
# arguments whose default is a file, or of the model
TOLD_IN_WORDS = ("expert", "judge", "landmarks", "width", "classifier", "weights")


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table_under(*heading):
    """Rows of all tables with these first headings, as lists of cells."""
    rows, inside = [], False
    for line in TEXT.splitlines():
        if not line.startswith("|"):
            inside = False
        elif cells(line)[: len(heading)] == list(heading):
            inside = True
        elif inside and not line.startswith("|---"):
            rows.append(cells(line))
    assert rows, heading
    return rows


def code(cell):
    """What a cell says in its backticks."""
    found = re.fullmatch(r"`([^`]*)`", cell)
    assert found, f"{cell!r} is not one piece of code"
    return found[1]


def losses_of(path):
    """Names of the losses of a config, whatever they are called in it."""
    return {options.get("loss", name) for name, options in load_config(path)["losses"].items()}


def commands():
    """Commands of the code blocks as lists of words, without comments."""
    blocks = re.findall(r"```\n(.*?)```", TEXT, flags=re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def test_the_table_of_settings_is_the_one_in_the_code():
    """`python -m tools.settings_table` writes it anew."""
    assert TEXT == updated(TEXT)
    told = [(code(key), yaml.safe_load(code(default))) for key, default, *_ in table_under("key", "default", "permitted")]
    assert len(told) == len(dict(told)), "a key is told twice"
    known = {key: "off" if default is False and key == "train.wandb" else default for key, default in told}  # YAML's off
    assert known == {key: default for key, default, *_ in CONFIG.table()}
    assert all(cell for row in table_under("key", "default", "permitted") for cell in row)


def test_every_loss_is_told_with_its_arguments():
    told = {code(name): yaml.safe_load(code(arguments)) for name, arguments, *_ in table_under("loss", "arguments")}
    for name, loss in LOSSES.items():
        arguments = [one for one in inspect.signature(loss).parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]
        own = [one for one in arguments if one.name not in (*loss.made, *TOLD_IN_WORDS)]
        assert told.pop(name) == {one.name: one.default for one in own}, name
    assert not told


def test_every_field_is_told_with_its_shape():
    told = {code(name): shape for name, shape, _ in table_under("field", "shape, type")}
    assert told == {name: f"`{field.shape}` {field.dtype}" for name, field in FIELDS.items()}


def test_every_config_has_its_row_and_no_other_is_named():
    told = [name for row in table_under("config", "losses and weights") for name in re.findall(r"`(\w+\.yaml)`", row[0])]
    assert sorted(told) == CONFIGS
    assert set(re.findall(r"configs/(\w+\.yaml)", TEXT)) <= set(CONFIGS)


def test_rows_of_configs_name_the_losses_that_they_have():
    checked = 0
    for names, said, _ in table_under("config", "losses and weights"):
        if ";" in said:  # several configs of different losses in one row
            continue
        for name in re.findall(r"(\w+)\.yaml", names):
            path = ROOT / "configs" / f"{name}.yaml"
            base = yaml.safe_load(path.read_text(encoding="utf-8")).get("base")
            below = losses_of(path.parent / base) if base else set()
            added, removed = ({word for word in re.findall(r"`(\w+)`", part) if word in LOSSES}
                              for part in said.partition("without")[::2])  # fmt: skip
            words = added | removed
            assert removed <= below and losses_of(path) == (below | added) - removed, name
            assert bool(words) != said.startswith("the same") or said.startswith("without"), name
            checked += 1
    assert checked > 15


def test_commands_parse():
    seen = set()
    for words in commands():
        script = next((word for word in words if word.endswith(".py")), None)
        arguments = words[words.index(script) + 1 :] if script else []
        if script == "train.py":
            args = train.parse_arguments(arguments)
            load_config(ROOT / args.config, args.overrides)
        elif script == "prepare.py":
            prepare.parse_arguments(arguments)
        elif script == "evaluate.py":
            evaluate.check(evaluate.parse(arguments))
        else:
            assert words[:2] == ["python", "-m"] and (ROOT / f"{words[2].replace('.', '/')}.py").is_file(), words
        seen.add(script)
    assert seen == {"train.py", "prepare.py", "evaluate.py", None}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\]\(([\w./]+)\)", TEXT))))
def test_links_lead_somewhere(name):
    assert (ROOT / "docs" / name).is_file()


def test_paths_and_modules_that_are_named_exist():
    for name in set(re.findall(r"`((?:training|losses|datasets|speech|benchmarks|tests)/[\w/]+\.py)`", TEXT)):
        assert (ROOT / name).is_file(), name
    for name in set(re.findall(r"python -m ([\w.]+)", TEXT)):
        module = ROOT / name.replace(".", "/")
        assert module.with_suffix(".py").is_file() or (module / "__main__.py").is_file(), name


@pytest.mark.parametrize("name", CONFIGS)
def test_parts_that_a_config_names_are_listed(name):
    config = load_config(ROOT / "configs" / name)
    parts = {*config["train"]["freeze"], *config["optim"]["parts"]}
    begun = config["train"]["init"]
    for one in begun if isinstance(begun, list) else ():
        parts.update(one["parts"])
    listed = TEXT.split("\nStages: ")[1].split("```")[0]
    model = config["model"]["name"]
    assert not parts or f"`{model}`" in listed
    assert not {part for part in parts if f"`{part}`" not in listed}

"""Every page: links and their anchors, commands and their flags, configs and checkpoints that are named, Dockerfile."""

import importlib
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from metrics.measures.registry import build_measures, columns_of
from metrics.networks.load import Networks
from metrics.sync.judges import PUBLISHED_SHA256
from pipeline.drivers import DRIVERS
from speech.features import embedding
from tests.conftest import ROOT
from tests.test_setup import committed_files
from tools.package_tree import ROOMS, SCRIPTS

PAGES = sorted([ROOT / "README.md", *ROOT.glob("*/README.md"), *ROOT.glob("docs/*.md")])
OURS = {*SCRIPTS, "benchmarks", "media", "metrics", "samples", "tools", "training"}
PLACES = "|".join((*ROOMS, "talking_faces", "benchmarks", "configs", "checkpoints", "samples", "tools", "docs", "tests"))
NAMED = rf"(?<![\w/.])((?:{PLACES})/[\w./]+\.(?:ya?ml|safetensors|py|sh|md|wav|npz|csv))\b"
IN_OTHER_REPOSITORIES = {"models/test.py"}  # docs/methods.md tells of the published code
MAKE_TARGETS = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.M))


def name_of(path):
    return str(path.relative_to(ROOT))


def anchors(path):
    """Anchors of a page's headings, as GitHub makes them."""
    found, text = set(), re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S)
    for heading in re.findall(r"^#+ +(.+)$", text, flags=re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(next(name for number in range(99) if (name := f"{slug}-{number}" if number else slug) not in found))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_anchors(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        assert place.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors(place), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_holds_a_placeholder(page):
    assert not re.findall(r"@@\w*", page.read_text(encoding="utf-8"))


def test_each_family_that_can_be_driven_has_a_row_and_a_driver_that_is_named():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("## Families of methods")[1].split("\n\n")[1]
    assert not {name for name in DRIVERS if f"`{name}`" not in text}
    driving = (ROOT / "docs" / "driving.md").read_text(encoding="utf-8")
    files = {f"{family.__module__.replace('.', '/')}.py" for family in DRIVERS.values()}
    assert not {file for file in files if f"`{file}`" not in driving}


@cache
def help_of(script):
    """What `python SCRIPT.py --help` prints, or the source of a module with all that lies beside it."""
    if script in SCRIPTS:
        done = subprocess.run([sys.executable, f"{script}.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout
    spec = importlib.util.find_spec(script)
    assert spec is not None, f"{script}: no such module"
    path = Path(spec.origin)
    return "\n".join(one.read_text(encoding="utf-8") for one in {path, *path.parent.glob("*.py")})


def commands(page):
    """(command as it stands, name of the script or module, its words) of the code on a page."""
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^```(?:sh)?\n(.*?)^```", text, flags=re.S | re.M)).replace("\\\n", " ").splitlines()
    inline = [one for one in re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))]
    for line in [*blocks, *inline]:
        found = re.search(r"(?:(\w+)\.py\b|python -m ([\w.]+))", line)
        if found and re.match(r"\s*(?:python|accelerate|ray|\.venv/bin/python|\w+\.py|docker|env/bin)\b", line):
            if (found[1] or found[2].partition(".")[0]) in OURS:
                yield line, found[1] or found[2], shlex.split(line[found.end() :].partition(" #")[0].replace("'", " "))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_have_flags_that_exist(page):
    for line, script, words in commands(page):
        told = help_of(script)
        for word in words:
            if re.match(r"--\w", word):
                flag = word.partition("=")[0].rstrip(",;.")
                assert re.search(rf"{re.escape(flag)}\b", told), f"`{line.strip()}`: {script} has no flag {flag}"


def test_commands_were_found():
    found = {script for page in PAGES for _, script, _ in commands(page)}
    assert set(SCRIPTS) <= found and any(script.startswith("benchmarks.") for script in found)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_of_the_checkout_that_are_named_exist(page):
    text = re.sub(r"```python\n.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)  # examples that a reader would write
    for name in set(re.findall(NAMED, text)) - IN_OTHER_REPOSITORIES:
        assert (ROOT / name).is_file(), f"{name}: no such file"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_benchmarks_that_are_named_exist(page):
    for name in re.findall(r"\bbenchmarks\.([a-z]\w*(?:\.[a-z]\w*)*)", page.read_text(encoding="utf-8")):
        place = ROOT.joinpath("benchmarks", *name.split("."))
        assert name == "md" or place.with_suffix(".py").is_file() or place.is_dir(), f"benchmarks.{name}: no such module"


# Row of the README's table, by its first words -> rows of docs/results.md, by theirs, in which its figures stand.
RESULTS_OF = {
    "lipwarp, people never seen": ["correlation of the mouth's opening with the real one, own sound"],
    "... sharpness of the mouth": ["sharpness of the mouth over the real one |"],
    "... SSIM of the mouth": ["SSIM of the mouth |"],
    "... clips in step": ["judge of lip sync: clips with offset 0"],
    "lipwarp, frames a second": ["frames a second on two cores"],
    "lipwarp, peak memory": ["peak memory of lipwarp, a minute of 1080p", "peak memory of lipwarp, 100 s"],
    "the public Wav2Lip script": ["the public Wav2Lip script against ours", "drawn faces against the public script's"],
    "LSE against": ["LSE against syncnet_python", "FID against pytorch-fid"],
    "forced alignment": ["forced alignment, 320", "the same on 552 real clips"],
    "a training item": ["a training item against the recipe"],
}


def test_figures_of_the_readme_stand_in_the_same_rows_of_results():
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Ten figures")[2].partition("\n## ")[0]
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(RESULTS_OF) == 10
    for row, (begin, sources) in zip(rows, RESULTS_OF.items(), strict=True):
        assert row.startswith(f"| {begin}")
        found = [[line for line in results.splitlines() if line.startswith(f"| {source}")] for source in sources]
        assert all(len(lines) == 1 for lines in found), f"docs/results.md: {sources}"
        text = "\n".join(line.partition(" | ")[2] for (line,) in found)
        for figure in re.findall(r"\d[\d,]*\.?\d*(?:e-\d+)?", row.rpartition("|")[0].rpartition("|")[2]):
            assert re.search(rf"(?<![\d.,]){re.escape(figure)}(?!\d|\.\d)", text), f"docs/results.md lacks {figure}: {row}"


def test_evaluation_names_every_key_of_a_column():
    network = SimpleNamespace(name="x", is_lse=False, is_fid=False, by_landmarks=True)
    text = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    table = text.partition("\n## Columns\n")[2].partition("\n\nThe crop")[0]
    for column in columns_of(build_measures(Networks(network, network, network, network))):
        assert f"`{column.key}`" in table, f"docs/evaluation.md: the table of columns lacks {column.key}"


def test_make_targets_that_are_named_exist():
    for page in PAGES:
        for target in re.findall(r"`make (\w+)|^make (\w+)", page.read_text(encoding="utf-8"), flags=re.M):
            assert (target[0] or target[1]) in MAKE_TARGETS, f"{name_of(page)}: make {target}"


def test_nothing_cites_texts_that_are_not_part_of_the_project():
    foreign = re.compile("METH" + r"ODS\b(?!\")|\bDES" + r"IGN\b")
    for path in committed_files():
        if path.suffix in (".py", ".md", ".yaml", ".yml", ".toml", ".sh", ".csv", ".txt"):
            hit = foreign.search(path.read_text(encoding="utf-8"))
            assert hit is None, f"{name_of(path)}: {hit.group()}"


TORCHVISION = ("7be5be79", "397923af", "b8a52dc0", "dcbb9e9d")  # the first digits of sums, in the names of its files


def test_sums_of_published_weights_are_those_of_the_code():
    page = (ROOT / "docs" / "weights.md").read_text(encoding="utf-8")
    sums = set(re.findall(r"`([0-9a-f]{64})`", page))
    assert {PUBLISHED_SHA256, *embedding.FILES.values()} <= sums
    for part in re.findall(r"`[\w-]+-([0-9a-f]{8,10})\.pth(?:\.tar)?`", page):
        assert any(one.startswith(part) for one in sums) or part in TORCHVISION, part
    assert not re.findall(r"(?<![0-9a-f])[0-9a-f]{60,63}(?![0-9a-f])|[0-9a-f]{65,}", page), "a sum of the wrong length"


def docker_steps():
    """(instruction, rest) of each step of the Dockerfile, comments left out."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def test_docker_images_are_built_by_the_readme_s_commands():
    steps = docker_steps()
    assert [rest for what, rest in steps if what == "FROM"][1:] == ["base AS cpu", "base AS cuda"]
    runs = [rest for what, rest in steps if what == "RUN"]
    assert [run for run in runs if not run.startswith("apt-get update")] == ["make setup", "make demo"] * 2
    readme = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert all(command in readme for command in ("make setup", "make demo"))
    extras = next(re.search(r"EXTRAS=(\S+)", rest)[1] for what, rest in steps if what == "ENV" and "EXTRAS=" in rest)
    assert "gpu = [\"torch==" in (ROOT / "pyproject.toml").read_text() and extras == "test,gpu"


def test_what_docker_copies_first_is_enough_for_the_install(tmp_path):
    copies = [rest.split() for what, rest in docker_steps() if what == "COPY" and rest != ". ."]
    for *names, place in copies:
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy(ROOT / name, tmp_path / place)
    code = "import sys; sys.path.insert(0, 'tools'); import build_backend; build_backend.build_editable('.')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*.whl")) and (tmp_path / "tools" / "setup.sh").is_file()
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".venv", ".git", "results", "runs", "prepared"} <= set(ignored)

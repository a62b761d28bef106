"""Ids of clips stay inside the corpus's folder, and names of files that cannot be stored cost their clip alone."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prepare
from common.cli import run
from common.errors import InputError
from datasets.clip_files import clip_path, is_current, read_side, side_path, write_side
from datasets.clip_ids import escaped_id, printable, why_no_id
from datasets.corpora import list_clips
from datasets.prepared import ClipRow, PreparedCorpus, manifest_path, read_manifest
from tests.conftest import ROOT
from tests.prepared_kit import make_corpus
from tests.synthetic import make_talking_head

OUTSIDE = ("../../x", "..", "a/../../x", "/etc/x", "//x", "a//b", "a/", "", ".", "a/./b", "a\\b", "..\\x", "C:/x", "c:x",
           "a\0b", "caf\udce9", 7, None)  # fmt: skip
INSIDE = ("s1/bbaf2n", "pretrain/553/00001", "a b/c.d", "..a", "a..", "...", "é/日本", "x" * 300, "ab:c/d")


@pytest.mark.parametrize("clip_id", OUTSIDE)
def test_ids_that_lead_out_of_the_folder_are_refused_everywhere(tmp_path, clip_id):
    corpus = PreparedCorpus(tmp_path, {"size": 96})
    row = ClipRow(clip_id, "s1", "train", frames=20, phones="given")
    for use in (
        lambda: clip_path(tmp_path, clip_id),
        lambda: side_path(tmp_path, "phones", clip_id),
        lambda: write_side(tmp_path, "phones", clip_id, {}, {}),
        lambda: read_side(tmp_path, "phones", clip_id),
        lambda: corpus.open(row),
        lambda: corpus.phones(row),
    ):
        with pytest.raises(InputError, match="no id of a clip"):
            use()
    assert not is_current(tmp_path, "phones", clip_id, {})
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("clip_id", INSIDE)
def test_other_ids_are_taken_and_lie_in_the_folder(tmp_path, clip_id):
    assert clip_path(tmp_path, clip_id).resolve().is_relative_to(tmp_path.resolve() / "clips")


@pytest.mark.parametrize("clip_id", ["../../../victim", "absolute", "a\\b"])
def test_a_manifest_with_such_an_id_is_refused_and_nothing_is_removed(tmp_path, capsys, clip_id):
    folder = make_corpus(tmp_path / "deep" / "corpus", clips=2)
    victim = tmp_path / "victim.safetensors"
    victim.write_text("precious")
    clip_id = str(victim.with_suffix("")) if clip_id == "absolute" else clip_id
    row = ClipRow(clip_id, "s1", "train", frames=20, phones="given")
    with open(manifest_path(folder), "a") as manifest:
        manifest.write(json.dumps(vars(row)) + "\n")
    with pytest.raises(InputError, match=r"manifest.jsonl, line 3: .*no id of a clip"):
        read_manifest(folder)
    for flags in (["--texture"], ["--measure_av_offset"]):
        assert run(prepare.main, ["--out", str(folder), "--workers", "1", *flags]) == 2
        assert "line 3" in capsys.readouterr().err
    assert victim.read_text() == "precious"


@given(st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=12))
@settings(deadline=None, max_examples=300)
def test_every_name_can_be_stored_as_some_id(name):
    name = "".join(char for char in name if not 0xD800 <= ord(char) < 0xDC80 and ord(char) < 0xDD00 or 0xE000 <= ord(char))
    if not name:
        return
    assert why_no_id(escaped_id(name)) == ""
    printable(name).encode()


def undecodable(folder, name):
    """Path of a file whose name holds a byte that is not UTF-8, or a skip where the file system has none."""
    path = os.path.join(os.fsencode(folder), name)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "wb").close()
    except OSError:
        pytest.skip("this file system stores UTF-8 names alone")
    return os.fsdecode(path)


def test_a_file_name_that_is_not_utf8_costs_that_clip_alone(tmp_path, capfd):
    root, out = tmp_path / "root", tmp_path / "out"
    root.mkdir()
    make_talking_head(root / "good.mp4", 1.2, seed=3)
    for name in (b"caf\xe9.mp4", b"s\xff1/talk.mp4", b"back\\slash.mp4"):
        path = undecodable(root, name)
        with open(root / "good.mp4", "rb") as source, open(path, "wb") as copy:
            copy.write(source.read())
    arguments = ["--corpus", "folder", "--root", str(root), "--out", str(out), "--workers", "1", "--align", "none"]
    assert run(prepare.main, arguments) == 0
    told = capfd.readouterr()
    assert "3 failed" in told.out and "caf\\xe9.mp4" in told.err and "Traceback" not in told.err
    rows = read_manifest(out)
    assert sorted(rows) == ["back%5Cslash", "caf%E9", "good", "s%FF1/talk"] and not rows["good"].error
    assert "is not UTF-8; rename it" in rows["caf%E9"].error and "is not UTF-8" in rows["s%FF1/talk"].error
    assert "makes no id of a clip" in rows["back%5Cslash"].error
    reasons = json.loads((out / "report.json").read_text(encoding="utf-8"))["reasons"]
    assert reasons["the name of the file, or of a folder above it, is not UTF-8; rename it"] == 2
    assert run(prepare.main, arguments) == 0
    assert "4 done before, 0 to prepare" in capfd.readouterr().out
    (root / "caf%E9.mp4").write_bytes((root / "good.mp4").read_bytes())
    assert len({clip.id for clip in list_clips("folder", root)}) == 5, "a name that looks like the escaped one is another clip"


@pytest.mark.parametrize("which", ["--root", "--out"])
def test_folders_whose_names_are_not_utf8_are_refused(tmp_path, capsys, which):
    odd = os.path.dirname(undecodable(tmp_path, b"caf\xe9/clip.mp4"))
    given = {"--root": str(tmp_path), "--out": str(tmp_path / "out"), which: odd}
    assert run(prepare.main, ["--corpus", "folder", *(word for pair in given.items() for word in pair)]) == 2
    told = capsys.readouterr().err
    assert "caf\\xe9" in told and "not UTF-8" in told and told.count("\n") == 1


def test_names_that_the_terminal_cannot_show_end_no_run(tmp_path):
    root, out = tmp_path / "клипы", tmp_path / "é ж"
    root.mkdir()
    make_talking_head(root / "да.mp4", 1.2, seed=3)
    command = [sys.executable, "prepare.py", "--corpus", "folder", "--root", str(root), "--out", str(out), "--workers", "1",
               "--align", "none"]  # fmt: skip
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "\\xe9 \\u0436: 1 clips" in result.stdout and list(read_manifest(out)) == ["да"]

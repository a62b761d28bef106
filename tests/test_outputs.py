"""Outputs of the scripts beside inference.py: refused before any work where they would replace an input or cannot be."""

import shutil

import pytest

from common.cli import run
from tests.conftest import ROOT

SPEECH = ROOT / "samples" / "speech.wav"


def said_by(script, words, capsys):
    """The one line with which a script refuses its arguments."""
    module = __import__(script, fromlist=["main"])
    assert run(module.main, [str(word) for word in words]) == 2
    captured = capsys.readouterr()
    assert not captured.out
    (line,) = captured.err.splitlines()
    return line


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A folder with outputs of an earlier run, which is the current one."""
    monkeypatch.chdir(tmp_path)
    names = "out/alignment.json out/alignment.TextGrid out/blocks.png t.csv t.json sheet.png corpus/a.mp4"
    for name in names.split():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"earlier")
    (tmp_path / "link").symlink_to("out")
    (tmp_path / "also.png").symlink_to("sheet.png")
    shutil.copy(SPEECH, tmp_path / "a.wav")
    return tmp_path


SAME = {
    "alignment": ("temporal_processing", "--audio a.wav --align out/alignment.json --out out"),
    "TextGrid through a link": ("temporal_processing", "--audio a.wav --textgrid out/alignment.TextGrid --out link"),
    "picture": ("spatial_processing", "--image out/blocks.png --out ./out"),
    "list of pairs": ("evaluate", "--checkpoint a.wav --pairs t.csv --data_root . --out ./t"),
    "compared table": ("evaluate", "--compare t.json out/alignment.json --out out/../t"),
    "corpus": ("prepare", "--corpus folder --root corpus --out ./corpus"),
    "contact sheet": ("media.contact_sheet", "sheet.png --outfile also.png"),
}


@pytest.mark.parametrize("name", SAME)
def test_an_output_that_is_an_input_is_refused(there, capsys, name):
    script, words = SAME[name]
    assert "the output is the same file as the input" in said_by(script, words.split(), capsys)
    assert all(path.read_bytes() == b"earlier" for path in there.glob("*/*.*") if path.is_file())


LONG = {
    "temporal_processing": f"--audio a.wav --out {'x' * 300}",
    "spatial_processing": f"--image sheet.png --out {'x' * 300}",
    "evaluate": f"--generated a.wav --real a.wav --out {'x' * 250}",  # with its suffix it is too long
    "prepare": f"--corpus folder --root corpus --out {'x' * 300}",
    "media.contact_sheet": f"sheet.png --outfile {'x' * 300}.png",
    "train": f"{ROOT / 'configs' / 'demo_l1.yaml'} train.runs={'x' * 300}",
}


@pytest.mark.parametrize("script", LONG)
def test_an_output_whose_name_is_too_long_is_refused(there, capsys, script):
    assert "this disk takes 255; give a shorter" in said_by(script, LONG[script].split(), capsys)

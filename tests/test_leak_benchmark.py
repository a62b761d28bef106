"""benchmarks/held_out/leak.py: bits that must not change, on generators that do leak and on ones that do not."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.held_out.leak import as_text, bytes_changed
from common.cli import run
from tests.inference_kit import save_tiny
from tests.prepared_kit import make_corpus

FRAMES = 30


class Drawn:
    """Stands for a MouthGenerator; `leaky` ones see the first row of what they must not."""

    data, mask_row = {"audio_window": "centred"}, 48

    def __init__(self, leaky):
        self._leaky = leaky

    def __call__(self, mels, faces, references):
        assert len(mels) == len(faces) and len(references) == 1
        seen = faces.copy()
        seen[:, self.mask_row + self._leaky :] = 0
        return seen


@pytest.fixture
def clip():
    crops = np.random.default_rng(0).integers(0, 256, (FRAMES, 96, 96, 3), np.uint8)
    away = np.abs(np.arange(FRAMES) - 4) >= 5
    return SimpleNamespace(real=SimpleNamespace(crops=crops), reference=4, away=away, mel=np.zeros((80, 100)), fps=25.0)


def test_a_row_that_leaks_is_counted_and_none_is_not(clip):
    assert bytes_changed(Drawn(0), clip, 0) == 0
    assert 8 * 96 * 3 * 0.9 < bytes_changed(Drawn(1), clip, 0) <= 8 * 96 * 3


def test_figures_are_told_side_by_side():
    text = as_text({"checkpoint": {"file": "a", "sha256": "x", "partial": 0.1234}, "control": {"file": "b", "partial": -0.5}})
    assert [line.split() for line in text.splitlines()] == [
        ["checkpoint", "control"], ["file", "a", "b"], ["partial", "0.123", "-0.500"]]  # fmt: skip


def test_a_corpus_without_clips_of_the_split_is_refused(tmp_path, capsys):
    from benchmarks.held_out import leak

    folder = make_corpus(tmp_path / "corpus", clips=2, frames=20)
    save_tiny(tmp_path / "tiny.safetensors")
    arguments = ["--checkpoint", str(tmp_path / "tiny.safetensors"), "--prepared", str(folder), "--split", "unseen"]
    assert run(leak.main, arguments) == 2
    assert "no clip in split unseen" in capsys.readouterr().err

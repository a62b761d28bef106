"""The lip reader of words: which frames count, and which words of a video it is asked."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from common.errors import InputError
from metrics.clips.words import read_words, words_file
from metrics.networks.word_reader import WINDOW, WordJudge, frames_of_word
from models import build_model
from tests.conftest import ROOT
from training.checkpoint import save_checkpoint

SMALL = {"name": "word_reader", "face_size": 96, "width": 0.25, "words": 4}


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("reader") / "reader.safetensors"
    data = {"crop": "aligned", "words": ["bin", "blue", "at", "f"]}
    save_checkpoint(path, build_model(SMALL), {"model": SMALL, "data": data})
    return WordJudge.load(path)


def test_it_learns_which_mouth_opens_when():
    """Words that differ in the time at which a bright patch shows in the mouth."""
    torch.manual_seed(0)
    model = build_model({**SMALL, "dropout": 0.0})
    words = torch.arange(4).repeat(4)
    faces = 0.3 * torch.rand(len(words), 9, 3, 96, 96)
    for clip, word in zip(faces, words, strict=True):
        clip[2 * word : 2 * word + 2, :, 60:76, 40:56] += 0.6
    said = torch.ones(len(words), 9, dtype=torch.bool)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(model.read(faces, said), words)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (model.read(faces, said).argmax(-1) == words).all()


def test_what_is_outside_the_mouth_changes_nothing():
    model = build_model(SMALL).eval()
    faces, said = torch.rand(2, 5, 3, 96, 96), torch.ones(2, 5, dtype=torch.bool)
    other = faces.clone()
    other[..., :44, :] = 0
    with torch.no_grad():
        assert torch.equal(model.read(faces, said), model.read(other, said))
        assert not torch.equal(model.read(faces, said), model.read(faces, torch.zeros_like(said)))  # the mark counts


def test_a_video_is_read_word_by_word(judge):
    crops = np.random.default_rng(0).integers(0, 255, (75, 96, 96, 3), np.uint8)
    words = [("bin", 0.5, 0.8), ("never", 0.8, 1.0), ("at", 1.0, 1.1), ("f", 2.9, 3.4)]
    read = judge.read(crops, Fraction(25), words)
    assert [said for said, _ in read] == ["bin", "at"]  # one is not in the vocabulary, the middle of one is behind the end
    assert all(seen in judge.words for _, seen in read)
    assert judge.read(crops, Fraction(25), [("never", 0.0, 1.0)]) == []


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(12)])
def test_the_window_of_a_word_lies_around_its_middle(fps):
    count = int(4 * fps)
    places, inside = frames_of_word(2.0, 2.4, fps, count)
    assert len(places) == len(inside) == WINDOW and inside.sum() == 10
    middle = places[WINDOW // 2] / float(fps)
    assert abs(middle - 2.2) <= 1 / float(fps) + 0.02
    places, inside = frames_of_word(0.0, 0.05, fps, count)
    assert places.min() == 0 and inside[WINDOW // 2]
    assert frames_of_word(3.9, 4.0, fps, count)[0].max() == count - 1


def test_the_words_lie_beside_the_video(tmp_path):
    video = tmp_path / "s1" / "video" / "bbaf2n.mpg"
    video.parent.mkdir(parents=True)
    assert words_file(video) is None
    align = tmp_path / "s1" / "align" / "bbaf2n.align"
    align.parent.mkdir()
    align.write_text("0 12000 sil\n12000 20000 bin\n20000 30000 blue\n30000 74500 sil\n")
    assert words_file(video).samefile(align)
    assert read_words(align, 3.0) == [("bin", 0.48, 0.8), ("blue", 0.8, 1.2)]
    align.write_text("0 12000\n")
    with pytest.raises(InputError, match="bbaf2n"):
        read_words(align, 3.0)


def test_the_released_reader_knows_grid():
    judge = WordJudge.load(ROOT / "checkpoints" / "word_reader.safetensors")
    assert len(judge.words) == 51 and {"bin", "blue", "please", "nine", "z"} <= set(judge.words) and "w" not in judge.words
    assert judge.crop_spec.kind == "aligned" and judge.crop_spec.size == 96


def test_other_networks_are_refused(tmp_path):
    network = {"name": "lip_landmarks"}
    save_checkpoint(tmp_path / "a.safetensors", build_model(network), {"model": network, "data": {"crop": "aligned"}})
    with pytest.raises(InputError, match="word_reader|lip reader"):
        WordJudge.load(tmp_path / "a.safetensors")
    save_checkpoint(tmp_path / "b.safetensors", build_model(SMALL), {"model": SMALL, "data": {"crop": "aligned"}})
    with pytest.raises(InputError, match="which words it knows"):
        WordJudge.load(tmp_path / "b.safetensors")


@pytest.mark.parametrize("wrong", [{"words": 1}, {"dropout": 0.95}, {"face_size": 50}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(InputError):
        build_model({**SMALL, **wrong})

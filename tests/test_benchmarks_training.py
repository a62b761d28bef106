"""Benchmarks of training speed, and what was made fast for them: a batch written in one go holds what its items hold."""

import json
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.training import loader_speed
from benchmarks.training import step as train_step
from benchmarks.training.loader_recipe import FRAMES, Recipe, export_clips
from benchmarks.training.step_report import summary
from datasets.augment import _moved
from datasets.fields import FIELDS
from datasets.limits import most_open
from datasets.prepared import PreparedCorpus
from datasets.windows import WindowDataset, collate
from tests.prepared_kit import make_corpus

AUGMENTS = [
    None,
    {"flip": 0.5, "shift": 2, "colour": 0.1, "gain_db": 4, "noise": 0.2, "silence": 0.5},
    {"flip": 0.5, "turn": 8, "zoom": 0.1, "shift": 3, "blur": 0.5, "grain": 0.05},
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return PreparedCorpus.open_folder(make_corpus(tmp_path_factory.mktemp("speed") / "corpus"))


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    args = train_step.parse(["--width", "0.25", "--threads", "1", "--forms", "sto", "sto_quality"])
    threads = torch.get_num_threads()
    yield train_step.build(0.25, args, tmp_path_factory.mktemp("steps"))
    torch.set_num_threads(threads)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(-12, 12), st.integers(-12, 12), st.booleans())
def test_moved_pictures_are_those_of_the_definition(height, width, down, right, coloured):
    shape = (2, height, width, 3) if coloured else (2, height, width)
    frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    rows, columns = np.clip(np.arange(height) - down, 0, height - 1), np.clip(np.arange(width) - right, 0, width - 1)
    np.testing.assert_array_equal(_moved(frames, down, right), frames[:, rows][:, :, columns])


@pytest.mark.parametrize("augment", AUGMENTS)
@pytest.mark.parametrize("fields", [tuple(sorted(FIELDS)), tuple(FIELDS)[::-1], ("masked_face",)])
def test_a_stack_holds_what_its_items_hold_bit_by_bit(corpus, fields, augment):
    data = WindowDataset(corpus, "train", 6, fields, augment=augment, cut="phoneme", sync_frames=5, seed=2)
    stacked, single = collate(data.__getitems__([5, 0, 9, 5])), collate([data[index] for index in (5, 0, 9, 5)])
    assert list(stacked) == list(single)
    assert set(data.complete(stacked)) == set(fields)
    for name, tensor in single.items():
        assert stacked[name].dtype == tensor.dtype and torch.equal(stacked[name], tensor), name


def test_items_share_no_memory(corpus):
    data = WindowDataset(corpus, "train", 5, ("face", "masked_face", "reference_face"))
    item = data[0]
    before = {name: array.copy() for name, array in item.items()}
    item["face"][:] = 1
    np.testing.assert_array_equal(item["reference_face"], before["reference_face"])
    fields = data.complete(collate([data[0]]))
    before = {name: tensor.clone() for name, tensor in fields.items()}
    fields["face"].zero_()
    for name in ("masked_face", "reference_face"):
        assert torch.equal(fields[name], before[name])


@pytest.mark.parametrize(("limit", "most"), [(1024, 204), (1_000_000, 2000), (3, 1)])
def test_clips_held_open_leave_room_below_the_limit_of_files(monkeypatch, limit, most):
    monkeypatch.setattr("resource.getrlimit", lambda _which: (limit, limit))
    assert most_open() == most


def test_a_dataset_reads_more_clips_than_it_may_hold_open(corpus, monkeypatch):
    monkeypatch.setattr("datasets.limits.MOST_OPEN", 1)
    few, many = (WindowDataset(corpus, "train", 5, ("face", "module", "mel"), seed=1) for _ in range(2))
    many.kept._most = 1000
    for index in range(6):
        assert all(np.array_equal(value, many[index][name]) for name, value in few[index].items())
        assert len(few.kept) == 1
    assert len(many.kept) > 2


def test_the_recipe_loads_the_clips_that_were_exported(corpus, tmp_path):
    from datasets.clip_files import clip_path, open_clip

    recipe = Recipe(export_clips(corpus, tmp_path, 170))
    x, mels, heard, y = recipe[3]
    assert (x.shape, mels.shape, heard.shape, y.shape) == ((6, 5, 96, 96), (5, 1, 80, 16), (1, 80, 16), (3, 5, 96, 96))
    assert all(tensor.dtype == torch.float32 for tensor in (x, mels, heard, y))
    assert not x[:3, :, 48:].any() and torch.equal(x[:3, :, :48], y[:, :, :48]) and not torch.equal(x[3:], y)
    clip, start, wrong = recipe._draw(3)
    face = open_clip(clip_path(corpus.folder, clip.relative_to(tmp_path).as_posix()))["face"]
    for faces, first in ((y, start), (x[3:], wrong)):
        real = torch.from_numpy(face[first : first + FRAMES].copy()).permute(3, 0, 1, 2).flip(0) / 255
        assert (faces - real).abs().mean() < 0.02, "BGR, as OpenCV reads it; JPEG changes a little"
    again = Recipe(recipe.clips, our_mel=True)[3]
    assert torch.equal(again[0], x) and (again[1] - mels).abs().max() < 1e-3


def test_the_loader_benchmark_tells_the_bytes_of_a_batch(corpus):
    sizes = loader_speed.batch_bytes(corpus)
    shipped, whole = sizes["sto, 10 windows"]
    assert shipped < 3.9e6 and whole == 38_844_640
    assert loader_speed.bytes_table({"sto": (shipped, whole)})[-1] == f"| sto | {shipped / 1e6:.2f} | 38.84 |"
    data, dataset = loader_speed.contenders(corpus, [])["sto, 8 frames, completed"], loader_speed.datasets_of(corpus)
    assert set(data[1](data[0].__getitems__([0, 1]))) == set(dataset["sto, 8 frames"].fields)


def test_loader_table_takes_the_faster_recipe_and_misses_below_ten():
    rounds = {"recipe": [0.012] * 3, "recipe, mel by speech.mel": [0.010] * 3, "... part": [1] * 3}
    rounds["wav2lip_gan"] = [0.001, 0.0009, 0.002]
    rounds |= {f"{name}{loader_speed.WORKER}": [2 * value for value in values] for name, values in rounds.items()}
    lines, missed = loader_speed.summary(rounds)
    assert not missed and "| wav2lip_gan | 1.00 (0.90-2.00) | 1000 | 10.0 (5.0-11.1) |" in lines
    assert "| wav2lip_gan, through a worker | 2.00 (1.80-4.00) | 500 | 10.0 (5.0-11.1) |" in lines
    assert loader_speed.summary({**rounds, "wav2lip_gan": [0.0011] * 3})[1] == [
        "wav2lip_gan: 9.1 times as fast as the recipe, below 10"
    ]


def test_a_worker_is_charged_for_its_items_and_not_for_its_start():
    class Slow(torch.utils.data.Dataset):
        def __getitem__(self, index):
            begun = time.process_time()
            while time.process_time() < begun + work:
                pass
            return index

    work = 0.05  # 0.8 s for all: two starts of a worker may differ by some 0.2 s
    spent = loader_speed.load_through_a_worker(Slow(), list, [[0], *([number] * 4 for number in range(4))])
    assert 0.95 * work < spent < 1.5 * work


def test_loader_benchmark_asks_for_what_the_methods_ask_for(steps):
    assert set(steps["wav2lip_gan"].job.training.fields) == set(loader_speed.GAN_FIELDS)
    assert {*steps["sto"].job.training.fields, "valid"} == set(loader_speed.STO_FIELDS)  # which phoneme windows add


def test_every_part_of_a_method_is_in_the_measured_step(steps):
    values = steps["sto"]()
    assert {"l1", "sync", "adversarial", "temporal_lip", "spatial_texture", "adversary/adversarial"} <= set(values)
    flops = {name: train_step.count_flops(step) for name, step in steps.items()}
    assert flops["sto"] > flops["sto_quality"] > flops["wav2lip_gan"] > 1e9
    assert train_step.count_flops(steps["sto"]) == flops["sto"], "a step is a step"


def test_flops_are_those_of_products_forward_and_backward():
    weight = torch.randn(8, 16, requires_grad=True)
    data = torch.randn(4, 8, requires_grad=True)
    assert train_step.count_flops(lambda: (data @ weight).sum().backward()) == 3 * 2 * 4 * 8 * 16


def test_rate_counts_what_was_done_by_the_clock():
    ticks = iter([10.0, 12.0])
    done = []
    assert train_step._rate(lambda: done.append(1), 100, 4, lambda: next(ticks)) == 200 and len(done) == 5


def test_step_table_compares_within_rounds():
    measured = {
        "seconds": {"wav2lip_gan": [1.0, 2.0, 4.0], "sto": [1.3, 2.6, 5.2], "compiled": [0.5, 1.0, 2.0]},
        "flops": {"wav2lip_gan": 2e10, "sto": 3e10, "compiled": None}, "matmul": [4e10] * 3, "convolution": [2e10] * 3,
    }  # fmt: skip
    lines, missed = summary(1.0, measured)
    assert "| wav2lip_gan | 2000 (1000-4000) | 20.0 | 10.0 | 25% | 1.000 (1.000-1.000) |" in lines
    assert "| sto | 2600 (1300-5200) | 30.0 | 11.5 | 29% | 1.300 (1.300-1.300) |" in lines
    assert "| compiled | 1000 (500-2000) |  | 20.0 | 50% | 0.500 (0.500-0.500) |" in lines
    assert missed == ["width 1: sto takes 1.300 times as long as wav2lip_gan, above 1.25"]
    assert summary(0.25, measured)[1] == [], "the bar is that of the published width"


def test_train_step_writes_its_tables(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_step, "SIZES", {"cpu": (64, 128)})
    monkeypatch.setattr(train_step, "MAPS", {"cpu": (1, 16, 8)})
    arguments = ["--width", "0.25", "--rounds", "1", "--threads", "1", "--forms", "wav2lip_gan", "--layout"]
    assert train_step.main([*arguments, "--out", str(tmp_path / "steps")]) is None
    stored = json.loads((tmp_path / "steps.json").read_text())["widths"]["0.25"]
    assert set(stored["seconds"]) == {"wav2lip_gan", train_step.CONTIGUOUS} and all(stored["matmul"])
    assert (tmp_path / "steps.md").read_text().splitlines()[:3] == capsys.readouterr().out.splitlines()[:3]


def test_layout_form_has_contiguous_weights(tmp_path):
    args = SimpleNamespace(forms=["wav2lip_gan"], layout=True, compile=False, window=5, batch=1, device="cpu", precision="fp32",
                           threads=1)  # fmt: skip
    made = train_step.build(0.25, args, tmp_path)
    kernel = {name: step.job.model.face_encoder_blocks[1][0].conv_block[0].weight for name, step in made.items()}
    assert kernel[train_step.CONTIGUOUS].is_contiguous() and not kernel["wav2lip_gan"].is_contiguous()

"""Steps and inference on a GPU that computes nothing: devices, CUDA's autocast, and how often the host waits."""

from contextlib import suppress

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import DynamicOutputShapeException

from datasets.fields import FIELDS
from datasets.prepared import PreparedCorpus
from datasets.windows import WindowDataset, collate
from models import build_model, fuse_for_inference
from tests.fake_cuda_kit import CUDA, Record, fake_batch, fake_gpu, lend, move_to_fake_gpu
from tests.families_kit import FAMILIES, family_run, make_expert
from training.loop import steps_left


@pytest.fixture(scope="session")
def expert(tmp_path_factory):
    return make_expert(tmp_path_factory.mktemp("expert"))


def test_the_fake_gpu_refuses_what_a_gpu_refuses():
    with fake_gpu():
        ours, theirs = torch.rand(3, 4, device=CUDA), torch.rand(3, 4)
        with torch.autocast("cuda", dtype=torch.float16):
            assert torch.mm(ours, ours.T).dtype == torch.float16 and ours.exp().dtype == torch.float32
            with pytest.raises(RuntimeError, match="unsafe to autocast"):
                F.binary_cross_entropy(ours, ours)
        with pytest.raises(RuntimeError, match="device"):
            ours + theirs
        for act, word in [
            (lambda: ours.new_tensor([1.0, 2.0]), "_to_copy"),
            (lambda: ours[:, (0, 2)], "_to_copy"),  # a list becomes an index on the CPU, which is copied
            (lambda: theirs.to(CUDA), "_to_copy"),
            (lambda: ours.nonzero(), "nonzero"),
        ]:
            with Record() as record, suppress(DynamicOutputShapeException):
                act()
            assert len(record.waits) == 1 and record.waits[0].startswith(word), record.waits
        with Record() as record:
            torch.where(ours > 0, ours, -1.0), theirs.to(CUDA, non_blocking=True), ours * 2, torch.full((), 2.0, device=CUDA)
        assert not record.waits


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_step_runs_on_a_gpu_and_waits_once(name, small_corpus, expert, tmp_path):
    accumulate = 2 if name == "wav2lip_gan" else 1
    run = family_run(name, small_corpus, expert, tmp_path, f"train.accumulate={accumulate}")
    batches = next(steps_left(run))
    with fake_gpu() as mode:
        fetched = move_to_fake_gpu(run, mode, torch.bfloat16 if name == "tcsc" else torch.float16)
        batches = [fake_batch(batch, mode) for batch in batches]
        with Record() as record:
            values, _ = run.learn(batches)
    assert not record.waits, record.waits
    assert len(fetched) == 1 and fetched[0] == (len(values) + 1, 2)
    assert run.step == 1


@pytest.mark.parametrize("options", [{}, {"audio_gate": True, "spatial_input": True}], ids=["plain", "gate and modules"])
@pytest.mark.parametrize("half", [None, torch.float16])
def test_a_generator_makes_faces_on_a_gpu_without_waiting(options, half):
    dtype = half or torch.float32
    model = build_model({"name": "wav2lip", "width": 0.25, **options})
    fused = fuse_for_inference(model, winograd=False).to(dtype)  # as on a GPU
    with fake_gpu() as mode:
        lend(fused, mode)
        mel, faces = torch.rand(4, 1, 80, 16, device=CUDA, dtype=dtype), torch.rand(1, 6, 96, 96, device=CUDA, dtype=dtype)
        phonemes = torch.zeros(4, dtype=torch.int64, device=CUDA)
        modules = torch.zeros(1, 96, 96, dtype=torch.int64, device=CUDA)
        with Record() as record:
            maps = fused.encode_face(faces, modules if options else None)
            made = fused.decode(fused.encode_audio(mel, phonemes if options else None), maps)
    assert not record.waits, record.waits
    assert made.shape == (4, 3, 96, 96) and made.device == CUDA and made.dtype == dtype


@pytest.mark.parametrize("half", [None, torch.float16])
def test_judges_run_on_a_gpu_without_waiting(half):
    shapes = {
        ("syncnet_color", "embed"): ((2, 1, 80, 16), (2, 15, 48, 96)),
        ("lip_landmarks", "find"): ((2, 3, 96, 96),),
        ("syncnet_v2", "embed_lips"): ((3, 6, 224, 224),),
        ("syncnet_v2", "embed_sound"): ((2, 1, 13, 20),),
        ("fid_inception", "forward"): ((2, 3, 96, 96),),
    }
    for (name, method), sizes in shapes.items():
        small = {"width": 0.25} if name == "syncnet_color" else {}
        model = build_model({"name": name, **small}).eval().to(half or torch.float32)
        with fake_gpu() as mode:
            lend(model, mode)
            given = [torch.rand(size, device=CUDA, dtype=half or torch.float32) for size in sizes]
            with Record() as record:
                found = getattr(model, method)(*given)
        assert not record.waits, (name, record.waits)
        assert all(one.device == CUDA for one in (found if isinstance(found, tuple) else (found,))), name


def test_fields_are_completed_on_a_gpu_without_waiting(small_corpus):
    corpus = PreparedCorpus.open_folder(small_corpus)
    fields = tuple(name for name, field in FIELDS.items() if field.clips in (None, "phones"))
    data = WindowDataset(corpus, "train", 5, fields, augment={"flip": 0.5, "colour": 0.2, "grain": 0.1})
    shipped = collate(data.__getitems__(range(2)))
    real = data.complete(shipped)
    with fake_gpu() as mode, Record() as record:
        moved = {name: one.to(CUDA, non_blocking=True) for name, one in fake_batch(shipped, mode).items()}
        made = data.complete(moved)
    assert not record.waits, record.waits
    for name, tensor in made.items():
        assert tensor.device == CUDA and tensor.dtype == real[name].dtype and tensor.shape == real[name].shape, name

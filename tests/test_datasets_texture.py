"""Texture modules beside prepared clips: made once for each set of parameters, fields of a batch, used by a run."""

import json

import numpy as np
import pytest
import yaml

import prepare
import train as train_script
from common.cli import run
from common.errors import InputError
from datasets.clip_files import clip_path, open_arrays, open_clip, side_path, write_clip
from datasets.prepared import PreparedCorpus, manifest_path
from datasets.preparing.texture import add_texture, store_modules
from datasets.texture import kind_of, open_modules
from datasets.windows import WindowDataset
from faces.texture import TextureSpec, texture_modules
from tests.fields_kit import whole
from tests.prepared_kit import make_corpus
from training.checkpoint import load_checkpoint

SPEC = TextureSpec(9)
SIZE = 32


@pytest.fixture
def folder(tmp_path):
    """Two clips of faces of 32 pixels, patches of 8 on an even ground, and no modules of SPEC yet."""
    folder = make_corpus(tmp_path / "corpus", clips=2, frames=20, size=SIZE, splits=("train", "val"))
    rng = np.random.default_rng(0)
    for row in PreparedCorpus.open_folder(folder).rows:
        arrays, notes = open_arrays(clip_path(folder, row.id))
        patches = rng.normal(0, 25, (row.frames, 4, 4, 3)).repeat(8, 1).repeat(8, 2)
        faces = np.clip(arrays["face"] + patches, 0, 255).astype(np.uint8)
        arrays = {name: np.array(array) for name, array in arrays.items()}
        write_clip(clip_path(folder, row.id), {**arrays, "face": faces}, notes)
    return folder


def paint_faces(folder, row, spec):
    """Replace the faces by pictures of random modules, each module's grey level four times its number, and store those."""
    labels = np.random.default_rng(7).integers(0, 60, (row.frames, SIZE // 4, SIZE // 4)).repeat(4, 1).repeat(4, 2)
    arrays, notes = open_arrays(clip_path(folder, row.id))
    arrays = {name: np.array(array) for name, array in arrays.items()}
    faces = np.repeat(labels[..., None] * 4, 3, -1).astype(np.uint8)
    write_clip(clip_path(folder, row.id), {**arrays, "face": faces}, notes)
    store_modules(folder, row, spec, labels)


def times(folder, spec):
    """dict of clip -> when its modules were written."""
    corpus = PreparedCorpus.open_folder(folder)
    return {row.id: side_path(folder, kind_of(spec), row.id).stat().st_mtime_ns for row in corpus.rows}


def test_they_are_those_of_the_stored_faces_and_made_once(folder, capsys):
    add_texture(folder, SPEC)
    assert "2 clips, 0 done before, 2 to do" in capsys.readouterr().out
    corpus, before = PreparedCorpus.open_folder(folder), times(folder, SPEC)
    for row in corpus.rows:
        labels, faces = open_modules(folder, row, SPEC), corpus.open(row)["face"]
        assert labels.dtype == np.uint8 and labels.shape == faces.shape[:3] and not labels.flags.writeable
        np.testing.assert_array_equal(labels[3], texture_modules(faces[3], 9))
        assert (labels.max((1, 2)) > 3).all()
    add_texture(folder, SPEC)
    assert "2 done before, 0 to do" in capsys.readouterr().out
    assert times(folder, SPEC) == before


def test_sets_of_other_parameters_lie_beside_each_other(folder):
    add_texture(folder, SPEC, ids={"s1/clip0"})
    add_texture(folder, TextureSpec(9, 30.0), ids={"s1/clip0"})
    row = PreparedCorpus.open_folder(folder).rows[0]
    one, other = (open_modules(folder, row, spec) for spec in (SPEC, TextureSpec(9, 30)))
    assert (one != other).any()
    with pytest.raises(InputError, match="missing"):
        open_modules(folder, PreparedCorpus.open_folder(folder).rows[1], SPEC)


def test_a_clip_prepared_anew_gets_new_modules(folder, capsys):
    add_texture(folder, SPEC)
    rows = [json.loads(line) for line in manifest_path(folder).read_text().splitlines()]
    rows[0]["source_hash"] = "another video"
    manifest_path(folder).write_text("".join(json.dumps(row) + "\n" for row in rows))
    row = next(row for row in PreparedCorpus.open_folder(folder).rows if row.source_hash)
    with pytest.raises(InputError, match="out of date.*prepare.py"):
        open_modules(folder, row, SPEC)
    capsys.readouterr()
    add_texture(folder, SPEC)
    assert "1 done before, 1 to do" in capsys.readouterr().out
    assert open_modules(folder, row, SPEC).shape == (20, SIZE, SIZE)


def test_a_damaged_file_is_made_anew(folder):
    add_texture(folder, SPEC)
    row = PreparedCorpus.open_folder(folder).rows[0]
    path = side_path(folder, kind_of(SPEC), row.id)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="prepare.py"):
        open_modules(folder, row, SPEC)
    add_texture(folder, SPEC)
    assert len(open_modules(folder, row, SPEC)) == row.frames


def test_many_modules_take_two_bytes(folder):
    row = PreparedCorpus.open_folder(folder).rows[0]
    labels = np.tile(np.arange(SIZE * SIZE).reshape(1, SIZE, SIZE), (row.frames, 1, 1))
    store_modules(folder, row, SPEC, labels)
    found = open_modules(folder, row, SPEC)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, labels)


def test_several_processes_make_the_same(folder):
    add_texture(folder, SPEC)
    corpus = PreparedCorpus.open_folder(folder)
    alone = [np.array(open_modules(folder, row, SPEC)) for row in corpus.rows]
    for row in corpus.rows:
        side_path(folder, kind_of(SPEC), row.id).unlink()
    add_texture(folder, SPEC, workers=2)
    for row, labels in zip(corpus.rows, alone, strict=True):
        np.testing.assert_array_equal(open_modules(folder, row, SPEC), labels)


@pytest.mark.parametrize("augment", [None, {"flip": 1.0}, {"shift": 5}, {"flip": 0.5, "shift": 5}])
def test_modules_lie_where_the_faces_lie(folder, augment):
    corpus = PreparedCorpus.open_folder(folder)
    paint_faces(folder, corpus.rows[0], TextureSpec())
    fields = ("face", "reference_face", "module", "reference_module")
    data = WindowDataset(corpus, "train", 5, fields, augment=augment)
    for index in range(4):
        item = whole(data, index)
        for face, module in (("face", "module"), ("reference_face", "reference_module")):
            assert item[module].dtype == np.int64 and item[module].flags.c_contiguous
            np.testing.assert_allclose(item[face][:, 0] * 255, item[module] * 4, atol=1e-3)
        assert (item["reference_module"] == item["reference_module"][:1]).all()
        assert (item["module"][0] != item["reference_module"][0]).any()


def test_modules_turn_and_zoom_with_the_faces(folder):
    corpus = PreparedCorpus.open_folder(folder)
    paint_faces(folder, corpus.rows[0], TextureSpec())
    augment = {"turn": 20.0, "zoom": 0.2, "stretch": 0.1, "shift": 3, "flip": 0.5}
    data = WindowDataset(corpus, "train", 5, ("face", "module"), augment=augment)
    for index in range(4):
        item = whole(data, index)
        grey, module = item["face"][:, 0] * 255, item["module"]
        same = (module[:, 1:-1, 1:-1] == module[:, :-2, 1:-1]) & (module[:, 1:-1, 1:-1] == module[:, 2:, 1:-1])
        same &= (module[:, 1:-1, 1:-1] == module[:, 1:-1, :-2]) & (module[:, 1:-1, 1:-1] == module[:, 1:-1, 2:])
        right = abs(grey - module * 4)[:, 1:-1, 1:-1] < 1.0  # inside a module the bilinear picture is even
        assert same.mean() > 0.1 and right[same].mean() > 0.95


def test_each_field_may_have_modules_of_its_own(folder):
    add_texture(folder, SPEC)
    corpus = PreparedCorpus.open_folder(folder)
    data = WindowDataset(corpus, "train", 5, ("module", "reference_module"), textures={"reference_module": SPEC})
    item = whole(data, 0)
    assert item["module"].max() == 63 and item["reference_module"].max() < 20  # 64 blocks by make_corpus; 9 clusters


def test_the_message_for_missing_modules_is_a_command_that_helps(folder, capsys):
    corpus = PreparedCorpus.open_folder(folder)
    with pytest.raises(InputError) as error:
        WindowDataset(corpus, "train", 5, ("face", "module"), textures={"module": SPEC})
    message = str(error.value)
    assert "1 of 1 clips" in message and "9 clusters" in message and "there are some of 64 and 10" in message
    arguments = message.split("python prepare.py ")[1].split()
    assert run(prepare.main, [*arguments, "--workers", "1"]) == 0
    assert WindowDataset(corpus, "train", 5, ("face", "module"), textures={"module": SPEC})[0]["module"].max() > 3
    assert WindowDataset(corpus, "train", 5, ("face",), textures={"module": TextureSpec(5)})[0], "who needs none may lack them"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--texture"),
        (["--texture", "--corpus", "folder"], "--root"),
        (["--texture", "--root", "x"], "--corpus"),
        (["--texture", "--clusters", "0"], "--clusters"),
        (["--texture", "--clusters", "99999"], "1024 pixels"),
        (["--texture", "--compactness", "-1"], "--compactness"),
        (["--texture", "--compactness", "nan"], "--compactness"),
        (["--texture", "--corpus", "folder", "--root", "x", "--clusters", "10000"], "9216 pixels"),
    ],
)
def test_mistakes_of_prepare_end_with_code_2(folder, capsys, arguments, word):
    assert run(prepare.main, ["--out", str(folder), *arguments]) == 2
    assert word in capsys.readouterr().err
    assert run(prepare.main, ["--out", str(folder / "nowhere"), "--texture"]) == 2


@pytest.fixture
def write_config(tmp_path):
    """Writes a config over a corpus of 96-pixel faces whose modules are made up; returns its path."""
    corpus = make_corpus(tmp_path / "faces", frames=20)

    def write(losses, model=None, data=None):
        config = {
            "name": "try",
            "model": {"name": "wav2lip", "width": 0.25, **(model or {})},
            "data": {"corpus": str(corpus), "window": 1, "workers": 0, **(data or {})},
            "losses": {"l1": {"weight": 0.9}, **losses},
            "train": {"batch_size": 2, "steps": 2,
                  "device": "cpu", "runs": str(tmp_path / "runs"), "log_every": 1, "validate_every": 2,
                      "validate_batches": 1, "threads": 1, "tensorboard": "off", "curve": False},
        }  # fmt: skip
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    return write


@pytest.mark.parametrize(
    "options", [{}, {"modules": "grid", "clusters": 16}, {"distribution": "sliced"}, {"labels": "computed", "clusters": 16}]
)
def test_a_run_learns_with_the_loss(write_config, tmp_path, options):
    config = write_config({"spatial_texture": {"weight": 0.05, **options}})
    assert run(train_script.main, [str(config)]) == 0
    rows = [json.loads(line) for line in (tmp_path / "runs/try/log.jsonl").read_text().splitlines()]
    assert all(row["spatial_texture"] > 0 for row in rows if "total" in row)
    assert any("val/spatial_texture" in row for row in rows)
    assert "texture" not in load_checkpoint(tmp_path / "runs/try/last.safetensors").config["data"]


def test_parameters_of_the_loss_choose_the_stored_modules(write_config, capsys):
    assert run(train_script.main, [str(write_config({"spatial_texture": {"weight": 0.05, "clusters": 50}}))]) == 2
    assert "--clusters 50 --compactness 10" in capsys.readouterr().err


def test_the_generators_own_modules_stand_in_its_checkpoint(write_config, tmp_path, capsys):
    texture = {"clusters": 64, "compactness": 10.0}
    config = write_config({}, {"spatial_input": True}, {"texture": texture})
    assert run(train_script.main, [str(config)]) == 0
    assert load_checkpoint(tmp_path / "runs/try/last.safetensors").config["data"]["texture"] == texture
    assert run(train_script.main, [str(write_config({}, {"spatial_input": True}, {"texture": {"clusters": 30}}))]) == 2
    assert "--clusters 30 --compactness 10" in capsys.readouterr().err
    assert run(train_script.main, [str(write_config({}, {"spatial_input": True}, {"texture": {"clusters": 0}}))]) == 2
    assert "data.texture.clusters" in capsys.readouterr().err


def test_stored_faces_are_left_alone(folder):
    row = PreparedCorpus.open_folder(folder).rows[0]
    before = clip_path(folder, row.id).read_bytes()
    add_texture(folder, SPEC)
    assert clip_path(folder, row.id).read_bytes() == before and "labels" not in open_clip(clip_path(folder, row.id))

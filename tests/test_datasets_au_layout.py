"""The published layout of action units: files of its exact form are read; clips are written, read back, and what is wrong."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import prepare
from common.cli import run
from common.errors import InputError
from datasets.action_units import read_action_units
from datasets.au_layout.files import read_example
from datasets.au_layout.lists import splits_of
from datasets.au_layout.writing import write_layout
from datasets.clip_files import clip_path, open_arrays, write_clip
from datasets.corpora import list_clips
from datasets.prepared import PreparedCorpus, read_manifest
from datasets.windows import WindowDataset
from faces.crops import FITS, SQUARES, CropSpec, paste_mask, plan_crops
from faces.eyes_nose import EYES_NOSE, RELEASED, RELEASED_POINTS, TEMPLATE
from faces.landmarks import apply_affine
from speech.mfcc import SYNCNET, mfcc
from speech.mfcc_windows import mfcc_windows
from tests.faces_kit import plain_face, track_of
from tests.fields_kit import whole
from tests.prepared_kit import make_corpus

OTHERS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
HEAD = ["face", "confidence", *(f"AU{unit:02d}_r" for unit in OTHERS), *(f"AU{unit:02d}_c" for unit in (*OTHERS[:-1], 28, 45))]
READ = (26, 28, 31, 33, 34)  # columns of the presence that the published loader takes, by number
DAMAGES = {
    "no landmarks": "3.lms: no such file", "half of them": "3.lms: holds no 68 lines", "no windows": "has no folder mfcc35",
    "few windows": "mfcc.npy: has fewer windows than there are faces (9, 14)", "a short face": "3.jpg: the face has 128 x 96",
    "narrow windows": "mfcc.npy: holds float64 (14, 12, 25), windows (n, 12, 35, 1)", "text": "mfcc.npy: is no array of numpy",
    "another size": "3.jpg: the face has another size", "another crop": "as --crop au128 lays them; give --crop au112",
    "no crop": "they fit no crop that is known", "no number": "the windows of MFCC hold values that are no coefficients",
}  # fmt: skip


def lying_as(kind, side):
    """(68, 2) landmarks of a mean face in a picture of this crop."""
    face = plain_face(0, 0, 1).astype(np.float64)
    part, template = (RELEASED_POINTS, RELEASED) if kind == "au128" else (EYES_NOSE, TEMPLATE)
    face[part] = template
    length, start = SQUARES[kind]
    return (face - start) / length * side - 0.5


def write_published(folder, frames, windows, side=128, present=None, kind="au128"):
    """One example as the published scripts leave it; `windows` (n, 12, W) float64."""
    faces, rng = folder / "align_face", np.random.default_rng(0)
    for name in ("align_face", "mfcc35", "identity_image"):
        (folder / name).mkdir(parents=True)
    for number in range(frames):
        picture = np.full((side, side, 3), 40 + 3 * number, np.uint8)
        Image.fromarray(picture).save(faces / f"{number}.jpg", quality=95)
        np.savetxt(faces / f"{number}.lms", lying_as(kind, side) + rng.normal(0, 0.3, (68, 2)), "%f")
        if present is not None:
            row = dict.fromkeys(HEAD, "0.00") | {"face": "0", "confidence": "0.98"}
            row |= {HEAD[place]: f"{value:.2f}" for place, value in zip(READ, present[number], strict=True)}
            second = row | {"face": "1"} | {HEAD[place]: "1.00" for place in READ}
            text = "\n".join([", ".join(HEAD), *(", ".join(one[name] for name in HEAD) for one in (row, second))])
            (faces / f"{number}.csv").write_text(text + "\n")
    shutil.copy(faces / "0.jpg", folder / "identity_image" / "0.jpg")
    np.save(folder / "mfcc35" / "mfcc.npy", windows[..., None])


def damaged(folder, kind):
    """An example of 14 frames that is damaged in one way."""
    crop = "au112" if kind == "another crop" else "au128"
    write_published(folder, 14, np.zeros((14, 12, 35)), kind=crop)
    face, windows = folder / "align_face" / "3.lms", folder / "mfcc35" / "mfcc.npy"
    if kind == "no landmarks":
        face.unlink()
    elif kind == "half of them":
        face.write_text("".join(face.read_text().splitlines(keepends=True)[:34]))
    elif kind == "no windows":
        shutil.rmtree(windows.parent)
    elif kind in ("few windows", "narrow windows", "no number"):
        shape = {"few windows": (9, 12, 35, 1), "narrow windows": (14, 12, 25), "no number": (14, 12, 35, 1)}[kind]
        np.save(windows, np.full(shape, np.nan if kind == "no number" else 0.0))
    elif kind == "text":
        windows.write_text("no array")
    elif kind in ("a short face", "another size"):
        Image.new("RGB", (128, 96) if kind == "a short face" else (96, 96)).save(face.with_suffix(".jpg"))
    elif kind == "no crop":
        for path in face.parent.glob("*.lms"):
            np.savetxt(path, np.loadtxt(path) * 0.6 + 9, "%f")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A corpus of clips of 60 frames in au128 crops with action units and noise for a voice, in all splits."""
    splits = ("train", "val", "test", "unseen")
    folder = make_corpus(tmp_path_factory.mktemp("clips") / "c", clips=4, frames=60, size=112, splits=splits)
    settings = json.loads((folder / "corpus.json").read_text())
    settings["settings"]["crop"] = "au128"
    (folder / "corpus.json").write_text(json.dumps(settings))
    for row in PreparedCorpus.open_folder(folder).rows:
        arrays, notes = open_arrays(clip_path(folder, row.id))
        rng = np.random.default_rng(row.frames)
        noise = {"waveform": rng.integers(-9000, 9000, 60 * 640).astype(np.int16),
                 "landmarks": (lying_as("au128", 112) + rng.normal(0, 0.3, (60, 68, 2))).astype(np.float32)}  # fmt: skip
        write_clip(clip_path(folder, row.id), {name: np.array(one) for name, one in arrays.items()} | noise, notes)
    return folder


@pytest.fixture(scope="module")
def published(clips, tmp_path_factory):
    """(coefficients of a sound of 3 s, units of 50 frames, a corpus): read from a root that holds the clips, written by
    prepare.py, beside examples as the published scripts leave them."""
    place = tmp_path_factory.mktemp("published")
    root, rng = place / "GRID_new_data_test", np.random.default_rng(1)
    assert run(prepare.main, ["--out", str(clips), "--au_layout", str(root), "--workers", "1"]) == 0
    coefficients = mfcc(rng.normal(0, 0.1, 48000).astype(np.float32), SYNCNET)
    windows = np.stack([coefficients[:, 4 * i : 4 * i + 35] for i in range(66)]).astype(np.float64)
    present = rng.integers(0, 2, (50, 5))
    write_published(root / "28" / "0", 50, windows, present=present)
    faces = root / "28" / "0" / "align_face"
    (faces / "7.csv").unlink()
    (faces / "9.csv").write_text((faces / "9.csv").read_text().replace("0.98", "0.30"))
    (faces / "11.csv").write_text((faces / "11.csv").read_text().splitlines()[0] + "\n")  # no face in that picture
    write_published(root / "3" / "0", 14, windows[:14])  # without units
    for number, kind in enumerate(DAMAGES):
        damaged(root / "4" / str(number), kind)
    (root / "grid_test.txt").write_text("/data/GRID_new_data_test/28/0/align_face /data/GRID_new_data_test/28/0/mfcc32\n")
    (root / "grid_train.txt").write_text("3/0/align_face 3/0/mfcc35\n")
    arguments = ["--corpus", "au", "--root", str(root), "--out", str(place / "out"), "--workers", "1"]
    assert run(prepare.main, arguments) == 0
    return coefficients, present, PreparedCorpus.open_folder(place / "out")


def test_what_the_published_scripts_leave_is_read(published):
    coefficients, present, corpus = published
    assert corpus.settings["crop"] == "au128" and corpus.settings["size"] == 112 and not corpus.has_sound
    one = next(row for row in corpus.split("test") if row.speaker == "28")
    assert (one.id, one.speaker, one.frames, one.split) == ("28/0", "28", 50, "test")
    clip = corpus.open(one)
    assert set(clip) == {"face", "landmarks", "matrix", "interpolated", "mfcc_wide"}
    np.testing.assert_allclose(clip["face"].mean((1, 2, 3)), 40 + 3 * np.arange(50), atol=1.5)
    np.testing.assert_allclose(clip["landmarks"].mean(0), lying_as("au128", 112), atol=0.4)
    units, known = read_action_units(corpus.folder, one), ~np.isin(np.arange(50), (7, 9, 11))
    np.testing.assert_array_equal(units.known, known)
    np.testing.assert_array_equal(units.present, present * known[:, None])
    assert one.side["action_units"]["from"] == "openface"
    (silent,) = (row for row in corpus.split("train") if row.speaker == "3")
    assert "no csv tells the action units" in silent.side["action_units"]["error"]


@pytest.mark.parametrize("columns", [28, 25])
def test_windows_are_those_of_the_sound_itself(published, columns):
    coefficients, _, corpus = published
    options = {"mfcc": {"columns": columns, "place": "centred"}}
    data = WindowDataset(corpus, "test", 50, ("mfcc", "clip"), options=options)
    wanted = mfcc_windows(coefficients, range(4, 54), 25, columns=columns, place="centred")
    items = (whole(data, index) for index in range(30))
    found = next(item["mfcc"] for item in items if data.rows[int(item["clip"])].id == "28/0")
    np.testing.assert_array_equal(found, wanted)


def test_what_stored_windows_do_not_hold_is_refused(published):
    for options, told in (({"columns": 35, "place": "centred"}, "mfcc"), ({"recipe": "psf"}, "mfcc")):
        with pytest.raises(InputError, match=f"its clips hold no waveform, which the field {told} needs"):
            WindowDataset(published[2], "test", 9, ("mfcc",), options={"mfcc": options})
    with pytest.raises(InputError, match="its clips hold no mel, which the field mel needs"):
        WindowDataset(published[2], "test", 9, ("mel",))


def test_damaged_examples_are_left_out_by_reason(published):
    rows = read_manifest(published[2].folder)
    for number, (kind, reason) in enumerate(DAMAGES.items()):
        assert reason in rows[f"4/{number}"].error, kind


def test_clips_are_written_and_read_back(clips, published):
    corpus, read = PreparedCorpus.open_folder(clips), published[2]
    layout = read.folder.parent / "GRID_new_data_test"
    example = layout / "s1" / "clip0"
    assert {path.name for path in example.iterdir()} == {"align_face", "mfcc35", "identity_image", "clip0.wav"}
    assert len(list((example / "align_face").iterdir())) == 150
    assert splits_of(layout) == {"s1/clip0": "train", "s2/clip1": "val", "s1/clip2": "test", "s2/clip3": "test",
                                 "28/0": "test", "3/0": "train"}  # fmt: skip
    audios = np.load(example / "mfcc35" / "mfcc.npy").astype(np.float32)  # as the published loader reads the rest
    assert audios.shape == (50, 12, 35, 1) and audios[:, :, 3:28, :].std() > 0
    header, first = (line.split(",") for line in (example / "align_face" / "8.csv").read_text().splitlines())
    assert header == HEAD
    found = [row for row in read.rows if row.speaker in ("s1", "s2")]
    assert [(row.id, row.split, row.frames) for row in found] == [
        ("s1/clip0", "train", 50), ("s1/clip2", "test", 50), ("s2/clip1", "val", 50), ("s2/clip3", "test", 50)]  # fmt: skip
    units, again = read_action_units(clips, corpus.rows[0]), read_action_units(read.folder, found[0])
    assert [int(float(first[place])) for place in READ] == units.present[12].tolist()
    for name in ("present", "known"):
        np.testing.assert_array_equal(getattr(units, name)[4:54], getattr(again, name))
    np.testing.assert_allclose(units.intensity[4:54], again.intensity, atol=0.006)
    assert found[0].side["action_units"]["from"] == "geometry"
    one, other = corpus.open(corpus.rows[0]), read.open(found[0])
    assert np.abs(one["face"][4:54].astype(int) - other["face"]).mean() < 2
    np.testing.assert_allclose(one["landmarks"][4:54], other["landmarks"], atol=1e-4)
    options = {"mfcc": {"columns": 28, "place": "centred"}}
    longer, shorter = (whole(WindowDataset(where, "val", frames, ("mfcc",), options=options), 0)["mfcc"]
                       for where, frames in ((corpus, 60), (read, 50)))  # fmt: skip
    np.testing.assert_array_equal(shorter, longer[4:54])


def test_what_was_begun_goes_on_and_other_files_are_left_alone(clips, tmp_path):
    folder, layout = tmp_path / "c", tmp_path / "layout"
    shutil.copytree(clips, folder)
    some = {"ids": {"s1/clip0", "s2/clip3"}}
    (told,) = write_layout(folder, layout, **some)
    assert "2 examples (test 1, train 1); units: 2 geometry" in told
    kept, lost = layout / "s1" / "clip0" / "align_face", layout / "s2" / "clip3" / "align_face"
    (kept / "0.jpg").write_bytes(b"kept")
    (lost / "9.lms").unlink()
    write_layout(folder, layout, **some)
    assert (kept / "0.jpg").read_bytes() == b"kept" and (lost / "9.lms").is_file()
    manifest = folder / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace('"source_hash": ""', '"source_hash": "another"', 1))
    write_layout(folder, layout, **some)
    assert len(read_example(kept.parent)[0]) == 50, "the clip was prepared anew, so its example was written anew"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(InputError, match="other: holds files that were not written of these clips"):
        write_layout(folder, tmp_path / "other")
    with pytest.raises(InputError, match="two words: its path has a blank"):
        write_layout(folder, tmp_path / "two words")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--words",), "--words: a corpus in the layout of action units holds no words; leave it out"),
        (("--action_units", "openface", "--au_csv", "x"), "has a csv beside each face, which is read anyway"),
        (("--crop", "davs"), "--crop davs: a corpus in the layout of action units holds aligned faces"),
        (("--fps", "30"), "no sound; leave it out, or give 25"),
        (("--raw_crops",), "--raw_crops: the faces of a corpus in the layout of action units are cropped already"),
        (("--speech_features",), "holds windows of MFCC alone"),
        (("--au_layout", "x"), "--au_layout writes clips that are prepared already"),
        ((), "grid_test.txt, line 2: is no line of a list of examples"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(tmp_path, capsys, arguments, told):
    root = tmp_path / "root"
    (root / "1" / "0" / "align_face").mkdir(parents=True)
    (root / "grid_test.txt").write_text("1/0/align_face 1/0/mfcc35\n1/0/align_face\n")
    assert run(prepare.main, ["--corpus", "au", "--root", str(root), "--out", str(tmp_path / "out"), *arguments]) == 2
    said = capsys.readouterr().err
    assert told in said and len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"crop": "aligned"}, "holds aligned crops; the layout holds au112 or au128"),
        ({"fps": 30}, "holds 30 frames a second; the layout has 25"),
        ({"sound": "mfcc_wide"}, "windows of MFCC and no sound; copy the folder"),
        (None, "its clips hold no action units; run  python prepare.py"),
    ],
)
def test_a_corpus_that_cannot_be_written_is_refused(clips, tmp_path, change, told):
    folder = tmp_path / "c"
    folder.mkdir()
    settings = json.loads((clips / "corpus.json").read_text())
    settings["settings"] |= change or {}
    (folder / "corpus.json").write_text(json.dumps(settings))
    manifest = (clips / "manifest.jsonl").read_text()
    (folder / "manifest.jsonl").write_text(manifest if change else manifest.replace("geometry", "").replace("from", "error"))
    with pytest.raises(InputError, match=told):
        write_layout(folder, tmp_path / "layout")


def test_lists_say_the_split_and_contradictions_are_refused(tmp_path):
    for name in ("1/0", "1/1", "28/0"):
        (tmp_path / name / "align_face").mkdir(parents=True)
    (tmp_path / "grid_train.txt").write_text("/x/1/0/align_face /x/1/0/mfcc35")
    (tmp_path / "grid_test.txt").write_text("/x/28/0/align_face /x/28/0/mfcc35\n")
    assert [(clip.id, clip.speaker, clip.split) for clip in list_clips("au", tmp_path)] == [
        ("1/0", "1", "train"), ("1/1", "1", None), ("28/0", "28", "test")]  # fmt: skip
    (tmp_path / "val.txt").write_text("/x/1/0/align_face /x/1/0/mfcc35")
    with pytest.raises(InputError, match="val.txt, line 1: 1/0 is in the list of train, too"):
        list_clips("au", tmp_path)


def test_the_crop_of_the_published_script():
    """Its mean face lies on 224 pixels; the corner of the mouth moves it a little, and brows and jaw do not."""
    face = plain_face().astype(np.float64)
    spec = CropSpec("au128", 128)
    (crop,) = plan_crops(track_of([face], 640, 480), spec, smooth=False)
    moved = face.copy()
    moved[:27] += 5
    (same,) = plan_crops(track_of([moved], 640, 480), spec, smooth=False)
    np.testing.assert_array_equal(crop.matrix, same.matrix)
    moved = face.copy()
    moved[48] += 5
    (other,) = plan_crops(track_of([moved], 640, 480), spec, smooth=False)
    assert 0.02 < np.abs(apply_affine(other.matrix, face) - apply_affine(crop.matrix, face)).max() < 3
    place = (lying_as("au128", 224)[RELEASED_POINTS] + 0.5)[[8, 17, 20]]  # corners of the eyes, corner of the mouth
    np.testing.assert_allclose(place, np.add([(57, 64), (183, 62), (86, 160)], 0.5), atol=1e-6)
    assert FITS["au128"][0](np.full((2, 68, 2), np.nan)).shape == (2, 4) and paste_mask(64, "face", "au128")[-1].max() < 0.3

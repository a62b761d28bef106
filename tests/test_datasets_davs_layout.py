"""The published layout of DAVS: words of prepared clips are written, read back, trained on; what is damaged is left out."""

import json
import shutil

import cv2
import numpy as np
import pytest

import prepare
from common.cli import run
from common.errors import InputError
from datasets.clip_files import clip_path, open_arrays, write_clip, write_side
from datasets.corpora import ClipSource, list_clips
from datasets.corpora.davs import davs_words
from datasets.davs.files import HEARD, read_face, write_example
from datasets.davs.lists import CLIPS, WORDS, read_clips, write_lists
from datasets.davs.writing import write_layout
from datasets.prepared import PreparedCorpus, read_manifest
from datasets.preparing.words import add_words
from datasets.windows import WindowDataset
from datasets.words import KIND, begin_vocabulary, read_vocabulary
from tests.fields_kit import whole
from tests.prepared_kit import make_corpus
from tests.test_prepare_words import ALIGN
from tests.training_kit import run_of, small_config, step, write_yaml

FIELDS = ("face", "mfcc", "spoken_word", "identity_face", "landmarks", "speaker", "clip")
OF_CLIP = {"identity_face": {"of": "clip"}}
VOCABULARY = ("at", "bin", "blue", "f", "now", "two")
MIDDLES = {"at": 16, "f": 18, "two": 22}  # frames of the words of ALIGN that have room for 14 frames before and after


MOUTH = (224.3, 140.9)  # of the drawn head, between the corners
ZOOM, SHIFT = 1.75, (-264.0, -90.0)  # of the drawn head, so that it fills the crop
OPENINGS = np.clip(np.sin(np.arange(40) * 0.7), 0, 1)
DAMAGES = {
    "no picture": "7.jpg: no such file", "half a picture": "7.jpg: the picture is damaged", "no window": "7.bin: no such file",
    "a small picture": "7.jpg: the face has 256 x 256 pixels, 260 x 260 are needed",
    "a short window": "7.bin: the window of MFCC has 1912 bytes, 1920 are needed",
    "no numbers": "7.bin: the window of MFCC holds values", "too large": "7.bin: the window of MFCC holds values",
    "no face": "no face in any frame",
}  # fmt: skip


def drawn_clip(folder):
    """A corpus of one clip: a drawn head in crops of 256 pixels, noise for a voice, the words of ALIGN; returns the folder."""
    from tests.synthetic import TalkingPicture

    make_corpus(folder, clips=1, size=256, words=False, splits=("train",))
    head, matrix = TalkingPicture(), np.array([[ZOOM, 0, SHIFT[0]], [0, ZOOM, SHIFT[1]]])
    row = PreparedCorpus.open_folder(folder).rows[0]
    arrays, notes = open_arrays(clip_path(folder, row.id))
    arrays = {name: np.array(array) for name, array in arrays.items()}
    arrays["face"] = np.stack([cv2.warpAffine(head.with_mouth(one), matrix, (256, 256)) for one in OPENINGS])
    arrays["waveform"] = np.random.default_rng(0).integers(-9000, 9000, 40 * 640).astype(np.int16)
    write_clip(clip_path(folder, row.id), arrays, notes)
    align = folder / "times.align"
    align.write_text(ALIGN)
    add_words([ClipSource(row.id, align, row.speaker, align=align)], folder)
    return as_davs(folder)


def as_davs(folder):
    """Say of a corpus that its crops are those of DAVS; returns the folder."""
    settings = json.loads((folder / "corpus.json").read_text())
    settings["settings"]["crop"] = "davs"
    (folder / "corpus.json").write_text(json.dumps(settings))
    return folder


def damage(folder, kind):
    """Damage one example in one way."""
    face, sound = folder / "align_face256" / "7.jpg", folder / "mfcc20" / "7.bin"
    if kind == "no picture":
        face.unlink()
    elif kind == "half a picture":
        face.write_bytes(face.read_bytes()[:400])
    elif kind == "a small picture":
        cv2.imwrite(str(face), np.zeros((256, 256, 3), np.uint8))
    elif kind == "no window":
        sound.unlink()
    elif kind == "a short window":
        sound.write_bytes(sound.read_bytes()[:-8])
    elif kind == "no numbers":
        np.full((20, 12), np.nan).tofile(sound)
    elif kind == "too large":
        np.full((20, 12), 1e6).tofile(sound)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(corpus of `drawn_clip`, its words in the published layout, these and damaged examples of class 1 read at 64 pixels)."""
    place = tmp_path_factory.mktemp("layout")
    out, layout, back = drawn_clip(place / "out"), place / "layout", place / "back"
    assert run(prepare.main, ["--out", str(out), "--davs_layout", str(layout), "--workers", "1"]) == 0
    shutil.copytree(layout, place / "more")
    for number, kind in enumerate(DAMAGES):
        folder = place / "more" / "val" / "1" / str(number)
        write_example(folder, np.full((29, 260, 260, 3), 128, np.uint8), np.zeros((25, 20, 12)))
        damage(folder, kind)
    arguments = ["--corpus", "davs", "--root", str(place / "more"), "--out", str(back), "--size", "64", "--workers", "1"]
    assert run(prepare.main, arguments) == 0
    return out, layout, back


def test_examples_hold_the_frames_around_their_words(made):
    out, layout, _ = made
    assert (layout / WORDS).read_text().split() == list(VOCABULARY)
    numbers = {word: VOCABULARY.index(word) for word in MIDDLES}
    assert {path.relative_to(layout).as_posix() for path in layout.glob("*/*/*")} == {f"train/{n}/0" for n in numbers.values()}
    corpus = PreparedCorpus.open_folder(out)
    faces = corpus.open(corpus.rows[0])["face"]
    for word, number in numbers.items():
        folder = layout / "train" / str(number) / "0"
        assert len(list((folder / "align_face256").iterdir())) == 29 and len(list((folder / "mfcc20").iterdir())) == 25
        for frame in (0, 14, 28):
            picture = read_face(folder / "align_face256" / f"{frame}.jpg")
            wanted = faces[MIDDLES[word] - 14 + frame]
            difference = np.abs(picture[2:258, 2:258].astype(int) - wanted)
            assert difference.mean() < 1.5 and difference.max() < 40
            np.testing.assert_allclose(picture[:2, 2:258].astype(int), np.stack([picture[2, 2:258]] * 2), atol=30)
    found = [(one.speaker, one.clip, one.frame) for one in read_clips(layout)]
    assert found == [("s1", "s1/clip0", middle - 14) for middle in MIDDLES.values()]


def test_windows_come_back_to_the_last_bit(made):
    """As the published loader reads them: np.fromfile(...).reshape(20, 12)."""
    out, layout, back = made
    data = WindowDataset(PreparedCorpus.open_folder(out), "train", 40, ("mfcc",))
    wanted = whole(data, 0)["mfcc"]
    read = WindowDataset(PreparedCorpus.open_folder(back), "train", 25, FIELDS, options=OF_CLIP, centre="word", jitter=1)
    assert read.vocabulary == VOCABULARY and read.people == ("s1",)
    seen = set()
    for index in range(12):
        item = whole(read, index)
        word = VOCABULARY[int(item["spoken_word"])]
        first = MIDDLES[word] - 14
        assert read.rows[int(item["clip"])].id == f"train/{int(item['spoken_word'])}/0" and item["speaker"] == 0
        np.testing.assert_array_equal(item["mfcc"], wanted[first + 2 : first + 27])
        folder = layout / read.rows[int(item["clip"])].id / "mfcc20"
        files = np.stack([np.fromfile(folder / f"{number}.bin").reshape(20, 12) for number in HEARD])
        np.testing.assert_array_equal(files, wanted[first + 2 : first + 27])
        seen.add(word)
    assert seen == set(MIDDLES)


def test_faces_and_landmarks_come_back(made):
    out, _, back = made
    corpus, read = PreparedCorpus.open_folder(out), PreparedCorpus.open_folder(back)
    whole_clip = corpus.open(corpus.rows[0])
    assert len(read.rows) == 3
    for row in read.rows:
        clip, first = read.open(row), MIDDLES[row.transcript] - 14
        assert set(clip) == {"face", "landmarks", "matrix", "interpolated", "mfcc20"} and row.frames == 25
        for frame in range(25):
            small = cv2.resize(whole_clip["face"][first + 2 + frame], (64, 64), interpolation=cv2.INTER_AREA)
            assert np.abs(clip["face"][frame].astype(int) - small).mean() < 1.5
        gaps = np.linalg.norm(clip["landmarks"][:, 66] - clip["landmarks"][:, 62], axis=-1)
        assert np.corrcoef(gaps, OPENINGS[first + 2 : first + 27])[0, 1] > 0.9
        corners = clip["landmarks"][:, [48, 54]].mean(1)
        mouth = (ZOOM * np.array([MOUTH]) + SHIFT + 0.5) / 4 - 0.5
        assert np.abs(corners - mouth).max() < 1.5, "in pixels of 64"


def test_a_network_learns_of_what_was_read_back(made, tmp_path):
    model = {"name": "davs", "stage": "generate", "face_size": 64, "width": 0.125, "words": 9, "people": 1, "speech_frames": 1,
             "identity_frames": 1, "drawn_frames": 1}  # fmt: skip
    losses = {name: {"weight": 1.0} for name in ("person_classification", "landmark_heatmaps", "drawn_l1")}
    losses["words"] = {"loss": "word_classification", "drives": "audio", "weight": 1.0}
    config = small_config(made[2], tmp_path, model=model, losses=losses)
    config["data"] |= {"window": 25, "centre": "word", "identity": "clip", "augment": {"shift": 1}}
    path = write_yaml(tmp_path / "try.yaml", config)
    run_it = run_of(path)
    values = step(run_it)
    assert np.isfinite(list(values.values())).all() and run_it.classes == {"words": list(VOCABULARY), "people": ["s1"]}
    with pytest.raises(InputError, match="data.augment.noise: the clips of .* hold windows of MFCC in place of a sound"):
        run_of(path, "data.augment.noise=0.5")


@pytest.mark.parametrize("field", ["mel", "waveform", "sync_mel", "heard_mel", "speech"])
def test_fields_that_need_a_sound_say_so(made, field):
    with pytest.raises(InputError, match=f"its clips hold no (mel|waveform), which the field {field} needs"):
        WindowDataset(PreparedCorpus.open_folder(made[2]), "train", 9, ("face", field))
    with pytest.raises(InputError, match="its clips hold no waveform, which the field mfcc needs"):
        WindowDataset(PreparedCorpus.open_folder(made[2]), "train", 9, ("mfcc",), options={"mfcc": {"recipe": "psf"}})


def test_what_was_begun_goes_on_and_other_files_are_left_alone(made, tmp_path, capsys):
    out, layout, _ = made
    target = tmp_path / "layout"
    shutil.copytree(layout, target)
    (target / "train" / "0" / "0" / "mfcc20" / "9.bin").unlink()
    kept = (target / "train" / "3" / "0" / "mfcc20" / "9.bin").stat().st_mtime_ns
    write_layout(out, target)
    for path in layout.rglob("*.bin"):
        assert path.read_bytes() == (target / path.relative_to(layout)).read_bytes()
    assert (target / "train" / "3" / "0" / "mfcc20" / "9.bin").stat().st_mtime_ns == kept
    (target / CLIPS).write_text((target / CLIPS).read_text().replace("clip0", "other"))
    assert run(prepare.main, ["--out", str(out), "--davs_layout", str(target)]) == 2
    said = capsys.readouterr().err
    assert "holds files that were not written of these clips" in said and len(said.strip().splitlines()) == 1


@pytest.mark.parametrize("changed", ["source", "settings", "nothing", "old table"])
def test_clips_that_were_prepared_anew_are_written_anew(clips, tmp_path, changed):
    folder, target = tmp_path / "c", tmp_path / "layout"
    shutil.copytree(clips, folder)
    write_layout(folder, target)
    picture, other = (target / "train/1" / name / "align_face256/3.jpg" for name in "01")
    for path in (picture, other):
        path.write_bytes(b"old")
    if changed == "source":
        manifest = folder / "manifest.jsonl"
        rows = [json.loads(line) for line in manifest.read_text().splitlines()]
        rows[0]["source_hash"] = "another"
        manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif changed == "settings":
        settings = json.loads((folder / "corpus.json").read_text())
        settings["settings"]["raw_crops"] = True
        (folder / "corpus.json").write_text(json.dumps(settings))
    elif changed == "old table":
        lines = (target / CLIPS).read_text().splitlines()
        (target / CLIPS).write_text("".join(line.rpartition("\t")[0] + "\n" for line in lines))
        assert [one.made_of for one in read_clips(target)] == [""] * 6
    write_layout(folder, target)
    kept = [path.read_bytes() == b"old" for path in (picture, other)]
    assert kept == {"source": [False, True], "settings": [False] * 2, "nothing": [True] * 2, "old table": [False] * 2}[changed]
    assert len({one.made_of for one in read_clips(target)}) == (2 if changed == "source" else 1)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A corpus of six clips of noise whose crops are said to be those of DAVS, in all four splits."""
    folder = as_davs(make_corpus(tmp_path_factory.mktemp("noise") / "c", size=32))
    for row in PreparedCorpus.open_folder(folder).rows:
        write_side(folder, KIND, row.id, {"word_times": np.array([[0.6, 0.8], [0.0, 0.2]])}, {}, {"words": ["blue", "bin"]})
    return folder


def test_splits_and_numbers(clips, tmp_path):
    told = write_layout(clips, tmp_path / "layout")
    assert "6 words (test 2, train 3, val 1) of 2 classes; 6 without room" in told[0]
    assert "crops of 32 pixels were brought to 256" in told[1]
    assert sorted(path.relative_to(tmp_path / "layout").as_posix() for path in (tmp_path / "layout").glob("*/*/*")) == [
        "test/1/0", "test/1/1", "train/1/0", "train/1/1", "train/1/2", "val/1/0"]  # fmt: skip
    clips_of = {clip.id: clip for clip in list_clips("davs", tmp_path / "layout")}
    assert {clip.split for clip in clips_of.values()} == {"train", "val", "test"}
    assert {clip.speaker for clip in clips_of.values()} == {"s1", "s2"}
    assert {clip.word for clip in clips_of.values()} == {"blue"}


def test_damaged_examples_are_left_out_by_reason(made):
    rows = read_manifest(made[2])
    for number, (kind, reason) in enumerate(DAMAGES.items()):
        assert reason in rows[f"val/1/{number}"].error, kind
    reasons = json.loads((made[2] / "report.json").read_text())["reasons"]
    assert reasons["the window of MFCC holds values that are no coefficients"] == 2 and len(reasons) == 7


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("at\nbin\n\nblue\n", "line 3: is empty"),
        ("at\nbin\nat\n", "line 3: 'at' stands in it twice"),
        ("at\nbin\n", "names 2 words, and there is a folder of class 10"),
    ],
)
def test_a_list_of_words_that_does_not_fit_is_refused(tmp_path, capsys, words, told):
    (tmp_path / "train" / "10" / "0" / "align_face256").mkdir(parents=True)
    (tmp_path / WORDS).write_text(words)
    assert run(prepare.main, ["--corpus", "davs", "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "words.txt" in said and told in said and len(said.strip().splitlines()) == 1


def test_without_a_list_words_are_the_numbers_of_their_folders(tmp_path):
    for name in ("train/2/0", "train/10/0", "val/0/7", "train/x/0", "other/1/0"):
        (tmp_path / name / "align_face256").mkdir(parents=True)
    clips = list_clips("davs", tmp_path)
    assert [(clip.id, clip.word, clip.speaker) for clip in clips] == [
        ("train/10/0", "10", "train/10/0"), ("train/2/0", "2", "train/2/0"), ("val/0/7", "0", "val/0/7")]  # fmt: skip
    begin_vocabulary(tmp_path, davs_words(tmp_path))
    assert read_vocabulary(tmp_path) == tuple(str(number) for number in range(11)), "each class keeps its number"
    (tmp_path / WORDS).write_text("".join(f"word{number}\n" for number in range(11)))
    with pytest.raises(InputError, match="vocabulary.json: class 0 is '0', and 'word0' in the corpus"):
        begin_vocabulary(tmp_path, davs_words(tmp_path))
    (tmp_path / WORDS).write_text("".join(f"{number}\n" for number in range(13)))
    begin_vocabulary(tmp_path, davs_words(tmp_path))
    assert len(read_vocabulary(tmp_path)) == 13


def test_a_table_of_clips_that_is_none_is_refused(tmp_path):
    write_lists(tmp_path, ("a",), [])
    assert read_clips(tmp_path) == []
    (tmp_path / CLIPS).write_text((tmp_path / CLIPS).read_text() + "train/0/0\ts1\tx\tsoon\tabc\n")
    with pytest.raises(InputError, match="clips.tsv: line 2 is no row"):
        read_clips(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--corpus", "davs", "--root", "ROOT", "--crop", "aligned"], "--crop aligned: a corpus in the layout of DAVS"),
        (["--corpus", "davs", "--root", "ROOT", "--fps", "30"], "--fps 30: a corpus in the layout of DAVS"),
        (["--corpus", "davs", "--root", "ROOT", "--speech_features"], "--speech_features: needs a sound"),
        (["--corpus", "davs", "--root", "ROOT", "--raw_crops"], "--raw_crops: the faces of a corpus in the layout of DAVS are"),
        (["--corpus", "davs", "--root", "ROOT", "--unseen_speakers", "s1"], "leave --unseen_speakers out"),
        (["--corpus", "grid", "--root", "ROOT", "--davs_layout", "DIR"], "--davs_layout writes clips that are prepared"),
        (["--davs_layout", "DIR"], "holds aligned crops; .*--crop davs"),
    ],
)
def test_arguments_that_go_not_together_are_refused(made, tmp_path, capsys, arguments, told):
    import re

    out = make_corpus(tmp_path / "out", clips=1, size=32)
    given = [{"ROOT": str(made[1]), "DIR": str(tmp_path / "d")}.get(one, one) for one in arguments]
    assert run(prepare.main, ["--out", str(out), *given]) == 2
    said = capsys.readouterr().err
    assert re.search(told, said) and len(said.strip().splitlines()) == 1


def test_what_was_read_back_is_not_written_nor_heard(made, tmp_path, capsys):
    for arguments in (["--davs_layout", str(tmp_path / "d")], ["--measure_av_offset"], ["--speech_features"]):
        assert run(prepare.main, ["--out", str(made[2]), *arguments]) == 2
        assert "no sound" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["words", "fps"])
def test_a_corpus_that_cannot_be_written_says_why(tmp_path, clips, setting):
    folder = tmp_path / "c"
    shutil.copytree(clips, folder)
    if setting == "words":
        (folder / "vocabulary.json").unlink()
    else:
        settings = json.loads((folder / "corpus.json").read_text())
        settings["settings"]["fps"] = 30
        (folder / "corpus.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match={"words": "hold no words; run prepare.py", "fps": "--fps 25"}[setting]):
        write_layout(folder, tmp_path / "d")
    assert not (tmp_path / "d").exists()

"""Words as side files: GRID's times, LRW's labels, reasons counted, faces left alone, classes of frames."""

import json

import numpy as np
import pytest

import prepare
from common.cli import run
from common.errors import InputError
from datasets.clip_files import clip_path, read_side, side_path
from datasets.corpora import GRID_WORDS, list_clips
from datasets.corpora.clips import ClipSource
from datasets.prepared import ClipRow, PreparedCorpus, manifest_path, read_manifest
from datasets.preparing.side import SideKind, add_side
from datasets.preparing.words import add_words, labelled_times
from datasets.windows import WindowDataset
from datasets.words import NO_WORD, frame_words, read_vocabulary, vocabulary_path
from tests.fields_kit import whole
from tests.prepared_kit import make_corpus

TIMES = ((0, 5, "sil"), (5, 10, "bin"), (10, 15, "blue"), (15, 17, "at"), (17, 20, "f"), (20, 25, "two"), (25, 30, "now"),
         (30, 40, "sil"))  # fmt: skip
ALIGN = "".join(f"{start}000 {end}000 {word}\n" for start, end, word in TIMES)  # 1000 units of GRID are a frame
SPOKEN = ["at", "bin", "blue", "f", "now", "two"]


@pytest.fixture
def folder(tmp_path):
    """Six clips of 1.6 s, all of training but two."""
    return make_corpus(tmp_path / "corpus", size=32, words=False, splits=("train",) * 4 + ("val", "test"))


@pytest.fixture
def clips(folder, tmp_path):
    """ClipSources: clips 0 to 2 have GRID's times, 3 has none, 4 a broken file, 5 times that lie outside."""
    texts = {0: ALIGN, 1: ALIGN, 2: "0 40000 bin\n", 4: "0 x bin\n", 5: "90000 95000 bin\n"}
    sources = []
    for row in PreparedCorpus.open_folder(folder).rows:
        number = int(row.id[-1])
        path = tmp_path / f"{number}.align"
        if number in texts:
            path.write_text(texts[number])
        sources.append(ClipSource(row.id, tmp_path / "x.mpg", row.speaker, align=path if number in texts else None))
    return sources


def by_number(folder):
    return {int(row.id[-1]): row for row in read_manifest(folder).values()}


def test_words_are_stored_once_and_reasons_counted(folder, clips, capsys):
    faces = {path: path.stat().st_mtime_ns for path in (folder / "clips").rglob("*.safetensors")}
    add_words(clips, folder)
    said = capsys.readouterr().out
    assert "words: 6 clips, 0 done before, 6 to do" in said and "words: 3 given; 3 clips without" in said
    assert "1 x the corpus gives no times of words for it" in said and "1 x line N: ... is no time" in said
    assert "1 x does not belong to this sound" in said
    assert "vocabulary: 6 words" in said and list(read_vocabulary(folder)) == SPOKEN
    rows = by_number(folder)
    assert rows[0].side == {"words": {"from": "given"}} and "4.align" in rows[4].side["words"]["error"]
    assert read_side(folder, "words", rows[0].id)[1]["words"] == ["bin", "blue", "at", "f", "two", "now"]
    assert faces == {path: path.stat().st_mtime_ns for path in faces}
    written = {path: path.stat().st_mtime_ns for path in (folder / "words").rglob("*.safetensors")}
    add_words(clips, folder)
    assert "6 done before, 0 to do" in capsys.readouterr().out
    assert written == {path: path.stat().st_mtime_ns for path in written} and len(written) == 3
    clips[-1].align.write_text("0 40000 again\n")
    add_words(clips, folder, retry_failed=True)
    assert list(read_vocabulary(folder)) == [*SPOKEN, "again"], "classes keep their numbers"


def test_a_changed_file_and_a_clip_cut_anew_are_read_again(folder, clips, tmp_path):
    add_words(clips, folder, workers=2)
    (tmp_path / "0.align").write_text("0 40000 set\n")
    add_words(clips, folder)
    assert read_side(folder, "words", by_number(folder)[0].id)[1]["words"] == ["set"]
    rows = [json.loads(line) for line in manifest_path(folder).read_text().splitlines()]
    anew = next(row for row in rows if row["id"].endswith("clip1"))
    anew |= {"side": {}, "offset": 0.4}
    with open(manifest_path(folder), "a") as manifest:
        manifest.write(json.dumps(anew) + "\n")
    add_words(clips, folder)
    row = by_number(folder)[1]
    assert row.side == {"words": {"from": "given"}}
    times, _ = read_side(folder, "words", row.id)
    np.testing.assert_allclose(times["word_times"][0], [0, 0], atol=0.2), "the clip begins 0.4 s later"
    assert times["word_times"][-1][1] == pytest.approx(30000 / 25000 - 0.4)


def test_classes_of_frames_are_those_of_their_middles(folder, clips):
    add_words(clips, folder)
    corpus, numbers = PreparedCorpus.open_folder(folder), {word: at for at, word in enumerate(read_vocabulary(folder))}
    classes = frame_words(folder, by_number(folder)[0], numbers)
    wanted = np.full(40, NO_WORD)
    for start, end, word in TIMES[1:-1]:
        wanted[start:end] = numbers[word]
    np.testing.assert_array_equal(classes, wanted)
    data = WindowDataset(corpus, "train", 5, ("word", "clip", "frame"))
    assert data.vocabulary == tuple(SPOKEN) and data.without == {"words": 1} and len(data.rows) == 3
    for index in range(12):
        item = whole(data, index)
        row, start = data.rows[int(item["clip"])], int(item["frame"])
        np.testing.assert_array_equal(item["word"], frame_words(folder, row, numbers)[start : start + 5])
        assert item["word"].dtype == np.int64
    assert WindowDataset(corpus, "train", 5, ("face",)).without == {}


def test_a_corpus_without_words_says_what_to_do(folder, clips):
    corpus = PreparedCorpus.open_folder(folder)
    with pytest.raises(InputError, match="hold no words; run prepare.py on it again with --words"):
        WindowDataset(corpus, "train", 5, ("word",))
    add_words(clips, folder)
    corpus = PreparedCorpus.open_folder(folder)
    vocabulary_path(folder).write_text('{"words": ["bin"]}')
    data = WindowDataset(corpus, "train", 5, ("word",))
    with pytest.raises(InputError, match="vocabulary.json: lacks .*--words"):
        [data[index] for index in range(9)]
    vocabulary_path(folder).write_text('{"words": ["bin", "bin"]}')
    with pytest.raises(InputError, match="vocabulary.json: is no vocabulary"):
        WindowDataset(corpus, "train", 5, ("word",))


def test_the_grammar_of_grid_has_51_words_and_silences_are_none(folder, tmp_path):
    letters = set("abcdefghijklmnopqrstuvxyz")  # GRID has no w
    words = sorted({word for place in GRID_WORDS if place for word in place.values()} | letters)
    lines = ["0 2000 sil\n"]
    for number, word in enumerate(words):
        start = 2000 + 700 * number
        lines.append(f"{start} {start + 650} {word}\n{start + 650} {start + 700} sp\n")
    path = tmp_path / "all.align"
    path.write_text("".join(lines) + "39000 40000 sil\n")
    row = PreparedCorpus.open_folder(folder).rows[0]
    add_words([ClipSource(row.id, tmp_path / "x.mpg", row.speaker, align=path)], folder)
    assert len(words) == 51 and list(read_vocabulary(folder)) == words


def test_every_frame_of_a_clip_of_lrw_has_its_label(tmp_path, folder):
    for row in PreparedCorpus.open_folder(folder).rows:
        path = tmp_path / "LRW" / "lipread_mp4" / "ABOUT" / "train" / f"ABOUT_0000{row.id[-1]}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    sources = list_clips("lrw", tmp_path / "LRW")
    assert {source.word for source in sources} == {"about"}
    rows = [json.loads(line) for line in manifest_path(folder).read_text().splitlines()]
    for row in rows:
        named = f"ABOUT/train/ABOUT_0000{row['id'][-1]}"
        target = clip_path(folder, named)
        target.parent.mkdir(parents=True, exist_ok=True)
        clip_path(folder, row["id"]).rename(target)
        row["id"] = named
    manifest_path(folder).write_text("".join(json.dumps(row) + "\n" for row in rows))
    add_words(sources, folder)
    assert read_vocabulary(folder) == ("about",)
    assert {row.side["words"]["from"] for row in read_manifest(folder).values()} == {"label"}
    item = whole(WindowDataset(PreparedCorpus.open_folder(folder), "train", 5, ("word",)), 0)
    assert (item["word"] == 0).all()


@pytest.mark.parametrize(("offset", "sound", "frames", "middle"), [
    (0.0, None, 29, 0.58), (0.4, None, 19, 0.18), (0.0, None, 16, 0.58), (0.2, 0.28, 20, 0.3),
])  # fmt: skip
def test_the_word_of_lrw_is_in_the_middle_of_the_source_not_of_what_was_kept(offset, sound, frames, middle):
    row = ClipRow("x", "x", "train", frames=frames, seconds=frames / 25, offset=offset, sound_offset=sound)
    ((start, end),) = labelled_times(row)
    assert (start + end) / 2 == pytest.approx(middle) and start <= 1e-9 and end >= row.seconds - 1e-9


@pytest.mark.parametrize(("offset", "frames"), [(0.6, 14), (0.0, 12)])
def test_a_clip_that_lost_the_middle_of_its_source_has_no_word(offset, frames):
    with pytest.raises(InputError, match="the word, in the middle of the source, is not in the part that was kept"):
        labelled_times(ClipRow("x", "x", "train", frames=frames, seconds=frames / 25, offset=offset))


def test_prepare_stores_words_of_a_corpus_that_is_prepared_already(tmp_path, capsys):
    from tests.synthetic import make_talking_head

    root, out = tmp_path / "grid", tmp_path / "out"
    (root / "s1" / "video").mkdir(parents=True)
    (root / "s1" / "align").mkdir()
    make_talking_head(root / "s1" / "video" / "bbaf2n.mp4", 1.6, seed=3)
    (root / "s1" / "align" / "bbaf2n.align").write_text(ALIGN)
    arguments = ["--corpus", "grid", "--root", str(root), "--out", str(out), "--workers", "1", "--align", "none"]
    assert run(prepare.main, arguments) == 0
    cut = clip_path(out, "s1/bbaf2n").stat().st_mtime_ns
    assert run(prepare.main, [*arguments, "--words"]) == 0
    assert "words: 1 given; 0 clips without" in capsys.readouterr().out
    assert clip_path(out, "s1/bbaf2n").stat().st_mtime_ns == cut
    assert json.loads((out / "report.json").read_text())["side"] == {"words": {"from": {"given": 1}, "missing": {}}}
    assert run(prepare.main, ["--out", str(out), "--words"]) == 2
    assert "--corpus" in capsys.readouterr().err


def make_levels(row, source, folder):
    """A kind of side files that a method of its own might want: the mean brightness of each frame."""
    if row.id.endswith("0"):
        raise InputError("too dark")
    faces = PreparedCorpus.open_folder(folder).open(row)["face"]
    return {"level": faces.mean((1, 2, 3)).astype(np.float32)}, {"unit": "grey"}, "faces"


def levels_parameters(row, source):
    return {"version": 1, "frames": row.frames}


@pytest.mark.parametrize("workers", [1, 2])
def test_another_kind_of_side_files_is_one_function(folder, clips, capsys, workers):
    add_side(SideKind("levels", make_levels, levels_parameters), clips, folder, workers)
    assert "levels: 5 faces; 1 clips without" in capsys.readouterr().out
    rows = by_number(folder)
    assert rows[0].side["levels"]["error"] == "too dark" and not side_path(folder, "levels", rows[0].id).exists()
    arrays, notes = read_side(folder, "levels", rows[3].id)
    assert arrays["level"].shape == (40,) and notes["unit"] == "grey"

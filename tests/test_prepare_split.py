"""The split of a corpus: small ones validate, too, and it changes without cutting faces anew."""

import json
import os

import pytest

import prepare
from common.cli import EXIT_INTERRUPTED, run
from common.folder_lock import FolderLock
from datasets.corpora import ClipSource, assign_split, validation_from_training
from datasets.prepared import read_manifest
from datasets.preparing import settings as settings_module
from datasets.preparing import split as split_module
from datasets.preparing.settings import PrepareSettings
from datasets.preparing.split import _read_list, command, ensure_validation
from tests.prepared_kit import make_corpus


@pytest.fixture
def corpus(tmp_path):
    """Six prepared clips of two speakers, none of which validates."""
    return make_corpus(tmp_path / "corpus", frames=4, size=32, splits=("train", "train", "test"))


def splits_of(folder):
    return {name: row.split for name, row in read_manifest(folder).items()}


def split(folder, *arguments):
    return run(prepare.main, ["--out", str(folder), "--split", *arguments])


def test_a_small_corpus_gets_clips_to_validate_and_never_all_of_them(corpus):
    clips = [ClipSource(name, corpus / name, row.speaker) for name, row in read_manifest(corpus).items()]
    before = splits_of(corpus)
    (line,) = ensure_validation(corpus, clips, PrepareSettings())
    after = splits_of(corpus)
    moved = [name for name in after if after[name] != before[name]]
    assert len(moved) == 1 and before[moved[0]] == "train" and after[moved[0]] == "val" and moved[0] in line
    assert ensure_validation(corpus, clips, PrepareSettings()) == [] and splits_of(corpus) == after
    names = [f"a/{number}" for number in range(100)]
    assert len(validation_from_training(names, 0.05)) == 5 and validation_from_training(names, 0.0) == set()
    assert len(validation_from_training(names[:2], 0.9)) == 1 and validation_from_training(names[:1], 0.9) == set()


def test_clips_that_the_corpus_itself_placed_stay_and_the_command_is_said(corpus):
    clips = [ClipSource(name, corpus / name, row.speaker, split="train") for name, row in read_manifest(corpus).items()]
    before = splits_of(corpus)
    (line,) = ensure_validation(corpus, clips, PrepareSettings())
    assert splits_of(corpus) == before and f"prepare.py --out {corpus} --split shares --val_share" in line


def test_shares_speakers_and_seeds_place_clips_anew_and_nothing_else_changes(corpus, capsys):
    files = {path: path.read_bytes() for path in corpus.rglob("*.safetensors")}
    rows = {name: {**vars(row), "split": ""} for name, row in read_manifest(corpus).items()}
    assert split(corpus, "shares", "--val_speakers", "s2", "--test_share", "0", "--val_share", "0") == 0
    assert splits_of(corpus) == {name: "val" if name.startswith("s2/") else "train" for name in rows}
    assert "moved" in capsys.readouterr().out and json.loads((corpus / "report.json").read_text())["splits"] == {
        "train": 3, "val": 3}  # fmt: skip
    assert split(corpus, "shares", "--val_speakers", "none", "--unseen_speakers", "s1", "--val_share", "0.3") == 0
    found = splits_of(corpus)
    assert {found[name] for name in found if name.startswith("s1/")} == {"unseen"} and "val" in found.values()
    stored = json.loads((corpus / "corpus.json").read_text())["settings"]
    assert (stored["unseen_speakers"], stored["val_speakers"], stored["val_share"]) == (["s1"], [], 0.3)
    capsys.readouterr()
    assert split(corpus, "shares", "--val_share", "0") == 0
    assert f"no clip is for validation now; to get some:  {command(corpus)}" in capsys.readouterr().out
    assert split(corpus, "shares", "--unseen_speakers", "none", "--val_share", "0.5", "--split_seed", "7") == 0
    assert splits_of(corpus) == {name: assign_split(name, name[:2], val_share=0.5, test_share=0, seed=7) for name in rows}
    assert split(corpus, "shares", "--test_share", "0.6") == 2  # with the half that validates
    assert "--val_share 0.5 and --test_share 0.6 leave nothing to train" in capsys.readouterr().err
    assert files == {path: path.read_bytes() for path in corpus.rglob("*.safetensors")}
    assert rows == {name: {**vars(row), "split": ""} for name, row in read_manifest(corpus).items()}


def test_a_list_places_clips_and_folders_of_them(corpus, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("\ufeffid split\ns1/ val\ns1/clip0\tunseen  # whole folders first\ns2/clip1,test\n", encoding="utf-8")
    assert split(corpus, str(listed)) == 0
    assert splits_of(corpus) == {"s1/clip0": "unseen", "s2/clip1": "test", "s1/clip2": "val", "s2/clip3": "train",
                                 "s1/clip4": "val", "s2/clip5": "train"}  # fmt: skip


def test_a_list_names_any_id(tmp_path):
    """The split is taken off the end of a line; commas, blanks and `#` of the id stay."""
    ids = ["Smith, John/take one", "take#1", "take #1", "a  b", "c;d", 'e"f"', "#1/x", '"g"', "val/test"]
    quoted = [f'"{name.replace(chr(34), 2 * chr(34))}"' if name[0] in '#"' else name for name in ids]
    for separator in (" ", ",", "\t", "; "):
        ends = ["", "  # a note", " ", ",", *[""] * 5]
        lines = [f"{name}{separator}val{end}" for name, end in zip(quoted, ends, strict=True)]
        (tmp_path / "list").write_text("\n".join(["# all of them", "id,split", *lines, "  # end"]), encoding="utf-8")
        assert _read_list(tmp_path / "list") == [(number, name, "val") for number, name in enumerate(ids, 3)]


@pytest.mark.parametrize(("arguments", "words"), [
    (["nowhere.txt"], ["nowhere.txt: no such file", "--split"]),
    (["shares", "--val_speakers", "s7"], ["--val_speakers", "s7"]),
    (["shares", "--unseen_speakers", "published"], ["--unseen_speakers published", "name the speakers"]),
    (["shares", "--val_share", "2"], ["--val_share"]),
    (["shares", "--val_share", "0.97"], ["--val_share", "sum below 1"]),
    (["shares", "--size", "64"], ["--size", "leave it out"]),
    (["LIST", "--val_share", "0.2"], ["--val_share", "--split shares"]),
    (["LIST"], ["line 2", "'s1/clip9'", "did you mean s1/clip"]),
    (["BAD"], ["line 1", "'validation'", "train, val, test, unseen"]),
    (["EMPTY"], ["names no clip"]),
    (["ALONE"], ["line 1", "'s1/clip0' names no split", "train, val, test, unseen"]),
])  # fmt: skip
def test_a_split_that_cannot_be_is_refused_and_the_manifest_stays(corpus, tmp_path, capsys, arguments, words):
    for name, text in (("LIST", "s1/clip0 val\ns1/clip9 val\n"), ("BAD", "s1/clip0 validation\n"), ("EMPTY", "# nothing\n"),
                       ("ALONE", "s1/clip0\n")):  # fmt: skip
        (tmp_path / name).write_text(text)
    before = (corpus / "manifest.jsonl").read_bytes(), (corpus / "corpus.json").read_bytes()
    given = [str(tmp_path / one) if (tmp_path / one).is_file() else one for one in arguments]
    assert split(corpus, *given) == 2
    told = capsys.readouterr().err
    assert all(word in told for word in words) and len(told.splitlines()) == 1, told
    assert before == ((corpus / "manifest.jsonl").read_bytes(), (corpus / "corpus.json").read_bytes())
    assert run(prepare.main, ["--out", str(corpus), "--corpus", "folder", "--root", str(tmp_path), "--split", "shares"]) == 2


def test_two_programs_do_not_write_one_corpus_at_a_time(corpus, capsys):
    before = splits_of(corpus)
    with FolderLock(corpus, prepare.LOCK):
        assert split(corpus, "shares", "--val_share", "0.9") == 2
        assert f"{corpus}: is in use by process {os.getpid()}" in capsys.readouterr().err and splits_of(corpus) == before
    assert split(corpus, "shares", "--val_share", "0.9") == 0 and splits_of(corpus) != before


def test_nothing_is_read_or_written_before_the_lock(corpus, tmp_path, monkeypatch):
    """A second program begins no corpus while the first one holds the folder, and reads what the first one left."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"listed, never opened")
    arguments = ["--corpus", "folder", "--root", str(tmp_path / "videos"), "--out", str(tmp_path / "new"), "--av_judge", "mel"]
    with FolderLock(tmp_path / "new", prepare.LOCK):
        assert run(prepare.main, arguments) == 2
        assert [path.name for path in (tmp_path / "new").iterdir()] == [prepare.LOCK]
    *first, last = (corpus / "manifest.jsonl").read_text().splitlines(keepends=True)
    (corpus / "manifest.jsonl").write_text("".join(first))

    class OneMoreClip(FolderLock):
        def __enter__(self):
            with open(corpus / "manifest.jsonl", "a", encoding="utf-8") as file:
                file.write(last)
            return super().__enter__()

    monkeypatch.setattr(prepare, "FolderLock", OneMoreClip)
    assert run(prepare.main, ["--out", str(corpus), "--texture", "--clusters", "16", "--workers", "1"]) == 0
    assert len(list((corpus / "texture-16-10").rglob("*.safetensors"))) == len(first) + 1
    assert run(prepare.main, ["--out", str(tmp_path / "nothing"), "--texture"]) == 2 and not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("written", [1, 2])
def test_an_end_within_a_split_leaves_the_old_one_or_the_new_one(corpus, monkeypatch, written):
    """The end comes when the rule is written, or the manifest, too; the next run puts rule and manifest in step."""
    old, rule = splits_of(corpus), {"val_share": 0.5, "test_share": 0.0, "split_seed": 7}
    count, inner = [0], split_module.atomic_output

    def ending(path):
        count[0] += 1
        if count[0] > written:
            raise KeyboardInterrupt
        return inner(path)

    monkeypatch.setattr(split_module, "atomic_output", ending)
    monkeypatch.setattr(settings_module, "atomic_output", ending)
    flags = [str(part) for key, value in rule.items() for part in (f"--{key}", value)]
    assert split(corpus, "shares", *flags) == EXIT_INTERRUPTED
    monkeypatch.undo()
    new = {name: assign_split(name, name[:2], val_share=0.5, test_share=0, seed=7) for name in old}
    assert splits_of(corpus) == (old if written == 1 else new) and old != new
    assert run(prepare.main, ["--out", str(corpus), "--texture"]) == 0
    stored = json.loads((corpus / "corpus.json").read_text())
    found = {key: stored["settings"][key] for key in rule}
    assert found == ({"val_share": 0.05, "test_share": 0.05, "split_seed": 0} if written == 1 else rule)
    assert set(stored) == {"format", "settings"} and splits_of(corpus) == (old if written == 1 else new)


def test_another_share_for_further_clips_names_the_command(corpus, tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"listed, never opened")
    arguments = ["--corpus", "folder", "--root", str(tmp_path / "videos"), "--out", str(corpus), "--size", "32"]
    assert run(prepare.main, [*arguments, "--av_judge", "mel", "--val_share", "0.3"]) == 2
    assert f"prepare.py --out {corpus} --split shares --val_share ..." in capsys.readouterr().err

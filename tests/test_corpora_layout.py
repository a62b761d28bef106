"""What is said of a folder that does not fit, and which speakers are held out."""

import pytest

import prepare
from common.cli import run
from common.errors import InputError
from datasets.corpora import CORPORA, UNSEEN, ClipSource, assign_split, list_clips, unseen_speakers
from datasets.corpora.splits import GRID_TEST_SPEAKERS

MINIATURES = {
    "grid": ("s1/video/bbaf2n.mpg",),
    "lrs2": ("main/553/00001.mp4", "pretrain/553/00001.mp4"),
    "lrw": ("lipread_mp4/ABOUT/train/ABOUT_00001.mp4",),
    "tcd_timit": ("volunteers/01M/Clips/straightcam/sa1.mp4",),
    "davs": ("train/0/0/align_face256/2.jpg",),
    "au": ("28/0/align_face/0.jpg",),
    "folder": ("deep/down/below/here/a.mp4",),
}


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def refused(corpus, root):
    with pytest.raises(InputError) as error:
        list_clips(corpus, root)
    return str(error.value)


@pytest.mark.parametrize("other", MINIATURES)
@pytest.mark.parametrize("corpus", MINIATURES)
def test_a_corpus_read_as_another_is_recognised(tmp_path, corpus, other):
    root = touch(tmp_path, *MINIATURES[other])
    if corpus == other or (corpus == "folder" and other not in ("davs", "au")):
        assert len(list_clips(corpus, root)) == len(MINIATURES[other])
        return
    message = refused(corpus, root)
    assert message.startswith(f"{root}: no video found where {corpus} has them, that is ")
    wanted = "--corpus folder takes videos" if other == "folder" else f"looks like {other}: use --corpus {other}"
    assert message.endswith(wanted) or wanted in message.rpartition("; ")[2]


def test_every_corpus_has_a_miniature():
    assert set(MINIATURES) == set(CORPORA)


def test_flat_grid_is_not_taken_for_lrs2(tmp_path):
    root = touch(tmp_path, "s1/bbaf2n.mpg", "s2/lwae8n.mpg")
    assert "looks like grid: use --corpus grid" in refused("lrs2", root)
    assert len(list_clips("lrs2", touch(tmp_path / "other", "553/00001.mp4"))) == 1


@pytest.mark.parametrize(("files", "message"), [
    ((), "found nothing, it is empty"),
    (("s1.mpg_vcd.zip", "s2.mpg_vcd.zip"), "archives that are not unpacked, such as s1.mpg_vcd.zip"),
    (("s1/video/s1.mpg_6000.part1.tar",), "archives that are not unpacked, such as s1/video/s1.mpg_6000.part1.tar"),
    (("lrs2_v1_partaa", "lrs2_v1_partab"), "archives that are not unpacked, such as lrs2_v1_partaa"),
    (("s1/bbaf2n.wav", "s1/lwae8n.wav"), "found s1/ (no video); sound without picture, such as s1/bbaf2n.wav"),
    (("x/a.mp4", "x/y/b.mp4", "z/c.mp4", "notes.txt"), "found x/ (2 videos), z/ (1 video), notes.txt; --corpus folder takes"),
    (tuple(f"d{n}/a.txt" for n in range(9)), "d5/ (no video), 3 more"),
])  # fmt: skip
def test_what_is_found_is_told(tmp_path, files, message):
    assert message in refused("grid", touch(tmp_path, *files))


def test_a_root_one_folder_too_high_or_too_low_is_told(tmp_path):
    touch(tmp_path / "corpora" / "grid", *MINIATURES["grid"])
    assert refused("grid", tmp_path / "corpora").endswith(f"use --root {tmp_path / 'corpora' / 'grid'}")
    assert refused("grid", tmp_path / "corpora" / "grid" / "s1").endswith(f"use --root {tmp_path / 'corpora' / 'grid'}")


@pytest.mark.parametrize(("files", "told"), [
    (("lipread_mp4/train/ABOUT_00001.mp4",), "no video found where lrw has them"),
    (("ABOUT_00001.mp4",), "no video found where lrw has them"),
    (("clips/train/ABOUT_00001.mp4", "clips/val/BELOW_00001.mp4"), "does not lie below its word"),
])  # fmt: skip
def test_clips_of_lrw_without_labels_are_refused_in_one_line(tmp_path, capsys, files, told):
    touch(tmp_path / "lrw", *files)
    arguments = ["--corpus", "lrw", "--root", str(tmp_path / "lrw"), "--out", str(tmp_path / "out"), "--words"]
    assert run(prepare.main, arguments) == 2
    said = capsys.readouterr().err
    assert told in said and "lipread_mp4/ABOUT/train/ABOUT_00001.mp4" in said and len(said.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_root_that_is_a_file_or_not_there_is_refused(tmp_path):
    touch(tmp_path, "file")
    for name in ("file", "absent"):
        assert f"{name}: no such folder (root of the lrw corpus)" in refused("lrw", tmp_path / name)
    assert "choose one of grid, lrs2, lrw, tcd_timit, davs, au, folder" in refused("lrs5", tmp_path)


def test_what_cannot_be_read_beside_the_root_does_not_replace_the_reason(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    root = touch(tmp_path / "root", "a.mp4")
    assert refused("lrw", root).startswith(f"{root}: no video found where lrw has them")


def clips_of(*speakers, split=None):
    return [ClipSource(f"{speaker}/{n}", None, speaker, split=split) for speaker in speakers for n in range(3)]


def test_published_speakers_are_the_same_whoever_is_there():
    some, all_of_them = clips_of("s1", "s22"), clips_of(*(f"s{number}" for number in range(1, 35) if number != 21))
    assert unseen_speakers("grid", "published", some) == unseen_speakers("grid", "default", all_of_them) == GRID_TEST_SPEAKERS
    chosen = unseen_speakers("grid", "published", some)
    splits = {clip.speaker: assign_split(clip.id, clip.speaker, unseen_speakers=chosen) for clip in all_of_them}
    assert {speaker for speaker, split in splits.items() if split == "unseen"} == set(GRID_TEST_SPEAKERS)
    timit = unseen_speakers("tcd_timit", "published", clips_of("01M", "49F", "50F", "59F", "Lipspkr1"))
    assert {"50F", "50M", "59F"} < set(timit) and {name[:2] for name in timit} == {str(n) for n in range(50, 60)}
    assert timit == tuple(sorted(UNSEEN["tcd_timit"])) and not {"01M", "49F"} & set(timit)


def test_named_speakers_are_taken_as_they_are():
    clips = clips_of("s1", "s2", "s22")
    assert unseen_speakers("grid", "s22, s1,,s22", clips) == unseen_speakers("grid", ["s1", "s22"], clips) == ("s1", "s22")
    for nobody in ("", None, (), []):
        assert unseen_speakers("grid", nobody, clips) == ()
    assert unseen_speakers("folder", "published", clips_of("published", "other")) == ("published",), "a folder of that name"


@pytest.mark.parametrize(("corpus", "given", "clips", "message"), [
    ("grid", "s9", clips_of("s1", "s2"), "no clip of s9 in this grid corpus; its speakers are s1, s2; published stands for"),
    ("grid", "published", clips_of("s1", "s2"), "holds none of s22, s24.*its speakers are s1, s2"),
    ("folder", "published", clips_of("anna"), "no speakers are published for folder, only for grid, tcd_timit"),
    ("lrs2", "553", clips_of("553", split="train"), "lrs2 itself says which clips are for training .* those of 553 too"),
    ("lrw", "ABOUT", clips_of("ABOUT/val/ABOUT_00001", split="val"), "lrw itself says"),
    ("folder", "x", clips_of(*(f"p{n:02}" for n in range(60))), "p39 and 20 more"),
])  # fmt: skip
def test_speakers_that_cannot_be_held_out_are_refused(corpus, given, clips, message):
    with pytest.raises(InputError, match=message):
        unseen_speakers(corpus, given, clips)

"""Readers of corpora on miniatures of empty files, and on the real clips: listing opens no video."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from datasets.corpora import CORPORA, GRID_WORDS, grid_transcript, list_clips
from datasets.corpora.lrs2 import read_list
from datasets.corpora.texts import read_timit
from speech.alignment.given import read_alignment

LRS_TEXT = "Text:  WHEN I WAS YOUNG\nConf:  4\n"
PRETRAIN_TEXT = LRS_TEXT + "\nWORD START END ASDSCORE\nWHEN 0.10 0.30 5.1\nI 0.30 0.40 5.1\nWAS 0.40 0.60 5.1\nYOUNG 0.6 1 5\n"
ALIGN = "0 5000 sil\n5000 70000 bin\n70000 75000 sil\n"


def touch(root, *names, text=""):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def by_id(corpus, root):
    clips = list_clips(corpus, root)
    assert [clip.id for clip in clips] == sorted({clip.id for clip in clips}), "sorted, and each id once"
    assert all("\\" not in clip.id and not clip.id.startswith("/") for clip in clips)
    return {clip.id: clip for clip in clips}


def lines(root, name, *rows):
    return touch(root, name, text="\n".join(rows) + "\n")


@pytest.mark.parametrize("video", ["s1/video/{}", "s1/video/mpg_vcd/{}", "s1/video/mpg_6000/{}", "s1/{}", "video/s1/{}",
                                   "videos/s1/{}", "s1.mpg_vcd/s1/{}", "s1.mpg_6000.part2/s1/video/mpg_6000/{}"])
@pytest.mark.parametrize("align", ["s1/align/{}", "align/s1/{}", "alignments/s1/{}", "aligns/s1/align/{}", "s1/{}"])
def test_grid_as_its_archives_unpack(tmp_path, video, align):
    root = touch(tmp_path, video.format("bbaf2n.mpg"), video.format("swwp2s.mpg"), video.format("._bbaf2n.mpg"), "readme.txt")
    touch(root, align.format("bbaf2n.align"), text=ALIGN)
    clips = by_id("grid", root)
    assert list(clips) == ["s1/bbaf2n", "s1/swwp2s"]
    assert clips["s1/bbaf2n"].speaker == "s1" and clips["s1/bbaf2n"].split is None and clips["s1/bbaf2n"].complete
    assert clips["s1/bbaf2n"].align == root / align.format("bbaf2n.align") and clips["s1/swwp2s"].align is None
    assert clips["s1/swwp2s"].transcript == "set white with p two soon"
    assert [word.label for word in read_alignment(clips["s1/bbaf2n"].align, 3.0).words] == ["", "bin", ""]


def test_grid_takes_one_file_for_a_clip_and_keeps_speakers_apart(tmp_path):
    touch(tmp_path, "s1/video/mpg_6000/bbaf2n.mpg", "s1/video/mpg_vcd/bbaf2n.mpg", "s1/video/mpg_6000/lwae8n.mpg",
          "s2/video/bbaf2n.mpg", "s2/video/bbaf2n.mp4", "anna/video/bbaf2n.mpg", "results/s3/bbaf2n.mp4", "anna/bbaf2n.mpg",
          ".trash/video/bbaf2n.mpg")  # fmt: skip
    clips = by_id("grid", tmp_path)
    assert {name: clip.path.relative_to(tmp_path).as_posix() for name, clip in clips.items()} == {
        "s1/bbaf2n": "s1/video/mpg_vcd/bbaf2n.mpg", "s1/lwae8n": "s1/video/mpg_6000/lwae8n.mpg",
        "s2/bbaf2n": "s2/video/bbaf2n.mp4", "anna/bbaf2n": "anna/video/bbaf2n.mpg"}  # fmt: skip


def test_grid_does_not_believe_exchanged_folders_of_alignments(tmp_path):
    mine = [f"bbaf{digit}{end}" for digit in "z123456789" for end in "anps"]
    other = [f"lwwk{digit}{end}" for digit in "z123456789" for end in "anps"]
    touch(tmp_path, *(f"s5/{name}.mpg" for name in mine), *(f"s6/{name}.mpg" for name in other), f"s7/{mine[0]}.mpg")
    touch(tmp_path, *(f"alignments/s6/{name}.align" for name in mine), f"alignments/s6/{other[0]}.align",
          *(f"alignments/s5/{name}.align" for name in other), *(f"alignments/s7/{name}.align" for name in other))  # fmt: skip
    clips = by_id("grid", tmp_path)
    assert {clip.align.parent.name for clip in clips.values() if clip.speaker == "s5"} == {"s6"}
    assert {clip.align.parent.name for clip in clips.values() if clip.speaker == "s6"} == {"s5"}
    assert clips[f"s7/{mine[0]}"].align is None, "one clip is too few to tell whose folder it is"
    touch(tmp_path, *(f"s5/align/{name}.align" for name in mine[:3]))
    assert by_id("grid", tmp_path)[f"s5/{mine[0]}"].align == tmp_path / f"s5/align/{mine[0]}.align", "his own folder is his"


@given(st.tuples(*(st.sampled_from(sorted(table or "abcdefghijklmnopqrstuvxyz")) for table in GRID_WORDS)))
def test_grid_names_give_six_words_that_begin_with_their_letters(letters):
    words = grid_transcript("".join(letters)).split()
    assert len(words) == 6 and words[3] == letters[3]
    assert all(table is None or table[letter] == word for table, letter, word in zip(GRID_WORDS, letters, words, strict=True))


@given(st.text(max_size=8))
def test_other_names_give_words_only_if_they_are_of_grid(name):
    words = grid_transcript(name).split()
    assert not words or all(word[0] == letter or letter.isdigit() for word, letter in zip(words, name, strict=True))


def lrs2(root, base=""):
    for name in ("main/553/00001", "main/553/00002", "main/554/00001", "main/555/00007", "pretrain/553/00001"):
        touch(root, f"{base}{name}.mp4")
        touch(root, f"{base}{name}.txt", text=PRETRAIN_TEXT if name.startswith("pretrain") else LRS_TEXT)
    lines(root, "train.txt", "553/00001", "")
    lines(root, "val.txt", "554/00001")
    lines(root, "test.txt", "553/00002 NF", "555/00007 MV")
    return lines(root, "pretrain.txt", "553/00001", "554/00001")


@pytest.mark.parametrize("base", ["", "mvlrs_v1/"])
def test_lrs2_reads_main_and_pretrain_without_mixing_them(tmp_path, base, capsys):
    clips = by_id("lrs2", lrs2(tmp_path, base))
    assert {name: clip.split for name, clip in clips.items()} == {
        "553/00001": "train", "553/00002": "test", "554/00001": "val", "555/00007": "test", "pretrain/553/00001": "train"}
    assert clips["553/00001"].path != clips["pretrain/553/00001"].path
    assert clips["553/00001"].speaker == clips["pretrain/553/00001"].speaker == "553"
    assert {clip.transcript for clip in clips.values()} == {"when i was young"}
    assert [clip.align is not None for clip in clips.values()] == [False] * 4 + [True]
    words = read_alignment(clips["pretrain/553/00001"].align, 1.0).words
    assert [word.label for word in words] == ["", "when", "i", "was", "young"]
    assert capsys.readouterr().err == ""


def test_lrs2_may_be_one_of_its_folders(tmp_path):
    root = lrs2(tmp_path)
    main = by_id("lrs2", root / "main")
    assert {clip.split for clip in main.values()} == {"train", "val", "test"}, "the lists above main are found"
    assert list(main) == [name for name in by_id("lrs2", root) if not name.startswith("pretrain/")]
    assert [(clip.id, clip.split) for clip in list_clips("lrs2", root / "pretrain")] == [("pretrain/553/00001", "train")]


def test_lrs2_tells_of_clips_in_no_list_and_gives_them_no_split(tmp_path, capsys):
    root = lrs2(tmp_path)
    (root / "test.txt").unlink()
    clips = by_id("lrs2", root)
    assert clips["553/00002"].split is None and clips["555/00007"].split is None and clips["553/00001"].split == "train"
    warning = capsys.readouterr().err
    assert "2 of 4 clips of main are in no list, such as 553/00002" in warning and "test.txt gave none" in warning
    for name in ("train", "val"):
        (root / f"{name}.txt").unlink()
    assert {clip.split for clip in list_clips("lrs2", root / "main")} == {None} and capsys.readouterr().err == ""


@pytest.mark.parametrize(("name", "row", "message"), [
    ("test.txt", "553/00001 NF", r"test.txt: names 553/00001, which train.txt has, too"),
    ("val.txt", "WHEN I WAS YOUNG", "val.txt: line 1: 'WHEN' is no id"),
    ("train.txt", "../00001", "train.txt: line 1: '../00001' is no id"),
])  # fmt: skip
def test_lrs2_refuses_lists_that_cannot_be(tmp_path, name, row, message):
    with pytest.raises(InputError, match=message):
        list_clips("lrs2", lines(lrs2(tmp_path), name, row))
    (tmp_path / name).write_bytes(b"553/00001\xff\n")
    with pytest.raises(InputError, match=f"{name}: is no UTF-8 text"):
        list_clips("lrs2", tmp_path)


id_parts = st.text("abcdefXYZ0123456789_-", min_size=1, max_size=12)
list_rows = st.tuples(id_parts, id_parts, st.sampled_from(["", " NF", "\tMV", "  NF MV 3"]), st.sampled_from(["", "main/"]),
                      st.sampled_from(["", ".mp4"]))  # fmt: skip


@given(st.lists(list_rows, max_size=12), st.sampled_from(["\n", "\r\n"]), st.sampled_from([b"", b"\xef\xbb\xbf"]))
@settings(deadline=None)
def test_lists_give_first_fields_alone(tmp_path_factory, rows, end, mark):
    path = tmp_path_factory.mktemp("lists") / "test.txt"
    text = end.join(["# a comment", *(f"{before}{a}/{b}{suffix}{more}" for a, b, more, before, suffix in rows), "  "])
    path.write_bytes(mark + text.encode())
    assert read_list(path) == {f"{a}/{b}" for a, b, *_ in rows}


def test_lrw_reads_split_and_word_from_the_folders(tmp_path):
    folders = [f"{word}/{split}/{word}" for word in ("ABOUT", "YOUNG") for split in ("train", "val", "test")]
    names = [f"{folder}_0000{number}" for folder in folders for number in (1, 2)]
    touch(tmp_path / "lipread_mp4", *(f"{name}.mp4" for name in names), "ABOUT/train/.x.mp4", "ABOUT/other/ABOUT_00009.mp4")
    touch(tmp_path / "lipread_mp4", *(f"{name}.txt" for name in names), text="Disk reference: 1\nDuration: 0.53 seconds\n")
    clips = by_id("lrw", tmp_path)
    assert sorted(names) == list(clips), "numbers begin anew in each split, and no two clips collide"
    assert all(clip.split == name.split("/")[1] and clip.speaker == name for name, clip in clips.items())
    assert {clip.transcript for clip in clips.values()} == {"about", "young"}
    assert all(clip.align is None and not clip.complete for clip in clips.values())
    assert by_id("lrw", tmp_path / "lipread_mp4") == clips


@pytest.mark.parametrize("camera", ["Clips/straightcam", "straightcam"])
def test_tcd_timit_reads_the_straight_camera(tmp_path, camera):
    for speaker in ("volunteers/01M", "volunteers/50F", "lipspeakers/Lipspkr1"):
        touch(tmp_path, f"{speaker}/{camera}/sa1.mp4", f"{speaker}/{camera}/sa1.wav", f"{speaker}/Clips/30degcam/sa1.mp4",
              f"{speaker}/{camera}/si7.mp4")  # fmt: skip
        touch(tmp_path, f"{speaker}/{camera}/SA1.txt", text="0 46797 She had  your dark suit.\n")
        touch(tmp_path, f"{speaker}/{camera}/si7.txt", text="Bright sunshine shimmers\non the ocean.\n")
    touch(tmp_path, f"volunteers/01M/{camera}/sa1.lab", text="0 1000000 sil\n1000000 2500000 sh\n2500000 4000000 iy\n")
    touch(tmp_path, "volunteer_labelfiles.mlf", text="#!MLF!#\n")
    touch(tmp_path, f"volunteers/50F/{camera}/sa1.phn", text="0.0 0.35 sil\n0.35 0.41 sh\n")
    clips = by_id("tcd_timit", tmp_path)
    assert list(clips) == ["01M/sa1", "01M/si7", "50F/sa1", "50F/si7", "Lipspkr1/sa1", "Lipspkr1/si7"]
    assert all(clip.path.parent.name == "straightcam" and clip.id.startswith(f"{clip.speaker}/") for clip in clips.values())
    assert clips["50F/sa1"].transcript == "She had your dark suit." and clips["50F/sa1"].split is None
    assert clips["50F/si7"].transcript == "Bright sunshine shimmers on the ocean."
    assert [phone.label for phone in read_alignment(clips["01M/sa1"].align, 0.4).phones] == ["SIL", "SH", "IY"]
    assert clips["50F/sa1"].align is None, "a .phn of another maker has seconds where TIMIT's has samples"
    assert list(by_id("tcd_timit", tmp_path / "volunteers")) == ["01M/sa1", "01M/si7", "50F/sa1", "50F/si7"]


@given(st.lists(st.text("abc xyz.'", max_size=10).map(str.strip).filter(bool), max_size=4), st.booleans())
@settings(deadline=None)
def test_timit_texts_lose_their_samples_and_nothing_else(tmp_path_factory, sentences, timed):
    path = tmp_path_factory.mktemp("texts") / "sa1.txt"
    path.write_text("\n".join(f"{n * 100} {n * 100 + 99} {text}" if timed else text for n, text in enumerate(sentences)))
    assert read_timit(path).split() == " ".join(sentences).split()


names = st.sampled_from(["a", "b", "a.mp4", "c d", "é"])
paths = st.tuples(st.lists(names, max_size=2), names, st.sampled_from([".mp4", ".MOV", ".mov", ".avi", ".txt"]))


@given(st.sets(paths.map(lambda path: "/".join([*(f"in {part}" for part in path[0]), path[1] + path[2]])), min_size=1))
@settings(deadline=None, max_examples=60)
def test_folder_gives_every_video_an_id_of_its_own(tmp_path_factory, files):
    root = touch(tmp_path_factory.mktemp("videos"), *files)
    videos = {name for name in files if not name.endswith(".txt")}
    if not videos:
        with pytest.raises(InputError, match="no video found"):
            list_clips("folder", root)
        return
    clips = by_id("folder", root)
    assert {clip.path.relative_to(root).as_posix() for clip in clips.values()} == videos
    assert all(clip.path.relative_to(root).as_posix().startswith(clip.id) for clip in clips.values())


@pytest.mark.media
def test_the_real_grid_clips(shared_media):
    clips = list_clips("grid", shared_media / "grid")
    assert len(clips) == sum(1 for path in (shared_media / "grid").glob("*/video/*") if path.suffix in (".mpg", ".mp4"))
    assert {"s1", "s4_hd", "s32"} < {clip.speaker for clip in clips}
    first = next(clip for clip in clips if clip.id == "s1/bbaf2n")
    spoken = [word.label for word in read_alignment(first.align, 3.0).words if word.label]
    assert " ".join(spoken) == first.transcript == "bin blue at f two now"
    assert all(clip.align and clip.transcript for clip in clips)


@pytest.mark.media
def test_the_real_folder_of_other_clips(shared_media):
    clips = {clip.id: clip for clip in list_clips("folder", shared_media / "clips")}
    assert clips["mead/M003_level_1_happy_024"].speaker == "mead" and clips["other/avsync_video1"].path.suffix == ".avi"
    assert not clips["lrs3/sparsesync_uncropped256_00018"].transcript, "its text holds the places of a face, no line Text:"
    for corpus in set(CORPORA) - {"folder"}:
        if corpus != "lrs2":  # which has videos right in folders, too, where it is unpacked without main/
            with pytest.raises(InputError, match="--corpus folder"):
                list_clips(corpus, shared_media / "clips")

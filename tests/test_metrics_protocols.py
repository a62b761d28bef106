"""Lists of pairs on miniature corpora of empty files: reading a list opens no video."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from datasets.corpora.splits import GRID_TEST_SPEAKERS, TCD_TIMIT_TEST_NUMBERS
from metrics.clips.pairs import match_folders
from metrics.clips.protocols import derangement, read_pairs

some_ids = st.lists(st.text(min_size=1, max_size=6), min_size=2, max_size=20, unique=True)


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def a_list(tmp_path, *lines):
    path = tmp_path / "list.txt"
    path.write_text("\n".join(lines))
    return path


def drives(listed):
    return [(pair.protocol, pair.face_id, pair.audio_id) for pair in listed.pairs]


def paths(listed, root):
    return [(pair.face.relative_to(root).as_posix(), pair.audio.relative_to(root).as_posix()) for pair in listed.pairs]


@given(some_ids, st.integers(), st.randoms())
def test_derangement_moves_every_id_and_depends_on_set_and_seed_alone(ids, seed, random):
    other = derangement(ids, seed)
    assert set(other) == set(ids) == set(other.values())
    assert all(other[name] != name for name in ids)
    random.shuffle(ids)
    assert derangement(ids, seed) == other


def test_derangement_is_fixed_for_all_machines_and_changes_with_the_seed():
    assert derangement("abcd", 0) == {"a": "c", "c": "d", "d": "b", "b": "a"}
    assert len({tuple(sorted(derangement("abcdefgh", seed).items())) for seed in range(5)}) == 5


def test_wav2lip_lists_name_the_sound_first(tmp_path):
    root = touch(tmp_path / "lrs2", "63/00001.mp4", "63/00002.mp4", "64/00001.mp4")
    path = a_list(tmp_path, "# Copyright", "", "63/00001 64/00001", "  63/00002\t64/00001", "64/00001 64/00001",
                  "64/00001 63/00001")
    listed = read_pairs(path, root, protocol="unpaired")
    assert drives(listed) == [
        ("paired", "64/00001", "64/00001"),
        ("unpaired", "64/00001", "63/00001"), ("unpaired", "64/00001", "63/00002"), ("unpaired", "63/00001", "64/00001")]
    assert paths(listed, root)[1] == ("64/00001.mp4", "63/00001.mp4")
    assert [pair.name for pair in listed.pairs][:2] == ["64/00001", "64/00001__63~00001"]
    assert listed.missing == [] and listed.source == "list.txt (sound and face in each line)"
    paired = read_pairs(path, root)
    assert drives(paired) == [("paired", "64/00001", "64/00001"), ("paired", "63/00001", "63/00001")]
    assert all(pair.face == pair.audio and pair.name == pair.face_id for pair in paired.pairs)
    both = read_pairs(path, root, protocol="both")
    assert drives(both) == drives(paired) + drives(listed)[1:]
    assert len({pair.name for pair in both.pairs}) == len(both.pairs)


def test_ids_are_looked_for_in_the_folders_of_the_corpora(tmp_path):
    root = touch(tmp_path / "data", "main/63/00001.mp4", "test/uL/00007.mp4", "WESTERN/test/WESTERN_00039.mp4",
                 "BRING_00018.mp4", "test/63/00001.mp4", "63/00002.mpg", "main/63/00002.mp4", "63/00003.mpg",
                 "BRING/test/BRING_00018.mp4")
    path = a_list(tmp_path, "63/00001 uL/00007", "BRING_00018 WESTERN_00039", "63/00003 63/00002")
    assert paths(read_pairs(path, root, protocol="unpaired"), root) == [
        ("test/uL/00007.mp4", "main/63/00001.mp4"),
        ("WESTERN/test/WESTERN_00039.mp4", "BRING_00018.mp4"),
        ("main/63/00002.mp4", "63/00003.mpg")]


def test_ids_with_suffix_name_the_face_first(tmp_path):
    root = touch(tmp_path / "resynced", "sachin.mp4", "emma_cropped.mp4", "adam_1.mp4", "adam_1.wav", "x/v1.0.MP4")
    path = a_list(tmp_path, "sachin.mp4 emma_cropped.mp4", "adam_1.mp4 adam_1.wav", "./x/v1.0.MP4 sachin.mp4",
                  "sachin.mp4 sachin.mp4")
    listed = read_pairs(path, root, protocol="unpaired")
    assert drives(listed) == [("paired", "sachin", "sachin"), ("unpaired", "sachin", "emma_cropped.mp4"),
                              ("unpaired", "adam_1", "adam_1.wav"), ("unpaired", "x/v1.0", "sachin.mp4")]
    assert paths(listed, root) == [("sachin.mp4", "sachin.mp4"), ("sachin.mp4", "emma_cropped.mp4"),
                                   ("adam_1.mp4", "adam_1.wav"), ("x/v1.0.MP4", "sachin.mp4")]
    assert "face and sound" in listed.source
    assert [pair.face_id for pair in read_pairs(path, root).pairs] == ["sachin", "adam_1", "x/v1.0"]


def test_what_is_not_there_is_told_line_by_line(tmp_path):
    root = touch(tmp_path / "data", "a/1.mp4", "a/2.mp4")
    path = a_list(tmp_path, "a/1 a/2", "b/1 a/2", "# no pair", "a/1 b/2", "b/1 b/2", "a/1 a/2", "a/1 a/1")
    listed = read_pairs(path, root, protocol="unpaired")
    assert drives(listed) == [("paired", "a/1", "a/1"), ("unpaired", "a/2", "a/1")]
    assert listed.missing == [
        ("line 2: b/1 a/2", "sound b/1: no such file"),
        ("line 4: a/1 b/2", "face b/2: no such file"),
        ("line 5: b/1 b/2", "face b/2: no such file; sound b/1: no such file"),
        ("line 6: a/1 a/2", "the same pair as line 1")]
    paired = read_pairs(path, root)
    assert drives(paired) == [("paired", "a/2", "a/2"), ("paired", "a/1", "a/1")]
    assert [line for line, _ in paired.missing] == ["line 4: a/1 b/2", "line 5: b/1 b/2"], "sounds are not needed"
    assert ("paired", "a/2", "a/2") in drives(read_pairs(a_list(tmp_path, "b/1 a/2"), root, protocol="both"))
    with pytest.raises(InputError, match=r"none of its 1 pairs is there; looked for \S*data/WORD_1.mp4, \S*data/main/WORD_1.mp4"
                                         r", \S*data/test/WORD_1.mp4, \S*data/WORD/test/WORD_1.mp4$"):
        read_pairs(a_list(tmp_path, "WORD_1 a/1"), root, protocol="unpaired")
    with pytest.raises(InputError, match=r"looked for \S*data/a.mp4, \S*data/main/a.mp4, \S*data/test/a.mp4$"):
        read_pairs(a_list(tmp_path, "a.mp4 b.wav"), root)


@pytest.mark.parametrize("lines, message", [
    (["a/1 a/2", "a/1"], "list.txt, line 2: has 1 field"),
    (["# three", "a/1 a/2 a/3"], "list.txt, line 2: has 3 fields"),
    (["../a/1 a/2"], "line 1: ../a/1: ids are paths below the data root"),
    (["a/1 a/../../2"], "a/../../2: ids are paths"),
    (["a/1 /a/2"], "/a/2: ids are paths"),
    (["a/1 C:\\a\\2"], "ids are paths"),
    (["a/1 ..\\2"], "ids are paths"),
    (["a/1 a/2.mp4"], "line 1: a/1 a/2.mp4: either all ids"),
    (["a/1 a/2", "1.mp4 2.mp4"], "line 2: 1.mp4 2.mp4: either all ids"),
    (["1.wav 1.mp4"], "line 1: 1.wav is no video; in a list with suffixes the face stands first"),
    (["1.mp4 2.mp4", "1.avi 2.mp4"], "line 2: 1.avi and 1.mp4 differ in the suffix alone"),
    (["", "# nothing"], "holds no pair"),
])
def test_lines_that_cannot_be_meant_are_refused(tmp_path, lines, message):
    root = touch(tmp_path / "data", "a/1.mp4", "a/2.mp4", "2.mp4", "1.mp4", "1.avi", "1.wav")
    with pytest.raises(InputError) as error:
        read_pairs(a_list(tmp_path, *lines), root, protocol="unpaired")
    assert message in str(error.value)


def grid(root, *speakers, clips=4):
    return touch(root, *(f"{s}/video/{s}clip{i}.{'mpg' if i % 2 else 'mp4'}" for s in speakers for i in range(clips)))


def test_the_constants_are_a_split_of_grid_and_of_tcd_timit():
    assert GRID_TEST_SPEAKERS == ("s22", "s24", "s26", "s28", "s30", "s32")
    assert TCD_TIMIT_TEST_NUMBERS == tuple("50 51 52 53 54 55 56 57 58 59".split())


def test_grid_takes_test_speakers_named_ones_or_all(tmp_path):
    root = grid(tmp_path, "s1", "s2", "s22", "s32")
    touch(root, "s22/video/s22clip0.mpg", "s22/video/.partial.mpg")
    listed = read_pairs("grid", root)
    assert drives(listed) == [("paired", f"{s}/{s}clip{i}", f"{s}/{s}clip{i}") for s in ("s22", "s32") for i in range(4)]
    assert paths(listed, root)[1] == ("s22/video/s22clip1.mpg",) * 2
    assert [speaker for speaker, _ in listed.missing] == ["s24", "s26", "s28", "s30"]
    assert "s22, s32" in listed.source and "our choice" in listed.source
    some = read_pairs("grid:s1,s22", root)
    assert {pair.face_id[:3] for pair in some.pairs} == {"s1/", "s22"} and not some.missing
    assert len(read_pairs("grid:all", root).pairs) == 16
    for spec, message in (("grid:s1,s9", "no video of speaker 's9' in .*; it has s1, s2, s22, s32"), ("grid:", "speaker ''")):
        with pytest.raises(InputError, match=message):
            read_pairs(spec, root)
    with pytest.raises(InputError, match="none of the test speakers s22, .* such as grid:s1,s2, or write grid:all"):
        read_pairs("grid", grid(tmp_path / "few", "s1", "s2"))
    with pytest.raises(InputError, match="no video found"):
        read_pairs("grid", touch(tmp_path / "none", "readme.txt"))


def test_tcd_timit_takes_the_last_ten_volunteers_named_ones_or_all(tmp_path):
    root = tmp_path / "tcd"
    speakers = ("volunteers/01M", "volunteers/49F", "volunteers/50F", "volunteers/59F", "lipspeakers/Lipspkr1")
    for speaker in speakers:
        touch(root, *(f"{speaker}/Clips/{view}/{clip}" for view in ("straightcam", "30degcam") for clip in
                      ("sa1.mp4", "si600.mp4", "sa1.txt", ".si7.mp4")))
    listed = read_pairs("tcd_timit", root)
    assert [pair.face_id for pair in listed.pairs] == ["50F/sa1", "50F/si600", "59F/sa1", "59F/si600"]
    assert paths(listed, root)[0] == ("volunteers/50F/Clips/straightcam/sa1.mp4",) * 2
    assert [speaker for speaker, _ in listed.missing] == [str(i) for i in range(51, 59)]
    some = read_pairs("tcd_timit:Lipspkr1,01M", root)
    assert [pair.face_id for pair in some.pairs] == ["01M/sa1", "01M/si600", "Lipspkr1/sa1", "Lipspkr1/si600"]
    assert len(read_pairs("tcd_timit:all", root).pairs) == 10
    with pytest.raises(InputError, match="no video of speaker '02M'"):
        read_pairs("tcd_timit:02M", root)
    with pytest.raises(InputError, match="TCD-TIMIT is laid out as"):
        read_pairs("tcd_timit", grid(tmp_path / "grid", "s1"))
    with pytest.raises(InputError, match="none of the test speakers 50, 51.*tcd_timit:01M, or write tcd_timit:all"):
        read_pairs("tcd_timit", touch(tmp_path / "one", "volunteers/01M/Clips/straightcam/sa1.mp4"))


def test_a_folder_takes_every_video_but_hidden_ones(tmp_path):
    root = touch(tmp_path / "videos", "b.mov", "deep/a.mp4", ".partial-x.mp4", ".trash/y.mp4", "b.wav")
    listed = read_pairs("folder", root, protocol="both")
    assert drives(listed) == [("paired", "b", "b"), ("paired", "deep/a", "deep/a"), ("unpaired", "b", "deep/a"),
                              ("unpaired", "deep/a", "b")]
    assert [pair.name for pair in listed.pairs][2:] == ["b__deep~a", "deep/a__b"]
    with pytest.raises(InputError, match="a folder has no speakers"):
        read_pairs("folder:b", root)
    with pytest.raises(InputError, match="is hidden"):
        read_pairs("folder", touch(tmp_path / "dark", ".x.mp4"))


def test_unpaired_sound_is_another_clip_by_seed_and_each_is_used_once(tmp_path):
    root = grid(tmp_path / "grid", "s22", "s24")
    listed = read_pairs("grid", root, protocol="unpaired", seed=3)
    faces = [pair.face_id for pair in listed.pairs]
    assert faces == sorted(faces) and sorted(pair.audio_id for pair in listed.pairs) == faces
    assert all(pair.face != pair.audio and pair.audio.stem == pair.audio_id.split("/")[1] for pair in listed.pairs)
    assert {pair.face_id: pair.audio_id for pair in listed.pairs} == derangement(faces, 3)
    assert drives(listed) == drives(read_pairs("grid", root, protocol="unpaired", seed=3))
    assert drives(listed) != drives(read_pairs("grid", root, protocol="unpaired", seed=4))
    assert "seed 3" in listed.source and "seed" not in read_pairs("grid", root, seed=3).source
    single = touch(tmp_path / "single", "a.mp4")
    with pytest.raises(InputError, match="a: a list needs two clips"):
        read_pairs("folder", single, protocol="both")
    assert len(read_pairs("folder", single).pairs) == 1


def test_limit_counts_faces_spread_over_the_list_and_leaves_their_sounds(tmp_path):
    root = grid(tmp_path / "grid", "s22", "s24", clips=5)
    whole = read_pairs("grid", root, protocol="both")
    few = read_pairs("grid", root, protocol="both", limit=3)
    assert [pair.face_id for pair in few.pairs] == ["s22/s22clip0", "s22/s22clip3", "s24/s24clip1"] * 2
    assert set(few.pairs) < set(whole.pairs)
    assert read_pairs("grid", root, protocol="both", limit=99).pairs == whole.pairs
    path = a_list(tmp_path, "a b", "c b", "a c", "b a")
    data = touch(tmp_path / "data", "a.mp4", "b.mp4", "c.mp4")
    assert drives(read_pairs(path, data, protocol="unpaired", limit=1)) == [("unpaired", "b", "a"), ("unpaired", "b", "c")]


def test_bad_arguments_and_files_are_refused(tmp_path):
    root = touch(tmp_path / "data", "a.mp4", "b.mp4")
    with pytest.raises(InputError, match="--protocol own: unknown; choose one of paired, unpaired, both"):
        read_pairs("folder", root, protocol="own")
    with pytest.raises(InputError, match="--limit 0: must be at least 1"):
        read_pairs("folder", root, limit=0)
    with pytest.raises(InputError, match=r"absent: no such folder \(data root"):
        read_pairs("folder", tmp_path / "absent")
    with pytest.raises(InputError, match=r"lrs9: no such file \(list of pairs, or one of grid, tcd_timit, folder\)"):
        read_pairs("lrs9", root)
    (tmp_path / "marked").write_bytes(b"\xef\xbb\xbfa b\r\n")
    assert drives(read_pairs(tmp_path / "marked", root)) == [("paired", "b", "b")]
    assert not read_pairs(tmp_path / "marked", root, protocol="unpaired").missing, "a byte order mark is no part of the id"
    (tmp_path / "latin").write_bytes(b"a \xe9 b")
    with pytest.raises(InputError, match="is no UTF-8 text"):
        read_pairs(tmp_path / "latin", root)


@pytest.mark.parametrize("spec", ["grid", "folder"])
def test_generated_results_are_matched_to_their_faces_again(tmp_path, spec):
    root = grid(tmp_path / "real", "s22", "s24", clips=2)
    listed = read_pairs(spec, root, protocol="both")
    made = touch(tmp_path / "made", *(f"{pair.name}.mp4" for pair in listed.pairs))
    matched = match_folders(made, root)
    assert {name: real for name, _, real in matched.pairs} == {pair.name: pair.face for pair in listed.pairs}
    assert matched.unpaired == {pair.name for pair in listed.pairs if pair.protocol == "unpaired"}
    assert not matched.only_generated and not matched.only_real


def test_a_video_whose_name_is_not_utf8_is_left_out_with_its_reason(tmp_path):
    for name in (b"a.mp4", b"b\xe9.mp4"):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(b"video")
    pairs = read_pairs("folder", tmp_path, protocol="paired")
    assert [pair.face for pair in pairs.pairs] == [tmp_path / "a.mp4"]
    assert len(pairs.missing) == 1 and "not UTF-8" in pairs.missing[0][1]

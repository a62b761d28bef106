"""Names of generated videos and the matching of folders, on empty files: matching opens none."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.errors import InputError
from metrics.clips.pairs import match_folders, pair_name, parse_name, short_id

ids = st.lists(st.text(st.characters(exclude_characters="/", exclude_categories=("Cs",)), min_size=1, max_size=8),
               min_size=1, max_size=3).map("/".join)
awkward = st.text("a_~%./", min_size=1, max_size=8)


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def names(pairs):
    return [(name, generated.name, real.name) for name, generated, real in pairs]


def test_plain_ids_stand_as_they_are():
    assert pair_name("s1/bbaf2n") == "s1/bbaf2n"
    assert pair_name("s1/bbaf2n", "s2/lwae8n") == "s1/bbaf2n__s2~lwae8n"
    assert pair_name("sachin", "emma_cropped.mp4") == "sachin__emma_cropped.mp4"
    assert pair_name("_a-b/00001", "_c/00002") == "_a-b/00001__%5Fc~00002"
    assert pair_name("what?/.b_") == "what%3F/%2Eb%5F"


@given(ids | awkward, st.none() | ids | awkward)
@example("a_", "_b")
@example("a__b", None)
@example("a", "b__c")
@example("a~b", "a/b")
@example("a%5F", "a~b")
@example("x\n", "_")
def test_a_name_gives_both_ids_back_and_is_a_file_name(face, audio):
    name = pair_name(face, audio)
    assert parse_name(name) == (face, audio)
    assert not set('\\:*?"<>|\n\0') & set(name)
    assert name.count("/") == face.count("/")
    assert not any(part.startswith(".") for part in name.split("/"))


@pytest.mark.parametrize("path, short", [
    ("s1/video/bbaf2n", "s1/bbaf2n"),
    ("volunteers/01M/Clips/straightcam/sa1", "01M/sa1"),
    ("lipspeakers/Lipspkr1/Clips/straightcam/sa1", "Lipspkr1/sa1"),
    ("main/63/00011", "63/00011"),
    ("test/uL5XUwfkxZw/00007", "uL5XUwfkxZw/00007"),
    ("WESTERN/test/WESTERN_00039", "WESTERN_00039"),
    ("EAST/test/WESTERN_00039", "EAST/test/WESTERN_00039"),
    ("main/00011", "main/00011"),
    ("clip", "clip"),
])
def test_short_id_leaves_the_folders_of_the_layout_out(path, short):
    assert short_id(path) == short


def test_folders_are_matched_by_name_and_unmatched_names_are_listed(tmp_path):
    made = touch(tmp_path / "made", "sub/b.MP4", "a.mp4", "only.mp4", "notes.txt", ".partial-x.mp4", ".trash/c.mp4")
    real = touch(tmp_path / "real", "sub/b.mpg", "a.avi", "c.mp4", "b.ts")
    matched = match_folders(made, str(real))
    assert names(matched.pairs) == [("a", "a.mp4", "a.avi"), ("sub/b", "b.MP4", "b.mpg")]
    assert matched.only_generated == ["only"] and matched.only_real == ["b", "c"]
    assert matched.faces == {"a": "a", "sub/b": "sub/b"} and not matched.unpaired


def test_results_of_a_pair_list_find_their_face_again(tmp_path):
    made = touch(tmp_path / "made", "s1/a__s2~b.mp4", "s1/a.mp4", "s1/a__s3~c.mp4", "s9/z__s1~a.mp4", "x_%5Fy__q.wav.mp4",
                 "x_%5Fy.mp4", "x__y__q.mp4")
    real = touch(tmp_path / "real", "s1/a.mpg", "x__y.mp4", "s2/b.mpg")
    matched = match_folders(made, real)
    assert matched.faces == {"s1/a": "s1/a", "s1/a__s2~b": "s1/a", "s1/a__s3~c": "s1/a",
                             "x_%5Fy": "x__y", "x_%5Fy__q.wav": "x__y"}
    assert [name for name, *_ in matched.pairs] == sorted(matched.faces)
    assert all(path.relative_to(real).with_suffix("").as_posix() == matched.faces[name] for name, _, path in matched.pairs)
    assert matched.unpaired == {"s1/a__s2~b", "s1/a__s3~c", "x_%5Fy__q.wav"}
    assert matched.only_generated == ["s9/z__s1~a", "x__y__q"] and matched.only_real == ["s2/b"]


def test_a_real_video_of_the_very_name_comes_before_the_face_part(tmp_path):
    made = touch(tmp_path / "made", "a__b.mp4")
    matched = match_folders(made, touch(tmp_path / "real", "a.mp4", "a__b.mp4"))
    assert matched.faces == {"a__b": "a__b"} and not matched.unpaired and matched.only_real == ["a"]


def test_short_ids_lead_into_the_folders_of_a_corpus(tmp_path):
    made = touch(tmp_path / "made", "s1/a.mp4", "s1/a__s2~b.mp4", "WORD_00001__OTHER_00002.mp4", "63/00011.mp4")
    real = touch(tmp_path / "real", "s1/video/a.mpg", "WORD/test/WORD_00001.mp4", "main/63/00011.mp4", "test/63/00011.mp4")
    matched = match_folders(made, real)
    assert matched.faces == {"s1/a": "s1/video/a", "s1/a__s2~b": "s1/video/a",
                             "WORD_00001__OTHER_00002": "WORD/test/WORD_00001"}
    assert matched.only_generated == ["63/00011"], "two real videos have this short id"
    assert matched.only_real == ["main/63/00011", "test/63/00011"]


def test_two_files_are_one_pair(tmp_path):
    touch(tmp_path, "made.mp4", "clip.mp4", "clip__other.mp4")
    for file in tmp_path.iterdir():
        file.write_bytes(b"x")
    made, clip, other = (tmp_path / f"{name}.mp4" for name in ("made", "clip", "clip__other"))
    matched = match_folders(made, clip)
    assert matched.pairs == [("clip", made, clip)] and not matched.unpaired
    assert matched.only_generated == matched.only_real == []
    assert match_folders(other, clip).unpaired == {"clip"}
    assert not match_folders(other, other).unpaired and not match_folders(clip, clip).unpaired
    with pytest.raises(InputError, match=r"absent.mp4: no such file \(generated video\)"):
        match_folders(tmp_path / "absent.mp4", clip)


def test_what_cannot_be_matched_is_refused(tmp_path):
    made = touch(tmp_path / "made", *(f"m{i}.mp4" for i in range(5)))
    real = touch(tmp_path / "real", "r0.mp4", "r1.mp4")
    with pytest.raises(InputError, match=r"made holds m0, m1, m2 and 2 more; .*real holds r0, r1$"):
        match_folders(made, real)
    with pytest.raises(InputError, match=r"r0.mp4: is a file, but the other one is a folder.*--real"):
        match_folders(made, real / "r0.mp4")
    with pytest.raises(InputError, match=r"m0.mp4: is a file, but the other one is a folder.*--generated"):
        match_folders(made / "m0.mp4", real)
    with pytest.raises(InputError, match=r"absent: no such folder \(--real\)"):
        match_folders(made, tmp_path / "absent")
    with pytest.raises(InputError, match="holds no video"):
        match_folders(touch(tmp_path / "none", "readme.txt", ".hidden.mp4"), real)
    with pytest.raises(InputError, match="r0.mp4: has the same name as .*r0.mov; keep one"):
        match_folders(made, touch(real, "r0.mov"))

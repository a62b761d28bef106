"""Outputs by what they are: links, spellings, cases; and what cannot be written is told before any work."""

import os
import stat

import pytest

from common.errors import InputError
from common.files import atomic_output, require_file
from common.places import check_folder, check_output, ignores_case, place_key, written_place

LONG = "x" * 300


def refusal(call, *arguments, **named):
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def test_spellings_links_and_hard_links_are_one_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "there").write_text("old")
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "folder").symlink_to("sub")
    (tmp_path / "dangling").symlink_to("sub/new")
    os.link("there", "hard")
    for names in (("there", "./there", "sub/../there", "link", "hard", tmp_path / "there"),
                  ("sub/new", "folder/new", "dangling", "./sub/./new"), ("no/new", "./no/../no/new")):  # fmt: skip
        assert len({place_key(name) for name in names}) == 1
    for one, other in (("there", "There"), ("sub/new", "new"), ("a", "b")):
        assert place_key(one) != place_key(other)
    assert place_key("folder/../x") == place_key("x")  # the link leads to a folder of this one


def test_a_disk_that_ignores_case_is_known_by_a_name_that_is_there(tmp_path):
    """Two hard links, whose names differ in case alone, look as one file does on such a disk."""
    (tmp_path / "12").write_text("no letters")
    assert not ignores_case(tmp_path)
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "aB").write_text("x")
    os.link(folder / "aB", folder / "Ab")
    assert ignores_case(folder) and not ignores_case(tmp_path / "absent")
    assert place_key(folder / "new.mp4") == place_key(folder / "NEW.mp4")
    assert place_key(folder / "\u00e4") == place_key(folder / "A\u0308")
    assert place_key(tmp_path / "new.mp4") != place_key(tmp_path / "NEW.mp4")


def test_a_link_is_written_through_and_stays(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    (tmp_path / "dangling.txt").symlink_to("deep/new.txt")
    for name, target in (("link.txt", "real.txt"), ("dangling.txt", "deep/new.txt")):
        with pytest.raises(ZeroDivisionError), atomic_output(tmp_path / name) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError
        assert (tmp_path / "real.txt").read_text() == "old" and not (tmp_path / "deep" / "new.txt").exists()
        with atomic_output(tmp_path / name) as temporary:
            assert temporary.parent == (tmp_path / target).parent
            temporary.write_text("new")
        assert (tmp_path / name).is_symlink() and (tmp_path / target).read_text() == "new"
        assert stat.S_IMODE((tmp_path / target).stat().st_mode) & 0o600 == 0o600
        (tmp_path / "real.txt").write_text("old")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["dangling.txt", "deep", "link.txt", "new.txt", "real.txt"]


def test_what_is_no_file_is_told(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert "leads round in a circle" in refusal(written_place, tmp_path / "one")
    assert "is a folder" in refusal(written_place, tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to_null").symlink_to("/dev/null")
    for path in (tmp_path / "pipe", "/dev/null", tmp_path / "to_null"):
        assert "is a device or a pipe" in refusal(check_output, path, suffixes=(".mp4",))
        with pytest.raises(InputError, match="is a device or a pipe"), atomic_output(path):
            pass
    assert "is a stream" in refusal(check_output, "/dev/stdout")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_names_that_are_too_long_are_told_before_the_work(tmp_path):
    for path in (f"{LONG}.mp4", f"new/{LONG}/r.mp4"):
        assert "this disk takes 255; give a shorter --out" in refusal(check_output, tmp_path / path, flag="--out")
    assert "is too long" in refusal(check_output, tmp_path / "/".join(["y" * 200] * 25) / "r.mp4")
    assert "this disk takes" in refusal(check_folder, tmp_path / LONG)
    check_output(tmp_path / ("ä" * 125 + ".mp4"))  # 254 bytes
    assert "ä" not in refusal(check_output, tmp_path / ("ж" * 128 + ".mp4"))
    with pytest.raises(InputError, match="too long"), atomic_output(tmp_path / LONG) as temporary:
        temporary.write_text("x")
    assert list(tmp_path.iterdir()) == []
    name = "a." + "b" * 250  # a suffix as long as the name: the temporary one is shorter
    with atomic_output(tmp_path / name) as temporary:
        temporary.write_text("x")
    assert (tmp_path / name).read_text() == "x"


def test_an_output_that_would_replace_an_input(tmp_path):
    (tmp_path / "in.json").write_text("x")
    (tmp_path / "link.json").symlink_to("in.json")
    said = refusal(check_output, tmp_path / "link.json", [None, tmp_path / "in.json"], flag="--table")
    assert "same file as the input" in said and said.endswith("choose another --table")
    said = refusal(check_folder, tmp_path, ["out.json", "in.json"], [tmp_path / "link.json"])
    assert f"{tmp_path / 'in.json'}: the output is the same file" in said
    check_folder(tmp_path / "new" / "deeper", ["in.json"], [tmp_path / "in.json"])
    assert "is a file; give a folder" in refusal(check_folder, tmp_path / "in.json")
    assert "is a file, not a folder" in refusal(check_folder, tmp_path / "in.json" / "sub")
    assert not (tmp_path / "new").exists()


def test_inputs_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe or a device; face video must be a file" in refusal(require_file, tmp_path / "pipe", "face video")
    assert "File name too long; audio" in refusal(require_file, LONG, "audio")
    assert "no such name is possible" in refusal(require_file, "a\0b", "audio")

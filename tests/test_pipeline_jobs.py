"""Lists of jobs: tables as editors and spreadsheets write them, folders, and a run in which one bad job stops no other."""

import errno
import os

import pytest

from common.errors import InputError
from pipeline.jobs.checks import FirstLook, look_at_all
from pipeline.jobs.folders import pair_folders
from pipeline.jobs.rows import Failed, JobList, Row, run_rows
from pipeline.jobs.table import read_jobs
from pipeline.options import FaceOptions
from tests.inference_kit import moving_portrait, tone, write_video, write_wav


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "jobs.csv"
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return path


def read(path):
    """([(line, face, audio, outfile, drive, pose)], [(line, message)]) of a table."""
    jobs = read_jobs(path)
    assert all(one.label == f"{path} line {one.line}" for one in (*jobs.rows, *jobs.bad)) and jobs.keep == (path,)
    rows = [(row.line, row.face, row.audio, row.outfile, row.drive, row.pose) for row in jobs.rows]
    return [tuple(row[: 4 if row[4:] == (None, None) else 6]) for row in rows], [(one.line, one.message) for one in jobs.bad]


# --- tables ---------------------------------------------------------------------------------------------------------------


def test_with_and_without_a_header(tmp_path):
    rows, bad = read(written(tmp_path, "a.mp4,b.wav,c.mp4\n\n# later\nd.mp4, e.wav ,f.mp4\n"))
    assert rows == [(1, "a.mp4", "b.wav", "c.mp4"), (4, "d.mp4", "e.wav", "f.mp4")] and bad == []
    rows, bad = read(written(tmp_path, "Outfile,face,audio\r\nc.mp4,a.mp4,b.wav\r\n", "utf-8-sig"))
    assert rows == [(2, "a.mp4", "b.wav", "c.mp4")] and bad == []


TABLE = [("FACE", "Outfile", "audio"), ("größe 1.mp4", "o 1.mp4", "a.wav"), ("", "", ""), ("b;,.mp4", "o2.mp4", "ж.wav")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-16-be with mark"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_spreadsheets_write(tmp_path, encoding, separator, end):
    """Excel: semicolons where the comma is the decimal point, tabs in "Unicode text", which is UTF-16."""
    lines = [separator.join(f'"{cell}"' if set(cell) & set(";,") else cell for cell in row) for row in TABLE]
    text = end.join(lines)
    data = b"\xfe\xff" + text.encode("utf-16-be") if encoding.endswith("mark") else text.encode(encoding)
    rows, bad = read(written(tmp_path, data))
    assert rows == [(2, "größe 1.mp4", "a.wav", "o 1.mp4"), (4, "b;,.mp4", "ж.wav", "o2.mp4")] and bad == []


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_without_a_header_and_with_excels_hint(tmp_path, separator):
    line = separator.join(("a.mp4", "b.wav", "c.mp4"))
    assert read(written(tmp_path, f"{line}\n{line}.\n"))[0] == [(1, "a.mp4", "b.wav", "c.mp4"), (2, "a.mp4", "b.wav", "c.mp4.")]
    assert read(written(tmp_path, f"sep={separator}\r\n{line}\r\n"))[0] == [(2, "a.mp4", "b.wav", "c.mp4")]


def test_driving_videos_are_named_below_a_header(tmp_path):
    lines = ["face,audio,drive,pose,outfile", "a.mp4,b.wav,,,c.mp4", "a.mp4,,d.mp4,p.mp4,e.mp4", "a.mp4,,,p.mp4,f.mp4"]
    rows, bad = read(written(tmp_path, "\n".join([*lines, "a.mp4,b.wav,d.mp4,,g.mp4"])))
    assert rows == [(2, "a.mp4", "b.wav", "c.mp4"), (3, "a.mp4", None, "e.mp4", "d.mp4", "p.mp4")]
    assert [line for line, _ in bad] == [4, 5]
    assert bad[0][1] == "lacks audio or drive" and "fills both audio and drive" in bad[1][1]
    rows, bad = read(written(tmp_path, "DRIVE,Face,outfile\nd.mp4,a.mp4,c.mp4\n"))
    assert rows == [(2, "a.mp4", None, "c.mp4", "d.mp4", None)] and bad == []


@pytest.mark.parametrize(
    ("header", "words"),
    [("face,outfile", "lacks audio"), ("face,audio,pose", "lacks outfile"), ("audio,drive,outfile", "lacks face"),
     ("face,audio,audio,outfile", "names a column twice")],
)  # fmt: skip
def test_a_header_that_lacks_a_column(tmp_path, header, words):
    with pytest.raises(InputError, match=f"jobs.csv: its header {header} {words}"):
        read_jobs(written(tmp_path, header + "\na,b,c\n"))


@pytest.mark.parametrize(("header", "words"), [("face,audio,outfile,drvie", "did you mean drive"),
                                               ("Face;Video;Outfile", "'?video'?")])  # fmt: skip
def test_a_header_with_an_unknown_column_names_it(tmp_path, header, words):
    with pytest.raises(InputError, match=words):
        read_jobs(written(tmp_path, header + "\na,b,c\n"))


def test_empty_cells_at_the_end_do_not_count(tmp_path):
    rows, bad = read(written(tmp_path, "face,audio,outfile,\na.mp4,b.wav,c.mp4,\nd.mp4,e.wav,f.mp4\n"))
    assert [row[3] for row in rows] == ["c.mp4", "f.mp4"] and bad == []


def test_quotes_commas_and_letters_of_all_kinds(tmp_path):
    rows, _ = read(written(tmp_path, '"a, b.mp4","say ""hi"".wav",größe 声.mp4\n'))
    assert rows == [(1, "a, b.mp4", 'say "hi".wav', "größe 声.mp4")]


def test_lines_that_cannot_be_used_are_named_and_the_rest_stays(tmp_path):
    rows, bad = read(written(tmp_path, "a,b,c.mp4\na,b\na,,c\nx,y,z\nx,y,z,w\n"))
    assert [row[0] for row in rows] == [1, 4]
    assert [line for line, _ in bad] == [2, 3, 5]


@pytest.mark.parametrize("text", ["face,audio,outfile\n", "\n# nothing\n\n", "sep=;\n"])
def test_no_job_at_all(tmp_path, text):
    with pytest.raises(InputError, match="jobs.csv: holds no job"):
        read_jobs(written(tmp_path, text))


@pytest.mark.parametrize("data", [b"\xff\xfe\x00\xd8" * 50, b"\x89PNG\r\n\x1a\n\0\0", "größe.mp4,b,c".encode("cp1252"),
                                  b"face,audio,outfile\na\0.mp4,b.wav,c.mp4"])  # fmt: skip
def test_not_a_text_file(tmp_path, data):
    with pytest.raises(InputError, match="jobs.csv: cannot be read as a list of jobs.*save it as CSV UTF-8"):
        read_jobs(written(tmp_path, data))


def test_no_table(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_jobs(tmp_path / "absent.csv")


# --- folders --------------------------------------------------------------------------------------------------------------


def filled(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return str(folder)


def pairs(jobs):
    return [tuple(os.path.basename(path or "") for path in (row.face, row.audio, row.outfile)) for row in jobs.rows]


def test_every_face_with_the_sound_of_its_name(tmp_path):
    faces = filled(tmp_path / "faces", "anna.mp4", "ben.PNG", "carl.mov", "notes.txt", ".hidden.mp4", "two.mp4", "two.png")
    sounds = filled(tmp_path / "sounds", "anna.wav", "anna.mp4", "ben.mkv", "dora.flac", "two.wav")
    jobs = pair_folders(faces, sounds, str(tmp_path / "out"))
    assert pairs(jobs) == [("anna.mp4", "anna.wav", "anna.mp4"), ("ben.PNG", "ben.mkv", "ben.mp4")]
    assert jobs.rows[0].outfile == str(tmp_path / "out" / "anna.mp4") and len(jobs) == 3
    assert [(one.label, one.message) for one in jobs.bad] == [
        (f"{faces}: two", "several files of this name (two.mp4, two.png); keep one of them")]  # fmt: skip
    assert jobs.notes == [f"{faces}: without a partner of the same name, left out: carl.mov",
                          f"{sounds}: without a partner of the same name, left out: dora.flac"]  # fmt: skip


def test_one_for_all_and_one_folder_for_both(tmp_path):
    faces = filled(tmp_path / "faces", "anna.mp4", "ben.png")
    assert pairs(pair_folders(faces, "x/say.wav")) == [("anna.mp4", "say.wav", "anna.mp4"), ("ben.png", "say.wav", "ben.mp4")]
    sounds = filled(tmp_path / "sounds", "one.wav", "two.mp4")
    assert pairs(pair_folders("me.mp4", sounds)) == [("me.mp4", "one.wav", "one.mp4"), ("me.mp4", "two.mp4", "two.mp4")]
    driven = pair_folders(faces, None, drive="d.mp4", pose="p.mp4").rows
    assert [(row.audio, row.drive, row.pose) for row in driven] == [(None, "d.mp4", "p.mp4")] * 2
    both = filled(tmp_path / "both", "anna.mp4", "anna.wav", "ben.mp4")
    jobs = pair_folders(both, both)
    assert pairs(jobs) == [("anna.mp4", "anna.wav", "anna.mp4")] and "left out: ben.mp4" in jobs.notes[0]


def test_folders_that_give_no_job(tmp_path):
    faces, sounds = filled(tmp_path / "faces", "anna.mp4"), filled(tmp_path / "sounds", "ben.wav")
    with pytest.raises(InputError, match=r"have the same name \(faces: anna; sounds: ben\)"):
        pair_folders(faces, sounds)
    with pytest.raises(InputError, match="no audio file in this folder"):
        pair_folders(faces, filled(tmp_path / "empty", "text.txt"))
    for outfile in ("out.mp4", str(tmp_path / "faces" / "anna.mp4")):
        with pytest.raises(InputError, match="with a folder of faces or sounds give a folder"):
            pair_folders(faces, "a.wav", outfile)


# --- looking first --------------------------------------------------------------------------------------------------------


@pytest.fixture
def kit(tmp_path, monkeypatch):
    """A folder with face.mp4 and a.wav, which is the current one."""
    write_video(tmp_path / "face.mp4", moving_portrait(2))
    write_wav(tmp_path / "a.wav", tone(0.2))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def looked(*rows, keep=()):
    """([line that is ready], {line: message}) of rows (face, audio, outfile)."""
    rows = [Row(number, *row, label=f"line {number}") for number, row in enumerate(rows, 1)]
    ready, failed = look_at_all(JobList("jobs.csv", rows, []), FirstLook(FaceOptions(), keep))
    return [row.line for row, _ in ready], {one.line: one.message for one in failed}


def test_one_outfile_in_many_spellings_is_one_outfile(kit):
    (kit / "sub").mkdir()
    (kit / "old.mp4").write_bytes(b"old")
    (kit / "link.mp4").symlink_to("same.mp4")
    os.link(kit / "old.mp4", kit / "hard.mp4")
    names = ["same.mp4", "./same.mp4", "sub/../same.mp4", str(kit / "same.mp4"), "link.mp4", "old.mp4", "hard.mp4", "Same.mp4"]
    ready, failed = looked(*(("face.mp4", "a.wav", name) for name in names))
    assert ready == [1, 6, 8] and set(failed) == {2, 3, 4, 5, 7}
    assert failed[3] == "sub/../same.mp4: the output is the same file as that of line 1; choose another outfile"
    assert "same file as that of line 6" in failed[7]


def test_upper_and_lower_case_are_one_where_the_disk_says_so(kit, monkeypatch):
    monkeypatch.setattr("common.places.ignores_case", lambda _: True)
    ready, failed = looked(*(("face.mp4", "a.wav", name) for name in ("same.mp4", "Same.MP4", "new/A\u0308.mp4", "NEW/ä.mp4")))
    assert ready == [1, 3] and set(failed) == {2, 4}


def test_no_job_replaces_an_input_of_any_job(kit):
    (kit / "copy.mp4").write_bytes((kit / "face.mp4").read_bytes())
    ready, failed = looked(("face.mp4", "a.wav", "copy.mp4"), ("copy.mp4", "a.wav", "o.mp4"), ("face.mp4", "a.wav", "./k.mp4"),
                           keep=[kit / "k.mp4"])  # fmt: skip
    assert ready == [2]
    assert "the output is the same file as copy.mp4, an input of line 2; no job feeds another" in failed[1]
    assert "same file as the input" in failed[3]


def test_all_files_are_opened_before_the_first_job_and_each_once(kit, monkeypatch):
    import pipeline.jobs.checks as checks

    opened, plain = [], checks.FaceSource
    monkeypatch.setattr(checks, "FaceSource", lambda path, options: opened.append(path) or plain(path, options))
    (kit / "text.wav").write_text("no sound" * 100)
    given = [("face.mp4", "a.wav"), ("face.mp4", "text.wav"), ("face.mp4", "face.mp4"), ("absent.mp4", "a.wav"),
             ("a.wav", "a.wav"), ("face.mp4", "a.wav")]  # fmt: skip
    ready, failed = looked(*((*one, f"{number}.mp4") for number, one in enumerate(given)))
    assert ready == [1, 6] and opened.count(kit / "face.mp4") == 1
    assert "text.wav" in failed[2] and "has no sound track" in failed[3]
    assert "no such file" in failed[4] and "a.wav" in failed[5]


# --- running --------------------------------------------------------------------------------------------------------------


def test_one_bad_row_does_not_stop_the_rest():
    def run_one(line):
        if line == 2:
            raise InputError("b.wav: empty")
        if line == 3:
            raise ZeroDivisionError("ours")
        if line == 5:
            raise OSError(errno.ENOSPC, "No space left on device", "o.mp4")
        return line

    said = []
    ready = [(Row(line, "f", "a", "o", label=f"line {line}"), line) for line in (1, 2, 3, 4, 5)]
    failed = run_rows(ready, run_one, said.append)
    assert said == [1, 4]
    assert failed[0] == Failed(2, "line 2", "b.wav: empty")
    assert failed[1].line == 3 and "ZeroDivisionError" in failed[1].message
    assert failed[2].message == "o.mp4: No space left on device; make room on the disk, or choose another place"


def test_ctrl_c_stops_them_all_and_says_what_is_done():
    def run_one(line):
        if line == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="2 jobs are done"):
        run_rows([(Row(line, "f", "a", "o"), line) for line in (1, 2, 3)], run_one, lambda _: None)


def test_a_message_that_cannot_be_printed_makes_no_failed_job():
    with pytest.raises(UnicodeEncodeError):
        run_rows([(Row(1, "f", "a", "o"), "ж")], lambda job: job, lambda text: text.encode("cp1252"))

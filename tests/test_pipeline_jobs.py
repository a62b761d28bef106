import pytest

from common.errors import InputError
from pipeline.jobs import Row, read_jobs, run_rows


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "jobs.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_with_and_without_a_header(tmp_path):
    rows, bad = read_jobs(written(tmp_path, "a.mp4,b.wav,c.mp4\n\n# later\nd.mp4, e.wav ,f.mp4\n"))
    assert rows == [Row(1, "a.mp4", "b.wav", "c.mp4"), Row(4, "d.mp4", "e.wav", "f.mp4")] and bad == []
    rows, bad = read_jobs(written(tmp_path, "Outfile,face,audio\r\nc.mp4,a.mp4,b.wav\r\n", "utf-8-sig"))
    assert rows == [Row(2, "a.mp4", "b.wav", "c.mp4")] and bad == []


def test_driving_videos_are_named_below_a_header(tmp_path):
    lines = ["face,audio,drive,pose,outfile", "a.mp4,b.wav,,,c.mp4", "a.mp4,,d.mp4,p.mp4,e.mp4", "a.mp4,,,p.mp4,f.mp4"]
    text = "\n".join([*lines, "a.mp4,b.wav,d.mp4,,g.mp4"])
    rows, bad = read_jobs(written(tmp_path, text))
    assert rows == [Row(2, "a.mp4", "b.wav", "c.mp4"), Row(3, "a.mp4", None, "e.mp4", "d.mp4", "p.mp4")]
    assert [line for line, _ in bad] == [4, 5]
    assert bad[0][1] == "lacks audio or drive" and "fills both audio and drive" in bad[1][1]
    rows, bad = read_jobs(written(tmp_path, "DRIVE,Face,outfile\nd.mp4,a.mp4,c.mp4\n"))
    assert rows == [Row(2, "a.mp4", None, "c.mp4", "d.mp4")] and bad == []


@pytest.mark.parametrize(
    ("header", "words"),
    [("face,outfile", "lacks audio"), ("face,audio,pose", "lacks outfile"), ("audio,drive,outfile", "lacks face"),
     ("face,audio,audio,outfile", "names a column twice")],
)  # fmt: skip
def test_a_header_that_lacks_a_column(tmp_path, header, words):
    with pytest.raises(InputError, match=f"jobs.csv: its header {header} {words}"):
        read_jobs(written(tmp_path, header + "\na,b,c\n"))


@pytest.mark.parametrize(("header", "words"), [("face,audio,outfile,drvie", "did you mean drive"),
                                               ("Face,Video,Outfile", "'?video'?")])  # fmt: skip
def test_a_header_with_an_unknown_column_names_it(tmp_path, header, words):
    with pytest.raises(InputError, match=words):
        read_jobs(written(tmp_path, header + "\na,b,c\n"))


def test_empty_cells_at_the_end_do_not_count(tmp_path):
    rows, bad = read_jobs(written(tmp_path, "face,audio,outfile,\na.mp4,b.wav,c.mp4,\nd.mp4,e.wav,f.mp4\n"))
    assert [row.outfile for row in rows] == ["c.mp4", "f.mp4"] and bad == []


def test_quotes_commas_and_letters_of_all_kinds(tmp_path):
    rows, _ = read_jobs(written(tmp_path, '"a, b.mp4","say ""hi"".wav",größe 声.mp4\n'))
    assert rows == [Row(1, "a, b.mp4", 'say "hi".wav', "größe 声.mp4")]


def test_lines_that_cannot_be_used_are_named_and_the_rest_stays(tmp_path):
    rows, bad = read_jobs(written(tmp_path, "a,b,c.mp4\na,b\na,,c\na,b,c.mp4\nx,y,z\nx,y,z,w\n"))
    assert [row.line for row in rows] == [1, 5]
    assert [line for line, _ in bad] == [2, 3, 4, 6]
    assert "outfile of line 1" in bad[2][1]


@pytest.mark.parametrize("text", ["face,audio,outfile\n", "\n# nothing\n\n"])
def test_no_job_at_all(tmp_path, text):
    with pytest.raises(InputError, match="jobs.csv: holds no job"):
        read_jobs(written(tmp_path, text))


def test_not_a_text_file(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(InputError, match="jobs.csv: cannot be read"):
        read_jobs(path)
    with pytest.raises(InputError, match="no such file"):
        read_jobs(tmp_path / "absent.csv")


def test_one_bad_row_does_not_stop_the_rest():
    done = []

    def run_one(row):
        if row.line == 2:
            raise InputError("b.wav: empty")
        if row.line == 3:
            raise ZeroDivisionError("ours")
        done.append(row.line)

    failed = run_rows([Row(line, "f", "a", "o") for line in (1, 2, 3, 4)], run_one)
    assert done == [1, 4]
    assert failed[0] == (2, "b.wav: empty")
    assert failed[1][0] == 3 and "ZeroDivisionError" in failed[1][1]


def test_ctrl_c_stops_them_all():
    def run_one(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_rows([Row(1, "f", "a", "o")], run_one)

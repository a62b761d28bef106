"""OpenFace's csv: its columns in any order, rows that failed, and which row belongs to which frame of a clip."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from datasets.preparing.au.openface import check_columns, csv_of, laid_on_frames, read_openface
from tests.action_units_kit import write_csv

RNG = np.random.default_rng(5)
PRESENT = RNG.integers(0, 2, (12, 5))
INTENSITY = np.round(RNG.uniform(0, 5, (12, 5)), 2)
PRESENCE, INTENSITIES = ([f"AU{unit}_{kind}" for unit in (10, 14, 20, 25, 26)] for kind in "cr")


@pytest.mark.parametrize("blank", [" ", ""])
@pytest.mark.parametrize("seed", [None, 0])
def test_columns_are_found_by_name(tmp_path, blank, seed):
    names = ["frame", "success", "confidence", "AU01_r", *PRESENCE, *INTENSITIES]
    order = None if seed is None else np.random.default_rng(seed).permutation(names)
    found = read_openface(write_csv(tmp_path / "a.csv", PRESENT, INTENSITY, blank=blank, names=order))
    np.testing.assert_array_equal(found.present, PRESENT)
    np.testing.assert_allclose(found.intensity, INTENSITY, atol=1e-6)
    assert found.known.all() and found.rows == 12 and found.present.dtype == np.uint8


def test_rows_that_failed_are_unknown(tmp_path):
    success, confidence = np.ones(12, int), np.full(12, 0.9)
    success[3], confidence[7] = 0, 0.2
    intensity = INTENSITY.copy()
    intensity[5, 2] = np.nan
    found = read_openface(write_csv(tmp_path / "a.csv", PRESENT, intensity, success=success, confidence=confidence))
    assert np.flatnonzero(~found.known).tolist() == [3, 5]
    assert not found.present[[3, 5]].any() and not found.intensity[[3, 5]].any()
    found = read_openface(write_csv(tmp_path / "a.csv", PRESENT, intensity, confidence=confidence, without=("success",)))
    assert np.flatnonzero(~found.known).tolist() == [5, 7], "without success, confidence tells"


def test_rows_that_are_missing_leave_their_frame_unknown(tmp_path):
    frames = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13]
    found = read_openface(write_csv(tmp_path / "a.csv", PRESENT, frame=frames))
    assert len(found.known) == 13 and found.rows == 12 and np.flatnonzero(~found.known).tolist() == [5]
    np.testing.assert_array_equal(found.present[6:], PRESENT[5:])


BAD = {
    "no unit": ({"without": ("AU20_c",)}, "lacks the column AU20_c"),
    "no intensity": ({"without": ("AU26_r",)}, "lacks the column AU26_r"),
    "all NaN": ({"AU25_r": [np.nan] * 12}, "no row is known"),
    "all failed": ({"success": [0] * 12}, "no row is known"),
    "presence": ({"AU25_c": [0.5] * 12}, "neither 0 nor 1"),
    "intensity": ({"AU25_r": [7] * 12}, "outside 0 to 5"),
    "two faces": ({"frame": [1, 1, *range(2, 12)]}, "two rows have the same frame"),
    "no frame": ({"frame": ["x"] * 12}, "no number of a frame"),
    "frame 0": ({"frame": range(12)}, "no number of a frame"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_csv_of_openface_is_refused_in_one_line(tmp_path, case):
    columns, why = BAD[case]
    path = write_csv(tmp_path / "a.csv", PRESENT, **columns)
    with pytest.raises(InputError, match=why) as caught:
        read_openface(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_rows_without_end_and_files_without_rows(tmp_path):
    path = write_csv(tmp_path / "a.csv", PRESENT)
    check_columns(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], lines[4][:20]]))
    with pytest.raises(InputError, match="line 5: has not as many values"):
        read_openface(path)
    path.write_text(lines[0])
    with pytest.raises(InputError, match="has no rows"):
        read_openface(path)
    assert read_openface(path, some=False).known.shape == (0,)
    path.write_text("nothing")
    with pytest.raises(InputError, match="lacks the column AU10_c"):
        check_columns(path)
    path.write_text("")
    with pytest.raises(InputError, match="a.csv"):
        read_openface(path)


def test_a_line_without_end_is_refused_in_one_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x" * 200_000)
    for read in (check_columns, read_openface):
        with pytest.raises(InputError, match="a.csv, line [01]: cannot be read as csv .*limit") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    write_csv(path, PRESENT)
    path.write_text(path.read_text() + "1" * 200_000)
    check_columns(path)
    with pytest.raises(InputError, match="a.csv, line 1[34]: cannot be read as csv"):
        read_openface(path)


def test_a_csv_is_found_by_the_id_of_its_clip(tmp_path):
    write_csv(tmp_path / "bbaf2n.csv", PRESENT)
    assert csv_of(tmp_path, "s1/bbaf2n") == tmp_path / "bbaf2n.csv"
    own = write_csv(tmp_path / "s1" / "bbaf2n.csv", PRESENT)
    assert csv_of(tmp_path, "s1/bbaf2n") == own
    with pytest.raises(InputError, match="holds no csv for it"):
        csv_of(tmp_path, "s1/other")


def rows_of(count, tmp_path):
    """OpenFaceRows whose frame k has the intensity of AU10 k / 100."""
    intensity = np.zeros((count, 5))
    intensity[:, 0] = np.arange(count) / 100
    return read_openface(write_csv(tmp_path / "rows.csv", np.zeros((count, 5)), intensity))


@given(st.sampled_from([24, 25, 30, 30000 / 1001, 50, 60]), st.integers(0, 30))
@settings(deadline=None, max_examples=25)
def test_rows_lie_where_their_frame_is_on_screen(tmp_path_factory, rate, first):
    starts = np.arange(100) / rate
    count = int(100 / rate * 25) - 31
    _, intensity, known = laid_on_frames(rows_of(100, tmp_path_factory.getbasetemp()), starts, first / 25, count, 25, "a.csv")
    assert known.all() and intensity.shape == (count, 5)
    for place in range(count):
        frame = round(float(intensity[place, 0]) * 100)
        time = (first + place) / 25
        assert starts[frame] <= time + 0.25 / 25 + 1e-9
        assert frame == 99 or starts[frame + 1] > time + 0.25 / 25 - 1e-9


def test_a_clip_of_another_length_is_refused_and_one_row_is_forgiven(tmp_path):
    rows, starts = rows_of(50, tmp_path), np.arange(75) / 25
    with pytest.raises(InputError, match=r"a.csv: has 50 rows up to frame 50, the video has 75 frames; run OpenFace on this"):
        laid_on_frames(rows, starts, 0, 75, 25, "a.csv")
    present, intensity, known = laid_on_frames(rows, starts[:51], 0.4, 41, 25, "a.csv")
    assert known[:40].all() and not known[40] and not intensity[40].any(), "the frame that no row names is unknown"
    assert intensity[0, 0] == pytest.approx(0.1) and not present.any()
    laid_on_frames(rows, starts[:49], 0, 49, 25, "a.csv")
    with pytest.raises(InputError, match="the video has 48 frames"):
        laid_on_frames(rows, starts[:48], 0, 48, 25, "a.csv")
    with pytest.raises(InputError, match="no row is known in the part"):
        laid_on_frames(rows, starts[:51], 2.0, 1, 25, "a.csv")

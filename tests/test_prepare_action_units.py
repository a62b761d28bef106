"""Action units as side files: of OpenFace's csv and by geometry, reasons counted, fields of batches, and mistakes."""

import json

import numpy as np
import pytest

import prepare
from benchmarks.au import agreement
from common.cli import run
from common.errors import InputError
from datasets.action_units import read_action_units
from datasets.clip_files import clip_path, open_arrays, read_side, side_path, write_clip
from datasets.corpora.clips import ClipSource
from datasets.label_rates import label_rates
from datasets.prepared import PreparedCorpus, read_manifest
from datasets.preparing.au.labels import ByGeometry, add_action_units, check_csv_folder
from datasets.windows import WindowDataset
from faces.action_units import MEASURES, neutral_face
from tests.action_units_kit import speaking, write_csv
from tests.fields_kit import whole
from tests.make_media import make_video
from tests.prepared_kit import make_corpus
from tests.synthetic import make_talking_head

FRAMES = 40


@pytest.fixture
def folder(tmp_path):
    """Six clips of 1.6 s whose mouths open at the end; in the last one nothing moves."""
    folder = make_corpus(tmp_path / "corpus", size=32, words=False, splits=("train",) * 4 + ("val", "test"))
    for row in PreparedCorpus.open_folder(folder).rows:
        arrays, notes = open_arrays(clip_path(folder, row.id))
        arrays = {name: np.array(array) for name, array in arrays.items()}
        arrays["landmarks"] = speaking(gap=0.0 if row.id.endswith("5") else 0.3, chin=0.01 * int(row.id[-1]))
        arrays["interpolated"][37] = True
        write_clip(clip_path(folder, row.id), arrays, notes)
    return folder


@pytest.fixture
def clips(folder, tmp_path):
    """ClipSources of one video of 40 frames."""
    make_video(tmp_path / "x.mp4", [np.zeros((32, 32, 3), np.uint8)] * FRAMES, 25)
    return [ClipSource(row.id, tmp_path / "x.mp4", row.speaker) for row in PreparedCorpus.open_folder(folder).rows]


def labels(number):
    """(40, 5): a pattern of its own for each clip; AU14 nowhere."""
    present = (np.arange(FRAMES)[:, None] + np.arange(5) * 3) // (3 + number) % 2
    present[:, 1] = 0
    return present


def replace_landmarks(folder, row, landmarks):
    arrays, notes = open_arrays(clip_path(folder, row.id))
    arrays = {name: np.array(array) for name, array in arrays.items()} | {"landmarks": landmarks}
    write_clip(clip_path(folder, row.id), arrays, notes)


def by_number(folder):
    return {int(row.id[-1]): row for row in read_manifest(folder).values()}


def test_geometry_is_stored_once_and_reasons_are_counted(folder, clips, capsys):
    add_action_units(clips, folder, "geometry")
    said = capsys.readouterr().out
    assert "action_units: 6 geometry; 0 clips without" in said
    still = read_action_units(folder, by_number(folder)[5])
    assert still.known.sum() == 39 and not still.present[:, :4].any(), "the person's other clips tell the neutral face"
    row = by_number(folder)[2]
    found = read_action_units(folder, row)
    assert found.known.sum() == 39 and not found.known[37]
    assert found.present[30:37, 3].all() and not found.present[:20].any()
    assert found.intensity.dtype == np.float32 and found.present.dtype == np.uint8 and found.known.dtype == bool
    assert read_side(folder, "action_units", row.id)[1]["parameters"]["rules"]["25"]
    written = side_path(folder, "action_units", row.id).stat().st_mtime_ns
    add_action_units(clips, folder, "geometry")
    assert "6 done before, 0 to do" in capsys.readouterr().out
    assert side_path(folder, "action_units", row.id).stat().st_mtime_ns == written


def test_the_neutral_face_is_the_median_of_the_person(folder, clips, capsys):
    rows, chin = by_number(folder), MEASURES.index("chin")
    longer = {0: -0.02, 2: 0.0, 4: 0.05}  # of the chin at rest
    for number, by in longer.items():
        landmarks = speaking(gap=0.3) + speaking(chin=by, from_frame=0) - speaking()
        replace_landmarks(folder, rows[number], landmarks)
        longer[number] = neutral_face(landmarks)[chin]
    add_action_units(clips, folder, "geometry")
    capsys.readouterr()
    units = {number: read_action_units(folder, row) for number, row in rows.items()}
    assert all(units[number].neutral[chin] == pytest.approx(longer[2], abs=1e-4) for number in (0, 2, 4))
    assert longer[0] < longer[2] < longer[4] and units[4].present[:20, 4].all() and not units[2].present[:20, 4].any()
    for number in (1, 3, 5):
        replace_landmarks(folder, rows[number], speaking(gap=0.0))
    add_action_units(clips, folder, "geometry")
    said = capsys.readouterr().out
    assert "3 done before, 3 to do" in said and "action_units: 3 geometry; 3 clips without" in said
    assert "3 x no clip of the person shows a mouth that moves" in said


def test_the_worker_of_a_clip_gets_the_neutral_face_of_its_person_alone(folder):
    row, face = by_number(folder)[0], np.arange(7.0)
    many = ByGeometry({row.speaker: face, **{f"person{number}": face for number in range(1000)}})
    one = many.of(row)
    assert set(one.neutral) == {row.speaker} and one.parameters(row, None) == many.parameters(row, None)
    assert ByGeometry({}).of(row).parameters(row, None)["neutral"] is None


def test_openface_takes_the_place_of_geometry_and_says_why_clips_have_none(folder, clips, tmp_path, capsys):
    add_action_units(clips, folder, "geometry")
    place = tmp_path / "csv"
    for number in (0, 1, 2):
        write_csv(place / f"s{number % 2 + 1}" / f"clip{number}.csv", labels(number))
    write_csv(place / "clip3.csv", labels(3)[:20])
    check_csv_folder(place, [clip.id for clip in clips])
    add_action_units(clips, folder, "openface", place)
    said = capsys.readouterr().out
    assert "action_units: 3 openface; 3 clips without" in said and "2 x --au_csv holds no csv for it" in said
    assert "1 x has N rows up to frame N, the video has N frames" in said
    np.testing.assert_array_equal(read_action_units(folder, by_number(folder)[1]).present, labels(1))
    assert not side_path(folder, "action_units", by_number(folder)[3].id).is_file(), "those by geometry are gone"
    write_csv(place / "s2" / "clip1.csv", 1 - labels(1))
    add_action_units(clips, folder, "openface", place)
    assert "5 done before, 1 to do" in capsys.readouterr().out
    np.testing.assert_array_equal(read_action_units(folder, by_number(folder)[1]).present, 1 - labels(1))


def test_a_clip_that_got_none_is_tried_again_where_what_decides_has_changed(folder, clips, tmp_path, capsys):
    rows, two = by_number(folder), [clip for clip in clips if clip.id[-1] in "01"]
    for number in (1, 3, 5):
        replace_landmarks(folder, rows[number], speaking(gap=0.0))
    add_action_units(clips, folder, "geometry")
    assert "3 geometry; 3 clips without" in capsys.readouterr().out
    add_action_units(clips, folder, "geometry")
    assert "6 done before, 0 to do" in capsys.readouterr().out
    write_csv(tmp_path / "clip0.csv", labels(0))
    add_action_units(two, folder, "openface", tmp_path)
    assert "0 done before, 2 to do" in capsys.readouterr().out, "another way, also for the clip that had none"
    add_action_units(two, folder, "openface", tmp_path)
    assert "2 done before, 0 to do" in capsys.readouterr().out
    write_csv(tmp_path / "clip1.csv", labels(1))
    add_action_units(two, folder, "openface", tmp_path)
    assert "action_units: 2 openface; 0 clips without" in capsys.readouterr().out, "its csv is there now"
    replace_landmarks(folder, rows[3], speaking(gap=0.3))
    add_action_units(clips, folder, "geometry")
    assert "action_units: 6 geometry; 0 clips without" in capsys.readouterr().out, "the person's neutral face is known now"


def test_labels_of_mixed_origin_are_refused_in_one_line(folder, clips, tmp_path):
    add_action_units(clips, folder, "geometry")
    last = next(clip for clip in clips if clip.id.endswith("5"))  # of the split test
    write_csv(tmp_path / "clip5.csv", labels(5))
    add_action_units([last], folder, "openface", tmp_path)
    corpus = PreparedCorpus.open_folder(folder)
    told = "its clips hold action units of mixed origin, by geometry in 5 and by openface in 1; run prepare.py on all of them"
    for asked in (lambda: label_rates(corpus, "action_units"),
                  lambda: WindowDataset(corpus, "train", 5, ("action_units",)),
                  lambda: WindowDataset(corpus, "train", 5, ("clip",), action_units="required")):  # fmt: skip
        with pytest.raises(InputError, match=told) as caught:
            asked()
        assert "\n" not in str(caught.value)
    assert len(WindowDataset(corpus, "train", 5, ("clip",)).rows) == 4, "where nothing needs them they do not matter"


def test_no_clip_with_labels_is_a_mistake(folder, clips, tmp_path):
    write_csv(tmp_path / "csv" / "clip0.csv", labels(0)[:9])
    with pytest.raises(InputError, match="no clip got action units by --action_units openface; s1/clip0: .* has 9 rows"):
        add_action_units(clips[:1], folder, "openface", tmp_path / "csv")


def test_fields_hold_the_labels_of_their_frames_and_clips_without_are_left_out(folder, clips, capsys):
    corpus = PreparedCorpus.open_folder(folder)
    fields = ("action_units", "action_units_known", "clip", "frame")
    with pytest.raises(InputError, match="hold no action units; run prepare.py on it again with --action_units"):
        WindowDataset(corpus, "train", 5, fields)
    add_action_units([clip for clip in clips if not clip.id.endswith("1")], folder, "geometry")
    corpus = PreparedCorpus.open_folder(folder)
    data = WindowDataset(corpus, "train", 5, fields)
    assert data.without == {"action_units": 1} and len(data.rows) == 3
    for index in range(12):
        item = whole(data, index)
        found, start = read_action_units(folder, data.rows[int(item["clip"])]), int(item["frame"])
        np.testing.assert_array_equal(item["action_units"], found.present[start : start + 5])
        np.testing.assert_array_equal(item["action_units_known"], found.known[start : start + 5])
        assert item["action_units"].dtype == np.float32 and item["action_units_known"].dtype == bool
    assert WindowDataset(corpus, "train", 5, ("clip",)).without == {}
    assert WindowDataset(corpus, "train", 5, ("clip",), action_units="required").without == {"action_units": 1}
    path = side_path(folder, "action_units", data.rows[0].id)
    arrays, notes = open_arrays(path)
    write_clip(path, {"present": np.array(arrays["present"])[:9]}, notes)
    with pytest.raises(InputError, match="holds no action units of 40 frames; remove it"):
        read_action_units(folder, data.rows[0])


def test_agreement_of_geometry_with_openface(folder, clips, tmp_path, capsys):
    assert run(agreement.main, ["--corpus", str(folder)]) == 2
    assert "no clip has action units of OpenFace" in capsys.readouterr().err
    add_action_units(clips, folder, "geometry")
    for number, row in by_number(folder).items():
        write_csv(tmp_path / "csv" / f"clip{number}.csv", read_action_units(folder, row).present)
    add_action_units(clips, folder, "openface", tmp_path / "csv", retry_failed=True)
    report = agreement.measure(folder)
    assert report["clips"] == 6 and report["frames"] == 6 * 39 and not report["left_out"]
    assert report["units"]["AU25"]["f1"] == 1 and report["units"]["AU10"]["f1"] is None
    assert run(agreement.main, ["--corpus", str(folder), "--split", "train", "--out", str(tmp_path / "a")]) == 0
    assert "| AU25 lips part |" in (tmp_path / "a.md").read_text()
    assert json.loads((tmp_path / "a.json").read_text())["clips"] == 4
    assert run(agreement.main, ["--corpus", str(folder), "--split", "unseen"]) == 2


def test_figures_of_agreement():
    true, said = np.array([[1], [1], [0], [0]]), np.array([[1], [0], [1], [0]])
    found = agreement.compare(*(np.repeat(one, 5, 1) for one in (true, said, true * 3.0, said * 2.0)))["units"]["AU14"]
    assert (found["f1"], found["accuracy"], found["openface"]) == (0.5, 0.5, 0.5) and found["always"] == pytest.approx(2 / 3)
    assert found["r"] == pytest.approx(0)
    none = agreement.compare(*[np.zeros((4, 5))] * 4)
    assert none["f1"] is none["units"]["AU10"]["f1"] is none["units"]["AU10"]["r"] is None


def test_prepare_cuts_au112_crops_and_reads_csv_and_geometry(tmp_path, capsys):
    root, out, place = tmp_path / "grid", tmp_path / "out", tmp_path / "csv"
    (root / "s1" / "video").mkdir(parents=True)
    make_talking_head(root / "s1" / "video" / "bbaf2n.mp4", 1.2, seed=3)
    base = ["--corpus", "grid", "--root", str(root), "--out", str(out), "--workers", "1", "--align", "none", "--crop", "au112"]
    openface = [*base, "--av_offset", "off", "--action_units", "openface", "--au_csv", str(place)]
    write_csv(place / "other.csv", labels(0))
    for why, clip in (("holds no csv for the clips of the", None), ("lacks the column AU26_r", {"without": ("AU26_r",)})):
        if clip:
            write_csv(place / "s1" / "bbaf2n.csv", labels(0), **clip)
        assert run(prepare.main, openface) == 2
        assert why in capsys.readouterr().err and not clip_path(out, "s1/bbaf2n").is_file(), "before any face is cut"
    write_csv(place / "s1" / "bbaf2n.csv", labels(0)[:30])
    assert run(prepare.main, openface) == 0
    corpus = PreparedCorpus.open_folder(out)
    (row,) = corpus.rows
    assert corpus.settings["crop"] == "au112" and corpus.open(row)["face"].shape[1:] == (112, 112, 3)
    found = read_action_units(out, row)
    np.testing.assert_array_equal(found.present, labels(0)[round(row.offset * 25) :][: row.frames])
    assert json.loads((out / "report.json").read_text())["side"]["action_units"] == {"from": {"openface": 1}, "missing": {}}
    capsys.readouterr()
    assert run(prepare.main, ["--out", str(out), "--action_units", "geometry"]) == 0
    assert "action_units: 1 geometry; 0 clips without" in capsys.readouterr().out
    found = read_action_units(out, row)
    assert found.present[:, 3].any() and not found.present[:, 3].all()
    assert json.loads((out / "report.json").read_text())["side"]["action_units"]["from"] == {"geometry": 1}


@pytest.mark.parametrize(("words", "why"), [
    ("--action_units openface", "give --corpus and --root"),
    ("--corpus grid --root {root} --action_units openface", "give the folder of OpenFace's csv"),
    ("--corpus grid --root {root} --au_csv {root}", "--au_csv has no effect without --action_units openface"),
    ("--action_units geometry --crop au112", "--crop decides how clips are prepared"),
    ("--corpus grid --root {root} --action_units openface --au_csv {root}/none", "no such folder"),
])  # fmt: skip
def test_flags_that_do_not_go_together(folder, tmp_path, words, why, capsys):
    root = tmp_path / "root"
    (root / "s1" / "video").mkdir(parents=True)
    (root / "s1" / "video" / "bbaf2n.mp4").write_text("x")
    out = folder if "corpus" not in words else tmp_path / "out"
    assert run(prepare.main, [*words.format(root=root).split(), "--out", str(out)]) == 2
    assert why in capsys.readouterr().err

"""evaluate.py from the command line down, on drawn faces whose landmarks a test detector reads back, and on real clips."""

import csv
import re
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from common.errors import InputError
from media import probe
from metrics.compare import compare_videos, fitting
from tests.evaluate_kit import (
    EYES,
    GAPS,
    HEIGHT,
    SUFFIXES,
    WIDTH,
    cells,
    heads,
    run,
    save_expert,
    table,
    talking,
    use_drawn_faces,
    values,
    write,
    write_clips,
)


@pytest.fixture
def drawn(monkeypatch):
    return use_drawn_faces(monkeypatch)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """real/ with three faces and one nobody needs; two systems, made_a and made_b, and other_a, other_b with other sound."""
    folder = tmp_path_factory.mktemp("material")
    write_clips(folder / "real", {"a": 0, "b": 5, "deep/c": 9})
    write_clips(folder / "made_a", {"a": 1, "b": 7, "deep/c": 8})
    write_clips(folder / "made_b", {"a": 4, "b": 1})
    write_clips(folder / "other_a", {"a": 11, "b": 13})
    write_clips(folder / "other_b", {"a__b": 12, "b__a": 14})
    write_clips(folder / "mixed", {"a": 1, "b": 7, "a__b": 12, "a__deep~c": 15})
    for name in ("real/unused.mp4", "made_a/stranger.mp4"):
        (folder / name).touch()
    save_expert(folder / "tiny.safetensors")
    return folder


def test_a_generated_clip_is_measured_beside_its_baselines(tmp_path, drawn, capsys):
    real = write(tmp_path / "real clip.mp4", talking(GAPS))
    other = np.roll(GAPS, 4) // 8 * 4
    made = write(tmp_path / "generated.mp4", talking(other))
    out = tmp_path / "new" / "table"
    assert run("--generated", made, "--real", real, "--expert", "none", "--out", f"{out}.json", "--figures", "pdf") == 0
    report = table(out)
    assert [row["label"] for row in report["rows"]] == ["real video", "no motion", "generated, paired"]
    truth, held, generated = (values(report, row["label"]) for row in report["rows"])
    assert report["videos"][2]["frames"] == {"compared": 30, "generated": 30, "real": 30,
                                             "left_out": {"no_face_real": 0, "no_face_generated": 0, "covered_real": 0,
                                                          "beyond_the_shorter": 0}}
    assert generated["mouth_correlation"] == pytest.approx(np.corrcoef(other, GAPS)[0, 1], abs=1e-4)
    assert generated["mouth_range"] == pytest.approx(other.std() / GAPS.std(), rel=1e-3)
    crop_scale = 96 / (2.8 * EYES)
    by_hand = np.abs(other - GAPS).mean() / 2 * 6 / 20
    assert generated["lmd_raw"] == pytest.approx(by_hand * crop_scale, rel=0.02)
    assert generated["lmd_aligned"] == pytest.approx(by_hand * crop_scale, rel=0.02)
    assert generated["lmd_normalised"] == pytest.approx(by_hand / (1.4 * EYES), rel=0.02)
    assert held["mouth_correlation"] is None and held["mouth_range"] == 0
    still = np.abs(GAPS[1:] - GAPS[0]).mean() / 2 * 6 / 20
    assert held["lmd_normalised"] == pytest.approx(still / (1.4 * EYES), rel=0.02)
    assert report["videos"][1]["frames"]["compared"] == 29
    assert truth["ssim_face"] == pytest.approx(1) and truth["psnr_mouth"] == 100
    assert truth["lmd_raw"] == 0 and truth["mouth_correlation"] == pytest.approx(1)
    for metric in ("ssim_face", "ssim_mouth", "psnr_face", "psnr_mouth"):
        assert generated[metric] < truth[metric]
    assert generated["ssim_mouth"] < generated["ssim_face"]
    assert {path.name for path in out.parent.iterdir()} == {"table" + suffix for suffix in SUFFIXES}
    with open(f"{out}.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["kind"] for line in lines[:3]] == ["real", "copy", "generated"] and lines[1]["mouth_correlation"] == ""
    assert float(lines[2]["ssim_face"]) == generated["ssim_face"]
    printed, noted = capsys.readouterr()
    assert "note: --figures: no figure is written" in noted
    assert "SSIM face" in printed and f"{generated['ssim_face']:.4f}" in printed


def test_frames_without_a_face_are_left_out_and_counted(tmp_path, drawn):
    real = write(tmp_path / "real.mp4", talking(GAPS, hidden={0, 1, 12}))
    made = write(tmp_path / "made.mp4", talking(GAPS, hidden={1, 12, 20})[:28])
    result = compare_videos(made, real, drawn)
    assert result.frames == {"compared": 24, "generated": 28, "real": 30,
                             "left_out": {"no_face_real": 3, "no_face_generated": 1, "covered_real": 0,
                                          "beyond_the_shorter": 2}}
    assert result.values["lmd_raw"] == pytest.approx(0, abs=1e-3)
    assert any("lengths differ" in note for note in result.notes)


def test_size_and_rate_of_the_generated_video_are_brought_to_the_real_one(tmp_path, drawn):
    frames = talking(GAPS)
    real = write(tmp_path / "real.mp4", frames)
    large = write(tmp_path / "large.mp4", [cv2.resize(f, (2 * WIDTH, 2 * HEIGHT)) for f in frames])
    result = compare_videos(large, real, drawn)
    assert result.values["ssim_face"] > 0.97 and any("320x352" in note for note in result.notes)
    double = write(tmp_path / "double.mp4", [f for f in frames for _ in range(2)], fps=50)
    result = compare_videos(double, real, drawn)
    assert result.frames["compared"] == 30 and result.values["mouth_correlation"] > 0.999
    assert any("it has 50" in note for note in result.notes)
    wide = write(tmp_path / "wide.mp4", [cv2.resize(f, (2 * WIDTH, HEIGHT)) for f in frames])
    with pytest.raises(InputError, match="320x176"):
        compare_videos(wide, real, drawn)


def test_a_padded_odd_size_is_cut_not_resized(tmp_path, drawn, monkeypatch):
    odd = [frame[:175, :159] for frame in talking(GAPS)]
    made = write(tmp_path / "made.mp4", odd)
    assert probe(made).width == 160 and probe(made).height == 176
    monkeypatch.setattr("cv2.resize", lambda *args, **options: pytest.fail("resized"))
    fit = fitting(probe(made), SimpleNamespace(width=159, height=175, path="real"))
    padded = np.pad(odd[0], ((0, 1), (0, 1), (0, 0)), mode="edge")
    np.testing.assert_array_equal(fit(padded), odd[0])


def test_several_systems_paired_and_unpaired_stand_side_by_side(material, tmp_path, drawn, capsys):
    out = tmp_path / "t"
    folders = {name: material / name for name in ("real", "made_a", "made_b", "other_a", "other_b")}
    assert run("--generated", folders["made_a"], folders["made_b"], "--unpaired", folders["other_a"], folders["other_b"],
               "--real", folders["real"], "--expert", material / "tiny.safetensors", "--force", "--out", out) == 0
    report, shown = table(out), capsys.readouterr()
    assert {row["label"]: (row["videos"], row["failed"]) for row in report["rows"]} == {
        "real video": (3, 0), "no motion": (3, 0), "made_a, paired": (3, 0), "made_a, unpaired": (2, 0),
        "made_b, paired": (2, 0), "made_b, unpaired": (2, 0)}
    both = [column["key"] for column in report["columns"] if not column["paired_only"]]
    constant = [f"{name}_{kind}" for name in ("eyes", "brows") for kind in ("correlation", "range")]  # in a drawn face
    constant += [f"{name}_correlation" for name in ("yaw", "pitch", "roll")]
    constant += [f"au{unit}_f1_geometry" for unit in (10, 14, 20, 26)]  # they are in no drawn face
    constant += ["open_in_silence"]  # the sound has no pause
    for key in constant:
        assert cells(report, "made_a, paired")[key]["mean"] is None
    for column in (column for column in report["columns"] if column["key"] not in constant):
        for system in ("made_a", "made_b"):
            assert cells(report, f"{system}, paired")[column["key"]]["mean"] is not None
            unpaired = cells(report, f"{system}, unpaired")[column["key"]]
            assert (unpaired["mean"] is not None) == (column["key"] in both)
            assert (unpaired["low"] is not None) == (column["key"] in both and column["key"] != "frechet")
    changes = {(entry["system"], entry["column"]): entry for entry in report["leakage"]}
    assert set(changes) == {(system, key) for system in ("made_a", "made_b") for key in both if key not in constant}
    own, driven = ([values(report, f"made_b, {kind}", name)["sharpness"] for name in names]
                   for kind, names in (("paired", ("a", "b")), ("unpaired", ("a__b", "b__a"))))
    assert changes["made_b", "sharpness"]["difference"] == pytest.approx(np.mean(driven) - np.mean(own))
    assert changes["made_b", "sharpness"]["faces"] == 2
    distances = [cells(report, f"made_a, {kind}")["frechet"]["mean"] for kind in ("unpaired", "paired")]
    assert changes["made_a", "frechet"]["difference"] == pytest.approx(distances[0] - distances[1])
    unmatched = report["protocol"]["unmatched"]
    lacking = {f"{folders['real']} beside {folders[name]}": ["deep/c"] for name in ("made_b", "other_a", "other_b")}
    assert unmatched == {str(folders["made_a"]): ["stranger"], str(folders["real"]): ["unused"], **lacking}
    for folder, (name,) in unmatched.items():
        assert f"note: {folder}: 1 video(s) without a partner, left out: {name}" in shown.err
    samples = report["protocol"]["counts"]["frechet_samples"]
    assert samples[:3] == ["120 of real video", "120 of no motion", "120 of made_a, paired"] and "120 of real" in shown.out


def test_every_format_is_written_and_whole(material, tmp_path, drawn, capsys):
    out = tmp_path / "t"
    assert run("--generated", material / "mixed", "--real", material / "real", "--expert", material / "tiny.safetensors",
               "--with_published", "grid", "--out", out) == 0
    report, printed = table(out), capsys.readouterr().out
    assert {path.suffix for path in tmp_path.iterdir()} == SUFFIXES
    for suffix in SUFFIXES:
        assert f"t{suffix}" in printed.splitlines()[-1]
    with open(tmp_path / "t.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert sum(line["line"] == "video" for line in lines) == len(report["videos"]) == 8
    assert [line["name"] for line in lines if line["protocol"] == "unpaired"][:2] == ["a__b", "a__deep~c"]
    tex, page, markdown = ((tmp_path / f"t{suffix}").read_text() for suffix in (".tex", ".html", ".md"))
    assert tex.count(r"\toprule") == tex.count(r"\bottomrule") >= 2 and "mixed" in tex and "no motion" in tex
    for text in (page, markdown, printed):
        assert "mixed, unpaired" in text and "no motion" in text and "published numbers" in text.lower()
    assert page.count("data:image/png") == 2, "scatter and curves"
    assert page.count("data:image/jpeg") == 4, "a strip of every generated video"
    assert "sync confidence" in page and not re.search(r'(?:src|href)="(?!data:)', page) and "<script" not in page


def test_protocol_goes_by_name_or_by_flag(material, tmp_path, drawn):
    def labels(*more):
        assert run("--generated", material / "mixed", "--real", material / "real", "--expert", "none", "--frames", 6,
                   "--out", tmp_path / "t", *more) == 0
        return {row["label"]: row["videos"] for row in table(tmp_path / "t")["rows"][2:]}

    by_name = {"mixed, paired": 2, "mixed, unpaired": 2}
    assert labels() == by_name and labels("--protocol", "both") == by_name
    assert labels("--protocol", "paired") == {"mixed, paired": 4}
    assert labels("--protocol", "unpaired") == {"mixed, unpaired": 4}
    report = table(tmp_path / "t")
    assert all(cells(report, "mixed, unpaired")[column["key"]]["mean"] is None
               for column in report["columns"] if column["paired_only"])
    assert {video["frames"]["compared"] for video in report["videos"] if video["row"]["kind"] == "real"} == {6}
    assert heads(report)[-1] == "AU26 acc. (geometry)"


def test_a_video_that_fails_is_a_row_and_counted(tmp_path, drawn, capsys):
    for folder, shift in (("real", 0), ("made", 2)):
        for index, name in enumerate(["a.mp4", "deep/b.mp4", "c.mp4", "d.mp4"]):
            faceless = range(30) if (folder, name) in (("made", "c.mp4"), ("real", "d.mp4")) else ()
            write(tmp_path / folder / name, talking(np.roll(GAPS, shift + index), hidden=faceless)[:20])
    arguments = ["--generated", tmp_path / "made", "--real", tmp_path / "real", "--expert", "none", "--out", tmp_path / "t"]
    assert run(*arguments, "--frames", 12) == 1
    report, printed = table(tmp_path / "t"), capsys.readouterr().out
    assert [(row["label"], row["videos"], row["failed"]) for row in report["rows"]] == [
        ("real video", 3, 1), ("no motion", 3, 0), ("made, paired", 2, 2)]
    made = [video for video in report["videos"] if video["row"]["kind"] == "generated"]
    assert [video["name"] for video in made] == ["a", "deep/b"] and all(video["frames"]["real"] == 12 for video in made)
    failed = {(entry["name"], entry["row"]["kind"]): entry["reason"] for entry in report["failed"]}
    assert set(failed) == {("c", "generated"), ("d", "generated"), ("d", "real")}
    assert "c.mp4: no face" in failed["c", "generated"]
    assert failed["d", "generated"] == failed["d", "real"] and failed["d", "real"].startswith("the real video: ")
    assert "3 FAILED" in printed and "failed: c: " in printed and "2 failed" in (tmp_path / "t.html").read_text()
    lmd = [video["values"]["lmd_raw"] for video in made]
    cell = cells(report, "made, paired")["lmd_raw"]
    assert (cell["mean"], cell["median"], cell["videos"]) == (np.mean(lmd), np.median(lmd), 2)


def test_nothing_is_written_when_all_fail_and_all_are_looked_at_again(tmp_path, drawn, capsys):
    for name in ("a", "b"):
        write(tmp_path / "real" / f"{name}.mp4", talking(GAPS[:6]))
        write(tmp_path / "made" / f"{name}.mp4", talking(GAPS[:6], hidden=range(6)))
    folders = ["--generated", tmp_path / "made", "--real", tmp_path / "real"]
    for _ in range(2):
        assert run(*folders, "--out", tmp_path / "t", "--expert", "none") == 2
        error = capsys.readouterr().err
        assert error.startswith("error: none of the 2 videos could be measured; the first: ") and "a.mp4: no face" in error
        assert error.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"real", "made"}


@pytest.mark.media
def test_a_real_clip_against_itself_and_against_another(shared_media, tmp_path):
    clips = sorted((shared_media / "grid" / "s1" / "video").iterdir())[:2]
    common = ["--real", clips[0], "--frames", 40, "--expert", "none"]
    assert run("--generated", clips[0], *common, "--out", tmp_path / "same") == 0
    same = table(tmp_path / "same")
    itself = values(same, f"{clips[0].stem}, paired")
    assert itself["ssim_face"] > 0.999 and itself["lmd_aligned"] < 0.05 and itself["mouth_correlation"] > 0.99
    assert run("--generated", clips[1], *common, "--out", tmp_path / "other") == 0
    other = table(tmp_path / "other")
    different = values(other, other["rows"][2]["label"])
    assert different["ssim_face"] < 0.9 and different["lmd_aligned"] > 0.5
    assert values(other, "no motion") == values(same, "no motion")

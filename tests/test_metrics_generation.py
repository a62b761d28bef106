"""evaluate.py with --checkpoint: videos of a list of pairs are generated, kept, and measured."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from common.files import content_hash
from media import VideoWriter, read_metadata
from metrics.clips.generation import VideoGenerator
from metrics.clips.names import folder_tags, system_names
from metrics.clips.video_tags import VideoTags
from models import build_model
from pipeline.marking import synthetic_tags
from tests.evaluate_kit import GAPS, cells, run, table, talking, use_drawn_faces, values, write, write_clips
from tests.inference_kit import OWN, TINY, enliven, save_tiny, tone, write_wav
from training.checkpoint import save_checkpoint


@pytest.fixture
def drawn(monkeypatch):
    return use_drawn_faces(monkeypatch)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """clips/ with three faces, and two checkpoints."""
    folder = tmp_path_factory.mktemp("generation")
    write_clips(folder / "clips", {"a": 0, "b": 5, "e": 9}, count=8)
    save_tiny(folder / "tiny.safetensors")
    save_other(folder / "other.safetensors")
    return folder


def save_other(path):
    torch.manual_seed(4)
    save_checkpoint(path, enliven(build_model(TINY)), {"model": TINY, "data": OWN, "training": {}})


def generate(material, out, *more, checkpoints=("tiny",), pairs="folder"):
    """Exit code of evaluate.py for these checkpoints."""
    paths = [material / f"{name}.safetensors" for name in checkpoints]
    return run("--checkpoint", *paths, "--pairs", pairs, "--data_root", material / "clips", "--out", out, "--expert", "none",
               "--device", "cpu", "--cache_dir", out.parent / "cache", *more)


@pytest.fixture
def copied(monkeypatch):
    """Nothing is drawn: the face's video stands for the result. List of the results' paths."""
    made = []

    def run_job(job, generator, face_options, options, *, store):
        made.append(job.outfile)
        job.outfile.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(job.face, job.outfile)

    monkeypatch.setattr("metrics.clips.generation.run_job", run_job)
    return made


def written(folder):
    """{name below the folder: time of its last change} of the videos."""
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*.mp4")}


def test_videos_are_generated_once_and_measured(material, tmp_path, drawn):
    out, videos = tmp_path / "t", tmp_path / "t_videos"
    assert generate(material, out, checkpoints=("tiny", "other")) == 0
    report, first = table(out), written(videos)
    names = {path.removesuffix(".mp4") for path in first}
    assert len(names) == 12 and {"tiny/a", "tiny/b", "tiny/e", "other/a"} < names
    assert sum("__" in name for name in names) == 6
    tags = read_metadata(videos / "tiny" / "a.mp4")
    assert "synthetic media" in tags["comment"] and "tiny.safetensors" in tags["comment"]
    assert {row["label"]: row["videos"] for row in report["rows"]} == {
        "real video": 3, "no motion": 3, "tiny, paired": 3, "tiny, unpaired": 3, "other, paired": 3, "other, unpaired": 3}
    assert report["protocol"]["pairing"] == "folder; sounds drawn with seed 0"
    assert values(report, "tiny, paired", "a") != values(report, "other, paired", "a")
    assert set(report["protocol"]["checkpoints"]) == {"tiny", "other"}
    assert cells(report, "tiny, unpaired")["ssim_face"]["mean"] is None
    assert cells(report, "tiny, unpaired")["sharpness"]["mean"] is not None
    assert generate(material, out, checkpoints=("tiny", "other")) == 0
    assert written(videos) == first and table(out) == report
    assert not (tmp_path / "t.progress").exists()


def test_another_checkpoint_of_the_same_name_generates_again(material, tmp_path, drawn):
    shutil.copytree(material / "clips", tmp_path / "clips")
    shutil.copy(material / "tiny.safetensors", tmp_path)
    out, arguments = tmp_path / "t", ["--protocol", "paired", "--limit", 1, "--videos", tmp_path / "videos"]
    assert generate(tmp_path, out, *arguments) == 0
    first, before = table(out), written(tmp_path / "videos")
    assert list(before) == ["tiny/a.mp4"]
    save_other(tmp_path / "tiny.safetensors")
    assert generate(tmp_path, out, *arguments) == 0
    second, after = table(out), written(tmp_path / "videos")
    assert after != before and values(second, "tiny, paired") != values(first, "tiny, paired")
    source = tmp_path / "clips" / "a.mp4"
    os.utime(source, ns=(after["tiny/a.mp4"] + 10**9,) * 2)
    assert generate(tmp_path, out, *arguments) == 0
    assert written(tmp_path / "videos") != after, "the face's video is newer"


def test_videos_of_another_face_are_not_taken(material, tmp_path, drawn, copied, capsys):
    arguments = ["--protocol", "paired", "--videos", tmp_path / "videos"]
    assert generate(material, tmp_path / "t", *arguments) == 0 and len(copied) == 3
    assert json.loads((tmp_path / "videos" / "made.json").read_text()) == {"detector": "mediapipe", "face_index": None}
    capsys.readouterr()
    assert generate(material, tmp_path / "u", *arguments, "--face_index", 0) == 2
    assert "its videos were made with" in capsys.readouterr().err and len(copied) == 3
    (tmp_path / "videos" / "made.json").write_text("{")
    assert generate(material, tmp_path / "u", *arguments) == 2 and "made.json: cannot be read" in capsys.readouterr().err


def test_a_pair_with_a_broken_sound_is_a_row_and_one_without_is_left_out(material, tmp_path, drawn, capsys):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "clips").mkdir(exist_ok=True)
        shutil.copy(material / "clips" / name, tmp_path / "clips")
    write_wav(tmp_path / "clips" / "good.wav", tone(0.32))
    (tmp_path / "clips" / "bad.wav").write_text("no sound at all")
    listed = tmp_path / "list.txt"
    listed.write_text("a.mp4 good.wav\nb.mp4 bad.wav\na.mp4 gone.wav\n")
    shutil.copy(material / "tiny.safetensors", tmp_path)
    assert generate(tmp_path, tmp_path / "t", pairs=listed) == 2
    assert "bad.wav: cannot be read as audio" in capsys.readouterr().err and not (tmp_path / "t_videos").exists()
    assert generate(tmp_path, tmp_path / "t", "--keep_going", pairs=listed) == 1
    report, error = table(tmp_path / "t"), capsys.readouterr().err
    (failed,) = report["failed"]
    assert failed["name"] == "b__bad.wav" and failed["reason"].startswith("could not be generated: ")
    assert "bad.wav" in failed["reason"] and "line 3: a.mp4 gone.wav: left out: sound gone.wav: no such file" in error
    assert report["protocol"]["missing"] == [["line 3: a.mp4 gone.wav", "sound gone.wav: no such file"]]
    assert {row["label"]: (row["videos"], row["failed"]) for row in report["rows"][2:]} == {
        "tiny, paired": (2, 0), "tiny, unpaired": (1, 1)}


def test_a_face_that_shows_none_is_a_row(material, tmp_path, drawn, copied):
    shutil.copytree(material / "clips", tmp_path / "clips")
    shutil.copy(material / "tiny.safetensors", tmp_path)
    (tmp_path / "clips" / "b.mp4").write_bytes(b"broken")
    assert generate(tmp_path, tmp_path / "t", "--protocol", "paired", "--keep_going") == 1
    assert {(one["name"], one["row"]["kind"]) for one in table(tmp_path / "t")["failed"]} == {("b", "real"), ("b", "generated")}


def test_limit_and_seed_choose_the_pairs(material, tmp_path, drawn, copied):
    def pairs(*more):
        copied.clear()
        assert generate(material, tmp_path / "t", "--frames", 3, "--videos", tmp_path / str(more), *more) == 0
        return sorted(path.stem for path in copied)

    whole = pairs()
    assert len(whole) == 6
    assert pairs("--limit", "1") == [name for name in whole if name.partition("__")[0] == "a"]
    assert len({tuple(pairs("--seed", seed)) for seed in range(5)}) == 2, "three ids have two rings"
    assert pairs("--protocol", "unpaired") == [name for name in whole if "__" in name]


def test_a_checkpoint_that_is_no_generator_is_refused_before_any_work(material, tmp_path, drawn, copied, capsys):
    (tmp_path / "text.pth").write_text("weights")
    for path, message in ((tmp_path / "text.pth", "is not a checkpoint"), (tmp_path / "none.pth", "no such file")):
        assert run("--checkpoint", path, "--pairs", "folder", "--data_root", material / "clips", "--out", tmp_path / "t") == 2
        assert message in capsys.readouterr().err
    assert generate(material, tmp_path / "t", pairs="grid") == 2 and not copied


def test_names_of_systems(tmp_path, monkeypatch):
    def names(paths, *runs):
        return system_names(paths, runs or [None] * len(paths))

    assert names(["x/a.safetensors", "y/b.pth", "z/v1.0", "c.MPG"]) == ["a", "b", "v1.0", "c"]
    assert names(["x/best.safetensors", "results"], "tcsc", "sto") == ["tcsc", "sto"], "the run's name before the file's"
    assert names(["x/last.pth", "y/last.pth", "y/best.pth"]) == ["x-last", "y-last", "best"]
    assert names(["x/last.pth", "x/best.pth", "b"], "tcsc", "tcsc", None) == ["tcsc-last", "tcsc-best", "b"]
    assert names(["x/best.pth", "y/best.pth"], "tcsc", "tcsc") == ["x-tcsc-best", "y-tcsc-best"]
    assert names(["1/x/a", "2/x/a"]) == ["x-a", "x-a-2"]
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path / "results")
    assert names(["."]) == ["results"] and names([".."]) == [tmp_path.name]
    for twice in (["x/a", "x/a"], ["x/a", "./x/a/"]):
        with pytest.raises(InputError, match="is given twice"):
            names(twice)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a/x", "b/x", "a/y", "c/a/x", "x"]), st.sampled_from([None, "x", "y", "x-2"])),
                max_size=5, unique_by=lambda one: one[0]))  # fmt: skip
def test_no_two_systems_share_a_name(systems):
    found = system_names([path for path, _ in systems], [run for _, run in systems])
    assert len(set(found)) == len(systems)


def test_a_row_has_the_name_of_the_run_or_the_given_one(material, tmp_path, drawn, copied):
    """The weights are stored with it, and generated videos tell both again."""
    torch.manual_seed(4)
    network = enliven(build_model(TINY))
    for run_name in ("first", "second"):
        save_checkpoint(tmp_path / run_name / "best.safetensors", network,
                        {"model": TINY, "data": OWN, "training": {"config": {"name": run_name}}})  # fmt: skip
    paths = [tmp_path / name / "best.safetensors" for name in ("first", "second")]
    common = ["--pairs", "folder", "--data_root", material / "clips", "--protocol", "paired", "--expert", "none", "--device",
              "cpu", "--cache_dir", tmp_path / "cache", "--limit", 1]  # fmt: skip
    assert run("--checkpoint", *paths, *common, "--out", tmp_path / "t") == 0
    report = table(tmp_path / "t")
    assert [row["label"] for row in report["rows"][2:]] == ["first, paired", "second, paired"]
    assert report["protocol"]["checkpoints"] == {name: content_hash(path) for name, path in zip(("first", "second"), paths,
                                                                                              strict=True)}  # fmt: skip
    assert [path.parent.name for path in copied] == ["first", "second"]
    assert run("--checkpoint", *paths, *common, "--names", "A & B", "other/one", "--out", tmp_path / "t") == 0
    assert [row["label"] for row in table(tmp_path / "t")["rows"][2:]] == ["A & B, paired", "other/one, paired"]
    assert {path.parent for path in copied} == {tmp_path / "t_videos" / name for name in ("first", "second")}


def test_generated_videos_tell_run_and_weights(material, tmp_path, drawn):
    (tmp_path / "results").mkdir()
    for name in "ab":
        tags = synthetic_tags("best.safetensors", "ab" * 32, "fp32", run="tcsc")
        write(tmp_path / "results" / f"{name}.mp4", talking(GAPS[:8]), metadata=tags)
    assert folder_tags(tmp_path / "results") == VideoTags("tcsc", "ab" * 8)
    arguments = ["--generated", tmp_path / "results", "--real", material / "clips", "--expert", "none", "--out", tmp_path / "t"]
    assert run(*arguments) == 0
    report = table(tmp_path / "t")
    assert report["rows"][2]["label"] == "tcsc, paired" and report["protocol"]["checkpoints"] == {"tcsc": "ab" * 8}
    write(tmp_path / "results" / "b.mp4", talking(GAPS[:8]))
    assert folder_tags(tmp_path / "results") == VideoTags(), "they do not agree"


class Generator:
    """What a VideoGenerator asks of a driver, without a network."""

    name, run, sha256, pastes, moves, taught_with = "tiny.safetensors", None, "ab" * 32, "mouth", False, ()

    def __init__(self, precision, moves=False):
        self.precision, self.moves = precision, moves

    def tags(self, options):
        return {"source_gap": str(options.source_gap)} if options.source_gap else {}

    def check(self, options, given):
        """Can do all."""

    def output(self, options):
        return "frame"


@pytest.mark.parametrize(("told", "made", "kept"), [
    ("fp32", "fp32", True), ("fp16", "fp32", False), ("fp32", None, True)])
def test_a_video_of_another_precision_is_made_again(tmp_path, told, made, kept):
    tags = synthetic_tags(Generator.name, Generator.sha256) | ({} if made is None else {"precision": made})
    with VideoWriter(tmp_path / "a.mp4", width=64, height=64, fps=25, metadata=tags) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    assert VideoGenerator._is_of(tmp_path / "a.mp4", Generator(told)) == kept
    assert not VideoGenerator._is_of(tmp_path / "none.mp4", Generator(told))
    assert not VideoGenerator._is_of(tmp_path / "a.mp4", Generator(told, moves=True)), "it may show what it is measured against"


def test_the_precision_of_the_generators_is_told(material, tmp_path, monkeypatch):
    monkeypatch.setattr("metrics.clips.generation.load_driver",
                        lambda path, device, precision: Generator({"tiny": "bf16", "other": "fp32"}[path.stem]))
    paths = [material / f"{name}.safetensors" for name in ("tiny", "other")]
    assert VideoGenerator(paths, tmp_path / "videos", store=None).precisions == {"tiny": "bf16", "other": "fp32"}

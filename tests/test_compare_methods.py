"""benchmarks.compare_methods: budgets, what is done once, tables, pictures, and a run end to end on real clips."""

import json
import threading
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.compare_methods import __main__ as command
from benchmarks.compare_methods import training, work
from benchmarks.compare_methods.clips import WAYS, Material, choose
from benchmarks.compare_methods.corpora import CORPORA, FULL_SIZES
from benchmarks.compare_methods.figures import COLUMNS, disagreements, read
from benchmarks.compare_methods.methods import FORMS, MINUTES, READER, in_turn
from benchmarks.compare_methods.pictures import write_sheet_of, write_video
from benchmarks.compare_methods.report import CONTROLS, MAIN, PORTRAIT, REST, write_report
from benchmarks.compare_methods.training import Trainer
from benchmarks.sync.expert_accuracy import STRETCHES
from common.cli import run
from common.errors import InputError
from media import VideoReader, decode_audio, probe, read_metadata
from tests.conftest import ROOT
from tests.prepared_kit import make_corpus

SMALL = {method.key: method for method in FORMS["small"]}
IDS = {"test": [f"s1/a{n}" for n in range(12)], "unseen": [f"s22/b{n}" for n in range(12)]}


@pytest.mark.parametrize("form", FORMS)
def test_the_stages_of_a_method_share_its_minutes(form):
    methods = FORMS[form]
    assert len({method.key for method in methods}) == len(methods)
    for method in methods:
        assert sum(stage.share for stage in method.stages) == pytest.approx(1)
        assert method.baseline is None or method.baseline in {one.key for one in methods}
        for stage in method.stages:
            assert (
                (ROOT / "configs" / f"{stage.config}.yaml").is_file() and stage.corpus in CORPORA and stage.corpus in FULL_SIZES
            )


def test_what_stages_begin_from_is_trained_before():
    """A config's `runs/NAME/...` is the run of an earlier stage of the same method."""
    for method in FORMS["small"]:
        before = []
        for stage in method.stages:
            text = (ROOT / "configs" / f"{stage.config}.yaml").read_text(encoding="utf-8") + " ".join(stage.overrides)
            own = yaml.safe_load(text.split("train.init=")[-1]) if "train.init=" in text else None
            begun = {one["checkpoint"].split("/")[1] for one in own} if own else set(_begun(stage.config))
            assert begun <= set(before), (method.key, stage.run, begun)
            before.append(stage.run)


def test_neighbours_in_the_work_begin_with_different_trainings():
    order = in_turn(FORMS["small"])
    assert {one.key for one in order} == set(SMALL) and len(order) == len(SMALL)
    assert all(a.stages[0].run != b.stages[0].run for a, b in zip(order[:6], order[1:7], strict=True))


def _begun(config):
    from training.config import load_config

    init = load_config(ROOT / "configs" / f"{config}.yaml")["train"]["init"]
    checkpoints = [init] if isinstance(init, str) else [one["checkpoint"] for one in init or []]
    return [one.split("/")[1] for one in checkpoints]


@pytest.fixture
def trainings(monkeypatch, tmp_path):
    """Stands for train.py: a dry run says half a second a step, a training writes what `trained` looks at."""
    done = []

    def run_logged(words, log, *, folder, threads=None):
        words = [str(word) for word in words]
        name = next(word for word in words if word.startswith("name=")).partition("=")[2]
        if "--dry_run" in words:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text("dry run: 0.500 s a step of 4 items, 1% of it waiting for data; 12 s (0.0 h) for 5000 steps\n")
            return
        steps = int(next((word for word in words if word.startswith("train.steps=")), "train.steps=7").partition("=")[2])
        run = folder / "runs" / name
        run.mkdir(parents=True)
        (run / "config.yaml").write_text(yaml.safe_dump({"train": {"steps": steps}}))
        (run / "log.jsonl").write_text(json.dumps({"step": steps}) + "\n")
        done.append((folder.name, name, steps, words))

    monkeypatch.setattr(training, "run_logged", run_logged)
    return done


def test_minutes_become_steps_once_for_all_seeds(trainings, tmp_path):
    corpora = {key: make_corpus(tmp_path / key, words=False) for key in ("faces", "davs")}
    trainer = Trainer(tmp_path / "out", corpora, 10)  # minutes
    weights = trainer.train(SMALL["wav2lip"], 0)
    assert weights == (tmp_path / "out" / "seed_0" / "runs" / "wav2lip" / "last.safetensors")
    assert [one[1:3] for one in trainings] == [("demo_l1", 960), ("wav2lip", 240)]  # 8 and 2 minutes, half a second a step
    trainer.train(SMALL["tcsc"], 0)
    assert [one[1] for one in trainings] == ["demo_l1", "wav2lip", "tcsc"]  # the first stage is shared
    trainer.train(SMALL["tcsc"], 1)
    assert [one[:2] for one in trainings[3:]] == [("seed_1", "demo_l1"), ("seed_1", "tcsc")]
    assert (
        "train.seed=1" in trainings[-1][3]
        and "losses.temporal_lip={weight: 0.10, similarity: motion, mode: tolerant}" in trainings[-1][3]
    )
    trainer.train(SMALL["davs"], 0)
    assert "model.people=2" in trainings[-1][3]  # of the corpus
    assert sum(one[2] for one in trainings if one[0] == "seed_0" and one[1].startswith("davs")) == 1200
    with pytest.raises(InputError, match="another --out"):
        Trainer(tmp_path / "out", corpora, 20).train(SMALL["sto"], 2)


def test_the_full_form_has_the_steps_of_its_configs(trainings, tmp_path):
    full = {method.key: method for method in FORMS["full"]}
    corpora = {"faces": make_corpus(tmp_path / "faces", words=False)}
    Trainer(tmp_path / "out", corpora, MINUTES["full"]).train(full["sto"], 0)
    assert [one[1] for one in trainings] == ["expert", "sto"] and not (tmp_path / "out" / "steps.json").exists()
    assert not any(word.startswith("train.steps=") for one in trainings for word in one[3])


def test_two_methods_at_once_train_what_they_share_once(trainings, tmp_path):
    corpora = {"faces": make_corpus(tmp_path / "faces", words=False)}
    trainer = Trainer(tmp_path / "out", corpora, 1)
    threads = [threading.Thread(target=trainer.train, args=(SMALL[key], 0)) for key in ("wav2lip", "sto", "tcsc")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(one[1] for one in trainings) == ["demo_l1", "sto", "tcsc", "wav2lip"]


def figures(folder, key, seed, shift=0.0, failed=(), **changed):
    """Figures of a method whose columns all lie `shift` above those of others; `changed` has values of its own."""
    clips = [{"clip": clip, "group": group, "way": way, "values": {name: 0.5 + shift + at / 1000 for name in COLUMNS} | changed}
             for group, ids in IDS.items() for at, clip in enumerate(ids) for way in WAYS]  # fmt: skip
    found = {"clips": clips, "frechet": {group: {"own": 1.0 + shift} for group in IDS}, "failed": list(failed),
             "seconds": {"own": {clip: 0.04 for clip in IDS["test"]}}, "parameters": 2.3}  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{key}-{seed}.json").write_text(json.dumps(found))


def real(folder, confidence=0.6, labels=()):
    values = {**dict.fromkeys(COLUMNS, 0.55), "sync_confidence": confidence, "sharpness": 0.5}
    clips = [{"clip": clip, "group": group, "way": way, "values": values}
             for group, ids in IDS.items() for clip in ids for way in ("real", "no motion")]  # fmt: skip
    (folder / "real.json").write_text(json.dumps({"clips": clips, "frechet": {}, "failed": [], "labels": dict(labels)}))


def line_of(text, name, after=""):
    return next(line for line in text[text.index(after) :].splitlines() if line.startswith(f"| {name} |"))


def test_the_table_marks_what_all_seeds_and_the_clips_say(tmp_path):
    folder = tmp_path / "figures"
    for seed in (0, 1):
        figures(folder, "wav2lip", seed, failed=["s1/a0, own: no face"] if seed else ())
        figures(folder, "sto", seed, shift=0.05)
        figures(folder, "tcsc", seed, shift=0.05 if seed else -0.05)
    real(folder)
    text = write_report(tmp_path, FORMS["small"], {"Training": "20 minutes"})
    heads = line_of(text, "method", "own sound")
    cells = dict(zip(heads.split(" | "), line_of(text, "STO", "own sound").split(" | "), strict=True))
    assert cells["SSIM mouth"].startswith("**0.55") and cells["SSIM mouth"].endswith("▲") and "[" in cells["SSIM mouth"]
    assert cells["LMD"].endswith("▼") and "**" not in cells["LMD"]
    unsure = dict(zip(heads.split(" | "), line_of(text, "TC/SC", "own sound").split(" | "), strict=True))
    assert unsure["SSIM mouth"].endswith("]") and unsure["LMD"].endswith("]")  # seeds disagree
    assert cells["FD"] == "1.050 ▼" or cells["FD"] == "1.050"  # of a set of clips: no interval
    assert "† " not in line_of(text, "STO", "own sound")
    assert "| Wav2Lip | 2.30 | 0.040 |" in text and "wav2lip, seed 1: s1/a0, own: no face" in text
    assert "DAVS" not in text  # nothing is said of what was not measured
    page = (tmp_path / "page.html").read_text()
    assert page.count("<table>") == text.count("| method |") and "20 minutes" in page
    summary = json.loads((tmp_path / "table.json").read_text())
    assert summary["sto"]["test own"]["ssim_mouth"] == pytest.approx(0.5555)


def test_what_a_judge_prefers_to_the_real_video_is_never_best(tmp_path):
    folder = tmp_path / "figures"
    figures(folder, "wav2lip", 0)
    figures(folder, "sto", 0, sync_confidence=0.9)
    real(folder, confidence=0.6)
    text = write_report(tmp_path, FORMS["small"], {})
    heads = line_of(text, "method", "own sound").split(" | ")
    place = heads.index("C")
    assert line_of(text, "STO", "own sound").split(" | ")[place].startswith("0.900†")
    assert line_of(text, "Wav2Lip", "own sound").split(" | ")[place].startswith("**0.50")


def test_columns_bear_the_name_of_their_judge(tmp_path):
    folder = tmp_path / "figures"
    figures(folder, "wav2lip", 0)
    real(folder, labels={"sync_confidence": "LSE-C", "frechet": "FID"})
    heads = line_of(write_report(tmp_path, FORMS["small"], {}), "method", "own sound").split(" | ")
    assert "LSE-C" in heads and "FID" in heads and "D" in heads  # of the last nothing was said


def test_judges_that_disagree_are_named(tmp_path):
    folder = tmp_path / "figures"
    figures(folder, "wav2lip", 0)
    figures(folder, "sto", 0, words_read=0.9, sync_confidence=0.1)
    real(folder)
    names = {"wav2lip": "Wav2Lip", "sto": "STO"}
    (told,) = disagreements(read(folder, list(names)), names, "test", ("sync_confidence", "words_read"))
    assert "words read: STO" in told and "C: Wav2Lip" in told
    assert told in write_report(tmp_path, FORMS["small"], {})


def test_a_second_judge_stands_beside_the_first(tmp_path):
    folder = tmp_path / "figures"
    figures(folder, "wav2lip", 0)
    figures(folder, "sto", 0)
    real(folder)
    (folder / "second").mkdir()
    for name, confidence in (("wav2lip-0", 0.2), ("sto-0", 0.1), ("real", 0.3)):
        second = {clip: {"expert_confidence": confidence, "expert_distance": 1.0} for ids in IDS.values() for clip in ids}
        (folder / "second" / f"{name}.json").write_text(json.dumps(second))
    text = write_report(tmp_path, FORMS["small"], {})
    heads = line_of(text, "method", "further measures").split(" | ")
    cells = dict(zip(heads, line_of(text, "STO", "further measures").split(" | "), strict=True))
    assert cells["C (pixels)"].startswith("0.100") and cells["C (pixels)"].endswith("▼")
    assert line_of(text, "real", "further measures").split(" | ")[heads.index("C (pixels)")] == "0.300"


def expert_work(tmp_path, monkeypatch, accuracy):
    """Work with a second judge of this accuracy on people never seen, and the words of all processes that it starts."""
    started = []

    def run_logged(words, log, **how):
        started.append([str(word) for word in words])
        out = Path(words[words.index("--out") + 1]) if "--out" in words else Path(words[3])
        content = {"unseen": {"c": {STRETCHES[21]: accuracy}}} if "--out" in words else {}
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(content))

    monkeypatch.setattr(work, "run_logged", run_logged)
    figures(tmp_path / "figures", "wav2lip", 0)
    real(tmp_path / "figures")
    args = Namespace(out=tmp_path, jobs=1, config="small", minutes=20, overrides=[], released=[], seeds=1, clips=4,
                     grid=tmp_path, expert=tmp_path / "expert.safetensors")  # fmt: skip
    corpora = {"faces": make_corpus(tmp_path / "faces", words=False)}
    return work.Work(args, [SMALL["wav2lip"]], corpora), started


@pytest.mark.parametrize(("accuracy", "videos"), [(0.8, ["real", "wav2lip-0"]), (0.7, [])])
def test_a_second_judge_that_knows_no_strangers_is_left_out(tmp_path, monkeypatch, accuracy, videos):
    job, started = expert_work(tmp_path, monkeypatch, accuracy)
    job.judge_again()
    judged = [Path(words[3]).stem for words in started if "benchmarks.compare_methods.second" in words]
    assert judged == videos
    count = len(started)
    job.judge_again()
    assert len(started) == count  # nothing twice
    told = job.facts()["Second judge"]
    assert f"{accuracy:.1%}" in told and ("left out" in told) == (not videos)


def test_every_column_of_the_tables_is_known_and_shown():
    shown = {*MAIN, *REST, *PORTRAIT, *(key for _, keys in CONTROLS for key in keys)}
    assert shown == set(COLUMNS)


def test_nothing_measured_is_a_clear_message(tmp_path):
    with pytest.raises(InputError, match="no figures yet"):
        write_report(tmp_path, FORMS["small"], {})


@pytest.fixture
def grid(tmp_path):
    """GRID's folders with a corpus of their clips, in both groups."""
    corpus = make_corpus(tmp_path / "corpus", clips=12, splits=("train", "test", "unseen"))
    rows = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
    for row in rows:
        speaker, name = row["id"].split("/")
        path = tmp_path / "grid" / speaker / "video" / f"{name}.mpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    return corpus, tmp_path / "grid"


def test_clips_are_chosen_alike_for_all_and_driven_by_others(grid):
    corpus, root = grid
    clips = choose(corpus, root, 3)
    assert [clip.group for clip in clips] == ["test"] * 3 + ["unseen"] * 3
    assert clips == choose(corpus, root, 3)
    assert all(clip.other != clip.video for clip in clips)
    for group in ("test", "unseen"):
        own = {clip.video for clip in clips if clip.group == group}
        assert {clip.other for clip in clips if clip.group == group} == own  # each sound once
    for path in root.glob("*/video/*"):
        if path.stem != "clip1":
            path.unlink()
    with pytest.raises(InputError, match="two or more are needed"):
        choose(corpus, root, 3)


def test_faces_side_by_side(tmp_path, monkeypatch):
    from media import VideoWriter

    sound = np.sin(np.arange(16000) * 0.1)[None].astype(np.float32) * 0.3
    with VideoWriter(tmp_path / "sound.mp4", width=64, height=64, fps=25, audio=sound, sample_rate=16000) as writer:
        for _ in range(25):
            writer.write(np.zeros((64, 64, 3), np.uint8))
    rng = np.random.default_rng(0)
    faces = {label: np.full((25, 48, 48, 3), 40 * at, np.uint8) for at, label in enumerate(("real", "Wav2Lip", "STO"))}
    write_video(faces, tmp_path / "sound.mp4", tmp_path / "side.mp4", columns=2)
    info = probe(tmp_path / "side.mp4")
    assert (info.width, info.height) == (96, 2 * 72) and read_metadata(tmp_path / "side.mp4")["synthetic"] == "true"
    assert len(list(VideoReader(tmp_path / "side.mp4"))) == 25 and decode_audio(tmp_path / "side.mp4", "sound")[0].any()
    monkeypatch.setattr("benchmarks.compare_methods.pictures.SIDE", 48)
    write_sheet_of([(faces, rng.random(25))], tmp_path / "sheet.png", shown=4)
    assert (tmp_path / "sheet.png").stat().st_size > 100


@pytest.mark.parametrize(("flags", "told"), [
    (["--grid", "nowhere"], "no such folder"),
    (["--grid", ".", "--minutes", "0"], "--minutes"),
    (["--grid", ".", "--clips", "1"], "--clips"),
    (["--grid", ".", "--seeds", "0"], "--seeds"),
    (["--grid", ".", "--methods", "wav2lp"], "wav2lip"),
    (["--grid", ".", "--released", "nothing.safetensors"], "no such file"),
    (["--grid", ".", "--portrait", "nobody.png", "nothing.wav"], "nobody.png: no such file"),
])  # fmt: skip
def test_mistakes_are_one_line(flags, told, capsys, tmp_path):
    assert run(command.main, [*flags, "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr().err
    assert told in captured and captured.count("\n") == 1


def test_the_reader_is_no_method():
    assert READER.run not in {stage.run for method in FORMS["small"] for stage in method.stages}


@pytest.mark.media
def test_one_network_on_real_clips(shared_media, tmp_path):
    """lipwarp drives two clips a group in every way; silence stills it, and other sound leaves the own mouth behind."""
    from benchmarks.compare_methods.clips import Clip
    from benchmarks.compare_methods.measure import Driven, measure
    from metrics.networks.load import Networks
    from pipeline.tracking import TrackStore

    videos = [next((shared_media / "grid" / "s1" / "video").glob(f"{name}.*")) for name in ("bbaz4n", "pgik1a")]
    clips = [Clip(f"s1/{path.stem}", "test", path, videos[1 - at]) for at, path in enumerate(videos)]
    material, store = Material(tmp_path / "material"), TrackStore(tmp_path / "tracks")
    driven = Driven(ROOT / "checkpoints" / "lipwarp.safetensors", {}, tmp_path / "videos", material, store)
    found = measure(driven, clips, Networks.load(expert=ROOT / "checkpoints" / "lip_sync_b.safetensors"))
    assert not found["failed"] and len(found["clips"]) == 8
    by_way = {
        way: [one["values"] for one in found["clips"] if one["way"] == way] for way in ("own", "other", "silent", "portrait")
    }
    assert np.mean([one["mouth_correlation"] for one in by_way["own"]]) > 0.6
    assert np.mean([one["mouth_movement"] for one in by_way["silent"]]) < 0.2
    assert np.mean([one["own_mouth"] for one in by_way["other"]]) < 0.4
    assert set(driven.seconds()) == {"own", "other", "silent", "portrait"}

"""What a new researcher meets: no clips to validate, checkpoints that are not there yet, changed settings, a clock, a CPU."""

import pytest

import train as train_script
from common.cli import run
from common.errors import InputError
from losses.criterion import build_criterion
from tests.prepared_kit import make_corpus
from tests.training_kit import GAN, SMALL, run_of, small_config, step, stored, write_yaml
from training import loop
from training.changes import changed_settings, describe_changes, of_validation
from training.forecast import speed
from training.logging.rows import read_rows
from training.loop import MINUTES, STEPS, train
from training.storage.store import Store

GATED = {"l1": {"weight": 1.0}, "laplacian": {"weight": 1.0, "enable_when": {"metric": "val/l1", "below": 1e-9}}}


@pytest.fixture
def unchecked(tmp_path):
    """Write a config of a corpus without clips to validate; returns its path."""
    corpus = make_corpus(tmp_path / "corpus", clips=2, frames=12, splits=("train",))

    def write(**changes):
        return write_yaml(tmp_path / "config.yaml", small_config(corpus, tmp_path / "runs", **changes))

    return write


def test_without_clips_to_validate_no_best_is_claimed_and_the_cure_is_said(unchecked, tmp_path, capsys):
    assert run(train_script.main, [str(unchecked()), "train.steps=2"]) == 0
    said, folder = capsys.readouterr().out, tmp_path / "runs" / "try"
    assert (folder / "last.safetensors").is_file() and not (folder / "best.safetensors").exists()
    assert "no best.safetensors is chosen: there are no clips to validate" in said
    assert f"prepare.py --out {tmp_path / 'corpus'} --split shares --val_share" in said
    assert run(train_script.main, [str(unchecked(losses=GATED)), "name=gated"]) == 2
    assert "--split shares --val_share" in capsys.readouterr().err
    assert run(train_script.main, [str(unchecked()), "train.init=" + str(folder / "best.safetensors"), "name=next"]) == 2
    assert f"has chosen no best weights (docs/training.md): take {folder / 'last.safetensors'}" in capsys.readouterr().err


def test_a_metric_of_unseen_speakers_names_its_own_cure(tmp_path, capsys):
    corpus = make_corpus(tmp_path / "corpus", clips=3, frames=12, splits=("train", "val"))
    path = write_yaml(tmp_path / "c.yaml", small_config(corpus, tmp_path / "runs", train={"best": "unseen/l1"}))
    assert run(train_script.main, [str(path)]) == 2
    assert "no clips of split unseen" in (told := capsys.readouterr().err) and "--unseen_speakers NAMES" in told


def test_a_gate_that_stays_shut_leaves_no_best_weights(write_config, capsys):
    assert run(train_script.main, [str(write_config(losses=GATED)), "train.steps=2"]) == 0
    assert "no best.safetensors is chosen: not all losses were switched on" in capsys.readouterr().out


def test_losses_with_trainable_parts_choose_no_best_weights(write_config):
    job = run_of(write_config(losses=GAN))
    assert job.best.metric == "val/steady"
    metrics, _ = loop.validate(job)
    assert metrics["val/steady"] == pytest.approx(0.9 * metrics["val/l1"]) and metrics["val/total"] > metrics["val/steady"]
    assert run_of(write_config()).best.metric == "val/total" and "val/steady" not in loop.validate(run_of(write_config()))[0]
    alone = run_of(write_config(losses={"adversarial": {"weight": 1.0, "width": 0.25}}))
    assert alone.best.metric is None


def test_changes_on_resume_are_told_once_and_start_the_best_anew(write_config, capsys):
    path = write_config()
    assert train(run_of(path, "train.minutes=0", "train.validate_every=1"), lambda _: None) == MINUTES
    for _ in range(2):  # the first start is killed before it stores anything
        job, lines = run_of(path, "optim.lr=5e-4", "train.batch_size=3", "train.keep=2"), []
        assert job.best.step is None and Store(job).load() == 1
        log = loop._open_log(job, lines.append)
        log.close()
    assert "optim.lr 0.0001 -> 0.0005, train.batch_size 2 -> 3" in lines[-1] and "keep" not in lines[-1]
    rows = [row for row in read_rows(job.folder) if "changed" in row]
    assert [row["step"] for row in rows] == [1] and rows[0]["changed"]["optim.lr"] == [1e-4, 5e-4]
    assert job.best.step is None and "chosen anew" in job.notes[0]
    same = run_of(path, "train.validate_every=1")
    Store(same).load()
    assert (same.best.step, same.changes, same.notes) == (1, {}, [])


@pytest.mark.parametrize(
    ("setting", "anew", "told"),
    [("data.workers", False, False), ("data.augment.flip", False, True), ("data.corpus", False, True),
     ("data.balance", False, True), ("clips.train", False, True), ("clips.val", True, True), ("data.mask_top", True, True),
     ("data.negatives.near", True, True), ("data.centre", True, True), ("data.identity", True, True)],
)  # fmt: skip
def test_what_touches_no_validation_keeps_the_best(setting, anew, told):
    section, *rest = setting.split(".")
    before, now = ({section: {rest[0]: {rest[1]: value}} if rest[1:] else {rest[0]: value}} for value in (1, 2))
    changes = changed_settings(before, now)
    assert changes == ({setting: [1, 2]} if told else {}) and of_validation({setting: [1, 2]}) is anew


def test_a_resume_with_other_workers_keeps_the_best(write_config):
    path = write_config()
    train(run_of(path, "train.minutes=0", "train.validate_every=1"), lambda _: None)
    job = run_of(path, "train.validate_every=1", "data.workers=1", "data.augment.flip=0")
    Store(job).load()
    assert job.best.step == 1 and list(job.changes) == ["data.augment.flip"] and job.notes == []


def test_a_gate_that_is_gone_holds_nothing_back_in_a_resumed_run(write_config):
    train(run_of(write_config(losses=GATED), "train.minutes=0"), lambda _: None)
    for losses in ({"l1": {"weight": 1.0}}, {"l1": {"weight": 1.0}, "laplacian": {"weight": 1.0}}):
        job = run_of(write_config(losses=losses))
        Store(job).load()
        assert job.criterion.open == dict.fromkeys(losses, True) and "losses.laplacian.enable_when.below" in job.changes
    again = run_of(write_config(losses=GATED))
    Store(again).load()
    assert again.criterion.open == {"l1": True, "laplacian": False}


def test_a_changed_split_is_noticed_and_clips_that_were_learned_from_are_told(tmp_path):
    corpus = make_corpus(tmp_path / "corpus", frames=12)
    path = write_yaml(tmp_path / "c.yaml", small_config(corpus, tmp_path / "runs"))
    train(run_of(path, "train.minutes=0"), lambda _: None)
    manifest = corpus / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace('"split": "train"', '"split": "val"', 1))
    job = run_of(path)
    Store(job).load()
    assert job.changes == {"clips.train": [3, 2], "clips.val": [1, 2]}
    assert describe_changes(job.changes) == "3 -> 2 clips of split train, 1 -> 2 clips of split val"
    assert describe_changes({"clips.val": [1, 1]}) == "other clips of split val (1 as before)"
    assert any("validation now holds 1 clip from which this run has learned (s1/clip0)" in line for line in job.notes)


def test_a_run_that_goes_on_needs_no_checkpoint_to_begin_from(write_config, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("training.forecast.dry_run.TIMED", 1)
    start = stored(tmp_path / "start.safetensors", SMALL)
    path = write_config()
    assert train(run_of(path, f"train.init={start}", "train.minutes=0"), lambda _: None) == MINUTES
    start.unlink()
    assert run(train_script.main, [str(path), "--dry_run", f"train.init={start}"]) == 0
    said = capsys.readouterr().out
    assert f"goes on from {tmp_path}/runs/try/checkpoint.pt at step 1" in said and "weights to begin from" not in said
    job = run_of(path, f"train.init={start}")
    assert Store(job).load() == 1 and train(job, lambda _: None) == STEPS
    with pytest.raises(InputError, match="start.safetensors: no such file"):
        run_of(path, f"train.init={start}", "name=other")


def test_the_rate_of_each_part_and_adversary_is_logged(write_config):
    changes = ["optim.warmup=0", "optim.parts.face_decoder={lr: 2e-5}", "adversary.lr=3e-4", "adversary.warmup=2"]
    job = run_of(write_config(losses=GAN), *changes, "train.steps=1")
    train(job, lambda _: None)
    row = read_rows(job.folder)[0]
    rates = {name: value for name, value in row.items() if name.startswith("rate")}
    assert rates == pytest.approx({"rate": 1e-4, "rate/face_decoder": 2e-5, "rate/adversary/adversarial": 1.5e-4})


@pytest.mark.parametrize("weight", [0, 0.0])
def test_a_weight_of_0_alone_is_refused(write_config, capsys, weight):
    assert run(train_script.main, [str(write_config()), f"losses.l1.weight={weight}"]) == 2
    assert "losses.l1.weight: is 0, so nothing would be learned" in capsys.readouterr().err
    with pytest.raises(InputError, match="losses.l1.weight"):
        build_criterion({"l1": {"weight": 0}, "later": {"loss": "l1", "weight": 1, "enable_when": {"metric": "a", "below": 1}}})
    build_criterion({"l1": {"weight": 0}, "laplacian": {"weight": 1}})


def test_a_dry_run_goes_before_the_run_that_it_builds_on(write_config, tmp_path, capsys, monkeypatch):
    """An expert that configs/expert_grid.yaml would leave is stood for by an untrained one, and said; a run refuses."""
    expert = tmp_path / "runs" / "expert_grid" / "best.safetensors"
    path = write_config(losses={"l1": {"weight": "rest"}, "sync": {"weight": 0.1, "expert": str(expert)}}, data={"window": 5})
    monkeypatch.setattr("training.forecast.dry_run.TIMED", 1)
    arguments = [str(path), "--dry_run", "train.steps=9000000", "train.minutes=1", "train.cpu_config=demo_l1.yaml"]
    assert run(train_script.main, arguments) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("try: 9000000 steps; a batch is 2 windows of 5 frames") and "3 train, 1 val" in said[1]
    text = "\n".join(said)
    assert "is not there yet (python train.py configs/expert_grid.yaml makes it): an untrained syncnet_color" in text
    assert text.index("step 1: ") < text.index("step 2: ") < text.index("validation, one batch") < text.index("dry run: ")
    assert "train.minutes=1 ends a start after about" in text
    assert said[-1].startswith("this config is for a GPU: 9000000 steps") and "python train.py configs/demo_l1.yaml" in said[-1]
    assert not (tmp_path / "runs").exists()
    assert run(train_script.main, [str(path)]) == 2
    assert "train it first (python train.py configs/expert_grid.yaml)" in capsys.readouterr().err


def test_a_run_that_would_take_days_on_a_cpu_says_so_early(write_config, monkeypatch):
    said = []
    monkeypatch.setattr(loop, "WARM", 2)
    train(run_of(write_config(), "train.steps=3"), said.append)
    assert not any("for a GPU" in line for line in said)
    monkeypatch.setattr(speed, "DAYS_ON_CPU", 0.0)
    for estimate, place in ((1.0, 2), (99.0, 0)):  # after measured steps, or before the first where that takes long
        said.clear()
        monkeypatch.setattr(loop, "estimated_step_seconds", lambda _, seconds=estimate: seconds)
        train(run_of(write_config(), "train.steps=3", f"name=days_{place}"), said.append)
        told = [index for index, line in enumerate(said) if "this config is for a GPU: " in line]
        assert len(told) == 1 and sum(line.startswith("step ") and "total" in line for line in said[: told[0]]) >= place
    assert "about 99 s take about 5.0 minutes" in said[0]


def test_the_estimate_changes_nothing_of_a_run(write_config):
    one, other = run_of(write_config()), run_of(write_config())
    assert speed.estimated_step_seconds(one) > 0
    assert step(one) == step(other)


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (150, "2.5 minutes"), (27000, "7.5 hours"), (1e6, "12 days")])
def test_lengths_of_time(seconds, words):
    assert speed.in_words(seconds) == words


def test_the_end_says_what_ended_it(write_config, capsys):
    path = str(write_config())
    assert run(train_script.main, [path, "train.minutes=0"]) == 0
    said = capsys.readouterr().out
    assert "train.minutes=0 ended this start at step 1 of 4; the same command goes on" in said
    assert "no best.safetensors is chosen: there was no validation" in said
    assert run(train_script.main, [path]) == 0
    said = capsys.readouterr().out
    assert "ended this start" not in said and "best.safetensors (step " in said and "least val/total" in said

"""Words and people of a run: stored in its checkpoints; a corpus whose classes stand for others is refused in one line."""

import json

import pytest
import torch

import train
from common.cli import run as command
from common.errors import InputError
from datasets.clip_files import read_side, write_side
from datasets.prepared import PreparedCorpus
from datasets.words import KIND, read_vocabulary, vocabulary_path
from tests.prepared_kit import make_corpus
from tests.training_kit import run_of, small_config, step, stored, write_yaml
from training.best import describe_end
from training.checkpoint import load_checkpoint
from training.classes import joined
from training.storage.store import Store
from training.validation import validate

MODEL = {"name": "davs", "stage": "disentangle", "face_size": 64, "width": 0.125, "words": 2, "people": 2, "speech_frames": 2,
         "identity_frames": 2, "drawn_frames": 1}  # fmt: skip
LOSSES = {"words": {"loss": "word_classification", "drives": "audio", "weight": 1.0}, "person_classification": {"weight": 1.0}}
CLASSES = {"words": ["bin", "blue"], "people": ["s1", "s2"]}


def config_of(folder, tmp_path, name="try", **changes):
    """Path of the config of a run."""
    known = {"model": MODEL, "losses": LOSSES, "name": name, **changes}
    config = small_config(folder, tmp_path / "runs", **known)
    config["data"] |= {"window": 5, "centre": "word"}
    return write_yaml(tmp_path / f"{name}.yaml", config)


def renamed(folder, words):
    """Give a corpus of tests.prepared_kit other words; returns the folder."""
    vocabulary_path(folder).write_text(json.dumps({"words": words}))
    for row in PreparedCorpus.open_folder(folder).rows:
        arrays, _ = read_side(folder, KIND, row.id)
        write_side(folder, KIND, row.id, {"word_times": arrays["word_times"] + 0.0}, {}, {"words": words[:2]})
    return folder


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """(folder, config, checkpoint) of a run of one step."""
    tmp_path = tmp_path_factory.mktemp("classes")
    folder = make_corpus(tmp_path / "corpus", size=64)
    config = config_of(folder, tmp_path)
    run = run_of(config)
    step(run)
    Store(run).save(best=True)
    return folder, config, tmp_path / "runs" / "try" / "best.safetensors"


def test_a_checkpoint_knows_its_words_and_people(first):
    data = load_checkpoint(first[2]).config["data"]
    assert {kind: data[kind] for kind in CLASSES} == CLASSES


def test_a_run_of_other_fields_carries_them_on(first, tmp_path):
    losses = {"landmark_heatmaps": {"weight": 1.0}}
    run = run_of(config_of(first[0], tmp_path, losses=losses, train={"init": str(first[2])}))
    assert run.classes == CLASSES
    store = Store(run)
    step(run)
    store.save()
    again = run_of(tmp_path / "try.yaml")
    assert again.classes == {}
    Store(again).load()
    assert again.classes == CLASSES


def test_another_vocabulary_is_refused_at_the_start_and_on_going_on(first, tmp_path, capsys):
    words, told = ["blue", "bin"], "class 0 is the word 'bin' there and 'blue' here"
    folder = renamed(make_corpus(tmp_path / "corpus", size=64), words)
    path = config_of(folder, tmp_path, name="other", train={"init": str(first[2])})
    assert command(train.main, [str(path)]) == 2
    said = capsys.readouterr().err
    assert "train.init" in said and told in said and len(said.strip().splitlines()) == 1
    assert "or leave word_classifier out of the parts that train.init names" in said
    run = run_of(first[1], f"data.corpus={folder}")
    with pytest.raises(InputError, match=told):
        Store(run).load()
    without = run_of(config_of(folder, tmp_path, name="parts", train={
        "init": [{"checkpoint": str(first[2]), "parts": ["audio_encoder", "video_encoder"]}]}))  # fmt: skip
    assert without.classes == {"words": words, "people": ["s1", "s2"]}


def test_a_checkpoint_without_a_list_of_its_words_is_told(first, tmp_path):
    """As the published files are."""
    path = stored(tmp_path / "published.safetensors", MODEL)
    starts = [{"checkpoint": str(path), "parts": None}, {"checkpoint": str(first[2]), "parts": ["person_classifier"]}]
    run = run_of(config_of(first[0], tmp_path, train={"init": starts}))
    (line,) = run.notes
    assert line.startswith(f"train.init: {path} stores no list of words: it is not known in which order word_classifier")
    for parts in (["audio_encoder"], ["person_classifier", "word_classifier"]):
        start = {"checkpoint": str(path if parts == ["audio_encoder"] else first[2]), "parts": parts}
        assert run_of(config_of(first[0], tmp_path, train={"init": [start]})).notes == []


def test_what_counts_nothing_is_in_no_mean(first, tmp_path):
    """People who are never seen in training, and a batch without a word."""
    corpus = make_corpus(tmp_path / "corpus", size=64, splits=("train", "val", "unseen"))
    text = (corpus / "manifest.jsonl").read_text().splitlines()
    rows = [line.replace('"speaker": "s', '"speaker": "x') if '"split": "unseen"' in line else line for line in text]
    (corpus / "manifest.jsonl").write_text("\n".join(rows) + "\n")
    few = {"validate_batches": 2, "batch_size": 1, "best": "unseen/person_classification"}
    run = run_of(config_of(corpus, tmp_path, train=few))
    metrics, _ = validate(run)
    assert "val/person_classification" in metrics and "unseen/words" in metrics
    assert not any(name.startswith("unseen/person_classification") for name in metrics)
    assert metrics["unseen/total"] == metrics["unseen/words"]
    run.best.take(1, metrics, True)
    assert run.best.step is None and "counted nothing in any validation" in describe_end(run.best, run.folder, True)

    word, moved = metrics["val/words"], run.move
    batches = []

    def without(batch, data):
        batches.append(data)
        batch = moved(batch, data)
        return {**batch, "spoken_word": torch.full_like(batch["spoken_word"], -1)} if len(batches) == 1 else batch

    run.move = without
    less = validate(run)[0]
    run.move = moved
    assert less["val/words"] == pytest.approx(word, rel=0.2)  # half of it, were the batch without a word counted
    assert less["val/total"] == pytest.approx(less["val/words"] + less["val/person_classification"])
    whole = run.training.complete
    run.training.complete = lambda batch: {**whole(batch), "spoken_word": torch.tensor([-1])}
    values = step(run)
    assert "words" not in values and "words/accuracy" not in values and values["total"] == pytest.approx(
        values["person_classification"]
    )


def test_the_first_class_that_stands_for_another_is_named():
    before = {"words": ("a.safetensors", ["bin", "blue"], "choose another")}
    for here, told in ((["bin", "green"], "class 1 is the word 'blue' there and 'green' here"), (["bin"], None), ([], None)):
        if told:
            with pytest.raises(InputError, match=told):
                joined({"words": here}, before, "corpus")
        else:
            assert joined({"words": here}, before, "corpus")["words"] == ["bin", "blue"]


def test_other_people_are_refused(first, tmp_path):
    folder = make_corpus(tmp_path / "corpus", size=64)
    text = (folder / "manifest.jsonl").read_text().replace('"speaker": "s1"', '"speaker": "zoe"')
    (folder / "manifest.jsonl").write_text(text)
    with pytest.raises(InputError, match="train.init: .*class 0 is the person 's1' there and 's2' here"):
        run_of(config_of(folder, tmp_path, train={"init": str(first[2])}))


def test_more_or_fewer_words_of_the_same_order_go_on(first, tmp_path):
    folder = renamed(make_corpus(tmp_path / "corpus", size=64), ["bin", "blue", "set"])
    assert read_vocabulary(folder) == ("bin", "blue", "set")
    init = {"init": [{"checkpoint": str(first[2]), "parts": ["audio_encoder", "person_classifier"]}]}
    run = run_of(config_of(folder, tmp_path, model={**MODEL, "words": 7}, train=init))
    assert run.classes == {"words": ["bin", "blue", "set"], "people": ["s1", "s2"]}
    with pytest.raises(InputError, match="model.words: is 2, but .* has 3 words; give model.words=3"):
        run_of(config_of(folder, tmp_path))


def test_too_few_people_are_refused_with_both_numbers(first, tmp_path):
    with pytest.raises(InputError, match="model.people: is 1, but .* has 2 people in the training split; give model.people=2"):
        run_of(config_of(first[0], tmp_path, model={**MODEL, "people": 1}))


@pytest.mark.parametrize(
    ("centre", "loss", "code"), [("word", True, 2), ("null", True, 2), ("known", True, 0), ("null", False, 0)]
)
def test_a_corpus_without_words_says_so_in_one_line(tmp_path, capsys, centre, loss, code):
    folder = make_corpus(tmp_path / "corpus", size=64, words=False)
    losses = LOSSES if loss else {"landmark_heatmaps": {"weight": 1.0}}
    path = config_of(folder, tmp_path, losses=losses)
    options = [f"data.centre={centre}", "train.steps=1", "train.validate_every=9", "--dry_run"]
    assert command(train.main, [str(path), *options]) == code
    said = capsys.readouterr().err
    if code:
        assert "hold no words; run prepare.py on it again with --words" in said and len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(("identity", "of"), [("null", "same"), ("clip", "clip"), ("elsewhere", "elsewhere")])
def test_whose_face_the_identity_is_can_be_set(first, tmp_path, identity, of):
    run = run_of(config_of(first[0], tmp_path), f"data.identity={identity}")
    assert run.training.options["identity_face"]["of"] == of
    assert run.training.jitter == 1 and run.validation["val"].jitter == 0 and run.validation["val"].centre == "word"

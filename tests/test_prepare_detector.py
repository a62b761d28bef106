"""A corpus is cut by one version of one detector: what is noted, and what a resumed run makes sure of."""

import json

import pytest

import prepare
from common.cli import run
from common.errors import InputError
from datasets.prepared import PreparedCorpus, read_manifest
from datasets.preparing.cutting import made_with
from faces.detectors.identity import detector_identity
from faces.tracking.track import METHOD
from media.reader import READER
from tests.prepared_kit import make_corpus
from tests.synthetic import make_talking_head


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """(arguments of prepare.py, its folder): one clip of two is prepared."""
    folder = tmp_path_factory.mktemp("begun")
    (folder / "root").mkdir()
    for name in "ab":
        make_talking_head(folder / "root" / f"{name}.mp4", 1.2, seed=3)
    arguments = ["--corpus", "folder", "--root", str(folder / "root"), "--out", str(folder / "out"), "--workers", "1",
                 "--align", "none"]  # fmt: skip
    assert run(prepare.main, [*arguments, "--limit", "1"]) == 0
    return arguments, folder / "out"


@pytest.fixture
def corpus_json(begun):
    """corpus.json as it was first, put back after the test."""
    path = begun[1] / "corpus.json"
    text = path.read_text()
    yield path
    path.write_text(text)


def change(path, **changes):
    """Write changes of the settings; None takes a key out."""
    stored = json.loads(path.read_text())
    stored["settings"] |= changes
    stored["settings"] = {key: value for key, value in stored["settings"].items() if value is not None}
    path.write_text(json.dumps(stored))


def test_version_tracking_and_reader_are_noted(corpus_json):
    stored = json.loads(corpus_json.read_text())["settings"]
    assert stored["detector_version"] == detector_identity("mediapipe")["version"] and stored["detector_weights"] == {}
    assert (stored["tracking"], stored["reader"]) == (METHOD, READER)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"detector_version": "0.9.9"}, ("were cut with mediapipe 0.9.9", "install that version")),
        ({"detector_weights": {"net.pth": "0" * 64}}, ("other weights",)),
        ({"tracking": METHOD - 1}, ("follows faces in another way",)),
        ({"tracking": 1, "reader": None}, ("follows faces in another way", f"(1, now {METHOD})")),  # as before `reader`
        ({"reader": READER - 1}, ("reads videos in another way",)),
        (dict.fromkeys(("detector_version", "detector_weights", "tracking", "reader")), ("does not say", "--trust_detector")),
    ],
)
def test_no_clip_is_cut_by_another_detector(begun, corpus_json, capsys, changes, words):
    arguments, out = begun
    change(corpus_json, **changes)
    assert run(prepare.main, arguments) == 2
    told = capsys.readouterr().err
    assert all(word in told for word in (*words, "corpus.json", "--out")) and told.count("\n") == 1
    assert list(read_manifest(out)) == ["a"]
    assert run(prepare.main, [*arguments, "--limit", "1"]) == 0, "where nothing is to be cut, nothing is mixed"


def test_an_older_corpus_opens_for_training_and_goes_on_when_its_owner_knows(begun, corpus_json, tmp_path):
    arguments, out = begun
    change(corpus_json, detector_version=None, detector_weights=None, tracking=None, reader=None)
    assert [row.id for row in PreparedCorpus.open_folder(out).rows] == ["a"]
    assert run(prepare.main, [*arguments, "--trust_detector"]) == 0
    assert sorted(read_manifest(out)) == ["a", "b"]
    assert json.loads(corpus_json.read_text())["settings"]["detector_version"] == detector_identity("mediapipe")["version"]
    assert PreparedCorpus.open_folder(make_corpus(tmp_path / "old")).rows


def test_weights_count_by_their_content(monkeypatch, tmp_path):
    monkeypatch.setattr("faces.detectors.identity.version", lambda _package: "1.5.0")
    from faces.detectors.s3fd_fan import FAN_FILE, S3FD_FILE

    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in (S3FD_FILE, FAN_FILE):
        (tmp_path / "hub" / "checkpoints" / name).write_bytes(b"weights")
    first = made_with("face-alignment")
    (tmp_path / "hub" / "checkpoints" / FAN_FILE).write_bytes(b"others!")
    second = made_with("face-alignment")
    assert first["detector_weights"][S3FD_FILE] == second["detector_weights"][S3FD_FILE]
    assert first["detector_weights"][FAN_FILE] != second["detector_weights"][FAN_FILE]
    with pytest.raises(InputError, match="dlib"):
        detector_identity("dlib")

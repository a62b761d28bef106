"""The MFA backend: command line, corpus, TextGrids and failures, against a stand-in for the program."""

import json
import os
import sys
import threading
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from speech.aligners import Utterance, build_aligner, mfa_program
from speech.aligners.mfa import MfaAligner
from speech.alignment import AlignmentError, Interval

DICTIONARY = {"bin": "B IH1 N", "blue": "B L UW1", "at": "AE1 T", "f": "EH1 F", "two": "T UW1", "now": "N AW1"}
STAND_IN = Path(__file__).with_name("stand_in_mfa.py")


@pytest.fixture
def mfa(tmp_path, monkeypatch):
    """Installs the stand-in: `mfa(mode=...)` sets how it behaves; returns the path of the executable."""
    executable = tmp_path / "environment" / "bin" / "mfa"
    executable.parent.mkdir(parents=True)
    executable.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{STAND_IN}" "$@"\n')
    executable.chmod(0o755)
    root = tmp_path / "user root"
    for kind, suffix in (("dictionary", "dict"), ("acoustic", "zip")):
        (root / "pretrained_models" / kind).mkdir(parents=True)
        (root / "pretrained_models" / kind / f"english_us_arpa.{suffix}").write_text(_dictionary(DICTIONARY))
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("MFA_ROOT_DIR", str(root))
    monkeypatch.setenv("TALKINGFACE_MFA", str(executable))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "work"))

    def configure(**settings):
        settings = {"log": str(tmp_path / "log.json")} | settings
        monkeypatch.setenv("STAND_IN_MFA", json.dumps(settings))
        return executable

    configure()
    configure.log = tmp_path / "log.json"
    configure.work = tmp_path / "work"
    configure.root = root
    return configure


def _dictionary(words):
    return "".join(f"{word}\t{phones}\n" for word, phones in words.items())


def utterance(name, transcript="", seconds=1.0, words=()):
    return Utterance(name, np.zeros(round(seconds * 16000), np.float32), transcript, words)


def test_command_line_of_a_run(mfa):
    aligner = MfaAligner(
        dictionary="english_us_arpa", jobs=2, beam=100, retry_beam=400, g2p_model="g2p.zip", single_speaker=True
    )
    aligner.align(utterance("s1/bbaf2n", "bin blue at f two now"))
    told = json.loads(mfa.log.read_text())
    command, corpus, dictionary, acoustic, output, *options = told["arguments"]
    base = Path(corpus).parent
    assert (command, dictionary, acoustic, Path(output).parent) == ("align", "english_us_arpa", "english_us_arpa", base)
    assert options == [
        "--temporary_directory", str(base / "temporary"), "--output_format", "long_textgrid", "--clean", "--num_jobs", "2",
        "--beam", "100", "--retry_beam", "400", "--g2p_model_path", "g2p.zip", "--single_speaker",
    ]  # fmt: skip
    assert Path(told["root"]).parent == base != mfa.root
    assert list(mfa.work.iterdir()) == [], "the corpus is left behind"
    assert sorted(entry.name for entry in mfa.root.iterdir()) == ["pretrained_models"], "the run wrote into the user's folder"


def test_words_phones_and_score_come_back(mfa):
    found = build_aligner("mfa").align(utterance("s1/bbaf2n", "Bin blue, at F 2 now!", seconds=1.4))
    assert (found.source, found.score, found.unknown, found.notes) == ("mfa", -45.25, (), ())
    assert [word.label for word in found.words] == ["", "bin", "blue", "at", "f", "two", "now", ""]
    assert [phone.label for phone in found.phones] == ["SIL", *"B IH N B L UW AE T EH F T UW N AW".split(), "SIL"]
    assert [phone.stress for phone in found.phones[1:4]] == [None, 1, None]
    assert found.words[1] == Interval(0.1, 0.3, "bin")
    assert found.seconds == 1.4 == found.phones[-1].end


def test_many_utterances_in_one_run_each_with_its_own_result(mfa):
    words = (Interval(0.0, 0.2, ""), Interval(0.2, 0.6, "blue"), Interval(0.6, 1.0, "now"))
    given = [
        utterance("s1/a", "bin"),
        utterance("s1/b", "unalignable blue"),
        utterance("s1/c"),
        utterance("s1/d", "{LG} zwieback blue"),
        utterance("s1/e", words=words),
        utterance("s1/f", "...!"),
        utterance("s1/g", "bin", seconds=0.05),
        utterance("nameless", "at"),
    ]
    found = list(MfaAligner().align_many(iter(given)))
    assert [name for name, _ in found] == [one.id for one in given]
    found = dict(found)
    errors = {name: str(error) for name, error in found.items() if isinstance(error, AlignmentError)}
    assert set(errors) == {"s1/b", "s1/c", "s1/f", "s1/g"}
    assert "within the beam" in errors["s1/b"] and "s1/b" in errors["s1/b"]
    assert "needs a transcript" in errors["s1/c"] and "no word" in errors["s1/f"] and "shorter than 0.1" in errors["s1/g"]
    assert found["s1/d"].unknown == ("zwieback",)
    assert "zwieback" in found["s1/d"].notes[-1] and "{LG}" in found["s1/d"].notes[0]
    assert [phone.label for phone in found["s1/d"].phones] == ["SIL", "B", "L", "UW", "SIL"]
    assert [word.label for word in found["s1/e"].words] == ["", "blue", "now", ""]
    assert "not used" in found["s1/e"].notes[0]
    assert [word.label for word in found["nameless"].words] == ["", "at", ""]


def test_lists_of_older_releases_are_read(mfa):
    mfa(mode="lists")
    given = [utterance("s1/a", "bin zwieback blue"), utterance("s1/b", "unalignable"), utterance("s2/a", "blue")]
    first, second, third = (found for _, found in MfaAligner().align_many(given))
    assert [word.label for word in first.words] == ["", "bin", "zwieback", "blue", ""]
    assert first.unknown == ("zwieback",) and third.unknown == ()
    assert "Beam too narrow" in str(second)


def test_ids_that_look_alike_keep_apart(mfa):
    names = ["a/b/x", "a_b/x", "a b/x", "a/b/x y", "a/b/x_y", "../up", "/x", "x", "ä/ü", "a/b/" + "n" * 300]
    words = [list(DICTIONARY)[place % len(DICTIONARY)] for place in range(len(names))]
    given = [utterance(name, word) for name, word in zip(names, words, strict=True)]
    found = list(MfaAligner().align_many(given))
    assert [(name, one.words[1].label) for name, one in found] == list(zip(names, words, strict=True))


def test_corpus_is_written_while_utterances_arrive(mfa):
    """The waveform reaches the disk as 16-bit samples, and no more than one utterance is held at a time."""
    waveform = np.float32(0.9) * np.sin(np.arange(16000, dtype=np.float32) / 7)
    seen = []

    def arriving():
        for place in range(3):
            if place:
                (path,) = mfa.work.rglob(f"*{place - 1:07d}-u{place - 1}.wav")
                with wave.open(str(path)) as file:
                    seen.append(np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767)
                assert path.with_suffix(".lab").read_text() == "bin blue\n"
            yield Utterance(f"s/u{place}", waveform, "bin\nBLUE")

    assert all(not isinstance(found, AlignmentError) for _, found in MfaAligner().align_many(arriving()))
    assert len(seen) == 2 and all(np.abs(samples - waveform).max() <= 0.5 / 32767 + 1e-6 for samples in seen)


def test_a_failing_run_says_what_mfa_said(mfa):
    mfa(mode="fail")
    with pytest.raises(InputError, match=r"exit code 1\): Traceback \| KaldiProcessingError: the disk is full$") as caught:
        MfaAligner().align(utterance("a", "bin"))
    assert not isinstance(caught.value, AlignmentError)
    assert list(mfa.work.iterdir()) == []


def test_a_run_that_aligns_nothing_is_the_failure_of_its_utterances(mfa):
    mfa(mode="nothing")
    found = dict(MfaAligner().align_many([utterance("a", "bin"), utterance("b", "blue")]))
    assert set(found) == {"a", "b"}
    assert all(isinstance(error, AlignmentError) and "2 utterances" in str(error) for error in found.values())
    with pytest.raises(AlignmentError, match="1 utterances"):
        MfaAligner().align(utterance("a", "bin"))


def test_missing_models_are_named(mfa):
    with pytest.raises(InputError, match="mfa model download dictionary klingon"):
        MfaAligner(dictionary="klingon").align(utterance("a", "bin"))


def test_a_hanging_run_is_ended_with_its_children(mfa):
    mfa(mode="hang")
    begun = time.monotonic()
    with pytest.raises(InputError, match="took longer than 2 s and was ended: still computing"):
        MfaAligner(timeout=2).align(utterance("a", "bin"))
    assert time.monotonic() - begun < 20
    child = int(mfa.log.read_text())
    for _ in range(50):
        if not _runs(child):
            break
        time.sleep(0.1)
    assert not _runs(child)
    assert list(mfa.work.iterdir()) == []


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_concurrent_runs_do_not_share_a_folder(mfa):
    found, errors = {}, []

    def work(name):
        try:
            found.update(MfaAligner().align_many([utterance(name, "bin")]))
        except InputError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(str(place),)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and len(found) == 3
    assert all(not isinstance(one, AlignmentError) for one in found.values())


def test_nothing_to_align_starts_no_run(mfa):
    assert list(MfaAligner().align_many([])) == []
    ((_, found),) = MfaAligner().align_many([utterance("a")])
    assert isinstance(found, AlignmentError)
    assert not mfa.log.exists()


def test_mfa_phones_come_back_as_arpabet(mfa, tmp_path):
    dictionary = tmp_path / "ipa.dict"
    dictionary.write_text(
        _dictionary({"bin": "bʲ ɪ n", "try": "tʃ ɹ aj", "bottle": "b ɑː ɾ ɫ̩", "huh": "ç ɜː"}), encoding="utf-8"
    )
    found = MfaAligner(dictionary=dictionary).align(utterance("a", "bin try bottle huh", seconds=2))
    assert [phone.label for phone in found.phones] == ["SIL", *"B IH N CH R AY B AA D L HH ER".split(), "SIL"]


def test_phones_of_no_known_set_are_the_failure_of_the_utterance(mfa, tmp_path):
    dictionary = tmp_path / "odd.dict"
    dictionary.write_text(_dictionary({"bin": "B QQ N", "blue": "B L UW1"}))
    found = dict(MfaAligner(dictionary=dictionary).align_many([utterance("a", "bin"), utterance("b", "blue")]))
    assert isinstance(found["a"], AlignmentError) and "'QQ'" in str(found["a"])
    assert [word.label for word in found["b"].words] == ["", "blue", ""]


def test_executable_is_found_or_its_installation_explained(mfa, tmp_path, monkeypatch):
    executable = mfa()
    assert mfa_program.find_executable() == executable
    monkeypatch.delenv("TALKINGFACE_MFA")
    monkeypatch.setenv("PATH", str(executable.parent), prepend=os.pathsep)
    assert mfa_program.find_executable() == executable
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mfa_program.find_executable(executable) == executable
    with pytest.raises(InputError, match="conda create .*montreal-forced-aligner.*mfa model download acoustic english_us_arpa"):
        build_aligner("mfa")
    with pytest.raises(InputError, match="nowhere/mfa: no such program .*conda"):
        build_aligner("mfa", executable="nowhere/mfa")


@pytest.mark.parametrize("version", ["2.2.17", "4.0.0"])
def test_other_series_are_refused(mfa, version):
    mfa(version=version)
    with pytest.raises(InputError, match=f"version {version}; series 3 is needed"):
        MfaAligner().align(utterance("a", "bin"))


def test_a_program_that_does_not_start_is_explained(mfa):
    mfa().write_text("#!/bin/sh\necho no module named kalpy >&2\nexit 3\n")
    with pytest.raises(InputError, match="`mfa version` fails: no module named kalpy"):
        MfaAligner().align(utterance("a", "bin"))


def test_options_that_make_no_sense_are_refused(mfa):
    for options in (
        {"jobs": 0},
        {"beam": -1},
        {"timeout": float("nan")},
        {"beam": 50, "retry_beam": 40},
        {"folder": "nowhere"},
    ):
        with pytest.raises(InputError):
            MfaAligner(**options)


def test_the_program_sees_its_neighbours_and_not_our_python(mfa, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "ours")
    variables = mfa_program.environment(mfa())
    assert variables["PATH"].split(os.pathsep)[0] == str(mfa().parent)
    assert "PYTHONPATH" not in variables and variables["MFA_ROOT_DIR"] == str(mfa.root)


def test_end_of_an_output_is_short_and_plain():
    text = (
        "first\n"
        + "\u256d\u2500\u2500 Error \u2500\u256e\n\u2502 no such file \u2502\n"
        + " 10%|#   | 1/10 [00:01<00:09]\r100%|####|\n"
    )
    assert mfa_program.tail_of(text) == "first | Error | no such file"
    assert mfa_program.tail_of("\n") == "it says nothing"
    assert len(mfa_program.tail_of("word " * 5000)) < 700

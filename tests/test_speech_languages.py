"""Other languages than English: words of any script, eSpeak NG's phones as classes of English, MFA's models by language."""

import json
import shutil
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from datasets.preparing.phones import require_aligner
from speech.aligners import build_aligner
from speech.aligners.mfa import models_of
from speech.alignment import AlignmentError, fits_poorly, poor_limit
from speech.arpabet import NUMBER, SILENCE
from speech.labelling import SpeechText, align_speech
from speech.text.espeak import EspeakPronouncer
from speech.text.languages import is_english, language_words
from speech.text.phone_labels import to_arpabet
from speech.waveform import load_waveform
from tests.conftest import ROOT
from tests.test_speech_mfa import mfa, utterance  # noqa: F401

# What the words of the sample would be called in a language that writes them in Cyrillic letters.
SAID = {
    "мама": "m_ˈɑː_m_ə", "мэй": "m_eɪ", "ай": "aɪ", "бринг": "b_ɹ_ˈɪ_ŋ", "май": "m_aɪ", "мэп": "m_ˈæ_p", "тсен": "ts_ɛ_n",
    "ноль": "", "24": "t_w_ˈɛ_n_t_i f_ˈoːɹ",
}  # fmt: skip
STAND_IN = """#!{python} -S
import json, re, sys
assert sys.argv[1] == "-v" and sys.argv[3:] == ["-q", "--ipa", "--sep=_", "--stdin"], sys.argv
if sys.argv[2] != "xy":
    sys.exit("Error: The specified espeak-ng voice does not exist.")
sys.stdin.reconfigure(encoding="utf-8"), sys.stdout.reconfigure(encoding="utf-8")
said = json.loads({said!r})
for word in re.split(r"\\s+", sys.stdin.read().strip()):
    if word:
        print(said.get(word, "(en)_l_ɛ_t_ə_(xy)"))
"""


@pytest.fixture
def espeak(tmp_path, monkeypatch):
    """Installs a stand-in for the program, which knows the language "xy"."""
    program = tmp_path / "espeak-ng"
    program.write_text(STAND_IN.format(python=sys.executable, said=json.dumps(SAID)), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("TALKINGFACE_ESPEAK", str(program))
    return program


def test_words_of_other_scripts():
    assert language_words("Schöne Grüße, J'ai 24 (laughter) [x] — Jean-Luc!", "de").words == (
        "schöne", "grüße", "j'ai", "24", "jean-luc",
    )  # fmt: skip
    assert language_words("你好，世界。", "cmn").words == ("你", "好", "世", "界")
    assert language_words("بُتَرَش إنَ", "ar").words == ("بُتَرَش", "إنَ"), "marks belong to their letters"
    assert language_words("um 24 Uhr", "de", spell=True).words == ("um", "vierundzwanzig", "uhr")
    assert language_words("24", "xx", spell=True).words == ("24",), "num2words does not know it"
    assert language_words("16", "pt-br", spell=True).words != language_words("16", "pt", spell=True).words == ("dezasseis",)
    assert language_words("24", "fil", spell=True).words == ("24",), "no Finnish numbers"
    assert language_words("1" * 40, "cs", spell=True).words == ("jedna",) * 40
    assert [is_english(code) for code in ("en", "en-gb", "EN_US", "de", "eng")] == [True, True, True, False, False]


@given(st.text(), st.sampled_from(["de", "cmn", "ar"]))
def test_any_text_gives_words_without_white_space(text, language):
    for word in language_words(text, language).words:
        assert word and word.split() == [word]


def test_phones_of_a_pronounced_word(espeak):
    pronouncer = EspeakPronouncer("xy")
    phones = pronouncer.phones(["мама", "24", "тсен", "какой"])
    assert phones == [("M", "AA", "M", "AH"), tuple("T W EH N T IY F OW R".split()), ("T", "S", "EH", "N"), ()]
    assert pronouncer.phones([]) == [] and not pronouncer.unknown


def test_the_program_is_needed_and_named(monkeypatch, tmp_path, espeak):
    with pytest.raises(InputError, match="--language qq: eSpeak NG does not know it"):
        build_aligner(language="qq")
    with pytest.raises(InputError, match="--language qq: eSpeak NG does not know it"):
        require_aligner("auto", "qq")
    require_aligner("none", "qq")
    monkeypatch.delenv("TALKINGFACE_ESPEAK")
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(InputError, match="no program espeak-ng on the PATH.*apt-get install espeak-ng"):
        build_aligner(language="de")
    with pytest.raises(InputError, match="other: no such program"):
        EspeakPronouncer("de", executable="other")


def test_another_language_is_aligned(espeak, tmp_path):
    waveform = load_waveform(ROOT / "samples" / "speech.wav")[: round(2.3 * 16000)]
    english = align_speech(waveform, _text(tmp_path, "mama may I bring my map"))
    found = align_speech(waveform, _text(tmp_path, "Мама, мэй ай бринг май мэп? [смех] ноль", language="xy"))
    words = [word for word in found.words if word.label]
    assert [word.label for word in words] == "мама мэй ай бринг май мэп".split()
    expected = [word for word in english.words if word.label]
    assert max(abs(one.start - two.start) for one, two in zip(words, expected, strict=True)) < 0.05
    assert found.source == "pocketsphinx, xy" and found.unknown == () and "[смех], ноль" in found.notes[0]
    assert not fits_poorly(found.source, found.score) and poor_limit(found.source) < poor_limit("pocketsphinx")
    with pytest.raises(AlignmentError, match="no word that can be spoken"):
        align_speech(waveform, _text(tmp_path, "ноль", language="xy"))


def _text(folder, words, **how):
    path = folder / "words.txt"
    path.write_text(words, encoding="utf-8")
    return SpeechText(transcript=str(path), **how)


def test_text_that_is_not_english_is_told_where_it_matters(tmp_path):
    waveform = load_waveform(ROOT / "samples" / "speech.wav")[: round(2.3 * 16000)]
    with pytest.raises(AlignmentError, match=r"not English \(привет, мир\): give its language with --language, such as de"):
        align_speech(waveform, _text(tmp_path, "привет мир"))
    german = _text(tmp_path, "zwölf freundliche hühner überqueren straßen")
    try:
        said = "\n".join(align_speech(waveform, german).notes)
    except AlignmentError as error:
        said = str(error)
    assert "words are in no English dictionary; if this is not English, give its language with --language" in said
    assert not any("dictionary" in note for note in align_speech(waveform, _text(tmp_path, "mama may I bring my map")).notes)
    with pytest.raises(InputError, match="--language de: give --transcript, too"):
        SpeechText(language="de")


def test_models_of_mfa_by_language(mfa):  # noqa: F811
    assert models_of("en-gb") == ("english_us_arpa", "english_us_arpa")
    assert models_of("de") == ("german_mfa", "german_mfa")
    assert models_of("pt_BR") == ("portuguese_brazil_mfa", "portuguese_mfa")
    with pytest.raises(InputError, match="--language xx: no models of MFA are known for it; known are bg, cmn, cs, de, en"):
        build_aligner("mfa", language="xx")
    for kind, suffix in (("dictionary", "dict"), ("acoustic", "zip")):
        path = mfa.root / "pretrained_models" / kind / f"german_mfa.{suffix}"
        path.write_text("schöne\tʃ øː n ə\nvierundzwanzig\tf iː ɐ ʊ n tʰ ts v a n ts ɪ ç\nfüße\tf yː s ə\n", encoding="utf-8")
    found = build_aligner("mfa", language="de").align(utterance("a", "Schöne 24 Füße!"))
    assert [word.label for word in found.words if word.label] == ["schöne", "vierundzwanzig", "füße"]
    phones = [phone.label for phone in found.phones if phone.label != SILENCE]
    assert phones == "SH ER N AH F IY AH UH N T S V AE N S IH HH F UW S AH".split()
    assert json.loads(mfa.log.read_text())["arguments"][2:4] == ["german_mfa", "german_mfa"] and not found.notes
    found = build_aligner("mfa", language="bg", dictionary="german_mfa", acoustic_model="german_mfa").align(
        utterance("a", "schöne 24 füße")
    )
    assert any("not written out for 'bg': 24" in note for note in found.notes)


@pytest.mark.parametrize(
    ("ipa", "phone"),
    [("yː", "UW"), ("ø", "ER"), ("ɔ̃", "AO"), ("x", "HH"), ("ʁ", "R"), ("tɕʰ", "CH"), ("a˥˩", "AE"), ("t̪", "T"), ("ç", "HH"),
     ("pf", "F"), ("ts", "S"), ("ɲ", "N"), ("ɾ̃", "N"), ("k͡p", "P"), ("kʼ", "K")],
)  # fmt: skip
def test_ipa_of_other_languages(ipa, phone):
    assert to_arpabet(ipa) == (phone, None)


@pytest.mark.parametrize("language", ["de", "fr", "ar", "hi", "vi"])
def test_the_real_program(language):
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: no real phones of other languages")
    pronouncer = EspeakPronouncer(language)
    numbers = pronouncer.phones([str(number) for number in range(1, 60)])
    assert all(phones and set(phones) <= NUMBER.keys() - {SILENCE} for phones in numbers) and not pronouncer.unknown
    assert len(set(numbers)) == 59


"""Phone labels of other sets as the 39 ARPAbet phones: IPA of any language, TIMIT's 61, and the names of silence and noise.

Which IPA symbol goes to which ARPAbet phone is inferred: by place and manner, and where that leaves a choice, by what the lips
do (labial-velar stops close the lips, so they count as P and B; rounded front vowels count as UW, UH and ER).
"""

import re
import unicodedata

from speech.arpabet import NUMBER, SILENCE, split_stress

SILENCES = frozenset(("", "sil", "sp", "ssil", "pau", "epi", "h#", "#", "_"))
NOISES = frozenset(("spn", "nsn"))  # somebody, something is heard, but no known phone
# In brackets of any kind, "[SIL]", "<s>", "{SL}", "(pause)", these are silence; what else stands in [], {} or ++ is a noise.
_QUIET = SILENCES | {"eps", "p:", "s", "/s", "silence", "pause", "sl"}
_LOUD = NOISES | {"usb", "nib", "ns", "lg", "br", "cg", "ls", "noise", "laugh", "laughter", "breath", "cough"}
_BRACKETED = re.compile(r"([\[<({]|\++)(.*?)([\]>)}]|\++)")
KNOWN_SETS = "ARPAbet with or without stress, IPA, TIMIT's 61 phones, and sil, sp, pau, spn, [noise]"

# TIMIT's closures: the stop that they belong to, and the releases that they are one phone with.
CLOSURES = {
    "bcl": ("B", ("B",)),
    "dcl": ("D", ("D", "JH")),
    "gcl": ("G", ("G",)),
    "pcl": ("P", ("P",)),
    "tcl": ("T", ("T", "CH")),
    "kcl": ("K", ("K",)),
}

# Beyond ARPAbet: TIMIT's phones, most of which synthesisers such as flite use too.
_TIMIT = {
    **{closure: stop for closure, (stop, _) in CLOSURES.items()},
    **{"ax": "AH", "ax-h": "AH", "axr": "ER", "ix": "IH", "ux": "UW", "dx": "D", "nx": "N", "q": "T", "hv": "HH", "wh": "W"},
    **{"el": "L", "em": "M", "en": "N", "eng": "NG"},
}

_IPA = {
    "AA": "ɑ ɑː aː ɑ̃",
    "AE": "æ a ɶ",
    "AH": "ə ɐ ʌ ɘ ɤ",
    "AO": "ɔ ɔː ɒ ɒː",
    "AW": "aw aʊ au",
    "AY": "aj aɪ ai",
    "EH": "ɛ ɛː",
    "ER": "ɜ ɜː ɝ ɚ ø øː œ œː ɞ",
    "EY": "e eː ej eɪ ei",
    "IH": "ɪ ɨ ᵻ",
    "IY": "i iː",
    "OW": "o oː ow oʊ əw əʊ ou",
    "OY": "ɔj ɔɪ oi ɔʏ ɔø øy",
    "UH": "ʊ ʏ ɵ ɯ",
    "UW": "u uː ʉ ʉː y yː",
    "B": "b ɡb gb β ɓ ʙ",
    "CH": "tʃ ʧ tɕ tʂ cç ʨ",
    "D": "d ɖ ɾ ɗ",
    "DH": "ð",
    "F": "f ɸ pf",
    "G": "ɡ g ɟ ɣ ɢ ɠ ɰ",
    "HH": "h ç x χ ɦ ħ ʕ",
    "JH": "dʒ ʤ dʑ dʐ ɟʝ ʥ ʄ",
    "K": "k c q",
    "L": "l ɫ ʎ ɬ ɮ ɭ ʟ",
    "M": "m ɱ",
    "N": "n ɲ ɾ̃ ɳ",
    "NG": "ŋ ɴ",
    "P": "p kp",
    "R": "ɹ r ʁ ʀ ɽ ɻ",
    "S": "s ts",
    "SH": "ʃ ʂ ɕ ɧ",
    "T": "t ʈ ʔ",
    "TH": "θ",
    "V": "v ʋ",
    "W": "w ɥ ʍ",
    "Y": "j ʝ",
    "Z": "z dz",
    "ZH": "ʒ ʐ ʑ",
}
# Tie bars and the marks above and below letters; aspirated, palatalised, labialised, velarised, pharyngealised, ejective, half
# long, rhotic, nasal release; tones.
_MARKS = dict.fromkeys([*({*range(0x300, 0x370)} - {0x327}), *map(ord, "ʰʱʲʷˠˤʼˑ˞ⁿˡ˥˦˧˨˩")])  # 0x327 is the cedilla of ç
_STRESS = {"ˈ": 1, "ˌ": 2}


def _form(label):
    return unicodedata.normalize("NFD", label.strip().lower())


_OTHER = {_form(label): phone for phone, labels in _IPA.items() for label in labels.split()} | _TIMIT


def is_silence(label):
    """True of the names that silence goes by, "" among them, in any case and in brackets: "sil", "[SIL]", "<s>", "SP"."""
    label = label.strip().lower()
    if found := _BRACKETED.fullmatch(label):
        return found[2].strip() in _QUIET
    return label in SILENCES


def is_noise(label):
    """True of "spn", "[noise]", "{NS}", "+SPN+" and their like: somebody, or something, is heard, but no known phone or word.

    "<unk>", a spoken word that a dictionary lacks, is none, and so are words in round brackets.
    """
    label = label.strip().lower()
    if (found := _BRACKETED.fullmatch(label)) and not is_silence(label):
        return found[1] in "[{" or found[1][0] == "+" or found[2].strip() in _LOUD
    return label in NOISES


def to_arpabet(label):
    """Phone class of a label of any known set.

    Args:
        label: as the file writes it: "AH0", "ah", "tʲ", "dcl", "sil".

    Returns:
        (phone, stress): one of `speech.arpabet.PHONES`, SILENCE for silence and noise; stress 0, 1, 2 or None. None for a label
        of no known set.
    """
    if is_silence(label) or is_noise(label):
        return SILENCE, None
    label = re.sub(r"(?<=\w)_[BIES]$", "", label.strip())  # Kaldi's place in the word
    phone, stress = split_stress(label)
    if phone in NUMBER:
        return phone, stress
    plain = _form(label)
    if plain[0] in _STRESS:
        stress, plain = _STRESS[plain[0]], plain[1:]
    bare = plain.translate(_MARKS)
    for form in (plain, bare, bare.removesuffix("ː")):
        if form in _OTHER:
            return _OTHER[form], stress
    return None


def looks_like_phones(labels):
    """Whether a tier of unknown name holds phones: four fifths of its labels that are not silence are known phones.

    A word of one letter ("a") and a few short ones ("uh") are also phones; the other words of a sentence decide.
    """
    sounding = [label for label in labels if not is_silence(label) and not is_noise(label)]
    return bool(sounding) and sum(to_arpabet(label) is not None for label in sounding) >= 0.8 * len(sounding)

"""Phone labels of other sets: each known one has a class, and tiers of words and of phones are told apart."""

from speech.arpabet import NUMBER, PHONES, SILENCE
from speech.text.phone_labels import looks_like_phones, to_arpabet


def test_every_phone_of_the_known_sets_has_a_class():
    timit = (
        "aa ae ah ao aw ax ax-h axr ay b bcl ch d dcl dh dx eh el em en eng epi er ey f g gcl h# hh hv ih ix iy jh k kcl l m n "
        "ng nx ow oy p pau pcl q r s sh t tcl th uh uw ux v w y z zh"
    ).split()
    # The phones of the published dictionaries english_mfa, english_us_mfa, english_uk_mfa, english_india_mfa and
    # english_nigeria_mfa, all versions.
    mfa = (
        "a aj aw aː b bʲ c cʰ cʷ d dʒ dʲ d̪ e ej eː f fʲ fʷ h i iː j k kp kʰ kʷ l m mʲ m̩ n n̩ o ow oː p pʰ pʲ pʷ s t tʃ tʰ tʲ "
        "tʷ t̪ u uː v vʲ vʷ w z æ ç ð ŋ ɐ ɑ ɑː ɒ ɒː ɔ ɔj ɖ ɖʲ ə əw ɚ ɛ ɛː ɜ ɜː ɝ ɟ ɟʷ ɡ ɡb ɡʷ ɪ ɫ ɫ̩ ɱ ɲ ɹ ɾ ɾʲ ɾ̃ ʃ ʈ ʈʲ ʈʷ "
        "ʉ ʉː ʊ ʋ ʎ ʒ ʔ θ"
    ).split()
    assert len(timit) == 61 and len(mfa) == 101
    for label in (*PHONES, *timit, *mfa):
        phone, _ = to_arpabet(label)
        assert phone in NUMBER
        assert (phone == SILENCE) == (label in ("SIL", "h#", "pau", "epi")), label
    assert {to_arpabet(label)[0] for label in mfa} == set(PHONES) - {SILENCE}
    chosen = {"tʲ": "T", "m̩": "M", "n̩": "N", "ɫ̩": "L", "ʔ": "T", "ɾ": "D", "dʒ": "JH", "tʃ": "CH", "t͡ʃ": "CH", "aj": "AY",
              "ɚ": "ER", "ɒ": "AO", "ɑː": "AA", "kp": "P", "kʷ": "K", "t̪": "T", "ç": "HH", "əw": "OW",
              "ˈɛ": "EH", "ɾ̃": "N"}  # fmt: skip
    assert {label: to_arpabet(label)[0] for label in chosen} == chosen
    assert to_arpabet("ˈɛ") == ("EH", 1) and to_arpabet("ah0") == ("AH", 0) and to_arpabet("Spn") == (SILENCE, None)
    assert all(to_arpabet(label) is None for label in ("QQ", "xx", "tʃʃ", "hello", "ˈ", "3", "AH7"))


def test_words_and_phones_are_told_apart():
    assert looks_like_phones("sil DH AH0 K AE1 T sil".split()) and looks_like_phones(["m", "ɑ", "n", "tʲ", "?"])
    assert not looks_like_phones("bin blue at f two now".split()) and not looks_like_phones("lay red with p nine again".split())
    assert not looks_like_phones(["", "sil"])

"""Forced alignment: waveform + transcript -> who says which phone when. One interface, several backends."""

from common.suggest import refuse_unknown
from speech.aligners.aligner import Aligner, Utterance

ALIGNERS = ("pocketsphinx", "mfa")


def build_aligner(name="pocketsphinx", language="en", **options):
    """Aligner by name.

    Args:
        name: "pocketsphinx" or "mfa".
        language: of the words, such as "de". PocketSphinx has phones of English alone; other languages are aligned as
            eSpeak NG, a program of its own, pronounces them, each phone as the nearest English one. MFA has models of many.
        options: of MFA, see `speech.aligners.mfa.MfaAligner`.

    Raises:
        InputError: an unknown name, or a backend that is not installed; the message says how to install it.
    """
    refuse_unknown([name], ALIGNERS, "aligner")
    if name == "mfa":
        from speech.aligners.mfa import MfaAligner

        return MfaAligner(language=language, **options)
    from speech.aligners.sphinx import SphinxAligner

    return SphinxAligner(language=language, **options)


__all__ = ["ALIGNERS", "Aligner", "Utterance", "build_aligner"]

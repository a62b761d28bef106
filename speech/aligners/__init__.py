"""Forced alignment: waveform + transcript -> who says which phone when. One interface, several backends."""

from common.suggest import refuse_unknown
from speech.aligners.aligner import Aligner, Utterance

ALIGNERS = ("pocketsphinx", "mfa")


def build_aligner(name="pocketsphinx", **options):
    """Aligner by name.

    Args:
        name: "pocketsphinx" or "mfa".
        options: of the backend, see `speech.aligners.sphinx.SphinxAligner` and `speech.aligners.mfa.MfaAligner`.

    Raises:
        InputError: an unknown name, or a backend that is not installed; the message says how to install it.
    """
    refuse_unknown([name], ALIGNERS, "aligner")
    if name == "mfa":
        from speech.aligners.mfa import MfaAligner

        return MfaAligner(**options)
    from speech.aligners.sphinx import SphinxAligner

    return SphinxAligner(**options)


__all__ = ["ALIGNERS", "Aligner", "Utterance", "build_aligner"]

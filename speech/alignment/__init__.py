"""Who says which phone when: the type that every aligner and reader gives, and the files that hold one."""

from speech.alignment.intervals import POOR_FIT, Alignment, AlignmentError, Interval, cover, poor_fit

__all__ = ["POOR_FIT", "Alignment", "AlignmentError", "Interval", "cover", "poor_fit"]

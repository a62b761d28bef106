"""Who says which phone when: the type that every aligner and reader gives, and the files that hold one."""

from speech.alignment.intervals import POOR_FIT, Alignment, AlignmentError, Interval, cover, fits_poorly, poor_fit, poor_limit

__all__ = ["POOR_FIT", "Alignment", "AlignmentError", "Interval", "cover", "fits_poorly", "poor_fit", "poor_limit"]

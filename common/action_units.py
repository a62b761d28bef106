"""The action units of speech: which of FACS they are, and in which order they stand everywhere."""

UNITS = (10, 14, 20, 25, 26)  # as in arXiv 2110.09951
NAMES = ("upper lip raiser", "dimpler", "lip stretcher", "lips part", "jaw drop")  # of FACS (Ekman and Friesen), in that order
LABELS = tuple(f"AU{unit}" for unit in UNITS)
SOURCES = {"openface": "OpenFace", "geometry": "geometry of landmarks, no FACS coding"}  # whose labels a corpus holds
MOST = 5.0  # greatest intensity, on OpenFace's scale from 0

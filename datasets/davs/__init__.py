"""Corpora in the layout of the published code of DAVS (arXiv 1807.07860): its files, read as clips, written of clips."""

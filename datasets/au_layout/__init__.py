"""Corpora in the layout of the published code of speech action units: its files, read as clips, written of clips."""

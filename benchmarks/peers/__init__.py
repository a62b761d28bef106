"""Ours against public implementations, which a path names."""

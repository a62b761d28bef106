"""Time and memory of the scripts."""

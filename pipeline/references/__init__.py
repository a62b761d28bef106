"""The reference of each shot: which frame it is, its picture, and what other frames are given of it: its light, its texture."""

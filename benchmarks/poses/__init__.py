"""Crops of heads that lean and come near."""

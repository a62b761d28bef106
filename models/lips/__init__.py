"""Networks of lips: where they are, how they move with the sound, whether they fit it, and what corrects a drawn mouth."""

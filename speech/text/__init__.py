"""Written words: from text as people write it to words, and from words to phones."""

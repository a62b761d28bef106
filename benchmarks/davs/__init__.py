"""DAVS, measured stage by stage: words from sound and from lips, what the codes still tell, and what is drawn."""

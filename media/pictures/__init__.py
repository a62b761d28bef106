"""Picture files: which kind a file is, its pixels as sRGB, and the frames of an animation."""

"""How exact forced alignment is."""

"""How well sync judges and AV offsets know what belongs together."""

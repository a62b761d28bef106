"""HDR and wide-gamut colours to BT.709: formulas, and a look-up for decoded frames."""

"""The formats in which plots are written."""

PLOT_FORMATS = ("png", "svg", "pdf")

"""Fields of action units: which are present in each frame of the picture, and where that is known."""

from datasets.fields.registry import register


@register(
    "action_units", "(T, 5)", "float32", "0 or 1",
    "1 where the unit is present (common.action_units.UNITS), 0 also where it is not known", clips="action_units", voices=True,
)  # fmt: skip
def action_units(window):
    return window.labels(window.data.kept.action_units(window.number).present)


@register(
    "action_units_known", "(T,)", "bool", "true or false", "whether a frame's action units are known", clips="action_units",
    voices=True,
)  # fmt: skip
def action_units_known(window):
    return window.labels(window.data.kept.action_units(window.number).known)

"""Tables of F1 and accuracy of action units, of networks beside one another."""

from benchmarks.tables import number
from common.action_units import LABELS, NAMES

ALWAYS = "always present"


def score_table(networks):
    """Lines of Markdown: a row for each network and way of asking it, F1 and accuracy of each unit.

    Args:
        networks: {(name, way): what metrics.formulas.units.unit_scores gives}; all of one truth, but for the frames of a way.
    """
    heads = [f"{label} {name}" for label, name in zip(LABELS, NAMES, strict=True)]
    lines = ["F1 [95 % interval over clips] / accuracy; mean over the units.", "",
             f"| network | given | frames | mean | {' | '.join(heads)} |", "|" + "---|" * (len(LABELS) + 4)]  # fmt: skip
    for (name, way), scores in networks.items():
        cells = [score_cell(one) for one in (scores["mean"], *scores["units"].values())]
        lines.append(f"| {name} | {way} | {scores['frames']} | {' | '.join(cells)} |")
    first = next(iter(networks.values()))
    columns = (first["mean"], *first["units"].values())
    cells = [f"{number(one['always'])} / {number(one['always_accuracy'])}" for one in columns]
    lines.append(f"| {ALWAYS} | | {first['frames']} | {' | '.join(cells)} |")
    lines.append(f"| share of frames with the unit | | | {' | '.join(number(one['rate']) for one in columns)} |")
    own = {name: (way, scores) for (name, way), scores in reversed(networks.items())}  # the first way of each network
    for name, (way, scores) in reversed(own.items()):
        columns = (scores["mean"], *scores["units"].values())
        lines.append(f"| share that {name} says | {way} | | {' | '.join(number(one['said']) for one in columns)} |")
    return [*lines, ""]


def score_cell(one):
    """F1, its interval and accuracy of a unit as text."""
    ends = "" if one["f1_low"] is None else f" [{number(one['f1_low'])}, {number(one['f1_high'])}]"
    return f"{number(one['f1'])}{ends} / {number(one['accuracy'])}"

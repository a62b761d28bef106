"""Which system of one report is which of another: by the SHA-256 of the weights, by name, or because each has one alone."""

WEIGHTS, NAME, ALONE = "the SHA-256 of the weights", "name", "being the only system of each report"


def match_systems(first, second):
    """Match the generated systems of two reports.

    Where both reports store the weights of a system (`checkpoints` of the protocol: 64 digits, or the first 16 that a video
    tells), those with the same weights meet. Of the rest those of one name meet. When one is left on each side and neither
    report had more, they meet, too.

    Args:
        first, second: see `metrics.report.build.build_report`.

    Returns:
        list of {"first", "second": names, "by": one of the above, "weights": "same", "different" or "unknown"}, in the order of
        the first report.
    """
    sides = [_systems(report) for report in (first, second)]
    weights = [_weights(report, systems) for report, systems in zip((first, second), sides, strict=True)]
    found = {}

    def meet(system, other, way):
        relation = _relation(weights[0][system], weights[1][other])
        found[system] = {"first": system, "second": other, "by": way, "weights": relation}

    def left():
        taken = {match["second"] for match in found.values()}
        return [one for one in sides[0] if one not in found], [one for one in sides[1] if one not in taken]

    for system in sides[0]:
        same = [other for other in sides[1] if _relation(weights[0][system], weights[1][other]) == "same"]
        rivals = [one for one in sides[0] if same and _relation(weights[0][one], weights[1][same[0]]) == "same"]
        if len(same) == len(rivals) == 1:
            meet(system, same[0], WEIGHTS)
    mine, theirs = left()
    for system in mine:
        if system in theirs:
            meet(system, system, NAME)
    mine, theirs = left()
    if mine and theirs and len(sides[0]) == len(sides[1]) == 1:
        meet(mine[0], theirs[0], ALONE)
    return [found[system] for system in sides[0] if system in found]


def _systems(report):
    """Names of the generated systems, each once, in the order of the rows."""
    rows = (row["row"] for row in report["rows"])
    return list(dict.fromkeys(row["system"] for row in rows if row["kind"] == "generated"))


def _weights(report, systems):
    """{system: digits of the SHA-256 of its weights, or None}."""
    stored = report["protocol"].get("checkpoints")
    stored = stored if isinstance(stored, dict) else {}
    return {system: stored.get(system) if isinstance(stored.get(system), str) else None for system in systems}


def _relation(one, other):
    """"same", "different", or "unknown" where a side does not tell; a video tells the first 16 digits alone."""
    if not one or not other:
        return "unknown"
    return "same" if one.startswith(other) or other.startswith(one) else "different"


def match_notes(matches):
    """Sentences on how the systems were matched."""
    return [_note(match) for match in matches]


def _note(match):
    names = match["first"] if match["first"] == match["second"] else f"{match['first']} and {match['second']}"
    if match["by"] == WEIGHTS:
        return f"{names}: matched by {WEIGHTS}"
    words = {"same": "the weights are the same", "different": "the weights DIFFER",
             "unknown": "the weights are not stored in both reports"}  # fmt: skip
    return f"{names}: matched by {match['by']}; {words[match['weights']]}"

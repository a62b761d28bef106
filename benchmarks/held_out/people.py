"""Who was trained on, chosen on and held out."""

NAMES = {"train": "trained on", "val": "chosen on (validation)", "test": "held-out sentences (test)",
         "unseen": "people never seen (unseen)"}  # fmt: skip


def people_of(corpus):
    """{split: {"sentences": number, "people": {name: sentences}}} of a prepared corpus."""
    found = {}
    for split in NAMES:
        people = {}
        for row in corpus.split(split):
            people[row.speaker] = people.get(row.speaker, 0) + 1
        found[split] = {"sentences": sum(people.values()), "people": dict(sorted(people.items()))}
    return found


def people_lines(splits):
    """Lines of Markdown, a table of what `people_of` gives."""
    lines = ["| split | sentences | people (sentences) |", "|---|---|---|"]
    for split, name in NAMES.items():
        people = ", ".join(f"{person} ({count})" for person, count in splits[split]["people"].items()) or "-"
        lines.append(f"| {name} | {splits[split]['sentences']} | {people} |")
    return lines

"""Who was trained on, chosen on and held out, for the head of each table."""

SPLITS = ("train", "val", "test", "unseen")


def people_of(corpus):
    """{split: {"sentences": number, "people": {name: sentences}}} of a prepared corpus."""
    found = {}
    for split in SPLITS:
        people = {}
        for row in corpus.split(split):
            people[row.speaker] = people.get(row.speaker, 0) + 1
        found[split] = {"sentences": sum(people.values()), "people": dict(sorted(people.items()))}
    return found


def protocol_of(corpus, vocabulary, networks, seed):
    """What the outputs say of the material and of the networks; what JSON can hold."""
    return {
        "corpus": corpus.folder.name,
        "crop": corpus.settings.get("crop"),
        "size": corpus.settings.get("size"),
        "words": len(vocabulary),
        "splits": people_of(corpus),
        "networks": {one.name: one.facts for one in networks},
        "seed": seed,
    }


def protocol_lines(protocol):
    """Lines of Markdown: people and sentences of each split, and the networks."""
    names = {"train": "trained on", "val": "chosen on (validation)", "test": "held-out sentences (test)",
             "unseen": "people never seen (unseen)"}  # fmt: skip
    seed = protocol["seed"]
    drawn = "Nothing is drawn at random." if seed is None else f"Seed of what is drawn at random: {seed}."
    lines = [f"Corpus {protocol['corpus']}: {protocol['crop']} crops of {protocol['size']} pixels, {protocol['words']} words. "
             f"{drawn}", "",
             "| split | sentences | people (sentences) |", "|---|---|---|"]  # fmt: skip
    for split, name in names.items():
        found = protocol["splits"][split]
        people = ", ".join(f"{person} ({count})" for person, count in found["people"].items()) or "-"
        lines.append(f"| {name} | {found['sentences']} | {people} |")
    lines += ["", "| network | stage | step | seed of training | file, sha256 |", "|---|---|---|---|---|"]
    for name, facts in protocol["networks"].items():
        file = f"`{facts['file']}`, {facts['sha256'][:12]}" if facts["file"] else "random weights"
        cells = [text(facts[key]) for key in ("stage", "step", "seed")]
        lines.append(f"| {name} | {' | '.join(cells)} | {file} |")
        limits = [f"data.{key} {facts[key]}" for key in ("speakers", "exclude") if facts.get(key)]
        if limits:
            lines.append(f"| | | | | of the training people only: {'; '.join(limits)} |")
    return [*lines, ""]


def text(value):
    """A cell: "-" for None."""
    return "-" if value is None else str(value)

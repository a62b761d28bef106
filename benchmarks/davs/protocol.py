"""Who was trained on, chosen on and held out, for the head of each table."""

from benchmarks.held_out.networks import network_lines
from benchmarks.held_out.people import people_lines, people_of


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
    seed = protocol["seed"]
    drawn = "Nothing is drawn at random." if seed is None else f"Seed of what is drawn at random: {seed}."
    lines = [f"Corpus {protocol['corpus']}: {protocol['crop']} crops of {protocol['size']} pixels, {protocol['words']} words. "
             f"{drawn}", "", *people_lines(protocol["splits"])]  # fmt: skip
    return [*lines, "", *network_lines(protocol["networks"]), ""]

"""Action units seen in real faces of sentences that training never saw; stage 2.

    python -m benchmarks.au.classifier --corpus prepared/grid_au --checkpoint runs/au_small_classifier/best.safetensors [C ...]

Each network sees the clip's own faces, those of another sentence of the same person, and the clip's first face in each frame.
What it says at a probability of 1/2 is held against the labels of the clip, over all frames whose labels are known. "always
present" is what a network would get that says each unit in each frame. Networks of the stage fusion are taken, too: their
classifier kept learning. Runs NAME_s0, NAME_s1 and so on are put together in a table of seeds. Nothing is drawn at random.

The bar is for the first checkpoint on held-out sentences: mean F1 at least 0.8, of its own faces. arXiv 2110.09951 has .871 and
an accuracy of 89.62 % on test faces of GRID, by the labels of OpenFace. Writes OUT.json and OUT.md; prints the tables; exit
code 1 where the figure misses its bar.
"""

import sys

from common.cli import run

LEAST = 0.8
WAYS = {"own": "own faces", "swapped": "faces of another sentence", "still": "its first face"}


def main(argv):
    """Measure and report; exit code 1 when the figure misses its bar."""
    from benchmarks.au.clips import open_corpus
    from benchmarks.au.networks import require_part
    from benchmarks.au.reading import parse_reading, read_splits, report_reading
    from benchmarks.crops import as_faces, crops_of
    from benchmarks.tables import bar
    from benchmarks.tested import open_networks, require_crops

    args = parse_reading(argv, "benchmarks.au.classifier", __doc__, "results/au_classifier", "configs/au_classifier.yaml")
    networks, corpus = open_networks(args.checkpoint, "action_units"), open_corpus(args.corpus)
    for tested in networks:
        require_part(tested, "unit_classifier", "configs/au_classifier.yaml")
        require_crops(corpus, tested)

    def inputs(row, other):
        given = {"own": as_faces(crops_of(corpus, row))}
        if other is not None:
            given["swapped"] = as_faces(crops_of(corpus, other))[: row.frames]
        given["still"] = given["own"][:1].expand_as(given["own"])
        return {way: lambda _, faces=faces: faces for way, faces in given.items()}

    splits = read_splits(corpus, networks, args, inputs, lambda tested, faces: tested.model.read_units(faces))
    own = splits["test"]["networks"][networks[0].name]["own"] if "test" in splits else None
    bars = [] if own is None else [bar("mean F1", own["mean"]["f1"], LEAST)]
    return report_reading("Action units in real faces", corpus, networks, splits, WAYS, bars, args.out)


if __name__ == "__main__":
    sys.exit(run(main))

"""Action units heard in sentences that training never heard; stage 1.

    python -m benchmarks.au.audio --corpus prepared/grid_au --checkpoint runs/au_small_audio/best.safetensors [C ...]

Each network hears the clip's own sound, the sound of another sentence of the same person, and digital silence. What it says at
a probability of 1/2 is held against the labels of the clip, over all frames whose labels are known. "always present" is what a
network would get that says each unit in each frame. Sentences of GRID share their timing, so the sound of another sentence is
better than chance. Networks of the stage fusion are taken, too: their nets kept learning. Runs NAME_s0, NAME_s1 and so on are
put together in a table of seeds. Nothing is drawn at random.

Bars are for the first checkpoint on held-out sentences: F1 of AU25 at least 0.85, of AU26 at least 0.6, and each of them above
that of "always present" and of the sound of another sentence. Writes OUT.json and OUT.md; prints the tables; exit code 1 where
a figure misses its bar.
"""

import sys

from common.cli import run

BARS = {"AU25": 0.85, "AU26": 0.6}
WAYS = {"own": "own sound", "swapped": "sound of another sentence", "silence": "digital silence"}


def main(argv):
    """Measure and report; exit code 1 when a figure misses its bar."""
    from benchmarks.au.clips import cepstra_of, open_corpus, silence, windows_of
    from benchmarks.au.networks import require_part
    from benchmarks.au.reading import parse_reading, read_splits, report_reading
    from benchmarks.tested import open_networks

    args = parse_reading(argv, "benchmarks.au.audio", __doc__, "results/au_audio", "configs/au_audio.yaml")
    networks = open_networks(args.checkpoint, "action_units")
    for tested in networks:
        require_part(tested, "audio_to_units", "configs/au_audio.yaml")
    corpus = open_corpus(args.corpus)

    def inputs(row, other):
        def heard(cepstra, frames):
            return lambda tested: windows_of(cepstra, frames, row.fps, tested.model.columns)

        swapped = {"swapped": heard(cepstra_of(corpus, other), min(row.frames, other.frames))} if other is not None else {}
        return {"own": heard(cepstra_of(corpus, row), row.frames), **swapped, "silence": heard(silence(), row.frames)}

    splits = read_splits(corpus, networks, args, inputs, lambda tested, mfcc: tested.model.audio_to_units(mfcc)[1])
    bars = bars_of(splits["test"]["networks"][networks[0].name]) if "test" in splits else []
    return report_reading("Action units from sound", corpus, networks, splits, WAYS, bars, args.out)


def bars_of(ways):
    """Bars of one network: {way: scores} -> list, see benchmarks.tables.bar."""
    from benchmarks.tables import bar

    bars = []
    for label, least in BARS.items():
        own = ways["own"]["units"][label]
        bars.append(bar(f"F1 of {label}", own["f1"], least))
        beside = {"always present": own["always"]}
        if "swapped" in ways:
            beside["the sound of another sentence"] = ways["swapped"]["units"][label]["f1"]
        for what, value in beside.items():
            bars.append(bar(f"F1 of {label}, above that of {what}", own["f1"], value or 0.0, above=True))
    return bars


if __name__ == "__main__":
    sys.exit(run(main))

"""What one training item costs to load: ours against the recipe of Wav2Lip's loader.

    python -m benchmarks.loader_speed --prepared prepared/grid [--clips 40] [--items 48] [--rounds 7]

An item is five frames of face, masked face and reference, their mel windows, and that of the expert. The recipe is written
anew from its description (benchmarks.loader_recipe). Both read the same clips: the recipe from folders of JPEGs and a wav made
for it here, ours from the prepared corpus. Items are loaded and collated to batches in this process, file contents in the
system's cache for both; contenders take turns. Times are processor time of this process, which says the same on a busy machine.
The recipe's time is the lesser one of its mel by librosa and by our `speech.mel`. "Opened anew": no clip is held open from item
to item, as with a corpus of very many clips. Writes OUT.json and OUT.md; exit code 1 where ours, its clips held open, is not 10
times as fast.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.loader_recipe import Recipe, export_clips
from benchmarks.material import busy_note, machine
from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError
from common.files import atomic_output
from datasets.prepared import PreparedCorpus
from datasets.windows import WindowDataset, collate

ROOT = Path(__file__).resolve().parents[1]
BAR = 10.0
GAN_FIELDS = ("clip", "face", "frame", "masked_face", "mel", "reference_face", "sync_mel")  # of configs/wav2lip_gan.yaml
STO_FIELDS = tuple(sorted((*GAN_FIELDS, "landmarks", "module", "phoneme", "reference_module", "run", "valid")))  # of sto.yaml
RECIPE, RECIPE_OUR_MEL = "recipe", "recipe, mel by speech.mel"
OURS, ANEW = "wav2lip_gan", "wav2lip_gan, opened anew"


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(prog="loader_speed", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--prepared", type=Path, required=True, help="corpus that prepare.py made, with phones and texture modules")
    add("--clips", type=int, default=40, help="so many training clips, spread over the corpus (%(default)s)")
    add("--items", type=int, default=48, help="items of each contender in each round (%(default)s)")
    add("--batch", type=int, default=16, help="items a batch (%(default)s)")
    add("--rounds", type=int, default=7, help="timed rounds, after one that is not counted (%(default)s)")
    add("--side", type=int, default=170, help="pixels of the recipe's JPEGs: what a 360x288 clip's face crop has (%(default)s)")
    add("--out", type=Path, default=Path("results/loader_speed"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if min(args.clips, args.items, args.batch, args.rounds) < 1 or args.items % args.batch:
        raise InputError("--clips, --items, --batch and --rounds must be 1 or more, --items a multiple of --batch")
    if args.side < 96:
        raise InputError(f"--side {args.side}: must be 96 or more")
    return args


def main(argv):
    """Measure, print and write the table; exit code 1 when the bar is missed."""
    import torch

    args = parse(argv)
    torch.set_num_threads(1)
    facts, corpus = machine(), choose(PreparedCorpus.open_folder(args.prepared), args.clips)
    with tempfile.TemporaryDirectory() as folder:
        recipes = export_clips(corpus, Path(folder), args.side)
        loaders = contenders(corpus, recipes)
        parts = Recipe(recipes).parts()
        rounds = measure(loaders | parts, args)
    table, missed = summary(rounds, tuple(parts))
    note = f"{len(corpus.rows)} clips, {args.rounds} rounds of {args.items} items: median (range), processor time of one core."
    text = "\n".join([*table, "", f"{note} {busy_note(facts)}".rstrip()])
    for suffix, content in ((".json", json.dumps({"machine": facts, "rounds": rounds}, indent=1)), (".md", text)):
        with atomic_output(args.out.with_name(args.out.name + suffix)) as path:
            path.write_text(content + "\n", encoding="utf-8")
    print(text, *missed, sep="\n")
    return EXIT_FAILED_JOB if missed else None


def choose(corpus, count):
    """The corpus with `count` of its training clips, evenly spread over those that have phones."""
    rows = [row for row in corpus.split("train") if row.phones]
    if len(rows) < count:
        raise InputError(f"--clips {count}: {corpus.folder} has {len(rows)} training clips with phones")
    return PreparedCorpus(corpus.folder, corpus.settings, [rows[at * len(rows) // count] for at in range(count)])


def contenders(corpus, recipes):
    """dict of name -> loader: (first item, count) -> a batch of torch tensors."""
    from torch.utils.data import default_collate

    from training.config import DEFAULTS, load_config

    usual = DEFAULTS["data"]["augment"]
    demo = load_config(ROOT / "configs" / "demo.yaml")["data"]["augment"]
    phoneme = {"cut": "phoneme", "sync_frames": 5}
    gan, sto = (corpus, "train", 5, GAN_FIELDS), (corpus, "train", 8, STO_FIELDS)
    ours = {
        OURS: WindowDataset(*gan, augment=usual),
        ANEW: Anew(*gan, augment=usual),
        "wav2lip_gan, augmented as demo.yaml": WindowDataset(*gan, augment=demo),
        "sto, 8 frames": WindowDataset(*sto, augment=usual, **phoneme),
        "sto, 8 frames, opened anew": Anew(*sto, augment=usual, **phoneme),
    }
    plain, our_mel = Recipe(recipes), Recipe(recipes, our_mel=True)
    return {
        RECIPE: lambda first, count: default_collate([plain[first + at] for at in range(count)]),
        RECIPE_OUR_MEL: lambda first, count: default_collate([our_mel[first + at] for at in range(count)]),
        **{name: batches_of(dataset) for name, dataset in ours.items()},
    }


class Anew(WindowDataset):
    """Holds no clip open from item to item."""

    def item(self, *arguments, **options):
        self.close()
        return super().item(*arguments, **options)


def batches_of(dataset):
    """Loader of a WindowDataset, as a torch loader asks it for a batch."""
    return lambda first, count: collate(dataset.__getitems__(range(first, first + count)))


def measure(loaders, args):
    """dict of name -> list of processor seconds an item, one a round; the contenders take turns."""
    times = {name: [] for name in loaders}
    for number in range(args.rounds + 1):
        for name, load in loaders.items():
            begun = time.process_time()
            for first in range(number * args.items, (number + 1) * args.items, args.batch):
                load(first, args.batch)
            times[name].append((time.process_time() - begun) / args.items)
    return {name: values[1:] for name, values in times.items()}  # the first round opens files and loads packages


def summary(rounds, parts=()):
    """(lines of the table, sentences on missed bars).

    Args:
        rounds: dict of name -> seconds an item, one a round; RECIPE, RECIPE_OUR_MEL, OURS among them.
        parts: names of the rows that are parts of the recipe and have no ratio.
    """
    recipe = min((RECIPE, RECIPE_OUR_MEL), key=lambda name: median(rounds[name]))
    lines = ["| item | ms | items a second and core | recipe / it |", "|---|---|---|---|"]
    missed = []
    for name, values in rounds.items():
        milliseconds = [1000 * value for value in values]
        cells = [f"{median(milliseconds):.2f} ({min(milliseconds):.2f}-{max(milliseconds):.2f})"]
        if name in parts or name in (RECIPE, RECIPE_OUR_MEL):
            cells += ["" if name in parts else f"{1 / median(values):.0f}", ""]
        else:
            ratios = np.array(rounds[recipe]) / np.array(values)
            cells += [f"{1 / median(values):.0f}", f"{median(ratios):.1f} ({ratios.min():.1f}-{ratios.max():.1f})"]
            if name == OURS and median(ratios) < BAR:
                missed.append(f"{name}: {median(ratios):.1f} times as fast as the recipe, below {BAR:g}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines, missed


if __name__ == "__main__":
    sys.exit(run(main))

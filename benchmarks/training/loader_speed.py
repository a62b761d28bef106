"""What one training item costs to load: ours against the recipe of Wav2Lip's loader.

    python -m benchmarks.training.loader_speed --prepared prepared/grid [--clips 40] [--items 48] [--rounds 7]

An item is five frames of face, masked face and reference, their mel windows, and that of the expert. The recipe is written
anew from its description (loader_recipe.py). Both read the same clips: the recipe from folders of JPEGs and a wav made
for it here, ours from the prepared corpus. Each contender has a process of its own, loads items and collates them to batches;
file contents are in the system's cache for all. They take turns, and times are processor time, which says the same on a busy
machine. The recipe's time is the lesser one of its mel by librosa and by our `speech.mel`. Ours are loaded as they are shipped:
uint8 faces, small labels. "Completed": the fields are made of them as well, on the CPU; a GPU does that itself. "Opened anew":
no clip is held open from item to item, as with a corpus of very many clips. "Through a worker": by a torch loader with one
worker process, as train.py loads: time of the worker and of what receives its batches, less what the worker takes with one
batch alone. A second table has the bytes of a batch, as it is shipped and as it is completed.

Writes OUT.json and OUT.md; exit code 1 where ours, its clips held open, is not 10 times as fast.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.material import busy_note, machine
from benchmarks.outputs import write_outputs
from benchmarks.training.loader_recipe import Recipe, export_clips
from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError
from datasets.prepared import PreparedCorpus
from datasets.windows import WindowDataset, collate

ROOT = Path(__file__).resolve().parents[2]
BAR = 10.0
WORKER_TIMES = 10  # as many items through a worker, whose start is taken off
GAN_FIELDS = ("clip", "face", "frame", "masked_face", "mel", "reference_face", "sync_mel")  # of configs/wav2lip_gan.yaml
STO_FIELDS = tuple(sorted((*GAN_FIELDS, "landmarks", "module", "phoneme", "reference_module", "run", "valid")))  # of sto.yaml
RECIPE, RECIPE_OUR_MEL = "recipe", "recipe, mel by speech.mel"
BATCHES = {"wav2lip_gan, 16 windows": ("wav2lip_gan", 16), "sto, 10 windows": ("sto, 8 frames", 10)}  # as the configs have them
OURS, WORKER, COMPLETED = "wav2lip_gan", ", through a worker", ", completed"


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.loader_speed", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--prepared", type=Path, required=True, help="corpus that prepare.py made, with phones and texture modules")
    add("--clips", type=int, default=40, help="so many training clips, spread over the corpus (%(default)s)")
    add("--items", type=int, default=48, help="items of each contender in each round (%(default)s)")
    add("--batch", type=int, default=16, help="items a batch (%(default)s)")
    add("--rounds", type=int, default=7, help="timed rounds, after one that is not counted (%(default)s)")
    add("--side", type=int, default=170, help="pixels of the recipe's JPEGs, as face crops of 360x288 video (%(default)s)")
    add("--out", type=Path, default=Path("results/loader_speed"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if min(args.clips, args.items, args.batch, args.rounds) < 1 or args.items % args.batch:
        raise InputError("--clips, --items, --batch and --rounds must be 1 or more, --items a multiple of --batch")
    if args.side < 96:
        raise InputError(f"--side {args.side}: must be 96 or more")
    return args


def main(argv):
    """Measure, print and write the table; exit code 1 when the bar is missed."""
    args = parse(argv)
    facts, corpus = machine(), choose(PreparedCorpus.open_folder(args.prepared), args.clips)
    with tempfile.TemporaryDirectory() as folder:
        rounds = measure(corpus, export_clips(corpus, Path(folder), args.side), args)
    table, missed = summary(rounds)
    note = f"{len(corpus.rows)} clips, {args.rounds} rounds of {args.items} items: median (range), processor time of one core."
    sizes = batch_bytes(corpus)
    text = "\n".join([*table, "", f"{note} {busy_note(facts)}".rstrip(), "", *bytes_table(sizes)])
    write_outputs(args.out, {"machine": facts, "rounds": rounds, "bytes": sizes}, text)
    print(text, *missed, sep="\n")
    return EXIT_FAILED_JOB if missed else None


def choose(corpus, count):
    """The corpus with `count` of its training clips, evenly spread over those that have phones."""
    rows = [row for row in corpus.split("train") if row.phones]
    if len(rows) < count:
        raise InputError(f"--clips {count}: {corpus.folder} has {len(rows)} training clips with phones")
    return PreparedCorpus(corpus.folder, corpus.settings, [rows[at * len(rows) // count] for at in range(count)])


def contenders(corpus, recipes):
    """dict of name -> (dataset, what makes a batch of its items), and of parts of the recipe -> (None, loader of a batch)."""
    from torch.utils.data import default_collate

    ours, theirs = datasets_of(corpus), {RECIPE: Recipe(recipes), RECIPE_OUR_MEL: Recipe(recipes, our_mel=True)}
    return {
        **{name: (dataset, default_collate) for name, dataset in theirs.items()},
        **{name: (dataset, collate) for name, dataset in ours.items()},
        **{f"{name}{COMPLETED}": (ours[name], completed(ours[name])) for name in (OURS, "sto, 8 frames")},
        **{f"{name}{WORKER}": (theirs[name], default_collate) for name in (RECIPE, RECIPE_OUR_MEL)},
        **{f"{name}{WORKER}": (ours[name], collate) for name in (OURS, "sto, 8 frames")},
        **{name: (None, load) for name, load in Recipe(recipes).parts().items()},
    }


def datasets_of(corpus):
    """dict of name -> WindowDataset."""
    from training.config import load_config
    from training.config.settings import DEFAULTS

    usual = DEFAULTS["data"]["augment"]
    demo = load_config(ROOT / "configs" / "demo.yaml")["data"]["augment"]
    phoneme = {"cut": "phoneme", "sync_frames": 5}
    gan, sto = (corpus, "train", 5, GAN_FIELDS), (corpus, "train", 8, STO_FIELDS)
    return {
        OURS: WindowDataset(*gan, augment=usual),
        "wav2lip_gan, opened anew": Anew(*gan, augment=usual),
        "wav2lip_gan, augmented as demo.yaml": WindowDataset(*gan, augment=demo),
        "sto, 8 frames": WindowDataset(*sto, augment=usual, **phoneme),
        "sto, 8 frames, opened anew": Anew(*sto, augment=usual, **phoneme),
    }


def completed(dataset):
    """What makes a completed batch of a list of a dataset's items."""
    return lambda items: dataset.complete(collate(items))


def batch_bytes(corpus):
    """dict of batch -> (bytes as it is shipped, bytes of its fields)."""
    datasets, sizes = datasets_of(corpus), {}
    for name, (which, count) in BATCHES.items():
        batch = collate(datasets[which].__getitems__(range(count)))
        fields = datasets[which].complete(batch)
        sizes[name] = tuple(sum(tensor.nbytes for tensor in one.values()) for one in (batch, fields))
    return sizes


def bytes_table(sizes):
    """Lines of the table of `batch_bytes`."""
    lines = [f"| {name} | {shipped / 1e6:.2f} | {whole / 1e6:.2f} |" for name, (shipped, whole) in sizes.items()]
    return ["| batch | MB shipped | MB of its fields |", "|---|---|---|", *lines]


class Anew(WindowDataset):
    """Holds no clip open from item to item."""

    def window_of(self, *arguments, **options):
        self.close()
        return super().window_of(*arguments, **options)


def load_here(dataset, batch, numbers):
    """Make a batch of the items of `numbers` in this process, as a torch loader does."""
    return batch(dataset.__getitems__(numbers) if hasattr(dataset, "__getitems__") else [dataset[number] for number in numbers])


def load_through_a_worker(dataset, batch, batches):
    """Processor seconds an item of a torch loader with one worker, receiving included; its start and first batch are left out.

    Args:
        dataset: map-style; batch: makes a batch of a list of its items; batches: lists of numbers, two or more.
    """
    from torch.utils.data import DataLoader

    def spent(lists):
        begun = _spent()
        for _ in DataLoader(dataset, batch_sampler=lists, num_workers=1, collate_fn=batch, worker_init_fn=_one_thread):
            pass
        return _spent() - begun

    return (spent(batches) - spent(batches[:1])) / sum(map(len, batches[1:]))


def _one_thread(_worker):
    import torch

    torch.set_num_threads(1)


def _spent():
    """Processor seconds of this process and of its children that have ended."""
    return sum(one.ru_utime + one.ru_stime for one in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def serve(pipe, name, corpus, recipes, size):
    """A contender's process: takes lists of items' numbers, gives the processor seconds an item, until it gets None."""
    _one_thread(None)
    dataset, batch = contenders(corpus, recipes)[name]
    while (numbers := pipe.recv()) is not None:
        batches = [numbers[first : first + size] for first in range(0, len(numbers), size)]
        begun = time.process_time()
        if name.endswith(WORKER):
            load_here(dataset, batch, numbers)  # what a process loads, makes and opens but once
            pipe.send(load_through_a_worker(dataset, batch, batches))
            continue
        for one in batches:
            batch(one[0], len(one)) if dataset is None else load_here(dataset, batch, one)
        pipe.send((time.process_time() - begun) / len(numbers))


def measure(corpus, recipes, args):
    """dict of name -> list of processor seconds an item, one a round; the contenders, each in its process, take turns."""
    context, pipes, processes = multiprocessing.get_context("spawn"), {}, []
    times = {name: [] for name in contenders(corpus, recipes)}
    try:
        for name in times:
            pipes[name], end = context.Pipe()
            processes.append(context.Process(target=serve, args=(end, name, corpus, recipes, args.batch)))
            processes[-1].start()
            end.close()
        for number in range(args.rounds + 1):
            for name, pipe in pipes.items():
                count = args.items * (WORKER_TIMES if name.endswith(WORKER) else 1)
                pipe.send(list(range(number * count, (number + 1) * count)))
                times[name].append(pipe.recv())
        for pipe in pipes.values():
            pipe.send(None)
    finally:
        for pipe in pipes.values():
            pipe.close()
        for process in processes:
            process.join()
    return {name: values[1:] for name, values in times.items()}  # the first round opens files and loads packages


def summary(rounds):
    """(lines of the table, sentences on missed bars).

    Args:
        rounds: dict of name -> seconds an item, one a round: both forms of the recipe, ours, the same with WORKER behind their
            names, and "..." parts of the recipe, which get no ratio.
    """
    lines = ["| item | ms | items a second and core | recipe / it |", "|---|---|---|---|"]
    missed = []
    for name, values in rounds.items():
        milliseconds, rate = [1000 * value for value in values], f"{1 / median(values):.0f}"
        cells = [name, f"{median(milliseconds):.2f} ({min(milliseconds):.2f}-{max(milliseconds):.2f})", rate, ""]
        if name.startswith("..."):
            cells[2] = ""
        elif not name.startswith(RECIPE):
            behind = WORKER if name.endswith(WORKER) else ""
            recipe = min((RECIPE + behind, RECIPE_OUR_MEL + behind), key=lambda one: median(rounds[one]))
            ratios = [theirs / own for theirs, own in zip(rounds[recipe], values, strict=True)]
            cells[3] = f"{median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})"
            if name == OURS and median(ratios) < BAR:
                missed.append(f"{name}: {median(ratios):.1f} times as fast as the recipe, below {BAR:g}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines, missed


if __name__ == "__main__":
    sys.exit(run(main))

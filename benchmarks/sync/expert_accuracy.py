"""How often a lip-sync expert tells a window's own sound from other sound, on clips that it never saw.

    python -m benchmarks.sync.expert_accuracy runs/expert_grid/best.safetensors --corpus prepared/grid

Every window of five frames of every clip is heard with its own sound and, as often, with sound of each kind: from any other
moment of the clip (the published way: "off-sync accuracy" of arXiv 2008.10010, table 3), from 1, 2, 3, 4-15 or more frames
away, from another clip of the speaker. The answer is the cosine, yes from 0.5 on; the accuracy counts yes and no alike. The
last lines average the cosines of neighbouring windows first, as whoever judges a stretch of video would.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

from common.cli import run
from common.files import atomic_output
from datasets.prepared import PreparedCorpus
from metrics.formulas.bootstrap import interval
from models.syncnet import lower_halves
from speech.windows import mel_windows
from training.checkpoint import load_checkpoint

THRESHOLD = 0.5
KINDS = {
    "any other moment of the clip": (1, 10**6),
    "1 frame away": (1, 1),
    "2 frames away": (2, 2),
    "3 frames away": (3, 3),
    "4-15 frames away": (4, 15),
    "more than 15 frames away": (16, 10**6),
}
OTHER = "another clip of the speaker"
STRETCHES = {5: "any other moment, over 0.36 s", 21: "any other moment, over 1 s"}  # windows, the first 0.2 s long
SPLITS = {"test": "held-out sentences", "unseen": "speakers never seen", "val": "validation sentences"}


@torch.inference_mode()
def embed(model, corpus, row, mode):
    """(N, D) of lips and of sound: every window of a clip, in order."""
    clip = corpus.open(row)
    starts = range(row.frames - model.frames + 1)
    mels = mel_windows(clip["mel"], starts, row.fps, span=model.frames, mode=mode)
    faces = torch.from_numpy(np.array(clip["face"])).permute(3, 0, 1, 2).float() / 255
    windows = torch.stack([faces[:, at : at + model.frames] for at in starts])
    return model.embed_faces(lower_halves(windows)), model.embed_sound(torch.from_numpy(mels)[:, None])


def accuracies(lips, sound, other):
    """{kind: accuracy} of one clip; kinds that it has no room for are left out.

    Args:
        lips, sound: (N, D) unit vectors of the same windows; other: (M, D) of another clip's sound, or None.
    """
    cosines = (lips @ sound.T).numpy()
    apart = np.abs(np.subtract.outer(np.arange(len(cosines)), np.arange(len(cosines))))
    accepted = float((np.diag(cosines) >= THRESHOLD).mean())
    found = {}
    for kind, (low, high) in KINDS.items():
        chosen = cosines[(apart >= low) & (apart <= high)]
        if len(chosen):
            found[kind] = 0.5 * (accepted + float((chosen < THRESHOLD).mean()))
    for windows, kind in STRETCHES.items():
        if len(cosines) > windows:
            means = stretched(cosines, windows)
            same = np.eye(len(means), dtype=bool)
            found[kind] = 0.5 * (float((means[same] >= THRESHOLD).mean()) + float((means[~same] < THRESHOLD).mean()))
    if other is not None:
        found[OTHER] = 0.5 * (accepted + float(((lips @ other.T).numpy() < THRESHOLD).mean()))
    return found


def stretched(cosines, windows):
    """(N, N) cosines of lips and sound -> (N - windows + 1,) * 2: means along `windows` neighbours in step."""
    count = len(cosines) - windows + 1
    return sum(cosines[at : at + count, at : at + count] for at in range(windows)) / windows


def measure(checkpoint, corpus, splits):
    """{split: {clip id: {kind: accuracy}}}."""
    loaded, result = load_checkpoint(checkpoint, expect="syncnet_color"), {}
    for split in splits:
        rows = corpus.split(split)
        embedded = {row.id: embed(loaded.model, corpus, row, loaded.config["data"]["audio_window"]) for row in rows}
        result[split] = {}
        for row in rows:
            others = [one.id for one in rows if one.speaker == row.speaker and one.id != row.id]
            other = embedded[others[len(others) // 2]][1] if others else None
            result[split][row.id] = accuracies(*embedded[row.id], other)
    return result


def table(result):
    """Markdown: accuracy by kind of negative and split, with its 95 % interval over clips."""
    lines = ["| sound from | " + " | ".join(f"{SPLITS[split]}, {len(clips)} clips" for split, clips in result.items()) + " |"]
    lines.append("|---" * (len(result) + 1) + "|")
    for kind in (*KINDS, OTHER, *STRETCHES.values()):
        cells = []
        for clips in result.values():
            values = [one[kind] for one in clips.values() if kind in one]
            low, high = interval(values) if len(values) > 1 else (None, None)
            mean = f"{100 * np.mean(values):.1f} %" if values else "-"
            cells.append(mean + (f" [{100 * low:.1f}, {100 * high:.1f}]" if low is not None else ""))
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sync.expert_accuracy", description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("--corpus", default="prepared/grid", help="prepared corpus (default: prepared/grid)")
    parser.add_argument("--splits", default="test,unseen", help=f"of {', '.join(SPLITS)} (default: test,unseen)")
    parser.add_argument("--out", default="results/expert_accuracy.json", help="figures of every clip")
    args = parser.parse_args(argv)
    result = measure(args.checkpoint, PreparedCorpus.open_folder(args.corpus), args.splits.split(","))
    with atomic_output(Path(args.out)) as path:
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result))


if __name__ == "__main__":
    sys.exit(run(main))

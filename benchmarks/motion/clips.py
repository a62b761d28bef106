"""Held-out clips of a prepared corpus for the motion networks: what is heard and seen in them, and how the head stands."""

import numpy as np
import torch

from benchmarks.crops import as_faces
from benchmarks.held_out.choice import spread
from benchmarks.tested import require_crops
from common.errors import InputError
from datasets.fields.speech import FULL_SCALE
from metrics.formulas.head_pose import head_angles
from speech.log_mel import log_mel, log_mel_windows

BATCH = 48  # frames at a time


def open_corpus(folder, networks):
    """datasets.prepared.PreparedCorpus with sound, whose crops the networks know.

    Args:
        folder: of the corpus; networks: list of benchmarks.tested.Tested.

    Raises:
        InputError: no prepared corpus, other crops than those of a network, or a corpus without sound.
    """
    from datasets.prepared import PreparedCorpus

    corpus = PreparedCorpus.open_folder(folder)
    for tested in networks:
        require_crops(corpus, tested)
    if not corpus.has_sound:
        raise InputError(f"{corpus.folder}: its clips hold no sound; give a corpus that prepare.py made from videos with sound")
    return corpus


def require_stage(tested, stages, config):
    """Raise InputError where a network is of none of some stages; `config`: what trains one that is."""
    stage = tested.facts["stage"]
    if stage not in stages:
        raise InputError(f"{tested.facts['file']}: is of stage {stage}, and {' or '.join(stages)} is asked; give a checkpoint "
                         f"of {config}")  # fmt: skip


def rows_of(corpus, asked, usual, limit=None, least=1):
    """Clips that are measured, by split.

    Args:
        corpus: PreparedCorpus; asked: names of splits, or None: those of `usual` that have any clip.
        limit: at most so many of each split, of as many people as can be; None: all.
        least: frames of a clip; shorter ones are left out.

    Returns:
        {split: list of ClipRow}.

    Raises:
        InputError: a split that was asked for has none, or none of the usual ones has.
    """
    found = {}
    for split in asked or usual:
        rows = [row for row in corpus.split(split) if row.frames >= least]
        if rows:
            few = spread(rows, limit)
            found[split] = few if limit is None else [few[at] for at in _evenly(len(few), limit)]
        elif asked:
            raise InputError(f"{corpus.folder}: split {split} has no clip of {least} frames; choose another --split")
    if not found:
        raise InputError(f"{corpus.folder}: splits {', '.join(usual)} have no clip of {least} frames; choose another --split")
    return found


def _evenly(count, most):
    """At most `most` of `count` numbers, ends included."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))


def heard_windows(corpus, row, options, count=None):
    """(count, 1, 80, 20) float32 tensor in [0, 1]: what the audio encoder hears in each frame of a clip.

    Args:
        options: of speech.log_mel.log_mel_windows, those of the network; count: frames, None: those of the clip.
    """
    waveform = np.asarray(corpus.open(row)["waveform"]) / np.float32(FULL_SCALE)
    return torch.from_numpy(log_mel_windows(log_mel(waveform), range(count or row.frames), row.fps, **options))


def stored_angles(corpus, row):
    """(F, 3) float64 degrees: metrics.formulas.head_pose.head_angles of the landmarks that prepare.py stored."""
    return head_angles(np.array(corpus.open(row)["landmarks"]))


@torch.inference_mode()
def hear(model, windows):
    """(N, 1, 80, 20) tensor -> (N, M) float32 tensor of mouth features."""
    return torch.cat([model.hear(part).float() for part in windows.split(BATCH)])


@torch.inference_mode()
def watch(model, crops):
    """(N, S, S, 3) uint8 crops -> (N, F) float32 tensor of features, of which mouth and pose are read."""
    return torch.cat([model.watch(part).float() for part in as_faces(crops).split(BATCH)])

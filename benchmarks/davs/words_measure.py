"""How many words are understood, and how often the right window of the other side is found."""

import numpy as np
import torch

from benchmarks.davs.codes import codes_of
from benchmarks.davs.sentences import is_letter
from metrics.formulas.bootstrap import interval

SIDES = ("audio", "video")
GALLERY, DRAWS = 50, 200
POOLS = ("anywhere", "same word excluded", "same person")


def understand(tested, corpus, rows, spoken):
    """Answers and codes of all words of some sentences.

    Args:
        rows: list of ClipRow; spoken: {id: list of Spoken} of each.

    Returns:
        {side: (W,) int64 class that is answered}, {side: (W, N * D) float32 codes of the frames, of unit length}.
    """
    answers, vectors = {side: [] for side in SIDES}, {side: [] for side in SIDES}
    for row in rows:
        codes = codes_of(tested, corpus, row)
        frames = np.stack([one.frames for one in spoken[row.id]])
        for side in SIDES:
            windows = getattr(codes, side)[frames]  # (K, N, D)
            with torch.inference_mode():
                answers[side].append(tested.model.classify(torch.from_numpy(windows)).argmax(1).numpy())
            flat = windows.reshape(len(windows), -1)
            vectors[side].append(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12))
    return ({side: np.concatenate(answers[side]) for side in SIDES}, {side: np.concatenate(vectors[side]) for side in SIDES})


def accuracy(answers, truth, sentences, vocabulary):
    """Shares of words that are understood.

    Args:
        answers, truth: (W,) classes; sentences: (W,) ids, of which each is drawn whole in the interval.
        vocabulary: tuple of words.

    Returns:
        {"all", "letters", "others": figures, or None where no such word is spoken}; figures: "share"; "low" and "high", 95 %
        bootstrap over sentences; "per_class", mean over the classes that are spoken; "words"; "classes" that are spoken;
        "chance", of a guess among the whole vocabulary; "most", share of the most frequent word.
    """
    letters = np.array([is_letter(vocabulary[word]) for word in truth], bool)
    parts = {"all": np.ones(len(truth), bool), "letters": letters, "others": ~letters}
    return {name: _accuracy(answers[part], truth[part], sentences[part], len(vocabulary)) for name, part in parts.items()}


def _accuracy(answers, truth, sentences, words):
    if not len(truth):
        return None
    right = answers == truth
    classes, counts = np.unique(truth, return_counts=True)
    shares = [right[sentences == one].mean() for one in np.unique(sentences)]
    low, high = interval(shares)
    return {
        "share": float(right.mean()),
        "low": low,
        "high": high,
        "per_class": float(np.mean([right[truth == one].mean() for one in classes])),
        "words": len(truth),
        "classes": len(classes),
        "chance": 1 / words,
        "most": float(counts.max() / len(truth)),
    }


def retrieval(queries, gallery, words, people, *, size=GALLERY, draws=DRAWS, seed=0):
    """How high the right window of the other side stands among `size`, by the cosine.

    Each draw gives each query its own window and size - 1 others, without replacement, from one of POOLS: other windows of any
    sentence; only windows that are centred on another word; only windows of the same person. A window whose cosine is equal
    stands before the right one. How many of the drawn windows stand before it is drawn from the hypergeometric distribution,
    which is the same as to draw the windows.

    Args:
        queries, gallery: (W, K) float32 of unit length; row i of the one belongs to row i of the other.
        words, people: (W,) of each row.

    Returns:
        {pool: {"r1", "r5", "median" (rank from 1, mean over the draws), "r1_spread" (standard deviation over the draws),
        "queries", "left_out" (too few windows to draw from)} or None where no query has enough}.
    """
    cosines = queries @ gallery.T
    before = cosines >= np.diag(cosines)[:, None]
    np.fill_diagonal(before, False)
    pools = {
        "anywhere": ~np.eye(len(words), dtype=bool),
        "same word excluded": words[:, None] != words[None],
        "same person": (people[:, None] == people[None]) & ~np.eye(len(words), dtype=bool),
    }
    found = {}
    for number, (name, pool) in enumerate(pools.items()):
        enough = pool.sum(1) >= size - 1
        if not enough.any():
            found[name] = None
            continue
        good, every = (before & pool).sum(1)[enough], pool.sum(1)[enough]
        rng = np.random.default_rng([seed, number])
        ranks = 1 + rng.hypergeometric(good, every - good, size - 1, (draws, len(good)))
        found[name] = {
            "r1": float((ranks == 1).mean()),
            "r5": float((ranks <= 5).mean()),
            "median": float(np.median(ranks, axis=1).mean()),
            "r1_spread": float((ranks == 1).mean(1).std()),
            "queries": int(enough.sum()),
            "left_out": int((~enough).sum()),
        }
    return found


def retrieval_chance(size=GALLERY):
    """The same figures of a network that knows nothing."""
    return {"r1": 1 / size, "r5": 5 / size, "median": (size + 1) / 2}

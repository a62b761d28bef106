"""Fresh classifiers that read frozen codes: how much of the word, or of the person, can still be learned from them.

Inputs are standardised by the training set. All classes count alike, in training and in reading, however often they occur: the
chance of the balanced accuracy is exactly 1 / classes, also where the readings lack some of them. Settings are chosen on the
validation set, which the figures leave out.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

KINDS = ("linear", "MLP")
RIDGES = tuple(10.0**power for power in range(-5, 4))  # of the linear classifier, times the mean variance of the inputs
FORMS = (("linear", 0.1), ("nothing", 1.0), ("nothing", 10.0))  # of the MLP: what it begins from, weight decay of AdamW
SHARPNESS = (1.0, 3.0, 10.0, 30.0)  # factors of the linear classifier's answers, from which an MLP may begin
HIDDEN, DROPOUT, RATE, BATCH = 256, 0.5, 2e-3, 128
EPOCHS, PATIENCE, LONGEST = 40, 6, 3000  # an epoch has LONGEST readings at most, drawn anew
RESAMPLES = 1000


@dataclass(frozen=True)
class Readings:
    """What is read and what ought to be said.

    Attributes:
        inputs: (n, d) float32; labels: (n,) int64 in [0, classes).
        sentences: (n,) ids, of which each is drawn whole in the interval of a figure.
    """

    inputs: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    sentences: np.ndarray = field(repr=False)


def read_with(kind, train, val, tests, classes, *, seeds=3):
    """Train a fresh classifier and read other sentences with it.

    Args:
        kind: one of KINDS. "linear": least squares on the classes (ridge), exact, so without seeds. "MLP": one hidden layer
            beside a linear one, which begins as that classifier or as nothing; cross-entropy, dropout, AdamW, early stopping on
            the validation set; beginning and weight decay chosen with the first seed.
        train, val: Readings; tests: {name: Readings}.
        classes: number of classes; seeds: how many MLPs are trained.

    Returns:
        {name of the test: {"balanced", "low", "high" (95 % bootstrap over sentences, mean of the seeds), "plain", "seeds" (list
        of balanced accuracies), "classes" (that are read), "chance" (1 / `classes`), "most" (share of the most frequent one)}},
        and under "chosen" what was chosen, with the balanced accuracy on the validation set.
    """
    mean, scale = train.inputs.mean(0), train.inputs.std(0)
    scale = np.where(scale > 1e-6 * max(float(scale.max()), 1e-12), scale, np.inf)  # what is constant tells nothing

    def standard(readings):
        return ((readings.inputs - mean) / scale).astype(np.float32)

    given = [standard(one) for one in (train, val, *tests.values())]
    if kind == "linear":
        answers, chosen, _ = _linear(given, train.labels, val.labels, classes)
        answers = [[one] for one in answers]
    else:
        answers, chosen = _many_mlps(given, train.labels, val.labels, classes, seeds)
    found = {"chosen": chosen}
    for (name, readings), said in zip(tests.items(), answers, strict=True):
        found[name] = figures_of(readings, said, classes)
    return found


def balanced_accuracy(answers, labels):
    """Mean over the classes that occur of the share that is right; chance is 1 / classes that may be answered."""
    return float(np.mean([(answers[labels == one] == one).mean() for one in np.unique(labels)]))


def figures_of(readings, answers, classes):
    """Figures of the answers of one or several classifiers, see `read_with`.

    Args:
        answers: list of (n,) classes; classes: number of classes that may be answered.
    """
    labels = readings.labels
    seen, counts = np.unique(labels, return_counts=True)
    scores = [balanced_accuracy(one, labels) for one in answers]
    low, high = _interval(readings, answers)
    return {
        "balanced": float(np.mean(scores)),
        "low": low,
        "high": high,
        "plain": float(np.mean([(one == labels).mean() for one in answers])),
        "seeds": scores,
        "classes": len(seen),
        "chance": 1 / classes,
        "most": float(counts.max() / len(labels)),
        "readings": len(labels),
    }


def _interval(readings, answers):
    """95 % interval of the balanced accuracy, over sentences; classes that a draw lacks are left out of it."""
    sentences, of_sentence = np.unique(readings.sentences, return_inverse=True)
    seen, of_class = np.unique(readings.labels, return_inverse=True)
    right, every = (np.zeros((len(sentences), len(seen))) for _ in range(2))
    np.add.at(every, (of_sentence, of_class), 1)
    for one in answers:
        np.add.at(right, (of_sentence, of_class), (one == readings.labels) / len(answers))
    draws = np.random.default_rng(0).multinomial(len(sentences), np.full(len(sentences), 1 / len(sentences)), RESAMPLES)
    spoken, heard = draws @ every, draws @ right
    scores = np.where(spoken > 0, heard / np.maximum(spoken, 1), np.nan)
    low, high = np.quantile(np.nanmean(scores, 1), (0.025, 0.975))
    return float(low), float(high)


def _class_weights(labels, classes):
    """(n,) weights with which all classes count alike, mean 1."""
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (max((counts > 0).sum(), 1) * np.maximum(counts, 1)))[labels]


def _linear(given, labels, val_labels, classes):
    """Least squares on one-hot classes.

    Returns:
        [(n,) answers on each set after the first two of `given`], what was chosen, (slope (d, classes), level (classes,)).
    """
    inputs, weights = given[0].astype(np.float64), _class_weights(labels, classes)
    centre = (weights[:, None] * inputs).mean(0)
    share = weights[:, None]
    targets = np.eye(classes)[labels]
    level = (share * targets).mean(0)
    spread = (inputs - centre) * np.sqrt(share)
    values, vectors = np.linalg.eigh(spread.T @ spread / len(spread))
    turned = vectors.T @ (spread.T @ ((targets - level) * np.sqrt(share)) / len(spread))
    best = None
    for ridge in RIDGES:
        slope = vectors @ (turned / (np.maximum(values, 0) + ridge * max(values.mean(), 1e-12))[:, None])
        score = balanced_accuracy(((given[1] - centre) @ slope + level).argmax(1), val_labels)
        if best is None or score > best[0]:
            best = (score, ridge, slope)
    score, ridge, slope = best
    answers = [((one - centre) @ slope + level).argmax(1) for one in given[2:]]
    return answers, {"ridge": ridge, "validation": score}, (slope, level - centre @ slope)


class _Probe(nn.Module):
    """A linear classifier, and a hidden layer beside it that adds nothing at first."""

    def __init__(self, slope, level):
        super().__init__()
        width, classes = slope.shape
        self.straight, self.bent = nn.Linear(width, classes), nn.Linear(HIDDEN, classes)
        self.hidden = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT))
        with torch.no_grad():
            self.straight.weight.copy_(torch.from_numpy(slope.T))
            self.straight.bias.copy_(torch.from_numpy(level))
        nn.init.zeros_(self.bent.weight)
        nn.init.zeros_(self.bent.bias)

    def forward(self, inputs):
        return self.straight(inputs) + self.bent(self.hidden(inputs))


def _many_mlps(given, labels, val_labels, classes, seeds):
    """Answers of each seed on what comes after the first two of `given`, and what was chosen."""
    _, _, (slope, level) = _linear(given, labels, val_labels, classes)
    data = [torch.from_numpy(one) for one in given]
    logits, truth = torch.from_numpy(given[1] @ slope + level), torch.from_numpy(val_labels)
    sharp = min(SHARPNESS, key=lambda one: float(nn.functional.cross_entropy(one * logits, truth)))
    starts = {"linear": (sharp * slope, sharp * level), "nothing": (0 * slope, 0 * level)}
    weights, labels = torch.from_numpy(_class_weights(labels, classes)).float(), torch.from_numpy(labels)

    def trained(form, seed):
        return _mlp(data, labels, weights, val_labels, starts[form[0]], form[1], seed)

    found = [(*trained(form, 0), form) for form in FORMS]
    score, answers, form = max(found, key=lambda one: one[0])
    every = [answers] + [trained(form, seed)[1] for seed in range(1, seeds)]
    chosen = {"begins": form[0], "weight_decay": form[1], "validation": score}
    return list(zip(*every, strict=True)), chosen


def _mlp(data, labels, weights, val_labels, start, decay, seed):
    """(best balanced accuracy on the validation set, [(n,) answers on each test set] at that epoch)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _Probe(*start)
        optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=decay)
        best, since, answers = -1.0, 0, None
        for epoch in range(EPOCHS + 1):
            net.train()
            for part in torch.randperm(len(labels))[:LONGEST].split(BATCH) if epoch else ():
                losses = nn.functional.cross_entropy(net(data[0][part]), labels[part], reduction="none")
                optimiser.zero_grad()
                (losses * weights[part]).mean().backward()
                optimiser.step()
            net.eval()
            with torch.inference_mode():
                said = [net(one).argmax(1).numpy() for one in data[1:]]
            score = balanced_accuracy(said[0], val_labels)
            if score > best:
                best, since, answers = score, 0, said[1:]
            elif (since := since + 1) >= PATIENCE:
                break
    return best, answers

"""Cross-entropy against labels of which some are unknown (-1), and how far a reader of labels is from knowing none."""

import math

import torch.nn.functional as F

from common.suggest import refuse_unknown

UNKNOWN = -1  # the label of a window without a word, and of a person who is not of the training split
FORMS = ("squares", "entropy")


def label_loss(logits, labels):
    """Mean cross-entropy over the rows whose label is known.

    Args:
        logits: (N, classes) float32; labels: (N,) int64, -1 where unknown.

    Returns:
        scalar, 0 with a gradient of 0 where no label is known; `right_of` the rows.
    """
    right, known = right_of(logits, labels)
    loss = F.cross_entropy(logits, labels, ignore_index=UNKNOWN, reduction="sum") / known.clamp_min(1)
    return loss, (right, known)


def balanced_label_loss(logits, labels):
    """Mean over the classes that occur of the mean cross-entropy of their rows (ours).

    A reader that knows nothing answers with how often a class occurs; where one person says most of a corpus, this is far from
    uniform, and a code that shall make the answer uniform has to deceive the reader. With every class counting alike, knowing
    nothing is answering uniformly.

    Args:
        logits: (N, classes) float32; labels: (N,) int64, -1 where unknown.

    Returns:
        scalar, 0 with a gradient of 0 where no label is known.
    """
    apart = F.cross_entropy(logits, labels, ignore_index=UNKNOWN, reduction="none")
    return balanced_mean(apart, labels, logits.shape[1])


def balanced_mean(values, labels, classes):
    """Mean over the classes that occur of the means of their rows; rows whose label is unknown do not count.

    Args:
        values: (N,) float32; labels: (N,) int64 in [0, classes), -1 where unknown.

    Returns:
        scalar, 0 with a gradient of 0 where no label is known.
    """
    mine = F.one_hot(labels.clamp_min(0), classes).to(values.dtype) * (labels != UNKNOWN)[:, None]
    rows = mine.sum(0)
    means = (values[:, None] * mine).sum(0) / rows.clamp_min(1)
    return means.sum() / (rows > 0).sum().clamp_min(1)


def count_known(labels):
    """() int64: how many labels are known."""
    return (labels != UNKNOWN).sum()


def right_of(logits, labels):
    """(rows whose greatest logit is that of their label, rows whose label is known): a figure, see losses.term.Term."""
    return (logits.argmax(1) == labels).sum(), count_known(labels)


def uniform_loss(logits, labels, form="squares", balanced=False):
    """How far a reader's probabilities are from those of one that knows nothing, 1 / classes; 0 where they are equal.

    squares: mean of (p_c - 1 / C)^2 over the classes c (the published code). Its gradient fades where the reader is sure, of a
    right or of a wrong class. entropy: the cross-entropy of the uniform distribution against p less its least, ln C; that is
    the divergence of p from uniform, and its gradient does not fade (ours). Near uniform the gradient of squares to the logits
    is 2 / C^2 of that of entropy: the published weight, 1e6 with 500 classes, is 1e4 with 51, and 8 with entropy.

    Args:
        logits: (N, C) float32.
        labels: (N,) int64: rows whose label is unknown (-1) do not count; the reader never learned from such.
        form: one of FORMS.
        balanced: classes count alike, not rows (ours).

    Returns:
        scalar, mean over the rows that count; 0 with a gradient of 0 where none counts.
    """
    classes = logits.shape[1]
    if form == "squares":
        values = (logits.softmax(1) - 1 / classes).square().mean(1)
    else:
        values = -logits.log_softmax(1).mean(1) - math.log(classes)
    if balanced:
        return balanced_mean(values, labels, classes)
    counts = labels != UNKNOWN
    return values.masked_fill(~counts, 0).sum() / counts.sum().clamp_min(1)


def form_of(form, key):
    """One of FORMS.

    Raises:
        InputError: unknown; `key` says where it was given.
    """
    refuse_unknown([form], FORMS, key)
    return form

"""Which validation makes `best.safetensors`: values that mean the same are compared, or none is claimed."""

from common.errors import InputError
from common.suggest import refuse_unknown

OF_ALL = ("total", "steady")  # metrics that sum the losses which are switched on, see `losses.criterion.Criterion`


class BestWeights:
    """The best weights of a run so far.

    A sum of losses is compared only from the first validation on in which all losses with `enable_when` count; a single loss
    means the same from the beginning.

    Args:
        metric: such as "val/total", or None: none is claimed.

    Attributes:
        value: least value so far; infinity where there is none.
        step: of that validation, or None.
    """

    def __init__(self, metric):
        self.metric, self.value, self.step = metric, float("inf"), None

    def take(self, step, metrics, all_count):
        """Take in one validation; True when its weights are the best so far.

        Args:
            step: number of steps done.
            metrics: dict of name -> float.
            all_count: whether every loss counted in it.
        """
        value = metrics.get(self.metric, float("inf"))
        if (not all_count and self.sums) or not value < self.value:
            return False
        self.value, self.step = value, step
        return True

    @property
    def sums(self):
        """Whether the metric is a sum of losses."""
        return self.metric is not None and self.metric.partition("/")[2] in OF_ALL

    def begin_anew(self):
        """What was the best before does not compare with what comes."""
        self.value, self.step = float("inf"), None

    def state(self):
        """For the checkpoint."""
        return {"metric": self.metric, "value": self.value, "step": self.step}

    def load(self, stored):
        """Put back what `state` gave; True when a value of another metric was let go. A number is of an older version."""
        if not isinstance(stored, dict):
            self.value = stored if self.metric is not None and not self.sums else float("inf")
            return stored != self.value
        if stored["metric"] == self.metric:
            self.value, self.step = stored["value"], stored["step"]
        return stored["metric"] != self.metric and stored["step"] is not None


def metric_of_best(named, splits, criterion, cure):
    """The validation metric that chooses the best weights.

    Args:
        named: `train.best`, or None.
        splits: names of the splits with clips to validate.
        criterion: losses.criterion.Criterion.
        cure: function of a split -> how to get clips for it, in words.

    Returns:
        `named`; or the total of val, or of unseen where there is no val: "val/total", or "val/steady" where some losses learn
        themselves. None where there are no clips to validate, or no loss keeps its meaning.

    Raises:
        InputError: no such metric, or no clips of its split.
    """
    if named is not None:
        require_metric(named, "train.best", splits, criterion, cure)
        return named if splits else None
    split = "val" if "val" in splits else next(iter(splits), None)
    if split is None or not criterion.steady:
        return None
    return f"{split}/total" if len(criterion.steady) == len(criterion.terms) else f"{split}/steady"


def require_metric(name, key, splits, criterion, cure):
    """InputError where a metric that the config names under `key` will never be there; see `metric_of_best`."""
    split, _, part = str(name).partition("/")
    parts = ["total", *(["steady"] if criterion.steady else []), *criterion.terms]
    if split not in ("val", "unseen"):
        raise InputError(f"{key}: {name!r}: no such metric; write val/ or unseen/ and one of {', '.join(parts)}")
    if part not in parts:
        refuse_unknown([part], parts, f"{key}: {name!r}: no such metric; after {split}/ comes a loss, not")
    if splits and split not in splits:
        raise InputError(f"{key}: {name}: the corpus has no clips of split {split}; {cure(split)}")


def told(best, folder, validates):
    """One line on the weights that a run leaves, for its end.

    Args:
        best: BestWeights; folder: of the run; validates: whether there are clips to validate.
    """
    last, path = folder / "last.safetensors", folder / "best.safetensors"
    if best.step is not None:
        return f"weights: {path} (step {best.step}, least {best.metric}: {best.value:.4g}), {last}"
    if not validates:
        why = "there are no clips to validate"
    elif best.metric is None:
        why = "every loss learns itself, so that no sum of them compares over time (name a metric in train.best)"
    elif best.sums:
        why = "no validation came after all losses were switched on"
    else:
        why = f"no validation gave {best.metric}"
    older = f"; {path} is of an earlier start" if path.is_file() else ""
    return f"weights: {last}; no best.safetensors is chosen: {why}{older}"

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
        since: step from which on values compare; seen: validations since then that had the metric; missed: those without it.
    """

    def __init__(self, metric):
        self.metric, self.since, self.seen, self.missed = metric, 0, 0, 0
        self.value, self.step = float("inf"), None

    def take(self, step, metrics, all_count):
        """Take in one validation; True when its weights are the best so far.

        Args:
            step: number of steps done.
            metrics: dict of name -> float.
            all_count: whether every loss counted in it.
        """
        value = metrics.get(self.metric, float("inf"))
        self.seen += self.metric in metrics
        self.missed += bool(metrics) and self.metric not in metrics
        if (not all_count and self.sums) or not value < self.value:
            return False
        self.value, self.step = value, step
        return True

    @property
    def sums(self):
        """Whether the metric is a sum of losses."""
        return self.metric is not None and self.metric.partition("/")[2] in OF_ALL

    def begin_anew(self, step):
        """Forget the best: the values until `step` do not compare with later ones."""
        self.value, self.step, self.since, self.seen, self.missed = float("inf"), None, step, 0, 0

    def state(self):
        """For the checkpoint."""
        return dict(vars(self))

    def load(self, stored, step):
        """Restore what `state` gave at `step`; a value of another metric, or of an older version (a number), is discarded.

        Returns:
            True where a best value was discarded.
        """
        if isinstance(stored, dict) and stored["metric"] == self.metric:
            vars(self).update(stored)
            return False
        self.begin_anew(step)
        return not isinstance(stored, dict) or stored["step"] is not None


def metric_of_best(named, splits, criterion, cure):
    """The validation metric that chooses the best weights.

    Args:
        named: `train.best`, or None.
        splits: names of the splits with clips to validate.
        criterion: losses.criterion.Criterion.
        cure: function of a split -> how to get clips for it, in words.

    Returns:
        `named`; or the total of val, or of unseen where there is no val: "val/total", or "val/steady" where some losses have
        trainable parts. None where there are no clips to validate, or no loss keeps its meaning.

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


def require_gates(criterion, splits, cure):
    """InputError where a loss with `enable_when` would never be switched on; arguments as of `metric_of_best`."""
    for name, (metric, _) in criterion.gates.items():
        require_metric(metric, f"losses.{name}.enable_when.metric", splits, criterion, cure)
        if not splits:
            told = "without clips to validate it would never be switched on"
            raise InputError(f"losses.{name}.enable_when: {told}; {cure(metric.partition('/')[0])}")


def describe_end(best, folder, validates):
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
        why = "every loss has trainable parts, so that no sum of them compares over time (name a metric in train.best)"
    elif not best.seen and best.missed:
        why = f"{best.metric} counted nothing in any validation (no word, person or landmark of its clips is known): "
        why += "name another metric in train.best"
    elif not best.seen:
        why = "there was no validation" + (f" since step {best.since}" if best.since else "")
    else:
        why = "not all losses were switched on in any validation (enable_when)"
    older = f"; {path} was chosen before step {best.since}, by other measures" if path.is_file() else ""
    return f"weights: {last}; no best.safetensors is chosen: {why}{older}"

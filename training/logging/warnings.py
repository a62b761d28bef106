"""Two signs that a run goes wrong, told in words: a loss that stands at chance, and steps that wait for data."""

from collections import deque

CHANCE = 0.6931  # ln 2
TWO_WAY = "sync_classification"  # the loss that stands there when it has learnt nothing
CHANCE_BAND, CHANCE_STEPS, CHANCE_MEAN = 0.007, 5000, 500
WAITING, WAITING_ROWS = 0.2, 4
_AT_CHANCE = (
    "the expert's loss has stood at chance (ln 2 = 0.693) for {steps} steps: it has learnt nothing yet. Check first that sound "
    "and picture of the clips are in sync within a frame (prepare.py measures and corrects the AV offset; "
    "data.min_av_confidence: sure leaves out the clips of which it is not sure) and that frame rate and mel belong together "
    "(25 frames and 80 mel columns a second, data.audio_window). Then try the loss sync_choice with data.negatives.sounds 4, "
    "negatives further away (data.negatives.least), more speakers, a batch of 64 or more (train.batch_size), a lower or higher "
    "rate and a longer warm-up (optim.lr, optim.warmup). On large corpora people report 150,000 steps and more before it moves"
)
_WAITING = (
    "{share:.0%} of the time is spent waiting for data: raise data.workers (one to a free processor core), put the corpus on a "
    "faster disk (a local SSD, not a network folder), or switch off what costs the loader time (data.augment)"
)


def two_way_loss(config):
    """Name of the loss that the expert learns from, whatever the config calls it; None where there is none.

    Args:
        config: resolved, or any dict with a section `losses`.
    """
    losses = config.get("losses") or {}
    return next((name for name, options in losses.items() if options.get("loss", name) == TWO_WAY), None)


class ChanceWarning:
    """Says so, once for each time, when a two-way loss stands at ln 2 for long.

    The loss of single steps scatters; so it is the mean over 500 that must lie within 1 % of ln 2.
    """

    def __init__(self):
        self._sum, self._count, self._stood = 0.0, 0, 0

    def step(self, value):
        """Take in the loss of one step; None where the run has no such loss."""
        if value is not None:
            self._sum, self._count = self._sum + value, self._count + 1

    def row(self):
        """Text of the warning when it is due, else None; to be called with every row."""
        if self._count < CHANCE_MEAN:
            return None
        mean, steps = self._sum / self._count, self._count
        self._sum, self._count = 0.0, 0
        before = self._stood
        self._stood = before + steps if abs(mean - CHANCE) < CHANCE_BAND else 0
        return _AT_CHANCE.format(steps=self._stood) if before < CHANCE_STEPS <= self._stood else None


class WaitWarning:
    """Share of the time that goes into waiting for data, and a warning, once, when it is more than 20 %.

    The first step after a start is left out: the loader's processes are only just starting.

    Args:
        steps: how many the share is taken over.
    """

    def __init__(self, steps):
        self._times, self._first, self._told = deque(maxlen=steps), True, False
        self.share = 0.0  # of the time, 0-1, at the last row

    def step(self, waited, took):
        """Take in the seconds of one step: waiting for data, and in all."""
        if not self._first:
            self._times.append((waited, took))
        self._first = False

    def row(self):
        """Text of the warning when it is due, else None; to be called with every row."""
        if self._times:
            waited, took = (sum(times) for times in zip(*self._times, strict=True))
            self.share = waited / took if took else 0.0
        if self._told or len(self._times) < self._times.maxlen or self.share <= WAITING:
            return None
        self._told = True
        return _WAITING.format(share=self.share)

"""Letter-to-sound model: the most probable phones of a spelling, by a joint n-gram over letters with their phones."""

from collections import defaultdict
from math import exp
from pathlib import Path

import numpy as np

MODEL = Path(__file__).with_name("letters.npz")  # remade by `python tools/learn_letters.py`
START, END = "<", ">"
STEP = 1 / 16  # nats; probabilities are stored in steps of this size
_BEAM = 24
_ROOT = 0


class LetterModel:
    """A joint n-gram: each letter with the none, one or two phones that it stands for is one unit, and a unit's probability
    depends on those before it. The table is a trie with back-off, pruned; `tools/learn_letters.py` learns it from the CMU
    pronouncing dictionary in PocketSphinx's wheel.

    Args:
        path: .npz with `units` (text: letter, "}", phones apart by spaces), and over all nodes of the trie, breadth first and
            without its root: `unit` (uint16), `children` (uint16), `cost` (uint8, -log of the probability in STEP) and
            `backoff` (int8, log of the back-off weight in STEP).
    """

    def __init__(self, path=MODEL):
        with np.load(path, allow_pickle=False) as stored:
            names = [name.partition("}") for name in stored["units"].tolist()]
            unit, children = stored["unit"].tolist(), stored["children"].tolist()
            self._cost = [0.0] + (stored["cost"] * STEP).tolist()
            self._backoff = [0.0] + (stored["backoff"] * STEP).tolist()
        self._phones = [tuple(phones.split()) for _, _, phones in names]
        self._of_letter = defaultdict(list)
        for number, (letter, _, _) in enumerate(names):
            self._of_letter[letter].append(number)
        self._build(unit, children)

    def _build(self, unit, children):
        """Child of (node, unit), and for each node the node of its history without the oldest unit."""
        self._child, self._shorter = [{} for _ in self._cost], [_ROOT] * len(self._cost)
        node = 0
        for parent, count in enumerate([len(self._phones), *children]):
            for _ in range(count):
                node += 1
                name = unit[node - 1]
                self._child[parent][name] = node
                if parent != _ROOT:
                    self._shorter[node] = self._step(self._shorter[parent], name)[0]

    def _step(self, node, unit):
        """Node of the longest known history after `unit`, and -log of the probability of `unit` after the history `node`."""
        cost = 0.0
        while unit not in self._child[node]:
            cost -= self._backoff[node]
            node = self._shorter[node]
        node = self._child[node][unit]
        return node, cost + self._cost[node]

    def phones(self, word):
        """Phones of a word, lower case a-z and apostrophes -> tuple of ARPAbet labels without stress; () for "".

        Raises:
            ValueError: another character is in it.
        """
        if not word:
            return ()
        start = self._child[_ROOT][self._of_letter[START][0]]
        paths = {(start, ()): 0.0}
        for letter in word + END:
            if letter not in self._of_letter or letter == START:
                raise ValueError(f"{word!r} has a character other than a-z and the apostrophe")
            after = {}
            for (node, phones), cost in paths.items():
                for unit in self._of_letter[letter]:
                    reached, step = self._step(node, unit)
                    key = reached, phones + self._phones[unit]
                    if cost + step < after.get(key, float("inf")):
                        after[key] = cost + step
            paths = dict(sorted(after.items(), key=lambda path: (path[1], path[0]))[:_BEAM])
        total = defaultdict(float)
        for (_, phones), cost in paths.items():
            total[phones] += exp(-cost)
        return min(total, key=lambda phones: (-total[phones], phones))

"""Pictures of the references of a source with many shots: read as the shots come, the last ones kept."""

import threading
from collections import OrderedDict


class ReferencePictures:
    """Crops of references, read a group in one pass over the source; so memory does not grow with the number of shots.

    As long as groups are asked for in the order of the source, one pass serves all: it waits behind the last group and goes on
    from there. May be called by several threads.

    Args:
        references: ascending numbers of source frames, each with a crop.
        read: function of ascending frame numbers and of an open pass (None: a new one) -> {number: (S, S, 3) uint8}, the pass.
            The pass is a generator that can be given to `read` again, with numbers behind those that it has read.
    """

    GROUP, KEPT = 64, 2  # pictures that are read together, and groups that are kept

    def __init__(self, references, read):
        self._references, self._read = references, read
        self._at = {number: at for at, number in enumerate(references)}
        self._groups, self._pass, self._behind = OrderedDict(), None, 0  # group -> pictures; the open pass, and its last frame
        self._lock = threading.Lock()

    def __len__(self):
        """Pictures that are held."""
        return sum(map(len, self._groups.values()))

    def __getitem__(self, number):
        """(S, S, 3) uint8 RGB of one of the references.

        Raises:
            InputError: the source has no such frame.
        """
        group = self._at[number] // self.GROUP
        with self._lock:
            if group not in self._groups:
                while len(self._groups) >= self.KEPT:
                    self._groups.popitem(last=False)
                self._groups[group] = self._pictures(group)
            self._groups.move_to_end(group)
            return self._groups[group][number]

    def _pictures(self, group):
        """{number: picture} of a group."""
        numbers = self._references[group * self.GROUP : (group + 1) * self.GROUP]
        going_on = self._pass if self._pass is not None and self._behind < numbers[0] else None
        if going_on is None and self._pass is not None:
            self._pass.close()
        self._pass = None
        found, self._pass = self._read(numbers, going_on)
        self._behind = numbers[-1]
        if numbers[-1] == self._references[-1]:
            self._pass.close()
            self._pass = None
        return found

"""Run the earlier stages of a chain of generators in a thread, with a queue that is bounded in bytes."""

import threading
from collections import deque

_END = object()


class ByteQueue:
    """First in, first out between two threads; holds at most `limit` bytes, or one item when that alone is larger."""

    def __init__(self, limit):
        self._limit, self._held, self._items, self._closed = limit, 0, deque(), False
        self._changed = threading.Condition()

    def put(self, item, size):
        """Wait for room and append; False when the queue was closed, and the item is then dropped."""
        with self._changed:
            while self._items and self._held + size > self._limit and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._items.append((item, size))
            self._held += size
            self._changed.notify_all()
            return True

    def get(self):
        """Wait for an item and take it."""
        with self._changed:
            while not self._items:
                self._changed.wait()
            item, size = self._items.popleft()
            self._held -= size
            self._changed.notify_all()
            return item

    def close(self):
        """Drop what is held and wake a waiting `put`."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._held = 0
            self._changed.notify_all()


class _Failure:
    def __init__(self, error):
        self.error = error


def prefetch(items, limit, size_of):
    """Yield the items of an iterable that a thread of its own runs ahead of the consumer.

    Args:
        items: iterable; if it is a generator, it is closed in the thread when the consumer stops early.
        limit: bytes that may wait between thread and consumer.
        size_of: item -> bytes.

    An exception inside `items` is raised here. Closing this generator (`contextlib.closing`) stops and joins the thread.
    """
    queue = ByteQueue(limit)

    def work():
        try:
            try:
                for item in items:
                    if not queue.put(item, size_of(item)):
                        return
            finally:
                if hasattr(items, "close"):
                    items.close()
            queue.put(_END, 0)
        except BaseException as error:  # handed to the consumer, which raises it
            queue.put(_Failure(error), 0)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while (item := queue.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item
            del item
    finally:
        queue.close()
        thread.join()

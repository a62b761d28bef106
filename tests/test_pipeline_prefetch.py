import threading
import time
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.prefetch import ByteQueue, prefetch


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 30)), st.integers(1, 40))
def test_everything_arrives_in_order(sizes, limit):
    with closing(prefetch(iter(sizes), limit, lambda size: size)) as items:
        assert list(items) == sizes


def test_the_thread_runs_ahead_only_as_far_as_the_bytes_allow():
    made = []

    def source():
        for number in range(100):
            made.append(number)
            yield number

    with closing(prefetch(source(), 50, lambda _: 10)) as items:
        assert next(items) == 0
        time.sleep(0.2)
        assert len(made) <= 1 + 5 + 1  # taken, waiting, in the producer's hand


def test_one_item_larger_than_the_limit_passes():
    with closing(prefetch(iter(["large", "larger"]), 1, lambda _: 1000)) as items:
        assert list(items) == ["large", "larger"]


def test_an_error_inside_comes_out_after_the_items_before_it():
    def source():
        yield 1
        raise KeyError("inside")

    with closing(prefetch(source(), 10, lambda _: 1)) as items:
        assert next(items) == 1
        with pytest.raises(KeyError, match="inside"):
            next(items)


def test_stopping_early_closes_the_source_and_leaves_no_thread():
    before, closed = threading.active_count(), []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    inner = prefetch(endless(), 5, lambda _: 1)
    with closing(prefetch(inner, 5, lambda _: 1)) as items:
        next(items)
    assert closed == [True]
    assert threading.active_count() == before


def test_a_closed_queue_refuses_and_wakes_who_waits():
    queue = ByteQueue(1)
    assert queue.put("a", 1)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(queue.put("b", 1)))
    waiting.start()
    queue.close()
    waiting.join(5)
    assert answers == [False]

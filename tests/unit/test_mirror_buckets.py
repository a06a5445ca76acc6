"""Buckets that workers share: never more than was agreed, whichever worker is asked, and whoever dies meanwhile."""

from __future__ import annotations

import copy
import math
import os
import signal
import time
import warnings
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.mirror.buckets import SECOND, Buckets, Rate


class Clock:
    """Nanoseconds that pass only when somebody says so."""

    def __init__(self) -> None:
        self.now = 5 * SECOND

    def __call__(self) -> int:
        return self.now


def buckets(clock: Callable[[], int], sets: int = 16) -> Buckets:
    return Buckets(sets, clock=clock, entropy=lambda size: b"k" * size)


def test_a_rested_caller_has_its_burst_at_once_and_then_the_rate() -> None:
    clock = Clock()
    table, rate = buckets(clock), Rate.a_second(2, burst=3)
    assert [table.take("a", rate) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert table.take("a", rate) == 0.5
    clock.now += SECOND // 2 - 1
    assert table.take("a", rate) > 0, "a nanosecond too early"
    clock.now += 1
    assert table.take("a", rate) == 0.0
    assert table.take("a", rate) == 0.5


def test_a_second_holds_a_seconds_worth_at_once_whatever_the_burst() -> None:
    assert Rate.a_second(10).burst == 10
    assert Rate.a_second(0.5).burst == 1
    assert Rate.a_second(0.5).gap == 2 * SECOND
    assert Rate.a_second(3).gap * 3 >= SECOND, "rounded so that it is never more than was agreed"


def test_callers_do_not_take_from_each_other() -> None:
    clock = Clock()
    table, rate = buckets(clock), Rate.a_second(1)
    assert [table.take(f"address 192.0.2.{number}", rate) for number in range(60)] == [0.0] * 60


@given(
    rate=st.builds(Rate, gap=st.integers(1, 3 * SECOND), burst=st.integers(1, 20)),
    asked=st.lists(st.tuples(st.integers(0, 2 * SECOND), st.sampled_from("ab"), st.integers(0, 2)), max_size=120),
)
def test_no_window_of_time_has_more_than_the_burst_and_the_rate(rate: Rate, asked: list[tuple[int, str, int]]) -> None:
    clock = Clock()
    first = buckets(clock)
    workers = [first, copy.copy(first), copy.copy(first)]
    granted: dict[str, list[int]] = {"a": [], "b": []}
    for passes, name, worker in asked:
        clock.now += passes
        if not workers[worker].take(name, rate):
            granted[name].append(clock.now)
    for times in granted.values():
        for begin, start in enumerate(times):
            for end in range(begin, len(times)):
                assert end - begin + 1 <= rate.burst + (times[end] - start) // rate.gap
    first.close()


@given(rate=st.builds(Rate, gap=st.integers(1000, 3 * SECOND), burst=st.integers(1, 5)), count=st.integers(1, 30))
def test_who_waits_as_long_as_was_said_is_served(rate: Rate, count: int) -> None:
    clock = Clock()
    table = buckets(clock)
    for _ in range(count):
        wait = table.take("a", rate)
        if wait:
            clock.now += math.ceil(wait * SECOND) + 1
            assert table.take("a", rate) == 0.0
    table.close()


def test_another_rate_forgives_what_was_owed_to_the_old_one() -> None:
    """Terms change with a reload; the buckets stay."""
    clock = Clock()
    table, slow, quick = buckets(clock), Rate.a_second(0.0001, burst=3), Rate.a_second(2)
    assert [bool(table.take("a", slow)) for _ in range(4)] == [False, False, False, True]
    assert table.take("a", quick) == 0.5, "it begins empty"
    clock.now += SECOND // 2
    assert table.take("a", quick) == 0.0
    assert table.take("a", quick) == 0.5
    clock.now += SECOND
    assert [bool(table.take("a", quick)) for _ in range(3)] == [False, False, True]


def test_a_full_part_of_the_table_forgets_whoever_is_nearest_to_full() -> None:
    clock = Clock()
    table = buckets(clock, sets=1)
    slow, quick = Rate.a_second(0.001), Rate.a_second(1000)
    for number in range(7):
        assert table.take(f"slow {number}", slow) == 0.0
    assert table.take("quick", quick) == 0.0
    assert table.take("newcomer", slow) == 0.0
    assert [bool(table.take(f"slow {number}", slow)) for number in range(7)] == [True] * 7, "these have to wait as before"


def test_an_idle_caller_leaves_no_trace() -> None:
    clock = Clock()
    table, rate = buckets(clock, sets=1), Rate.a_second(1)
    for number in range(1000):
        assert table.take(f"a {number}", rate) == 0.0
        clock.now += SECOND
    assert table.take("a 999", rate) == 0.0


def forked(work: Callable[[], int]) -> int:
    """A child that does some work and ends with what it returns; its process id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12 about threads: the child only computes
        pid = os.fork()
    if pid:
        return pid
    try:
        os._exit(work())
    finally:
        os._exit(99)


def test_processes_together_get_no_more_than_one_would() -> None:
    table, rate = Buckets(), Rate.a_second(100, burst=20)
    seconds = 0.6
    began = time.monotonic()

    def hammer() -> int:
        got = 0
        while time.monotonic() < began + seconds:
            got += not table.take("account 123456789012", rate)
        return got

    children = [forked(hammer) for _ in range(3)]
    got = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    took = time.monotonic() - began
    most = max(rate.burst, 100) + took * 100
    assert sum(got) <= most
    assert sum(got) >= 100 + (seconds - 0.2) * 100, "and no less"
    table.close()


def test_what_a_worker_took_outlives_it() -> None:
    table, rate = Buckets(), Rate.a_second(0.001, burst=3)

    def take_all() -> int:
        return sum(not table.take("a", rate) for _ in range(5))

    pid = forked(take_all)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    assert table.take("a", rate) > 0
    table.close()


def test_a_worker_that_is_killed_in_the_middle_keeps_nobody_waiting() -> None:
    reading, writing = os.pipe()
    asleep = [False]

    def clock() -> int:
        if asleep[0]:
            os.write(writing, b"!")
            time.sleep(60)
        return time.monotonic_ns()

    table, rate = Buckets(clock=clock), Rate.a_second(1)

    def take_and_stay() -> int:
        asleep[0] = True
        return int(table.take("a", rate))

    pid = forked(take_and_stay)
    assert os.read(reading, 1) == b"!", "it holds the lock of the part"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    signal.alarm(10)
    try:
        assert table.take("a", rate) == 0.0
    finally:
        signal.alarm(0)
    table.close()


@pytest.mark.parametrize("amount", [0.001, 0.3, 1, 7, 260, 1_000_000])
def test_a_long_run_at_the_limit_gives_the_rate(amount: float) -> None:
    """Asking as soon as there is one, a thousand times: no faster than agreed, and hardly slower."""
    clock = Clock()
    table, rate = buckets(clock), Rate.a_second(amount)
    times: list[int] = []
    while len(times) < 1000:
        wait = table.take("a", rate)
        if wait:
            clock.now += max(1, round(wait * SECOND))
        else:
            times.append(clock.now)
    after = times[rate.burst :] if rate.burst < 1000 else []
    assert all(later - earlier >= rate.gap - 1 for earlier, later in pairwise(after))
    if after:
        span = (after[-1] - after[0]) / SECOND
        assert (len(after) - 1) / span == pytest.approx(amount, rel=0.01)

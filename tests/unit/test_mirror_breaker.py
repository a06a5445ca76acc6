"""An upstream that fails is left alone, and one free question finds out when it is back."""

from __future__ import annotations

from unhub.mirror.breaker import Breaker, BreakerSettings, Gate


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def failing(clock: Clock, times: int) -> Breaker:
    breaker = Breaker(clock, BreakerSettings(failures=3, seconds=5, longest=15))
    for _ in range(times):
        breaker.failed()
    return breaker


def test_it_shuts_after_so_many_failures_in_a_row() -> None:
    clock = Clock()
    breaker = failing(clock, 2)
    assert breaker.gate() is Gate.OPEN
    breaker.succeeded()
    breaker.failed()
    breaker.failed()
    assert breaker.gate() is Gate.OPEN, "a success begins the count anew"
    breaker.failed()
    assert breaker.gate() is Gate.SHUT
    assert breaker.shut_for == 5


def test_only_one_caller_probes_and_its_answer_decides() -> None:
    clock = Clock()
    breaker = failing(clock, 3)
    clock.now = 5
    assert [breaker.gate() for _ in range(3)] == [Gate.PROBE, Gate.SHUT, Gate.SHUT]
    breaker.succeeded()
    assert breaker.gate() is Gate.OPEN


def test_failed_probes_come_ever_later_up_to_a_bound() -> None:
    clock = Clock()
    breaker = failing(clock, 3)
    waits: list[float] = []
    for _ in range(4):
        clock.now += breaker.shut_for
        assert breaker.gate() is Gate.PROBE
        breaker.failed()
        waits.append(breaker.shut_for)
    assert waits == [10, 15, 15, 15]


def test_what_the_upstream_asks_for_counts() -> None:
    clock = Clock()
    breaker = failing(clock, 0)
    breaker.shut(60)
    breaker.shut(10)
    assert breaker.gate() is Gate.SHUT
    assert breaker.shut_for == 60


def test_a_probe_that_was_not_sent_leaves_its_place() -> None:
    clock = Clock()
    breaker = failing(clock, 3)
    clock.now = 6
    assert breaker.gate() is Gate.PROBE
    breaker.abandoned()
    assert breaker.gate() is Gate.PROBE

"""Who hangs, and who is only late."""

from __future__ import annotations

from unhub.server.heartbeat import LATE, LOOK, MISSES, Heartbeats

FETCHER, WORKER = 10, 11


class Clock:
    """Seconds that go as they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def look(hearts: Heartbeats, clock: Clock, *speaking: int, after: float = LOOK) -> list[int]:
    """The next look at both children, of whom some spoke since the last one."""
    clock.now += after
    for pid in speaking:
        hearts.heard(pid)
    return hearts.hanging([FETCHER, WORKER])


def test_a_child_that_says_nothing_for_long_hangs_and_the_other_does_not() -> None:
    clock = Clock()
    hearts = Heartbeats(clock)
    looks = [look(hearts, clock, WORKER) for _ in range(MISSES + 1)]
    assert looks == [[]] * MISSES + [[FETCHER]]
    assert look(hearts, clock, WORKER) == []


def test_a_child_that_speaks_now_and_then_is_busy_only() -> None:
    clock = Clock()
    hearts = Heartbeats(clock)
    for number in range(10 * MISSES):
        speaking = [WORKER] + [FETCHER] * (number % MISSES == 0)
        assert look(hearts, clock, *speaking) == []


def test_looks_that_come_often_count_once() -> None:
    clock = Clock()
    hearts = Heartbeats(clock)
    for _ in range(100):
        assert look(hearts, clock, after=LOOK / 20) == []
    assert 0 <= hearts.next_look <= LOOK


def test_a_supervisor_that_stood_still_itself_begins_to_count_anew() -> None:
    """As after Ctrl-Z, a suspended machine or a frozen container: nobody could speak, and nobody hangs."""
    clock = Clock()
    hearts = Heartbeats(clock)
    for _ in range(MISSES):
        assert look(hearts, clock) == []
    assert look(hearts, clock, after=LATE) == []
    for _ in range(MISSES):
        assert look(hearts, clock) == []
    assert look(hearts, clock) == [FETCHER, WORKER]


def test_a_new_child_has_the_whole_time() -> None:
    clock = Clock()
    hearts = Heartbeats(clock)
    for _ in range(5):
        look(hearts, clock)
    clock.now += LOOK
    assert hearts.hanging([12]) == []
    for _ in range(MISSES - 1):
        clock.now += LOOK
        assert hearts.hanging([12]) == []

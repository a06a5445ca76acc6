"""A fallback is asked at the pace that it allows: told beforehand, or learnt from its refusals."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.mirror.pace import LONGEST_GAP, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def take(pace: Pace) -> float:
    """Take the next turn of an empty queue; the seconds until it comes. What it sleeps of them has passed at the end."""
    wait = pace.free_in()
    clock = pace._clock
    assert isinstance(clock, Clock)
    before = clock.now

    async def sleep(seconds: float) -> None:
        clock.now += seconds

    asyncio.run(pace.turn(sleep))
    clock.now = before
    return wait


class Waiting:
    """A clock that moves on when everybody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self.now + seconds, woken))
        await woken.wait()

    async def run(self, seconds: float) -> None:
        """Let so many seconds pass."""
        until = self.now + seconds
        while True:
            for _ in range(10):
                await asyncio.sleep(0)
            self._sleepers.sort(key=lambda sleeper: sleeper[0])
            if not self._sleepers or self._sleepers[0][0] > until:
                break
            at, woken = self._sleepers.pop(0)
            self.now = max(self.now, at)
            woken.set()
        self.now = until


async def queue(pace: Pace, clock: Waiting, names: str, turns: list[tuple[str, float]]) -> list[asyncio.Task[None]]:
    """Everybody waits for a turn; ``turns`` tells who had one, and when."""

    async def one(name: str) -> None:
        await pace.turn(clock.sleep, first=name.isupper())
        turns.append((name, round(clock.now - 100, 2)))

    tasks = [asyncio.ensure_future(one(name)) for name in names]
    await asyncio.sleep(0)
    return tasks


def test_turns_lie_a_gap_apart_and_are_known_beforehand() -> None:
    async def work() -> None:
        clock, turns = Waiting(), []
        pace = Pace(2.0, clock)
        await queue(pace, clock, "abcd", turns)
        assert pace.free_in() == 2.0
        await clock.run(10)
        assert turns == [("a", 0), ("b", 0.5), ("c", 1.0), ("d", 1.5)]
        assert pace.free_in() == 0

    asyncio.run(work())


def test_who_leaves_the_queue_takes_no_turn() -> None:
    async def work() -> None:
        clock, turns = Waiting(), []
        pace = Pace(0.5, clock)
        tasks = await queue(pace, clock, "abcd", turns)
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        assert pace.free_in() == 6.0
        await clock.run(20)
        assert turns == [("a", 0), ("c", 2.0), ("d", 4.0)]

    asyncio.run(work())


def test_who_was_refused_comes_first_again_and_the_others_wait_longer() -> None:
    async def work() -> None:
        clock, turns = Waiting(), []
        pace = Pace(1.0, clock)
        await queue(pace, clock, "abc", turns)
        pace.refused(3.0)
        await queue(pace, clock, "A", turns)
        await clock.run(30)
        assert [name for name, _ in turns] == ["a", "A", "b", "c"]
        assert turns[1][1] == 3.0
        assert turns[3][1] - turns[2][1] >= 1.0

    asyncio.run(work())


def test_without_a_rate_every_moment_is_a_turn_until_the_registry_refuses() -> None:
    async def work() -> None:
        clock, turns = Waiting(), []
        pace = Pace(0, clock)
        await queue(pace, clock, "a" * 50, turns)
        assert [at for _, at in turns] == [0] * 50
        for _ in range(20):
            pace.refused(0.2)
        assert pace.rate == pytest.approx(20), "twenty refusals of one moment are one lesson"
        assert pace.free_in() == pytest.approx(0.2)

    asyncio.run(work())


@pytest.mark.parametrize("allowed", [1.0, 10.0])
def test_a_rate_that_nobody_told_is_found(allowed: float) -> None:
    """A registry that allows so many a second, asked by somebody who always wants more."""
    clock = Clock()
    pace = Pace(0, clock)
    tokens, refusals, served = 1.0, [0.0], 0
    last = clock.now
    while clock.now < 220:
        clock.now += max(take(pace), 0.001)
        tokens, last = min(tokens + (clock.now - last) * allowed, 1.0), clock.now
        if tokens >= 1 - 1e-9:
            tokens -= 1
            served += 1
            pace.served()
        else:
            refusals.append(clock.now)
            pace.refused(0.2)
    late = [moment for moment in refusals if moment > 160]
    assert served >= 0.6 * allowed * 120, "most of what is allowed is used"
    assert len(late) <= 0.25 * allowed * 60, "and little of it is asked for in vain"


def test_what_was_served_between_two_refusals_is_the_rate() -> None:
    """Not the double gap: who waits in a queue of 16 would not get through it in time."""
    clock = Clock()
    pace = Pace(0, clock)
    for _ in range(6):
        clock.now += 1
        pace.refused(0.0)
    assert pace.rate == pytest.approx(1 / 1.6)
    for _ in range(10):
        clock.now += 1.0
        pace.served()
    pace.refused(0.0)
    assert pace.rate > 0.6


@given(st.lists(st.booleans(), max_size=200), st.sampled_from([0.0, 1.0, 10.0]))
def test_it_is_never_faster_than_configured_and_never_stands_still(answers: list[bool], rate: float) -> None:
    clock = Clock()
    pace = Pace(rate, clock)
    for served in answers:
        wait = take(pace)
        assert wait <= LONGEST_GAP + 1
        clock.now += wait + 0.01
        if served:
            pace.served()
        else:
            pace.refused(0.2)
        assert not rate or pace.rate <= rate + 1e-9


def test_who_waits_knows_the_turn_as_it_is_now() -> None:
    """Those before leave, or somebody who was refused comes first: what was promised at the beginning is no longer true."""

    async def work() -> None:
        clock = Waiting()
        pace = Pace(1.0, clock)
        mine = object()
        await pace.turn(clock.sleep)
        before = [asyncio.ensure_future(pace.turn(clock.sleep)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(pace.turn(clock.sleep, ticket=mine))
        await asyncio.sleep(0)
        assert pace.due_in(mine) == 4
        before[0].cancel()
        await asyncio.sleep(0)
        assert pace.due_in(mine) == 3
        refused = asyncio.ensure_future(pace.turn(clock.sleep, first=True))
        await asyncio.sleep(0)
        assert pace.due_in(mine) == 4
        await clock.run(4)
        assert waiting.done()
        assert pace.due_in(mine) == 0
        await asyncio.gather(*before, refused, return_exceptions=True)

    asyncio.run(work())

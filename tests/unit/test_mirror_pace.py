"""A fallback is asked at the pace that it allows: told beforehand, or learnt from its refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.mirror.pace import LONGEST_GAP, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_slots_lie_a_gap_apart_and_are_known_beforehand() -> None:
    clock = Clock()
    pace = Pace(2.0, clock)
    assert [pace.take() for _ in range(4)] == [0, 0.5, 1.0, 1.5]
    assert pace.free_in() == 2.0
    clock.now += 10
    assert pace.take() == 0


def test_a_slot_that_is_given_back_is_the_next_ones() -> None:
    pace = Pace(1.0, Clock())
    pace.take()
    pace.take()
    pace.give_back()
    assert pace.free_in() == 1.0


def test_without_a_rate_every_moment_is_a_slot_until_the_registry_refuses() -> None:
    clock = Clock()
    pace = Pace(0, clock)
    assert [pace.take() for _ in range(50)] == [0] * 50
    for _ in range(20):
        pace.refused(0.2)
    assert pace.rate == pytest.approx(20), "twenty refusals of one moment are one lesson"
    assert pace.free_in() == pytest.approx(0.2)


@pytest.mark.parametrize("allowed", [1.0, 10.0])
def test_a_rate_that_nobody_told_is_found(allowed: float) -> None:
    """A registry that allows so many a second, asked by somebody who always wants more."""
    clock = Clock()
    pace = Pace(0, clock)
    tokens, refusals, served = 1.0, [0.0], 0
    last = clock.now
    while clock.now < 220:
        clock.now += max(pace.take(), 0.001)
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


def test_who_asks_again_out_of_turn_makes_later_ones_wait_longer() -> None:
    clock = Clock()
    pace = Pace(2.0, clock)
    pace.take()
    pace.again()
    assert pace.free_in() == 1.0


@given(st.lists(st.booleans(), max_size=200), st.sampled_from([0.0, 1.0, 10.0]))
def test_it_is_never_faster_than_configured_and_never_stands_still(answers: list[bool], rate: float) -> None:
    clock = Clock()
    pace = Pace(rate, clock)
    for served in answers:
        wait = pace.take()
        assert wait <= LONGEST_GAP + 1
        clock.now += wait + 0.01
        if served:
            pace.served()
        else:
            pace.refused(0.2)
        assert not rate or pace.rate <= rate + 1e-9

"""The ledger: never more pulls than the upstream said are left, and the clients' before the refreshes'."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from unhub.mirror.budget import Ledger, Reserve
from unhub.registry.answers import Budget
from unhub.store.records import Priority

WINDOW = 21_600


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def told(clock: Clock, remaining: int, limit: int = 100) -> Ledger:
    ledger = Ledger(clock)
    ledger.heard("docker", "", Budget(limit, remaining, WINDOW, "192.0.2.1"))
    return ledger


def test_what_is_not_counted_may_be_spent() -> None:
    ledger = Ledger(Clock())
    assert ledger.remaining("docker", "") is None
    assert ledger.may_spend("docker", "", Priority.PREFETCH)
    ledger.spend("docker", "")
    ledger.heard("docker", "", None)
    assert ledger.rows() == []


def test_pulls_that_were_sent_count_before_their_answers_come() -> None:
    ledger = told(Clock(), 2)
    ledger.spend("docker", "")
    assert ledger.remaining("docker", "") == 1
    ledger.spend("docker", "")
    assert not ledger.may_spend("docker", "", Priority.CLIENT)


def test_an_answer_tells_what_is_left_and_those_under_way_stay_counted() -> None:
    clock = Clock()
    ledger = told(clock, 10)
    for _ in range(4):
        ledger.spend("docker", "")
    ledger.landed("docker", "", Budget(100, 9, WINDOW))
    assert ledger.remaining("docker", "") == 6, "three are under way; some of them may be counted twice, none is forgotten"
    ledger.landed("docker", "", Budget(100, 6, WINDOW))
    ledger.landed("docker", "", Budget(100, 7, WINDOW))
    assert ledger.remaining("docker", "") == 5, "an answer that was overtaken gives nothing back"
    ledger.landed("docker", "", None)
    assert ledger.remaining("docker", "") == 5, "an answer without headers counts, too"
    clock.now += 60
    ledger.heard("docker", "", Budget(100, 100, WINDOW))
    assert ledger.remaining("docker", "") == 100


def test_clients_before_refreshes_before_prefetching() -> None:
    clock = Clock()
    allowed = {
        remaining: [told(clock, remaining).may_spend("docker", "", priority) for priority in Priority]
        for remaining in (60, 50, 21, 20, 1, 0)
    }
    assert allowed == {
        60: [True, True, True],
        50: [True, True, False],
        21: [True, True, False],
        20: [True, False, False],
        1: [True, False, False],
        0: [False, False, False],
    }


def test_a_budget_is_full_again_after_its_window() -> None:
    clock = Clock()
    ledger = told(clock, 0)
    assert ledger.refill_in("docker", "") == WINDOW
    clock.now += WINDOW - 1
    assert not ledger.may_spend("docker", "", Priority.CLIENT)
    clock.now += 1
    assert ledger.remaining("docker", "") == 100
    ledger.spend("docker", "")
    assert ledger.remaining("docker", "") == 99
    ledger.landed("docker", "", None)
    assert ledger.remaining("docker", "") == 99


def test_a_refusal_beats_what_was_said_before_also_a_negative_rest() -> None:
    clock = Clock()
    ledger = told(clock, 40)
    ledger.exhausted("docker", "")
    assert ledger.remaining("docker", "") == 0
    assert told(clock, -7).remaining("docker", "") == 0
    unknown = Ledger(clock)
    unknown.exhausted("docker", "", window=WINDOW)
    assert unknown.refill_in("docker", "") == WINDOW


def test_it_goes_on_after_a_restart() -> None:
    clock = Clock()
    ledger = told(clock, 5)
    ledger.spend("docker", "")
    again = Ledger(clock, ledger.take_changed())
    assert again.remaining("docker", "") == 4
    assert ledger.take_changed() == []


def test_what_could_not_be_saved_is_saved_the_next_time() -> None:
    ledger = told(Clock(), 5)
    rows = ledger.take_changed()
    ledger.not_saved(rows)
    assert ledger.take_changed() == rows


@given(st.integers(-5, 100), st.lists(st.sampled_from(Priority), max_size=150))
def test_no_order_of_wishes_spends_more_than_is_left(remaining: int, wishes: list[Priority]) -> None:
    ledger = told(Clock(), remaining)
    spent = 0
    for priority in wishes:
        if ledger.may_spend("docker", "", priority):
            ledger.spend("docker", "")
            spent += 1
    assert spent <= max(remaining, 0)
    if Priority.CLIENT not in wishes:
        assert spent <= max(remaining - Reserve().kept(Priority.REFRESH, 100), 0)

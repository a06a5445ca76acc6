"""Rates, retries and shared tokens, on a clock that only waiting moves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.data.endpoints import builtin_endpoints
from unhub.image.errors import BadAnswer
from unhub.registry.rates import Bucket
from unhub.registry.retry import Retries
from unhub.registry.settings import ClientSettings
from unhub.registry.tokens import Token, TokenStore, TokenWanted

T = TypeVar("T")


class Time:
    """A clock that stands still until somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@given(
    st.floats(0.1, 50),
    st.lists(st.floats(0, 3), min_size=1, max_size=30),
    st.one_of(st.none(), st.tuples(st.integers(0, 10), st.floats(0, 20))),
)
def test_no_window_of_time_ever_has_more_requests_than_the_rate_allows(
    rate: float, arrivals: list[float], pause: tuple[int, float] | None
) -> None:
    time = Time()
    sent: list[float] = []

    async def work() -> None:
        bucket = Bucket(rate, time, time.sleep)
        for number, gap in enumerate(arrivals):
            time.now += gap
            if pause is not None and pause[0] == number:
                bucket.pause(pause[1])
            await bucket.take()
            sent.append(time.now)

    run(work())
    for first in range(len(sent)):
        for last in range(first + 1, len(sent)):
            requests = last - first + 1
            assert requests <= (sent[last] - sent[first]) * rate + 1 + 1e-6
    assert sent[-1] - sent[0] <= sum(arrivals) + len(arrivals) / rate + (pause[1] if pause else 0) + 1e-6, "nor is it slower than it needs"


def test_many_tasks_at_once_are_served_in_their_order() -> None:
    time = Time()
    served: list[tuple[int, float]] = []

    async def work() -> None:
        bucket = Bucket(2, time, time.sleep)

        async def one(number: int) -> None:
            await bucket.take()
            served.append((number, time.now - 1000))

        await asyncio.gather(*(one(number) for number in range(5)))

    run(work())
    assert served == [(0, 0.0), (1, 0.5), (2, 1.0), (3, 1.5), (4, 2.0)]


def test_a_pause_holds_also_where_there_is_no_rate() -> None:
    time = Time()

    async def work() -> None:
        bucket = Bucket(0, time, time.sleep)
        await bucket.take()
        assert time.now == 1000
        bucket.pause(60)
        assert bucket.estimate(5) == 60
        await asyncio.gather(bucket.take(), bucket.take())
        assert time.now == 1060
        await bucket.take()
        assert time.now == 1060

    run(work())


def test_a_waiter_that_is_cancelled_lets_the_next_one_through() -> None:
    async def work() -> None:
        bucket = Bucket(1000, asyncio.get_running_loop().time)
        bucket.pause(3600)
        waiting = asyncio.ensure_future(bucket.take())
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        bucket._paused_until = 0
        await asyncio.wait_for(bucket.take(), 5)

    run(work())


def test_the_estimate_is_what_waiting_takes() -> None:
    assert Bucket(1, lambda: 0.0).estimate(500) == 499
    assert Bucket(0, lambda: 0.0).estimate(500) == 0


def test_ecr_public_s_rates_are_data_and_the_user_s_word_beats_them() -> None:
    settings = ClientSettings(rates={"docker.io": 5})
    assert settings.rate("public.ecr.aws", login=False) == 1
    assert settings.rate("public.ecr.aws", login=True) == 10
    assert settings.rate("docker.io", login=False) == 5
    assert settings.rate("ghcr.io", login=False) == 0
    assert ClientSettings(rates={"public.ecr.aws": 0}).rate("public.ecr.aws", login=False) == 0


def test_every_fact_about_endpoints_has_its_citation() -> None:
    data = builtin_endpoints()
    for row in (*data.endpoint, *data.realm, *data.rate, *data.shared, *data.pause):
        assert row.source
        assert row.confidence in ("source", "issue report", "unverified")


def retries(time: Time, attempts: int = 4, patience: float = 120, seed: int = 1) -> Retries:
    return Retries(attempts, patience, time, Random(seed))


def test_attempts_are_counted_and_waits_grow_by_chance() -> None:
    waits: list[list[float]] = []
    for seed in range(200):
        tried = retries(Time(), seed=seed)
        waits.append([wait for _ in range(4) if (wait := tried.next_wait()) is not None])
    assert all(len(row) == 3 for row in waits)
    for number, bound in enumerate((0.5, 1.0, 2.0)):
        column = [row[number] for row in waits]
        assert 0 <= min(column) < bound / 4
        assert bound * 3 / 4 < max(column) <= bound


def test_what_the_registry_asks_for_is_waited_at_least() -> None:
    wait = retries(Time()).next_wait(30)
    assert wait is not None
    assert 30 <= wait <= 30.5


def test_patience_ends_what_attempts_would_not() -> None:
    time = Time()
    tried = retries(time, patience=60)
    assert tried.next_wait(61) is None
    tried = retries(time, patience=60, attempts=100)
    assert tried.next_wait(40) is not None
    time.now += 41
    assert tried.next_wait(40) is None


def test_progress_gives_new_patience() -> None:
    tried = retries(Time(), attempts=2)
    assert tried.next_wait() is not None
    assert tried.next_wait() is None
    tried.progressed()
    assert tried.next_wait() is not None


@given(st.integers(1, 8), st.floats(0, 300), st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=20))
def test_retries_always_end_in_time(attempts: int, patience: float, asked: list[float | None]) -> None:
    time = Time()
    tried = retries(time, attempts, patience)
    made = 1
    for wish in asked:
        wait = tried.next_wait(wish)
        if wait is None:
            break
        made += 1
        time.now += wait
    assert made <= attempts
    assert time.now <= 1000 + patience + 1e-6


class Service:
    """A token service that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[TokenWanted] = []
        self.go = asyncio.Event()
        self.fails = False

    async def fetch(self, wanted: TokenWanted) -> Token:
        self.asked.append(wanted)
        await self.go.wait()
        if self.fails:
            raise BadAnswer("no token", host="r.example")
        return Token(f"token-{len(self.asked)}", 100)


NODE = TokenWanted("https://r.example/t", "r", "repository:node:pull")
PHP = TokenWanted("https://r.example/t", "r", "repository:php:pull")


def test_one_fetch_serves_all_who_wait_for_the_same_scope() -> None:
    async def work() -> None:
        service = Service()
        store = TokenStore(service.fetch, Time())
        waiting = [asyncio.ensure_future(store.get(wanted)) for wanted in (NODE, NODE, PHP, NODE)]
        await asyncio.sleep(0)
        service.go.set()
        tokens = await asyncio.gather(*waiting)
        assert service.asked == [NODE, PHP]
        assert tokens[0] == tokens[1] == tokens[3] != tokens[2]
        assert (await store.get(NODE)) == tokens[0]
        await store.close()

    run(work())


def test_a_cancelled_first_caller_takes_the_token_from_nobody() -> None:
    async def work() -> None:
        service = Service()
        store = TokenStore(service.fetch, Time())
        first, second = asyncio.ensure_future(store.get(NODE)), asyncio.ensure_future(store.get(NODE))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        service.go.set()
        assert (await second).value == "token-1"
        assert first.cancelled()
        assert len(service.asked) == 1

    run(work())


def test_a_failure_is_told_to_all_and_the_next_caller_asks_anew() -> None:
    async def work() -> None:
        service = Service()
        service.fails = True
        service.go.set()
        store = TokenStore(service.fetch, Time())
        failed = await asyncio.gather(store.get(NODE), store.get(NODE), return_exceptions=True)
        assert [type(error) for error in failed] == [BadAnswer, BadAnswer]
        service.fails = False
        assert (await store.get(NODE)).value == "token-2"

    run(work())


def test_a_token_is_used_for_four_fifths_of_its_life_and_never_once_it_was_rejected() -> None:
    async def work() -> None:
        time, service = Time(), Service()
        service.go.set()
        store = TokenStore(service.fetch, time)
        assert (await store.get(NODE)).value == "token-1"
        time.now += 79.9
        assert (await store.get(NODE)).value == "token-1"
        time.now += 0.2
        assert (await store.get(NODE)).value == "token-2"
        rejected = TokenWanted(NODE.realm, NODE.service, NODE.scope, rejected="token-2")
        assert (await store.get(rejected)).value == "token-3"
        assert (await store.get(rejected)).value == "token-3"
        assert len(service.asked) == 3

    run(work())


def test_closing_ends_a_fetch_that_nobody_answers() -> None:
    async def work() -> None:
        store = TokenStore(Service().fetch, Time())
        waiting = asyncio.ensure_future(store.get(NODE))
        await asyncio.sleep(0.01)
        await store.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(work())

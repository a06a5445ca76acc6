"""Who was looked up a moment ago: remembered for a second, forgotten with every change, and never from before one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.mirror.identities import Identities
from unhub.mirror.known_identities import ENTRIES_MAX, KnownIdentities


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Store:
    """Answers with what is true, and counts the questions; ``meanwhile`` happens before an answer arrives."""

    def __init__(self) -> None:
        self.truth: dict[str, str] = {"AKIA1": "ci", "AKIA2": "build"}
        self.asked: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None

    async def look_up(self, key_id: str) -> Any:
        found = self.truth.get(key_id)
        self.asked.append(key_id)
        self.meanwhile()
        return found

    principal = look_up


def known(store: Store, clock: Clock | None = None) -> KnownIdentities:
    return KnownIdentities(cast(Identities, store), clock or Clock())


def ask(service: KnownIdentities, key_id: str) -> Any:
    return asyncio.run(service.look_up(key_id))


def test_the_store_is_asked_once_a_second() -> None:
    store, clock = Store(), Clock()
    service = known(store, clock)
    for _ in range(3):
        assert ask(service, "AKIA1") == "ci"
    assert store.asked == ["AKIA1"]
    clock.now += 0.999
    ask(service, "AKIA1")
    assert store.asked == ["AKIA1"]
    clock.now += 0.001
    store.truth["AKIA1"] = "other"
    assert ask(service, "AKIA1") == "other"
    assert len(store.asked) == 2


def test_a_key_and_an_identity_of_the_same_name_are_two_things() -> None:
    store = Store()
    service = known(store)
    ask(service, "AKIA1")
    assert asyncio.run(service.principal("AKIA1")) == "ci"
    assert len(store.asked) == 2


def test_a_change_is_true_at_once() -> None:
    store = Store()
    service = known(store)
    ask(service, "AKIA1")
    del store.truth["AKIA1"]
    service.forget()
    assert ask(service, "AKIA1") is None


def test_nobody_is_not_remembered() -> None:
    store = Store()
    service = known(store)
    assert ask(service, "AKIA9") is None
    store.truth["AKIA9"] = "new"
    assert ask(service, "AKIA9") == "new", "a new key works at once"


def test_what_was_read_before_a_change_is_not_remembered_after_it() -> None:
    store = Store()
    service = known(store)

    def changed_meanwhile() -> None:
        del store.truth["AKIA1"]
        service.forget()

    store.meanwhile = changed_meanwhile
    assert ask(service, "AKIA1") == "ci", "asked before the change"
    store.meanwhile = lambda: None
    assert ask(service, "AKIA1") is None


@pytest.mark.parametrize("many", [ENTRIES_MAX, ENTRIES_MAX + 1, ENTRIES_MAX * 3])
def test_only_so_many_are_remembered(many: int) -> None:
    store, clock = Store(), Clock()
    store.truth = {f"AKIA{number}": str(number) for number in range(many)}
    service = known(store, clock)
    for key in store.truth:
        ask(service, key)
    store.asked.clear()
    for key in reversed(store.truth):
        ask(service, key)
    assert len(store.asked) == max(0, many - ENTRIES_MAX)


@given(
    st.lists(
        st.one_of(st.sampled_from(["AKIA1", "AKIA2"]), st.floats(0, 2), st.tuples(st.sampled_from(["AKIA1", "AKIA2"]), st.text(max_size=2)))
    )
)
def test_an_answer_was_true_less_than_a_second_ago(steps: list[Any]) -> None:
    """Whoever asks, whatever time goes by and whatever changes unheard."""
    store, clock = Store(), Clock()
    service = known(store, clock)
    history: dict[str, list[tuple[float, str]]] = {key: [(0.0, value)] for key, value in store.truth.items()}
    for step in steps:
        if isinstance(step, float):
            clock.now += step
        elif isinstance(step, tuple):
            store.truth[step[0]] = step[1]
            history[step[0]].append((clock.now, step[1]))
        else:
            ends = [*(at for at, _ in history[step][1:]), float("inf")]
            lately = {value for (_, value), end in zip(history[step], ends, strict=True) if end > clock.now - 1.0 or end == float("inf")}
            assert ask(service, step) in lately

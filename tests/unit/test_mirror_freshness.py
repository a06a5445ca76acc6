"""How long a tag is believed: by its shape, by the settings, with a jitter that every worker agrees on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.image.digest import Digest
from unhub.mirror.freshness import JITTER, PERIODS, Age, Freshness, FreshnessRule, Shape, shape
from unhub.store.records import RepositoryKey, StoredTag

SHAPES = [
    ("21.7.0-alpine3.19", Shape.EXACT),
    ("1.22.1", Shape.EXACT),
    ("v2.51.0", Shape.EXACT),
    ("3.12.0rc1-slim", Shape.EXACT),
    ("noble-20240429", Shape.EXACT),
    ("20240429", Shape.EXACT),
    ("9b2f1c0de6d1f1a4a7d5c5f3b6a7e8d9c0b1a2f3", Shape.EXACT),
    ("sha256-" + "a" * 64 + ".sig", Shape.EXACT),
    ("21", Shape.ROLLING),
    ("1.22", Shape.ROLLING),
    ("1.22-alpine", Shape.ROLLING),
    ("21-alpine3.19", Shape.ROLLING),
    ("v2", Shape.ROLLING),
    ("latest", Shape.MOVING),
    ("alpine", Shape.MOVING),
    ("stable-slim", Shape.MOVING),
    ("bookworm", Shape.MOVING),
    ("edge", Shape.MOVING),
]


@pytest.mark.parametrize(("tag", "expected"), SHAPES)
def test_the_shape_of_a_tag(tag: str, expected: Shape) -> None:
    assert shape(tag) is expected


def stored(name: str, checked_at: float) -> StoredTag:
    return StoredTag(RepositoryKey("docker", "library/node"), name, Digest("sha256", "0" * 64), checked_at, checked_at, "docker")


@given(st.sampled_from([row[0] for row in SHAPES]), st.floats(0, 2e9))
def test_periods_have_a_jitter_that_does_not_depend_on_who_asks(name: str, checked_at: float) -> None:
    tag = stored(name, checked_at)
    period = PERIODS[shape(name)]
    until = Freshness().fresh_until(tag) - checked_at
    assert period * (1 - JITTER) - 1e-3 <= until <= period + 1e-3
    assert Freshness().fresh_until(tag) == Freshness().fresh_until(stored(name, checked_at))


def test_fresh_then_stale_then_old_then_expired() -> None:
    freshness, tag = Freshness(), stored("latest", 1000.0)
    assert freshness.age(tag, 1000) is Age.FRESH
    assert freshness.age(tag, 1000 + 539) is Age.FRESH
    assert freshness.age(tag, 1000 + 601) is Age.STALE
    assert freshness.age(tag, 1000 + 1139) is Age.STALE
    assert freshness.age(tag, 1000 + 1201) is Age.OLD
    assert freshness.age(tag, 1000 + 29 * 86_400) is Age.OLD
    assert freshness.age(tag, 1000 + 31 * 86_400) is Age.EXPIRED
    assert freshness.age(tag, 900) is Age.STALE, "a clock that went back makes nothing fresh"


def test_the_first_rule_that_matches_counts() -> None:
    rules = [FreshnessRule("latest", 0), FreshnessRule("*", 60, "library/*"), FreshnessRule("*", 5)]
    freshness = Freshness(rules, stale_while_revalidate=0)
    assert freshness.period("library/node", "latest") == 0
    assert freshness.period("library/node", "20") == 60
    assert freshness.period("bitnami/redis", "20") == 5
    assert freshness.age(stored("latest", 10), 10) is Age.OLD, "a period of 0 always asks first"


@given(st.lists(st.floats(0, 4e6), min_size=2, max_size=2))
def test_nothing_gets_younger(seconds: list[float]) -> None:
    order = [Age.FRESH, Age.STALE, Age.OLD, Age.EXPIRED]
    first, second = (order.index(Freshness().age(stored("1.2", 0), at)) for at in sorted(seconds))
    assert first <= second

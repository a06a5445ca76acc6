"""Three-valued truth: what is not known is neither true nor false (Kleene's logic).

A server knows everything about a request, and ``None`` never occurs there. Whoever checks a policy
from outside does not know where a request will come from, and must not guess.
"""

from __future__ import annotations

from collections.abc import Iterable

Truth = bool | None
"""``True``, ``False``, or ``None`` for "not known"."""


def all_of(truths: Iterable[Truth]) -> Truth:
    """Whether all hold; true for none. One that does not hold decides, whatever is unknown."""
    unknown = False
    for truth in truths:
        if truth is False:
            return False
        unknown = unknown or truth is None
    return None if unknown else True


def any_of(truths: Iterable[Truth]) -> Truth:
    """Whether one holds; false for none. One that holds decides, whatever is unknown."""
    unknown = False
    for truth in truths:
        if truth is True:
            return True
        unknown = unknown or truth is None
    return None if unknown else False


def negated(truth: Truth) -> Truth:
    """The opposite; the opposite of "not known" is not known."""
    return None if truth is None else not truth

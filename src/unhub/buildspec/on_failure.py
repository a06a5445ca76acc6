"""``on-failure`` of a phase: ``ABORT``, ``CONTINUE``, ``RETRY``, ``RETRY-3``, ``RETRY-.*timed out``, ``RETRY-3-.*timed out``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

RETRIES = 3
"""How often a build is tried again where no number is given (build-spec-ref)."""

RETRIES_MAX = 100


class Do(StrEnum):
    """What is done when a phase fails."""

    ABORT = "ABORT"
    CONTINUE = "CONTINUE"
    RETRY = "RETRY"


@dataclass(frozen=True, slots=True)
class OnFailure:
    """What is done; for ``RETRY`` how often at most, and which failures are meant."""

    do: Do
    retries: int = 0
    pattern: re.Pattern[str] = re.compile("")

    def wants_another_try(self, tried_again: int, message: str) -> bool:
        """Whether the build, tried again so many times already, is to be tried once more after a failure with this message."""
        return self.do is Do.RETRY and tried_again < self.retries and self.pattern.search(message) is not None


_RETRY = re.compile(r"RETRY(?:-(?P<count>[0-9]+)(?=-|\Z))?(?:-(?P<pattern>.*))?", re.IGNORECASE | re.DOTALL)


def parse(text: str) -> OnFailure:
    """Read the value; the documentation writes ``Retry-`` as well as ``RETRY-``. Raises :class:`ValueError` with the reason."""
    word = text.strip()
    if word.upper() in (Do.ABORT, Do.CONTINUE):
        return OnFailure(Do(word.upper()))
    match = _RETRY.fullmatch(word)
    if match is None:
        raise ValueError("it is ABORT, CONTINUE, RETRY, RETRY-<count>, RETRY-<regex> or RETRY-<count>-<regex>")
    retries = int(match["count"] or RETRIES)
    if retries > RETRIES_MAX:
        raise ValueError(f"a build is tried again at most {RETRIES_MAX} times")
    try:
        return OnFailure(Do.RETRY, retries, re.compile(match["pattern"] or ""))
    except re.error as error:
        raise ValueError(f"{match['pattern']!r} is no regular expression: {error}") from None

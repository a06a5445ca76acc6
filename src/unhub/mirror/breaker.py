"""When an upstream is left alone, and when one question may find out that it is back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Gate(StrEnum):
    """Whether an upstream may be asked now."""

    OPEN = "open"
    """Ask."""
    PROBE = "probe"
    """One free question is due, and the caller was chosen to ask it."""
    SHUT = "shut"
    """Do not ask."""


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """``failures`` in a row shut it; it stays shut for ``seconds``, doubled at each failed probe up to ``longest``."""

    failures: int = 5
    seconds: float = 5.0
    longest: float = 120.0


class Breaker:
    """Counts failures of one upstream. Not thread-safe: it lives in one event loop."""

    def __init__(self, clock: Callable[[], float], settings: BreakerSettings | None = None) -> None:
        """``clock`` gives seconds that never go back."""
        self._clock = clock
        self._settings = settings or BreakerSettings()
        self._failures = 0
        self._shut_until = 0.0
        self._wait = self._settings.seconds
        self._probing = False

    @property
    def shut_for(self) -> float:
        """Seconds until the next probe; 0 where it may be asked."""
        return max(0.0, self._shut_until - self._clock()) if self._shut_until else 0.0

    def gate(self) -> Gate:
        """Whether to ask now. Who is told ``PROBE`` must report :meth:`succeeded` or :meth:`failed`."""
        if not self._shut_until:
            return Gate.OPEN
        if self._probing or self._clock() < self._shut_until:
            return Gate.SHUT
        self._probing = True
        return Gate.PROBE

    def succeeded(self) -> None:
        """It answered, whatever it said: 404 is an answer."""
        self._failures, self._shut_until, self._probing, self._wait = 0, 0.0, False, self._settings.seconds

    def failed(self) -> None:
        """It did not answer, or with a server's error."""
        self._failures += 1
        if self._probing:
            self._probing = False
            self._wait = min(self._wait * 2, self._settings.longest)
        if self._failures >= self._settings.failures or self._shut_until:
            self._shut_until = self._clock() + self._wait

    def abandoned(self) -> None:
        """The probe was not sent after all."""
        self._probing = False

    def shut(self, seconds: float) -> None:
        """Leave it alone for a time that it asked for itself (``Retry-After``)."""
        self._shut_until = max(self._shut_until, self._clock() + seconds)
        self._probing = False

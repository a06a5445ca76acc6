"""One registry as the mirror asks it: what its answers mean for the next question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from unhub.image.digest import Digest
from unhub.image.errors import AccessRefused, LimitKind, NotFound, RateLimited, RegistryError
from unhub.mirror.breaker import Breaker, Gate
from unhub.mirror.budget import Ledger
from unhub.mirror.pace import Pace
from unhub.mirror.upstream import Place, Registry
from unhub.registry.answers import Budget, Fetched, Head

T = TypeVar("T")

PAUSES: Final = {LimitKind.ABUSE: 60.0, LimitKind.LOGINS: 600.0, LimitKind.DATA: 3600.0, LimitKind.RATE: 0.2}
"""Seconds to leave a registry alone after a 429 that does not say how long (docker-hub.md, 5; ecr-public.md, 2.5)."""

OTHER_PAUSE: Final = 10.0

PAUSE_MAX: Final = 3600.0
"""Seconds after which a registry is asked again, whatever ``Retry-After`` it gave: one free question finds out."""
HEADS_PAUSE: Final = 30.0
"""Seconds without HEAD after one was refused for the pull limit, which it should not be."""


class Gone(Exception):
    """A registry in good health says that there is no such thing, or that it is nobody's business."""

    def __init__(self, error: RegistryError) -> None:
        super().__init__(error.message)
        self.error = error


class Unavailable(Exception):
    """A registry cannot be asked now, or did not answer.

    ``retry_in`` is in seconds, ``None`` where nobody knows; ``limited`` says that a limit is the cause, and no fault.
    """

    def __init__(self, cause: str, *, retry_in: float | None = None, limited: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.retry_in = retry_in
        self.limited = limited


class Source:
    """A registry with its breaker, its pace and, where pulls are counted, its ledger. Lives in one event loop."""

    def __init__(
        self,
        name: str,
        place: Place,
        registry: Registry,
        *,
        clock: Callable[[], float],
        pace: Pace,
        ledger: Ledger | None = None,
        credential: str = "",
        seconds: float = 20.0,
    ) -> None:
        """``clock`` gives seconds that never go back; ``seconds`` is how long an answer may take."""
        self.name = name
        self.place = place
        self.registry = registry
        self.breaker = Breaker(clock)
        self.transfers = Breaker(clock)
        self.pace = pace
        self.ledger = ledger
        self.credential = credential
        self._clock = clock
        self._seconds = seconds
        self._no_heads_until = 0.0
        self._rests_until = 0.0

    @property
    def sends_in(self) -> float:
        """Seconds until it may be asked for blobs; 0 where it may be now."""
        return max(self.breaker.shut_for, self.transfers.shut_for)

    async def head(self, path: str, which: str | Digest, *, seconds: float | None = None) -> Head:
        """What a tag or digest is there, by HEAD. Raises :class:`Gone` and :class:`Unavailable`."""
        if self._clock() < self._no_heads_until:
            raise Unavailable(f"{self.name} refuses HEAD", retry_in=self._no_heads_until - self._clock())
        head = await self._ask(lambda: self.registry.head_manifest(self.place.reference(path, which)), seconds, is_head=True)
        if self.ledger is not None:
            self.ledger.heard(self.name, self.credential, head.budget)
        return head

    async def get(self, path: str, which: str | Digest) -> Fetched:
        """A manifest; counted as a pull where pulls are counted. Raises :class:`Gone` and :class:`Unavailable`."""
        if self.ledger is None:
            fetched = await self._ask(lambda: self.registry.get_manifest(self.place.reference(path, which)), None)
            self.pace.served()
            return fetched
        told: Budget | None = None
        self.ledger.spend(self.name, self.credential)
        try:
            fetched = await self._ask(lambda: self.registry.get_manifest(self.place.reference(path, which)), None)
            told = fetched.budget
        finally:
            self.ledger.landed(self.name, self.credential, told)
        return fetched

    async def ask(self, work: Callable[[], Awaitable[T]], *, seconds: float | None = None) -> T:
        """Any other question. Raises :class:`Gone` and :class:`Unavailable`."""
        return await self._ask(work, seconds)

    @asynccontextmanager
    async def watched(self) -> AsyncGenerator[None]:
        """The time of a transfer. What breaks transfers off counts for them alone: a registry's manifests come from elsewhere."""
        if self.breaker.shut_for:
            raise self._shut(self.breaker)
        gate = self._gate(self.transfers)
        try:
            yield
        except (NotFound, AccessRefused) as error:
            self.transfers.succeeded()
            raise Gone(error) from None
        except RateLimited as error:
            if gate is Gate.PROBE:
                self.transfers.abandoned()
            raise self._limited(error, is_head=False) from None
        except (RegistryError, TimeoutError) as error:
            self.transfers.failed()
            raise Unavailable(_cause(error, self.name)) from None
        except BaseException:
            if gate is Gate.PROBE:
                self.transfers.abandoned()
            raise
        else:
            self.transfers.succeeded()

    async def _ask(self, work: Callable[[], Awaitable[T]], seconds: float | None, *, is_head: bool = False) -> T:
        gate = self._gate(self.breaker)
        try:
            async with asyncio.timeout(self._seconds if seconds is None else seconds):
                answer = await work()
        except (NotFound, AccessRefused) as error:
            self.breaker.succeeded()
            raise Gone(error) from None
        except RateLimited as error:
            raise self._limited(error, is_head=is_head) from None
        except (RegistryError, TimeoutError) as error:
            self.breaker.failed()
            raise Unavailable(_cause(error, self.name)) from None
        except BaseException:
            if gate is Gate.PROBE:
                self.breaker.abandoned()
            raise
        self.breaker.succeeded()
        return answer

    def _gate(self, breaker: Breaker) -> Gate:
        gate = breaker.gate()
        if gate is Gate.SHUT:
            raise self._shut(breaker)
        return gate

    def _shut(self, breaker: Breaker) -> Unavailable:
        """Why nothing is asked now: it asked for rest itself, or it failed too often."""
        limited = self._clock() < self._rests_until
        cause = f"{self.name} wants fewer requests" if limited else f"{self.name} is left alone after failures"
        return Unavailable(cause, retry_in=max(breaker.shut_for, 1.0), limited=limited)

    def _limited(self, error: RateLimited, *, is_head: bool) -> Unavailable:
        """What each kind of 429 is answered with."""
        wait = error.retry_after
        if error.kind is LimitKind.PULLS:
            self.breaker.succeeded()
            if self.ledger is not None:
                self.ledger.exhausted(self.name, self.credential, window=None if wait is None else int(wait))
                wait = self.ledger.refill_in(self.name, self.credential)
            if is_head:
                self._no_heads_until = self._clock() + HEADS_PAUSE
            return Unavailable(error.message, retry_in=wait, limited=True)
        pause = PAUSES.get(error.kind, OTHER_PAUSE) if wait is None else min(wait, PAUSE_MAX)
        if error.kind is LimitKind.RATE:
            self.breaker.succeeded()
            self.pace.refused(pause)
        else:
            self.breaker.shut(pause)
            self._rests_until = self._clock() + pause
        return Unavailable(error.message, retry_in=pause, limited=True)


def _cause(error: BaseException, name: str) -> str:
    return error.message if isinstance(error, RegistryError) else f"{name} did not answer in time"

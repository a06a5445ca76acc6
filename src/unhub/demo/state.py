"""What a stand-in knows while it runs. One thread, that of its loop, reads and changes it; so counting is exact."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from unhub.demo.exchange import Kind, Site
from unhub.demo.faults import Faults
from unhub.demo.limits import Counts, Rate, Window
from unhub.demo.settings import Account, HubSettings
from unhub.demo.store import Store
from unhub.demo.tokens import Mint
from unhub.image.errors import LimitKind

LOG_MOST = 100_000
"""Requests that are remembered; older ones are forgotten."""

MONTH = 30 * 86400
MINUTE = 60


@dataclass(frozen=True, slots=True)
class Record:
    """One request as it was answered. ``authorization`` is the scheme that was used, never what followed it.

    ``query`` holds no signatures; ``caller`` is empty where the answer did not depend on who asked.
    """

    time: float
    site: Site
    method: str
    path: str
    query: str
    status: int
    kind: Kind
    caller: str
    authorization: str
    address: str
    user_agent: str
    range: str
    accept: str
    size: int
    faults: tuple[str, ...] = ()


@dataclass(slots=True)
class State:
    """Settings, content, counters, faults and the log of one stand-in. ``clock`` gives seconds since 1970."""

    settings: HubSettings
    clock: Callable[[], float]
    mint: Mint
    store: Store = field(default_factory=Store)
    faults: Faults = field(default_factory=Faults)
    counts: Counts = field(default_factory=Counts)
    urls: dict[Site, str] = field(default_factory=dict[Site, str])
    log: deque[Record] = field(default_factory=lambda: deque[Record](maxlen=LOG_MOST))
    exhausted: dict[LimitKind, float] = field(default_factory=dict[LimitKind, float])
    """Limits that were declared to be reached, each with the time when they are lifted."""
    offset: float = 0.0
    pulls: Window = field(init=False)
    logins: Window = field(init=False)
    data: Window = field(default_factory=lambda: Window(MONTH))
    abuse: Window = field(default_factory=lambda: Window(MINUTE))
    api: Window = field(default_factory=lambda: Window(MINUTE))
    rate: Rate = field(default_factory=Rate)
    serial: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.pulls = Window(self.settings.window)
        self.logins = Window(self.settings.lock_seconds)

    def now(self) -> float:
        """The time, moved on by what :attr:`offset` says."""
        return self.clock() + self.offset

    def account(self, name: str | None) -> Account | None:
        """An account of Docker Hub by its name."""
        return next((account for account in self.settings.accounts if account.name == name), None)

    def is_exhausted(self, kind: LimitKind) -> bool:
        """Whether a limit was declared to be reached and is not yet lifted."""
        until = self.exhausted.get(kind)
        return until is not None and self.now() < until

    def exhaust(self, kind: LimitKind) -> None:
        """Declare a limit to be reached for everybody, until its window has passed."""
        seconds = {LimitKind.PULLS: self.settings.window, LimitKind.LOGINS: self.settings.lock_seconds, LimitKind.DATA: MONTH}
        self.exhausted[kind] = self.now() + seconds.get(kind, MINUTE)

    def refill(self) -> None:
        """Forget what was used up; the counts stay."""
        self.exhausted.clear()
        for window in (self.pulls, self.logins, self.data, self.abuse, self.api):
            window.clear()
        self.rate = Rate()

    def apply(self, settings: HubSettings) -> None:
        """Go on with other settings."""
        self.settings = settings
        self.store.missing = settings.missing_blobs
        self.pulls.seconds = settings.window
        self.logins.seconds = settings.lock_seconds

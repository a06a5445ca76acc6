"""The handles of running stand-ins: what was asked of them, and what shall go wrong. Made for tests; usable from any thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import msgspec

from unhub.demo.control import changed
from unhub.demo.docker_hub import TOKEN_PATH
from unhub.demo.ecr_public import TOKEN_PATH as ECR_TOKEN_PATH
from unhub.demo.ecr_public_api import PASSWORD_SECONDS, ApiState
from unhub.demo.exchange import Site
from unhub.demo.faults import Fault, FaultKind, Faults
from unhub.demo.images import Image
from unhub.demo.limits import Counts
from unhub.demo.listeners import Listeners
from unhub.demo.settings import HubSettings, Persona
from unhub.demo.state import Record, State
from unhub.demo.thread import LoopThread
from unhub.demo.tokens import EcrToken
from unhub.image.errors import LimitKind, UsageError


class Handle:
    """What all handles can: look at the requests, arm faults, close ports."""

    def __init__(self, thread: LoopThread, listeners: Listeners, faults: Faults, log: deque[Record]) -> None:
        self._thread, self._listeners, self._faults, self._log = thread, listeners, faults, log

    @property
    def requests(self) -> tuple[Record, ...]:
        """Every request so far, in the order they were answered; each is here before its answer reaches the client."""
        return self._thread.do(lambda: tuple(self._log))

    def asked(self, **wanted: object) -> tuple[Record, ...]:
        """The requests with these fields, as in ``hub.asked(kind="manifest", method="HEAD")``."""
        return tuple(record for record in self.requests if all(getattr(record, name) == value for name, value in wanted.items()))

    def forget(self) -> None:
        """Empty the log of requests."""
        self._thread.do(self._log.clear)

    def fault(self, kind: FaultKind, **details: object) -> None:
        """Let something go wrong: :class:`unhub.demo.faults.Fault` tells with what, where and how often (once).

        Raises :class:`UsageError` for a fault that there is not.
        """
        try:
            fault = msgspec.convert({"kind": kind, **details}, Fault)
        except msgspec.ValidationError as error:
            raise UsageError(f"cannot arm the fault {kind!r}: {error}") from None
        self._thread.do(lambda: self._faults.arm(fault))

    def clear_faults(self) -> None:
        """Let nothing more go wrong."""
        self._thread.do(self._faults.clear)

    def listen(self, site: Site | str, on: bool) -> None:
        """Close a port, so that connections to it are refused, or open it again."""
        self._thread.run(self._listeners.listen(Site(site), on))

    @contextmanager
    def refusing(self, site: Site | str = Site.REGISTRY) -> Generator[None]:
        """Refuse connections at a site for a while."""
        self.listen(site, on=False)
        try:
            yield
        finally:
            self.listen(site, on=True)


class Hub(Handle):
    """The handle of a running Docker Hub or ECR Public."""

    def __init__(self, thread: LoopThread, listeners: Listeners, state: State) -> None:
        super().__init__(thread, listeners, state.faults, state.log)
        self._state = state

    @property
    def settings(self) -> HubSettings:
        """The settings as they are now."""
        return self._state.settings

    @property
    def persona(self) -> Persona:
        """Which service this plays."""
        return self._state.settings.persona

    @property
    def url(self) -> str:
        """The registry's base URL."""
        return self._state.urls[Site.REGISTRY]

    @property
    def address(self) -> str:
        """The registry's host and port, as they stand in a reference."""
        return self.url.partition("://")[2]

    @property
    def token_url(self) -> str:
        """Where tokens are had: of Docker Hub another port, of ECR Public ``/token/``."""
        site = self._state.urls.get(Site.TOKEN)
        return site + TOKEN_PATH if site else self.url + ECR_TOKEN_PATH

    @property
    def cdn_url(self) -> str:
        """The base URL of the content network, on another host."""
        return self._state.urls[Site.CDN]

    @property
    def api_url(self) -> str | None:
        """The base URL of the stand-in of hub.docker.com; ``None`` at ECR Public."""
        return self._state.urls.get(Site.API)

    @property
    def counts(self) -> Counts:
        """What was counted up to now: GETs of manifests, by caller and by reference."""
        return self._thread.do(self._state.counts.copy)

    def digest(self, name: str) -> str:
        """The digest that a tag points at, by ``repository:tag``. Raises :class:`KeyError`."""
        repository, tag = _split(name)
        return self._thread.do(lambda: self._state.store.repositories[repository].tags[tag or "latest"])

    def add(self, image: Image, name: str, *, private: bool = False) -> str:
        """Carry an image under ``repository:tag``, or under ``repository`` to be had by digest only. Returns its digest."""
        repository, tag = _split(name)
        self._thread.do(lambda: self._state.store.add(image, repository, tag, private=private))
        return image.digest

    def remove(self, name: str) -> None:
        """Take a tag (``repository:tag``) or a whole repository away. Raises :class:`KeyError`."""
        repository, tag = _split(name)
        self._thread.do(lambda: self._state.store.remove(repository, tag))

    def exhaust(self, kind: LimitKind | str | None = None) -> None:
        """Let a limit be reached, by everybody, until its window has passed: ``pulls`` at Docker Hub, ``data`` at ECR Public.

        The others are ``abuse``, ``logins`` and ``api``, and ``rate``.
        """
        wanted = kind or (LimitKind.PULLS if self.persona == "docker-hub" else LimitKind.DATA)
        self._thread.do(lambda: self._state.exhaust(LimitKind(wanted)))

    def refill(self) -> None:
        """Lift every limit that was reached. The counts stay."""
        self._thread.do(self._state.refill)

    def set(self, **changes: Any) -> None:
        """Change settings, as in ``hub.set(limit=3)``. Raises :class:`UsageError` for what is none or is fixed."""
        self._thread.do(lambda: self._state.apply(changed(self._state.settings, changes)))

    def advance(self, seconds: float) -> None:
        """Move the stand-in's clock on: windows pass, tokens and links expire."""

        def move() -> None:
            self._state.offset += seconds

        self._thread.do(move)

    def password(self, account: str = "123456789012", *, seconds: float = PASSWORD_SECONDS) -> str:
        """A login password for ``AWS`` at ECR Public; with negative ``seconds`` one that has expired."""
        return self._state.mint.ecr_password(EcrToken(account, self._state.now() + seconds))


class Api(Handle):
    """The handle of a running AWS endpoint."""

    def __init__(self, thread: LoopThread, listeners: Listeners, state: ApiState, url: str) -> None:
        super().__init__(thread, listeners, state.faults, state.log)
        self._state = state
        self.url = url

    def set(self, **changes: Any) -> None:
        """Change settings, as in ``api.set(denied="sts:GetServiceBearerToken")``."""

        self._thread.do(lambda: self._state.apply(changed(self._state.settings, changes)))


def _split(name: str) -> tuple[str, str | None]:
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, None)

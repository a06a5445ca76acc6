"""The machine that is looked at: everything a check may ask, so that a check itself touches nothing else."""

from __future__ import annotations

import asyncio
import datetime
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from unhub.aws.login import Password
from unhub.aws.session import Session
from unhub.image.errors import UnhubError
from unhub.registry.credentials import LoginFile
from unhub.registry.exchange import Answer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NoReply:
    """A host that did not answer: why, what to do about it, and whether it was not even found."""

    cause: str
    hint: str | None = None
    is_unresolved: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What a host answered, and what our clock said then (UTC)."""

    answer: Answer
    at: datetime.datetime


class Web(Protocol):
    """Asks hosts; each URL once, however many checks want it."""

    async def get(self, url: str) -> Reply | NoReply:
        """The answer to a GET without a login. Never raises for the network's sake."""
        ...

    async def certificate(self, host: str, port: int) -> Certificate | NoReply:
        """The certificate that a host shows, if it is trusted."""
        ...

    def proxy(self, url: str) -> str | None:
        """The proxy for a URL, without its password; ``None`` for none."""
        ...


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that is trusted: who issued it, and until when it holds (UTC)."""

    issuer: str
    until: datetime.datetime


class Docker(Protocol):
    """docker's daemon, where this user's docker would look for it."""

    @property
    def host(self) -> str:
        """The address, as ``DOCKER_HOST`` spells it."""
        ...

    async def get(self, path: str) -> Reply | NoReply | None:
        """What its API answers; ``None`` where the address is of a kind that is not spoken here."""
        ...


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that ran: its exit status and what it wrote, cut to what helps."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Logins:
    """A file of logins and the programs that share it (``docker``, ``podman``, ``helm``), or why it cannot be read."""

    names: str
    file: LoginFile | UnhubError


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What checks ask.

    ``registries`` are base URLs of ``public.ecr.aws`` and ``docker.io``, ``control_plane`` the URL of ECR Public's API.
    ``moved`` are those that the user has put elsewhere. ``run`` gives ``None`` for a program that is not installed.
    ``session`` and ``password`` block, and raise what :mod:`unhub.aws` raises.
    """

    environment: Mapping[str, str] = field(repr=False)
    clock: Callable[[], datetime.datetime]
    web: Web
    docker: Docker
    run: Callable[[Sequence[str], float], Awaitable[Ran | None]]
    resolve: Callable[[str], Awaitable[tuple[str, ...] | NoReply]]
    logins: tuple[Logins, ...]
    session: Callable[[], Session]
    password: Callable[[], Password]
    registries: Mapping[str, str]
    control_plane: str
    moved: frozenset[str] = frozenset()
    offline: bool = False


async def in_thread(work: Callable[[], T]) -> T:
    """The result of work that blocks. A thread that is not waited for at the end: a time-out must not be held up by it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # pyright: ignore[reportArgumentType] (the result where there is no error)

    def target() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as caught:  # handed over to whoever waits
            error = caught
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            return  # the loop has ended: nobody waits any more

    threading.Thread(target=target, daemon=True).start()
    return await future

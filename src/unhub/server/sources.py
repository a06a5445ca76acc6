"""Sources of a fetcher: registries with their clients, breakers, paces and ledgers, as the settings say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from unhub.data.endpoints import builtin_endpoints
from unhub.image.digest import Digest
from unhub.image.manifest import Descriptor
from unhub.image.reference import Reference
from unhub.mirror.budget import Ledger
from unhub.mirror.pace import Pace
from unhub.mirror.source import Source
from unhub.mirror.sources import Fallback, Upstream
from unhub.registry.answers import Fetched, Head
from unhub.registry.blobs import Begun
from unhub.registry.client import RegistryClient
from unhub.registry.credential import Credentials, NoCredentials
from unhub.registry.settings import ClientSettings
from unhub.server.upstreams import FallbackSettings, UpstreamSettings

Notice = Callable[[str], None]
Clock = Callable[[], float]

LINGER: Final = 900.0
"""Seconds for which a client that was replaced finishes what it has begun."""


class AwsLogin(Protocol):
    """A login for ECR Public that is renewed from time to time."""

    async def keep(self, changed: Callable[[Credentials | None], None]) -> None:
        """Tell of every new login, and of none where AWS gives none any more; for ever."""
        ...


class Replaceable:
    """A :class:`Registry` whose client is replaced when its login is."""

    def __init__(self, settings: ClientSettings, notice: Notice) -> None:
        self._settings = settings
        self._notice = notice
        self._client = RegistryClient(settings, NoCredentials(), notice=notice)
        self._closing: set[asyncio.Task[None]] = set()

    def log_in(self, credentials: Credentials) -> None:
        """Ask with this login from now on; what is under way goes on as it began."""
        old, self._client = self._client, RegistryClient(self._settings, credentials, notice=self._notice)
        task = asyncio.ensure_future(_close_later(old))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """End every connection."""
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._client.close()

    async def head_manifest(self, reference: Reference) -> Head:
        """See the client."""
        return await self._client.head_manifest(reference)

    async def get_manifest(self, reference: Reference) -> Fetched:
        """See the client."""
        return await self._client.get_manifest(reference)

    async def head_blob(self, reference: Reference, digest: Digest) -> int:
        """See the client."""
        return await self._client.head_blob(reference, digest)

    def blob(
        self,
        reference: Reference,
        digest: Digest,
        *,
        size: int | None = None,
        begun: Begun | None = None,
        withhold: bool = True,
        on_size: Callable[[int], None] | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See the client."""
        return self._client.blob(reference, digest, size=size, begun=begun, withhold=withhold, on_size=on_size)

    def tags(self, reference: Reference) -> AsyncIterator[str]:
        """See the client."""
        return self._client.tags(reference)

    async def referrers(self, reference: Reference, digest: Digest, artifact_type: str | None = None) -> tuple[Descriptor, ...]:
        """See the client."""
        return await self._client.referrers(reference, digest, artifact_type)


async def _close_later(client: RegistryClient) -> None:
    try:
        await asyncio.sleep(LINGER)
    finally:
        await client.close()


@dataclass(frozen=True, slots=True)
class _Tools:
    """What all sources of a fetcher share."""

    ledger: Ledger
    stack: AsyncExitStack
    notice: Notice
    aws: AwsLogin | None
    clock: Clock


@asynccontextmanager
async def opened(
    settings: tuple[UpstreamSettings, ...], ledger: Ledger, *, notice: Notice, aws: AwsLogin | None, clock: Clock = time.monotonic
) -> AsyncGenerator[dict[str, Upstream]]:
    """Every upstream with its fallbacks, by alias; ``aws`` logs in to fallbacks that AWS credentials open."""
    async with AsyncExitStack() as stack:
        tools = _Tools(ledger, stack, notice, aws, clock)
        yield {one.rules.alias: await _upstream(one, tools) for one in settings}


async def _upstream(one: UpstreamSettings, tools: _Tools) -> Upstream:
    rules, clock = one.rules, tools.clock

    async def source(credentials: Credentials, credential: str) -> Source:
        client = await tools.stack.enter_async_context(RegistryClient(one.client, credentials, notice=tools.notice))
        name, place = rules.place.registry, rules.place
        return Source(name, place, client, clock=clock, pace=Pace(0, clock), ledger=tools.ledger, credential=credential)

    if one.login is None:
        main, anonymous = await source(NoCredentials(), ""), None
    else:
        main, anonymous = await source(one.login, one.login.username), await source(NoCredentials(), "")
    more = [await source(login, login.username) for login in one.more_logins]
    return Upstream(rules, main, [_fallback(each, tools) for each in one.fallbacks], anonymous, more)


def _fallback(one: FallbackSettings, tools: _Tools) -> Fallback:
    rules = one.rules
    registry = Replaceable(one.client, tools.notice)
    tools.stack.push_async_callback(registry.close)
    source = Source(rules.name, rules.place, registry, clock=tools.clock, pace=Pace(rules.rate, tools.clock))
    if tools.aws is not None and one.aws_login:
        known = builtin_endpoints()
        follows = rules.rate == known.requests_per_second(rules.place.registry, login=False)

        def changed(credentials: Credentials | None) -> None:
            registry.log_in(credentials or NoCredentials())
            source.credential = "" if credentials is None else "aws"
            if follows:  # and is no rate of the settings file's own
                source.pace.set_rate(known.requests_per_second(rules.place.registry, login=credentials is not None))

        task = asyncio.ensure_future(tools.aws.keep(changed))
        tools.stack.push_async_callback(_ended, task)
    return Fallback(rules, source)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

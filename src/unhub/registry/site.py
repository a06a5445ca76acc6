"""One registry as the client sees it: where it is, how it is logged in to, and how often it may be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from random import Random
from typing import Final

from unhub.data.endpoints import builtin_endpoints
from unhub.image.errors import AccessRefused, BadAnswer, LimitKind, RegistryError, Unreachable
from unhub.registry import redirects, tokens
from unhub.registry.addresses import WebAddress, is_loopback, is_public, literal, parse_url
from unhub.registry.auth import Authenticator
from unhub.registry.credential import Credential
from unhub.registry.exchange import Answer, Request
from unhub.registry.failures import duration, failure
from unhub.registry.limits import limit_kind, retry_after
from unhub.registry.rates import Bucket
from unhub.registry.retry import LIMITS, STATUSES, Retries
from unhub.registry.settings import ClientSettings
from unhub.registry.tokens import Token, TokenStore, TokenWanted, fetch_token
from unhub.registry.transport import Opened, Reach, Transport, Trouble, read_body

LONG_WAIT: Final = 10.0
"""Seconds; a person is told of a longer wait."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What all registries of a client share: the way to them, time, chance, and a person to tell."""

    settings: ClientSettings
    transport: Transport
    clock: Callable[[], float]
    random: Random
    sleep: Callable[[float], Awaitable[None]]
    notice: Callable[[str], None]

    def retries(self) -> Retries:
        """The attempts of one request."""
        return Retries(self.settings.attempts, self.settings.patience_seconds, self.clock, self.random)


class Site:
    """One registry; safe for many tasks at once."""

    def __init__(self, registry: str, credential: Credential | None, tools: Tools) -> None:
        settings = tools.settings
        self.registry = registry
        self.endpoint = settings.endpoint(registry)
        self.title = builtin_endpoints().title(registry)
        self.requests_sent = 0
        self._tools = tools
        self._tls = settings.tls(registry)
        listed = {host.lower() for host in settings.realms.get(registry, ())}
        if registry not in settings.endpoints:
            listed |= builtin_endpoints().realms(registry)
        self.auth = Authenticator(registry, self.endpoint, credential, realms=listed, notice=tools.notice)
        self.bucket = Bucket(settings.rate(registry, login=credential is not None), tools.clock, tools.sleep)
        self._tokens = TokenStore(self._fetch_token, tools.clock)
        self._first: asyncio.Event | None = None
        self._dead: dict[str, tuple[Trouble, float]] = {}

    def url(self, repository: str, rest: str) -> str:
        """The URL of something of a repository: ``manifests/latest``, ``tags/list``."""
        return f"{self.endpoint}/v2/{repository}/{rest}"

    def retries(self) -> Retries:
        """The attempts of one request."""
        return self._tools.retries()

    async def sleep(self, seconds: float) -> None:
        """Wait, as the client's user has it."""
        await self._tools.sleep(seconds)

    async def close(self) -> None:
        """End what is under way."""
        await self._tokens.close()

    async def ask(self, request: Request, repository: str, *, action: str, size_max: int | None) -> Answer:
        """Send a request to the registry, logged in as it asks, and follow where it leads.

        The answer is returned whatever its status is; with a ``size_max`` of ``None`` it is an :class:`Opened` one, to be
        closed. ``action`` completes "cannot …" in errors. Raises the :class:`RegistryError` tree.
        """
        address = parse_url(request.url)
        for _ in range(redirects.HOPS_MAX + 1):
            if address.origin == self.endpoint.origin:
                answer = await self._logged_in(request, repository, action, size_max)
            else:
                answer = await self._send(request, action, size_max, self._elsewhere())
            location = answer.header("location")
            if answer.status not in redirects.STATUSES or location is None:
                return answer
            close(answer)
            address = self._follow(address, location, action)
            request = replace(request, url=str(address))
        raise BadAnswer(f"cannot {action} at {self.title}: it redirects more than {redirects.HOPS_MAX} times", host=self.endpoint.netloc)

    def refused(self, answer: Answer, action: str) -> RegistryError:
        """The error that an answer means."""
        close(answer)
        own = answer.host == self.endpoint.netloc
        place = self.title if own else f"{answer.host} (where {self.title} led)"
        return failure(answer, action=action, place=place, host=answer.host, secrets=self._secrets(), hint=self.login_hint())

    def login_hint(self) -> str:
        """What to do about refused access, by the login that was used."""
        if self.auth.refused is not None:
            return f"The stored login ({self.auth.refused.source}) was refused; log in anew: `docker login {self.registry}`"
        if self.auth.credential is not None:
            return f"It is private, misspelt, or not for this login ({self.auth.credential.source})"
        return f"It is private or misspelt; `docker login {self.registry}` for a private one"

    @property
    def is_private(self) -> bool:
        """Whether the registry is on this machine or in a private network: all of its addresses are, as far as they are known.

        One that also has a public address counts as public, or it could point us at a private one at any time.
        """
        if is_loopback(self.endpoint.host):
            return True
        number = literal(self.endpoint.host)
        addresses = (str(number),) if number is not None else self._tools.transport.seen.get(self.endpoint.host, ())
        parsed = [ip_address(address.partition("%")[0]) for address in addresses]
        return bool(parsed) and not any(is_public(address) for address in parsed)

    def _secrets(self) -> tuple[str, ...]:
        found = (self.auth.credential, self.auth.refused)
        secrets = [text for login in found if login is not None for text in (login.secret, tokens.basic(login).partition(" ")[2])]
        return (*secrets, *self._tokens.values())

    def _elsewhere(self) -> Reach:
        return Reach.PRIVATE if self.is_private else Reach.PUBLIC

    def _follow(self, current: WebAddress, location: str, action: str) -> WebAddress:
        try:
            return redirects.next_address(current, location, registry_is_private=self.is_private)
        except ValueError as error:
            raise BadAnswer(
                f"cannot {action} at {self.title}: it redirects to a place that is not followed ({error})", host=self.endpoint.netloc
            ) from None

    async def _logged_in(self, request: Request, repository: str, action: str, size_max: int | None) -> Answer:
        """Drive the conversation about the login; the first request of all finds out how, and the others wait for that."""
        if self.auth.known or self._first is not None:
            if self._first is not None:
                await self._first.wait()
            return await self._converse(request, repository, action, size_max)
        self._first = asyncio.Event()
        try:
            return await self._converse(request, repository, action, size_max)
        finally:
            self._first.set()

    async def _converse(self, request: Request, repository: str, action: str, size_max: int | None) -> Answer:
        conversation = self.auth.exchange(request, repository)
        try:
            step = next(conversation)
            while True:
                try:
                    if isinstance(step, TokenWanted):
                        result = await self._tokens.get(step)
                    else:
                        result = await self._send(step, action, size_max, Reach.ANY)
                except RegistryError as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(result)
                    if isinstance(result, Opened):
                        result.close()
        except StopIteration as end:
            return end.value

    async def _fetch_token(self, wanted: TokenWanted) -> Token:
        conversation = fetch_token(wanted)
        reach = Reach.ANY if parse_url(wanted.realm).host == self.endpoint.host else self._elsewhere()
        try:
            step = next(conversation)
            while True:
                step = conversation.send(await self._send(step, "get a token", tokens.BODY_MAX, reach))
        except StopIteration as end:
            return end.value
        except AccessRefused as error:
            error.hint = error.hint or self.login_hint()
            raise

    async def _send(self, request: Request, action: str, size_max: int | None, reach: Reach) -> Answer:
        """Send one request as often as it is worth it; whatever is answered at last is returned."""
        address = parse_url(request.url)
        own = address.netloc == self.endpoint.netloc
        retries = self.retries()
        while True:
            self._check_alive(address.netloc, action)
            if own:
                self.bucket.rate = self._tools.settings.rate(self.registry, login=self.auth.credential is not None)
                await self.bucket.take()
                self.requests_sent += not self._tools.settings.offline
            try:
                answer = await self._once(request, size_max, reach)
            except Trouble as trouble:
                wait = retries.next_wait() if trouble.is_transient else None
                if wait is None:
                    if trouble.is_dead:
                        self._dead[address.netloc] = trouble, self._tools.clock() + self._tools.settings.connect_seconds
                    raise self.failed(trouble, action, address.netloc) from None
            else:
                wait = self._wait(answer, retries, own)
                if wait is None:
                    return answer
                close(answer)
            await self._tools.sleep(wait)

    def _check_alive(self, host: str, action: str) -> None:
        """Do not wait again for a host that nobody could connect to just now; hundreds of requests may want to."""
        trouble, until = self._dead.get(host, (None, 0.0))
        if trouble is not None and self._tools.clock() < until:
            raise self.failed(trouble, action, host)

    async def _once(self, request: Request, size_max: int | None, reach: Reach) -> Answer:
        transport = self._tools.transport
        if size_max is not None:
            return await transport.read(request, reach=reach, tls=self._tls, size_max=size_max)
        opened = await transport.open(request, reach=reach, tls=self._tls)
        return opened if opened.status in (200, 206) else await _with_body(opened)

    def _wait(self, answer: Answer, retries: Retries, own: bool) -> float | None:
        """Seconds until a request is sent anew after an answer; ``None`` where the answer counts."""
        asked = retry_after(answer)
        if answer.status in STATUSES:
            return retries.next_wait(asked)
        if answer.status != 429 or (kind := limit_kind(answer)) not in LIMITS:
            return None
        if self._tools.settings.attempts == 1:  # whoever asks once decides itself when to ask again
            return None
        asked = builtin_endpoints().pause_seconds(kind) if asked is None else asked
        wait = retries.next_wait(asked)
        if wait is not None and wait >= LONG_WAIT and not self.bucket.is_paused:
            self._tools.notice(f"{self.title} asks for a pause of {duration(wait)}")
        if (own or kind is LimitKind.ABUSE) and (pause := wait if asked is None else asked) is not None:
            self.bucket.pause(pause)
        return wait

    def failed(self, trouble: Trouble, action: str, host: str) -> RegistryError:
        """The error for a request that brought no answer."""
        place = self.title if host == self.endpoint.netloc else host
        kind = BadAnswer if trouble.is_protocol else Unreachable
        return kind(f"cannot {action} at {place}: {trouble.cause}", host=host, hint=trouble.hint)


def close(answer: Answer) -> None:
    """Close an answer that is still open."""
    if isinstance(answer, Opened):
        answer.close()


async def _with_body(opened: Opened) -> Answer:
    """An answer that is no content, with as much of its body as helps."""
    try:
        return Answer(opened.status, opened.headers, await read_body(opened, 0), opened.host)
    finally:
        opened.close()

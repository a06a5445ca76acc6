"""A client of any OCI registry: what it serves under a name, with every digest checked.

Protocol: OCI distribution specification 1.1. Docker Hub counts a GET of a manifest as a pull, HEAD and blobs not
(docker-hub.md, 3.3); so HEAD never becomes GET here.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from random import Random
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

import msgspec

from unhub.image.digest import Digest
from unhub.image.errors import BadAnswer, CredentialsError, InvalidDigest, NotFound, RegistryError
from unhub.image.manifest import ACCEPTED, OCI_INDEX, SIZE_MAX, Descriptor, InvalidManifest, Manifest
from unhub.image.reference import DOCKER_HUB, Reference
from unhub.registry.addresses import WebAddress, is_loopback, parse_url
from unhub.registry.answers import Budget, Fetched, Head
from unhub.registry.blobs import Begun, stream_blob
from unhub.registry.credential import Credential, Credentials
from unhub.registry.exchange import Answer, Request
from unhub.registry.limits import budget
from unhub.registry.links import next_page
from unhub.registry.realms import same_owner
from unhub.registry.settings import ClientSettings, registry_of
from unhub.registry.site import Site, Tools
from unhub.registry.transport import Transport

__all__ = ["ClientSettings", "RegistryClient"]

MANIFEST_MAX: Final = SIZE_MAX + 64 * 1024
PAGE_MAX: Final = 8 * 1024 * 1024
"""Bytes of one page of tags; registries without pages send all of them at once."""

PAGES_MAX: Final = 10_000
PAGE_SIZE: Final = 1000
"""Tags asked for at a time; ECR refuses more (ecr-public.md, 2.6)."""

_NO_REFERRERS: Final = frozenset({404, 405, 501})
"""What registries answer that have no API of referrers."""

_ACCEPT: Final = {"Accept": ", ".join(ACCEPTED)}
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class _Tags(msgspec.Struct, frozen=True):
    tags: tuple[str, ...] | None = None


class RegistryClient:
    """An asynchronous context manager; any number of tasks of one event loop may use it at once.

    ``credentials`` is asked in a thread, once a registry. ``notice`` gets sentences for people, each once. Every method
    raises the :class:`RegistryError` tree; :class:`UsageError` where the settings do not fit together.
    """

    def __init__(
        self,
        settings: ClientSettings,
        credentials: Credentials,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        notice: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        settings.check()
        self.settings = settings
        self._credentials = credentials
        self._tools = Tools(settings, Transport(settings), clock, random or Random(), sleep, notice)  # noqa: S311 (spreads retries)
        self._sites: dict[str, asyncio.Task[Site]] = {}
        self._budgets: dict[str, Budget] = {}
        self._counted: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection and end what is under way."""
        for task in self._sites.values():
            if not task.done():
                task.cancel()
        for site in await asyncio.gather(*self._sites.values(), return_exceptions=True):
            if isinstance(site, Site):
                await site.close()
        await self._tools.transport.close()

    @property
    def requests_sent(self) -> Mapping[str, int]:
        """Requests that each registry was sent, for the summary; those to other hosts (tokens, CDN) are not in it."""
        return {site.registry: site.requests_sent for site in self._opened()}

    @property
    def manifests_got(self) -> Mapping[str, int]:
        """Manifests that were fetched by GET from each registry: what Docker Hub counts as pulls."""
        return dict(self._counted)

    @property
    def budgets(self) -> Mapping[str, Budget]:
        """What each registry last said of its pull limit."""
        return dict(self._budgets)

    def seconds_for(self, registry: str, requests: int) -> float:
        """At least how long so many more requests to a registry take at the rate that it allows."""
        for site in self._opened():
            if site.registry == registry:
                return site.bucket.estimate(requests)
        rate = self.settings.rate(registry, login=False)
        return max(requests - 1, 0) / rate if rate else 0.0

    async def head_manifest(self, reference: Reference) -> Head:
        """What a tag or digest points at, by HEAD: costs no pull, and never becomes GET.

        Raises :class:`BadAnswer` where the registry does not answer HEAD as it must.
        """
        site, action = await self._site(reference), _read(reference)
        answer = await self._ask(site, reference, "HEAD", action)
        if answer.status == 405:
            raise _bad(site, action, "it does not answer HEAD (405)")
        self._check_status(site, answer, action)
        said = _said_digest(site, answer, action)
        if said is None:
            raise _bad(site, action, "it does not say the digest (Docker-Content-Digest) when asked by HEAD")
        if reference.digest is not None and reference.digest != str(said):
            raise _bad(site, action, f"it has another digest under that name, {said}")
        length = answer.header("content-length") or ""
        size = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None
        return Head(said, answer.media_type, size, budget(answer))

    async def get_manifest(self, reference: Reference) -> Fetched:
        """The manifest or index itself, its digest verified. A pull by Docker Hub's count.

        Raises :class:`BadAnswer` for a manifest that is none, or has another digest than was asked for or said.
        """
        site, action = await self._site(reference), _read(reference)
        answer = await self._ask(site, reference, "GET", action)
        self._check_status(site, answer, action)
        self._counted[site.registry] = self._counted.get(site.registry, 0) + 1
        said = _said_digest(site, answer, action)
        asked = Digest.parse(reference.digest) if reference.digest else None
        try:
            manifest = Manifest.parse(answer.body, answer.media_type, algorithm=(asked or said or _SHA256).algorithm)
        except (InvalidManifest, InvalidDigest) as error:
            raise _bad(site, action, f"what it answered is no manifest ({error.reason})") from None
        if asked is not None and manifest.digest != asked:
            raise _bad(site, action, f"its content has another digest, {manifest.digest}")
        if said is not None and said.algorithm == manifest.digest.algorithm and said != manifest.digest:
            raise _bad(site, action, f"it says the digest is {said}, and its content has {manifest.digest}")
        return Fetched(manifest, budget(answer))

    def blob(
        self,
        reference: Reference,
        digest: Digest,
        *,
        size: int | None = None,
        begun: Begun | None = None,
        withhold: bool = True,
        on_size: Callable[[int], None] | None = None,
    ) -> contextlib.AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A blob in pieces: ``async with client.blob(reference, digest) as chunks: async for chunk in chunks: …``.

        Taken up by Range where it breaks off. The last piece comes only when the digest of everything is right;
        else :class:`BadAnswer` is raised in its place. ``size`` is what the descriptor says; ``begun`` is what is
        here already; without ``withhold`` the last piece comes at once, and the error after it. ``on_size`` is told the
        size once it is known.
        """

        async def pieces() -> AsyncGenerator[bytes]:
            site = await self._site(reference)
            stream = stream_blob(site, reference.repository, digest, size, begun=begun, withhold=withhold, on_size=on_size)
            async with contextlib.aclosing(stream) as chunks:
                async for chunk in chunks:
                    yield chunk

        return contextlib.aclosing(pieces())

    async def read_blob(self, reference: Reference, digest: Digest, *, size_max: int) -> bytes:
        """A whole small blob, a configuration say; raises :class:`BadAnswer` where it has more than ``size_max`` bytes."""
        data = bytearray()
        async with self.blob(reference, digest) as chunks:
            async for chunk in chunks:
                data += chunk
                if len(data) > size_max:
                    site = await self._site(reference)
                    raise _bad(site, f"read the blob {str(digest)[:19]} of {reference.repository}", f"it has more than {size_max} bytes")
        return bytes(data)

    async def head_blob(self, reference: Reference, digest: Digest) -> int:
        """The size of a blob in bytes, by HEAD. Raises :class:`NotFound` where there is none."""
        site = await self._site(reference)
        action = f"find the blob {str(digest)[:19]} of {reference.repository}"
        request = Request("HEAD", site.url(reference.repository, f"blobs/{digest}"))
        answer = await site.ask(request, reference.repository, action=action, size_max=0)
        self._check_status(site, answer, action)
        length = answer.header("content-length") or ""
        if not (length.isascii() and length.isdigit()) or len(length) > 18:
            raise _bad(site, action, "it does not say its size when asked by HEAD")
        return int(length)

    async def tags(self, reference: Reference) -> AsyncIterator[str]:
        """Every tag of a repository, page by page, as the registry orders them."""
        site = await self._site(reference)
        action = f"list the tags of {_name(reference)}"
        address = parse_url(site.url(reference.repository, f"tags/list?n={PAGE_SIZE}"))
        async for answer in self._pages(site, reference, address, action):
            try:
                page = msgspec.json.decode(answer.body, type=_Tags)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                raise _bad(site, action, "what it answered is no list of tags") from None
            for tag in page.tags or ():
                if not _TAG.fullmatch(tag):
                    raise _bad(site, action, "its list has something that is no tag")
                yield tag

    async def referrers(self, reference: Reference, digest: Digest, artifact_type: str | None = None) -> tuple[Descriptor, ...]:
        """What is attached to an image: signatures, bills of materials. Empty where nothing is.

        A registry without that API is asked for the tag ``sha256-…`` that tools push then (distribution
        specification, "Referrers Tag Schema"): by HEAD first, so that Docker Hub counts a pull only where it is there.
        """
        site = await self._site(reference)
        action = f"list what is attached to {_name(reference)}"
        query = f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
        address = parse_url(site.url(reference.repository, f"referrers/{digest}{query}"))
        found: list[Descriptor] = []
        try:
            async for answer in self._pages(site, reference, address, action):
                found += _index(site, answer, action)
        except RegistryError as error:
            if error.status not in _NO_REFERRERS:
                raise
            found = await self._tagged_referrers(reference, digest)
        return tuple(row for row in found if artifact_type is None or row.artifact_type == artifact_type)

    async def _tagged_referrers(self, reference: Reference, digest: Digest) -> list[Descriptor]:
        tagged = Reference(reference.registry, reference.repository, f"{digest.algorithm[:32]}-{digest.encoded[:64]}")
        try:
            await self.head_manifest(tagged)
            return list((await self.get_manifest(tagged)).manifest.children)
        except NotFound:
            return []

    async def _ask(self, site: Site, reference: Reference, method: str, action: str) -> Answer:
        which = reference.digest or reference.tag or "latest"
        request = Request(method, site.url(reference.repository, f"manifests/{which}"), _ACCEPT)
        answer = await site.ask(request, reference.repository, action=action, size_max=MANIFEST_MAX)
        if (told := budget(answer)) is not None:
            self._budgets[site.registry] = told
        return answer

    async def _pages(self, site: Site, reference: Reference, address: WebAddress, action: str) -> AsyncGenerator[Answer]:
        """Every page of a list; the same page twice, or a page elsewhere, is refused."""
        seen: set[str] = set()
        following: WebAddress | None = address
        while following is not None:
            if str(following) in seen or len(seen) >= PAGES_MAX:
                raise _bad(site, action, "its pages do not end")
            seen.add(str(following))
            request = Request("GET", str(following), {"Accept": f"application/json, {OCI_INDEX}"})
            answer = await site.ask(request, reference.repository, action=action, size_max=PAGE_MAX)
            self._check_status(site, answer, action)
            try:
                following = next_page(answer.all("link"), following)
            except ValueError as error:
                raise _bad(site, action, str(error)) from None
            yield answer

    def _check_status(self, site: Site, answer: Answer, action: str) -> None:
        if answer.status != 200:
            raise site.refused(answer, action)
        if answer.is_web_page:
            raise _bad(site, action, "it answered with a web page: a portal, a firewall or a proxy may stand in between")

    async def _site(self, reference: Reference) -> Site:
        """The registry of a reference, set up once."""
        registry = registry_of(reference)
        task = self._sites.get(registry)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._sites[registry] = asyncio.ensure_future(self._open_site(registry))
        return await asyncio.shield(task)

    async def _open_site(self, registry: str) -> Site:
        return Site(registry, await self._login(registry), self._tools)

    async def _login(self, registry: str) -> Credential | None:
        """The stored login for a registry; a store that cannot be read is said, and nobody is logged in then."""
        if self.settings.offline:
            return None
        name = _login_name(registry, self.settings)
        try:
            return await asyncio.to_thread(self._credentials.find, name)
        except CredentialsError as error:
            self._tools.notice(f"{error}; going on without a login for {registry}")
            return None

    def _opened(self) -> list[Site]:
        done = (task for task in self._sites.values() if task.done() and not task.cancelled() and task.exception() is None)
        return [task.result() for task in done]


_SHA256: Final = Digest("sha256", "")


def _login_name(registry: str, settings: ClientSettings) -> str:
    """Under which name a login is looked for.

    A registry whose endpoint was put elsewhere has that host's own login, so that a settings file in a repository
    cannot send a login for Docker Hub to a stranger. The registry's own domain is none, nor is this machine where the
    user, and not such a file, named it.
    """
    if registry not in settings.endpoints:
        return registry
    address = settings.endpoint(registry)
    own = "registry-1.docker.io" if registry == DOCKER_HUB else registry.rpartition(":")[0] or registry
    trusted = same_owner(address.host, own) or (is_loopback(address.host) and registry not in settings.untrusted)
    return registry if trusted else address.netloc


def _name(reference: Reference) -> str:
    return reference.familiar_name if reference.is_docker_hub else reference.repository


def _read(reference: Reference) -> str:
    return f"read {_name(reference)}{reference.suffix or ':latest'}"


def _bad(site: Site, action: str, cause: str) -> RegistryError:
    return BadAnswer(f"cannot {action} at {site.title}: {cause}", host=site.endpoint.netloc, status=None)


def _said_digest(site: Site, answer: Answer, action: str) -> Digest | None:
    said = answer.header("docker-content-digest")
    if not said:
        return None
    try:
        return Digest.parse(said.strip())
    except InvalidDigest as error:
        raise _bad(site, action, f"the digest that it says is none ({error.reason})") from None


def _index(site: Site, answer: Answer, action: str) -> tuple[Descriptor, ...]:
    try:
        manifest = Manifest.parse(answer.body, answer.media_type)
    except (InvalidManifest, InvalidDigest) as error:
        raise _bad(site, action, f"what it answered is no index ({error.reason})") from None
    if not manifest.is_index:
        raise _bad(site, action, "what it answered is no index")
    return manifest.children

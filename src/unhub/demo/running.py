"""Stand-ins that run in a thread of their own, and the handles to look into them and to command them.

::

    with running(HubSettings(limit=2)) as hub:
        ...                              # ask hub.url
        hub.counts.total, hub.requests   # what was asked
        hub.fault("html", path="*/manifests/*", count=3)
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from unhub.demo import catalogue
from unhub.demo.cdn import ContentNetwork
from unhub.demo.control import Control, api_actions, changed, hub_actions
from unhub.demo.docker_hub import TOKEN_PATH, DockerHub, DockerHubTokens
from unhub.demo.docker_hub_api import DockerHubApi
from unhub.demo.ecr_public import TOKEN_PATH as ECR_TOKEN_PATH
from unhub.demo.ecr_public import EcrPublic
from unhub.demo.ecr_public_api import PASSWORD_SECONDS, ApiSettings, ApiState, EcrPublicApi
from unhub.demo.edge import Edge, Speed, Stage
from unhub.demo.exchange import Service, Site
from unhub.demo.faults import Fault, FaultKind, Faults
from unhub.demo.images import Image
from unhub.demo.limits import Counts
from unhub.demo.listeners import Listeners, tls_context
from unhub.demo.settings import OTHER_LOOPBACK, HubSettings, Persona
from unhub.demo.state import Record, State
from unhub.demo.tokens import PROCESS_KEY, EcrToken, Mint
from unhub.image.errors import LimitKind, UsageError

T = TypeVar("T")
Notice = Callable[[Record], None]
"""Is told of every request, in the stand-in's thread."""

SECONDS_TO_ANSWER = 30
"""How long a command of the handle may take; longer means that the stand-in hangs."""


class _Thread:
    """A thread with a loop. What the handle wants is done in it, so that nothing needs a lock."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS_TO_ANSWER)

    def do(self, work: Callable[[], T]) -> T:
        """Call something in the loop's thread and return what it returns, or raise what it raises."""
        done: concurrent.futures.Future[T] = concurrent.futures.Future()

        def call() -> None:
            try:
                done.set_result(work())
            except Exception as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(call)
        return done.result(SECONDS_TO_ANSWER)

    def end(self) -> None:
        """Stop the loop and wait for the thread."""
        self.run(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS_TO_ANSWER)
        self._loop.close()

    async def _finish(self) -> None:
        own = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks() if task is not own]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()


class _Handle:
    """What all handles can: look at the requests, arm faults, close ports."""

    def __init__(self, thread: _Thread, listeners: Listeners, faults: Faults, log: Any) -> None:
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


class Hub(_Handle):
    """The handle of a running Docker Hub or ECR Public."""

    def __init__(self, thread: _Thread, listeners: Listeners, state: State) -> None:
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


class Api(_Handle):
    """The handle of a running AWS endpoint."""

    def __init__(self, thread: _Thread, listeners: Listeners, state: ApiState, url: str) -> None:
        super().__init__(thread, listeners, state.faults, state.log)
        self._state = state
        self.url = url

    def set(self, **changes: Any) -> None:
        """Change settings, as in ``api.set(denied="sts:GetServiceBearerToken")``."""

        self._thread.do(lambda: self._state.apply(changed(self._state.settings, changes)))


@contextmanager
def running(
    settings: HubSettings | None = None, *, clock: Callable[[], float] = time.time, key: bytes = PROCESS_KEY, notice: Notice | None = None
) -> Generator[Hub]:
    """A Docker Hub or an ECR Public for as long as the body runs. Raises :class:`UsageError` where a port cannot be had."""
    settings = settings or HubSettings()
    listeners = Listeners(tls_context(settings.certificate, settings.key))
    state = State(settings, clock, Mint(key))
    state.apply(settings)
    state.store.fill(_images(settings))
    with _threaded(f"demo {settings.persona}", listeners) as thread:
        thread.run(_open(state, listeners, notice))
        yield Hub(thread, listeners, state)


@contextmanager
def running_api(
    settings: ApiSettings | None = None, *, clock: Callable[[], float] = time.time, key: bytes = PROCESS_KEY, notice: Notice | None = None
) -> Generator[Api]:
    """The AWS endpoint for as long as the body runs; the passwords it gives out open every ECR Public of the same key."""
    settings = settings or ApiSettings()
    listeners = Listeners(tls_context(settings.certificate, settings.key))
    state = ApiState(settings, clock, Mint(key))
    with _threaded("demo ecr-public-api", listeners) as thread:
        speed = Speed(lambda: state.settings.latency, _unlimited, _unlimited)
        service = Control(EcrPublicApi(state), settings.control_token, api_actions(state, listeners.request))
        edge = Edge(Site.API, service, state, speed, notice)
        url = thread.run(listeners.open(Site.API, edge.handle, settings.host, settings.port))
        yield Api(thread, listeners, state, url)


@contextmanager
def _threaded(name: str, listeners: Listeners) -> Generator[_Thread]:
    thread = _Thread(name)
    try:
        yield thread
    finally:
        try:
            thread.run(listeners.close())
        finally:
            thread.end()


async def _open(state: State, listeners: Listeners, notice: Notice | None) -> None:
    settings = state.settings
    speed = Speed(lambda: state.settings.latency, lambda: state.settings.bandwidth, lambda: state.settings.connection_bandwidth)
    stage: Stage = state

    async def start(site: Site, service: Service, host: str, port: int) -> None:
        state.urls[site] = await listeners.open(site, Edge(site, service, stage, speed, notice).handle, host, port)

    hub = settings.persona == "docker-hub"
    registry = DockerHub(state) if hub else EcrPublic(state)
    control = Control(registry, settings.control_token, hub_actions(state, listeners.request))
    await start(Site.REGISTRY, control, settings.host, settings.port)
    if hub:
        await start(Site.TOKEN, DockerHubTokens(state), settings.host, settings.token_port)
        await start(Site.API, DockerHubApi(state), settings.host, settings.api_port)
    content = Edge(Site.CDN, ContentNetwork(state), stage, speed, notice)
    state.urls[Site.CDN] = await _content_network(listeners, content, settings)


async def _content_network(listeners: Listeners, content: Edge, settings: HubSettings) -> str:
    """Another host than the registry's: 127.0.0.2, or, where the machine has no such address, ``localhost``."""
    try:
        return await listeners.open(Site.CDN, content.handle, settings.cdn_host, settings.cdn_port)
    except UsageError:
        if settings.cdn_host != OTHER_LOOPBACK:
            raise
    url = await listeners.open(Site.CDN, content.handle, "127.0.0.1", settings.cdn_port)
    return url.replace("127.0.0.1", "localhost")


def _images(settings: HubSettings) -> tuple[catalogue.Entry, ...]:
    if settings.images is not None:
        return tuple(settings.images)
    return (catalogue.docker_hub if settings.persona == "docker-hub" else catalogue.ecr_public)(settings.busybox)


def _split(name: str) -> tuple[str, str | None]:
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, None)


def _unlimited() -> float | None:
    return None

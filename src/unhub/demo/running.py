"""Stand-ins that run in a thread of their own for as long as a ``with`` block does.

::

    with running(HubSettings(limit=2)) as hub:
        ...                              # ask hub.url
        hub.counts.total, hub.requests   # what was asked
        hub.fault("html", path="*/manifests/*", count=3)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from unhub.demo import catalogue
from unhub.demo.cdn import ContentNetwork
from unhub.demo.control import Control, api_actions, hub_actions
from unhub.demo.docker_hub import DockerHub, DockerHubTokens
from unhub.demo.docker_hub_api import DockerHubApi
from unhub.demo.ecr_public import EcrPublic
from unhub.demo.ecr_public_api import ApiSettings, ApiState, EcrPublicApi
from unhub.demo.edge import Edge, Speed, Stage
from unhub.demo.exchange import Service, Site
from unhub.demo.handles import Api, Hub
from unhub.demo.listeners import Listeners, tls_context
from unhub.demo.settings import OTHER_LOOPBACK, HubSettings
from unhub.demo.state import Record, State
from unhub.demo.thread import LoopThread
from unhub.demo.tokens import PROCESS_KEY, Mint
from unhub.image.errors import UsageError

__all__ = ["Api", "Hub", "running", "running_api"]

Notice = Callable[[Record], None]
"""Is told of every request, in the stand-in's thread."""


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
def _threaded(name: str, listeners: Listeners) -> Generator[LoopThread]:
    thread = LoopThread(name)
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


def _unlimited() -> float | None:
    return None

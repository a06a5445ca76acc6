"""The ASGI app of a worker, and the only place where its parts are put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from unhub.data.terms import TermsData
from unhub.mirror.buckets import Buckets
from unhub.mirror.memory import Memory
from unhub.mirror.names import Mode
from unhub.mirror.pull import Pull
from unhub.mirror.push import Push
from unhub.mirror.registries import KnownRegistries
from unhub.server.allowance import Allowance
from unhub.server.callers import Callers
from unhub.server.control_plane.hosts import ANY, Endpoint
from unhub.server.counters import Counters, Slot, by_outcome
from unhub.server.crowd import FILES_MAX, Crowd, open_files
from unhub.server.distribution.app import Distribution
from unhub.server.doors import doors_of
from unhub.server.fetcher_client import FetcherClient
from unhub.server.identity_services import IdentityServices
from unhub.server.metering import Metering, is_manifest
from unhub.server.note import Note
from unhub.server.operations.actions import Actions
from unhub.server.operations.app import OperationsApp
from unhub.server.operations.usage import UsageActions
from unhub.server.operator_pages import Figures, OperatorPages
from unhub.server.pushing import push_rules, push_words
from unhub.server.record import Recorder
from unhub.server.request_log import RequestLog
from unhub.server.settings import ServeSettings
from unhub.server.stores import Stores
from unhub.server.traces import Traced, tracer
from unhub.server.watch import Watcher

if TYPE_CHECKING:
    from unhub.server.control_plane.app import ControlPlane

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

LOGOS: Final = "/logo/"
"""Where the logos of repositories are (:mod:`unhub.server.control_plane.logos`), in the mode that has them."""

FLUSH: Final = 1.0
HOLD_MARGIN: Final = 10.0
"""Seconds beyond the longest hold after which a fetcher that does not answer is no longer waited for."""

UPLOAD_LEFT: Final = 86_400.0
"""Seconds after which an upload that nobody goes on with is thrown away."""


class Apps(NamedTuple):
    """Who answers at the usual sockets, and who at those of ECR Public's API."""

    main: AsgiApp
    api: AsgiApp


class App:
    """Answers every request: ``/v2/`` by the registry, ``/token`` by its tokens, ``/_unhub/`` by the operators' API.

    The rest is for :class:`OperatorPages`. What names a host of AWS's API is for the ``control_plane``, where there is one.
    """

    def __init__(
        self,
        registry: Distribution,
        tokens: AsgiApp,
        pages: OperatorPages,
        operations: AsgiApp,
        *,
        callers: Callers,
        metering: Metering,
        slot: Slot,
        log: RequestLog | None,
        control_plane: ControlPlane | None = None,
    ) -> None:
        self._registry = registry
        self._tokens = tokens
        self._pages = pages
        self._operations = operations
        self._control_plane = control_plane
        self._note = callers.note
        self._metering = metering
        self._slot = slot
        self._log = log

    def at_once(self, scope: Scope, send: Send) -> bool:
        """Answer a request for which nothing has to be waited for, without a task of its own; ``False`` where it is none."""
        if scope["type"] != "http" or (self._control_plane is not None and self._control_plane.endpoint(scope) is not None):
            return False
        began = time.perf_counter()
        note = self._note(scope)
        if not self._registry.at_once(scope, send, note):
            return False
        self._answered(scope, note, time.perf_counter() - began, manifest=True)
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI 3)."""
        await self._serve(scope, receive, send, None)

    async def api(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request at a socket of the API's own."""
        await self._serve(scope, receive, send, ANY)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, endpoint: Endpoint | None) -> None:
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        note = scope["unhub.note"] = self._note(scope)
        path: str = scope["path"]
        control_plane = self._control_plane
        endpoint = (control_plane.endpoint(scope) or endpoint) if control_plane else None
        try:
            if control_plane is not None and endpoint is not None:
                await control_plane(endpoint, scope, receive, _noting(send, note))
            elif control_plane is not None and path.startswith(LOGOS):
                await control_plane.logo(scope, receive, _noting(send, note))
            elif path.startswith("/v2/") or path == "/v2":
                await self._registry(scope, receive, send)
            elif path in ("/token", "/token/"):
                await self._tokens(scope, receive, _noting(send, note))
            elif path.startswith("/_unhub/"):
                await self._operations(scope, receive, _noting(send, note))
            else:
                await self._pages(scope, receive, _noting(send, note))
        finally:
            self._answered(scope, note, time.perf_counter() - began, manifest=is_manifest(path))

    def _answered(self, scope: Scope, note: Note, seconds: float, *, manifest: bool) -> None:
        self._slot.answered(note, seconds)
        self._metering.answered(note, scope["method"], manifest=manifest)
        if self._log is not None:
            self._log.answered(scope["method"], scope["path"], note, seconds)


def _noting(send: Send, note: Note) -> Send:
    """A ``send`` that notes status and size, for apps that do not do so themselves."""

    async def noting(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            note.status = message["status"]
        elif message["type"] == "http.response.body":
            note.bytes += len(message.get("body", b""))
        await send(message)

    return noting


@asynccontextmanager
async def opened(
    settings: ServeSettings,
    counters: Counters,
    slot: int,
    *,
    token: str,
    reload: Callable[[], None],
    buckets: Buckets | None = None,
    chores: bool = True,
    log_to: int = 1,
) -> AsyncGenerator[Apps]:
    """The apps of one worker with its background work; everything is written and closed at the end of the block.

    ``token`` opens the operators' API, ``reload`` checks the settings and has them applied, ``log_to`` is a file descriptor.
    ``buckets`` are those that all workers share; ``chores`` says whether this one also throws away what is left over.
    """
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(Stores.open(settings))
        metadata, blobs = stores.metadata, stores.blobs
        log = RequestLog(log_to) if settings.request_log else None
        if log is not None:
            stack.callback(log.close)
        memory = Memory()
        identities = await IdentityServices.open(
            settings.data, metadata.identity, now=time.time, facts=settings.facts, reserved=settings.pulled_through
        )
        registries = KnownRegistries(metadata.identity.accounts, settings.pulled_through)
        watcher = Watcher(metadata, memory, followers=(identities, registries))
        await watcher.start()
        metering = Metering(stores.metadata.identity.meters, counters.slot(slot), counts_head=settings.terms.allowances.counts_head)
        stack.push_async_callback(metering.flush)
        allowance = _allowance(settings, metering, buckets or Buckets(), counters.slot(slot))
        patience = max((one.rules.hold for one in settings.upstreams), default=0.0) + HOLD_MARGIN
        fetcher = FetcherClient(settings.socket, blobs, patience=patience)
        stack.push_async_callback(fetcher.close)
        recorder = Recorder(metadata.pulls)
        stack.push_async_callback(recorder.flush)
        rules = {one.rules.alias: one.rules for one in settings.upstreams}
        pull = Pull(metadata, blobs, rules, fetcher, memory, now=time.time)
        words = push_words(settings)
        push = Push(metadata, blobs, settings.data / "uploads", memory, push_rules(settings), now=time.time, words=words)
        crowd = Crowd(lambda: open_files(settings.data / "blobs", FILES_MAX))
        doors = doors_of(settings, identities, metadata.identity, registries, hears=lambda: watcher.hears)
        registry = Distribution(
            pull, push, blobs, doors.names, access=doors.access, recorder=recorder, enter=crowd.enter, allowance=allowance
        )
        figures = Figures(counters, fetcher, metadata, recorder)
        pages = OperatorPages(watcher, metadata, figures, token=None if settings.open_metrics else token)
        actions = Actions(metadata, blobs, fetcher.operate, lambda: settings.names, now=time.time)

        def answers() -> dict[str, int]:
            return by_outcome(counters.totals())

        meters, data = stores.metadata.identity.meters, TermsData(settings.facts)
        used = UsageActions(meters, settings.terms.allowances, data, flush=metering.flush, now=time.time)
        operations = OperationsApp(
            actions,
            fetcher.operate,
            token=token,
            answers=answers,
            reload=reload,
            open_status=settings.open_metrics,
            more={**identities.actions.routes, **used.routes},
        )
        work = [watcher.run(), _each(FLUSH, recorder.flush), metering.run()]
        terms = settings.terms
        work.append(_each(3600.0, lambda: metering.forget(terms.keep_months, terms.keep_address_months)))
        if chores:
            work += [_each(3600.0, lambda: push.clean(time.time() - UPLOAD_LEFT)), _each(3600.0, identities.chores)]
        for one in work:
            stack.push_async_callback(_cancelled, asyncio.ensure_future(one))
        callers = Callers(
            settings.trusted_proxies, settings.forwarded_header, settings.terms.in_region, exempts=settings.terms.allowances.exempts_aws
        )
        app = App(
            registry,
            doors.tokens,
            pages,
            operations,
            callers=callers,
            metering=metering,
            slot=counters.slot(slot),
            log=log,
            control_plane=_control_plane(settings, identities, stores, push, memory=memory, allowance=allowance),
        )
        found = tracer()
        yield Apps(app, app.api) if found is None else Apps(Traced(app, found), Traced(app.api, found))


def _allowance(settings: ServeSettings, metering: Metering, buckets: Buckets, slot: Slot) -> Allowance | None:
    """What holds callers to the terms; ``None`` where these limit nothing."""
    rules = settings.terms.allowances
    if rules.limits_nothing:
        return None
    return Allowance(rules, buckets, metering.follow(), TermsData(settings.facts).refusals(), slot.refused)


def _control_plane(
    settings: ServeSettings, identities: IdentityServices, stores: Stores, push: Push, *, memory: Memory, allowance: Allowance | None
) -> ControlPlane | None:
    """ECR Public's API, in the mode that has it: only there botocore is needed."""
    if settings.mode is not Mode.ECR_PUBLIC:
        return None
    from unhub.server.control_plane.app import ControlPlane
    from unhub.server.control_plane.call import Services

    services = Services(
        identity=identities,
        metadata=stores.metadata,
        blobs=stores.blobs,
        push=push,
        memory=memory,
        registry_name=settings.registry_name,
        facts=settings.facts,
        now=time.time,
    )
    return ControlPlane(services, allowance=allowance)


async def _each(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except (SQLAlchemyError, OSError):
            continue


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

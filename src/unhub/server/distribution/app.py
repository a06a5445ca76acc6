"""The ASGI callable for ``/v2/``: what is remembered is answered at once, everything else goes to its handler."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from unhub.image.errors import ServeError
from unhub.mirror.names import InvalidName, Name, Names, UnknownNamespace, UnknownRepository
from unhub.mirror.pull import ManifestAnswer, Pull
from unhub.mirror.push import Push
from unhub.server.allowance import Allowance
from unhub.server.distribution.access import Access
from unhub.server.distribution.answers import JSON, Answer, Receive, Send, always, answer, deliver
from unhub.server.distribution.blobs import Blobs
from unhub.server.distribution.body import ClientGone
from unhub.server.distribution.errors import NotAllowed
from unhub.server.distribution.manifests import ManifestReads, ManifestWrites, parse_reference
from unhub.server.distribution.note import Note, Recorder
from unhub.server.distribution.open_access import OpenAccess
from unhub.server.distribution.ranges import Unsatisfiable
from unhub.server.distribution.ready import NO_BODY, Known, Path, Ready, ReadyAnswers
from unhub.server.distribution.referrers import list_referrers
from unhub.server.distribution.request import Request, parse_query
from unhub.server.distribution.routing import Kind, Route, split
from unhub.server.distribution.tags import list_repositories, list_tags
from unhub.server.distribution.uploads import Uploads
from unhub.store.protocols import BlobStore
from unhub.store.records import RepositoryKey

READS: Final = ("GET", "HEAD")
ROUTES_MAX: Final = 8192
"""Paths whose meaning is remembered."""

QUERY_KEPT_MAX: Final = 300
"""Bytes of the longest query of such a path: ``ns=`` with a host's name."""

Handler = Callable[[Request], Awaitable[Answer]]


class Distribution:
    """``/v2/`` and everything below."""

    def __init__(
        self,
        pull: Pull,
        push: Push,
        store: BlobStore,
        names: Names,
        *,
        access: Access | None = None,
        recorder: Recorder | None = None,
        now: Callable[[], float] = time.time,
        enter: Callable[[], Awaitable[bool]] = always,
        allowance: Allowance | None = None,
    ) -> None:
        """``access`` says who may do what (by default anybody everything: for a loopback listener), ``recorder`` counts pulls.

        ``enter`` says when the server may be handed one more file to send, see :class:`unhub.server.crowd.Crowd`;
        ``allowance`` holds callers to the terms, where there are any.
        """
        self._pull = pull
        self._push = push
        self._names = names
        self._access = access or OpenAccess()
        self._recorder = recorder
        self._enter = enter
        self._allowance = allowance
        self._known: dict[Path, Known] = {}
        self._ready = ReadyAnswers(pull.memory, now)
        self._manifests = ManifestReads(pull)
        self._blobs = Blobs(pull, push, store)
        self._handlers = self._table(ManifestWrites(push), Uploads(pull, push))

    def at_once(self, scope: dict[str, Any], send: Send, note: Note | None) -> bool:
        """Answer a request of which everything is ready, if it is one; ``False``: :meth:`__call__` must answer it.

        Nothing is waited for: the server takes in both messages when ``send`` is called, before what it returns is awaited.
        """
        method = scope["method"]
        if method != "GET" and method != "HEAD":  # noqa: PLR1714 - two comparisons are quicker than a look into a tuple
            return False
        ready = self._ready.find((scope["raw_path"], scope["query_string"]), scope["headers"])
        if ready is None or not self._access.knows(scope, note):
            return False
        if self._allowance is not None and note is not None:
            error = self._allowance.refuses(note, head=method == "HEAD")
            if error is not None:
                start, body = self._refused(error, ready, method, note)
                send(start)
                send(body)
                return True
        send(ready.start)
        send(ready.body if method == "GET" else NO_BODY)
        self._told(ready, method, note)
        return True

    def _refused(self, error: ServeError, ready: Ready, method: str, note: Note) -> tuple[dict[str, Any], dict[str, Any]]:
        """The two messages of a refusal, in the place of an answer that is ready."""
        made = self._access.refused(error)
        note.status, note.reference, note.door, note.name = made.status, ready.which, ready.door, ready.shown
        note.bytes = made.size if method == "GET" else 0
        start = {"type": "http.response.start", "status": made.status, "headers": made.headers}
        return start, {"type": "http.response.body", "body": made.body} if method == "GET" else NO_BODY

    def _told(self, ready: Ready, method: str, note: Note | None) -> None:
        if note is not None:
            note.status, note.cache, note.reference = 200, "hit", ready.which
            note.door, note.name = ready.door, ready.shown
            if method == "GET":
                note.bytes = ready.size
        if self._recorder is not None and method == "GET":
            self._recorder.pulled(ready.key, ready.digest, ready.which, "" if note is None else note.caller, ready.size)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request (ASGI 3). Raises whatever was not foreseen, after it was answered with 500."""
        method = scope["method"]
        path = (scope["raw_path"], scope["query_string"])
        quick = method == "GET" or method == "HEAD"  # noqa: PLR1714 - two comparisons are quicker than a look into a tuple
        if quick and self._access.knows(scope, scope.get("unhub.note")):
            ready = self._ready.find(path, scope["headers"])
            if ready is not None:
                if (error := self._refusal(scope)) is not None:
                    for message in self._refused(error, ready, method, scope["unhub.note"]):
                        await send(message)
                    return
                await send(ready.start)
                await send(ready.body if method == "GET" else NO_BODY)
                self._told(ready, method, scope.get("unhub.note"))
                return
            known = self._known.get(path)
            found = None if known is None else self._pull.remembered(known.key, known.which)
            if known is not None and found is not None:
                if (error := self._refusal(scope)) is not None:
                    refused = self._access.refused(error)
                    self._tell(scope, refused, known.name, known.which, "")
                    await deliver(refused, method, receive, send)
                    return
                self._ready.keep(path, known, found, self._manifests.answer(found, known.name, ()))
                made = self._manifests.answer(found, known.name, scope["headers"])
                self._tell(scope, made, known.name, known.which, "hit")
                await deliver(made, method, receive, send)
                if method == "GET":
                    self._count(scope, known.key, known.which, found, made)
                return
        await self._serve(scope, receive, send)

    async def _serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        request: Request | None = None
        unforeseen: Exception | None = None
        try:
            self._access.admit(scope, scope.get("unhub.note"))
            request = self._read(scope, receive)
            made = await self._answer(request)
        except ServeError as error:
            made = await self._refusal_of(error, request)
            if isinstance(error, Unsatisfiable):
                made.headers.append((b"content-range", b"bytes */%d" % error.size))
        except ClientGone:
            return
        except SQLAlchemyError as error:  # clients try again after 503, and give up after 500
            unforeseen = error
            message = "cannot read what is kept here: the database does not answer"
            made = self._access.refused(ServeError(message, status=503, registry_code="UNAVAILABLE", retry_after=1.0))
        except Exception as error:  # whatever it is, the client gets an answer of the protocol
            unforeseen = error
            made = self._access.refused(ServeError("cannot answer: something went wrong here", status=500, registry_code="UNKNOWN"))
        if request is None or not self._is_told(scope):
            self._tell(scope, made, request and request.name, "" if request is None else request.route.reference, "")
        await deliver(made, scope["method"], receive, send, self._enter)
        if unforeseen is not None:
            raise unforeseen

    async def _refusal_of(self, error: ServeError, request: Request | None) -> Answer:
        try:
            return self._access.refused(await self._access.explained(error, request))
        except SQLAlchemyError:  # then it is told in the words that are there
            return self._access.refused(error)

    def _read(self, scope: dict[str, Any], receive: Receive) -> Request:
        route = split(scope["raw_path"])
        request = Request(scope, receive, route, parse_query(scope["query_string"]))
        if route.name or route.kind not in (Kind.BASE, Kind.CATALOG):
            request.name = self._understand(route, request.parameter("ns"))
        return request

    def _understand(self, route: Route, namespace: str | None) -> Name:
        try:
            return self._names.understand(route.name, namespace)
        except UnknownNamespace as error:
            raise ServeError(error.message, status=404, registry_code="NAME_UNKNOWN", hint=error.hint) from None
        except UnknownRepository as error:
            raise self._access.unknown(error) from None
        except InvalidName as error:
            raise ServeError(error.message, status=400, registry_code="NAME_INVALID", hint=error.hint) from None

    async def _answer(self, request: Request) -> Answer:
        allowed = self._handlers[request.route.kind]
        handler = allowed.get(request.method)
        if handler is None:
            raise NotAllowed(f"cannot {request.method} this", tuple(allowed))
        await self._access.check(request)
        if request.method not in READS or request.route.kind in (Kind.UPLOAD, Kind.UPLOADS):
            self._check_own(request.repository)
            request.owner = await self._access.writer(request)
        return await handler(request)

    def _check_own(self, name: Name) -> None:
        if name.own:
            return
        message = f"cannot change {name.written}: it is pulled through from its upstream"
        raise NotAllowed(message, READS, hint=self._names.where_to_push)

    def _table(self, writes: ManifestWrites, uploads: Uploads) -> dict[Kind, dict[str, Handler]]:
        async def begin(request: Request) -> Answer:
            return await uploads.begin(request, self._names)

        async def tags(request: Request) -> Answer:
            return await list_tags(request, self._pull)

        async def referrers(request: Request) -> Answer:
            return await list_referrers(request, self._pull)

        async def catalog(request: Request) -> Answer:
            return await list_repositories(request, self._push, self._names.listed)

        manifest, blob = self._get_manifest, self._get_blob
        session: dict[str, Handler] = {"GET": uploads.status, "PATCH": uploads.append, "PUT": uploads.finish, "DELETE": uploads.cancel}
        return {
            Kind.BASE: {"GET": self._base, "HEAD": self._base},
            Kind.CATALOG: {"GET": catalog, "HEAD": catalog},
            Kind.MANIFEST: {"GET": manifest, "HEAD": manifest, "PUT": writes.put, "DELETE": writes.delete},
            Kind.BLOB: {"GET": blob, "HEAD": blob, "DELETE": self._blobs.delete},
            Kind.UPLOADS: {"POST": begin},
            Kind.UPLOAD: session,
            Kind.TAGS: {"GET": tags, "HEAD": tags},
            Kind.REFERRERS: {"GET": referrers, "HEAD": referrers},
        }

    async def _base(self, request: Request) -> Answer:
        """The version check. Docker takes its answer for the whole registry, see :class:`Access`."""
        self._access.visitor(request.scope)
        return answer(200, [JSON], b"{}")

    def _refusal(self, scope: dict[str, Any], *, pull: bool = True) -> ServeError | None:
        """What a caller is told that has had its share; ``None`` where it has not, and the pull is taken."""
        note: Note | None = scope.get("unhub.note")
        if self._allowance is None or note is None:
            return None
        return self._allowance.refuses(note, pull=pull, head=scope["method"] == "HEAD")

    def _allow(self, request: Request, *, pull: bool) -> None:
        """Raise :class:`ServeError` (429) where the caller has had its share."""
        if (error := self._refusal(request.scope, pull=pull)) is not None:
            raise error

    async def _get_manifest(self, request: Request) -> Answer:
        self._allow(request, pull=True)
        made, found = await self._manifests.get(request)
        name, scope, which = request.repository, request.scope, request.route.reference
        self._tell(scope, made, name, which, "stale" if found.stale else "miss" if found.fetched else "hit")
        if request.method == "GET":
            self._count(scope, name.key, which, found, made)
        self._remember(scope, Known(name.key, str(parse_reference(which)), name))
        return made

    def _remember(self, scope: dict[str, Any], known: Known) -> None:
        """What a path means, unless its query is longer than any client's: strangers could fill the memory with those."""
        path: Path = (scope["raw_path"], scope["query_string"])
        if len(path[1]) > QUERY_KEPT_MAX:
            return
        if len(self._known) >= ROUTES_MAX:
            self._known.clear()
        self._known[path] = known

    async def _get_blob(self, request: Request) -> Answer:
        self._allow(request, pull=False)
        made, found = await self._blobs.get(request)
        self._tell(request.scope, made, request.repository, request.route.reference, "flight" if found.flight else "hit")
        return made

    def _is_told(self, scope: dict[str, Any]) -> bool:
        note: Note | None = scope.get("unhub.note")
        return note is None or bool(note.status)

    def _tell(self, scope: dict[str, Any], made: Answer, name: Name | None, reference: str, cache: str) -> None:
        """What the request log gets to know."""
        note: Note | None = scope.get("unhub.note")
        if note is None:
            return
        note.status, note.reference, note.cache = made.status, reference, cache
        note.bytes = 0 if scope["method"] == "HEAD" or made.status == 304 else made.size
        if name is not None:
            note.door, note.name = name.door, str(name.key)

    def _count(self, scope: dict[str, Any], key: RepositoryKey, which: str, found: ManifestAnswer, made: Answer) -> None:
        if self._recorder is not None:
            note: Note | None = scope.get("unhub.note")
            self._recorder.pulled(key, found.manifest.digest, which, "" if note is None else note.caller, made.size)

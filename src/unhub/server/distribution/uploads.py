"""Uploads of blobs: ``/v2/<name>/blobs/uploads/`` and the sessions below it."""

from __future__ import annotations

import re
from typing import Final

from unhub.image.digest import HEX_LENGTHS, Digest
from unhub.image.errors import ServeError
from unhub.mirror.names import InvalidName, Name, Names, UnknownRepository
from unhub.mirror.open_upload import Chunk, OutOfOrder, Session
from unhub.mirror.pull import Pull
from unhub.mirror.push import Push
from unhub.server.distribution.answers import Answer, Header, answer, content_digest, location
from unhub.server.distribution.body import pieces
from unhub.server.distribution.errors import parse_digest, refusal
from unhub.server.distribution.request import Request

_CHUNK: Final = re.compile(rb"(?:bytes[ =])?(\d{1,18})-(\d{1,18})(?:/(?:\d{1,19}|\*))?")
MOUNTS_TRIED_MAX: Final = 100


class Uploads:
    """Takes blobs into own repositories."""

    def __init__(self, pull: Pull, push: Push) -> None:
        self._pull = pull
        self._push = push

    async def begin(self, request: Request, names: Names) -> Answer:
        """POST: a session; or at once a whole blob (``?digest=``), or one that another repository has (``?mount=``)."""
        name = request.repository
        mount = request.parameter("mount")
        if mount is not None and await self._mount(name, parse_digest(mount), request.parameter("from"), names):
            return _created(name, parse_digest(mount))
        digest = request.parameter("digest")
        if digest is not None:
            wanted = parse_digest(digest)
            await self._push.uploads.whole(name.key, wanted, _chunk(request))
            return _created(name, wanted)
        algorithm = request.parameter("digest-algorithm") or "sha256"
        if algorithm not in HEX_LENGTHS:
            message = f"cannot use the digest algorithm: it is not one of {', '.join(HEX_LENGTHS)}"
            raise ServeError(message, status=400, registry_code="DIGEST_INVALID")
        return _session(202, name, await self._push.uploads.begin(name.key, request.owner, algorithm))

    async def status(self, request: Request) -> Answer:
        """GET: how far the session is."""
        found = await self._push.uploads.status(request.repository.key, request.owner, request.route.reference)
        return _session(204, request.repository, found)

    async def append(self, request: Request) -> Answer:
        """PATCH: the next chunk, or a stream without an end that is known."""
        name, session = request.repository, request.route.reference
        try:
            found = await self._push.uploads.append(name.key, request.owner, session, _chunk(request))
        except OutOfOrder as error:
            return _session(416, name, error.session, error)
        return _session(202, name, found)

    async def finish(self, request: Request) -> Answer:
        """PUT: the last bytes, if any are left, and the digest of all."""
        name, session = request.repository, request.route.reference
        said = request.parameter("digest")
        if said is None:
            raise ServeError("cannot end the upload: ?digest= is missing", status=400, registry_code="DIGEST_INVALID")
        digest = parse_digest(said)
        try:
            await self._push.uploads.finish(name.key, request.owner, session, digest, _chunk(request))
        except OutOfOrder as error:
            return _session(416, name, error.session, error)
        return _created(name, digest)

    async def cancel(self, request: Request) -> Answer:
        """DELETE: forget the session."""
        await self._push.uploads.cancel(request.repository.key, request.owner, request.route.reference)
        return answer(204)

    async def _mount(self, name: Name, digest: Digest, source: str | None, names: Names) -> bool:
        """Link a blob that a repository serves to everybody; whether there is one."""
        if source is None:
            candidates = await self._push.repositories_of(digest, MOUNTS_TRIED_MAX)
        else:
            try:
                candidates = [names.understand(source, None).key]
            except UnknownRepository:
                return False  # the blob is then uploaded
            except InvalidName as error:
                raise ServeError(error.message, status=400, registry_code="NAME_INVALID") from None
        for key in candidates:
            if await self._pull.holds(key, digest) is not None:
                await self._push.link(name.key, digest)
                return True
        return False


def _chunk(request: Request) -> Chunk:
    """The body with its place. Raises :class:`ServeError` for a ``Content-Range`` that cannot be read."""
    said, start, length = request.header(b"content-range"), None, request.content_length
    if said is not None:
        match = _CHUNK.fullmatch(said)
        if match is None or int(match[2]) < int(match[1]):
            raise ServeError("cannot read Content-Range: it is not a-b", status=400, registry_code="BLOB_UPLOAD_INVALID")
        start, length = int(match[1]), int(match[2]) - int(match[1]) + 1
        if request.content_length not in (None, length):
            raise ServeError("cannot take the chunk: Content-Length is not that of Content-Range", status=400, registry_code="SIZE_INVALID")
    return Chunk(pieces(request.receive), start, length)


def _session(status: int, name: Name, session: Session, refused: OutOfOrder | None = None) -> Answer:
    headers: list[Header] = [
        location(f"/v2/{name.written}/blobs/uploads/{session.id}"),
        (b"range", b"0-%d" % max(session.offset - 1, 0)),
        (b"docker-upload-uuid", session.id.encode("ascii")),
    ]
    made = answer(status) if refused is None else refusal(refused)
    made.headers += headers
    return made


def _created(name: Name, digest: Digest) -> Answer:
    return answer(201, [location(f"/v2/{name.written}/blobs/{digest}"), *content_digest(digest)])

"""Manifests: ``GET``, ``HEAD``, ``PUT`` and ``DELETE /v2/<name>/manifests/<reference>``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.mirror.names import DOCKER, Door, Name
from unhub.mirror.pull import ManifestAnswer, Pull
from unhub.mirror.push import Push, Pushed
from unhub.server.distribution.answers import VERSION, Answer, Header, answer, content_digest, location, matches, stale_warning, warning
from unhub.server.distribution.body import whole
from unhub.server.distribution.errors import parse_digest
from unhub.server.distribution.request import Request
from unhub.server.distribution.routing import is_tag
from unhub.store.records import StoredManifest

HEADERS_MAX: Final = 20_000
"""Manifests whose headers are kept ready."""

TAGS_MAX: Final = 100
"""Tags that one push may set (the specification wants ten at least)."""


class ManifestReads:
    """Answers with manifests; the headers of those that were answered are kept ready, since most of the time it is the same ones."""

    def __init__(self, pull: Pull) -> None:
        self._pull = pull
        self._headers: dict[Digest, list[Header]] = {}

    async def get(self, request: Request) -> tuple[Answer, ManifestAnswer]:
        """The manifest of a tag or digest, for GET and HEAD, and what it was made of. Raises :class:`ServeError`."""
        name, which = request.repository, parse_reference(request.route.reference)
        try:
            found = await self._pull.manifest(name.key, which)
        except ServeError as error:
            raise _explained(error, name) from None
        return self.answer(found, name, request.headers), found

    def answer(self, found: ManifestAnswer, name: Name, asked: Sequence[Header]) -> Answer:
        """What is sent of a manifest that was found; ``asked`` are the request's headers."""
        manifest = found.manifest
        headers = self.headers(manifest)
        if found.age is not None or name.namespace is not None:
            headers = [*headers, *_about(found, name)]
        if matches(asked, manifest.digest):
            return answer(304, [header for header in headers if header[0] not in (b"content-length", b"content-type")])
        return Answer(200, headers, manifest.data, size=len(manifest.data))

    def headers(self, manifest: StoredManifest) -> list[Header]:
        """The headers that a manifest has always; not to be changed."""
        ready = self._headers.get(manifest.digest)
        if ready is None:
            if len(self._headers) >= HEADERS_MAX:
                self._headers.clear()
            ready = self._headers[manifest.digest] = [
                (b"content-type", _media_type(manifest)),
                (b"content-length", b"%d" % len(manifest.data)),
                *content_digest(manifest.digest),
                VERSION,
            ]
        return ready


class ManifestWrites:
    """Takes manifests into own repositories, and out of them."""

    def __init__(self, push: Push) -> None:
        self._push = push

    async def put(self, request: Request) -> Answer:
        """Store a manifest under a tag or a digest, and under every ``?tag=``. Raises :class:`ServeError`."""
        name, which = request.repository, request.route.reference
        tags = request.query.get("tag", []) if ":" in which else [which]
        if len(tags) > TAGS_MAX:
            raise ServeError(f"cannot set more than {TAGS_MAX} tags at once", status=414, registry_code="MANIFEST_INVALID")
        for tag in tags:
            if not is_tag(tag):
                raise ServeError(f"cannot use the tag {tag!r}: it breaks the grammar of tags", status=400, registry_code="MANIFEST_INVALID")
        digest = parse_digest(which) if ":" in which else None
        data = await whole(request, self._push.rules.manifest_size, "the manifest")
        media_type = (request.header(b"content-type") or b"").decode("latin-1") or None
        pushed = await self._push.manifest(name.key, data, media_type, digest=digest, tags=tags)
        return answer(201, _pushed(pushed, name, tags if digest is not None else []))

    async def delete(self, request: Request) -> Answer:
        """Remove a tag only, or a digest with all its tags. Raises :class:`ServeError`."""
        await self._push.delete_manifest(request.repository.key, parse_reference(request.route.reference))
        return answer(202)


def parse_reference(text: str) -> str | Digest:
    """A tag or a digest. Raises :class:`ServeError`: 400 for a broken digest, 404 for what can be no tag."""
    if ":" in text:
        return parse_digest(text)
    if not is_tag(text):
        raise ServeError("cannot serve it: this is no tag", status=404, registry_code="MANIFEST_UNKNOWN")
    return text


def _pushed(pushed: Pushed, name: Name, tags: list[str]) -> list[Header]:
    manifest, missing = pushed.manifest, pushed.missing
    headers = [location(f"/v2/{name.written}/manifests/{manifest.digest}"), *content_digest(manifest.digest)]
    if manifest.subject is not None:
        headers.append((b"oci-subject", str(manifest.subject.digest).encode("ascii")))
    if missing:
        headers.append(warning(f"the image cannot be pulled whole: {len(missing)} of its blobs are not here, such as {missing[0]}"))
    return [*headers, *((b"oci-tag", tag.encode("ascii")) for tag in tags)]


def _about(found: ManifestAnswer, name: Name) -> list[Header]:
    headers: list[Header] = []
    if found.age is not None:
        headers.append((b"age", b"%d" % found.age))
    if found.stale is not None:
        headers.append(stale_warning(found.age, found.stale))
    if name.namespace is not None:
        headers.append((b"oci-namespace", name.namespace.encode("ascii")))
    return headers


def _media_type(manifest: StoredManifest) -> bytes:
    """As it was pushed or fetched, unless it could end the header."""
    text = manifest.media_type
    return text.encode("ascii") if text.isascii() and text.isprintable() else b"application/octet-stream"


def _explained(error: ServeError, name: Name) -> ServeError:
    """``docker/node`` is Docker Hub's ``docker/node``; who means the official image is told its name here."""
    if error.status == 404 and name.door is Door.ROOT and name.written.startswith("docker/"):
        official = f"{DOCKER}/library/{name.key.path.removeprefix('docker/')}"
        return ServeError(
            error.message, status=404, registry_code=error.registry_code, hint=f"Docker Hub's official image is named {official} here"
        )
    return error

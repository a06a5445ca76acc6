"""The content network: another host that serves blobs by signed links that expire, and wants no ``Authorization``."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from unhub.demo.exchange import Answer, Asked, Site
from unhub.demo.settings import Persona
from unhub.demo.state import State

_QUERIES: dict[Persona, tuple[str, str]] = {"docker-hub": ("expires", "verify"), "ecr-public": ("Expires", "Signature")}
SECRET_QUERIES = frozenset({"verify", "Signature"})
"""Parts of a link that are worth as much as a password for as long as it holds."""

_PATH = re.compile(r"/registry-v2/docker/registry/v2/blobs/(?P<algorithm>[a-z0-9]+)/[0-9a-f]{2}/(?P<encoded>[0-9a-f]+)/data")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_REFUSED = "<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
_TWO_WAYS = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter "
    "or the Authorization header should be specified"
)


def link(state: State, digest: str) -> str:
    """A link to a blob that holds for as long as the settings say."""
    algorithm, _, encoded = digest.partition(":")
    path = f"/registry-v2/docker/registry/v2/blobs/{algorithm}/{encoded[:2]}/{encoded}/data"
    expires = int(state.now() + state.settings.link_seconds)
    until, signature = _QUERIES[state.settings.persona]
    query = urlencode({until: expires, signature: state.mint.link(path, expires)})
    return f"{state.settings.cdn_base or state.urls[Site.CDN]}{path}?{query}"


class ContentNetwork:
    """Answers GET and HEAD of a signed link, whole or by Range."""

    def __init__(self, state: State) -> None:
        self._state = state

    def answer(self, asked: Asked) -> Answer:
        """The blob, or why not: 400 with ``Authorization`` (as S3 does it), 403 for a link that expired or was not made here."""
        if asked.headers.get("Authorization"):
            return _refused(400, "InvalidArgument", _TWO_WAYS)
        match = _PATH.fullmatch(asked.path)
        if asked.method not in ("GET", "HEAD") or match is None or not self._is_good(asked):
            return _refused(403, "AccessDenied", "Access denied")
        content = self._state.store.content(f"{match['algorithm']}:{match['encoded']}")
        if content is None:
            return _refused(404, "NoSuchKey", "The specified key does not exist.")
        return content_answer(content, asked, etag=f'"{match["encoded"]}"', ranges=self._state.settings.ranges)

    def _is_good(self, asked: Asked) -> bool:
        until, signature = _QUERIES[self._state.settings.persona]
        expires = asked.query.get(until, "")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 20):
            return False
        return self._state.now() < int(expires) and self._state.mint.is_link(asked.path, int(expires), asked.query.get(signature, ""))


def content_answer(content: memoryview, asked: Asked, *, etag: str, ranges: bool = True) -> Answer:
    """A blob, or the one range of it that was asked for (RFC 9110, 14); several ranges at once get the whole."""
    headers = {"Content-Type": "application/octet-stream", "ETag": etag}
    if ranges:
        headers["Accept-Ranges"] = "bytes"
    wanted = asked.headers.get("Range", "")
    span = _RANGE.fullmatch(wanted.replace(" ", "")) if ranges else None
    if asked.headers.get("If-Range", etag) != etag or span is None or span[0] == "bytes=-":
        return Answer(200, headers, content)
    start, end = _bounds(span[1], span[2], len(content))
    if start >= end:
        return Answer(416, headers | {"Content-Range": f"bytes */{len(content)}"})
    return Answer(206, headers | {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"}, content[start:end])


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """The half-open span of a range; empty where it cannot be satisfied."""
    if not first:
        return max(0, size - int(last[:20])), size
    start, end = int(first[:20]), min(int(last[:20]) + 1 if last else size, size)
    return start, max(start, end)


def _refused(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"Content-Type": "application/xml"}, _REFUSED.format(code=code, message=message).encode())

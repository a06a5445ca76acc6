"""Blobs: read in pieces, taken up where they broke off, and never ended well unless their digest is right."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from unhub.image.digest import Digest
from unhub.image.errors import BadAnswer, Unreachable
from unhub.registry.exchange import Answer, Request
from unhub.registry.site import Site
from unhub.registry.transport import Opened, Trouble

PROGRESS: Final = 1024 * 1024
"""Bytes after which a broken transfer counts as a new one, so that large blobs survive many breaks."""

_EXPIRED: Final = frozenset({400, 401, 403, 404, 410})
"""What hosts that a registry leads to answer when a signed link has expired; the registry then gives a new one."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class Hash(Protocol):
    """What hashlib makes."""

    def update(self, data: bytes, /) -> None:
        """Take in more bytes."""
        ...

    def hexdigest(self) -> str:
        """The digest of what was taken in so far."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """A blob of which the first ``size`` bytes are here already, and ``hash`` has taken them in."""

    size: int
    hash: Hash


@dataclass(slots=True)
class _Transfer:
    """How far a blob has come. ``size`` is its length once it is known, ``held`` the piece that is kept back, if any is."""

    site: Site
    repository: str
    digest: Digest
    size: int | None
    hash: Hash
    reached: int = 0
    withhold: bool = True
    on_size: Callable[[int], None] | None = None
    held: bytes = b""

    @property
    def action(self) -> str:
        return f"read the blob {str(self.digest)[:19]} of {self.repository}"

    def bad(self, cause: str) -> BadAnswer:
        return BadAnswer(f"cannot {self.action} at {self.site.title}: {cause}", host=self.site.endpoint.netloc)

    def take(self, chunk: bytes) -> bytes:
        """Count and hash a piece; returns the piece before it, which may go on."""
        self.reached += len(chunk)
        if self.size is not None and self.reached > self.size:
            raise self.bad(f"it sends more than {self.size} bytes")
        self.hash.update(chunk)
        if not self.withhold:
            return chunk
        before, self.held = self.held, chunk
        return before

    def check_complete(self) -> None:
        """Raise :class:`Trouble` where the answer ended before the blob does."""
        if self.size is not None and self.reached < self.size:
            raise Trouble(f"it ended after {self.reached} of {self.size} bytes", is_transient=True)


async def stream_blob(
    site: Site,
    repository: str,
    digest: Digest,
    size: int | None = None,
    *,
    begun: Begun | None = None,
    withhold: bool = True,
    on_size: Callable[[int], None] | None = None,
) -> AsyncGenerator[bytes]:
    """The bytes of a blob in order, those after ``begun`` only. ``size`` is what its descriptor says, ``None`` where nobody knows.

    The last piece is held back until the digest of everything is known to be right, so that bad content never looks
    complete: :class:`BadAnswer` is raised in its place. Whoever writes a file throws it away then. Without ``withhold``
    each piece comes at once, and whoever reads them sees to that. ``on_size`` is told the size as soon as it is known.
    """
    start = begun or Begun(0, hashlib.new(digest.algorithm, usedforsecurity=False))
    transfer = _Transfer(site, repository, digest, size, start.hash, start.size, withhold, on_size)
    retries, marked = site.retries(), 0
    while True:
        try:
            opened, skip = await _open(transfer)
            if opened is None:
                break
            try:
                async for chunk in opened.chunks():
                    rest = chunk[skip:]
                    skip -= len(chunk) - len(rest)
                    if rest and (before := transfer.take(rest)):
                        yield before
            finally:
                opened.close()
            transfer.check_complete()
            break
        except Trouble as trouble:
            if transfer.reached - marked >= PROGRESS:
                retries.progressed()
                marked = transfer.reached
            wait = retries.next_wait() if trouble.is_transient else None
            if wait is None:
                kind = BadAnswer if trouble.is_protocol else Unreachable
                place = f"cannot {transfer.action} at {site.title}"
                raise kind(f"{place}: {trouble.cause}", host=site.endpoint.netloc, hint=trouble.hint) from None
        await site.sleep(wait)
    if transfer.hash.hexdigest() != digest.encoded:
        raise transfer.bad("its content has another digest")
    if transfer.held:
        yield transfer.held


async def _open(transfer: _Transfer) -> tuple[Opened | None, int]:
    """Ask for what is missing: the answer, and how many of its first bytes are here already; no answer where nothing is missing."""
    site, reached = transfer.site, transfer.reached
    if reached and reached == transfer.size:
        return None, 0
    headers = {"Range": f"bytes={reached}-"} if reached else {}
    request = Request("GET", site.url(transfer.repository, f"blobs/{transfer.digest}"), {"Accept": "*/*", **headers})
    answer = await site.ask(request, transfer.repository, action=transfer.action, size_max=None)
    if answer.status == 416 and reached and transfer.size is None:
        return None, 0
    if not isinstance(answer, Opened):
        if answer.status in _EXPIRED and answer.host != site.endpoint.netloc:
            raise Trouble(f"{answer.host}, where it led, answered {answer.status}", is_transient=True)
        raise site.refused(answer, transfer.action)
    try:
        return answer, _skipped(transfer, answer)
    except BaseException:
        answer.close()
        raise


def _skipped(transfer: _Transfer, answer: Opened) -> int:
    """How many bytes at the start of the answer are here already; learns the size from its headers."""
    if answer.is_web_page:
        raise transfer.bad("it answered with a web page")
    if answer.status == 206:
        start, whole = _range(answer)
        if start is None or start != transfer.reached:
            raise transfer.bad("it sends another part than was asked for")
        _learn(transfer, whole)
        return 0
    _learn(transfer, answer.length)
    return transfer.reached


def _learn(transfer: _Transfer, size: int | None) -> None:
    if size is None:
        return
    if transfer.size is not None and transfer.size != size:
        raise transfer.bad(f"it has {size} bytes, not {transfer.size}")
    if transfer.on_size is not None:
        transfer.on_size(size)
    transfer.size = size


def _range(answer: Answer) -> tuple[int | None, int | None]:
    match = _CONTENT_RANGE.fullmatch((answer.header("content-range") or "").strip())
    if match is None:
        return None, None
    return int(match[1]), None if match[3] == "*" else int(match[3])

"""What workers and the fetcher say to each other over the Unix socket: JSON objects, one a message or line."""

from __future__ import annotations

from typing import Final

import msgspec

from unhub.image.errors import ServeError

TAG: Final = "/tag"
DIGEST: Final = "/digest"
REVALIDATE: Final = "/revalidate"
BLOB: Final = "/blob"
STREAM: Final = "/stream"
TAGS: Final = "/tags"
REFERRERS: Final = "/referrers"
STATUS: Final = "/status"
FORGET_NEGATIVE: Final = "/forget-negative"

OPERATIONS: Final = "/operations"
FAILED: Final = "unhub.failed"
"""The key of a line that says why an operation ended."""

LINE_MAX: Final = 64 * 1024


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """A question about a repository. ``wait`` is in seconds."""

    alias: str
    path: str
    which: str = ""
    wait: float | None = None


class Failed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A :class:`ServeError` on its way."""

    message: str
    status: int
    code: str
    retry_after: float | None = None
    hint: str | None = None

    @classmethod
    def of(cls, error: ServeError) -> Failed:
        """The error as it is sent."""
        return cls(error.message, error.status, error.registry_code, error.retry_after, error.hint)

    def error(self) -> ServeError:
        """The error as it is raised."""
        return ServeError(self.message, status=self.status, registry_code=self.code, retry_after=self.retry_after, hint=self.hint)


class Attached(msgspec.Struct, frozen=True, omit_defaults=True):
    """A referrer that the upstream lists."""

    media_type: str
    digest: str
    size: int
    artifact_type: str | None = None
    annotations: dict[str, str] = {}


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer: what was asked for, or ``failed``."""

    failed: Failed | None = None
    tags: list[str] | None = None
    referrers: list[Attached] | None = None


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a blob is. The first line has ``path`` and ``size``; the last one is ``done``, ``failed`` or ``no_space``.

    ``published`` bytes may be read from ``path``.
    """

    path: str | None = None
    size: int | None = None
    published: int = 0
    done: bool = False
    failed: Failed | None = None
    no_space: bool = False


encode = msgspec.json.Encoder().encode
"""An object of this module as bytes."""

asked: Final = msgspec.json.Decoder(Asked)
answer: Final = msgspec.json.Decoder(Answer)
line: Final = msgspec.json.Decoder(Line)

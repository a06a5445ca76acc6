"""What a path below ``/v2/`` asks for: split once, by hand, from the right.

A repository's name may hold any number of components, and also the words ``blobs`` or ``manifests``; what comes last
decides (distribution specification, "Endpoints").
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

from unhub.image.errors import ServeError

PATH_LENGTH_MAX: Final = 1024
"""Bytes of the longest path: ``/v2/``, a name of 255, and a digest of sha512."""

_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_PLAIN: Final = re.compile(rb"[\x21-\x24\x26-\x7e]+")


class Kind(StrEnum):
    """What is asked for."""

    BASE = "base"
    CATALOG = "catalog"
    MANIFEST = "manifest"
    BLOB = "blob"
    UPLOADS = "uploads"
    UPLOAD = "upload"
    TAGS = "tags"
    REFERRERS = "referrers"


class Route(NamedTuple):
    """A kind, the repository's name as it was written, and the tag, digest or session that was named."""

    kind: Kind
    name: str = ""
    reference: str = ""


_LAST: Final = {"manifests": Kind.MANIFEST, "blobs": Kind.BLOB, "referrers": Kind.REFERRERS}


def split(path: bytes) -> Route:
    """What a raw path asks for.

    Raises :class:`ServeError`: 400 for what no client of a registry writes (percent-encoding, control characters, too
    long), 404 for what is no endpoint.
    """
    if len(path) > PATH_LENGTH_MAX or not _PLAIN.fullmatch(path):
        raise ServeError("cannot read the path: it is too long, or encoded", status=400, registry_code="NAME_INVALID")
    text = path.decode("ascii")
    if text in ("/v2", "/v2/"):
        return Route(Kind.BASE)
    if text == "/v2/_catalog":
        return Route(Kind.CATALOG)
    parts = text.removeprefix("/v2/").rsplit("/", 2)
    if len(parts) == 3:
        name, word, last = parts
        if word == "uploads" and name.endswith("/blobs"):
            return Route(Kind.UPLOAD if last else Kind.UPLOADS, name.removesuffix("/blobs"), last)
        if word == "blobs" and last == "uploads":
            return Route(Kind.UPLOADS, name)
        if word == "tags" and last == "list":
            return Route(Kind.TAGS, name)
        if word in _LAST and last:
            return Route(_LAST[word], name, last)
    raise ServeError("cannot answer: there is no such endpoint", status=404, registry_code="UNSUPPORTED")


def is_tag(text: str) -> bool:
    """Whether a text is a tag by the grammar of the specification."""
    return _TAG.fullmatch(text) is not None

"""The inputs of well-known actions that name images (their ``action.yml`` and README, 2026-08)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from unhub.formats._text import Mapped
from unhub.image.found import Span


class Kind(StrEnum):
    """What an input of an action holds."""

    IMAGE = "image"
    CONTEXTS = "contexts"
    """``name=docker-image://reference``, one a line."""
    CACHE_FROM = "cache-from"
    OUTPUT = "output"
    BUILD_ARGS = "build-args"
    DRIVER_OPTIONS = "driver-opts"
    BAKE_SET = "set"


INPUTS: dict[str, dict[str, Kind]] = {
    "docker/build-push-action": {
        "build-contexts": Kind.CONTEXTS,
        "cache-from": Kind.CACHE_FROM,
        "cache-to": Kind.OUTPUT,
        "tags": Kind.OUTPUT,
        "build-args": Kind.BUILD_ARGS,
    },
    "docker/bake-action": {"set": Kind.BAKE_SET},
    "docker/metadata-action": {"images": Kind.OUTPUT},
    "docker/setup-buildx-action": {"driver-opts": Kind.DRIVER_OPTIONS},
    "docker/setup-qemu-action": {"image": Kind.IMAGE},
    "addnab/docker-run-action": {"image": Kind.IMAGE},
    "shrink/actions-docker-extract": {"image": Kind.IMAGE},
    "helm/kind-action": {"node_image": Kind.IMAGE},
}

MAYBE_IMAGE = re.compile(r"(?:.*[-_])?(?:image|images|image[-_]?(?:ref|name|tag|uri|url)|container|docker[-_]image)", re.IGNORECASE)
"""Names of inputs that may well hold an image, whatever the action."""

_LINE = re.compile(rb"[^\r\n]+")
_PAIR = re.compile(rb"\s*([^=\s]+?)=")
_SCHEME = b"docker-image://"
_REFERENCE = re.compile(rb"(?:^|,)\s*\"?ref=([^,\"]*)")
_TYPE = re.compile(rb"(?:^|,)\s*\"?type=([^,\"]*)")
_IMAGE_OPTION = re.compile(rb"(?:^|,)\s*\"?image=([^,\"]*)")


class Item(Struct, frozen=True):
    """A piece of an input: ``name`` is its key, if it has one (a context, a build argument)."""

    kind: Kind
    span: Span
    name: str = ""


def items(kind: Kind, text: Mapped) -> Iterator[Item]:
    """The references in the value of an input, their spans counted in ``text``."""
    data = text.data
    if kind is Kind.IMAGE:
        yield Item(kind, _trim(data, 0, len(data)))
        return
    for match in _LINE.finditer(data):
        line = _trim(data, match.start(), match.end())
        if line.start == line.end or data[line.start : line.start + 1] == b"#":
            continue
        yield from _line(kind, data, line)


def _line(kind: Kind, data: bytes, line: Span) -> Iterator[Item]:
    match kind:
        case Kind.CACHE_FROM | Kind.OUTPUT:
            yield from _cache(kind, data, line)
        case Kind.DRIVER_OPTIONS:
            for found in _IMAGE_OPTION.finditer(data[line.start : line.end]):
                yield Item(Kind.IMAGE, Span(line.start + found.start(1), line.start + found.end(1)))
        case Kind.CONTEXTS | Kind.BUILD_ARGS:
            pair = _PAIR.match(data, line.start, line.end)
            if pair:
                yield from _named(kind, pair[1].decode("utf-8", "replace"), data, Span(pair.end(), line.end))
        case Kind.BAKE_SET:
            pair = _PAIR.match(data, line.start, line.end)
            if pair:
                yield from _override(pair[1].decode("utf-8", "replace"), data, Span(pair.end(), line.end))
        case _:
            pass


def _named(kind: Kind, name: str, data: bytes, span: Span) -> Iterator[Item]:
    if kind is Kind.BUILD_ARGS:
        yield Item(kind, span, name)
    elif data.startswith(_SCHEME, span.start):
        yield Item(kind, Span(span.start + len(_SCHEME), span.end), name)
    else:
        # a path or a git address: no image, but the name still takes an image's place
        yield Item(kind, Span(span.end, span.end), name)


def _override(key: str, data: bytes, span: Span) -> Iterator[Item]:
    """``target.field[.name]=value`` (buildx ``bake --set``, 2026-08); the field may be followed by ``+``."""
    _, _, rest = key.partition(".")
    field, _, name = rest.removesuffix("+").partition(".")
    if field == "contexts":
        yield from _named(Kind.CONTEXTS, name, data, span)
    elif field == "args":
        yield Item(Kind.BUILD_ARGS, span, name)
    elif field in ("cache-from", "cache-to", "tags"):
        yield from _cache(Kind.CACHE_FROM if field == "cache-from" else Kind.OUTPUT, data, span)


def _cache(kind: Kind, data: bytes, span: Span) -> Iterator[Item]:
    """A cache or an output: a plain reference, or a list of ``key=value`` with ``ref`` where its type is ``registry``."""
    text = data[span.start : span.end]
    type_ = _TYPE.search(text)
    if type_ is None:
        if b"=" not in text:
            yield Item(kind, span)
        return
    reference = _REFERENCE.search(text)
    if reference and type_[1].strip() == b"registry":
        yield Item(kind, Span(span.start + reference.start(1), span.start + reference.end(1)))


def _trim(data: bytes, start: int, end: int) -> Span:
    while start < end and data[start : start + 1] in b" \t\r\n":
        start += 1
    while end > start and data[end - 1 : end] in b" \t\r\n":
        end -= 1
    return Span(start, end)

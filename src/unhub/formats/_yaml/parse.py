"""YAML and JSON by spans: a light tree over tree-sitter's, with the bytes of every scalar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from unhub.formats._yaml.json_text import read_json
from unhub.formats._yaml.nodes import DEPTH_MAX, Alias, Document, Empty, Mapping, Node, Pair, Scalar, Sequence
from unhub.formats._yaml.read import place, read_yaml
from unhub.image.errors import UnreadableError
from unhub.image.found import Span
from unhub.image.source import BYTE_ORDER_MARK

__all__ = (
    "DEPTH_MAX", "Alias", "Document", "Empty", "Mapping", "Node", "Pair", "Scalar", "Sequence",
    "parse", "plain_utf8",
)  # fmt: skip

LINES_MAX = 30_000
"""Most lines of one document: the grammar's scanner counts lines in 16 bits with a sign."""

_MARKER = re.compile(rb"^---(?=[ \t\r\n]|$)", re.MULTILINE)
_ONLY_DIRECTIVES = re.compile(rb"(?:[ \t]*(?:[#%][^\r\n]*)?(?:\r\n|\r|\n|\Z))*")
_DEEP = re.compile(rb"^[ ?:-]{%d}" % DEPTH_MAX, re.MULTILINE)
_LEAD = re.compile(rb"^( *)((?:[-?:] +)*)(?=[^ \r\n])", re.MULTILINE)


def plain_utf8(data: bytes) -> bytes:
    """The same number of bytes, each one that is not UTF-8 replaced by ``x``."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
        return "".join("x" if "\udc80" <= char <= "\udcff" else char for char in text).encode("utf-8")
    return data


def parse(data: bytes, *, shown: bytes | None = None) -> list[Document]:
    """The documents of a stream: YAML, or JSON (rule #48), which may stand on one long line.

    ``shown`` are the bytes that scalars take their text from, where ``data`` is a masked
    copy of the same length. Raises :class:`UnreadableError` with line and column where
    this is not YAML, or where it nests too deep. The nodes are shared with later callers:
    nobody may change them.
    """
    outcome = _parsed(data, data if shown is None else shown)
    if isinstance(outcome, UnreadableError):
        raise UnreadableError(outcome.message, hint=outcome.hint)
    return outcome


@lru_cache(maxsize=1)
def _parsed(data: bytes, shown: bytes) -> list[Document] | UnreadableError:
    """The documents or why there are none, kept for the next format that asks about the same file."""
    try:
        return _parse(data, shown)
    except UnreadableError as error:
        return error


def _parse(data: bytes, shown: bytes) -> list[Document]:
    clean = plain_utf8(data).replace(b"\0", b"x")
    if clean.removeprefix(BYTE_ORDER_MARK).lstrip()[:1] in (b"{", b"["):
        documents = read_json(clean, shown)
        if documents is not None:
            return documents
    return list(_documents(clean, shown))


def _documents(clean: bytes, shown: bytes) -> Iterator[Document]:
    _check_depth(clean)
    if clean.startswith(BYTE_ORDER_MARK):
        clean = b"   " + clean[3:] if clean[3:4] in (b"\n", b"\r", b"#") else clean
    for span in _chunks(clean):
        if clean.count(b"\n", span.start, span.end) > LINES_MAX:
            line = clean.count(b"\n", 0, span.start) + 1
            raise UnreadableError(f"the YAML document at line {line} has more than {LINES_MAX} lines")
        yield from read_yaml(clean, shown, span)


def _chunks(clean: bytes) -> Iterator[Span]:
    """The whole stream, or where it has too many lines, each document for itself.

    A ``---`` at the start of a line ends a document whatever stands around it (YAML 1.2.2, 9.1.2).
    """
    if clean.count(b"\n") <= LINES_MAX:
        yield Span(0, len(clean))
        return
    start = 0
    for marker in _MARKER.finditer(clean):
        if _ONLY_DIRECTIVES.fullmatch(clean, start, marker.start()) is None:
            yield Span(start, marker.start())
            start = marker.start()
    yield Span(start, len(clean))


def _check_depth(clean: bytes) -> None:
    """Refuse what nests deeper than ``DEPTH_MAX`` by indentation: tree-sitter's scanner ends the
    process at about 250 levels, so this has to be known before it is called."""
    if _DEEP.search(clean) is None:
        return
    columns: list[int] = []
    for match in _LEAD.finditer(clean):
        indent = len(match[1])
        while columns and columns[-1] > indent:
            columns.pop()
        places = [indent, *(match.start(2) - match.start() + mark.end() for mark in re.finditer(rb"[-?:] +", match[2]))]
        columns.extend(place for place in places if not columns or place > columns[-1])
        if len(columns) > DEPTH_MAX:
            raise UnreadableError(f"nested deeper than {DEPTH_MAX} levels {place(clean, match.start())}")

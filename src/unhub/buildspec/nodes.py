"""A buildspec's YAML, read strictly: what is not as it must be is refused with file, line and column."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NoReturn

from unhub.formats._text import decode
from unhub.formats._yaml.parse import Document, Empty, Mapping, Node, Pair, Scalar, parse
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.errors import ConfigurationError, UnreadableError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What a shell takes as the name of a variable (POSIX, 3.230)."""

_KINDS = {Mapping: "a mapping", List: "a list", Scalar: "a text", Empty: "nothing"}


class Reader:
    """One file: its only document, and the places in it."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self._data = data
        try:
            documents = parse(data)
        except UnreadableError as error:
            raise ConfigurationError(f"cannot run {path}: {error.message}") from None
        if len(documents) != 1:
            raise ConfigurationError(f"cannot run {path}: it holds {len(documents)} YAML documents, and a buildspec is one")
        self.document: Document = documents[0]

    def line(self, node: Node | Pair) -> int:
        """The line on which something stands, from 1."""
        return self._data.count(b"\n", 0, node.span.start) + 1

    def refuse(self, node: Node | Pair, reason: str, *, hint: str | None = None) -> NoReturn:
        """Refuse the file for what stands at ``node``."""
        start = self._data.rfind(b"\n", 0, node.span.start) + 1
        column = len(decode(self._data[start : node.span.start]).removeprefix("\ufeff")) + 1
        raise ConfigurationError(f"cannot run {self.path}:{self.line(node)}:{column}: {reason}", hint=hint)

    def pairs(self, node: Node, name: str, known: Sequence[str] | None = None) -> Iterator[tuple[str, Pair, Node]]:
        """Key, pair and value of each entry of a mapping, merged ones included; ``known`` are the keys that may be there."""
        resolved = self.document.resolve(node)
        if isinstance(resolved, Empty) or (isinstance(resolved, Scalar) and resolved.is_null):
            return
        if not isinstance(resolved, Mapping):
            self.refuse(node, f"{name} is {self._kind(resolved)}, and must be a mapping")
        seen: set[str] = set()
        for pair in self.document.pairs(resolved):
            if pair.name is None:
                self.refuse(pair, f"a key of {name} is no text")
            if pair.name in seen:
                self.refuse(pair, f"{pair.name!r} stands twice in {name}")
            if known is not None and pair.name not in known:
                self.refuse(pair, f"{name} has no key {pair.name!r}", hint=f"Known are {', '.join(known)}")
            seen.add(pair.name)
            yield pair.name, pair, self.resolved(pair.value)

    def resolved(self, node: Node) -> Node:
        """The node itself, or what an alias stands for."""
        found = self.document.resolve(node)
        if found is None:
            self.refuse(node, "there is no such anchor before it")
        return found

    def text(self, node: Node, name: str, *, hint: str | None = None) -> str:
        """A scalar as text: ``1`` and ``true`` are what is written, nothing and ``null`` are empty."""
        found = self.resolved(node)
        if isinstance(found, Empty) or (isinstance(found, Scalar) and found.is_null):
            return ""
        if not isinstance(found, Scalar):
            self.refuse(node, f"{name} is {self._kind(found)}, and must be a text", hint=hint)
        if "\0" in found.text:
            self.refuse(node, f"{name} holds a NUL byte, which no command line can hold")
        return found.text

    def items(self, node: Node, name: str) -> list[Node]:
        """The items of a list."""
        found = self.resolved(node)
        if not isinstance(found, List):
            self.refuse(node, f"{name} is {self._kind(found)}, and must be a list")
        return found.items

    def _kind(self, node: Node | None) -> str:
        return next((word for kind, word in _KINDS.items() if isinstance(node, kind)), "an unknown anchor")

"""Texts of a YAML document that look like images and stand where nothing is known to pull them.

A format that knows its image positions reports the rest with a reason, so that nothing a
reader would take for an image is passed over in silence (rule #67).
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from unhub.formats._text import decode
from unhub.formats._yaml.parse import Mapping, Node, Scalar, Sequence
from unhub.image.errors import InvalidReference
from unhub.image.found import Class, Skipped, Span
from unhub.image.reference import Reference

_IN_TEXT = re.compile(
    rb"""(?i)\b[\w.-]*image["']?[ \t]*[:=][ \t]*["']?([a-z0-9$][\w./:@${}-]*)(?=["',\]}]|[ \t]*\r?$|[ \t]+[#-])""", re.MULTILINE
)
_VARIABLE = re.compile(r"\$\{[^}]*\}|\$\([^)]*\)|\$\w+|\{\{.*?\}\}")
_NO_CONTAINER = re.compile(r"(?i).*\.(?:png|jpe?g|gif|svg|ico|webp|bmp|iso|img|qcow2|ova|vmdk|raw)")

Path = tuple[str, ...]


class Mention(Struct, frozen=True):
    """A text that looks like an image, and the keys that lead there (``[]`` for an item of a list).

    ``whole`` is false where it is a piece of a longer text.
    """

    span: Span
    path: Path
    whole: bool

    @property
    def dotted(self) -> str:
        """The path as ``spec.pools[].image``."""
        return ".".join(self.path).replace(".[]", "[]")


Explain = Callable[[Mention], tuple[str, str] | None]
"""The name of the position and the reason; ``None`` where the mention is known to be no image."""


class Occupied:
    """Spans that are accounted for, which lie apart."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(spans)
        self._starts = [span.start for span in self._spans]

    def overlaps(self, span: Span) -> bool:
        """Whether a span shares a byte with one of them."""
        before = bisect.bisect_left(self._starts, span.end)
        return before > 0 and self._spans[before - 1].end > span.start


def skip_mentions(data: bytes, root: Node, taken: Occupied | Iterable[Span], explain: Explain) -> Iterator[Skipped]:
    """A ``Skipped`` for each text below ``root`` that looks like an image and is not ``taken``."""
    taken = taken if isinstance(taken, Occupied) else Occupied(taken)
    for mention in mentions(root):
        explained = None if taken.overlaps(mention.span) else explain(mention)
        if explained:
            where, reason = explained
            yield Skipped(mention.span, decode(data[mention.span.start : mention.span.end]), where, Class.NO_TARGET, reason)


def mentions(root: Node) -> Iterator[Mention]:
    """Every text below ``root`` that stands under a key named like an image, or that names one inside.

    Aliases are not followed: what they stand for is seen where it is written.
    """
    waiting: list[tuple[Node, Path, bool]] = [(root, (), False)]
    while waiting:
        node, path, named = waiting.pop()
        if isinstance(node, Scalar):
            yield from _in_scalar(node, path, named=named)
        elif isinstance(node, Sequence):
            waiting.extend((item, (*path, "[]"), named) for item in reversed(node.items))
        elif isinstance(node, Mapping):
            waiting.extend(reversed(list(_values(node, path, named=named))))


def _values(mapping: Mapping, path: Path, *, named: bool) -> Iterator[tuple[Node, Path, bool]]:
    for pair in mapping.pairs:
        key = pair.name or "?"
        is_image = (
            _names_image(key) or (key == "value" and _names_image(mapping.text("name") or "")) or (named and key in ("repository", "name"))
        )
        yield pair.value, (*path, key), is_image


def _names_image(key: str) -> bool:
    return key.lower().endswith("image")


def _in_scalar(scalar: Scalar, path: Path, *, named: bool) -> Iterator[Mention]:
    if not named and scalar.style != '"' and not _holds_image(scalar.data[scalar.span.start : scalar.span.end]):
        return
    mapped = scalar.mapped
    if named and scalar.is_text and _is_plausible(scalar.text.strip()):
        lead = len(mapped.data) - len(mapped.data.lstrip())
        yield Mention(mapped.outer(Span(lead, len(mapped.data.rstrip()))), path, whole=True)
        return
    if not _holds_image(mapped.data):
        return
    for match in _IN_TEXT.finditer(mapped.data):
        if _is_plausible(decode(match[1])):
            yield Mention(mapped.outer(Span(*match.span(1))), path, whole=False)


def _holds_image(data: bytes) -> bool:
    return b"mage" in data or b"MAGE" in data


def _is_plausible(text: str) -> bool:
    if not text or _NO_CONTAINER.fullmatch(text):
        return False
    try:
        Reference.parse(_VARIABLE.sub("x", text))
    except InvalidReference:
        return False
    return True

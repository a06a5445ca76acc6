"""HCL as the same nodes as JSON (HCL's own mapping, hashicorp/hcl ``json/spec.md``), plus what only HCL has.

A block ``target "web" { … }`` is the key ``target`` with the key ``web`` in it, so that
one walk reads both spellings of a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from unhub.formats._text import Mapped
from unhub.formats._yaml.nodes import Node, Scalar
from unhub.image.found import Span


@dataclass(frozen=True, slots=True)
class Interpolation:
    """``${…}`` in a text: its bytes in the file, and what stands between the braces (``None`` for ``%{…}``)."""

    span: Span
    value: Node | None


@dataclass(kw_only=True)
class Template(Scalar):
    """A text: quoted, or a heredoc (style ``<<``). ``unquoted`` is its value, interpolations as written."""

    unquoted: Mapped
    interpolations: tuple[Interpolation, ...] = ()

    @cached_property
    def mapped(self) -> Mapped:
        """The value and where each byte of it stands."""
        return self.unquoted


@dataclass(slots=True, kw_only=True)
class Reference(Node):
    """A variable with its attributes: ``var.image``, ``local.images.node``, ``TAG``."""

    name: str


@dataclass(slots=True, kw_only=True)
class Call(Node):
    """A function with its arguments."""

    name: str
    arguments: list[Node]


@dataclass(slots=True, kw_only=True)
class Choice(Node):
    """``condition ? a : b``: one of several values."""

    options: list[Node]


@dataclass(slots=True, kw_only=True)
class Other(Node):
    """An expression that is not followed; ``inner`` are the values that stand in it."""

    inner: list[Node]

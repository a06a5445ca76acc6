"""HCL as the same nodes as JSON (HCL's own mapping, hashicorp/hcl ``json/spec.md``), plus what only HCL has.

A block ``target "web" { … }`` is the key ``target`` with the key ``web`` in it, so that
one walk reads both spellings of a file.
"""

from __future__ import annotations

from msgspec import Struct

from unhub.formats._lazy import lazy
from unhub.formats._text import Mapped
from unhub.formats._yaml.nodes import Node, Scalar
from unhub.image.found import Span


class Interpolation(Struct, frozen=True):
    """``${…}`` in a text: its bytes in the file, and what stands between the braces (``None`` for ``%{…}``)."""

    span: Span
    value: Node | None


class Template(Scalar, kw_only=True, dict=True):
    """A text: quoted, or a heredoc (style ``<<``). ``unquoted`` is its value, interpolations as written."""

    unquoted: Mapped
    interpolations: tuple[Interpolation, ...] = ()

    @lazy
    def mapped(self) -> Mapped:
        """The value and where each byte of it stands."""
        return self.unquoted


class Reference(Node, kw_only=True):
    """A variable with its attributes: ``var.image``, ``local.images.node``, ``TAG``."""

    name: str


class Call(Node, kw_only=True):
    """A function with its arguments."""

    name: str
    arguments: list[Node]


class Choice(Node, kw_only=True):
    """``condition ? a : b``: one of several values."""

    options: list[Node]


class Other(Node, kw_only=True):
    """An expression that is not followed; ``inner`` are the values that stand in it."""

    inner: list[Node]

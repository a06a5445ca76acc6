"""Variables in the texts of CI files: what each may stand for, and the references that follow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from unhub.formats._text import Mapped, decode
from unhub.formats._yaml.parse import Node, Scalar
from unhub.image.found import Part, Span

SPELLINGS_MAX = 64
"""Most combinations of values that are looked at for one text."""


class Value(Struct, frozen=True):
    """A text that a variable may have: the parts that spell it, and where it is written.

    ``node`` is the scalar (or its alias) that holds it; ``None`` for a literal inside an
    expression. ``proxied`` as in :class:`Variable`.
    """

    span: Span
    parts: tuple[Part, ...]
    where: str
    node: Node | None = None
    proxied: str = ""

    @property
    def names_nothing(self) -> bool:
        """Whether the text is empty, which switches a container off."""
        return all(part.known and not part.text for part in self.parts)


class Variable(Struct, frozen=True):
    """A variable in a text and what is known of it.

    ``span`` counts in the text; ``name`` is for people (``matrix.image``). ``chooses`` is
    true where the platform picks one of ``values``, each of which is then an image of its
    own; else the one value stands in for the variable. ``unknown`` says why it may have
    other values, or none; empty where ``values`` are all there are.
    """

    span: Span
    name: str
    values: tuple[Value, ...] = ()
    chooses: bool = False
    unknown: str = ""
    proxied: str = ""
    """Why a name that starts with this variable is no longer pulled from Docker Hub (rule #64)."""
    reach: Span | None = None
    """The part of the file in which the name means this; ``None`` means all of it."""

    @property
    def single(self) -> Value | None:
        """The value, where there is exactly one."""
        return self.values[0] if len(self.values) == 1 and not self.chooses and not self.unknown else None

    def placed(self, text: Mapped, shift: int = 0) -> Variable:
        """The variable of a piece of ``text`` that starts at ``shift``: literals in expressions get their place in the file."""
        span = Span(self.span.start + shift, self.span.end + shift)
        return replace(self, span=span, values=tuple(_placed(value, text, shift) for value in self.values))


class Spelling(Struct, frozen=True):
    """One reference that a text may spell; ``value`` is the choice that makes it differ from the first."""

    parts: tuple[Part, ...]
    value: Value | None = None


def _placed(value: Value, text: Mapped, shift: int) -> Value:
    if value.node is not None:
        return value
    inner = Span(value.span.start + shift, value.span.end + shift)
    return replace(value, span=text.outer(inner), parts=tuple(_literal(text, inner)))


def _distinct(values: Sequence[Value]) -> list[Value]:
    """Values that differ in their text: a combination of a matrix may be named more than once."""
    seen: dict[str, Value] = {}
    for value in values:
        unclear = any(not part.known for part in value.parts)
        seen.setdefault(str(value.span) if unclear else "".join(part.text for part in value.parts), value)
    return list(seen.values())


def spell(text: Mapped, inner: Span, variables: Sequence[Variable]) -> list[Spelling]:
    """Every reference that ``inner`` of ``text`` may spell, the first one for the place of use.

    A variable that occurs twice has the same value at both places. What is not known is a
    part without a value, and then comes first, so that the place of use is judged by it.
    """
    choices: dict[str, list[Value | None]] = {}
    for variable in variables:
        values: list[Value | None] = [*_distinct(variable.values)]
        if variable.unknown or not values:
            values.insert(0, None)
        choices.setdefault(variable.name, values)
    spellings: list[Spelling] = []
    names = list(choices)
    for combination in itertools.islice(itertools.product(*choices.values()), SPELLINGS_MAX):
        chosen = dict(zip(names, combination, strict=True))
        differs = next((value for name, value in chosen.items() if value is not choices[name][0]), None)
        spellings.append(Spelling(tuple(_parts(text, inner, variables, chosen)), differs))
    return spellings


def _parts(text: Mapped, inner: Span, variables: Sequence[Variable], chosen: dict[str, Value | None]) -> Iterator[Part]:
    at = inner.start
    for variable in variables:
        yield from _literal(text, Span(at, variable.span.start))
        value = chosen[variable.name]
        if value is None:
            yield Part("", text.outer(variable.span), known=False)
        else:
            yield from value.parts
        at = variable.span.end
    yield from _literal(text, Span(at, inner.end))


def _literal(text: Mapped, span: Span) -> Iterator[Part]:
    if span.end > span.start:
        yield from text.parts(Part(decode(text.data[span.start : span.end]), span))


def scalar_value(scalar: Scalar, where: str, *, node: Node | None = None, parts: tuple[Part, ...] | None = None) -> Value:
    """A scalar as a value; ``parts`` where it holds variables of its own, ``node`` where an alias led to it."""
    inner = trimmed(scalar)
    if parts is None:
        parts = tuple(_literal(scalar.mapped, inner)) or (Part("", Span(scalar.content.start, scalar.content.start)),)
    return Value(scalar.mapped.outer(inner), parts, where, node or scalar)


def trimmed(scalar: Scalar, scheme: str = "") -> Span:
    """The inner span of a scalar's value without blanks around it and without a leading ``scheme``."""
    text = scalar.mapped.data
    start = len(text) - len(text.lstrip())
    end = max(start, len(text.rstrip()))
    wanted = scheme.encode()
    if wanted and text[start : start + len(wanted)].lower() == wanted:
        start += len(wanted)
    return Span(start, end)

"""Variables of a Dockerfile's global scope, and words evaluated with them, each byte with its place.

Source: ``processDollar`` in ``frontend/dockerfile/shell/lex.go`` and ``buildMetaArgs`` in
``frontend/dockerfile/dockerfile2llb/convert.go`` of moby/buildkit (rules #36 to #42).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from unhub.formats._dockerfile.pattern import BrokenPattern, Pattern
from unhub.formats._dockerfile.text import Spelled
from unhub.formats._dockerfile.word import BACKSLASH, Escape, Item, Quoted, Text, Variable, take_apart
from unhub.image.found import Part, Span

PLATFORM_VARIABLES = frozenset(
    f"{side}{what}" for side in ("BUILD", "TARGET") for what in ("PLATFORM", "OS", "ARCH", "VARIANT", "OSVERSION")
) | {"TARGETSTAGE"}
"""Set by BuildKit itself in the global scope (rule #42); ``defaultArgs`` in ``dockerfile2llb/platform.go``."""

LENGTH_MAX = 4096
PARTS_MAX = 1000
"""Characters and parts of an evaluated value; ARGs that double each other would grow without end."""


class Value(Struct, frozen=True):
    """The parts that spell a value; ``through`` is the ARG whose value it is unchanged.

    ``reason`` says why the first part that is not known is not.
    """

    parts: tuple[Part, ...]
    through: Argument | None = None
    reason: str | None = None

    @property
    def text(self) -> str:
        """The value as far as it is known."""
        return "".join(part.text for part in self.parts)

    def arguments(self) -> Iterator[Argument]:
        """The ARGs it passed through unchanged, the nearest first."""
        argument = self.through
        while argument is not None:
            yield argument
            argument = argument.value.through

    @property
    def known(self) -> bool:
        """Whether every part of the value is known."""
        return all(part.known for part in self.parts)


class Argument(Struct, frozen=True, eq=False):
    """A global ARG that has a default: ``written`` is the default without its outer quotes."""

    name: str
    written: Span
    value: Value


class Scope(Struct):
    """The global ARGs declared so far. ``escape`` is the file's escape character."""

    escape: int = BACKSLASH
    arguments: dict[str, Argument] = field(default_factory=dict[str, Argument])
    declared: set[str] = field(default_factory=set[str])

    def declare(self, word: Spelled) -> None:
        """Take ``NAME`` or ``NAME=default`` of an ARG instruction into the scope.

        Raises :class:`~unhub.formats._dockerfile.word.BrokenWord` where BuildKit refuses the default.
        """
        name, equals, _ = word.text.partition("=")
        self.declared.add(name)
        if not equals:
            return
        start = word.data.find(b"=") + 1
        default = word.cut(start, len(word))
        value = self.evaluate(default)
        self.arguments[name] = Argument(name, without_quotes(default).span, value)

    def evaluate(self, word: Spelled) -> Value:
        """The value of a word. Raises :class:`~unhub.formats._dockerfile.word.BrokenWord` as BuildKit does."""
        return _Evaluation(self, word).whole(take_apart(word.data, self.escape))


def without_quotes(word: Spelled) -> Spelled:
    """The word without the quotes around all of it, if there are any."""
    data = word.data
    if len(data) > 1 and data[:1] in (b'"', b"'") and data[-1:] == data[:1] and data[:1] not in data[1:-1]:
        return word.cut(1, len(data) - 1)
    return word


class _Evaluation(Struct, frozen=True):
    scope: Scope
    word: Spelled

    def whole(self, items: Sequence[Item]) -> Value:
        """The value of items; an empty one has one part without width, where text could be put."""
        hole = items[0].start if items else len(self.word)
        return self._joined(items, self.word.place(hole + (bool(items) and isinstance(items[0], Quoted))))

    def _joined(self, items: Sequence[Item], hole: int) -> Value:
        if len(items) == 1 and isinstance(items[0], Quoted):
            return self._joined(items[0].items, hole)
        values = [self._item(item) for item in items]
        if len(values) == 1:
            value = values[0]
        else:
            value = Value(tuple(part for value in values for part in value.parts), None, _first_reason(values))
        if len(value.parts) > PARTS_MAX or len(value.text) > LENGTH_MAX:
            return _unknown(self._span(items[0].start, items[-1].end), "the value is too long to be an image")
        return value if value.parts else Value((Part("", Span(hole, hole)),))

    def _item(self, item: Item) -> Value:
        if isinstance(item, Text):
            return Value(tuple(self.word.cut(item.start, item.end).parts()))
        if isinstance(item, Escape):
            return Value(tuple(self.word.cut(min(item.start + 1, item.end), item.end).parts()))
        if isinstance(item, Quoted):
            values = [self._item(inner) for inner in item.items]
            return Value(tuple(part for value in values for part in value.parts), None, _first_reason(values))
        return self._variable(item)

    def _span(self, start: int, end: int) -> Span:
        return self.word.cut(start, end).span

    def _variable(self, item: Variable) -> Value:
        span = self._span(item.start, item.end)
        current = self._lookup(item.name, span)
        if not item.operator:
            return current or _unknown(span, self._why(item.name))
        operator = item.operator.lstrip(":")
        if operator in ("#", "%", "/", "//"):
            return self._computed(item, current, span)
        null = current is None or (item.operator.startswith(":") and not current.text and item.name not in PLATFORM_VARIABLES)
        if operator == "-":
            return self._with_dependency(self._inner(item), current) if null else current or _unknown(span, "")
        if operator == "?":
            reason = f"the build is stopped unless {item.name} is given"
            return _unknown(span, reason) if null else current or _unknown(span, reason)
        return self._alternative(item, current, span, null=null)

    def _lookup(self, name: str, span: Span) -> Value | None:
        argument = self.scope.arguments.get(name)
        if argument is not None:
            return replace(argument.value, through=argument)
        return _unknown(span, self._why(name)) if name in PLATFORM_VARIABLES else None

    def _why(self, name: str) -> str:
        if name in PLATFORM_VARIABLES:
            return f"{name} is set by BuildKit, differently for each platform"
        if name in self.scope.declared:
            return f"ARG {name} has no default"
        return f"{name} is not declared before the first FROM, so no FROM sees it"

    def _inner(self, item: Variable) -> Value:
        return self._joined(item.word, self.word.place(item.word_start))

    @staticmethod
    def _with_dependency(value: Value, current: Value | None) -> Value:
        """``value`` depends on ``current`` being empty: whoever fills that must not do it alone."""
        return Value(value.parts + _dependencies(current), value.through, value.reason) if current else value

    def _alternative(self, item: Variable, current: Value | None, span: Span, *, null: bool) -> Value:
        """``:+`` and ``+``: known, but never rewritten (rule #41)."""
        chosen = "" if null else self._inner(item).text
        if not null and not self._inner(item).known:
            return _unknown(span, f"{self.word.cut(item.start, item.end).text} is not known here")
        return Value((Part(chosen, span, literal=False), *_dependencies(current)))

    def _computed(self, item: Variable, current: Value | None, span: Span) -> Value:
        """``#``, ``%`` and ``/``: known when the variable is, but never rewritten (rule #41)."""
        if current is None or not current.known:
            return _unknown(span, current.reason or "" if current else self._why(item.name))
        try:
            text = self._cut(item, current.text)
        except BrokenPattern:
            return _unknown(span, f"BuildKit refuses the pattern of {self.word.cut(item.start, item.end).text}")
        return Value((Part(text, span, literal=False), *_dependencies(current)))

    def _cut(self, item: Variable, text: str) -> str:
        written = self._raw(item.word)
        if item.operator in ("/", "//"):
            return Pattern.parse(written).substituted(text, self._raw(item.replacement), every=item.operator == "//")
        mark = item.operator[-1]
        longest = written.startswith(mark)
        pattern = Pattern.parse(written[1:] if longest else written)
        return pattern.without_prefix(text, longest=longest) if mark == "#" else pattern.without_suffix(text, longest=longest)

    def _raw(self, items: Sequence[Item]) -> str:
        """The text of a pattern: quotes dropped, escapes kept, variables evaluated."""
        out: list[str] = []
        for item in items:
            if isinstance(item, Escape):
                out.append(self.word.cut(item.start, item.end).text)
            elif isinstance(item, Quoted):
                out.append(self._raw(item.items))
            else:
                out.append(self._item(item).text)
        return "".join(out)


def _first_reason(values: Sequence[Value]) -> str | None:
    return next((value.reason for value in values if value.reason), None)


def _unknown(span: Span, reason: str) -> Value:
    return Value((Part("", span, known=False),), None, reason)


def _dependencies(current: Value | None) -> tuple[Part, ...]:
    """Parts that spell nothing, where another value is written: an edit there would change this value too."""
    return tuple(Part("", Span(part.span.start, part.span.start)) for part in current.parts) if current else ()

"""The values of a Compose file after interpolation, as parts that know where each text is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from unhub.formats import _build
from unhub.formats._compose.dotenv import Value, read_dotenv
from unhub.formats._compose.template import DEPTH_MAX, Dollar, Literal, Node, Variable, parse
from unhub.formats._lazy import lazy
from unhub.formats._text import Mapped, Piece, encode
from unhub.formats._yaml.parse import Scalar
from unhub.image.found import Part, Span
from unhub.image.reference import written_name_length
from unhub.image.source import Source

CHOSEN = "a part of the name is only there when a variable is set, so it is not rewritten"


class Values(Struct, frozen=True, dict=True):
    """Interpolates the texts of one Compose file with the ``.env`` beside it (rules #54, #55).

    The environment of whoever calls Compose comes before ``.env``, and is not known here.
    """

    source: Source
    uses_dotenv: bool = True

    @lazy
    def _evaluated(self) -> dict[tuple[Span, Span], tuple[Part, ...]]:
        """The parts of every piece of a text that was asked for: several rules ask for the same one."""
        return {}

    @lazy
    def dotenv_path(self) -> str:
        """The path of the ``.env`` file, whether there is one or not."""
        return self.source.beside(".env")

    @lazy
    def dotenv(self) -> dict[str, Value]:
        """What the ``.env`` file sets."""
        data = self.source.read(self.dotenv_path) if self.uses_dotenv else None
        return read_dotenv(data) if data else {}

    @lazy
    def defaults(self) -> Values:
        """The same file read as if there were no ``.env``."""
        return Values(self.source, uses_dotenv=False)

    def parts(self, scalar: Scalar, inner: Span) -> Sequence[Part]:
        """A piece of a scalar's text as parts: defaults in place, variables of ``.env`` at their place there."""
        key = scalar.span, inner
        if key not in self._evaluated:
            parts = tuple(self._evaluate(parse(scalar.mapped.data, inner), scalar.mapped, None, 0))
            self._evaluated[key] = parts or _build.mapped(scalar.mapped, inner)
        return self._evaluated[key]

    def text(self, scalar: Scalar | None) -> str | None:
        """A scalar's text after interpolation, ``None`` where a part of it is not known."""
        if scalar is None:
            return None
        parts = self.parts(scalar, Span(0, len(scalar.mapped.data)))
        return _build.written(parts) if all(part.known for part in parts) else None

    def mapped(self, scalar: Scalar) -> Mapped:
        """A scalar's text after interpolation, with the way back. What is not known stays as it is written."""
        out, pieces = bytearray(), list[Piece]()
        for part in self.parts(scalar, Span(0, len(scalar.mapped.data))):
            text = encode(part.text) if part.known else self.source.data[part.span.start : part.span.end]
            if not text:
                continue
            here = part.span if part.path is None else Span(scalar.span.start, scalar.span.end)
            literal = part.path is None and self.source.data[here.start : here.end] == text
            pieces.append(Piece(len(out), here.start, len(text), literal, 0 if literal else here.end - here.start))
            out += text
        return Mapped(bytes(out), tuple(pieces))

    def variable(self, name: str) -> Sequence[Part] | None:
        """The value of a variable that is named without a value of its own, ``None`` where nothing sets it."""
        value = self.dotenv.get(name)
        return list(self._of_dotenv(value, 0)) if value else None

    def note(self, scalar: Scalar, inner: Span) -> str | None:
        """What is to be said of a reference whose name is spelled with ``:+``."""
        if all(part.literal or not part.known for part in self._name(scalar, inner)):
            return None
        return CHOSEN if _has_replacement(parse(scalar.mapped.data, inner)) else None

    def comes_from_dotenv(self, scalar: Scalar, inner: Span) -> bool:
        """Whether a piece of the name stands in the ``.env`` file."""
        return any(part.path is not None for part in self._name(scalar, inner))

    def _name(self, scalar: Scalar, inner: Span) -> Iterator[Part]:
        """The parts that spell some of the name, not only of the tag."""
        parts = self.parts(scalar, inner)
        name_length, at = written_name_length(_build.written(parts)), 0
        for part in parts:
            if at < name_length:
                yield part
            at += len(part.text)

    def _evaluate(self, nodes: Sequence[Node], text: Mapped, path: str | None, depth: int) -> Iterator[Part]:
        for node in nodes:
            match node:
                case Literal():
                    yield from (replace(part, path=path) for part in _build.mapped(text, node.span))
                case Dollar():
                    yield Part("$", text.outer(node.span), literal=False, path=path)
                case Variable():
                    yield from self._variable(node, text, path, depth)

    def _variable(self, node: Variable, text: Mapped, path: str | None, depth: int) -> Iterator[Part]:
        value = self.dotenv.get(node.name) if depth < DEPTH_MAX else None
        is_set = value is not None and (not node.operator.startswith(":") or value.text.data != b"")
        if node.operator.endswith("+"):
            yield from self._replacement(node, text, path, depth, is_set=is_set)
        elif value is not None and is_set:
            yield from self._of_dotenv(value, depth + 1)
        elif node.operator.endswith("-"):
            yield from self._word(node, text, path, depth)
        else:
            yield Part("", text.outer(node.span), known=False, path=path)

    def _of_dotenv(self, value: Value, depth: int) -> Iterator[Part]:
        whole = Span(0, len(value.text.data))
        nodes = parse(value.text.data, whole) if value.expands else (Literal(whole),)
        if whole.end == 0:
            yield Part("", value.text.outer(whole), path=self.dotenv_path)
        yield from self._evaluate(nodes, value.text, self.dotenv_path, depth)

    def _word(self, node: Variable, text: Mapped, path: str | None, depth: int) -> Iterator[Part]:
        if not node.word:
            end = text.outer(node.span).end - 1
            yield Part("", Span(end, end), path=path)
        yield from self._evaluate(node.word, text, path, depth)

    def _replacement(self, node: Variable, text: Mapped, path: str | None, depth: int, *, is_set: bool) -> Iterator[Part]:
        """What ``:+`` gives: never rewritten, since it is only there when the variable is set (rule #41)."""
        if is_set:
            yield from (replace(part, literal=False) for part in self._evaluate(node.word, text, path, depth))
        else:
            yield Part("", text.outer(node.span), literal=False, path=path)


def _has_replacement(nodes: Sequence[Node]) -> bool:
    return any(isinstance(node, Variable) and (node.operator.endswith("+") or _has_replacement(node.word)) for node in nodes)

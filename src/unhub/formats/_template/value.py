"""What an action of a Go template stands for, as far as its own text tells (rule #49).

Literals, ``printf`` with literal arguments, and, where the user wants it, the literal of
``default``. Functions as Helm offers them (Go ``text/template`` and Sprig).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from unhub.formats._template.mask import Region, unknown
from unhub.formats._text import decode
from unhub.image.found import Part, Span

_TOKEN = re.compile(rb'"(?:\\.|[^"\\\n])*+"|`[^`]*+`|[()|]|[^\s()|"`]+')
_VALUES = re.compile(rb"\.Values((?:\.\w+)+)")
_NAMED = re.compile(rb'(?:include|template)\s+"([^"]+)"')
_VERB = re.compile(r"%[-+# 0]*\d*(?:\.\d+)?[a-zA-Z%]")
_TRANSPARENT = frozenset({"quote", "squote", "trim", "toString", "tpl", "print", "nospace", "trimAll"})
_WORD = re.compile(rb"\{\{-?[ \t]*(if|with|range|else|end)\b")
_OPENERS = (b"if", b"with", b"range")
_DEPTH_MAX = 20

Operand = Part | list["Operand"]


class Action(Struct, frozen=True):
    """An action of ``data``; ``defaults`` lets the literal of ``default`` stand in for the value."""

    data: bytes
    region: Region
    defaults: bool = False

    def parts(self) -> list[Part]:
        """The parts of its value; one unknown part where the value is not known."""
        value = self._pipeline(_Tokens(self.data, self.region).group())
        return value or [unknown(self.region)]

    def _pipeline(self, operands: list[Operand], depth: int = 0) -> list[Part] | None:
        value: list[Part] | None = None
        for number, stage in enumerate(_stages(operands)):
            value = self._stage(stage, value, first=number == 0, depth=depth)
        return value

    def _stage(self, stage: list[Operand], piped: list[Part] | None, *, first: bool, depth: int) -> list[Part] | None:
        if not stage or depth > _DEPTH_MAX:
            return None
        head = stage[0]
        arguments = [self._operand(operand, depth) for operand in stage[1:]]
        if first and len(stage) == 1:
            return self._operand(head, depth)
        if isinstance(head, list) or head.known:
            return None
        name = decode(self.data[head.span.start : head.span.end])
        if name in _TRANSPARENT:
            return (arguments[0] if arguments else None) if first else piped
        if name == "printf" and arguments:
            return self._printf(arguments if first else [*arguments, piped])
        if name == "default":
            return self._default(arguments if first else [*arguments, piped])
        if name == "coalesce" and arguments and self.defaults:
            return next((argument for argument in arguments if argument), None)
        return None

    def _operand(self, operand: Operand, depth: int) -> list[Part] | None:
        if isinstance(operand, list):
            return self._pipeline(operand, depth + 1)
        return [operand] if operand.known else None

    def _default(self, arguments: list[list[Part] | None]) -> list[Part] | None:
        if len(arguments) != 2:
            return None
        fallback, value = arguments
        return value or (fallback if self.defaults else None)

    def _printf(self, arguments: Sequence[list[Part] | None]) -> list[Part] | None:
        first = arguments[0]
        if not first or len(first) != 1 or not first[0].literal:
            return None
        template, rest = first[0], list(arguments[1:])
        parts: list[Part] = []
        at = 0
        for verb in _VERB.finditer(template.text):
            parts += _piece(template, at, verb.start())
            at = verb.end()
            if verb[0] == "%%":
                parts.append(Part("%", _piece_span(template, verb.start(), at), literal=False))
                continue
            argument = rest.pop(0) if rest else None
            parts += argument or [unknown(self.region)]
        return parts + _piece(template, at, len(template.text))


class _Tokens:
    """The operands of an action; a parenthesis is a list of its own."""

    def __init__(self, data: bytes, region: Region) -> None:
        self.data = data
        start = region.start + (3 if data.startswith(b"{{-", region.start) else 2)
        end = region.end - (3 if data.startswith(b"-}}", region.end - 3) else 2)
        self.matches = _TOKEN.finditer(data, start, max(start, end))

    def group(self, depth: int = 0) -> list[Operand]:
        operands: list[Operand] = []
        for match in self.matches:
            token, span = match[0], Span(*match.span())
            if token == b"(" and depth < _DEPTH_MAX:
                operands.append(self.group(depth + 1))
            elif token == b")":
                return operands
            elif token[:1] in (b'"', b"`"):
                text, inner = decode(token[1:-1]), Span(span.start + 1, span.end - 1)
                operands.append(Part(text, inner, literal=token[:1] == b"`" or "\\" not in text))
            else:
                operands.append(Part("", span, known=False))
                if token == b"|":
                    operands[-1] = Part("|", span, known=False)
        return operands


def _stages(operands: list[Operand]) -> list[list[Operand]]:
    stages: list[list[Operand]] = [[]]
    for operand in operands:
        if isinstance(operand, Part) and not operand.known and operand.text == "|":
            stages.append([])
        else:
            stages[-1].append(operand)
    return stages


def _piece_span(part: Part, start: int, end: int) -> Span:
    first = part.span.start + len(part.text[:start].encode("utf-8", "surrogateescape"))
    return Span(first, first + len(part.text[start:end].encode("utf-8", "surrogateescape")))


def _piece(part: Part, start: int, end: int) -> list[Part]:
    return [Part(part.text[start:end], _piece_span(part, start, end))] if end > start else []


def condition_branches(data: bytes, span: Span, regions: Sequence[Region]) -> Iterator[Span]:
    """The texts between ``{{ if }}``, ``{{ else }}`` and ``{{ end }}`` where ``span`` holds nothing beside them."""
    words = [_WORD.match(data, region.start) for region in regions]
    names = [word[1] if word else b"" for word in words]
    if not names or names[0] not in _OPENERS or names[-1] != b"end" or (regions[0].start, regions[-1].end) != span:
        return
    depth, start = 0, regions[0].end
    for region, name in zip(regions, names, strict=True):
        depth += (name in _OPENERS) - (name == b"end")
        if depth == 0 and region is not regions[-1]:
            return
    for region, name in zip(regions[1:], names[1:], strict=True):
        depth += (name in _OPENERS) - (name == b"end")
        if (depth == 0 and name == b"else") or region is regions[-1]:
            yield from _unquoted(data, start, region.start)
            start = region.end


def _unquoted(data: bytes, start: int, end: int) -> Iterator[Span]:
    """A text without the blanks and quotes around it, unless it is empty."""
    text = data[start:end]
    start, end = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
    if end - start > 1 and data[start : start + 1] in (b'"', b"'") and data[start] == data[end - 1]:
        start, end = start + 1, end - 1
    if end > start:
        yield Span(start, end)


def prefixed_values(data: bytes, parts: Sequence[Part]) -> Iterator[str]:
    """The values that parts put something before which is no registry field of the same image.

    ``docker.io/{{ .Values.image.repository }}`` gives ``image.repository``: a full name written
    there would stand behind ``docker.io/``.
    """
    before, text = "", ""
    for part in parts:
        if part.known:
            text += part.text
            continue
        key = next((decode(match[1:]) for match in _VALUES.findall(data[part.span.start : part.span.end])), "")
        sibling = before.rpartition(".")[0] == key.rpartition(".")[0] and before.lower().endswith("registry")
        if key and text.endswith("/") and not sibling:
            yield key
        before, text = key, ""


def explain(data: bytes, regions: Sequence[Region]) -> str:
    """Where the value of template text comes from, in the words of a chart's author."""
    text = b" ".join(data[region.start : region.end] for region in regions)
    values = list(dict.fromkeys(".Values" + decode(match) for match in _VALUES.findall(text)))
    named = list(dict.fromkeys(f'the template "{decode(match)}"' for match in _NAMED.findall(text)))
    if not values and not named:
        shown = decode(data[regions[0].start : regions[0].end]) if regions else "a template"
        return f"the value of {' '.join(shown.split())} is not known here"
    reason = f"takes its value from {', '.join([*named, *values])}"
    literal = re.search(rb'\b(?:default\s+|coalesce\s[^"}]*)"([^"]+)"', text)
    if literal and len(regions) == 1:
        reason += f'; the default "{decode(literal[1])}" is rewritten with helm_defaults = true'
    elif values:
        reason += ", so it is changed in the chart's values"
    return reason

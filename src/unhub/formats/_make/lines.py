"""The lines of a makefile: variables, rules, recipes (GNU make manual, 3.1 "What Makefiles Contain")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from unhub.formats._text import decode
from unhub.image.found import Span
from unhub.image.source import BYTE_ORDER_MARK

_ASSIGNMENT = re.compile(
    rb"[ \t]*(?P<export>(?:(?:export|override|private|unexport)[ \t]+)*)(?P<name>[^\s:#=!?+]+)[ \t]*"
    rb"(?P<sign>:::=|::=|:=|\?=|\+=|!=|=)[ \t]*"
)
_TARGETED = re.compile(rb"(?P<target>[^\t#=:][^#=:]*):[ \t]*(?P<rest>(?![:=]).*)", re.DOTALL)
_DEFINE = re.compile(rb"[ \t]*(?:(?:export|override)[ \t]+)*define[ \t]+(?P<name>[^\s=:?+]+)[ \t]*(?:[:?+!]*=)?[ \t\r]*$")
_ENDEF = re.compile(rb"[ \t]*endef\b")
_RULE = re.compile(rb"(?P<target>[^\s#=:][^#=:]*?)[ \t]*&?::?(?!=)(?P<prerequisites>[^;#]*)(?:;(?P<recipe>.*))?", re.DOTALL)
_CONDITION = re.compile(
    rb"[ \t]*(?:else[ \t]+)?(?:ifeq|ifneq|ifdef|ifndef)\b|[ \t]*(?:else|endif|include|-include|sinclude|vpath|undefine)\b"
)
_PREFIX = re.compile(rb"[ \t]*(?:[@+-][ \t]*)*")


class Kind(StrEnum):
    """What a line of a makefile is."""

    ASSIGNMENT = "assignment"
    RECIPE = "recipe"
    RULE = "rule"
    CONDITION = "condition"
    DEFINE = "define"


class Line(Struct, frozen=True):
    """A logical line, continuations included: ``name`` is the variable, or the target that a recipe makes.

    ``span`` covers the value or the command, ``sign`` is how a variable is assigned.
    """

    kind: Kind
    name: str
    span: Span
    sign: str = "="
    exported: bool = False


def lines(data: bytes) -> Iterator[Line]:
    """The lines of a makefile that hold commands, values or conditions."""
    prefix = b"\t"
    target = ""
    defined: str | None = None
    in_rule = False
    for span in _logical(data):
        text = data[span.start : span.end]
        if defined is not None:
            if _ENDEF.match(text):
                defined = None
            else:
                yield Line(Kind.DEFINE, defined, _without_prefix(data, span, b"\t"))
            continue
        if in_rule and text.startswith(prefix):
            yield Line(Kind.RECIPE, target, _without_prefix(data, span, prefix))
            continue
        define = _DEFINE.match(text)
        if define:
            defined = decode(define["name"])
            continue
        found = list(_other(data, span))
        for line in found:
            if line.kind is Kind.ASSIGNMENT and line.name == ".RECIPEPREFIX":
                prefix = data[line.span.start : line.span.start + 1] or b"\t"
            elif line.kind is Kind.RULE:
                in_rule, target = True, line.name
            yield line
        if found and found[0].kind is Kind.ASSIGNMENT and not _TARGETED.match(text):
            in_rule = False


def _logical(data: bytes) -> Iterator[Span]:
    at = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0
    while at < len(data):
        start = at
        while True:
            newline = data.find(b"\n", at)
            at = len(data) if newline < 0 else newline + 1
            body = data[start:at].rstrip(b"\r\n")
            if newline < 0 or not body.endswith(b"\\"):
                break
        yield Span(start, start + len(body))


def _without_prefix(data: bytes, span: Span, prefix: bytes) -> Span:
    start = span.start + (len(prefix) if data.startswith(prefix, span.start) else 0)
    match = _PREFIX.match(data, start, span.end)
    return Span(match.end() if match else start, span.end)


def _other(data: bytes, span: Span) -> Iterator[Line]:
    text = data[span.start : span.end]
    if text.lstrip().startswith(b"#"):
        return
    assignment = _assignment(data, span)
    targeted = None if assignment else _TARGETED.match(data, span.start, span.end)
    inner = _assignment(data, Span(targeted.start("rest"), span.end)) if targeted else None
    rule = _RULE.match(data, span.start, span.end)
    if assignment:
        yield assignment
    elif _CONDITION.match(text):
        yield Line(Kind.CONDITION, "", span)
    elif inner:
        yield inner
    elif rule:
        name = decode(rule["target"]).split()[0] if rule["target"].split() else ""
        yield Line(Kind.RULE, name, Span(span.start, rule.end("prerequisites")))
        if rule["recipe"] is not None:
            yield Line(Kind.RECIPE, name, _without_prefix(data, Span(rule.start("recipe"), span.end), b""))


def _assignment(data: bytes, span: Span) -> Line | None:
    match = _ASSIGNMENT.match(data, span.start, span.end)
    if match is None or b"unexport" in match["export"]:
        return None
    value = Span(match.end(), _comment(data, match.end(), span.end))
    return Line(Kind.ASSIGNMENT, decode(match["name"]), value, decode(match["sign"]), b"export" in match["export"])


def _comment(data: bytes, start: int, end: int) -> int:
    """Where a value ends: before a comment, and before the blanks in front of it."""
    at = start
    while (at := data.find(b"#", at, end)) >= 0:
        if data[at - 1 : at] != b"\\":
            end = at
            break
        at += 1
    return start + len(data[start:end].rstrip())

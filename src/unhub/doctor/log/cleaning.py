"""From the bytes of a line to the messages in it: no colours, no prefixes, no JSON around."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

import msgspec

from unhub.doctor.log.prefixes import without_prefixes
from unhub.doctor.log.reading import RawLine

MESSAGES_MAX: Final = 50
"""Messages that are taken from one line: progress bars write hundreds, of which the last ones count."""

_ESCAPES = re.compile(
    r"\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]"  # colours and cursor movements
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?"  # titles, links
    r"|\x1b[@-Z\\^_]?"
    r"|(?<!u001b)(?<!u001B)(?<!x1b)(?<!033)\[\d{1,3}(?:;\d{1,3}){0,8}m"  # colours that lost their escape, but not one in JSON
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LOGFMT = re.compile(r'\b(?:msg|message|error|err|reason)="((?:[^"\\]|\\.)*)"')
_JSON_FIELD = re.compile(r'^\s{0,40}"(?:message|log|msg|error|reason|statusMessage|status)":\s?"(?P<text>.*?)"?,?\s*$')
_FIELDS = ("log", "stream", "status", "message", "msg", "error", "err", "errorDetail", "reason")


@dataclass(frozen=True, slots=True)
class Line:
    """A message: the number of its line, its text, and the build step, service or job it belongs to (``None``: unknown)."""

    number: int
    text: str
    step: str | None = None


def messages(raw: RawLine) -> Iterator[Line]:
    """The messages of a line: one, or several where a program wrote over its line or packed texts into JSON."""
    text = raw.data.decode("utf-8", "replace")
    if "\x1b" in text or "[" in text:
        text = _ESCAPES.sub("", text)
    for part in _parts(text)[-MESSAGES_MAX:]:
        message, step = without_prefixes(_plain(part))
        for unpacked in _unpacked(message):
            if "\n" not in unpacked and unpacked is message:
                yield Line(raw.number, message, step)
                continue
            for inner in unpacked.split("\n")[:MESSAGES_MAX]:
                rest, inner_step = without_prefixes(_plain(_ESCAPES.sub("", inner)))
                if rest:
                    yield Line(raw.number, rest, inner_step or step)


def _plain(text: str) -> str:
    return (text if text.isprintable() else _CONTROLS.sub("", text)).rstrip()


def _parts(text: str) -> list[str]:
    """What a line holds between carriage returns; an empty line is one empty part."""
    if "\r" not in text:
        return [text]
    return [part for part in text.split("\r") if part] or [""]


def _unpacked(text: str) -> Iterator[str]:
    if text.startswith("{") and text.endswith("}") and (texts := _of_json(text)):
        yield from texts
    elif ("level=" in text or "time=" in text) and (found := _LOGFMT.findall(text)):
        yield from (_unescaped(value) for value in found)
    elif match := _JSON_FIELD.match(text) if text.lstrip().startswith('"') else None:
        yield _unescaped(match["text"])
    elif '\\"' in text or "\\n" in text:
        yield _unescaped(text)
    else:
        yield text


def _of_json(text: str) -> list[str]:
    """The texts of an object as loggers write it; none where it has no such field, as in a registry's answer."""
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return []
    return list(_texts(cast("dict[str, object]", value))) if isinstance(value, dict) else []


def _texts(table: dict[str, object]) -> Iterator[str]:
    for field in _FIELDS:
        inner = table.get(field)
        if isinstance(inner, dict):
            yield from (text for text in cast("dict[str, object]", inner).values() if isinstance(text, str))
        elif isinstance(inner, str) and inner not in ("stdout", "stderr"):
            yield inner


def _unescaped(text: str) -> str:
    return re.sub(r'\\(["\\nrt/])', lambda match: {"n": "\n", "r": "\n", "t": "\t"}.get(match[1], match[1]), text)

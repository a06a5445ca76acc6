"""Markdown: the Dockerfiles, manifests and commands in its fenced code blocks, only if asked for (rule #73)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from unhub.formats import dockerfile, shell
from unhub.formats._choice import choose
from unhub.formats._format import Finder, Format
from unhub.formats._text import Mapped, Piece, decode
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Declared, Finding, Skipped, Span
from unhub.image.source import Source

_OPENING = re.compile(rb"([ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*)(`{3,}|~{3,})[ \t]*([^\s`{]*)[^`\n]*\n?\Z")
_PROMPT = re.compile(rb"[ \t]*(?:[\w@.:~/-]*[$#%]|>)[ \t]+")
_DOCKERFILE = frozenset({"dockerfile", "docker", "containerfile"})
_SHELL = frozenset({"sh", "bash", "shell", "zsh", "ksh"})
_SESSION = frozenset({"console", "shell-session", "shellsession", "sh-session", "terminal"})
_YAML = frozenset({"yaml", "yml", "json"})


FORMAT = Format(
    name="markdown",
    title="Markdown",
    tier="B",
    files=("*.md", "*.markdown", "*.mdx"),
    positions=("fenced blocks of a Dockerfile, YAML, JSON, a shell script or a shell session, with --docs",),
    gaps=("indented code blocks, blocks inside quotations, and prose",),
    order=90,
    switch="docs",
)


class Block(Struct, frozen=True):
    """A fenced code block: its language in lower case, the line that opens it, and its lines without their indent."""

    language: str
    opening: Span
    text: Mapped


def find(source: Source) -> Iterator[Finding]:
    """What the code blocks name; what they declare is meant for no build of this tree."""
    if not source.settings.docs:
        return
    for block in blocks(source.data):
        text, finder, path = _reader(source, block)
        if finder is None:
            continue
        inner = replace(source, data=text.data, path=path)
        try:
            findings = list(finder(inner))
        except UnreadableError as error:
            opening = decode(source.data[slice(*block.opening)])
            yield Skipped(block.opening, opening, f"{block.language} block", Class.UNREADABLE, error.message)
            continue
        used = [finding for finding in findings if not isinstance(finding, Declared)]
        yield from text.lift(used, prefix=f"{block.language} block: ")


def _reader(source: Source, block: Block) -> tuple[Mapped, Finder | None, str]:
    """The text of a block, who reads it, and under which path."""
    if block.language in _DOCKERFILE:
        return block.text, dockerfile.find, source.path
    if block.language in _SESSION or (block.language in _SHELL and _PROMPT.match(block.text.data)):
        return _commands(block.text), shell.find, source.path
    if block.language in _SHELL:
        return block.text, shell.find, source.path
    if block.language in _YAML:
        path = source.beside(f"block.{block.language}")
        entry = choose(replace(source, data=block.text.data, path=path))
        return block.text, entry.find if entry else None, path
    return block.text, None, source.path


def blocks(data: bytes) -> Iterator[Block]:
    """The fenced code blocks, as CommonMark has them; one that is not closed ends with the file."""
    start = 0
    opening: re.Match[bytes] | None = None
    lines: list[Span] = []
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        if opening is None:
            opening, lines = _OPENING.match(data, start, end), []
        elif _closes(data[start:end], opening[2]):
            yield _block(data, opening, lines)
            opening = None
        else:
            lines.append(_dedented(data, Span(start, end), len(opening[1])))
        start = end
    if opening is not None:
        yield _block(data, opening, lines)


def _closes(line: bytes, fence: bytes) -> bool:
    mark = line.strip()
    return len(mark) >= len(fence) and mark == fence[:1] * len(mark)


def _dedented(data: bytes, line: Span, indent: int) -> Span:
    start = line.start
    while start < line.end and start - line.start < indent and data[start] in b" \t":
        start += 1
    return Span(start, line.end)


def _block(data: bytes, opening: re.Match[bytes], lines: list[Span]) -> Block:
    return Block(decode(opening[3]).lower(), Span(*opening.span(2)), _joined(data, lines))


def _joined(data: bytes, spans: list[Span]) -> Mapped:
    pieces: list[Piece] = []
    length = 0
    for span in spans:
        pieces.append(Piece(length, span.start, span.end - span.start))
        length += span.end - span.start
    return Mapped(b"".join(data[span.start : span.end] for span in spans), tuple(pieces))


def _commands(text: Mapped) -> Mapped:
    """The commands of a shell session: lines behind a prompt and those that continue them, without output."""
    kept: list[bytes] = []
    pieces: list[Piece] = []
    length, inner, goes_on = 0, 0, False
    for line in text.data.splitlines(keepends=True):
        prompt = None if goes_on else _PROMPT.match(line)
        if prompt or goes_on:
            command = line[prompt.end() :] if prompt else line
            skipped = len(line) - len(command)
            pieces.append(Piece(length, text.outer(Span(inner + skipped, inner + skipped)).start, len(command)))
            kept.append(command)
            length += len(command)
            goes_on = command.rstrip(b"\r\n").endswith(b"\\")
        inner += len(line)
    return Mapped(b"".join(kept), tuple(pieces))

"""Files of other formats inside a script: here-documents and strings that a command reads or that become a file (rule #56)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from unhub.formats._choice import choose
from unhub.formats._commands.usage import Role
from unhub.formats._embed import embedded
from unhub.formats._format import Entry, by_name
from unhub.formats._shell.inner import base_name, text_of_word
from unhub.formats._shell.tree import Command, Word
from unhub.formats._shell.uses import Run
from unhub.formats._text import Mapped, Piece
from unhub.image.errors import UnreadableError
from unhub.image.found import Finding, Span
from unhub.image.source import Source

_ESCAPE = re.compile(rb"\\([\\ntr'\"])")
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}


def read_by(source: Source, run: Run) -> Iterator[Finding]:
    """What a command reads from standard input, where the script says it."""
    if not run.usage.stdin or not any(use.role is Role.FILE and use.field.text in ("-", "/dev/stdin") for use in run.uses):
        return
    entry = by_name(run.usage.stdin)
    if entry is None:
        return
    for text in _input(source.data, run.command):
        yield from _look(source, text, entry, source, _where(run.command, "<<"))


def written_by(source: Source, command: Command) -> Iterator[Finding]:
    """What a command writes into a file whose name says what it is."""
    name = _file_name(command)
    if not name:
        return
    for text in (*_input(source.data, command), *_said(source.data, command)):
        inner = replace(source, path=source.beside(name), data=text.data)
        entry = choose(inner)
        if entry is not None and entry.name not in ("shell", "makefile"):
            yield from _look(source, text, entry, inner, _where(command, f"> {name}"))


def _where(command: Command, what: str) -> str:
    return f"{command.where}: {what}" if command.where else what


def _look(source: Source, text: Mapped, entry: Entry, inner: Source, where: str) -> Iterator[Finding]:
    try:
        yield from list(embedded(replace(inner, read=source.read), text, entry.find, where))
    except UnreadableError:
        return


def _file_name(command: Command) -> str | None:
    words = [word.text or "" for word in command.words]
    for output in command.outputs:
        if not (output.text or "").startswith(("/dev/", "&")):
            return _plain_path(output)
    names = [base_name(word) for word in words]
    if "tee" in names:
        rest = [word for word in command.words[names.index("tee") + 1 :] if not (word.text or "").startswith("-")]
        return _plain_path(rest[0]) if rest else None
    return None


def _plain_path(word: Word) -> str | None:
    """A path, or the file's name where the folder is not known."""
    text = word.text
    if text is not None:
        return text.lstrip("/") or None
    last = word.pieces[-1]
    tail = getattr(last, "text", "")
    return tail.rpartition("/")[2] if "/" in tail else None


def _input(data: bytes, command: Command) -> Iterator[Mapped]:
    """Texts that reach the standard input of a command."""
    for heredoc in command.heredocs:
        yield heredoc.text
    for string in command.strings:
        yield text_of_word(data, string)
    before = command.piped_from
    if before is not None:
        yield from (heredoc.text for heredoc in before.heredocs)
        yield from _said(data, before)


def _said(data: bytes, command: Command) -> Iterator[Mapped]:
    """What ``echo`` or ``printf`` prints, as far as that is one text."""
    words = command.words
    name = base_name(words[0].text) if words else ""
    if name not in ("echo", "printf"):
        return
    flags = [word.text or "" for word in words[1:] if (word.text or "-x").startswith("-")]
    texts = [word for word in words[1:] if not (word.text or "").startswith("-")]
    for word in texts:
        text = text_of_word(data, word)
        yield _unescaped(text) if name == "printf" or any("e" in flag for flag in flags) else text


def _unescaped(text: Mapped) -> Mapped:
    """The text with ``\\n`` and its like put in."""
    pieces: list[Piece] = []
    out = bytearray()
    at = 0
    for match in _ESCAPE.finditer(text.data):
        _copy(text, at, match.start(), out, pieces)
        value = _ESCAPES.get(match[1], match[1])
        span = text.outer(Span(*match.span()))
        pieces.append(Piece(len(out), span.start, len(value), literal=False, width=span.end - span.start))
        out += value
        at = match.end()
    _copy(text, at, len(text.data), out, pieces)
    return Mapped(bytes(out), tuple(pieces))


def _copy(text: Mapped, start: int, end: int, out: bytearray, pieces: list[Piece]) -> None:
    for inner, outer, literal in text.spans(Span(start, end)):
        if inner.end > inner.start:
            at = len(out) + inner.start - start
            pieces.append(Piece(at, outer.start, inner.end - inner.start, literal=literal, width=0 if literal else outer.end - outer.start))
    out += text.data[start:end]

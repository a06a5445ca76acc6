"""Scripts inside scripts: ``sh -c '…'``, ``eval``, ``trap``, ``ssh host '…'``, ``bash <<EOF``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from unhub.formats._shell.scan import scan
from unhub.formats._shell.tree import Command, Expansion, Lift, Script, Text, Word
from unhub.formats._shell.word import FILLED_IN
from unhub.formats._text import Mapped, Piece, encode

SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"})
_RUNS_ITS_WORDS = frozenset({"eval", "trap", "ssh", "su", "watch", "parallel", "script", "wsl", "lima", "vagrant"})
_LEVELS_MAX = 8


def base_name(word: str | None) -> str:
    """The name of a program without its folder."""
    return (word or "").rpartition("/")[2]


def text_of_word(data: bytes, word: Word) -> Mapped:
    """The text of a word with its expansions left as they are."""
    out = bytearray()
    pieces: list[Piece] = []
    for piece in word.pieces:
        text, literal = _spelling(data, piece)
        width = piece.span.end - piece.span.start
        if text:
            pieces.append(Piece(len(out), piece.span.start, len(text), literal=literal, width=0 if literal else width))
        out += text
    return Mapped(bytes(out), tuple(pieces))


def _spelling(data: bytes, piece: Text | Expansion) -> tuple[bytes, bool]:
    if isinstance(piece, Text):
        return encode(piece.text), piece.literal
    if piece.name.startswith(FILLED_IN):
        return b"\x01" + encode(piece.name.removeprefix(FILLED_IN)) + b"\x02", False
    return data[piece.span.start : piece.span.end], True


def with_inner(data: bytes, script: Script, level: int = 0) -> Script:
    """A script together with every script inside it. ``data`` holds the bytes that spans count in."""
    whole = Script(list(script.commands), list(script.assignments), list(script.elsewhere), list(script.comments))
    if level >= _LEVELS_MAX:
        return whole
    for command in script.commands:
        for text in _inner_texts(data, command):
            inner = Lift(text).script(scan(text.data), command.where)
            for inner_command in inner.commands:
                inner_command.function = inner_command.function or command.function
            whole.add(with_inner(data, inner, level + 1))
    return whole


def _inner_texts(data: bytes, command: Command) -> Iterator[Mapped]:
    words = command.words
    names = [base_name(word.text) for word in words]
    if not names:
        return
    shell = next((number for number, name in enumerate(names) if name in SHELLS), None)
    if shell is not None and names[0] not in ("echo", "printf"):
        yield from _argument(data, words[shell + 1 :])
    if names[0] in _RUNS_ITS_WORDS:
        yield from (text_of_word(data, word) for word in words[1:] if _is_script(word))
    reads = shell is not None and not any(_is_command_flag(word) for word in words[shell + 1 :])
    if reads or "ssh" in names[:2]:
        for heredoc in command.heredocs:
            yield heredoc.text
        for string in command.strings:
            yield text_of_word(data, string)


def _is_command_flag(word: Word) -> bool:
    text = word.text or ""
    return text.startswith("-") and not text.startswith("--") and text.endswith("c")


def _argument(data: bytes, words: tuple[Word, ...]) -> Iterator[Mapped]:
    for number, word in enumerate(words):
        if _is_command_flag(word):
            if number + 1 < len(words):
                yield text_of_word(data, words[number + 1])
            return


def _is_script(word: Word) -> bool:
    return any(isinstance(piece, Text) and piece.quoted and " " in piece.text for piece in word.pieces)

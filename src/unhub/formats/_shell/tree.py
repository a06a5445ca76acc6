"""What a shell script is made of, as far as finding the images in its commands needs it.

Names follow the Shell Command Language of POSIX.1-2024 (chapter 2) and the bash manual.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from unhub.formats._text import Mapped, Piece, decode
from unhub.image.found import Span


class Text(Struct, frozen=True):
    """Characters that stand for themselves. ``literal`` is false where the file spells them with an escape."""

    text: str
    span: Span
    literal: bool = True
    quoted: bool = False


class Expansion(Struct, frozen=True):
    """``$NAME``, ``${NAME:-word}``, ``$(command)`` or a foreign template such as ``${{ … }}``.

    ``name`` is empty where the value cannot be followed. ``operator`` is what stands behind
    the name inside the braces, ``argument`` the word behind that.
    """

    span: Span
    name: str = ""
    operator: str = ""
    argument: Word | None = None
    quoted: bool = False


class Word(Struct, frozen=True):
    """One word of a command, quotes included in ``span`` but not in the pieces."""

    span: Span
    pieces: tuple[Text | Expansion, ...] = ()

    @property
    def text(self) -> str | None:
        """The word's text, ``None`` where an expansion is part of it."""
        texts: list[str] = []
        for piece in self.pieces:
            if isinstance(piece, Expansion):
                return None
            texts.append(piece.text)
        return texts[0] if len(texts) == 1 else "".join(texts)

    @property
    def inner(self) -> Span:
        """The span without quotes around the whole word."""
        if not self.pieces:
            return self.span
        return Span(self.pieces[0].span.start, self.pieces[-1].span.end)

    def expansions(self) -> Iterator[tuple[str, Expansion]]:
        """Every expansion with the text that stands right before it, those inside ``${V:-word}`` included."""
        before = ""
        for piece in self.pieces:
            if isinstance(piece, Text):
                before += piece.text
                continue
            yield before, piece
            if piece.argument is not None:
                yield from piece.argument.expansions()
            before += "$"


class Assignment(Struct, frozen=True):
    """``name=value``, ``name+=value``, ``name=(items)`` or the list of ``for name in items``."""

    name: str
    span: Span
    value: Word | None = None
    items: tuple[Word, ...] | None = None
    append: bool = False
    loop: bool = False


class Heredoc(Struct, frozen=True):
    """The body of ``<<END``. ``quoted``: the shell leaves it as it is. ``text`` has the tabs of ``<<-`` taken off."""

    text: Mapped
    quoted: bool


class Command(Struct):
    """A simple command: assignments in front, words, files it is redirected to, texts fed to it."""

    span: Span
    words: tuple[Word, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    outputs: tuple[Word, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()
    strings: tuple[Word, ...] = ()
    piped_from: Command | None = None
    function: str = ""
    where: str = ""


class Script(Struct):
    """Everything that was read of one text: its commands (those of substitutions included) and what surrounds them.

    ``elsewhere`` holds words of no command, each with what they are (``compared with something``).
    """

    commands: list[Command] = field(default_factory=list)
    assignments: list[tuple[str, Assignment]] = field(default_factory=list)
    elsewhere: list[tuple[Word, str]] = field(default_factory=list)
    comments: list[Span] = field(default_factory=list)

    def add(self, other: Script) -> None:
        """Take in what another text of the same shell holds."""
        self.commands += other.commands
        self.assignments += other.assignments
        self.elsewhere += other.elsewhere
        self.comments += other.comments


class Lift:
    """Moves what was read of an inner text to its places in the file."""

    def __init__(self, text: Mapped) -> None:
        self._text = text
        self._commands: dict[int, Command] = {}

    def script(self, script: Script, where: str = "") -> Script:
        """The same script with every span in the file."""
        if self._text.is_whole_file:
            for command in script.commands:
                command.where = command.where or where
            return script
        return Script(
            [self.command(command, where) for command in script.commands],
            [(function, self._assignment(assignment)) for function, assignment in script.assignments],
            [(self.word(word), how) for word, how in script.elsewhere],
            [self._text.outer(span) for span in script.comments],
        )

    def command(self, command: Command, where: str) -> Command:
        """The same command with every span in the file, at a place named ``where``."""
        known = self._commands.get(id(command))
        if known is not None:
            return known
        lifted = Command(
            self._text.outer(command.span),
            tuple(self.word(word) for word in command.words),
            tuple(self._assignment(assignment) for assignment in command.assignments),
            tuple(self.word(word) for word in command.outputs),
            tuple(replace(heredoc, text=through(heredoc.text, self._text)) for heredoc in command.heredocs),
            tuple(self.word(word) for word in command.strings),
            None,
            command.function,
            command.where or where,
        )
        self._commands[id(command)] = lifted
        if command.piped_from is not None:
            lifted.piped_from = self.command(command.piped_from, where)
        return lifted

    def word(self, word: Word) -> Word:
        """The same word with its span and pieces in the file."""
        return Word(self._text.outer(word.span), tuple(lifted for piece in word.pieces for lifted in self._piece(piece)))

    def _piece(self, piece: Text | Expansion) -> Iterator[Text | Expansion]:
        if isinstance(piece, Expansion):
            argument = self.word(piece.argument) if piece.argument else None
            yield replace(piece, span=self._text.outer(piece.span), argument=argument)
            return
        if not piece.literal:
            yield replace(piece, span=self._text.outer(piece.span))
            return
        for inner, outer, literal in self._text.spans(piece.span):
            text = decode(self._text.data[inner.start : inner.end])
            yield Text(text, outer, literal, piece.quoted)

    def _assignment(self, assignment: Assignment) -> Assignment:
        value = self.word(assignment.value) if assignment.value else None
        items = None if assignment.items is None else tuple(self.word(item) for item in assignment.items)
        return replace(assignment, span=self._text.outer(assignment.span), value=value, items=items)


def through(inner: Mapped, outer: Mapped) -> Mapped:
    """A text mapped into another mapped text, as a text mapped into that one's file."""
    pieces: list[Piece] = []
    for piece in inner.pieces:
        if not piece.literal:
            span = outer.outer(Span(piece.outer, piece.outer_end))
            pieces.append(Piece(piece.inner, span.start, piece.length, literal=False, width=span.end - span.start))
            continue
        for run, place, literal in outer.spans(Span(piece.outer, piece.outer_end)):
            start = piece.inner + run.start - piece.outer
            width = 0 if literal else place.end - place.start
            pieces.append(Piece(start, place.start, run.end - run.start, literal=literal, width=width))
    return Mapped(inner.data, tuple(pieces))

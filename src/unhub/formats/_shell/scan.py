"""The simple commands of a shell script (POSIX.1-2024, 2.9 and 2.10; bash's extensions).

Only as much of the grammar is followed as tells where a command starts and ends, and what
its words are: lists, pipelines, groups, substitutions, functions, loops, ``case`` and
here-documents. Whatever else is there is stepped over, so a script is never refused.
"""

from __future__ import annotations

import re

from msgspec import Struct, field

from unhub.formats._shell.heredocs import HereDocuments
from unhub.formats._shell.tree import Assignment, Command, Script, Word
from unhub.formats._text import decode
from unhub.image.found import Span
from unhub.image.source import BYTE_ORDER_MARK

_BLANKS = re.compile(rb"(?:[ \t\v\f]|\\\r?\n|\r(?=\n|\Z))+")
_SPACE = re.compile(rb"\s+")
_COMMENT = re.compile(rb"#[^\n]*")
_ASSIGNMENT = re.compile(rb"([A-Za-z_][A-Za-z0-9_]*)(\[[^\]\s]*\])?(\+?)=")
_FUNCTION = re.compile(rb"(?:function[ \t]+([^\s(){}]+)(?:[ \t]*\([ \t]*\))?|([^\s(){}<>;&|'\"$`=]+)[ \t]*\([ \t]*\))\s*([{(])?")
_REDIRECT = re.compile(rb"(?:[0-9]+|\{[A-Za-z_]\w*\})?(<<<|<<-|<<|>>|>\||<>|<&|>&|<|>)|(&>>|&>)")
_SEPARATOR = re.compile(rb";;&|;;|;&|&&|\|\||\|&|[;&|\n]")
_STARTS_NO_WORD = frozenset(bytes([byte]) for byte in b"#<>&;|\n(){0123456789")
"""What a word does not start with, or not for sure: a digit or a brace may stand before a redirection."""
_RESERVED = frozenset({"if", "then", "elif", "else", "do", "while", "until", "!", "fi", "done"})
_DECLARATIONS = frozenset({"export", "local", "declare", "readonly", "typeset"})

_COMPARED = "compared with something"


class _State(Struct):
    """Where the scanner is inside one list of commands."""

    command: Command | None = None
    words: list[Word] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    outputs: list[Word] = field(default_factory=list)
    strings: list[Word] = field(default_factory=list)
    piped_from: Command | None = None
    blocks: list[str] = field(default_factory=list)
    patterns: bool = False


def scan(data: bytes, start: int = 0, end: int | None = None) -> Script:
    """What the bytes ``start`` to ``end`` hold; spans count from the start of ``data``."""
    if start == 0 and data.startswith(BYTE_ORDER_MARK):
        start = len(BYTE_ORDER_MARK)
    scanner = _Commands(data, start, len(data) if end is None else end)
    while scanner.at < scanner.end:
        scanner.commands(b"")
    return scanner.script


class _Commands(HereDocuments):
    """Reads lists of commands."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        super().__init__(data, start, end)
        self._functions: list[str] = []

    def commands(self, closer: bytes) -> None:
        state = _State()
        functions = len(self._functions)
        while self.at < self.end:
            blanks = _BLANKS.match(self.data, self.at, self.end)
            if blanks:
                self.at = blanks.end()
                continue
            if state.patterns and self._pattern(state):
                continue
            if self.peek() == b")" and closer == b")" and "(" not in state.blocks:
                break
            if not self._step(state):
                self.at += 1
        self._finish(state)
        del self._functions[functions:]
        if closer and self.peek() == closer:
            self.at += 1

    def _step(self, state: _State) -> bool:
        """Read the next token; false where it is a byte that means nothing here."""
        char = self.peek()
        if char not in _STARTS_NO_WORD:
            return self._word_token(state)
        if char == b"#":
            return self._comment()
        separator = _SEPARATOR.match(self.data, self.at, self.end)
        redirect = _REDIRECT.match(self.data, self.at, self.end)
        if redirect and self.data[redirect.end() : redirect.end() + 1] == b"(" and redirect[1] in (b"<", b">"):
            return self._process_substitution(state)
        if redirect:
            return self._redirect(state, redirect)
        if separator:
            self._separate(state, separator[0])
            return True
        if char in (b"(", b")"):
            return self._bracket(state, char)
        return self._word_token(state)

    def _comment(self) -> bool:
        match = _COMMENT.match(self.data, self.at, self.end)
        if match:
            self.script.comments.append(Span(*match.span()))
            self.at = match.end()
        return True

    def _separate(self, state: _State, separator: bytes) -> None:
        self.at += len(separator)
        if separator in (b";;", b";&", b";;&") and "case" in state.blocks:
            self._finish(state)
            self._close_to(state, "case")
            state.patterns = True
            return
        nothing = not state.words and not state.assignments and state.command is None
        if separator != b"\n" or not nothing:
            finished = self._finish(state)
            state.piped_from = finished if separator in (b"|", b"|&") else None
        if separator == b"\n":
            self.bodies()

    def _bracket(self, state: _State, char: bytes) -> bool:
        self.at += 1
        if char == b"(":
            if self.peek() == b"(" and not state.words:
                self._skip_arithmetic()
                return True
            self._finish(state, keep_pipe=True)
            state.blocks.append("(")
            return True
        self._finish(state)
        if "(" in state.blocks:
            self._close_to(state, "(")
            self._close_block(state)
        return True

    def _skip_arithmetic(self) -> None:
        close = self.data.find(b"))", self.at, self.end)
        self.at = self.end if close < 0 else close + 2

    def _close_to(self, state: _State, kind: str) -> None:
        """Close the blocks inside the innermost one of a kind."""
        while state.blocks and not state.blocks[-1].endswith(kind):
            self._close_block(state)

    def _close_block(self, state: _State) -> None:
        if state.blocks and state.blocks.pop().startswith("function") and self._functions:
            self._functions.pop()

    def _pattern(self, state: _State) -> bool:
        """Step over the patterns of a ``case`` branch; false where the branch's commands begin."""
        char = self.peek()
        if char in (b"\n", b"|", b"(", b";"):
            self.at += 1
        elif char == b"#":
            self._comment()
        elif char == b")":
            self.at += 1
            state.patterns = False
        else:
            start = self.at
            word = self.word()
            if word.text == "esac":
                state.patterns = False
                self._close_to(state, "case")
                self._close_block(state)
            elif self.at == start:
                self.at += 1
        return True

    def _word_token(self, state: _State) -> bool:
        if not state.words and self._opens(state):
            return True
        assignment = self._assignment(state)
        if assignment is not None:
            state.assignments.append(assignment)
            if state.words:
                state.words.append(Word(assignment.span, assignment.value.pieces if assignment.value else ()))
            return True
        start = self.at
        word = self.word()
        if self.at == start:
            return False
        if not state.words and not state.assignments and self._reserved(state, word):
            return True
        state.words.append(word)
        return True

    def _assignment(self, state: _State) -> Assignment | None:
        declares = bool(state.words) and state.words[0].text in _DECLARATIONS
        if state.words and not declares:
            return None
        match = _ASSIGNMENT.match(self.data, self.at, self.end)
        if match is None:
            return None
        start, self.at = self.at, match.end()
        name = decode(match[1])
        append = match[3] == b"+" or match[2] is not None
        if self.peek() == b"(":
            items = self._items()
            return Assignment(name, Span(start, self.at), None, items, append)
        value = self.word()
        return Assignment(name, Span(start, self.at), value, None, append)

    def _items(self) -> tuple[Word, ...]:
        """The words of ``(…)`` behind an assignment's sign."""
        self.at += 1
        items: list[Word] = []
        while self.at < self.end and self.peek() != b")":
            blanks = _BLANKS.match(self.data, self.at, self.end)
            if blanks:
                self.at = blanks.end()
            elif self.peek() == b"#":
                self._comment()
            else:
                start = self.at
                word = self.word()
                if self.at == start:
                    self.at += 1
                else:
                    items.append(word)
        self.at = min(self.at + 1, self.end)
        return tuple(items)

    def _opens(self, state: _State) -> bool:
        """``name() {``, ``[[ … ]]`` at the start of a command."""
        match = _FUNCTION.match(self.data, self.at, self.end)
        if match and not state.assignments:
            self._finish(state)
            self.at = match.end()
            opening = match[3]
            if opening:
                self._functions.append(decode(match[1] or match[2]))
                state.blocks.append("function" + decode(opening))
            return True
        return False

    def _reserved(self, state: _State, word: Word) -> bool:
        text = self.data[word.span.start : word.span.end].decode("ascii", "replace")
        if text == "{":
            state.blocks.append("{")
        elif text == "}":
            self._close_to(state, "{")
            self._close_block(state)
        elif text in ("for", "select"):
            self._loop()
        elif text == "case":
            self._case(state)
        elif text == "esac":
            self._close_to(state, "case")
            self._close_block(state)
        elif text == "[[":
            self._test()
        elif text not in _RESERVED:
            return False
        return True

    def _line_words(self) -> list[Word]:
        """The words up to the end of the line or ``;``."""
        words: list[Word] = []
        while self.at < self.end:
            blanks = _BLANKS.match(self.data, self.at, self.end)
            if blanks:
                self.at = blanks.end()
                continue
            start = self.at
            words.append(self.word())
            if self.at == start:
                words.pop()
                break
        return words

    def _loop(self) -> None:
        start = self.at
        words = self._line_words()
        name = words[0].text if words else None
        if not name or len(words) < 2 or words[1].text != "in":
            return
        items = tuple(word for word in words[2:] if word.text != "do")
        self._note(Assignment(name, Span(start, self.at), None, items, loop=True))

    def _case(self, state: _State) -> None:
        while self.at < self.end:
            blanks = _BLANKS.match(self.data, self.at, self.end) or _SPACE.match(self.data, self.at, self.end)
            if blanks:
                self.at = blanks.end()
                continue
            start = self.at
            word = self.word()
            if self.at == start or word.text == "in":
                break
            self.script.elsewhere.append((word, _COMPARED))
        state.blocks.append("case")
        state.patterns = True

    def _test(self) -> None:
        """Step over ``[[ … ]]``; operators inside are no separators."""
        while self.at < self.end and self.peek() != b"\n":
            start = self.at
            word = self.word()
            if self.at == start:
                self.at += 1
            elif word.text == "]]":
                break
            else:
                self.script.elsewhere.append((word, _COMPARED))

    def _note(self, assignment: Assignment) -> None:
        self.script.assignments.append((self._functions[-1] if self._functions else "", assignment))

    def _process_substitution(self, state: _State) -> bool:
        start = self.at
        self.nest()
        self.at += 2
        self.commands(b")")
        self.depth -= 1
        state.words.append(Word(Span(start, self.at), ()))
        return True

    def _current(self, state: _State) -> Command:
        if state.command is None:
            state.command = Command(Span(self.at, self.at))
        return state.command

    def _redirect(self, state: _State, match: re.Match[bytes]) -> bool:
        self.at = match.end()
        operator = match[1] or match[2]
        blanks = _BLANKS.match(self.data, self.at, self.end)
        self.at = blanks.end() if blanks else self.at
        start = self.at
        word = self.word()
        if self.at == start:
            return True
        if operator in (b"<<", b"<<-"):
            self.announce(self._current(state), self.data[start : self.at], tabs=operator == b"<<-")
        elif operator == b"<<<":
            state.strings.append(word)
        elif operator in (b">", b">>", b">|", b"&>", b"&>>"):
            state.outputs.append(word)
        return True

    def _finish(self, state: _State, *, keep_pipe: bool = False) -> Command | None:
        """End the current command."""
        command = state.command
        if state.words or state.assignments or state.outputs or command is not None:
            command = self._current(state)
            words = state.words
            first = words[0].span.start if words else self.at
            last = words[-1].span.end if words else self.at
            command.span = Span(first, max(first, last))
            command.words = tuple(words)
            command.assignments = tuple(state.assignments)
            command.outputs = tuple(state.outputs)
            command.strings = tuple(state.strings)
            command.piped_from = state.piped_from
            command.function = self._functions[-1] if self._functions else ""
            self.script.commands.append(command)
            if not words or words[0].text in _DECLARATIONS:
                for assignment in state.assignments:
                    self._note(assignment)
        state.command = None
        state.words, state.assignments, state.outputs, state.strings = [], [], [], []
        if not keep_pipe:
            state.piped_from = None
        return command

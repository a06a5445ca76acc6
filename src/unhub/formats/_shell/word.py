"""Words of a shell command: quotes, escapes, expansions (POSIX.1-2024, 2.2 and 2.6; bash's ``$'…'``).

The scanner goes forward only, so that its work is linear, and treats a quote that is
never closed as an ordinary character, so that one odd line does not hide the rest.
"""

from __future__ import annotations

import re
from typing import Final

from unhub.formats._shell.tree import Expansion, Script, Text, Word
from unhub.formats._text import decode
from unhub.image.errors import UnreadableError
from unhub.image.found import Span

DEPTH_MAX: Final = 60
"""Deepest nesting of substitutions that is followed."""

PLACEHOLDER: Final = re.compile(rb"\x01([^\x01\x02]*)\x02")
"""A name between these marks is a value that was put in before the shell sees the text, and is not known."""

FILLED_IN: Final = "filled in: "
"""In front of the name of an expansion that was a placeholder."""
_FOREIGN = re.compile(PLACEHOLDER.pattern + rb"|\$\{\{[^\n]{0,500}?\}\}|\$\[\[[^\n]{0,500}?\]\]|\{\{[^\n]{0,500}?\}\}|\{%[^\n]{0,500}?%\}")
"""A placeholder, or a template of GitHub, GitLab, Go or Jinja: filled in before the shell sees the text."""
_PLAIN = re.compile(rb"[^\s\\'\"$`;&|()<>{\x01]+")
_ENDS_WORD = frozenset((b"", b" ", b"\t", b"\n", b";", b"&", b"|", b"(", b")"))
"""What ends a word for sure; the end of the text too."""
_PLAIN_IN_QUOTES = re.compile(rb"[^\"\\$`{\x01]+")
_PLAIN_IN_BRACES = re.compile(rb"[^\"'\\$`}{\x01]+")
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_PARAMETER = re.compile(rb"!?(?:[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]\n]*\])?|[0-9]+|[@*#?$!-])")
_OPERATOR = re.compile(rb":?[-=+?]|##?|%%?|//?|\^\^?|,,?|@[A-Za-z]|:")
_BRACES = re.compile(rb"\{[^\s{}'\"$`;&|()<>]*(?:,|\.\.)[^\s{}'\"$`;&|()<>]*\}")
_CONTINUATION = re.compile(rb"\\\r?\n")
_ANSI = re.compile(rb"\$'(?:[^'\\]|\\.)*'", re.DOTALL)
_ANSI_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"\\": b"\\", b"'": b"'", b'"': b'"', b"e": b"\x1b", b"a": b"\a"}


def _filled_in(match: re.Match[bytes], *, quoted: bool) -> Expansion:
    name = decode(match[1]) if match[1] is not None else ""
    return Expansion(Span(*match.span()), FILLED_IN + name if name else "", quoted=quoted)


class Words:
    """Reads words of ``data`` from ``at`` up to ``end``; :meth:`commands` is left to the scanner of commands."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data = data
        self.at = start
        self.end = end
        self.depth: int = 0
        self.script = Script()
        self._unclosed: set[bytes] = set()

    def commands(self, closer: bytes) -> None:
        """Read commands up to ``closer`` and step behind it."""
        raise NotImplementedError

    def peek(self, length: int = 1) -> bytes:
        """The next bytes, fewer at the end."""
        return self.data[self.at : min(self.at + length, self.end)]

    def nest(self) -> None:
        """Go one level deeper. Raises :class:`UnreadableError` where that is too deep."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            line = self.data.count(b"\n", 0, self.at) + 1
            raise UnreadableError(f"nested deeper than {DEPTH_MAX} levels near line {line}")

    def word(self) -> Word:
        """The word that starts here; of no width where none does."""
        start = self.at
        plain = _PLAIN.match(self.data, start, self.end)
        if plain and self.data[plain.end() : plain.end() + 1] in _ENDS_WORD:
            self.at = plain.end()
            return Word(Span(start, self.at), (Text(decode(plain[0]), Span(start, self.at)),))
        pieces: list[Text | Expansion] = []
        while self.at < self.end and self._unquoted(pieces):
            pass
        return Word(Span(start, self.at), tuple(pieces))

    def _unquoted(self, pieces: list[Text | Expansion]) -> bool:
        char = self.peek()
        plain = _PLAIN.match(self.data, self.at, self.end)
        if plain:
            self._text(pieces, self.at, plain.end())
            self.at = plain.end()
        elif char in b" \t\n\r;&|()<>" or char in b"\v\f":
            return self._odd_blank(pieces, char)
        elif char == b"'":
            self._single(pieces)
        elif char == b'"':
            self._double(pieces)
        elif not self._special(pieces, quoted=False):
            self._text(pieces, self.at, self.at + 1)
            self.at += 1
        return True

    def _odd_blank(self, pieces: list[Text | Expansion], char: bytes) -> bool:
        """A carriage return in the middle of a line belongs to the word, any other of these ends it."""
        if char != b"\r" or self.peek(2) in (b"\r\n", b"\r") or not pieces:
            return False
        self._text(pieces, self.at, self.at + 1)
        self.at += 1
        return True

    def _special(self, pieces: list[Text | Expansion], *, quoted: bool) -> bool:
        """Whatever means the same inside and outside double quotes."""
        char = self.peek()
        foreign = _FOREIGN.match(self.data, self.at, self.end) if char in b"${\x01" else None
        if foreign:
            pieces.append(_filled_in(foreign, quoted=quoted))
            self.at = foreign.end()
        elif char == b"\\":
            self._escape(pieces, quoted=quoted)
        elif char == b"$":
            return self._dollar(pieces, quoted=quoted)
        elif char == b"`":
            self._backquote(pieces, quoted=quoted)
        elif char == b"{" and not quoted and (braces := _BRACES.match(self.data, self.at, self.end)):
            pieces.append(Expansion(Span(*braces.span()), quoted=quoted))
            self.at = braces.end()
        else:
            return False
        return True

    def _text(self, pieces: list[Text | Expansion], start: int, end: int, *, quoted: bool = False) -> None:
        last = pieces[-1] if pieces else None
        text = decode(self.data[start:end])
        if isinstance(last, Text) and last.literal and last.quoted == quoted and last.span.end == start:
            pieces[-1] = Text(last.text + text, Span(last.span.start, end), quoted=quoted)
        else:
            pieces.append(Text(text, Span(start, end), quoted=quoted))

    def _escape(self, pieces: list[Text | Expansion], *, quoted: bool) -> None:
        start = self.at
        continuation = _CONTINUATION.match(self.data, start, self.end)
        if continuation:
            self.at = continuation.end()
            return
        char = self.data[start + 1 : min(start + 2, self.end)]
        if not char or (quoted and char not in b'$`"\\'):
            self._text(pieces, start, start + 1, quoted=quoted)
            self.at += 1
            return
        pieces.append(Text(decode(char), Span(start, start + 2), literal=False, quoted=quoted))
        self.at += 2

    def _single(self, pieces: list[Text | Expansion]) -> None:
        close = -1 if b"'" in self._unclosed else self.data.find(b"'", self.at + 1, self.end)
        if close < 0:
            self._unclosed.add(b"'")
            self._text(pieces, self.at, self.at + 1)
            self.at += 1
            return
        start = at = self.at + 1
        for foreign in _FOREIGN.finditer(self.data, at, close):
            if foreign.start() > at:
                self._text(pieces, at, foreign.start(), quoted=True)
            pieces.append(_filled_in(foreign, quoted=True))
            at = foreign.end()
        if at < close or start == close:
            self._text(pieces, at, close, quoted=True)
        self.at = close + 1

    def _double(self, pieces: list[Text | Expansion]) -> None:
        opening = self.at
        if b'"' in self._unclosed:
            self._text(pieces, opening, opening + 1)
            self.at += 1
            return
        inner: list[Text | Expansion] = []
        self.at += 1
        if not self._quoted_until(b'"', inner):
            self._unclosed.add(b'"')
            self._text(pieces, opening, opening + 1)
            self.at = opening + 1
            return
        if not inner:
            inner.append(Text("", Span(opening + 1, opening + 1), quoted=True))
        pieces += inner
        self.at += 1

    def _quoted_until(self, closer: bytes, pieces: list[Text | Expansion]) -> bool:
        while self.at < self.end:
            plain = _PLAIN_IN_QUOTES.match(self.data, self.at, self.end)
            if plain:
                self._text(pieces, self.at, plain.end(), quoted=True)
                self.at = plain.end()
            elif self.peek() == closer:
                return True
            elif not self._special(pieces, quoted=True):
                self._text(pieces, self.at, self.at + 1, quoted=True)
                self.at += 1
        return False

    def _dollar(self, pieces: list[Text | Expansion], *, quoted: bool) -> bool:
        start = self.at
        following = self.data[start + 1 : min(start + 2, self.end)]
        if following == b"(":
            self._substitution(pieces, quoted=quoted)
        elif following == b"{":
            pieces.append(self._braced(quoted=quoted))
        elif following == b"'" and not quoted:
            self._ansi(pieces)
        elif following == b'"' and not quoted:
            self.at += 1
            self._double(pieces)
        elif following == b"[":
            self._arithmetic(pieces, b"[", b"]", quoted=quoted)
        else:
            name = _NAME.match(self.data, start + 1, self.end)
            if not name and not re.match(rb"[0-9@*#?$!-]", following):
                return False
            self.at = name.end() if name else start + 2
            pieces.append(Expansion(Span(start, self.at), decode(self.data[start + 1 : self.at]), quoted=quoted))
        return True

    def _substitution(self, pieces: list[Text | Expansion], *, quoted: bool) -> None:
        start = self.at
        if self.peek(3) == b"$((":
            self._arithmetic(pieces, b"(", b")", quoted=quoted)
            return
        self.nest()
        self.at += 2
        self.commands(b")")
        self.depth -= 1
        pieces.append(Expansion(Span(start, self.at), quoted=quoted))

    def _arithmetic(self, pieces: list[Text | Expansion], opening: bytes, closing: bytes, *, quoted: bool) -> None:
        start, level = self.at, 0
        self.at += 1
        while self.at < self.end:
            char = self.peek()
            self.at += 1
            level += (char == opening) - (char == closing)
            if level == 0:
                break
        pieces.append(Expansion(Span(start, self.at), quoted=quoted))

    def _backquote(self, pieces: list[Text | Expansion], *, quoted: bool) -> None:
        start = self.at
        close = start + 1
        while (close := self.data.find(b"`", close, self.end)) >= 0 and self.data[close - 1 : close] == b"\\":
            close += 1
        if close < 0:
            self._text(pieces, start, start + 1, quoted=quoted)
            self.at = start + 1
            return
        self.nest()
        (end, unclosed), (self.end, self._unclosed) = (self.end, self._unclosed), (close, set())
        self.at = start + 1
        while self.at < self.end:
            self.commands(b"")
        self.end, self.at, self._unclosed = end, close + 1, unclosed
        self.depth -= 1
        pieces.append(Expansion(Span(start, self.at), quoted=quoted))

    def _braced(self, *, quoted: bool) -> Expansion:
        start = self.at
        self.at += 2
        parameter = _PARAMETER.match(self.data, self.at, self.end)
        name = decode(parameter[0]) if parameter else ""
        self.at = parameter.end() if parameter else self.at
        if self.peek() == b"}":
            self.at += 1
            return Expansion(Span(start, self.at), name, quoted=quoted)
        operator = _OPERATOR.match(self.data, self.at, self.end) if parameter else None
        sign = decode(operator[0]) if operator else "?unknown"
        self.at = operator.end() if operator else self.at
        self.nest()
        argument = self._argument(quoted=quoted)
        self.depth -= 1
        return Expansion(Span(start, self.at), name, sign, argument, quoted)

    def _argument(self, *, quoted: bool) -> Word:
        """The word behind an operator, up to the brace that closes the expansion."""
        start = self.at
        pieces: list[Text | Expansion] = []
        while self.at < self.end and self.peek() != b"}":
            plain = _PLAIN_IN_BRACES.match(self.data, self.at, self.end)
            char = self.peek()
            if plain:
                self._text(pieces, self.at, plain.end(), quoted=quoted)
                self.at = plain.end()
            elif char == b"'" and not quoted:
                self._single(pieces)
            elif char == b'"':
                self._double(pieces)
            elif not self._special(pieces, quoted=quoted):
                self._text(pieces, self.at, self.at + 1, quoted=quoted)
                self.at += 1
        word = Word(Span(start, self.at), tuple(pieces))
        self.at = min(self.at + 1, self.end)
        return word

    def _ansi(self, pieces: list[Text | Expansion]) -> None:
        match = _ANSI.match(self.data, self.at, self.end)
        if match is None:
            self._text(pieces, self.at, self.at + 1)
            self.at += 1
            return
        end, self.at = match.end() - 1, self.at + 2
        while self.at < end:
            stop = self.data.find(b"\\", self.at, end)
            stop = end if stop < 0 else stop
            if stop > self.at:
                self._text(pieces, self.at, stop, quoted=True)
            if stop < end:
                char = self.data[stop + 1 : stop + 2]
                text = _ANSI_ESCAPES.get(char, b"\\" + char)
                pieces.append(Text(decode(text), Span(stop, stop + 2), literal=False, quoted=True))
            self.at = min(stop + 2, end)
        self.at = end + 1

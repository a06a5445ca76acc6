"""Here-documents (POSIX.1-2024, 2.7.4): announced on one line, their bodies on the next ones."""

from __future__ import annotations

from unhub.formats._shell.tree import Command, Heredoc
from unhub.formats._shell.word import Words
from unhub.formats._text import Mapped, Piece


class HereDocuments(Words):
    """Reads the bodies of here-documents where the line that announced them ends."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        super().__init__(data, start, end)
        self._pending: list[tuple[Command, bytes, bool, bool]] = []

    def announce(self, command: Command, written: bytes, *, tabs: bool) -> None:
        """Note that ``command`` reads a body up to the delimiter that ``written`` spells; ``tabs`` in front of its lines go."""
        delimiter = written.replace(b"'", b"").replace(b'"', b"").replace(b"\\", b"")
        self._pending.append((command, delimiter, written != delimiter, tabs))

    def bodies(self) -> None:
        """Read the here-documents that the line before announced."""
        pending, self._pending = self._pending, []
        for command, delimiter, quoted, tabs in pending:
            text = self._body(delimiter, tabs=tabs)
            if not quoted:
                self._substitutions(text)
            command.heredocs = (*command.heredocs, Heredoc(text, quoted))

    def _body(self, delimiter: bytes, *, tabs: bool) -> Mapped:
        pieces: list[Piece] = []
        out = bytearray()
        while self.at < self.end:
            newline = self.data.find(b"\n", self.at, self.end)
            line_end = self.end if newline < 0 else newline + 1
            start = self.at
            while tabs and self.data[start : start + 1] == b"\t":
                start += 1
            self.at = line_end
            if self.data[start:line_end].rstrip(b"\r\n") == delimiter:
                break
            pieces.append(Piece(len(out), start, line_end - start))
            out += self.data[start:line_end]
        return Mapped(bytes(out), tuple(pieces))

    def _substitutions(self, text: Mapped) -> None:
        """Commands that an unquoted here-document runs while it is read."""
        if b"$(" not in text.data or not text.pieces:
            return
        at, end = self.at, self.end
        self.at, self.end = text.pieces[0].outer, text.pieces[-1].outer_end
        while (place := self.data.find(b"$(", self.at, self.end)) >= 0:
            self.at = place + 2
            if self.data[place - 1 : place] != b"\\":
                self.nest()
                self.commands(b")")
                self.depth -= 1
        self.at, self.end = at, end

"""Comments that tell unhub to leave a reference alone.

``unhub: ignore`` on the line of a reference, ``unhub: ignore-next-line`` on the line above
it, ``unhub: ignore-file`` anywhere in the file; each behind the comment mark of the file.
"""

from __future__ import annotations

import re

_PRAGMA = re.compile(
    rb"(?:#|//|/\*|<!--|--|\{\{-?[ \t]*/\*)[ \t]*unhub:[ \t]*([\w-]+)",
    re.IGNORECASE,
)


class Pragmas:
    """The lines of one file that are to be left alone."""

    def __init__(self, data: bytes) -> None:
        self.whole_file = False
        self._lines: set[int] = set()
        self.unknown: list[tuple[int, str]] = []
        """Line and word of each pragma that does not exist."""
        if b"unhub:" not in data and b"unhub:" not in data.lower():
            return
        for match in _PRAGMA.finditer(data):
            line = data.count(b"\n", 0, match.start()) + 1
            match match[1].lower():
                case b"ignore-file":
                    self.whole_file = True
                case b"ignore-next-line":
                    self._lines.add(line + 1)
                case b"ignore":
                    self._lines.add(line)
                case word:
                    self.unknown.append((line, word.decode("utf-8", "replace")))

    def ignores(self, line: int) -> bool:
        """Whether a reference on ``line`` (from 1) is to be left alone."""
        return self.whole_file or line in self._lines

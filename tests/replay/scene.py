"""What is typed in a replay and what came of it, as it was and as a page can show it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.replay.place import Place

GAP = "…"
"""Stands where a page leaves lines or digits out."""

_VOLATILE = (
    (re.compile(r"sha256:[0-9a-f]{8,64}"), f"sha256:{GAP}"),
    (re.compile(r"\b\d{4}[/-]\d\d[/-]\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?"), "TIME"),
    (re.compile(r"(?m)^[0-9a-f]{64}$"), GAP),
    (re.compile(r"\b(\d+\.\d+) ?s\b"), f"{GAP} s"),
    (re.compile(r"\bAKIA[A-Z0-9]{16}\b"), f"AKIA{GAP}"),
    (re.compile(r'("secret": ")[^"]+'), rf"\1{GAP}"),
    (re.compile(r'("unique_id": ")[^"]+'), rf"\1{GAP}"),
    (re.compile(r'("created_at": )[0-9.]+'), rf"\1{GAP}"),
    (re.compile(r"\b\d{8}T\d{6}Z\b"), "TIME"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), GAP),
)
"""What differs from run to run, and what a page has in its place."""


@dataclass(frozen=True)
class Typed:
    """A line, how it ended, all that it said, and the part of it that a page shows."""

    line: str
    status: int
    said: str
    shown: str


@dataclass
class Scene:
    """One step under way. Lines run in the shop, as a person would type them."""

    place: Place
    tell: Callable[[Typed], None] | None = None
    """Who wants to know at once."""
    typed: list[Typed] = field(default_factory=list[Typed])

    def type(self, line: str, *, status: int = 0, keep: str = "", in_order: bool = True, **environment: str) -> str:
        """Run a line that must end with ``status``; what it said.

        A page shows the lines in which the pattern ``keep`` is found, of those with a group only what that matched; sorted where
        a program says things in the order in which they happen to be done.
        """
        ended, said = self.place.run(line, **environment)
        assert ended == status, f"$ {line}\nended with {ended}, not {status}:\n{said}"
        lines = stable(kept(said, keep), self.place).splitlines()
        typed = Typed(line, ended, said, "\n".join(lines if in_order else sorted(set(lines) - {GAP})))
        self.typed.append(typed)
        if self.tell is not None:
            self.tell(typed)
        return said

    def play(self, step: Callable[[Scene], None]) -> list[Typed]:
        """Do a step; what was typed for it."""
        step(self)
        return self.typed

    def write(self, name: str, text: str) -> None:
        """Keep a text in a file of the shop."""
        (self.place.folder / name).write_text(text, "utf-8")


def kept(text: str, pattern: str) -> str:
    """The lines, or pieces of lines, in which a pattern is found, each once in a row, with a mark where others were left out."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").splitlines():
        match = re.search(pattern, line)
        shown = GAP if match is None else match[1] if match.groups() else line.rstrip()
        if shown != (lines[-1] if lines else GAP):
            lines.append(shown)
    return "\n".join(lines).rstrip(f"{GAP}\n").lstrip("\n")


def stable(text: str, place: Place) -> str:
    """A text without what differs from run to run."""
    text = text.replace(str(place.folder), "/shop").replace(str(place.machine.folder), "").replace(str(place.own), "")
    for pattern, instead in _VOLATILE:
        text = pattern.sub(instead, text)
    return text

"""A diff on a terminal: coloured as git does, with control characters spelled out."""

from __future__ import annotations

from unhub.cli.output import printable, styled

_COLOURS = {b"-": "red", b"+": "green", b"@": "cyan"}


def colour(piece: bytes) -> bytes:
    """One piece of a diff (a header or a hunk) with colours; for eyes only, it need not apply any more."""
    return b"".join(_line(line) for line in piece.split(b"\n") if line) if piece else piece


def _line(line: bytes) -> bytes:
    header = line.startswith((b"diff ", b"--- ", b"+++ "))
    name = "bold" if header else _COLOURS.get(line[:1])
    text = printable(line.rstrip(b"\r").decode("utf-8", "surrogateescape").replace("\t", "    "))
    return (styled(text, *([name] if name else []), on=True) + "\n").encode("utf-8", "surrogateescape")

"""Text of one format inside a file of another: a script in a YAML block, a Dockerfile in a string."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from unhub.formats._format import Finder
from unhub.formats._text import Mapped
from unhub.image.found import Finding
from unhub.image.source import Source


def embedded(source: Source, text: Mapped, find: Finder, where: str) -> Iterator[Finding]:
    """What ``find`` sees in ``text``, at its places in ``source``.

    ``where`` names the position of the text; findings say ``where: <their own>``.
    """
    yield from text.lift(find(replace(source, data=text.data)), prefix=f"{where}: ")

"""Write what is made from the formats: their index and docs/reference/formats.md; with ``--check`` only say whether they are current."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from scripts.written import ROOT, write_or_check

from unhub.cli.formats import markdown, shown
from unhub.formats._format import Head, heads_of_modules

PAGE = ROOT / "docs" / "reference" / "formats.md"
INDEX = ROOT / "src" / "unhub" / "formats" / "_index.py"
TOP = '''\
"""Which files each format wants, so that a format is imported only when one is there.

Written by `python -m scripts.formats` from every format's ``FORMAT``; do not edit.
"""

from __future__ import annotations

from unhub.formats._format import Head

HEADS = ('''


def index() -> str:
    """The text of ``_index.py``."""
    return "\n".join([TOP, *(line for head in heads_of_modules() for line in _head(head)), ")", ""])


def _head(head: Head) -> Iterator[str]:
    yield "    Head("
    yield f"        module={_quoted(head.module)},"
    yield f"        name={_quoted(head.name)},"
    yield f"        order={head.order},"
    yield from _tuple("files", [_quoted(glob) for glob in head.files])
    yield from _tuple("needles", [f"b{_quoted(needle.decode('ascii'))}" for needle in head.needles])
    if head.switch:
        yield f"        switch={_quoted(head.switch)},"
    yield "    ),"


def _tuple(name: str, items: list[str]) -> Iterator[str]:
    if len(items) < 2:
        yield f"        {name}=({''.join(f'{item},' for item in items)}),"
        return
    yield f"        {name}=("
    yield from (f"            {item}," for item in items)
    yield "        ),"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main() -> int:
    """Write both, or compare them with ``--check``."""
    return max(write_or_check(INDEX, index(), "formats"), write_or_check(PAGE, markdown(shown()), "formats"))


if __name__ == "__main__":
    sys.exit(main())

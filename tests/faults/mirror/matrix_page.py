"""The text of docs/mirror-faults.md, from what the faults came to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tests.faults.mirror.matrix import Row, run
from tests.faults.mirror.matrix_faults import FAULTS
from tests.faults.mirror.matrix_own import run_own

PAGE = Path(__file__).parents[3] / "docs" / "mirror-faults.md"
SITUATIONS = ("cold", "warm, fresh", "warm, stale", "in flight")
HOLD, SHORT_HOLD = 25.0, 5.0
NOTE = "—"
"""Stands where a row is tried by ``make soak`` alone."""

HEAD = """\
# When something fails: what the mirror answers, and what it keeps

<!-- Written by `python -m scripts.mirror_faults`, which lets each of these happen; do not edit. -->

Every cell was tried on a running mirror, with stand-ins of Docker Hub and of a fallback behind it:

- **cold**: a tag that nobody has asked for, then its layer.
- **warm, fresh**: a tag that was pulled and is still fresh.
- **warm, stale**: one whose freshness is over, and also the time in which it is served while somebody asks in the background.
- **in flight**: a client is in the middle of a layer. It had 0.4 of 1.5 MB when the fault began and, where that makes sense, the
  transfer broke off, so that what goes on meets the fault.

`200` is the right content at once. `+ Warning` says that it may be outdated and why; every answer to a tag has its `Age`.
`+ Retry-After` says when to ask again. *In seconds* is less than 14, *after a wait* more, and never longer than
[`hold`](reference/configuration.md) (25 s) before the first byte. A cut connection never looks like a clean end, and clients ask
again. After the semicolon stands what is kept: asked for again when nobody out there answered any more.

What holds in every row, and is checked for each: no wrong byte is served or kept; a fresh tag is served at once; `HEAD` and `GET` agree;
no answer has another status than 200, 404, 429 and 503, and the last two say when to come again.
"""

WITH = """
## With a fallback

As by default for Docker Hub's official images, whose fallback is ECR Public. A build fails in two cases alone: what was asked for is not
there, or nobody answers and nothing is kept.
"""

WITHOUT = """
## Without a fallback

For other images of Docker Hub. `hold` is 5 s here, so that refusals come sooner.
"""

OWN = """
## The mirror itself, and the way to its upstream

With a fallback.
"""

TIMES = re.compile(r",(?: its layer)? (?:in seconds|after a wait)")


def tried(folder: Path, *, slow: bool) -> dict[str, list[Row]]:
    """All rows, by their part of the page; ``slow`` says whether those that take minutes are tried, too."""
    quick = [fault for fault in FAULTS if slow or not fault.slow]
    return {
        WITH: run(folder / "with", FAULTS, fallback=True, hold=HOLD),
        WITHOUT: run(folder / "without", quick, fallback=False, hold=SHORT_HOLD),
        OWN: run_own(folder / "own"),
    }


def page(parts: dict[str, list[Row]]) -> str:
    """The page."""
    return HEAD + "".join(head + _table(rows) for head, rows in parts.items())


def lines(text: str) -> set[str]:
    """The rows of a page without their times, which are the machine's, too."""
    return {TIMES.sub("", line) for line in text.splitlines() if line.startswith("| ")}


def _table(rows: Sequence[Row]) -> str:
    head = f"\n| fault | {' | '.join(SITUATIONS)} |\n|---|{'---|' * len(SITUATIONS)}\n"
    return head + "".join(f"| {row.fault} | {' | '.join(row.cells[one] for one in SITUATIONS)} |\n" for row in rows)

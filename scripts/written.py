"""Pages that a script writes from the code: written anew, or with ``--check`` only compared."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def write_or_check(page: Path, text: str, script: str) -> int:
    """Write ``text`` to ``page``, or say whether it is current; the exit status."""
    if "--check" not in sys.argv:
        page.write_text(text, "utf-8")
        return 0
    if page.is_file() and page.read_text("utf-8") == text:
        return 0
    print(f"{page.relative_to(ROOT)} is not current: run `python -m scripts.{script}`", file=sys.stderr)
    return 1

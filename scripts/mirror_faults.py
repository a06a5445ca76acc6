"""Write docs/mirror-faults.md from what faults do to a running mirror (minutes); with ``--check`` only say whether it is current."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.faults.mirror.matrix_page import PAGE, lines, page, tried


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        parts = tried(Path(name), slow=True)
    wrong = [f"{row.fault}: {text}" for rows in parts.values() for row in rows for text in row.wrong]
    print("\n".join(wrong), file=sys.stderr)
    text = page(parts)
    if "--check" not in sys.argv:
        PAGE.write_text(text, "utf-8")
    elif not PAGE.is_file() or lines(PAGE.read_text("utf-8")) != lines(text):
        print("docs/mirror-faults.md is not current: run `python -m scripts.mirror_faults`", file=sys.stderr)
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Write docs/replay.md from a run of the article with real clients (half a minute); ``--check`` only says whether it is current.

``--show`` shows the run instead, for `make demo`. Needs root and the programs of scripts/install-test-tools; where they are
missing the page stays as it is, and ``--show`` ends with 3.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from _pytest.outcomes import Failed, Skipped
from scripts.written import write_or_check
from tests.replay.page import PAGE, page, shown
from tests.replay.place import Place, place
from tests.replay.scene import Scene, Typed
from tests.replay.steps import STEPS, Step

NOT_HERE = 3


def main() -> int:
    show = "--show" in sys.argv
    try:
        with tempfile.TemporaryDirectory() as folder, place(Path(folder)) as made:
            done = [(step, _played(made, step, number, show=show)) for number, step in enumerate(STEPS, 1)]
    except Skipped as reason:
        if show:
            print(reason.msg)
            return NOT_HERE
        print(f"docs/replay.md stays as it is: {reason.msg}", file=sys.stderr)
        return 0
    except (AssertionError, Failed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0 if show else write_or_check(PAGE, page(done), "replay")


def _played(made: Place, step: Step, number: int, *, show: bool) -> list[Typed]:
    if show:
        print(f"\n{number}. {step.title}. {step.told}", flush=True)
    return Scene(made, _print if show else None).play(step.run)


def _print(typed: Typed) -> None:
    print(shown(typed), end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())

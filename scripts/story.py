"""Write docs/story.md from tests/story/steps.py; with ``--check`` only say whether it is current."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from scripts.written import write_or_check
from tests.story.steps import STEPS

PAGE = Path(__file__).parent.parent / "docs" / "story.md"
HEAD = """\
# The story, step by step

<!-- Written by `python -m scripts.story` from tests/story/steps.py; do not edit. -->

unhub began with an engineer's article of March 2024: CodeBuild deployments failed because Docker Hub counted their
pulls, and a move to ECR Public ended that. Each step of the article, and what follows from it,
is a row here. A step *works* when a test in
`tests/story/` proves it; the others are planned, and no test pretends.
"""


def page() -> str:
    """The text of the page."""
    parts = [HEAD]
    for chapter, steps in groupby(STEPS, key=lambda step: step.chapter):
        parts.append(f"\n## {chapter}\n\n| step | unhub | today |\n|---|---|---|\n")
        parts += [f"| {step.told} | {step.answer} | {'works' if step.test else 'not yet'} |\n" for step in steps]
    return "".join(parts)


def main() -> int:
    """Write the page, or compare it with ``--check``."""
    return write_or_check(PAGE, page(), "story")


if __name__ == "__main__":
    sys.exit(main())

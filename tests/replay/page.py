"""docs/replay.md, written from a run."""

from __future__ import annotations

from collections.abc import Sequence

from tests.replay.scene import Typed
from tests.replay.steps import Step
from tests.tools import ROOT

PAGE = ROOT / "docs" / "replay.md"

HEAD = """\
# The article, replayed

<!-- Written by `python -m scripts.replay` from a run; do not edit. -->

unhub began with [an engineer's article](story.md). Here every step of it is done with the real clients: AWS's command
line, docker with BuildKit, podman, skopeo, AWS's credential helper. They use the names of the real services. On the machine
of the test `registry-1.docker.io` is a [stand-in](howto/demo-hub.md) that refuses, and `public.ecr.aws` and AWS's API are
`unhub serve --mode ecr-public`; nothing is asked outside. `tests/clients/test_replay.py` does the same on every run of the
tests, and compares this page.

What is shown is what was said; `…` stands where lines or digits are left out that differ from run to run or tell nothing,
and `TIME` for a time. The base images of the stand-in are small, with scripts for `go` and `node`. docker has no bridge here,
so it runs with `--network=host`.
"""


def page(done: Sequence[tuple[Step, Sequence[Typed]]]) -> str:
    """The text of the page."""
    parts = [HEAD]
    for number, (step, typed) in enumerate(done, 1):
        parts.append(f"\n## {number}. {step.title}\n\n{step.told}\n")
        parts += [f"\n```console\n{shown(one)}```\n" for one in typed]
    return "".join(parts)


def shown(one: Typed) -> str:
    """A line and what it said, as on a terminal."""
    said = f"{one.shown}\n" if one.shown else ""
    return f"$ {one.line}\n{said}" + (f"# ended with {one.status}\n" if one.status else "")

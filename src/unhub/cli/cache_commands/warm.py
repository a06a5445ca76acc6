"""``unhub cache warm``: images are there before anybody asks."""

from __future__ import annotations

import json
import platform as machine
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from unhub.cli.amounts import amount, count
from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import Progress, colourful, printable, say, styled, write
from unhub.image.errors import UsageError

AT_ONCE = 4
"""Images that are asked for at once; the mirror does no more of them at a time either."""

INCOMPLETE = 1
FAILED = 5

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm/v7", "i686": "386"}
_STYLES = {"fetched": "green", "had": "dim", "skipped": "yellow", "missing": "red", "failed": "red"}


@click.command("warm", short_help="Fetch images before anybody asks for them, with spare pulls.")
@click.argument("references", nargs=-1, metavar="[REFERENCE]...")
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="FILE",
    help="Take references from `unhub scan --format json`, unhub.lock, a compose file, or a list; - is standard input. Repeatable.",
)
@click.option("--platform", "platforms", multiple=True, metavar="P", help="As in linux/arm64, or all. Default: this machine's. Repeatable.")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True, help="How to show it.")
@mirror_options
def command(*, mirror: MirrorClient, references: tuple[str, ...], sources: tuple[str, ...], platforms: tuple[str, ...], form: str) -> int:
    """Have the mirror fetch whole images, so that builds find them there.

    Only pulls that builds are not likely to need are spent; what finds none is skipped and can be tried later. Ends with 1
    where something was skipped or does not exist, with 5 where fetching failed.
    """
    wanted = _wanted(references, sources)
    chosen = list(platforms) or [this_platform()]
    progress = Progress("warming", "images")

    def warm(reference: str) -> dict[str, Any]:
        return _warm(mirror, reference, chosen)

    results: list[dict[str, Any]] = []
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in pool.map(warm, wanted):
                results.append(done)
                progress.end()
                if form == "table":
                    write(_line(done))
                progress(len(results), len(wanted))
    finally:
        progress.end()
    if form == "json":
        write(json.dumps({"schema": 1, "platforms": chosen, "images": results}, indent=2) + "\n")
    return _conclude(results)


def _wanted(references: Sequence[str], sources: Sequence[str]) -> list[str]:
    from unhub.cli.wishes import wishes_of

    if list(sources).count("-") > 1:
        raise UsageError("cannot read standard input twice")
    named = [*references]
    for source in sources:
        named += wishes_of(source, sys.stdin.buffer.read() if source == "-" else b"")
    if not named:
        raise UsageError("cannot warm without an image", hint="Name some, or a file that does: --from compose.yaml")
    return list(dict.fromkeys(named))


def _warm(mirror: MirrorClient, reference: str, platforms: list[str]) -> dict[str, Any]:
    """One image; what the mirror does not understand is a result, too, so that the others go on."""
    last: dict[str, Any] = {}
    try:
        for line in mirror.lines("warm", reference=reference, platforms=platforms):
            last = line
    except UsageError as error:
        last = {"done": True, "outcome": "missing", "cause": error.message}
    if not last.get("done"):
        last = {"outcome": "failed", "cause": "the mirror went away"}
    return {"reference": reference, **{key: value for key, value in last.items() if key != "done"}}


def _line(done: dict[str, Any]) -> str:
    outcome = str(done["outcome"])
    text = f"{styled(outcome.ljust(7), _STYLES.get(outcome, 'bold'), on=colourful(sys.stdout))}  {printable(done['reference'])}"
    if done.get("blobs"):
        text += f"  {count(done['blobs'], 'blob')}, {amount(done['bytes'])}"
    return text + (f": {printable(str(done['cause']))}" if done.get("cause") else "") + "\n"


def _conclude(results: list[dict[str, Any]]) -> int:
    outcomes = Counter(str(done["outcome"]) for done in results)
    fetched = sum(done.get("bytes") or 0 for done in results)
    names = ", ".join(f"{number} {name}" for name, number in outcomes.most_common())
    say(f"{count(len(results), 'image')}: {names}; {amount(fetched)} fetched")
    if outcomes["skipped"]:
        say("skipped for want of pulls: try again when the limit is full again (`unhub status` says when)")
    if outcomes["failed"]:
        return FAILED
    return INCOMPLETE if outcomes["skipped"] or outcomes["missing"] else 0


def this_platform() -> str:
    """The platform of containers on this machine: Linux, also where Docker Desktop runs them in a virtual machine."""
    name = machine.machine().lower()
    return f"linux/{_ARCHITECTURES.get(name, name)}"

"""``unhub cache fsck``: is everything that a mirror keeps what it claims to be?"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from unhub.cli.amounts import amount, count
from unhub.cli.mirror_folder import FolderOptions, folder_options, locked, settings_of, stores
from unhub.cli.network import Network, network_options
from unhub.cli.output import Progress, colourful, printable, say, styled, write

if TYPE_CHECKING:
    from unhub.mirror.fsck import Checker, Found
    from unhub.server.settings import ServeSettings

WRONG = 1


@click.command("fsck", short_help="Hash everything again, and mend what is wrong (the server stopped).")
@folder_options
@click.option("--heal", is_flag=True, help="Fetch again from upstream what is wrong, or remove it; remove what is left over.")
@click.option("--upstream", envvar="UNHUB_UPSTREAM", metavar="URL", help="Heal from here in place of Docker Hub.")
@click.option("--fallback", multiple=True, envvar="UNHUB_FALLBACK", metavar="URL", help="Heal from here, too. Repeatable.")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True, help="How to show it.")
@network_options
def command(*, folder: FolderOptions, network: Network, heal: bool, upstream: str | None, fallback: tuple[str, ...], form: str) -> int:
    """Hash every blob and manifest of a mirror again, and compare files, rows, links and tags.

    Nothing is changed without --heal. Ends with 1 where something is wrong and not mended. What a kill may leave (a file
    without a row, a cut transfer) is told as left over: it harms nobody, and the server clears it away by itself.
    """
    settings = settings_of(folder, network, upstream=upstream, fallback=fallback)
    with locked(settings, "unhub cache fsck"):
        found, checker = asyncio.run(_check(settings, heal=heal, offline=network.offline, form=form))
    wrong = [one for one in found if one.kind.is_wrong and not one.mended]
    if form == "json":
        rows = [{**asdict(one), "kind": one.kind.value, "wrong": one.kind.is_wrong} for one in found]
        write(json.dumps({"schema": 1, "found": rows, "looked_at": asdict(checker.looked)}, indent=2) + "\n")
    else:
        _conclude(found, wrong, checker, heal=heal)
    return WRONG if wrong else 0


async def _check(settings: ServeSettings, *, heal: bool, offline: bool, form: str) -> tuple[list[Found], Checker]:
    from unhub.mirror.fsck import Checker
    from unhub.mirror.healing import Healer
    from unhub.server.fetcher_process import fetching

    progress = Progress("hashing", "MB", estimate=True)
    found: list[Found] = []
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(stores(settings))
        healer = None
        if heal:
            fetcher = None if offline else await stack.enter_async_context(fetching(settings, opened, notice=_say))
            aliases = frozenset(one.rules.alias for one in settings.upstreams)
            healer = Healer(opened.metadata, opened.blobs, fetcher, aliases, now=time.time)
        checker = Checker(
            opened.metadata,
            opened.blobs,
            spool=settings.data / "spool",
            uploads=settings.data / "uploads",
            healer=healer,
            progress=lambda done, total: progress(done // 1_000_000, total // 1_000_000),
        )
        try:
            async for one in checker.run():
                progress.end()
                found.append(one)
                if form == "table":
                    write(_line(one))
        finally:
            progress.end()
        if heal:
            await opened.blobs.sweep(0)
    return found, checker


def _say(text: str) -> None:
    say(f"unhub: {printable(text)}")


def _line(one: Any) -> str:
    on = colourful(sys.stdout)
    style = "dim" if not one.kind.is_wrong else "green" if one.mended else "red"
    text = f"{styled(one.kind.value, style, on=on)}  {printable(one.what)}"
    if one.note:
        text += f": {printable(one.note)}"
    return f"{text}{f' -> {printable(one.action)}' if one.action else ''}\n"


def _conclude(found: list[Found], wrong: list[Found], checker: Checker, *, heal: bool) -> None:
    looked = checker.looked
    blobs, manifests, tags = count(looked.blobs, "blob"), count(looked.manifests, "manifest"), count(looked.tags, "tag")
    say(f"looked at {blobs} ({amount(looked.bytes)}), {manifests}, {tags}")
    left = [one for one in found if not one.kind.is_wrong]
    mended = sum(one.mended for one in found if one.kind.is_wrong)
    if mended:
        say(f"{count(mended, 'thing')} mended")
    if left and not heal:
        say(f"{count(len(left), 'thing')} left over by what was cut off: harmless; --heal removes them")
    if wrong and not heal:
        say(f"{count(len(wrong), 'thing')} wrong: --heal fetches them again or removes them")
    elif wrong:
        say(f"{count(len(wrong), 'thing')} lost that nobody else has")
    else:
        say("nothing is wrong")

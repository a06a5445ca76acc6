"""``unhub cache import``: images from an OCI image layout into a mirror."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unhub.cli.amounts import amount, count
from unhub.cli.mirror_folder import FolderOptions, folder_options, locked, settings_of, stores
from unhub.cli.output import printable, say, write

if TYPE_CHECKING:
    from unhub.mirror.transfer.layout import Moved
    from unhub.server.settings import ServeSettings

LEFT_OUT = 1


@click.command("import", short_help="Take images from an OCI image layout (the server stopped).")
@click.argument("source", type=click.Path(path_type=Path), metavar="FILE.tar|DIR")
@click.option("--as", "as_name", metavar="REPOSITORY", help="Where images belong that do not say so, as in docker.io/library/node.")
@folder_options
def command(folder: FolderOptions, source: Path, as_name: str | None) -> int:
    """Take images from an OCI image layout, as `unhub cache export` or another tool wrote it.

    Every byte is verified before anything of an image is served. A tag that this mirror confirmed later stays as it is.
    Refuses while a server uses the data folder. Ends with 1 where an image has no place here.
    """
    settings = settings_of(folder)
    with locked(settings, "unhub cache import"):
        moved, size = asyncio.run(_import(settings, source, as_name))
    left_out = [one for one in moved if one.skipped]
    for one in left_out:
        say(f"left out: {printable(one.reference)}: {printable(one.skipped or '')}")
    say(f"{count(len(moved) - len(left_out), 'image')} taken in, {amount(size)} of them new")
    return LEFT_OUT if left_out else 0


async def _import(settings: ServeSettings, source: Path, as_name: str | None) -> tuple[list[Moved], int]:
    from unhub.mirror.referring import refer
    from unhub.mirror.transfer.importing import Importer
    from unhub.mirror.transfer.reading import reader

    if as_name is not None:
        refer(as_name, settings.names)
    moved: list[Moved] = []
    with reader(source) as layout:
        async with stores(settings, make=True) as opened:
            importer = Importer(
                opened.metadata, opened.blobs, layout, settings.names, spool=settings.data / "spool", now=time.time, as_name=as_name
            )
            async for one in importer.run():
                moved.append(one)
                if not one.skipped:
                    write(f"{printable(one.reference)}  {one.digest}{f'  ({one.note})' if one.note else ''}\n")
    return moved, importer.read

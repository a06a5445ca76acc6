"""``unhub cache export``: what a mirror keeps, as an OCI image layout."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unhub.cli.amounts import amount, count
from unhub.cli.mirror_folder import FolderOptions, folder_options, settings_of, stores
from unhub.cli.output import Progress, printable, say, write
from unhub.image.errors import WriteFailed

if TYPE_CHECKING:
    from unhub.mirror.transfer.layout import Moved
    from unhub.server.settings import ServeSettings

LEFT_OUT = 1


@click.command("export", short_help="Write images to an OCI image layout, for another site.")
@click.argument("target", type=click.Path(path_type=Path), metavar="FILE.tar|DIR")
@click.argument("references", nargs=-1, metavar="[REFERENCE]...")
@folder_options
def command(folder: FolderOptions, target: Path, references: tuple[str, ...]) -> int:
    """Write images, or everything, to an OCI image layout: a tar where the name ends in .tar, else a folder.

    Works beside a running server. Every blob is hashed on its way out. Of an index the platforms that were pulled come
    along. `skopeo copy oci:DIR:docker.io/library/node:20 …` reads the folder. Ends with 1 where a named image is left out.
    """
    settings = settings_of(folder)
    try:
        moved, images, size = asyncio.run(_export(settings, target, references))
    except OSError as error:
        raise WriteFailed(f"cannot write {target}: {error.strerror or error}") from None
    left_out = [one for one in moved if one.skipped]
    for one in left_out:
        say(f"left out: {printable(one.reference)}: {printable(one.skipped or '')}")
    say(f"{count(images, 'image')}, {amount(size)} written to {target}")
    return LEFT_OUT if left_out and references else 0


async def _export(settings: ServeSettings, target: Path, references: tuple[str, ...]) -> tuple[list[Moved], int, int]:
    from unhub.mirror.referring import refer
    from unhub.mirror.transfer.exporting import Exporter
    from unhub.mirror.transfer.writing import writer

    wanted = [refer(text, settings.names) for text in references]
    hosts = {one.rules.alias: one.rules.hosts[0] for one in settings.upstreams}
    progress = Progress("exporting", "images")
    moved: list[Moved] = []
    async with stores(settings) as opened:
        layout = writer(target)
        exporter = Exporter(opened.metadata, opened.blobs, layout, hosts)
        try:
            async for one in exporter.these(wanted) if wanted else exporter.everything():
                moved.append(one)
                progress(len(moved), len(wanted) or len(moved))
                if not one.skipped:
                    progress.end()
                    write(f"{printable(one.reference)}  {one.digest}{f'  ({one.note})' if one.note else ''}\n")
            images = await asyncio.to_thread(exporter.finish)
        except BaseException:
            layout.abandon()
            raise
        finally:
            progress.end()
    return moved, images, exporter.written

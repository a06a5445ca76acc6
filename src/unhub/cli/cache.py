"""``unhub cache``: the group of commands about what a mirror keeps."""

from __future__ import annotations

import click

from unhub.cli.group import Lazy, LazyGroup

_WHERE = "unhub.cli.cache_commands."

TABLE = {
    "warm": Lazy(f"{_WHERE}warm", "Fetch images before anybody asks for them, with spare pulls."),
    "fsck": Lazy(f"{_WHERE}fsck", "Hash everything again, and mend what is wrong (the server stopped)."),
    "export": Lazy(f"{_WHERE}export", "Write images to an OCI image layout, for another site."),
    "import": Lazy(f"{_WHERE}import_", "Take images from an OCI image layout (the server stopped)."),
    "purge": Lazy(f"{_WHERE}purge", "Remove an image, or whatever has a digest, so that it is fetched anew."),
    "block": Lazy(f"{_WHERE}block", "Serve a digest no more, or list what is blocked."),
    "unblock": Lazy(f"{_WHERE}unblock", "Serve a blocked digest again."),
    "pin": Lazy(f"{_WHERE}pin", "Never evict an image, or list the pins."),
    "unpin": Lazy(f"{_WHERE}unpin", "Let a pinned image be evicted again."),
    "pulls": Lazy(f"{_WHERE}pulls", "Show who pulled a digest."),
}
"""The commands, in the order of the help."""


class CacheGroup(LazyGroup):
    """Imports a command only when it is called."""

    table = TABLE


@click.group("cache", cls=CacheGroup, short_help="Warm, check, move, purge, block and pin what a mirror keeps.")
def command() -> None:
    """Look after what a mirror keeps.

    `fsck` and `import` work on the data folder while no server runs, `export` on the data folder at any time; the others
    ask the running mirror at --server, with its admin token from the data folder or UNHUB_TOKEN.
    """

"""Commands that work on a mirror's data folder itself: its settings, its lock, its stores."""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from unhub.cli.network import Network, client_settings
from unhub.cli.places import mirror_data
from unhub.image.errors import MissingExtra, RefusedError, UsageError

if TYPE_CHECKING:
    from unhub.server.settings import ServeSettings
    from unhub.server.stores import Stores

Command = Callable[..., int]

_EXTRA = frozenset({"aiosqlite", "alembic", "sqlalchemy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOptions:
    """Which data folder, and the settings of its server."""

    data: Path | None
    config: Path | None
    own: tuple[str, ...]


_OPTIONS = (
    click.option(
        "--data", type=click.Path(path_type=Path), envvar="UNHUB_DATA", metavar="DIR", help="The data folder. Default: as of `unhub serve`."
    ),
    click.option("--config", type=click.Path(path_type=Path), envvar="UNHUB_CONFIG", metavar="FILE", help="The server's settings file."),
    click.option(
        "--own", multiple=True, envvar="UNHUB_OWN", metavar="ALIAS", help="The server's aliases for pushes, as given to it. Repeatable."
    ),
)


def folder_options(command: Command) -> Command:
    """Give a command the options of :class:`FolderOptions`, handed over as ``folder``; a missing extra is explained."""

    @functools.wraps(command)
    def gathering(**values: object) -> int:
        # click made the values of the fields' types
        options = FolderOptions(**{field.name: values.pop(field.name) for field in fields(FolderOptions)})  # pyright: ignore[reportArgumentType]
        try:
            return command(folder=options, **values)
        except ImportError as error:
            if (error.name or "").partition(".")[0] in _EXTRA:
                raise MissingExtra("open the data folder", "server") from None
            raise

    return functools.reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), cast(Command, gathering))


def settings_of(
    folder: FolderOptions, network: Network | None = None, *, upstream: str | None = None, fallback: tuple[str, ...] = ()
) -> ServeSettings:
    """The settings as the server has them, without what only concerns listening."""
    from unhub.cli.configuration import Configuration, load
    from unhub.config.settings import Settings
    from unhub.server.settings import Flags, Surroundings, serve_settings

    configuration = load(Path.cwd(), folder.config) if folder.config is not None else Configuration(Settings())
    flags = Flags(listen=("127.0.0.1:0",), data=folder.data, upstream=upstream, fallback=fallback, own=folder.own)
    client = client_settings(network or Network(), configuration)
    around = Surroundings(data=mirror_data(), client=client, environment=os.environ)
    return serve_settings(configuration.settings, flags, around, configuration.folder)


@contextmanager
def locked(settings: ServeSettings, what: str) -> Generator[None]:
    """Nobody else uses the data folder meanwhile. Raises :class:`RefusedError` while a server does."""
    from unhub.server.lock import DataLock

    lock = DataLock(settings.data)
    lock.take(f"{what}, process {os.getpid()}")
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def stores(settings: ServeSettings, *, make: bool = False) -> AsyncGenerator[Stores]:
    """The stores of a data folder; ``make`` makes what is missing and brings the schema up to date, else that is refused."""
    from unhub.server.stores import Stores
    from unhub.store.sql.upgrade import is_current, upgrade

    database = settings.data / "unhub.db"
    if make:
        upgrade(settings.database)
    elif not database.is_file():
        raise UsageError(f"cannot find a mirror's data in {settings.data}", hint="Name its data folder: --data DIR")
    elif not is_current(settings.database):
        raise RefusedError(
            f"cannot use the data in {settings.data}: it is of another version", hint="Start `unhub serve` of this version once"
        )
    async with Stores.open(settings) as opened:
        yield opened

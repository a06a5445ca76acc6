"""Bringing a database to the current schema, by Alembic's migrations."""

from __future__ import annotations

from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}


def upgrade(url: str) -> None:
    """Apply every migration that the database lacks, in one transaction each; blocking, for the start of a server."""
    with as_file(files("unhub.store") / "migrations") as folder:
        command.upgrade(_config(str(folder), _sync_url(url)), "head")


def is_current(url: str) -> bool:
    """Whether the database has the current schema."""
    engine = create_engine(_sync_url(url))
    try:
        with as_file(files("unhub.store") / "migrations") as folder, engine.connect() as connection:
            head = ScriptDirectory.from_config(_config(str(folder), _sync_url(url))).get_current_head()
            return MigrationContext.configure(connection).get_current_revision() == head
    finally:
        engine.dispose()


def _sync_url(url: str) -> str:
    parsed = make_url(url)
    driver = _DRIVERS.get(parsed.drivername, parsed.drivername)
    return parsed.set(drivername=driver).render_as_string(hide_password=False)


def _config(folder: str, url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", folder)
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config

"""The migrations make the schema that the code expects."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from unhub.store.sql.schema import metadata
from unhub.store.sql.upgrade import is_current, upgrade


def test_the_migrations_end_in_the_schema_of_the_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/metadata.db"
    assert not is_current(url)
    upgrade(url)
    upgrade(url)
    assert is_current(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()

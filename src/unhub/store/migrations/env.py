"""Alembic's way into the database that :mod:`unhub.store.sql.upgrade` names."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine

from unhub.store.sql.schema import metadata


def run() -> None:
    """Run the migrations on one connection; SQLite rebuilds tables that it cannot alter."""
    url = context.config.get_main_option("sqlalchemy.url")
    engine = create_engine(str(url))
    try:
        with engine.connect() as connection:
            sqlite = connection.dialect.name == "sqlite"
            if sqlite:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                connection.commit()  # so that the migrations' own transaction is the outermost one, and is committed
            context.configure(connection=connection, target_metadata=metadata, render_as_batch=sqlite)
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()


run()

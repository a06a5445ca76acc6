"""A database: its engines, its transactions, and the two places where the dialects differ."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Column, Table, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from unhub.image.errors import UsageError
from unhub.store.sql.connection import Connection

BUSY_SECONDS = 30
"""How long a writer waits for another process's transaction."""

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


class Database:
    """Reads and writes in transactions. A write that ended is on the disk; one whose task is cancelled leaves no lock."""

    def __init__(self, url: str) -> None:
        """``url`` is ``sqlite:///FOLDER/FILE`` or ``postgresql://…``. Raises :class:`UsageError` for another scheme."""
        parsed = make_url(url)
        driver = _DRIVERS.get(parsed.drivername)
        if driver is None:
            raise UsageError(f"cannot use the database {parsed.render_as_string()}: its scheme is not one of {', '.join(_DRIVERS)}")
        self.is_sqlite = parsed.drivername == "sqlite"
        async_url = parsed.set(drivername=driver)
        how: dict[str, Any] = {"connect_args": {"factory": Connection}} if self.is_sqlite else {}
        self._reading = create_async_engine(async_url, **how)
        self._writing = self._reading
        if self.is_sqlite:
            self._writing = create_async_engine(async_url, pool_size=1, max_overflow=0, pool_timeout=60, **how)
            _prepare_sqlite(self._reading, "BEGIN")
            _prepare_sqlite(self._writing, "BEGIN IMMEDIATE")
        self._noting = self._writing.execution_options(durable=False)

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that only reads."""
        async with self._reading.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that is committed at the end of the block, and rolled back where that raises."""
        async with self._writing.begin() as connection:
            yield connection

    @asynccontextmanager
    async def note(self) -> AsyncGenerator[AsyncConnection]:
        """The same for what may be lost with the machine's power, though not by a kill: it does not wait for the disk."""
        async with self._noting.begin() as connection:
            yield connection

    async def upsert(
        self,
        connection: AsyncConnection,
        table: Table,
        values: dict[str, Any],
        update: Iterable[str] = (),
        expressions: dict[str, Any] | None = None,
    ) -> None:
        """Insert a row, or change the one that has its primary key.

        ``update`` names the columns that take the new values, ``expressions`` maps columns to what they become;
        without either the row that is there stays.
        """
        keys: list[Column[Any]] = list(table.primary_key.columns)
        insert = self._insert(table)
        statement = insert.values(**values)
        changes: dict[str, Any] = {name: statement.excluded[name] for name in update} | (expressions or {})
        if changes:
            await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))
        else:
            await connection.execute(statement.on_conflict_do_nothing())

    async def add_up(self, connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]], sums: Iterable[str]) -> None:
        """Insert rows, and where one has the primary key of a row that is there, add the columns ``sums`` to that one."""
        insert = self._insert(table)
        changes = {name: table.c[name] + insert.excluded[name] for name in sums}
        keys: list[Column[Any]] = list(table.primary_key.columns)
        await connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changes), rows)

    def _insert(self, table: Table) -> Any:
        """The dialect's own INSERT; the other dialect is not even loaded."""
        if self.is_sqlite:
            from sqlalchemy.dialects import sqlite

            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)

    async def close(self) -> None:
        """End every connection."""
        await self._reading.dispose()
        if self._writing is not self._reading:
            await self._writing.dispose()


def _prepare_sqlite(engine: AsyncEngine, begin: str) -> None:
    """WAL, foreign keys, a long patience; and transactions that begin as we say, not as Python's module guesses."""

    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def start(connection: Any) -> None:
        durable = connection.get_execution_options().get("durable", True)
        if connection.info.setdefault("durable", True) != durable:
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.info["durable"] = durable
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", connect)
    event.listen(engine.sync_engine, "begin", start)

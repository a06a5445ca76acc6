"""What waits for the disk, and what does not."""

from __future__ import annotations

import asyncio
from pathlib import Path

from unhub.store.sql.database import Database

NORMAL, FULL = 1, 2
"""SQLite's ``PRAGMA synchronous``: commits of a write-ahead log that do not wait for the disk, and those that do."""


def test_only_notes_may_be_lost_with_the_power(tmp_path: Path) -> None:
    async def work() -> None:
        database = Database(f"sqlite:///{tmp_path}/metadata.db")
        try:
            for _ in range(2):
                async with database.write() as connection:
                    assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one() == FULL
                for _ in range(2):
                    async with database.note() as connection:
                        assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one() == NORMAL
            async with database.read() as connection:
                assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one() == FULL
        finally:
            await database.close()

    asyncio.run(work())


def test_notes_and_writes_take_turns(tmp_path: Path) -> None:
    """They share one connection, so that neither waits for the other by polling."""

    async def work() -> None:
        database = Database(f"sqlite:///{tmp_path}/metadata.db")
        try:
            async with database.write() as connection:
                await connection.exec_driver_sql("CREATE TABLE row (number INTEGER)")

            async def insert(number: int) -> None:
                async with (database.note if number % 2 else database.write)() as connection:
                    await connection.exec_driver_sql("INSERT INTO row VALUES (?)", (number,))

            await asyncio.gather(*(insert(number) for number in range(40)))
            async with database.read() as connection:
                rows = (await connection.exec_driver_sql("SELECT number FROM row ORDER BY number")).scalars().all()
            assert list(rows) == list(range(40))
        finally:
            await database.close()

    asyncio.run(work())

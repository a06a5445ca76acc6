"""Blocks and pins, in SQL."""

from __future__ import annotations

from sqlalchemy import delete, select

from unhub.image.digest import Digest
from unhub.store.records import Block, ChangeKind
from unhub.store.sql.changes import note
from unhub.store.sql.database import Database
from unhub.store.sql.schema import block as block_table
from unhub.store.sql.schema import pin as pin_table


class SqlPolicy:
    """See :class:`unhub.store.protocols.Policy`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def block(self, block: Block) -> None:
        """See the protocol."""
        row = {"digest": str(block.digest), "reason": block.reason, "blocked_at": block.blocked_at}
        async with self._database.write() as connection:
            await self._database.upsert(connection, block_table, row, ["reason", "blocked_at"])
            await note(connection, ChangeKind.BLOCK, None, str(block.digest))

    async def unblock(self, digest: Digest) -> bool:
        """See the protocol."""
        async with self._database.write() as connection:
            gone = (await connection.execute(delete(block_table).where(block_table.c.digest == str(digest)))).rowcount > 0
            await note(connection, ChangeKind.BLOCK, None, str(digest))
        return gone

    async def blocks(self) -> list[Block]:
        """See the protocol."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(block_table).order_by(block_table.c.digest))).all()
        return [Block(Digest.parse(row.digest), row.reason, row.blocked_at) for row in rows]

    async def pin(self, pattern: str, now: float) -> None:
        """See the protocol."""
        async with self._database.write() as connection:
            await self._database.upsert(connection, pin_table, {"pattern": pattern, "pinned_at": now}, [])

    async def unpin(self, pattern: str) -> bool:
        """See the protocol."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(pin_table).where(pin_table.c.pattern == pattern))).rowcount > 0

    async def pins(self) -> list[str]:
        """See the protocol."""
        async with self._database.read() as connection:
            return list((await connection.execute(select(pin_table.c.pattern).order_by(pin_table.c.pattern))).scalars().all())

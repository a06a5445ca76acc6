"""Budgets and named states, in SQL."""

from __future__ import annotations

from sqlalchemy import select

from unhub.store.records import BudgetRow
from unhub.store.sql.database import Database
from unhub.store.sql.schema import budget, state

_FIELDS = ("limit", "remaining", "window", "seen_at", "spent", "source")


class SqlLedger:
    """See :class:`unhub.store.protocols.Ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def budgets(self) -> list[BudgetRow]:
        """See the protocol."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(budget).order_by(budget.c.upstream, budget.c.credential))).mappings().all()
        return [BudgetRow(**row) for row in rows]

    async def save_budget(self, row: BudgetRow) -> None:
        """See the protocol."""
        values = {name: getattr(row, name) for name in ("upstream", "credential", *_FIELDS)}
        async with self._database.write() as connection:
            await self._database.upsert(connection, budget, values, _FIELDS)

    async def state(self, name: str) -> str | None:
        """See the protocol."""
        async with self._database.read() as connection:
            return (await connection.execute(select(state.c.text).where(state.c.name == name))).scalar_one_or_none()

    async def save_state(self, name: str, text: str) -> None:
        """See the protocol."""
        async with self._database.write() as connection:
            await self._database.upsert(connection, state, {"name": name, "text": text}, ["text"])

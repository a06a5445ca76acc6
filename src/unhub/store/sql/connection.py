"""An SQLite connection that leaves nothing open once it is closed."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any
from weakref import WeakSet


class Connection(sqlite3.Connection):
    """Rolls back, and ends its statements, when it is closed; to be used by one thread at a time, as any other.

    SQLite keeps a closed connection, its transaction and its locks for as long as one of its statements is in memory
    (sqlite.org/c3ref/close.html). A task that is cancelled amid a statement leaves its cursor to the garbage collector: until
    that came by, every writer of every process waited for the lock and gave up (seen: 30 s at the end of one storm in twenty).
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """See :func:`sqlite3.connect`, whose ``factory`` this is."""
        super().__init__(*arguments, **options)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        """See :meth:`sqlite3.Connection.cursor`."""
        made = super().cursor(*arguments, **options)
        self._cursors.add(made)
        return made

    def close(self) -> None:
        """Let go of everything. A second time does nothing."""
        with suppress(sqlite3.ProgrammingError):  # it is closed already
            for one in list(self._cursors):
                one.close()
            if self.in_transaction:
                self.rollback()
        super().close()

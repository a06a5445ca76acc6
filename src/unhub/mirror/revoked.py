"""What was given out and counts no more, as a worker remembers it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from unhub.store.records_identity import Revocation, RevokedKind


class GivenOut(Protocol):
    """What can be revoked."""

    @property
    def id(self) -> str:
        """Its own id."""
        ...

    @property
    def parent(self) -> str:
        """The id of the password that it was got by, or empty."""
        ...

    @property
    def issued_at(self) -> float:
        """Seconds since 1970."""
        ...

    @property
    def account(self) -> str:
        """Empty for the anonymous."""
        ...

    @property
    def unique_id(self) -> str:
        """Of the identity; empty for the anonymous."""
        ...

    @property
    def access_key(self) -> str:
        """The access key that it was got by; empty for the anonymous."""
        ...


class Revoked:
    """Answers from memory; made anew whenever the revocations changed."""

    def __init__(self, rows: Iterable[Revocation] = ()) -> None:
        self._rows = {(row.kind, row.subject): row.revoked_at for row in rows}

    def covers(self, given: GivenOut) -> bool:
        """Whether it counts no more. A revoked token never counts again, of others what was given out up to then."""
        rows = self._rows
        if not rows:
            return False
        if (RevokedKind.TOKEN, given.id) in rows or (given.parent and (RevokedKind.TOKEN, given.parent) in rows):
            return True
        subjects = [(RevokedKind.EVERYTHING, "")]
        if given.account:
            subjects += [
                (RevokedKind.ACCESS_KEY, given.access_key),
                (RevokedKind.IDENTITY, given.unique_id),
                (RevokedKind.ACCOUNT, given.account),
            ]
        return any(given.issued_at <= rows[subject] for subject in subjects if subject in rows)

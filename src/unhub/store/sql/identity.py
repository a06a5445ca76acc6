"""The identity store in SQL: its parts, on one database with the metadata store."""

from __future__ import annotations

from unhub.store.sql.access_keys import SqlAccessKeys
from unhub.store.sql.accounts import SqlAccounts
from unhub.store.sql.database import Database
from unhub.store.sql.identities import SqlIdentities
from unhub.store.sql.meters import SqlMeters
from unhub.store.sql.registrations import SqlRegistrations
from unhub.store.sql.signing import SqlRevocations, SqlSigningKeys


class SqlIdentityStore:
    """See :class:`unhub.store.protocols_identity.IdentityStore`. :attr:`unhub.store.sql.metadata.SqlMetadata.identity` is one."""

    def __init__(self, database: Database) -> None:
        self.accounts = SqlAccounts(database)
        self.identities = SqlIdentities(database)
        self.access_keys = SqlAccessKeys(database)
        self.registrations = SqlRegistrations(database)
        self.signing_keys = SqlSigningKeys(database)
        self.revocations = SqlRevocations(database)
        self.meters = SqlMeters(database)

"""The metadata store in SQL: its parts, its leases, and how it is opened."""

from __future__ import annotations

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from unhub.store.sql.blob_links import SqlBlobLinks
from unhub.store.sql.changes import SqlChanges
from unhub.store.sql.database import Database
from unhub.store.sql.eviction import SqlEviction
from unhub.store.sql.identity import SqlIdentityStore
from unhub.store.sql.images import SqlImages
from unhub.store.sql.ledger import SqlLedger
from unhub.store.sql.manifests import SqlManifests
from unhub.store.sql.policy import SqlPolicy
from unhub.store.sql.pulls import SqlPulls
from unhub.store.sql.repositories import SqlRepositories
from unhub.store.sql.schema import lease
from unhub.store.sql.uploads import SqlUploads


class SqlMetadata:
    """See :class:`unhub.store.protocols.MetadataStore`. The schema must be current: :func:`unhub.store.sql.upgrade.upgrade`."""

    def __init__(self, url: str) -> None:
        """``url`` is ``sqlite:///FOLDER/FILE`` or ``postgresql://…``."""
        self._database = Database(url)
        self.repositories = SqlRepositories(self._database)
        self.manifests = SqlManifests(self._database)
        self.images = SqlImages(self._database)
        self.blobs = SqlBlobLinks(self._database)
        self.uploads = SqlUploads(self._database)
        self.ledger = SqlLedger(self._database)
        self.policy = SqlPolicy(self._database)
        self.pulls = SqlPulls(self._database)
        self.changes = SqlChanges(self._database)
        self.eviction = SqlEviction(self._database)
        self.identity = SqlIdentityStore(self._database)
        """See :class:`unhub.store.protocols_identity.IdentityStore`."""

    async def lease(self, name: str, owner: str, seconds: float, now: float) -> bool:
        """See the protocol."""
        until = now + seconds
        free = or_(lease.c.owner == owner, lease.c.until < now)
        async with self._database.write() as connection:
            statement = update(lease).where(lease.c.name == name, free).values(owner=owner, until=until)
            if (await connection.execute(statement)).rowcount:
                return True
            try:
                async with connection.begin_nested():
                    await connection.execute(lease.insert().values(name=name, owner=owner, until=until))
            except IntegrityError:
                return False
            return True

    async def release(self, name: str, owner: str) -> None:
        """See the protocol."""
        async with self._database.write() as connection:
            await connection.execute(delete(lease).where(lease.c.name == name, lease.c.owner == owner))

    async def holder(self, name: str, now: float) -> str | None:
        """See the protocol."""
        async with self._database.read() as connection:
            return (await connection.execute(select(lease.c.owner).where(lease.c.name == name, lease.c.until >= now))).scalar_one_or_none()

    async def close(self) -> None:
        """See the protocol."""
        await self._database.close()

"""The tables. A change here needs a migration in ``store/migrations/versions``; a test compares the two."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id: Final[TypeEngine[int]] = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only where the column's type is INTEGER."""

_Name: Final[TypeEngine[str]] = Text().with_variant(Text(collation="C"), "postgresql")
"""Names that are listed in ASCII order, as the distribution specification wants it; SQLite compares bytes anyway."""

_Time: Final[TypeEngine[float]] = Double()
"""Seconds since 1970 (UTC)."""

repository = Table(
    "repository",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("alias", _Name, nullable=False),
    Column("path", _Name, nullable=False),
    Column("own", Boolean, nullable=False),
    Column("public", Boolean),
    Column("public_checked_at", _Time),
    Column("created_at", _Time, nullable=False),
    UniqueConstraint("alias", "path"),
)

manifest = Table(
    "manifest",
    metadata,
    Column("digest", _Name, primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("subject", Text, index=True),
    Column("artifact_type", Text),
    Column("annotations", Text),
    Column("stored_at", _Time, nullable=False),
)

manifest_child = Table(
    "manifest_child",
    metadata,
    Column("parent", Text, ForeignKey("manifest.digest", ondelete="CASCADE"), primary_key=True),
    Column("child", Text, primary_key=True, index=True),
)

manifest_blob = Table(
    "manifest_blob",
    metadata,
    Column("manifest", Text, ForeignKey("manifest.digest", ondelete="CASCADE"), primary_key=True),
    Column("blob", Text, primary_key=True, index=True),
    Column("size", BigInteger, nullable=False),
)

repository_manifest = Table(
    "repository_manifest",
    metadata,
    Column("repository_id", _Id, ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", _Name, ForeignKey("manifest.digest", ondelete="CASCADE"), primary_key=True, index=True),
    Column("linked_at", _Time, nullable=False),
    Column("accessed_at", _Time, nullable=False),
)

tag = Table(
    "tag",
    metadata,
    Column("repository_id", _Id, ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True),
    Column("name", _Name, primary_key=True),
    Column("digest", _Name, nullable=False),
    Column("fetched_at", _Time, nullable=False),
    Column("checked_at", _Time, nullable=False),
    Column("source", Text, nullable=False),
    Column("gone_since", _Time),
    Column("gone_count", Integer, nullable=False),
    Index("ix_tag_repository_digest", "repository_id", "digest"),
)

blob = Table(
    "blob",
    metadata,
    Column("digest", _Name, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("stored_at", _Time, nullable=False),
)

repository_blob = Table(
    "repository_blob",
    metadata,
    Column("repository_id", _Id, ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", _Name, primary_key=True, index=True),
    Column("linked_at", _Time, nullable=False),
)

upload = Table(
    "upload",
    metadata,
    Column("id", Text, primary_key=True),
    Column("repository_id", _Id, ForeignKey("repository.id", ondelete="CASCADE"), nullable=False),
    Column("owner", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("started_at", _Time, nullable=False),
    Column("touched_at", _Time, nullable=False),
)

budget = Table(
    "budget",
    metadata,
    Column("upstream", Text, primary_key=True),
    Column("credential", Text, primary_key=True),
    Column("limit", Integer),
    Column("remaining", Integer),
    Column("window", Integer),
    Column("seen_at", _Time, nullable=False),
    Column("spent", Integer, nullable=False),
    Column("source", Text),
)

state = Table("state", metadata, Column("name", _Name, primary_key=True), Column("text", Text, nullable=False))

block = Table(
    "block",
    metadata,
    Column("digest", _Name, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("blocked_at", _Time, nullable=False),
)

pin = Table("pin", metadata, Column("pattern", Text, primary_key=True), Column("pinned_at", _Time, nullable=False))

pull = Table(
    "pull",
    metadata,
    Column("day", Integer, primary_key=True),
    Column("repository_id", _Id, ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", _Name, primary_key=True, index=True),
    Column("reference", Text, primary_key=True),
    Column("caller", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("bytes_answered", BigInteger, nullable=False),
    Column("last_at", _Time, nullable=False),
)

change = Table(
    "change",
    metadata,
    Column("generation", _Id, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("alias", _Name, nullable=False),
    Column("path", _Name, nullable=False),
    Column("key", Text, nullable=False),
    sqlite_autoincrement=True,
)

lease = Table(
    "lease",
    metadata,
    Column("name", _Name, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", _Time, nullable=False),
)

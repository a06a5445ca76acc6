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

account = Table(
    "account",
    metadata,
    Column("id", _Name, primary_key=True),
    Column("created_at", _Time, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("display_name", Text),
)

registry_alias = Table(
    "registry_alias",
    metadata,
    Column("name", _Name, primary_key=True),
    Column("account", _Name, ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("status", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("primary", Boolean, nullable=False),
    Column("default", Boolean, nullable=False),
)

identity = Table(
    "identity",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("account", _Name, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", _Name, nullable=False),
    Column("unique_id", _Name, nullable=False, unique=True),
    Column("created_at", _Time, nullable=False),
    Column("trust", Text),
    UniqueConstraint("account", "kind", "name"),
)

identity_policy = Table(
    "identity_policy",
    metadata,
    Column("identity_id", _Id, ForeignKey("identity.id", ondelete="CASCADE"), primary_key=True),
    Column("name", _Name, primary_key=True),
    Column("document", Text, nullable=False),
    Column("attached_at", _Time, nullable=False),
)

access_key = Table(
    "access_key",
    metadata,
    Column("id", _Name, primary_key=True),
    Column("identity_id", _Id, ForeignKey("identity.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("session", Text),
    Column("token_hash", LargeBinary),
    Column("expires_at", _Time),
)

registration = Table(
    "registration",
    metadata,
    Column("repository_id", _Id, ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True),
    Column("account", _Name, ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", _Time, nullable=False),
    Column("catalog", Text),
    Column("logo", LargeBinary),
    Column("policy", Text),
)

resource_tag = Table(
    "resource_tag",
    metadata,
    Column("repository_id", _Id, ForeignKey("registration.repository_id", ondelete="CASCADE"), primary_key=True),
    Column("key", _Name, primary_key=True),
    Column("value", Text, nullable=False),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("signs_from", _Time, nullable=False),
    Column("retired_at", _Time),
)

revocation = Table(
    "revocation",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("subject", _Name, primary_key=True),
    Column("revoked_at", _Time, nullable=False),
    Column("until", _Time, nullable=False),
    Column("reason", Text, nullable=False),
)

meter = Table(
    "meter",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("account", _Name, primary_key=True),
    Column("address", _Name, primary_key=True),
    Column("repository", _Name, primary_key=True),
    Column("exempt", Boolean, primary_key=True),
    Column("pulls", BigInteger, nullable=False),
    Column("bytes_answered", BigInteger, nullable=False),
    Index("ix_meter_account", "account", "address", "day"),
)

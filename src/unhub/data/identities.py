"""How much may be kept of users, roles, policies and access keys: the rows of ``identities.toml``, and a user's over them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unhub.data.facts import Dated
from unhub.data.rows import typed


class IdentityLimit(Dated, frozen=True, kw_only=True):
    """One limit: at least ``least`` and at most ``most`` of what ``says`` says."""

    id: str
    most: int
    least: int = 0
    says: str

    def __post_init__(self) -> None:
        """Refuse what nothing fits into."""
        if not 0 <= self.least <= self.most:
            raise ValueError("at least 0 and not more than the most")


@dataclass(frozen=True, slots=True)
class IdentityLimits:
    """Access keys of a user that last, policies of an identity, characters of a policy, and the length of sessions."""

    access_keys: int
    policies: int
    policy_characters: int
    session_seconds: tuple[int, int]
    """The shortest and the longest."""


def identity_limits(own: Path | None = None) -> IdentityLimits:
    """The limits that hold. ``own`` is a user's data file. Raises :class:`ConfigurationError` where a row of it is wrong."""
    rows: dict[str, IdentityLimit] = {}
    for row in typed("identity_limit", IdentityLimit, own):
        rows.setdefault(row.id, row)
    session = rows["session-seconds"]
    return IdentityLimits(
        access_keys=rows["access-keys"].most,
        policies=rows["policies"].most,
        policy_characters=rows["policy-characters"].most,
        session_seconds=(session.least, session.most),
    )

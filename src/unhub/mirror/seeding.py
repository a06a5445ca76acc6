"""Identities that the settings name, made where they are missing: for demonstrations, tests and machines that are set up by files.

The database decides afterwards: what is there is left as it is, but for the policies, which become the ones of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from unhub.image.errors import UsageError
from unhub.mirror.identities import Identities
from unhub.store.records_identity import IdentityKey, IdentityKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A user or role: its policies by name, those of AWS that it has (``managed``), and an access key of a user."""

    kind: IdentityKind
    name: str
    account: str | None = None
    alias: str | None = None
    policies: Mapping[str, str] = field(default_factory=dict[str, str])
    managed: tuple[str, ...] = ()
    access_key: str | None = None
    secret: str | None = field(default=None, repr=False)


async def sow(seeds: Iterable[Seed], identities: Identities) -> list[IdentityKey]:
    """Make what is missing; the identities of the seeds. Raises :class:`UsageError` and :class:`InvalidPolicy` for a wrong one."""
    done: list[IdentityKey] = []
    for seed in seeds:
        if seed.account and not await identities.has_account(seed.account):
            await identities.create_account(seed.account, alias=seed.alias)
        key = await identities.key_of(seed.kind, seed.name, seed.account)
        if key not in {row.key for row in await identities.all(key.account, seed.kind)}:
            await identities.create(key)
        for name, document in seed.policies.items():
            await identities.attach(key, name, document)
        for name in seed.managed:
            await identities.attach_managed(key, name)
        await _give_key(seed, key, identities)
        done.append(key)
    return done


async def _give_key(seed: Seed, key: IdentityKey, identities: Identities) -> None:
    if (seed.access_key is None) != (seed.secret is None):
        raise UsageError(f"cannot give the {key} an access key: its id and its secret go together")
    if seed.access_key is None or seed.secret is None:
        return
    if seed.access_key not in {row.id for row in await identities.keys(key)}:
        await identities.create_key(key, given=(seed.access_key, seed.secret))

"""Identities that the settings name: for demonstrations, tests and machines that are set up by files.

The settings may only seed: the database decides. What is missing is made; what is there stays, with whatever else it was given.
Only the policies that the settings name become again what the settings say, so that an edited file counts. What a later file
names no more stays, too: it is taken away by ``unhub admin``, and what ``unhub admin`` took away comes back while it is named.
"""

from __future__ import annotations

import hmac
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unhub.image.errors import ConfigurationError, UnhubError, UsageError
from unhub.store.records_identity import IdentityKey, IdentityKind

if TYPE_CHECKING:
    from unhub.mirror.identities import Identities


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A user or role: its policies by name (JSON texts), and an access key of a user.

    ``place`` is where it stands, for messages: ``unhub.toml:3:1``.
    """

    kind: IdentityKind
    name: str
    policies: Mapping[str, str] = field(default_factory=dict[str, str])
    access_key: str | None = None
    secret: str | None = field(default=None, repr=False)
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSeed:
    """An account with its registry's aliases, the displayed one first; ``verified`` is ``None`` where it stays as it is."""

    id: str
    aliases: tuple[str, ...] = ()
    verified: bool | None = None
    identities: tuple[Seed, ...] = ()
    place: str = ""


async def sow(seeds: Iterable[AccountSeed], identities: Identities) -> list[IdentityKey]:
    """Make what is missing; the keys of the identities. Raises :class:`ConfigurationError`, which names the place."""
    done: list[IdentityKey] = []
    for seed in seeds:
        with _told(seed.place):
            await _account(seed, identities)
        for one in seed.identities:
            with _told(one.place):
                done.append(await _identity(one, seed.id, identities))
    return done


async def give_aliases(names: Sequence[str], identities: Identities) -> None:
    """Give the default account's registry names that it lacks, the first as the one that is shown.

    Raises :class:`UsageError` for one that another registry has.
    """
    if not names:
        return
    account = await identities.default_account()
    has = {alias.name for alias in await identities.aliases(account.id)}
    for name in names:
        if name not in has:
            await identities.add_alias(account.id, name, primary=name == names[0])


async def _account(seed: AccountSeed, identities: Identities) -> None:
    if not await identities.has_account(seed.id):
        await identities.create_account(seed.id)
    if seed.verified is not None:
        await identities.set_verified(seed.id, seed.verified)
    has = {alias.name for alias in await identities.aliases(seed.id)}
    for number, name in enumerate(seed.aliases):
        if name not in has:
            await identities.add_alias(seed.id, name, primary=number == 0)


async def _identity(seed: Seed, account: str, identities: Identities) -> IdentityKey:
    key = await identities.key_of(seed.kind, seed.name, account)
    if key not in {row.key for row in await identities.all(account, seed.kind)}:
        await identities.create(key)
    has = {policy.name: policy.document for policy in await identities.policies(key)}
    for name, document in seed.policies.items():
        if has.get(name) != document:
            await identities.attach(key, name, document)
    await _give_key(seed, key, identities)
    return key


async def _give_key(seed: Seed, key: IdentityKey, identities: Identities) -> None:
    if (seed.access_key is None) != (seed.secret is None):
        raise UsageError(f"cannot give the {key} an access key: its id and its secret go together")
    if seed.access_key is None or seed.secret is None:
        return
    if seed.access_key not in {row.id for row in await identities.keys(key)}:
        await identities.create_key(key, given=(seed.access_key, seed.secret))
        return
    known = await identities.look_up(seed.access_key)
    if known is not None and not hmac.compare_digest(known[0].secret.encode(), seed.secret.encode()):
        hint = f"Give it a new id, or make way for it: unhub admin key delete {seed.access_key}"
        raise UsageError(f"cannot take over the access key {seed.access_key} of the {key}: it is there with another secret", hint=hint)


@contextmanager
def _told(place: str) -> Generator[None]:
    """What goes wrong, with its place."""
    try:
        yield
    except UnhubError as error:
        if not place:
            raise
        raise ConfigurationError(f"{place}: {error.message}", hint=error.hint) from None

"""What one worker needs to know who asks: keys, tokens, revocations and identities, kept true as they change."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from unhub.aws.arns import session_of
from unhub.aws.sigv4 import SignedRequest, read_claim, verify
from unhub.aws.sigv4_rules import SigningRules
from unhub.data.identities import identity_limits
from unhub.mirror.authorization import Authority
from unhub.mirror.identities import Identities
from unhub.mirror.known_identities import KnownIdentities
from unhub.mirror.principals import Principal
from unhub.mirror.revoked import Revoked
from unhub.mirror.sealing import FILE, Entropy, InstanceKey
from unhub.mirror.signing_keys import KeyKeeper
from unhub.mirror.tokens import PASSWORD_SECONDS, Holder, Issued, Owner, Tokens
from unhub.server.operations.identity_actions import IdentityActions
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records import Change, ChangeKind

LARGE: Final = 1 << 20
"""Bytes of a body from which on its signature is checked in a thread."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed a request; ``key_expires_at`` is when a temporary key ends (seconds since 1970), ``None`` for a lasting one."""

    principal: Principal
    region: str
    key_expires_at: float | None


class IdentityServices:
    """Everything about identities in one worker. ``now`` is seconds since 1970, ``facts`` a user's data file."""

    def __init__(
        self,
        store: IdentityStore,
        instance: InstanceKey,
        *,
        now: Callable[[], float],
        entropy: Entropy = os.urandom,
        facts: Path | None = None,
        reserved: Collection[str] = (),
    ) -> None:
        self.instance = instance
        self._store = store
        self._now = now
        self._facts = facts
        self.authority = Authority(facts)
        self.identities = Identities(store, instance, now=now, entropy=entropy, limits=identity_limits(facts), reserved=reserved)
        self.known = KnownIdentities(self.identities, time.monotonic)
        self.keeper = KeyKeeper(store.signing_keys, instance, now=now, entropy=entropy)
        self.actions = IdentityActions(self.identities, self.keeper, store, now=now)
        self._entropy = entropy
        self._tokens: Tokens | None = None

    @classmethod
    async def open(
        cls,
        data: Path,
        store: IdentityStore,
        *,
        now: Callable[[], float],
        facts: Path | None = None,
        reserved: Collection[str] = (),
    ) -> IdentityServices:
        """The services of a data folder, its keys made where they are missing; no registry may have a ``reserved`` alias.

        Raises :class:`RefusedError` where the folder's key is not the database's, or others may read it.
        """
        services = cls(store, InstanceKey.at(data / FILE), now=now, facts=facts, reserved=reserved)
        await services.load()
        return services

    @property
    def tokens(self) -> Tokens:
        """The token service. Raises ``LookupError`` before :meth:`load`."""
        if self._tokens is None:
            raise LookupError("keys are not loaded")
        return self._tokens

    async def load(self) -> None:
        """Read keys and revocations, and forget who was known."""
        self.known.forget()
        keyring, revoked = await self.keeper.load(), Revoked(await self._store.revocations.all(self._now()))
        if self._tokens is None:
            self._tokens = Tokens(keyring, revoked, now=self._now, entropy=self._entropy, facts=self._facts)
        else:
            self._tokens.keyring, self._tokens.revoked = keyring, revoked

    async def apply(self, changes: Iterable[Change]) -> None:
        """Read again what others have changed; for whoever watches the change table."""
        kinds = {change.kind for change in changes}
        if ChangeKind.IDENTITY in kinds:
            self.known.forget()
        if kinds & {ChangeKind.REVOCATION, ChangeKind.SIGNING_KEY}:
            await self.load()

    async def caller(self, request: SignedRequest, rules: SigningRules) -> Caller:
        """Who signed a request. Raises :class:`ApiRefused` in AWS's words."""
        claim = read_claim(request, rules)
        found = await self.known.look_up(claim.access_key)
        key = found[0] if found else None
        if len(request.body) > LARGE:  # hashing it takes a while, which others need not wait
            verified = await asyncio.to_thread(verify, request, claim, key, self._now(), rules)
        else:
            verified = verify(request, claim, key, self._now(), rules)
        if found is None:
            raise LookupError("a request without a known key was verified")
        return Caller(found[1], verified.region, found[0].expires_at)

    async def principal(self, holder: Holder) -> Principal | None:
        """Who presents a token, with the policies that hold now; ``None`` for the anonymous, and where the user or role is gone."""
        found = None if holder.anonymous else await self.known.principal(holder.unique_id)
        if found is None:
            return None
        return replace(found, session=session_of(holder.arn), access_key=holder.access_key)

    def password(self, caller: Caller) -> Issued:
        """A password for ``docker login``, which ends with the caller's session. Whether it may be given is for the caller to ask."""
        who = caller.principal
        owner = Owner(who.account, who.arn, who.unique_id, who.access_key)
        return self.tokens.password(owner, self.password_seconds(caller))

    def password_seconds(self, caller: Caller) -> int:
        """How long a password of this caller would hold."""
        if caller.key_expires_at is None:
            return PASSWORD_SECONDS
        return max(1, min(PASSWORD_SECONDS, int(caller.key_expires_at - self._now())))

    async def chores(self) -> None:
        """Forget what has ended; each hour or so."""
        now = self._now()
        await self._store.revocations.forget(now)
        await self._store.access_keys.forget_expired(now - self.identities.limits.session_seconds[1])
        await self.keeper.clean(PASSWORD_SECONDS)

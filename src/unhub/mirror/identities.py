"""Accounts, users and roles of this registry: made, given policies and access keys, looked up and removed.

What leaves with them: whoever deletes a user, role or key revokes every password and token that was got by it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from unhub.aws.arns import ACCOUNT, role_arn, user_arn
from unhub.aws.json_places import parse
from unhub.aws.managed_policies import managed_policy
from unhub.aws.policy_document import Kind, Policy, policy_of
from unhub.aws.sigv4 import AccessKey
from unhub.data.identities import IdentityLimits, identity_limits
from unhub.image.errors import UsageError
from unhub.mirror.principals import Principal
from unhub.mirror.sealing import Entropy, InstanceKey
from unhub.mirror.tokens import PASSWORD_SECONDS
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records_identity import (
    Account,
    AliasStatus,
    AttachedPolicy,
    IdentityKey,
    IdentityKind,
    Revocation,
    RevokedKind,
    StoredAccessKey,
    StoredAlias,
    StoredIdentity,
)

_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
_POLICY_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,128}")
_SESSION = re.compile(r"[A-Za-z0-9+=,.@_-]{2,64}")
_ALIAS = re.compile(r"(?=.{2,50}$)[a-z][a-z0-9]+(?:[._-][a-z0-9]+)*")
_GIVEN_KEY = re.compile(r"[A-Z0-9]{16,128}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """An access key as it is shown once; nobody can be told the secret again."""

    id: str
    secret: str = field(repr=False)
    identity: IdentityKey
    session_token: str | None = field(default=None, repr=False)
    session: str | None = None
    expires_at: float | None = None


class Identities:
    """The rules; ``now`` is seconds since 1970. Every method raises :class:`UsageError` for what makes no sense here."""

    def __init__(
        self,
        store: IdentityStore,
        instance: InstanceKey,
        *,
        now: Callable[[], float],
        entropy: Entropy = os.urandom,
        limits: IdentityLimits | None = None,
        reserved: Collection[str] = (),
    ) -> None:
        """``limits`` are the shipped ones unless others are given; ``reserved`` are names that no registry may have as an alias."""
        self._reserved = frozenset(reserved)
        self._store = store
        self._instance = instance
        self._now = now
        self._entropy = entropy
        self.limits = limits or identity_limits()

    # accounts

    async def default_account(self) -> Account:
        """The oldest account; the first one is made where there is none, with an id that nobody chose."""
        accounts = await self._store.accounts.all()
        if not accounts:
            await self.create_account()
            accounts = await self._store.accounts.all()
        return accounts[0]

    async def create_account(self, account: str | None = None, *, verified: bool = False, alias: str | None = None) -> Account:
        """Add an account: 12 digits. Its registry gets a default alias, and ``alias`` as the one that is displayed."""
        chosen = account or str(10**11 + self._number(9 * 10**11))
        if not ACCOUNT.fullmatch(chosen):
            raise UsageError(f"cannot use the account {chosen!r}: an account has 12 digits")
        if alias is not None:
            await self._check_alias(alias)
        new = Account(chosen, self._now(), verified)
        if not await self._store.accounts.create(new):
            raise UsageError(f"cannot create the account {chosen}: there is one")
        await self.default_alias(chosen)
        if alias is not None:
            await self.add_alias(chosen, alias)
        return new

    async def has_account(self, account: str) -> bool:
        """Whether there is such an account."""
        return await self._store.accounts.get(account) is not None

    async def add_alias(self, account: str, name: str, *, primary: bool = True) -> StoredAlias:
        """Give an account's registry a name of its own."""
        await self._account(account)
        await self._check_alias(name)
        alias = StoredAlias(name, account, AliasStatus.ACTIVE, self._now(), primary=primary)
        if not await self._store.accounts.add_alias(alias):
            raise UsageError(f"cannot give {account} the alias {name}: it is taken")
        return alias

    async def aliases(self, account: str) -> list[StoredAlias]:
        """The names of an account's registry, the displayed one first."""
        await self._account(account)
        return await self._store.accounts.aliases(account)

    async def set_verified(self, account: str, verified: bool) -> None:
        """Say whether an account's registry is shown as verified."""
        if (await self._account(account)).verified != verified:
            await self._store.accounts.set_verified(account, verified)

    async def default_alias(self, account: str) -> StoredAlias:
        """The alias that ECR Public gives with the first repository (``u7m1j8y0``), made where there is none."""
        while True:
            aliases = await self._store.accounts.aliases(account)
            for alias in aliases:
                if alias.default:
                    return alias
            name = "".join("abcdefghijklmnopqrstuvwxyz"[self._number(26)] + str(self._number(10)) for _ in range(4))
            new = StoredAlias(name, account, AliasStatus.ACTIVE, self._now(), primary=not aliases, default=True)
            await self._store.accounts.add_alias(new)

    # users and roles

    async def key_of(self, kind: IdentityKind, name: str, account: str | None = None) -> IdentityKey:
        """The key of an identity that may or may not exist; of the default account unless one is named."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"cannot use the name {name[:70]!r}: 1 to 64 letters, digits and +=,.@_-")
        chosen = (await self._account(account)).id if account else (await self.default_account()).id
        return IdentityKey(chosen, kind, name)

    async def create(self, key: IdentityKey, trust: str | None = None) -> StoredIdentity:
        """Add a user or role; ``trust`` is the JSON text of a role's trust policy."""
        if trust is not None:
            _read(trust, "the trust policy", Kind.TRUST)
        prefix = "AIDA" if key.kind is IdentityKind.USER else "AROA"
        new = StoredIdentity(key, self._identifier(prefix, 17), self._now(), trust)
        if not await self._store.identities.create(new):
            raise UsageError(f"cannot create the {key}: there is one")
        return new

    async def get(self, key: IdentityKey) -> StoredIdentity:
        """One identity."""
        found = await self._store.identities.get(key)
        if found is None:
            raise UsageError(f"cannot find the {key}", hint=f"unhub admin {key.kind} list")
        return found

    async def all(self, account: str | None = None, kind: IdentityKind | None = None) -> list[StoredIdentity]:
        """Identities by account, kind and name."""
        return await self._store.identities.all(account, kind)

    async def delete(self, key: IdentityKey) -> StoredIdentity:
        """Remove an identity with policies and keys, and revoke what it was given."""
        found = await self.get(key)
        await self.revoke(RevokedKind.IDENTITY, found.unique_id, f"the {key} was deleted")
        await self._store.identities.delete(key)
        return found

    # policies

    async def attach(self, key: IdentityKey, name: str, document: str) -> AttachedPolicy:
        """Attach a policy document (JSON text), in the place of one of the same name. Raises :class:`InvalidPolicy`, too."""
        if not _POLICY_NAME.fullmatch(name):
            raise UsageError(f"cannot use the policy name {name[:130]!r}: 1 to 128 letters, digits and +=,.@_-")
        if len(document) > self.limits.policy_characters:
            raise UsageError(f"cannot attach {name}: a policy has at most {self.limits.policy_characters} characters")
        _read(document, name)
        names = {policy.name for policy in await self._store.identities.policies(key)}
        if len(names | {name}) > self.limits.policies:
            raise UsageError(
                f"cannot attach {name}: the {key} has {len(names)} policies, and no more than {self.limits.policies} are possible"
            )
        policy = AttachedPolicy(name, document, self._now())
        if not await self._store.identities.attach(key, policy):
            await self.get(key)
        return policy

    async def attach_managed(self, key: IdentityKey, name: str) -> AttachedPolicy:
        """Attach what one of AWS's own policies allows, by its name (``AmazonElasticContainerRegistryPublicReadOnly``)."""
        return await self.attach(key, *managed_policy(name))

    async def detach(self, key: IdentityKey, name: str) -> bool:
        """Take a policy away; whether it was there."""
        await self.get(key)
        return await self._store.identities.detach(key, name)

    async def policies(self, key: IdentityKey) -> list[AttachedPolicy]:
        """The policies of an identity."""
        await self.get(key)
        return await self._store.identities.policies(key)

    # access keys

    async def create_key(self, key: IdentityKey, *, given: tuple[str, str] | None = None) -> NewKey:
        """A lasting access key. ``given`` is one that is wanted: id and secret."""
        owner = await self.get(key)
        lasting = [row for row in await self._store.access_keys.of(key) if row.session is None]
        if len(lasting) >= self.limits.access_keys:
            hint = f"Delete one first: unhub admin key delete {lasting[0].id}" if lasting else None
            raise UsageError(f"cannot make a key for the {key}: it has {len(lasting)}, and no more are possible", hint=hint)
        identifier, secret = given or (self._identifier("AKIA", 16), self._secret(30))
        if given and (
            not _GIVEN_KEY.fullmatch(identifier) or not 16 <= len(secret) <= 128 or not (secret.isascii() and secret.isprintable())
        ):
            raise UsageError("cannot use the given access key: its id has 16 to 128 letters and digits, its secret 16 to 128 characters")
        if given and await self._store.access_keys.get(identifier) is not None:
            raise UsageError(f"cannot use the given access key: there is a {identifier}")
        return await self._add(owner, NewKey(identifier, secret, key))

    async def create_session(self, key: IdentityKey, session: str, seconds: int = 3600) -> NewKey:
        """A temporary access key with its session token: for a role what assuming it gives."""
        owner = await self.get(key)
        shortest, longest = self.limits.session_seconds
        if not _SESSION.fullmatch(session):
            raise UsageError(f"cannot use the session name {session[:70]!r}: 2 to 64 letters, digits and +=,.@_-")
        if not shortest <= seconds <= longest:
            raise UsageError(f"cannot make a session of {seconds} seconds: {shortest} to {longest} are possible")
        await self._store.access_keys.forget_expired(self._now() - longest)
        new = NewKey(
            self._identifier("ASIA", 16),
            self._secret(30),
            key,
            session_token=self._secret(96),
            session=session,
            expires_at=self._now() + seconds,
        )
        return await self._add(owner, new)

    async def keys(self, key: IdentityKey) -> list[StoredAccessKey]:
        """The access keys of an identity."""
        await self.get(key)
        return await self._store.access_keys.of(key)

    async def delete_key(self, key_id: str) -> bool:
        """Remove an access key, and revoke what it was used for; whether there was one."""
        if await self._store.access_keys.get(key_id) is None:
            return False
        await self.revoke(RevokedKind.ACCESS_KEY, key_id, "the access key was deleted")
        return await self._store.access_keys.delete(key_id)

    async def set_key_active(self, key_id: str, active: bool) -> bool:
        """Switch a key on or off; switching off revokes what it was used for. Whether there is such a key."""
        if not await self._store.access_keys.set_active(key_id, active):
            return False
        if not active:
            await self.revoke(RevokedKind.ACCESS_KEY, key_id, "the access key was switched off")
        return True

    async def look_up(self, key_id: str) -> tuple[AccessKey, Principal] | None:
        """An active access key, to check a signature with, and who has it; ``None`` where there is none."""
        found = await self._store.access_keys.get(key_id)
        if found is None or not found[0].active:
            return None
        row, owner = found
        secret = self._instance.open(row.secret, _purpose(row.id)).decode()
        key = AccessKey(row.id, secret, owner.unique_id, row.token_hash, row.expires_at)
        return key, replace(await self._principal(owner), session=row.session or "", access_key=row.id)

    # who somebody is

    async def principal(self, unique_id: str) -> Principal | None:
        """An identity with its policies as they are now, by its unique id; ``None`` where it is gone."""
        owner = await self._store.identities.by_id(unique_id)
        return None if owner is None else await self._principal(owner)

    async def principal_named(self, key: IdentityKey) -> Principal:
        """The same by name."""
        return await self._principal(await self.get(key))

    async def revoke(self, kind: RevokedKind, subject: str, reason: str = "") -> Revocation:
        """Let everything that was given out to ``subject`` until now count no more."""
        if (kind is RevokedKind.EVERYTHING) != (not subject):
            raise UsageError(f"cannot revoke {kind} {subject!r}: it must name whose, and only everything is nobody's")
        now = self._now()
        await self._store.revocations.forget(now)
        row = Revocation(kind, subject, now, now + PASSWORD_SECONDS, reason)
        await self._store.revocations.add(row)
        return row

    async def _principal(self, owner: StoredIdentity) -> Principal:
        rows = await self._store.identities.policies(owner.key)
        return Principal(owner.key, owner.unique_id, tuple(_read(row.document, row.name) for row in rows))

    async def _account(self, account: str) -> Account:
        found = await self._store.accounts.get(account)
        if found is None:
            raise UsageError(f"cannot find the account {account[:60]!r}", hint="unhub admin account list")
        return found

    async def _check_alias(self, name: str) -> None:
        if not _ALIAS.fullmatch(name):
            hint = "2 to 50 characters: it begins with a letter, goes on with letters and digits in lower case, parts joined by . _ or -"
            raise UsageError(f"cannot use the alias {name[:60]!r}", hint=hint)
        if name in self._reserved:
            raise UsageError(f"cannot use the alias {name}: what is pulled through has it")
        if await self._store.accounts.alias(name) is not None:
            raise UsageError(f"cannot use the alias {name}: it is taken")

    async def _add(self, owner: StoredIdentity, key: NewKey) -> NewKey:
        row = StoredAccessKey(
            id=key.id,
            identity=key.identity,
            secret=self._instance.seal(key.secret.encode(), _purpose(key.id)),
            created_at=self._now(),
            session=key.session,
            token_hash=None if key.session_token is None else hashlib.sha256(key.session_token.encode()).digest(),
            expires_at=key.expires_at,
        )
        if not await self._store.access_keys.add(row, owner.unique_id):
            raise UsageError(f"cannot make a key for the {key.identity}: it was deleted just now")
        return key

    def _identifier(self, prefix: str, length: int) -> str:
        return prefix + base64.b32encode(self._entropy(length)).decode()[:length]

    def _secret(self, length: int) -> str:
        return base64.b64encode(self._entropy(length)).decode()

    def _number(self, below: int) -> int:
        """A number that nobody can guess; the 64 spare bits leave no number likelier than another."""
        return int.from_bytes(self._entropy(13), "big") % below


def arn_of(key: IdentityKey) -> str:
    """The ARN of a user or role."""
    return (user_arn if key.kind is IdentityKind.USER else role_arn)(key.account, key.name)


def _purpose(key_id: str) -> str:
    return f"access key {key_id}"


def _read(document: str, name: str, kind: Kind = Kind.IDENTITY) -> Policy:
    values = parse(document.encode(), name)
    if len(values) != 1:
        raise UsageError(f"cannot use {name}: it must hold one policy document")
    return policy_of(values[0], kind, name)

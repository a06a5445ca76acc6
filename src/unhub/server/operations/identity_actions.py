"""What ``unhub admin`` asks of a running server: identities, policies, keys, revocations; JSON in, JSON out.

Only the answer that makes an access key holds its secret. Every route wants the admin token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol, TypeVar

import msgspec

from unhub.aws.arns import read_repository_arn
from unhub.aws.json_places import parse
from unhub.aws.policy_document import Kind, policy_of
from unhub.image.errors import UsageError
from unhub.mirror.authorization import BEARER_TOKEN, GET_TOKEN, Target, ask, bearer_surroundings, explained
from unhub.mirror.identities import Identities, NewKey, arn_of
from unhub.mirror.principals import Surroundings
from unhub.mirror.signing_keys import KeyKeeper
from unhub.mirror.tokens import PASSWORD_SECONDS
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records import RepositoryKey
from unhub.store.records_identity import IdentityKey, IdentityKind, RevokedKind, StoredAccessKey, StoredIdentity

T = TypeVar("T")
Answer = Mapping[str, object]

SIMULATED_MAX: Final = 50
"""Actions and resources of one simulation at most, each."""

TEXT_MAX: Final = 1000
"""Characters of reasons, and of the values of a simulation."""


class Asked(Protocol):
    """A request, as :class:`unhub.server.operations.app.Request` is."""

    async def read(self, kind: type[T], /) -> T:
        """The body as what a route wants. Raises :class:`ServeError`."""
        ...


Handler = Callable[[Asked], Awaitable[Answer]]


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A body that refuses what it does not know."""


class Who(_Row, frozen=True, kw_only=True):
    """An identity; of the default account unless one is named."""

    kind: IdentityKind
    name: str
    account: str | None = None


class CreateIdentity(Who, frozen=True, kw_only=True):
    """``trust`` is the text of a role's trust policy; with ``access_key`` a key is made, too."""

    trust: str | None = None
    access_key: bool = False


class AttachPolicy(Who, frozen=True, kw_only=True):
    """A policy by its text, or one of AWS's own by its name (``managed``)."""

    policy: str = ""
    document: str | None = None
    managed: str | None = None


class DetachPolicy(Who, frozen=True, kw_only=True):
    """A policy by its name."""

    policy: str


class CreateKey(Who, frozen=True, kw_only=True):
    """A lasting key, or with ``session`` (its name) a temporary one for so many ``seconds``."""

    session: str | None = None
    seconds: int = 3600


class OneKey(_Row, frozen=True, kw_only=True):
    """An access key."""

    id: str


class SwitchKey(OneKey, frozen=True, kw_only=True):
    """An access key, and whether it may be used."""

    active: bool


class Filter(_Row, frozen=True, kw_only=True):
    """Which identities to list; without, all."""

    kind: IdentityKind | None = None
    account: str | None = None


class Simulate(Who, frozen=True, kw_only=True):
    """Each action on each resource; ``context`` are context keys that the request is taken to have."""

    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    context: dict[str, str] = {}
    session: str = ""


class Revoke(_Row, frozen=True, kw_only=True):
    """What :class:`RevokedKind` says; an identity is named as in ``who``."""

    kind: RevokedKind
    subject: str = ""
    who: Who | None = None
    reason: str = ""


class CreateAccount(_Row, frozen=True, kw_only=True):
    """An account, with an alias for its registry if one is named."""

    account: str | None = None
    alias: str | None = None
    verified: bool = False


class AddAlias(_Row, frozen=True, kw_only=True):
    """A name for the registry of an account (the default one unless it is named), the displayed one with ``primary``."""

    alias: str
    account: str | None = None
    primary: bool = True


class Verify(_Row, frozen=True, kw_only=True):
    """Whether the registry of an account is shown as verified."""

    account: str
    verified: bool


class Rotate(_Row, frozen=True, kw_only=True):
    """``discard``: what was signed before counts no more."""

    discard: bool = False


class Nothing(_Row, frozen=True, kw_only=True):
    """No parameters."""


class IdentityActions:
    """The actions of one worker. ``now`` is seconds since 1970."""

    def __init__(self, identities: Identities, keeper: KeyKeeper, store: IdentityStore, *, now: Callable[[], float]) -> None:
        self._identities = identities
        self._keeper = keeper
        self._store = store
        self._now = now

    @property
    def routes(self) -> dict[str, dict[str, Handler]]:
        """Path, method, and what answers it, as :class:`unhub.server.operations.app.OperationsApp` has its own.

        All are POST: no name stands in a URL, where logs would have it.
        """
        answering: dict[str, tuple[type[Any], Callable[[Any], Awaitable[Answer]]]] = {
            "accounts": (Nothing, self.accounts),
            "account/create": (CreateAccount, self.create_account),
            "account/alias": (AddAlias, self.add_alias),
            "account/verify": (Verify, self.verify),
            "identities": (Filter, self.identities),
            "identity/create": (CreateIdentity, self.create),
            "identity/delete": (Who, self.delete),
            "policies": (Who, self.policies),
            "policy/attach": (AttachPolicy, self.attach),
            "policy/detach": (DetachPolicy, self.detach),
            "keys": (Who, self.keys),
            "key/create": (CreateKey, self.create_key),
            "key/delete": (OneKey, self.delete_key),
            "key/switch": (SwitchKey, self.switch_key),
            "simulate": (Simulate, self.simulate),
            "revoke": (Revoke, self.revoke),
            "signing-key/rotate": (Rotate, self.rotate),
        }
        return {f"/_unhub/admin/{path}": {"POST": _handler(kind, action)} for path, (kind, action) in answering.items()}

    async def accounts(self, asked: Nothing) -> Answer:
        """Every account with the aliases of its registry."""
        del asked
        return {"accounts": [await self._account(account.id) for account in await self._store.accounts.all()]}

    async def create_account(self, asked: CreateAccount) -> Answer:
        """Add an account."""
        account = await self._identities.create_account(asked.account, verified=asked.verified, alias=asked.alias)
        return {"account": await self._account(account.id)}

    async def add_alias(self, asked: AddAlias) -> Answer:
        """Give a registry one more name."""
        account = asked.account or (await self._identities.default_account()).id
        await self._identities.add_alias(account, asked.alias, primary=asked.primary)
        return {"account": await self._account(account)}

    async def verify(self, asked: Verify) -> Answer:
        """Show a registry as verified or not."""
        await self._identities.set_verified(asked.account, asked.verified)
        return {"account": await self._account(asked.account)}

    async def identities(self, asked: Filter) -> Answer:
        """Users and roles."""
        return {"identities": [_identity(row) for row in await self._identities.all(asked.account, asked.kind)]}

    async def create(self, asked: CreateIdentity) -> Answer:
        """Add a user or role, and a user's first access key if it is wanted: the one answer that tells its secret."""
        if asked.trust is not None and asked.kind is not IdentityKind.ROLE:
            raise UsageError("cannot give a user a trust policy: roles have one")
        if asked.access_key and asked.kind is not IdentityKind.USER:
            raise UsageError("cannot give a role a lasting access key: it has sessions")
        identity = await self._identities.create(await self._key(asked), asked.trust)
        answer: dict[str, object] = {"identity": _identity(identity)}
        if asked.access_key:
            answer["access_key"] = _new_key(await self._identities.create_key(identity.key))
        return answer

    async def delete(self, asked: Who) -> Answer:
        """Remove a user or role, and revoke what it was given."""
        return {"identity": _identity(await self._identities.delete(await self._key(asked)))}

    async def policies(self, asked: Who) -> Answer:
        """The policies of a user or role, with their texts."""
        rows = await self._identities.policies(await self._key(asked))
        return {"policies": [{"name": row.name, "document": row.document, "attached_at": row.attached_at} for row in rows]}

    async def attach(self, asked: AttachPolicy) -> Answer:
        """Attach a policy."""
        key = await self._key(asked)
        await self._identities.get(key)
        if (asked.document is None) == (asked.managed is None):
            raise UsageError("cannot attach without a policy: its document, or the name of one of AWS's own")
        if asked.document is not None:
            policy = await self._identities.attach(key, asked.policy, asked.document)
        else:
            policy = await self._identities.attach_managed(key, asked.managed or "")
        return {"identity": arn_of(key), "policy": policy.name}

    async def detach(self, asked: DetachPolicy) -> Answer:
        """Take a policy away."""
        key = await self._key(asked)
        return {"identity": arn_of(key), "policy": asked.policy, "was_attached": await self._identities.detach(key, asked.policy)}

    async def keys(self, asked: Who) -> Answer:
        """The access keys of a user or role, without their secrets."""
        return {"keys": [_key(row) for row in await self._identities.keys(await self._key(asked))]}

    async def create_key(self, asked: CreateKey) -> Answer:
        """Make an access key: the one answer that tells its secret."""
        key = await self._key(asked)
        if asked.session is not None:
            return {"access_key": _new_key(await self._identities.create_session(key, asked.session, asked.seconds))}
        if key.kind is IdentityKind.ROLE:
            raise UsageError("cannot give a role a lasting access key: it has sessions", hint="Name one: --session NAME")
        return {"access_key": _new_key(await self._identities.create_key(key))}

    async def delete_key(self, asked: OneKey) -> Answer:
        """Remove an access key, and revoke what it was used for."""
        return {"id": asked.id, "was_there": await self._identities.delete_key(asked.id)}

    async def switch_key(self, asked: SwitchKey) -> Answer:
        """Switch an access key on or off."""
        if not await self._identities.set_key_active(asked.id, asked.active):
            raise UsageError(f"cannot find the access key {asked.id[:130]}")
        return {"id": asked.id, "active": asked.active}

    async def simulate(self, asked: Simulate) -> Answer:
        """Decide without doing, and tell why, statement by statement."""
        if not 0 < len(asked.actions) <= SIMULATED_MAX or not 0 < len(asked.resources) <= SIMULATED_MAX:
            raise UsageError(f"cannot simulate that: 1 to {SIMULATED_MAX} actions and resources")
        if any(len(text) > TEXT_MAX for text in (*asked.actions, *asked.resources, *asked.context, *asked.context.values())):
            raise UsageError(f"cannot simulate that: a text has more than {TEXT_MAX} characters")
        principal = await self._identities.principal_named(await self._key(asked))
        if asked.session:
            principal = replace(principal, session=asked.session)
        decisions: list[object] = []
        for resource in asked.resources:
            target, tags = await self._target(resource)
            around = Surroundings(now=self._now(), resource_tags=tags, more=dict(asked.context))
            for action in asked.actions:
                bearer = bearer_surroundings(around, PASSWORD_SECONDS)
                decisions.append(explained(*ask(principal, action, target, bearer if action == BEARER_TOKEN else around)))
                if action == GET_TOKEN and BEARER_TOKEN not in asked.actions:
                    decisions.append(explained(*ask(principal, BEARER_TOKEN, Target(), bearer)))
        return {"principal": principal.arn, "policies": [policy.name for policy in principal.policies], "decisions": decisions}

    async def revoke(self, asked: Revoke) -> Answer:
        """Let what was given out until now count no more."""
        if len(asked.reason) > TEXT_MAX or not asked.reason.isprintable():
            raise UsageError(f"cannot take the reason: one line of at most {TEXT_MAX} characters")
        subject = asked.subject
        if asked.who is not None:
            if asked.kind is not RevokedKind.IDENTITY or subject:
                raise UsageError("cannot tell what to revoke: a name goes with the kind identity, and with no other subject")
            subject = (await self._identities.get(await self._key(asked.who))).unique_id
        row = await self._identities.revoke(asked.kind, subject, asked.reason)
        return {"revoked": {"kind": row.kind, "subject": row.subject, "revoked_at": row.revoked_at, "until": row.until}}

    async def rotate(self, asked: Rotate) -> Answer:
        """Replace the key that signs passwords and tokens."""
        number = await (self._keeper.discard_older() if asked.discard else self._keeper.rotate())
        return {"signing_key": number, "discarded": asked.discard}

    async def _key(self, asked: Who) -> IdentityKey:
        return await self._identities.key_of(asked.kind, asked.name, asked.account)

    async def _account(self, account: str) -> dict[str, object]:
        found = await self._store.accounts.get(account)
        aliases = await self._store.accounts.aliases(account)
        rows = [{"name": alias.name, "primary": alias.primary, "default": alias.default} for alias in aliases]
        return {"account": account, "verified": bool(found and found.verified), "aliases": rows}

    async def _target(self, resource: str) -> tuple[Target, dict[str, str]]:
        """What is meant by an ARN, with the policy and tags of a repository that there is."""
        named = read_repository_arn(resource)
        if named is None:
            return Target(resource), {}
        for alias in await self._store.accounts.aliases(named.account):
            key = RepositoryKey(alias.name, named.name)
            found = await self._store.registrations.get(key)
            if found is not None and found.account == named.account:
                policy = None
                if found.policy is not None:
                    policy = policy_of(parse(found.policy.encode(), "repository policy")[0], Kind.RESOURCE, "repository policy")
                return Target(resource, named.account, policy), await self._store.registrations.tags(key)
        return Target(resource, named.account), {}


def _handler(kind: type[Any], action: Callable[[Any], Awaitable[Answer]]) -> Handler:
    async def answer(asked: Asked) -> Answer:
        return await action(await asked.read(kind))

    return answer


def _identity(row: StoredIdentity) -> dict[str, object]:
    return {
        "kind": row.key.kind.value,
        "name": row.key.name,
        "account": row.key.account,
        "arn": arn_of(row.key),
        "unique_id": row.unique_id,
        "created_at": row.created_at,
    }


def _key(row: StoredAccessKey) -> dict[str, object]:
    return {"id": row.id, "active": row.active, "created_at": row.created_at, "session": row.session, "expires_at": row.expires_at}


def _new_key(key: NewKey) -> dict[str, object]:
    return {
        "id": key.id,
        "secret": key.secret,
        "session_token": key.session_token,
        "session": key.session,
        "expires_at": key.expires_at,
        "identity": arn_of(key.identity),
    }

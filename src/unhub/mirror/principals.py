"""Who asks, as policies see it, and what the surroundings of a request are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from unhub.aws.arns import role_arn, session_arn, user_arn
from unhub.aws.policy_context import Context
from unhub.aws.policy_document import Policy
from unhub.aws.policy_principals import Caller
from unhub.store.records_identity import IdentityKey, IdentityKind


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, or a session of a role, with the policies that are attached to it."""

    identity: IdentityKey
    unique_id: str
    policies: tuple[Policy, ...] = field(repr=False)
    session: str = ""
    access_key: str = ""

    @property
    def account(self) -> str:
        """The account it belongs to."""
        return self.identity.account

    @property
    def identity_arn(self) -> str:
        """The ARN of the user or role itself."""
        make = user_arn if self.identity.kind is IdentityKind.USER else role_arn
        return make(self.account, self.identity.name)

    @property
    def arn(self) -> str:
        """The ARN by which AWS speaks of it: of a role's session, the session's."""
        return session_arn(self.account, self.identity.name, self.session) if self._assumed else self.identity_arn

    @property
    def user_id(self) -> str:
        """What ``GetCallerIdentity`` calls ``UserId``."""
        return f"{self.unique_id}:{self.session}" if self._assumed else self.unique_id

    @property
    def _assumed(self) -> bool:
        """Whether it is a session of a role; a user stays one in a session, too."""
        return bool(self.session) and self.identity.kind is IdentityKind.ROLE

    @property
    def caller(self) -> Caller:
        """Every name that a resource policy may use for it."""
        return Caller(tuple(dict.fromkeys((self.arn, self.identity_arn))), self.account)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of a request beside who asks for what. ``now`` is seconds since 1970; tags are by their keys.

    ``more`` are further context keys, for simulations; they beat what is known.
    """

    now: float
    address: str = ""
    secure: bool = True
    region: str = "us-east-1"
    user_agent: str = ""
    resource_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    request_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    more: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict[str, "str | tuple[str, ...]"])


def context_of(principal: Principal | None, around: Surroundings) -> Context:
    """The context keys of a request (IAM user guide, global condition context keys); what is not there is missing from it."""
    moment = datetime.fromtimestamp(around.now, UTC)
    values: dict[str, str | tuple[str, ...]] = {
        "aws:CurrentTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": str(int(around.now)),
        "aws:SecureTransport": "true" if around.secure else "false",
        "aws:RequestedRegion": around.region,
        "aws:ViaAWSService": "false",
        "aws:PrincipalIsAWSService": "false",
    }
    if around.address:
        values["aws:SourceIp"] = around.address
    if around.user_agent:
        values["aws:UserAgent"] = around.user_agent
    for key, value in around.resource_tags.items():
        values[f"aws:ResourceTag/{key}"] = values[f"ecr-public:ResourceTag/{key}"] = value
    for key, value in around.request_tags.items():
        values[f"aws:RequestTag/{key}"] = value
    if around.request_tags:
        values["aws:TagKeys"] = tuple(around.request_tags)
    return Context.of({**values, **(_about(principal) if principal else {}), **around.more})


def _about(principal: Principal) -> dict[str, str]:
    user = principal.identity.kind is IdentityKind.USER
    return {
        "aws:PrincipalArn": principal.identity_arn,
        "aws:PrincipalAccount": principal.account,
        "aws:PrincipalType": "User" if user else "AssumedRole",
        "aws:userid": principal.user_id,
        **({"aws:username": principal.identity.name} if user else {}),
    }

"""What is known about IAM and ECR Public (``iam.toml``): actions, uses, AWS's policies, identity providers."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

from unhub.data.facts import Dated


class Actions(Dated, frozen=True, kw_only=True):
    """Actions of one service with one access level and one kind of resource (``*``: they have none)."""

    service: str
    level: str
    resource: str
    names: tuple[str, ...]


class Use(Dated, frozen=True, kw_only=True):
    """What somebody wants to do, and the actions that this needs."""

    name: str
    says: str
    actions: tuple[str, ...]


class Managed(Dated, frozen=True, kw_only=True):
    """A policy of AWS's own that allows these actions on everything."""

    name: str
    actions: tuple[str, ...]


class PrivatePolicy(Dated, frozen=True, kw_only=True):
    """Policies of AWS's own for private ECR, whose names are taken for those of ECR Public."""

    names: tuple[str, ...]
    says: str


class ContextFact(Dated, frozen=True, kw_only=True):
    """The value of a context key in a request to ECR Public, and why."""

    key: str
    value: str
    says: str


class Provider(Dated, frozen=True, kw_only=True):
    """An identity provider for pipelines: its host, its audience, and what its subjects look like.

    ``environment`` is ``None`` where subjects do not name environments.
    """

    name: str
    title: str
    host: str
    audience: str
    subject: str
    branch: str
    environment: str | None = None
    note: str


class IamKnowledge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything in ``iam.toml``, by kind."""

    actions: tuple[Actions, ...]
    uses: tuple[Use, ...]
    managed: tuple[Managed, ...]
    private_policy: tuple[PrivatePolicy, ...]
    assumed: tuple[ContextFact, ...]
    doubted: tuple[ContextFact, ...]
    provider: tuple[Provider, ...]


@cache
def iam_knowledge() -> IamKnowledge:
    """What this version knows."""
    return msgspec.toml.decode((files("unhub.data") / "iam.toml").read_bytes(), type=IamKnowledge)


@cache
def resource_of(action: str) -> str | None:
    """The kind of resource of an action (``repository``, ``registry``, ``*``); ``None`` for one that is not known."""
    rows = {f"{row.service}:{name}".lower(): row.resource for row in iam_knowledge().actions for name in row.names}
    return rows.get(action.lower())

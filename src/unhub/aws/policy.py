"""Decides what IAM policies allow: pure, exact, and able to say why.

Order of decision (codebuild-and-iam.md, 5.5): a Deny that matches anywhere wins; every limit (service control
policy, permissions boundary, session policy) must allow; then an Allow of an identity or of a resource policy
is enough within one account, and both are needed across accounts; else nothing allows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from unhub.aws.policy_conditions import Condition, holds
from unhub.aws.policy_context import Context
from unhub.aws.policy_document import Effect, Policy, Statement
from unhub.aws.policy_match import matches_action, matches_resource
from unhub.aws.policy_principals import Caller, Meant, is_meant
from unhub.aws.truth import Truth, all_of, any_of, negated


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: an action on a resource (an ARN, or ``*`` where the action has none), by whom."""

    action: str
    resource: str
    context: Context = field(default=Context())
    caller: Caller | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """Policies that grant nothing, and beyond which nothing is granted; ``title`` names them for people."""

    title: str
    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class Policies:
    """Every policy that has a say: of the caller, of the resource, and the limits."""

    identity: tuple[Policy, ...] = ()
    resource: tuple[Policy, ...] = ()
    limits: tuple[Limit, ...] = ()


IDENTITY_POLICIES = "identity policies"
RESOURCE_POLICY = "resource policy"
"""What :attr:`Decision.lacking` calls the two sides; a limit has its own title there."""


class Outcome(StrEnum):
    """How a request ends."""

    ALLOW = "allowed"
    EXPLICIT_DENY = "explicitly denied"
    IMPLICIT_DENY = "not allowed"
    DEPENDS = "depends"
    """On context keys that are not known; never where the context is complete."""


class Side(StrEnum):
    """Where a statement stands."""

    IDENTITY = "identity"
    RESOURCE = "resource"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Trace:
    """What came of one statement, part by part.

    ``delegated``: it is about the caller only by way of the caller's account. ``limit`` is the place of its
    limit in :attr:`Policies.limits`, from 0.
    """

    policy: Policy
    statement: Statement
    side: Side
    action: bool
    resource: Truth
    principal: bool = True
    conditions: tuple[tuple[Condition, Truth], ...] = ()
    delegated: bool = False
    limit: int = 0

    @property
    def applies(self) -> Truth:
        """Whether the statement is about this request."""
        return all_of((self.action, self.principal, self.resource, *(truth for _, truth in self.conditions)))


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, the statements that decided it, and what came of every other one.

    Nothing decides a request that no statement allows; ``lacking`` then says where an Allow is missing.
    """

    outcome: Outcome
    deciding: tuple[Trace, ...] = ()
    trace: tuple[Trace, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the request is allowed for certain."""
        return self.outcome is Outcome.ALLOW


def evaluate(request: Request, policies: Policies, *, cross_account: bool = False) -> Decision:
    """Decide one request. ``cross_account``: the resource belongs to another account than the caller."""
    trace = tuple(_trace(request, policies))
    denying = _those(trace, Effect.DENY)
    denied = any_of(one.applies for one in denying)
    if denied:
        return Decision(Outcome.EXPLICIT_DENY, _applying(denying, True), trace)
    lacking = _lacking(trace, policies, cross_account=cross_account)
    allowed = all_of(truth for _, truth in lacking)
    if allowed is False:
        return Decision(Outcome.IMPLICIT_DENY, (), trace, tuple(title for title, truth in lacking if truth is False))
    allowing = tuple(one for one in _those(trace, Effect.ALLOW) if cross_account or not one.delegated)
    if allowed is None or denied is None:
        return Decision(Outcome.DEPENDS, _applying((*denying, *allowing), None), trace)
    return Decision(Outcome.ALLOW, _applying(allowing, True), trace)


def _those(trace: Iterable[Trace], effect: Effect) -> tuple[Trace, ...]:
    return tuple(one for one in trace if one.statement.effect is effect)


def _applying(trace: Iterable[Trace], truth: Truth) -> tuple[Trace, ...]:
    return tuple(one for one in trace if one.applies is truth)


def _lacking(trace: Sequence[Trace], policies: Policies, *, cross_account: bool) -> list[tuple[str, Truth]]:
    """For each side that must allow, its name and whether it does."""
    allowing = _those(trace, Effect.ALLOW)
    sides = [
        (limit.title, any_of(one.applies for one in allowing if one.side is Side.LIMIT and one.limit == place))
        for place, limit in enumerate(policies.limits)
    ]
    identity = any_of(one.applies for one in allowing if one.side is Side.IDENTITY)
    resource = any_of(one.applies for one in allowing if one.side is Side.RESOURCE and (cross_account or not one.delegated))
    if cross_account:
        return [*sides, (IDENTITY_POLICIES, identity), (RESOURCE_POLICY, resource)]
    return [*sides, (IDENTITY_POLICIES, any_of((identity, resource)))]


def _trace(request: Request, policies: Policies) -> Iterator[Trace]:
    for policy in policies.identity:
        yield from _statements(request, policy, Side.IDENTITY)
    for policy in policies.resource:
        yield from _statements(request, policy, Side.RESOURCE)
    for place, limit in enumerate(policies.limits):
        for policy in limit.policies:
            yield from _statements(request, policy, Side.LIMIT, place)


def _statements(request: Request, policy: Policy, side: Side, limit: int = 0) -> Iterator[Trace]:
    for statement in policy.statements:
        meant = Meant(True) if statement.principal is None else is_meant(statement.principal, request.caller)
        yield Trace(
            policy=policy,
            statement=statement,
            side=side,
            action=any(matches_action(pattern, request.action) for pattern in statement.action.values) != statement.action.excluded,
            resource=_resource(statement, request, variables=policy.variables),
            principal=meant.meant,
            conditions=tuple((one, holds(one, request.context, variables=policy.variables)) for one in statement.conditions),
            delegated=meant.delegated,
            limit=limit,
        )


def _resource(statement: Statement, request: Request, *, variables: bool) -> Truth:
    """Whether the resource is meant; a resource policy that names none is about what it is attached to."""
    if statement.resource is None:
        return True
    named = any_of(
        matches_resource(pattern, request.resource, request.context, variables=variables) for pattern in statement.resource.values
    )
    return negated(named) if statement.resource.excluded else named

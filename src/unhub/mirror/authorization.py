"""Whether somebody may do something: identity policies and the repository's policy together, in AWS's words where not.

Within an account an Allow of either side is enough, across accounts both must allow; a Deny of either wins (ecr-public.md,
3.6; codebuild-and-iam.md, 5.5). Nobody has a right by default but to pull, which is no matter of policies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from unhub.aws.least import Need
from unhub.aws.policy import RESOURCE_POLICY, Decision, Outcome, Policies, Request, Side, Trace, evaluate
from unhub.aws.policy_document import Policy
from unhub.aws.policy_explain import fix, reasons
from unhub.data.iam import iam_knowledge
from unhub.data.signing import denials
from unhub.image.errors import ApiRefused
from unhub.mirror.principals import Principal, Surroundings, context_of

GET_TOKEN: Final = "ecr-public:GetAuthorizationToken"  # noqa: S105 -- an action
BEARER_TOKEN: Final = "sts:GetServiceBearerToken"  # noqa: S105 -- an action


@dataclass(frozen=True, slots=True)
class Target:
    """What something is done to: its ARN (``*`` for actions without a resource), whose it is, and its own policy."""

    arn: str = "*"
    account: str | None = None
    policy: Policy | None = field(default=None, repr=False)


def ask(principal: Principal, action: str, target: Target, around: Surroundings) -> tuple[Request, Decision]:
    """The question as policies are asked it, and their answer."""
    request = Request(action, target.arn, context_of(principal, around), principal.caller)
    policies = Policies(identity=principal.policies, resource=(target.policy,) if target.policy else ())
    foreign = target.account is not None and target.account != principal.account
    return request, evaluate(request, policies, cross_account=foreign)


class Authority:
    """Lets do what is allowed, and says no in the words of the dated facts; ``own`` is a user's data file."""

    def __init__(self, own: Path | None = None) -> None:
        self._denials = denials(own)

    def require(self, principal: Principal, action: str, target: Target, around: Surroundings) -> None:
        """Raise :class:`ApiRefused` (``AccessDeniedException``, naming action and resource) unless it is allowed."""
        request, decision = ask(principal, action, target, around)
        if not decision.allowed:
            raise self._denied(principal, request, decision)

    def require_login(self, principal: Principal, around: Surroundings, seconds: int) -> None:
        """Raise :class:`ApiRefused` unless a password for so many ``seconds`` may be given: two permissions are needed for it."""
        self.require(principal, GET_TOKEN, Target(), around)
        self.require(principal, BEARER_TOKEN, Target(), bearer_surroundings(around, seconds))

    def _denied(self, principal: Principal, request: Request, decision: Decision) -> ApiRefused:
        row = self._denials[_kind_of_denial(decision)]
        text = row.message
        for name, value in (("{arn}", principal.arn), ("{action}", request.action), ("{resource}", request.resource)):
            text = text.replace(name, value)
        return ApiRefused(text, aws_code="AccessDeniedException", status=row.status)


def require(principal: Principal, action: str, target: Target, around: Surroundings) -> None:
    """What :class:`Authority` does, in the shipped words."""
    _shipped().require(principal, action, target, around)


def require_login(principal: Principal, around: Surroundings, seconds: int) -> None:
    """What :class:`Authority` does, in the shipped words."""
    _shipped().require_login(principal, around, seconds)


@cache
def _shipped() -> Authority:
    return Authority()


def bearer_surroundings(around: Surroundings, seconds: int) -> Surroundings:
    """The surroundings of ``sts:GetServiceBearerToken``, with its own context keys.

    Whether ``sts:AWSServiceName`` matches at ECR Public is not settled (iam.toml, ``doubted``): it is there as policies in the
    wild expect it.
    """
    doubted = {row.key: row.value for row in iam_knowledge().doubted}
    more = {**doubted, "sts:DurationSeconds": str(seconds), **around.more}
    return Surroundings(
        now=around.now, address=around.address, secure=around.secure, region=around.region, user_agent=around.user_agent, more=more
    )


def _kind_of_denial(decision: Decision) -> str:
    """Which of the dated denials it is."""
    if decision.outcome is Outcome.EXPLICIT_DENY:
        return "explicit-identity" if any(trace.side is Side.IDENTITY for trace in decision.deciding) else "explicit-resource"
    return "implicit-resource" if decision.lacking == (RESOURCE_POLICY,) else "implicit-identity"


def explained(request: Request, decision: Decision) -> dict[str, Any]:
    """A decision as JSON has it, statement by statement."""
    return {
        "action": request.action,
        "resource": request.resource,
        "outcome": decision.outcome.value,
        "allowed": decision.allowed,
        "reasons": reasons(decision, request),
        "fix": fix(decision, Need(request.action, request.resource)),
        "lacking": list(decision.lacking),
        "statements": [_statement(trace, decision) for trace in decision.trace],
    }


def _statement(trace: Trace, decision: Decision) -> dict[str, Any]:
    """One statement, part by part; ``null`` is what cannot be known."""
    return {
        "policy": trace.policy.name,
        "side": trace.side.value,
        "number": trace.statement.number,
        "sid": trace.statement.sid,
        "effect": trace.statement.effect.value,
        "action": trace.action,
        "resource": trace.resource,
        "principal": trace.principal,
        "conditions": [{"condition": str(condition), "holds": truth} for condition, truth in trace.conditions],
        "applies": trace.applies,
        "decides": any(trace is other for other in decision.deciding),
    }

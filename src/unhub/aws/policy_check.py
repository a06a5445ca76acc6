"""Checks given policies against what a use of ECR Public needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from unhub.aws.least import Need
from unhub.aws.policy import IDENTITY_POLICIES, Decision, Policies, Request, evaluate
from unhub.aws.policy_context import Context
from unhub.aws.policy_document import Policy
from unhub.aws.policy_explain import fix, reasons
from unhub.aws.policy_lint import Mistake, lint
from unhub.aws.policy_sources import Given
from unhub.data.iam import iam_knowledge

_ACCOUNT = re.compile(r"arn:aws:ecr-public:[^:]*:([0-9]{12}):")


@dataclass(frozen=True, slots=True)
class Result:
    """One need, how it is decided, why, and what would mend it."""

    need: Need
    decision: Decision
    reasons: tuple[str, ...]
    fix: str | None


@dataclass(frozen=True, slots=True)
class Assumption:
    """A value of a context key that some condition looked at; ``says`` is why it was taken."""

    key: str
    value: str
    says: str


@dataclass(frozen=True, slots=True)
class Check:
    """What came of it: every need, what was assumed, and mistakes that the policies have besides."""

    results: tuple[Result, ...]
    assumptions: tuple[Assumption, ...]
    mistakes: tuple[Mistake, ...]

    @property
    def allowed(self) -> bool:
        """Whether everything that is needed is allowed for certain."""
        return all(result.decision.allowed for result in self.results)

    @property
    def missing(self) -> list[Need]:
        """What a statement more in the identity policies would bring."""
        return [result.need for result in self.results if IDENTITY_POLICIES in result.decision.lacking]

    @property
    def unseen(self) -> bool:
        """Whether a policy has a say that was not given, so that the outcome is not the whole truth."""
        return any(mistake.code == "not-seen" for mistake in self.mistakes)


def check(given: Given, needs: Sequence[Need], told: Mapping[str, Sequence[str]], account: str | None = None) -> Check:
    """Decide every need. ``told`` are context keys with the values that the user says they have."""
    assumed = _assumed(given, told, account)
    context = Context.of({one.key: one.value for one in assumed} | {key: tuple(values) for key, values in told.items()}, complete=False)
    policies = Policies(identity=tuple(given.identity), limits=tuple(given.limits))
    results = [_result(Request(need.action, need.resource, context), need, policies) for need in needs]
    asked = _keys_asked(results)
    said = [Assumption(key, ", ".join(values), "as --context says") for key, values in told.items()]
    used = tuple(one for one in (*said, *assumed) if one.key.lower() in asked)
    return Check(tuple(results), used, (*given.mistakes, *lint(given.identity)))


def _result(request: Request, need: Need, policies: Policies) -> Result:
    decision = evaluate(request, policies)
    return Result(need, decision, tuple(reasons(decision, request)), fix(decision, need))


def _assumed(given: Given, told: Mapping[str, Sequence[str]], account: str | None) -> list[Assumption]:
    found = [Assumption(fact.key, fact.value, fact.says) for fact in iam_knowledge().assumed]
    if account:
        found += [Assumption(key, account, "the account") for key in ("aws:PrincipalAccount", "aws:ResourceAccount")]
    if given.arn:
        found.append(Assumption("aws:PrincipalArn", given.arn, "the account's details say so"))
    if given.subject and given.subject.kind == "user":
        found.append(Assumption("aws:username", given.subject.name, "the account's details say so"))
    names = {key.lower() for key in told}
    return [one for one in found if one.key.lower() not in names]


def _keys_asked(results: Iterable[Result]) -> set[str]:
    """The keys on which some statement about a need has a condition."""
    traces = (trace for result in results for trace in result.decision.trace if trace.action)
    return {condition.key.lower() for trace in traces for condition, _ in trace.conditions}


def accounts_named(policies: Sequence[Policy]) -> list[str]:
    """The accounts of the repositories that policies name, each once."""
    found = {
        match[1]
        for policy in policies
        for statement in policy.statements
        for pattern in (statement.resource.values if statement.resource else ())
        if (match := _ACCOUNT.match(pattern))
    }
    return sorted(found)

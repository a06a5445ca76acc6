"""Mistakes that policies for ECR Public are known to have, each with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from unhub.aws.json_places import Place
from unhub.aws.policy_document import VERSION, Effect, Policy, Statement
from unhub.aws.policy_match import matches_action
from unhub.data.iam import iam_knowledge, resource_of

TOKEN = "ecr-public:GetAuthorizationToken"  # noqa: S105 (the name of an action)
BEARER = "sts:GetServiceBearerToken"


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something to mend. ``code`` is a stable word, ``policy`` the policy's name where it is known."""

    code: str
    place: Place
    says: str
    fix: str
    policy: str = ""


def lint(policies: Sequence[Policy]) -> list[Mistake]:
    """The mistakes of identity policies that count together, in their order."""
    found = [mistake for policy in policies for statement in policy.statements for rule in _RULES for mistake in rule(policy, statement)]
    return [*found, *_private_actions(policies), *_no_bearer_token(policies)]


def _mistake(code: str, policy: Policy, statement: Statement, says: str, fix: str) -> Mistake:
    return Mistake(code, statement.place, f"{statement}: {says}", fix, policy.name)


def _actions(statement: Statement) -> tuple[str, ...]:
    return () if statement.action.excluded else statement.action.values


def _resources(statement: Statement) -> tuple[str, ...]:
    return statement.resource.values if statement.resource else ()


def _scoped_token(policy: Policy, statement: Statement) -> Iterator[Mistake]:
    """The common mistake: an action without resources, allowed on a repository."""
    if statement.effect is not Effect.ALLOW or "*" in _resources(statement) or (statement.resource and statement.resource.excluded):
        return
    for action in (TOKEN, BEARER):
        service = action.partition(":")[0]
        if any(matches_action(pattern, action) for pattern in _actions(statement) if pattern.lower() not in ("*", f"{service}:*")):
            says = f"{action} is allowed on {', '.join(_resources(statement))}, but it has no resource, and is allowed on * only"
            yield _mistake("scoped-token", policy, statement, says, f'Move {action} into a statement of its own with "Resource": "*"')


def _doubted_condition(policy: Policy, statement: Statement) -> Iterator[Mistake]:
    for condition in statement.conditions:
        for fact in iam_knowledge().doubted:
            if condition.key.lower() == fact.key.lower():
                fix = f"Leave the condition out; --context {fact.key}={fact.value} checks as if it matched"
                yield _mistake("doubted-condition", policy, statement, f"{condition}: {fact.says} {fact.cite()}", fix)


def _wrong_arn(policy: Policy, statement: Statement) -> Iterator[Mistake]:
    for resource in _resources(statement):
        parts = resource.split(":", 5)
        if len(parts) == 6 and parts[2] == "ecr-public":
            wrong = _wrong_part(parts)
            if wrong:
                yield _mistake(
                    "wrong-arn", policy, statement, f"{resource}: {wrong}", "It reads arn:aws:ecr-public::ACCOUNT:repository/NAME"
                )
        elif len(parts) == 6 and parts[2] == "ecr" and any(name.lower().startswith("ecr-public:") for name in _actions(statement)):
            says = f"{resource} is a repository of private ECR, and actions of ECR Public never meet it"
            yield _mistake("wrong-arn", policy, statement, says, "It reads arn:aws:ecr-public::ACCOUNT:repository/NAME")


def _wrong_part(parts: Sequence[str]) -> str | None:
    _, partition, _, region, account, name = parts
    if partition != "aws":
        return f"ECR Public is in the partition aws only, not in {partition}"
    if region not in ("", "*"):
        return f"ARNs of ECR Public have no region, here {region}"
    if not account:
        return "it has no account (three colons, a misprint of AWS's guide of 2021)"
    if name.startswith("repository/public.ecr.aws"):
        return "the name of the repository goes without the registry and its alias"
    if name != "*" and not name.startswith(("repository/", "registry/", "*")):
        return f"{name.partition('/')[0]} is neither repository/… nor registry/…"
    return None


def _excluded_actions(policy: Policy, statement: Statement) -> Iterator[Mistake]:
    if statement.effect is Effect.ALLOW and statement.action.excluded:
        says = f"Allow with NotAction allows every action of AWS but {', '.join(statement.action.values)}"
        yield _mistake("allow-not-action", policy, statement, says, "Name the actions that are allowed")


def _too_wide(policy: Policy, statement: Statement) -> Iterator[Mistake]:
    if statement.effect is not Effect.ALLOW or "*" not in _resources(statement) or statement.conditions:
        return
    for pattern in _actions(statement):
        if pattern == "*":
            yield _mistake("too-wide", policy, statement, "it allows everything", "`unhub iam-policy` prints what is needed")
        elif pattern.lower() == "ecr-public:*":
            says = "ecr-public:* on * also allows to delete images and to open repositories to others"
            yield _mistake("too-wide", policy, statement, says, "`unhub iam-policy --push --repository NAME` prints what is needed")


def _unknown_action(policy: Policy, statement: Statement) -> Iterator[Mistake]:
    known = _known_actions()
    for pattern in statement.action.values:
        service, _, name = pattern.partition(":")
        elsewhere = [action for action in known if action.partition(":")[2].lower() == name.lower() and resource_of(pattern) is None]
        if elsewhere and service.lower() in ("sts", "ecr-public"):
            says = f"there is no action {pattern}: {name} belongs to {elsewhere[0].partition(':')[0]}"
            yield _mistake("unknown-action", policy, statement, says, f"Write {elsewhere[0]}")
        elif service.lower() == "ecr-public" and not any(matches_action(pattern, action) for action in known):
            near = get_close_matches(name, [action.partition(":")[2] for action in known], n=1)
            fix = f"Write ecr-public:{near[0]}" if near else "`unhub iam-policy` prints the actions that are needed"
            yield _mistake("unknown-action", policy, statement, f"no action of ECR Public is called {pattern}", fix)


def _dead_variable(policy: Policy, statement: Statement) -> Iterator[Mistake]:
    texts = [*_resources(statement), *(value for condition in statement.conditions for value in condition.values)]
    for text in texts:
        if "${" in text and not policy.variables:
            says = f"{text} is taken as it is: version {policy.version} knows no variables"
            yield _mistake("dead-variable", policy, statement, says, f'Begin the document with "Version": "{VERSION}"')


_RULES: tuple[Callable[[Policy, Statement], Iterable[Mistake]], ...] = (
    _scoped_token,
    _doubted_condition,
    _wrong_arn,
    _excluded_actions,
    _too_wide,
    _unknown_action,
    _dead_variable,
)


def _known_actions() -> list[str]:
    return [f"{row.service}:{name}" for row in iam_knowledge().actions for name in row.names]


def _allowing(policies: Sequence[Policy]) -> Iterator[tuple[Policy, Statement]]:
    return ((policy, statement) for policy in policies for statement in policy.statements if statement.effect is Effect.ALLOW)


def _names(policies: Sequence[Policy], action: str) -> tuple[Policy, Statement] | None:
    """The first Allow that means an action, on whatever resource."""
    for policy, statement in _allowing(policies):
        if any(matches_action(pattern, action) for pattern in statement.action.values) != statement.action.excluded:
            return policy, statement
    return None


def _private_actions(policies: Sequence[Policy]) -> Iterator[Mistake]:
    """Actions of private ECR where those of ECR Public are not there: many policies have both, and rightly so."""
    for policy, statement in _allowing(policies):
        for pattern in _actions(statement):
            service, _, name = pattern.partition(":")
            public = f"ecr-public:{name}"
            meant = [action for action in _known_actions() if matches_action(public, action)]
            if service.lower() == "ecr" and meant and not any(_names(policies, action) for action in meant):
                says = f"{pattern} is about private ECR, and allows nothing at ECR Public"
                yield _mistake("private-action", policy, statement, says, f"For public.ecr.aws write {public}")


def _no_bearer_token(policies: Sequence[Policy]) -> Iterator[Mistake]:
    login = _names(policies, TOKEN)
    if login and not _names(policies, BEARER):
        says = f"{TOKEN} is allowed without {BEARER}: the login needs both"
        yield _mistake("no-bearer-token", *login, says, f'Add {BEARER} on "Resource": "*"')

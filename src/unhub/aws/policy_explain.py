"""A decision in words: which statement decides, why the others do not, and what would mend it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from unhub.aws.least import Need, has_no_resource, statements_for
from unhub.aws.policy import IDENTITY_POLICIES, RESOURCE_POLICY, Decision, Outcome, Request, Side, Trace
from unhub.aws.policy_conditions import Condition
from unhub.aws.policy_document import Effect
from unhub.aws.policy_match import matches_action
from unhub.aws.truth import Truth


def named(trace: Trace) -> str:
    """A statement with its policy and its place: ``statement 2 "Login" of ci-policy (policy.json:9:5)``."""
    of = f" of {trace.policy.name}" if trace.policy.name else ""
    place = str(trace.statement.place)
    return f"{trace.statement}{of}{f' ({place})' if place else ''}"


def reasons(decision: Decision, request: Request) -> list[str]:
    """Why a request ends as it does: the deciding statements, or for each near miss what stands in its way."""
    match decision.outcome:
        case Outcome.ALLOW:
            return [named(trace) for trace in decision.deciding]
        case Outcome.EXPLICIT_DENY:
            return [f"{named(trace)} denies it{_how(trace)}; a Deny beats every Allow" for trace in decision.deciding]
        case Outcome.DEPENDS:
            return [f"{named(trace)} {_verb(trace)} it only if {_open(trace)}" for trace in decision.deciding]
        case _:
            return [*_misses(decision, request)] or ["no statement allows it"]


def _how(trace: Trace) -> str:
    """By what a statement catches the action, where that is not plain to see."""
    means = [f"since {condition}" for condition, truth in trace.conditions if truth]
    if trace.statement.action.excluded:
        means.insert(0, f"by NotAction, being none of {', '.join(trace.statement.action.values)}")
    return f" ({', '.join(means)})" if means else ""


def _verb(trace: Trace) -> str:
    return "denies" if trace.statement.effect is Effect.DENY else "allows"


def _open(trace: Trace) -> str:
    found = [str(condition) for condition, truth in trace.conditions if truth is None]
    return " and ".join(found) or "its resource is the one that is meant"


def _misses(decision: Decision, request: Request) -> Iterator[str]:
    for title in decision.lacking:
        if title not in (IDENTITY_POLICIES, RESOURCE_POLICY):
            yield f"the {title} does not allow it"
    for trace in decision.trace:
        if trace.side is not Side.LIMIT and trace.statement.effect is Effect.ALLOW and trace.applies is False:
            yield from _miss(trace, request)


def _miss(trace: Trace, request: Request) -> Iterator[str]:
    if not trace.action:
        if trace.statement.action.excluded:
            yield f"{named(trace)} leaves it out by NotAction {', '.join(_leaving_out(trace, request.action))}"
    elif not trace.principal:
        yield f"{named(trace)} is about somebody else"
    elif trace.resource is False:
        yield f"{named(trace)} names it, but {_wrong_resource(trace, request)}"
    else:
        failed = [_unmet(condition, truth, request) for condition, truth in trace.conditions if truth is False]
        yield f"{named(trace)} names it, but only if {' and '.join(failed)}"


def _leaving_out(trace: Trace, action: str) -> list[str]:
    return [pattern for pattern in trace.statement.action.values if matches_action(pattern, action)]


def _wrong_resource(trace: Trace, request: Request) -> str:
    resource = trace.statement.resource
    patterns = ", ".join(resource.values) if resource else "nothing"
    if resource and resource.excluded:
        return f"leaves {request.resource} out by NotResource {patterns}"
    if has_no_resource(request.action):
        return f"on {patterns}: the action has no resource, and is allowed on * only"
    return f"only on {patterns}"


def _unmet(condition: Condition, truth: Truth, request: Request) -> str:
    values = request.context.look_up(condition.key)
    return f"{condition} (here it is {', '.join(values) if values else 'missing'})"


def fix(decision: Decision, need: Need) -> str | None:
    """What to do about a need that is not met; ``None`` where it is."""
    match decision.outcome:
        case Outcome.ALLOW:
            return None
        case Outcome.EXPLICIT_DENY:
            places = " and ".join(named(trace) for trace in decision.deciding)
            return f"Leave {need.action} out of {places}, or narrow that statement; adding an Allow does not help"
        case Outcome.DEPENDS:
            keys = sorted({key for trace in decision.deciding for key in _open_keys(trace)})
            return f"Say what the request has: {' '.join(f'--context {key}=VALUE' for key in keys)}" if keys else None
        case _:
            statement = json.dumps(statements_for([need])[0])
            where = " and to the ".join(title for title in decision.lacking if title != IDENTITY_POLICIES)
            return f"Add it to the {where}, too: {statement}" if where else f"Add {statement}"


def _open_keys(trace: Trace) -> list[str]:
    return [condition.key for condition, truth in trace.conditions if truth is None]

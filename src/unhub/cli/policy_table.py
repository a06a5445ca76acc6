"""The outcome of ``iam-policy --check``, for people and as a JSON record."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from unhub.aws.least import statements_for
from unhub.aws.policy import IDENTITY_POLICIES, Outcome, Trace
from unhub.aws.policy_check import Check, Result
from unhub.aws.policy_lint import Mistake
from unhub.aws.policy_sources import Given
from unhub.cli.output import printable, styled, width
from unhub.data.iam import iam_knowledge

_WORDS = {
    Outcome.ALLOW: ("allowed", "green"),
    Outcome.EXPLICIT_DENY: ("denied", "red"),
    Outcome.IMPLICIT_DENY: ("missing", "red"),
    Outcome.DEPENDS: ("depends", "yellow"),
}


def lines(done: Check, use: str, given: Given, *, columns: int | None, colours: bool) -> Iterator[str]:
    """The lines for people, broken at ``columns`` (``None``: not at all)."""
    says = next(row.says for row in iam_knowledge().uses if row.name == use)
    whose = f" for the {given.subject}" if given.subject else ""
    yield styled(printable(f"{use}{whose}: {says}"), "bold", on=colours)
    yield ""
    longest = max(width(result.need.action) for result in done.results)
    for result in done.results:
        yield from _result(result, longest, columns, colours=colours)
    yield from _remedy(done, columns)
    yield from _assumptions(done, columns, colours=colours)
    yield from _mistakes(done, columns, colours=colours)
    yield ""
    yield _summary(done, colours=colours)


def _result(result: Result, longest: int, columns: int | None, *, colours: bool) -> Iterator[str]:
    word, colour = _WORDS[result.decision.outcome]
    action = result.need.action.ljust(longest)
    yield f"  {styled(word.ljust(8), colour, on=colours)} {action}  on {printable(result.need.resource)}"
    for reason in result.reasons:
        yield from _wrapped(reason, " " * 11, columns)
    if result.fix and IDENTITY_POLICIES not in result.decision.lacking:
        yield from _wrapped(f"fix: {result.fix}", " " * 11, columns)


def _wrapped(text: str, indent: str, columns: int | None) -> list[str]:
    text = printable(text)
    if columns is None:
        return [indent + text]
    return textwrap.wrap(
        text, columns, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False, break_long_words=False
    )


def _remedy(done: Check, columns: int | None) -> Iterator[str]:
    """The statements that would allow all that is missing, rather than one for each action."""
    for statement in statements_for(done.missing):
        yield ""
        yield from _wrapped(f"fix: Add {json.dumps(statement)}", "  ", columns)


def _assumptions(done: Check, columns: int | None, *, colours: bool) -> Iterator[str]:
    if not done.assumptions:
        return
    yield ""
    yield styled("assumed of the request; --context KEY=VALUE tells otherwise", "bold", on=colours)
    for one in done.assumptions:
        yield from _wrapped(f"{one.key} = {one.value or '(missing)'}: {one.says}", "  ", columns)


def _mistakes(done: Check, columns: int | None, *, colours: bool) -> Iterator[str]:
    if not done.mistakes:
        return
    yield ""
    yield styled("to look at", "bold", on=colours)
    for mistake in done.mistakes:
        yield from _wrapped(_place(mistake), "  ", columns)
        yield from _wrapped(mistake.says, "    ", columns)
        yield from _wrapped(f"fix: {mistake.fix}", "    ", columns)


def _place(mistake: Mistake) -> str:
    of = f" ({mistake.policy})" if mistake.policy else ""
    return f"{mistake.place}  {mistake.code}{of}"


def _summary(done: Check, *, colours: bool) -> str:
    missing = sum(not result.decision.allowed for result in done.results)
    if not missing:
        as_far = ", as far as the policies were given" if done.unseen else ""
        return styled(f"Everything that is needed is allowed{as_far}.", "yellow" if done.unseen else "green", "bold", on=colours)
    certain = " for certain" if any(result.decision.outcome is Outcome.DEPENDS for result in done.results) else ""
    return styled(f"Not allowed{certain}: {missing} of {len(done.results)} actions.", "red", "bold", on=colours)


def as_record(done: Check, use: str, given: Given) -> dict[str, Any]:
    """The same for programs: one object with ``schema`` 1."""
    return {
        "schema": 1,
        "use": use,
        "subject": str(given.subject) if given.subject else None,
        "allowed": done.allowed,
        "actions": [_result_record(result) for result in done.results],
        "assumed": [{"key": one.key, "value": one.value, "says": one.says} for one in done.assumptions],
        "mistakes": [_mistake_record(mistake) for mistake in done.mistakes],
    }


def _result_record(result: Result) -> dict[str, Any]:
    return {
        "action": result.need.action,
        "resource": result.need.resource,
        "outcome": str(result.decision.outcome),
        "decided_by": [_trace_record(trace) for trace in result.decision.deciding],
        "reasons": list(result.reasons),
        "fix": result.fix,
        "statements": [_trace_record(trace) for trace in result.decision.trace],
    }


def _trace_record(trace: Trace) -> dict[str, Any]:
    place = trace.statement.place
    return {
        "policy": trace.policy.name or None,
        "number": trace.statement.number,
        "sid": trace.statement.sid,
        "effect": str(trace.statement.effect),
        "file": place.path or None,
        "line": place.line or None,
        "column": place.column or None,
        "applies": trace.applies,
        "action": trace.action,
        "resource": trace.resource,
        "conditions": [{"condition": str(condition), "holds": truth} for condition, truth in trace.conditions],
    }


def _mistake_record(mistake: Mistake) -> dict[str, Any]:
    place = mistake.place
    return {
        "code": mistake.code,
        "policy": mistake.policy or None,
        "file": place.path,
        "line": place.line,
        "column": place.column,
        "says": mistake.says,
        "fix": mistake.fix,
    }

"""Verdicts for people: one block a reference, then what it all comes to and what it cost."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from unhub.cli.output import printable, styled, width
from unhub.cli.prover import Traffic
from unhub.migrate.verification.contradiction import Contradiction
from unhub.migrate.verification.subjects import Result
from unhub.migrate.verification.verdict import Evidence, Verdict, registry_title, short

_COLOURS = {
    Verdict.SAME: "green",
    Verdict.LAGGING: "yellow",
    Verdict.SAME_PLATFORMS: "yellow",
    Verdict.DIFFERENT: "red",
    Verdict.MISSING: "red",
    Verdict.UNKNOWN: "yellow",
}
_PLACES = 3
"""Places of one reference that are shown; the JSON has all."""


@dataclass(frozen=True, slots=True)
class VerdictTable:
    """How to draw: in how many columns (``None`` = as many as it takes), with colours or not."""

    columns: int | None = None
    colours: bool = False

    def rows(self, results: Sequence[Result]) -> Iterator[str]:
        """A line a reference: verdict, name, digest, target; below it what has to be known."""
        verdicts = max((len(result.evidence.verdict.value) for result in results), default=0)
        names = min(max((width(printable(result.subject.name)) for result in results), default=0), 56)
        for result in results:
            evidence = result.evidence
            verdict = evidence.verdict.value.ljust(verdicts)
            name = printable(result.subject.name)
            left = f"{styled(verdict, _COLOURS[evidence.verdict], on=self.colours)}  {name}{' ' * (names - width(name))}"
            target = f"-> {evidence.target.name}" if evidence.failure != "variable" else ""
            yield f"{left}  {short(evidence.target_digest).ljust(19)}  {printable(target)}".rstrip()
            for line in self._details(result):
                yield from self._wrapped(" " * (verdicts + 2), line)

    def _details(self, result: Result) -> Iterator[str]:
        evidence = result.evidence
        for passed in result.passed:
            yield f"not at {passed.target.registry}: {passed.cause or passed.verdict}"
        if evidence.cause:
            yield evidence.cause
        if result.suggestion is not None:
            yield f"Did you mean {result.suggestion.familiar()}?"
        yield from _platforms(evidence)
        if evidence.newest is not None and evidence.oldest is not None:
            first, last = f"{evidence.oldest:%Y-%m-%d}", f"{evidence.newest:%Y-%m-%d}"
            yield f"built {first}" if first == last else f"built from {first} to {last}"
        if evidence.verdict not in (Verdict.SAME, Verdict.LAGGING) and result.subject.items:
            items = result.subject.items
            shown = ", ".join(f"{item.path}:{item.line}:{item.column}" for item in items[:_PLACES])
            yield f"in {shown}" + (f" and {len(items) - _PLACES} more places" if len(items) > _PLACES else "")

    def _wrapped(self, indent: str, text: str) -> Iterator[str]:
        text = printable(text)
        if self.columns is None:
            yield indent + text
            return
        yield from textwrap.wrap(text, self.columns, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)

    def facts(self, contradicted: Sequence[Contradiction]) -> Iterator[str]:
        """Facts that turned out to be wrong, each with the lines that override it."""
        for row in contradicted:
            yield from self._wrapped("", f"{row.message}. Put these lines into your file of facts (file = … under [data]):")
            yield from (f"  {line}" for line in row.override.splitlines())

    def summary(self, results: Sequence[Result], left_out: Mapping[str, int]) -> Iterator[str]:
        """What it comes to."""
        counts = Counter(result.evidence.verdict.value for result in results)
        said = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
        noun = "image" if len(results) == 1 else "images"
        yield styled(f"{len(results)} {noun}" + (f": {said}" if said else ""), "bold", on=self.colours)
        remembered = [result.evidence for result in results if result.evidence.from_lock]
        if remembered:
            oldest = min((evidence.seen for evidence in remembered if evidence.seen), default=None)
            since = f", the oldest of {oldest:%Y-%m-%d}" if oldest else ""
            yield f"{len(remembered)} of them by the lock file{since}; --refresh asks again"
        if left_out:
            rest = ", ".join(f"{count} {name}" for name, count in sorted(left_out.items()))
            yield f"not compared: {rest}"


def _platforms(evidence: Evidence) -> Iterator[str]:
    if evidence.only_origin or evidence.only_target or evidence.verdict is Verdict.SAME_PLATFORMS:
        return  # the cause tells it
    if evidence.same or evidence.other:
        if evidence.same:
            yield f"at Docker Hub, too: {', '.join(evidence.same)}"
        if evidence.other:
            yield f"not at Docker Hub: {', '.join(evidence.other)}"
    elif evidence.platforms:
        yield f"platforms: {', '.join(evidence.platforms)}"


def cost(traffic: Traffic) -> Iterator[str]:
    """What was asked, and what it cost at Docker Hub."""
    hub = traffic.requests.get("docker.io", 0)
    if hub:
        spent = traffic.pulls_spent
        if spent:
            yield f"Docker Hub was asked by HEAD, and {spent} times by GET, which it counts (--spend): {spent} pulls spent"
        else:
            yield "Docker Hub was asked by HEAD only, which it does not count: 0 pulls spent"
    if traffic.requests:
        asked = ", ".join(f"{registry_title(name)} {count}" for name, count in sorted(traffic.requests.items()))
        yield f"requests: {asked}"
    budget = traffic.budgets.get("docker.io")
    if budget is not None and budget.remaining is not None:
        of = f" of {budget.limit}" if budget.limit is not None else ""
        window = f" in {budget.window / 3600:g} h" if budget.window else ""
        yield f"Docker Hub's limit for {budget.source or 'this address'}: {budget.remaining}{of} pulls left{window}"

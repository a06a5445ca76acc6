"""What ``unhub limits`` found out, in words: budgets, terms beside the tree's builds, and one plot."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from textwrap import wrap

from unhub.cli.output import printable, styled
from unhub.cli.plot import Look, Series, plot, points
from unhub.data.terms import Limit, Terms, bytes_text
from unhub.migrate.forecast import Reached, course
from unhub.migrate.outlook import Burst, Cost, Line, Outlook, Side, is_enough

NOW = "now"
AFTER = "after the move"
_LOGINS = {"anonymous": "not logged in", "account": "logged in", "paid": "paid account", "aws": "from inside AWS"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a registry said of one caller's limit: a sentence for people, and what is used (``None``: not known)."""

    caller: str
    says: str
    used: int | None = None
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """How to write: the time of the first build, columns (``None``: as many as it takes), Unicode or ASCII, colours."""

    start: datetime.datetime
    columns: int | None = None
    unicode: bool = True
    colours: bool = False

    def wrapped(self, text: str, first: str = "  ", rest: str | None = None) -> list[str]:
        """Lines of a text that end before the last column."""
        indent = first if rest is None else rest
        return wrap(printable(text), self.columns or 10_000, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)

    def title(self, text: str) -> str:
        """A heading."""
        return styled(printable(text), "bold", on=self.colours)


def asked_lines(asked: Sequence[Asked], page: Page) -> Iterator[str]:
    """What is left, as the registry said it."""
    yield page.title("What is left at Docker Hub (asked by HEAD, which costs nothing)")
    for one in asked:
        yield from page.wrapped(f"{_LOGINS[one.caller] + ':':15}{one.says}", rest=" " * 17)
    yield ""


def terms_lines(terms: Terms, page: Page) -> Iterator[str]:
    """The limits of a registry that no build is compared with."""
    yield page.title(terms.profile.title)
    for limit in terms.limits:
        if limit.operation is None:
            yield from page.wrapped(f"{_LOGINS[limit.caller] + ':':17}{limit.text}, {limit.per}{unsure(limit.confidence)}", rest=" " * 19)
    yield ""


def outlook_lines(outlook: Outlook, page: Page) -> Iterator[str]:
    """Each limit of a registry beside what a build takes of it now and after the migration."""
    yield page.title(f"{outlook.terms.profile.title}: {_taken(outlook)}")
    for line in outlook.lines:
        yield from page.wrapped(_heading(line))
        yield from page.wrapped(_side(line, line.now, page), f"    {NOW + ':':16}", " " * 20)
        yield from page.wrapped(_side(line, line.after, page), f"    {AFTER + ':':16}", " " * 20)
    for burst in outlook.bursts:
        yield from page.wrapped(_burst(burst))
    for limit in outlook.terms.limits:
        if limit.amount is None:
            yield from page.wrapped(f"{_LOGINS[limit.caller]}: not limited, {limit.per}{unsure(limit.confidence)}")
    yield from _costs(outlook, page)
    yield ""


def verdict_lines(outlooks: Sequence[Outlook], page: Page) -> Iterator[str]:
    """Whether builds need a login at all."""
    for outlook in outlooks:
        now, after = is_enough(outlook, migrated=False), is_enough(outlook, migrated=True)
        if now is None or after is None:
            continue
        name = registry_name(outlook.terms)
        answer = f"Is {name} without a login enough? Now: {_yes(outlook, now, migrated=False)}. After the move: "
        yield from page.wrapped(answer + _yes(outlook, after, migrated=True), "")


def plot_lines(outlook: Outlook, caller: str, page: Page) -> Iterator[str]:
    """The pulls of one window, now and after the migration, below the limit of a caller."""
    line = next((row for row in outlook.lines if row.limit.caller == caller and row.limit.counts == "pulls"), None)
    per_day = outlook.builds.per_day
    if line is None or per_day is None or not (line.now.meter.per_build or line.after.meter.per_build):
        return
    look = Look(page.columns or 80, page.unicode, page.colours)
    share = outlook.builds.behind(line.limit.caller)
    series = [
        Series(name, course(line.limit.seconds, side.meter.per_build, share, points(look), used=side.meter.used), colour)
        for name, side, colour in ((NOW, line.now, "yellow"), (AFTER, line.after, "green"))
    ]
    yield page.title(f"Pulls from {registry_name(outlook.terms)}, {_LOGINS[caller]}: {line.limit.text}")
    yield from plot(series, line.limit.amount, ("now", line.limit.window_text), look)
    yield ""


def registry_name(terms: Terms) -> str:
    """What people call a registry."""
    return {"docker.io": "Docker Hub", "public.ecr.aws": "ECR Public"}.get(terms.profile.registry, terms.profile.registry)


def unsure(confidence: str) -> str:
    """A mark behind what nobody has verified."""
    return " (unverified)" if confidence == "unverified" else ""


def _taken(outlook: Outlook) -> str:
    sides = (outlook.now, outlook.after)
    return "one build pulls " + f"{_images(sides[0].images)} now, {_images(sides[1].images)} after the move"


def _images(number: int) -> str:
    return "nothing" if number == 0 else f"{number} image{'s' if number != 1 else ''}"


def _heading(line: Line) -> str:
    who = _LOGINS[line.limit.caller]
    if line.before_login:
        who = "logged in, but pulled by the platform before that"
    return f"{who}: {line.limit.text}, {line.limit.per}{unsure(line.limit.confidence)}"


def _side(line: Line, side: Side, page: Page) -> str:
    """One limit under one load, as a clause."""
    meter, limit = side.meter, line.limit
    if meter.per_build == 0:
        return "of unknown size" if side.unknown else "nothing is pulled"
    least = "at least " if side.unknown else ""
    each = f"{least}{_figure(limit, meter.per_build)} a build"
    if limit.amount is None:
        return f"{each}, not limited"
    if meter.reached is not None:
        return f"{each}; {_reached(line, meter.reached, page)}"
    if meter.per_window:
        return f"{each}; not reached: {least}{_figure(limit, meter.per_window + meter.used)} of {_figure(limit, limit.amount)}"
    fitting = (meter.fitting or 0) * line.factor
    return f"{each}; {fitting:,} build{'s' if fitting != 1 else ''} fit{'s' if fitting == 1 else ''}"


def _reached(line: Line, reached: Reached, page: Page) -> str:
    end = "billed" if line.limit.counts == "bytes" and line.limit.caller == "account" else "refused"
    if reached.builds == 0:
        return "not even one build fits" if end == "refused" else "the first build is billed"
    builds = reached.builds * line.factor
    return f"{end} after {builds:,} build{'s' if builds != 1 else ''}, {moment(page.start, reached.seconds)}"


def moment(start: datetime.datetime, seconds: Fraction) -> str:
    """When that is: the time of day, with the date where it is another day."""
    then = start + datetime.timedelta(seconds=int(seconds))
    return f"at {then:%H:%M}" if then.date() == start.date() else f"at {then:%Y-%m-%d %H:%M}"


def _burst(burst: Burst) -> str:
    who = f"{_LOGINS[burst.limit.caller]}: {burst.limit.text}, {burst.limit.per}{unsure(burst.limit.confidence)}"
    return f"{who}; what comes at once: {_at_once(burst.now, burst.seconds_now)} now, {_at_once(burst.after, burst.seconds_after)} {AFTER}"


def _at_once(pulls: int, seconds: Fraction | None) -> str:
    if pulls == 0:
        return "nothing"
    spread = f" (spread over {float(seconds):.3g} s, or refused and tried again)" if seconds else ""
    return f"{pulls:,} pull{'s' if pulls != 1 else ''}{spread}"


def _costs(outlook: Outlook, page: Page) -> Iterator[str]:
    for name, cost in ((NOW, outlook.cost_now), (AFTER, outlook.cost_after)):
        if cost is not None and cost.estimate is not None and (cost.moved or cost.unknown):
            yield from page.wrapped(f"logged in, a month, {name}: {_cost(cost)}")


def _cost(cost: Cost) -> str:
    estimate = cost.estimate
    assert estimate is not None  # noqa: S101 - the caller looked
    least = "at least " if cost.unknown else ""
    row = estimate.price
    return (
        f"{least}{bytes_text(cost.moved)}, an estimate of {least}{estimate.usd:,} USD "
        f"({row.says}; {row.confidence}, {row.date.isoformat()}; not a bill)"
    )


def _yes(outlook: Outlook, enough: bool, *, migrated: bool) -> str:
    lines = [line for line in outlook.lines if line.limit.caller == "anonymous" and not line.before_login]
    sides = [(line, line.after if migrated else line.now) for line in lines]
    figures = [
        f"{_figure(line.limit, side.meter.per_window + side.meter.used)} of {line.limit.text}"
        for line, side in sides
        if line.limit.amount is not None and (side.meter.reached is not None) != enough
    ]
    unknown = any(side.unknown for _, side in sides)
    answer = "yes" if enough else "no"
    if enough and unknown:
        answer = "yes, as far as sizes are known"
    return f"{answer} ({'; '.join(figures)})" if figures else answer


def _figure(limit: Limit, amount: int) -> str:
    return bytes_text(amount) if limit.counts == "bytes" else f"{amount:,}"

"""What ``unhub limits`` found out, in words: budgets, terms beside the tree's builds, and one plot."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from textwrap import wrap
from typing import TYPE_CHECKING

from unhub.aws.terms import MonthlyCost
from unhub.cli.output import printable, styled
from unhub.cli.plot import Look, Series, plot, points
from unhub.data.terms import Limit, Terms, bytes_text
from unhub.migrate.forecast import Reached, course
from unhub.migrate.outlook import Burst, Cost, Line, Outlook, Side, is_enough

if TYPE_CHECKING:
    from unhub.cli.limits import Found

NOW = "now"
AFTER = "after the move"
_LOGINS = {"anonymous": "not logged in", "account": "logged in", "paid": "paid account", "aws": "from inside AWS"}


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


def lines(found: Found, page: Page) -> Iterator[str]:
    """Everything, from what is left to what was assumed."""
    yield from _asked_lines(found, page)
    for outlook in found.outlooks:
        yield from _outlook_lines(outlook, page)
    yield from _plot_lines(found.outlooks[0], found.caller, page)
    yield from _verdict_lines(found.outlooks, page)
    yield from _assumed(found, page)


def _asked_lines(found: Found, page: Page) -> Iterator[str]:
    yield page.title("What is left at Docker Hub" + ("" if found.offline else " (asked by HEAD, which costs nothing)"))
    if found.offline:
        yield "  not asked (--offline)"
    for one in found.answers.asked:
        yield from page.wrapped(f"{_LOGINS[one.caller] + ':':15}{one.says}", rest=" " * 17)
        if one.contradicts and one.limit is not None:
            what = f"fact contradicted: Docker Hub says {one.limit.text}, which is reckoned with here"
            yield from page.wrapped(f"{what}; `unhub facts limit:{one.limit.id}` shows the lines to override it", " " * 17)
    yield ""


def _outlook_lines(outlook: Outlook, page: Page) -> Iterator[str]:
    """Each limit of a registry beside what a build takes of it now and after the migration."""
    pulled = outlook.now.images or outlook.after.images
    yield page.title(f"{outlook.terms.profile.title}: {_taken(outlook)}")
    for line in outlook.lines:
        yield from page.wrapped(_heading(line), rest="      ")
        if not pulled:
            continue
        yield from page.wrapped(_side(line, line.now, page), f"    {NOW + ':':16}", " " * 20)
        yield from page.wrapped(_side(line, line.after, page), f"    {AFTER + ':':16}", " " * 20)
    for burst in outlook.bursts:
        yield from page.wrapped(_burst(burst), rest="      ")
    shown = {line.limit.caller for line in outlook.lines if line.limit.amount is None}
    for limit in outlook.terms.limits:
        if limit.amount is None and not shown:
            yield from page.wrapped(f"{_LOGINS[limit.caller]}: {limit.sentence}{_unsure(limit.confidence)}", rest="      ")
    yield from _costs(outlook, page)
    yield ""


def _verdict_lines(outlooks: Sequence[Outlook], page: Page) -> Iterator[str]:
    """Whether builds need a login at all."""
    for outlook in outlooks:
        if outlook.builds.per_day is not None:
            now, after = (_enough(outlook, migrated=migrated) for migrated in (False, True))
            question = f"Is {_registry_name(outlook.terms)} without a login enough?"
            yield from page.wrapped(f"{question} Now: {now}. {AFTER.capitalize()}: {after}", "", "  ")


def _plot_lines(outlook: Outlook, caller: str, page: Page) -> Iterator[str]:
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
    yield page.title(f"Pulls from {_registry_name(outlook.terms)}, {_LOGINS[caller]}: {line.limit.text}")
    yield from plot(series, line.limit.amount, ("now", line.limit.window_text), look)
    yield ""


def _registry_name(terms: Terms) -> str:
    """What people call a registry."""
    return {"docker.io": "Docker Hub", "public.ecr.aws": "ECR Public"}.get(terms.profile.registry, terms.profile.registry)


def _unsure(confidence: str) -> str:
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
    return f"{who}: {line.limit.sentence}{_unsure(line.limit.confidence)}"


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
    return f"{end} after {builds:,} build{'s' if builds != 1 else ''}, {_moment(page.start, reached.seconds)}"


def _moment(start: datetime.datetime, seconds: Fraction) -> str:
    """When that is: the time of day, with the date where it is another day."""
    then = start + datetime.timedelta(seconds=int(seconds))
    return f"at {then:%H:%M}" if then.date() == start.date() else f"at {then:%Y-%m-%d %H:%M}"


def _burst(burst: Burst) -> str:
    who = f"{_LOGINS[burst.limit.caller]}: {burst.limit.sentence}{_unsure(burst.limit.confidence)}"
    if not (burst.now or burst.after):
        return who
    return f"{who}. At once: {_at_once(burst.now, burst.seconds_now)} now, {_at_once(burst.after, burst.seconds_after)} {AFTER}"


def _at_once(pulls: int, seconds: Fraction | None) -> str:
    if pulls == 0:
        return "nothing"
    spread = f" (in {float(seconds):.3g} s, or refused and tried again)" if seconds else ""
    return f"{pulls:,} pull{'s' if pulls != 1 else ''}{spread}"


def _costs(outlook: Outlook, page: Page) -> Iterator[str]:
    for name, cost in ((NOW, outlook.cost_now), (AFTER, outlook.cost_after)):
        if cost is not None and cost.estimate is not None and (cost.moved or cost.unknown):
            yield from page.wrapped(f"a month of logged-in builds {name}: {_cost(cost, cost.estimate)}", rest="      ")


def _cost(cost: Cost, estimate: MonthlyCost) -> str:
    least = "at least " if cost.unknown else ""
    row = estimate.price
    if cost.unknown and not cost.moved:
        return "of unknown size"
    if not estimate.billed:
        return f"{least}{bytes_text(cost.moved)}" + (
            ", as far as sizes are known within what is free" if cost.unknown else ", within what is free"
        )
    above = f"{least}{bytes_text(cost.moved)}, {bytes_text(estimate.billed)} of it above what is free"
    doubts = f"{row.confidence}, {row.date.isoformat()}; not a bill; nothing where AWS counts a build as inside its regions"
    return f"{above}: an estimate of {least}{estimate.usd:,} USD ({row.says}; {doubts})"


def _enough(outlook: Outlook, *, migrated: bool) -> str:
    enough = is_enough(outlook, migrated=migrated)
    lines = [line for line in outlook.lines if line.limit.caller == "anonymous" and not line.before_login and line.limit.amount]
    sides = [(line.limit, line.after if migrated else line.now) for line in lines]
    if not any(side.meter.per_build or side.unknown for _, side in sides):
        return "yes (nothing is pulled)"
    figures = "; ".join(_share(limit, side) for limit, side in sides if enough is not False or side.meter.reached)
    return f"{'not known' if enough is None else 'yes' if enough else 'no'} ({figures})"


def _share(limit: Limit, side: Side) -> str:
    """How much of a limit the fullest window takes."""
    if side.unknown and not side.meter.per_build:
        return "no size is known"
    return f"{'at least ' if side.unknown else ''}{_figure(limit, side.meter.per_window + side.meter.used)} of {limit.text}"


def _figure(limit: Limit, amount: int) -> str:
    return bytes_text(amount) if limit.counts == "bytes" else f"{amount:,}"


def _assumed(found: Found, page: Page) -> Iterator[str]:
    builds = found.outlooks[0].builds
    addresses = "one address" if builds.addresses == 1 else f"{builds.addresses:,} addresses"
    parts = [
        "every build starts with an empty cache and pulls each image of the tree once for " + " and ".join(map(str, found.platforms)),
        "index and manifest of an image are one pull",
    ]
    if builds.per_day is not None:
        parts.append(
            f"builds are evenly spread, the first one now, behind {addresses}; a pull comes back one window later; a month has 30 days"
        )
    if any(one.size is not None for one in found.after):
        parts.append("layers that images share count in each")
    yield from page.wrapped(f"Assumed: {'; '.join(parts)}.", "", "  ")
    if found.not_known:
        count = f"{found.not_known} reference{'s' if found.not_known != 1 else ''}"
        yield from page.wrapped(f"Not counted: {count} whose image the tree does not tell.", "", "  ")
    failed = found.answers.failed
    if failed:
        reference, error = next(iter(failed.items()))
        what = f"The size of {len(failed)} image{'s' if len(failed) != 1 else ''} at ECR Public is not known; {reference}: {error.message}"
        yield from page.wrapped(what, "", "  ")

"""``unhub limits``: what is left, what is allowed, and when builds will reach it."""

from __future__ import annotations

import asyncio
import datetime
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from unhub.cli.network import Network, network_options
from unhub.cli.options import Selection, Wishes, selection_options, wishes_options
from unhub.cli.output import colourful, say, terminal_width, write
from unhub.image.errors import UsageError

if TYPE_CHECKING:
    from unhub.cli.limits_ask import Answers
    from unhub.cli.session import Session
    from unhub.data.terms import Caller, Terms
    from unhub.image.manifest import Platform
    from unhub.image.reference import Reference
    from unhub.migrate.forecast import Pulled
    from unhub.migrate.outlook import Builds, Outlook
    from unhub.migrate.plan import Plan

REACHED = 1
FAILED = 5
REGISTRIES = ("docker.io", "public.ecr.aws")


class _Options(TypedDict):
    """What click hands over beside the shared options."""

    terms: tuple[str, ...]
    builds_per_day: float | None
    builds_per_hour: float | None
    addresses: int
    runners: int
    platforms: tuple[str, ...]
    ask_sizes: bool
    form: str
    exit_code: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that is shown: the outlook of each registry, what was asked, what was counted, and as of when."""

    outlooks: tuple[Outlook, ...]
    answers: Answers
    now: tuple[Pulled, ...]
    after: tuple[Pulled, ...]
    not_known: int
    platforms: tuple[Platform, ...]
    offline: bool
    start: datetime.datetime

    @property
    def caller(self) -> str:
        """Whose limit matters at Docker Hub: the stored login's, where there is one."""
        return "account" if any(one.caller == "account" for one in self.answers.asked) else "anonymous"


@click.command("limits", short_help="Show the pull limits, what is left of them, and when they will be reached.")
@selection_options
@wishes_options
@network_options
@click.option(
    "--builds-per-day", type=click.FloatRange(min=0, max=1e7, min_open=True), metavar="N", help="Forecast for so many builds a day."
)
@click.option(
    "--builds-per-hour",
    type=click.FloatRange(min=0, max=1e6, min_open=True),
    metavar="N",
    help="The same, for so many an hour, day and night.",
)
@click.option(
    "--addresses",
    type=click.IntRange(1, 100_000),
    default=1,
    show_default=True,
    metavar="N",
    help="Outgoing addresses that the builds are spread over.",
)
@click.option(
    "--runners",
    type=click.IntRange(1, 100_000),
    default=1,
    show_default=True,
    metavar="N",
    help="Builds that start at the same moment behind one address.",
)
@click.option("--platform", "platforms", multiple=True, metavar="OS/ARCH", help="What is built for; repeatable.  [default: linux/amd64]")
@click.option(
    "--terms", multiple=True, metavar="NAME", help="Reckon with these terms, as aws-2024-03-11; repeatable (see `unhub facts profile`)."
)
@click.option("--no-sizes", "ask_sizes", flag_value=False, default=True, help="Do not ask ECR Public how large images are.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to show it.")
@click.option("--exit-code", is_flag=True, help="End with 1 where a limit is used up, or will be reached as things are now.")
def command(selection: Selection, wishes: Wishes, network: Network, **options: Unpack[_Options]) -> int:
    """Show Docker Hub's and ECR Public's limits beside what one build of PATHS (default: here) pulls.

    Docker Hub is asked what is left for this address, and for the stored login, by HEAD, which costs nothing. With
    --builds-per-day it is forecast when each limit is reached, now and after `unhub migrate`. Prices are estimates
    from dated figures. Ends with 5 where Docker Hub cannot be asked; --offline asks nobody.
    """
    from unhub.cli.session import Session

    session = Session.open(selection, wishes)
    found = look(session, network, options)
    _show(found, options["form"])
    if any(one.error for one in found.answers.asked):
        return FAILED
    return REACHED if options["exit_code"] and will_be_refused(found) else 0


def look(session: Session, network: Network, options: _Options) -> Found:
    """Count what the tree pulls, ask what is left, and put both together."""
    from unhub.cli.limits_ask import Answers, Questions, ask
    from unhub.data.terms import TermsData
    from unhub.image.reference import Reference
    from unhub.migrate.forecast import not_known, pulled_by
    from unhub.migrate.outlook import outlook
    from unhub.migrate.sizes import with_sizes

    own = session.configuration.settings.data.file
    data = TermsData((session.configuration.folder or Path()) / own if own else None)
    data.check(options["terms"])
    builds, platforms = _builds(options), _platforms(options["platforms"])
    hub, ecr = (data.terms(registry, options["terms"]) for registry in REGISTRIES)
    plan = session.plan(proven=False)
    now, after = (pulled_by(plan, migrated=migrated) for migrated in (False, True))
    answers = Answers()
    start = current_time()
    if not network.offline:
        probe = Reference.parse(data.probe("docker.io").reference)
        images = _to_ask([*now, *after]) if options["ask_sizes"] else []
        answers = asyncio.run(ask(network, session.configuration, Questions(probe, hub, images, platforms)))
    known = _known_platforms(session, plan)
    now, after = (with_sizes(side, answers.sizes, known, platforms) for side in (now, after))
    used: dict[Caller, int] = {one.caller: one.used for one in answers.asked if one.used is not None and hub.profile.current}
    return Found(
        outlooks=(outlook(_reckoned(hub, answers), now, after, builds, used), outlook(ecr, now, after, builds)),
        answers=answers,
        now=tuple(now),
        after=tuple(after),
        not_known=not_known(plan),
        platforms=platforms,
        offline=network.offline,
        start=start,
    )


def current_time() -> datetime.datetime:
    """When the first build is taken to start: now, in the zone of this machine."""
    return datetime.datetime.now().astimezone()


def will_be_refused(found: Found) -> bool:
    """Whether, as things are now, a limit is used up or builds reach it, counted for the login that is stored, or none."""
    refused = {"anonymous"} if found.caller == "anonymous" else {"account", "anonymous"}
    used_up = any(
        one.limit and one.limit.amount and one.used == one.limit.amount for one in found.answers.asked if one.caller == found.caller
    )
    lines = [line for outlook in found.outlooks for line in outlook.lines if line.limit.caller in refused]
    if found.caller == "account":
        lines = [line for line in lines if line.before_login or line.limit.caller == "account"]
    billed = {("account", "bytes")}
    return used_up or any(line.now.meter.reached and (line.limit.caller, line.limit.counts) not in billed for line in lines)


def _builds(options: _Options) -> Builds:
    from unhub.migrate.outlook import Builds

    per_day, per_hour = options["builds_per_day"], options["builds_per_hour"]
    if per_day is not None and per_hour is not None:
        raise UsageError("cannot use --builds-per-day together with --builds-per-hour")
    number, hours = (per_day, 1) if per_hour is None else (per_hour, 24)
    if number is not None and not math.isfinite(number):
        raise UsageError(f"cannot forecast {number} builds: that is no number")
    return Builds(None if number is None else hours * Fraction(str(number)), options["addresses"], options["runners"])


def _platforms(texts: Sequence[str]) -> tuple[Platform, ...]:
    from unhub.migrate.sizes import parse_platform

    platforms: dict[Platform, None] = {}
    for text in texts or ("linux/amd64",):
        platform = parse_platform(text)
        if platform is None:
            raise UsageError(f"cannot read the platform {text!r}", hint="Write linux/amd64 or linux/arm/v7")
        platforms[platform] = None
    return tuple(platforms)


def _to_ask(pulled: Sequence[Pulled]) -> list[Reference]:
    """The images at ECR Public: only its limit counts bytes, and Docker Hub would count the question."""
    from unhub.migrate.forecast import ECR_PUBLIC, registry_of

    return list(dict.fromkeys(one.reference for one in pulled if registry_of(one.reference) == ECR_PUBLIC))


def _known_platforms(session: Session, plan: Plan) -> dict[Reference, tuple[str, ...]]:
    """The platforms that the lock file knows, by the name at Docker Hub and at the target."""
    from unhub.image.found import Found as FoundReference

    known: dict[Reference, tuple[str, ...]] = {}
    for item in plan.items:
        target, finding = item.decision.target, item.finding
        if target is None or not isinstance(finding, FoundReference):
            continue
        origin = finding.reference.canonical
        evidence = session.mapper.proof.evidence(origin, target)
        if evidence is not None and evidence.platforms:
            known[origin] = known[target] = evidence.platforms
    return known


def _reckoned(hub: Terms, answers: Answers) -> Terms:
    """The terms with the limits that Docker Hub itself said in the place of the dated ones; other terms stay: "what if"."""
    from dataclasses import replace

    if not hub.profile.current:
        return hub
    said = {one.limit.id: one.limit for one in answers.asked if one.limit is not None}
    return replace(hub, limits=tuple(said.get(row.id, row) for row in hub.limits))


def _show(found: Found, form: str) -> None:
    from unhub.cli import limits_data, limits_text

    if form == "json":
        write(limits_data.render(found))
        return
    page = limits_text.Page(found.start, terminal_width(sys.stdout), speaks_unicode(), colourful(sys.stdout))
    write("".join(f"{line}\n" for line in limits_text.lines(found, page)))
    if found.outlooks[0].builds.per_day is None:
        say("`--builds-per-day N` tells when the limits are reached; `unhub facts note` tells more about them")


def speaks_unicode() -> bool:
    """Whether the terminal's own encoding has braille; our output is UTF-8 in any case, but a terminal may not read it."""
    try:
        "\u28ff\u2504".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True

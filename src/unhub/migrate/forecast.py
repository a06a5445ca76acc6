"""When builds will reach a limit, and what they move: arithmetic on counts, without clock, network or files.

What is assumed, and said to the user by the caller: every build starts with an empty cache and pulls each image of the
tree once a platform; builds are evenly spread; a used pull comes back one window later. Docker Hub does not say whether
its window slides or is fixed; for even builds both give the same first refusal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from unhub.image.found import Class, Found, PulledBy
from unhub.image.reference import DOCKER_HUB, Reference
from unhub.migrate.plan import Plan
from unhub.migrate.reports.records import is_pulled

ECR_PUBLIC: Final = "public.ecr.aws"
ECR_PUBLIC_DUAL_STACK: Final = "ecr-public.aws.com"
"""Another name of the same registry (AWS docs, public-ecr-requests)."""

DAY: Final = 86_400
"""Seconds of a day."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image pulled by a build: how many pulls that is, and how many bytes (``None``: not known).

    ``before_login``: the platform pulls it before any step could log in, so it counts as not logged in.
    """

    reference: Reference
    before_login: bool
    pulls: int = 1
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What one build takes from one registry: images, pulls, known bytes, and images whose bytes are not known."""

    images: int = 0
    pulls: int = 0
    size: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that is reached: after ``builds`` whole builds, ``seconds`` from now, the next one is refused something."""

    builds: int
    seconds: Fraction


@dataclass(frozen=True, slots=True)
class Meter:
    """A limit under a load: what one build takes, what the fullest window takes, and when it is reached, if ever.

    ``used`` is what is taken before the first build; ``fitting`` is how many builds fit into what is left of one window,
    ``None`` for any number.
    """

    used: int
    per_build: int
    per_window: int
    fitting: int | None
    reached: Reached | None


def pulled_by(plan: Plan, *, migrated: bool) -> list[Pulled]:
    """The distinct images that one build of a tree pulls, as the tree is or as it would be after the migration.

    An image that both a build step and the platform pull stands there twice: they need not share a cache.
    """
    found: dict[tuple[Reference, bool], Pulled] = {}
    for item in plan.items:
        if not isinstance(item.finding, Found) or not is_pulled(item.decision.class_, item.finding.reference):
            continue
        target = item.decision.target
        moves = migrated and item.decision.class_ is Class.MIGRATABLE and target is not None
        reference = target if moves and target is not None else item.finding.reference.canonical
        before_login = item.pulled_by is PulledBy.PLATFORM
        found.setdefault((reference, before_login), Pulled(reference, before_login))
    return list(found.values())


def not_known(plan: Plan) -> int:
    """How many references name an image that the tree does not tell (a variable without a value)."""
    return sum(item.decision.class_ is Class.VARIABLE and not isinstance(item.finding, Found) for item in plan.items)


def registry_of(reference: Reference) -> str:
    """The registry whose limits a pull counts against, under whichever of its names."""
    if reference.is_docker_hub:
        return DOCKER_HUB
    return ECR_PUBLIC if reference.registry == ECR_PUBLIC_DUAL_STACK else reference.registry


def load(pulled: Iterable[Pulled], *, before_login: bool | None = None) -> Load:
    """What a build takes; ``before_login`` restricts it to what is pulled before, or after, the login."""
    mine = [one for one in pulled if before_login in (None, one.before_login)]
    return Load(
        len(mine),
        sum(one.pulls for one in mine),
        sum(one.size or 0 for one in mine),
        sum(one.size is None for one in mine),
    )


def meter(amount: int | None, window: int, per_build: int, per_day: Fraction, *, used: int = 0) -> Meter:
    """A limit of ``amount`` in ``window`` seconds (``None``: no limit) under ``per_day`` builds of ``per_build`` each.

    ``used`` is what is taken already and comes back after a whole window.
    """
    fitting = None if amount is None or per_build == 0 else max(0, amount - used) // per_build
    per_window = in_window(window, per_build, per_day)
    return Meter(used, per_build, per_window, fitting, reached(amount, window, per_build, per_day, used=used))


def in_window(window: int, per_build: int, per_day: Fraction) -> int:
    """What the fullest window takes: a build at its very start, and all others that fit into it."""
    return per_build * _ceil(Fraction(window) * per_day / DAY)


def reached(amount: int | None, window: int, per_build: int, per_day: Fraction, *, used: int = 0) -> Reached | None:
    """When a build is first refused, the first build being now; ``None`` for never.

    Build number n (from 0) starts at n intervals. Until a window has gone by nothing comes back, so the first build
    that does not fit is number ``(amount - used) // per_build``; if it starts later than that, none ever fails.
    """
    if amount is None or per_build == 0 or per_day == 0:
        return None
    builds = max(0, amount - used) // per_build
    seconds = builds * DAY / per_day
    return Reached(builds, seconds) if seconds < window else None


def in_month(per_build: int, per_day: Fraction, month: int) -> int:
    """What all builds of a month of ``month`` seconds take together, a part of a build rounded up."""
    return _ceil(per_build * per_day * month / DAY)


def course(window: int, per_build: int, per_day: Fraction, points: int, *, used: int = 0) -> list[int]:
    """What is taken by the end of each of ``points`` equal parts of a window, the first build being at its start."""
    return [used + per_build * _ceil(Fraction(window) * (place + 1) / points * per_day / DAY) for place in range(points)]


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)

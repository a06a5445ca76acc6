"""What ``unhub limits`` found out, as one JSON object."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from unhub.migrate.outlook import Burst, Cost, Line, Outlook, Side, is_enough

if TYPE_CHECKING:
    from unhub.cli.limits import Found
    from unhub.cli.limits_ask import Asked
    from unhub.data.terms import Limit
    from unhub.migrate.forecast import Pulled

SCHEMA: Final = 1

Record = dict[str, object]


def render(found: Found) -> str:
    """The object, with a line end."""
    builds = found.outlooks[0].builds
    answer: Record = {
        "schema": SCHEMA,
        "start": found.start.isoformat(timespec="seconds"),
        "builds": {
            "per_day": None if builds.per_day is None else float(builds.per_day),
            "addresses": builds.addresses,
            "runners": builds.at_once,
            "platforms": [str(platform) for platform in found.platforms],
        },
        "asked": [_asked(one) for one in found.answers.asked],
        "images": {"now": [_pulled(one) for one in found.now], "after": [_pulled(one) for one in found.after]},
        "references_not_known": found.not_known,
        "sizes_failed": {str(reference): error.message for reference, error in found.answers.failed.items()},
        "registries": [_outlook(outlook, found.start) for outlook in found.outlooks],
    }
    return json.dumps(answer, indent=2, ensure_ascii=False) + "\n"


def _asked(one: Asked) -> Record:
    budget = one.budget
    return {
        "registry": "docker.io",
        "caller": one.caller,
        "says": one.says,
        "limit": one.limit.amount if one.limit and one.error is None else None,
        "used": one.used,
        "remaining": budget.remaining if budget else None,
        "window_seconds": budget.window if budget else None,
        "source": budget.source if budget else None,
        "contradicts": one.limit.id if one.contradicts and one.limit else None,
        "error": one.error.code if one.error else None,
    }


def _pulled(one: Pulled) -> Record:
    return {"reference": str(one.reference), "before_login": one.before_login, "pulls": one.pulls, "bytes": one.size}


def _outlook(outlook: Outlook, start: datetime.datetime) -> Record:
    return {
        "registry": outlook.terms.profile.registry,
        "terms": outlook.terms.profile.id,
        "limits": [_line(line, start) for line in outlook.lines],
        "rates": [_burst(burst) for burst in outlook.bursts],
        "month": {"now": _cost(outlook.cost_now), "after": _cost(outlook.cost_after)},
        "anonymous_is_enough": {"now": is_enough(outlook, migrated=False), "after": is_enough(outlook, migrated=True)},
        "notes": [row.says for row in outlook.terms.notes],
    }


def _limit(limit: Limit) -> Record:
    return {
        "id": limit.id,
        "caller": limit.caller,
        "counts": limit.counts,
        "amount": limit.amount,
        "window_seconds": limit.seconds,
        "per": limit.per,
        "date": limit.date.isoformat(),
        "source": limit.source,
        "confidence": limit.confidence,
    }


def _line(line: Line, start: datetime.datetime) -> Record:
    sides: Mapping[str, Side] = {"now": line.now, "after": line.after}
    return {
        **_limit(line.limit),
        "before_login": line.before_login,
        **{name: _side(side, line.factor, start) for name, side in sides.items()},
    }


def _side(side: Side, factor: int, start: datetime.datetime) -> Record:
    meter = side.meter
    reached = meter.reached
    return {
        "used": meter.used,
        "per_build": meter.per_build,
        "images_of_unknown_size": side.unknown,
        "builds_that_fit": None if meter.fitting is None else meter.fitting * factor,
        "in_window": meter.per_window,
        "reached_after_builds": reached.builds * factor if reached else None,
        "reached_at": (start + datetime.timedelta(seconds=int(reached.seconds))).isoformat(timespec="seconds") if reached else None,
    }


def _burst(burst: Burst) -> Record:
    return {
        **_limit(burst.limit),
        "now": {"pulls": burst.now, "seconds": _seconds(burst.seconds_now)},
        "after": {"pulls": burst.after, "seconds": _seconds(burst.seconds_after)},
    }


def _seconds(value: Fraction | None) -> float | None:
    return None if value is None else round(float(value), 3)


def _cost(cost: Cost | None) -> Record | None:
    if cost is None:
        return None
    estimate = cost.estimate
    return {
        "bytes": cost.moved,
        "images_of_unknown_size": cost.unknown,
        "estimate_usd": str(estimate.usd) if estimate else None,
        "confidence": estimate.price.confidence if estimate else None,
        "date": estimate.price.date.isoformat() if estimate else None,
    }

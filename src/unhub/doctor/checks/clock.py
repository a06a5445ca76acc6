"""Is the clock right? AWS refuses signatures that are some minutes off."""

from __future__ import annotations

import asyncio
import datetime
from email.utils import parsedate_to_datetime

from unhub.data.doctor import clock_skew
from unhub.doctor.checking import Check
from unhub.doctor.checks._replies import host_of
from unhub.doctor.machine import Machine, Reply
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, skipped, warning
from unhub.registry.failures import duration


async def look(machine: Machine) -> Verdict:
    """The ``Date`` of answers against the clock; of several the one that is nearest, since an answer may come from a cache."""
    urls = [machine.control_plane, *(f"{url}/v2/" for url in machine.registries.values())]
    replies = await asyncio.gather(*map(machine.web.get, urls))
    offs = [(off, url) for url, reply in zip(urls, replies, strict=True) if (off := _off(reply)) is not None]
    if not offs:
        return skipped("nobody answered who could tell the time")
    off, url = min(offs, key=lambda one: abs(one[0]))
    fact = clock_skew()
    if abs(off) < fact.warning_seconds:
        return ok(f"the clock agrees with {host_of(url)} within {max(1, round(abs(off)))} s")
    way = "ahead of" if off > 0 else "behind"
    verdict = failed if abs(off) >= fact.failed_seconds else warning
    return verdict(
        f"the clock is {duration(abs(off))} {way} {host_of(url)}; AWS refuses signatures that are far off {fact.cite()}",
        Remedy("Set the clock, and keep it set:", "sudo timedatectl set-ntp true"),
        Remedy("In a virtual machine that slept, or Docker Desktop: restart it"),
    )


def _off(reply: object) -> float | None:
    """Seconds by which our clock is ahead; ``None`` where the answer has no date."""
    if not isinstance(reply, Reply):
        return None
    try:
        date = parsedate_to_datetime(reply.answer.header("date") or "")
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=datetime.UTC)
    return (reply.at - date).total_seconds()


CHECK = Check("clock", "Clock", 80, look)

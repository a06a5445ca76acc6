"""Which mirrors does docker's daemon ask in Docker Hub's place, and do they answer?"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from unhub.data.aws import public_registries
from unhub.doctor.checking import Check
from unhub.doctor.checks._daemon import info
from unhub.doctor.machine import Machine, Reply
from unhub.doctor.verdict import Remedy, Verdict, ok, skipped, warning
from unhub.registry.addresses import parse_url

MIRRORS_MAX = 10


async def look(machine: Machine) -> Verdict:
    """``registry-mirrors`` of the running daemon, which may differ from its file."""
    told = await info(machine)
    if told is None:
        return skipped("docker's daemon does not answer")
    config = told.get("RegistryConfig")
    mirrors = [str(one) for one in cast("dict[str, Any]", config if isinstance(config, dict) else {}).get("Mirrors") or ()][:MIRRORS_MAX]
    if not mirrors:
        return ok("no mirror is set: Docker Hub's names are pulled from Docker Hub")
    for mirror in mirrors:
        if any(registry in mirror for registry in public_registries()):
            return warning(
                f"{mirror} is set as mirror of Docker Hub, but ECR Public has other names (docker/library/node), so it never helps",
                Remedy(
                    "Take it out of registry-mirrors in /etc/docker/daemon.json, and rewrite the names instead:", "unhub migrate --write"
                ),
            )
    return await _asked(machine, mirrors)


async def _asked(machine: Machine, mirrors: list[str]) -> Verdict:
    if machine.offline:
        return ok(f"mirrors of Docker Hub: {', '.join(mirrors)}")
    answers = await asyncio.gather(*(_answers(machine, mirror) for mirror in mirrors))
    silent = [mirror for mirror, good in zip(mirrors, answers, strict=True) if not good]
    if silent:
        return warning(
            f"the mirror {silent[0]} does not answer as a registry: docker goes on to Docker Hub after a while",
            Remedy("See whether it runs:", f"curl -sv {silent[0].rstrip('/')}/v2/"),
        )
    return ok(f"mirrors of Docker Hub answer: {', '.join(mirrors)}")


async def _answers(machine: Machine, mirror: str) -> bool:
    url = f"{mirror.rstrip('/')}/v2/"
    try:
        parse_url(url)
    except ValueError:
        return False
    reply = await machine.web.get(url)
    return isinstance(reply, Reply) and reply.answer.status in (200, 401)


CHECK = Check("docker-mirrors", "Docker's mirrors", 160, look, network=False)

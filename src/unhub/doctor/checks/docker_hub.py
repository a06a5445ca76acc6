"""Does Docker Hub answer? What has not moved is still pulled from there."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from unhub.data.doctor import needed_host
from unhub.doctor.checking import Check
from unhub.doctor.checks._replies import any_answer
from unhub.doctor.machine import Machine
from unhub.doctor.verdict import Status, Verdict

REGISTRY = "docker.io"


async def look(machine: Machine) -> Verdict:
    """The registry and its token service, without a pull. It may be shut off on purpose, so its silence is a warning."""
    url = f"{machine.registries[REGISTRY]}/v2/"
    asked = {url: "Docker Hub's registry"}
    if REGISTRY not in machine.moved:
        asked[needed_host("docker-hub-tokens").url] = "Docker Hub's tokens"
    replies = await asyncio.gather(*map(machine.web.get, asked))
    verdicts = [any_answer(one, reply, asked[one]) for one, reply in zip(asked, replies, strict=True)]
    for verdict in verdicts:
        if verdict.status is not Status.OK:
            return replace(verdict, status=Status.WARNING if verdict.status is Status.FAILED else verdict.status)
    return verdicts[0]


CHECK = Check("docker-hub", "Docker Hub", 60, look)

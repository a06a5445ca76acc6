"""Does the host answer from which ECR Public's layers come?"""

from __future__ import annotations

from unhub.data.doctor import needed_host
from unhub.doctor.checking import Check
from unhub.doctor.checks._replies import any_answer
from unhub.doctor.checks.registry import REGISTRY
from unhub.doctor.machine import Machine
from unhub.doctor.verdict import Verdict, skipped


async def look(machine: Machine) -> Verdict:
    """Any answer will do: without a signed link it is a refusal. Firewalls often forget this host."""
    if REGISTRY in machine.moved:
        return skipped("the registry has another endpoint here, and its layers come from where that one says")
    url = needed_host("content").url
    return any_answer(url, await machine.web.get(url), "ECR Public's layers")


CHECK = Check("content", "ECR Public's layers", 50, look)

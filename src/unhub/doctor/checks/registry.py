"""Does ECR Public's registry answer as a registry?"""

from __future__ import annotations

from unhub.doctor.checking import Check
from unhub.doctor.checks._replies import any_answer, host_of
from unhub.doctor.machine import Machine, Reply
from unhub.doctor.verdict import Remedy, Status, Verdict, failed

REGISTRY = "public.ecr.aws"


async def look(machine: Machine) -> Verdict:
    """``/v2/`` without a token is answered 401 with a challenge (ecr-public.md, 2.1); no pull is spent."""
    url = f"{machine.registries[REGISTRY]}/v2/"
    reply = await machine.web.get(url)
    verdict = any_answer(url, reply, "ECR Public's registry")
    if verdict.status is not Status.OK or not isinstance(reply, Reply):
        return verdict
    answer = reply.answer
    if answer.status == 200 or (answer.status == 401 and answer.header("www-authenticate")):
        return verdict
    return failed(
        f"{host_of(url)} does not answer as a registry: {answer.status}",
        Remedy("A proxy or firewall may answer in its place. What it says:", f"curl -sv {url}"),
    )


CHECK = Check("registry", "ECR Public's registry", 40, look)

"""Does ECR Public's API answer?"""

from __future__ import annotations

from unhub.doctor.checking import Check
from unhub.doctor.checks._replies import any_answer
from unhub.doctor.machine import Machine
from unhub.doctor.verdict import Verdict


async def look(machine: Machine) -> Verdict:
    """Any answer will do: without a signature it is an error."""
    return any_answer(machine.control_plane, await machine.web.get(machine.control_plane), "ECR Public's API, for logins")


CHECK = Check("control-plane", "ECR Public's API", 30, look)

"""Does docker's daemon answer?"""

from __future__ import annotations

from unhub.doctor.checking import Check
from unhub.doctor.checks._daemon import info
from unhub.doctor.machine import Machine, NoReply, Reply
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, skipped


async def look(machine: Machine) -> Verdict:
    """``/_ping``, where this user's docker would ask."""
    docker = machine.docker
    reply = await docker.get("/_ping")
    if reply is None:
        return skipped(f"docker's daemon is at {docker.host}, and only unix:// and plain tcp:// are spoken here")
    if isinstance(reply, Reply):
        if reply.answer.status != 200:
            return failed(f"what is at {docker.host} does not answer as docker's daemon: {reply.answer.status}")
        version = (await info(machine) or {}).get("ServerVersion")
        return ok(f"docker's daemon {f'{version} ' if version else ''}answers at {docker.host}")
    if await machine.run(("docker", "--version"), 10) is None:
        return skipped("docker is not installed here")
    return _unreachable(machine, reply)


def _unreachable(machine: Machine, reply: NoReply) -> Verdict:
    host = machine.docker.host
    if machine.environment.get("CODEBUILD_BUILD_ID"):
        mend = [Remedy("Switch on privileged mode of the CodeBuild project; see what it says:", "unhub doctor --codebuild PROJECT")]
    elif "permission" in reply.cause.lower():
        mend = [Remedy("Let this user use it, then log in anew:", "sudo usermod -aG docker $USER")]
    else:
        mend = [Remedy("Start it:", "sudo systemctl start docker")]
    return failed(f"docker's daemon does not answer at {host}: {reply.cause}", *mend)


CHECK = Check("docker-daemon", "Docker's daemon", 150, look, network=False)

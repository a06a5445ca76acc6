"""Does the default region have ECR Public's API? The pitfall of the story."""

from __future__ import annotations

from unhub.data.aws import api_regions
from unhub.doctor.checking import Check
from unhub.doctor.machine import Machine, in_thread
from unhub.doctor.verdict import Remedy, Verdict, ok, warning

LOGIN = "aws ecr-public get-login-password --region {region} | docker login --username AWS --password-stdin public.ecr.aws"


async def look(machine: Machine) -> Verdict:
    """AWS_REGION (version 2 of the command line), AWS_DEFAULT_REGION, then the profile's."""
    variable = next((name for name in ("AWS_REGION", "AWS_DEFAULT_REGION") if machine.environment.get(name)), None)
    region = machine.environment[variable] if variable else (await in_thread(machine.session)).region()
    source = variable or "the profile"
    known = api_regions()
    mend = Remedy("Name the region in every login (`unhub login` always does):", LOGIN.format(region=known[0]))
    if region in known:
        return ok(f"{region} ({source}) has ECR Public's API")
    if not region:
        return warning("no default region is set: a login without --region fails", mend)
    return warning(
        f"the default region {region} ({source}) has no ECR Public: a login without --region fails there, and docker then complains "
        "about a non TTY device",
        mend,
    )


CHECK = Check("region", "AWS region", 100, look, network=False)

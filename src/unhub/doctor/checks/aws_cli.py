"""Does the AWS CLI know ``aws ecr-public``?"""

from __future__ import annotations

import re

from unhub.data.doctor import aws_cli_versions
from unhub.doctor.checking import Check
from unhub.doctor.machine import Machine
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, skipped, warning

_VERSION = re.compile(r"aws-cli/(?P<version>(?P<major>\d+)\.\d+\.\d+)")


async def look(machine: Machine) -> Verdict:
    """By its version: asking it for the command itself takes seconds."""
    ran = await machine.run(("aws", "--version"), 15)
    if ran is None:
        return skipped("the AWS CLI is not installed; `unhub login` needs none")
    match = _VERSION.search(ran.out + ran.err)
    if match is None:
        return warning(
            f"`aws --version` ended with {ran.status} and told no version", Remedy("Run it and read its error:", "aws --version")
        )
    fact = aws_cli_versions().get(match["major"])
    if fact and _numbers(match["version"]) < _numbers(fact.knows_since):
        return failed(
            f"the AWS CLI {match['version']} does not know ecr-public, which came with {fact.knows_since} {fact.cite()}",
            Remedy("Upgrade it, or log in without it:", "unhub login"),
        )
    return ok(f"the AWS CLI {match['version']} knows ecr-public")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


CHECK = Check("aws-cli", "AWS CLI", 110, look, network=False)

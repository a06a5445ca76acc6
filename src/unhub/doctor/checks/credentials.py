"""Are there AWS credentials, and whose are they?"""

from __future__ import annotations

from unhub.doctor.checking import Check
from unhub.doctor.machine import Machine, in_thread
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, skipped, warning
from unhub.image.errors import AwsError


async def look(machine: Machine) -> Verdict:
    """Where they come from, and what AWS says to them."""
    session = await in_thread(machine.session)
    try:
        found = await in_thread(session.credentials)
    except AwsError as error:
        return failed(error.message, *([Remedy(error.hint)] if error.hint else []))
    if found is None:
        return warning(
            "there are no AWS credentials: images are pulled without a login, at the rate for strangers",
            Remedy("See where AWS's command line looks, and log in in one of its ways:", "aws configure list"),
            Remedy("On AWS give the machine, the build or the pod a role"),
        )
    where = f"from {found.source}, access key …{found.key_ending}"
    try:
        identity = await in_thread(session.identity)
    except AwsError as error:
        if error.aws_code is None:
            return skipped(f"AWS could not be asked whose they are: {error.message}").having(where)
        return failed(error.message, *([Remedy(error.hint)] if error.hint else [])).having(where)
    return ok(identity, where)


CHECK = Check("credentials", "AWS credentials", 90, look)

"""May we log in? Both permissions at once, by trying."""

from __future__ import annotations

import re

from unhub.doctor.checking import Check
from unhub.doctor.log.suggesting import subject_option
from unhub.doctor.machine import Machine, in_thread
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, skipped
from unhub.image.errors import AwsError

_ARN = re.compile(r"User: (\S{1,300}) is not authorized")


async def look(machine: Machine) -> Verdict:
    """A password that is got and thrown away needs ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken."""
    session = await in_thread(machine.session)
    try:
        if await in_thread(session.credentials) is None:
            return skipped("there are no AWS credentials to try with")
        password = await in_thread(machine.password)
    except AwsError as error:
        if error.aws_code is None:
            return skipped(error.message, *([Remedy(error.hint)] if error.hint else []))
        return failed(error.message, *_remedies(error))
    return ok(f"AWS gave out a password in {password.region}, good until {password.expires_at:%Y-%m-%d %H:%M} UTC; it was not kept")


def _remedies(error: AwsError) -> list[Remedy]:
    if not (error.aws_code or "").startswith("AccessDenied") or "denied by a policy" in error.message:
        return [Remedy(error.hint)] if error.hint else []
    arn = _ARN.search(error.message)
    who = (subject_option(arn[1]) if arn else None) or "--role ROLE"
    return [Remedy("Grant both permissions; this prints the policy and the command that attaches it:", f"unhub iam-policy {who}")]


CHECK = Check("permissions", "Permission to log in", 120, look)

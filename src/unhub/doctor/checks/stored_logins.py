"""Is an old login stored? It makes pulls fail that would work without any."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from unhub.aws.login import expiry_of
from unhub.data.aws import fetching_helpers, public_registries
from unhub.doctor.checking import Check
from unhub.doctor.machine import Logins, Machine, in_thread
from unhub.doctor.verdict import Remedy, Verdict, failed, ok
from unhub.image.errors import UnhubError
from unhub.registry.credentials import LoginFile

LOGOUTS = {"docker": "docker logout", "podman": "podman logout", "helm": "helm registry logout"}


async def look(machine: Machine) -> Verdict:
    """Every login for ECR Public, by the date inside of it (ecr-public.md, 2.4)."""
    return await in_thread(lambda: _judged(machine))


def _judged(machine: Machine) -> Verdict:
    evidence: list[str] = []
    remedies: list[Remedy] = []
    for logins in machine.logins:
        for line, remedy in _looked(logins, machine.clock()):
            evidence.append(line)
            remedies += [remedy] if remedy else []
    if remedies:
        return failed("a stored login for ECR Public is of no use, and docker sends it all the same", *remedies).having(*evidence)
    return ok("no stored login stands in the way", *evidence)


def _looked(logins: Logins, now: datetime.datetime) -> Iterator[tuple[str, Remedy | None]]:
    if isinstance(logins.file, UnhubError):
        yield f"{logins.names}: {logins.file.message}", Remedy(logins.file.hint or "Mend that file")
        return
    for registry in public_registries():
        try:
            yield from _of_registry(logins.names, logins.file, registry, now)
        except UnhubError as error:
            yield f"{logins.names}: {error.message}", Remedy(error.hint or "Mend it")


def _of_registry(names: str, file: LoginFile, registry: str, now: datetime.datetime) -> Iterator[tuple[str, Remedy | None]]:
    helper = file.helper_for(registry)
    if helper and helper.name in fetching_helpers():
        yield f"{names}: {helper.program} fetches a new one for {registry} when it is asked", None
        return
    credential = file.find(registry)
    if credential is None:
        return
    until = expiry_of(credential.secret)
    if until is None:
        yield f"{names}: {credential.source} has a login for {registry} that does not say until when it holds", None
    elif until > now:
        yield f"{names}: {credential.source} has a login for {registry} until {until:%Y-%m-%d %H:%M} UTC", None
    else:
        line = f"{names}: the login for {registry} in {credential.source} ended {until:%Y-%m-%d %H:%M} UTC"
        logout = LOGOUTS.get(names.partition(",")[0], "docker logout")
        yield line, Remedy("Forget it; pulls then go on without a login (`unhub login` renews it):", f"{logout} {registry}")


CHECK = Check("stored-logins", "Stored logins", 130, look, network=False)

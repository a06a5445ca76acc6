"""Is an old login stored? It makes pulls fail that would work without any."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class _Seen:
    """A line about a login, what mends it if something is wrong, and whether that is a file or a store that cannot be read."""

    line: str
    remedy: Remedy | None = None
    unreadable: bool = False


def _judged(machine: Machine) -> Verdict:
    seen = list(dict.fromkeys(one for logins in machine.logins for one in _looked(logins, machine.clock())))
    lines = [one.line for one in seen]
    wrong = [one for one in seen if one.remedy]
    if not wrong:
        return ok("no stored login stands in the way", *lines)
    if all(one.unreadable for one in wrong):
        said = "stored logins cannot be read, so pulls fail or go on without a login"
    else:
        said = "a stored login for ECR Public is of no use, and docker sends it all the same"
    return failed(said, *dict.fromkeys(one.remedy for one in wrong if one.remedy)).having(*lines)


def _looked(logins: Logins, now: datetime.datetime) -> Iterator[_Seen]:
    if isinstance(logins.file, UnhubError):
        yield _unreadable(logins.file)
        return
    for registry in public_registries():
        try:
            yield from _of_registry(logins.names, logins.file, registry, now)
        except UnhubError as error:
            yield _unreadable(error)


def _unreadable(error: UnhubError) -> _Seen:
    """Without the program's name: several programs read the same file, and one line is enough."""
    return _Seen(error.message, Remedy(error.hint or "Mend it"), unreadable=True)


def _of_registry(names: str, file: LoginFile, registry: str, now: datetime.datetime) -> Iterator[_Seen]:
    helper = file.helper_for(registry)
    if helper and helper.name in fetching_helpers():
        yield _Seen(f"{names}: {helper.program} fetches a new one for {registry} when it is asked")
        return
    credential = file.find(registry)
    if credential is None:
        return
    until = expiry_of(credential.secret)
    if until is None:
        yield _Seen(f"{names}: {credential.source} has a login for {registry} that does not say until when it holds")
    elif until > now:
        yield _Seen(f"{names}: {credential.source} has a login for {registry} until {until:%Y-%m-%d %H:%M} UTC")
    else:
        line = f"{names}: the login for {registry} in {credential.source} ended {until:%Y-%m-%d %H:%M} UTC"
        logout = LOGOUTS.get(names.partition(",")[0], "docker logout")
        yield _Seen(line, Remedy("Forget it; pulls then go on without a login (`unhub login` renews it):", f"{logout} {registry}"))


CHECK = Check("stored-logins", "Stored logins", 130, look, network=False)

"""Do the credential helpers that docker's settings name exist, and do they work?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from unhub.doctor.checking import Check
from unhub.doctor.machine import Machine
from unhub.doctor.verdict import Remedy, Verdict, failed, ok
from unhub.image.errors import UnhubError
from unhub.registry.helper_program import PREFIX

CONFIG_MAX = 4 * 1024 * 1024


async def look(machine: Machine) -> Verdict:
    """Each helper is asked for its list, as nothing else of the protocol changes nothing and needs no registry."""
    helpers: dict[str, str] = {}
    for logins in machine.logins:
        if not isinstance(logins.file, UnhubError):
            for name, setting in _helpers(logins.file.path).items():
                helpers.setdefault(name, f"{setting} in {logins.file.shown}")
    if not helpers:
        return ok("no credential store is set: logins lie in the files themselves")
    told = await asyncio.gather(*(_problem(machine, name) for name in helpers))
    wrong = {name: problem for name, problem in zip(helpers, told, strict=True) if problem}
    if not wrong:
        return ok("the credential helpers work", *(f"{PREFIX}{name}: {setting}" for name, setting in helpers.items()))
    name, problem = next(iter(wrong.items()))
    return failed(
        f"{PREFIX}{name}, which {helpers[name]} asks for, {problem}; docker fails with it even where no login is needed",
        Remedy("Install or mend it, or take that setting out. It fails by itself, too:", f"{PREFIX}{name} list"),
    ).having(*(f"{PREFIX}{one}: {what}" for one, what in wrong.items()))


async def _problem(machine: Machine, name: str) -> str | None:
    ran = await machine.run((f"{PREFIX}{name}", "list"), 10)
    if ran is None:
        return "is not installed"
    if ran.status == 0:
        return None
    said = (ran.out.strip() or ran.err.strip()).partition("\n")[0][:200]
    return f"ended with {ran.status}" + (f" and said: {said}" if said else "")


def _helpers(path: Path) -> dict[str, str]:
    """The helpers that a file names, with the setting that does."""
    try:
        with path.open("rb") as file:
            document: object = json.loads(file.read(CONFIG_MAX))
    except (OSError, ValueError, RecursionError):
        return {}  # the check of the logins tells about the file itself
    fields = {key.lower(): value for key, value in cast("Mapping[str, object]", document if isinstance(document, dict) else {}).items()}
    found: dict[str, str] = {}
    store, helpers = fields.get("credsstore"), fields.get("credhelpers")
    if isinstance(store, str) and store:
        found[store] = "credsStore"
    for name in cast("Mapping[str, object]", helpers if isinstance(helpers, dict) else {}).values():
        if isinstance(name, str) and name:
            found.setdefault(name, "credHelpers")
    return found


CHECK = Check("credential-store", "Credential store", 140, look, network=False)

"""Which proxies are set, and do docker and its daemon agree with the shell?"""

from __future__ import annotations

from unhub.doctor.checking import Check
from unhub.doctor.checks._daemon import info
from unhub.doctor.log.masking import masked
from unhub.doctor.machine import Machine
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, warning

NAMES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


async def look(machine: Machine) -> Verdict:
    """The variables in both spellings, and what the daemon says of its own."""
    found = {name: (machine.environment.get(name.lower()), machine.environment.get(name)) for name in NAMES}
    said = tuple(f"{name}: {masked(lower or upper or '')}" for name, (lower, upper) in found.items() if lower or upper)
    differ = [name for name, (lower, upper) in found.items() if lower and upper and lower != upper]
    if differ:
        names = ", ".join(differ)
        verdict = warning(
            f"two spellings of one variable disagree: {names}",
            Remedy(f"Set {names} and its lower-case twin to the same value, or only one"),
        )
        return verdict.having(*said)
    https = next((value for value in found["HTTPS_PROXY"] if value), None)
    if https and "://" in https and not https.lower().startswith(("http://", "https://")):
        return failed(
            "HTTPS_PROXY names a proxy of a kind that docker and unhub do not speak", Remedy("Name an http:// proxy in HTTPS_PROXY")
        ).having(*said)
    return (await _with_daemon(machine, https)).having(*said)


async def _with_daemon(machine: Machine, https: str | None) -> Verdict:
    """dockerd pulls, and has proxies of its own: those of the shell mean nothing to it."""
    told = await info(machine)
    daemon = str((told or {}).get("HttpsProxy") or (told or {}).get("HttpProxy") or "")
    if https and told and not daemon:
        return warning(
            "a proxy is set here, but docker's daemon has none, and it is the daemon that pulls",
            Remedy(
                'Put it into /etc/docker/daemon.json, {"proxies": {"https-proxy": "…"}}, and restart the daemon:',
                "sudo systemctl restart docker",
            ),
        )
    if not https and not daemon:
        return ok("no proxy is set")
    return ok("a proxy is set" if https else f"only docker's daemon has a proxy: {masked(daemon)}")


CHECK = Check("proxies", "Proxies", 20, look, network=False)

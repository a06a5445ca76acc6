"""Are the certificates of the hosts trusted here?"""

from __future__ import annotations

import asyncio

from unhub.data.doctor import needed_host
from unhub.doctor.checking import Check
from unhub.doctor.checks.registry import REGISTRY
from unhub.doctor.machine import Certificate, Machine, NoReply
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, skipped, warning
from unhub.registry.addresses import parse_url

SOON_DAYS = 7


async def look(machine: Machine) -> Verdict:
    """A handshake with each host; where a proxy stands in between, the other checks tell."""
    urls = [machine.control_plane, *machine.registries.values(), *([] if REGISTRY in machine.moved else [needed_host("content").url])]
    addresses = [parse_url(url) for url in urls if not machine.web.proxy(url)]
    wanted = list(dict.fromkeys((address.host, address.port) for address in addresses if address.scheme == "https"))
    if not wanted:
        return skipped("no host is asked by https without a proxy")
    found = dict(zip(wanted, await asyncio.gather(*(machine.web.certificate(*one) for one in wanted)), strict=True))
    untrusted = {host: one.cause for (host, _), one in found.items() if isinstance(one, NoReply) and "certificate" in one.cause}
    shown = {host: one for (host, _), one in found.items() if isinstance(one, Certificate)}
    evidence = [f"{host}: issued by {one.issuer}, until {one.until:%Y-%m-%d}" for host, one in shown.items()]
    if untrusted:
        host, cause = next(iter(untrusted.items()))
        return failed(
            f"the certificate of {host} is not trusted here: {cause}",
            Remedy("See who issued it; a proxy that opens TLS shows its own:", f"openssl s_client -connect {host}:443 -servername {host}"),
            Remedy("Name that authority's file: AWS_CA_BUNDLE for aws, /etc/docker/certs.d/HOST/ca.crt for docker, --ca for unhub"),
        ).having(*evidence)
    if not shown:
        return skipped("no host could be reached to show its certificate")
    soon = [host for host, one in shown.items() if (one.until - machine.clock()).days < SOON_DAYS]
    if soon:
        return warning(f"a certificate ends within {SOON_DAYS} days, by this machine's clock: {', '.join(soon)}").having(*evidence)
    return ok(f"{len(shown)} certificates are trusted", *evidence)


CHECK = Check("certificates", "Certificates", 70, look)

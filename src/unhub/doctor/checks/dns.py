"""Do the names of the hosts resolve?"""

from __future__ import annotations

import asyncio

from unhub.data.doctor import needed_host
from unhub.doctor.checking import Check
from unhub.doctor.checks import docker_hub, registry
from unhub.doctor.machine import Machine, NoReply
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, skipped
from unhub.registry.addresses import is_loopback, parse_url


async def look(machine: Machine) -> Verdict:
    """All hosts at once; those that a proxy is asked for are its to resolve."""
    urls = [machine.control_plane, *machine.registries.values()]
    urls += [] if docker_hub.REGISTRY in machine.moved else [needed_host("docker-hub-tokens").url]
    urls += [] if registry.REGISTRY in machine.moved else [needed_host("content").url]
    addresses = [parse_url(url) for url in urls if not machine.web.proxy(url)]
    hosts = list(dict.fromkeys(address.host for address in addresses if not is_loopback(address.host)))
    if not hosts:
        return skipped("no name has to be resolved here: everything goes through a proxy or stays on this machine")
    found = dict(zip(hosts, await asyncio.gather(*map(machine.resolve, hosts)), strict=True))
    wrong = {host: answer for host, answer in found.items() if isinstance(answer, NoReply)}
    if not wrong:
        return ok(f"{len(hosts)} host names resolve", *(f"{host}: {', '.join(found[host])}" for host in hosts))  # pyright: ignore
    return failed(
        f"{len(wrong)} of {len(hosts)} host names do not resolve: {', '.join(wrong)}",
        Remedy("See which name server this machine asks, and ask it:", f"nslookup {next(iter(wrong))}"),
        Remedy("Behind a proxy the proxy resolves: set HTTPS_PROXY"),
    ).having(*(f"{host}: {answer.cause}" for host, answer in wrong.items()))


CHECK = Check("dns", "Host names", 10, look)

"""Faults of the matrix that concern the mirror itself, or the way to its upstream: each has a mirror of its own."""

from __future__ import annotations

import concurrent.futures
import resource
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import trustme

from tests.faults.mirror.matrix import Fault, Row, Site, corners, try_one
from tests.hub import docker_hub
from tests.mirror import wait_until


def killed(process: str) -> Any:
    """It dies, before each situation anew."""

    def arm(site: Site) -> None:
        wait_until(lambda: process in site.mirror.processes)
        with suppress(ProcessLookupError):  # the one before; the next is being started
            site.mirror.kill(process)

    return arm


def full(most: int) -> Any:
    """The limit on a file's size stands for the disk: writing fails beyond it, in every process of the mirror."""

    def arm(site: Site) -> None:
        for name, pid in site.mirror.processes.items():
            if name != "supervisor":
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    return arm


def moved(site: Site, url: str) -> None:
    """The upstream is to be found at another URL; the mirror takes that over as it runs."""
    config = site.mirror.folder / "unhub.toml"
    config.write_text(config.read_text().replace(f'"{site.hub.url}"', f'"{url}"'))
    before = site.mirror.processes["fetcher"]
    site.mirror.kill("supervisor", signal.SIGHUP)
    wait_until(lambda: site.mirror.processes.get("fetcher", before) != before)


def unknown_name(site: Site) -> None:
    moved(site, "https://registry.invalid")


def broken_tls(site: Site) -> None:
    """Somebody else's certificate: there is a registry, and it cannot prove who it is."""
    certificate = trustme.CA().issue_cert("127.0.0.1")
    chain, key = site.mirror.folder / "chain.pem", site.mirror.folder / "key.pem"
    chain.write_bytes(b"".join(one.bytes() for one in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    stranger = docker_hub(images=(), certificate=chain, key=key)
    site.open.append(stranger)
    moved(site, stranger.__enter__().url)


OWN_FAULTS = (
    Fault(name="the upstream's certificate is a stranger's", arm=broken_tls),
    Fault(name="the upstream's name cannot be found", arm=unknown_name, least=5.0),
    Fault(name="the volume has no room for a layer", arm=full(1_200_000), cuts=False),
    Fault(name="the volume is full to the last byte", arm=full(1), cuts=False),
    Fault(name="the fetcher is killed, again and again", arm=killed("fetcher"), cuts=False, again=True),
    Fault(name="the worker is killed, again and again", arm=killed("worker 1"), cuts=False, again=True),
)


def run_own(folder: Path, faults: Sequence[Fault] = OWN_FAULTS, *, hold: float = 25.0) -> list[Row]:
    """Each fault with a fallback behind the mirror, several at the same time."""

    def one(number: int, fault: Fault) -> Row:
        place = folder / f"own{number}"
        place.mkdir(parents=True)
        with corners(place, [fault], fallback=True, hold=hold) as (site,):
            try:
                return try_one(site, fault)
            finally:
                for stranger in site.open:
                    stranger.__exit__(None, None, None)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        return list(pool.map(one, range(len(faults)), faults))

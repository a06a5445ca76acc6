"""The mirror as its clients see it: an address, how it is trusted, and what it has."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from unhub.image.errors import UsageError
from unhub.registry.addresses import is_loopback, parse_url

DOCKER_HUB: Final = "docker.io"
"""What Docker Hub is called in references, in ``?ns=`` and in every client's settings."""

DEFAULT: Final = "http://127.0.0.1:5000"
"""Where ``unhub serve`` listens unless it is told otherwise."""

_REGISTRY = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]+\n)+-----END CERTIFICATE-----")
_EXAMPLE: Final = f"Write it like {DEFAULT} or https://mirror.example.com"


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror. ``ca`` is its authority's certificate (PEM), ``None`` where the system's trust is enough.

    ``registries`` are the registries that are pulled through it, as references spell them.
    """

    scheme: str
    host: str
    port: int
    ca: str | None = field(default=None, repr=False)
    registries: tuple[str, ...] = (DOCKER_HUB,)

    @classmethod
    def at(cls, url: str, *, ca: str | None = None, registries: tuple[str, ...] = (DOCKER_HUB,)) -> Mirror:
        """The mirror at a URL of scheme, host and port. Raises :class:`UsageError` for what no client could be given."""
        try:
            address = parse_url(url)
        except ValueError as error:
            raise UsageError(f"cannot use the server {url!r}: {error}", hint=_EXAMPLE) from None
        if address.target not in ("", "/"):
            # dockerd refuses a registry-mirror with a path, and the names below the root are the mirror's own.
            raise UsageError(f"cannot use the server {url!r}: it has a path, and a mirror is the root of its server", hint=_EXAMPLE)
        if ":" in address.host:
            raise UsageError(
                f"cannot use the server {url!r}: image references have no place for an IPv6 address",
                hint="Use a name, or an IPv4 address",
            )
        certificates = None if ca is None else _certificates(address.scheme, ca)
        for registry in registries:
            if not _REGISTRY.fullmatch(registry):
                raise UsageError(f"cannot use the registry {registry!r}: it is no host name", hint="Write it like quay.io")
        others = tuple(name for name in dict.fromkeys(registries) if name != DOCKER_HUB)
        return cls(address.scheme, address.host, address.port, certificates, (DOCKER_HUB, *others))

    @property
    def address(self) -> str:
        """Host and port as they stand in references and in the names of certificate folders: without port where https has its own."""
        return self.host if self.scheme == "https" and self.port == 443 else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of the root."""
        return f"{self.scheme}://{self.address}"

    @property
    def plain(self) -> bool:
        """Whether it speaks http."""
        return self.scheme == "http"

    @property
    def local(self) -> bool:
        """Whether its address means the very machine (or container) that asks."""
        return is_loopback(self.host)

    @property
    def others(self) -> tuple[str, ...]:
        """The registries beside Docker Hub."""
        return self.registries[1:]


def _certificates(scheme: str, text: str) -> str:
    """The certificates of a PEM file and nothing else, since they are written into scripts. Raises :class:`UsageError`."""
    if scheme != "https":
        raise UsageError("cannot use a CA: the server is asked by http", hint="Give its https URL with --server")
    if "PRIVATE KEY-----" in text:
        raise UsageError("cannot use the CA: there is a private key in the file, and it would be spread", hint="Give the certificate alone")
    found = _CERTIFICATE.findall(text.replace("\r\n", "\n"))
    if not found:
        raise UsageError("cannot use the CA: the file holds no PEM certificate", hint="Give the certificate that `unhub certificate` wrote")
    return "".join(f"{certificate}\n" for certificate in found)

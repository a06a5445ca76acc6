"""Networks as people list them: which addresses belong to them, found quickly among ten thousand.

Lists are files of one address or network (CIDR) a line, or AWS's published ``ip-ranges.json``
(https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html), of which regions and services may be chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final

import msgspec

from unhub.image.errors import UsageError

SIZE_MAX: Final = 64 * 1024 * 1024
"""Bytes of the largest file that is read; AWS's own has 2 million."""

SHOWN_MAX: Final = 12
"""Names that an error lists."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class _Prefix(msgspec.Struct, frozen=True):
    region: str = ""
    service: str = ""
    ip_prefix: str = ""
    ipv6_prefix: str = ""


class _Ranges(msgspec.Struct, frozen=True):
    prefixes: list[_Prefix]
    ipv6_prefixes: list[_Prefix]


@dataclass(frozen=True, slots=True)
class Networks:
    """Any number of networks of both families; an address is looked up once for each length of prefix that they have."""

    _by_length: dict[tuple[int, int], frozenset[int]] = field(default_factory=dict[tuple[int, int], frozenset[int]])

    @classmethod
    def of(cls, networks: Iterable[Network]) -> Networks:
        """These networks."""
        found: dict[tuple[int, int], set[int]] = {}
        for network in networks:
            shift = network.max_prefixlen - network.prefixlen
            found.setdefault((network.version, shift), set()).add(int(network.network_address) >> shift)
        return cls({place: frozenset(numbers) for place, numbers in found.items()})

    def __bool__(self) -> bool:
        return bool(self._by_length)

    def __len__(self) -> int:
        return sum(map(len, self._by_length.values()))

    def __contains__(self, address: Address) -> bool:
        number = int(address)
        return any(version == address.version and number >> shift in numbers for (version, shift), numbers in self._by_length.items())


def parse_address(text: str) -> Address | None:
    """An address without zone, an IPv4 one that came as IPv6 (``::ffff:192.0.2.7``) as itself; ``None`` for anything else."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def parse_network(text: str) -> Network:
    """A network (CIDR) or address. Raises :class:`UsageError`."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise UsageError(f"cannot use the network {text[:60]!r}: {error}", hint="Write it like 10.0.0.0/8 or 2001:db8::/32") from None


def read_networks(paths: Sequence[Path], regions: Sequence[str] = (), services: Sequence[str] = ()) -> Networks:
    """The networks of files; ``regions`` and ``services`` choose among those of AWS's files, ``()`` means all.

    Raises :class:`UsageError` for a file that cannot be read, with its line, and where nothing is of a region or service.
    """
    return Networks.of(network for path in paths for network in _read(path, regions, services))


def _read(path: Path, regions: Sequence[str], services: Sequence[str]) -> Iterator[Network]:
    try:
        if path.stat().st_size > SIZE_MAX:
            raise UsageError(f"cannot read the networks in {path}: it has more than {SIZE_MAX} bytes")
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read the networks in {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read the networks in {path}: it is not UTF-8") from None
    if text.lstrip().startswith("{"):
        yield from _published(path, text, regions, services)
    else:
        yield from _listed(path, text)


def _listed(path: Path, text: str) -> Iterator[Network]:
    for number, line in enumerate(text.splitlines(), 1):
        written = line.partition("#")[0].strip()
        if written:
            try:
                yield parse_network(written)
            except UsageError as error:
                raise UsageError(f"{path}:{number}: {error.message}", hint=error.hint) from None


def _published(path: Path, text: str, regions: Sequence[str], services: Sequence[str]) -> Iterator[Network]:
    try:
        ranges = msgspec.json.decode(text, type=_Ranges)
    except msgspec.MsgspecError as error:
        raise UsageError(f"cannot read the networks in {path}: it is not like AWS's ip-ranges.json ({error})") from None
    rows = [*ranges.prefixes, *ranges.ipv6_prefixes]
    _check(path, "region", regions, {row.region for row in rows})
    _check(path, "service", services, {row.service for row in rows})
    for row in rows:
        if (not regions or row.region in regions) and (not services or row.service in services):
            try:
                yield parse_network(row.ip_prefix or row.ipv6_prefix)
            except UsageError as error:
                raise UsageError(f"{path}: {error.message}") from None


def _check(path: Path, what: str, wanted: Sequence[str], known: set[str]) -> None:
    for name in wanted:
        if name not in known:
            some = sorted(known)
            more = f", and {len(some) - SHOWN_MAX} more" if len(some) > SHOWN_MAX else ""
            hint = f"It has {', '.join(some[:SHOWN_MAX])}{more}"
            raise UsageError(f"cannot use the {what} {name!r}: no network in {path} is of it", hint=hint)

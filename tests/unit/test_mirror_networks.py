"""Lists of networks: looked up exactly, read strictly, and chosen by region and service."""

from __future__ import annotations

import json
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.image.errors import UsageError
from unhub.mirror.networks import Networks, parse_address, parse_network, read_networks

RANGES = {
    "syncToken": "1700000000",
    "createDate": "2026-11-20-00-00-00",
    "prefixes": [
        {"ip_prefix": "198.51.100.0/24", "region": "us-east-1", "service": "AMAZON", "network_border_group": "us-east-1"},
        {"ip_prefix": "198.51.100.0/25", "region": "us-east-1", "service": "EC2", "network_border_group": "us-east-1"},
        {"ip_prefix": "203.0.113.0/24", "region": "ap-northeast-1", "service": "EC2", "network_border_group": "ap-northeast-1"},
    ],
    "ipv6_prefixes": [
        {"ipv6_prefix": "2001:db8:ec2::/48", "region": "us-east-1", "service": "EC2", "network_border_group": "us-east-1"},
    ],
}

V4 = st.builds(
    lambda number, length: ip_network((number >> (32 - length) << (32 - length), length)), st.integers(0, 2**32 - 1), st.integers(1, 32)
)
V6 = st.builds(
    lambda number, length: ip_network((number >> (128 - length) << (128 - length), length)),
    st.integers(2**100, 2**128 - 1),
    st.integers(1, 128),
)


@given(st.lists(st.one_of(V4, V6), max_size=20), st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_an_address_is_inside_where_any_network_has_it(networks: list[IPv4Network | IPv6Network], address: object) -> None:
    found = Networks.of(networks)
    assert (address in found) == any(address in network for network in networks)
    for network in networks:
        assert network[0] in found
        assert network[-1] in found


def test_nothing_is_inside_of_no_networks() -> None:
    assert not Networks()
    assert ip_address("192.0.2.1") not in Networks()
    assert Networks.of([]) == Networks()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", None),
        ("192.0.2.07", None),
        ("", None),
    ],
)
def test_addresses_as_connections_and_proxies_write_them(text: str, address: str | None) -> None:
    assert parse_address(text) == (None if address is None else ip_address(address))


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "ten", "", "10.0.0.0/8/8"])
def test_a_network_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot use the network"):
        parse_network(text)


def test_a_plain_list_has_comments_and_single_addresses(tmp_path: Path) -> None:
    path = tmp_path / "vpc.txt"
    path.write_text("# our NAT gateways\n192.0.2.7\n\n10.0.0.0/8   # inside\n2001:db8::/32\n")
    found = read_networks([path])
    assert len(found) == 3
    assert all(ip_address(text) in found for text in ("192.0.2.7", "10.255.0.1", "2001:db8::1"))
    assert ip_address("192.0.2.8") not in found


def test_a_mistake_in_a_list_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "vpc.txt"
    path.write_text("10.0.0.0/8\n10.0.0.0/99\n")
    with pytest.raises(UsageError, match=r"vpc\.txt:2: cannot use the network '10\.0\.0\.0/99'"):
        read_networks([path])


@pytest.mark.parametrize(
    ("regions", "services", "inside", "outside"),
    [
        ([], [], ["198.51.100.200", "203.0.113.1", "2001:db8:ec2::1"], ["192.0.2.1"]),
        (["us-east-1"], [], ["198.51.100.200", "2001:db8:ec2::1"], ["203.0.113.1"]),
        ([], ["EC2"], ["198.51.100.1", "203.0.113.1"], ["198.51.100.200"]),
        (["us-east-1"], ["EC2"], ["198.51.100.1", "2001:db8:ec2::1"], ["198.51.100.200", "203.0.113.1"]),
    ],
)
def test_of_the_published_file_regions_and_services_are_chosen(
    tmp_path: Path, regions: list[str], services: list[str], inside: list[str], outside: list[str]
) -> None:
    path = tmp_path / "ip-ranges.json"
    path.write_text(json.dumps(RANGES))
    found = read_networks([path], regions, services)
    assert [ip_address(text) in found for text in inside] == [True] * len(inside)
    assert [ip_address(text) in found for text in outside] == [False] * len(outside)


def test_a_region_that_the_file_does_not_have_is_no_silent_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ip-ranges.json"
    path.write_text(json.dumps(RANGES))
    with pytest.raises(UsageError, match=r"cannot use the region 'us-esat-1': no network in .* is of it") as caught:
        read_networks([path], ["us-esat-1"])
    assert caught.value.hint == "It has ap-northeast-1, us-east-1"


@pytest.mark.parametrize("text", ["{", '{"prefixes": 1}', "{}", '{"prefixes": [{"ip_prefix": "x"}], "ipv6_prefixes": []}'])
def test_another_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ranges.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="cannot"):
        read_networks([path])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the networks in .*: No such file"):
        read_networks([tmp_path / "none.txt"])

"""Whom a login may be given to, and where a redirect may lead: the attacks on other clients, one by one."""

from __future__ import annotations

import ipaddress

import pytest

from unhub.registry.addresses import is_link_local, is_loopback, is_public, join_url, literal, parse_url
from unhub.registry.realms import check_realm, same_owner
from unhub.registry.redirects import next_address

HUB = "https://registry-1.docker.io"
ECR = "https://public.ecr.aws"
COMPANY = "https://registry.example.com"
LOCAL = "http://127.0.0.1:5000"


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        (HUB, "https://auth.docker.io/token"),
        (ECR, "https://public.ecr.aws/token/"),
        (ECR, "https://PUBLIC.ECR.AWS./token/"),
        ("https://ghcr.io", "https://ghcr.io/token"),
        ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth"),
        (COMPANY, "https://auth.example.com/token?account=x"),
        (COMPANY, "https://registry.example.com:8443/token"),
        ("https://r.example.co.uk", "https://auth.example.co.uk/token"),
        ("https://r.unhub.us-east-1.amazonaws.com", "https://r.unhub.us-east-1.amazonaws.com/token"),
        ("https://10.0.0.5:5000", "https://10.0.0.5:5001/auth"),
        (LOCAL, "http://127.0.0.1:5001/token"),
        (LOCAL, "http://localhost:5001/token"),
        ("https://localhost:5000", "https://[::1]:5001/token"),
    ],
)
def test_the_registry_s_own_token_service_is_trusted(registry: str, realm: str) -> None:
    assert check_realm(realm, parse_url(registry)).host


@pytest.mark.parametrize(
    ("registry", "realm", "reason"),
    [
        (HUB, "https://evil.example/token", "outside of the registry's own domain"),
        (HUB, "https://auth.docker.io.evil.example/token", "outside"),
        (HUB, "https://evil-docker.io/token", "outside"),
        (HUB, "http://auth.docker.io/token", "not https"),
        (HUB, "https://203.0.113.9/token", "an address"),
        (HUB, "https://169.254.169.254/latest/meta-data/", "an address"),
        (HUB, "http://169.254.169.254/latest/meta-data/", "not https"),
        (HUB, "https://[fd00:ec2::254]/token", "an address"),
        (HUB, "https://127.0.0.1/token", "an address"),
        (HUB, "https://[::1]/token", "an address"),
        (HUB, "https://localhost/token", "an address"),
        (HUB, "https://10.0.0.1/token", "an address"),
        (HUB, "https://2130706433/token", "a number that is no plain address"),
        (HUB, "https://0x7f.1/token", "a number that is no plain address"),
        (HUB, "https://127.1/token", "a number that is no plain address"),
        (HUB, "https://auth.docker.io@evil.example/token", "a user name"),
        (HUB, "https://user:password@auth.docker.io/token", "a user name"),
        (HUB, "https://evil.example\\@auth.docker.io/token", "characters that no URL has"),
        (HUB, "https://auth.docker.io\n.evil.example/", "characters that no URL has"),
        (HUB, "https://auth.docker.io /token", "characters that no URL has"),
        (HUB, "https://аuth.docker.io/token", "characters that no URL has"),  # a Cyrillic а
        (HUB, "//auth.docker.io/token", "no http or https URL"),
        (HUB, "/token", "no http or https URL"),
        (HUB, "file:///etc/passwd", "no http or https URL"),
        (HUB, "gopher://auth.docker.io/", "no http or https URL"),
        (HUB, "https://auth.docker.io:99999/token", "an impossible port"),
        (HUB, "https://io/token", "outside"),
        (HUB, "", "no http or https URL"),
        ("https://a.co.uk", "https://b.co.uk/token", "outside"),
        ("https://a.com.au", "https://b.com.au/token", "outside"),
        ("https://a.uk.com", "https://b.uk.com/token", "outside"),
        ("https://one.us-east-1.amazonaws.com", "https://two.us-east-1.amazonaws.com/token", "outside"),
        ("https://one.azurecr.io", "https://two.azurecr.io/token", "outside"),
        ("https://one.github.io", "https://github.io/token", "outside"),
        (COMPANY, "http://registry.example.com/token", "not https"),
        ("https://10.0.0.5:5000", "https://10.0.0.6:5001/auth", "an address"),
        ("https://10.0.0.5:5000", "http://10.0.0.5:5001/auth", "not https"),
        (LOCAL, "http://192.168.0.1/token", "not https"),
        (LOCAL, "https://evil.example/token", "outside"),
        (LOCAL, "http://127.0.0.1.evil.example/token", "not https"),
    ],
)
def test_any_other_token_service_gets_nothing(registry: str, realm: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_realm(realm, parse_url(registry))


def test_a_user_may_name_a_token_service_elsewhere_but_not_one_without_tls() -> None:
    registry = parse_url(COMPANY)
    assert check_realm("https://login.other.example/token", registry, {"login.other.example"}).host == "login.other.example"
    with pytest.raises(ValueError, match="not https"):
        check_realm("http://login.other.example/token", registry, {"login.other.example"})
    with pytest.raises(ValueError, match="an address"):
        check_realm("https://169.254.169.254/", registry, {"169.254.169.254"})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a.example.com", "b.example.com", True),
        ("example.com", "auth.example.com", True),
        ("a.deep.example.co.uk", "example.co.uk", True),
        ("com", "example.com", False),
        ("registry", "auth", False),
        ("registry", "registry", True),
        ("a.example.com", "a.example.org", False),
        ("a.co.uk", "co.uk", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("1.0.0.1", "2.0.0.1", False),
    ],
)
def test_one_owner_is_only_who_surely_is(one: str, other: str, same: bool) -> None:
    assert same_owner(one, other) is same
    assert same_owner(other, one) is same


@pytest.mark.parametrize(
    ("current", "location", "expected"),
    [
        (HUB + "/v2/x/blobs/y", "https://cdn.example/a?sig=%2Fb+c", "https://cdn.example/a?sig=%2Fb+c"),
        (HUB + "/v2/x/blobs/y", "/v2/z", "https://registry-1.docker.io/v2/z"),
        (HUB + "/v2/x/blobs/y", "//cdn.example/a#part", "https://cdn.example/a"),
        (HUB + "/v2/x/blobs/y", "https://8.8.8.8/a", "https://8.8.8.8/a"),
        (LOCAL + "/v2/", "http://127.0.0.2:99/a", "http://127.0.0.2:99/a"),
        (LOCAL + "/v2/", "https://cdn.example/a", "https://cdn.example/a"),
    ],
)
def test_redirects_lead_to_https_or_stay_on_this_machine(current: str, location: str, expected: str) -> None:
    assert str(next_address(parse_url(current), location, registry_is_private=False)) == expected


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://cdn.example/a", "not https"),
        ("http://127.0.0.1/a", "not https"),
        ("https://127.0.0.1/a", "only this machine"),
        ("https://localhost:2375/a", "only this machine"),
        ("https://169.254.169.254/a", "only this machine"),
        ("https://[fe80::1]/a", "only this machine"),
        ("https://[::ffff:169.254.169.254]/a", "only this machine"),
        ("https://[64:ff9b::a9fe:a9fe]/a", "only this machine"),
        ("https://0.0.0.0/a", "only this machine"),
        ("https://10.1.2.3/a", "private address"),
        ("https://192.168.1.1/a", "private address"),
        ("https://100.64.0.1/a", "private address"),
        ("https://[fd12::1]/a", "private address"),
        ("https://3232235777/a", "no plain address"),
        ("https://user@cdn.example/a", "user name"),
        ("ftp://cdn.example/a", "no http or https"),
        ("https://cdn.example/a b", "characters"),
        ("https://cdn.example\\.evil/a", "characters"),
    ],
)
def test_a_registry_on_the_internet_cannot_send_us_into_our_network(location: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        next_address(parse_url(HUB + "/v2/x/blobs/y"), location, registry_is_private=False)


def test_a_private_registry_may_use_its_own_network_but_no_metadata_service() -> None:
    registry = parse_url("https://registry.corp.example/v2/")
    assert next_address(registry, "https://10.1.2.3/a", registry_is_private=True).host == "10.1.2.3"
    with pytest.raises(ValueError, match="only this machine"):
        next_address(registry, "https://169.254.169.254/a", registry_is_private=True)


def test_addresses_are_told_apart_whatever_they_are_wrapped_in() -> None:
    def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        return ipaddress.ip_address(text)

    assert is_public(address("8.8.8.8"))
    assert is_public(address("64:ff9b::808:808"))
    assert not any(is_public(address(text)) for text in ("10.0.0.1", "::1", "::ffff:10.0.0.1", "2002:a00:1::", "224.0.0.1", "100.64.0.1"))
    assert is_link_local(address("fd00:ec2::254"))
    assert is_link_local(address("169.254.170.2"))
    assert [is_loopback(host) for host in ("LOCALHOST", "127.9.9.9", "[::1]", "127.1", "localhost.evil.example", "10.0.0.1")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert literal("example.com") is None


def test_a_url_is_written_as_it_was_read() -> None:
    assert str(parse_url("HTTPS://Registry.Example:443/v2/?x=%2f#top")) == "https://registry.example/v2/?x=%2f"
    assert str(parse_url("http://[::1]:80")) == "http://[::1]"
    assert parse_url("http://[::1]:5000/").netloc == "[::1]:5000"
    assert str(join_url(parse_url("https://a.example/v2/x/tags/list?n=2"), "?n=2&last=b")) == "https://a.example/v2/x/tags/list?n=2&last=b"

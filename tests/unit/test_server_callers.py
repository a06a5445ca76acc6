"""Who asks: the connection's address, unless a trusted proxy says another; what strangers write is never believed."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.mirror.networks import Networks
from unhub.server.callers import KEPT_MAX, Callers

PROXIES = Networks.of([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])
AWS = Networks.of([ip_network("198.51.100.0/24")])


def scope_of(peer: str | None, **headers: str) -> dict[str, object]:
    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"client": None if peer is None else (peer, 4711), "headers": named}


def asked(peer: str, said: str, header: str = "x-forwarded-for") -> str:
    return Callers(PROXIES, header).note({"client": (peer, 1), "headers": [(header.encode(), said.encode("latin-1"))]}).address


@pytest.mark.parametrize(
    ("peer", "address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::1", "::1"),
    ],
)
def test_without_proxies_it_is_the_connection_that_counts(peer: str, address: str, counted: str) -> None:
    note = Callers().note(scope_of(peer, x_forwarded_for="203.0.113.9", forwarded="for=203.0.113.9"))
    assert (note.address, note.caller) == (address, counted)


def test_a_connection_without_an_address() -> None:
    note = Callers(PROXIES).note(scope_of(None))
    assert (note.address, note.caller) == ("", "")


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.1.1.1", "203.0.113.9"),
        ("203.0.113.9,10.1.1.1 ,10.2.2.2", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
        ("10.1.1.1", "10.1.1.1"),
        ("203.0.113.9:55555", "203.0.113.9"),
        ("[2001:db8::9]:443", "2001:db8::9"),
        ("2001:db8::9", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, unknown", "10.0.0.1"),
        ("203.0.113.9, unknown, 10.1.1.1", "10.1.1.1"),
        ("", "10.0.0.1"),
        (",", "10.0.0.1"),
        ("\xff\xfe", "10.0.0.1"),
    ],
)
def test_a_trusted_proxy_is_believed_as_far_as_its_own_word_goes(said: str, address: str) -> None:
    assert asked("10.0.0.1", said) == address


@pytest.mark.parametrize(
    ("header", "said", "scheme"),
    [
        ("x-forwarded-for", {"x_forwarded_proto": "https"}, "https"),
        ("x-forwarded-for", {"x_forwarded_proto": "HTTP, https"}, "https"),
        ("x-forwarded-for", {"x_forwarded_proto": "https, http"}, "http"),
        ("x-forwarded-for", {"x_forwarded_proto": "gopher"}, "http"),
        ("x-forwarded-for", {"forwarded": "proto=https"}, "http"),
        ("forwarded", {"forwarded": 'for=192.0.2.1;proto="https"'}, "https"),
        ("forwarded", {"forwarded": "proto=https, for=10.1.1.1;proto=http"}, "http"),
        ("forwarded", {"x_forwarded_proto": "https"}, "http"),
    ],
)
def test_a_trusted_proxy_says_by_which_scheme_it_was_asked(header: str, said: dict[str, str], scheme: str) -> None:
    """Otherwise the realm of a challenge would send passwords over plain HTTP to the proxy."""
    asking = {**scope_of("10.0.0.1", **said), "scheme": "http"}
    Callers(PROXIES, header).note(asking)
    assert asking["scheme"] == scheme
    stranger = {**scope_of("192.0.2.9", **said), "scheme": "http"}
    Callers(PROXIES, header).note(stranger)
    assert stranger["scheme"] == "http"


def test_a_stranger_is_not_believed() -> None:
    assert asked("192.0.2.7", "203.0.113.9") == "192.0.2.7"
    assert asked("192.0.2.7", "10.0.0.1") == "192.0.2.7", "nor taken for a proxy"


def test_the_header_that_the_proxy_does_not_write_is_not_read() -> None:
    """Who writes X-Forwarded-For passes on what a client said in Forwarded, and the other way round."""
    both = scope_of("10.0.0.1", x_forwarded_for="203.0.113.9", forwarded="for=198.51.100.1")
    assert Callers(PROXIES).note(both).address == "203.0.113.9"
    assert Callers(PROXIES, "forwarded").note(both).address == "198.51.100.1"


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
        ('For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ("for=192.0.2.43, for=198.51.100.17", "198.51.100.17"),
        ("for=192.0.2.43, for=10.1.1.1", "192.0.2.43"),
        ("proto=https", "10.0.0.1"),
        ("for=_hidden", "10.0.0.1"),
        ('for="x, for=192.0.2.43", for=198.51.100.17', "198.51.100.17"),
    ],
)
def test_forwarded_as_rfc_7239_has_it(said: str, address: str) -> None:
    assert asked("10.0.0.1", said, "forwarded") == address


def test_a_header_in_several_lines_is_one_list() -> None:
    headers = [(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"203.0.113.9")]
    assert Callers(PROXIES).note({"client": ("10.0.0.1", 1), "headers": headers}).address == "203.0.113.9"


@given(st.lists(st.text(alphabet='0123456789.:abcdef,;="[] xfor', max_size=40), max_size=8), st.ip_addresses(v=4))
def test_whatever_a_client_writes_the_address_that_the_proxy_adds_counts(written: list[str], client: object) -> None:
    if client in PROXIES:  # type: ignore[operator]
        return
    assert asked("10.0.0.1", ", ".join([*written, str(client)])) == str(client)
    assert asked("10.0.0.1", ", ".join([*(f"for={text}" for text in written), f"for={client}"]), "forwarded") == str(client)


def test_a_header_without_end_is_read_from_its_end() -> None:
    endless = "1.1.1.1, " * 100_000 + "203.0.113.9"
    callers = Callers(PROXIES)
    for _ in range(50):
        assert callers.note(scope_of("10.0.0.1", x_forwarded_for=endless)).address == "203.0.113.9"
    proxies = ", ".join(["10.0.0.2"] * 100_000)
    assert callers.note(scope_of("10.0.0.1", x_forwarded_for=f"203.0.113.9, {proxies}")).address == "10.0.0.2", "no more hops than that"


def test_callers_inside_aws_are_exempt_unless_the_terms_limit_them() -> None:
    note = Callers(in_region=AWS).note(scope_of("198.51.100.7"))
    assert (note.in_region, note.exempt) == (True, True)
    note = Callers(in_region=AWS, exempts=False).note(scope_of("198.51.100.7"))
    assert (note.in_region, note.exempt) == (True, False)
    assert not Callers(in_region=AWS).note(scope_of("192.0.2.7")).in_region
    told = Callers(PROXIES, in_region=AWS).note(scope_of("10.0.0.1", x_forwarded_for="198.51.100.7"))
    assert told.exempt
    spoofed = Callers(PROXIES, in_region=AWS).note(scope_of("192.0.2.7", x_forwarded_for="198.51.100.7"))
    assert not spoofed.exempt


def test_a_crowd_of_addresses_is_not_remembered_for_ever() -> None:
    callers = Callers(PROXIES)
    for number in range(2 * KEPT_MAX):
        callers.note(scope_of("10.0.0.1", x_forwarded_for=f"203.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"))
    assert len(callers._known) <= KEPT_MAX
    assert len(callers._behind) <= KEPT_MAX

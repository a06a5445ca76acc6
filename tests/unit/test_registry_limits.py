"""Limits: what the headers say, which limit a 429 speaks of, and how it is put to people."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.image.errors import AccessRefused, BadAnswer, LimitKind, NotFound, RateLimited, RegistryError
from unhub.registry.answers import Budget
from unhub.registry.exchange import Answer
from unhub.registry.failures import clean, duration, failure
from unhub.registry.limits import WAIT_MAX, budget, limit_kind, retry_after


def answer(status: int = 200, body: object = b"", **headers: str) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, tuple((name.replace("_", "-"), value) for name, value in headers.items()), data)


def said(message: str, code: str = "TOOMANYREQUESTS") -> dict[str, object]:
    return {"errors": [{"code": code, "message": message}]}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"ratelimit_limit": "100;w=21600", "ratelimit_remaining": "76;w=21600"}, Budget(100, 76, 21600)),
        (
            {"RateLimit_Limit": "200;w=21600", "ratelimit_remaining": "-3;w=21600", "docker_ratelimit_source": "192.0.2.1"},
            Budget(200, -3, 21600, "192.0.2.1"),
        ),
        ({"ratelimit_limit": "100"}, Budget(100, None, None)),
        ({"ratelimit_remaining": " 0 ; w = 60"}, Budget(None, 0, 60)),
        ({"ratelimit_limit": "many", "ratelimit_remaining": "5;w=21600"}, Budget(None, 5, 21600)),
        ({"ratelimit_limit": "many", "ratelimit_remaining": ""}, None),
        ({"ratelimit_limit": "100;w=soon"}, Budget(100, None, None)),
        ({"docker_ratelimit_source": "192.0.2.1"}, None),
        ({"ratelimit_limit": "100;w=60", "docker_ratelimit_source": "a\x1b[31mb"}, Budget(100, None, 60, None)),
    ],
)
def test_the_budget_is_read_as_far_as_it_can_be(headers: dict[str, str], expected: Budget | None) -> None:
    assert budget(answer(**headers)) == expected


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_header_makes_reading_fail(limit: str, remaining: str, wait: str) -> None:
    odd = answer(ratelimit_limit=limit, ratelimit_remaining=remaining, retry_after=wait, date=wait)
    budget(odd)
    seconds = retry_after(odd)
    assert seconds is None or 0 <= seconds <= WAIT_MAX


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "60"}, 60),
        ({"retry_after": " 0 "}, 0),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "1e3"}, None),
        ({"retry_after": "999999999"}, WAIT_MAX),
        ({"retry_after": "Wed, 25 Nov 2026 10:01:00 GMT", "date": "Wed, 25 Nov 2026 10:00:00 GMT"}, 60),
        ({"retry_after": "Wed, 25 Nov 2026 09:00:00 GMT", "date": "Wed, 25 Nov 2026 10:00:00 GMT"}, 0),
        ({"retry_after": "Thu, 01 Jan 1970 00:01:30 GMT"}, 30),  # no Date: our own clock, which stands at 60 s
        ({"retry_after": "tomorrow"}, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(answer(429, **headers), wall=lambda: 60.0) == seconds


PULLS_2020 = "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit"
PULLS_2025 = "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
PULLS_LOGIN = "You have reached your pull rate limit as 'alice': dckr_jti_abc=. You may increase the limit by upgrading. https://www.docker.com/increase-rate-limit"


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (answer(429, said(PULLS_2020)), LimitKind.PULLS),
        (answer(429, said(PULLS_2025)), LimitKind.PULLS),
        (answer(429, said(PULLS_LOGIN)), LimitKind.PULLS),
        (answer(429, PULLS_2025.upper().encode()), LimitKind.PULLS),
        (answer(429, b"Too Many Requests", content_type="text/plain", retry_after="60"), LimitKind.ABUSE),
        (answer(429, b"Too Many Requests (HAP429).\n"), LimitKind.ABUSE),
        (answer(429, b"too many failed login attempts for username or IP address"), LimitKind.LOGINS),
        (answer(429, {"detail": "Rate limit exceeded"}), LimitKind.API),
        (answer(429, said("Rate exceeded")), LimitKind.RATE),
        (answer(429, {"errors": [{"message": "Rate exceeded", "code": "TOOMANYREQUESTS"}]}), LimitKind.RATE),
        (answer(429, said("Data limit exceeded")), LimitKind.DATA),
        (answer(429, said("slow down")), LimitKind.OTHER),
        (answer(429), LimitKind.OTHER),
        # HEAD has no body; what is left are the other headers
        (answer(429, content_type="text/plain", retry_after="60"), LimitKind.ABUSE),
        (answer(429, content_type="application/json", ratelimit_remaining="0;w=21600"), LimitKind.PULLS),
        (answer(429, content_type="application/json"), LimitKind.OTHER),
    ],
)
def test_a_429_is_told_by_its_words_and_never_by_its_number(found: Answer, kind: LimitKind) -> None:
    assert limit_kind(found) is kind


@pytest.mark.parametrize(
    ("found", "kind", "text"),
    [
        (answer(404, said("manifest unknown", "MANIFEST_UNKNOWN")), NotFound, "cannot read x at R: it answered 404 (manifest unknown)"),
        (answer(404), NotFound, "cannot read x at R: it answered 404. No such tag, digest or repository is known there"),
        (answer(400, said("no such repository", "NAME_UNKNOWN")), NotFound, "cannot read x at R: it answered 400 (no such repository)"),
        (answer(401, said("requested access is denied", "DENIED")), AccessRefused, "it answered 401 (requested access is denied). Log in"),
        (answer(403, b"<html>Attention Required!", content_type="text/html"), BadAnswer, "403 (with a web page: a firewall"),
        (answer(404, b"<html>no such page", content_type="text/html"), BadAnswer, "404 (with a web page: a firewall"),
        (answer(401, b"<html>Authorization Required", content_type="text/html"), AccessRefused, "Log in"),
        (answer(502, b"<html>Bad Gateway", content_type="text/html"), RegistryError, "try again later"),
        (answer(400, said("", "NAME_INVALID")), RegistryError, "it answered 400 (name invalid)"),
        (answer(500), RegistryError, "it answered 500. The registry has a fault of its own; try again later"),
        (answer(302), BadAnswer, "it answered 302, which makes no sense here"),
        (answer(407), RegistryError, "The proxy wants a login"),
        (answer(429, said(PULLS_2025), ratelimit_limit="100;w=21600"), RateLimited, "used up. Wait up to 6 h, log in, or take the image"),
        (answer(429, said(PULLS_2025), retry_after="600"), RateLimited, "Wait up to 10 min"),
        (answer(429, said(PULLS_2025)), RateLimited, "Wait a while, log in"),
        (answer(429, b"Too Many Requests", retry_after="60"), RateLimited, "it wants fewer requests from this address. Wait 60 s"),
        (answer(429, said("Data limit exceeded")), RateLimited, "the month's data for callers without a login is used up"),
        (answer(429, said("Rate exceeded")), RateLimited, "it wants fewer requests a second. Wait a while, log in for a higher rate"),
        (answer(429, {"detail": "Rate limit exceeded"}), RateLimited, "pulls are not concerned"),
        (answer(429, said("slow down")), RateLimited, "it answered 429 (slow down). Wait a while"),
        (answer(418, b"[" * 100_000), RegistryError, "it answered 418"),
    ],
)
def test_every_refusal_says_who_what_why_and_what_next(found: Answer, kind: type[RegistryError], text: str) -> None:
    error = failure(found, action="read x", place="R", host="r.example", hint="Log in")
    assert type(error) is kind
    assert text in str(error)
    assert (error.host, error.status) == ("r.example", found.status)


def test_a_limit_knows_how_long_it_holds() -> None:
    error = failure(answer(429, said(PULLS_2025), ratelimit_remaining="0;w=21600"), action="read x", place="R", host="r")
    assert isinstance(error, RateLimited)
    assert (error.kind, error.retry_after) == (LimitKind.PULLS, 21600)


def test_foreign_words_are_made_harmless() -> None:
    assert clean("one\r\ntwo\x1b[2Jthree\u202e four") == "one two [2Jthree four"
    assert clean("x" * 500) == "x" * 159 + "…"
    assert clean("the token abc.def is bad", ["abc.def", ""]) == "the token … is bad"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (60, "60 s"), (119, "119 s"), (600, "10 min"), (21600, "6 h"), (7 * 86400, "7 days")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text

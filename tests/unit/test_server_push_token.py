"""Tokens of the push password: whose are good, and for how long."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.image.errors import ServeError
from unhub.mirror.names import NameRules
from unhub.server.distribution.open_access import ANONYMOUS, OpenAccess
from unhub.server.distribution.push_token import SECONDS, mint, user_of
from unhub.server.distribution.request import Request
from unhub.server.distribution.routing import Kind, Route


def test_a_token_holds_for_an_hour_and_for_its_password_only() -> None:
    token = mint("käse:ci", "secret", 1000.0)
    assert user_of(token, "secret", 1000.0) == "käse:ci"
    assert user_of(token, "secret", 999.0 + SECONDS) == "käse:ci"
    assert user_of(token, "secret", 1000.0 + SECONDS) is None
    assert user_of(token, "another", 1000.0) is None


@given(st.text(max_size=60))
def test_no_text_is_a_token(text: str) -> None:
    assert user_of(text, "secret", 0.0) is None
    assert user_of(f"{text}.{text}", "secret", 0.0) is None


@given(st.integers(0, 200), st.integers(1, 255))
def test_no_byte_of_a_token_can_be_changed(place: int, by: int) -> None:
    claim, _, signature = mint("ci", "secret", 0.0).partition(".")
    data = bytearray(base64.urlsafe_b64decode(claim + "=="))
    data[place % len(data)] ^= by
    changed = base64.urlsafe_b64encode(bytes(data)).decode().rstrip("=")
    assert user_of(f"{changed}.{signature}", "secret", 0.0) is None


def ask(access: OpenAccess, authorization: str | None = None, method: str = "GET") -> tuple[int, dict[str, Any], dict[bytes, bytes]]:
    """What ``/token`` answers."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    headers = [(b"host", b"mirror.example:5000")] + ([(b"authorization", authorization.encode())] if authorization else [])
    scope: dict[str, Any] = {"type": "http", "method": method, "path": "/token", "scheme": "https", "headers": headers, "extensions": {}}
    asyncio.run(access.token(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"] or b"{}"), dict(sent[0]["headers"])


def writer(access: OpenAccess, authorization: str) -> str:
    """Who begins an upload."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    scope = {"method": "POST", "headers": [(b"authorization", authorization.encode())], "scheme": "https"}
    request = Request(scope, receive, Route(Kind.UPLOADS, "local/app"), {})
    request.name = NameRules().understand("local/app", None)
    return asyncio.run(access.writer(request))


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"ci:{password}".encode()).decode()


def test_who_knows_the_password_gets_a_token_that_opens_and_strangers_one_that_does_not() -> None:
    access = OpenAccess(push_password="secret", loopback_only=False, now=lambda: 5.0)
    status, answer, headers = ask(access, basic("secret"))
    assert (status, answer["expires_in"], headers[b"cache-control"]) == (200, SECONDS, b"no-store")
    assert writer(access, f"Bearer {answer['token']}") == "ci"
    assert ask(access)[1]["token"] == ANONYMOUS
    assert ask(access, basic("wrong"))[0] == 401
    assert ask(access, method="POST")[0] == 405
    assert ask(OpenAccess())[0] == 404
    for text in (f"Bearer {ANONYMOUS}", "Bearer x.y", "Bearer ", "Basic ", "Negotiate x"):
        with pytest.raises(ServeError) as refused:
            writer(access, text)
        assert refused.value.status == 401


def test_the_challenge_says_nothing_that_a_caller_slipped_in() -> None:
    access = OpenAccess(push_password="secret")
    scope = {"headers": [(b"host", b'evil"\r\nX: y, realm="z')], "scheme": "https"}
    with pytest.raises(ServeError) as refused:
        access.visitor(scope)
    challenge: str = refused.value.challenge  # pyright: ignore[reportAttributeAccessIssue]
    assert challenge == 'Bearer realm="https://evilX:yrealmz/token",service="unhub"'

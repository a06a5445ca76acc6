"""The registry's doors in mode ecr-public, part by part: names, aliases, remembered tokens, and the token service."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_mirror_tokens import HOUR, OWNER, START, Clock, keyring, tokens
from unhub.image.errors import TokenRefused
from unhub.mirror.names import Door, GalleryNames, InvalidName, Owner, UnknownRepository
from unhub.mirror.registries import KnownRegistries
from unhub.mirror.revoked import Revoked
from unhub.mirror.tokens import Tokens
from unhub.server.distribution.bearers import KEPT_MAX, Bearers
from unhub.server.distribution.ecr_public_words import EcrPublicWords
from unhub.server.token_service import TokenService
from unhub.store.records import Change, ChangeKind
from unhub.store.records_identity import AliasStatus, Revocation, RevokedKind, StoredAlias

ACME = Owner("123456789012", "a1b2c3d4")
NAMES = GalleryNames({"a1b2c3d4": ACME, "acme": ACME}.get)

# ---------------------------------------------------------------- names

TABLE = [
    # path, kept under, path there, own, account
    ("acme/app", "a1b2c3d4", "app", True, ACME.account),
    ("a1b2c3d4/app", "a1b2c3d4", "app", True, ACME.account),
    ("acme/team/app", "a1b2c3d4", "team/app", True, ACME.account),
    ("docker/library/node", "docker", "library/node", False, ""),
    ("docker/bitnami/redis", "docker", "bitnami/redis", False, ""),
]


@pytest.mark.parametrize(("path", "alias", "there", "own", "account"), TABLE)
@pytest.mark.parametrize("namespace", [None, "docker.io", "public.ecr.aws"])
def test_a_name_is_understood_whatever_namespace_is_sent_along(
    path: str, alias: str, there: str, own: bool, account: str, namespace: str | None
) -> None:
    name = NAMES.understand(path, namespace)
    assert (name.key.alias, name.key.path, name.own, name.account, name.written) == (alias, there, own, account, path)


@pytest.mark.parametrize(
    ("path", "repository", "registry"),
    [
        ("docker/node", "node", "docker"),
        ("docker", "", "docker"),
        ("library/node", "node", "library"),
        ("node", "", "node"),
        ("acme", "", "acme"),
    ],
)
def test_what_is_no_name_of_the_gallery(path: str, repository: str, registry: str) -> None:
    with pytest.raises(UnknownRepository) as refused:
        NAMES.understand(path, None)
    assert (refused.value.repository, refused.value.registry) == (repository, registry)


def test_the_forgotten_part_of_the_name_is_told() -> None:
    with pytest.raises(UnknownRepository) as refused:
        NAMES.understand("docker/node", None)
    assert refused.value.hint == "Docker Hub's official image is named docker/library/node here"


@given(st.text(alphabet="abz019._-/A~%\\ ", max_size=40))
def test_no_text_leads_anywhere_else(path: str) -> None:
    """A name is an account's or one of Docker Hub's, or it is refused."""
    try:
        name = NAMES.understand(path, None)
    except InvalidName:
        return
    assert name.door in (Door.OWN, Door.GALLERY)
    assert name.own == (path.partition("/")[0] in ("a1b2c3d4", "acme"))


# ---------------------------------------------------------------- aliases


def alias(name: str, account: str = ACME.account, status: AliasStatus = AliasStatus.ACTIVE, **more: bool) -> StoredAlias:
    return StoredAlias(name, account, status, 0.0, **more)


class Store:
    def __init__(self, *aliases: StoredAlias) -> None:
        self.aliases = list(aliases)
        self.asked = 0

    async def every_alias(self) -> list[StoredAlias]:
        self.asked += 1
        return self.aliases


def test_every_active_alias_leads_to_the_default_one_and_no_upstream_is_hidden() -> None:
    store = Store(
        alias("a1b2c3d4", default=True),
        alias("acme"),
        alias("asked", status=AliasStatus.PENDING),
        alias("refused", status=AliasStatus.REJECTED),
        alias("docker"),
        alias("homeless", "999999999999"),
    )
    known = KnownRegistries(store, {"docker"})
    asyncio.run(known.load())
    assert {name: known.owner(name) for name in ("a1b2c3d4", "acme", "asked", "refused", "docker", "homeless", "nobody")} == {
        "a1b2c3d4": ACME,
        "acme": ACME,
        **dict.fromkeys(("asked", "refused", "docker", "homeless", "nobody")),
    }


def test_aliases_are_read_anew_when_an_account_changes_and_only_then() -> None:
    store = Store(alias("a1b2c3d4", default=True))
    known = KnownRegistries(store)
    asyncio.run(known.load())
    store.aliases.append(alias("acme"))
    asyncio.run(known.apply([Change(1, ChangeKind.TAG, "acme", "app", "1"), Change(2, ChangeKind.IDENTITY, "", "", "AKIA1")]))
    assert (known.owner("acme"), store.asked) == (None, 1)
    asyncio.run(known.apply([Change(3, ChangeKind.IDENTITY, "", "", ACME.account)]))
    assert (known.owner("acme"), store.asked) == (ACME, 2)


# ---------------------------------------------------------------- remembered tokens


def sent(text: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"x"), (b"authorization", f"Bearer {text}".encode())]


def test_a_token_is_remembered_until_it_ends() -> None:
    clock = Clock()
    service = tokens(clock)
    bearers = Bearers(lambda: service, clock)
    token = service.anonymous().text
    assert bearers.find(sent(token)) is None, "nothing is believed before it was read"
    assert bearers.read(sent(token)).anonymous
    assert bearers.find(sent(token)) is not None
    clock.now = START + HOUR
    assert bearers.find(sent(token)) is None
    with pytest.raises(TokenRefused):
        bearers.read(sent(token))


@pytest.mark.parametrize("change", ["keys", "revocations"])
def test_what_is_remembered_goes_with_keys_and_revocations(change: str) -> None:
    service = tokens()
    bearers = Bearers(lambda: service, Clock())
    password = service.password(OWNER)
    raw = sent(password.authorization_token)
    assert bearers.read(raw).account == OWNER.account
    if change == "keys":
        service.keyring = keyring(b"x" * 32)
    else:
        service.revoked = Revoked([Revocation(RevokedKind.ACCESS_KEY, OWNER.access_key, START + 1, START + HOUR)])
    assert bearers.find(raw) is None
    with pytest.raises(TokenRefused):
        bearers.read(raw)


def test_no_secret_is_kept_and_no_more_than_so_many() -> None:
    service = tokens()
    bearers = Bearers(lambda: service, Clock())
    first = service.anonymous().text
    bearers.read(sent(first))
    kept = bearers._known  # pyright: ignore[reportPrivateUsage]
    assert all(first.encode() not in key and len(key) == 16 for key in kept)
    kept |= {number.to_bytes(16, "big"): next(iter(kept.values())) for number in range(KEPT_MAX)}
    bearers.read(sent(service.anonymous().text))
    assert len(kept) <= KEPT_MAX + 1


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Basic QVdTOng=")],
        [*sent("a")[1:], *sent("a")[1:]],
        [(b"authorization", b"Bearer " + b"a" * 20_000)],
        [(b"authorization", b"Bearer \xff\x00")],
    ],
    ids=["none", "empty", "basic", "twice", "long", "bytes"],
)
def test_what_is_no_bearer_token(headers: list[tuple[bytes, bytes]]) -> None:
    service = tokens()
    with pytest.raises(TokenRefused):
        Bearers(lambda: service, Clock()).read(headers)


def test_two_good_tokens_are_none() -> None:
    service = tokens()
    bearers = Bearers(lambda: service, Clock())
    token = service.anonymous().text
    bearers.read(sent(token))
    twice = [*sent(token), *sent(token)]
    assert bearers.find(twice) is None
    with pytest.raises(TokenRefused):
        bearers.read(twice)


# ---------------------------------------------------------------- the token service


def ask_token(
    service: Tokens, clock: Callable[[], float], authorization: str = "", method: str = "GET", *, hears: bool = True, query: bytes = b""
) -> tuple[int, Any, dict[bytes, bytes]]:
    messages: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    headers = [(b"host", b"public.ecr.aws"), *([(b"authorization", authorization.encode())] if authorization else [])]
    scope: dict[str, Any] = {"type": "http", "method": method, "path": "/token/", "query_string": query, "scheme": "https"}
    scope |= {"headers": headers, "extensions": {}}
    app = TokenService(lambda: service, EcrPublicWords("public.ecr.aws"), hears=lambda: hears, now=clock)
    asyncio.run(app(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return messages[0]["status"], json.loads(body or b"null"), dict(messages[0]["headers"])


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_whoever_asks_gets_an_anonymous_token_for_an_hour() -> None:
    clock = Clock()
    service = tokens(clock)
    status, body, headers = ask_token(service, clock, query=b"service=public.ecr.aws&scope=repository:a/b:pull&account=x")
    assert (status, body["expires_in"], headers[b"cache-control"]) == (200, HOUR, b"no-store")
    assert service.read_bearer(body["token"]).anonymous


def test_a_password_gives_a_token_of_its_account_that_does_not_outlive_it() -> None:
    clock = Clock()
    service = tokens(clock)
    password = service.password(OWNER).text
    clock.now += 12 * HOUR - 100
    status, body, _ = ask_token(service, clock, basic("AWS", password))
    assert (status, service.read_bearer(body["token"]).account) == (200, OWNER.account)
    assert body["expires_in"] <= 100


def test_an_expired_password_is_told_so() -> None:
    clock = Clock()
    service = tokens(clock)
    password = service.password(OWNER).text
    clock.now += 12 * HOUR
    status, body, _ = ask_token(service, clock, basic("AWS", password))
    assert (status, body) == (
        403,
        {"errors": [{"code": "DENIED", "message": "Your authorization token has expired. Reauthenticate and try again."}]},
    )


@pytest.mark.parametrize(
    "said", [basic("AWS", "wrong"), basic("root", "x"), "Basic ???", "Basic", "Bearer x", "Negotiate x", basic("AWS", "a" * 30_000)]
)
def test_what_is_no_password(said: str) -> None:
    clock = Clock()
    status, body, headers = ask_token(tokens(clock), clock, said)
    assert (status, body["errors"][0]) == (400, {"code": "DENIED", "message": "Your Authorization Token is invalid."})
    assert b"www-authenticate" not in headers


def test_another_user_with_a_good_password_is_nobody() -> None:
    clock = Clock()
    service = tokens(clock)
    assert ask_token(service, clock, basic("aws", service.password(OWNER).text))[0] == 400


def test_clients_that_ask_by_post_are_told_to_ask_by_get() -> None:
    clock = Clock()
    status, _, headers = ask_token(tokens(clock), clock, method="POST")
    assert (status, headers[b"allow"]) == (405, b"GET, HEAD")


def test_while_revocations_are_not_heard_of_no_password_is_taken_and_strangers_are() -> None:
    clock = Clock()
    service = tokens(clock)
    said = basic("AWS", service.password(OWNER).text)
    status, _, headers = ask_token(service, clock, said, hears=False)
    assert (status, headers[b"retry-after"]) == (503, b"1")
    assert ask_token(service, clock, hears=False)[0] == 200

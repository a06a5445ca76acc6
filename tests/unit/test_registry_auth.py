"""Logging in to a registry, as conversations without a network: who is asked what, with which proof, in which order."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

from unhub.image.errors import AccessRefused, BadAnswer, RateLimited, RegistryError
from unhub.registry.addresses import parse_url
from unhub.registry.auth import Authenticator
from unhub.registry.credential import IDENTITY_TOKEN, Credential
from unhub.registry.exchange import Answer, Request
from unhub.registry.tokens import Token, TokenWanted, fetch_token

HUB = "https://registry-1.docker.io"
ECR = "https://public.ecr.aws"
SECRET = "very-secret-password"
LOGIN = Credential("alice", SECRET, "auths in ~/.docker/config.json")


def answer(status: int, body: object = b"", **headers: str) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, tuple((name.replace("_", "-"), value) for name, value in headers.items()), data)


def challenged(text: str) -> Answer:
    return answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}, WWW_Authenticate=text)


def hub_challenge(repository: str = "library/node", error: str = "") -> str:
    more = f',error="{error}"' if error else ""
    return f'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:{repository}:pull"{more}'


ECR_CHALLENGE = 'Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws"'
ECR_BAD_TOKEN = {"errors": [{"code": "DENIED", "message": "Your Authorization Token is invalid."}]}


@dataclass
class Talk:
    """Drives conversations with one registry against a table of answers, and notes what was sent."""

    registry: str
    url: str
    respond: Callable[[Request], Answer]
    login: Credential | None = None
    realms: tuple[str, ...] = ()
    sent: list[tuple[str, str, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    tokens: dict[TokenWanted, Token] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.auth = Authenticator(self.registry, parse_url(self.url), self.login, realms=self.realms, notice=self.notices.append)

    def get(self, repository: str = "library/node", method: str = "GET") -> Answer:
        conversation = self.auth.exchange(Request(method, f"{self.url}/v2/{repository}/manifests/latest"), repository)
        try:
            step = next(conversation)
            while True:
                try:
                    result = self._token(step) if isinstance(step, TokenWanted) else self._send(step)
                except RegistryError as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(result)
        except StopIteration as end:
            return end.value

    def _token(self, wanted: TokenWanted) -> Token:
        kept = self.tokens.get(wanted)
        if kept is not None and kept.value != wanted.rejected:
            return kept
        conversation = fetch_token(wanted)
        try:
            step = next(conversation)
            while True:
                step = conversation.send(self._send(step))
        except StopIteration as end:
            self.tokens[wanted] = end.value
            return end.value

    def _send(self, request: Request) -> Answer:
        self.sent.append((request.method, request.shown, proof(request)))
        return self.respond(request)


def proof(request: Request) -> str:
    """What a request proves itself with, in words."""
    scheme, _, value = request.headers.get("Authorization", "nothing").partition(" ")
    if scheme == "Basic":
        return "basic " + base64.b64decode(value).decode()
    return f"{scheme.lower()} {value}".strip()


def hub(token: Callable[[Request], Answer] | None = None, good: Callable[[str], bool] = lambda value: True) -> Callable[[Request], Answer]:
    """Docker Hub: a challenge, a token service elsewhere, and manifests for good tokens."""

    def respond(request: Request) -> Answer:
        if "auth.docker.io" in request.url:
            scope = parse_qs(urlsplit(request.url).query)["scope"][0]
            return token(request) if token else answer(200, {"token": f"for-{scope}", "expires_in": 300})
        repository = request.url.partition("/v2/")[2].partition("/manifests/")[0]
        if proof(request).startswith("bearer ") and good(proof(request)[7:]):
            return answer(200, b"manifest")
        return challenged(hub_challenge(repository))

    return respond


def test_a_registry_that_asks_nothing_is_told_nothing() -> None:
    talk = Talk("docker.io", HUB, lambda _: answer(200), LOGIN)
    assert talk.get().status == 200
    assert talk.sent == [("GET", f"{HUB}/v2/library/node/manifests/latest", "nothing")]


def test_challenge_then_token_then_the_request_again() -> None:
    talk = Talk("docker.io", HUB, hub())
    assert talk.get().body == b"manifest"
    assert talk.sent == [
        ("GET", f"{HUB}/v2/library/node/manifests/latest", "nothing"),
        ("GET", "https://auth.docker.io/token", "nothing"),
        ("GET", f"{HUB}/v2/library/node/manifests/latest", "bearer for-repository:library/node:pull"),
    ]


def test_the_next_repository_needs_no_challenge_and_the_same_one_no_token() -> None:
    talk = Talk("docker.io", HUB, hub())
    talk.get()
    talk.sent.clear()
    talk.get()
    talk.get("library/php")
    assert [row[1:] for row in talk.sent] == [
        (f"{HUB}/v2/library/node/manifests/latest", "bearer for-repository:library/node:pull"),
        ("https://auth.docker.io/token", "nothing"),
        (f"{HUB}/v2/library/php/manifests/latest", "bearer for-repository:library/php:pull"),
    ]


def test_service_and_scope_are_the_challenge_s_own_and_the_login_goes_to_the_token_service_alone() -> None:
    asked: list[str] = []

    def token(request: Request) -> Answer:
        asked.append(urlsplit(request.url).query)
        return answer(200, {"access_token": "only-the-other-name"})

    talk = Talk("docker.io", HUB, hub(token), LOGIN)
    assert talk.get().status == 200
    assert asked == ["service=registry.docker.io&scope=repository:library/node:pull"]
    assert [row[2] for row in talk.sent] == ["nothing", f"basic alice:{SECRET}", "bearer only-the-other-name"]


def test_a_challenge_without_a_scope_gets_the_usual_one_and_a_realm_s_own_query_stays() -> None:
    asked: list[str] = []

    def respond(request: Request) -> Answer:
        if "/auth" in request.url:
            asked.append(request.url)
            return answer(200, {"token": "t"})
        return answer(200) if proof(request) != "nothing" else challenged('Bearer realm="https://r.example/auth?x=1"')

    assert Talk("r.example", "https://r.example", respond).get("a/b").status == 200
    assert asked == ["https://r.example/auth?x=1&scope=repository:a/b:pull"]


def test_a_realm_is_asked_as_it_was_checked() -> None:
    asked: list[str] = []

    def respond(request: Request) -> Answer:
        if "/auth" in request.url:
            asked.append(request.url)
            return answer(200, {"token": "t"})
        return answer(200) if proof(request) != "nothing" else challenged('Bearer realm="HTTPS://R.Example.:443/auth#x",service="s"')

    assert Talk("r.example", "https://r.example", respond).get("a/b").status == 200
    assert asked == ["https://r.example/auth?service=s&scope=repository:a/b:pull"]


def test_basic_is_asked_for_once_and_given_at_once_from_then_on() -> None:
    def respond(request: Request) -> Answer:
        return answer(200) if proof(request).startswith("basic") else challenged('Basic realm="Registry"')

    talk = Talk("r.example", "https://r.example", respond, LOGIN)
    assert (talk.get().status, talk.get().status) == (200, 200)
    assert [row[2] for row in talk.sent] == ["nothing", f"basic alice:{SECRET}", f"basic alice:{SECRET}"]


def test_a_basic_login_that_is_refused_is_given_up_so_that_nobody_gets_locked_out() -> None:
    talk = Talk("r.example", "https://r.example", lambda _: challenged("Basic realm=x"), LOGIN)
    assert [talk.get().status for _ in range(3)] == [401, 401, 401]
    assert [row[2] for row in talk.sent].count(f"basic alice:{SECRET}") == 1
    assert len(talk.notices) == 1


def test_a_basic_login_that_once_held_survives_a_repository_that_it_may_not_read() -> None:
    def respond(request: Request) -> Answer:
        good = proof(request).startswith("basic") and "secret" not in request.url
        return answer(200) if good else challenged("Basic realm=x")

    talk = Talk("r.example", "https://r.example", respond, LOGIN)
    assert [talk.get(name).status for name in ("open", "secret", "open")] == [200, 401, 200]
    assert talk.notices == []


def test_bearer_is_preferred_to_basic() -> None:
    def respond(request: Request) -> Answer:
        if "/token" in request.url:
            return answer(200, {"token": "t"})
        return answer(200) if proof(request) == "bearer t" else challenged('Basic realm="x", Bearer realm="https://r.example/token"')

    assert Talk("r.example", "https://r.example", respond, LOGIN).get().status == 200


def test_basic_without_a_login_and_an_identity_token_for_basic_end_with_the_refusal() -> None:
    for login in (None, Credential(IDENTITY_TOKEN, "t", "here")):
        talk = Talk("r.example", "https://r.example", lambda _: challenged("Basic realm=x"), login)
        assert talk.get().status == 401
        assert len(talk.sent) == 1


def test_a_scheme_that_nobody_here_speaks_is_named() -> None:
    talk = Talk("r.example", "https://r.example", lambda _: challenged("Negotiate"))
    with pytest.raises(AccessRefused, match="it asks for negotiate, which unhub does not speak"):
        talk.get()


def test_a_refusal_without_a_challenge_is_final() -> None:
    talk = Talk("r.example", "https://r.example", lambda _: answer(401))
    assert talk.get().status == 401
    assert len(talk.sent) == 1


def test_an_identity_token_is_exchanged_by_post_and_stands_in_no_url() -> None:
    bodies: list[bytes | None] = []

    def token(request: Request) -> Answer:
        bodies.append(request.body)
        return answer(200, {"access_token": "t"})

    def respond(request: Request) -> Answer:
        if "auth.docker.io" in request.url:
            return token(request)
        return answer(200) if proof(request) == "bearer t" else challenged(hub_challenge())

    talk = Talk("docker.io", HUB, respond, Credential(IDENTITY_TOKEN, "refresh/me", "here"))
    assert talk.get().status == 200
    assert talk.sent[1] == ("POST", "https://auth.docker.io/token", "nothing")
    form = parse_qs((bodies[0] or b"").decode())
    assert form == {
        "grant_type": ["refresh_token"],
        "client_id": ["unhub"],
        "service": ["registry.docker.io"],
        "scope": ["repository:library/node:pull"],
        "refresh_token": ["refresh/me"],
    }


def test_a_token_that_is_rejected_is_renewed_exactly_once() -> None:
    given = iter(["old", "new"])
    good: set[str] = {"old"}
    talk = Talk("docker.io", HUB, hub(lambda _: answer(200, {"token": next(given)}), lambda value: value in good))
    assert talk.get().status == 200
    good = {"new"}
    talk.sent.clear()
    assert talk.get().status == 200
    assert [row[2] for row in talk.sent] == ["bearer old", "nothing", "bearer new"]


def test_a_token_service_whose_tokens_never_do_is_asked_twice_and_no_more() -> None:
    talk = Talk("docker.io", HUB, hub(good=lambda _: False))
    assert talk.get().status == 401
    assert [row[1] for row in talk.sent].count("https://auth.docker.io/token") == 2
    assert len(talk.sent) == 5


def test_a_repository_beyond_the_token_s_scope_costs_no_renewal() -> None:
    def respond(request: Request) -> Answer:
        if "auth.docker.io" in request.url:
            return answer(200, {"token": "t"})
        return challenged(hub_challenge("library/nope", "" if proof(request) == "nothing" else "insufficient_scope"))

    talk = Talk("docker.io", HUB, respond, LOGIN)
    assert talk.get("library/nope").status == 401
    assert len(talk.sent) == 3
    assert talk.auth.credential is LOGIN, "a login is not refused because one repository is"


def test_the_scope_that_the_registry_asks_for_beats_the_one_that_was_guessed() -> None:
    def respond(request: Request) -> Answer:
        if "auth.docker.io" in request.url:
            return answer(200, {"token": parse_qs(urlsplit(request.url).query)["scope"][0]})
        if "library/odd" in request.url:
            wanted = "repository:library/odd:pull,metadata"
            return (
                answer(200)
                if proof(request) == f"bearer {wanted}"
                else challenged(hub_challenge().replace("library/node:pull", wanted[11:]))
            )
        return answer(200) if proof(request) != "nothing" else challenged(hub_challenge())

    talk = Talk("docker.io", HUB, respond)
    assert (talk.get().status, talk.get("library/odd").status) == (200, 200)


# ECR Public


def ecr(good_login: str | None = None, refused_status: int = 403, tokens: tuple[str, ...] = ("fresh",)) -> Callable[[Request], Answer]:
    """ECR Public as ecr-public.md has it: the scope is ``aws``, a bad token is 400, a bad login is refused at /token/."""
    given = iter(tokens)

    def respond(request: Request) -> Answer:
        how = proof(request)
        if request.shown.endswith("/token/"):
            if how != "nothing" and how != f"basic AWS:{good_login}":
                return answer(refused_status, {"errors": [{"code": "DENIED", "message": "Your authorization token has expired."}]})
            return answer(200, {"token": next(given, "fresh")})
        if how == "nothing":
            return challenged(ECR_CHALLENGE)
        return answer(200) if how == "bearer fresh" else answer(400, b"" if request.method == "HEAD" else ECR_BAD_TOKEN)

    return respond


def test_ecr_public_s_scope_is_aws_for_every_repository() -> None:
    talk = Talk("public.ecr.aws", ECR, ecr())
    assert (talk.get("docker/library/node").status, talk.get("bitnami/redis").status) == (200, 200)
    assert [row[1] for row in talk.sent].count(f"{ECR}/token/") == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_bad_token_is_known_by_ecr_public_s_400_and_renewed(method: str) -> None:
    talk = Talk("public.ecr.aws", ECR, ecr(tokens=("stale", "fresh")))
    assert talk.get("docker/library/node", method).status == 200
    assert [row[2] for row in talk.sent] == ["nothing", "nothing", "bearer stale", "nothing", "bearer fresh"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_stale_login_is_said_once_and_then_done_without(status: int) -> None:
    talk = Talk("public.ecr.aws", ECR, ecr(good_login="other", refused_status=status), Credential("AWS", SECRET, "auths in config.json"))
    assert (talk.get("docker/library/node").status, talk.get("x/y").status) == (200, 200)
    assert [row[2] for row in talk.sent].count(f"basic AWS:{SECRET}") == 1
    assert talk.notices == [
        "the stored login for public.ecr.aws (auths in config.json) was refused (expired?); going on without a login. "
        "`docker logout public.ecr.aws` removes it"
    ]
    assert talk.auth.refused is not None


def test_a_login_whose_tokens_ecr_public_does_not_take_is_given_up_too() -> None:
    talk = Talk("public.ecr.aws", ECR, ecr(good_login=SECRET, tokens=("bad", "bad", "fresh")), Credential("AWS", SECRET, "here"))
    assert talk.get("docker/library/node").status == 200
    assert len(talk.notices) == 1
    assert [row[2] for row in talk.sent][-2:] == ["nothing", "bearer fresh"]


def test_a_400_that_is_about_something_else_costs_neither_token_nor_login() -> None:
    def respond(request: Request) -> Answer:
        if "auth.docker.io" in request.url:
            return answer(200, {"token": "t"})
        if proof(request) == "nothing":
            return challenged(hub_challenge())
        return answer(400, b"" if request.method == "HEAD" else {"errors": [{"code": "DIGEST_INVALID", "message": "no"}]})

    talk = Talk("docker.io", HUB, respond, LOGIN)
    assert (talk.get().status, talk.get(method="HEAD").status) == (400, 400)
    assert [row[1] for row in talk.sent].count("https://auth.docker.io/token") == 1
    assert talk.auth.credential is LOGIN


# Docker Hub's limit of failed logins

LOCKED = {"detail": "too many failed login attempts for username or IP address"}


def test_a_locked_login_is_left_alone_and_images_are_read_without_it() -> None:
    def token(request: Request) -> Answer:
        return answer(429, LOCKED) if proof(request) != "nothing" else answer(200, {"token": "t"})

    talk = Talk("docker.io", HUB, hub(token), LOGIN)
    assert (talk.get().status, talk.get("library/php").status) == (200, 200)
    assert [row[2] for row in talk.sent].count(f"basic alice:{SECRET}") == 1
    assert talk.notices == ["docker.io takes no login of alice for some minutes (too many failed ones); going on without a login"]


def test_a_locked_login_may_also_be_told_by_the_registry_itself() -> None:
    def respond(request: Request) -> Answer:
        if "auth.docker.io" in request.url:
            return answer(200, {"token": "login" if proof(request) != "nothing" else "anonymous"})
        if proof(request) == "bearer login":
            return answer(429, LOCKED)
        return answer(200) if proof(request) == "bearer anonymous" else challenged(hub_challenge())

    talk = Talk("docker.io", HUB, respond, LOGIN)
    assert talk.get().status == 200
    assert len(talk.notices) == 1


def test_without_a_login_the_same_words_are_a_limit() -> None:
    talk = Talk("docker.io", HUB, hub(lambda _: answer(429, LOCKED)))
    with pytest.raises(RateLimited, match="too many failed"):
        talk.get()


# hostile realms


@pytest.mark.parametrize(
    "realm",
    [
        "https://evil.example/token",
        "http://auth.docker.io/token",
        "https://203.0.113.9/token",
        "https://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "https://alice:secret@auth.docker.io/token",
        "https://auth.docker.io.evil.example/token",
    ],
)
@pytest.mark.parametrize("login", [LOGIN, None])
def test_a_hostile_realm_gets_neither_login_nor_request(realm: str, login: Credential | None) -> None:
    talk = Talk("docker.io", HUB, lambda _: challenged(f'Bearer realm="{realm}",service="registry.docker.io"'), login)
    with pytest.raises(BadAnswer, match=r"is not trusted .*nothing was sent there") as caught:
        talk.get()
    assert talk.sent == [("GET", f"{HUB}/v2/library/node/manifests/latest", "nothing")]
    assert "secret" not in str(caught.value)


def test_a_realm_that_turns_hostile_later_gets_nothing_either() -> None:
    realms = iter(["https://auth.docker.io/token", "https://evil.example/token"])

    def respond(request: Request) -> Answer:
        if "auth.docker.io" in request.url:
            return answer(200, {"token": "t"})
        return challenged(f'Bearer realm="{next(realms)}",service="x"')

    talk = Talk("docker.io", HUB, respond, LOGIN)
    with pytest.raises(BadAnswer, match=r"evil\.example"):
        talk.get()
    assert all("evil.example" not in row[1] for row in talk.sent)


def test_a_token_service_that_redirects_is_not_followed() -> None:
    talk = Talk("docker.io", HUB, hub(lambda _: answer(307, Location="https://evil.example/token")), LOGIN)
    with pytest.raises(BadAnswer, match=r"cannot get a token from auth\.docker\.io: it redirects elsewhere"):
        talk.get()
    assert all("evil.example" not in row[1] for row in talk.sent)


def test_a_realm_that_the_user_listed_is_trusted() -> None:
    def respond(request: Request) -> Answer:
        if "login.other.example" in request.url:
            return answer(200, {"token": "t"})
        return answer(200) if proof(request) == "bearer t" else challenged('Bearer realm="https://login.other.example/t"')

    talk = Talk("r.example", "https://r.example", respond, LOGIN, realms=("login.other.example",))
    assert talk.get().status == 200


# answers of token services


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>portal</html>", "a web page"),
        (b"not json", "something that is no token"),
        (b"[]", "something that is no token"),
        (b"{}", "none that can be sent"),
        (b'{"token":""}', "none that can be sent"),
        (b'{"token":7}', "something that is no token"),
        (b'{"token":"a\\r\\nX-Evil: 1"}', "none that can be sent"),
        (b'{"token":"with space"}', "none that can be sent"),
        (json.dumps({"token": "x" * 40_000}).encode(), "none that can be sent"),
        (b"\xff\xfe", "something that is no token"),
    ],
)
def test_what_is_no_token_is_not_sent_as_one(body: bytes, reason: str) -> None:
    talk = Talk("docker.io", HUB, hub(lambda _: answer(200, body)))
    with pytest.raises(BadAnswer, match=f"cannot get a token from auth.docker.io: it answered .*{reason}|{reason}"):
        talk.get()


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({}, 60),
        ({"expires_in": 300}, 300),
        ({"expires_in": 0}, 60),
        ({"expires_in": -5}, 60),
        ({"expires_in": "soon"}, 60),
        ({"expires_in": None}, 60),
        ({"expires_in": True}, 60),
        ({"expires_in": 1000000000000.0}, 86400),
        ({"expires_in": 90.5}, 90.5),
    ],
)
def test_a_token_holds_as_long_as_its_service_says_and_a_minute_where_it_says_nothing(said: dict[str, object], seconds: float) -> None:
    conversation = fetch_token(TokenWanted("https://r.example/t", None, None))
    next(conversation)
    with pytest.raises(StopIteration) as end:
        conversation.send(answer(200, {"token": "t", **said}))
    assert end.value.value == Token("t", seconds)


def test_an_anonymous_token_that_is_refused_is_an_error_of_the_token_service() -> None:
    talk = Talk("docker.io", HUB, hub(lambda _: answer(401, {"errors": [{"code": "DENIED", "message": "no\x1b[31m entry"}]})))
    with pytest.raises(AccessRefused, match=r"cannot get a token at auth.docker.io: it answered 401 \(no \[31m entry\)"):
        talk.get()


def test_a_token_that_says_itself_how_long_it_holds_is_believed() -> None:
    """ECR Public's answer has no ``expires_in``; its tokens are base64 of JSON with ``expiration``."""
    from unhub.registry.tokens import _own_life  # pyright: ignore[reportPrivateUsage]

    token = base64.b64encode(json.dumps({"payload": "x", "expiration": time.time() + 3600}).encode()).decode()
    assert _own_life(token) == pytest.approx(3600, abs=5)
    for other in ("opaque", "eyJhbGciOiJub25lIn0.e30.", base64.b64encode(b'{"a": 1}').decode(), "", "=="):
        assert _own_life(other) is None

"""The client against the stand-ins of Docker Hub and ECR Public: what it gets, what that costs, and how it fails."""

from __future__ import annotations

import asyncio
import hashlib
import time

import pytest

from tests.bounded import must_end
from tests.hub import docker_hub, ecr_public, endpoints, small_image, small_index
from tests.registry_client import Logins, Said, Time, ref, with_client
from tests.scripted import Asked, Reply, scripted
from unhub.demo.settings import Account
from unhub.image.digest import Digest
from unhub.image.errors import AccessRefused, BadAnswer, CredentialsError, LimitKind, NotFound, RateLimited, RegistryError, Unreachable
from unhub.image.manifest import ACCEPTED
from unhub.registry.client import RegistryClient
from unhub.registry.credential import IDENTITY_TOKEN, Credential
from unhub.registry.transport import CONNECTIONS_MAX

NODE = ref("node:20-alpine")
ECR_NODE = ref("public.ecr.aws/docker/library/node:20-alpine")
PASSWORD = "correct-horse-battery"


def test_head_tells_the_digest_and_spends_nothing() -> None:
    with docker_hub() as hub:
        head = with_client(lambda client: client.head_manifest(NODE), endpoints(hub))
        assert str(head.digest) == hub.digest("library/node:20-alpine")
        assert head.media_type in ACCEPTED
        assert head.size is not None
        assert head.budget is not None
        assert (head.budget.limit, head.budget.remaining, head.budget.window) == (100, 100, 21600)
        assert hub.counts.total == 0
        assert {record.method for record in hub.asked(kind="manifest")} == {"HEAD"}


def test_get_brings_the_very_bytes_and_is_a_pull() -> None:
    async def work(client: RegistryClient) -> tuple[bytes, dict[str, int], dict[str, int]]:
        fetched = await client.get_manifest(NODE)
        by_digest = await client.get_manifest(ref(f"node@{fetched.manifest.digest}"))
        assert by_digest.manifest == fetched.manifest
        assert fetched.budget is not None
        assert client.budgets["docker.io"].remaining == 98
        return fetched.manifest.data, dict(client.manifests_got), dict(client.requests_sent)

    with docker_hub() as hub:
        data, got, sent = with_client(work, endpoints(hub))
        assert f"sha256:{hashlib.sha256(data).hexdigest()}" == hub.digest("library/node:20-alpine")
        assert hub.counts.total == 2
        assert got == {"docker.io": 2}
        assert sent == {"docker.io": 3}  # the challenge, then one request each


def test_every_request_for_a_manifest_accepts_all_four_types_and_says_who_asks() -> None:
    async def work(client: RegistryClient) -> None:
        await client.head_manifest(NODE)
        await client.get_manifest(NODE)

    with docker_hub() as hub:
        with_client(work, endpoints(hub), user_agent="unhub/test")
        asked = hub.asked(kind="manifest")
        assert all(all(kind in record.accept for kind in ACCEPTED) for record in asked)
        assert {record.user_agent for record in asked} == {"unhub/test"}


def test_without_a_tag_latest_is_meant_and_a_digest_beats_a_tag() -> None:
    async def work(client: RegistryClient) -> None:
        assert (await client.head_manifest(ref("alpine"))).digest == (await client.head_manifest(ref("alpine:latest"))).digest
        digest = (await client.head_manifest(ref("alpine:3.19"))).digest
        assert (await client.head_manifest(ref(f"alpine:no-such-tag@{digest}"))).digest == digest

    with docker_hub() as hub:
        with_client(work, endpoints(hub))


def test_all_of_docker_hub_s_names_are_one_registry() -> None:
    async def work(client: RegistryClient) -> None:
        await client.head_manifest(ref("registry-1.docker.io/library/node:20-alpine"))
        await client.head_manifest(NODE)
        assert list(client.requests_sent) == ["docker.io"]

    with docker_hub() as hub:
        with_client(work, endpoints(hub))


@pytest.mark.parametrize("login", [True, False])
def test_ecr_public_is_read_with_and_without_a_login(login: bool) -> None:
    with ecr_public() as hub:
        logins = {"public.ecr.aws": Credential("AWS", hub.password(), "here")} if login else {}
        said = Said()
        head = with_client(lambda client: client.head_manifest(ECR_NODE), endpoints(hub), logins=logins, said=said)
        assert str(head.digest) == hub.digest("docker/library/node:20-alpine")
        assert hub.asked(kind="manifest")[-1].caller.startswith("account" if login else "anonymous")
        assert said.notices == []


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_stale_login_for_ecr_public_is_said_once_and_images_are_read_all_the_same(status: int) -> None:
    async def work(client: RegistryClient) -> None:
        await asyncio.gather(*(client.head_manifest(ECR_NODE) for _ in range(20)))

    with ecr_public(expired_status=status) as hub:
        said = Said()
        logins = {"public.ecr.aws": Credential("AWS", hub.password(seconds=-10), "auths in ~/.docker/config.json")}
        with_client(work, endpoints(hub), logins=logins, said=said, rates={"public.ecr.aws": 0})
        assert said.notices == [
            "the stored login for public.ecr.aws (auths in ~/.docker/config.json) was refused (expired?); going on without a login. "
            "`docker logout public.ecr.aws` removes it"
        ]


def test_ecr_public_s_rate_is_kept_unless_told_otherwise() -> None:
    async def work(client: RegistryClient) -> None:
        assert client.seconds_for("public.ecr.aws", 11) == 10
        await asyncio.gather(*(client.head_manifest(ECR_NODE) for _ in range(10)))
        assert client.seconds_for("public.ecr.aws", 0) == 0

    with ecr_public() as hub:
        said = Said()
        with_client(work, endpoints(hub), said=said)
        # 10 manifests, the challenge and the token, one a second
        assert said.time.now - 1000 == pytest.approx(11, abs=0.01)
        said = Said()
        login = {"public.ecr.aws": Credential("AWS", hub.password(), "here")}
        with_client(work_with_login, endpoints(hub), said=said, logins=login)
        assert said.time.now - 1000 == pytest.approx(1.1, abs=0.01)


async def work_with_login(client: RegistryClient) -> None:
    await asyncio.gather(*(client.head_manifest(ECR_NODE) for _ in range(10)))


def test_a_refused_login_falls_back_to_the_slower_rate() -> None:
    with ecr_public() as hub:
        said = Said()
        logins = {"public.ecr.aws": Credential("AWS", hub.password(seconds=-1), "here")}
        with_client(work_with_login, endpoints(hub), logins=logins, said=said)
        assert said.time.now - 1000 >= 11


def test_a_real_clock_sees_no_more_requests_than_the_rate() -> None:
    async def work(client: RegistryClient) -> None:
        await asyncio.gather(*(client.head_manifest(ref(f"{client.settings.user_agent}/x:1")) for _ in range(12)), return_exceptions=True)

    with docker_hub() as hub:

        async def run() -> None:
            from unhub.registry.client import ClientSettings
            from unhub.registry.credential import NoCredentials

            settings = ClientSettings(endpoints=endpoints(hub), rates={"docker.io": 20}, user_agent="demo")
            async with RegistryClient(settings, NoCredentials()) as client:
                await work(client)

        begun = time.monotonic()
        asyncio.run(run())
        sent = len(hub.asked(site="registry"))
        assert sent >= 13
        assert time.monotonic() - begun >= (sent - 1) / 20


def test_one_token_serves_a_crowd_of_the_same_repository() -> None:
    async def work(client: RegistryClient) -> None:
        await asyncio.gather(*(client.head_manifest(NODE) for _ in range(50)))

    with docker_hub() as hub:
        with_client(work, endpoints(hub))
        assert len(hub.asked(site="token")) == 1
        assert len(hub.asked(kind="manifest", status=401)) == 1


def test_the_first_request_may_be_cancelled_without_harm_to_the_others() -> None:
    async def work(client: RegistryClient) -> None:
        first = asyncio.ensure_future(client.head_manifest(NODE))
        await asyncio.sleep(0.05)
        others = [asyncio.ensure_future(client.head_manifest(NODE)) for _ in range(5)]
        await asyncio.sleep(0.01)
        first.cancel()
        assert len({(await other).digest for other in others}) == 1
        assert first.cancelled()

    with docker_hub(latency=0.4) as hub:
        with_client(work, endpoints(hub))


def test_a_private_repository_is_read_by_who_may() -> None:
    accounts = (Account(name="alice", password=PASSWORD, private=("corp/*",)),)
    with docker_hub(accounts=accounts) as hub:
        hub.add(small_image(), "corp/app:1", private=True)
        app = ref("corp/app:1")
        login = Credential("alice", PASSWORD, "auths in config.json")
        assert with_client(lambda client: client.head_manifest(app), endpoints(hub), logins={"docker.io": login}).size
        with pytest.raises(AccessRefused, match=r"cannot read corp/app:1 at Docker Hub: it answered 401") as caught:
            with_client(lambda client: client.head_manifest(app), endpoints(hub))
        assert caught.value.hint == "It is private or misspelt; `docker login docker.io` for a private one"
        with pytest.raises(AccessRefused) as caught:
            with_client(lambda client: client.head_manifest(ref("corp/other:1")), endpoints(hub), logins={"docker.io": login})
        assert caught.value.hint == "It is private, misspelt, or not for this login (auths in config.json)"
        said = Said()
        wrong = Credential("alice", "wrong", "auths in config.json")
        with pytest.raises(AccessRefused) as caught:
            with_client(lambda client: client.head_manifest(app), endpoints(hub), logins={"docker.io": wrong}, said=said)
        assert caught.value.hint == "The stored login (auths in config.json) was refused; log in anew: `docker login docker.io`"
        assert len(said.notices) == 1


def test_a_credential_store_that_cannot_be_read_is_said_and_done_without() -> None:
    class Broken(Logins):
        def find(self, registry: str) -> Credential | None:
            raise CredentialsError("cannot run docker-credential-pass: it is not installed")

    with docker_hub() as hub:
        said = Said()
        with_client(lambda client: client.head_manifest(NODE), endpoints(hub), logins=Broken({}), said=said)
        assert said.notices == ["cannot run docker-credential-pass: it is not installed; going on without a login for docker.io"]


def test_logins_are_looked_for_once_a_registry() -> None:
    async def work(client: RegistryClient) -> None:
        await asyncio.gather(*(client.head_manifest(NODE) for _ in range(10)))

    with docker_hub() as hub:
        logins = Logins({})
        with_client(work, endpoints(hub), logins=logins)
        assert logins.asked == ["docker.io"]


def test_a_tag_that_is_not_there_and_a_repository_that_is_not() -> None:
    with docker_hub() as hub, ecr_public() as ecr:
        where = endpoints(hub, ecr)
        with pytest.raises(NotFound, match="cannot read node:nope at Docker Hub: it answered 404"):
            with_client(lambda client: client.head_manifest(ref("node:nope")), where)
        with pytest.raises(NotFound, match=r"cannot read node:nope at Docker Hub: it answered 404 \(manifest unknown\)"):
            with_client(lambda client: client.get_manifest(ref("node:nope")), where)
        with pytest.raises(NotFound, match=r"cannot read docker/nope:1 at ECR Public: it answered 404") as caught:
            with_client(lambda client: client.get_manifest(ref("public.ecr.aws/docker/nope:1")), where)
        assert (caught.value.status, caught.value.exit_status) == (404, 5)
        assert hub.counts.total == 0


# limits


def test_a_used_up_pull_limit_is_told_at_once_and_head_still_works() -> None:
    with docker_hub() as hub:
        hub.exhaust()
        said = Said()
        with pytest.raises(RateLimited, match="cannot read node:20-alpine at Docker Hub: its pull limit for this address") as caught:
            with_client(lambda client: client.get_manifest(NODE), endpoints(hub), said=said)
        assert caught.value.kind is LimitKind.PULLS
        assert "unhub migrate" in (caught.value.hint or "")
        assert said.time.waits == [], "asking again is in vain for hours"
        assert with_client(lambda client: client.head_manifest(NODE), endpoints(hub)).budget is not None


def test_ecr_public_s_data_limit_is_told_at_once() -> None:
    with ecr_public() as hub:
        hub.fault("limit", limit="data", count=None)
        said = Said()
        with pytest.raises(RateLimited, match="the month's data") as caught:
            with_client(lambda client: client.get_manifest(ECR_NODE), endpoints(hub), said=said, rates={"public.ecr.aws": 0})
        assert caught.value.kind is LimitKind.DATA
        assert said.time.waits == []


def test_a_rate_limit_is_waited_for() -> None:
    with ecr_public() as hub:
        hub.fault("limit", limit="rate", count=2, path="*/manifests/*", after=1)
        said = Said()
        head = with_client(lambda client: client.get_manifest(ECR_NODE), endpoints(hub), said=said, rates={"public.ecr.aws": 0})
        assert str(head.manifest.digest) == hub.digest("docker/library/node:20-alpine")
        assert len(said.time.waits) >= 2


def test_the_abuse_limit_stops_everything_for_as_long_as_it_says() -> None:
    with docker_hub() as hub:
        hub.fault("limit", limit="abuse", path="*/manifests/*")
        said = Said()
        with_client(lambda client: client.head_manifest(NODE), endpoints(hub), said=said)
        assert said.time.now - 1000 >= 60
        assert said.notices == ["Docker Hub asks for a pause of 60 s"]


def test_a_pause_is_said_once_to_a_crowd_and_kept_by_all() -> None:
    asked: list[Asked] = []

    def answer(row: Asked) -> Reply:
        asked.append(row)
        if 1 < len(asked) <= 11:  # ten at once, all of them under way before the first of them hears of it
            return Reply(429, {"Content-Type": "text/plain", "Retry-After": "60"}, late=0.2)
        return Reply(200, {"Docker-Content-Digest": "sha256:" + "d" * 64})

    async def work(client: RegistryClient) -> None:
        await client.head_manifest(NODE)
        await asyncio.gather(*(client.head_manifest(NODE) for _ in range(10)))

    with scripted(answer) as server:
        said = Said(Time(pace=0.5))
        with_client(work, {"docker.io": server.url}, said=said)
    assert said.notices == ["Docker Hub asks for a pause of 60 s"]
    assert len(asked) == 21


def test_a_token_service_that_wants_a_pause_stops_the_registry_too() -> None:
    with docker_hub() as hub:
        hub.fault("limit", limit="abuse", site="token")
        said = Said()

        async def work(client: RegistryClient) -> bool:
            waiting = asyncio.ensure_future(client.head_manifest(NODE))
            while not said.notices:
                await asyncio.sleep(0.001)
            site = await client._site(NODE)
            paused = site.bucket._paused_until - 1000
            await waiting
            return paused >= 60

        assert with_client(work, endpoints(hub), said=said)


def test_a_limit_that_lasts_is_an_error_in_the_end() -> None:
    with ecr_public() as hub:
        hub.fault("limit", limit="rate", count=None, path="*/manifests/*")
        said = Said()
        with pytest.raises(RateLimited, match="fewer requests a second"):
            with_client(lambda client: client.get_manifest(ECR_NODE), endpoints(hub), said=said, rates={"public.ecr.aws": 0})
        assert len(hub.asked(kind="manifest")) == 4


def test_a_locked_login_is_gone_on_without() -> None:
    accounts = (Account(name="alice", password=PASSWORD),)
    with docker_hub(accounts=accounts) as hub:
        hub.exhaust(LimitKind.LOGINS)
        said = Said()
        login = Credential("alice", PASSWORD, "here")
        with_client(lambda client: client.head_manifest(NODE), endpoints(hub), logins={"docker.io": login}, said=said)
        assert said.notices == ["docker.io takes no login of alice for some minutes (too many failed ones); going on without a login"]


# faults


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset"},
        {"kind": "break", "bytes": 40},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502},
        {"kind": "status", "status": 503, "headers": {"Retry-After": "3"}},
        {"kind": "status", "status": 408},
    ],
)
@pytest.mark.parametrize("site", ["registry", "token"])
def test_what_passes_is_tried_again(fault: dict[str, object], site: str) -> None:
    with docker_hub() as hub:
        hub.fault(**fault, site=site, count=2)  # type: ignore[arg-type]
        said = Said()
        fetched = with_client(lambda client: client.get_manifest(NODE), endpoints(hub), said=said)
        assert str(fetched.manifest.digest) == hub.digest("library/node:20-alpine")
        assert len(said.time.waits) >= 2
        assert "headers" not in fault or min(said.time.waits) >= 3


@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        ({"kind": "reset"}, Unreachable, "cannot read node:20-alpine at Docker Hub: the connection broke"),
        ({"kind": "break", "bytes": 40}, Unreachable, "its answer broke off"),
        ({"kind": "status", "status": 503}, RegistryError, "it answered 503"),
        ({"kind": "status", "status": 403}, AccessRefused, "it answered 403"),
        ({"kind": "html"}, BadAnswer, "it answered with a web page: a portal, a firewall or a proxy may stand in between"),
        ({"kind": "html", "status": 403}, BadAnswer, r"it answered 403 \(with a web page"),
        ({"kind": "html", "status": 404}, BadAnswer, r"it answered 404 \(with a web page"),
        ({"kind": "html", "status": 502}, RegistryError, r"it answered 502 \(with a web page"),
        ({"kind": "garbage"}, BadAnswer, "what it answered is no manifest"),
        ({"kind": "wrong-bytes"}, BadAnswer, "no manifest|another digest|it says the digest is"),
        ({"kind": "truncate", "bytes": 100}, BadAnswer, "no manifest"),
        ({"kind": "oversize", "bytes": 5}, BadAnswer, "its content has"),
        ({"kind": "oversize", "bytes": 5_000_000}, BadAnswer, "its answer has more than 4259840 bytes"),
        ({"kind": "headers", "headers": {"Docker-Content-Digest": "sha256:" + "0" * 64}}, BadAnswer, "it says the digest is sha256:000"),
        ({"kind": "headers", "headers": {"Docker-Content-Digest": "sha256:short"}}, BadAnswer, "the digest that it says is none"),
        (
            {"kind": "headers", "headers": {"Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}},
            BadAnswer,
            "no manifest",
        ),
        ({"kind": "headers", "headers": {"Content-Encoding": "gzip"}}, BadAnswer, "it packed its answer although it was asked not to"),
    ],
)
def test_what_stays_wrong_is_explained(fault: dict[str, object], kind: type[RegistryError], text: str) -> None:
    with docker_hub() as hub:
        hub.fault(**fault, path="*/manifests/*", after=1, count=None)  # type: ignore[arg-type]
        with pytest.raises(kind, match=text) as caught:
            with_client(lambda client: client.get_manifest(NODE), endpoints(hub))
        assert type(caught.value) is kind
        assert "cannot read node:20-alpine at Docker Hub: " in caught.value.message


def test_a_registry_that_answers_head_badly_is_not_asked_by_get() -> None:
    for fault, text in (
        ({"kind": "headers", "headers": {"Docker-Content-Digest": None}}, "it does not say the digest"),
        ({"kind": "status", "status": 405}, r"it does not answer HEAD \(405\)"),
        ({"kind": "headers", "headers": {"Content-Type": "text/html"}}, "it answered with a web page"),
    ):
        with docker_hub() as hub:
            hub.fault(**fault, method="HEAD", after=1, count=None)  # type: ignore[arg-type]
            with pytest.raises(BadAnswer, match=text):
                with_client(lambda client: client.head_manifest(NODE), endpoints(hub))
            assert hub.counts.total == 0
            assert {record.method for record in hub.asked(kind="manifest")} == {"HEAD"}


def test_a_digest_is_held_against_what_was_asked_for() -> None:
    other = "sha256:" + "1" * 64
    with docker_hub() as hub:
        digest = hub.digest("library/node:20-alpine")
        pinned = ref(f"node@{digest}")
        hub.fault("headers", headers={"Docker-Content-Digest": other}, method="HEAD", after=1)
        with pytest.raises(BadAnswer, match=f"it has another digest under that name, {other}"):
            with_client(lambda client: client.head_manifest(pinned), endpoints(hub))
        hub.fault("oversize", bytes=3, path="*/manifests/*", method="GET", after=1)
        with pytest.raises(BadAnswer, match="its content has another digest"):
            with_client(lambda client: client.get_manifest(pinned), endpoints(hub))


def test_a_refused_connection_and_a_name_that_is_none() -> None:
    with docker_hub() as hub, hub.refusing():
        with pytest.raises(Unreachable, match="cannot read node:20-alpine at Docker Hub: the connection was refused") as caught:
            with_client(lambda client: client.head_manifest(NODE), endpoints(hub))
        assert caught.value.host == hub.address
    no_token = pytest.raises(Unreachable, match=r"cannot get a token at 127\.0\.0\.1:\d+: the connection was refused")
    with docker_hub() as hub, hub.refusing("token"), no_token:
        with_client(lambda client: client.head_manifest(NODE), endpoints(hub))
    with pytest.raises(Unreachable, match=r"cannot read x/y:1 at registry\.invalid: its name cannot be resolved"):
        with_client(lambda client: client.head_manifest(ref("registry.invalid/x/y:1")), {})


def test_a_host_that_is_not_there_is_not_waited_for_by_everybody() -> None:
    async def work(client: RegistryClient) -> list[object]:
        return await asyncio.gather(*(client.head_manifest(ref(f"corp/app{number}:1")) for number in range(300)), return_exceptions=True)

    with docker_hub() as hub, hub.refusing():
        said = Said()
        errors = with_client(work, endpoints(hub), said=said)
        assert {type(error) for error in errors} == {Unreachable}
        assert "cannot read corp/app299:1 at Docker Hub: the connection was refused" in str(errors[299])
        assert len(said.time.waits) == 3, "one of them tried four times, the others took its word"

    async def later(client: RegistryClient) -> None:
        with hub.refusing(), pytest.raises(Unreachable):
            await client.head_manifest(NODE)
        said.time.now += 11
        await client.head_manifest(NODE)

    with docker_hub() as hub:
        with_client(later, endpoints(hub), said=said)


def test_silence_ends_by_a_time_out() -> None:
    with docker_hub() as hub:
        hub.fault("delay", seconds=5, count=None)
        with pytest.raises(Unreachable, match=r"it sent nothing for 0\.2 s"):
            with_client(lambda client: client.head_manifest(NODE), endpoints(hub), read_seconds=0.2, attempts=2)


def test_so_does_a_manifest_that_drips() -> None:
    with docker_hub() as hub:
        hub.fault("drip", rate=20, path="*/manifests/*", after=1, count=None)
        with pytest.raises(Unreachable, match="it gave no complete answer within 1 s"):
            with_client(lambda client: client.get_manifest(NODE), endpoints(hub), connect_seconds=0.4, read_seconds=0.3, attempts=1)


def test_who_still_asks_when_the_client_closes_gets_an_error_and_no_connection() -> None:
    async def work(client: RegistryClient) -> list[asyncio.Task[object]]:
        tasks: list[asyncio.Task[object]] = [asyncio.ensure_future(client.head_manifest(NODE)) for _ in range(3)]
        await asyncio.sleep(0.05)
        await client.close()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(error, Unreachable | asyncio.CancelledError) for error in errors)
        return tasks

    with docker_hub(latency=1) as hub:
        with_client(work, endpoints(hub))


def test_offline_opens_no_connection() -> None:
    with docker_hub() as hub:
        logins = Logins({})

        async def work(client: RegistryClient) -> None:
            with pytest.raises(Unreachable, match=r"cannot read node:20-alpine at Docker Hub: unhub is offline \(--offline\)"):
                await client.head_manifest(NODE)
            assert client.requests_sent == {"docker.io": 0}

        with_client(work, endpoints(hub), offline=True, logins=logins)
        assert hub.requests == ()
        assert logins.asked == []


def test_an_expired_token_is_renewed_once() -> None:
    async def work(client: RegistryClient) -> None:
        await client.head_manifest(NODE)
        hub.advance(400)
        await client.head_manifest(NODE)

    with docker_hub() as hub:
        with_client(work, endpoints(hub))
        assert len(hub.asked(site="token")) == 2
    with ecr_public() as hub:

        async def ecr(client: RegistryClient) -> None:
            await client.head_manifest(ECR_NODE)
            hub.fault("expired-token")
            await client.head_manifest(ECR_NODE)

        with_client(ecr, endpoints(hub), rates={"public.ecr.aws": 0})
        assert len(hub.asked(kind="token")) == 2


def test_an_identity_token_logs_in_at_the_stand_in() -> None:
    accounts = (Account(name="alice", password=PASSWORD, private=("corp/*",)),)
    with docker_hub(accounts=accounts) as hub:
        said = Said()
        with_client(
            lambda client: client.head_manifest(NODE),
            endpoints(hub),
            logins={"docker.io": Credential(IDENTITY_TOKEN, "not-a-good-one", "here")},
            said=said,
        )
        assert [record.method for record in hub.asked(site="token")] == ["POST", "GET"]
        assert len(said.notices) == 1


@pytest.mark.parametrize(
    "realm", ["https://evil.example/token", "http://192.0.2.1/token", "https://169.254.169.254/token", "https://a:b@127.0.0.1/token"]
)
def test_a_hostile_realm_is_an_error_that_says_why(realm: str) -> None:
    with docker_hub(realm=realm) as hub:
        logins = {"docker.io": Credential("alice", PASSWORD, "here")}
        with pytest.raises(BadAnswer, match=r"is not trusted \(.*\); nothing was sent there"):
            with_client(lambda client: client.head_manifest(NODE), endpoints(hub), logins=logins)
        assert hub.asked(site="token") == ()


def test_a_token_service_that_redirects_the_login_is_not_followed() -> None:
    with docker_hub() as hub:
        hub.fault("redirect", site="token", to=f"{hub.cdn_url}/token")
        logins = {"docker.io": Credential("alice", PASSWORD, "here")}
        with pytest.raises(BadAnswer, match="it redirects elsewhere, which is not followed"):
            with_client(lambda client: client.head_manifest(NODE), endpoints(hub), logins=logins)
        assert hub.asked(site="cdn") == ()


# tags and referrers


async def all_tags(client: RegistryClient, name: str) -> list[str]:
    return [tag async for tag in client.tags(ref(name))]


def test_tags_come_page_by_page() -> None:
    with docker_hub(page=3, page_most=3) as hub:
        for number in range(10):
            hub.add(small_image(), f"corp/many:v{number}")
        assert with_client(lambda client: all_tags(client, "corp/many"), endpoints(hub)) == [f"v{number}" for number in range(10)]
        assert len(hub.asked(kind="tags", status=200)) == 4


def test_tags_of_a_repository_that_is_not_there() -> None:
    with ecr_public() as hub, pytest.raises(NotFound, match="cannot list the tags of docker/nope at ECR Public"):
        with_client(lambda client: all_tags(client, "public.ecr.aws/docker/nope"), endpoints(hub), rates={"public.ecr.aws": 0})


def test_referrers_without_the_api_are_looked_for_under_their_tag() -> None:
    with docker_hub() as hub:
        subject = hub.add(small_image("subject"), "corp/app:1")
        digest = Digest.parse(subject)

        async def work(client: RegistryClient) -> int:
            return len(await client.referrers(ref("corp/app"), digest))

        assert with_client(work, endpoints(hub)) == 0
        assert hub.counts.total == 0, "a tag that is not there costs no pull"
        hub.add(small_index("signatures"), f"corp/app:sha256-{digest.encoded}")
        assert with_client(work, endpoints(hub)) > 0
        assert hub.counts.total == 1


def test_hundreds_of_references_are_asked_for_many_at_a_time_but_not_all() -> None:
    """What makes 500 references quick on a slow line; how quick is measured by `make bench`."""
    asked: list[Asked] = []

    def answer(row: Asked) -> Reply:
        asked.append(row)
        first = len(asked) == 1
        return Reply(200, {"Docker-Content-Digest": "sha256:" + "d" * 64}, when=lambda: first or len(asked) > CONNECTIONS_MAX)

    async def work(client: RegistryClient) -> None:
        tasks = [asyncio.ensure_future(client.head_manifest(ref(f"corp/app{number}:1"))) for number in range(500)]
        await asyncio.gather(*tasks)

    with must_end(), scripted(answer) as server:
        with_client(work, {"docker.io": server.url})
    assert len(asked) == 500


def test_one_host_never_has_more_requests_under_way_than_that() -> None:
    asked: list[Asked] = []
    held: list[int] = []

    def answer(row: Asked) -> Reply:
        asked.append(row)
        return Reply(200, {"Docker-Content-Digest": "sha256:" + "d" * 64}, when=lambda: len(asked) == 1 or bool(held))

    async def work(client: RegistryClient) -> None:
        tasks = [asyncio.ensure_future(client.head_manifest(ref(f"corp/app{number}:1"))) for number in range(200)]
        while len(asked) <= CONNECTIONS_MAX:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        held.append(len(asked) - 1)
        await asyncio.gather(*tasks)

    with must_end(), scripted(answer) as server:
        with_client(work, {"docker.io": server.url})
    assert held == [CONNECTIONS_MAX]

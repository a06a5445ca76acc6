"""The fetcher and the workers, over a Unix socket in one process; logins from everywhere; certificates."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import http.client
import json
import os
import ssl
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import unhub
from tests.hub import aws_endpoint, aws_environment, docker_hub, ecr_public
from tests.mirror import running_mirror, wait_until
from unhub.config.settings import Settings, Upstream
from unhub.demo.settings import Account
from unhub.image.digest import Digest
from unhub.image.errors import AwsError, ServeError, UsageError
from unhub.registry.credential import Credentials
from unhub.server import logins
from unhub.server.certificates import make
from unhub.server.ecr_login import EcrPublicLogin
from unhub.server.fetcher_client import FetcherClient
from unhub.server.fetcher_process import FetcherProcess, remove_leftovers
from unhub.server.logins import Login, Logins
from unhub.server.settings import Flags, Surroundings, secret_from, serve_settings
from unhub.server.stores import Stores
from unhub.store.records import RepositoryKey
from unhub.store.sql.upgrade import upgrade

NODE = RepositoryKey("docker", "library/node")
MISSING = Digest("sha256", "0" * 64)


@contextlib.asynccontextmanager
async def fetcher(data: Path, *urls: str, said: list[str] | None = None) -> AsyncGenerator[tuple[FetcherClient, Stores]]:
    """A fetcher that listens, and a worker's client for it."""
    for name in ("run", "spool", "blobs"):
        (data / name).mkdir(parents=True, exist_ok=True)
    flags = Flags(upstream=urls[0], fallback=tuple(f"{url}/docker" for url in urls[1:]))
    settings = serve_settings(Settings(), flags, Surroundings(data=data))
    await asyncio.to_thread(upgrade, settings.database)
    stop, ready = asyncio.Event(), asyncio.Event()
    notice = said.append if said is not None else lambda _: None
    serving = asyncio.ensure_future(FetcherProcess(settings, notice, login=False).run(ready.set, stop))
    async with Stores.open(settings) as stores:
        await asyncio.wait({asyncio.ensure_future(ready.wait()), serving}, return_when=asyncio.FIRST_COMPLETED)
        client = FetcherClient(settings.socket, stores.blobs)
        try:
            yield client, stores
        finally:
            await client.close()
            stop.set()
            await serving


def test_questions_over_the_socket(tmp_path: Path) -> None:
    async def work() -> None:
        async with fetcher(tmp_path, hub.url, ecr.url) as (client, stores):
            assert (tmp_path / "run" / "fetcher.sock").stat().st_mode & 0o777 == 0o600
            await client.tag(NODE, "20-alpine")
            found = await stores.metadata.manifests.resolve(NODE, "20-alpine")
            assert found is not None
            assert "20-alpine" in await client.tags(NODE)
            assert list(await client.referrers(NODE, found[1].digest)) == []
            await client.revalidate(NODE, "20-alpine")
            with pytest.raises(ServeError) as caught:
                await client.tag(NODE, "no-such-tag")
            assert (caught.value.status, caught.value.registry_code) == (404, "MANIFEST_UNKNOWN")
            with pytest.raises(ServeError) as caught:
                await client.blob(NODE, MISSING)
            assert caught.value.status == 404
            status = await client.status()
            assert status["counts"]["saved_pulls"] == 1
            assert status["counts"]["upstream_pulls"] == 0
            assert [row["name"] for row in status["sources"]] == ["docker.io", f"{ecr.address}/docker"]
            (told,) = [told async for told in client.operate("status", {})]
            assert told

    with docker_hub() as hub, ecr_public() as ecr:
        asyncio.run(work())
        assert hub.counts.total == 0


def test_many_readers_share_a_subscription(tmp_path: Path) -> None:
    async def work() -> None:
        async with fetcher(tmp_path, hub.url) as (client, stores):
            await client.tag(NODE, "20-alpine")
            found = await stores.metadata.manifests.resolve(NODE, "20-alpine")
            assert found is not None
            child = found[1].manifest.children[0].digest
            await client.digest(NODE, child)
            manifest = await stores.metadata.manifests.get(NODE, child)
            assert manifest is not None
            layer = manifest.manifest.layers[0]
            flights = await asyncio.gather(*(client.blob(NODE, layer.digest) for _ in range(20)))
            assert len({id(flight) for flight in flights}) == 1
            bodies = await asyncio.gather(*(whole(flight) for flight in flights))
            assert {len(body) for body in bodies} == {layer.size}
            part = b"".join([piece async for piece in (await client.blob(NODE, layer.digest)).read(5, 9)])
            assert part == bodies[0][5:9]

    async def whole(flight: Any) -> bytes:
        return b"".join([piece async for piece in flight.read()])

    with docker_hub() as hub:
        asyncio.run(work())
        assert len(hub.asked(site="cdn", method="GET")) == 1


def test_there_is_no_fetcher(tmp_path: Path) -> None:
    async def work() -> None:
        client = FetcherClient(tmp_path / "nowhere.sock", None)  # type: ignore[arg-type]
        await client.revalidate(NODE, "20")
        with pytest.raises(ServeError) as caught:
            await client.tag(NODE, "20")
        assert (caught.value.status, caught.value.retry_after) == (503, 5.0)
        await client.close()

    asyncio.run(work())


def test_old_leftovers_go_and_others_stay(tmp_path: Path) -> None:
    old, new = tmp_path / "sha256" / "a", tmp_path / "sha256" / "b"
    old.parent.mkdir()
    old.write_text("")
    new.write_text("")
    os.utime(old, (1000, 1000))
    assert remove_leftovers(tmp_path, 2000) == 1
    assert new.exists()
    assert not old.exists()


# ------------------------------------------------------------------ logins


def login(environment: Mapping[str, str] | None = None, **table: Any) -> Login | None:
    return Logins(Path(), environment or {}, secret_from).of("docker-hub", Upstream(url="https://x", **table))


def test_where_logins_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert login() is None
    from_environment = {"UNHUB_UPSTREAM_DOCKER_HUB_PASSWORD": "p", "UNHUB_UPSTREAM_DOCKER_HUB_USERNAME": "u"}
    assert login(from_environment) == Login("u", "p", "UNHUB_UPSTREAM_DOCKER_HUB_PASSWORD")
    (tmp_path / "p").write_text("secret\n")
    found = login(username="me", password_file=str(tmp_path / "p"))
    assert found is not None
    assert (found.username, found.password) == ("me", "secret")
    assert "secret\n" not in repr(found) + str(found.find("docker.io"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"username": "me"}, "there is no password"),
        ({"password_file": "/nowhere", "username": "me"}, "cannot read the password of"),
        ({"password_file": os.devnull, "username": "me"}, "it is not one line"),
        ({"password_file": "a", "secret": "b"}, "both password-file and secret"),
    ],
)
def test_logins_that_are_not_whole(table: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        login(**table)


@pytest.mark.parametrize(
    ("text", "username", "expected"),
    [
        ("bare", "me", ("me", "bare")),
        ('{"username": "u", "password": "p"}', None, ("u", "p")),
        ('{"username": "u", "accessToken": "t"}', "me", ("u", "t")),
        ('{"password": "p"}', "me", ("me", "p")),
    ],
)
def test_logins_in_secrets_manager(monkeypatch: pytest.MonkeyPatch, text: str, username: str | None, expected: tuple[str, str]) -> None:
    boto3 = pytest.importorskip("boto3")

    class Secrets:
        def get_secret_value(self, *, SecretId: str) -> dict[str, object]:
            assert SecretId == "hub"
            return {"SecretString": text}

    monkeypatch.setattr(boto3, "client", lambda name: Secrets())
    found = login(secret="hub", username=username)
    assert found is not None
    assert (found.username, found.password) == expected


@pytest.mark.parametrize("text", ["", "{}", '{"username": "u"}', "bare"])
def test_secrets_that_are_no_login(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    boto3 = pytest.importorskip("boto3")

    class Secrets:
        def get_secret_value(self, **_: str) -> dict[str, object]:
            return {"SecretString": text}

    monkeypatch.setattr(boto3, "client", lambda name: Secrets())
    with pytest.raises(UsageError, match="cannot use the secret 'hub'") as caught:
        login(secret="hub")
    assert "bare" not in caught.value.message
    assert logins.Login.__name__ == "Login"


def test_pulls_of_another_login_are_spent_when_the_first_has_none_left(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text("password")
    accounts = tuple(Account(name=name, password="password", limit=limit) for name, limit in (("one", 1), ("two", 5)))
    with docker_hub(accounts=accounts) as hub:
        (tmp_path / "unhub.toml").write_text(
            f'[upstream.docker]\nurl = "{hub.url}"\nseveral-logins = true\nusername = "one"\npassword-file = "one"\n'
            '[[upstream.docker.login]]\nusername = "two"\npassword-file = "two"\n'
        )
        with running_mirror(tmp_path, None, arguments=("--config", tmp_path / "unhub.toml")) as mirror:
            for name in ("node/manifests/20-alpine", "node/manifests/21.7.0-alpine3.19", "alpine/manifests/latest"):
                assert mirror.get(f"/v2/library/{name}").status == 200
        assert hub.counts.by_caller == {"account one": 1, "account two": 2}


# ------------------------------------------------------------------ ECR Public


def test_the_login_is_renewed_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        waits: list[float] = []
        answers: list[tuple[str, str, float] | Exception] = [("AWS", "one", 20_000.0), AwsError("cannot ask"), ("AWS", "two", 50_000.0)]
        now = [0.0]
        told: list[str | None] = []
        said: list[str] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            now[0] += seconds
            if not answers:
                raise asyncio.CancelledError

        def fetch() -> tuple[str, str, float]:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                now[0] = 21_000.0
                raise answer
            return answer

        def changed(credentials: Credentials | None) -> None:
            found = credentials and credentials.find("public.ecr.aws")
            told.append(found and found.secret)

        monkeypatch.setattr("unhub.server.ecr_login.asyncio.sleep", sleep)
        aws = EcrPublicLogin(said.append, fetch, lambda: now[0])
        with contextlib.suppress(asyncio.CancelledError):
            await aws.keep(changed)
        assert told == ["one", None, "two"]
        assert waits[:2] == [16_400.0, 600.0]
        assert aws.failures == 1
        assert "cannot ask" in said[1]
        assert not any(word == "one" or word == "two" for text in said for word in text.split())

    asyncio.run(work())


def test_ambient_aws_credentials_lift_the_fallbacks_rate(tmp_path: Path) -> None:
    with docker_hub() as hub, ecr_public(rate=1, account_rate=10) as ecr, aws_endpoint() as aws:
        env = {**aws_environment(aws), "UNHUB_ENDPOINT": f"docker.io={hub.url} public.ecr.aws={ecr.url}"}
        with running_mirror(tmp_path, None, env=env) as mirror:
            wait_until(lambda: mirror.metrics.get("unhub_ecr_public_login") == 1)
            assert mirror.get("/v2/library/node/manifests/20-alpine").status == 200
            assert hub.counts.total == 0
            callers = {record.caller for record in ecr.asked(kind="manifest", status=200)}
            assert len(callers) == 1
            assert not callers & {"", "anonymous"}
            assert "logged in to ECR Public" in mirror.stderr


# ------------------------------------------------------------------ certificates

NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)


def test_the_authority_stays_when_the_certificate_is_made_anew(tmp_path: Path) -> None:
    first = make(tmp_path, ["mirror.example"], NOW)
    authority, certificate = first.files.authority.read_bytes(), first.files.certificate.read_bytes()
    second = make(tmp_path, ["mirror.example", "192.0.2.1"], NOW)
    assert (first.is_new_authority, second.is_new_authority) == (True, False)
    assert second.files.authority.read_bytes() == authority
    assert second.files.certificate.read_bytes() != certificate
    assert [path.stat().st_mode & 0o777 for path in (second.files.key, second.files.authority_key)] == [0o600, 0o600]
    assert second.ends == NOW + datetime.timedelta(days=397)


@pytest.mark.parametrize("host", ["https://mirror", "mirror:5000", "", "a b", "-x", "ü.example", "*.*.x"])
def test_hosts_that_are_none(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match="cannot make a certificate for"):
        make(tmp_path, [host], NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_authority_is_said(tmp_path: Path) -> None:
    made = make(tmp_path, ["localhost"], NOW)
    made.files.authority_key.write_text("broken")
    with pytest.raises(UsageError, match="it or its key is damaged"):
        make(tmp_path, ["localhost"], NOW)
    make(tmp_path / "other", ["localhost"], NOW).files.authority_key.rename(made.files.authority_key)
    with pytest.raises(UsageError, match=r"ca\.key is not its key"):
        make(tmp_path, ["localhost"], NOW)
    make(tmp_path / "third", ["localhost"], NOW)
    with pytest.raises(UsageError, match="it ended on 2036"):
        make(tmp_path / "third", ["localhost"], NOW + datetime.timedelta(days=4000))


def test_the_mirror_speaks_tls_with_such_a_certificate(tmp_path: Path) -> None:
    ended = unhub("certificate", "--data", tmp_path / "data", "--host", "localhost", "--host", "127.0.0.1", cwd=tmp_path)
    assert ended.status == 0
    folder = tmp_path / "data" / "tls"
    assert f"--tls-certificate {folder / 'server.crt'} --tls-key {folder / 'server.key'}" in ended.text
    arguments = ("--tls-certificate", folder / "server.crt", "--tls-key", folder / "server.key")
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT

    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        writer.write(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            await writer.wait_closed()
        return answer

    with docker_hub() as hub, running_mirror(tmp_path, hub, arguments=arguments) as mirror:
        assert mirror.url.startswith("https://127.0.0.1:")
        assert asyncio.run(ask(int(mirror.url.rpartition(":")[2]))).startswith(b"HTTP/1.1 200 OK")


# ------------------------------------------------------------------ pages and reload


def test_health_metrics_and_log(tmp_path: Path) -> None:
    with docker_hub() as hub, ecr_public() as ecr, running_mirror(tmp_path, hub, ecr) as mirror:
        assert mirror.get("/v2/library/node/manifests/20-alpine").status == 200
        assert mirror.get("/v2/library/node/manifests/20-alpine").status == 200
        assert mirror.get("/healthz").body == b"ok\n"
        assert mirror.get("/readyz").body == b"ready\n"
        assert mirror.get("/nowhere").status == 404
        assert mirror.get("/metrics", "POST").status == 405
        metrics = mirror.metrics
        assert metrics["hub_pulls_saved_total"] == 1
        assert metrics["hub_pulls_spent_total"] == 0
        assert (metrics['unhub_pulls_total{cache="miss"}'], metrics['unhub_pulls_total{cache="hit"}']) == (1, 1)
        assert metrics["unhub_fetcher_up"] == 1
        wait_until(lambda: len(mirror.log) >= 7)
        first, second = mirror.log[:2]
        assert (first["cache"], second["cache"]) == ("miss", "hit")
        assert (second["name"], second["reference"], second["door"]) == ("docker/library/node", "20-alpine", "root")
        assert second["caller"] == "127.0.0.1"
        assert mirror.get("/_unhub/status").status == 200


def test_the_request_log_can_be_switched_off(tmp_path: Path) -> None:
    (tmp_path / "unhub.toml").write_text("[serve]\nrequest-log = false\n")
    with docker_hub() as hub, running_mirror(tmp_path, hub, arguments=("--config", tmp_path / "unhub.toml")) as mirror:
        assert mirror.get("/v2/").status == 200
    assert mirror.log == []


def test_settings_are_taken_over_while_it_serves(tmp_path: Path) -> None:
    config = tmp_path / "unhub.toml"
    config.write_text("[serve]\n")
    with docker_hub() as hub, docker_hub() as other, running_mirror(tmp_path, hub, arguments=("--config", config)) as mirror:
        before = mirror.processes
        config.write_text(f'[upstream.other]\nurl = "{other.url}"\nhosts = ["other.example"]\n')
        said = mirror.get("/_unhub/reload", "POST", Authorization=f"Bearer {mirror.token}")
        assert said.status == 200, said.body
        wait_until(lambda: all(mirror.processes.get(name, before[name]) != before[name] for name in ("worker 1", "fetcher")))

        def takes_the_new_one() -> bool:
            """A worker that ends may close a connection that has not said anything yet."""
            with contextlib.suppress(http.client.RemoteDisconnected, ConnectionResetError):
                return mirror.get("/v2/other.example/library/node/manifests/20-alpine").status == 200
            return False

        wait_until(takes_the_new_one)
        config.write_text("[serve]\nnonsense = 1\n")
        said = mirror.get("/_unhub/reload", "POST", Authorization=f"Bearer {mirror.token}")
        assert said.status == 422
        assert "there is no setting 'nonsense' here" in json.dumps(said.json)
        assert mirror.get("/v2/library/node/manifests/20-alpine").status == 200

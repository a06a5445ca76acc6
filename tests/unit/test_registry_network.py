"""The way to a registry: certificates, proxies, plain http, names that lead astray, and secrets that stay secret."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import socket
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from tests.hub import docker_hub, endpoints
from tests.registry_client import Logins, Said, ref, with_client
from tests.scripted import Asked, Reply, loop_in_a_thread, scripted, tunnel
from unhub.demo.settings import Account
from unhub.image.digest import Digest
from unhub.image.errors import BadAnswer, RegistryError, Unreachable, UsageError
from unhub.registry.client import ClientSettings, RegistryClient
from unhub.registry.credential import Credential, NoCredentials
from unhub.registry.exchange import Answer, Request
from unhub.registry.tokens import Token, TokenWanted
from unhub.registry.transport import Reach, Transport, Trouble

DIGEST = "sha256:" + "d" * 64
MANIFEST = Reply(200, {"Docker-Content-Digest": DIGEST, "Content-Type": "application/vnd.oci.image.index.v1+json"})
APP = ref("docker.io/corp/app:1")


def head(endpoint: str, **settings: Any) -> str:
    return str(with_client(lambda client: client.head_manifest(APP), {"docker.io": endpoint}, **settings).digest)


# certificates


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, path


def tls(ca: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    return context


def test_a_certificate_authority_of_one_s_own_is_trusted_where_it_is_named(authority: tuple[trustme.CA, Path]) -> None:
    ca, path = authority
    with scripted(lambda _: MANIFEST, tls=tls(ca)) as server:
        assert head(server.url, ca_files=(path,)) == DIGEST
        assert head(server.url, ca={"docker.io": path}) == DIGEST
        with pytest.raises(Unreachable, match=r"cannot read corp/app:1 at Docker Hub: its certificate is not trusted") as caught:
            head(server.url)
        assert caught.value.hint == "If it has a certificate authority of its own: --ca FILE"
        with pytest.raises(Unreachable, match="not trusted"):
            head(server.url, ca={"public.ecr.aws": path})


def test_a_certificate_for_another_name_is_not_taken(authority: tuple[trustme.CA, Path]) -> None:
    ca, path = authority
    with scripted(lambda _: MANIFEST, tls=tls(ca, "registry.example")) as server, pytest.raises(Unreachable, match="not trusted"):
        head(server.url, ca_files=(path,))


def test_the_token_service_of_a_private_registry_is_under_the_same_authority(authority: tuple[trustme.CA, Path]) -> None:
    ca, path = authority

    def answer(asked: Asked) -> Reply:
        if asked.path == "/token":
            return Reply(200, {}, b'{"token":"t"}')
        if asked.headers.get("Authorization") == "Bearer t":
            return MANIFEST
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="https://{asked.headers["Host"]}/token"'})

    with scripted(answer, tls=tls(ca)) as server:
        assert head(server.url, ca_files=(path,)) == DIGEST


def test_certificates_that_cannot_be_read_are_a_mistake_of_the_call(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    for path, reason in ((tmp_path / "missing.pem", "No such file"), (empty, "it holds no certificates")):
        with pytest.raises(UsageError, match=f"cannot read the certificates in .*: {reason}"):
            head("https://127.0.0.1:1", ca_files=(path,))


def test_plain_http_where_tls_was_meant_and_the_other_way_round(authority: tuple[trustme.CA, Path]) -> None:
    with scripted(lambda _: MANIFEST) as server, pytest.raises(Unreachable, match="the TLS handshake failed") as caught:
        head(f"https://{server.address}")
    assert "--insecure" in (caught.value.hint or "")
    with scripted(lambda _: MANIFEST, tls=tls(authority[0])) as server, pytest.raises(RegistryError) as caught:
        head(f"http://{server.address}")
    assert isinstance(caught.value, Unreachable | BadAnswer)


def test_something_that_does_not_speak_http() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
            await writer.drain()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(handle, "127.0.0.1", 0)

    async def stop(server: asyncio.Server) -> None:
        server.close()

    with loop_in_a_thread() as run:
        server = run(start())
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BadAnswer, match="cannot read corp/app:1 at Docker Hub: it does not speak HTTP as it should"):
            head(f"http://127.0.0.1:{port}")
        run(stop(server))


def test_a_host_that_takes_no_connection_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as waiting:
        for _ in range(2):  # nobody accepts, and the queue is full: whoever comes now hears nothing
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        with pytest.raises(Unreachable, match=r"no connection came about within 0\.3 s") as caught:
            head(f"http://127.0.0.1:{full.getsockname()[1]}", connect_seconds=0.3)
        assert caught.value.hint == "A firewall, or a proxy that is not set?"


def test_a_request_that_cannot_be_sent_is_an_error_like_any_other() -> None:
    with scripted(lambda _: MANIFEST) as server, pytest.raises(BadAnswer, match="the request cannot be sent"):
        head(server.url, user_agent="unhub\r\nX-Evil: 1")
    assert server.asked == []


# plain http


def test_a_registry_on_this_machine_may_be_spoken_to_in_plain_http() -> None:
    with scripted(lambda _: MANIFEST) as server:
        name = ref(f"{server.address}/corp/app:1")
        for insecure in (server.address, "127.0.0.1"):
            found = with_client(lambda client: client.head_manifest(name), {}, insecure=frozenset({insecure}))
            assert str(found.digest) == DIGEST
        with pytest.raises(Unreachable, match="the TLS handshake failed"):
            with_client(lambda client: client.head_manifest(name), {})


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"insecure": frozenset({"registry.example:5000"})}, "cannot speak plain http with registry.example:5000: only with this machine"),
        ({"insecure": frozenset({"10.0.0.1"})}, "only with this machine"),
        ({"endpoints": {"docker.io": "http://mirror.example"}}, "plain http is for this machine only"),
        ({"endpoints": {"docker.io": "mirror.example"}}, "cannot use the endpoint of docker.io: it is no http or https URL"),
        ({"endpoints": {"docker.io": "https://a:b@mirror.example"}}, "cannot use the endpoint of docker.io: it has a user name"),
        ({"endpoints": {"docker.io": "https://mirror.example/?x=1"}}, "it has a query"),
        ({"endpoints": {"docker.io": "https://127.1"}}, "its host is a number that is no plain address"),
        ({"proxies": {"https": "socks5://127.0.0.1:1080"}}, "cannot use a socks5 proxy: only http and https ones"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_asked(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text) as caught:
        RegistryClient(ClientSettings(**settings), NoCredentials())
    assert caught.value.exit_status == 2


def test_an_endpoint_may_have_a_path() -> None:
    with scripted(lambda _: MANIFEST) as server:
        assert head(f"{server.url}/api/docker/hub/") == DIGEST
        assert server.paths() == ["/api/docker/hub/v2/corp/app/manifests/1"]


# whose login goes where


@pytest.mark.parametrize(
    ("registry", "endpoint", "asked"),
    [
        ("docker.io", None, "docker.io"),
        ("docker.io", "http://127.0.0.1:9", "docker.io"),
        ("docker.io", "https://registry-1.docker.io", "docker.io"),
        ("docker.io", "https://mirror.example:8443", "mirror.example:8443"),
        ("registry.example.com", "https://other.example.com", "registry.example.com"),
        ("registry.example.com:5000", "https://evil.example", "evil.example"),
    ],
)
def test_a_settings_file_cannot_send_a_login_to_a_stranger(registry: str, endpoint: str | None, asked: str) -> None:
    logins = Logins({})
    with contextlib.suppress(RegistryError):
        with_client(
            lambda client: client.head_manifest(ref(f"{registry}/x/y:1")),
            {registry: endpoint} if endpoint else {},
            logins=logins,
            proxies={"https": "http://127.0.0.1:9"},  # so that nothing leaves this machine
            attempts=1,
        )
    assert logins.asked == [asked]


# proxies


def test_https_goes_through_the_proxy_with_its_login_and_that_shows_nowhere(authority: tuple[trustme.CA, Path]) -> None:
    ca, path = authority
    with scripted(lambda _: MANIFEST, tls=tls(ca, "registry.test")) as server, tunnel(server.address) as (proxy, heads):
        reference = ref("registry.test/corp/app:1")
        url = proxy.replace("http://", "http://alice:proxy-secret%21@")
        for proxies in ({"https": url}, {"all": url}, {"https": url.removeprefix("http://")}):
            heads.clear()
            found = with_client(lambda client: client.head_manifest(reference), {}, ca_files=(path,), proxies=proxies)
            assert str(found.digest) == DIGEST
            assert heads[0].startswith(b"CONNECT registry.test:443 ")
            assert base64.b64encode(b"alice:proxy-secret!") in heads[0]
        assert all("Proxy-Authorization" not in row.headers for row in server.asked)
        assert "proxy-secret" not in repr(ClientSettings(proxies={"https": url}))


@pytest.mark.parametrize("no_proxy", ["registry.invalid", ".invalid", "other,registry.invalid:443", "*"])
def test_no_proxy_is_honoured(no_proxy: str) -> None:
    with tunnel("127.0.0.1:9") as (proxy, heads):
        with pytest.raises(Unreachable, match="its name cannot be resolved"):
            with_client(
                lambda client: client.head_manifest(ref("registry.invalid/a/b:1")), {}, proxies={"https": proxy, "no": no_proxy}, attempts=1
            )
        assert heads == []


def test_this_machine_is_never_asked_through_a_proxy() -> None:
    with scripted(lambda _: MANIFEST) as server:
        assert head(server.url, proxies={"http": "http://127.0.0.1:9", "all": "http://127.0.0.1:9"}) == DIGEST


def test_a_proxy_that_says_nothing_does_not_hang_us() -> None:
    quick: dict[str, Any] = {"connect_seconds": 0.2, "read_seconds": 0.1, "attempts": 1}
    with tunnel("127.0.0.1:9", silent=True) as (proxy, heads):
        with pytest.raises(Unreachable, match=r"at registry\.invalid: it gave no (complete )?answer within 0\.4 s"):
            with_client(lambda client: client.head_manifest(ref("registry.invalid/a/b:1")), {}, proxies={"https": proxy}, **quick)
        assert len(heads) == 1


def test_a_proxy_that_is_not_there_and_one_that_refuses() -> None:
    outside = ref("registry.invalid/a/b:1")
    with pytest.raises(Unreachable, match=r"at registry\.invalid: the proxy cannot be reached") as caught:
        with_client(lambda client: client.head_manifest(outside), {}, proxies={"https": "http://a:proxy-secret@127.0.0.1:9"}, attempts=1)
    assert "proxy-secret" not in str(caught.value)
    with (
        scripted(lambda _: Reply(407)) as server,
        pytest.raises(Unreachable, match="the proxy answered 407"),
    ):
        with_client(lambda client: client.head_manifest(outside), {}, proxies={"https": server.url}, attempts=1)


# names that lead into a private network


def resolving(addresses: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        if host not in addresses:
            raise OSError(None, "unknown")
        return [
            {"hostname": host, "host": addresses[host], "port": port, "family": socket.AF_INET, "proto": 6, "flags": socket.AI_NUMERICHOST}
        ]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)


@pytest.mark.parametrize(
    ("reach", "address", "refused"),
    [
        (Reach.ANY, "127.0.0.1", False),
        (Reach.PRIVATE, "127.0.0.1", False),
        (Reach.PRIVATE, "169.254.169.254", True),
        (Reach.PUBLIC, "127.0.0.1", True),
        (Reach.PUBLIC, "169.254.169.254", True),
        (Reach.PUBLIC, "10.0.0.1", True),
        (Reach.PUBLIC, "::ffff:127.0.0.1", True),
    ],
)
def test_what_a_name_leads_to_is_looked_at_after_it_was_resolved(
    reach: Reach, address: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(port: str) -> Answer:
        transport = Transport(ClientSettings())
        try:
            return await transport.read(Request("GET", f"http://name.test:{port}/"), reach=reach, tls=True, size_max=10)
        finally:
            await transport.close()

    resolving({"name.test": address}, monkeypatch)
    with scripted(lambda _: Reply()) as server:
        port = server.address.rpartition(":")[2]
        if refused:
            with pytest.raises(Trouble, match="it leads into a private network") as caught:
                asyncio.run(work(port))
            assert caught.value.is_protocol
            assert server.asked == []
        else:
            assert asyncio.run(work(port)).status == 200


def test_a_registry_on_the_internet_cannot_name_a_token_service_that_leads_inside(
    authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry answers through a proxy, as one on the internet would; its sibling's name leads to this machine."""
    ca, path = authority
    resolving({"auth.registry.test": "127.0.0.1"}, monkeypatch)

    def answer(asked: Asked) -> Reply:
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="https://auth.registry.test:{port}/token"'})

    with scripted(answer, tls=tls(ca, "www.registry.test")) as server, tunnel(server.address) as (proxy, _):
        port = server.address.rpartition(":")[2]
        with pytest.raises(BadAnswer, match=r"cannot get a token at auth\.registry\.test:\d+: it leads into a private network"):
            with_client(
                lambda client: client.head_manifest(ref("www.registry.test/a/b:1")),
                {},
                ca_files=(path,),
                proxies={"https": proxy, "no": "auth.registry.test"},
                logins={"www.registry.test": Credential("alice", "p", "here")},
            )
        assert {row.path for row in server.asked} == {"/v2/a/b/manifests/1"}


# secrets

SECRETS = ("very-secret-password", base64.b64encode(b"alice:very-secret-password").decode(), "X-Signature=")


def test_no_secret_shows_in_logs_notices_errors_or_representations(caplog: pytest.LogCaptureFixture) -> None:
    """Everything is logged that can be, the stand-in's faults echo the login back, and every text is searched."""
    texts: list[str] = []
    tokens: set[str] = set()
    blob = Digest.parse(DIGEST)

    async def work(client: RegistryClient) -> None:
        asyncio.get_running_loop().set_debug(True)
        site = await client._site(APP)
        for attempt in (
            client.head_manifest(APP),
            client.get_manifest(APP),
            client.get_manifest(ref("corp/nope:1")),
            client.head_blob(APP, blob),
            client.read_blob(APP, blob, size_max=10),
        ):
            try:
                texts.append(repr(await attempt))
            except RegistryError as error:
                texts.extend((str(error), repr(error), repr(error.__dict__), repr(error.__cause__)))
        tokens.update(site._tokens.values())
        texts.extend((repr(client.settings), repr(site.auth.credential), repr(site.auth), repr(list(site._tokens._kept.items()))))

    def echo(asked: Asked) -> Reply:
        heard = asked.headers.get("Authorization", "")
        if asked.path == "/token":
            return Reply(200, {}, b'{"token":"secret-token-of-the-registry"}')
        if not heard:
            return Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{asked.headers["Host"]}/token"'})
        if "blobs" in asked.path and asked.method == "GET":
            return Reply(307, {"Location": f"http://127.0.0.1:9/blob?X-Signature={'s' * 20}"})
        return Reply(403, {}, f'{{"errors":[{{"code":"DENIED","message":"bad {heard} of alice:very-secret-password"}}]}}'.encode())

    said = Said()
    logins = {"docker.io": Credential("alice", "very-secret-password", "auths in config.json")}
    with caplog.at_level(logging.DEBUG), scripted(echo) as server:
        with_client(work, {"docker.io": server.url}, logins=logins, said=said)
    assert tokens == {"secret-token-of-the-registry"}
    texts += [*said.notices, caplog.text]
    assert any("bad" in text for text in texts), "the registry's words are passed on, without what it echoes"
    for secret in (*SECRETS, *tokens):
        assert [text for text in texts if secret in text] == []


def test_nor_does_the_stand_in_s_login_show_when_it_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    said = Said()
    with caplog.at_level(logging.DEBUG), docker_hub(accounts=(Account(name="alice", password="another"),)) as hub:
        logins = {"docker.io": Credential("alice", "very-secret-password", "auths in config.json")}
        with_client(lambda client: client.head_manifest(ref("node:20-alpine")), endpoints(hub), logins=logins, said=said)
    assert len(said.notices) == 1
    assert not [secret for secret in SECRETS if secret in caplog.text + said.notices[0]]


def test_values_that_hold_secrets_do_not_show_them() -> None:
    login = Credential("alice", "very-secret-password", "here")
    shown = repr(
        (
            Request(
                "GET", "https://cdn.example/a?X-Signature=abc", {"Authorization": "Bearer very-secret-password"}, b"very-secret-password"
            ),
            Answer(200, (("Location", "https://cdn.example/a?X-Signature=abc"),), b"very-secret-password"),
            Token("very-secret-password"),
            TokenWanted("https://r.example/t", "s", "x", login, "very-secret-password"),
        )
    )
    assert "very-secret-password" not in shown
    assert "X-Signature" not in shown
    assert "https://cdn.example/a" in shown


@pytest.mark.parametrize(
    ("endpoint", "seen", "private"),
    [
        ("http://127.0.0.1:5000", (), True),
        ("https://10.1.2.3", (), True),
        ("https://8.8.8.8", (), False),
        ("https://registry.example", ("10.1.2.3", "fd12::1"), True),
        ("https://registry.example", ("10.1.2.3", "8.8.8.8"), False),
        ("https://registry.example", (), False),  # behind a proxy nobody here knows
        ("https://registry.example", ("fe80::1%eth0",), True),
    ],
)
def test_a_registry_is_private_only_if_all_of_its_addresses_are(endpoint: str, seen: tuple[str, ...], private: bool) -> None:
    async def work(client: RegistryClient) -> bool:
        site = await client._site(ref("registry.example/a/b"))
        client._tools.transport.seen["registry.example"] = seen
        return site.is_private

    assert with_client(work, {"registry.example": endpoint}) is private

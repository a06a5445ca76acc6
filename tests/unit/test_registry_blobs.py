"""Blobs: whole or an error, however the way breaks; and never anywhere that a registry should not send us."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Callable

import pytest

from tests.hub import docker_hub, endpoints, small_image
from tests.registry_client import Said, ref, with_client
from tests.scripted import Asked, Reply, Server, scripted
from unhub.demo.images import bulk_layer, image
from unhub.demo.running import Hub
from unhub.image.digest import Digest
from unhub.image.errors import AccessRefused, BadAnswer, NotFound, RegistryError, Unreachable
from unhub.image.manifest import Platform
from unhub.registry.client import RegistryClient
from unhub.registry.credential import Credential

APP = ref("corp/app:1")
SIZE = 3_000_000


def digest_of(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def add_large(hub: Hub) -> tuple[bytes, Digest]:
    """An image with one large layer; its bytes and digest."""
    layer = bulk_layer(SIZE)
    hub.add(image([layer], platform=Platform("linux", "amd64")), "corp/app:1")
    return layer.data, Digest.parse(layer.digest)


async def all_of(client: RegistryClient, digest: Digest, *, size: int | None = None) -> bytes:
    data = bytearray()
    async with client.blob(APP, digest, size=size) as chunks:
        async for chunk in chunks:
            data += chunk
    return bytes(data)


def test_a_blob_comes_whole_from_the_other_host_and_without_the_login() -> None:
    with docker_hub() as hub:
        data, digest = add_large(hub)
        assert with_client(lambda client: all_of(client, digest), endpoints(hub)) == data
        (record,) = hub.asked(site="cdn")
        assert (record.status, record.authorization) == (200, "")
        assert hub.counts.total == 0


def test_the_size_of_a_blob_is_asked_by_head() -> None:
    with docker_hub() as hub:
        data, digest = add_large(hub)
        assert with_client(lambda client: client.head_blob(APP, digest), endpoints(hub)) == len(data)
        with pytest.raises(NotFound, match="cannot find the blob sha256:000000000000 of corp/app at Docker Hub"):
            with_client(lambda client: client.head_blob(APP, Digest("sha256", "0" * 64)), endpoints(hub))
        with pytest.raises(NotFound, match="cannot read the blob sha256:000000000000 of corp/app"):
            with_client(lambda client: all_of(client, Digest("sha256", "0" * 64)), endpoints(hub))


def test_a_broken_blob_is_taken_up_where_it_broke_off() -> None:
    with docker_hub() as hub:
        data, digest = add_large(hub)
        hub.fault("break", site="cdn", bytes=1_000_000, count=2)
        said = Said()
        assert with_client(lambda client: all_of(client, digest), endpoints(hub), said=said) == data
        ranges = [record.range for record in hub.asked(site="cdn")]
        assert ranges[0] == ""
        assert all(text.startswith("bytes=") for text in ranges[1:])
        assert len(ranges) == 3
        assert len(said.time.waits) == 2


def test_where_range_is_ignored_the_beginning_is_skipped() -> None:
    with docker_hub(ranges=False) as hub:
        data, digest = add_large(hub)
        hub.fault("break", site="cdn", bytes=1_000_000)
        assert with_client(lambda client: all_of(client, digest), endpoints(hub)) == data
        assert [record.status for record in hub.asked(site="cdn")][-1] == 200


def test_a_link_that_expired_is_asked_for_anew() -> None:
    async def work(client: RegistryClient) -> bytes:
        data = bytearray()
        async with client.blob(APP, digest) as chunks:
            async for chunk in chunks:
                if not data:
                    hub.advance(400)
                data += chunk
        return bytes(data)

    with docker_hub(token_seconds=10_000) as hub:
        data, digest = add_large(hub)
        hub.fault("status", status=403, site="cdn")
        hub.fault("break", site="cdn", bytes=1_500_000, after=1)
        assert with_client(work, endpoints(hub)) == data
        assert len(hub.asked(kind="blob", site="registry", status=307)) == 3


def test_a_content_network_that_goes_on_refusing_is_named() -> None:
    with docker_hub() as hub:
        _, digest = add_large(hub)
        hub.fault("status", status=403, site="cdn", count=None)
        with pytest.raises(
            Unreachable, match=r"cannot read the blob sha256:\w{12} of corp/app at Docker Hub: 127\.0\.0\.2:\d+, where it led, answered 403"
        ):
            with_client(lambda client: all_of(client, digest), endpoints(hub))


def test_breaking_again_and_again_without_getting_on_ends() -> None:
    with docker_hub() as hub:
        _, digest = add_large(hub)
        hub.fault("break", site="cdn", bytes=10, count=None)
        with pytest.raises(Unreachable, match="its answer broke off"):
            with_client(lambda client: all_of(client, digest), endpoints(hub))
        assert len(hub.asked(site="cdn")) == 4


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"kind": "wrong-bytes"}, "its content has another digest"),
        ({"kind": "html"}, "it answered with a web page"),
        ({"kind": "truncate", "bytes": 1000}, "it has 1000 bytes, not"),
    ],
)
def test_bad_content_never_looks_complete(fault: dict[str, object], text: str) -> None:
    got = bytearray()

    async def work(client: RegistryClient) -> None:
        async with client.blob(APP, digest, size=len(data)) as chunks:
            async for chunk in chunks:
                got.extend(chunk)

    with docker_hub() as hub:
        data, digest = add_large(hub)
        hub.fault(**fault, site="cdn", count=None)  # type: ignore[arg-type]
        with pytest.raises(BadAnswer, match=text):
            with_client(work, endpoints(hub))
        assert len(got) < len(data)


def test_a_small_blob_is_read_whole_or_refused_for_its_size() -> None:
    with docker_hub() as hub:
        made = small_image()
        hub.add(made, "corp/app:1")

        async def work(client: RegistryClient) -> tuple[bytes, Digest]:
            config = (await client.get_manifest(APP)).manifest.config
            assert config is not None
            return await client.read_blob(APP, config.digest, size_max=10_000), config.digest

        data, digest = with_client(work, endpoints(hub))
        assert digest_of(data) == digest
        with pytest.raises(BadAnswer, match="it has more than 10 bytes"):
            with_client(lambda client: client.read_blob(APP, digest, size_max=10), endpoints(hub))


def test_whoever_stops_early_leaves_nothing_open() -> None:
    async def work(client: RegistryClient) -> None:
        async with client.blob(APP, digest) as chunks:
            async for _ in chunks:
                break
        assert (await client.head_blob(APP, digest)) > 0

    with docker_hub() as hub:
        _, digest = add_large(hub)
        with_client(work, endpoints(hub))


def test_many_blobs_at_once() -> None:
    async def work(client: RegistryClient) -> list[bytes]:
        return await asyncio.gather(*(all_of(client, digest) for _ in range(8)))

    with docker_hub() as hub:
        data, digest = add_large(hub)
        assert all(found == data for found in with_client(work, endpoints(hub)))


# answers that no honest registry gives

DATA = b"0123456789" * 50
DIGEST = digest_of(DATA)


def blob_from(answer: Callable[[Asked], Reply], said: Said | None = None, digest: Digest = DIGEST) -> bytes:
    with scripted(answer) as server:
        return with_client(lambda client: all_of(client, digest), {"docker.io": server.url}, said=said)


def part(start: int, headers: str | None = None) -> Reply:
    return Reply(206, {"Content-Range": headers or f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"}, DATA[start:])


@pytest.mark.parametrize(
    ("second", "text"),
    [
        (part(0), "another part than was asked for"),
        (part(10, "bytes 10-499/*"), None),
        (part(10, "bytes 10-499/600"), "it has 600 bytes, not 500"),
        (part(10, "nonsense"), "another part than was asked for"),
        (Reply(206, {}, DATA[10:]), "another part than was asked for"),
        (Reply(416), "it answered 416"),
        (Reply(200, {}, DATA[:400]), "it has 400 bytes, not 500"),
        (Reply(404), "it answered 404"),
    ],
)
def test_the_second_part_must_fit_to_the_first(second: Reply, text: str | None) -> None:
    def answer(asked: Asked) -> Reply:
        return second if "Range" in asked.headers else Reply(200, {}, DATA, cut=10)

    if text is None:
        assert blob_from(answer) == DATA
    else:
        with pytest.raises(RegistryError, match=text):
            blob_from(answer)


def test_a_blob_of_unknown_length_is_believed_by_its_digest_alone() -> None:
    assert blob_from(lambda _: Reply(200, {}, DATA, length=False)) == DATA
    with pytest.raises(BadAnswer, match="another digest"):
        blob_from(lambda _: Reply(200, {}, DATA[:-1], length=False))


def test_an_unknown_length_that_broke_off_at_the_very_end() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(416) if "Range" in asked.headers else Reply(200, {}, DATA, cut=len(DATA), length=False)

    assert blob_from(answer) == DATA


def test_more_than_the_descriptor_says_is_refused() -> None:
    with scripted(lambda _: Reply(200, {}, DATA, length=False)) as server, pytest.raises(BadAnswer, match="it sends more than 100 bytes"):
        with_client(lambda client: all_of(client, DIGEST, size=100), {"docker.io": server.url})


def test_an_empty_blob() -> None:
    assert blob_from(lambda _: Reply(200), digest=digest_of(b"")) == b""


def test_sha512_is_a_digest_too() -> None:
    assert blob_from(lambda _: Reply(200, {}, DATA), digest=Digest("sha512", hashlib.sha512(DATA).hexdigest())) == DATA


def test_nothing_is_ever_unpacked() -> None:
    packed = gzip.compress(DATA)
    seen: list[str] = []

    def answer(asked: Asked) -> Reply:
        seen.append(asked.headers["Accept-Encoding"])
        return Reply(200, {"Content-Type": "application/gzip"}, packed)

    assert blob_from(answer, digest=digest_of(packed)) == packed
    assert seen == ["identity"]
    with pytest.raises(BadAnswer, match="it packed its answer"):
        blob_from(lambda _: Reply(200, {"Content-Encoding": "gzip"}, packed))


# redirects


def redirected(to: Callable[[Server], str], login: bool = True) -> tuple[bytes, list[Asked]]:
    """A blob behind a login whose registry leads to another server; what that was asked."""

    def registry(asked: Asked) -> Reply:
        if "Authorization" not in asked.headers:
            return Reply(401, {"WWW-Authenticate": "Basic realm=x"})
        return Reply(307, {"Location": to(other)})

    with scripted(lambda _: Reply(200, {}, DATA), host="127.0.0.2") as other, scripted(registry) as server:
        logins = {"docker.io": Credential("alice", "password-of-alice", "here")} if login else {}
        return with_client(lambda client: all_of(client, DIGEST), {"docker.io": server.url}, logins=logins), other.asked


def test_the_login_stays_behind_at_a_redirect_to_another_host() -> None:
    data, asked = redirected(lambda other: f"{other.url}/link?X-Signature=a%2Fb%2Bc&x=1+2")
    assert data == DATA
    assert "Authorization" not in asked[0].headers
    assert asked[0].target == "/link?X-Signature=a%2Fb%2Bc&x=1+2"


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("http://198.51.100.7/blob", "it is not https"),
        ("https://169.254.169.254/blob", "only this machine can reach"),
        ("https://alice:password@127.0.0.2/blob", "a user name in it"),
        ("file:///etc/passwd", "no http or https URL"),
        ("https://exa mple/", "characters that no URL has"),
    ],
)
def test_a_redirect_to_where_nobody_should_go_is_refused(location: str, text: str) -> None:
    with pytest.raises(BadAnswer, match=f"it redirects to a place that is not followed .*{text}"):
        redirected(lambda _: location)


def test_redirects_in_a_circle_end() -> None:
    asked: list[str] = []

    def answer(request: Asked) -> Reply:
        asked.append(request.target)
        return Reply(302, {"Location": f"/v2/again/{len(asked)}"})

    with pytest.raises(BadAnswer, match="it redirects more than 5 times"):
        blob_from(answer)
    assert len(asked) == 6


def test_a_redirect_on_the_same_host_keeps_the_login() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.headers.get("Authorization", "").startswith("Basic"):
            return Reply(200, {}, DATA) if asked.path == "/moved" else Reply(308, {"Location": "/moved"})
        return Reply(401, {"WWW-Authenticate": "Basic realm=x"})

    with scripted(answer) as server:
        logins = {"docker.io": Credential("alice", "p", "here")}
        assert with_client(lambda client: all_of(client, DIGEST), {"docker.io": server.url}, logins=logins) == DATA


def test_a_redirect_without_a_target_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match="it answered 307, which makes no sense here"):
        blob_from(lambda _: Reply(307))


def test_who_asks_for_a_login_elsewhere_does_not_get_it() -> None:
    with scripted(lambda _: Reply(401, {"WWW-Authenticate": "Basic realm=x"}), host="127.0.0.2") as other:
        logins = {"docker.io": Credential("alice", "p", "here")}
        with (
            scripted(lambda _: Reply(307, {"Location": f"{other.url}/blob"})) as server,
            pytest.raises(AccessRefused, match=r"cannot find the blob .* at 127\.0\.0\.2:\d+ \(where Docker Hub led\): it answered 401"),
        ):
            with_client(lambda client: client.head_blob(APP, DIGEST), {"docker.io": server.url}, logins=logins)
        assert all("Authorization" not in row.headers for row in other.asked)


def test_head_of_a_blob_needs_a_length() -> None:
    with scripted(lambda _: Reply(200, length=False)) as server, pytest.raises(BadAnswer, match="it does not say its size"):
        with_client(lambda client: client.head_blob(APP, DIGEST), {"docker.io": server.url})

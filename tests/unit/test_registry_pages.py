"""Lists that come in pages: tags and referrers, from registries that mean well and from others."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.registry_client import ref, with_client
from tests.scripted import Asked, Reply, scripted
from unhub.image.digest import Digest
from unhub.image.errors import BadAnswer, RegistryError
from unhub.image.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor
from unhub.registry.client import RegistryClient

SUBJECT = Digest("sha256", "a" * 64)
SIGNATURE, SBOM = "application/vnd.example.signature", "application/vnd.example.sbom"


def tags_of(answer: Callable[[Asked], Reply]) -> tuple[list[str], list[str]]:
    """The tags that a server leads to, and what it was asked for."""

    async def work(client: RegistryClient) -> list[str]:
        return [tag async for tag in client.tags(ref("a/b"))]

    with scripted(answer) as server:
        return with_client(work, {"docker.io": server.url}), server.paths()


def page(*tags: str, link: str | None = None) -> Reply:
    return Reply(200, {"Link": f'<{link}>; rel="next"'} if link else {}, json.dumps({"name": "a/b", "tags": tags}).encode())


def test_pages_are_followed_by_relative_and_absolute_links() -> None:
    def answer(asked: Asked) -> Reply:
        if "last=two" in asked.query:
            return page("three")
        if "last=one" in asked.query:
            return page("two", link=f"http://{asked.headers['Host']}/v2/a/b/tags/list?n=1&last=two")
        return page("one", link="/v2/a/b/tags/list?n=1&last=one")

    tags, asked = tags_of(answer)
    assert tags == ["one", "two", "three"]
    assert asked[0] == "/v2/a/b/tags/list?n=1000"


@pytest.mark.parametrize("body", [b'{"name":"a/b","tags":null}', b'{"name":"a/b"}', b'{"tags":[]}'])
def test_a_repository_without_tags(body: bytes) -> None:
    assert tags_of(lambda _: Reply(200, {}, body))[0] == []


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda _: page("one", link="?n=1000"), "its pages do not end"),
        (lambda asked: page("one", link=f"?n=1&last=x{len(asked.query)}xxxxxxxxxx"), "its pages do not end"),
        (lambda _: page("one", link="http://127.0.0.2:1/v2/a/b/tags/list"), "its next page is at another host"),
        (lambda _: page("one", link="https://evil.example/"), "its next page is at another host"),
        (lambda _: Reply(200, {}, b"[]"), "no list of tags"),
        (lambda _: Reply(200, {}, b'{"tags":["one",2]}'), "no list of tags"),
        (lambda _: Reply(200, {}, b'{"tags":["one\\nX: y"]}'), "something that is no tag"),
        (lambda _: Reply(200, {}, b'{"tags":["' + b"x" * 129 + b'"]}'), "something that is no tag"),
        (lambda _: Reply(200, {"Content-Type": "text/html"}, b"<html>"), "a web page"),
        (lambda _: Reply(200, {}, b" " * (8 * 1024 * 1024 + 1)), "its answer has more than 8388608 bytes"),
    ],
)
def test_lists_that_lead_nowhere_are_refused(answer: Callable[[Asked], Reply], text: str) -> None:
    with pytest.raises(BadAnswer, match=f"cannot list the tags of a/b at Docker Hub: .*{text}"):
        tags_of(answer)


def index(*rows: tuple[str, str]) -> bytes:
    manifests = [{"mediaType": OCI_MANIFEST, "digest": f"sha256:{encoded * 64}", "size": 7, "artifactType": kind} for encoded, kind in rows]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).encode()


def referrers_of(answer: Callable[[Asked], Reply], kind: str | None = None) -> tuple[tuple[Descriptor, ...], list[str]]:
    with scripted(answer) as server:
        found = with_client(lambda client: client.referrers(ref("a/b"), SUBJECT, kind), {"docker.io": server.url})
        return found, [f"{row.method} {row.target}" for row in server.asked]


def test_referrers_come_page_by_page_and_are_filtered_here_too() -> None:
    def answer(asked: Asked) -> Reply:
        if "page=2" in asked.query:
            return Reply(200, {"Content-Type": OCI_INDEX}, index(("3", SIGNATURE)))
        return Reply(200, {"Content-Type": OCI_INDEX, "Link": "<?page=2>; rel=next"}, index(("1", SIGNATURE), ("2", SBOM)))

    found, asked = referrers_of(answer)
    assert [row.digest.encoded[0] for row in found] == ["1", "2", "3"]
    assert asked[0] == f"GET /v2/a/b/referrers/{SUBJECT}"
    found, asked = referrers_of(answer, SIGNATURE)
    assert [row.digest.encoded[0] for row in found] == ["1", "3"]
    assert asked[0] == f"GET /v2/a/b/referrers/{SUBJECT}?artifactType=application%2Fvnd.example.signature"


def test_where_there_is_no_such_api_the_tag_is_looked_for_by_head_first() -> None:
    data = index(("1", SIGNATURE))

    def answer(asked: Asked) -> Reply:
        if f"manifests/sha256-{SUBJECT.encoded}" in asked.path:
            import hashlib

            return Reply(200, {"Content-Type": OCI_INDEX, "Docker-Content-Digest": f"sha256:{hashlib.sha256(data).hexdigest()}"}, data)
        return Reply(404)

    found, asked = referrers_of(answer)
    assert len(found) == 1
    assert [row.partition(" ")[0] for row in asked] == ["GET", "HEAD", "GET"]
    for status in (404, 405, 501):
        found, asked = referrers_of(lambda row, status=status: Reply(status if "referrers" in row.path else 404))
        assert found == ()
        assert [row.partition(" ")[0] for row in asked] == ["GET", "HEAD"]
    with pytest.raises(RegistryError, match="cannot list what is attached to a/b at Docker Hub: it answered 400"):
        referrers_of(lambda _: Reply(400))


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"schemaVersion":2,"layers":[]}'])
def test_referrers_that_are_no_index_are_refused(body: bytes) -> None:
    with pytest.raises(BadAnswer, match="no index"):
        referrers_of(lambda _: Reply(200, {}, body))

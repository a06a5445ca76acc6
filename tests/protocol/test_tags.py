"""Tags, deletes, the base, names and errors (registry-protocol.md, 2.5)."""

from __future__ import annotations

import pytest

from tests.protocol.conftest import Held
from tests.protocol.content import digest_of, fresh, image, push, push_blob, put_manifest
from tests.protocol.serving import Server, serving

TAGS = ["1.0", "1.0-alpine", "10", "9", "A", "Z", "_x", "a", "latest", "v1"]
"""In ASCII order."""


@pytest.fixture(scope="module")
def tagged(registry: Server) -> str:
    pushed = image()
    push(registry, "conformance/tagged", pushed, *reversed(TAGS))
    return "/v2/conformance/tagged/tags/list"


def test_tags_are_in_ascii_order(registry: Server, tagged: str) -> None:
    """Rule 20."""
    got = registry.ask("GET", tagged)

    assert (got.status, got["content-type"], got.get("link")) == (200, "application/json", None)
    assert got.json == {"name": "conformance/tagged", "tags": TAGS}
    assert registry.ask("HEAD", tagged)["content-length"] == got["content-length"]


PAGES = {
    "?n=3": (TAGS[:3], True),
    "?n=3&last=1.0-alpine": (TAGS[2:5], True),
    "?n=2&last=latest": (TAGS[9:], False),
    "?last=a": (TAGS[8:], False),
    "?last=b": (TAGS[8:], False),
    "?last=zzz": ([], False),
    "?n=10": (TAGS, False),
    "?n=9": (TAGS[:9], True),
    "?n=0": ([], False),
    "?n=0&last=a": ([], False),
    "?n=2147483648": (TAGS, False),
    "?n=9223372036854775808": (TAGS, False),
    f"?n={'9' * 500}": (TAGS, False),
    "?last=": (TAGS, False),
    "?n=1&last=%00": (TAGS[:1], True),
}


@pytest.mark.parametrize("query", PAGES)
def test_pages_begin_after_last_and_are_as_long_as_n(registry: Server, tagged: str, query: str) -> None:
    """Rule 20: ``last`` need not exist, ``n=0`` is empty without a link, a huge ``n`` is clamped (CVE-2023-2253)."""
    tags, more = PAGES[query]

    got = registry.ask("GET", tagged + query)

    assert (got.status, got.json["tags"]) == (200, tags)
    assert (got.get("link") is not None) == more


def test_links_lead_through_all_pages(registry: Server, tagged: str) -> None:
    """Rule 20."""
    found, path = [], f"{tagged}?n=3"
    while path:
        got = registry.ask("GET", path)
        found += got.json["tags"]
        link = got.get("link")
        assert link is None or link.startswith("</v2/conformance/tagged/tags/list?n=3&last=")
        path = "" if link is None else link.removeprefix("<").removesuffix('>; rel="next"')

    assert found == TAGS


@pytest.mark.parametrize("n", ["-1", "abc", "1.5", "1e3", "", "%20", "0x10", "\u0663".encode().hex()])
@pytest.mark.parametrize("path", ["/v2/conformance/tagged/tags/list", "/v2/_catalog", f"/v2/conformance/tagged/referrers/{digest_of(b'')}"])
def test_a_page_size_that_is_no_number_is_refused(registry: Server, tagged: str, path: str, n: str) -> None:
    """Rule 20, and every other list too."""
    if n.isdigit():
        n = "%d9%a3"  # a digit, but none of ASCII
    got = registry.ask("GET", f"{path}?n={n}")

    assert (got.status, got.code) == (400, "PAGINATION_NUMBER_INVALID")


@pytest.mark.parametrize("name", ["conformance/unknown", "library/unknown", "unknown", "docker/library/unknown"])
def test_an_unknown_repository_has_no_list(registry: Server, name: str) -> None:
    """Rule 20."""
    got = registry.ask("GET", f"/v2/{name}/tags/list")

    assert (got.status, got.code) == (404, "NAME_UNKNOWN")


def test_own_repositories_are_listed_in_pages(registry: Server, own: Held, pulled_through: Held) -> None:
    """What was pulled through is nobody's business."""
    registry.ask("GET", pulled_through.path("manifests", "latest"))
    found, path = [], "/v2/_catalog?n=2"
    while path:
        got = registry.ask("GET", path)
        assert got.status == 200
        found += got.json["repositories"]
        link = got.get("link")
        path = "" if link is None else link.removeprefix("<").removesuffix('>; rel="next"')

    assert own.name in found
    assert found == sorted(found)
    assert all(name.startswith(("conformance/", "local/")) for name in found)


def test_deleting_a_tag_leaves_the_manifest_and_its_other_tags(registry: Server) -> None:
    """Rule 21."""
    pushed = image()
    push(registry, "conformance/deletes", pushed, "one", "two")
    path = "/v2/conformance/deletes/manifests"
    assert registry.ask("GET", f"{path}/one").status == 200

    assert registry.ask("DELETE", f"{path}/one").status == 202

    assert registry.ask("GET", f"{path}/one").status == 404
    assert registry.ask("DELETE", f"{path}/one").code == "MANIFEST_UNKNOWN"
    for reference in ("two", pushed.digest):
        assert registry.ask("GET", f"{path}/{reference}").body == pushed.manifest


def test_deleting_a_digest_takes_all_its_tags(registry: Server) -> None:
    """Rule 21."""
    pushed, other = image(), image()
    push(registry, "conformance/gone", pushed, "one", "two")
    push(registry, "conformance/gone", other, "three")
    path = "/v2/conformance/gone/manifests"
    for reference in ("one", pushed.digest):
        assert registry.ask("GET", f"{path}/{reference}").status == 200

    assert registry.ask("DELETE", f"{path}/{pushed.digest}").status == 202

    for reference in ("one", "two", pushed.digest):
        for method in ("GET", "HEAD"):
            assert registry.ask(method, f"{path}/{reference}").status == 404
    assert registry.ask("GET", "/v2/conformance/gone/tags/list").json["tags"] == ["three"]


def test_nothing_is_deleted_where_that_is_switched_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Rule 21, and CVE-2026-41888: tags, digests and blobs alike. Cancelling an upload is no deletion."""
    pushed = image()
    with serving(tmp_path_factory.mktemp("kept") / "data", DELETE="0") as server:
        push(server, "local/kept", pushed, "tag")
        paths = ["manifests/tag", f"manifests/{pushed.digest}", f"blobs/{digest_of(pushed.layer)}"]
        for path in paths:
            refused = server.ask("DELETE", f"/v2/local/kept/{path}")
            assert (refused.status, refused.code) == (405, "UNSUPPORTED")
            assert refused["allow"]
            assert server.ask("GET", f"/v2/local/kept/{path}").status == 200
        session = server.ask("POST", "/v2/local/kept/blobs/uploads/")["location"]
        assert server.ask("DELETE", session).status == 204


@pytest.mark.parametrize("path", ["/v2/", "/v2", "/v2/?ns=docker.io"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_base_is_answered_without_a_challenge(registry: Server, path: str, method: str) -> None:
    """Rule 24: clients that use this as a mirror cannot take one."""
    got = registry.ask(method, path)

    assert got.status == 200
    assert got["docker-distribution-api-version"] == "registry/2.0"
    assert got["content-type"] == "application/json"


@pytest.mark.parametrize(
    "path", ["/v2/x", "/v2/a/b/c", "/v2/a/tags/other", "/v2/a/manifests/", "/v2//manifests/x", "/v2/a/blobs/", "/v2/x/"]
)
def test_what_is_no_endpoint_is_refused_in_json(registry: Server, path: str) -> None:
    """Rule 25."""
    got = registry.ask("GET", path)

    assert got.status in (400, 404)
    assert got.code in ("UNSUPPORTED", "NAME_INVALID")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/"),
        ("PUT", "/v2/conformance/a/tags/list"),
        ("PATCH", "/v2/conformance/a/manifests/latest"),
        ("PUT", f"/v2/conformance/a/blobs/{digest_of(b'')}"),
        ("GET", "/v2/conformance/a/blobs/uploads/"),
        ("OPTIONS", "/v2/conformance/a/manifests/latest"),
        ("TRACE", "/v2/"),
        ("DELETE", f"/v2/conformance/a/referrers/{digest_of(b'')}"),
    ],
)
def test_other_methods_are_refused_and_what_is_allowed_is_said(registry: Server, method: str, path: str) -> None:
    """Rule 25; and nothing is ever said to scripts of other origins (no CORS)."""
    got = registry.ask(method, path, headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"})

    assert (got.status, got.code) == (405, "UNSUPPORTED")
    assert got["allow"]
    assert not [name for name in got.headers if name.startswith("access-control")]


def test_a_refused_head_has_no_body(registry: Server) -> None:
    """Rule 25."""
    answer = registry.raw(b"HEAD /v2/conformance/a/manifests/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b"\r\n\r\n")


NAMES = ["a/b", "a--b/c__d", "a.b/c-d/e_f", "0/1", "blobs/manifests", "tags/list", "blobs/uploads", "x/referrers", "-".join(["a"] * 100)]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_the_grammar_are_taken(registry: Server, name: str) -> None:
    """Rule 29: also those that hold the words of endpoints."""
    pushed = image()

    push(registry, f"conformance/{name}", pushed, "a" * 128)

    assert registry.ask("GET", f"/v2/conformance/{name}/manifests/{'a' * 128}").body == pushed.manifest
    assert registry.ask("GET", f"/v2/conformance/{name}/tags/list").json["name"] == f"conformance/{name}"


@pytest.mark.parametrize(
    "name", ["A/b", "a/B", "a//b", "a/-b", "a/b-", "a/b_", "a___b/c", "a..b/c", ".a/b", "a/b/", "x" * 250, "a/b@c", "a+b"]
)
def test_other_names_are_refused(registry: Server, name: str) -> None:
    """Rule 29: 255 characters at most, the alias included."""
    for method in ("GET", "PUT"):
        got = registry.ask(method, f"/v2/conformance/{name}/manifests/latest", b"{}" if method == "PUT" else None)
        assert (got.status, got.code) == (400, "NAME_INVALID")


@pytest.mark.parametrize("tag", ["-a", ".a", "a+b", "a" * 129, "a@b", "a~b", "*"])
def test_other_tags_are_refused(registry: Server, tag: str) -> None:
    """Rule 29."""
    got = put_manifest(registry, "conformance/tags", tag, image().manifest)

    assert (got.status, got.code) == (400, "MANIFEST_INVALID")


def test_a_repository_is_there_from_its_first_push_on(registry: Server) -> None:
    push_blob(registry, "local/new", fresh())

    assert registry.ask("GET", "/v2/local/new/tags/list").json == {"name": "local/new", "tags": []}

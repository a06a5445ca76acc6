"""Blobs as they are read (registry-protocol.md, 2.2), in own and in pulled-through repositories, by every door."""

from __future__ import annotations

import pytest

from tests.protocol.conftest import Held
from tests.protocol.content import digest_of, fresh, push_blob
from tests.protocol.serving import Server


def test_a_blob_is_read_whole(held: Held) -> None:
    """Rule 2."""
    data = held.image.layer

    got = held.server.ask("GET", held.path("blobs", digest_of(data)))

    assert (got.status, got.body) == (200, data)
    assert got["content-length"] == str(len(data))
    assert got["docker-content-digest"] == digest_of(data)
    assert got["etag"] == f'"{digest_of(data)}"'
    assert got["accept-ranges"] == "bytes"
    assert got["content-type"] == "application/octet-stream"


def test_head_has_the_real_length_and_no_body(held: Held) -> None:
    """Rule 13."""
    data = held.image.layer

    got = held.server.ask("HEAD", held.path("blobs", digest_of(data)))

    assert (got.status, got.body) == (200, b"")
    assert got["content-length"] == str(len(data))
    assert got["docker-content-digest"] == digest_of(data)


LENGTH = 5000
RANGES = {
    "bytes=0-0": (0, 1),
    "bytes=0-99": (0, 100),
    "bytes=100-": (100, LENGTH),
    "bytes=0-": (0, LENGTH),
    "bytes=4999-4999": (4999, LENGTH),
    "bytes=-500": (LENGTH - 500, LENGTH),
    "bytes=-99999": (0, LENGTH),
    "bytes=4000-999999": (4000, LENGTH),
    "bytes= 10-19": (10, 20),
}


@pytest.mark.parametrize("asked", RANGES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_range_is_sent(held: Held, asked: str, method: str) -> None:
    """Rule 11: an end past the end is clipped, and suffixes work."""
    start, end = RANGES[asked]

    got = held.server.ask(method, held.path("blobs", digest_of(held.image.layer)), headers={"Range": asked})

    assert got.status == 206
    assert got["content-range"] == f"bytes {start}-{end - 1}/{LENGTH}"
    assert got["content-length"] == str(end - start)
    assert got.body == (held.image.layer[start:end] if method == "GET" else b"")


@pytest.mark.parametrize("asked", ["bytes=500-0", "bytes=5000-", "bytes=99999-100000", "bytes=-0"])
def test_a_range_outside_is_refused(held: Held, asked: str) -> None:
    """Rule 11."""
    got = held.server.ask("GET", held.path("blobs", digest_of(held.image.layer)), headers={"Range": asked})

    assert got.status == 416
    assert got["content-range"] == f"bytes */{LENGTH}"
    assert got.code == "SIZE_INVALID"


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "lines=0-5", "bytes=a-b", "bytes=-", "0-5", "bytes=0-1-2", "bytes=" + "9" * 30 + "-"])
def test_what_is_no_single_range_is_answered_whole(held: Held, asked: str) -> None:
    """Rule 11: several ranges at once may be answered whole, and units that are not known are ignored (RFC 9110, 14.2)."""
    got = held.server.ask("GET", held.path("blobs", digest_of(held.image.layer)), headers={"Range": asked})

    assert (got.status, got.body) == (200, held.image.layer)


def test_a_range_of_other_content_is_answered_whole(held: Held) -> None:
    """RFC 9110, 13.1.5: ``If-Range``."""
    digest = digest_of(held.image.layer)
    for condition, status in ((f'"{digest}"', 206), ('"sha256:other"', 200)):
        headers = {"Range": "bytes=0-9", "If-Range": condition}
        assert held.server.ask("GET", held.path("blobs", digest), headers=headers).status == status


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_it_already_is_not_sent_it_again(held: Held, method: str) -> None:
    digest = digest_of(held.image.layer)
    for condition in (f'"{digest}"', f'W/"{digest}"', f'"a", "{digest}"', "*"):
        got = held.server.ask(method, held.path("blobs", digest), headers={"If-None-Match": condition})
        assert (got.status, got.body) == (304, b"")
        assert got["etag"] == f'"{digest}"'


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_blob_that_is_not_there_is_unknown(held: Held, method: str) -> None:
    got = held.server.ask(method, held.path("blobs", digest_of(b"nobody has this")))

    assert got.status == 404
    assert got.body == b"" if method == "HEAD" else got.code == "BLOB_UNKNOWN"


@pytest.mark.parametrize("digest", ["sha256:baddigeststring", "sha256:" + "A" * 64, "sha1:" + "0" * 40, "latest", "sha256:" + "0" * 63])
def test_what_is_no_digest_is_refused(held: Held, digest: str) -> None:
    """The grammar stands before any path (CVE-2024-3727)."""
    got = held.server.ask("GET", held.path("blobs", digest))

    assert (got.status, got.code) == (400, "DIGEST_INVALID")


def test_an_empty_blob_is_read(registry: Server) -> None:
    """Rule 12."""
    digest = push_blob(registry, "conformance/empty", b"")

    got = registry.ask("GET", f"/v2/conformance/empty/blobs/{digest}")

    assert (got.status, got.body, got["content-length"]) == (200, b"", "0")
    assert registry.ask("GET", f"/v2/conformance/empty/blobs/{digest}", headers={"Range": "bytes=0-"}).status == 416


def test_a_large_blob_is_sent_whole_and_in_parts(registry: Server) -> None:
    data = fresh(7_654_321)
    path = f"/v2/conformance/large/blobs/{push_blob(registry, 'conformance/large', data)}"

    assert registry.ask("GET", path).body == data
    assert registry.ask("GET", path, headers={"Range": "bytes=1234567-7654319"}).body == data[1234567:7654320]


def test_a_deleted_blob_is_gone_from_its_repository_only(registry: Server) -> None:
    """CVE-2026-35172: deleted in one, read through another, it is not readable again in the first."""
    data = fresh()
    digest = push_blob(registry, "conformance/first", data)
    push_blob(registry, "conformance/second", data)
    first, second = (f"/v2/conformance/{name}/blobs/{digest}" for name in ("first", "second"))

    assert registry.ask("DELETE", first).status == 202

    assert registry.ask("GET", second).body == data
    for method in ("GET", "HEAD", "DELETE"):
        assert registry.ask(method, first).status == 404
    assert registry.ask("GET", first, headers={"Range": "bytes=0-1"}).status == 404


def test_a_blob_is_read_only_through_a_repository_that_links_it(registry: Server, own: Held, pulled_through: Held) -> None:
    """CVE-2024-39897, for GET, HEAD, Range and mount."""
    digest = digest_of(own.image.layer)
    for name in ("conformance/elsewhere", "library/held"):
        path = f"/v2/{name}/blobs/{digest}"
        assert registry.ask("GET", path).status == 404
        assert registry.ask("HEAD", path).status == 404
        assert registry.ask("GET", path, headers={"Range": "bytes=0-1"}).status == 404
    start = f"/v2/conformance/elsewhere/blobs/uploads/?mount={digest}&from="
    assert registry.ask("POST", f"{start}docker/library/held").status == 202

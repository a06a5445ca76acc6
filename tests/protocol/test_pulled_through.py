"""Names that are pulled through: the doors, what is said of them, and that nobody pushes to them (registry-protocol.md, 2.6)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.conftest import Held
from tests.protocol.content import OCTETS, Image, digest_of, image, lay_upstream, put_manifest
from tests.protocol.serving import Server

DOORS = ["held", "library/held", "docker/library/held", "docker.io/library/held", "docker.io/held", "registry-1.docker.io/library/held"]


@pytest.mark.parametrize("name", DOORS)
def test_every_door_leads_to_the_same_content(registry: Server, pulled_through: Held, name: str) -> None:
    """CONTRACTS, 8; nothing is said of a namespace that nobody asked in."""
    got = registry.ask("GET", f"/v2/{name}/manifests/latest")

    assert (got.status, got.body) == (200, pulled_through.image.manifest)
    assert got.get("oci-namespace") is None
    assert registry.ask("GET", f"/v2/{name}/blobs/{digest_of(pulled_through.image.layer)}").body == pulled_through.image.layer


@pytest.mark.parametrize("kind", ["manifests/latest", "manifests/DIGEST", "blobs/LAYER", "tags/list", "referrers/DIGEST"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_namespace_that_was_asked_in_is_answered(pulled_through: Held, kind: str, method: str) -> None:
    """Rule 27."""
    image = pulled_through.image
    path = kind.replace("DIGEST", image.digest).replace("LAYER", digest_of(image.layer))
    for namespace in ("docker.io", "registry-1.docker.io"):
        got = pulled_through.server.ask(method, f"/v2/library/held/{path}?ns={namespace}")
        assert (got.status, got["oci-namespace"]) == (200, namespace)


@pytest.mark.parametrize("namespace", ["evil.example", "169.254.169.254", "localhost:22", "docker.io:443", "", "docker.io%00", "DOCKER.IO"])
def test_other_namespaces_are_unknown(registry: Server, pulled_through: Held, namespace: str) -> None:
    """Rule 27 and security-lessons.md, 6: no open proxy. With 404 containerd goes on to its next host."""
    for path in ("manifests/latest", "tags/list", f"blobs/{digest_of(pulled_through.image.layer)}"):
        got = registry.ask("GET", f"/v2/library/held/{path}?ns={namespace}")
        assert (got.status, got.code) == (404, "NAME_UNKNOWN")


def test_the_age_of_a_tag_is_told(pulled_through: Held) -> None:
    got = pulled_through.server.ask("GET", pulled_through.path("manifests", "latest"))

    assert int(got["age"]) >= 0
    assert got.get("warning") is None
    assert pulled_through.server.ask("GET", pulled_through.path("manifests", pulled_through.image.digest)).get("age") is None


@pytest.mark.parametrize("door", ["library/refused", "docker/library/refused", "refused"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_says_when_to_come_again(registry: Server, door: str, status: int) -> None:
    """Rule 25: in whole seconds, never too early."""
    refuses = registry.folder / "upstream" / "refuses"
    refuses.parent.mkdir(exist_ok=True)
    refuses.write_text(str(status))
    try:
        got = registry.ask("GET", f"/v2/{door}/manifests/latest")
    finally:
        refuses.unlink()

    assert (got.status, got.code) == (status, "TOOMANYREQUESTS" if status == 429 else "UNAVAILABLE")
    assert got["retry-after"] == "30"


def test_tags_that_were_pulled_are_listed_with_a_warning_when_the_upstream_is_gone(pulled_through: Held) -> None:
    """Rule 26."""
    server = pulled_through.server
    server.ask("GET", pulled_through.path("manifests", "1.0"))
    refuses: Path = server.folder / "upstream" / "refuses"
    refuses.write_text("503")
    try:
        got = server.ask("GET", "/v2/library/held/tags/list")
    finally:
        refuses.unlink()

    assert got.status == 200
    assert "1.0" in got.json["tags"]
    assert got["warning"].startswith('299 - "served stale: ')


def test_the_official_image_is_named_where_docker_hub_has_no_such_organisation(registry: Server) -> None:
    """CONTRACTS, 8."""
    got = registry.ask("GET", "/v2/docker/node/manifests/20")

    assert (got.status, got.code) == (404, "MANIFEST_UNKNOWN")
    assert "docker/library/node" in got.json["errors"][0]["detail"]["hint"]


WRITES = [
    ("PUT", "manifests/latest"),
    ("DELETE", "manifests/latest"),
    ("POST", "blobs/uploads/"),
    ("POST", f"blobs/uploads/?digest={digest_of(b'')}"),
    ("POST", f"blobs/uploads/?mount={digest_of(b'')}&from=conformance/held"),
    ("PATCH", "blobs/uploads/" + "0" * 32),
    ("PUT", f"blobs/uploads/{'0' * 32}?digest={digest_of(b'')}"),
    ("DELETE", "blobs/uploads/" + "0" * 32),
    ("DELETE", f"blobs/{digest_of(b'')}"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("name", ["library/held", "docker/library/held", "held", "docker.io/library/held", "conformance"])
def test_nobody_pushes_to_what_is_pulled_through(registry: Server, method: str, path: str, name: str) -> None:
    got = registry.ask(method, f"/v2/{name}/{path}", b"" if method != "DELETE" else None, OCTETS)

    assert (got.status, got.code) == (405, "UNSUPPORTED")
    assert "pulled through" in got.json["errors"][0]["message"]
    assert "conformance/" in got.json["errors"][0]["detail"]["hint"]


def test_a_push_in_a_namespace_is_one_to_what_is_pulled_through(registry: Server) -> None:
    got = put_manifest(registry, "conformance/held", "latest?ns=docker.io", image().manifest)

    assert (got.status, got.code) == (405, "UNSUPPORTED")


def test_a_pushed_name_is_never_asked_upstream(registry: Server) -> None:
    """An upstream that has the same name is not heard."""
    other: Image = image()
    lay_upstream(registry, "conformance/mine", other, "latest")

    assert registry.ask("GET", "/v2/conformance/mine/manifests/latest").status == 404
    assert registry.ask("GET", f"/v2/conformance/mine/blobs/{digest_of(other.layer)}").status == 404
    assert registry.ask("GET", "/v2/conformance/mine/manifests/latest?ns=docker.io").body == other.manifest

"""What the operator blocked is served by no method, through no door and in no part (nora GHSA-4j4m-fchf-gr9r)."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.protocol.conftest import Held
from tests.protocol.content import digest_of, image, push_blob, put_manifest
from tests.protocol.serving import Response, Server


@pytest.fixture
def blocked(held: Held) -> Generator[Held]:
    """The manifest, remembered and ready to go, and the layer, linked and stored: both blocked now."""
    file = held.server.folder / "blocked"
    for _ in range(3):
        assert held.server.ask("GET", held.path("manifests", "latest")).status == 200
        assert held.server.ask("GET", held.path("manifests", held.image.digest)).status == 200
    file.write_text(f"{held.image.digest} {digest_of(held.image.layer)}")
    try:
        yield held
    finally:
        file.unlink()


def refused(answer: Response, method: str) -> bool:
    return answer.status == 403 and (answer.body == b"" if method == "HEAD" else answer.code == "DENIED")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-9"}, {"If-None-Match": "*"}])
def test_it_is_read_in_no_way(blocked: Held, method: str, headers: dict[str, str]) -> None:
    for kind, reference in (
        ("manifests", "latest"),
        ("manifests", blocked.image.digest),
        ("blobs", digest_of(blocked.image.layer)),
    ):
        answer = blocked.server.ask(method, blocked.path(kind, reference), headers=headers)
        assert refused(answer, method)
        assert b"malware" in answer.body or method == "HEAD"
    assert blocked.server.ask(method, blocked.path("blobs", digest_of(blocked.image.config))).status == 200


@pytest.mark.parametrize("source", ["&from=conformance/held", "&from=docker/library/held", ""])
def test_it_is_mounted_from_nowhere(blocked: Held, source: str) -> None:
    path = f"/v2/conformance/mounts/blobs/uploads/?mount={digest_of(blocked.image.layer)}{source}"

    assert blocked.server.ask("POST", path).status == 202
    assert blocked.server.ask("GET", f"/v2/conformance/mounts/blobs/{digest_of(blocked.image.layer)}").status == 403


def test_it_is_not_taken_again(blocked: Held) -> None:
    server = blocked.server
    assert refused(put_manifest(server, "conformance/again", "latest", blocked.image.manifest), "PUT")
    layer = blocked.image.layer
    path = f"/v2/conformance/again/blobs/uploads/?digest={digest_of(layer)}"
    assert refused(server.ask("POST", path, layer), "POST")
    session = server.ask("POST", "/v2/conformance/again/blobs/uploads/")["location"]
    assert refused(server.ask("PUT", f"{session}?digest={digest_of(layer)}", layer), "PUT")


def test_what_was_blocked_is_served_again_when_it_is_not_any_more(registry: Server) -> None:
    pushed = image()
    for blob in (pushed.config, pushed.layer):
        push_blob(registry, "conformance/back", blob)
    put_manifest(registry, "conformance/back", "latest", pushed.manifest)
    file = registry.folder / "blocked"
    path = "/v2/conformance/back/manifests/latest"
    file.write_text(pushed.digest)
    assert registry.ask("GET", path).status == 403
    file.unlink()
    assert registry.ask("GET", path).body == pushed.manifest

"""What a client does not ask for is not fetched: ``unhub serve`` in front of a stand-in for Docker Hub."""

from __future__ import annotations

import json
from pathlib import Path

from tests.hub import docker_hub
from tests.mirror import running_mirror

NAME = "/v2/library/node"


def test_head_of_a_blob_fetches_nothing(tmp_path: Path) -> None:
    """Its size stands in the manifest that was pulled."""
    with docker_hub() as hub, running_mirror(tmp_path, hub) as mirror:
        index = json.loads(mirror.get(f"{NAME}/manifests/20-alpine").body)
        child = json.loads(mirror.get(f"{NAME}/manifests/{index['manifests'][0]['digest']}").body)
        layer = child["layers"][0]

        said = mirror.get(f"{NAME}/blobs/{layer['digest']}", "HEAD")

        assert said.status == 200
        assert said.headers["content-length"] == str(layer["size"])
        assert [one.path for one in hub.requests if "/blobs/" in one.path] == []
        got = mirror.get(f"{NAME}/blobs/{layer['digest']}")
        assert len(got.body) == layer["size"]
        assert len([one for one in hub.requests if f"/blobs/{layer['digest']}" in one.path]) == 1


def test_what_is_there_already_asks_nobody(tmp_path: Path) -> None:
    """Cache before network: no token, no ping, no HEAD for what is fresh; conditions and ranges are answered here."""
    with docker_hub() as hub, running_mirror(tmp_path, hub) as mirror:
        index = json.loads(mirror.get(f"{NAME}/manifests/20-alpine").body)
        child = index["manifests"][0]["digest"]
        layer = json.loads(mirror.get(f"{NAME}/manifests/{child}").body)["layers"][0]["digest"]
        mirror.get(f"{NAME}/blobs/{layer}")
        before = len(hub.requests)

        for _ in range(3):
            for path in ("manifests/20-alpine", f"manifests/{child}", f"blobs/{layer}"):
                for method in ("GET", "HEAD"):
                    assert mirror.get(f"{NAME}/{path}", method).status == 200
            assert mirror.get(f"{NAME}/blobs/{layer}", Range="bytes=0-9").status == 206
        assert mirror.get("/v2/").status == 200

        assert len(hub.requests) == before

"""Real clients at a mirror that holds them to ECR Public's terms: what one pull takes of the rate, and what people are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.machine import Machine, machine
from tests.hub import docker_hub, small_index
from tests.mirror import Mirror, running_mirror, wait_until
from tests.tools import tool
from unhub.demo.catalogue import Entry

IMAGES = ("golang", "node", "alpine", "redis")
TERMS = '[terms]\nprofile = "aws-2026-11"\n[terms.anonymous]\npulls-a-second = 0.0001\n'
"""Today's terms, but that no pull comes back while a test runs: what was left after a rest is all there is."""


@pytest.fixture
def here() -> Iterator[Machine]:
    with machine() as own:
        yield own


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    entries = [Entry(f"library/{name}", "1", small_index(name)) for name in IMAGES]
    (tmp_path / "unhub.toml").write_text(TERMS)
    arguments = ("--config", tmp_path / "unhub.toml")
    with docker_hub(limit=None, images=entries) as hub, running_mirror(tmp_path, hub, arguments=arguments, listen="127.0.0.1:0") as running:
        yield running


def asked(mirror: Mirror) -> Counter[tuple[str, int]]:
    """How manifests and blobs were asked for, and answered."""
    return Counter((line["method"], line["status"]) for line in mirror.log if line.get("reference"))


def test_docker_pulls_three_images_of_several_platforms_at_once_and_is_told_when_it_is_too_much(here: Machine, mirror: Mirror) -> None:
    for name in IMAGES[:3]:
        pulled = here.docker("pull", "-q", f"{mirror.address}/library/{name}:1")
        assert pulled.status == 0, pulled.text
    refused = here.docker("pull", "-q", f"{mirror.address}/library/redis:1")
    assert refused.status != 0
    assert "toomanyrequests: Rate exceeded" in refused.text


def test_a_build_with_three_stages_is_not_refused(here: Machine, mirror: Mirror) -> None:
    dockerfile = "".join(f"FROM {mirror.address}/library/{name}:1 AS {name}\n" for name in IMAGES[:3])
    dockerfile += "FROM scratch\n" + "".join(f"COPY --from={name} / /{name}\n" for name in IMAGES[:3])
    built = here.docker("build", "--no-cache", "--pull", "--network=host", "-", stdin=dockerfile, DOCKER_BUILDKIT="1")
    assert built.status == 0, built.text
    wait_until(lambda: asked(mirror))
    assert not any(status == 429 for _, status in asked(mirror))


def test_skopeo_waits_as_long_as_it_is_told(here: Machine, mirror: Mirror) -> None:
    (mirror.folder / "unhub.toml").write_text("[terms]\nburst = 2\n[terms.anonymous]\npulls-a-second = 2\n")
    before = mirror.processes["worker 1"]
    assert mirror.get("/_unhub/reload", "POST", Authorization=f"Bearer {mirror.token}").status == 200
    wait_until(lambda: mirror.processes.get("worker 1") not in (None, before))
    command = (tool("skopeo"), "inspect", "--tls-verify=false", "--raw", f"docker://{mirror.address}/library/node:1")
    wait_until(lambda: mirror.get("/v2/library/node/manifests/1").status == 429, why="the old worker went on")
    for _ in range(5):
        ended = here.run(command)
        assert ended.status == 0, ended.text
    wait_until(lambda: asked(mirror)[("GET", 200)] >= 5)
    assert asked(mirror)[("GET", 429)] >= 2, "it was refused in between, and asked again"

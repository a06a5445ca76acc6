"""BuildKit as a daemon of its own behind the mirror, with the real docker/dockerfile frontend."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.machine import Ended
from tests.clients.mirror_site import FRONTEND, NODE, PUSH_PASSWORD, Site, dockerfile_frontend, site
from tests.hub import small_image
from tests.mirror import wait_until
from tests.tools import tool
from unhub.setup.clients.buildkit import PATH
from unhub.setup.clients.every import CLIENTS

CLIENT = CLIENTS["buildkit"]
SHORT = NODE.removeprefix("library/")
Build = Callable[..., Ended]


def buildkitd(here: Site) -> Build:
    """Start buildkitd with everything of its own, set up for the mirror; what comes back builds without any cache."""
    program, buildx = tool("buildkitd"), tool("docker-buildx")
    here.configure("buildkit")
    own = here.machine.folder / "buildkit"
    own.mkdir()
    socket = f"unix://{own}/socket"
    worker = ("--containerd-worker=false", "--oci-worker-net=host", "--oci-worker-snapshotter=native")
    here.machine.start([program, "--config", PATH, "--root", own / "root", "--addr", socket, *worker], own / "log")
    wait_until((own / "socket").exists, 30, "buildkitd does not listen")
    made = here.machine.run([buildx, "create", "--use", "--name", "own", "--driver", "remote", socket])
    assert made.status == 0, made.text

    trust: dict[str, str] = {}
    if here.ca is not None:  # tokens are fetched by buildx, not by buildkitd: it must trust the mirror, too
        bundle = here.machine.folder / "buildx.pem"
        bundle.write_bytes(here.ca.read_bytes() + (here.machine.folder / "authorities.pem").read_bytes())
        trust = {"SSL_CERT_FILE": str(bundle)}

    def build(dockerfile: str, output: str = f"dest={own}/out") -> Ended:
        command = [buildx, "build", "--no-cache", "--pull", "--progress=plain", "-o", output, "-"]
        return here.machine.run(command, stdin=dockerfile, **trust)

    return build


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("buildkit")) as made:
        yield made


@pytest.fixture(scope="module")
def build(here: Site) -> Build:
    return buildkitd(here)


def test_a_build_takes_everything_through_the_mirror(here: Site, build: Build) -> None:
    here.begin()
    here.hub.add(dockerfile_frontend(), FRONTEND)
    text = (
        f"# syntax=docker/dockerfile:1\nFROM {SHORT}\nRUN <<END\nnode >/tmp/version\nEND\nCOPY --from=quay.io/team/tool:1 /etc/text /tmp/\n"
    )
    built = build(text)
    assert built.status == 0, built.text
    for name in ("docker/docker/dockerfile", "docker/library/node", "quay/team/tool"):
        assert here.doors(name) == {"ns"}
    assert here.real.requests == ()


def test_the_mirrors_name_works_as_well(here: Site, build: Build) -> None:
    here.begin()
    built = build(f"FROM {here.address}/docker/{NODE}\n")
    assert built.status == 0, built.text
    assert here.doors("docker/library/node") == {"gallery"}


def test_what_was_pulled_once_is_pulled_while_docker_hub_is_gone(here: Site, build: Build) -> None:
    here.begin()
    with here.upstreams_gone():
        built = build(f"FROM {SHORT}\n")
    assert built.status == 0, built.text
    assert ("ns", "stale") in here.answered("docker/library/node")
    assert here.real.requests == ()


def test_an_exhausted_docker_hub_stops_no_official_image(here: Site, build: Build) -> None:
    here.begin()
    here.hub.exhaust()
    built = build("FROM redis:7.2-alpine\n")
    assert built.status == 0, built.text
    assert here.real.requests == ()


def test_after_a_429_of_the_mirror_buildkit_asks_docker_hub_itself(here: Site, build: Build) -> None:
    here.begin()
    here.hub.add(small_image("somebody's"), "somebody/image:1")
    here.real.add(small_image("somebody's, past the mirror"), "somebody/image:1")
    with here.impatient():
        here.hub.exhaust()
        built = build("FROM somebody/image:1\n")
    assert 429 in here.statuses("docker/somebody/image")
    assert built.status == 0, built.text
    assert here.real.asked(kind="manifest", status=200)


def test_without_the_mirror_buildkit_asks_the_registry_itself(here: Site, build: Build) -> None:
    here.begin()
    with here.mirror_gone():
        built = build("FROM only:there\n")
    assert built.status == 0, built.text
    assert here.real.asked(kind="manifest", method="GET", status=200)
    assert CLIENT.gone.falls_back
    assert CLIENT.gone.tried


def test_with_tls_and_an_own_authority(tmp_path: Path) -> None:
    with site(tmp_path, tls=True) as here:
        build = buildkitd(here)
        here.begin()
        built = build(f"FROM {SHORT}\nCOPY --from={here.address}/docker/library/alpine:3.19 /etc/os-release /\n")
        assert built.status == 0, built.text
        assert here.doors("docker/library/node") == {"ns"}
        assert here.doors("docker/library/alpine") == {"gallery"}
        assert here.real.requests == ()
        image = f"type=image,name={here.address}/local/team/app:1,push=true"
        assert build(f"FROM {SHORT}\n", image).status == 1
        login = base64.b64encode(f"ci:{PUSH_PASSWORD}".encode()).decode()
        config = here.machine.home / ".docker" / "config.json"
        config.write_text(json.dumps({"auths": {here.address: {"auth": login}}}), "utf-8")
        pushed = build(f"FROM {SHORT}\n", image)
        assert pushed.status == 0, pushed.text

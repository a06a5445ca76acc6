"""podman, buildah and skopeo behind the mirror: pull, build, inspect, copy, sync; cold, warm, stale, exhausted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.machine import Ended
from tests.clients.mirror_site import HOLD, NODE, PUSH_PASSWORD, Site, site
from tests.hub import small_image
from tests.tools import tool
from unhub.setup.clients.every import CLIENTS
from unhub.setup.clients.podman import PATH

CLIENT = CLIENTS["podman"]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("podman")) as made:
        made.configure("podman")
        yield made


def stored(here: Site, program: str, *arguments: str | Path, stdin: str = "", timeout: float = 60) -> Ended:
    """Run podman or buildah with a store of the machine's own."""
    places = ["--root", here.machine.folder / "pod", "--runroot", here.machine.folder / "run", "--storage-driver=vfs"]
    return here.machine.run([tool(program), *places, *arguments], stdin=stdin, timeout=timeout, DOCKER_CONFIG="")


def pull(here: Site, name: str) -> Ended:
    """Pull what podman does not have."""
    stored(here, "podman", "rmi", "-f", name)
    return stored(here, "podman", "pull", "-q", name)


def skopeo(here: Site, *arguments: str | Path) -> Ended:
    return here.machine.run([tool("skopeo"), *arguments])


def test_a_cold_pull_costs_docker_hub_nothing(here: Site) -> None:
    here.begin()
    pulled = pull(here, f"docker.io/{NODE}")
    assert pulled.status == 0, pulled.text
    assert ("host", "miss") in here.answered("docker/library/node")
    assert here.hub.counts.total == 0
    assert here.real.requests == ()


def test_a_warm_pull_costs_a_head(here: Site) -> None:
    here.begin()
    assert pull(here, f"docker.io/{NODE}").status == 0
    assert {record.method for record in here.hub.asked(kind="manifest")} == {"HEAD"}
    assert here.ecr.requests == ()


def test_what_was_pulled_once_is_pulled_while_docker_hub_is_gone(here: Site) -> None:
    here.begin()
    with here.upstreams_gone():
        pulled = pull(here, f"docker.io/{NODE}")
    assert pulled.status == 0, pulled.text
    assert ("host", "stale") in here.answered("docker/library/node")
    assert here.real.requests == ()


def test_an_exhausted_docker_hub_stops_no_official_image(here: Site) -> None:
    here.begin()
    here.hub.exhaust()
    for name in (NODE, "library/redis:7.2-alpine"):
        pulled = pull(here, f"docker.io/{name}")
        assert pulled.status == 0, pulled.text
    assert here.real.requests == ()


@pytest.mark.parametrize(
    ("written", "name", "door"),
    [
        (f"docker/{NODE}", "docker/library/node", "gallery"),
        (NODE, "docker/library/node", "root"),
        ("quay.io/team/tool:1", "quay/team/tool", "host"),
    ],
)
def test_an_image_is_pulled_by_the_mirrors_name(here: Site, written: str, name: str, door: str) -> None:
    here.begin()
    pulled = pull(here, f"{here.address}/{written}")
    assert pulled.status == 0, pulled.text
    assert here.doors(name) == {door}


@pytest.mark.parametrize(("program", "verb"), [("podman", "build"), ("buildah", "bud")])
def test_a_build_takes_its_bases_through_the_mirror(here: Site, program: str, verb: str) -> None:
    here.begin()
    text = "FROM docker.io/library/alpine:3.19 AS one\nFROM quay.io/team/tool:1\nCOPY --from=one /etc/demo-alpine /\n"
    built = stored(here, program, verb, "--no-cache", "--pull-always", "-", stdin=text)
    assert built.status == 0, built.text
    assert here.doors("docker/library/alpine") == {"host"}
    assert here.doors("quay/team/tool") == {"host"}
    assert here.real.requests == ()


def test_buildah_pulls(here: Site) -> None:
    here.begin()
    pulled = stored(here, "buildah", "pull", "-q", "--policy", "always", f"docker.io/{NODE}")
    assert pulled.status == 0, pulled.text
    assert here.doors("docker/library/node") == {"host"}


def test_skopeo_inspects_copies_and_syncs(here: Site) -> None:
    here.begin()
    seen = skopeo(here, "inspect", "--no-tags", f"docker://docker.io/{NODE}")
    assert json.loads(seen.out)["Digest"] == here.hub.digest(NODE), seen.text
    out = here.machine.folder / "out"
    out.mkdir()
    copied = skopeo(here, "copy", "-q", "--all", "--preserve-digests", f"docker://docker.io/{NODE}", f"dir:{out}/copy")
    assert copied.status == 0, copied.text
    assert len(json.loads((out / "copy" / "manifest.json").read_bytes())["manifests"]) >= 3
    synced = skopeo(here, "sync", "--all", "--src", "docker", "--dest", "dir", "docker.io/library/alpine:3.19", out / "one")
    assert synced.status == 0, synced.text
    assert here.doors("docker/library/node") == {"host"}
    assert here.real.requests == ()
    tags = json.loads(skopeo(here, "inspect", f"docker://{here.address}/{NODE}").out)["RepoTags"]
    assert "20-alpine" in tags
    whole = skopeo(here, "sync", "--src", "docker", "--dest", "dir", f"{here.address}/docker/library/alpine", out / "all")
    assert whole.status == 0, whole.text
    assert len(list((out / "all").iterdir())) == 3, "every tag of the repository"


def test_an_own_image_is_pushed_and_pulled(here: Site) -> None:
    here.begin()
    name = f"docker://{here.address}/local/team/app:1"
    pushed = skopeo(here, "copy", "-q", "--all", f"docker://docker.io/{NODE}", name)
    assert pushed.status == 0, pushed.text
    assert json.loads(skopeo(here, "inspect", "--no-tags", name).out)["Digest"] == here.hub.digest(NODE)
    deleted = skopeo(here, "delete", name)
    assert deleted.status == 0, deleted.text
    assert skopeo(here, "inspect", "--no-tags", name).status == 1


def test_a_429_of_the_mirror_is_obeyed_before_docker_hub_is_asked_itself(here: Site) -> None:
    """For as long as Retry-After says, up to a minute, up to five times: longer than a test may wait."""
    here.begin()
    here.hub.add(small_image("somebody's"), "somebody/image:1")
    here.real.add(small_image("somebody's, past the mirror"), "somebody/image:1")
    here.hub.exhaust()
    with pytest.raises(subprocess.TimeoutExpired):
        stored(here, "podman", "pull", "-q", "docker.io/somebody/image:1", timeout=HOLD + 2)
    assert here.statuses("docker/somebody/image") == {429}
    assert here.real.requests == ()


def test_without_the_mirror_the_registry_is_asked_itself_unless_that_is_forbidden(here: Site) -> None:
    here.begin()
    with here.mirror_gone():
        pulled = pull(here, "docker.io/library/only:there")
        assert pulled.status == 0, pulled.text
        assert here.real.asked(kind="manifest", method="GET", status=200)
        here.real.forget()
        only = f'[[registry]]\nprefix = "docker.io"\nlocation = "{here.address}/docker.io"\ninsecure = true\n'
        here.machine.run(["tee", PATH], stdin=only)
        forbidden = pull(here, "docker.io/library/only:there")
    assert forbidden.status != 0
    assert "connection refused" in forbidden.err
    assert here.real.requests == ()
    here.begin()
    assert pull(here, f"docker.io/{NODE}").status == 0
    assert CLIENT.gone.falls_back
    assert CLIENT.gone.tried


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A mirror that speaks TLS under a name, where pushes need a password."""
    with site(tmp_path_factory.mktemp("podman-tls"), tls=True) as made:
        made.configure("podman")
        yield made


def test_with_tls_and_an_own_authority(tls: Site) -> None:
    tls.begin()
    for done in (
        pull(tls, f"docker.io/{NODE}"),
        pull(tls, f"{tls.address}/docker/library/alpine:3.19"),
        skopeo(tls, "inspect", "--no-tags", "docker://quay.io/team/tool:1"),
    ):
        assert done.status == 0, done.text
    assert tls.real.requests == ()


def test_a_push_with_the_password_works(tls: Site) -> None:
    own = ("copy", "-q", f"docker://docker.io/{NODE}", f"docker://{tls.address}/local/app:1")
    assert skopeo(tls, *own, "--dest-creds", "ci:wrong").status == 1
    pushed = skopeo(tls, *own, "--dest-creds", f"ci:{PUSH_PASSWORD}")
    assert pushed.status == 0, pushed.text

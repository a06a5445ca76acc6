"""containerd's ctr behind the mirror: ``?ns=`` for every registry, and the mirror's own name; cold, warm, stale, exhausted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.machine import Ended
from tests.clients.mirror_site import NODE, Site, site
from tests.hub import small_image
from tests.mirror import wait_until
from tests.tools import tool
from unhub.setup.clients.containerd import FOLDER
from unhub.setup.clients.every import CLIENTS

CLIENT = CLIENTS["containerd"]
Pull = Callable[[str], Ended]


def containerd(here: Site) -> Pull:
    """Start containerd with everything of its own, set up for the mirror; what comes back pulls without what is there."""
    tool("containerd")
    here.configure("containerd")
    own = here.machine.folder / "containerd"
    own.mkdir()
    settings = f'version = 2\nroot = "{own}/root"\nstate = "{own}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
    (own / "config.toml").write_text(f'{settings}[grpc]\naddress = "{own}/socket"\n', "utf-8")
    here.machine.start(["containerd", "--config", own / "config.toml"], own / "log")
    ctr = ("ctr", "--address", own / "socket", "--namespace", "test")
    wait_until(lambda: here.machine.run([*ctr, "version"]).status == 0, 30, "containerd does not answer")

    def pull(name: str) -> Ended:
        here.machine.run([*ctr, "images", "rm", "--sync", name])
        return here.machine.run([*ctr, "images", "pull", "--snapshotter=native", "--hosts-dir", FOLDER, name])

    return pull


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("containerd")) as made:
        yield made


@pytest.fixture(scope="module")
def pull(here: Site) -> Pull:
    return containerd(here)


def test_a_cold_pull_names_the_registry_and_costs_docker_hub_nothing(here: Site, pull: Pull) -> None:
    here.begin()
    pulled = pull(f"docker.io/{NODE}")
    assert pulled.status == 0, pulled.text
    assert ("ns", "miss") in here.answered("docker/library/node")
    assert here.hub.counts.total == 0
    assert here.real.requests == ()


def test_a_warm_pull_costs_a_head(here: Site, pull: Pull) -> None:
    here.begin()
    assert pull(f"docker.io/{NODE}").status == 0
    assert {record.method for record in here.hub.asked(kind="manifest")} == {"HEAD"}
    assert here.ecr.requests == ()


def test_what_was_pulled_once_is_pulled_while_docker_hub_is_gone(here: Site, pull: Pull) -> None:
    here.begin()
    with here.upstreams_gone():
        pulled = pull(f"docker.io/{NODE}")
    assert pulled.status == 0, pulled.text
    assert ("ns", "stale") in here.answered("docker/library/node")
    assert here.real.requests == ()


def test_an_exhausted_docker_hub_stops_no_official_image(here: Site, pull: Pull) -> None:
    here.begin()
    here.hub.exhaust()
    for name in (NODE, "library/redis:7.2-alpine"):
        pulled = pull(f"docker.io/{name}")
        assert pulled.status == 0, pulled.text
    assert here.real.requests == ()


def test_another_registry_goes_through_the_same_mirror(here: Site, pull: Pull) -> None:
    here.begin()
    pulled = pull("quay.io/team/tool:1")
    assert pulled.status == 0, pulled.text
    assert here.doors("quay/team/tool") == {"ns"}


@pytest.mark.parametrize(("written", "door"), [(f"docker/{NODE}", "gallery"), (NODE, "root"), (f"docker.io/{NODE}", "host")])
def test_an_image_is_pulled_by_the_mirrors_name(here: Site, pull: Pull, written: str, door: str) -> None:
    here.begin()
    pulled = pull(f"{here.address}/{written}")
    assert pulled.status == 0, pulled.text
    assert here.doors("docker/library/node") == {door}


def test_after_a_429_of_the_mirror_containerd_asks_docker_hub_itself(here: Site, pull: Pull) -> None:
    here.begin()
    here.hub.add(small_image("somebody's"), "somebody/image:1")
    here.real.add(small_image("somebody's, past the mirror"), "somebody/image:1")
    with here.impatient():
        here.hub.exhaust()
        pulled = pull("docker.io/somebody/image:1")
    assert 429 in here.statuses("docker/somebody/image")
    assert pulled.status == 0, pulled.text
    assert here.real.asked(kind="manifest", status=200)


def test_without_the_mirror_containerd_asks_the_registry_itself_unless_that_is_forbidden(here: Site, pull: Pull) -> None:
    here.begin()
    with here.mirror_gone():
        pulled = pull("docker.io/library/only:there")
        assert pulled.status == 0, pulled.text
        assert here.real.asked(kind="manifest", method="GET", status=200)
        here.real.forget()
        assert "Put" in here.machine.shell(f"cat {FOLDER}/docker.io/hosts.toml").out
        here.machine.shell(f"sed -i 's|^server = .*|server = \"{here.server}\"|' {FOLDER}/docker.io/hosts.toml")
        forbidden = pull("docker.io/library/only:there")
    assert forbidden.status == 1
    assert "connection refused" in forbidden.err
    assert here.real.requests == ()
    here.begin()
    assert pull(f"docker.io/{NODE}").status == 0
    assert CLIENT.gone.falls_back
    assert CLIENT.gone.tried


def test_with_tls_and_an_own_authority(tmp_path: Path) -> None:
    with site(tmp_path, tls=True) as here:
        pull = containerd(here)
        here.begin()
        for name in (f"docker.io/{NODE}", "quay.io/team/tool:1", f"{here.address}/docker/{NODE}"):
            pulled = pull(name)
            assert pulled.status == 0, pulled.text
        assert here.doors("docker/library/node") == {"ns", "gallery"}
        assert here.real.requests == ()

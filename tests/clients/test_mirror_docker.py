"""docker, and the BuildKit in it, behind the mirror: through every door; cold, warm, stale, and with Docker Hub exhausted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.clients.machine import Ended
from tests.clients.mirror_site import FRONTEND, NODE, PUSH_PASSWORD, Site, dockerfile_frontend, site
from tests.hub import small_image
from unhub.setup.clients.every import CLIENTS
from unhub.setup.clients.mirror import Mirror

SHORT = NODE.removeprefix("library/")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A mirror that speaks http on loopback, and a docker that asks it for Docker Hub's images."""
    with site(tmp_path_factory.mktemp("docker")) as made:
        made.configure("docker")
        yield made


def pull(here: Site, name: str) -> Ended:
    """Pull what the daemon does not have."""
    here.machine.docker("rmi", "-f", name)
    return here.machine.docker("pull", "-q", name)


def build(here: Site, dockerfile: str, *, buildkit: bool = True) -> Ended:
    """Build without any cache."""
    arguments = ("build", "--no-cache", "--pull", "--network=host", "-")
    return here.machine.docker(*arguments, stdin=dockerfile, DOCKER_BUILDKIT="1" if buildkit else "0")


def test_a_cold_pull_takes_the_digest_from_docker_hub_and_the_bytes_from_elsewhere(here: Site) -> None:
    here.begin()
    pulled = pull(here, SHORT)
    assert pulled.status == 0, pulled.text
    assert ("root", "miss") in here.answered("docker/library/node")
    assert here.hub.counts.total == 0
    assert here.ecr.asked(kind="manifest", method="GET", status=200)
    assert here.real.requests == ()
    ran = here.machine.docker("run", "--rm", "--network=none", SHORT, "node")
    assert ran.out == "v21.7.0\n", ran.text


def test_a_warm_pull_costs_a_head(here: Site) -> None:
    here.begin()
    assert pull(here, SHORT).status == 0
    assert {record.method for record in here.hub.asked(kind="manifest")} == {"HEAD"}
    assert here.ecr.requests == ()


def test_what_was_pulled_once_is_pulled_while_docker_hub_is_gone(here: Site) -> None:
    here.begin()
    with here.upstreams_gone():
        assert pull(here, SHORT).status == 0
    assert ("root", "stale") in here.answered("docker/library/node")
    assert here.real.requests == ()


def test_an_exhausted_docker_hub_stops_no_official_image(here: Site) -> None:
    here.begin()
    here.hub.exhaust()
    assert pull(here, SHORT).status == 0
    assert pull(here, "redis:7.2-alpine").status == 0
    assert here.real.requests == ()


def test_after_a_429_of_the_mirror_docker_asks_docker_hub_itself(here: Site) -> None:
    """Only for what nobody else has: the fallback carries official images alone."""
    here.begin()
    here.hub.add(small_image("somebody's"), "somebody/image:1")
    here.real.add(small_image("somebody's, past the mirror"), "somebody/image:1")
    with here.impatient():
        here.hub.exhaust()
        pulled = pull(here, "somebody/image:1")
    assert pulled.status == 0, pulled.text
    assert here.statuses("docker/somebody/image") == {429}
    assert here.real.asked(kind="manifest", method="GET", status=200)


@pytest.mark.parametrize(
    ("written", "name", "door"),
    [
        (f"docker/{NODE}", "docker/library/node", "gallery"),
        (NODE, "docker/library/node", "root"),
        (SHORT, "docker/library/node", "root"),
        (f"docker.io/{NODE}", "docker/library/node", "host"),
        ("quay.io/team/tool:1", "quay/team/tool", "host"),
    ],
)
def test_an_image_is_pulled_by_the_mirrors_name(here: Site, written: str, name: str, door: str) -> None:
    here.begin()
    pulled = pull(here, f"{here.address}/{written}")
    assert pulled.status == 0, pulled.text
    assert here.doors(name) == {door}


@pytest.mark.parametrize("buildkit", [True, False])
def test_a_build_takes_its_base_through_the_mirror_and_the_dockerfile_is_as_it_was(here: Site, *, buildkit: bool) -> None:
    here.begin()
    built = build(
        here,
        f"FROM {SHORT} AS one\nRUN node\nFROM {here.address}/docker/library/alpine:3.19\nCOPY --from=one /usr /usr\n",
        buildkit=buildkit,
    )
    assert built.status == 0, built.text
    assert here.doors("docker/library/node") == {"ns" if buildkit else "root"}
    assert here.doors("docker/library/alpine") == {"gallery"}
    assert here.real.requests == ()


def test_a_syntax_line_gets_its_frontend_through_the_mirror(here: Site) -> None:
    here.begin()
    here.hub.add(dockerfile_frontend(), FRONTEND)
    built = build(here, f"# syntax=docker/dockerfile:1\nFROM {SHORT}\nRUN <<END\nnode\nEND\n")
    assert built.status == 0, built.text
    assert here.doors("docker/docker/dockerfile") == {"ns"}
    assert here.real.requests == ()


def test_an_own_image_is_pushed_and_pulled(here: Site) -> None:
    here.begin()
    name = f"{here.address}/local/team/app:1"
    assert here.machine.docker("tag", SHORT, name).status == 0
    pushed = here.machine.docker("push", "-q", name)
    assert pushed.status == 0, pushed.text
    pulled = pull(here, name)
    assert pulled.status == 0, pulled.text
    assert here.hub.requests == ()
    refused = here.machine.docker("tag", SHORT, f"{here.address}/library/app:1")
    assert refused.status == 0
    refused = here.machine.docker("push", f"{here.address}/library/app:1")
    assert refused.status == 1


def test_the_script_for_ci_points_a_running_docker_at_the_mirror(here: Site) -> None:
    """The same script goes to CodeBuild and to GitHub Actions; what daemon.json has stays."""
    daemon_json, other = here.machine.folder / "docker" / "daemon.json", "https://mirror.invalid"
    daemon_json.write_text(json.dumps({"log-opts": {"max-size": "1m"}, "registry-mirrors": [other]}), "utf-8")
    here.machine.stop_daemon()
    here.machine.start_daemon()
    (file, _) = CLIENTS["codebuild"].settings(Mirror.at(here.server)).files
    assert here.machine.docker("info", "--format", "{{.RegistryConfig.Mirrors}}").out == f"[{other}/]\n"
    done = here.machine.run(["sh", "-s"], stdin=file.text, DOCKER_HOST=here.machine.docker_host)
    assert (done.status, done.out) == (0, f"docker asks {here.server} for images of Docker Hub\n"), done.text
    assert json.loads(daemon_json.read_text()) == {"log-opts": {"max-size": "1m"}, "registry-mirrors": [here.server, other]}
    here.begin()
    assert build(here, f"FROM {SHORT}\nRUN node\n").status == 0
    assert here.doors("docker/library/node") == {"ns"}


def test_without_the_mirror_docker_and_its_builds_ask_docker_hub_itself(here: Site) -> None:
    here.begin()
    here.machine.docker("rmi", "-f", "alpine:3.19")
    with here.mirror_gone():
        pulled = pull(here, "alpine:3.19")
        built = build(here, "FROM only:there\nCOPY --from=alpine:3.19 /etc/text /\n")
        by_name = pull(here, f"{here.address}/docker/library/alpine:3.19")
    assert pulled.status == 0, pulled.text
    assert built.status == 0, built.text
    digest = here.machine.docker("inspect", "--format", "{{.RepoDigests}}", "alpine:3.19")
    assert here.real.digest("library/alpine:3.19") in digest.out
    assert by_name.status == 1
    assert "connection refused" in by_name.err
    assert CLIENTS["docker"].gone.falls_back
    assert CLIENTS["docker"].gone.tried


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A mirror that speaks TLS under a name, where pushes need a password."""
    with site(tmp_path_factory.mktemp("docker-tls"), tls=True) as made:
        yield made


def test_a_reload_is_enough_for_pulls_and_not_for_the_buildkit_of_this_version(tls: Site) -> None:
    """And with TLS and an authority of the mirror's own."""
    tls.begin()
    tls.machine.start_daemon()
    tls.configure("docker")
    tls.machine.shell("kill -HUP $(pidof dockerd) && sleep 0.5")
    for name in (SHORT, f"{tls.address}/docker/{NODE}"):
        pulled = pull(tls, name)
        assert pulled.status == 0, pulled.text
    assert tls.doors("docker/library/node") == {"root", "gallery"}
    assert tls.real.requests == ()
    past = build(tls, "FROM alpine:3.19\nCOPY --from=alpine:3.19 /etc/text /\n")
    assert past.status == 0, past.text
    assert tls.real.asked(kind="manifest", method="GET", status=200)
    tls.begin()
    tls.machine.stop_daemon()
    through = build(tls, f"FROM {SHORT}\nRUN node\n")
    assert through.status == 0, through.text
    assert tls.doors("docker/library/node") == {"ns"}
    assert tls.real.requests == ()


def test_a_push_with_the_password_works(tls: Site) -> None:
    own = f"{tls.address}/local/app:1"
    assert tls.machine.docker("tag", SHORT, own).status == 0
    login = tls.machine.docker("login", "--username", "ci", "--password-stdin", tls.address, stdin=PUSH_PASSWORD)
    assert login.status == 0, login.text
    pushed = tls.machine.docker("push", "-q", own)
    assert pushed.status == 0, pushed.text


def test_a_push_without_the_password_is_refused(tls: Site) -> None:
    own = f"{tls.address}/local/app:2"
    tls.machine.docker("logout", tls.address)
    assert tls.machine.docker("tag", SHORT, own).status == 0
    refused = tls.machine.docker("push", "-q", own)
    assert refused.status == 1
    assert "unauthorized" in refused.err or "no basic auth" in refused.err

"""Docker, podman, skopeo, buildx, helm and the aws CLI: they write and we read, we write and they read, and they run our helper."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.aws_stand_in import aws_stand_in
from tests.clients.registries import PASSWORD, USER, Registry, docker_registry, push
from tests.hub import aws_endpoint, ecr_public, environment
from tests.tools import path_with_unhub, tool
from unhub.demo.running import Hub
from unhub.registry.credentials import Credential, DockerConfig, HelmRegistryConfig, PodmanAuth

LOGIN = Credential(USER, PASSWORD, "the test")
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
NO_DAEMON = {"DOCKER_HOST": "unix:///nonexistent.sock"}
NODE = "docker/library/node:20-alpine"


@dataclass
class Home:
    """A home of the test's own; programs see nothing else of the machine's settings."""

    folder: Path
    runroot: Path  # of podman, which takes 50 characters at most

    def __post_init__(self) -> None:
        self.folder.mkdir()
        for name in ("run", ".docker", "storage"):
            (self.folder / name).mkdir(mode=0o700)

    @property
    def auth_file(self) -> Path:
        return self.folder / "run" / "containers" / "auth.json"

    def settings(self, **more: str) -> dict[str, str]:
        return {
            "PATH": path_with_unhub(),
            "HOME": str(self.folder),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "TMPDIR": str(self.folder),
            **more,
        }

    def run(self, *command: str, stdin: str = "", status: int | None = 0, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.folder, env=self.settings(**more), input=stdin, capture_output=True, text=True, check=False, timeout=120
        )
        assert status is None or done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def podman(self, *arguments: str, stdin: str = "", status: int | None = 0, **more: str) -> subprocess.CompletedProcess[str]:
        storage = [f"--root={self.folder}/storage", f"--runroot={self.runroot}", "--storage-driver=vfs", "--events-backend=none"]
        return self.run(tool("podman"), *storage, *arguments, stdin=stdin, status=status, **more)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(dir="/tmp") as runroot:
        yield Home(tmp_path / "home", Path(runroot))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that wants a password for everything, with one image."""
    with docker_registry(tmp_path_factory.mktemp("registry"), passwords=True) as running:
        push(running, "team/app", "1", {"etc/text": b"hello"}, authorization=BASIC)
        yield running


def pair(found: Credential | None) -> tuple[str, str] | None:
    return (found.username, found.secret) if found else None


# they write, we read


@pytest.mark.parametrize("program", ["podman", "skopeo"])
def test_what_podman_and_skopeo_write_is_read(home: Home, registry: Registry, program: str) -> None:
    arguments = ["login", "--tls-verify=false", "-u", USER, "--password-stdin", registry.name]
    if program == "podman":
        home.podman(*arguments, stdin=PASSWORD)
    else:
        home.run(tool("skopeo"), *arguments, stdin=PASSWORD)
    assert pair(PodmanAuth.load(home.auth_file).find(registry.name)) == (USER, PASSWORD)
    assert pair(PodmanAuth.load(home.auth_file).find(f"{registry.name}/team/app")) == (USER, PASSWORD)


def test_a_login_of_podman_for_a_namespace_is_read(home: Home, registry: Registry) -> None:
    home.podman("login", "--tls-verify=false", "-u", USER, "--password-stdin", f"{registry.name}/team", stdin=PASSWORD)
    auth = PodmanAuth.load(home.auth_file)
    assert pair(auth.find(f"{registry.name}/team/app")) == (USER, PASSWORD)
    assert auth.find(f"{registry.name}/other/app") is None


def test_what_helm_writes_is_read(home: Home, registry: Registry) -> None:
    home.run(tool("helm"), "registry", "login", "--plain-http", "-u", USER, "--password-stdin", registry.name, stdin=PASSWORD)
    written = home.folder / ".config" / "helm" / "registry" / "config.json"
    assert pair(HelmRegistryConfig.load(written).find(registry.name)) == (USER, PASSWORD)


@pytest.mark.parametrize("docker", ["docker", "/usr/bin/docker"])
def test_what_docker_writes_is_read(home: Home, registry: Registry, docker: str) -> None:
    """Without a daemon docker asks the registry itself, and writes what it always writes."""
    home.run(tool(docker), "login", "-u", USER, "--password-stdin", registry.name, stdin=PASSWORD, **NO_DAEMON)
    assert pair(DockerConfig.load(home.folder / ".docker").find(registry.name)) == (USER, PASSWORD)


# we write, they read


def test_skopeo_and_podman_pull_with_what_we_write(home: Home, registry: Registry) -> None:
    image = f"{registry.name}/team/app:1"
    assert home.run(tool("skopeo"), "inspect", "--tls-verify=false", f"docker://{image}", status=None).returncode != 0
    assert PodmanAuth.load(home.auth_file).store(registry.name, LOGIN) == str(home.auth_file)
    shown = home.run(tool("skopeo"), "inspect", "--tls-verify=false", f"docker://{image}")
    assert json.loads(shown.stdout)["Name"] == f"{registry.name}/team/app"
    assert home.podman("login", "--get-login", registry.name).stdout.strip() == USER
    home.podman("pull", "-q", "--tls-verify=false", image)


def test_podman_logs_out_of_what_we_wrote_and_keeps_the_rest(home: Home, registry: Registry) -> None:
    auth = PodmanAuth.load(home.auth_file)
    auth.store("other.example", Credential("u", "p", ""))
    auth.store(registry.name, LOGIN)
    home.podman("logout", registry.name)
    auth = PodmanAuth.load(home.auth_file)
    assert auth.find(registry.name) is None
    assert pair(auth.find("other.example")) == ("u", "p")


@pytest.mark.parametrize("docker", ["docker", "/usr/bin/docker"])
def test_docker_reads_what_we_write_and_logs_out_of_it(home: Home, docker: str) -> None:
    config = DockerConfig.load(home.folder / ".docker")
    for name in ("public.ecr.aws", "docker.io", "other.example"):
        config.store(name, LOGIN)
    home.run(tool(docker), "logout", "public.ecr.aws")
    home.run(tool(docker), "logout")
    config = DockerConfig.load(home.folder / ".docker")
    assert [pair(config.find(name)) for name in ("public.ecr.aws", "docker.io", "other.example")] == [None, None, (USER, PASSWORD)]


def test_dockers_own_library_logs_in_with_what_we_write(home: Home, registry: Registry) -> None:
    """buildx reads config.json with docker's code and needs no daemon to look at an image."""
    look = [tool("docker-buildx"), "imagetools", "inspect", f"{registry.name}/team/app:1"]
    assert "401" in home.run(*look, status=None).stderr or "authorization failed" in home.run(*look, status=None).stderr
    DockerConfig.load(home.folder / ".docker").store(registry.name, LOGIN)
    assert "Digest:" in home.run(*look).stdout


def test_helm_pushes_with_what_we_write(home: Home, registry: Registry) -> None:
    chart = home.folder / "shop"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    home.run(tool("helm"), "package", "shop")
    send = [tool("helm"), "push", "shop-1.0.0.tgz", f"oci://{registry.name}/charts", "--plain-http"]
    assert home.run(*send, status=None).returncode != 0
    HelmRegistryConfig.load(home.folder / ".config" / "helm" / "registry" / "config.json").store(registry.name, LOGIN)
    home.run(*send)


# AWS


def test_the_aws_cli_prints_the_same_password(home: Home) -> None:
    with aws_stand_in() as aws:
        aws.answer(json.loads(aws.next()))
        settings = {**aws.environment(str(home.folder)), "PATH": path_with_unhub()}
        theirs = home.run(tool("aws"), "ecr-public", "get-login-password", "--region", "us-east-1", **settings)
        ours = home.run("unhub", "login", "--print-password", **settings)
        assert ours.stdout == theirs.stdout == f"{aws.passwords[0]}\n"
        assert len(aws.asked) == 2


# they run our helper


@pytest.fixture
def ecr() -> Iterator[Hub]:
    with ecr_public() as hub:
        yield hub


def helper_settings(home: Home, hub: Hub) -> str:
    name = hub.url.removeprefix("http://")
    home.auth_file.parent.mkdir(mode=0o700)
    home.auth_file.write_text(json.dumps({"credHelpers": {name: "unhub"}}))
    (home.folder / ".docker" / "config.json").write_text(json.dumps({"credHelpers": {name: "unhub"}}))
    return name


def looks(home: Home, name: str) -> dict[str, list[str]]:
    return {
        "skopeo": [tool("skopeo"), "inspect", "--raw", "--tls-verify=false", f"docker://{name}/{NODE}"],
        "buildx": [tool("docker-buildx"), "imagetools", "inspect", f"{name}/{NODE}"],
    }


def callers(hub: Hub) -> set[str]:
    """Who was given manifests; requests that were only challenged do not count."""
    return {record.caller for record in hub.asked(kind="manifest", status=200)}


@pytest.mark.parametrize("client", ["skopeo", "buildx", "podman"])
def test_they_are_logged_in_without_any_login(home: Home, ecr: Hub, client: str) -> None:
    name = helper_settings(home, ecr)
    with aws_endpoint() as aws:
        settings = environment(ecr, aws)
        for _ in range(2):
            if client == "podman":
                home.podman("pull", "-q", "--tls-verify=false", f"{name}/{NODE}", **settings)
            else:
                home.run(*looks(home, name)[client], **settings)
        assert len(aws.requests) == 1, "the second time the kept password serves"
    assert callers(ecr) == {"account AKIAIOSFODNN7EXAMPLE"}


@pytest.mark.parametrize("client", ["skopeo", "buildx", "podman"])
def test_they_pull_anonymously_and_show_the_reason_when_aws_refuses(home: Home, ecr: Hub, client: str) -> None:
    name = helper_settings(home, ecr)
    with aws_endpoint(denied="ecr-public:GetAuthorizationToken") as aws:
        settings = environment(ecr, aws)
        if client == "podman":
            done = home.podman("pull", "-q", "--tls-verify=false", f"{name}/{NODE}", **settings)
        else:
            done = home.run(*looks(home, name)[client], **settings)
    assert "the permission ecr-public:GetAuthorizationToken is missing" in done.stderr
    assert callers(ecr)
    assert not any("AKIA" in caller for caller in callers(ecr))


@pytest.mark.parametrize("docker", ["docker", "/usr/bin/docker"])
def test_docker_login_and_logout_work_with_our_helper(home: Home, ecr: Hub, docker: str) -> None:
    name = helper_settings(home, ecr)
    with aws_endpoint() as aws:
        settings = {**environment(ecr, aws), **NO_DAEMON}
        password = home.run("unhub", "login", "--print-password", **settings).stdout
        home.run(tool(docker), "login", "-u", "AWS", "--password-stdin", name, stdin=password, **settings)
        written = json.loads((home.folder / ".docker" / "config.json").read_text())
        assert written["credHelpers"] == {name: "unhub"}
        assert password.strip() not in json.dumps(written)
        home.run(*looks(home, name)["buildx"], **settings)
        assert len(aws.requests) == 1, "the given password is used"
        home.run(tool(docker), "logout", name, **settings)
        home.run(*looks(home, name)["buildx"], **settings)
        assert len(aws.requests) == 2


def test_unhub_login_logs_skopeo_podman_and_buildx_in(home: Home, ecr: Hub) -> None:
    name = ecr.url.removeprefix("http://")
    with aws_endpoint() as aws:
        home.run("unhub", "login", "--registry", name, "--tool", "docker", "--tool", "podman", **environment(aws))
    for command in looks(home, name).values():
        home.run(*command)
    assert callers(ecr) == {"account AKIAIOSFODNN7EXAMPLE"}
    done = home.run("unhub", "login", "--registry", name, "--tool", "docker", "--tool", "podman", "--erase")
    assert done.stdout.count("removed from") == 2

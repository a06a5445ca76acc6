"""`unhub client-config`: what each client is told about the mirror, and how it is written."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import trustme
from ruamel.yaml import YAML

from tests.command_line import unhub
from tests.tools import ROOT, tool
from unhub.cli.client_config import CLIENTS as NAMES
from unhub.image.errors import RefusedError, UsageError
from unhub.setup.clients.client import ClientFile
from unhub.setup.clients.docker import daemon_json
from unhub.setup.clients.every import CLIENTS
from unhub.setup.clients.mirror import Mirror

CA = "-----BEGIN CERTIFICATE-----\nVGhpcyBpcyBub25l\n-----END CERTIFICATE-----\n"
GOLDENS = ROOT / "tests" / "golden" / "client-config"
MIRRORS = {
    "local": Mirror.at("http://127.0.0.1:5000"),
    "tls": Mirror.at("https://mirror.example.com:5443", ca=CA, registries=("docker.io", "quay.io", "ghcr.io")),
    "trusted": Mirror.at("https://mirror.example.com"),
    "plain": Mirror.at("http://mirror.internal:5000", registries=("docker.io", "quay.io")),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", MIRRORS)
def test_every_client_is_written_as_it_was(name: str, kind: str, pytestconfig: pytest.Config) -> None:
    settings = CLIENTS[name].settings(MIRRORS[kind])
    shown = "".join(f"== {file.path}{' (part)' if file.part else ''}\n{file.text}" for file in settings.files)
    golden = GOLDENS / f"{name}-{kind}.txt"
    if pytestconfig.getoption("--update-goldens"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(shown, "utf-8")
    assert shown == golden.read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", MIRRORS)
def test_every_file_is_valid_in_its_language(name: str, kind: str) -> None:
    settings = CLIENTS[name].settings(MIRRORS[kind])
    for file in settings.files:
        _parse(file)
        assert file.text.endswith("\n")
        assert "None" not in file.text
    assert settings.restart
    assert settings.check


def _parse(file: ClientFile) -> Any:
    suffix = Path(file.path).suffix
    if suffix in (".toml", ".conf"):
        # A part shows the two forms of containerd's table; both are tables of their own.
        return tomllib.loads(file.text)
    if suffix in (".yaml", ".yml"):
        return YAML(typ="safe", pure=True).load(file.text)
    if suffix == ".json":
        return json.loads(file.text)
    if suffix == ".sh":
        subprocess.run(["sh", "-n"], input=file.text.encode(), check=True)
        subprocess.run([tool("shellcheck"), "-"], input=file.text.encode(), check=True)
    return None


def test_the_names_of_the_command_are_those_of_the_table() -> None:
    assert list(CLIENTS) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_client_says_whether_it_was_tried_and_by_which_test(name: str) -> None:
    client = CLIENTS[name]
    if client.tried.version is None:
        assert str(client.tried).startswith("untried: ")
        assert client.tried.test is None
    else:
        assert client.tried.test is not None
        text = (ROOT / client.tried.test).read_text("utf-8")
        assert f'"{name}"' in text, "the test takes the settings of this very client"
    assert client.facts
    assert all(fact.source for fact in client.facts)


def test_docker_hub_has_no_path_and_the_others_are_named() -> None:
    docker = CLIENTS["docker"].settings(MIRRORS["tls"])
    assert json.loads(docker.files[0].text) == {"registry-mirrors": ["https://mirror.example.com:5443"]}
    assert docker.files[1].path == "/etc/docker/certs.d/mirror.example.com:5443/ca.crt"
    assert any("mirror.example.com:5443/quay.io/NAME:TAG" in note for note in docker.notes)


def test_http_beyond_this_machine_is_an_insecure_registry_and_said() -> None:
    docker = CLIENTS["docker"]
    assert json.loads(docker.settings(MIRRORS["plain"]).files[0].text)["insecure-registries"] == ["mirror.internal:5000"]
    assert "insecure-registries" not in docker.settings(MIRRORS["local"]).files[0].text
    assert any("not encrypted" in warning for warning in docker.warnings(MIRRORS["plain"]))
    assert docker.warnings(MIRRORS["local"]) == ()


def test_a_loopback_address_is_questioned_for_clients_that_run_elsewhere() -> None:
    for name, client in CLIENTS.items():
        assert bool(client.warnings(MIRRORS["local"])) == (name in {"kaniko", "codebuild", "github-actions", "gitlab-runner", "kind"})


def test_https_on_loopback_is_said_to_buildkit_which_would_speak_http() -> None:
    text = CLIENTS["buildkit"].settings(Mirror.at("https://localhost:5000", ca=CA)).files[0].text
    assert tomllib.loads(text)["registry"]["localhost:5000"] == {"http": False, "ca": ["/etc/buildkit/unhub-mirror-ca.pem"]}


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://mirror.example.com", "mirror.example.com"),
        ("https://Mirror.Example.com:443/", "mirror.example.com"),
        ("http://mirror.internal", "mirror.internal:80"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("https://localhost:8443", "localhost:8443"),
    ],
)
def test_an_address_is_what_references_and_certificate_folders_are_named_by(url: str, address: str) -> None:
    assert Mirror.at(url).address == address


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://mirror.example.com/docker", "has a path"),
        ("https://mirror.example.com/?x", "has a path"),
        ("https://ci:secret@mirror.example.com", "user name"),
        ("mirror.example.com:5000", "no http or https URL"),
        ("ftp://mirror.example.com", "no http or https URL"),
        ("http://[::1]:5000", "IPv6"),
        ('http://a"b:5000', "no http or https URL"),
    ],
)
def test_what_no_client_can_be_given_is_refused(url: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        Mirror.at(url)
    ended = unhub("client-config", "docker", "--server", url, cwd=tmp_path)
    assert (ended.status, ended.out) == (2, b"")


def test_a_ca_is_certificates_and_nothing_else(tmp_path: Path) -> None:
    noisy = f"Bag Attributes\nEND\nrm -rf /\n{CA.replace(chr(10), chr(13) + chr(10))}"
    assert Mirror.at("https://m.example", ca=noisy).ca == CA
    with pytest.raises(UsageError, match="asked by http"):
        Mirror.at("http://m.example", ca=CA)
    with pytest.raises(UsageError, match="no PEM certificate"):
        Mirror.at("https://m.example", ca="hello")
    authority = trustme.CA()
    both = tmp_path / "both.pem"
    both.write_bytes(authority.private_key_pem.bytes() + authority.cert_pem.bytes())
    ended = unhub("client-config", "docker", "--server", "https://m.example", "--ca", both, cwd=tmp_path)
    assert (ended.status, ended.out) == (2, b"")
    assert "private key" in ended.err
    assert unhub("client-config", "docker", "--server", "https://m.example", "--ca", "none.pem", cwd=tmp_path).status == 2


@pytest.mark.parametrize("registry", ["quay.io/x", "Quay.io", "a b", '"', "$(x)", ""])
def test_a_registry_is_a_host_name(registry: str, tmp_path: Path) -> None:
    assert unhub("client-config", "podman", "--registry", registry, cwd=tmp_path).status == 2


def test_registries_come_from_the_settings_file_of_the_mirror(tmp_path: Path) -> None:
    (tmp_path / "unhub.toml").write_text('[upstream.quay]\nurl = "https://quay.io"\nhosts = ["quay.io"]\n', "utf-8")
    assert unhub("client-config", "podman", "--format", "json", cwd=tmp_path).json["registries"] == ["docker.io", "quay.io"]
    said = unhub("client-config", "podman", "--format", "json", "--registry", "ghcr.io", cwd=tmp_path)
    assert said.json["registries"] == ["docker.io", "ghcr.io"]


def test_text_shows_files_what_to_do_and_how_to_check(tmp_path: Path) -> None:
    shown = unhub("client-config", "containerd", cwd=tmp_path)
    assert shown.status == 0
    assert "/etc/containerd/certs.d/docker.io/hosts.toml\n" in shown.text
    assert "/etc/containerd/config.toml (add this)\n" in shown.text
    for word in ("then: ", "check: ", "tried with containerd", "when the mirror is gone"):
        assert word in shown.text
    assert shown.err == ""


def test_writing_makes_the_files_once(tmp_path: Path) -> None:
    first = unhub("client-config", "codebuild", "--write", "out", "--format", "json", cwd=tmp_path)
    (path,) = first.json["written"]
    assert Path(path) == tmp_path / "out/ci/unhub-mirror.sh"
    assert Path(path).stat().st_mode & 0o777 == 0o755
    assert "127.0.0.1:5000 means the client's own machine" in first.err
    again = unhub("client-config", "codebuild", "--write", "out", cwd=tmp_path)
    assert again.status == 0
    assert "every file is as it should be already" in again.text
    assert "buildspec.yml (add this)" in again.text


def test_daemon_json_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "etc/docker/daemon.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"log-driver": "local", "registry-mirrors": ["https://mirror.gcr.io", "http://127.0.0.1:5000/"]}', "utf-8")
    path.chmod(0o600)
    assert unhub("client-config", "docker", "--write", tmp_path, cwd=tmp_path).status == 0
    assert json.loads(path.read_text()) == {"log-driver": "local", "registry-mirrors": ["http://127.0.0.1:5000", "https://mirror.gcr.io"]}
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    assert "as it should be" in unhub("client-config", "docker", "--write", tmp_path, cwd=tmp_path).text
    assert path.read_bytes() == before


@pytest.mark.parametrize("before", ["{", "[]", '"x"'])
def test_a_daemon_json_that_cannot_be_understood_is_left_alone(before: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        daemon_json(MIRRORS["local"], before)
    path = tmp_path / "etc/docker/daemon.json"
    path.parent.mkdir(parents=True)
    path.write_text(before)
    assert unhub("client-config", "docker", "--write", tmp_path, cwd=tmp_path).status == 4
    assert path.read_text() == before


def test_somebody_elses_file_is_left_alone_and_nothing_beside_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "etc/rancher/k3s/registries.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("mirrors: {}\n")
    (tmp_path / "ca.pem").write_text(CA)
    arguments = ("--server", "https://m.example", "--ca", "ca.pem", "--write", ".")
    ended = unhub("client-config", "k3s", *arguments, cwd=tmp_path)
    assert (ended.status, ended.out) == (4, b"")
    assert "with other content" in ended.err
    assert [file.name for file in path.parent.iterdir()] == ["registries.yaml"]
    assert path.read_text() == "mirrors: {}\n"


def test_the_page_about_absent_mirrors_is_written_from_what_is_known() -> None:
    from scripts.mirror_down import PAGE, page

    assert PAGE.read_text("utf-8") == page(), "run: python -m scripts.mirror_down"
    for client in CLIENTS.values():
        if client.gone.tried:
            assert client.tried.test is not None
            assert "mirror_gone()" in (ROOT / client.tried.test).read_text("utf-8")


def test_the_guide_shows_what_is_written_and_names_every_client() -> None:
    text = (ROOT / "docs" / "howto" / "mirror.md").read_text("utf-8")
    assert f"```json\n{daemon_json(MIRRORS['local'])}```" in text
    assert all(f"`{name}`" in text for name in NAMES)

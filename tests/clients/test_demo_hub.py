"""Real clients pull from the stand-ins: skopeo, podman and docker, which also runs and builds on what it pulled."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.clients.machine import machine
from tests.hub import busybox, docker_hub, ecr_public
from tests.tools import ROOT, run, tool
from unhub.demo.running import Hub
from unhub.demo.settings import Account

NODE = "library/node:21.7.0-alpine3.19"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with docker_hub(busybox=busybox(), accounts=(Account(name="ci", password="secret"),)) as running:
        yield running


@pytest.fixture(scope="module")
def ecr() -> Iterator[Hub]:
    with ecr_public(busybox=busybox()) as running:
        yield running


def skopeo(folder: Path, *arguments: str, status: int = 0) -> str:
    return run([tool("skopeo"), *arguments], folder, status=status, REGISTRY_AUTH_FILE=str(folder / "auth.json"))


@pytest.mark.parametrize("name", [NODE, "library/redis:7.2-alpine", "library/alpine:3.19"])
def test_skopeo_copies_every_platform_from_both(hub: Hub, ecr: Hub, tmp_path: Path, name: str) -> None:
    for stand, prefix in ((hub, ""), (ecr, "docker/")):
        target = tmp_path / stand.persona
        skopeo(
            tmp_path,
            "copy",
            "-q",
            "--all",
            "--preserve-digests",
            "--src-tls-verify=false",
            f"docker://{stand.address}/{prefix}{name}",
            f"dir:{target}",
        )
        assert json.loads((target / "manifest.json").read_bytes())["manifests"]
    assert (tmp_path / "docker-hub/manifest.json").read_bytes() == (tmp_path / "ecr-public/manifest.json").read_bytes()


def test_skopeo_sees_the_tags_and_the_digest(hub: Hub, tmp_path: Path) -> None:
    seen = json.loads(skopeo(tmp_path, "inspect", "--tls-verify=false", f"docker://{hub.address}/{NODE}"))
    assert seen["Digest"] == hub.digest(NODE)
    assert seen["RepoTags"] == ["20-alpine", "21.7.0-alpine3.19"]


def test_skopeo_logs_in_to_both(hub: Hub, ecr: Hub, tmp_path: Path) -> None:
    for stand, login, name in ((hub, "ci:secret", NODE), (ecr, f"AWS:{ecr.password()}", f"docker/{NODE}")):
        stand.forget()
        skopeo(
            tmp_path,
            "copy",
            "-q",
            "--src-tls-verify=false",
            "--src-creds",
            login,
            f"docker://{stand.address}/{name}",
            f"dir:{tmp_path / stand.persona}",
        )
        assert {record.caller.split()[0] for record in stand.asked(kind="manifest", status=200)} == {"account"}
    skopeo(tmp_path, "inspect", "--tls-verify=false", "--creds", "ci:wrong", f"docker://{hub.address}/{NODE}", status=1)
    skopeo(
        tmp_path,
        "inspect",
        "--tls-verify=false",
        "--creds",
        f"AWS:{ecr.password(seconds=-9)}",
        f"docker://{ecr.address}/docker/{NODE}",
        status=1,
    )


def test_podman_pulls(hub: Hub, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pod-") as short:  # podman takes no run root of more than 50 characters
        store = ["--root", str(tmp_path / "root"), "--runroot", short, "--storage-driver=vfs"]
        pulled = run([tool("podman"), *store, "pull", "-q", "--tls-verify=false", f"{hub.address}/library/redis:7.2-alpine"], tmp_path)
        assert len(pulled.strip()) == 64
        run([tool("podman"), *store, "rmi", "-f", pulled.strip()], tmp_path)


def test_docker_pulls_runs_and_builds_the_example_project(hub: Hub, ecr: Hub, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "codebuild" / "web", tmp_path / "web")
    dockerfile = tmp_path / "web" / "Dockerfile"
    text = dockerfile.read_text("utf-8").replace("FROM node:", f"FROM {hub.address}/library/node:")
    dockerfile.write_text(text, "utf-8")
    with machine() as own:
        ran = own.docker("run", "--rm", "--network=none", f"{hub.address}/{NODE}", "node")
        assert (ran.status, ran.out) == (0, "v21.7.0\n"), ran.text
        argument = f"REGISTRY={ecr.address}/docker/library/"
        built = own.docker("build", "--network=host", "--build-arg", argument, "-t", "web", tmp_path / "web", DOCKER_BUILDKIT="1")
        assert built.status == 0, built.text
        hub.exhaust()
        refused = own.docker("pull", f"{hub.address}/library/redis:7.2-alpine")
        hub.refill()
        own.stop_daemon()
    assert refused.status == 1
    assert "toomanyrequests: You have reached your unauthenticated pull rate limit." in refused.err


def test_the_stand_in_speaks_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1", "127.0.0.2", "localhost")
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"
    own.private_key_pem.write_to_path(key)
    for part in own.cert_chain_pems:
        part.write_to_path(certificate, append=True)
    trusted = tmp_path / "certs"
    trusted.mkdir()
    authority.cert_pem.write_to_path(trusted / "ca.crt")
    with docker_hub(certificate=certificate, key=key) as hub:
        assert hub.url.startswith("https://")
        skopeo(tmp_path, "inspect", f"--cert-dir={trusted}", f"docker://{hub.address}/{NODE}")
        skopeo(tmp_path, "inspect", f"docker://{hub.address}/{NODE}", status=1)

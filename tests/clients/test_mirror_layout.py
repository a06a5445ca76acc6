"""Layouts that `unhub cache export` writes are read by skopeo, and those that skopeo writes are taken in."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import process
from tests.hub import docker_hub
from tests.mirror import Mirror, running_mirror
from tests.tools import tool

REFERENCE = "docker.io/library/node:20-alpine"


def skopeo(*arguments: str | Path, folder: Path) -> str:
    command = [tool("skopeo"), "--insecure-policy", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(folder)})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """A running mirror with one image for every platform."""
    with docker_hub() as hub, running_mirror(tmp_path_factory.mktemp("mirror"), hub) as mirror:
        warmed = process(
            "cache", "warm", "node:20-alpine", "--platform", "all", "--server", mirror.url, "--data", mirror.data, cwd=mirror.folder
        )
        assert warmed.status == 0, warmed.err
        yield mirror


def test_skopeo_reads_an_exported_folder_with_every_platform(filled: Mirror, tmp_path: Path) -> None:
    exported = process("cache", "export", "layout", "--data", filled.data, cwd=tmp_path)
    assert exported.status == 0, exported.err
    kept = filled.get("/v2/library/node/manifests/20-alpine").body
    assert skopeo("inspect", "--raw", f"oci:layout:{REFERENCE}", folder=tmp_path).encode() == kept
    skopeo("copy", "--all", f"oci:layout:{REFERENCE}", "dir:all", folder=tmp_path)
    assert (tmp_path / "all" / "manifest.json").read_bytes() == kept, "the index keeps its bytes"
    skopeo("copy", "--override-os", "linux", "--override-arch", "arm64", f"oci:layout:{REFERENCE}", "dir:arm", folder=tmp_path)
    assert json.loads((tmp_path / "arm" / "manifest.json").read_text())["layers"]


def test_skopeo_reads_an_exported_tar(filled: Mirror, tmp_path: Path) -> None:
    assert process("cache", "export", "layout.tar", "node:20-alpine", "--data", filled.data, cwd=tmp_path).status == 0
    text = skopeo("inspect", "--override-os", "linux", "--override-arch", "amd64", f"oci-archive:layout.tar:{REFERENCE}", folder=tmp_path)
    assert json.loads(text)["Architecture"] == "amd64"


def test_a_layout_of_skopeo_is_taken_in_and_served_with_every_upstream_down(filled: Mirror, tmp_path: Path) -> None:
    skopeo(
        "copy",
        "--all",
        "--src-tls-verify=false",
        f"docker://{filled.address}/library/node:20-alpine",
        "oci:theirs:20-alpine",
        folder=tmp_path,
    )
    done = process("cache", "import", "theirs", "--data", "data", "--as", "docker.io/library/node", cwd=tmp_path)
    assert done.status == 0, done.err
    with running_mirror(tmp_path, "http://127.0.0.1:9") as mirror:
        skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{mirror.address}/library/node:20-alpine", "dir:back", folder=tmp_path)
        assert (tmp_path / "back" / "manifest.json").read_bytes() == filled.get("/v2/library/node/manifests/20-alpine").body

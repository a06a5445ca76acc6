"""No secret appears in any output, whatever goes wrong and however much is told: every command is read through for them."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import process, repository, unhub
from tests.hub import aws_endpoint, docker_hub, ecr_public, environment
from unhub.demo.settings import Account

HUB_PASSWORD = "hub-Pa55word-of-the-builder"
ECR_PASSWORD = "ecr-Pa55word-that-is-stale"
SECRET_KEY = "wJalrXUtnFEMIsecretEXAMPLEKEY0123456789"
SESSION_TOKEN = "IQoJb3JpZ2luX2VjsessionEXAMPLE"
PROXY_PASSWORD = "proxy-Pa55word"

SECRETS = {
    "Docker Hub's password": HUB_PASSWORD,
    "Docker Hub's login as it is stored": base64.b64encode(f"builder:{HUB_PASSWORD}".encode()).decode(),
    "ECR Public's stale password": ECR_PASSWORD,
    "the AWS secret key": SECRET_KEY,
    "the AWS session token": SESSION_TOKEN,
    "the proxy's password": PROXY_PASSWORD,
}

FAULTS = {
    "nothing": {},
    "the token service says what it was sent": {"kind": "status", "status": 400, "site": "token", "count": None, "text": HUB_PASSWORD},
    "an expired token": {"kind": "expired-token", "count": None},
    "a page of HTML": {"kind": "html", "status": 403, "count": None},
    "an error that says what was sent": {
        **{"kind": "status", "status": 400, "count": None},
        "text": "it was " + SECRETS["Docker Hub's login as it is stored"],
    },
    "the pull limit": {"kind": "limit", "limit": "pulls", "path": "*/manifests/*", "count": None},
    "a hostile realm": {"kind": "realm", "to": "https://evil.example/token", "count": None},
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with stored logins, one of them stale."""
    folder = tmp_path / "home" / ".docker"
    folder.mkdir(parents=True)
    auths = {
        "https://index.docker.io/v1/": {"auth": SECRETS["Docker Hub's login as it is stored"]},
        "public.ecr.aws": {"auth": base64.b64encode(f"AWS:{ECR_PASSWORD}".encode()).decode()},
    }
    (folder / "config.json").write_text(json.dumps({"auths": auths}), "utf-8")
    return folder.parent


@pytest.fixture(params=FAULTS)
def stands(request: pytest.FixtureRequest, home: Path) -> Iterator[dict[str, str]]:
    account = Account(name="builder", password=HUB_PASSWORD)
    with docker_hub(accounts=(account,)) as hub, ecr_public() as ecr, aws_endpoint() as aws:
        if FAULTS[request.param]:
            hub.fault(**FAULTS[request.param])  # pyright: ignore[reportArgumentType]
        yield {
            **environment(hub, ecr, aws),
            **{"HOME": str(home), "DOCKER_CONFIG": str(home / ".docker"), "REGISTRY_AUTH_FILE": str(home / "podman.json")},
            **{"AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_SESSION_TOKEN": SESSION_TOKEN, "UNHUB_VERIFY": "1"},
            **{
                "HTTPS_PROXY": f"http://builder:{PROXY_PASSWORD}@127.0.0.1:9",
                "NO_PROXY": "127.0.0.1,localhost",
                "XDG_RUNTIME_DIR": str(home),
            },
        }


CALLS = (
    ("verify",),
    ("verify", "--deep", "--format", "json"),
    ("migrate", "--write"),
    ("limits", "--no-sizes"),
    ("login", "--tool", "docker"),
)
DEBUG = {"UNHUB_DEBUG": "1"}
"""Lets internal errors through with all that Python has to say."""


def test_no_output_holds_a_secret(tmp_path: Path, stands: dict[str, str]) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "unhub.toml").write_text('[registry."public.ecr.aws"]\nrate = 0\n', "utf-8")
    (tree / "Dockerfile").write_text("FROM node:21.7.0-alpine3.19\nCOPY --from=alpine:3.19 / /\n", "utf-8")
    repository(tree)
    for call in CALLS:
        done = unhub(*call, cwd=tree, env={**stands, **DEBUG})
        said = done.text + done.err
        assert leaked(said) == [], said
        assert not re.search(r"(?i)authorization: (basic|bearer) [A-Za-z0-9+/=._-]{8,}", said)
    for path in tree.rglob("*"):
        assert path.is_dir() or leaked(path.read_text("utf-8", "replace")) == []


def leaked(text: str) -> list[str]:
    """The names of the secrets that a text holds."""
    return [name for name, secret in SECRETS.items() if secret in text]


def test_a_process_of_ours_shows_no_secret_in_its_arguments(tmp_path: Path, home: Path) -> None:
    """Credential helpers and AWS get secrets on standard input or in the environment; anybody may read arguments."""
    seen = tmp_path / "arguments"
    helper = tmp_path / "docker-credential-spy"
    helper.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(seen)!r}, 'a').write(repr(sys.argv) + '\\n')\nsys.stdin.read()\n", "utf-8"
    )
    helper.chmod(0o755)
    (home / ".docker" / "config.json").write_text(json.dumps({"credsStore": "spy"}), "utf-8")
    with aws_endpoint() as aws:
        found = {
            **environment(aws),
            "HOME": str(home),
            "DOCKER_CONFIG": str(home / ".docker"),
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        }
        process("login", "--tool", "docker", cwd=tmp_path, env=found)
    arguments = seen.read_text("utf-8")
    assert "'store'" in arguments
    assert "eyJ" not in arguments

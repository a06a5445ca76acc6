"""``unhub demo-hub`` as a process: what it prints and writes, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import unhub
from tests.hub import ask, basic
from unhub.cli import demo_hub
from unhub.demo import catalogue

ANYWHERE = ("--listen", "127.0.0.1:0", "--ecr-public", "127.0.0.1:0", "--api", "127.0.0.1:0")


@dataclass
class Started:
    """A running process and what its ready file said."""

    process: subprocess.Popen[str]
    facts: dict[str, Any]

    def end(self, number: int) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@contextmanager
def started(folder: Path, *options: str, **environment: str) -> Iterator[Started]:
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "unhub", "demo-hub", *ANYWHERE, "--ready-file", str(ready), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    with process:
        try:
            deadline = time.monotonic() + 60
            while not ready.exists():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield Started(process, json.loads(ready.read_text("utf-8")))
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_says_how_to_try_it_and_ends_with_a_signal(tmp_path: Path, number: int, status: int) -> None:
    with started(tmp_path) as hub:
        facts = hub.facts
        assert ask(facts["docker_hub"]["url"] + "/v2/").status == 401
        assert ask(facts["ecr_public"]["token_url"]).status == 200
        assert ask(facts["aws"]["url"] + "/", "POST", body=b"{}").status == 400
        assert (tmp_path / "ready.json").stat().st_mode & 0o777 == 0o600
        ended, out, err = hub.end(number)
    assert ended == status
    assert "Traceback" not in err
    assert not (tmp_path / "ready.json").exists()
    for name, value in facts["environment"].items():
        assert f'export {name}="{value}"' in out
    assert facts["environment"]["UNHUB_ENDPOINT"] == f"docker.io={facts['docker_hub']['url']} public.ecr.aws={facts['ecr_public']['url']}"
    assert facts["environment"]["AWS_ENDPOINT_URL_ECR_PUBLIC"] == facts["aws"]["url"]
    assert "100 pulls in 6 h without a login; accounts free (200 pulls), paid (unlimited pulls)" in out


def test_options_reach_the_stand_ins(tmp_path: Path) -> None:
    options = ("--limit", "1", "--account-limit", "unlimited", "--window", "3600", "--rate", "unlimited", "--period", "2020", "--verbose")
    with started(tmp_path, *options, "--differ", "library/node:20-alpine=lag", UNHUB_DEMO_TOKEN="chosen") as hub:
        facts = hub.facts
        assert (facts["docker_hub"]["limit"], facts["docker_hub"]["window"], facts["ecr_public"]["rate"]) == (1, 3600, None)
        assert facts["control_token"] == "chosen"
        token = ask(facts["docker_hub"]["token_url"] + "?scope=repository:library/node:pull").json["token"]
        url = facts["docker_hub"]["url"] + "/v2/library/node/manifests/20-alpine"
        statuses = [ask(url, Authorization=f"Bearer {token}") for _ in range(2)]
        assert [said.status for said in statuses] == [200, 429]
        assert "by authenticating and upgrading" in statuses[1].message
        for account in facts["docker_hub"]["accounts"]:
            login = basic(account["name"], account["password"])
            assert ask(facts["docker_hub"]["token_url"], Authorization=login).status == 200
        token = ask(facts["ecr_public"]["token_url"]).json["token"]
        copy = ask(facts["ecr_public"]["url"] + "/v2/docker/library/node/manifests/20-alpine", "HEAD", Authorization=f"Bearer {token}")
        assert copy.headers["docker-content-digest"] != statuses[0].headers["docker-content-digest"]
        _, _, err = hub.end(signal.SIGTERM)
    assert "docker-hub registry GET /v2/library/node/manifests/20-alpine 429 anonymous 127.0.0.1" in err
    assert token not in err


def test_parts_can_be_left_out(tmp_path: Path) -> None:
    with started(tmp_path, "--ecr-public", "none", "--api", "none") as hub:
        assert hub.facts["ecr_public"] is hub.facts["aws"] is None
        _, out, _ = hub.end(signal.SIGTERM)
    assert "ECR Public" not in out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--listen", "0.0.0.0:0"), "cannot listen on 0.0.0.0: the stand-ins are for this machine alone"),
        (("--listen", "example.org:0"), "cannot listen on example.org"),
        (("--listen", "5001"), "it is not HOST:PORT"),
        (("--listen", "127.0.0.1:99999"), "it is not HOST:PORT"),
        (("--limit", "many"), "'many' is neither a number nor 'unlimited'"),
        (("--differ", "library/node=older"), "cannot understand --differ 'library/node=older'"),
        (("--differ", "library/nothing=lag"), "the catalogue has no such image"),
        (("--busybox", "/nowhere/busybox"), "cannot read /nowhere/busybox"),
        (("--busybox", __file__), "it is no static program"),
        (("--certificate", "/nowhere/cert.pem"), "cannot use the certificate /nowhere/cert.pem"),
    ],
)
def test_mistakes_are_said_and_nothing_is_started(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    ended = unhub("demo-hub", *ANYWHERE, *options, cwd=tmp_path)
    assert ended.status == 2
    assert says in ended.err
    assert ended.out == b""


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with started(tmp_path) as hub:
        address = hub.facts["docker_hub"]["url"].removeprefix("http://")
        ended = unhub("demo-hub", *ANYWHERE, "--listen", address, cwd=tmp_path)
    assert (ended.status, ended.err.splitlines()[-1].strip()) == (2, "Name another port; 0 takes any free one.")


def test_a_ready_file_that_cannot_be_written_is_status_4(tmp_path: Path) -> None:
    ended = unhub("demo-hub", *ANYWHERE, "--ready-file", tmp_path / "nowhere" / "ready.json", cwd=tmp_path)
    assert ended.status == 4
    assert "cannot write" in ended.err


def test_the_help_knows_every_difference() -> None:
    from typing import get_args

    assert get_args(catalogue.Difference) == demo_hub.DIFFERENCES

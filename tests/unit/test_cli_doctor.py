"""`unhub doctor`: logs from files and standard input, and the machine against stand-ins; statuses, forms, settings, mistakes."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import unhub
from tests.hub import aws_endpoint, docker_hub, ecr_public, environment

LIMIT = "toomanyrequests: You have reached your pull rate limit."


def test_a_log_is_read_from_a_file_or_from_standard_input(tmp_path: Path) -> None:
    (tmp_path / "build.log").write_text(f"FROM node:18\n{LIMIT}\n", "utf-8")
    from_file = unhub("doctor", "--log", "build.log", cwd=tmp_path)
    from_stdin = unhub("doctor", "--log", "-", cwd=tmp_path, stdin=f"FROM node:18\n{LIMIT}\n".encode())
    assert from_file == from_stdin
    assert from_file.status == 1
    assert "FROM node:18 -> public.ecr.aws/docker/library/node:18" in from_file.text
    assert "unhub migrate --write" in from_file.text
    assert from_file.err == ""


@pytest.mark.parametrize("log", ["", "all is well\n", "error: of another kind\n"])
def test_nothing_found_ends_with_0(tmp_path: Path, log: str) -> None:
    ended = unhub("doctor", "--log", "-", cwd=tmp_path, stdin=log.encode())
    assert ended.status == 0
    assert "no known cause" in ended.text
    assert ("unhub does not know these errors:" in ended.text) == ("error" in log)


def test_json_is_one_object_with_everything_in_it(tmp_path: Path) -> None:
    found = unhub("doctor", "--log", "-", "--format", "json", cwd=tmp_path, stdin=f"FROM node:18\n{LIMIT}\n".encode()).json
    assert found["schema"] == 1
    (cause,) = found["causes"]
    assert cause["id"] == "hub-pull-limit"
    assert cause["images"] == [{"label": "FROM", "reference": "node:18", "target": "public.ecr.aws/docker/library/node:18", "reason": None}]
    assert {"text": "Take official images from ECR Public, which keeps no such count:", "command": "unhub migrate --write"} in cause["do"]
    assert found["summary"] == {"lines": 2, "causes": 1, "warnings": 0, "unknown": 0, "consequences": 0, "left_out": 0}


def test_annotations_are_written_for_actions(tmp_path: Path) -> None:
    ended = unhub("doctor", "--log", "-", "--format", "github", cwd=tmp_path, stdin=LIMIT.encode())
    assert ended.text.startswith("::error title=unhub")
    assert ended.status == 1


def test_targets_and_facts_are_those_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "unhub.toml").write_text('[migrate]\nto = ["mirror:mirror.shop.example/hub"]\n[data]\nfile = "own.toml"\n', "utf-8")
    row = '[[symptom]]\nid = "ours"\nnumber = 101\nemitter = "us"\ntitle = "Our own trouble"\ncause = "C."\nkind = "network"\n'
    row += 'pattern = "our own error"\nneedles = ["our own error"]\ndate = 2026-11-23\nsource = "us"\nconfidence = "source"\n'
    (tmp_path / "own.toml").write_text(row + 'fix = [{ do = "Ask us." }]\n', "utf-8")
    ended = unhub("doctor", "--log", "-", cwd=tmp_path, stdin=f"OUR OWN ERROR\nFROM acme/app:1\n{LIMIT}\n".encode())
    assert "FROM acme/app:1 -> mirror.shop.example/hub/acme/app:1" in ended.text
    assert "Our own trouble" in ended.text


def test_nothing_in_a_log_can_steer_a_terminal(tmp_path: Path) -> None:
    log = f"\x1b]0;evil\x07\x1b[2J{LIMIT} \x9b31m \u202e\n".encode()
    ended = unhub("doctor", "--log", "-", cwd=tmp_path, stdin=log)
    assert not set("\x1b\x9b\u202e\x07") & set(ended.text)


def test_a_log_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    missing = unhub("doctor", "--log", "missing.log", cwd=tmp_path)
    assert (missing.status, missing.out) == (2, b"")
    assert "cannot read the log missing.log: there is no such file" in missing.err
    folder = unhub("doctor", "--log", ".", cwd=tmp_path)
    assert folder.status == 3
    assert "cannot read the log .:" in folder.err


def test_the_json_of_a_broken_log_is_still_json(tmp_path: Path) -> None:
    ended = unhub(
        "doctor", "--log", "-", "--format", "json", cwd=tmp_path, stdin=b"\xff\xfe\x00error \xed\xa0\x80\n" + LIMIT.encode() + b"\xff"
    )
    json.loads(ended.out.decode("utf-8"))


# live checks, against stand-ins


class Identity(BaseHTTPRequestHandler):
    """STS as far as a check needs it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        inner = "<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ann</Arn></GetCallerIdentityResult>"
        body = f'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{inner}</GetCallerIdentityResponse>'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def identity() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Identity) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def surroundings(folder: Path, identity: str, *stands: Any) -> dict[str, str]:
    own = {
        "HOME": str(folder), "DOCKER_CONFIG": str(folder / "docker"), "DOCKER_HOST": f"unix://{folder}/none.sock",
        "XDG_RUNTIME_DIR": str(folder), "AWS_ENDPOINT_URL_STS": identity, "PATH": str(folder),
    }  # fmt: skip
    return environment(*stands) | own


def statuses(ended: Any) -> dict[str, str]:
    return {row["name"]: row["status"] for row in ended.json["checks"]}


def test_a_machine_is_looked_at_against_stand_ins(tmp_path: Path, identity: str) -> None:
    with docker_hub() as hub, ecr_public() as ecr, aws_endpoint() as aws:
        env = surroundings(tmp_path, identity, hub, ecr, aws)
        ended = unhub("doctor", "--format", "json", cwd=tmp_path, env=env)
        found = statuses(ended)
        assert found == {
            "dns": "skipped", "proxies": "ok", "control-plane": "ok", "registry": "ok", "content": "skipped", "docker-hub": "ok",
            "certificates": "skipped", "clock": "ok", "credentials": "ok", "region": "ok", "aws-cli": "skipped", "permissions": "ok",
            "stored-logins": "ok", "credential-store": "ok", "docker-daemon": "skipped", "docker-mirrors": "skipped",
        }  # fmt: skip
        assert ended.status == 0
        assert hub.counts.total == 0, "no pull is spent"
        assert ended.json["summary"] == {"ok": 10, "warning": 0, "failed": 0, "skipped": 6}
        assert "arn:aws:iam::123456789012:user/ann" in ended.text


def test_what_is_wrong_is_found_and_has_its_command(tmp_path: Path, identity: str) -> None:
    with ecr_public() as ecr, aws_endpoint(denied="sts:GetServiceBearerToken", clock_offset=0) as aws:
        password = ecr.password(seconds=-60)
        (tmp_path / "docker").mkdir()
        auth = base64.b64encode(f"AWS:{password}".encode()).decode()
        (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {"public.ecr.aws": {"auth": auth}}}), "utf-8")
        env = surroundings(tmp_path, identity, ecr, aws) | {"AWS_REGION": "ap-northeast-1"}
        env["UNHUB_ENDPOINT"] += " docker.io=http://127.0.0.1:9"
        ended = unhub("doctor", cwd=tmp_path, env=env)
    assert ended.status == 1
    assert "docker logout public.ecr.aws" in ended.text
    assert "unhub iam-policy --role codebuild-shop" in ended.text
    assert "the default region ap-northeast-1 (AWS_REGION) has no ECR Public" in ended.text
    assert "sts:GetServiceBearerToken" in ended.text
    for secret in (password, auth, env["AWS_SECRET_ACCESS_KEY"], env["AWS_ACCESS_KEY_ID"]):
        assert secret not in ended.text + ended.err


def test_offline_touches_no_network(tmp_path: Path, identity: str) -> None:
    with ecr_public() as ecr, aws_endpoint() as aws:
        ended = unhub("doctor", "--offline", "--format", "json", cwd=tmp_path, env=surroundings(tmp_path, identity, ecr, aws))
        assert ecr.requests == aws.requests == ()
    assert ended.status == 0
    assert {row["says"] for row in ended.json["checks"] if row["name"] in ("registry", "permissions")} == {"unhub is offline (--offline)"}


def test_all_shows_what_was_seen_of_that_which_is_well(tmp_path: Path, identity: str) -> None:
    with docker_hub() as hub, ecr_public() as ecr, aws_endpoint() as aws:
        env = surroundings(tmp_path, identity, hub, ecr, aws)
        short, whole = unhub("doctor", cwd=tmp_path, env=env), unhub("doctor", "--all", cwd=tmp_path, env=env)
    assert "access key …MPLE" in whole.text
    assert "access key …MPLE" not in short.text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "github"], "--format github is for logs"),
        (["--region", "eu-west-1"], "--region goes with --codebuild"),
        (["--codebuild", "shop", "--offline"], "unhub is offline"),
        (["--codebuild", "shop"], "no AWS region is set"),
        (["--insecure", "registry.example"], "cannot speak plain http with registry.example"),
    ],
)
def test_checks_refuse_what_does_not_fit(tmp_path: Path, arguments: list[str], says: str) -> None:
    env = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true"}
    ended = unhub("doctor", *arguments, cwd=tmp_path, env=env)
    assert ended.status == 2
    assert says in ended.err

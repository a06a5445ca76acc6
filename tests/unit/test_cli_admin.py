"""``unhub admin`` on a running server's ``/_unhub/`` API: what it prints, what is shown once, and who may ask."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Ended, unhub
from unhub.mirror.identities import Identities
from unhub.mirror.sealing import InstanceKey
from unhub.mirror.signing_keys import KeyKeeper
from unhub.server.operations.app import OperationsApp
from unhub.server.operations.identity_actions import IdentityActions
from unhub.store.records import RepositoryKey
from unhub.store.records_identity import Registration
from unhub.store.sql.metadata import SqlMetadata
from unhub.store.sql.upgrade import upgrade

TOKEN = "an-admin-token"
NOW = 1_795_000_000.0
PULL = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Login", "Effect": "Allow", "Action": "ecr-public:GetAuthorizationToken", "Resource": "*"},
            {
                "Sid": "Bearer",
                "Effect": "Allow",
                "Action": "sts:GetServiceBearerToken",
                "Resource": "*",
                "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
            },
        ],
    }
)


@dataclass(frozen=True)
class Server:
    """The operations of a mirror behind a plain HTTP server."""

    url: str
    folder: Path

    def admin(self, *arguments: str, stdin: bytes = b"") -> Ended:
        return unhub("admin", *arguments, "--server", self.url, "--data", str(self.folder), cwd=self.folder, stdin=stdin)

    def done(self, *arguments: str) -> dict[str, Any]:
        ended = self.admin(*arguments, "--json")
        assert ended.status == 0, ended.err
        return ended.json


async def answered(folder: Path, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    """One request to the operations, on stores of its own as another worker would have."""
    metadata = SqlMetadata(f"sqlite:///{folder}/m.db")
    instance = InstanceKey.at(folder / "instance.key")
    identities = Identities(metadata.identity, instance, now=lambda: NOW, reserved=["docker"])
    keeper = KeyKeeper(metadata.identity.signing_keys, instance, now=lambda: NOW)
    actions = IdentityActions(identities, keeper, metadata.identity, now=lambda: NOW)
    nothing: Any = None
    app = OperationsApp(nothing, nothing, token=TOKEN, answers=dict, reload=lambda: None, more=actions.routes)
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    try:
        await app(scope, receive, send)
    finally:
        await metadata.close()
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@pytest.fixture
def server(tmp_path: Path) -> Generator[Server]:
    upgrade(f"sqlite:///{tmp_path}/m.db")
    (tmp_path / "admin.token").write_text(TOKEN)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = asyncio.run(answered(tmp_path, self.command, self.path, dict(self.headers.items()), body))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Server(f"http://127.0.0.1:{httpd.server_port}", tmp_path)
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_a_user_is_created_with_a_key_that_is_shown_once(server: Server) -> None:
    made = server.done("user", "create", "ci")
    assert made["identity"]["arn"] == f"arn:aws:iam::{made['identity']['account']}:user/ci"
    key = made["access_key"]
    assert (len(key["id"]), len(key["secret"]), key["session_token"]) == (20, 40, None)
    for arguments in (("user", "list"), ("key", "list", "ci"), ("policy", "list", "ci"), ("account", "list")):
        for ended in (server.admin(*arguments), server.admin(*arguments, "--json")):
            assert ended.status == 0, ended.err
            assert key["secret"] not in ended.text + ended.err
    assert key["id"] in server.admin("key", "list", "ci").text
    ended = server.admin("user", "create", "ci")
    assert (ended.status, "cannot create the user ci" in ended.err) == (2, True)


def test_keys_are_written_as_variables_for_a_shell(server: Server) -> None:
    ended = server.admin("user", "create", "ci")
    assert [line.partition("=")[0] for line in ended.text.splitlines()] == ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert "it may do nothing until a policy is attached" in ended.err
    assert "shown this once" in ended.err
    server.done("role", "create", "build")
    ended = server.admin("key", "create", "build", "--role", "--session", "b-7", "--seconds", "900")
    assert [line.partition("=")[0] for line in ended.text.splitlines()][2] == "AWS_SESSION_TOKEN"
    assert "holds until" in ended.err
    assert "session b-7 until" in server.admin("key", "list", "build", "--role").text
    assert server.admin("key", "create", "build", "--role").status == 2, "a role has sessions only"


def test_policies_come_from_files_standard_input_or_aws(server: Server, tmp_path: Path) -> None:
    server.done("user", "create", "ci", "--no-key")
    (tmp_path / "pull policy.json").write_text(PULL)
    assert server.done("policy", "attach", "ci", "pull policy.json")["policy"] == "pull-policy"
    ended = server.admin("policy", "attach", "ci", "-", "--policy-name", "other", stdin=PULL.encode())
    assert ended.status == 0
    aws = "arn:aws:iam::aws:policy/AmazonElasticContainerRegistryPublicReadOnly"
    assert server.done("policy", "attach", "ci", aws)["policy"] == "AmazonElasticContainerRegistryPublicReadOnly"
    rows = server.done("policy", "list", "ci")["policies"]
    assert [row["name"] for row in rows] == ["AmazonElasticContainerRegistryPublicReadOnly", "other", "pull-policy"]
    assert rows[1]["document"] == PULL
    assert PULL in server.admin("policy", "list", "ci", "--documents").text
    assert server.done("policy", "detach", "ci", "other")["was_attached"]
    assert "nothing to do" in server.admin("policy", "detach", "ci", "other").err
    (tmp_path / "wrong.json").write_text('{"Version": "2012-10-17",\n "Statement": {"Effect": "Alow"}}')
    ended = server.admin("policy", "attach", "ci", "wrong.json")
    assert ended.status == 2
    assert "wrong:2:" in ended.err, "with the place of what is wrong"
    assert server.admin("policy", "attach", "ci", "missing.json").status == 2
    assert server.admin("policy", "attach", "nobody", "pull policy.json").status == 2


def test_a_decision_is_explained_statement_by_statement(server: Server, tmp_path: Path) -> None:
    server.done("user", "create", "ci", "--no-key")
    (tmp_path / "pull.json").write_text(PULL)
    server.done("policy", "attach", "ci", "pull.json")
    ended = server.admin("simulate", "ci", "ecr-public:GetAuthorizationToken")
    assert ended.status == 1
    assert "allowed  ecr-public:GetAuthorizationToken on *" in ended.text
    assert "not allowed  sts:GetServiceBearerToken on *" in ended.text, "the second permission is tried by itself"
    assert 'Allow  pull, statement 1 "Login": action yes, resource yes: decides' in ended.text
    assert "IpAddress aws:SourceIp" in ended.text
    ended = server.admin("simulate", "ci", "ecr-public:GetAuthorizationToken", "--context", "aws:SourceIp=192.0.2.9")
    assert ended.status == 0, ended.text
    answer = server.admin("simulate", "ci", "ecr-public:PutImage", "--json").json
    (decision,) = answer["decisions"]
    assert (decision["outcome"], decision["allowed"], [row["decides"] for row in decision["statements"]]) == (
        "not allowed",
        False,
        [False] * 2,
    )
    assert decision["fix"].startswith("Add {")
    assert server.admin("simulate", "ci", "ecr-public:PutImage", "--context", "nonsense").status == 2


def test_a_registry_has_names_and_is_verified(server: Server) -> None:
    server.done("account", "create", "123456789012", "--alias", "acme")
    assert server.admin("account", "alias", "acme-tools", "--keep-displayed", "--account", "123456789012").status == 0
    names = server.done("account", "alias", "acme2", "--account", "123456789012")["account"]["aliases"]
    assert [row["name"] for row in names if not row["default"]] == ["acme2", "acme", "acme-tools"], "the displayed one first"
    refused = server.admin("account", "alias", "acme", "--account", "123456789012")
    assert (refused.status, "it is taken" in refused.err) == (2, True)
    assert server.done("account", "verify", "123456789012")["account"]["verified"]
    assert "not verified" in server.admin("account", "verify", "123456789012", "--undo").err
    assert not server.done("account", "list")["accounts"][0]["verified"]
    (default,) = [row["name"] for row in server.done("account", "alias", "acme3")["account"]["aliases"] if row["default"]]
    assert len(default) == 8, "of the first account, unless another is named"
    assert server.admin("account", "alias", "docker").status == 2, "what is pulled through has it"


def test_the_policy_of_the_repository_has_its_say(server: Server, tmp_path: Path) -> None:
    ours = server.done("account", "create", "123456789012", "--alias", "acme")["account"]
    assert {row["name"] for row in ours["aliases"]} >= {"acme"}
    server.done("account", "create", "210987654321")
    server.done("user", "create", "ci", "--account", "123456789012", "--no-key")
    server.done("user", "create", "ci", "--account", "210987654321", "--no-key")
    everybody = '{"Version":"2008-10-17","Statement":[{"Sid":"push","Effect":"Allow","Principal":"*","Action":"ecr-public:PutImage"}]}'

    async def register() -> None:
        metadata = SqlMetadata(f"sqlite:///{tmp_path}/m.db")
        registration = Registration(RepositoryKey("acme", "app"), "123456789012", NOW, policy=everybody)
        assert await metadata.identity.registrations.create(registration, {})
        await metadata.close()

    asyncio.run(register())
    on = ("ecr-public:PutImage", "--on", "arn:aws:ecr-public::123456789012:repository/app")
    ended = server.admin("simulate", "ci", *on, "--account", "123456789012")
    assert ended.status == 0
    assert 'repository policy, statement 1 "push": action yes, resource yes, principal yes: decides' in ended.text
    assert server.admin("simulate", "ci", *on, "--account", "210987654321").status == 1, "across accounts both sides must allow"


def test_revoking_names_one_thing(server: Server) -> None:
    made = server.done("user", "create", "ci")
    revoked = server.done("revoke", "--user", "ci", "--reason", "laptop lost")["revoked"]
    assert (revoked["kind"], revoked["subject"]) == ("identity", made["identity"]["unique_id"])
    assert revoked["until"] == NOW + 12 * 3600
    key = made["access_key"]["id"]
    assert server.done("revoke", "--key", key)["revoked"] | {"until": 0} == {
        "kind": "access-key",
        "subject": key,
        "revoked_at": NOW,
        "until": 0,
    }
    assert server.done("revoke", "--account", made["identity"]["account"])["revoked"]["kind"] == "account"
    assert server.done("revoke", "--everything")["revoked"]["kind"] == "everything"
    assert server.done("revoke", "--token", "abc")["revoked"]["subject"] == "abc"
    for arguments in ((), ("--user", "a", "--key", "b"), ("--everything", "--token", "x"), ("--user", "nobody")):
        assert server.admin("revoke", *arguments).status == 2


def test_keys_and_users_are_taken_back(server: Server) -> None:
    key = server.done("user", "create", "ci")["access_key"]["id"]
    assert server.done("key", "disable", key) == {"schema": 1, "id": key, "active": False}
    assert "switched off" in server.admin("key", "list", "ci").text
    assert server.done("key", "enable", key)["active"]
    assert server.done("key", "delete", key)["was_there"]
    assert "nothing to do" in server.admin("key", "delete", key).err
    assert server.admin("key", "enable", key).status == 2
    assert server.done("user", "delete", "ci")["identity"]["name"] == "ci"
    assert server.done("user", "list")["identities"] == []
    assert server.done("signing-key", "rotate")["signing_key"] >= 1
    assert server.done("signing-key", "rotate", "--discard")["discarded"]
    trust = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}'
    (server.folder / "trust.json").write_text(trust)
    assert server.done("role", "create", "build", "--trust", "trust.json")["identity"]["kind"] == "role"
    assert "build" in server.admin("role", "list").text
    assert server.admin("role", "delete", "build").status == 0


def test_nobody_asks_without_the_admin_token(server: Server) -> None:
    (server.folder / "admin.token").write_text("another-token")
    ended = server.admin("user", "create", "ci")
    assert ended.status == 5
    assert "wants its admin token" in ended.err


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("identity/create", {"kind": "user"}),
        ("identity/create", {"kind": "group", "name": "x"}),
        ("identity/create", {"kind": "user", "name": "x", "more": 1}),
        ("identity/create", {"kind": "user", "name": "x", "trust": "{}"}),
        ("identity/create", {"kind": "role", "name": "x", "access_key": True}),
        ("identity/create", {"kind": "user", "name": "a/b"}),
        ("policy/attach", {"kind": "user", "name": "ci"}),
        ("policy/attach", {"kind": "user", "name": "ci", "document": "{}", "managed": "x"}),
        ("simulate", {"kind": "user", "name": "ci", "actions": []}),
        ("simulate", {"kind": "user", "name": "ci", "actions": ["a"] * 51}),
        ("simulate", {"kind": "user", "name": "ci", "actions": ["x" * 1001]}),
        ("revoke", {"kind": "token"}),
        ("revoke", {"kind": "token", "subject": "x", "who": {"kind": "user", "name": "ci"}}),
        ("revoke", {"kind": "token", "subject": "x", "reason": "a\nb"}),
        ("key/switch", {"id": "AKIA", "active": True}),
        ("account/create", {"account": "1"}),
        ("account/create", {"alias": "NO"}),
        ("account/alias", {"alias": "NO"}),
        ("account/verify", {"account": "123456789012", "verified": True}),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, path: str, body: dict[str, object]) -> None:
    upgrade(f"sqlite:///{tmp_path}/m.db")
    headers = {"Authorization": f"Bearer {TOKEN}"}

    async def work() -> None:
        await answered(tmp_path, "POST", "/_unhub/admin/identity/create", headers, b'{"kind": "user", "name": "ci"}')
        status, answer = await answered(tmp_path, "POST", f"/_unhub/admin/{path}", headers, json.dumps(body).encode())
        assert status in (400, 422), answer
        assert json.loads(answer)["error"]["message"].startswith("cannot")
        status, _ = await answered(tmp_path, "GET", f"/_unhub/admin/{path}", headers, b"")
        assert status == 405
        status, _ = await answered(tmp_path, "POST", f"/_unhub/admin/{path}", {}, json.dumps(body).encode())
        assert status == 401

    asyncio.run(work())

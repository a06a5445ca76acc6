"""``unhub iam-policy`` as its users meet it; its commands are run by a real shell and the real ``aws``."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.command_line import unhub
from tests.policies import REPOSITORY, document
from tests.tools import tool

LOGIN = ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"]
TOKEN = {"Effect": "Allow", "Action": LOGIN, "Resource": "*"}

ARTICLE = """\
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "ecr-public:GetAuthorizationToken",
        "sts:GetServiceBearerToken"
      ],
      "Resource": "*"
    }
  ]
}
"""


def test_without_options_it_is_the_article_s_policy(tmp_path: Path) -> None:
    ended = unhub("iam-policy", cwd=tmp_path)
    assert (ended.status, ended.text, ended.err) == (0, ARTICLE, "")
    assert unhub("iam-policy", "--format", "json", cwd=tmp_path).text == ARTICLE


@pytest.mark.parametrize("form", ["json", "cloudformation", "terraform", "cdk"])
def test_every_form_is_written_for_pushing_too(tmp_path: Path, form: str) -> None:
    ended = unhub("iam-policy", "--push", "--repository", "app", "--account", "123456789012", "--format", form, cwd=tmp_path)
    assert ended.status == 0
    assert REPOSITORY in ended.text
    assert ("not tried against AWS" in ended.err) == (form != "json")


def test_a_push_to_everything_is_said(tmp_path: Path) -> None:
    assert "every repository" in unhub("iam-policy", "--push", cwd=tmp_path).err


def test_trust_says_what_to_narrow_and_what_is_new_at_github(tmp_path: Path) -> None:
    ended = unhub("iam-policy", "--trust", "github:octo/app", cwd=tmp_path)
    assert "ACCOUNT_ID" in json.dumps(ended.json)
    assert "--branch NAME narrows it" in ended.err
    assert "github:ORG-OWNERID/REPO-REPOID" in ended.err
    assert "--account" in ended.err
    told = unhub("iam-policy", "--trust", "gitlab@git.example.com:g/p", "--branch", "main", "--account", "123456789012", cwd=tmp_path)
    assert "ACCOUNT_ID" not in told.text + told.err
    assert "aud: https://git.example.com" in told.err


def test_json_of_commands_is_one_object(tmp_path: Path) -> None:
    record = unhub("iam-policy", "--role", "ci", "--trust", "github:o/r", "--format", "json", cwd=tmp_path).json
    assert record["schema"] == 1
    assert record["policy"]["Statement"] == [TOKEN]
    assert record["trust"]["Statement"][0]["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert [line.split()[0] for line in record["commands"]][-2:] == ["aws", "aws"]
    assert "trust" not in unhub("iam-policy", "--user", "bob", "--format", "json", cwd=tmp_path).json


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--role", "a", "--user", "b"], "cannot use --role together with --user"),
        (["--repository", "app"], "without --push"),
        (["--branch", "main"], "without --trust"),
        (["--environment", "prod"], "without --trust"),
        (["--trust", "github:o/r", "--user", "bob"], "cannot use --trust together with --user"),
        (["--trust", "github:o/r", "--codebuild", "web"], "cannot use --trust together with --codebuild"),
        (["--trust", "bitbucket:o/r"], "there is no provider"),
        (["--context", "a=b"], "without --check"),
        (["--check", "x", "--trust", "github:o/r"], "cannot use --check together"),
        (["--check", "x", "--format", "cdk"], "cannot use --check together"),
        (["--check", "x", "--codebuild", "web"], "cannot use --check together"),
        (["--push", "--repository", "App"], "no repository's name"),
        (["--push", "--account", "12"], "12 digits"),
        (["--role", "a b"], "no name of a role"),
    ],
)
def test_what_does_not_fit_together_is_a_mistake_of_the_call(tmp_path: Path, arguments: list[str], said: str) -> None:
    ended = unhub("iam-policy", *arguments, cwd=tmp_path)
    assert (ended.status, ended.text) == (2, "")
    assert said in ended.err


# --check


def test_a_good_policy_is_allowed_by_standard_input(tmp_path: Path) -> None:
    ended = unhub("iam-policy", "--check", "-", cwd=tmp_path, stdin=ARTICLE.encode())
    assert (ended.status, ended.err) == (0, "")
    assert ended.text == (
        "pull: log in to ECR Public, and pull with that login\n"
        "\n"
        "  allowed  ecr-public:GetAuthorizationToken  on *\n"
        "           statement 1 (standard input:4:5)\n"
        "  allowed  sts:GetServiceBearerToken         on *\n"
        "           statement 1 (standard input:4:5)\n"
        "\n"
        "Everything that is needed is allowed.\n"
    )


def test_a_bad_policy_is_told_with_what_mends_it(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_bytes(
        document({**TOKEN, "Resource": REPOSITORY}, {"Sid": "No", "Effect": "Deny", "Action": "sts:*", "Resource": "*"})
    )
    ended = unhub("iam-policy", "--check", "p.json", cwd=tmp_path)
    assert ended.status == 1
    assert "  missing  ecr-public:GetAuthorizationToken  on *\n" in ended.text
    assert f"names it, but on {REPOSITORY}: the action has no resource" in ended.text
    assert '  denied   sts:GetServiceBearerToken         on *\n           statement 2 "No" (p.json:1:' in ended.text
    assert '  fix: Add {"Effect": "Allow", "Action": "ecr-public:GetAuthorizationToken", "Resource": "*"}\n' in ended.text
    assert "scoped-token" in ended.text
    assert ended.text.endswith("Not allowed: 2 of 2 actions.\n")


def test_several_files_count_together_and_one_fix_serves_many_actions(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(document({**TOKEN, "Action": LOGIN[0]}))
    (tmp_path / "b.json").write_bytes(document({**TOKEN, "Action": LOGIN[1]}))
    assert unhub("iam-policy", "--check", "a.json", cwd=tmp_path).status == 1
    assert unhub("iam-policy", "--check", "a.json", "--check", "b.json", cwd=tmp_path).status == 0
    ended = unhub("iam-policy", "--push", "--repository", "app", "--check", "a.json", "--check", "b.json", cwd=tmp_path)
    assert (ended.status, ended.text.count("fix: ")) == (1, 1)
    assert "Not allowed: 5 of 7 actions." in ended.text


def test_the_account_of_a_push_is_taken_from_the_policies(tmp_path: Path) -> None:
    push = {"Effect": "Allow", "Action": "ecr-public:*", "Resource": REPOSITORY}
    (tmp_path / "p.json").write_bytes(document(TOKEN, push))
    arguments = ("iam-policy", "--push", "--check", "p.json")
    assert unhub(*arguments, "--repository", "app", cwd=tmp_path).status == 0
    assert unhub(*arguments, cwd=tmp_path).status == 1
    assert unhub(*arguments, "--repository", "app", "--account", "999999999999", cwd=tmp_path).status == 1
    (tmp_path / "p.json").write_bytes(document(TOKEN, push, {**push, "Resource": REPOSITORY.replace("1234", "9999")}))
    ended = unhub(*arguments, "--repository", "app", cwd=tmp_path)
    assert (ended.status, "Say --account" in ended.err) == (2, True)


def test_what_is_not_known_is_said_and_can_be_told(tmp_path: Path) -> None:
    doubted = {**TOKEN, "Condition": {"StringEquals": {"sts:AWSServiceName": "ecr-public.amazonaws.com"}}}
    (tmp_path / "p.json").write_bytes(document({**TOKEN, "Action": LOGIN[0]}, {**doubted, "Action": LOGIN[1]}))
    ended = unhub("iam-policy", "--check", "p.json", cwd=tmp_path)
    assert ended.status == 1
    assert "  depends  sts:GetServiceBearerToken" in ended.text
    assert "unverified" in ended.text
    assert "Not allowed for certain: 1 of 2 actions." in ended.text
    told = unhub("iam-policy", "--check", "p.json", "--context", "sts:AWSServiceName=ecr-public.amazonaws.com", cwd=tmp_path)
    assert told.status == 0
    assert "  sts:AWSServiceName = ecr-public.amazonaws.com: as --context says\n" in told.text
    missing = unhub("iam-policy", "--check", "p.json", "--context", "sts:AWSServiceName=", cwd=tmp_path)
    assert "(here it is missing)" in missing.text
    assert unhub("iam-policy", "--check", "p.json", "--context", "x", cwd=tmp_path).status == 2


def test_an_attached_policy_that_was_not_given_is_no_certainty(tmp_path: Path) -> None:
    attached = json.dumps({"AttachedPolicies": [{"PolicyName": "mine", "PolicyArn": "arn:aws:iam::123456789012:policy/mine"}]}).encode()
    ended = unhub("iam-policy", "--check", "-", cwd=tmp_path, stdin=ARTICLE.encode() + attached)
    assert (ended.status, "as far as the policies were given" in ended.text) == (0, True)


def test_a_role_of_an_account_is_checked_by_name(tmp_path: Path) -> None:
    role = {"RoleName": "ci", "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": json.loads(ARTICLE)}]}
    details = json.dumps({"RoleDetailList": [role, {"RoleName": "other"}]}).encode()
    ended = unhub("iam-policy", "--check", "-", "--role", "ci", cwd=tmp_path, stdin=details)
    assert (ended.status, ended.text.splitlines()[0]) == (0, "pull for the role ci: log in to ECR Public, and pull with that login")
    assert unhub("iam-policy", "--check", "-", "--role", "other", cwd=tmp_path, stdin=details).status == 1
    assert unhub("iam-policy", "--check", "-", cwd=tmp_path, stdin=details).status == 2


def test_a_check_as_json_is_one_object(tmp_path: Path) -> None:
    policy = document({**TOKEN, "Action": LOGIN[0], "Sid": "A"}, {**TOKEN, "Action": LOGIN[1], "Condition": {"Bool": {"k": "true"}}})
    ended = unhub("iam-policy", "--check", "-", "--format", "json", cwd=tmp_path, stdin=policy)
    record = ended.json
    assert (ended.status, record["schema"], record["use"], record["allowed"]) == (1, 1, "pull", False)
    first, second = record["actions"]
    assert (first["outcome"], first["decided_by"][0]["sid"], first["decided_by"][0]["file"]) == ("allowed", "A", "standard input")
    assert (second["outcome"], second["fix"]) == ("depends", "Say what the request has: --context k=VALUE")
    assert second["statements"][1]["conditions"] == [{"condition": "Bool k true", "holds": None}]
    assert [mistake["code"] for mistake in record["mistakes"]] == []
    scoped = unhub("iam-policy", "--check", "-", "--format", "json", cwd=tmp_path, stdin=document({**TOKEN, "Resource": REPOSITORY})).json
    assert {mistake["code"] for mistake in scoped["mistakes"]} == {"scoped-token"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "cannot read the policy p.json:1:2: it is not JSON"),
        (b"", "cannot read the policy p.json:1:1: it is empty"),
        (document({**TOKEN, "Principal": "*"}), "an identity policy names no Principal"),
        (document({**TOKEN, "Action": "\x1b[31m"}), "is no action"),
    ],
)
def test_what_is_no_policy_is_unreadable_at_its_place(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "p.json").write_bytes(content)
    ended = unhub("iam-policy", "--check", "p.json", cwd=tmp_path)
    assert (ended.status, ended.text) == (3, "")
    assert said in ended.err
    assert "\x1b" not in ended.err


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    ended = unhub("iam-policy", "--check", "nowhere.json", cwd=tmp_path)
    assert (ended.status, ended.err.splitlines()[0]) == (2, "unhub: cannot read the policy nowhere.json: there is no such file")


# The printed commands, run by sh and the real aws against a server that writes down what it is asked


class _Aws(BaseHTTPRequestHandler):
    """IAM, STS and CodeBuild as far as the commands ask them."""

    asked: list[dict[str, str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        target = self.headers.get("X-Amz-Target", "")
        fields = {key: values[0] for key, values in parse_qs(body).items()} if not target else {"Action": target, "body": body}
        self.asked.append(fields)
        if target:
            answer = json.dumps({"projects": [{"serviceRole": "arn:aws:iam::123456789012:role/service-role/codebuild-web"}]})
            return self._answer("application/x-amz-json-1.1", answer)
        action = fields["Action"]
        inner = "<Account>123456789012</Account>" if action == "GetCallerIdentity" else ""
        return self._answer("text/xml", f"<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>")

    def _answer(self, kind: str, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def aws() -> Iterator[tuple[str, list[dict[str, str]]]]:
    asked: list[dict[str, str]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Aws,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(script: str, folder: Path) -> list[dict[str, str]]:
    """Run printed commands; what AWS was asked, in order."""
    tool("aws")
    with aws() as (url, asked):
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        done = subprocess.run(["sh", "-eu", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), script
        return list(asked)


@pytest.mark.parametrize(("option", "action", "key"), [("--role", "PutRolePolicy", "RoleName"), ("--user", "PutUserPolicy", "UserName")])
def test_the_command_for_a_role_or_user_does_what_it_says(tmp_path: Path, option: str, action: str, key: str) -> None:
    ended = unhub("iam-policy", option, "ci+a=b", "--push", "--repository", "app", "--account", "123456789012", cwd=tmp_path)
    (asked,) = run(ended.text, tmp_path)
    assert (asked["Action"], asked[key], asked["PolicyName"]) == (action, "ci+a=b", "unhub-ecr-public-push")
    expected = unhub("iam-policy", "--push", "--repository", "app", "--account", "123456789012", cwd=tmp_path).json
    assert json.loads(asked["PolicyDocument"]) == expected


def test_the_commands_for_a_project_find_its_service_role_first(tmp_path: Path) -> None:
    project, put = run(unhub("iam-policy", "--codebuild", "web", cwd=tmp_path).text, tmp_path)
    assert (project["Action"], json.loads(project["body"])) == ("CodeBuild_20161006.BatchGetProjects", {"names": ["web"]})
    assert (put["Action"], put["RoleName"]) == ("PutRolePolicy", "codebuild-web")
    assert json.loads(put["PolicyDocument"]) == json.loads(ARTICLE)


def test_the_commands_for_a_pipeline_s_role_make_it_and_ask_for_the_account(tmp_path: Path) -> None:
    text = unhub("iam-policy", "--role", "ci", "--trust", "github:o/r", "--environment", "prod", cwd=tmp_path).text
    identity, create, put = run(text, tmp_path)
    assert [one["Action"] for one in (identity, create, put)] == ["GetCallerIdentity", "CreateRole", "PutRolePolicy"]
    trust = json.loads(create["AssumeRolePolicyDocument"])
    told = unhub("iam-policy", "--trust", "github:o/r", "--environment", "prod", "--account", "123456789012", cwd=tmp_path)
    assert trust == told.json
    with_account = unhub("iam-policy", "--role", "ci", "--trust", "github:o/r", "--account", "123456789012", cwd=tmp_path).text
    provider = with_account.splitlines()[0].partition(": ")[2]
    made, *_ = run(f"{provider}\n{with_account}", tmp_path)
    assert (made["Action"], made["Url"]) == ("CreateOpenIDConnectProvider", "https://token.actions.githubusercontent.com")
    assert made["ClientIDList.member.1"] == "sts.amazonaws.com"

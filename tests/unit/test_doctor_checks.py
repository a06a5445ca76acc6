"""The live checks of `unhub doctor`, each on a machine made for it: no network, no user's files."""

from __future__ import annotations

import asyncio
import base64
import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from unhub.aws.login import Password
from unhub.aws.session import Found, Session
from unhub.doctor import checking
from unhub.doctor.checking import Check, all_checks
from unhub.doctor.machine import Certificate, Logins, Machine, NoReply, Ran, Reply
from unhub.doctor.verdict import Status, Verdict
from unhub.image.errors import AwsError, CredentialsError, MissingExtra
from unhub.registry.credentials import DockerConfig
from unhub.registry.exchange import Answer

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
API = "https://api.ecr-public.us-east-1.amazonaws.com/"
ECR = "https://public.ecr.aws"
HUB = "https://registry-1.docker.io"
CDN = "https://d5l0dvt14r5h8.cloudfront.net/"
AUTH = "https://auth.docker.io/token"
FOUND = Found("MPLE", "the environment (AWS_ACCESS_KEY_ID)")
ARN = "arn:aws:sts::123456789012:assumed-role/build/session"


def reply(status: int = 200, body: bytes = b"", at: datetime.datetime = NOW, **headers: str) -> Reply:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(Answer(status, named, body, "host"), at)


DATE = format_datetime(NOW, usegmt=True)
WELL = {
    API: reply(404, Date=DATE),
    f"{ECR}/v2/": reply(401, Date=DATE, WWW_Authenticate="Bearer realm"),
    f"{HUB}/v2/": reply(401, Date=DATE, WWW_Authenticate="Bearer realm"),
    CDN: reply(403),
    AUTH: reply(400),
}
TRUSTED = Certificate("Amazon", NOW + datetime.timedelta(days=100))


@dataclass
class FakeWeb:
    replies: Mapping[str, Reply | NoReply] = field(default_factory=lambda: dict(WELL))
    certificates: Mapping[str, Certificate | NoReply] = field(default_factory=dict)
    proxied: str | None = None
    asked: list[str] = field(default_factory=list)

    async def get(self, url: str) -> Reply | NoReply:
        self.asked.append(url)
        return self.replies.get(url, NoReply("nobody listens there"))

    async def certificate(self, host: str, port: int) -> Certificate | NoReply:
        return self.certificates.get(host, TRUSTED)

    def proxy(self, url: str) -> str | None:
        return self.proxied


@dataclass
class FakeDocker:
    info: Mapping[str, Any] | None = None
    ping: Reply | NoReply | None = field(default_factory=lambda: reply(200, b"OK"))
    host: str = "unix:///var/run/docker.sock"

    async def get(self, path: str) -> Reply | NoReply | None:
        if path == "/_ping":
            return self.ping
        return NoReply("nobody listens there") if self.info is None else reply(200, json.dumps(self.info).encode())


@dataclass
class FakeSession:
    found: Found | None = FOUND
    arn: str | AwsError = ARN
    default: str | None = "us-east-1"

    def credentials(self) -> Found | None:
        return self.found

    def region(self) -> str | None:
        return self.default

    def identity(self) -> str:
        if isinstance(self.arn, AwsError):
            raise self.arn
        return self.arn

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        raise AssertionError("no check of this machine asks for more")


def password() -> Password:
    return Password("AWS", "secret", NOW + datetime.timedelta(hours=12), "us-east-1")


def machine(session: Session | Exception | None = None, programs: Mapping[str, Ran] | None = None, **changes: Any) -> Machine:
    installed = {"aws --version": Ran(0, "aws-cli/2.15.30 Python/3.11 Linux/6\n", ""), "docker --version": Ran(0, "", "")} | dict(
        programs or {}
    )

    async def run(command: Sequence[str], seconds: float) -> Ran | None:
        assert seconds > 0
        return installed.get(" ".join(command))

    async def resolve(host: str) -> tuple[str, ...] | NoReply:
        return ("192.0.2.1",)

    def opened() -> Session:
        if isinstance(session, Exception):
            raise session
        return session or FakeSession()

    whole: dict[str, Any] = {
        "environment": {},
        "clock": lambda: NOW,
        "web": FakeWeb(),
        "docker": FakeDocker(info={"ServerVersion": "27.0.1"}),
        "run": run,
        "resolve": resolve,
        "logins": (),
        "session": opened,
        "password": password,
        "registries": {"public.ecr.aws": ECR, "docker.io": HUB},
        "control_plane": API,
    }
    return Machine(**(whole | changes))


def check(name: str) -> Check:
    return next(one for one in all_checks() if one.name == name)


def verdict(name: str, on: Machine) -> Verdict:
    return asyncio.run(check(name).look(on))


def commands(found: Verdict) -> list[str | None]:
    return [remedy.run for remedy in found.remedies]


def test_every_module_is_a_check_with_a_name_and_a_place_of_its_own() -> None:
    folder = Path(checking.__file__).parent / "checks"
    modules = [path for path in folder.glob("*.py") if not path.name.startswith("_")]
    assert len(modules) == len(all_checks()) == len({one.name for one in all_checks()}) == len({one.order for one in all_checks()})


def test_on_a_machine_where_all_is_well_every_check_says_so() -> None:
    found = asyncio.run(checking.look(machine()))
    assert {one.name: one.verdict.status for one in found} == {one.name: Status.OK for one in all_checks()}


def test_offline_asks_nobody_and_says_why() -> None:
    web = FakeWeb()
    found = asyncio.run(checking.look(machine(web=web, offline=True)))
    assert web.asked == []
    skipped = {one.name for one in found if one.verdict.status is Status.SKIPPED}
    assert skipped == {one.name for one in all_checks() if one.network}
    assert not [one for one in found if one.verdict.status is Status.FAILED]


def test_no_check_takes_longer_than_it_may_and_none_stops_another() -> None:
    class Stuck(FakeWeb):
        async def get(self, url: str) -> Reply | NoReply:
            await asyncio.sleep(60)
            raise AssertionError

    found = {one.name: one.verdict for one in asyncio.run(checking.look(machine(web=Stuck()), seconds=0.2))}
    assert found["registry"].says == "it did not end within 0.2 s"
    assert found["aws-cli"].status is Status.OK


def test_a_machine_without_boto3_skips_what_needs_it() -> None:
    found = {one.name: one.verdict for one in asyncio.run(checking.look(machine(MissingExtra("ask AWS", "aws"))))}
    assert found["credentials"].status is Status.SKIPPED
    assert "pip install 'unhub[aws]'" in found["credentials"].says


# host names, ways, certificates


def test_host_names_that_do_not_resolve_are_named() -> None:
    async def resolve(host: str) -> tuple[str, ...] | NoReply:
        return NoReply("Name or service not known") if "cloudfront" in host else ("192.0.2.1",)

    found = verdict("dns", machine(resolve=resolve))
    assert found.status is Status.FAILED
    assert found.says == "1 of 5 host names do not resolve: d5l0dvt14r5h8.cloudfront.net"
    assert commands(found)[0] == "nslookup d5l0dvt14r5h8.cloudfront.net"


def test_behind_a_proxy_no_name_has_to_resolve() -> None:
    assert verdict("dns", machine(web=FakeWeb(proxied="http://proxy:3128"))).status is Status.SKIPPED
    assert verdict("certificates", machine(web=FakeWeb(proxied="http://proxy:3128"))).status is Status.SKIPPED


@pytest.mark.parametrize(("name", "url"), [("control-plane", API), ("registry", f"{ECR}/v2/"), ("content", CDN)])
def test_a_host_that_does_not_answer_is_a_failure_with_the_command_that_shows_it(name: str, url: str) -> None:
    found = verdict(name, machine(web=FakeWeb({**WELL, url: NoReply("no connection came about within 6 s", "A firewall?")})))
    assert found.status is Status.FAILED
    assert "no connection came about within 6 s" in found.says
    assert commands(found) == [f"curl -sv -o /dev/null {url}"]
    lost = verdict(name, machine(web=FakeWeb({**WELL, url: NoReply("its name cannot be resolved", is_unresolved=True)})))
    assert lost.status is Status.SKIPPED, "the check of names tells that once"


def test_docker_hub_may_be_shut_off_on_purpose() -> None:
    assert verdict("docker-hub", machine(web=FakeWeb({**WELL, AUTH: NoReply("refused")}))).status is Status.WARNING


def test_a_portal_in_between_is_recognised() -> None:
    page = reply(200, Content_Type="text/html")
    assert "somebody else" in verdict("control-plane", machine(web=FakeWeb({**WELL, API: page}))).says
    assert "somebody else" in verdict("registry", machine(web=FakeWeb({**WELL, f"{ECR}/v2/": page}))).says


def test_a_registry_without_a_challenge_is_none() -> None:
    found = verdict("registry", machine(web=FakeWeb({**WELL, f"{ECR}/v2/": reply(403)})))
    assert (found.status, found.says) == (Status.FAILED, "public.ecr.aws does not answer as a registry: 403")


def test_layers_of_a_stand_in_come_from_elsewhere() -> None:
    assert verdict("content", machine(moved=frozenset({"public.ecr.aws"}))).status is Status.SKIPPED


def test_certificates_that_are_not_trusted_or_end_soon() -> None:
    untrusted = FakeWeb(
        certificates={"public.ecr.aws": NoReply("its certificate is not trusted (self-signed certificate in certificate chain)")}
    )
    found = verdict("certificates", machine(web=untrusted))
    assert found.status is Status.FAILED
    assert "public.ecr.aws" in found.says
    assert commands(found)[0] == "openssl s_client -connect public.ecr.aws:443 -servername public.ecr.aws"
    soon = FakeWeb(certificates={"public.ecr.aws": Certificate("Amazon", NOW + datetime.timedelta(days=3))})
    assert verdict("certificates", machine(web=soon)).status is Status.WARNING
    silent = FakeWeb(certificates=dict.fromkeys(["public.ecr.aws", "registry-1.docker.io", API[8:-1], CDN[8:-1]], NoReply("timed out")))
    assert verdict("certificates", machine(web=silent)).status is Status.SKIPPED


@pytest.mark.parametrize(
    ("seconds", "status", "says"),
    [
        (1, Status.OK, "within 1 s"),
        (-90, Status.WARNING, "90 s behind"),
        (600, Status.FAILED, "10 min ahead of"),
        (7300, Status.FAILED, "2 h"),
    ],
)
def test_a_clock_that_is_off(seconds: int, status: Status, says: str) -> None:
    at = NOW + datetime.timedelta(seconds=seconds)
    replies = {url: replace(one, at=at) for url, one in WELL.items()}
    found = verdict("clock", machine(web=FakeWeb(replies)))
    assert found.status is status
    assert says in found.says
    assert status is Status.OK or commands(found)[0] == "sudo timedatectl set-ntp true"


def test_one_stale_answer_does_not_move_the_clock() -> None:
    old = format_datetime(NOW - datetime.timedelta(days=1), usegmt=True)
    assert verdict("clock", machine(web=FakeWeb({**WELL, API: reply(200, Date=old)}))).status is Status.OK
    assert verdict("clock", machine(web=FakeWeb({API: reply(200, Date="yesterday")}))).status is Status.SKIPPED


@pytest.mark.parametrize(
    ("environment", "info", "status", "says"),
    [
        ({}, {}, Status.OK, "no proxy is set"),
        ({"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:1"}, {}, Status.WARNING, "disagree: HTTPS_PROXY"),
        ({"HTTPS_PROXY": "socks5://p:1"}, {}, Status.FAILED, "do not speak"),
        ({"HTTPS_PROXY": "http://p:1"}, {"ServerVersion": "27"}, Status.WARNING, "docker's daemon has none"),
        ({"HTTPS_PROXY": "http://p:1"}, {"HttpsProxy": "http://p:1"}, Status.OK, "a proxy is set"),
        ({}, {"HttpProxy": "http://u:secret@p:1"}, Status.OK, "only docker's daemon has a proxy"),
    ],
)
def test_proxies_of_shell_and_daemon(environment: dict[str, str], info: dict[str, str], status: Status, says: str) -> None:
    found = verdict("proxies", machine(environment=environment, docker=FakeDocker(info=info)))
    assert found.status is status
    assert says in found.says
    assert "secret" not in repr(found)


def test_passwords_of_proxies_are_not_shown() -> None:
    found = verdict("proxies", machine(environment={"https_proxy": "http://me:hunter2@proxy:3128"}, docker=FakeDocker()))
    assert "hunter2" not in repr(found)
    assert "proxy:3128" in found.evidence[0]


# AWS


def test_whose_credentials_they_are_without_showing_them() -> None:
    found = verdict("credentials", machine())
    assert (found.status, found.says) == (Status.OK, ARN)
    assert found.evidence == ("from the environment (AWS_ACCESS_KEY_ID), access key …MPLE",)


def test_no_credentials_are_a_warning_since_pulls_need_none() -> None:
    alone = machine(FakeSession(found=None))
    assert verdict("credentials", alone).status is Status.WARNING
    assert verdict("permissions", alone).status is Status.SKIPPED


def test_credentials_that_aws_refuses_fail_and_those_nobody_could_ask_about_are_skipped() -> None:
    refused = AwsError("cannot ask AWS who we are: the AWS credentials have expired", aws_code="ExpiredToken", hint="Renew them")
    assert verdict("credentials", machine(FakeSession(arn=refused))).status is Status.FAILED
    lost = AwsError("cannot ask AWS who we are: the endpoint cannot be reached")
    assert verdict("credentials", machine(FakeSession(arn=lost))).status is Status.SKIPPED


@pytest.mark.parametrize(
    ("environment", "default", "status", "says"),
    [
        ({}, "us-east-1", Status.OK, "us-east-1 (the profile) has"),
        ({}, "us-west-2", Status.OK, "us-west-2 (the profile) has"),
        ({}, "ap-northeast-1", Status.WARNING, "ap-northeast-1 (the profile) has no ECR Public"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1", Status.WARNING, "eu-west-1 (AWS_REGION)"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, None, Status.OK, "(AWS_DEFAULT_REGION)"),
        ({}, None, Status.WARNING, "no default region"),
    ],
)
def test_the_pitfall_of_the_story_is_seen_before_it_happens(
    environment: dict[str, str], default: str | None, status: Status, says: str
) -> None:
    found = verdict("region", machine(FakeSession(default=default), environment=environment))
    assert found.status is status
    assert says in found.says
    assert status is Status.OK or "--region us-east-1 | docker login" in str(commands(found)[0])


@pytest.mark.parametrize(
    ("ran", "status"),
    [
        (Ran(0, "aws-cli/2.15.30 Python/3.11", ""), Status.OK),
        (Ran(0, "aws-cli/2.1.5 Python/3.7", ""), Status.FAILED),
        (Ran(0, "", "aws-cli/1.18.69 Python/3.8"), Status.FAILED),
        (Ran(0, "aws-cli/1.46.3 Python/3.11", ""), Status.OK),
        (Ran(1, "", "Traceback"), Status.WARNING),
        (None, Status.SKIPPED),
    ],
)
def test_which_aws_cli_knows_ecr_public(ran: Ran | None, status: Status) -> None:
    async def run(command: Sequence[str], seconds: float) -> Ran | None:
        return ran

    assert verdict("aws-cli", machine(run=run)).status is status


def test_a_missing_permission_names_the_command_for_that_very_role() -> None:
    def denied() -> Password:
        raise AwsError(f"cannot get it: AWS said: User: {ARN} is not authorized to perform: x", aws_code="AccessDeniedException")

    found = verdict("permissions", machine(password=denied))
    assert found.status is Status.FAILED
    assert commands(found) == ["unhub iam-policy --role build"]


def test_trying_the_permissions_shows_no_password() -> None:
    assert "secret" not in repr(verdict("permissions", machine()))


# logins and helpers


def config(folder: Path, document: object) -> Logins:
    (folder / "config.json").write_text(json.dumps(document), "utf-8")
    return Logins("docker", DockerConfig.load(folder))


def entry(seconds: int) -> dict[str, str]:
    token = base64.b64encode(json.dumps({"expiration": int(NOW.timestamp()) + seconds}).encode()).decode()
    return {"auth": base64.b64encode(f"AWS:{token}".encode()).decode()}


def test_a_login_that_has_ended_is_to_be_forgotten(tmp_path: Path) -> None:
    found = verdict("stored-logins", machine(logins=(config(tmp_path, {"auths": {"public.ecr.aws": entry(-60)}}),)))
    assert found.status is Status.FAILED
    assert commands(found) == ["docker logout public.ecr.aws"]
    assert "ended 2026-11-23 11:59 UTC" in found.evidence[0]


@pytest.mark.parametrize(
    "document", [{}, {"auths": {"public.ecr.aws": entry(3600)}}, {"auths": {}, "credHelpers": {"public.ecr.aws": "ecr-login"}}]
)
def test_logins_that_hold_or_are_fetched_anew_are_well(tmp_path: Path, document: object) -> None:
    assert verdict("stored-logins", machine(logins=(config(tmp_path, document),))).status is Status.OK


def test_podman_and_helm_have_their_own_ways_to_forget(tmp_path: Path) -> None:
    logins = config(tmp_path, {"auths": {"public.ecr.aws": entry(-60)}})
    assert commands(verdict("stored-logins", machine(logins=(replace(logins, names="helm"),)))) == ["helm registry logout public.ecr.aws"]


def test_a_file_that_cannot_be_read_is_told() -> None:
    broken = Logins("docker", CredentialsError("cannot read ~/.docker/config.json: line 1", hint="Mend the file"))
    found = verdict("stored-logins", machine(logins=(broken,)))
    assert found.status is Status.FAILED
    assert "line 1" in found.evidence[0]


def test_a_file_that_several_programs_read_is_told_once(tmp_path: Path) -> None:
    broken = CredentialsError("cannot read ~/.docker/config.json: line 1", hint="Mend the file")
    found = verdict("stored-logins", machine(logins=(Logins("docker", broken), Logins("podman", broken))))
    assert found.says == "stored logins cannot be read, so pulls fail or go on without a login"
    assert (len(found.evidence), len(found.remedies)) == (1, 1)
    mixed = verdict(
        "stored-logins", machine(logins=(Logins("podman", broken), config(tmp_path, {"auths": {"public.ecr.aws": entry(-60)}})))
    )
    assert mixed.says.startswith("a stored login for ECR Public is of no use")
    assert commands(mixed) == [None, "docker logout public.ecr.aws"]


def test_helpers_are_asked_for_their_list(tmp_path: Path) -> None:
    logins = (config(tmp_path, {"credsStore": "pass", "credHelpers": {"public.ecr.aws": "ecr-login"}}),)
    works = {"docker-credential-pass list": Ran(0, "{}", ""), "docker-credential-ecr-login list": Ran(0, "{}", "")}
    assert verdict("credential-store", machine(logins=logins, programs=works)).status is Status.OK
    missing = verdict("credential-store", machine(logins=logins, programs={"docker-credential-pass list": Ran(0, "{}", "")}))
    assert missing.status is Status.FAILED
    assert "docker-credential-ecr-login, which credHelpers in" in missing.says
    assert "is not installed" in missing.says
    fails = works | {"docker-credential-pass list": Ran(1, "pass not initialized: exit status 1\n", "")}
    assert "pass not initialized" in verdict("credential-store", machine(logins=logins, programs=fails)).says


# docker


def test_a_daemon_that_does_not_answer(tmp_path: Path) -> None:
    away = FakeDocker(ping=NoReply("there is no such socket"))
    found = verdict("docker-daemon", machine(docker=away))
    assert (found.status, commands(found)) == (Status.FAILED, ["sudo systemctl start docker"])
    refused = verdict("docker-daemon", machine(docker=FakeDocker(ping=NoReply("permission denied for this user"))))
    assert commands(refused) == ["sudo usermod -aG docker $USER"]
    in_codebuild = verdict("docker-daemon", machine(docker=away, environment={"CODEBUILD_BUILD_ID": "x"}))
    assert commands(in_codebuild) == ["unhub doctor --codebuild PROJECT"]
    assert verdict("docker-daemon", machine(docker=FakeDocker(ping=None, host="ssh://builder"))).status is Status.SKIPPED
    assert verdict("docker-daemon", machine(docker=FakeDocker(ping=reply(500)))).status is Status.FAILED


def test_without_docker_there_is_nothing_to_look_at() -> None:
    async def run(command: Sequence[str], seconds: float) -> Ran | None:
        return None

    away = machine(docker=FakeDocker(ping=NoReply("there is no such socket")), run=run)
    assert verdict("docker-daemon", away).status is Status.SKIPPED
    assert verdict("docker-mirrors", away).status is Status.SKIPPED


@pytest.mark.parametrize(
    ("mirrors", "status", "says"),
    [
        ([], Status.OK, "no mirror"),
        (["https://mirror.gcr.io/"], Status.OK, "answer: https://mirror.gcr.io/"),
        (["https://away.example/"], Status.WARNING, "https://away.example/ does not answer"),
        (["https://public.ecr.aws/"], Status.WARNING, "so it never helps"),
        (["not a url"], Status.WARNING, "does not answer"),
    ],
)
def test_mirrors_of_the_daemon(mirrors: list[str], status: Status, says: str) -> None:
    docker = FakeDocker(info={"RegistryConfig": {"Mirrors": mirrors}})
    web = FakeWeb({"https://mirror.gcr.io/v2/": reply(200)})
    found = verdict("docker-mirrors", machine(docker=docker, web=web))
    assert found.status is status
    assert says in found.says

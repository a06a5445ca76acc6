"""The article's own names and lines, with real docker: public.ecr.aws on this machine, its login, its helper, its pitfalls."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.clients.machine import Machine, machine
from tests.hub import aws_endpoint, busybox, ecr_public
from tests.tools import ROOT, tool
from unhub.demo.handles import Api, Hub

NAME = "public.ecr.aws"
ADDRESS = "127.43.0.1"
"""Port 443 of an address of its own, so that nothing else of this machine is in the way."""

IMAGE = f"{NAME}/docker/library/node:21.7.0-alpine3.19"
LOGIN_LINE = f"aws ecr-public get-login-password --region us-west-2 | docker login --username AWS --password-stdin {NAME}"


@dataclass(frozen=True)
class Place:
    """A machine on which public.ecr.aws is a stand-in, over TLS on port 443."""

    machine: Machine
    gallery: Hub
    aws: Api

    @property
    def environment(self) -> dict[str, str]:
        """What the aws CLI, boto3 and our helper need, and where they are."""
        return {
            **{"AWS_ENDPOINT_URL_ECR_PUBLIC": self.aws.url, "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"},
            **{"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "of-the-test"},
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin",
        }

    def shell(self, line: str, **environment: str) -> tuple[int, str]:
        """A line as the article has it, with Debian's docker and this machine's daemon."""
        self.machine.start_daemon()
        ended = self.machine.shell(line, **{**self.environment, "DOCKER_HOST": self.machine.docker_host, **environment})
        return ended.status, ended.text

    def docker(self, *arguments: str) -> tuple[int, str]:
        """A call of docker."""
        ended = self.machine.docker(*arguments, **self.environment)
        return ended.status, ended.text

    def configure(self, settings: dict[str, object]) -> None:
        """Docker's own settings file."""
        folder = self.machine.home / ".docker"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(settings), "utf-8")

    def pull(self) -> tuple[int, str]:
        """A pull that does not find the image here already."""
        self.docker("rmi", "-f", IMAGE)
        return self.docker("pull", IMAGE)


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    authority = trustme.CA()
    certificate = authority.issue_cert(NAME, ADDRESS)
    chain, key = folder / "certificate.pem", folder / "key.pem"
    chain.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(key))
    settings = {"host": ADDRESS, "port": 443, "cdn_host": ADDRESS, "certificate": chain, "key": key, "busybox": busybox()}
    with ecr_public(realm=f"https://{NAME}/token/", **settings) as gallery, aws_endpoint() as aws:
        addresses = {NAME: ADDRESS}
        with machine(addresses=addresses, trust={NAME: authority.cert_pem.bytes()}, authorities=authority.cert_pem.bytes()) as own:
            yield Place(own, gallery, aws)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    tool("/usr/sbin/dockerd")
    with place(tmp_path_factory.mktemp("article")) as made:
        yield made


@pytest.fixture(autouse=True)
def afresh(here: Place) -> None:
    here.configure({})
    here.aws.set(denied=())
    here.gallery.forget()


def logged_in(here: Place) -> bool:
    """Whether the gallery knew the account behind every manifest that it served; it serves strangers, too."""
    callers = {record.caller for record in here.gallery.asked(kind="manifest", status=200)}
    assert callers, "nothing was pulled"
    return not any(caller.startswith("anonymous") for caller in callers)


def test_the_login_line_and_a_pull_with_it(here: Place) -> None:
    status, said = here.shell(LOGIN_LINE)
    assert (status, "Login Succeeded" in said) == (0, True), said
    status, said = here.pull()
    assert status == 0, said
    assert logged_in(here)


def test_the_pitfall_in_both_lines_and_its_explanation(here: Place) -> None:
    line = LOGIN_LINE.replace(" --region us-west-2", "")
    status, said = here.shell(line, AWS_ENDPOINT_URL_ECR_PUBLIC="", AWS_DEFAULT_REGION="ap-northeast-1")
    assert status == 1
    assert 'Could not connect to the endpoint URL: "https://api.ecr-public.ap-northeast-1.amazonaws.com/"' in said
    assert "annot perform an interactive login from a non TTY device" in said
    log = here.machine.folder / "build.log"
    log.write_text(said, "utf-8")
    explained = here.machine.shell(f"unhub doctor --log {log}", **here.environment)
    assert explained.status == 1
    assert "1 cause" in explained.text
    assert "--region us-east-1" in explained.text


def test_the_credential_helper_needs_no_login_step(here: Place) -> None:
    here.configure({"credHelpers": {NAME: "unhub"}})
    status, said = here.pull()
    assert status == 0, said
    assert logged_in(here)
    (here.machine.folder / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo built\n", "utf-8")
    status, said = here.shell("docker build --network=host -q .", DOCKER_BUILDKIT="1")
    assert status == 0, said


def test_where_aws_refuses_the_helper_says_why_and_docker_pulls_without_a_login(here: Place) -> None:
    here.configure({"credHelpers": {NAME: "unhub"}})
    shutil.rmtree(here.machine.home / ".cache", ignore_errors=True)
    here.aws.set(denied=("ecr-public:GetAuthorizationToken",))
    status, said = here.pull()
    assert status == 0, said
    assert not logged_in(here)
    asked = here.machine.run(["docker-credential-unhub", "get"], stdin=NAME, **here.environment)
    assert asked.status == 1
    assert asked.out.strip() == "credentials not found in native keychain"
    assert "ecr-public:GetAuthorizationToken" in asked.err


def test_unhub_login_is_all_that_docker_needs(here: Place) -> None:
    ended = here.machine.run(["unhub", "login", "--tool", "docker"], **{**here.environment, "AWS_DEFAULT_REGION": "ap-northeast-1"})
    assert ended.status == 0, ended.text
    status, said = here.pull()
    assert status == 0, said
    assert logged_in(here)


def test_a_migrated_project_builds_from_the_gallery(here: Place, tmp_path: Path) -> None:
    """The base images of the example project, by their new names, in a real build with BuildKit; its result runs."""
    web = here.machine.folder / "web"
    shutil.rmtree(web, ignore_errors=True)
    shutil.copytree(ROOT / "examples" / "codebuild" / "web", web)
    run = here.machine.shell("unhub migrate --write --no-verify web", **here.environment)
    assert run.status == 0, run.text
    status, said = here.shell("docker build --network=host -t shop/web web", DOCKER_BUILDKIT="1")
    assert status == 0, said
    assert "public.ecr.aws/docker/library/node:21.7.0-alpine3.19" in said

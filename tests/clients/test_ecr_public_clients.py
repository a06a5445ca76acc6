"""docker, BuildKit, podman and skopeo at a mirror in mode ecr-public: logins by the aws CLI, pulls, pushes, and what people are told."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.machine import Ended, Machine, machine
from tests.command_line import unhub
from tests.gallery import ACCOUNT, ALIAS, EVERYTHING, Gallery, running_gallery
from tests.hub import docker_hub
from tests.mirror import wait_until
from tests.tools import tool
from unhub.data.iam import iam_knowledge
from unhub.demo.handles import Hub

OFFICIAL = "docker/library/alpine:3.19"
CLIENTS = ("docker", "podman", "skopeo")
READ_ONLY = "AmazonElasticContainerRegistryPublicReadOnly"


@dataclass
class Place:
    """A mirror, and a machine with the clients; each user has credentials of their own there."""

    gallery: Gallery
    hub: Hub
    machine: Machine

    @property
    def address(self) -> str:
        return self.gallery.mirror.address

    def run(self, who: str, client: str, *arguments: str | Path, stdin: str = "", **environment: str) -> Ended:
        """Run a client with what ``who`` has logged in to; nobody has logged in as ``nobody``."""
        folder = self.machine.home / who
        if not folder.exists():
            folder.mkdir()
            (folder / "auth.json").write_text("{}")  # podman wants one that is there
        own: dict[str, Any] = {"DOCKER_CONFIG": str(folder), "REGISTRY_AUTH_FILE": str(folder / "auth.json"), **environment}
        if client == "docker":
            return self.machine.docker(*arguments, stdin=stdin, **own)
        store: list[str | Path] = []
        if client == "podman":
            store = ["--root", self.machine.folder / "pod", "--runroot", self.machine.folder / "run", "--storage-driver=vfs"]
            own["DOCKER_CONFIG"] = ""
        return self.machine.run([tool(client), *store, *arguments], stdin=stdin, **own)

    def password(self, who: str) -> str:
        """What the aws CLI prints."""
        command = [tool("aws"), "ecr-public", "get-login-password", "--region", "us-east-1"]
        asks: dict[str, Any] = {name: value for name, value in self.gallery.environment(who).items() if name.startswith("AWS_")}
        done = self.machine.run(command, **asks)
        assert done.status == 0, done.text
        return done.out

    def login(self, who: str, client: str, password: str | None = None, user: str = "AWS") -> Ended:
        plain = [] if client == "docker" else ["--tls-verify=false"]
        said = self.password(who) if password is None else password
        return self.run(who, client, "login", *plain, "--username", user, "--password-stdin", self.address, stdin=said)

    def pull(self, who: str, client: str, name: str) -> Ended:
        """Pull what the client does not have."""
        full = f"{self.address}/{name}"
        if client == "skopeo":
            return self.run(who, client, "inspect", "--tls-verify=false", "--no-tags", f"docker://{full}")
        self.run(who, client, "rmi", "-f", full)
        plain = [] if client == "docker" else ["--tls-verify=false"]
        return self.run(who, client, "pull", "-q", *plain, full)

    def push(self, who: str, client: str, name: str) -> Ended:
        """Push the official image under another name."""
        source, target = f"{self.address}/{OFFICIAL}", f"{self.address}/{name}"
        if client == "skopeo":
            plain = ("--src-tls-verify=false", "--dest-tls-verify=false", "--all", "--preserve-digests")
            return self.run(who, client, "copy", "-q", *plain, f"docker://{source}", f"docker://{target}")
        pulled = self.pull(who, client, OFFICIAL)
        assert pulled.status == 0, pulled.text
        tagged = self.run(who, client, "tag", source, target)
        assert tagged.status == 0, tagged.text
        return self.run(who, client, "push", *([] if client == "docker" else ["-q", "--tls-verify=false"]), target)

    def digest(self, name: str) -> str:
        """What the registry has under a tag."""
        seen = self.pull("nobody", "skopeo", name)
        assert seen.status == 0, seen.text
        return str(json.loads(seen.out)["Digest"])


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("gallery")
    actions = next(row.actions for row in iam_knowledge().managed if row.name == READ_ONLY)
    users = {"owner": EVERYTHING, "reader": ({"Effect": "Allow", "Action": list(actions), "Resource": "*"},), "leaver": EVERYTHING}
    with docker_hub() as hub, machine() as own, running_gallery(folder, hub, users=users, listen="127.0.0.1:0") as gallery:
        place = Place(gallery, hub, own)
        try:
            yield place
        finally:
            own.stop_daemon()


def create(here: Place, name: str) -> str:
    """A repository of the account, as references have it."""
    here.gallery.client("owner").create_repository(repositoryName=name)
    return f"{ALIAS}/{name}"


@pytest.mark.parametrize("client", CLIENTS)
def test_strangers_pull(here: Place, client: str) -> None:
    pulled = here.pull("nobody", client, OFFICIAL)
    assert pulled.status == 0, pulled.text


@pytest.mark.parametrize("client", CLIENTS)
def test_a_login_with_the_aws_clis_password(here: Place, client: str) -> None:
    done = here.login("owner", client)
    assert done.status == 0, done.text
    assert "Login Succeeded" in done.out
    assert here.pull("owner", client, OFFICIAL).status == 0


@pytest.mark.parametrize("pusher", CLIENTS)
def test_what_one_pushes_the_others_pull(here: Place, pusher: str) -> None:
    name = f"{create(here, f'by/{pusher}')}:1"
    assert here.login("owner", pusher).status == 0
    pushed = here.push("owner", pusher, name)
    assert pushed.status == 0, pushed.text
    for client in CLIENTS:
        pulled = here.pull("nobody", client, name)
        assert pulled.status == 0, f"{client}: {pulled.text}"
    (listed,) = here.gallery.client("owner").describe_image_tags(repositoryName=f"by/{pusher}")["imageTagDetails"]
    assert (listed["imageTag"], listed["imageDetail"]["imageDigest"]) == ("1", here.digest(name))


def test_a_copy_keeps_every_platform_and_its_digest(here: Place) -> None:
    name = f"{create(here, 'copied')}:1"
    assert here.login("owner", "skopeo").status == 0
    copied = here.push("owner", "skopeo", name)
    assert copied.status == 0, copied.text
    inspect = ("inspect", "--tls-verify=false", "--raw")
    raw = [here.run("nobody", "skopeo", *inspect, f"docker://{here.address}/{one}").out for one in (OFFICIAL, name)]
    assert raw[0] == raw[1]
    assert len(json.loads(raw[0])["manifests"]) >= 2


@pytest.mark.parametrize("buildkit", [True, False])
def test_a_build_takes_official_and_own_bases(here: Place, *, buildkit: bool) -> None:
    own = f"{create(here, f'base/{buildkit}'.lower())}:1"
    assert here.login("owner", "docker").status == 0
    pushed = here.push("owner", "docker", own)
    assert pushed.status == 0, pushed.text
    text = f"FROM {here.address}/{OFFICIAL} AS one\nFROM {here.address}/{own}\nCOPY --from=one /etc /two\n"
    arguments = ("build", "--no-cache", "--pull", "--network=host", "-")
    for who in ("owner", "nobody"):
        built = here.run(who, "docker", *arguments, stdin=text, DOCKER_BUILDKIT="1" if buildkit else "0")
        assert built.status == 0, f"{who}: {built.text}"


@pytest.mark.parametrize("client", CLIENTS)
def test_who_may_not_push_is_told_who_and_what(here: Place, client: str) -> None:
    name = f"{create(here, f'closed/{client}')}:1"
    assert here.login("reader", client).status == 0
    refused = here.push("reader", client, name)
    assert refused.status != 0
    assert f"User: arn:aws:iam::{ACCOUNT}:user/reader is not authorized to perform: ecr-public:InitiateLayerUpload" in refused.text
    assert f"arn:aws:ecr-public::{ACCOUNT}:repository/closed/{client}" in refused.text
    assert here.pull("nobody", "skopeo", name).status != 0


@pytest.mark.parametrize("client", CLIENTS)
def test_a_push_makes_no_repository(here: Place, client: str) -> None:
    assert here.login("owner", client).status == 0
    refused = here.push("owner", client, f"{ALIAS}/never/{client}:1")
    assert refused.status != 0
    assert f"The repository with name 'never/{client}' does not exist in the registry with id '{ALIAS}'" in refused.text


@pytest.mark.parametrize("client", CLIENTS)
def test_strangers_push_nothing(here: Place, client: str) -> None:
    name = f"{create(here, f'strangers/{client}')}:1"
    refused = here.push("nobody", client, name)
    assert refused.status != 0
    assert "denied" in refused.text.lower() or "Not Authorized" in refused.text
    assert here.pull("nobody", "skopeo", name).status != 0


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_not_there_is_named(here: Place, client: str) -> None:
    missing = here.pull("nobody", client, "docker/library/alpine:none")
    assert missing.status != 0
    assert "not found" in missing.text or "manifest unknown" in missing.text
    short = here.pull("nobody", client, "docker/alpine:3.19")
    assert short.status != 0
    assert "docker/library/alpine" in short.text


@pytest.mark.parametrize("client", CLIENTS)
def test_a_password_that_is_none_is_no_login(here: Place, client: str) -> None:
    right = here.password("reader")
    for user, password in (("AWS", base64.b64encode(b"{}").decode()), ("somebody", right)):
        refused = here.login("reader", client, password, user)
        assert refused.status != 0
        assert "Login Succeeded" not in refused.text
        assert right.strip() not in refused.text


def test_a_password_that_was_revoked_logs_nobody_in(here: Place, tmp_path: Path) -> None:
    password = here.password("leaver")
    assert here.login("leaver", "docker", password).status == 0
    environment = {"UNHUB_TOKEN": here.gallery.mirror.token}
    key = here.gallery.key("leaver").id
    gone = unhub("admin", "key", "delete", key, "--server", here.gallery.mirror.url, cwd=tmp_path, env=environment)
    assert gone.status == 0, gone.text
    wait_until(lambda: here.login("leaver", "docker", password).status != 0, 2, "the password still counts")
    refused = here.login("leaver", "docker", password)
    assert "Your Authorization Token is invalid." in refused.text

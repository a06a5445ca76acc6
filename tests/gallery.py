"""A mirror in mode ecr-public for tests, with users whose keys and policies are known, and clients that sign as they do.

::

    with running_gallery(tmp_path, users={"owner": EVERYTHING, "stranger": ()}) as gallery:
        ecr = gallery.client("owner")
        ecr.create_repository(repositoryName="team/app")
        said = gallery.ask("owner", "DescribeRepositories", {})     # signed by hand, so that anything can be sent
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from tests.hub import Said, ask
from tests.mirror import Mirror, running_mirror
from unhub.demo.handles import Hub

ACCOUNT, OTHER = "123456789012", "210987654321"
ALIAS, OTHER_ALIAS = "acme", "rival"
TARGET = "SpencerFrontendService."
REGION = "us-east-1"

Statement = Mapping[str, Any]
EVERYTHING: Sequence[Statement] = ({"Effect": "Allow", "Action": ["ecr-public:*", "sts:GetServiceBearerToken"], "Resource": "*"},)
"""What a user needs who may do everything."""


@dataclass(frozen=True)
class Key:
    """An access key; ``token`` is the session token of a temporary one."""

    id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.id, self.secret, self.token)


@dataclass
class Gallery:
    """A mirror in mode ecr-public that runs. Users are named as in ``users``, those of the other account with ``other/`` before."""

    mirror: Mirror
    keys: Mapping[str, Key]
    clients: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the API is, on a port of its own."""
        return self.mirror.api_url

    def key(self, who: str | Key) -> Key:
        return self.keys[who] if isinstance(who, str) else who

    def client(self, who: str | Key, service: str = "ecr-public", region: str = REGION, *, attempts: int = 1, **settings: Any) -> Any:
        """A boto3 client."""
        key = self.key(who)
        client: Any = boto3.client(  # pyright: ignore[reportUnknownMemberType]
            service,
            region_name=region,
            endpoint_url=settings.pop("url", self.url),
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            aws_session_token=key.token,
            config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, **settings),
        )
        self.clients.append(client)
        return client

    def environment(self, who: str | Key) -> dict[str, str]:
        """What the aws CLI needs to ask this API as somebody."""
        key = self.key(who)
        token = {"AWS_SESSION_TOKEN": key.token} if key.token else {}
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": key.id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            **token,
        }

    def signed(
        self, who: str | Key, operation: str, body: bytes = b"{}", *, region: str = REGION, service: str = "ecr-public", **headers: str
    ) -> dict[str, str]:
        """The headers of a request for an operation, signed by botocore's own signer."""
        host = self.url.partition("://")[2]
        given = {"Host": host, "X-Amz-Target": TARGET + operation, "Content-Type": "application/x-amz-json-1.1"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = AWSRequest("POST", f"{self.url}/", headers=given, data=body)
        SigV4Auth(self.key(who).credentials, service, region).add_auth(request)
        return dict(request.headers.items())

    def presigned(self, who: str | Key, url: str, *, service: str = "ecr-public", region: str = REGION, expires: int = 60) -> str:
        """A URL for a GET that is signed in its query."""
        request = AWSRequest("GET", url)
        SigV4QueryAuth(self.key(who).credentials, service, region, expires=expires).add_auth(request)
        return str(request.url)

    def ask(self, who: str | Key, operation: str, given: Any, **options: Any) -> Said:
        """One operation, with whatever JSON: no SDK stands before it."""
        body = given if isinstance(given, bytes) else json.dumps(given).encode()
        return ask(f"{self.url}/", "POST", body=body, **self.signed(who, operation, body, **options))


@contextlib.contextmanager
def running_gallery(
    folder: Path,
    upstream: Hub | str | None = None,
    *fallbacks: Hub | str,
    users: Mapping[str, Sequence[Statement]],
    settings: str = "",
    arguments: Sequence[str | Path] = (),
    **more: Any,
) -> Generator[Gallery]:
    """``unhub serve --mode ecr-public`` with ``users`` by name and the statements of their policy; ``settings`` are lines of TOML.

    Users of another account are named ``other/NAME``. ``more`` goes to :func:`running_mirror`.
    """
    keys = {name: Key(f"AKIAUNHUBTEST{number:08d}", f"secret-of-{name.replace('/', '-'):->30}") for number, name in enumerate(users)}
    config = write_settings(folder, users, keys, settings)
    offline = [] if upstream else ["--offline"]
    own = ["--mode", "ecr-public", "--api-listen", "127.0.0.1:0", "--config", config, *offline]
    with running_mirror(folder, upstream, *fallbacks, arguments=[*own, *arguments], **more) as mirror:
        gallery = Gallery(mirror, keys)
        try:
            yield gallery
        finally:
            for client in gallery.clients:
                client.close()


def write_settings(folder: Path, users: Mapping[str, Sequence[Statement]], keys: Mapping[str, Key], more: str = "") -> Path:
    """The settings file with both accounts and their users; its place."""
    lines = [more, f'[account.{ACCOUNT}]\naliases = ["{ALIAS}"]', f'[account.{OTHER}]\naliases = ["{OTHER_ALIAS}"]']
    for name, statements in users.items():
        account, short = (OTHER, name.removeprefix("other/")) if name.startswith("other/") else (ACCOUNT, name)
        file = name.replace("/", "-")
        policy, secret = folder / f"{file}.json", folder / f"{file}.secret"
        secret.touch(0o600)
        secret.write_text(keys[name].secret + "\n")
        lines.append(f'[account.{account}.user.{short}]\naccess-key = "{keys[name].id}"\nsecret-file = "{secret}"')
        if statements:
            policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
            lines.append(f'policies = ["{policy}"]')
    path = folder / "unhub.toml"
    path.write_text("\n".join(lines))
    return path

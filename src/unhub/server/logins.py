"""Logins for upstreams: from a file, the environment or AWS Secrets Manager; one an upstream."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import msgspec

from unhub.config.settings import Upstream
from unhub.image.errors import AwsError, MissingExtra, UsageError
from unhub.registry.credential import Credential


class _Secrets(Protocol):
    def get_secret_value(self, *, SecretId: str) -> dict[str, object]: ...


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and what goes with it, for the registry at which it was set up and for no other."""

    username: str
    password: str = field(repr=False)
    source: str

    def find(self, registry: str) -> Credential | None:
        """See :class:`unhub.registry.credential.Credentials`; a client with this login asks one registry only."""
        del registry
        return Credential(self.username, self.password, self.source)


class Logins:
    """Finds the login that a table ``[upstream.NAME]`` speaks of."""

    def __init__(self, folder: Path, environment: Mapping[str, str], read: Callable[[Path, str], str]) -> None:
        """``folder`` is what the file's paths are relative to; ``read`` gives the one line of a file."""
        self._folder = folder
        self._environment = environment
        self._read = read

    def of(self, alias: str, table: Upstream) -> Login | None:
        """The login, ``None`` where none is set up. Raises :class:`UsageError` for one that is not whole."""
        variable = f"UNHUB_UPSTREAM_{alias.upper().replace('-', '_').replace('.', '_')}"
        password = self._environment.get(f"{variable}_PASSWORD")
        username = self._environment.get(f"{variable}_USERNAME") or table.username
        said = [name for name, value in (("password-file", table.password_file), ("secret", table.secret)) if value]
        if len(said) > 1:
            raise UsageError(f"cannot choose a password for [upstream.{alias}]: it has both password-file and secret")
        if password:
            return Login(self._named(alias, username), password, f"{variable}_PASSWORD")
        if table.password_file:
            text = self._read(self._folder / table.password_file, f"the password of [upstream.{alias}]")
            return Login(self._named(alias, username), text, f"password-file of [upstream.{alias}]")
        if table.secret:
            return _from_secret(table.secret, username)
        if username:
            raise UsageError(
                f"cannot log in to [upstream.{alias}] as {username!r}: there is no password",
                hint=f"Set password-file, secret, or the environment variable {variable}_PASSWORD",
            )
        return None

    def more(self, alias: str, table: Upstream) -> tuple[Login, ...]:
        """The other logins of a table. Raises :class:`UsageError` where several are not allowed, or one is not whole."""
        if table.login and not table.several_logins:
            raise UsageError(
                f"cannot use more than one login for [upstream.{alias}] unless several-logins = true",
                hint="Read the registry's terms first: Docker's forbid going around its limits (docker.com/legal)",
            )
        found: list[Login] = []
        for row in table.login:
            one = msgspec.structs.replace(table, username=row.username, password_file=row.password_file, secret=row.secret)
            login = Logins(self._folder, {}, self._read).of(alias, one)
            if login is None:
                raise UsageError(f"cannot use a login of [upstream.{alias}]: it has no username")
            found.append(login)
        return tuple(found)

    def _named(self, alias: str, username: str | None) -> str:
        if not username:
            raise UsageError(f"cannot log in to [upstream.{alias}]: there is a password and no username", hint="Set username")
        return username


def _from_secret(name: str, username: str | None) -> Login:
    """The login in a secret: a bare password, or JSON with ``username`` and ``password`` (or ``accessToken``).

    The second form is the one that ECR's pull-through cache rules want ("Storing your upstream repository credentials", AWS docs).
    """
    try:
        import boto3  # pyright: ignore[reportMissingTypeStubs]
        from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise MissingExtra("read a login from Secrets Manager", "aws") from None
    try:
        client = cast(_Secrets, boto3.client("secretsmanager"))  # pyright: ignore[reportUnknownMemberType]
        answer = client.get_secret_value(SecretId=name)
    except (BotoCoreError, ClientError, ValueError) as error:
        raise AwsError(
            f"cannot read the secret {name!r}: {type(error).__name__}", hint="Is secretsmanager:GetSecretValue allowed?"
        ) from None
    text = answer.get("SecretString")
    if not isinstance(text, str) or not text:
        raise UsageError(f"cannot use the secret {name!r}: it is no text")
    try:
        fields: object = json.loads(text)
    except ValueError:
        fields = None
    if isinstance(fields, dict):
        table = cast("dict[str, object]", fields)
        password, said = table.get("password") or table.get("accessToken"), table.get("username") or username
        if isinstance(password, str) and isinstance(said, str):
            return Login(said, password, f"the secret {name}")
        raise UsageError(f"cannot use the secret {name!r}: it has no username and password")
    if not username:
        raise UsageError(f"cannot use the secret {name!r}: it is a password, and there is no username", hint="Set username")
    return Login(username, text, f"the secret {name}")

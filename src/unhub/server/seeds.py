"""The identities that the settings name, with their policies and secrets read: ``[account.ID]``."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from unhub.aws.arns import ACCOUNT
from unhub.aws.json_places import parse
from unhub.aws.managed_policies import managed_policy
from unhub.aws.policy_document import Kind, policy_of
from unhub.config.accounts import Account, Role, User
from unhub.image.errors import ConfigurationError, UnhubError, UsageError
from unhub.mirror.seeding import AccountSeed, Seed
from unhub.store.records_identity import IdentityKind

Key = tuple[str | int, ...]
Where = Callable[[Key], str]

POLICY_BYTES: Final = 64 * 1024
SECRET_BYTES: Final = 1024
"""What is read of a file; more is refused."""


class Seeds:
    """Reads what the tables speak of. ``folder`` is what the file's paths are relative to."""

    def __init__(self, folder: Path, environment: Mapping[str, str], where: Where) -> None:
        self._folder = folder
        self._environment = environment
        self._where = where

    def of(self, tables: Mapping[str, Account]) -> tuple[AccountSeed, ...]:
        """The seeds in the order of the file. Raises :class:`ConfigurationError`, which names the place."""
        return tuple(self._account(account, table) for account, table in tables.items())

    def _account(self, account: str, table: Account) -> AccountSeed:
        key: Key = ("account", account)
        if not ACCOUNT.fullmatch(account):
            raise ConfigurationError(f"{self._where(key)}: cannot use the account {account!r}: an account has 12 digits")
        users = [self._identity((*key, "user", name), IdentityKind.USER, row) for name, row in table.user.items()]
        roles = [self._identity((*key, "role", name), IdentityKind.ROLE, row) for name, row in table.role.items()]
        return AccountSeed(
            id=account,
            aliases=table.aliases,
            verified=table.verified,
            identities=(*users, *roles),
            place=self._where(key),
        )

    def _identity(self, key: Key, kind: IdentityKind, table: User | Role) -> Seed:
        policies: dict[str, str] = {}
        for number, file in enumerate(table.policies):
            self._add(policies, (*key, "policies", number), lambda file=file: self._policy(file))
        for number, name in enumerate(table.managed):
            self._add(policies, (*key, "managed", number), lambda name=name: managed_policy(name))
        user = table if isinstance(table, User) else User()
        secret = self._secret(key, user)
        return Seed(kind=kind, name=str(key[-1]), policies=policies, access_key=user.access_key, secret=secret, place=self._where(key))

    def _add(self, policies: dict[str, str], key: Key, read: Callable[[], tuple[str, str]]) -> None:
        with self._told(key):
            name, document = read()
            if name in policies:
                raise UsageError(f"cannot use two policies of the name {name!r}: the second one would take the first one's place")
            policies[name] = document

    def _policy(self, file: str) -> tuple[str, str]:
        """The name and the text of a policy file; it is checked as IAM would."""
        path = self._folder / file
        text = _text(path, POLICY_BYTES, "the policy")
        values = parse(text.encode(), str(path))
        if len(values) != 1:
            raise UsageError(f"cannot use {path}: it must hold one policy document")
        policy_of(values[0], Kind.IDENTITY, str(path))
        return path.stem, text

    def _secret(self, key: Key, user: User) -> str | None:
        """The secret of an access key, ``None`` where there is no key."""
        said = [name for name, value in (("secret-file", user.secret_file), ("secret-variable", user.secret_variable)) if value]
        if user.access_key is None:
            if said:
                raise ConfigurationError(f"{self._where((*key, said[0]))}: cannot use a secret without the access-key that it belongs to")
            return None
        with self._told((*key, "access-key")):
            if len(said) != 1:
                fault = "it has both secret-file and secret-variable" if said else "it has no secret"
                hint = 'Name one: secret-file = "FILE" (mode 0600), or secret-variable = "VARIABLE" of the environment'
                raise UsageError(f"cannot use the access key {user.access_key}: {fault}", hint=hint)
        with self._told((*key, said[0])):
            return _private_line(self._folder / user.secret_file) if user.secret_file else self._variable(user.secret_variable or "")

    def _variable(self, name: str) -> str:
        value = self._environment.get(name)
        if not value:
            raise UsageError(f"cannot find the secret: the environment has no {name}")
        return value

    @contextmanager
    def _told(self, key: Key) -> Generator[None]:
        """What goes wrong, with its place."""
        try:
            yield
        except UnhubError as error:
            raise ConfigurationError(f"{self._where(key)}: {error.message}", hint=error.hint) from None


def _private_line(path: Path) -> str:
    """The one line of a file that nobody else may read."""
    text = _text(path, SECRET_BYTES, "the secret", private=True).removesuffix("\n").removesuffix("\r")
    if not text or "\n" in text:
        raise UsageError(f"cannot read the secret from {path}: it is not one line")
    return text


def _text(path: Path, most: int, what: str, *, private: bool = False) -> str:
    try:
        with path.open("rb") as file:
            if private and os.fstat(file.fileno()).st_mode & 0o077:
                raise UsageError(f"cannot read {what} from {path}: others may read it", hint=f"chmod 600 {path}")
            data = file.read(most + 1)
        if len(data) > most:
            raise UsageError(f"cannot read {what} from {path}: it has more than {most} bytes")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {what} from {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {what} from {path}: it is not UTF-8") from None

"""``docker-credential-unhub``: docker's credential helper for ECR Public, so that no login step is needed.

Docker's protocol (ecr-public.md, section 8; docker/docker-credential-helpers): one verb as argument,
the message on standard input, answers and errors on standard output, exit status 1 for an error.

* ``get`` answers for ECR Public with a password that is kept or fetched from AWS. Where that fails,
  the reason goes to standard error, which docker shows, and the answer is "not found", upon which
  docker pulls anonymously.
* ``store`` (``docker login``) keeps a password for ECR Public while it holds, and refuses what would
  not be given back: other registries, other user names.
* ``erase`` (``docker logout``) forgets the kept passwords. For a registry that is not ours it
  succeeds without doing anything, or docker would keep its own entry.
* ``list`` names the registries that ``get`` answers for.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from unhub.aws.login import Password
    from unhub.aws.password_cache import PasswordCache

NAME = "docker-credential-unhub"
NOT_FOUND = "credentials not found in native keychain"
NO_SERVER = "no credentials server URL"
NO_USERNAME = "no credentials username"
LARGEST = 1024 * 1024
"""Characters of a message at most."""

IDENTITY = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_PROFILE",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_ECR_PUBLIC",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
"""The variables that decide whose password it is; none of them is a secret. The files of AWS's configuration count by their times."""


class Refused(Exception):
    """What docker is told on standard output, with exit status 1."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve one call of docker, podman or skopeo; the exit status is 0 or 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        answer = _serve(arguments, sys.stdin)
    except Refused as error:
        print(error)
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("UNHUB_DEBUG") == "1":
            raise
        _say(f"internal error: {type(error).__name__}; please report it (UNHUB_DEBUG=1 shows where)")
        print(NOT_FOUND)
        return 1
    sys.stdout.write(answer)
    return 0


def _serve(arguments: Sequence[str], messages: TextIO) -> str:
    usage = f"Usage: {NAME} <store|get|erase|list|version>"
    if len(arguments) != 1:
        raise Refused(usage)
    match arguments[0]:
        case "get":
            return _get(_server(messages))
        case "store":
            return _store(messages.read(LARGEST))
        case "erase":
            return _erase(_server(messages))
        case "list":
            return _line(dict.fromkeys(registries()[:1], _username()))
        case "version" | "--version" | "-v":
            from unhub import __version__

            return f"{NAME} (unhub) {__version__}\n"
        case "--help" | "-h":
            return f"{usage}\n"
        case verb:
            raise Refused(f"{NAME}: unknown action: {verb}")


def _line(answer: Mapping[str, str]) -> str:
    return f"{json.dumps(answer)}\n"


def _server(messages: TextIO) -> str:
    server = messages.read(LARGEST).strip()
    if not server:
        raise Refused(NO_SERVER)
    return server


def _get(server: str) -> str:
    if not is_public(server):
        raise Refused(NOT_FOUND)
    from unhub.image.errors import UnhubError

    try:
        password = kept_or_fetched()
    except UnhubError as error:
        _say(str(error))
        raise Refused(NOT_FOUND) from None
    return _line({"ServerURL": server, "Username": password.username, "Secret": password.password})


def _store(message: str) -> str:
    try:
        login: object = json.loads(message)
    except (ValueError, RecursionError):
        raise Refused(f"{NAME}: the message to store is not JSON") from None
    fields = {
        key: value for key, value in cast("dict[str, object]", login if isinstance(login, dict) else {}).items() if isinstance(value, str)
    }
    server, username, secret = (str(fields.get(name, "")) for name in ("ServerURL", "Username", "Secret"))
    if not server:
        raise Refused(NO_SERVER)
    if not username:
        raise Refused(NO_USERNAME)
    if not is_public(server):
        raise Refused(f"{NAME} keeps logins for {registries()[0]} only, not for {server}: name it under credHelpers, not as credsStore")
    if username != _username() or not secret:
        raise Refused(f"{NAME} keeps logins of the user {_username()} only: that is ECR Public's user name")
    if not cache().keep_given(_given(username, secret)):
        raise Refused(f"{NAME} cannot keep the login: {cache_folder()} cannot be written. None is needed: it asks AWS by itself")
    return ""


def _given(username: str, secret: str) -> Password:
    """What a person gave, with the end that it names itself, or the usual life."""
    from unhub.aws.login import Password, expiry_of
    from unhub.data.aws import registry_password

    usual = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=registry_password().hours)
    return Password(username, secret, expiry_of(secret) or usual, "")


def _erase(server: str) -> str:
    if is_public(server):
        cache().forget()
    return ""


def kept_or_fetched() -> Password:
    """ECR Public's password: what ``docker login`` gave, else the kept one, else a new one. Raises :class:`UnhubError`."""
    from unhub.aws.login import checked_region, fetch_password

    passwords = cache()
    if given := passwords.given():
        return given
    region = checked_region(os.environ.get("UNHUB_REGION") or None)
    return passwords.get(identity(region), lambda: fetch_password(region=region))


def cache() -> PasswordCache:
    """The passwords of this user."""
    from unhub.aws.password_cache import PasswordCache

    return PasswordCache(cache_folder(), clock=time.time, notice=_say)


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/unhub``, else ``~/.cache/unhub``; a relative path in the variable counts as none, as XDG has it."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(named) if os.path.isabs(named) else Path.home() / ".cache") / "unhub"
    except RuntimeError:  # no home: a folder that cannot be made, so that nothing is kept
        return Path(os.devnull) / "unhub"


def identity(region: str) -> list[str]:
    """Who asks, for telling kept passwords apart: settings, names and the times of AWS's files, no secrets."""
    words = [f"{name}={os.environ[name]}" for name in IDENTITY if name in os.environ]
    for variable, default in (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")):
        path = os.path.expanduser(os.environ.get(variable) or default)
        try:
            words.append(f"{path} {os.stat(path).st_mtime_ns}")
        except OSError:
            words.append(path)
    return [region, *words]


def is_public(server: str) -> bool:
    """Whether a server's URL or name is ECR Public's: the port counts only for a stand-in on this machine."""
    from unhub.registry.credential import hostname

    host = hostname(server).lower()
    return host in registries() or host.rpartition(":")[0] in registries()[: _known()]


def registries() -> tuple[str, ...]:
    """ECR Public's names, and where ``$UNHUB_ENDPOINT`` puts it if that is on this machine (``public.ecr.aws=http://localhost:5001``)."""
    from unhub.cli.stand_ins import is_loopback
    from unhub.data.aws import public_registries
    from unhub.registry.credential import hostname

    names = public_registries()
    moved = (pair.partition("=") for pair in os.environ.get("UNHUB_ENDPOINT", "").split())
    return (*names, *(hostname(url) for name, _, url in moved if name in names and is_loopback(hostname(url))))


def _known() -> int:
    from unhub.data.aws import public_registries

    return len(public_registries())


def _username() -> str:
    from unhub.data.aws import registry_password

    return registry_password().username


def _say(text: str) -> None:
    from unhub.cli.output import printable

    print(f"{NAME}: {printable(text)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

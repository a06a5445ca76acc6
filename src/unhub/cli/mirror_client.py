"""How commands talk to a running mirror: its ``/_unhub/`` API, with the admin token from its data folder."""

from __future__ import annotations

import functools
import json
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import click

from unhub.cli.places import mirror_data
from unhub.image.errors import RefusedError, UnhubError, UsageError

Command = Callable[..., int]

TOKEN_VARIABLE = "UNHUB_TOKEN"  # noqa: S105 -- the variable's name
TOKEN_FILE = "admin.token"  # noqa: S105 -- the file's name
ANSWER_MAX = 64 * 1024 * 1024
"""Bytes of the largest answer that is read."""


class MirrorAway(UnhubError):
    """The mirror cannot be reached, or does not answer as one."""

    code = "mirror-away"


class MirrorRefused(UnhubError):
    """The mirror does not do what was asked."""

    code = "mirror-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorPlace:
    """Which mirror, and where its admin token may lie."""

    server: str
    data: Path | None
    ca: Path | None


_OPTIONS = (
    click.option("--server", default="http://127.0.0.1:5000", show_default=True, envvar="UNHUB_SERVER", metavar="URL", help="The mirror."),
    click.option(
        "--data",
        type=click.Path(path_type=Path),
        envvar="UNHUB_DATA",
        metavar="DIR",
        help="The mirror's data folder, for its admin.token, unless UNHUB_TOKEN has that. Default: as of `unhub serve`.",
    ),
    click.option(
        "--ca", type=click.Path(path_type=Path), envvar="UNHUB_CA", metavar="FILE", help="Trust these certificates (PEM), and no others."
    ),
)


def mirror_options(command: Command) -> Command:
    """Give a command the options of :class:`MirrorPlace`, handed over as ``mirror``, a :class:`MirrorClient`."""

    @functools.wraps(command)
    def gathering(**values: object) -> int:
        # click made the values of the fields' types
        place = MirrorPlace(**{field.name: values.pop(field.name) for field in fields(MirrorPlace)})  # pyright: ignore[reportArgumentType]
        return command(mirror=MirrorClient(place), **values)

    return functools.reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), cast(Command, gathering))


class MirrorClient:
    """Asks one mirror. Every method raises :class:`MirrorAway`, :class:`MirrorRefused` and :class:`UsageError`."""

    def __init__(self, place: MirrorPlace) -> None:
        self._place = place
        parts = urlsplit(place.server)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
            raise UsageError(f"cannot use the server {place.server!r}: it is not like http://127.0.0.1:5000")
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        try:
            self._port = parts.port
        except ValueError:
            raise UsageError(f"cannot use the server {place.server!r}: its port is none") from None

    @property
    def url(self) -> str:
        """The mirror's URL, for people."""
        return self._place.server.rstrip("/")

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Ask for something below ``/_unhub/``."""
        return self._whole("GET", f"{path}?{urlencode(query)}" if query else path, None)

    def post(self, path: str, **body: object) -> dict[str, Any]:
        """Have something done."""
        return self._whole("POST", path, body)

    def lines(self, path: str, **body: object) -> Iterator[dict[str, Any]]:
        """Have something done that tells of itself as it goes on."""
        connection, response = self._open("POST", path, body)
        try:
            if response.status != 200:
                self._raise(response.status, response.read(ANSWER_MAX))
            while line := response.readline(ANSWER_MAX):
                value = _object(line, self.url)
                if "error" in value:
                    self._raise(503, line)
                yield value
        except (OSError, HTTPException) as error:
            raise MirrorAway(f"cannot go on with {self.url}: {error}") from None
        finally:
            connection.close()

    def _whole(self, method: str, path: str, body: Mapping[str, object] | None) -> dict[str, Any]:
        connection, response = self._open(method, path, body)
        try:
            data = response.read(ANSWER_MAX)
        except (OSError, HTTPException) as error:
            raise MirrorAway(f"cannot read the answer of {self.url}: {error}") from None
        finally:
            connection.close()
        if response.status != 200:
            self._raise(response.status, data)
        return _object(data, self.url)

    def _open(self, method: str, path: str, body: Mapping[str, object] | None) -> tuple[HTTPConnection, HTTPResponse]:
        token = self._token()
        headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = self._connection()
        try:
            connection.request(method, f"/_unhub/{path}", None if body is None else json.dumps(body).encode(), headers)
            return connection, connection.getresponse()
        except (OSError, HTTPException) as error:
            connection.close()
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
            hint = "Start it with `unhub serve`, or say where it is: --server URL"
            raise MirrorAway(f"cannot reach the mirror at {self.url}: {reason}", hint=hint) from None

    def _connection(self) -> HTTPConnection:
        if not self._secure:
            return HTTPConnection(self._host, self._port, timeout=60)
        context = ssl.create_default_context()
        if self._place.ca is not None:
            try:
                context = ssl.create_default_context(cafile=self._place.ca)
            except (OSError, ssl.SSLError) as error:
                raise UsageError(f"cannot read the certificates in {self._place.ca}: {error.strerror or error}") from None
        return HTTPSConnection(self._host, self._port, timeout=60, context=context)

    def _token(self) -> str | None:
        """The admin token, ``None`` where there is none to be had. It never goes over a network in the clear."""
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            path = (self._place.data or mirror_data()) / TOKEN_FILE
            try:
                token = path.read_text("ascii").strip()
            except (OSError, UnicodeDecodeError):
                return None
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise UsageError("cannot use the admin token: it has characters that none has")
        if not self._secure and not _is_this_machine(self._host):
            raise RefusedError(f"cannot send the admin token to {self.url}: everybody on the way could read it", hint="Use https")
        return token

    def _raise(self, status: int, data: bytes) -> None:
        try:
            said = cast(dict[str, Any], json.loads(data))["error"]
            message, hint = str(said["message"]), said.get("hint")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise MirrorAway(f"cannot understand {self.url}: it answers {status}, and not as an unhub mirror does") from None
        if status == 401:
            hint = f"Name its data folder (--data DIR), or put the token into {TOKEN_VARIABLE}"
            raise MirrorRefused(f"cannot ask {self.url}: it wants its admin token", hint=hint)
        kinds = {400: UsageError, 404: UsageError, 422: UsageError, 409: RefusedError}
        raise kinds.get(status, MirrorRefused)(message, hint=None if hint is None else str(hint))


def _object(data: bytes, url: str) -> dict[str, Any]:
    try:
        value: object = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise MirrorAway(f"cannot understand {url}: its answer is no JSON object")
    return cast(dict[str, Any], value)


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

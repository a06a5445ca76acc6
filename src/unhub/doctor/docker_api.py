"""docker's daemon over its socket: where docker itself would look for it, and one GET at a time.

Order of docker's CLI: ``DOCKER_HOST``, ``DOCKER_CONTEXT``, ``currentContext`` of config.json, the default socket
(docker/cli cli/command/cli.go, resolveContextName). A context's address lies in ``contexts/meta/<sha256 of its name>/meta.json``.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from unhub.doctor.machine import NoReply, Reply
from unhub.registry.exchange import Answer

DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
SECONDS: Final = 5.0
BODY_MAX: Final = 4 * 1024 * 1024
FILE_MAX: Final = 1024 * 1024


class DockerApi:
    """:class:`unhub.doctor.machine.Docker`."""

    def __init__(self, host: str, clock: Callable[[], datetime.datetime]) -> None:
        self._host = host
        self._clock = clock

    @property
    def host(self) -> str:
        """See :class:`unhub.doctor.machine.Docker`."""
        return self._host

    async def get(self, path: str) -> Reply | NoReply | None:
        """See :class:`unhub.doctor.machine.Docker`."""
        import aiohttp

        scheme, _, rest = self._host.partition("://")
        if scheme not in ("unix", "tcp", "http"):
            return None
        connector = aiohttp.UnixConnector(path=rest) if scheme == "unix" else aiohttp.TCPConnector()
        url = f"http://{'docker' if scheme == 'unix' else rest.rstrip('/')}{path}"
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, session.get(url) as response:
                headers = tuple((str(name), str(value)) for name, value in response.headers.items())
                body = await response.content.read(BODY_MAX) if path == "/_ping" else await _whole(response)
                return Reply(Answer(response.status, headers, body, self._host), self._clock())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return NoReply(_cause(error))


async def _whole(response: Any) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > BODY_MAX:
            raise ValueError("its answer is too long")
    return bytes(body)


def _cause(error: Exception) -> str:
    for one in (error, getattr(error, "os_error", None), error.__cause__):
        if isinstance(one, FileNotFoundError):
            return "there is no such socket"
        if isinstance(one, PermissionError):
            return "permission denied for this user"
        if isinstance(one, ConnectionRefusedError):
            return "nobody listens there"
        if isinstance(one, TimeoutError):
            return f"no answer within {SECONDS:g} s"
    return type(error).__name__


def docker_host(environment: Mapping[str, str], config_folder: Path) -> str:
    """Where this user's docker looks for its daemon."""
    if named := environment.get("DOCKER_HOST"):
        return named
    context = environment.get("DOCKER_CONTEXT") or _text(_object(config_folder / "config.json"), "currentContext")
    if not context or context == "default":
        return DEFAULT_HOST
    folder = hashlib.sha256(context.encode("utf-8", "surrogateescape")).hexdigest()
    endpoints = _object(config_folder / "contexts" / "meta" / folder / "meta.json").get("Endpoints")
    docker = cast("Mapping[str, object]", endpoints if isinstance(endpoints, dict) else {}).get("docker")
    return _text(cast("Mapping[str, object]", docker if isinstance(docker, dict) else {}), "Host") or DEFAULT_HOST


def _object(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            value: object = json.loads(file.read(FILE_MAX))
    except (OSError, ValueError, RecursionError):
        return {}
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _text(table: Mapping[str, object], name: str) -> str:
    value = table.get(name)
    return value if isinstance(value, str) else ""

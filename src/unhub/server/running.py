"""Running the mirror: from checked settings to a server that listens."""

from __future__ import annotations

import os
import resource
import secrets
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from unhub.image.errors import UnhubError
from unhub.mirror.names import Mode
from unhub.server.aside import aside
from unhub.server.listen import addresses, open_sockets, place
from unhub.server.lock import DataLock, make_private
from unhub.server.settings import ServeSettings
from unhub.server.sowing import sow_seeds
from unhub.server.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Running:
    """What is told once it serves: every URL, the data folder, and where the admin token lies.

    ``api_urls`` are those of ECR Public's API, empty where it is served under AWS's names only, or not at all.
    """

    urls: tuple[str, ...]
    data: Path
    token_file: Path
    api_urls: tuple[str, ...] = ()
    mode: Mode = Mode.OPEN


def serve(
    settings: ServeSettings,
    say: Callable[[str], None],
    ready: Callable[[Running], None],
    *,
    reload: Callable[[], ServeSettings] | None = None,
    login: bool = True,
) -> int:
    """Serve until a signal comes, and return its number.

    Raises :class:`UnhubError` where it cannot start: the port is taken, another server holds the data folder.
    """
    with ExitStack() as stack:
        lock = DataLock(settings.data)
        lock.take(f"process {os.getpid()}")
        stack.callback(lock.release)
        sockets = open_sockets(settings.listen)
        api_sockets = open_sockets(settings.api_listen)
        for one in (*sockets, *api_sockets):
            stack.callback(one.close)
        urls, api_urls = _urls(settings, sockets), _urls(settings, api_sockets)
        lock.note(f"process {os.getpid()}, at {urls[0]}")
        for name in ("blobs", "spool", "uploads"):
            make_private(settings.data / name)
        _upgrade(settings)
        sow_seeds(settings)
        token = admin_token(settings.data)
        _preload(settings.mode)
        _allow_many_files()
        supervisor = Supervisor(settings, sockets, token, _unheard(say), reload, login=login, api_sockets=api_sockets)
        return supervisor.run(lambda: ready(Running(urls, settings.data, settings.data / "admin.token", api_urls, settings.mode)))


def _urls(settings: ServeSettings, sockets: list[socket.socket]) -> tuple[str, ...]:
    scheme = "https" if settings.tls else "http"
    return tuple(f"{scheme}://{place(host, port)}" for host, port in addresses(sockets))


def _upgrade(settings: ServeSettings) -> None:
    """In a process of its own: Alembic would stay in the memory of this one and all of its children."""

    def work() -> None:
        from unhub.store.sql.upgrade import upgrade

        upgrade(settings.database)

    before = os.umask(0o077)
    try:
        aside(work)
    except UnhubError as error:  # whatever the database says, a person has to look at it
        raise UnhubError(f"cannot use the database {settings.data / 'unhub.db'}: {error.message}") from None
    finally:
        os.umask(before)


def _unheard(say: Callable[[str], None]) -> Callable[[str], None]:
    """The same, where what is said may get lost: what it is written to may be on the volume that is full."""

    def saying(text: str) -> None:
        with suppress(OSError, ValueError):
            say(text)

    return saying


def admin_token(data: Path) -> str:
    """The token of the operators' API, made at the first start, for this user alone (mode 0600)."""
    path = data / "admin.token"
    try:
        token = path.read_text("ascii").strip()
        if len(token) >= 32:
            return token
    except (FileNotFoundError, UnicodeDecodeError):
        pass
    token = secrets.token_urlsafe(32)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write(token + "\n")
    return token


def _preload(mode: Mode) -> None:
    """Import and read what every child needs, once, so that they share it."""
    for name in ("app", "fetcher_process", "granian_worker"):
        import_module(f"unhub.server.{name}")
    if mode is Mode.ECR_PUBLIC:
        import_module("unhub.server.control_plane.discovery").found_handlers()
        import_module("unhub.aws.sigv4").preload()


def _allow_many_files() -> None:
    """A connection is an open file: as many as the system allows, where a shell or service manager says 1,024."""
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

"""Passwords of ECR Public on disk, for the user alone: one call to AWS in hours, however many ask.

A file holds one identity's password. It is renewed at half of its life, as amazon-ecr-credential-helper
does it (ecr-public.md, 9.3); where AWS then fails, the old one serves to its end. A lock makes
callers that come together share one call, and one failure.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import msgspec

from unhub.aws.login import Password
from unhub.image.errors import UnhubError

MARGIN = 60.0
"""Seconds before its end from which a password no longer counts: a pull takes time, and clocks differ."""

LOCK_SECONDS = 90.0
"""How long a caller waits for another one's call to AWS; afterwards it calls itself."""

_LARGEST = 64 * 1024


class Failure(msgspec.Struct, frozen=True):
    """A call to AWS that failed at ``at``, in seconds of the epoch."""

    at: float
    message: str
    hint: str | None = None


class Entry(msgspec.Struct, frozen=True):
    """What a file holds. Times are seconds of the epoch; without ``password`` there is only a failure to share.

    ``given`` says that a person gave it (``docker login``), so that it is used to its end.
    """

    schema: int = 1
    username: str = ""
    password: str = ""
    fetched_at: float = 0.0
    expires_at: float = 0.0
    region: str = ""
    given: bool = False
    failure: Failure | None = None

    def __repr__(self) -> str:
        return f"Entry(expires_at={self.expires_at}, given={self.given})"

    def holds(self, now: float) -> bool:
        """Whether the password can still be used."""
        return bool(self.password) and now < self.expires_at - MARGIN

    def is_fresh(self, now: float) -> bool:
        """Whether the password need not be renewed yet."""
        renew = self.expires_at if self.given else (self.fetched_at + self.expires_at) / 2
        return self.holds(now) and now < renew and self.fetched_at <= now + MARGIN  # one from the future: the clock was set back

    def as_password(self) -> Password:
        """The password for its users."""
        return Password(self.username, self.password, datetime.datetime.fromtimestamp(self.expires_at, datetime.UTC), self.region)


class SharedFailure(UnhubError):
    """Another caller's call to AWS failed while this one waited for it."""


class PasswordCache:
    """The passwords in ``folder``, which is made with mode 0700; files have 0600.

    A file that another user owns, or that others may read, is not used and made anew; in a folder
    of another user nothing is kept. ``clock`` gives seconds of the epoch, ``notice`` takes
    sentences for people.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time, notice: Callable[[str], None]) -> None:
        self._folder = folder
        self._clock = clock
        self._notice = notice

    def get(self, identity: Sequence[str], fetch: Callable[[], Password]) -> Password:
        """The password of an identity: kept, or fetched. Raises what ``fetch`` raises, :class:`SharedFailure` for a neighbour's."""
        began = self._clock()
        if not self._ready():
            return fetch()
        path = self._path(identity)
        if (entry := self._read(path)) and entry.is_fresh(self._clock()):
            return entry.as_password()
        with self._locked(path):
            entry = self._read(path) or Entry()
            if entry.is_fresh(self._clock()):
                return entry.as_password()
            if entry.failure and entry.failure.at >= began and not entry.holds(self._clock()):
                raise SharedFailure(entry.failure.message, hint=entry.failure.hint)
            return self._fetched(path, entry, fetch)

    def given(self) -> Password | None:
        """The password that a person gave by ``docker login``, while it holds."""
        entry = self._read(self._given) if self._ready() else None
        return entry.as_password() if entry and entry.is_fresh(self._clock()) else None

    def keep_given(self, password: Password) -> bool:
        """Keep what a person gave; false where nothing can be kept here."""
        now = self._clock()
        return self._ready() and self._write(
            self._given,
            Entry(1, password.username, password.password, now, password.expires_at.timestamp(), password.region, given=True),
        )

    def forget(self) -> bool:
        """Remove every password of this folder; says whether there was one."""
        gone = False
        for path in self._folder.glob("*ecr-public-*.json*"):  # with what a killed process was writing
            with contextlib.suppress(OSError):
                path.unlink()
                gone = True
        return gone

    def _fetched(self, path: Path, entry: Entry, fetch: Callable[[], Password]) -> Password:
        try:
            password = fetch()
        except UnhubError as error:
            self._write(path, msgspec.structs.replace(entry, failure=Failure(self._clock(), error.message, error.hint)))
            if not entry.holds(self._clock()):
                raise
            self._notice(f"the kept password serves on, since a new one is not to be had: {error}")
            return entry.as_password()
        self._write(path, Entry(1, password.username, password.password, self._clock(), password.expires_at.timestamp(), password.region))
        return password

    # files

    @property
    def _given(self) -> Path:
        return self._folder / "ecr-public-given.json"

    def _path(self, identity: Sequence[str]) -> Path:
        digest = hashlib.sha256(msgspec.json.encode(list(identity))).hexdigest()
        return self._folder / f"ecr-public-{digest[:32]}.json"

    def _ready(self) -> bool:
        """Make the folder, for the user alone; false where that cannot be."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self._folder.stat()
            if not _owned(status):
                self._notice(f"passwords are not kept: {self._folder} belongs to another user")
                return False
            if status.st_mode & 0o077:
                self._folder.chmod(0o700)
        except OSError:
            return False  # a read-only home: every call asks AWS
        return True

    def _read(self, path: Path) -> Entry | None:
        try:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:
            return None
        except OSError:
            _remove(path)  # a symbolic link, or unreadable
            return None
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or not _owned(status) or (os.name == "posix" and status.st_mode & 0o077):
                _remove(path)
                return None
            entry = msgspec.json.decode(os.read(handle, _LARGEST), type=Entry)
        except (OSError, msgspec.MsgspecError):
            return None
        finally:
            os.close(handle)
        return entry if entry.schema == 1 else None

    def _write(self, path: Path, entry: Entry) -> bool:
        try:
            descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=f".{path.name}-")  # mode 0600
            try:
                with open(descriptor, "wb") as file:
                    file.write(msgspec.json.encode(entry))
                os.replace(name, path)
            except BaseException:
                _remove(Path(name))
                raise
        except OSError:
            return False  # a full disk loses the cache, not the login
        return True

    @contextlib.contextmanager
    def _locked(self, path: Path) -> Generator[None]:
        """Hold an identity against other processes, or go on without after :data:`LOCK_SECONDS`."""
        with contextlib.ExitStack() as stack:
            try:
                import fcntl

                flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
                handle = os.open(path.with_suffix(".lock"), flags, 0o600)
                stack.callback(os.close, handle)
                until = time.monotonic() + LOCK_SECONDS
                while time.monotonic() < until:
                    with contextlib.suppress(BlockingIOError):
                        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    time.sleep(0.02)
            except (ImportError, OSError):
                pass  # no locks here: some more calls to AWS
            yield


def _owned(status: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)

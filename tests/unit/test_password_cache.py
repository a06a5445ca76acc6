"""Kept passwords: for one user alone, renewed in time, and one call to AWS however many ask."""

from __future__ import annotations

import datetime
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from unhub.aws import password_cache
from unhub.aws.login import Password
from unhub.aws.password_cache import PasswordCache, SharedFailure
from unhub.image.errors import AwsError

HOUR = 3600.0
NOW = 1_800_000_000.0


class Aws:
    """Gives out ``one``, ``two``, … with 12 hours of life, or fails."""

    def __init__(self, clock: Callable[[], float] = lambda: NOW) -> None:
        self.clock = clock
        self.calls = 0
        self.fails = False
        self.delay = 0.0

    def __call__(self) -> Password:
        self.calls += 1
        time.sleep(self.delay)
        if self.fails:
            raise AwsError("cannot get it: AWS is down", hint="Wait")
        end = datetime.datetime.fromtimestamp(self.clock() + 12 * HOUR, datetime.UTC)
        return Password("AWS", f"password{self.calls}", end, "us-east-1")


class Setting:
    """A cache whose clock a test moves."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.notices: list[str] = []
        self.folder = folder / "cache" / "unhub"
        self.cache = PasswordCache(self.folder, clock=lambda: self.now, notice=self.notices.append)
        self.aws = Aws(lambda: self.now)

    def get(self, *identity: str) -> str:
        return self.cache.get(identity, self.aws).password

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.json"))


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_password_is_kept_for_half_of_its_life_and_then_renewed(setting: Setting) -> None:
    assert [setting.get(), setting.get()] == ["password1", "password1"]
    setting.now += 6 * HOUR - 1
    assert setting.get() == "password1"
    setting.now += 2
    assert setting.get() == "password2"
    assert (setting.aws.calls, setting.notices) == (2, [])


def test_every_identity_has_its_own_and_no_file_is_named_after_it(setting: Setting) -> None:
    assert [setting.get("one"), setting.get("two"), setting.get("one")] == ["password1", "password2", "password1"]
    assert not any("one" in path.name or "two" in path.name for path in setting.files())


def test_files_and_folder_are_for_the_user_alone(setting: Setting) -> None:
    old = os.umask(0)
    try:
        setting.get()
    finally:
        os.umask(old)
    assert mode(setting.folder) == 0o700
    assert {mode(path) for path in setting.folder.iterdir()} == {0o600}
    setting.folder.chmod(0o755)
    setting.get()
    assert mode(setting.folder) == 0o700


@pytest.mark.parametrize("spoil", ["wide", "link", "folder", "garbage", "future schema", "fifo"])
def test_a_file_that_is_not_ours_alone_or_no_entry_is_made_anew(setting: Setting, tmp_path: Path, spoil: str) -> None:
    setting.get()
    path = setting.files()[0]
    good = path.read_bytes()
    match spoil:
        case "wide":
            path.chmod(0o644)
        case "link":
            elsewhere = tmp_path / "elsewhere"
            elsewhere.write_bytes(good)
            elsewhere.chmod(0o600)
            path.unlink()
            path.symlink_to(elsewhere)
        case "folder":
            path.unlink()
            path.mkdir()
        case "fifo":
            path.unlink()
            os.mkfifo(path, 0o600)
        case "garbage":
            path.write_bytes(b"{")
        case _:
            path.write_bytes(good.replace(b'"schema":1', b'"schema":2'))
    assert setting.get() == "password2"
    if spoil != "folder":
        assert (mode(path), path.is_symlink(), path.is_file()) == (0o600, False, True)
        assert setting.get() == "password2"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files away")
def test_what_belongs_to_another_user_is_not_used(setting: Setting) -> None:
    setting.get()
    os.chown(setting.files()[0], 1234, 1234)
    assert setting.get() == "password2"
    os.chown(setting.folder, 1234, 1234)
    assert [setting.get(), setting.get()] == ["password3", "password4"]
    assert "belongs to another user" in setting.notices[-1]


def test_where_nothing_can_be_kept_aws_is_asked_each_time(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, no folder")
    setting = Setting(tmp_path)
    assert [setting.get(), setting.get()] == ["password1", "password2"]
    assert not setting.cache.keep_given(setting.aws())
    assert setting.cache.given() is None
    assert not setting.cache.forget()


def test_a_password_that_still_holds_serves_on_when_aws_fails_and_that_is_said(setting: Setting) -> None:
    setting.get()
    setting.now += 7 * HOUR
    setting.aws.fails = True
    assert setting.get() == "password1"
    assert setting.notices == ["the kept password serves on, since a new one is not to be had: cannot get it: AWS is down. Wait"]
    setting.aws.fails = False
    assert setting.get() == "password3"


def test_one_that_is_over_does_not_serve(setting: Setting) -> None:
    setting.get()
    setting.now += 12 * HOUR - 30
    setting.aws.fails = True
    with pytest.raises(AwsError, match="AWS is down"):
        setting.get()


def test_one_from_the_future_is_renewed(setting: Setting) -> None:
    setting.get()
    setting.now -= 24 * HOUR
    assert setting.get() == "password2"


def together(count: int, act: Callable[[], str]) -> list[str]:
    results: list[str] = []

    def run() -> None:
        try:
            results.append(act())
        except (AwsError, SharedFailure) as error:
            results.append(type(error).__name__)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_twenty_at_once_make_one_call(tmp_path: Path) -> None:
    aws = Aws(time.time)
    aws.delay = 0.2
    cache = PasswordCache(tmp_path, notice=print)
    assert together(20, lambda: cache.get(["one"], aws).password) == ["password1"] * 20
    assert aws.calls == 1


def test_twenty_at_once_share_one_failure(tmp_path: Path) -> None:
    aws = Aws(time.time)
    aws.delay, aws.fails = 0.5, True
    cache = PasswordCache(tmp_path, notice=print)
    results = together(20, lambda: cache.get(["one"], aws).password)
    assert aws.calls == 1
    assert sorted(results) == ["AwsError"] + ["SharedFailure"] * 19
    aws.fails = False
    assert cache.get(["one"], aws).password == "password2", "a later caller tries again"


def test_a_neighbour_who_never_ends_is_not_waited_for_forever(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    monkeypatch.setattr(password_cache, "LOCK_SECONDS", 0.1)
    setting.get()
    setting.now += 7 * HOUR
    with setting.files()[0].with_suffix(".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert setting.get() == "password2"


def test_what_a_person_gave_serves_to_its_end(setting: Setting) -> None:
    assert setting.cache.keep_given(setting.aws())
    setting.now += 11 * HOUR
    given = setting.cache.given()
    assert given
    assert (given.username, given.password) == ("AWS", "password1")
    setting.now += HOUR
    assert setting.cache.given() is None


def test_forgetting_removes_every_password(setting: Setting) -> None:
    setting.get("one")
    setting.get("two")
    setting.cache.keep_given(setting.aws())
    (setting.folder / ".ecr-public-one.json-killed").write_text("password")
    assert setting.cache.forget()
    assert [path.name for path in setting.folder.iterdir() if path.suffix != ".lock"] == []
    assert not setting.cache.forget()


def test_no_password_in_the_text_of_an_entry() -> None:
    assert "s3cret" not in repr(password_cache.Entry(password="s3cret"))
    assert "s3cret" not in str(password_cache.Entry(password="s3cret"))

"""A login file is never lost: by two writers, by a kill, by a full or read-only disk."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unhub.image.errors import CredentialsError
from unhub.registry import shared_file
from unhub.registry.credentials import Credential, DockerConfig

WRITER = """
import sys
from pathlib import Path
from unhub.registry.credentials import Credential, DockerConfig
folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(count):
    DockerConfig.load(folder).store(f"{name}-{number}.example", Credential("u", "p", ""))
"""


def writer(folder: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), name, str(count)])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_for_its_owner_alone_and_so_are_its_folders(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    DockerConfig.load(folder).store("r.example", Credential("u", "p", ""))
    assert (mode(folder / "config.json"), mode(folder), mode(folder.parent)) == (0o600, 0o700, 0o700)


@pytest.mark.parametrize("wanted", [0o600, 0o640, 0o400])
def test_an_old_file_keeps_its_mode(tmp_path: Path, wanted: int) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    path.chmod(wanted)
    DockerConfig.load(tmp_path).store("r.example", Credential("u", "p", ""))
    assert mode(path) == wanted


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files away")
def test_an_old_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    os.chown(path, 1234, 1234)
    DockerConfig.load(tmp_path).store("r.example", Credential("u", "p", ""))
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1234)


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_stays_one_also_where_it_points_nowhere(tmp_path: Path, there: bool) -> None:
    target = tmp_path / "dotfiles" / "config.json"
    if there:
        target.parent.mkdir()
        target.write_text('{"detachKeys": "x"}')
    (tmp_path / "config.json").symlink_to(target)
    DockerConfig.load(tmp_path).store("r.example", Credential("u", "p", ""))
    assert (tmp_path / "config.json").is_symlink()
    assert "r.example" in json.loads(target.read_text())["auths"]


def test_four_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [writer(tmp_path, f"w{number}", 8) for number in range(4)]
    assert [process.wait(60) for process in writers] == [0, 0, 0, 0]
    auths = json.loads((tmp_path / "config.json").read_text())["auths"]
    assert set(auths) == {f"w{number}-{turn}.example" for number in range(4) for turn in range(8)}
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_program_that_knows_no_lock_and_writes_in_between_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1")
    seen: list[bytes | None] = []

    def edit(data: bytes | None) -> bytes:
        seen.append(data)
        if len(seen) == 1:
            path.write_bytes(b"2")  # docker, just now
        return (data or b"") + b"+"

    shared_file.change(path, "file", edit)
    assert (seen, path.read_bytes()) == ([b"1", b"2"], b"2+")


def test_one_that_never_stops_writing_ends_in_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    count = 0

    def edit(data: bytes | None) -> bytes:
        nonlocal count
        del data
        count += 1
        path.write_bytes(str(count).encode())
        return b"ours"

    with pytest.raises(CredentialsError, match="another program keeps changing it"):
        shared_file.change(path, "file", edit)


def test_a_lock_that_is_never_given_up_ends_in_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    monkeypatch.setattr(shared_file, "LOCK_SECONDS", 0.1)
    holder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    try:
        with pytest.raises(CredentialsError, match="another unhub has been writing it"):
            shared_file.change(tmp_path / "file", "file", lambda _: b"x")
    finally:
        os.close(holder)


def test_kills_in_the_middle_leave_a_whole_file_and_no_password_beside_it(tmp_path: Path) -> None:
    before = {"auths": {f"{number}.example": {"auth": "dTpw"} for number in range(200)}}
    (tmp_path / "config.json").write_text(json.dumps(before, indent="\t"))
    for turn in range(6):
        process = writer(tmp_path, f"t{turn}", 10_000)
        time.sleep(0.35 + turn * 0.013)
        process.send_signal(signal.SIGKILL)
        process.wait()
        auths = json.loads((tmp_path / "config.json").read_text())["auths"]
        assert set(before["auths"]) <= set(auths)
    assert len(auths) > len(before["auths"]), "the writers were killed before they wrote"
    DockerConfig.load(tmp_path).store("last.example", Credential("u", "p", ""))
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_failure_changes_nothing_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = DockerConfig.load(tmp_path)
    config.store("r.example", Credential("u", "p", ""))
    before = (tmp_path / "config.json").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CredentialsError, match="No space left on device; nothing was changed"):
        config.store("s.example", Credential("u", "p", ""))
    assert (tmp_path / "config.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = DockerConfig.load(tmp_path / "file")
    assert config.find("r.example") is None
    with pytest.raises(CredentialsError, match=r"cannot write .*config.json"):
        config.store("r.example", Credential("u", "p", ""))

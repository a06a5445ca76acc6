"""``unhub admin`` at a mirror that runs: what one worker is told, the next one knows."""

from __future__ import annotations

from pathlib import Path

from tests.command_line import unhub
from tests.hub import docker_hub
from tests.mirror import running_mirror


def test_users_and_keys_are_made_and_listed_at_a_running_mirror(tmp_path: Path) -> None:
    with docker_hub() as hub, running_mirror(tmp_path, hub, arguments=("--workers", 2)) as mirror:
        where = ("--server", mirror.url, "--data", str(mirror.data))
        made = unhub("admin", "user", "create", "ci", "--json", *where, cwd=tmp_path)
        assert made.status == 0, made.err
        assert made.json["identity"]["name"] == "ci"
        for _ in range(4):
            listed = unhub("admin", "user", "list", "--json", *where, cwd=tmp_path)
            assert "ci" in listed.text
        assert (mirror.data / "instance.key").stat().st_mode & 0o777 == 0o600

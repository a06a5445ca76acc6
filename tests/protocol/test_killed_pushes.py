"""Kill -9 in the middle of pushes: what was acknowledged is there, whole; what was not is there whole or not at all."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.protocol.content import Image, digest_of, image, push
from tests.protocol.serving import Server, serving

KILLS = 4


@pytest.mark.parametrize("seed", [1])
def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged: list[tuple[str, Image]] = []
    for _ in range(KILLS):
        with serving(tmp_path / "data") as server:
            threads = [threading.Thread(target=keep_pushing, args=(server, f"local/app-{number}", acknowledged)) for number in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(0.5 + chance.random())
            kill(server)
            for thread in threads:
                thread.join()
    assert acknowledged

    with serving(tmp_path / "data") as server:
        for name, pushed in acknowledged:
            for reference in (pushed.digest, f"tag-{pushed.digest[7:19]}"):
                assert server.ask("GET", f"/v2/{name}/manifests/{reference}").body == pushed.manifest
            for blob in (pushed.config, pushed.layer):
                assert server.ask("GET", f"/v2/{name}/blobs/{digest_of(blob)}").body == blob
        for path in (tmp_path / "data" / "blobs").rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                assert digest_of(path.read_bytes(), path.parent.parent.name).endswith(path.name)


def keep_pushing(server: Server, name: str, acknowledged: list[tuple[str, Image]]) -> None:
    """Push until the server is gone."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        while True:
            pushed = image()
            push(server, name, pushed, pushed.digest, f"tag-{pushed.digest[7:19]}")
            acknowledged.append((name, pushed))


def kill(server: Server) -> None:
    """All of its processes, at once."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"--port\0{server.port}\0".encode() in (folder / "cmdline").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)

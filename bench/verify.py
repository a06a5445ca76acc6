"""``python -m bench.verify``: how long 500 references take against registries of this machine that answer after 50 ms."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

from unhub.cli.main import main
from unhub.demo.catalogue import Entry
from unhub.demo.images import File, image, index, layer
from unhub.demo.running import running
from unhub.demo.settings import HubSettings

REFERENCES = 500
LATENCY = 0.05


def images(prefix: str) -> list[Entry]:
    """One small image under 500 tags of official names."""
    one = index([image([layer({"etc/text": File(b"bench")})])])
    return [Entry(f"{prefix}library/node", f"bench-{number}", one) for number in range(REFERENCES)]


def tree(folder: Path) -> None:
    """A Dockerfile a reference."""
    for number in range(REFERENCES):
        (folder / f"Dockerfile.{number}").write_text(f"FROM node:bench-{number}\n")


def measure() -> tuple[float, int]:
    """Seconds of one run, and the requests that both registries got."""
    hub_settings = HubSettings(persona="docker-hub", latency=LATENCY, images=images(""))
    ecr_settings = HubSettings(persona="ecr-public", latency=LATENCY, images=images("docker/"), rate=None, account_rate=None)
    with running(hub_settings) as hub, running(ecr_settings) as ecr, tempfile.TemporaryDirectory() as folder:
        tree(Path(folder))
        (Path(folder) / "unhub.toml").write_text('[registry."public.ecr.aws"]\nrate = 0\n[registry."docker.io"]\nrate = 0\n')
        endpoints = f"docker.io={hub.url} public.ecr.aws={ecr.url}"
        out = io.TextIOWrapper(io.BytesIO(), write_through=True)
        start = time.perf_counter()
        with mock.patch.dict(os.environ, {"UNHUB_ENDPOINT": endpoints}), contextlib.chdir(folder), contextlib.redirect_stdout(out):
            status = main(["verify", "--quiet", "--no-login"])
        seconds = time.perf_counter() - start
        if status != 0:
            sys.exit(f"verify ended with {status}")
        return seconds, len(hub.asked(kind="manifest")) + len(ecr.asked(kind="manifest"))


if __name__ == "__main__":
    taken, requests = measure()
    print(f"{REFERENCES} references, {requests} requests, {LATENCY * 1000:.0f} ms latency: {taken:.2f} s")

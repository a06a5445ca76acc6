"""Killing a mirror at random moments of pushes and pulls, and looking at what is left.

What must hold: no whole answer ever has wrong bytes, what was acknowledged is there after the restart, and in the end
``unhub cache fsck`` finds nothing wrong. ``make test`` does a few kills of a fixed seed, ``make soak`` hundreds.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tests.hub import Said, docker_hub
from tests.mirror import Mirror, running_mirror, wait_until
from unhub.demo.catalogue import Entry
from unhub.demo.handles import Hub
from unhub.demo.images import Image, bulk_layer, image

IMAGES = 12
LAYER = 150_000
PUSHED_LAYER = 200_000
BANDWIDTH = 1_500_000.0
"""Bytes a second of the stand-in's content network, so that kills meet blobs in flight."""

ROUND = 0.5
"""Seconds of pushing and pulling within which a kill comes."""

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class Report:
    """What was done and seen. ``failures`` are sentences; there should be none."""

    kills: Counter[str] = field(default_factory=Counter[str])
    pulled: int = 0
    cut: int = 0
    pushed: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """Acknowledged pushes: tag -> path -> sha256 of what must be served there."""
    failures: list[str] = field(default_factory=list[str])
    left_over: int = 0


def kill_many(folder: Path, count: int, seed: int) -> Report:
    """Kill a mirror ``count`` times under pushes and pulls, its data kept, and check it afterwards."""
    chance, report = random.Random(seed), Report()
    images = {f"app{number}": image([bulk_layer(LAYER, f"layer {number}"), bulk_layer(LAYER, "shared")]) for number in range(IMAGES)}
    entries = [Entry(f"library/{name}", "1", one) for name, one in images.items()]
    with docker_hub(images=entries, bandwidth=BANDWIDTH, limit=None) as hub:
        while report.kills.total() < count and not report.failures:
            _one_life(folder, hub, images, chance, report, count)
        with running_mirror(folder, hub, data=folder / "data") as mirror:
            _check_pushed(mirror, report, list(report.pushed))
    report.left_over = _fsck(folder / "data", report)
    return report


def _one_life(folder: Path, hub: Hub, images: dict[str, Image], chance: random.Random, report: Report, count: int) -> None:
    """Start it, kill parts of it some times, then all of it at once."""
    with running_mirror(folder, hub, data=folder / "data") as mirror:
        _check_pushed(mirror, report, list(report.pushed)[-3:])
        for _ in range(chance.randrange(4)):
            if report.kills.total() < count - 1:
                victim = chance.choice(("fetcher", "worker 1"))
                _busy(mirror, images, chance, report, lambda victim=victim: _kill_part(mirror, victim))
                report.kills[victim] += 1
        _busy(mirror, images, chance, report, lambda: _kill_all(mirror))
        report.kills["everything"] += 1


def _busy(mirror: Mirror, images: dict[str, Image], chance: random.Random, report: Report, kill: Callable[[], None]) -> None:
    """Push and pull until the kill, which comes at a random moment."""
    for name in chance.sample(sorted(images), 3):
        with suppress(OSError, HTTPException):
            mirror.get("/_unhub/purge", "POST", body=json.dumps({"what": name + ":1"}).encode(), Authorization=f"Bearer {mirror.token}")
    stop = threading.Event()
    seeds = [chance.random() for _ in range(3)]
    threads = [threading.Thread(target=_pull, args=(mirror, images, random.Random(seed), report, stop)) for seed in seeds[:2]]
    threads.append(threading.Thread(target=_push, args=(mirror, random.Random(seeds[2]), report, stop)))
    for thread in threads:
        thread.start()
    try:
        time.sleep(chance.uniform(0, ROUND))
        kill()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _kill_part(mirror: Mirror, victim: str) -> None:
    pid = mirror.kill(victim)
    wait_until(lambda: mirror.processes.get(victim) not in (None, pid), 15, f"no new {victim} came")


def _kill_all(mirror: Mirror) -> None:
    for pid in mirror.processes.values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    mirror.process.wait(15)


def _pull(mirror: Mirror, images: dict[str, Image], chance: random.Random, report: Report, stop: threading.Event) -> None:
    """Pull images one after the other, as a client without retries does, and look at every byte."""
    while not stop.is_set():
        name = chance.choice(sorted(images))
        one = images[name]
        _pull_one(mirror, f"/v2/library/{name}/manifests/1", one.digest, report, stop)
        for digest in one.blobs:
            _pull_one(mirror, f"/v2/library/{name}/blobs/{digest}", digest, report, stop)


def _pull_one(mirror: Mirror, path: str, digest: str, report: Report, stop: threading.Event) -> None:
    if stop.is_set():
        return
    try:
        said = mirror.get(path)
    except (OSError, HTTPException):
        report.cut += 1
        return
    if said.status == 200 and _sha(said.body) != digest:
        report.failures.append(f"{path} was answered with {len(said.body)} wrong bytes")
    report.pulled += said.status == 200


def _push(mirror: Mirror, chance: random.Random, report: Report, stop: threading.Event) -> None:
    """Push images; those whose last answer came are promised."""
    while not stop.is_set():
        tag = f"t{chance.getrandbits(48):x}"
        with suppress(OSError, HTTPException, _Refused):
            report.pushed[tag] = _push_one(mirror, tag, chance)


class _Refused(Exception):
    pass


def _push_one(mirror: Mirror, tag: str, chance: random.Random) -> dict[str, str]:
    layer, config = chance.randbytes(PUSHED_LAYER), json.dumps({"architecture": "amd64", "os": "linux", "tag": tag}).encode()
    promised: dict[str, str] = {}
    for data in (layer, config):
        place = _accepted(mirror.get("/v2/local/app/blobs/uploads/", "POST"), 202).headers["location"]
        for start in range(0, len(data), 70_000):
            piece = data[start : start + 70_000]
            chunk = f"{start}-{start + len(piece) - 1}"
            said = mirror.get(place, "PATCH", body=piece, Content_Range=chunk, Content_Type="application/octet-stream")
            place = _accepted(said, 202).headers["location"]
        joint = "&" if "?" in place else "?"
        _accepted(mirror.get(f"{place}{joint}digest={_sha(data)}", "PUT"), 201)
        promised[f"/v2/local/app/blobs/{_sha(data)}"] = _sha(data)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": _sha(config), "size": len(config)},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": _sha(layer), "size": len(layer)}],
        }
    ).encode()
    _accepted(mirror.get(f"/v2/local/app/manifests/{tag}", "PUT", body=manifest, Content_Type=MANIFEST), 201)
    promised[f"/v2/local/app/manifests/{tag}"] = _sha(manifest)
    return promised


def _accepted(said: Said, status: int) -> Said:
    if said.status != status:
        raise _Refused
    return said


def _check_pushed(mirror: Mirror, report: Report, tags: Sequence[str]) -> None:
    """What was acknowledged before a kill is served after it."""
    for tag in tags:
        for path, digest in report.pushed[tag].items():
            said = mirror.get(path)
            if said.status != 200 or _sha(said.body) != digest:
                report.failures.append(f"{path} was acknowledged, and is answered with {said.status}")


def _fsck(data: Path, report: Report) -> int:
    """Check the data folder as its users do; how much is left over."""
    command = [sys.executable, "-m", "unhub", "cache", "fsck", "--data", str(data), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        report.failures.append(f"fsck ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return 0
    found: list[dict[str, Any]] = json.loads(done.stdout)["found"]
    return len(found)


def _sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"

"""The storm: hundreds of builds against a Docker Hub that grants 100 pulls. ``python -m bench.mirror.storm --help`` runs one.

Each image is an index with a manifest for the platform below it, as on Docker Hub: a pull of one is two GETs that count.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.hub import aws_endpoint, aws_environment, docker_hub, ecr_public

from bench.mirror import peers
from bench.mirror.client import PULL_SECONDS, Puller, PullFailed, Refusal, Waits
from bench.mirror.content import Build, entries, storm_builds, storm_images
from bench.mirror.samples import percentile
from unhub.demo.handles import Hub
from unhub.demo.state import Record

HUB_LIMIT = 100
FALLBACK_HOLD = 5.0
"""Seconds that a fallback may let a client wait before a pull of Docker Hub is spent: the default setting."""

HONEST, GRACE = 0.2, 1.5
"""How far ``Retry-After`` may be from the truth: a fifth, and, since it is in whole seconds, a little more."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One kind of storm. ``rate`` is the fallback's, in manifests a second; 10 needs a login, as at ECR Public."""

    name: str
    about: str
    rate: float = 10.0
    concurrency: int = 16
    exhausted: bool = False
    broken: float = 0.0
    down: bool = False
    unknown_rate: bool = False
    obey: bool = False
    settings: str = ""
    seconds: float = 300.0
    """When the storm is ended: builds that are not done have failed."""


STALE = '[upstream.docker]\nurl = "https://registry-1.docker.io"\n[[upstream.docker.fresh]]\ntags = "*"\nseconds = 1\n'
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="rate-10", about="fallback at 10 manifests a second (a login)", seconds=60.0),
        Scenario(name="rate-1", about="fallback at 1 manifest a second (no login)", rate=1.0),
        Scenario(name="exhausted", about="the Hub exhausted from the start", exhausted=True),
        Scenario(name="down", about="both upstreams down after warm-up", down=True),
        Scenario(name="down-stale", about="the same, every tag outdated by then", down=True, settings=STALE),
        Scenario(name="broken", about="1 % of upstream bodies broken", broken=0.01),
        Scenario(name="crowd", about="200 concurrent builds, no login", rate=1.0, concurrency=200, obey=True),
        Scenario(name="unknown-10", about="a fallback whose 10 a second nobody told us", unknown_rate=True),
        Scenario(name="unknown-1", about="a fallback whose 1 a second nobody told us", rate=1.0, unknown_rate=True),
    )
}


@dataclass(slots=True)
class Result:
    """What one storm came to; times in seconds."""

    scenario: str
    peer: str
    builds: int
    failed: int
    reasons: dict[str, int]
    distinct: int
    hub_gets: int
    hub_refused: int
    fallback_gets: int
    fallback_refused: int
    hub_blobs: int
    p50: float
    p99: float
    longest: float
    seconds: float
    needless: int
    refusals: int
    dishonest: int
    unexplained: int
    stale: int


async def storm(
    base: str, builds: Sequence[Build], concurrency: int, waits: Waits, *, obey: bool = False, seconds: float = 300.0
) -> tuple[Counter[str], list[float]]:
    """Run the builds; why some failed, and the seconds that each image took. It ends after ``seconds``."""
    reasons: Counter[str] = Counter()
    pulls: list[float] = []
    gate = asyncio.Semaphore(concurrency)

    async def build(one: Build) -> None:
        async with gate, Puller(base, waits, obey=obey) as puller:
            try:
                async with asyncio.timeout(PULL_SECONDS if not obey else 600.0):
                    for repository, tag in one.images:
                        started = time.monotonic()
                        await puller.pull(repository, tag)
                        pulls.append(time.monotonic() - started)
            except PullFailed as failed:
                reasons[str(failed)] += 1
            except TimeoutError:
                reasons["not done within 120 s"] += 1

    tasks = [asyncio.ensure_future(build(one)) for one in builds]
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    if late:
        reasons["not done when the storm was ended"] = len(late)
    return reasons, pulls


@dataclass
class Stage:
    """The stand-ins of one storm."""

    hub: Hub
    fallback: Hub
    env: dict[str, str]


@contextlib.contextmanager
def stage(scenario: Scenario) -> Iterator[Stage]:
    """Docker Hub with 100 pulls, and ECR Public with the same images and its real rates."""
    images = storm_images()
    with contextlib.ExitStack() as stack:
        hub = stack.enter_context(docker_hub(limit=HUB_LIMIT, images=entries(images)))
        rates = {"rate": scenario.rate if scenario.unknown_rate else 1.0, "account_rate": 10.0}
        fallback = stack.enter_context(ecr_public(images=entries(images, "docker/"), **rates))
        env: dict[str, str] = {}
        if scenario.rate > 1 and not scenario.unknown_rate:
            env = aws_environment(stack.enter_context(aws_endpoint()))
        if scenario.exhausted:
            hub.exhaust()
        yield Stage(hub, fallback, env)


@contextlib.contextmanager
def behind(peer: str, folder: Path, stand: Stage, scenario: Scenario) -> Iterator[str]:
    """The base URL that builds pull from. Raises :class:`peers.PeerMissing`."""
    with contextlib.ExitStack() as stack:
        match peer:
            case "none":
                yield stand.hub.url
            case "distribution":
                yield stack.enter_context(peers.distribution(folder, stand.hub.url)).url
            case "drayage":
                yield stack.enter_context(peers.drayage_mirror(folder, stand.hub)).url
            case _:
                arguments: tuple[str, ...] = ()
                if scenario.unknown_rate:
                    arguments = ("--upstream", stand.hub.url, "--fallback", f"{stand.fallback.url}/docker")
                options = peers.UnhubOptions(settings=scenario.settings, env=stand.env, arguments=arguments)
                hubs = () if scenario.unknown_rate else (stand.hub, stand.fallback)
                yield stack.enter_context(peers.unhub_mirror(folder, *hubs, options=options))[0].url


def run(scenario: Scenario, peer: str, *, builds: int = 500, seed: int = 1) -> Result:
    """One storm. Raises :class:`peers.PeerMissing`."""
    made = storm_builds(builds, seed)
    with tempfile.TemporaryDirectory(prefix="unhub-storm-") as folder, stage(scenario) as stand:
        if scenario.broken:
            break_bodies(stand, scenario.broken, seed)
        with behind(peer, Path(folder), stand, scenario) as base:
            if scenario.down:
                _warm_up_and_shut(base, stand, scenario, made)
            waits = Waits()
            started = time.monotonic()
            reasons, pulls = asyncio.run(storm(base, made, scenario.concurrency, waits, obey=scenario.obey, seconds=scenario.seconds))
            seconds = time.monotonic() - started
            return _result(scenario, peer, stand, builds=made, reasons=reasons, pulls=pulls, waits=waits, seconds=seconds)


def break_bodies(stand: Stage, share: float, seed: int) -> None:
    """Arm faults so that a share of all bodies is cut, ends early or holds wrong bytes: manifests and blobs, at both upstreams."""
    pick = random.Random(seed)
    kinds: tuple[dict[str, Any], ...] = ({"kind": "break", "bytes": 100}, {"kind": "truncate", "bytes": 100}, {"kind": "wrong-bytes"})
    for hub in (stand.hub, stand.fallback):
        for where in ({"site": "registry", "path": "/v2/*/manifests/*"}, {"site": "cdn"}):
            for position in range(600):
                if pick.random() < share:
                    fault = dict(pick.choice(kinds))
                    hub.fault(fault.pop("kind"), method="GET", after=position, **where, **fault)


def _warm_up_and_shut(base: str, stand: Stage, scenario: Scenario, builds: Sequence[Build]) -> None:
    """Every image once, with limits lifted; then nobody listens any more."""
    stand.hub.set(limit=None)
    stand.fallback.set(rate=None, account_rate=None)
    wanted = sorted({one for build in builds for one in build.images})
    reasons, _ = asyncio.run(storm(base, [Build(0, (one,)) for one in wanted], 8, Waits()))
    if reasons:
        raise RuntimeError(f"the warm-up failed: {dict(reasons)}")
    for hub in (stand.hub, stand.fallback):
        for site in ("registry", "token", "cdn") if hub.persona == "docker-hub" else ("registry", "cdn"):
            hub.listen(site, on=False)
        hub.forget()
    if scenario.settings:
        time.sleep(1.5)


def _result(
    scenario: Scenario,
    peer: str,
    stand: Stage,
    *,
    builds: Sequence[Build],
    reasons: Counter[str],
    pulls: list[float],
    waits: Waits,
    seconds: float,
) -> Result:
    hub, fallback = _gets(stand.hub), _gets(stand.fallback)
    served, fallen = [record for record in hub if record.status == 200], [record for record in fallback if record.status == 200]
    dishonest, unexplained = check_promises(waits.refusals, served + fallen)
    return Result(
        scenario=scenario.name,
        peer=peer,
        builds=len(builds),
        failed=reasons.total(),
        reasons=dict(reasons),
        distinct=2 * len({one for build in builds for one in build.images}),
        hub_gets=len(served),
        hub_refused=sum(record.status == 429 for record in hub),
        fallback_gets=len(fallen),
        fallback_refused=sum(record.status == 429 for record in fallback),
        hub_blobs=len(stand.hub.asked(site="cdn", method="GET")),
        p50=percentile(pulls, 50),
        p99=percentile(pulls, 99),
        longest=max(waits.headers, default=0.0),
        seconds=seconds,
        needless=needless_pulls(served, fallen, scenario.rate),
        refusals=len(waits.refusals),
        dishonest=dishonest,
        unexplained=unexplained,
        stale=waits.stale,
    )


def _gets(hub: Hub) -> list[Record]:
    return list(hub.asked(kind="manifest", method="GET"))


def needless_pulls(hub: Sequence[Record], fallback: Sequence[Record], rate: float) -> int:
    """Hub pulls that were spent though the fallback would have been free within five seconds.

    While the fallback's queue is that long it answers ``rate`` manifests in each second: a Hub pull after which it
    answered fewer (by more than two, for the time that an answer takes) was not needed.
    """
    times = sorted(record.time for record in fallback)
    last = max([record.time for record in hub], default=0.0)
    count = 0
    for record in hub:
        span = min(FALLBACK_HOLD, max(0.0, last - record.time))
        answered = sum(record.time - 1 / rate <= time <= record.time + span for time in times)
        count += answered < span * rate - 2
    return count


def check_promises(refusals: Sequence[Refusal], served: Sequence[Record]) -> tuple[int, int]:
    """How many 429s carried a ``Retry-After`` that was not true, and how many were about what was known already.

    True is the time when the manifest was fetched from an upstream: it is there for whoever asks from then on. A digest
    that was fetched before is known, and must not be refused.
    """
    fetched: dict[str, float] = {}
    for record in served:
        fetched.setdefault(record.path.rpartition("/")[2], record.time)
    by_tag = {(f"library/{name}", tag): made.digest for name, tag, made in storm_images()}
    dishonest = known = 0
    for refusal in refusals:
        digest = by_tag.get((refusal.repository, refusal.reference), refusal.reference)
        there = fetched.get(digest, float("inf"))
        real = there - refusal.at
        known += real < -0.5
        dishonest += abs(refusal.retry_after - real) > max(HONEST * real, GRACE)
    return dishonest, known


async def started(command: Sequence[str]) -> AsyncGenerator[str]:
    """The lines of a process."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async for line in process.stdout:
        yield line.decode()
    await process.wait()


def command(scenario: str, peer: str, builds: int, seed: int) -> list[str]:
    """How one storm is run in a process of its own, which prints its result as JSON."""
    return [sys.executable, "-m", "bench.mirror.storm", scenario, "--peer", peer, "--builds", str(builds), "--seed", str(seed)]


async def in_process(scenario: str, peer: str, builds: int, seed: int) -> Result | None:
    """One storm in a process of its own; ``None`` where the peer is missing (it said so)."""
    lines = [line async for line in started(command(scenario, peer, builds, seed))]
    if not lines:
        raise RuntimeError(f"the storm {scenario} with {peer} ended without a result")
    said = json.loads(lines[-1])
    return None if "missing" in said else Result(**said)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.mirror.storm", description="One storm; the result is printed as JSON.")
    parser.add_argument("scenario", choices=sorted(SCENARIOS))
    parser.add_argument("--peer", choices=("unhub", "none", "distribution", "drayage"), default="unhub")
    parser.add_argument("--builds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--concurrency", type=int)
    chosen = parser.parse_args()
    scenario = SCENARIOS[chosen.scenario]
    if chosen.concurrency:
        scenario = replace(scenario, concurrency=chosen.concurrency)
    try:
        print(json.dumps(asdict(run(scenario, chosen.peer, builds=chosen.builds, seed=chosen.seed))))
    except peers.PeerMissing as missing:
        print(missing, file=sys.stderr)
        print(json.dumps({"missing": str(missing)}))


if __name__ == "__main__":
    main()

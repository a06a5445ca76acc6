"""The mirror's part of docs/benchmarks.md: runs everything, and says of each goal whether it was met."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.mirror import coalescing, memory, metering, peers, speed, storm, zb
from bench.mirror.coalescing import MB
from bench.mirror.samples import Samples, ratio, table, verdict

STORM_PEERS = ("none", "distribution", "unhub")
TITLES = {"none": "no mirror", "distribution": "distribution's proxy", "drayage": "drayage", "unhub": "unhub"}


@dataclass(frozen=True, slots=True)
class Scope:
    """How much is measured: all of it, or a look of a minute."""

    runs: int = 5
    builds: int = 500
    wrk_seconds: int = 2
    slow_size: int = 32 * MB
    quick: bool = False


FULL = Scope()
QUICK = Scope(runs=1, builds=20, wrk_seconds=1, slow_size=2 * MB, quick=True)


@dataclass
class Storms:
    """Results by scenario and peer, and the peers that are missing."""

    found: dict[tuple[str, str], list[storm.Result]] = field(default_factory=dict[tuple[str, str], list[storm.Result]])
    missing: set[str] = field(default_factory=set[str])

    def add(self, scenario: str, peer: str, result: storm.Result | None) -> None:
        if result is None:
            self.missing.add(peer)
        else:
            self.found.setdefault((scenario, peer), []).append(result)


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def sections(scope: Scope) -> list[str]:
    """Everything about the mirror, in Markdown."""
    lines = ["## The mirror", "", *_about(scope)]
    for measure in (_storms, _coalescing, _manifests, _metering, _blobs, _memory, *(() if scope.quick else (_zb,))):
        say(measure.__name__.strip("_"))
        lines += ["", *measure(scope)]
    return lines


def _about(scope: Scope) -> list[str]:
    return [
        f"All in the default configuration (request log, metrics, budget on) against stand-ins on this machine. Figures are the median of {scope.runs} alternating runs, with the least and the most in brackets, unless it is said otherwise. "
        "Clients, stand-ins and servers share the same processors, so absolute figures say little; ratios are of runs of the same round. A GET of a manifest counts as one pull of Docker Hub; HEAD and blobs count nothing.",
    ]


def _storms(scope: Scope) -> list[str]:
    results = asyncio.run(_all_storms(scope))
    return [
        *_storm_table(results, scope),
        "",
        *_hard_storms(results),
        *(f"\nMissing here: {TITLES[peer]}." for peer in sorted(results.missing)),
    ]


async def _all_storms(scope: Scope) -> Storms:
    storms = Storms()
    for number in range(scope.runs):
        for peer in STORM_PEERS:
            storms.add("rate-10", peer, await storm.in_process("rate-10", peer, scope.builds, number + 1))
    if scope.quick:
        return storms
    storms.add("rate-10", "drayage", await storm.in_process("rate-10", "drayage", scope.builds, 1))
    say("storms that mostly wait, side by side")
    gate, lock = asyncio.Semaphore(6), asyncio.Lock()

    async def one(scenario: str, seed: int) -> None:
        async with gate:
            async with lock:
                await asyncio.sleep(3)
            storms.add(scenario, "unhub", await storm.in_process(scenario, "unhub", scope.builds, seed))

    waiting = [one("rate-1", number + 1) for number in range(scope.runs)]
    waiting += [one(scenario, 1) for scenario in ("crowd", "exhausted", "broken", "unknown-10", "unknown-1", "down", "down-stale")]
    await asyncio.gather(*waiting)
    return storms


def _samples(results: Sequence[storm.Result], name: str, scale: float = 1.0) -> Samples:
    return Samples([scale * getattr(result, name) for result in results])


def _storm_row(title: str, results: Sequence[storm.Result]) -> list[object]:
    return [
        title,
        _samples(results, "failed").shown(),
        _samples(results, "hub_gets").shown(),
        _samples(results, "fallback_gets").shown(),
        *(_samples(results, name).shown(1) for name in ("p50", "p99", "longest", "seconds")),
    ]


STORM_HEAD = ("", "failed builds", "Hub pulls", "fallback GETs", "image p50 s", "p99 s", "longest hold s", "whole storm s")


def _storm_table(storms: Storms, scope: Scope) -> list[str]:
    rows = [
        _storm_row(TITLES[peer] + (" (one run)" if peer == "drayage" else ""), storms.found[("rate-10", peer)])
        for peer in (*STORM_PEERS, "drayage")
        if ("rate-10", peer) in storms.found
    ]
    ours = [result for scenario in ("rate-10", "rate-1") for result in storms.found.get((scenario, "unhub"), [])]
    if slow := storms.found.get(("rate-1", "unhub")):
        rows.append(_storm_row("unhub, fallback at 1 a second", slow))
    failed, needless = sum(result.failed for result in ours), sum(result.needless for result in ours)
    fewest = all(result.hub_gets + result.fallback_gets == result.distinct for result in ours)
    reasons = {reason for key, results in storms.found.items() if key[1] == "drayage" for result in results for reason in result.reasons}
    return [
        "### The storm",
        "",
        f"{scope.builds} builds, each with 3 images of 40 × 3 tags, one after the other, 16 builds at a time; Docker Hub grants 100 pulls; ECR Public takes 10 manifests a second (unhub logs in there by itself). A client waits 30 s for headers and 120 s for a build, and never asks twice. An image is an index and a manifest, so that a pull of it counts two; {ours[0].distinct} manifests are asked for. A storm is ended after 60 s.",
        "",
        *table(STORM_HEAD, rows),
        "",
        f"Goal: no build of unhub's fails — {verdict(failed == 0)}. "
        f"Goal: a manifest is fetched once, from wherever — {verdict(fewest)}. "
        f"Goal: no Hub pull is spent that the fallback could have served within 5 s — {verdict(needless == 0)}.",
        "The storms at 1 a second wait for the fallback's slots; they, and those below, run six at a time.",
        *([f"drayage's failures: {', '.join(sorted(reasons))}."] if reasons else []),
    ]


def _hard_storms(storms: Storms) -> list[str]:
    names = ("exhausted", "down", "down-stale", "broken", "crowd", "unknown-10", "unknown-1")
    found = {name: storms.found[(name, "unhub")][0] for name in names if (name, "unhub") in storms.found}
    if "crowd" not in found:
        return []  # a quick look leaves them out
    rows = [
        [
            storm.SCENARIOS[name].about,
            result.failed,
            result.hub_gets,
            result.fallback_gets,
            result.refusals,
            result.dishonest,
            result.unexplained,
            f"{result.longest:.1f}",
            f"{result.seconds:.0f}",
        ]
        for name, result in found.items()
    ]
    head = (
        "unhub, one run each",
        "failed builds",
        "Hub pulls",
        "fallback GETs",
        "429s",
        "with an untrue Retry-After",
        "for what was known",
        "longest hold s",
        "whole storm s",
    )
    crowd = found["crowd"]
    calm = all(result.refusals == 0 for name, result in found.items() if name not in ("crowd", "unknown-1"))
    return [
        "#### Worse storms",
        "",
        *table(head, rows),
        "",
        "In the crowd clients obey `Retry-After`; it is true where the manifest was there within a fifth of the time it named (or 1.5 s). "
        f"Goal: no failed build — {verdict(not any(result.failed for result in found.values()))}; 429 only in the crowd and where nobody told the fallback's rate — {verdict(calm)}; "
        f"none for a digest that was known — {verdict(crowd.unexplained == 0)}; an honest `Retry-After` — {crowd.refusals - crowd.dishonest} of {crowd.refusals}.",
    ]


def _coalescing(scope: Scope) -> list[str]:
    clients = 50 if scope.quick else coalescing.CLIENTS
    size = 4 * MB if scope.quick else 32 * MB
    lines = [
        "### Many cold clients of one image",
        "",
        f"{clients} clients at once, one image of {size // MB} MB (2 manifests, a configuration and a layer), 50 ms latency at the upstream.",
        "",
    ]
    rows: list[list[object]] = []
    ours: coalescing.Seen | None = None
    for peer in ("unhub", "distribution", "drayage"):
        try:
            seen = coalescing.counts(peer, clients, size)
        except peers.PeerMissing as missing:
            rows.append([TITLES[peer], f"missing: {missing}", "", ""])
            continue
        ours = seen if peer == "unhub" else ours
        rows.append([TITLES[peer], seen.manifests, seen.blobs, seen.failed])
    lines += table(("", "GETs of manifests upstream", "GETs of blobs upstream", "failed clients"), rows)
    assert ours is not None
    lines += ["", f"Goal: one GET a manifest and one a blob — {verdict((ours.manifests, ours.blobs, ours.failed) == (2, 2, 0))}.", ""]
    return [*lines, *_slow(scope, clients)]


def _slow(scope: Scope, clients: int) -> list[str]:
    slow = coalescing.slow_upstream(1e6, scope.slow_size, 1, clients=clients)
    fast = coalescing.slow_upstream(20e6, scope.slow_size, scope.runs, clients=clients, warm=True)
    first = coalescing.first_byte(scope.runs)
    against, share = ratio(slow.slowest, slow.alone), ratio(fast.cold_rate, fast.warm_rate)
    later = Samples([one - other for one, other in zip(first.mirror.values, first.upstream.values, strict=True)])
    rows = [
        [
            f"upstream at 1 MB/s, {clients} clients (one run): the slowest client against one client alone",
            against.shown(2) + "×",
            "≤ 1.2×",
            verdict(against.median <= 1.2),
        ],
        [f"upstream at 20 MB/s, {clients} clients: MB/s of all together, cold", fast.cold_rate.shown(), "", ""],
        ["the same when it is stored", fast.warm_rate.shown(), "", ""],
        ["cold against stored", share.shown(2) + "×", "≥ 0.5×", verdict(share.median >= 0.5)],
        [
            "time to the first byte of a cold layer, one client, beyond the upstream's own: ms",
            later.shown(),
            "≤ 20",
            verdict(later.median <= 20),
        ],
        ["failed downloads", slow.failed + fast.failed, "0", verdict(slow.failed + fast.failed == 0)],
    ]
    return table(("", "figure", "goal", ""), rows)


def _manifests(scope: Scope) -> list[str]:
    speeds = speed.manifests(scope.runs, scope.wrk_seconds)
    found = speeds.figures
    ours = found["unhub"]
    rows = [[name, figures.shown(), ratio(ours, figures).shown(2)] for name, figures in found.items()]
    lines = [
        "### Manifest by tag, warm",
        "",
        f"wrk with 1 thread and {speed.CONNECTIONS} connections, {scope.wrk_seconds} s a run. nginx has one worker and serves the same bytes as a file, with an access log; unhub has one worker, the default.",
        "",
    ]
    lines += [*table(("", "requests a second", "unhub against it"), rows), *_missing(speeds), ""]
    goals = (("drayage, a line a request", 1.0), ("distribution", 15.0), ("nginx, a file", 0.45))
    told = [
        f"≥ {least:g}× {name}: {ratio(ours, found[name]).median:.2f}× — {verdict(ratio(ours, found[name]).median >= least)}"
        for name, least in goals
        if name in found
    ]
    cost = 100 * (ratio(found["unhub, no request log"], ours).median - 1)
    return [*lines, f"Goals: {'; '.join(told)}. The request log costs {cost:.0f} % of the requests a second here."]


def _metering(scope: Scope) -> list[str]:
    alone, whole = metering.in_process(scope.runs).figures, metering.whole(scope.runs, scope.wrk_seconds).figures
    request = Samples([1e6 / rate for rate in whole[metering.METERED].values])
    meters = Samples([a - b for a, b in zip(alone[metering.METERED].values, alone[metering.WITHOUT].values, strict=True)])
    share = Samples([100 * part for part in ratio(meters, request).values])
    slower = Samples([100 * (1 - one) for one in ratio(whole[metering.HELD], whole[metering.METERED]).values])
    return [
        "### Metering and terms",
        "",
        f"The app of a worker without a server answers {metering.REQUESTS:,} times a manifest that is ready, to twenty addresses; then wrk asks whole mirrors, as above. The terms' figures are out of reach: everything is looked up, nobody is refused.",
        "",
        *table(
            ("", "µs a request, the app alone", "requests a second, whole"),
            [[name, alone[name].shown(2), whole[name].shown() if name in whole else ""] for name in alone],
        ),
        "",
        f"Metering takes {meters.shown(2)} µs of the {request.shown(1)} µs of a request: {share.shown(1)} %. Goal: under 10 % — {verdict(share.median < 10)}. Terms cost {slower.shown(0)} % of the requests a second.",
    ]


def _blobs(scope: Scope) -> list[str]:
    size = (64 if scope.quick else 256) * MB
    speeds = speed.blobs(scope.runs, size)
    rows = []
    for name, figures in speeds.figures.items():
        base = speeds.figures.get("nginx, TLS" if name.endswith("TLS") else "nginx")
        rows.append([name, figures.shown(), ratio(figures, base).shown(2) if base else ""])
    lines = [f"### A blob of {size // MB} MB, warm", "", "One connection, curl. nginx sends with `sendfile`.", ""]
    lines += [*table(("", "MB a second", "against nginx"), rows), *_missing(speeds), ""]
    told = []
    for suffix in ("", ", TLS"):
        if f"nginx{suffix}" in speeds.figures:
            share = ratio(speeds.figures[f"unhub{suffix}"], speeds.figures[f"nginx{suffix}"]).median
            told.append(f"nginx's speed{suffix or ', plain'}: {share:.2f}× — {verdict(share >= 0.95)}")
    return [*lines, f"Goals: {'; '.join(told)}."] if told else lines


def _missing(speeds: speed.Speeds) -> list[str]:
    return [f"\nMissing here: {name} ({why})." for name, why in speeds.missing.items()]


def _memory(scope: Scope) -> list[str]:
    clients = 200 if scope.quick else memory.CLIENTS
    found = memory.thousand_pulls(clients)
    rows = [
        ["at rest", f"{found.rest / 1e6:.0f}"],
        [f"{clients} slow clients of a stored blob", f"{found.warm / 1e6:.0f}"],
        [f"{clients} slow clients of a blob on its way", f"{found.cold / 1e6:.0f}"],
    ]
    most = max(found.warm, found.cold) / 1e6
    return [
        "### Memory",
        "",
        f"MB of all processes together (what they share is counted once), one run; every client takes {memory.SLOWLY:g} s for 4 MB or longer; {found.failed} failed.",
        "",
        *table(("", "MB"), rows),
        "",
        f"Goal: {clients} concurrent pulls under 250 MB: {most:.0f} MB — {verdict(most < 250 and not found.failed)}.",
    ]


def _zb(scope: Scope) -> list[str]:
    cases = [case for case in zb.CASES if not scope.quick or all(size < 100 * MB for size, _ in case.sizes)]
    found, missing = zb.compare(cases)
    names = list(found)
    rows = []
    for case in cases:
        row: list[object] = [case.name]
        for name in names:
            one = found[name][case.name][0]
            row.append(f"{one.rate:,.1f} ({one.p50:,.0f}, {one.p99:,.0f})" + (f", {one.failed} failed" if one.failed else ""))
        rows.append(row)
    lines = [
        "### zb's cases",
        "",
        "The names of zot's benchmark `zb`, a client of our own in Python, 2 at a time, one run: requests a second (p50 and p99 in ms). A request is a whole push or pull.",
        "",
    ]
    lines += [*table(("", *names), rows), *(f"\nMissing here: {name} ({why})." for name, why in missing.items()), ""]
    told = []
    for size in (100 * MB,) if scope.quick else (100 * MB, 1024 * MB):
        first, total = zb.on_demand(size)
        told.append(f"{size // MB} MB: first byte after {1000 * first:.0f} ms, all of it after {total:.1f} s")
    return [*lines, f"On-demand Sync: {'; '.join(told)}."]

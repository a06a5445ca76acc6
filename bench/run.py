"""`make bench`: measures everything and writes docs/benchmarks.md; ``python -m bench.run --help`` tells what can be left out."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]


def commit() -> str:
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def scan(*, quick: bool) -> list[str]:
    from bench.scan import sections

    return sections(quick=quick)


def verify(*, quick: bool) -> list[str]:
    from bench.verify import LATENCY, REFERENCES, measure

    seconds, requests = measure()
    return [
        "## Verification",
        "",
        f"`unhub verify` of {REFERENCES} references, each at two registries of this machine that answer after {LATENCY * 1000:.0f} ms, one run: {seconds:.1f} s, {requests} requests.",
    ]


def mirror(*, quick: bool) -> list[str]:
    from bench.mirror.report import FULL, QUICK, sections

    return sections(QUICK if quick else FULL)


PARTS: dict[str, Callable[..., list[str]]] = {"scan": scan, "verify": verify, "mirror": mirror}


def head(began: float, *, quick: bool) -> list[str]:
    spent = time.monotonic() - began
    load = os.getloadavg()[2]
    return [
        "# Benchmarks",
        "",
        f"Written by `make bench` at commit `{commit()}` on {platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, in {spent / 60:.0f} minutes (load average {load:.1f}).",
        "Whole processes, alternating runs after a warm-up, the default configuration. Times vary with the machine; the ratios are the point.",
        *(["", "**A quick look: one run of everything, and less of it.**"] if quick else []),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description="Measure, and write docs/benchmarks.md.")
    parser.add_argument("--quick", action="store_true", help="one run of everything, and less of it; printed only")
    parser.add_argument("--only", choices=sorted(PARTS), action="append", help="measure this part only (repeatable); printed only")
    chosen = parser.parse_args()
    began = time.monotonic()
    lines: list[str] = []
    for name, part in PARTS.items():
        if chosen.only and name not in chosen.only:
            continue
        print(f"bench: {name}", file=sys.stderr, flush=True)
        lines += ["", *part(quick=chosen.quick)]
    text = "\n".join([*head(began, quick=chosen.quick), *lines, ""])
    if not chosen.quick and not chosen.only:
        (ROOT / "docs" / "benchmarks.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()

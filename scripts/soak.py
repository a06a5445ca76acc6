"""``make soak``: the long tests, recorded in docs/soak.json with commit, seed, counts and durations.

Every count is an option (``--kills N``, ``--hostile N``, …) that makes it shorter or longer; ``--seed N`` repeats a run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.faults.kills import FILES, kill_once, project, recover
from tests.faults.meter_kills import kill_workers
from tests.faults.mirror_kills import kill_many

ROOT = Path(__file__).parent.parent


def kills(count: int, seed: int) -> dict[str, object]:
    """Kill a writing run ``count`` times; each must leave whole files, and the next command must put things right."""
    chance = random.Random(seed)
    seen: Counter[str] = Counter()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = project(Path(name) / "project")
        for number in range(count):
            left = kill_once(folder, chance)
            by_undo = chance.random() < 0.5
            after = recover(folder, left, by_undo=by_undo)
            whole = left.moved + left.unmoved == FILES
            right = (after.unmoved if by_undo else after.moved) == FILES and not after.others
            seen["in the middle of the renames" if left.in_the_middle else "before or after the renames"] += 1
            seen["failed"] += not (whole and right)
            if not (whole and right):
                print(f"kill {number}: {left}, then {after}", file=sys.stderr)
            if not by_undo:
                recover(folder, after, by_undo=True)
    return {"kills": count, "seed": seed, **seen, "seconds": round(time.monotonic() - start, 1)}


def examples(count: int, seed: int) -> dict[str, object]:
    """Run the property tests with ``count`` examples each."""
    start = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests",
        "-m",
        "hypothesis",
        "-n",
        "auto",
        f"--hypothesis-seed={seed}",
        "-p",
        "no:cacheprovider",
    ]
    environment = {**os.environ, "UNHUB_SOAK_EXAMPLES": str(count)}
    done = subprocess.run([*command, "--hypothesis-profile=soak"], cwd=ROOT, check=False, capture_output=True, text=True, env=environment)
    print(done.stdout[-2000:])
    closing = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "no output"
    seconds = round(time.monotonic() - start, 1)
    return {"examples of each property": count, "seed": seed, "failed": int(done.returncode != 0), "result": closing, "seconds": seconds}


def longer(what: str, variable: str, count: int, seed: int, *tests: str) -> dict[str, object]:
    """Run tests whose length a variable of the environment says, with examples that were not tried before."""
    start = time.monotonic()
    command = [sys.executable, "-m", "pytest", *tests, "-n", "0", f"--hypothesis-seed={seed}", "-p", "no:cacheprovider"]
    environment = {**os.environ, variable: str(count)}
    done = subprocess.run([*command, "--hypothesis-profile=soak"], cwd=ROOT, check=False, capture_output=True, text=True, env=environment)
    print(done.stdout[-2000:])
    return {what: count, "seed": seed, "failed": int(done.returncode != 0), "seconds": round(time.monotonic() - start, 1)}


def hostile(count: int, seed: int) -> dict[str, object]:
    """Requests that nobody means well with, to ECR Public's API and to the token service, ``count`` each."""
    return longer("requests each", "UNHUB_HOSTILE_REQUESTS", count, seed, "tests/protocol/test_hostile_api.py")


def one_truth(count: int, seed: int) -> dict[str, object]:
    """Whether API and registry show the same, whatever was done through them: ``count`` lives of a few repositories."""
    return longer("lives", "UNHUB_TRUTH_EXAMPLES", count, seed, "tests/truth")


def mirror_kills(count: int, seed: int) -> dict[str, object]:
    """Kill a mirror ``count`` times under pushes and pulls; what was acknowledged must stay, and ``cache fsck`` find nothing wrong."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        report = kill_many(Path(name), count, seed)
    for failure in report.failures:
        print(failure, file=sys.stderr)
    seen = {f"of {victim}": number for victim, number in report.kills.most_common()}
    done = {"whole answers": report.pulled, "answers cut off": report.cut, "pushes acknowledged": len(report.pushed)}
    found = {"left over, harmless": report.left_over, "failed": len(report.failures)}
    return {"kills": count, "seed": seed, **seen, **done, **found, "seconds": round(time.monotonic() - start, 1)}


def meter_kills(count: int, seed: int) -> dict[str, object]:
    """Kill workers ``count`` times under pulls; the meters may miss what these answered in their last second, and nothing else."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        rounds = kill_workers(Path(name), count, seed)
    failures = [one.failure for one in rounds if one.failure is not None]
    for failure in failures:
        print(failure, file=sys.stderr)
    done = {"pulls answered": sum(len(one.answered) for one in rounds), "pulls lost": sum(one.missing for one in rounds)}
    return {"kills": count, "seed": seed, **done, "failed": len(failures), "seconds": round(time.monotonic() - start, 1)}


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=500)
    options.add_argument("--mirror-kills", type=int, default=200)
    options.add_argument("--meter-kills", type=int, default=50)
    options.add_argument("--hostile", type=int, default=10_000)
    options.add_argument("--lives", type=int, default=100)
    options.add_argument("--examples", type=int, default=5000)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    chosen = options.parse_args()
    record = {
        "commit": git("rev-parse", "HEAD"),
        "changed": bool(git("status", "--porcelain", "--untracked-files=no")),
        "properties": examples(chosen.examples, chosen.seed),
        "kills": kills(chosen.kills, chosen.seed),
        "kills of the mirror": mirror_kills(chosen.mirror_kills, chosen.seed),
        "kills of workers under meters": meter_kills(chosen.meter_kills, chosen.seed),
        "hostile requests": hostile(chosen.hostile, chosen.seed),
        "one truth behind all doors": one_truth(chosen.lives, chosen.seed),
    }
    (ROOT / "docs" / "soak.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(json.dumps(record, indent=2))
    return int(any(isinstance(part, dict) and part["failed"] for part in record.values()))


if __name__ == "__main__":
    sys.exit(main())

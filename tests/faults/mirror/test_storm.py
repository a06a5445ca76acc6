"""A small storm of builds against the running mirror, from a seed: who fails, and what is spent. `make bench` has the large one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.mirror.client import Waits
from bench.mirror.content import Build, entries, storm_builds, storm_images
from bench.mirror.storm import Stage, break_bodies, storm

from tests.hub import docker_hub, ecr_public
from tests.mirror import Mirror, running_mirror

BUILDS, SEED, AT_ONCE = 60, 5, 16
IMAGES = storm_images()[:36]
"""Images that these storms pull, two manifests each: fewer than the Hub grants pulls for would hide what is measured."""


@dataclass
class Standing:
    mirror: Mirror
    stage: Stage

    def storm(self, builds: list[Build], *, obey: bool = False) -> tuple[dict[str, int], Waits]:
        """Why builds failed, and what clients saw."""
        waits = Waits()
        reasons, _ = asyncio.run(storm(self.mirror.url, builds, AT_ONCE, waits, obey=obey, seconds=60.0))
        return dict(reasons), waits

    @property
    def pulls(self) -> int:
        return self.stage.hub.counts.total

    @property
    def fallback_gets(self) -> int:
        return len(self.stage.fallback.asked(kind="manifest", method="GET", status=200))


@contextlib.contextmanager
def standing(folder: Path, *, limit: int = 20, without: int = 0) -> Iterator[Standing]:
    """A mirror between a Hub of few pulls and a fallback that lacks the first ``without`` images."""
    with (
        docker_hub(limit=limit, images=entries(IMAGES)) as hub,
        ecr_public(images=entries(IMAGES[without:], "docker/")) as fallback,
        running_mirror(folder, hub, fallback) as mirror,
    ):
        yield Standing(mirror, Stage(hub, fallback, {}))


def builds() -> list[Build]:
    """60 builds of three images each, all of them among those that are there."""
    known = {(f"library/{name}", tag) for name, tag, _ in IMAGES}
    wanted = [one for build in storm_builds(900, SEED) for one in build.images if one in known]
    return [Build(number, tuple(wanted[3 * number : 3 * number + 3])) for number in range(BUILDS)]


def distinct(wanted: list[Build]) -> int:
    """Manifests that these builds need: an index and an image for each tag."""
    return 2 * len({one for build in wanted for one in build.images})


def test_no_pull_is_spent_where_the_fallback_keeps_up_and_then_nobody_is_needed(tmp_path: Path) -> None:
    wanted = builds()
    with standing(tmp_path) as site:
        failed, waits = site.storm(wanted)
        assert (failed, waits.refusals) == ({}, [])
        assert (site.pulls, site.fallback_gets) == (0, distinct(wanted))
        for hub, sites in ((site.stage.hub, ("registry", "token", "cdn")), (site.stage.fallback, ("registry", "cdn"))):
            for name in sites:
                hub.listen(name, on=False)
        failed, waits = site.storm(wanted[: BUILDS // 2])
        assert (failed, waits.refusals) == ({}, [])


def test_the_hub_is_asked_only_for_what_the_fallback_lacks(tmp_path: Path) -> None:
    wanted = builds()
    lacking = {(f"library/{name}", tag) for name, tag, _ in IMAGES[:8]}
    asked = 2 * len({one for build in wanted for one in build.images} & lacking)
    with standing(tmp_path, without=8) as site:
        failed, waits = site.storm(wanted)
        assert (failed, waits.refusals) == ({}, [])
        assert site.pulls == asked
        assert 0 < site.fallback_gets == distinct(wanted) - asked


def test_an_exhausted_hub_and_broken_bodies_fail_no_build(tmp_path: Path) -> None:
    wanted = builds()
    with standing(tmp_path) as site:
        site.stage.hub.exhaust()
        break_bodies(site.stage, 0.05, SEED)
        failed, waits = site.storm(wanted)
        assert (failed, waits.refusals) == ({}, [])
        assert site.pulls == 0
        broken = [record for record in (*site.stage.hub.requests, *site.stage.fallback.requests) if record.faults]
        assert len(broken) >= 5

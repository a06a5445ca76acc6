"""What a stranger, or an unlucky moment, could do to the core: what must not be poisoned, told, or forgotten."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.mirror.core import Core, Login, with_core
from tests.hub import docker_hub, ecr_public, small_image
from unhub.demo.catalogue import Entry
from unhub.demo.settings import Account
from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.mirror.fetcher import Fetcher
from unhub.mirror.freshness import Freshness, FreshnessRule
from unhub.mirror.source import PAUSE_MAX
from unhub.store.records import RepositoryKey

APP = RepositoryKey("docker", "library/app")
IMAGE = small_image("app")
IMAGES = [Entry("library/app", "1", IMAGE)]
ACCOUNTS = (Account(name="ada", password="pw"),)
LOGIN = Login("ada", "pw")
HOURLY = Freshness((FreshnessRule("*", 1.0),), stale_while_revalidate=0.0)


async def refused(work: object) -> ServeError:
    with pytest.raises(ServeError) as caught:
        await work  # type: ignore[misc]
    return caught.value


def test_who_asks_for_a_layer_as_a_manifest_does_not_make_it_vanish(tmp_path: Path) -> None:
    """Negative answers are kept apart by what was asked for: otherwise anybody could stop a cold pull for a minute, again and again."""
    layer, manifest = Digest.parse(IMAGE.layers[0]), Digest.parse(IMAGE.digest)
    with docker_hub(images=IMAGES) as hub:

        async def work(core: Core) -> None:
            assert (await refused(core.pull.manifest(APP, layer))).status == 404
            assert (await refused(core.pull.blob(APP, manifest))).status == 404
            assert (await core.pull.manifest(APP, manifest)).manifest.digest == manifest
            assert (await core.pull.blob(APP, layer)).flight is not None

        with_core(tmp_path, hub, None, work)


def test_a_tag_that_was_withdrawn_counts_with_a_login_too(tmp_path: Path) -> None:
    """The anonymous question comes first there; its 404 is one of a healthy upstream like any other."""
    with docker_hub(images=IMAGES, accounts=ACCOUNTS) as hub:

        async def work(core: Core) -> None:
            await core.pull.manifest(APP, "1")
            hub.remove("library/app:1")
            core.clock.ahead += 25 * 3600.0
            for _ in range(2):
                assert (await core.pull.manifest(APP, "1")).stale is not None
                core.clock.ahead += 11 * 60.0
            core.clock.ahead += 24 * 3600.0
            assert (await refused(core.pull.manifest(APP, "1"))).status == 404

        with_core(tmp_path, hub, None, work, credentials=LOGIN, freshness=HOURLY)


def test_what_turned_private_is_told_by_no_list_even_while_nobody_can_be_asked(tmp_path: Path) -> None:
    with docker_hub(images=IMAGES, accounts=ACCOUNTS) as hub:
        manifest, layer = Digest.parse(IMAGE.digest), Digest.parse(IMAGE.layers[0])

        async def work(core: Core) -> None:
            await core.pull.manifest(APP, "1")
            flight = (await core.pull.blob(APP, layer)).flight
            assert flight is not None
            while await core.pull.holds(APP, layer) is None:
                await asyncio.sleep(0.01)
            await core.metadata.repositories.set_public(APP, False, core.clock.now())
            core.memory.clear()
            hub.listen("registry", on=False)
            for question in (
                core.pull.manifest(APP, "1"),
                core.pull.manifest(APP, manifest),
                core.pull.blob(APP, layer),
                core.pull.tags(APP),
            ):
                assert (await refused(question)).status in (404, 503)
            assert await core.pull.referrers(APP, manifest, None) == []
            assert await core.pull.holds(APP, layer) is None, "nor can it be mounted"

        with_core(tmp_path, hub, None, work, credentials=LOGIN)


def test_many_who_list_at_once_ask_the_upstream_once(tmp_path: Path) -> None:
    with docker_hub(images=IMAGES, latency=0.1) as hub:

        async def work(core: Core) -> None:
            lists = await asyncio.gather(*(core.pull.tags(APP) for _ in range(50)))
            assert [found for found, _ in lists] == [["1"]] * 50
            assert len([one for one in hub.asked(kind="tags") if one.status == 200]) == 1

        with_core(tmp_path, hub, None, work)


def test_a_crowd_of_names_is_put_off_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flights are bounded: names cost a stranger nothing, and each flight costs memory, and a question to the upstream."""
    monkeypatch.setattr("unhub.mirror.fetcher.FLIGHTS_MAX", 5)
    with docker_hub(images=IMAGES, latency=0.3) as hub:

        async def work(core: Core) -> None:
            core.fetcher = Fetcher(
                core.fetcher.upstreams, core.metadata, core.fetcher.manifests, core.fetcher.blobs, core.fetcher.ledger,
                now=core.clock.now, clock=core.clock.monotonic,
            )  # fmt: skip
            found = await asyncio.gather(*(core.fetcher.tag(APP, f"none-{number}") for number in range(30)), return_exceptions=True)
            statuses = [error.status for error in found if isinstance(error, ServeError)]
            assert statuses.count(503) == 25
            assert statuses.count(404) == 5
            assert all(error.retry_after for error in found if isinstance(error, ServeError) and error.status == 503)
            await core.fetcher.close()

        with_core(tmp_path, hub, None, work)


def test_an_upstream_cannot_shut_itself_off_for_days(tmp_path: Path) -> None:
    """A Retry-After of a week, by mistake or malice, is believed for an hour; then one free question finds out."""
    with docker_hub(images=IMAGES) as hub, ecr_public(images=[]) as ecr:
        hub.fault("status", status=429, headers={"Retry-After": "604800"}, text="Too Many Requests", site="registry", count=None)

        async def work(core: Core) -> None:
            error = await refused(core.pull.manifest(APP, "1"))
            assert error.status == 429
            assert error.retry_after is not None
            assert error.retry_after <= PAUSE_MAX
            hub.clear_faults()
            core.clock.ahead += PAUSE_MAX + 1
            assert (await core.pull.manifest(APP, "1")).manifest.digest == Digest.parse(IMAGE.digest)

        with_core(tmp_path, hub, ecr, work, hold=1.0)


def test_tokens_that_their_own_registry_calls_invalid_say_nothing_about_a_repository(tmp_path: Path) -> None:
    """Nothing is gone: what is kept stays for as long as for any other failure, and a cold pull is asked to come again."""
    with docker_hub(images=IMAGES) as hub:

        async def work(core: Core) -> None:
            await core.pull.manifest(APP, "1")
            hub.fault("expired-token", site="registry", count=None)
            core.clock.ahead += 25 * 3600.0
            for _ in range(3):
                assert (await core.pull.manifest(APP, "1")).stale is not None
                core.clock.ahead += 24 * 3600.0
            tag = await core.metadata.manifests.tag(APP, "1")
            assert tag is not None
            assert tag.gone_count == 0
            assert (await refused(core.pull.manifest(APP, "2"))).status == 503

        with_core(tmp_path, hub, None, work, freshness=HOURLY, hold=1.0)


def test_a_content_network_that_fails_leaves_manifests_alone(tmp_path: Path) -> None:
    with docker_hub(images=[*IMAGES, Entry("library/app", "2", small_image("two"))]) as hub:

        async def work(core: Core) -> None:
            await core.pull.manifest(APP, "1")
            hub.listen("cdn", on=False)
            for _ in range(3):
                assert (await refused(core.pull.blob(APP, Digest.parse(IMAGE.layers[0])))).status == 503
            assert (await core.pull.manifest(APP, "2")).fetched

        with_core(tmp_path, hub, None, work)

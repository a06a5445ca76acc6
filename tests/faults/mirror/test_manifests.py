"""The way of a manifest: the fewest pulls, and an answer whenever anybody has one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.mirror.core import NODE, TAG, Clock, Core, Login, with_core
from tests.hub import docker_hub, ecr_public, small_index
from unhub.demo.catalogue import Entry
from unhub.demo.settings import Account
from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.mirror.pull import ManifestAnswer
from unhub.store.records import RepositoryKey

DAY = 86_400.0


async def pulled(core: Core, key: RepositoryKey = NODE, tag: str = TAG) -> ManifestAnswer:
    """A pull as docker does it: the index, the image of one platform, its blobs."""
    answer = await core.pull.manifest(key, tag)
    children = answer.manifest.manifest.images
    if children:
        child = await core.pull.manifest(key, children[0].digest)
        manifest = child.manifest.manifest
        assert manifest.config is not None
        for blob in (manifest.config, *manifest.layers):
            assert len(await core.read(key, blob.digest)) == blob.size
    return answer


def test_a_cold_pull_costs_no_pull_where_a_fallback_has_the_digest(tmp_path: Path) -> None:
    with docker_hub() as hub, ecr_public() as ecr:

        async def work(core: Core) -> None:
            answer = await pulled(core)
            assert answer.stale is None
            assert hub.counts.total == 0, "HEAD told the digest, the fallback gave it"
            assert core.fetcher.manifests.counts.saved_pulls == 2

        with_core(tmp_path, hub, ecr, work)


def test_without_a_fallback_each_manifest_is_one_pull(tmp_path: Path) -> None:
    with docker_hub() as hub:

        async def work(core: Core) -> None:
            await pulled(core)
            await pulled(core)
            assert hub.counts.total == 2
            assert core.fetcher.ledger.remaining("docker", "") == 98

        with_core(tmp_path, hub, None, work)


def test_a_warm_pull_asks_nobody(tmp_path: Path) -> None:
    with docker_hub() as hub, ecr_public() as ecr:

        async def work(core: Core) -> None:
            await pulled(core)
            hub.forget()
            ecr.forget()
            for _ in range(3):
                await pulled(core)
            core.memory.clear()
            await pulled(core)
            assert hub.requests == ()
            assert ecr.requests == ()

        with_core(tmp_path, hub, ecr, work)


def test_many_cold_clients_are_one_flight(tmp_path: Path) -> None:
    with docker_hub(latency=0.05) as hub:

        async def work(core: Core) -> None:
            answers = await asyncio.gather(*(pulled(core) for _ in range(50)))
            assert len({answer.manifest.digest for answer in answers}) == 1
            assert hub.counts.total == 2
            assert len(hub.asked(kind="blob", site="registry", method="GET")) == len(
                {record.path for record in hub.asked(kind="blob", site="registry")}
            )

        with_core(tmp_path, hub, None, work)


def test_a_client_that_leaves_cancels_nothing(tmp_path: Path) -> None:
    with docker_hub(latency=0.2) as hub:

        async def work(core: Core) -> None:
            first = asyncio.ensure_future(core.pull.manifest(NODE, TAG))
            await asyncio.sleep(0.05)
            second = asyncio.ensure_future(core.pull.manifest(NODE, TAG))
            await asyncio.sleep(0.05)
            first.cancel()
            assert (await second).manifest.data
            assert hub.counts.total == 1

        with_core(tmp_path, hub, None, work)


def test_what_is_stale_is_served_at_once_and_asked_for_by_head_alone(tmp_path: Path) -> None:
    clock = Clock()
    with docker_hub() as hub:

        async def work(core: Core) -> None:
            await pulled(core)
            hub.forget()
            clock.ahead = 1.2 * DAY
            answer = await core.pull.manifest(NODE, TAG)
            assert answer.stale is None
            assert answer.age is not None
            assert answer.age > DAY
            while not hub.asked(kind="manifest"):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            assert {record.method for record in hub.asked(kind="manifest")} == {"HEAD"}
            assert hub.counts.total == 2, "the two of the first pull"
            assert (await core.pull.manifest(NODE, TAG)).age == pytest.approx(0, abs=5)

        with_core(tmp_path, hub, None, work, clock=clock)


def test_a_tag_that_moved_is_new_after_the_background_look_and_costs_no_pull_with_a_fallback(tmp_path: Path) -> None:
    clock = Clock()
    old, new = small_index("old"), small_index("new")
    with docker_hub(images=[Entry("library/app", "1", old)]) as hub, ecr_public(images=[Entry("docker/library/app", "1", new)]) as ecr:
        key = RepositoryKey("docker", "library/app")

        async def work(core: Core) -> None:
            assert (await core.pull.manifest(key, "1")).manifest.data == old.root.data
            hub.add(new, "library/app:1")
            clock.ahead = 4000
            assert (await core.pull.manifest(key, "1")).manifest.data == old.root.data, "served at once"
            for _ in range(100):
                await asyncio.sleep(0.02)
                core.memory.clear()
                if (await core.pull.manifest(key, "1")).manifest.data == new.root.data:
                    break
            else:
                pytest.fail("the new digest never came")
            assert hub.counts.total == 1, "only the old one, which the fallback did not have"

        with_core(tmp_path, hub, ecr, work, clock=clock)


REFUSALS = {
    "the pull limit": {"kind": "limit", "limit": "pulls", "path": "*/manifests/*", "count": None},
    "the abuse limit": {"kind": "limit", "limit": "abuse", "count": None},
    "a server's error": {"kind": "status", "status": 500, "count": None},
    "a bad gateway's page": {"kind": "html", "status": 502, "count": None},
    "a firewall's page": {"kind": "html", "status": 403, "site": "registry", "count": None},
    "cut connections": {"kind": "reset", "count": None},
    "no answer in time": {"kind": "delay", "seconds": 5.0, "count": None},
    "a token service that is down": {"kind": "status", "status": 503, "site": "token", "count": None},
    "garbage": {"kind": "garbage", "path": "*/manifests/*", "count": None},
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_whatever_the_upstream_says_what_is_kept_is_served(tmp_path: Path, refusal: str) -> None:
    clock = Clock()
    with docker_hub(token_seconds=1) as hub:

        async def work(core: Core) -> None:
            kept = await pulled(core)
            await asyncio.sleep(1.1)  # so that the token must be fetched anew
            hub.fault(**REFUSALS[refusal])  # pyright: ignore[reportArgumentType]
            clock.ahead = 10 * DAY
            answer = await core.pull.manifest(NODE, TAG)
            assert answer.manifest.digest == kept.manifest.digest
            assert answer.stale
            assert answer.age is not None
            assert answer.age >= 10 * DAY - 10

        with_core(tmp_path, hub, None, work, clock=clock, revalidate=0.5)


def test_an_upstream_that_is_gone_is_no_reason_to_fail_and_thirty_days_are(tmp_path: Path) -> None:
    clock = Clock()
    with docker_hub() as hub:

        async def work(core: Core) -> None:
            await pulled(core)
            with hub.refusing():
                clock.ahead = 29 * DAY
                assert (await core.pull.manifest(NODE, TAG)).stale
                clock.ahead = 31 * DAY
                with pytest.raises(ServeError) as refused:
                    await core.pull.manifest(NODE, TAG)
                assert refused.value.status == 503

        with_core(tmp_path, hub, None, work, clock=clock, hold=0.5)


def test_an_exhausted_hub_is_no_reason_to_fail_where_a_fallback_has_it(tmp_path: Path) -> None:
    with docker_hub(limit=0) as hub, ecr_public() as ecr:

        async def work(core: Core) -> None:
            await pulled(core)
            assert hub.counts.total == 0

        with_core(tmp_path, hub, ecr, work)


@pytest.mark.parametrize("refusal", ["the abuse limit", "cut connections", "a token service that is down", "a firewall's page"])
def test_where_the_hub_says_nothing_the_fallback_is_believed_by_tag_for_a_minute(tmp_path: Path, refusal: str) -> None:
    clock = Clock()
    with docker_hub() as hub, ecr_public() as ecr:
        hub.fault(**REFUSALS[refusal])  # pyright: ignore[reportArgumentType]

        async def work(core: Core) -> None:
            await pulled(core)
            tag = await core.metadata.manifests.tag(NODE, TAG)
            assert tag is not None
            assert tag.source == "ecr-public by tag"
            assert core.upstream.rules.freshness.fresh_until(tag) - tag.checked_at <= 60

        with_core(tmp_path, hub, ecr, work, clock=clock)


def test_nothing_anywhere_is_an_honest_refusal_after_the_hold(tmp_path: Path) -> None:
    with docker_hub(limit=0, window=3600) as hub:

        async def work(core: Core) -> None:
            begin = core.clock.monotonic()
            with pytest.raises(ServeError) as refused:
                await core.pull.manifest(NODE, TAG)
            assert 0.9 <= core.clock.monotonic() - begin <= 3
            assert (refused.value.status, refused.value.registry_code) == (429, "TOOMANYREQUESTS")
            assert refused.value.retry_after is not None
            assert 0 < refused.value.retry_after <= 3601
            assert "pull limit" in refused.value.message

        with_core(tmp_path, hub, None, work, hold=1.0)


def test_what_was_fetched_is_refused_to_nobody_though_it_is_not_stored_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is busy at the very end of the hold."""
    with docker_hub() as hub:

        async def work(core: Core) -> None:
            put = core.metadata.manifests.put

            async def late(*arguments: Any, **options: Any) -> None:
                await asyncio.sleep(1.5)
                await put(*arguments, **options)

            monkeypatch.setattr(core.metadata.manifests, "put", late)
            assert (await core.pull.manifest(NODE, TAG)).manifest.data

        with_core(tmp_path, hub, None, work, hold=1.0)


def test_pulls_that_come_back_during_the_hold_end_it(tmp_path: Path) -> None:
    with docker_hub(limit=0, window=21_600) as hub:

        async def work(core: Core) -> None:
            waiting = asyncio.ensure_future(core.pull.manifest(NODE, TAG))
            await asyncio.sleep(0.5)
            hub.set(limit=100)
            assert (await waiting).manifest.data

        with_core(tmp_path, hub, None, work, hold=20.0)


def test_a_fallback_is_asked_at_its_pace_and_a_pull_is_spent_only_where_that_is_too_slow(tmp_path: Path) -> None:
    images = [Entry("library/app", str(number), small_index(f"image {number}")) for number in range(12)]
    copies = [Entry(f"docker/{entry.repository}", entry.tag, entry.image) for entry in images]
    with docker_hub(images=images) as hub, ecr_public(images=copies) as ecr:
        key = RepositoryKey("docker", "library/app")

        async def work(core: Core) -> None:
            await asyncio.gather(*(core.pull.manifest(key, str(number)) for number in range(12)))
            assert core.fetcher.manifests.counts.fallback_gets == 5, "at 0, 0.25, 0.5, 0.75 and 1 s"
            assert hub.counts.total == 7

        with_core(tmp_path, hub, ecr, work, rate=4.0, fallback_hold=1.0)


def test_where_no_pulls_are_left_everybody_waits_for_the_fallback(tmp_path: Path) -> None:
    images = [Entry("library/app", str(number), small_index(f"image {number}")) for number in range(12)]
    copies = [Entry(f"docker/{entry.repository}", entry.tag, entry.image) for entry in images]
    with docker_hub(images=images, limit=0) as hub, ecr_public(images=copies) as ecr:
        key = RepositoryKey("docker", "library/app")

        async def work(core: Core) -> None:
            await asyncio.gather(*(core.pull.manifest(key, str(number)) for number in range(12)))
            assert core.fetcher.manifests.counts.fallback_gets == 12
            assert hub.counts.total == 0

        with_core(tmp_path, hub, ecr, work, rate=8.0, fallback_hold=0.5)


def test_a_refusal_names_the_time_after_which_asking_again_succeeds(tmp_path: Path) -> None:
    images = [Entry("library/app", str(number), small_index(f"image {number}")) for number in range(10)]
    copies = [Entry(f"docker/{entry.repository}", entry.tag, entry.image) for entry in images]
    with docker_hub(images=images, limit=0) as hub, ecr_public(images=copies) as ecr:
        key = RepositoryKey("docker", "library/app")

        async def work(core: Core) -> None:
            async def build(number: int) -> float:
                try:
                    await core.pull.manifest(key, str(number))
                except ServeError as refused:
                    assert refused.status == 429
                    assert refused.retry_after is not None
                    await asyncio.sleep(refused.retry_after * 1.2)
                    await core.pull.manifest(key, str(number))
                    return refused.retry_after
                return 0.0

            waits = await asyncio.gather(*(build(number) for number in range(10)))
            assert sum(wait > 0 for wait in waits) >= 4, "some were refused, and all who came back were served"

        with_core(tmp_path, hub, ecr, work, rate=2.0, fallback_hold=0.5, hold=1.0)


def test_what_is_not_there_is_said_at_once_and_not_asked_for_twice(tmp_path: Path) -> None:
    with docker_hub() as hub, ecr_public() as ecr:

        async def work(core: Core) -> None:
            for _ in range(3):
                with pytest.raises(ServeError) as refused:
                    await core.pull.manifest(NODE, "no-such-tag")
                assert (refused.value.status, refused.value.registry_code) == (404, "MANIFEST_UNKNOWN")
            assert len(hub.asked(kind="manifest", status=404)) == 1
            assert ecr.requests == (), "a healthy upstream's 404 is an answer"

        with_core(tmp_path, hub, ecr, work)


def test_what_was_withdrawn_upstream_is_served_for_a_day_and_no_longer(tmp_path: Path) -> None:
    clock = Clock()
    with docker_hub() as hub:

        async def work(core: Core) -> None:
            kept = await pulled(core)
            hub.remove(f"library/node:{TAG}")
            clock.ahead = 3 * DAY
            assert (await core.pull.manifest(NODE, TAG)).stale, "one 404 may be a mistake"
            clock.ahead += 700
            assert (await core.pull.manifest(NODE, TAG)).stale
            clock.ahead += DAY + 700
            with pytest.raises(ServeError) as refused:
                await core.pull.manifest(NODE, TAG)
            assert refused.value.status == 404
            assert (await core.pull.manifest(NODE, kept.manifest.digest)).manifest.data == kept.manifest.data, "digests are kept"

        with_core(tmp_path, hub, None, work, clock=clock)


def test_what_was_withdrawn_goes_with_its_digest_where_deleted_images_are_not_kept(tmp_path: Path) -> None:
    clock = Clock()
    with docker_hub() as hub:

        async def work(core: Core) -> None:
            kept = await pulled(core)
            hub.remove("library/node")
            for days in (3.0, 3.01, 4.1):
                clock.ahead = days * DAY
                with contextlib.suppress(ServeError):
                    await core.pull.manifest(NODE, TAG)
            core.memory.clear()
            with pytest.raises(ServeError) as refused:
                await core.pull.manifest(NODE, kept.manifest.digest)
            assert refused.value.status == 404
            assert await core.metadata.manifests.tags(NODE) == []

        with_core(tmp_path, hub, None, work, clock=clock, keep_deleted=False)


def test_a_private_image_is_nobodys_business(tmp_path: Path) -> None:
    account = Account(name="builder", password="s3cret-Pa55word", private=("acme/*",))
    secret = small_index("secret")
    key = RepositoryKey("docker", "acme/app")
    with docker_hub(images=[Entry("acme/app", "1", secret, private=True)], accounts=(account,)) as hub, ecr_public() as ecr:
        login = Login("builder", "s3cret-Pa55word")

        async def refused(core: Core) -> None:
            for which in ("1", secret.digest):
                with pytest.raises(ServeError) as error:
                    await core.pull.manifest(key, which if which == "1" else Digest.parse(str(which)))
                assert error.value.status == 404
            assert hub.counts.total == 0
            assert [record for record in ecr.requests if "acme" in record.path] == [], "fallbacks never hear private names"

        with_core(tmp_path / "a", hub, ecr, refused, credentials=login, repositories=("*",))

        async def served(core: Core) -> None:
            assert (await core.pull.manifest(key, "1")).manifest.data == secret.root.data

        with_core(tmp_path / "b", hub, None, served, credentials=login, serve_private=True)


def test_a_public_image_is_served_with_a_login_too(tmp_path: Path) -> None:
    account = Account(name="builder", password="s3cret-Pa55word")
    with docker_hub(accounts=(account,)) as hub:

        async def work(core: Core) -> None:
            await pulled(core)
            repository = await core.metadata.repositories.get(NODE)
            assert repository is not None
            assert repository.public
            assert core.fetcher.ledger.remaining("docker", "builder") == 198

        with_core(tmp_path, hub, None, work, credentials=Login("builder", "s3cret-Pa55word"))


def test_poisoned_manifests_are_never_stored(tmp_path: Path) -> None:
    with docker_hub() as hub, ecr_public() as ecr:
        ecr.fault("wrong-bytes", path="*/manifests/*", count=None)

        async def work(core: Core) -> None:
            answer = await pulled(core)
            assert answer.manifest.manifest.digest == answer.manifest.digest
            assert hub.counts.total == 2, "the fallback's content was refused, a pull was spent"

        with_core(tmp_path, hub, ecr, work)


def test_the_budget_is_remembered_over_a_restart(tmp_path: Path) -> None:
    with docker_hub(limit=10) as hub:

        async def first(core: Core) -> None:
            await pulled(core)
            for row in core.fetcher.ledger.take_changed():
                await core.metadata.ledger.save_budget(row)

        async def second(core: Core) -> None:
            assert core.fetcher.ledger.remaining("docker", "") == 8

        with_core(tmp_path, hub, None, first)
        with_core(tmp_path, hub, None, second)


def test_tags_are_listed_and_from_the_store_where_the_upstream_is_silent(tmp_path: Path) -> None:
    with docker_hub() as hub:

        async def work(core: Core) -> None:
            tags, stale = await core.pull.tags(NODE)
            assert TAG in tags
            assert tags == sorted(tags)
            assert stale is None
            await pulled(core)
            with hub.refusing():
                tags, stale = await core.pull.tags(NODE)
            assert tags == [TAG]
            assert stale

        with_core(tmp_path, hub, None, work)


def test_a_digest_that_landed_a_moment_ago_costs_no_second_pull(tmp_path: Path) -> None:
    with docker_hub() as hub:
        digest = Digest.parse(hub.digest(f"library/node:{TAG}"))

        async def work(core: Core) -> None:
            await core.fetcher.digest(NODE, digest)
            await core.fetcher.digest(NODE, digest)  # a worker that looked into the store before the first flight ended
            assert hub.counts.total == 1

        with_core(tmp_path, hub, None, work)


@pytest.mark.parametrize("failures", [1, 4])
def test_a_fallback_that_fails_now_and_then_is_asked_again_where_the_hub_has_no_pulls(tmp_path: Path, failures: int) -> None:
    with docker_hub() as hub, ecr_public() as ecr:
        hub.exhaust()
        ecr.fault("wrong-bytes", method="GET", path="/v2/*/manifests/*", count=failures)

        async def work(core: Core) -> None:
            started = time.monotonic()
            await pulled(core)
            assert time.monotonic() - started < 10
            assert hub.counts.total == 0

        with_core(tmp_path, hub, ecr, work)

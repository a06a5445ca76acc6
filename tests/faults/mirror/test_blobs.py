"""The way of a blob: one upstream body for everybody, whatever breaks."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from pathlib import Path
from unittest import mock

import pytest

from tests.faults.mirror.core import Core, with_core
from tests.hub import docker_hub, ecr_public
from unhub.demo.catalogue import Entry
from unhub.demo.images import bulk_layer, image
from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.mirror.blobs import BadContent, BlobFlight, NoSpace
from unhub.store.records import RepositoryKey

KEY = RepositoryKey("docker", "library/big")
LAYER = bulk_layer(3_000_000)
IMAGE = image([LAYER])
DIGEST = Digest.parse(LAYER.digest)
SMALL = bulk_layer(50_000, "small")
SMALL_IMAGE = image([SMALL])
SMALL_DIGEST = Digest.parse(SMALL.digest)
HUB = [Entry("library/big", "1", IMAGE), Entry("library/big", "small", SMALL_IMAGE)]
COPY = [Entry("docker/library/big", "1", IMAGE), Entry("docker/library/big", "small", SMALL_IMAGE)]


async def manifests(core: Core) -> None:
    for tag in ("1", "small"):
        await core.pull.manifest(KEY, tag)


def test_two_hundred_readers_are_one_transfer(tmp_path: Path) -> None:
    with docker_hub(images=HUB, connection_bandwidth=6_000_000.0) as hub:

        async def work(core: Core) -> None:
            await manifests(core)
            read = await asyncio.gather(*(core.read(KEY, DIGEST) for _ in range(200)))
            assert {hashlib.sha256(data).hexdigest() for data in read} == {DIGEST.encoded}
            assert len(hub.asked(site="cdn", method="GET")) == 1

        with_core(tmp_path, hub, None, work)


def test_a_reader_that_leaves_ends_nothing_and_a_slow_one_slows_nobody(tmp_path: Path) -> None:
    with docker_hub(images=HUB, connection_bandwidth=6_000_000.0) as hub:

        async def work(core: Core) -> None:
            await manifests(core)
            leaving = asyncio.ensure_future(core.read(KEY, DIGEST))
            slow = (await core.pull.blob(KEY, DIGEST)).flight
            assert slow is not None
            await asyncio.sleep(0.1)
            leaving.cancel()
            assert hashlib.sha256(await core.read(KEY, DIGEST)).hexdigest() == DIGEST.encoded
            assert await core.read(KEY, DIGEST)
            assert len(hub.asked(site="cdn", method="GET")) == 1

        with_core(tmp_path, hub, None, work)


@pytest.mark.parametrize("times", [1, 3])
def test_a_transfer_that_breaks_off_goes_on_where_it_was(tmp_path: Path, times: int) -> None:
    with docker_hub(images=HUB) as hub:

        async def work(core: Core) -> None:
            await manifests(core)
            hub.fault("break", site="cdn", bytes=700_000, count=times)
            assert hashlib.sha256(await core.read(KEY, DIGEST)).hexdigest() == DIGEST.encoded
            assert len(hub.asked(site="cdn", method="GET")) == times + 1
            assert core.fetcher.blobs.bytes_fetched == len(LAYER.data), "no byte twice"

        with_core(tmp_path, hub, None, work)


def test_it_goes_on_at_another_registry_where_the_first_is_gone(tmp_path: Path) -> None:
    with docker_hub(images=HUB) as hub, ecr_public(images=COPY) as ecr:

        async def work(core: Core) -> None:
            await manifests(core)
            hub.fault("break", site="cdn", bytes=1_000_000, count=1)
            hub.fault("status", status=503, site="cdn", after=0, count=None)
            assert hashlib.sha256(await core.read(KEY, DIGEST)).hexdigest() == DIGEST.encoded
            assert len(ecr.asked(site="cdn", method="GET")) == 1

        with_core(tmp_path, hub, ecr, work)


def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    with docker_hub(images=HUB, connection_bandwidth=4_000_000.0) as hub:

        async def killed(core: Core) -> None:
            await manifests(core)
            flight = (await core.pull.blob(KEY, DIGEST)).flight
            assert flight is not None
            await asyncio.sleep(0.3)

        async def again(core: Core) -> None:
            kept = (core.folder / "spool" / "sha256" / DIGEST.encoded).stat().st_size
            assert 0 < kept < len(LAYER.data)
            assert hashlib.sha256(await core.read(KEY, DIGEST)).hexdigest() == DIGEST.encoded
            assert core.fetcher.blobs.bytes_fetched == len(LAYER.data) - kept
            assert core.fetcher.blobs.resumed == 1

        with_core(tmp_path, hub, None, killed)
        with_core(tmp_path, hub, None, again)


def test_bad_content_never_ends_well_and_is_never_kept(tmp_path: Path) -> None:
    with docker_hub(images=HUB) as hub:

        async def work(core: Core) -> None:
            await manifests(core)
            hub.fault("wrong-bytes", site="cdn", count=1)
            flight = (await core.pull.blob(KEY, DIGEST)).flight
            assert isinstance(flight, BlobFlight)
            with pytest.raises(BadContent):
                await core.follow(flight)
            assert flight.published < len(LAYER.data), "the last byte was never published"
            assert await core.blobs.stat(DIGEST) is None
            assert core.fetcher.blobs.mismatches == 1
            assert hashlib.sha256(await core.read(KEY, DIGEST)).hexdigest() == DIGEST.encoded, "the next reader gets it"

        with_core(tmp_path, hub, None, work)


def test_a_small_blob_from_a_bad_source_comes_from_a_good_one_unseen(tmp_path: Path) -> None:
    with docker_hub(images=HUB) as hub, ecr_public(images=COPY) as ecr:

        async def work(core: Core) -> None:
            await manifests(core)
            hub.fault("wrong-bytes", site="cdn", count=None)
            assert hashlib.sha256(await core.read(KEY, SMALL_DIGEST)).hexdigest() == SMALL_DIGEST.encoded

        with_core(tmp_path, hub, ecr, work)


@pytest.mark.parametrize("fault", ["html", "truncate", "oversize", "reset", "garbage"])
def test_what_is_no_blob_is_never_taken_for_one(tmp_path: Path, fault: str) -> None:
    with docker_hub(images=HUB) as hub, ecr_public(images=COPY) as ecr:

        async def work(core: Core) -> None:
            await manifests(core)
            hub.fault(fault, site="cdn", bytes=1000, count=None)  # pyright: ignore[reportArgumentType]
            try:
                data = await core.read(KEY, DIGEST)
            except (BadContent, ServeError):
                data = await core.read(KEY, DIGEST)
            assert hashlib.sha256(data).hexdigest() == DIGEST.encoded

        with_core(tmp_path, hub, ecr, work)


def test_a_blob_that_nobody_has_is_a_404_and_asked_for_once(tmp_path: Path) -> None:
    with docker_hub(images=HUB) as hub:

        async def work(core: Core) -> None:
            await manifests(core)
            for _ in range(3):
                with pytest.raises(ServeError) as refused:
                    await core.pull.blob(KEY, Digest("sha256", "0" * 64))
                assert (refused.value.status, refused.value.registry_code) == (404, "BLOB_UNKNOWN")
            assert len(hub.asked(kind="blob", status=404)) == 1

        with_core(tmp_path, hub, None, work)


def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with docker_hub(images=HUB) as hub:

        async def work(core: Core) -> None:
            await manifests(core)
            real = os.pwrite

            def full(descriptor: int, data: bytes, offset: int) -> int:
                if offset > 500_000:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return real(descriptor, data, offset)

            with mock.patch.object(os, "pwrite", full), pytest.raises(NoSpace):
                await core.read(KEY, DIGEST)
            assert [path for path in (core.folder / "spool").rglob("*") if path.is_file()] == []
            assert await core.blobs.stat(DIGEST) is None
            assert hashlib.sha256(await core.read(KEY, DIGEST)).hexdigest() == DIGEST.encoded

        with_core(tmp_path, hub, None, work)


def test_a_stalled_transfer_is_broken_off_and_taken_up(tmp_path: Path) -> None:
    with docker_hub(images=HUB) as hub, mock.patch("unhub.mirror.blobs.STALL", 0.3):

        async def work(core: Core) -> None:
            await manifests(core)
            hub.fault("delay", site="cdn", seconds=3.0, count=1)
            assert hashlib.sha256(await core.read(KEY, DIGEST)).hexdigest() == DIGEST.encoded

        with_core(tmp_path, hub, None, work)


def test_a_blob_of_a_private_repository_is_nobodys_business(tmp_path: Path) -> None:
    """Its digest is known from elsewhere; it is stored; and it is served only through a repository that links it."""
    other = RepositoryKey("docker", "library/other")
    with docker_hub(images=HUB) as hub:

        async def work(core: Core) -> None:
            await manifests(core)
            await core.read(KEY, DIGEST)
            with pytest.raises(ServeError) as refused:
                await core.pull.blob(other, DIGEST)
            assert refused.value.status == 404
            with pytest.raises(ServeError):
                await core.pull.blob(RepositoryKey("local", "app"), DIGEST)

        with_core(tmp_path, hub, None, work)

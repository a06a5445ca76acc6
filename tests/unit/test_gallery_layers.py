"""Layers through ECR Public's API: parts that join, survive workers and kills, and become layers when their digest is right."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kept_images import digest_of
from tests.pushed import ACCOUNT, APP, OWNER, SMALL, Pushed, refused, with_pushed
from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.mirror.fsck import Checker, Kind
from unhub.mirror.gallery.layers import Part
from unhub.mirror.gallery.quotas import Quotas, quotas_of
from unhub.mirror.upload_files import in_thread
from unhub.mirror.upload_parts import PartList

LAYER = b"0123456789" * 5
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def files(here: Pushed) -> list[str]:
    return sorted(path.name for path in (here.folder / "uploads").iterdir())


def test_the_quotas_are_the_dated_rows_and_a_user_may_change_them(tmp_path: Path) -> None:
    assert quotas_of() == Quotas(
        repositories=10_000, images=100_000, tags=1_000, parts=1_000, part_max=10 * 2**20, part_min=5 * 2**20, layer_max=10_000 * 2**20
    )
    own = tmp_path / "own.toml"
    own.write_text(
        '[[quota]]\nid = "aws-2026-11.layer-part-maximum"\nprofile = "aws-2026-11"\nname = "Largest layer part"\n'
        'amount = 20971520\nunit = "bytes"\ndate = 2026-11-26\nsource = "the API reference"\nconfidence = "unverified"\n'
    )
    assert quotas_of(own).part_max == 20 * 2**20
    assert quotas_of(own).part_min == 5 * 2**20


def test_a_layer_comes_in_parts_and_is_served_by_its_digest(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, part_size = await here.layers.begin(here.app, OWNER)
        assert UUID.fullmatch(upload_id)
        assert part_size == SMALL.part_max
        assert await here.part(upload_id, 0, LAYER[:20]) == 19
        assert await here.part(upload_id, 20, LAYER[20:40]) == 39
        assert await here.part(upload_id, 40, LAYER[40:]) == 49
        assert await here.layers.complete(here.app, OWNER, upload_id, [str(digest_of(LAYER))]) == digest_of(LAYER)
        stored = await here.blobs.stat(digest_of(LAYER))
        assert stored is not None
        assert stored.path is not None
        assert stored.path.read_bytes() == LAYER
        assert files(here) == []
        assert (await refused(here.part(upload_id, 50, LAYER[:10]))).aws_code == "UploadNotFoundException"

    with_pushed(tmp_path, work)


def test_a_part_must_join_the_one_before_and_the_refusal_says_how_far_it_is(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        first = await refused(here.part(upload_id, 5, LAYER[:10]))
        assert first.aws_code == "InvalidLayerPartException"
        assert first.members == {"registryId": ACCOUNT, "repositoryName": APP.path, "uploadId": upload_id}, (
            "no byte came: there is no last one"
        )
        await here.part(upload_id, 0, LAYER[:20])
        for start in (0, 19, 21, 40, 10**12):
            error = await refused(here.part(upload_id, start, LAYER[20:30]))
            assert error.message == f"First byte of the layer part is {start} instead of 20"
            assert error.members["lastValidByteReceived"] == 19
        assert await here.part(upload_id, 20, LAYER[20:40]) == 39, "the upload goes on"

    with_pushed(tmp_path, work)


@pytest.mark.parametrize(
    ("first", "last", "data", "text"),
    [
        (0, 9, b"123456789", "9 bytes instead of 10"),
        (0, 9, b"12345678901", "11 bytes instead of 10"),
        (0, 0, b"", "0 bytes instead of 1"),
        (0, 20, b"1" * 21, "21 bytes, and 20 are the most"),
    ],
)
def test_a_part_has_the_size_that_its_places_say(tmp_path: Path, first: int, last: int, data: bytes, text: str) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        error = await refused(here.layers.add_part(here.app, OWNER, upload_id, Part(first, last, data)))
        assert error.aws_code == "InvalidLayerPartException"
        assert text in error.message
        assert await here.part(upload_id, 0, LAYER[:20]) == 19

    with_pushed(tmp_path, work)


def test_an_empty_part_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        await here.part(upload_id, 0, LAYER[:10])
        error = await refused(here.layers.add_part(here.app, OWNER, upload_id, Part(10, 9, b"")))
        assert error.aws_code == "InvalidLayerPartException"

    with_pushed(tmp_path, work)


def test_the_last_part_may_come_again_with_the_same_bytes(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        await here.part(upload_id, 0, LAYER[:20])
        await here.part(upload_id, 20, LAYER[20:40])
        assert await here.part(upload_id, 20, LAYER[20:40]) == 39
        for start, data in ((20, b"x" * 20), (20, LAYER[20:39]), (0, LAYER[:20]), (0, LAYER[:40])):
            assert (await refused(here.part(upload_id, start, data))).aws_code == "InvalidLayerPartException"
        await here.part(upload_id, 40, LAYER[40:])
        await here.layers.complete(here.app, OWNER, upload_id, [str(digest_of(LAYER))])

    with_pushed(tmp_path, work)


def test_there_are_so_many_parts_and_bytes_and_no_more(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        for number in range(5):
            await here.part(upload_id, number * 10, LAYER[:10])
        error = await refused(here.part(upload_id, 50, LAYER[:10]))
        assert (error.aws_code, "number of layer parts, 5" in error.message) == ("LimitExceededException", True)
        large, _ = await here.layers.begin(here.app, OWNER)
        for number in range(4):
            await here.part(large, number * 20, LAYER[:20])
        error = await refused(here.part(large, 80, LAYER[:11]))
        assert (error.aws_code, "90 bytes" in error.message) == ("LimitExceededException", True)
        assert await here.part(large, 80, LAYER[:10]) == 89

    with_pushed(tmp_path, work)


def test_every_part_but_the_last_has_the_least_size(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        await here.part(upload_id, 0, LAYER[:9])
        await here.part(upload_id, 9, LAYER[9:29])
        error = await refused(here.layers.complete(here.app, OWNER, upload_id, [str(digest_of(LAYER[:29]))]))
        assert (error.aws_code, error.message) == (
            "LayerPartTooSmallException",
            "All layer parts except the last part should be at least 10 bytes",
        )
        assert await here.upload(LAYER[:3]) == str(digest_of(LAYER[:3])), "one part may be as small as it likes"
        assert await here.upload(LAYER[:21]) == str(digest_of(LAYER[:21]))

    with_pushed(tmp_path, work)


def test_the_least_size_is_said_as_aws_says_it(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        await here.part(upload_id, 0, b"1")
        await here.part(upload_id, 1, b"2")
        error = await refused(here.layers.complete(here.app, OWNER, upload_id, [str(digest_of(b"12"))]))
        assert error.message == "All layer parts except the last part should be at least 5MB"

    with_pushed(tmp_path, work, quotas=quotas_of())


def test_an_upload_without_parts_is_no_layer(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        error = await refused(here.layers.complete(here.app, OWNER, upload_id, [str(digest_of(b""))]))
        assert error.aws_code == "EmptyUploadException"
        assert await here.part(upload_id, 0, LAYER[:10]) == 9, "it may still have some"

    with_pushed(tmp_path, work)


@pytest.mark.parametrize("names", [["other"], ["right", "other"], ["sha512 of other", "right"]])
def test_each_digest_that_is_named_must_be_right_and_a_wrong_one_ends_the_upload(tmp_path: Path, names: list[str]) -> None:
    digests = {
        "right": digest_of(LAYER[:20]),
        "other": digest_of(b"other"),
        "sha512 of other": digest_of(b"other", "sha512"),
    }

    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        await here.part(upload_id, 0, LAYER[:20])
        error = await refused(here.layers.complete(here.app, OWNER, upload_id, [str(digests[name]) for name in names]))
        assert error.aws_code == "InvalidLayerException"
        assert files(here) == []
        assert [blob async for blob in here.blobs.all()] == []
        assert (await refused(here.part(upload_id, 20, LAYER[:10]))).aws_code == "UploadNotFoundException"

    with_pushed(tmp_path, work)


def test_a_layer_may_be_named_by_several_digests_and_is_kept_by_the_first(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        await here.part(upload_id, 0, LAYER[:20])
        named = [str(digest_of(LAYER[:20], "sha512")), str(digest_of(LAYER[:20])), str(digest_of(LAYER[:20]))]
        assert str(await here.layers.complete(here.app, OWNER, upload_id, named)) == named[0]
        assert [str(found) async for found, _ in here.blobs.all()] == [named[0]]

    with_pushed(tmp_path, work)


@pytest.mark.parametrize("text", ["md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:abc", f"sha256:{'A' * 64}"])
def test_what_is_no_digest_here_is_an_invalid_parameter(tmp_path: Path, text: str) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        await here.part(upload_id, 0, LAYER[:20])
        assert (await refused(here.layers.complete(here.app, OWNER, upload_id, [text]))).aws_code == "InvalidParameterException"
        assert await here.layers.complete(here.app, OWNER, upload_id, [str(digest_of(LAYER[:20]))]) == digest_of(LAYER[:20])

    with_pushed(tmp_path, work)


def test_a_layer_that_the_repository_has_already_is_said_so(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await here.upload(LAYER)
        error = await refused(here.upload(LAYER))
        assert error.aws_code == "LayerAlreadyExistsException"
        assert str(digest_of(LAYER)) in error.message
        assert files(here) == []
        assert await here.upload(LAYER, repository=here.other) == str(digest_of(LAYER)), "another repository has its own"

    with_pushed(tmp_path, work)


def test_of_two_clients_that_complete_the_same_layer_at_once_one_did_it(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        workers = [here, here.worker(), here.worker()]
        uploads = [(await one.layers.begin(one.app, OWNER))[0] for one in workers]
        for one, upload_id in zip(workers, uploads, strict=True):
            await one.part(upload_id, 0, LAYER[:20])
        digests = [str(digest_of(LAYER[:20]))]
        done = await asyncio.gather(
            *(one.layers.complete(one.app, OWNER, upload_id, digests) for one, upload_id in zip(workers, uploads, strict=True)),
            return_exceptions=True,
        )
        assert sorted(getattr(one, "aws_code", "done") for one in done) == ["LayerAlreadyExistsException"] * 2 + ["done"]
        stored = await here.blobs.stat(digest_of(LAYER[:20]))
        assert stored is not None
        assert stored.size == 20

    with_pushed(tmp_path, work)


def test_nobody_else_goes_on_with_an_upload_and_no_other_door(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        await here.part(upload_id, 0, LAYER[:20])
        for attempt in (
            here.part(upload_id, 20, LAYER[:10], owner="AIDASTRANGER"),
            here.part(upload_id, 20, LAYER[:10], repository=here.other),
            here.part(upload_id[:-1] + ("0" if upload_id[-1] != "0" else "1"), 20, LAYER[:10]),
            here.part("../../../../etc/passwd", 20, LAYER[:10]),
            here.layers.complete(here.app, "AIDASTRANGER", upload_id, [str(digest_of(LAYER[:20]))]),
        ):
            assert (await refused(attempt)).aws_code == "UploadNotFoundException"
        with pytest.raises(Exception, match="no such upload"):
            await here.push.uploads.status(here.app.key, OWNER, upload_id.replace("-", ""))
        registry = await here.push.uploads.begin(here.app.key, OWNER)
        assert (await refused(here.part(registry.id, 0, LAYER[:10]))).aws_code == "UploadNotFoundException"
        assert await here.part(upload_id.upper(), 20, LAYER[20:30]) == 29, "the same id, written otherwise"

    with_pushed(tmp_path, work)


def test_a_repository_that_was_deleted_meanwhile_is_not_made_again(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        await here.part(upload_id, 0, LAYER[:20])
        async with here.push.uploads.opened(here.app.key, f"api {OWNER}", upload_id.replace("-", "")) as upload:
            assert await here.metadata.repositories.delete(here.app.key)
            with pytest.raises(Exception, match="no repository"):
                await upload.commit(digest_of(LAYER[:20]))
        assert (await refused(here.layers.begin(here.app, OWNER))).aws_code == "RepositoryNotFoundException"
        assert (await refused(here.part(upload_id, 20, LAYER[:10]))).aws_code == "UploadNotFoundException"
        assert await here.metadata.repositories.get(here.app.key) is None
        assert await here.metadata.blobs.repositories(digest_of(LAYER[:20])) == []

    with_pushed(tmp_path, work)


def test_blocked_layers_are_neither_taken_nor_available(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await here.upload(LAYER[:20])
        here.block(LAYER[:20])
        states, _ = await here.layers.check(here.app, [str(digest_of(LAYER[:20]))])
        assert states[0].size is None
        error = await refused(here.upload(LAYER[:20], repository=here.other))
        assert (error.aws_code, "blocked" in error.message) == ("InvalidParameterException", True)

    with_pushed(tmp_path, work)


def test_availability_is_told_for_each_digest_once(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        there, elsewhere = await here.upload(LAYER), await here.upload(LAYER[:20], repository=here.other)
        lost = await here.upload(b"lost")
        await here.blobs.delete(Digest.parse(lost))
        states, failures = await here.layers.check(here.app, [there, elsewhere, lost, there, "", "latest", "sha256:1", ""])
        assert [(one.digest, one.size, one.media_type) for one in states] == [
            (there, 50, None),
            (elsewhere, None, None),
            (lost, None, None),
        ]
        assert [(one.digest, one.code) for one in failures] == [
            ("", "MissingLayerDigest"),
            ("latest", "InvalidLayerDigest"),
            ("sha256:1", "InvalidLayerDigest"),
        ]
        assert all(one.reason for one in failures)

    with_pushed(tmp_path, work)


def test_parts_may_go_to_different_workers(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        workers = [here, here.worker(), here.worker()]
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        for number in range(3):
            await workers[number].part(upload_id, number * 20, LAYER[number * 20 : number * 20 + 20])
        assert await workers[1].layers.complete(here.app, OWNER, upload_id, [str(digest_of(LAYER))]) == digest_of(LAYER)

    with_pushed(tmp_path, work)


def test_a_hash_that_one_worker_remembers_is_never_taken_for_bytes_that_were_cut_off(tmp_path: Path) -> None:
    """Otherwise bytes could be stored under the digest of others."""

    async def work(here: Pushed) -> None:
        first, second = here, here.worker()
        upload_id, _ = await first.layers.begin(here.app, OWNER)
        await first.part(upload_id, 0, LAYER[:20])
        full = ServeError("cannot keep the blob: no space", status=507, registry_code="UNAVAILABLE")
        with patch.object(PartList, "add", side_effect=full):
            error = await refused(first.part(upload_id, 20, b"x" * 20))
        assert (error.aws_code, error.status) == ("ServerException", 500)
        await second.part(upload_id, 20, LAYER[20:40])
        await first.part(upload_id, 40, LAYER[40:])
        mixed = LAYER[:20] + b"x" * 20 + LAYER[40:]
        assert (
            await refused(first.layers.complete(here.app, OWNER, upload_id, [str(digest_of(mixed))]))
        ).aws_code == "InvalidLayerException"

    with_pushed(tmp_path, work)


def test_an_abandoned_upload_is_forgotten_with_its_list(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        await here.part(upload_id, 0, LAYER[:20])
        for name in files(here):
            os.utime(here.folder / "uploads" / name, (1000, 1000))
        here.later(90_000)
        assert await here.push.clean(before=80_000) == 1
        assert files(here) == []
        assert (await refused(here.part(upload_id, 20, LAYER[:10]))).aws_code == "UploadNotFoundException"

    with_pushed(tmp_path, work)


def test_a_check_of_the_cache_finds_nothing_wrong_with_an_upload_in_parts(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        await here.part(upload_id, 0, LAYER[:20])
        assert len(files(here)) == 2
        checker = Checker(here.metadata, here.blobs, spool=tmp_path / "spool", uploads=tmp_path / "uploads")
        assert [found async for found in checker.run()] == []
        await here.metadata.uploads.end(upload_id.replace("-", ""))
        assert {found.kind async for found in checker.run()} == {Kind.UPLOAD}, "nobody can go on with it"

    with_pushed(tmp_path, work)


def test_a_request_that_is_cancelled_leaves_a_file_only_when_its_write_has_ended() -> None:
    """A descriptor that is closed under a write could be another file's by then."""
    ended, began = threading.Event(), threading.Event()

    def write() -> None:
        began.set()
        time.sleep(0.2)
        ended.set()

    async def work() -> None:
        task = asyncio.ensure_future(in_thread(write))
        await asyncio.to_thread(began.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(work())


def test_a_list_that_was_cut_ends_with_its_last_whole_entry(tmp_path: Path) -> None:
    path, file = tmp_path / "x.parts", tmp_path / "x"
    parts = PartList(path)
    assert (parts.reached, parts.last_start, parts.smallest_but_last) == (0, 0, None)
    for end in (20, 35, 50):
        parts.add(end)
    file.write_bytes(b"." * 60)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert PartList(path).ends == [20, 35, 50][: cut // 8]
    path.write_bytes(whole[8:16] + whole[:8])
    assert PartList(path).ends == [35], "what goes back is no part"
    path.write_bytes(whole[:19])
    again = PartList(path)
    with file.open("r+b") as handle:
        assert again.settle(handle.fileno())
        assert (file.stat().st_size, again.reached, again.last_start) == (35, 35, 20)
        again.add(44)
        handle.truncate(30)
        assert PartList(path).ends == [20, 35, 44]
        later = PartList(path)
        assert later.settle(handle.fileno()), "a power cut: what the list says has not come to the disk"
        assert (later.ends, file.stat().st_size) == ([20], 20)
        later.add(31)
    assert PartList(path).ends == [20, 31], "what was listed behind it is gone, too"
    assert PartList(path).smallest_but_last == 20


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("part"), st.integers(0, 2), st.integers(1, 20)),
        st.tuples(st.just("again"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("wrong place"), st.integers(0, 2), st.integers(-5, 5)),
        st.tuples(st.just("cut"), st.integers(0, 2), st.integers(1, 20)),
        st.tuples(st.just("new worker"), st.integers(0, 2), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, seed=st.integers(0, 255))
def test_whatever_happens_on_the_way_the_layer_is_the_parts_that_were_acknowledged(steps: list[tuple[str, int, int]], seed: int) -> None:
    async def work(here: Pushed) -> None:
        workers = [here, here.worker(), here.worker()]
        upload_id, _ = await here.layers.begin(here.app, OWNER)
        path, taken, sizes = here.folder / "uploads" / upload_id.replace("-", ""), b"", list[int]()
        for number, (kind, who, amount) in enumerate(steps):
            data = bytes((seed + number + place) % 256 for place in range(max(amount, 1)))
            if kind == "part":
                assert await workers[who].part(upload_id, len(taken), data) == len(taken) + len(data) - 1
                taken += data
                sizes.append(len(data))
            elif kind == "again" and sizes:
                start = len(taken) - sizes[-1]
                assert await workers[who].part(upload_id, start, taken[start:]) == len(taken) - 1
            elif kind == "wrong place" and amount and len(taken) + amount >= 0:
                assert (await refused(workers[who].part(upload_id, len(taken) + amount, b"?"))).aws_code == "InvalidLayerPartException"
            elif kind == "cut":
                with path.open("ab") as file:
                    file.write(data)
            elif kind == "new worker":
                workers[who] = here.worker()
        completing = workers[0].layers.complete(here.app, OWNER, upload_id, [str(digest_of(taken))])
        if not sizes:
            assert (await refused(completing)).aws_code == "EmptyUploadException"
        elif any(size < 2 for size in sizes[:-1]):
            assert (await refused(completing)).aws_code == "LayerPartTooSmallException"
        else:
            assert await completing == digest_of(taken)
            stored = await here.blobs.stat(digest_of(taken))
            assert stored is not None
            assert stored.path is not None
            assert stored.path.read_bytes() == taken

    with tempfile.TemporaryDirectory() as folder:
        with_pushed(Path(folder), work, quotas=replace(SMALL, parts=20, part_min=2, layer_max=1000))

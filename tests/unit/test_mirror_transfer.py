"""Moving a cache as an OCI image layout: what goes out whole comes in whole, and nothing comes in that is not what it says."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kept_images import APP, NAMES, NODE, REDIS, Kept, digest_of, image, index, with_kept
from unhub.image.errors import RefusedError
from unhub.mirror.referring import refer
from unhub.mirror.transfer.exporting import Exporter
from unhub.mirror.transfer.importing import Importer
from unhub.mirror.transfer.layout import InvalidLayout, Moved
from unhub.mirror.transfer.reading import reader
from unhub.mirror.transfer.writing import writer
from unhub.store.records import Block

LAYER, OTHER = b"a layer" * 1000, b"another layer"
HOSTS = {"docker": "docker.io"}


async def export(kept: Kept, target: Path, *references: str) -> list[Moved]:
    layout = writer(target)
    exporter = Exporter(kept.metadata, kept.blobs, layout, HOSTS)
    moving = exporter.these([refer(text, NAMES) for text in references]) if references else exporter.everything()
    moved = [one async for one in moving]
    exporter.finish()
    return moved


async def take(kept: Kept, source: Path, as_name: str | None = None) -> list[Moved]:
    with reader(source) as layout:
        importer = Importer(kept.metadata, kept.blobs, layout, NAMES, spool=kept.folder / "spool", now=kept.now, as_name=as_name)
        return [one async for one in importer.run()]


def exported(folder: Path, target: Path) -> None:
    """A layout of a pulled index of which one platform is here, a signature, and a pushed image."""

    async def work(kept: Kept) -> None:
        amd, arm = image("amd", LAYER), image("arm", OTHER)
        await kept.pull(NODE, None, amd)
        both = index(amd64=amd, arm64=arm)
        await kept.pull_index(NODE, "20", both)
        await kept.pull(NODE, None, image("signature", b"signed", subject=both))
        await kept.pull(REDIS, None, image("by digest", b"pinned"))
        await kept.push(APP, "1", image("app", LAYER, b"own"))
        moved = await export(kept, target)
        assert [one.skipped for one in moved] == [None] * len(moved)
        assert {one.note for one in moved} == {None, "1 of 2 manifests"}

    with_kept(folder, work)


@pytest.mark.parametrize("name", ["layout", "layout.tar"])
def test_everything_comes_in_as_it_went_out(tmp_path: Path, name: str) -> None:
    exported(tmp_path / "from", tmp_path / name)

    async def work(kept: Kept) -> None:
        moved = await take(kept, tmp_path / name)
        assert [one.skipped for one in moved] == [None] * 4
        found = await kept.metadata.manifests.resolve(NODE, "20")
        assert found is not None
        assert found[1].manifest.is_index
        assert [row.digest for row in await kept.metadata.manifests.referrers(NODE, found[1].digest)] == [
            image("signature", b"signed", subject=found[1].manifest).digest
        ]
        assert await kept.there(LAYER)
        assert await kept.is_whole(APP, "1")
        assert await kept.metadata.manifests.get(REDIS, image("by digest", b"pinned").digest) is not None
        repository = await kept.metadata.repositories.get(APP)
        assert repository is not None
        assert repository.own
        assert list((tmp_path / "to" / "spool").iterdir()) == []
        again = await take(kept, tmp_path / name)
        assert sum(one.bytes for one in again) == 0, "what is here is not copied again"

    with_kept(tmp_path / "to", work)


def test_an_index_says_what_it_is_to_us_and_to_others(tmp_path: Path) -> None:
    exported(tmp_path / "from", tmp_path / "layout")
    rows = json.loads((tmp_path / "layout" / "index.json").read_text())["manifests"]
    names = {row["annotations"].get("org.opencontainers.image.ref.name") for row in rows}
    assert names == {"docker.io/library/node:20", "local/team/app:1", None}
    assert json.loads((tmp_path / "layout" / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    for path in (tmp_path / "layout" / "blobs" / "sha256").iterdir():
        assert digest_of(path.read_bytes()).encoded == path.name


def test_named_images_alone_go_out_and_what_is_lacking_is_said(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        await kept.pull(NODE, "20", image("node", LAYER))
        await kept.pull(REDIS, "7", image("redis", OTHER))
        kept.blobs.path(digest_of(OTHER)).unlink()
        moved = await export(kept, tmp_path / "layout", "node:20", "redis:7", "nothing:1")
        assert [(one.reference, one.skipped) for one in moved] == [
            ("docker/library/node:20", None),
            ("docker/library/redis:7", f"its blob {digest_of(OTHER)} is not here"),
            ("docker/library/nothing:1", "it is not here"),
        ]

    with_kept(tmp_path / "from", work)


@pytest.mark.parametrize("name", ["layout", "layout.tar"])
def test_damaged_and_blocked_content_does_not_go_out(tmp_path: Path, name: str) -> None:
    async def work(kept: Kept) -> None:
        await kept.pull(NODE, "damaged", image("damaged", LAYER))
        await kept.pull(NODE, "blocked", image("blocked", OTHER))
        await kept.pull(NODE, "good", image("good", b"good"))
        kept.blobs.path(digest_of(LAYER)).write_bytes(b"x" * len(LAYER))
        await kept.metadata.policy.block(Block(digest_of(OTHER), "malware", kept.now()))
        moved = {
            one.reference.rpartition(":")[2]: one.skipped for one in await export(kept, tmp_path / name, *(f"node:{tag}" for tag in TAGS))
        }
        assert moved["good"] is None
        assert moved["blocked"] == f"{digest_of(OTHER)} is blocked here"
        assert "damaged" in str(moved["damaged"])
        with reader(tmp_path / name) as layout:
            assert layout.size(digest_of(LAYER)) is None
            assert b"".join(layout.read(digest_of(b"good"))) == b"good"

    with_kept(tmp_path / "from", work)


TAGS = ("damaged", "blocked", "good")


def test_a_half_written_tar_has_no_name(tmp_path: Path) -> None:
    layout = writer(tmp_path / "layout.tar")
    assert not (tmp_path / "layout.tar").exists()
    layout.abandon()
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_the_users_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    (tmp_path / "file").write_text("")
    for name in ("mine", "file"):
        with pytest.raises(RefusedError):
            writer(tmp_path / name)


def test_a_tag_that_this_mirror_confirmed_later_stays(tmp_path: Path) -> None:
    exported(tmp_path / "from", tmp_path / "layout")

    async def work(kept: Kept) -> None:
        kept.later(1000)
        newer = await kept.pull(NODE, "20", image("newer", b"newer"))
        moved = await take(kept, tmp_path / "layout")
        assert [one.note for one in moved if one.reference == "docker/library/node:20"] == ["the tag here is newer, and stays"]
        found = await kept.metadata.manifests.resolve(NODE, "20")
        assert found is not None
        assert found[1].digest == newer.digest

    with_kept(tmp_path / "to", work)


def test_layouts_of_other_tools_find_their_place_by_name_or_by_what_is_said(tmp_path: Path) -> None:
    exported(tmp_path / "from", tmp_path / "layout")
    change_index(
        tmp_path / "layout", lambda row: row.update(annotations={"org.opencontainers.image.ref.name": "docker.io/library/node:20"})
    )
    bare = tmp_path / "layout" / "index.json"

    async def by_name(kept: Kept) -> None:
        await take(kept, tmp_path / "layout")
        assert await kept.metadata.manifests.tags(NODE) == ["20"]

    with_kept(tmp_path / "to", by_name)
    change_index(tmp_path / "layout", lambda row: row.update(annotations={"org.opencontainers.image.ref.name": "20"}))

    async def nameless(kept: Kept) -> None:
        moved = await take(kept, tmp_path / "layout")
        assert all(one.skipped == "it does not say which repository it belongs to; --as NAME does" for one in moved)
        await take(kept, tmp_path / "layout", "quay.io/team/node")
        assert await kept.metadata.manifests.tags(NODE._replace(alias="quay", path="team/node")) == ["20"]

    with_kept(tmp_path / "other", nameless)
    assert bare.exists()


@pytest.mark.parametrize(
    "annotations",
    [
        {"unhub.alias": "ghcr", "unhub.path": "a/b", "unhub.tag": "1"},
        {"unhub.alias": "docker", "unhub.path": "../../etc", "unhub.tag": "1"},
        {"unhub.alias": "docker", "unhub.path": "library/node", "unhub.tag": "../1"},
        {"unhub.alias": "local", "unhub.path": "", "unhub.tag": "1"},
        {"unhub.alias": "docker", "unhub.path": "node", "unhub.tag": "1"},
        {"org.opencontainers.image.ref.name": "ghcr.io/a/b:1"},
    ],
)
def test_images_without_a_place_here_are_left_out(tmp_path: Path, annotations: dict[str, str]) -> None:
    exported(tmp_path / "from", tmp_path / "layout")
    change_index(tmp_path / "layout", lambda row: row.update(annotations=annotations))

    async def work(kept: Kept) -> None:
        assert all(one.skipped for one in await take(kept, tmp_path / "layout"))
        assert await kept.metadata.repositories.names() == []

    with_kept(tmp_path / "to", work)


def wrong_bytes(layout: Path) -> None:
    path = layout / "blobs" / "sha256" / digest_of(LAYER).encoded
    path.write_bytes(b"x" * len(LAYER))


def wrong_size(layout: Path) -> None:
    path = layout / "blobs" / "sha256" / digest_of(LAYER).encoded
    path.write_bytes(LAYER + b"more")


def no_blob(layout: Path) -> None:
    (layout / "blobs" / "sha256" / digest_of(LAYER).encoded).unlink()


def linked_blob(layout: Path) -> None:
    path = layout / "blobs" / "sha256" / digest_of(LAYER).encoded
    elsewhere = layout.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def wrong_manifest(layout: Path) -> None:
    row = json.loads((layout / "index.json").read_text())["manifests"][0]
    path = layout / "blobs" / "sha256" / row["digest"].partition(":")[2]
    path.write_bytes(path.read_bytes().replace(b"2", b"3", 1))


def traversing_digest(layout: Path) -> None:
    change_index(layout, lambda row: row.update(digest="sha256:../../../../etc/passwd"))


def huge_manifest(layout: Path) -> None:
    data = b" " * (5 * 1024 * 1024)
    (layout / "blobs" / "sha256" / digest_of(data).encoded).write_bytes(data)
    change_index(layout, lambda row: row.update(digest=str(digest_of(data)), size=len(data)))


def no_json(layout: Path) -> None:
    (layout / "index.json").write_bytes(b"\xff\xfe<html>")


@pytest.mark.parametrize(
    "spoil", [wrong_bytes, wrong_size, no_blob, linked_blob, wrong_manifest, traversing_digest, huge_manifest, no_json]
)
def test_content_that_is_not_what_it_says_is_refused_and_nothing_of_it_is_served(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    exported(tmp_path / "from", tmp_path / "layout")
    change_index(tmp_path / "layout", lambda row: None, only_node=True)
    spoil(tmp_path / "layout")

    async def work(kept: Kept) -> None:
        with pytest.raises(InvalidLayout):
            await take(kept, tmp_path / "layout")
        assert await kept.metadata.manifests.tags(NODE) == []
        assert await kept.blobs.stat(digest_of(LAYER)) is None
        assert [path for path in (tmp_path / "to").glob("spool/*") if path.is_file()] == []

    with_kept(tmp_path / "to", work)


def member(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (member("../../etc/cron.d/x", b"x"), "leads out of it"),
        (member("/etc/passwd", b"x"), "leads out of it"),
        (member("blobs/sha256/../../../x", b"x"), "leads out of it"),
        (member("blobs\\..\\x", b"x"), "leads out of it"),
        (member("blobs/sha256/" + "0" * 64, type=tarfile.SYMTYPE, linkname="/etc/passwd"), "neither a file nor a folder"),
        (member("blobs/sha256/" + "0" * 64, type=tarfile.LNKTYPE, linkname="index.json"), "neither a file nor a folder"),
        (member("console", type=tarfile.CHRTYPE), "neither a file nor a folder"),
        (member("index.json", b"{}"), "two of index.json"),
        (member("x", b"", pax_headers={"comment": "y" * 1_000_000}), "a header of"),
    ],
    ids=lambda value: value[0].name[:20] if isinstance(value, tuple) else None,
)
def test_hostile_tars_are_refused_before_anything_is_read(tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes], reason: str) -> None:
    path = tmp_path / "bad.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in (member("oci-layout", b"{}"), member("index.json", b'{"schemaVersion":2,"manifests":[]}'), bad):
            archive.addfile(info, io.BytesIO(data))
    with pytest.raises(InvalidLayout, match=reason), reader(path):
        pass


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b\x08 gzip", b"no tar at all" * 1000, bytes(10240)])
def test_what_is_no_layout_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "layout.tar"
    path.write_bytes(data)
    with pytest.raises(InvalidLayout), reader(path):
        pass


def test_a_tar_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    exported(tmp_path / "from", tmp_path / "layout.tar")
    whole = (tmp_path / "layout.tar").read_bytes()

    async def work(kept: Kept) -> None:
        for end in (len(whole) // 3, len(whole) - 3000):
            (tmp_path / "cut.tar").write_bytes(whole[:end])
            with pytest.raises(InvalidLayout):
                await take(kept, tmp_path / "cut.tar")

    with_kept(tmp_path / "to", work)


def change_index(layout: Path, change: Callable[[dict[str, Any]], object], *, only_node: bool = False) -> None:
    """Change every row of the index, or keep only that of one tagged image."""
    path = layout / "index.json"
    value = json.loads(path.read_text())
    if only_node:
        value["manifests"] = [row for row in value["manifests"] if row["annotations"].get("unhub.tag") == "20"]
    for row in value["manifests"]:
        change(row)
    path.write_text(json.dumps(value))

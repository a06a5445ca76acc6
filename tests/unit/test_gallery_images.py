"""Images through ECR Public's API: taken whole or not at all, described, and deleted as AWS documents it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kept_images import digest_of
from tests.pushed import ACCOUNT, APP, SMALL, Pushed, digest, index, manifest, refused, with_pushed
from unhub.data.gallery import api_refusals
from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.image.manifest import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from unhub.mirror.gallery.images import Deleted, ImageId
from unhub.mirror.gallery.push_words import GalleryWords
from unhub.mirror.gallery.refusals import Refusals
from unhub.mirror.push_words import WrongDigest
from unhub.store.records import RepositoryKey
from unhub.store.refusals import ContentMissing, Counted, Listed, NoSuchRepository, StoreRefused, TagTaken, TooMany

CONFIG, LAYER = b"{}", b"layer" * 3
IMAGE = manifest(CONFIG, LAYER)


async def have(here: Pushed, *texts: str, tag: str | None = None) -> None:
    """Images with their blobs."""
    for data in (CONFIG, LAYER):
        if not await here.metadata.blobs.linked(here.app.key, digest_of(data)):
            await here.upload(data)
    for text in texts:
        await here.images.put(here.app, text, None, ImageId(tag=tag))


def variant(number: int) -> str:
    """Another image of the same blobs."""
    return manifest(CONFIG, LAYER, annotations={"number": str(number)})


# ------------------------------------------------------------------ PutImage


@pytest.mark.parametrize(
    "text",
    [
        IMAGE,
        f"  {IMAGE}\n\n",
        IMAGE.replace(", ", ",\r\n\t"),
        manifest(CONFIG, LAYER, annotations={"name": "Füße 🐳  "}),
        manifest(CONFIG, LAYER, media_type=DOCKER_MANIFEST),
        manifest(
            CONFIG,
            LAYER,
            artifactType="application/vnd.example.sbom",
            subject={"mediaType": OCI_MANIFEST, "digest": f"sha256:{'0' * 64}", "size": 2},
        ),
    ],
)
def test_the_bytes_of_a_manifest_are_those_of_its_text(tmp_path: Path, text: str) -> None:
    async def work(here: Pushed) -> None:
        await have(here)
        taken = await here.images.put(here.app, text, None, ImageId(tag="1"))
        assert str(taken.digest) == digest(text)
        found = await here.metadata.manifests.resolve(here.app.key, "1")
        assert found is not None
        assert found[1].data == text.encode()
        assert found[1].media_type == taken.media_type

    with_pushed(tmp_path, work)


def test_an_image_needs_no_tag_and_may_be_named_by_the_digest_of_another_algorithm(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here)
        named = str(digest_of(IMAGE.encode(), "sha512"))
        assert str((await here.images.put(here.app, IMAGE, None, ImageId(named))).digest) == named
        assert str((await here.images.put(here.app, IMAGE, None, ImageId())).digest) == digest(IMAGE)
        images, _ = await here.images.page(here.app, "", 10)
        assert {(str(one.digest), one.tags) for one in images} == {(named, ()), (digest(IMAGE), ())}

    with_pushed(tmp_path, work)


def test_a_digest_that_is_not_the_manifests_is_refused(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here)
        error = await refused(here.images.put(here.app, IMAGE + " ", None, ImageId(digest(IMAGE), "1")))
        assert error.aws_code == "ImageDigestDoesNotMatchException"
        assert digest(IMAGE) in error.message
        assert await here.metadata.images.count(here.app.key) == 0

    with_pushed(tmp_path, work)


def test_layers_that_are_missing_are_named_the_config_among_them(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await here.upload(LAYER, repository=here.other)
        error = await refused(here.images.put(here.app, IMAGE, None, ImageId(tag="1")))
        assert error.aws_code == "LayersNotFoundException"
        assert error.message == (
            f"Layers with digests '[{digest_of(CONFIG)}, {digest_of(LAYER)}]' required for pushing image into repository with name "
            f"'{APP.path}' in the registry with id '{ACCOUNT}' do not exist"
        )
        await here.upload(CONFIG)
        await here.upload(LAYER)
        await here.blobs.delete(digest_of(LAYER))
        error = await refused(here.images.put(here.app, IMAGE, None, ImageId(tag="1")))
        assert (error.aws_code, str(digest_of(CONFIG)) in error.message) == ("LayersNotFoundException", False), (
            "a lost file is missing, too"
        )

    with_pushed(tmp_path, work)


def test_foreign_layers_and_the_subject_need_not_be_here(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here)
        foreign = {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": f"sha256:{'1' * 64}", "size": 5}
        subject = {"mediaType": OCI_MANIFEST, "digest": f"sha256:{'2' * 64}", "size": 5}
        await here.images.put(here.app, manifest(CONFIG, layers=[foreign], subject=subject), None, ImageId(tag="1"))
        referrers = await here.metadata.manifests.referrers(here.app.key, Digest.parse(subject["digest"]))
        assert len(referrers) == 1

    with_pushed(tmp_path, work)


def test_an_index_needs_its_images_and_says_which_are_missing(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        both = index(IMAGE, variant(1))
        await have(here, IMAGE)
        error = await refused(here.images.put(here.app, both, None, ImageId(tag="all")))
        assert (error.aws_code, digest(variant(1)) in error.message) == ("ReferencedImagesNotFoundException", True)
        assert digest(IMAGE) not in error.message
        await have(here, variant(1))
        await here.images.put(here.app, both, None, ImageId(tag="all"))
        outer = index(variant(1)).replace(digest(variant(1)), digest(both))
        await here.images.put(here.app, outer, None, ImageId(tag="outer"))

    with_pushed(tmp_path, work)


def test_what_was_pushed_already_is_said_so_and_nothing_becomes_younger(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here, IMAGE, tag="1")
        here.later(100)
        error = await refused(here.images.put(here.app, IMAGE, None, ImageId(tag="1")))
        assert error.aws_code == "ImageAlreadyExistsException"
        assert error.message == (
            f"Image with digest '{digest(IMAGE)}' and tag '1' already exists in the repository with name '{APP.path}' "
            f"in registry with id '{ACCOUNT}'"
        )
        assert "tag" not in (await refused(here.images.put(here.app, IMAGE, None, ImageId()))).message
        await here.images.put(here.app, IMAGE, None, ImageId(tag="2"))
        tags, _ = await here.tags.page(here.app, "", 10)
        assert [(row.tag, row.created_at, row.image.pushed_at) for row in tags] == [("1", 1000, 1000), ("2", 1100, 1000)]

    with_pushed(tmp_path, work)


def test_a_tag_that_never_moves_is_said_so_and_the_others_move(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here, variant(0), tag="v1")
        await have(here, variant(0), tag="latest")
        error = await refused(here.images.put(here.app, variant(1), None, ImageId(tag="v1")))
        assert error.aws_code == "ImageTagAlreadyExistsException"
        assert (
            error.message
            == f"The image tag 'v1' already exists in the '{APP.path}' repository and cannot be overwritten because the tag is immutable."
        )
        assert (await refused(here.images.put(here.app, variant(0), None, ImageId(tag="v1")))).aws_code == "ImageAlreadyExistsException"
        await here.images.put(here.app, variant(1), None, ImageId(tag="latest"))
        with pytest.raises(ServeError) as at_the_registry:
            await here.push.manifest(here.app.key, variant(1).encode(), None, tags=["v1"])
        assert (at_the_registry.value.status, at_the_registry.value.registry_code) == (400, "TAG_INVALID")

    with_pushed(tmp_path, work, immutable_tags=(f"{APP.path}:v*",))


def test_there_are_so_many_images_and_tags_and_no_more(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here, *(variant(number) for number in range(3)))
        error = await refused(here.images.put(here.app, variant(3), None, ImageId(tag="1")))
        assert (error.aws_code, "number of images, 3" in error.message) == ("LimitExceededException", True)
        for tag in "ab":
            await here.images.put(here.app, variant(0), None, ImageId(tag=tag))
        error = await refused(here.images.put(here.app, variant(0), None, ImageId(tag="c")))
        assert (error.aws_code, "number of tags, 2" in error.message) == ("LimitExceededException", True)

    with_pushed(tmp_path, work, quotas=replace(SMALL, images=3, tags=2))


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("not JSON", None, "malformed"),
        ("[]", OCI_MANIFEST, "array"),
        ('{"schemaVersion": 1, "name": "a", "tag": "b", "fsLayers": []}', None, "schemaVersion is 1"),
        (manifest(CONFIG, LAYER, media_type=None), None, "no mediaType"),
        (IMAGE, DOCKER_MANIFEST, "calls itself"),
        (manifest(CONFIG, LAYER, manifests=[]), None, "both manifests and layers"),
        (IMAGE, OCI_INDEX, "calls itself"),
        ('{"schemaVersion": 2, "config": {"digest": "sha256:1", "size": 1}}', OCI_MANIFEST, "digest"),
        (IMAGE.replace("layer.v1", "layer.\udc00"), None, "Unicode"),
        ("{" * 100_000, OCI_MANIFEST, ""),
    ],
)
def test_what_is_no_manifest_is_refused_in_the_words_that_people_look_for(tmp_path: Path, text: str, said: str | None, hint: str) -> None:
    async def work(here: Pushed) -> None:
        await have(here)
        error = await refused(here.images.put(here.app, text, said, ImageId(tag="1")))
        assert error.aws_code == "InvalidParameterException"
        assert error.message == "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
        assert hint in (error.hint or "")

    with_pushed(tmp_path, work)


def test_a_manifest_without_a_media_type_gets_the_one_that_is_said_beside_it(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here)
        text = manifest(CONFIG, LAYER, media_type=None)
        assert (await here.images.put(here.app, text, DOCKER_MANIFEST, ImageId(tag="1"))).media_type == DOCKER_MANIFEST

    with_pushed(tmp_path, work)


@pytest.mark.parametrize("tag", ["", ".hidden", "-x", "a/b", "a b", "a:b", "x" * 129, "ü"])
def test_a_tag_that_no_pull_could_name_is_refused(tmp_path: Path, tag: str) -> None:
    async def work(here: Pushed) -> None:
        await have(here)
        assert (await refused(here.images.put(here.app, IMAGE, None, ImageId(tag=tag)))).aws_code == "InvalidParameterException"
        done = await here.images.delete(here.app, [ImageId(tag=tag)])
        assert [one.code for one in done.failures] == ["InvalidImageTag"]

    with_pushed(tmp_path, work)


def test_a_blocked_image_is_not_taken(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here)
        here.block(IMAGE.encode())
        error = await refused(here.images.put(here.app, IMAGE, None, ImageId(tag="1")))
        assert (error.aws_code, "blocked" in error.message) == ("InvalidParameterException", True)

    with_pushed(tmp_path, work)


def test_a_deleted_repository_takes_no_image(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here)
        await here.metadata.repositories.delete(here.app.key)
        empty = index()
        assert (await refused(here.images.put(here.app, empty, None, ImageId(tag="1")))).aws_code == "RepositoryNotFoundException"
        assert await here.metadata.repositories.get(here.app.key) is None

    with_pushed(tmp_path, work)


# ------------------------------------------------------------------ DescribeImages, DescribeImageTags


def test_pages_go_through_all_images_and_all_tags(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        for number in range(12):
            await have(here, variant(number), tag=f"v{number}")
        for limit in (1, 5, 6, 11, 12, 13):
            digests, tags = list[str](), list[str]()
            after: str | None = ""
            while after is not None:
                images, after = await here.images.page(here.app, after, limit)
                assert 0 < len(images) <= limit
                digests += [str(one.digest) for one in images]
            after = ""
            while after is not None:
                rows, after = await here.tags.page(here.app, after, limit)
                assert 0 < len(rows) <= limit
                tags += [row.tag for row in rows]
            assert digests == sorted(digest(variant(number)) for number in range(12))
            assert tags == sorted(f"v{number}" for number in range(12))
        assert await here.images.page(here.other, "", 10) == ([], None)
        assert await here.tags.page(here.other, "", 10) == ([], None)

    with_pushed(tmp_path, work)


def test_named_images_come_once_each_in_the_order_of_the_question(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here, variant(0), tag="zero")
        await have(here, variant(1), tag="one")
        await here.images.put(here.app, variant(1), None, ImageId(tag="uno"))
        one, zero = digest(variant(1)), digest(variant(0))
        found = await here.images.find(here.app, [ImageId(tag="uno"), ImageId(zero), ImageId(one, "one"), ImageId(zero, "zero")])
        assert [(str(image.digest), image.tags) for image in found] == [(one, ("one", "uno")), (zero, ("zero",))]
        assert [image.size for image in found] == [len(CONFIG) + len(LAYER)] * 2

    with_pushed(tmp_path, work)


@pytest.mark.parametrize(
    ("image", "code", "text"),
    [
        (ImageId(tag="none"), "ImageNotFoundException", "{imageTag:'none'}"),
        (ImageId(f"sha256:{'0' * 64}"), "ImageNotFoundException", "{imageDigest:'sha256:000"),
        (ImageId(f"sha256:{'0' * 64}", "there"), "ImageNotFoundException", ", imageTag:'there'}"),
        (ImageId("sha256:short"), "InvalidParameterException", "imageDigest"),
        (ImageId(), "InvalidParameterException", "imageIds"),
    ],
)
def test_an_image_that_is_not_there_is_named(tmp_path: Path, image: ImageId, code: str, text: str) -> None:
    async def work(here: Pushed) -> None:
        await have(here, IMAGE, tag="there")
        error = await refused(here.images.find(here.app, [ImageId(tag="there"), image]))
        assert error.aws_code == code
        assert text in error.message

    with_pushed(tmp_path, work)


# ------------------------------------------------------------------ BatchDeleteImage


def test_images_are_deleted_by_tag_or_digest_and_every_failure_has_its_code(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        child, both, bare = variant(0), variant(1), variant(2)
        await have(here, child, index(child), bare)
        for tag in ("a", "b"):
            await have(here, both, tag=tag)
        done = await here.images.delete(
            here.app,
            [
                ImageId(),
                ImageId("sha256:short"),
                ImageId(tag=".no"),
                ImageId(tag="none"),
                ImageId(digest(bare), "a"),
                ImageId(digest(child)),
                ImageId(digest(bare)),
                ImageId(tag="a"),
            ],
        )
        assert [one.code for one in done.failures] == [
            "MissingDigestAndTag",
            "InvalidImageDigest",
            "InvalidImageTag",
            "ImageNotFound",
            "ImageTagDoesNotMatchDigest",
            "ImageReferencedByManifestList",
        ]
        assert all(one.reason for one in done.failures)
        assert digest(index(child)) in done.failures[-1].reason
        assert done.images == [ImageId(digest(bare)), ImageId(digest(both), "a")]
        assert await here.images.delete(here.app, [ImageId(digest(both))]) == Deleted([ImageId(digest(both), "b")], [])
        assert [row.digest for row in (await here.images.page(here.app, "", 10))[0]] == sorted(
            (Digest.parse(digest(text)) for text in (child, index(child))), key=str
        )

    with_pushed(tmp_path, work)


def test_what_is_deleted_is_forgotten_by_the_worker_at_once(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here, IMAGE, tag="1")
        stored = await here.metadata.manifests.get(here.app.key, Digest.parse(digest(IMAGE)))
        assert stored is not None
        for which in ("1", digest(IMAGE)):
            here.memory.put(here.app.key, which, stored, None, float("inf"))
        await here.images.delete(here.app, [ImageId(tag="1")])
        assert [here.memory.get(here.app.key, which) for which in ("1", digest(IMAGE))] == [None, None]

    with_pushed(tmp_path, work)


def test_nothing_is_deleted_where_deleting_is_switched_off(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here, IMAGE, tag="1")
        error = await refused(here.images.delete(here.app, [ImageId(tag="1")]))
        assert (error.aws_code, error.status) == ("UnsupportedCommandException", 400)
        with pytest.raises(ServeError) as at_the_registry:
            await here.push.delete_manifest(here.app.key, "1")
        assert at_the_registry.value.status == 405
        assert await here.metadata.manifests.tags(here.app.key) == ["1"]

    with_pushed(tmp_path, work, delete=False)


def test_a_deleted_image_can_be_pushed_again_while_its_layers_are_still_there(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        await have(here, IMAGE, tag="1")
        here.later(200_000)
        await here.images.delete(here.app, [ImageId(tag="1")])
        assert await here.metadata.eviction.collect(here.now() - 86_400) == []
        states, _ = await here.layers.check(here.app, [str(digest_of(LAYER))])
        assert states[0].size == len(LAYER)
        await here.images.put(here.app, IMAGE, None, ImageId(tag="1"))
        here.later(200_000)
        assert await here.metadata.eviction.collect(here.now() - 86_400) == [], "an image uses them again"

    with_pushed(tmp_path, work)


def test_a_push_and_a_collection_at_once_leave_a_whole_image_or_none(tmp_path: Path) -> None:
    async def work(here: Pushed) -> None:
        for number in range(8):
            config = f"config {number}".encode()
            await here.upload(config)
            if number == 0:
                await here.upload(LAYER)
            text = manifest(config, LAYER)
            here.later(200_000)
            put, _ = await asyncio.gather(
                here.images.put(here.app, text, None, ImageId(tag="1")),
                here.metadata.eviction.collect(here.now() - 86_400),
                return_exceptions=True,
            )
            taken = await here.metadata.manifests.get(here.app.key, Digest.parse(digest(text)))
            linked = [await here.metadata.blobs.linked(here.app.key, digest_of(data)) for data in (config, LAYER)]
            assert (taken is not None) == (not isinstance(put, Exception))
            assert taken is None or all(linked)
            if not linked[1]:
                await here.upload(LAYER)

    with_pushed(tmp_path, work)


# ------------------------------------------------------------------ words


def test_the_registry_says_the_same_in_its_own_form() -> None:
    words, key, one = GalleryWords(Refusals()), RepositoryKey("acme", "team/app"), Digest("sha256", "1" * 64)
    cases: list[tuple[StoreRefused, int, str, str]] = [
        (
            ContentMissing(blobs=(one,)),
            404,
            "BLOB_UPLOAD_UNKNOWN",
            f"Layers with digests '[{one}]' required for pushing image into repository",
        ),
        (ContentMissing(manifests=(one,)), 404, "MANIFEST_BLOB_UNKNOWN", f"Images with digests '[{one}]' required"),
        (NoSuchRepository(key), 404, "NAME_UNKNOWN", "The repository with name 'team/app' does not exist in the registry with id 'acme'"),
        (WrongDigest(one, one), 400, "MANIFEST_INVALID", "does not match the image digest that Amazon ECR has calculated."),
        (TooMany(Counted.IMAGES, 5), 400, "DENIED", "maximum allowed number of images, 5"),
        (TooMany(Counted.TAGS, 5), 400, "DENIED", "maximum allowed number of tags, 5"),
        (TagTaken("v1"), 400, "TAG_INVALID", "The image tag 'v1' already exists in the 'team/app' repository"),
        (Listed(one, (one,)), 400, "DENIED", f"Requested image referenced by manifest list: [{one}]"),
        (StoreRefused("something new"), 400, "DENIED", "something new"),
    ]
    for error, status, code, text in cases:
        said = words(key, error)
        assert (said.status, said.registry_code, text in said.message) == (status, code, True)


def test_an_endless_list_of_digests_is_cut() -> None:
    many = tuple(Digest("sha256", f"{number:064d}") for number in range(5000))
    said = GalleryWords(Refusals())(RepositoryKey("acme", "app"), ContentMissing(blobs=many))
    assert len(said.message) < 2000
    assert "…" in said.message


@given(st.text(max_size=40), st.text(max_size=40))
def test_what_was_sent_cannot_fill_in_other_words(name: str, registry: str) -> None:
    said = Refusals().make("repository-not-found", name=name, registry=registry)
    assert said.message == f"The repository with name '{name}' does not exist in the registry with id '{registry}'"


def test_a_user_may_change_the_words(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[[api_refusal]]\nid = "layers-not-found"\ncode = "LayersNotFoundException"\nmessage = "{digests} are missing"\n'
        'registry_code = "MANIFEST_BLOB_UNKNOWN"\nregistry_status = 400\ndate = 2026-11-26\nsource = "seen"\nconfidence = "unverified"\n'
    )
    refusals = Refusals(own)
    assert refusals.make("layers-not-found", digests="x").message == "x are missing"
    assert refusals.at_registry("layers-not-found", digests="x").registry_code == "MANIFEST_BLOB_UNKNOWN"
    with pytest.raises(LookupError):
        refusals.at_registry("empty-upload")
    assert set(api_refusals(own)) == set(api_refusals())

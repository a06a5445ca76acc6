"""One truth behind all doors, whatever is done through them in whatever order, also after the mirror was started again.

A model of three repositories stands beside a real ``unhub serve`` with two workers; a state machine of Hypothesis writes by
the API or as docker does, and after each step both doors must show what the model has, byte for byte and within a second.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.api_images import ApiImage, digest_of, fresh, image, index
from tests.gallery import EVERYTHING, Gallery, running_gallery
from tests.mirror import wait_until
from tests.truth.doors import Api, Registry, everything_of, media_type_of

EXAMPLES = int(os.environ.get("UNHUB_TRUTH_EXAMPLES", "4"))
STEPS = 25
SOON = 1.0
"""Seconds within which a change must be true in every worker."""

SLOW = 4.0
"""Seconds beyond that for a machine that has other work, too."""

SHARED = fresh(70_000)
PLAIN = (image(SHARED, fresh(1)), image(SHARED, fresh(200_000)), image(fresh(10), annotations={"é": "\u2028"}))
IMAGES = (*PLAIN, index(*PLAIN[:2]), index(PLAIN[2]))
CHILDREN: dict[str, tuple[str, ...]] = {
    one.digest: tuple(row["digest"] for row in json.loads(one.manifest).get("manifests", ())) for one in IMAGES
}
BY_DIGEST = {one.digest: one for one in IMAGES}
BLOBS = everything_of(IMAGES)

NAMES = st.sampled_from(["app", "app", "app", "team/web", "team/web", "team/web-2"])
"""Most of it happens in one repository, so that something meets there."""
NUMBERS = st.integers(0, len(IMAGES) - 1)
TAGS = st.sampled_from(["latest", "1.0", "a" * 128])
PICKED = st.integers(0, 9)
DOORS = st.sampled_from(["api", "registry"])


EXPECTED = {
    "create",
    "drop, with images",
    "start again",
    "lose a worker",
    *(f"push by {door}{end}" for door in ("api", "registry") for end in ("", ", refused", ", there already")),
    *(f"delete tag by {door}, last" for door in ("api", "registry")),
    *(f"delete image by {door}" for door in ("api", "registry")),
}
"""What must have happened, so that it is more than nothing that was seen by all."""


@dataclass
class Repository:
    """What a repository has: tags and images by digest; ``pushed_at`` is learnt when an image is seen first."""

    tags: dict[str, str] = field(default_factory=dict[str, str])
    images: set[str] = field(default_factory=set[str])
    pushed_at: dict[str, Any] = field(default_factory=dict[str, Any])
    resource_tags: dict[str, str] = field(default_factory=dict[str, str])
    catalog: dict[str, Any] | None = None
    policy: str | None = None

    def listed(self, digest: str) -> bool:
        return any(digest in CHILDREN[other] for other in self.images)

    def tags_of(self, digest: str) -> set[str]:
        return {tag for tag, other in self.tags.items() if other == digest}


class Site:
    """A gallery that can be started again with what it keeps."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self.round = 0
        self.done: Counter[str] = Counter()
        self.gallery: Gallery
        self.api: Api
        self.registry: Registry
        self.start()
        token = self.api.ecr.get_authorization_token()["authorizationData"]["authorizationToken"]
        self.registry.password = base64.b64decode(token).decode().removeprefix("AWS:")
        self.registry.log_in()

    def start(self) -> None:
        given = running_gallery(self._folder, users={"owner": EVERYTHING}, arguments=["--workers", "2"])
        self.gallery = self._stack.enter_context(given)
        self.api = Api(self.gallery, "owner")
        before = getattr(self, "registry", Registry("", ""))
        self.registry = Registry(self.gallery.mirror.url, before.password, before.anonymous, before.token)

    def stop(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    made = Site(tmp_path_factory.mktemp("truth"))
    yield made
    made.stop()


def picked(number: int, some: Sequence[str], other: str) -> str:
    """One of some, or once in a while another."""
    return other if number == 9 or not some else some[number % len(some)]


def soon(check: Callable[[], None]) -> None:
    """Pass twice in a row, within the second in which a change must be everywhere."""
    until = time.monotonic() + SOON + SLOW
    passed = 0
    while passed < 2:
        try:
            check()
            passed += 1
        except AssertionError:
            passed = 0
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


class Doors(RuleBasedStateMachine):
    """Writes by any door; :meth:`same` looks through all of them."""

    site: Site

    @initialize()
    def begin(self) -> None:
        """Names of repositories are never used by two examples."""
        self.site.round += 1
        self.repositories: dict[str, Repository] = {}
        for name in ("app", "team/web"):
            self.make(name, tagged=name == "app", described=name != "app")

    def named(self, name: str) -> str:
        return f"round-{self.site.round}/{name}"

    def known(self, name: str) -> Repository | None:
        return self.repositories.get(self.named(name))

    # what is written

    @rule(tagged=st.booleans(), described=st.booleans())
    def create(self, tagged: bool, described: bool) -> None:
        self.make("team/web-2", tagged=tagged, described=described)

    def make(self, name: str, *, tagged: bool, described: bool) -> None:
        full = self.named(name)
        given: dict[str, Any] = {"repositoryName": full}
        given |= {"tags": [{"Key": "team", "Value": "ä"}]} if tagged else {}
        given |= {"catalogData": {"description": "d", "architectures": ["ARM 64"]}} if described else {}
        refused = self.site.api.refusal("create_repository", **given)
        assert refused == ("RepositoryAlreadyExistsException" if full in self.repositories else "")
        if not refused:
            catalog = given.get("catalogData")
            self.site.done["create"] += 1
            self.repositories[full] = Repository(resource_tags={"team": "ä"} if tagged else {}, catalog=catalog)
        self.same(name)

    @precondition(lambda self: any(one.images for one in self.repositories.values()))
    @rule(name=NAMES, force=st.sampled_from([True, True, False]))
    def drop(self, name: str, force: bool) -> None:
        full, repository = self.named(name), self.known(name)
        refused = self.site.api.refusal("delete_repository", repositoryName=full, force=force)
        if repository is None:
            assert refused == "RepositoryNotFoundException"
        elif repository.images and not force:
            assert refused == "RepositoryNotEmptyException"
        else:
            assert refused == ""
            self.site.done["drop, with images" if repository.images else "drop"] += 1
            del self.repositories[full]
        self.same(name)

    @rule(name=NAMES, number=NUMBERS, tag=st.none() | TAGS, mount=NAMES)
    def docker_push(self, name: str, number: int, tag: str | None, mount: str) -> None:
        self.push(name, number, tag, "registry", mount)

    @rule(name=NAMES, number=NUMBERS, tag=st.none() | TAGS)
    def api_push(self, name: str, number: int, tag: str | None) -> None:
        self.push(name, number, tag, "api", name)

    @rule(name=NAMES, tag=TAGS, door=DOORS)
    def push_index_with_all(self, name: str, tag: str, door: str) -> None:
        for number in (0, 1, 3):
            self.push(name, number, tag if number == 3 else None, door, name)

    def push(self, name: str, number: int, tag: str | None, door: str, mount: str) -> None:
        full, repository, pushed = self.named(name), self.known(name), IMAGES[number]
        if repository is None:
            self.push_nowhere(full, pushed, tag)
            return
        missing = not set(CHILDREN[pushed.digest]) <= repository.images
        same = repository.tags.get(tag) == pushed.digest if tag else pushed.digest in repository.images
        if door == "api":
            refused = self.site.api.push(full, pushed, tag)
            assert refused == ("ReferencedImagesNotFoundException" if missing else "ImageAlreadyExistsException" if same else "")
        else:
            said = self.site.registry.push(full, pushed, tag, mount_from=self.named(mount) if self.known(mount) else None)
            assert said.status == (404 if missing else 201), said.body
        self.site.done[f"push by {door}" + (", refused" if missing else ", there already" if same else "")] += 1
        if not missing:
            repository.images.add(pushed.digest)
            if tag:
                repository.tags[tag] = pushed.digest
        self.same(name)

    def push_nowhere(self, full: str, pushed: ApiImage, tag: str | None) -> None:
        """No push makes a repository."""
        given = {"repositoryName": full, "imageManifest": pushed.manifest}
        assert self.site.api.refusal("put_image", **given) == "RepositoryNotFoundException"
        assert self.site.api.refusal("initiate_layer_upload", repositoryName=full) == "RepositoryNotFoundException"
        path = f"/v2/acme/{full}"
        for said in (
            self.site.registry.write("POST", f"{path}/blobs/uploads/"),
            self.site.registry.write("PUT", f"{path}/manifests/{tag or pushed.digest}", pushed.manifest.encode()),
        ):
            assert (said.status, said.json["errors"][0]["code"]) == (404, "NAME_UNKNOWN")

    @precondition(lambda self: any(one.tags for one in self.repositories.values()))
    @rule(name=NAMES, number=PICKED, door=DOORS)
    def delete_tag(self, name: str, number: int, door: str) -> None:
        repository = self.known(name)
        if repository is None:
            return
        tag = picked(number, sorted(repository.tags), "absent")
        digest = repository.tags.get(tag)
        last = digest is not None and repository.tags_of(digest) == {tag}
        listed = digest is not None and last and repository.listed(digest)
        if door == "api":
            failure = self.site.api.delete(self.named(name), imageTag=tag)
            assert failure == ("ImageNotFound" if digest is None else "ImageReferencedByManifestList" if listed else "")
        else:
            status = self.site.registry.write("DELETE", f"/v2/acme/{self.named(name)}/manifests/{tag}").status
            assert status == (404 if digest is None else 400 if listed else 202)
        self.site.done[
            f"delete tag by {door}" + (", absent" if digest is None else ", listed" if listed else ", last" if last else "")
        ] += 1
        if digest is not None and not listed:
            del repository.tags[tag]
            if last:
                self.gone(repository, digest)
        self.same(name)

    @precondition(lambda self: any(one.images for one in self.repositories.values()))
    @rule(name=NAMES, number=PICKED, door=DOORS)
    def delete_image(self, name: str, number: int, door: str) -> None:
        repository = self.known(name)
        if repository is None:
            return
        digest = picked(number, [one.digest for one in IMAGES if one.digest in repository.images], digest_of(b"absent"))
        here = digest in repository.images
        listed = here and repository.listed(digest)
        if door == "api":
            failure = self.site.api.delete(self.named(name), imageDigest=digest)
            assert failure == ("" if here and not listed else "ImageReferencedByManifestList" if listed else "ImageNotFound")
        else:
            status = self.site.registry.write("DELETE", f"/v2/acme/{self.named(name)}/manifests/{digest}").status
            assert status == (202 if here and not listed else 400 if listed else 404)
        self.site.done[f"delete image by {door}" + (", listed" if listed else "" if here else ", absent")] += 1
        if here and not listed:
            self.gone(repository, digest)
        self.same(name)

    @staticmethod
    def gone(repository: Repository, digest: str) -> None:
        repository.images.discard(digest)
        repository.pushed_at.pop(digest, None)
        repository.tags = {tag: other for tag, other in repository.tags.items() if other != digest}

    @precondition(lambda self: self.repositories)
    @rule(name=NAMES, key=st.sampled_from(["team", "k" * 128]), value=st.none() | st.text(max_size=5))
    def tag_resource(self, name: str, key: str, value: str | None) -> None:
        repository = self.known(name)
        if repository is None:
            return
        (row,) = self.site.api.ecr.describe_repositories(repositoryNames=[self.named(name)])["repositories"]
        if value is None:
            self.site.api.ecr.untag_resource(resourceArn=row["repositoryArn"], tagKeys=[key])
            repository.resource_tags.pop(key, None)
        else:
            tags = [{"Key": key, "Value": value}]
            if self.site.api.refusal("tag_resource", resourceArn=row["repositoryArn"], tags=tags) == "":
                repository.resource_tags[key] = value
        self.same(name)

    @precondition(lambda self: self.repositories)
    @rule(name=NAMES, about=st.text(max_size=20), described=st.booleans(), policy=st.none() | st.sampled_from(["ecr-public:PutImage", "*"]))
    def say_more(self, name: str, about: str, described: bool, policy: str | None) -> None:
        """Catalog data and the repository's policy."""
        full, repository = self.named(name), self.known(name)
        if repository is None:
            return
        if described:
            self.site.api.ecr.put_repository_catalog_data(repositoryName=full, catalogData={"aboutText": about})
            repository.catalog = {"aboutText": about}
        if policy is None:
            refused = self.site.api.refusal("delete_repository_policy", repositoryName=full)
            assert refused == ("" if repository.policy is not None else "RepositoryPolicyNotFoundException")
            repository.policy = None
        else:
            statement = {"Sid": "Own", "Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": policy}
            text = json.dumps({"Version": "2008-10-17", "Statement": [statement]}, indent=1)
            self.site.api.ecr.set_repository_policy(repositoryName=full, policyText=text)
            repository.policy = text
        self.same(name)

    @precondition(lambda self: any(one.images for one in self.repositories.values()))
    @rule()
    def start_again(self) -> None:
        self.site.done["start again"] += 1
        self.site.stop()
        self.site.start()
        for full in self.repositories:
            self.same(full.partition("/")[2])

    @precondition(lambda self: any(one.images for one in self.repositories.values()))
    @rule(number=st.sampled_from([1, 2]))
    def lose_a_worker(self, number: int) -> None:
        """Killed in the middle of nothing; another one takes its place, and knows what the others know."""
        self.site.done["lose a worker"] += 1
        mirror, name = self.site.gallery.mirror, f"worker {number}"
        gone = mirror.kill(name)
        wait_until(lambda: mirror.processes.get(name, gone) != gone, why="no other worker came")
        wait_until(lambda: mirror.get("/readyz").status == 200)
        for full in self.repositories:
            self.same(full.partition("/")[2])

    # what must be seen

    def same(self, name: str) -> None:
        """Both doors show what the model has."""
        full, repository = self.named(name), self.known(name)
        if repository is None:
            soon(lambda: self.nothing(full))
            return
        soon(lambda: self.seen_by_api(full, repository))
        soon(lambda: self.seen_by_registry(full, repository))

    def nothing(self, full: str) -> None:
        """Every door misses it."""
        assert self.site.registry.tags(full) is None
        for one in IMAGES:
            assert self.site.registry.manifest(full, one.digest).status == 404
        assert not [digest for digest in BLOBS if self.site.registry.has_blob(full, digest)]
        for operation in ("describe_images", "describe_image_tags", "get_repository_policy", "get_repository_catalog_data"):
            assert self.site.api.refusal(operation, repositoryName=full) == "RepositoryNotFoundException"

    def seen_by_api(self, full: str, repository: Repository) -> None:
        api = self.site.api
        images = api.images(full)
        assert set(images) == repository.images
        assert api.tags(full) == repository.tags
        for digest, row in images.items():
            assert set(row.get("imageTags", ())) == repository.tags_of(digest)
            assert row["imageManifestMediaType"] == media_type_of(BY_DIGEST[digest])
            assert repository.pushed_at.setdefault(digest, row["imagePushedAt"]) == row["imagePushedAt"]
            assert all(api.has_blob(full, digest_of(blob)) for blob in BY_DIGEST[digest].blobs)
        assert api.resource_tags(full) == repository.resource_tags
        assert api.catalog(full) == repository.catalog
        assert api.policy(full) == repository.policy

    def seen_by_registry(self, full: str, repository: Repository) -> None:
        registry = self.site.registry
        assert registry.tags(full) == sorted(repository.tags)
        for reference, digest in [*repository.tags.items(), *((one, one) for one in repository.images)]:
            said = registry.manifest(full, reference)
            assert (said.status, said.body) == (200, BY_DIGEST[digest].manifest.encode())
            assert said.headers["docker-content-digest"] == digest
            assert said.headers["content-type"] == media_type_of(BY_DIGEST[digest])
        for digest in {digest_of(blob) for one in repository.images for blob in BY_DIGEST[one].blobs}:
            said = registry.read(f"{full}/blobs/{digest}")
            assert (said.status, said.body) == (200, BLOBS[digest])
        for one in IMAGES:
            if one.digest not in repository.images:
                assert registry.manifest(full, one.digest).status == 404


def doors(site: Site) -> Doors:
    """A machine whose steps are chosen by hand."""
    Doors.site = site
    made = Doors()
    made.begin()
    return made


@pytest.mark.parametrize(("door", "other"), [("api", "registry"), ("registry", "api")])
def test_a_repository_lives_and_ends_the_same_behind_both_doors(site: Site, door: str, other: str) -> None:
    machine = doors(site)
    for number, tag in ((3, "latest"), (0, None), (1, "1.0"), (1, "1.0"), (3, "latest"), (2, "a"), (2, "b")):
        machine.push("app", number, tag, door, "team/web")
    machine.push("team/web", 2, "1.0", other, "app")
    machine.start_again()
    for number in range(4):
        machine.delete_tag("app", number, other)  # the first of those that are left; "1.0" is listed by an index
    machine.delete_image("app", 3, other)
    machine.delete_image("app", 0, door)
    machine.push("app", 0, "again", other, "app")
    machine.tag_resource("app", "team", "b")
    machine.say_more("app", "about", True, "ecr-public:PutImage")
    machine.lose_a_worker(1)
    machine.drop("app", False)
    machine.drop("app", True)
    machine.make("app", tagged=False, described=False)
    machine.push("app", 0, None, door, "team/web")


def test_what_one_door_writes_every_other_shows(site: Site) -> None:
    """Whatever Hypothesis thinks of."""
    Doors.site = site
    bounded = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(Doors, settings=bounded)
    assert site.done.keys() >= EXPECTED, f"too little happened: {site.done}"

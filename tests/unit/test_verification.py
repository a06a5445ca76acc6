"""One reference against one target: every verdict, what it rests on, and what asking for it costs."""

from __future__ import annotations

import asyncio
import datetime
from dataclasses import replace

import pytest

from tests.unit.registries_in_memory import Registries
from unhub.image.errors import AccessRefused, BadAnswer, LimitKind, RateLimited, RegistryError, Unreachable
from unhub.image.reference import Reference
from unhub.migrate.verification.compare import CompareOptions, Comparer
from unhub.migrate.verification.deep import look_deep
from unhub.migrate.verification.verdict import Evidence, Failure, Verdict, registry_title, short, tagged, verified

HUB, ECR = "docker.io", "public.ecr.aws"
NODE, COPY = Reference.parse("node:20"), Reference.parse(f"{ECR}/docker/library/node:20")
NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
TWO = {"linux/amd64": "a", "linux/arm64/v8": "b"}


def ago(hours: float) -> datetime.datetime:
    return NOW - datetime.timedelta(hours=hours)


def compare(
    registries: Registries,
    origin: Reference | None = NODE,
    target: Reference = COPY,
    *,
    history: dict[str, datetime.datetime] | None = None,
    deep: bool = False,
    **options: object,
) -> Evidence:
    async def work() -> Evidence:
        comparer = Comparer(registries, lambda _, digest: (history or {}).get(digest), NOW, CompareOptions(**options))  # type: ignore[arg-type]
        evidence = await comparer.compare(origin, target)
        return await look_deep(evidence, registries) if deep else evidence

    return asyncio.run(work())


def test_the_same_digest_is_the_same_image_and_costs_two_heads() -> None:
    registries = Registries()
    digest = registries.put_index("node:20", TWO)
    registries.put_index(str(COPY), TWO)
    evidence = compare(registries)
    assert (evidence.verdict, evidence.origin_digest, evidence.target_digest, evidence.seen) == (Verdict.SAME, digest, digest, NOW)
    assert sorted(registries.asked) == [("HEAD", HUB), ("HEAD", ECR)]


def test_what_the_target_does_not_have_is_missing_and_says_whether_docker_hub_has_it() -> None:
    registries = Registries()
    registries.put_index("node:20", TWO)
    evidence = compare(registries)
    assert (evidence.verdict, evidence.cause) == (Verdict.MISSING, "public.ecr.aws answered 404 (no such image or tag)")
    assert compare(Registries()).cause == "public.ecr.aws answered 404 (no such image or tag), and so did Docker Hub"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Unreachable("cannot reach it: its name cannot be resolved", host=ECR), "could not be asked: its name cannot be resolved"),
        (AccessRefused("cannot read node: it answered 403", host=ECR, status=403), "answered 403"),
        (RateLimited("cannot read node: it wants fewer requests", host=ECR, kind=LimitKind.RATE), "wants fewer requests"),
        (BadAnswer("cannot read node: it answered with a web page", host=ECR), "answered with a web page"),
        (RegistryError("gone", host=ECR), "could not be asked: gone"),
    ],
)
def test_what_cannot_be_asked_is_unknown_with_its_cause(error: RegistryError, cause: str) -> None:
    registries = Registries(failing={ECR: error})
    registries.put_index("node:20", TWO)
    evidence = compare(registries)
    assert (evidence.verdict, evidence.failure, evidence.cause) == (Verdict.UNKNOWN, error.code, f"public.ecr.aws {cause}")


def test_without_docker_hub_there_is_nothing_to_compare_with() -> None:
    registries = Registries(failing={HUB: RateLimited("cannot read node: it wants fewer requests", host=HUB, kind=LimitKind.ABUSE)})
    registries.put_index(str(COPY), TWO)
    evidence = compare(registries)
    assert evidence.verdict is Verdict.UNKNOWN
    assert evidence.cause == "nothing to compare with: Docker Hub wants fewer requests"


def test_of_another_index_the_platforms_are_looked_up_at_docker_hub_by_head_alone() -> None:
    registries = Registries()
    registries.put_index("node:20", TWO)
    registries.put_index(str(COPY), {"linux/amd64": "a", "linux/arm64/v8": "other"})
    evidence = compare(registries)
    assert (evidence.verdict, evidence.same, evidence.other) == (Verdict.DIFFERENT, ("linux/amd64",), ("linux/arm64/v8",))
    assert "1 of its 2 platforms' images are at Docker Hub, too (whether under this tag, --spend 1 tells)" in str(evidence.cause)
    assert registries.count("GET", HUB) == 0


def test_an_index_that_docker_hub_still_has_by_digest_is_most_likely_an_older_push() -> None:
    registries = Registries()
    registries.put_index("node:20", {"linux/amd64": "old"})
    registries.put_index("node:20", {"linux/amd64": "new"})
    registries.put_index(str(COPY), {"linux/amd64": "old"})
    evidence = compare(registries)
    assert evidence.verdict is Verdict.DIFFERENT
    assert "most likely an older push" in str(evidence.cause)


def test_nothing_in_common_is_said_too() -> None:
    registries = Registries()
    registries.put_index("node:20", TWO)
    registries.put_index(str(COPY), {"linux/amd64": "x"})
    assert "Docker Hub has none of its platforms' images" in str(compare(registries).cause)


def test_one_spent_pull_tells_that_only_the_index_is_another() -> None:
    registries = Registries()
    registries.put_index("node:20", TWO)
    registries.put_index(str(COPY), dict(reversed(TWO.items())), note="another index")
    evidence = compare(registries, spend=1)
    assert (evidence.verdict, set(evidence.same)) == (Verdict.SAME_PLATFORMS, set(TWO))
    assert "the images of all 2 platforms are the same, only the index is another" in str(evidence.cause)
    assert registries.count("GET", HUB) == 1


def test_one_spent_pull_tells_what_only_one_side_has() -> None:
    registries = Registries()
    registries.put_index("node:20", {**TWO, "linux/s390x": "s"})
    registries.put_index(str(COPY), {"linux/amd64": "a", "linux/arm64/v8": "other", "linux/386": "i"})
    evidence = compare(registries, spend=5)
    assert evidence.verdict is Verdict.DIFFERENT
    assert (evidence.same, evidence.other) == (("linux/amd64",), ("linux/arm64/v8",))
    assert (evidence.only_origin, evidence.only_target) == (("linux/s390x",), ("linux/386",))
    assert registries.count("GET", HUB) == 1


def test_a_single_manifest_is_found_among_the_platforms_of_an_index() -> None:
    registries = Registries()
    registries.put_index("node:20", TWO)
    registries.put_image(str(COPY), "a")
    evidence = compare(registries, spend=1)
    assert (evidence.verdict, evidence.same, evidence.only_origin) == (Verdict.DIFFERENT, ("linux/amd64",), ("linux/arm64/v8",))


def test_no_more_pulls_are_spent_than_permitted() -> None:
    registries = Registries()
    for tag in ("1", "2", "3"):
        registries.put_index(f"node:{tag}", TWO, note=tag)
        registries.put_index(f"{COPY.name}:{tag}", TWO)

    async def work() -> list[Verdict]:
        comparer = Comparer(registries, lambda *_: None, NOW, CompareOptions(spend=2))
        pairs = [(replace(NODE, tag=tag), replace(COPY, tag=tag)) for tag in ("1", "2", "3")]
        found = await asyncio.gather(*(comparer.compare(origin, target) for origin, target in pairs))
        assert comparer.spent == 2
        return [evidence.verdict for evidence in found]

    assert sorted(asyncio.run(work())) == [Verdict.DIFFERENT, Verdict.SAME_PLATFORMS, Verdict.SAME_PLATFORMS]
    assert registries.count("GET", HUB) == 2


@pytest.mark.parametrize(("hours", "verdict"), [(1, Verdict.LAGGING), (72, Verdict.LAGGING), (72.1, Verdict.DIFFERENT)])
def test_a_digest_that_docker_hub_had_not_long_ago_is_lag(hours: float, verdict: Verdict) -> None:
    registries = Registries()
    registries.put_index("node:20", {"linux/amd64": "new"})
    old = registries.put_index(str(COPY), {"linux/amd64": "old"})
    evidence = compare(registries, history={old: ago(hours)})
    assert evidence.verdict is verdict
    if verdict is Verdict.LAGGING:
        assert f"which Docker Hub had until {ago(hours):%Y-%m-%d %H:%M} UTC or later; Docker Hub now has" in str(evidence.cause)


def test_lag_is_known_even_while_docker_hub_does_not_answer() -> None:
    registries = Registries(failing={HUB: Unreachable("cannot reach it: timed out", host=HUB)})
    digest = registries.put_index(str(COPY), TWO)
    evidence = compare(registries, history={digest: ago(2)})
    assert (evidence.verdict, evidence.origin_digest) == (Verdict.LAGGING, None)
    assert "timed out" in str(evidence.cause)


def test_a_pinned_digest_has_to_be_served_by_that_very_digest_and_docker_hub_is_not_asked() -> None:
    registries = Registries()
    digest = registries.put_index(str(COPY), TWO)
    pinned, there = Reference.parse(f"node:20@{digest}"), Reference.parse(f"{COPY}@{digest}")
    assert compare(registries, pinned, there).verdict is Verdict.SAME
    assert registries.asked == [("HEAD", ECR)]
    other = "sha256:" + "0" * 64
    gone = compare(registries, replace(pinned, digest=other), replace(there, digest=other))
    assert (gone.verdict, gone.cause) == (Verdict.MISSING, "public.ecr.aws answered 404 (no such image or tag), and so did Docker Hub")


def test_a_target_that_serves_another_digest_than_asked_for_is_caught() -> None:
    registries = Registries()
    digest = "sha256:" + "0" * 64
    registries.put_index(str(COPY), TWO)
    registries.served[ECR, COPY.repository, digest] = registries.served[ECR, COPY.repository, "20"]
    evidence = compare(registries, Reference.parse(f"node@{digest}"), Reference.parse(f"{COPY.name}@{digest}"))
    assert evidence.verdict is Verdict.DIFFERENT
    assert "when asked for sha256:000000000000" in str(evidence.cause)


def test_platforms_of_the_same_image_are_read_at_the_target_when_wanted() -> None:
    registries = Registries()
    registries.put_index("node:20", TWO)
    registries.put_index(str(COPY), TWO)
    assert compare(registries).platforms == ()
    assert compare(registries, platforms=True).platforms == tuple(TWO)
    assert registries.count("GET", HUB) == 0


def test_a_name_that_stands_for_nothing_at_docker_hub_is_looked_for_all_the_same() -> None:
    registries, near = Registries(), Reference.parse(f"{ECR}/docker/node:20")
    assert compare(registries, None, near).verdict is Verdict.MISSING
    registries.put_index(str(near), TWO)
    assert compare(registries, None, near).verdict is Verdict.UNKNOWN


def test_docker_hub_as_target_is_asked_once_and_never_by_get() -> None:
    registries = Registries()
    registries.put_index("node:20", TWO)
    evidence = compare(registries, NODE, NODE, platforms=True, deep=True)
    assert evidence.verdict is Verdict.SAME
    assert registries.asked == [("HEAD", HUB)]


# Behind the tag


def both(images: dict[str, str] = TWO) -> Registries:
    registries = Registries()
    registries.put_index("node:20", images)
    registries.put_index(str(COPY), images)
    return registries


def test_looking_behind_the_tag_finds_everything_and_when_it_was_built() -> None:
    registries = both()
    evidence = compare(registries, deep=True)
    assert (evidence.verdict, evidence.deep) == (Verdict.SAME, True)
    assert evidence.oldest == evidence.newest == datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
    assert {registry for method, registry in registries.asked if "blob" in method or method == "GET"} == {ECR}


@pytest.mark.parametrize(
    ("text", "says"), [(b"a", "layer sha256:ca978112ca1b of linux/amd64"), (b'{"created": "2026-11-01T00:00:00Z"}', "the configuration of")]
)
def test_a_tag_without_its_blobs_is_missing(text: bytes, says: str) -> None:
    registries = both()
    registries.blobs = {key: blob for key, blob in registries.blobs.items() if key[0] != ECR or blob != text}
    evidence = compare(registries, deep=True)
    assert evidence.verdict is Verdict.MISSING
    assert f"public.ecr.aws has the tag, but not {says}" in str(evidence.cause)


def test_a_layer_of_the_wrong_size_is_not_all_there() -> None:
    registries = both()
    registries.blobs = {key: b"" if blob == b"a" else blob for key, blob in registries.blobs.items()}
    assert "but not all of layer sha256:ca978112ca1b of linux/amd64 (0 bytes of 1)" in str(compare(registries, deep=True).cause)


def test_an_index_without_one_of_its_manifests_is_missing() -> None:
    registries = both()
    digest = registries.put_image(COPY.name, "b")
    del registries.served[ECR, COPY.repository, digest]
    assert "but not the manifest of linux/arm64/v8" in str(compare(registries, deep=True).cause)


def test_what_cannot_be_looked_into_is_unknown() -> None:
    registries = both()

    async def refused(*_: object) -> int:
        raise Unreachable("cannot find the blob: timed out", host=ECR)

    registries.head_blob = refused  # type: ignore[method-assign]
    evidence = compare(registries, deep=True)
    assert (evidence.verdict, evidence.failure, evidence.deep) == (Verdict.UNKNOWN, "unreachable", False)


def test_a_layer_that_two_platforms_share_is_asked_for_once() -> None:
    registries = both({"linux/amd64": "shared", "linux/arm64/v8": "shared"})
    compare(registries, deep=True)
    assert registries.count("HEAD blob", ECR) == 1


# Words


def test_verdicts_are_good_enough_by_themselves_or_by_leave() -> None:
    pinned = Reference.parse("node@sha256:" + "0" * 64)
    for verdict in Verdict:
        evidence = Evidence(origin=NODE, target=COPY, verdict=verdict, seen=NOW)
        assert evidence.accepted(()) == (verdict in (Verdict.SAME, Verdict.LAGGING))
        assert evidence.accepted((verdict.value,))
        assert replace(evidence, origin=pinned).accepted(("unverified-digests",)) == (
            verdict in (Verdict.SAME, Verdict.LAGGING, Verdict.UNKNOWN)
        )
    assert [verified(verdict) for verdict in Verdict] == ["yes", "yes", "no", "no", "no", "unknown"]
    assert verified(None) == "unknown"


def test_words_for_people() -> None:
    assert short(None) == "-"
    assert registry_title("docker.io") == "Docker Hub"
    assert str(tagged(Reference.parse("node"))) == "docker.io/library/node:latest"
    assert tagged(COPY) is COPY
    error = Unreachable("cannot x: y", host="h")
    assert Failure.of(error, NODE) == Failure("unreachable", "cannot x: y", HUB)

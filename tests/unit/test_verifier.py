"""All questions of a run: each asked once, together, in the order of the targets, and not at all where the lock knows."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hub import docker_hub, ecr_public, endpoints, small_index
from tests.unit.registries_in_memory import Registries
from tests.unit.test_registry_rates import Time
from unhub.data.facts import builtin
from unhub.demo.catalogue import Entry
from unhub.image.errors import Unreachable, UsageError
from unhub.image.reference import Reference
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.verification.compare import CompareOptions
from unhub.migrate.verification.contradiction import contradictions
from unhub.migrate.verification.lock import Lock
from unhub.migrate.verification.question import NoProof, Question
from unhub.migrate.verification.verdict import Verdict
from unhub.migrate.verification.verifier import AT_ONCE, Client, Verifier, VerifyOptions
from unhub.registry.client import RegistryClient
from unhub.registry.credentials import NoCredentials
from unhub.registry.settings import ClientSettings

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
ECR, MIRROR = "public.ecr.aws/docker/library/", "mirror.example/hub/library/"
ONE = {"linux/amd64": "a"}


def question(tag: str = "20", *places: str) -> Question:
    return Question(Reference.parse(f"node:{tag}"), tuple(Reference.parse(f"{place}node:{tag}") for place in places or (ECR,)))


def verifier(lock: Lock | None = None, **options: object) -> Verifier:
    return Verifier(lock or Lock(Path("unhub.lock")), NOW, VerifyOptions(**options))  # type: ignore[arg-type]


def ask(asking: Verifier, questions: Sequence[Question], client: Client | None) -> None:
    asyncio.run(asking.ask(asking.open_questions(questions), client))


def verdicts(asking: Verifier, one: Question) -> list[Verdict | None]:
    found = [asking.evidence(one.origin, target) for target in one.targets]
    return [evidence.verdict if evidence else None for evidence in found]


def test_a_reference_is_asked_about_once_however_often_and_however_it_is_written() -> None:
    registries = Registries()
    registries.put_index("node:latest", ONE)
    registries.put_index(f"{ECR}node:latest", ONE)
    asking, bare = verifier(), Question(Reference.parse("node"), (Reference.parse(f"{ECR}node"),))
    ask(asking, [bare, question("latest"), bare], registries)
    assert len(registries.asked) == 2
    assert verdicts(asking, bare) == verdicts(asking, question("latest")) == [Verdict.SAME]


def test_the_targets_are_tried_in_their_order_and_no_further_than_needed() -> None:
    registries = Registries()
    registries.put_index("node:20", ONE)
    registries.put_index(f"{MIRROR}node:20", ONE)
    asking = verifier()
    ask(asking, [question("20", ECR, MIRROR)], registries)
    assert verdicts(asking, question("20", ECR, MIRROR)) == [Verdict.MISSING, Verdict.SAME]
    assert registries.count("HEAD", "docker.io") == 1
    second = verifier()
    ask(second, [question("20", MIRROR, ECR)], registries)
    assert verdicts(second, question("20", MIRROR, ECR)) == [Verdict.SAME, None]


def test_many_are_asked_together_and_never_more_than_bounded() -> None:
    registries, under_way, most = Registries(), 0, 0
    for number in range(3 * AT_ONCE):
        registries.put_index(f"node:{number}", ONE)
        registries.put_index(f"{ECR}node:{number}", ONE)
    head = registries.head_manifest

    async def slow(reference: Reference) -> object:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        under_way -= 1
        return await head(reference)

    registries.head_manifest = slow  # type: ignore[method-assign, assignment]
    told: list[tuple[int, int]] = []
    asking = verifier()
    questions = [question(str(number)) for number in range(3 * AT_ONCE)]
    asyncio.run(asking.ask(questions, registries, lambda done, total: told.append((done, total))))
    assert AT_ONCE < most <= 2 * AT_ONCE
    assert told[-1] == (3 * AT_ONCE, 3 * AT_ONCE)
    assert [done for done, _ in told] == list(range(1, 3 * AT_ONCE + 1))


def test_an_error_of_the_settings_ends_it_all_and_leaves_nothing_running() -> None:
    registries = Registries()

    async def wrong(reference: Reference) -> object:
        raise UsageError("cannot use the endpoint")

    registries.head_manifest = wrong  # type: ignore[method-assign, assignment]
    with pytest.raises(UsageError):
        ask(verifier(), [question(str(number)) for number in range(10)], registries)


def test_offline_nobody_is_asked_and_the_cause_says_so() -> None:
    asking = verifier(offline=True)
    ask(asking, [question()], None)
    evidence = asking.evidence(question().origin, question().targets[0])
    assert evidence is not None
    assert (evidence.verdict, evidence.failure) == (Verdict.UNKNOWN, "offline")


# The lock


def seen(*, deep: bool = False, same: bool = True) -> tuple[Lock, Registries]:
    registries = Registries()
    registries.put_index("node:20", ONE)
    registries.put_index(f"{ECR}node:20", ONE if same else {"linux/amd64": "b"})
    lock = Lock(Path("unhub.lock"))
    ask(verifier(lock, deep=deep), [question()], registries)
    registries.asked.clear()
    return lock, registries


def test_what_the_lock_knows_is_not_asked_again_until_that_is_wanted() -> None:
    lock, registries = seen()
    ask(verifier(lock), [question()], registries)
    assert registries.asked == []
    ask(verifier(lock, refresh=True), [question()], registries)
    assert registries.count("HEAD", "docker.io") == 1


@pytest.mark.parametrize("options", [{"deep": True}, {"compare": CompareOptions(spend=1)}])
def test_more_is_asked_where_more_is_wanted_than_the_lock_was_told(options: dict[str, object]) -> None:
    lock, registries = seen(same="compare" not in options)
    ask(verifier(lock, **options), [question()], registries)
    assert registries.asked != []
    registries.asked.clear()
    ask(verifier(lock, offline=True, **options), [question()], None)
    assert registries.asked == []


def test_an_unknown_takes_no_knowledge_away() -> None:
    lock, registries = seen()
    registries.failing["public.ecr.aws"] = Unreachable("cannot reach it: gone", host="public.ecr.aws")
    asking = verifier(lock, refresh=True)
    ask(asking, [question()], registries)
    assert verdicts(asking, question()) == [Verdict.UNKNOWN]
    assert verdicts(verifier_of(lock), question()) == [Verdict.SAME]


def verifier_of(lock: Lock) -> Verifier:
    asking = verifier(lock)
    assert asking.open_questions([question()]) == []
    return asking


# Facts


def test_a_fact_that_is_contradicted_is_said_with_the_lines_that_override_it() -> None:
    registries = Registries()
    registries.put_index("php:8.3.5-fpm", ONE)
    registries.put_index(f"{ECR}php:8.3.5-fpm", ONE)
    mapper = Mapper(MappingOptions(), builtin())
    asking = verifier()
    ask(asking, [Question(Reference.parse("php:8.3.5-fpm"), (Reference.parse(f"{ECR}php:8.3.5-fpm"),))], registries)
    (found,) = contradictions(asking.evidences, mapper.targets, mapper.knowledge)
    assert found.message.startswith('fact contradicted: "these tags were missing at ECR Public')
    assert "public.ecr.aws serves public.ecr.aws/docker/library/php:8.3.5-fpm" in found.message
    assert 'tags = ["8.3.5", "8.3.6", "8.3.6-*"]' in found.override
    assert "date = 2026-11-23" in found.override


def test_what_is_missing_as_was_known_contradicts_nothing() -> None:
    registries = Registries()
    registries.put_index("azul-zulu:21", ONE)
    mapper = Mapper(MappingOptions(), builtin())
    asking = verifier()
    ask(asking, [Question(Reference.parse("azul-zulu:21"), (Reference.parse(f"{ECR}azul-zulu:21"),))], registries)
    assert contradictions(asking.evidences, mapper.targets, mapper.knowledge) == []


def test_without_proof_nothing_is_known_and_nobody_asks() -> None:
    assert NoProof().evidence(None, Reference.parse("node")) is None
    assert not NoProof().wanted
    assert not Lock(Path("x")).wanted


# Within the registries' limits


@given(rate=st.sampled_from([0.5, 3.0, 10.0]), count=st.integers(2, 12))
def test_no_rate_is_exceeded_however_many_references_there_are(rate: float, count: int) -> None:
    """On a clock that only waiting moves: so many requests took at least so many periods of the rate."""
    image = small_index()
    names = [f"library/node:{number}" for number in range(count)]
    time = Time()

    async def work() -> None:
        settings = ClientSettings(endpoints=endpoints(hub, ecr), rates={"public.ecr.aws": rate, "docker.io": 0.0})
        async with RegistryClient(settings, NoCredentials(), clock=time, sleep=time.sleep) as client:
            asking, start = verifier(), time.now
            await asking.ask([question(str(number)) for number in range(count)], client)
            assert {evidence.verdict for evidence in asking.evidences} == {Verdict.SAME}
            sent = client.requests_sent["public.ecr.aws"]
            assert sent >= count
            assert time.now - start >= (sent - 1) / rate - 1e-6

    with (
        docker_hub(images=[Entry(*name.split(":"), image) for name in names]) as hub,
        ecr_public(images=[Entry(f"docker/{name.split(':')[0]}", name.split(":")[1], image) for name in names]) as ecr,
    ):
        asyncio.run(work())


def test_five_hundred_references_cost_one_head_each_and_no_pull() -> None:
    image = small_index()
    tags = [str(number) for number in range(500)]

    async def work() -> None:
        settings = ClientSettings(endpoints=endpoints(hub, ecr), rates={"public.ecr.aws": 0.0, "docker.io": 0.0})
        async with RegistryClient(settings, NoCredentials()) as client:
            asking = verifier()
            await asking.ask([question(tag) for tag in tags], client)
            assert [evidence.verdict for evidence in asking.evidences] == [Verdict.SAME] * 500
            assert client.manifests_got == {}

    with (
        docker_hub(images=[Entry("library/node", tag, image) for tag in tags]) as hub,
        ecr_public(images=[Entry("docker/library/node", tag, image) for tag in tags]) as ecr,
    ):
        asyncio.run(work())
        assert hub.counts.total == 0
        for stand in (hub, ecr):
            answered = [record for record in stand.asked(kind="manifest", method="HEAD") if record.status == 200]
            assert len(answered) == 500

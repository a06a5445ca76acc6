"""What verification changes in a decision: proof moves, doubt stays, and whatever would move is asked about first."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.test_mapping import found
from unhub.data.facts import builtin
from unhub.image.found import Class, Found, Part, PulledBy, Safety, Span
from unhub.image.reference import Reference
from unhub.image.source import FormatSettings
from unhub.migrate.mapping import Decision, Mapper, MappingOptions
from unhub.migrate.run import RunOptions, plan_run
from unhub.migrate.verification.question import Question
from unhub.migrate.verification.verdict import Evidence, Verdict

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
DIGEST = "sha256:" + "0" * 64
ECR, MIRROR = "public.ecr.aws/docker/library/", "m.example/library/"
BOTH = ("ecr-public", "mirror:m.example")


class Known:
    """What was seen, by the target's text; what is not in the table is still to be asked if ``wanted``."""

    def __init__(self, verdicts: dict[str, Verdict], *, wanted: bool = True) -> None:
        self.verdicts = verdicts
        self.wanted = wanted

    def evidence(self, origin: Reference | None, target: Reference) -> Evidence | None:
        verdict = self.verdicts.get(str(target))
        if verdict is None:
            return None
        return Evidence(origin=origin, target=target, verdict=verdict, seen=NOW, cause=f"{target.registry} says so", target_digest=DIGEST)


def decide(text: str | Found, verdicts: dict[str, Verdict] | None = None, *, wanted: bool = True, **options: object) -> Decision:
    mapper = Mapper(MappingOptions(**options), builtin(), Known(verdicts or {}, wanted=wanted))  # type: ignore[arg-type]
    return mapper.decide(found(text) if isinstance(text, str) else text, "Dockerfile")


def test_what_is_not_known_yet_is_a_question_with_every_target() -> None:
    decision = decide("node:20", targets=BOTH)
    assert decision.class_ is Class.MIGRATABLE
    assert decision.question == Question(
        Reference.parse("node:20"), (Reference.parse(f"{ECR}node:20"), Reference.parse(f"{MIRROR}node:20"))
    )


@pytest.mark.parametrize("verdict", Verdict)
def test_only_what_is_proven_or_permitted_moves(verdict: Verdict) -> None:
    decision = decide("node:20", {f"{ECR}node:20": verdict})
    proven = verdict in (Verdict.SAME, Verdict.LAGGING)
    assert decision.class_ is (Class.MIGRATABLE if proven else Class.NO_TARGET)
    assert decision.evidence is not None
    assert str(decision.target) == f"{ECR}node:20"
    if not proven:
        assert str(decision.reason).startswith("cannot verify node:20: public.ecr.aws says so. ")
    assert decide("node:20", {f"{ECR}node:20": verdict}, accept=frozenset({verdict.value})).class_ is Class.MIGRATABLE


def test_lag_and_leave_are_noted() -> None:
    assert decide("node:20", {f"{ECR}node:20": Verdict.LAGGING}).reason == "lagging: public.ecr.aws says so"
    accepted = decide("node:20", {f"{ECR}node:20": Verdict.DIFFERENT}, accept=frozenset({"different"}))
    assert accepted.reason == "accepted although different: public.ecr.aws says so"


def test_the_next_target_is_taken_and_the_one_before_is_named() -> None:
    decision = decide("node:20", {f"{ECR}node:20": Verdict.MISSING, f"{MIRROR}node:20": Verdict.SAME}, targets=BOTH)
    assert (str(decision.target), decision.rule) == (f"{MIRROR}node:20", "mirror:m.example")
    assert decision.reason == "passed over public.ecr.aws: public.ecr.aws says so"
    neither = decide("node:20", dict.fromkeys((f"{ECR}node:20", f"{MIRROR}node:20"), Verdict.MISSING), targets=BOTH)
    assert str(neither.reason).startswith("cannot verify node:20: public.ecr.aws says so; m.example says so. Keep Docker Hub")


def test_a_misspelt_name_gets_a_suggestion() -> None:
    assert "Did you mean nginx:1?" in str(decide("ngnix:1", {f"{ECR}ngnix:1": Verdict.MISSING}).reason)


def test_what_was_seen_counts_more_than_a_dated_fact() -> None:
    zulu = f"{ECR}azul-zulu:21"
    assert decide("azul-zulu:21", wanted=False).class_ is Class.NO_TARGET
    assert decide("azul-zulu:21").question is not None
    assert decide("azul-zulu:21", {zulu: Verdict.SAME}, wanted=False).class_ is Class.MIGRATABLE
    missing = decide("azul-zulu:21", {zulu: Verdict.MISSING})
    assert "as was known: ECR Public answered 404 for this official image (as of 2026-06-01" in str(missing.reason)


def test_a_pinned_digest_moves_by_proof() -> None:
    text = f"node:20@{DIGEST}"
    assert decide(text).question is not None
    assert decide(text, {f"{ECR}{text}": Verdict.SAME}).class_ is Class.MIGRATABLE
    unseen = {f"{ECR}{text}": Verdict.UNKNOWN}
    assert decide(text, unseen).class_ is Class.NO_TARGET
    assert decide(text, unseen, accept=frozenset({"unverified-digests"})).class_ is Class.MIGRATABLE
    gone = {f"{ECR}{text}": Verdict.MISSING}
    assert decide(text, gone, accept=frozenset({"unverified-digests"})).class_ is Class.NO_TARGET


def unknown_tag() -> Found:
    parts = (Part("redis:", Span(5, 11)), Part("", Span(11, 15), known=False))
    return Found(Span(5, 15), "redis:${V}", "FROM", PulledBy.BUILD, parts, Reference.parse("redis"), Safety.UNSAFE, note="V has no value")


def test_a_tag_that_is_not_known_is_never_asked_for() -> None:
    assert decide(unknown_tag()).class_ is Class.VARIABLE
    stays = decide(unknown_tag(), unsafe=True)
    assert (stays.class_, stays.question) == (Class.NO_TARGET, None)
    assert "V has no value, so nobody can be asked" in str(stays.reason)
    assert decide(unknown_tag(), unsafe=True, accept=frozenset({"unknown"})).class_ is Class.MIGRATABLE
    assert decide(unknown_tag(), unsafe=True, wanted=False).class_ is Class.MIGRATABLE


def test_what_was_held_back_before_is_held_back_for_the_same_reason() -> None:
    assert decide(found("node", safety=Safety.SHOWN)).class_ is Class.CONFLICT
    assert decide(found("node", pulled_by=PulledBy.PLATFORM), require_login=True).question is None


# A plan


def plan(tree: Path, known: Known, asked: list[Sequence[Question]], answers: dict[str, Verdict], **options: object) -> list[str]:
    def ask(questions: Sequence[Question]) -> None:
        asked.append(questions)
        known.verdicts |= {str(target): answers[str(target)] for question in questions for target in question.targets}

    mapper = Mapper(MappingOptions(**options), builtin(), known)  # type: ignore[arg-type]
    done = plan_run(RunOptions(base=tree), FormatSettings(), mapper, ask=ask)
    return [f"{item.path} {item.decision.class_} {item.decision.target if item.fix else '-'}" for item in done.items]


def test_a_plan_asks_about_each_distinct_reference_that_would_move(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM node:20 AS a\nFROM alpine\nFROM quay.io/x/y\nFROM a\n")
    (tmp_path / "x.Dockerfile").write_text("FROM node:20\nFROM alpine:latest\n")
    asked: list[Sequence[Question]] = []
    answers = {f"{ECR}node:20": Verdict.SAME, f"{ECR}alpine:latest": Verdict.MISSING, f"{ECR}alpine": Verdict.MISSING}
    known = Known({})
    lines = plan(tmp_path, known, asked, answers)
    assert [[str(question.origin) for question in questions] for questions in asked] == [
        ["docker.io/library/node:20", "docker.io/library/alpine:latest"]
    ]
    assert lines[0] == f"Dockerfile migratable {ECR}node:20"


def test_an_answer_that_lets_another_reference_move_has_that_one_asked_about_too(tmp_path: Path) -> None:
    """Both share the bytes of an ARG. Only the mirror has grafana, and only there can both go together."""
    (tmp_path / "Dockerfile").write_text("ARG REG=docker.io/\nFROM ${REG}library/node:20\nFROM ${REG}grafana/grafana:11\n")
    (tmp_path / "x.Dockerfile").write_text("FROM node:20\n")
    asked: list[Sequence[Question]] = []
    answers = {f"{ECR}node:20": Verdict.MISSING, f"{MIRROR}node:20": Verdict.SAME, "m.example/grafana/grafana:11": Verdict.SAME}
    lines = plan(tmp_path, Known({}), asked, answers, targets=BOTH)
    assert [len(questions) for questions in asked] == [1, 1]
    assert lines == [
        f"Dockerfile migratable {MIRROR}node:20",
        "Dockerfile migratable m.example/grafana/grafana:11",
        f"x.Dockerfile migratable {MIRROR}node:20",
    ]


def test_a_plan_that_gets_no_answer_ends_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM node:20\n")
    mapper = Mapper(MappingOptions(), builtin(), Known({}))
    asked: list[Sequence[Question]] = []
    plan_run(RunOptions(base=tmp_path), FormatSettings(), mapper, ask=asked.append)
    assert len(asked) == 1

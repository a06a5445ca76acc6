"""Verdicts for people: lines that fit, places that are not too many, costs in words."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from unhub.cli.prover import Traffic, announce, duration
from unhub.cli.verification_table import VerdictTable, cost
from unhub.image.errors import UsageError
from unhub.image.reference import Reference
from unhub.migrate.verification.question import Question
from unhub.migrate.verification.subjects import Result, Subject
from unhub.migrate.verification.verdict import Evidence, Verdict
from unhub.registry.answers import Budget

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
COPY = Reference.parse("public.ecr.aws/docker/library/node:20")


def result(verdict: Verdict = Verdict.SAME, *, places: int = 0, **more: Any) -> Result:
    items: Any = [SimpleNamespace(path=f"{number}/Dockerfile", line=1, column=6) for number in range(places)]
    evidence = Evidence(origin=Reference.parse("node:20"), target=COPY, verdict=verdict, seen=NOW, **more)
    return Result(Subject("node:20", items=items), evidence, (), accepted=verdict is Verdict.SAME, suggestion=None)


def rows(one: Result, **how: Any) -> list[str]:
    return list(VerdictTable(**how).rows([one]))


def test_a_proven_reference_is_one_line() -> None:
    assert rows(result(target_digest="sha256:" + "a" * 64, places=9)) == [
        "same  node:20  sha256:aaaaaaaaaaaa  -> public.ecr.aws/docker/library/node"
    ]


def test_reasons_are_broken_at_the_width_of_the_terminal_and_places_are_few() -> None:
    lines = rows(result(Verdict.MISSING, cause="word " * 30, places=5), columns=60)
    assert all(len(line) <= 60 for line in lines[1:])
    assert lines[-1].strip() == "in 0/Dockerfile:1:6, 1/Dockerfile:1:6, 2/Dockerfile:1:6 and 2 more places"[-len(lines[-1].strip()) :]


def test_platforms_and_ages_are_told() -> None:
    lines = rows(result(Verdict.DIFFERENT, platforms=("a/b", "c/d"), same=("a/b",), other=("c/d",), cause="x"))
    assert [line.strip() for line in lines[1:]] == ["x", "at Docker Hub, too: a/b", "not at Docker Hub: c/d"]
    older = NOW - datetime.timedelta(days=3)
    lines = rows(result(platforms=("a/b",), oldest=older, newest=NOW))
    assert [line.strip() for line in lines[1:]] == ["platforms: a/b", "built from 2026-11-20 to 2026-11-23"]


def test_no_control_character_of_a_registry_reaches_the_terminal() -> None:
    (_, reason) = rows(result(Verdict.UNKNOWN, cause="\x1b[31mred"))
    assert reason.strip() == "\\x1b[31mred"


def test_colours_only_where_they_are_wanted() -> None:
    assert rows(result(), colours=True)[0].startswith("\x1b[32msame\x1b[0m")
    assert "\x1b" not in rows(result())[0]


def test_costs_in_words() -> None:
    assert list(cost(Traffic())) == []
    free = Traffic({"docker.io": 2, "public.ecr.aws": 3}, {}, {"docker.io": Budget(None, 7, None)})
    assert list(cost(free)) == [
        "Docker Hub was asked by HEAD only, which it does not count: 0 pulls spent",
        "requests: Docker Hub 2, public.ecr.aws 3",
        "Docker Hub's limit for this address: 7 pulls left",
    ]
    assert next(cost(Traffic({"docker.io": 2}, {"docker.io": 2}))).endswith("2 pulls spent")
    assert list(cost(Traffic({"public.ecr.aws": 1}))) == ["requests: public.ecr.aws 1"]


def test_what_it_comes_to() -> None:
    lines = list(VerdictTable().summary([result(), result(Verdict.MISSING, from_lock=True)], {"ignored": 2}))
    assert lines == [
        "2 images: 1 same, 1 missing",
        "1 of them by the lock file, the oldest of 2026-11-23; --refresh asks again",
        "not compared: 2 ignored",
    ]


def test_a_long_wait_is_announced_before_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    client: Any = SimpleNamespace(seconds_for=lambda registry, count: count - 1.0)
    announce(client, [Question(None, (COPY,))] * 10)
    assert capsys.readouterr().err == ""
    announce(client, [Question(None, (COPY,))] * 301)
    said = "301 images are to be found at public.ecr.aws: without a login its rate makes that about 5 min\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(("text", "hours"), [("90m", 1.5), ("72h", 72), ("7d", 168), ("2w", 336), ("0h", 0)])
def test_times_are_a_number_and_a_unit(text: str, hours: float) -> None:
    assert duration(text) == datetime.timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "3", "h", "3 h", "-3h", "3y", "999999h"])
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(UsageError):
        duration(text)

"""Figures that the pages repeat are those of the dated data, with their dates."""

from __future__ import annotations

import re

import pytest

from tests.tools import ROOT
from unhub.data.rows import shipped
from unhub.data.terms import Limit, TermsData

DATA = TermsData()
ROWS = {
    ("Docker Hub, not logged in", "docker-hub-2026-11.anonymous.pulls"),
    ("Docker Hub, free account", "docker-hub-2026-11.account.pulls"),
    ("Docker Hub, paid account", "docker-hub-2026-11.paid.pulls"),
    ("ECR Public, not logged in", "aws-2026-11.anonymous.rate"),
    ("ECR Public, not logged in", "aws-2026-11.anonymous.data"),
    ("ECR Public, logged in", "aws-2026-11.account.rate"),
    ("ECR Public, logged in", "aws-2026-11.account.data"),
    ("ECR Public, from ECS, Fargate, EC2", "aws-2026-11.aws.rate"),
}


def limit(name: str) -> Limit:
    limits = {row.id: row for registry in ("docker.io", "public.ecr.aws") for row in DATA.terms(registry).limits}
    return limits[name]


def said(row: Limit) -> str:
    """A limit in the words of the page."""
    return row.text.replace(" 6 h", " 6 hours") if row.amount is not None else "no fixed limit"


@pytest.mark.parametrize(("who", "name"), sorted(ROWS))
def test_the_table_of_limits_says_what_the_data_say(who: str, name: str) -> None:
    text = (ROOT / "docs" / "choose.md").read_text("utf-8")
    row = limit(name)
    lines = [line for line in text.splitlines() if line.startswith(f"| {who} |") and said(row) in line]
    assert len(lines) == 1, f"no line of {who} says {said(row)!r}"
    assert f"| {row.date.isoformat()[:7]}" in lines[0]


def test_every_kind_of_fact_is_told() -> None:
    text = (ROOT / "docs" / "reference" / "facts.md").read_text("utf-8")
    told = {name for line in text.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert {row.kind for row in shipped()} <= told

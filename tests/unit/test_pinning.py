"""Pinning: a digest goes behind the tag where the tag is spelled out, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.test_mapping_verified import DIGEST, Known
from unhub.data.facts import builtin
from unhub.image.reference import Reference
from unhub.image.source import FormatSettings
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.run import RunOptions, plan_run
from unhub.migrate.verification.verdict import Evidence, Verdict

ECR = "public.ecr.aws/docker/library/"
POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: a\n      image: {}\n"


class Everything(Known):
    """Every target serves the same image."""

    def __init__(self, verdict: Verdict = Verdict.SAME) -> None:
        super().__init__({})
        self.verdict = verdict

    def evidence(self, origin: Reference | None, target: Reference) -> Evidence | None:
        self.verdicts[str(target)] = self.verdict
        return super().evidence(origin, target)


def pinned(tmp_path: Path, name: str, text: str, *, verdict: Verdict = Verdict.SAME, **options: object) -> tuple[str, list[str | None]]:
    (tmp_path / name).write_text(text)
    options = {"pin": True, **options}
    mapper = Mapper(MappingOptions(**options), builtin(), Everything(verdict))  # type: ignore[arg-type]
    plan = plan_run(RunOptions(base=tmp_path), FormatSettings(), mapper, ask=lambda _: None)
    assert plan.refused == []
    return plan.after.get(name, text.encode()).decode(), [item.decision.reason for item in plan.items]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("Dockerfile", "FROM node:20 AS a\n", f"FROM {ECR}node:20@{DIGEST} AS a\n"),
        ("Dockerfile", "FROM node\n", f"FROM {ECR}node@{DIGEST}\n"),
        ("Dockerfile", f"FROM {ECR}node:20\n", f"FROM {ECR}node:20@{DIGEST}\n"),
        ("Dockerfile", "ARG BASE=node:20\nFROM ${BASE}\n", f"ARG BASE={ECR}node:20@{DIGEST}\nFROM ${{BASE}}\n"),
        ("pod.yaml", POD.format('"node:20" # why'), POD.format(f'"{ECR}node:20@{DIGEST}" # why')),
        ("compose.yaml", "services:\n  a:\n    image: node:20\n", f"services:\n  a:\n    image: {ECR}node:20@{DIGEST}\n"),
    ],
)
def test_the_digest_goes_behind_the_tag(name: str, before: str, after: str, tmp_path: Path) -> None:
    assert pinned(tmp_path, name, before)[0] == after


@pytest.mark.parametrize(
    ("name", "before", "after", "why"),
    [
        ("Dockerfile", "ARG V=20\nFROM node:${V}\n", f"ARG V=20\nFROM {ECR}node:${{V}}\n", "its tag is the value of a variable"),
        (
            "values.yaml",
            "image:\n  repository: node\n  tag: '20'\n",
            f"image:\n  repository: {ECR}node\n  tag: '20'\n",
            "a field of its own",
        ),
    ],
)
def test_what_cannot_be_pinned_moves_and_says_why_not(name: str, before: str, after: str, why: str, tmp_path: Path) -> None:
    if name == "values.yaml":
        (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: x\nversion: 1.0.0\n")
    text, reasons = pinned(tmp_path, name, before)
    assert text == after
    assert any(why in str(reason) for reason in reasons)


def test_what_is_pinned_already_stays_as_it_is(tmp_path: Path) -> None:
    text = f"FROM {ECR}node:20@sha256:{'1' * 64}\n"
    assert pinned(tmp_path, "Dockerfile", text)[0] == text


def test_a_reference_at_the_target_that_is_not_proven_is_not_pinned(tmp_path: Path) -> None:
    text, (reason,) = pinned(tmp_path, "Dockerfile", f"FROM {ECR}node:20\n", verdict=Verdict.DIFFERENT)
    assert text == f"FROM {ECR}node:20\n"
    assert "not pinned: public.ecr.aws says so" in str(reason)


def test_what_moves_only_by_leave_is_not_pinned(tmp_path: Path) -> None:
    text, _ = pinned(tmp_path, "Dockerfile", "FROM node:20\n", verdict=Verdict.DIFFERENT, accept=frozenset({"different"}))
    assert text == f"FROM {ECR}node:20\n"


@pytest.mark.parametrize("image", ["postgres:16", "'postgres:16'"])
def test_a_service_that_gets_an_alias_is_pinned_in_the_same_go(image: str, tmp_path: Path) -> None:
    text = f"test:\n  services:\n    - {image}\n  script: [x]\n"
    after, _ = pinned(tmp_path, ".gitlab-ci.yml", text, gitlab_alias=True)
    moved = image.replace("postgres:16", f"{ECR}postgres:16@{DIGEST}")
    assert f"name: {moved}" in after
    assert "alias: postgres" in after
    assert pinned(tmp_path, ".gitlab-ci.yml", after, gitlab_alias=True)[0] == after


def test_a_service_at_the_target_is_pinned_and_gets_no_alias(tmp_path: Path) -> None:
    text = "test:\n  services:\n    - {}\n  script: [x]\n"
    after, _ = pinned(tmp_path, ".gitlab-ci.yml", text.format(f"{ECR}postgres:16"), gitlab_alias=True)
    assert after == text.format(f"{ECR}postgres:16@{DIGEST}")


def test_docker_hub_as_target_pins_in_place(tmp_path: Path) -> None:
    assert pinned(tmp_path, "Dockerfile", "FROM node:20\n", targets=("docker-hub",))[0] in (
        f"FROM node:20@{DIGEST}\n",
        f"FROM docker.io/library/node:20@{DIGEST}\n",
    )


def test_a_pinned_file_is_not_touched_again(tmp_path: Path) -> None:
    once, _ = pinned(tmp_path, "Dockerfile", "FROM node:20\n")
    assert pinned(tmp_path, "Dockerfile", once)[0] == once

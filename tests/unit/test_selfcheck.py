"""The self-check: a file whose edits do not do what was planned is refused, and only that file."""

from __future__ import annotations

from pathlib import Path

import pytest

from unhub.data.facts import builtin
from unhub.image.found import Class
from unhub.image.source import FormatSettings
from unhub.migrate import plan as planning
from unhub.migrate.edits import Edit, Fix, plan_fix
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.run import RunOptions, plan_run

POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: a\n      image: {}\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(POD.format("node:20"))
    (tmp_path / "odd.yaml").write_text(POD.format("redis:7"))
    return tmp_path


def spoil(monkeypatch: pytest.MonkeyPatch, replacement: bytes) -> None:
    """Let the edit of redis write something else than planned, as a mistake of ours would."""

    def spoiled(found: object, target: object, path: str, *, keep_host: bool = False) -> Fix:
        fix = plan_fix(found, target, path, keep_host=keep_host)  # type: ignore[arg-type]
        if path != "odd.yaml":
            return fix
        return Fix(tuple(Edit(edit.path, edit.span, replacement) for edit in fix.edits))

    monkeypatch.setattr(planning, "plan_fix", spoiled)


@pytest.mark.parametrize(
    ("replacement", "reason"),
    [
        (b"public.ecr.aws/other/", "'redis:7' would become public.ecr.aws/other/redis:7, not public.ecr.aws/docker/library/redis:7"),
        (b"{x: ", "the edited file cannot be read back"),
        (b"a\n    - name: b\n      image: ", "the edited file has 2 references, not 1"),
        (b"UPPER/UPPER/", "is no longer read in the same way"),
        (b"", "'redis:7' would become docker.io/library/redis:7"),
    ],
)
def test_an_edit_that_goes_wrong_is_refused_with_its_file_alone(
    tree: Path, monkeypatch: pytest.MonkeyPatch, replacement: bytes, reason: str
) -> None:
    spoil(monkeypatch, replacement)
    plan = plan_run(RunOptions(base=tree), FormatSettings(), Mapper(MappingOptions(), builtin()))
    assert [refusal.path for refusal in plan.refused] == ["odd.yaml"]
    assert reason in plan.refused[0].reason
    assert list(plan.after) == ["good.yaml"]
    odd = next(item for item in plan.items if item.path == "odd.yaml")
    assert odd.decision.class_ is Class.CONFLICT
    assert str(odd.decision.reason).startswith("refused: ")


def test_a_good_plan_is_refused_nowhere(tree: Path) -> None:
    plan = plan_run(RunOptions(base=tree), FormatSettings(), Mapper(MappingOptions(), builtin()))
    assert plan.refused == []
    assert list(plan.after) == ["good.yaml", "odd.yaml"]

"""How a golden case of ``unhub setup`` is read and run. Its form is told in setup/README.md."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.golden.case import HERE
from unhub.data.facts import builtin
from unhub.image.source import FormatSettings
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.run import RunOptions, plan_run
from unhub.setup.outcome import Wishes
from unhub.setup.plan import SetupPlan, left_on_hub, plan_setup, system_named

SETUP = HERE / "setup"


@dataclass(frozen=True)
class SetupCase:
    folder: Path
    says: str
    options: dict[str, Any] = field(default_factory=dict)
    exceptions: dict[str, str] = field(default_factory=dict)
    before: dict[str, bytes] = field(default_factory=dict)
    after: dict[str, bytes] = field(default_factory=dict)

    @property
    def system(self) -> str:
        return self.folder.parent.name

    @property
    def name(self) -> str:
        return f"{self.system}/{self.folder.name}"


def _tree(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def load(folder: Path) -> SetupCase:
    data = tomllib.loads((folder / "case.toml").read_text("utf-8"))
    return SetupCase(folder, data["says"], data.get("options", {}), data.get("not", {}), _tree(folder / "before"), _tree(folder / "after"))


def all_cases() -> list[SetupCase]:
    return [load(path.parent) for path in sorted(SETUP.glob("*/*/case.toml"))]


def run_case(case: SetupCase, tree: dict[str, bytes], folder: Path) -> SetupPlan:
    for path, data in tree.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    options = RunOptions(base=folder, use_gitignore=False)
    mapper = Mapper(MappingOptions(), builtin())

    def left() -> list[Any]:
        return left_on_hub(plan_run(options, FormatSettings(), mapper, proven=False))

    return plan_setup(system_named(case.system), options, FormatSettings(), Wishes(**case.options), left)


def notes_text(setup: SetupPlan) -> str:
    lines = [f"{file.path}  {file.status.value}" for file in setup.files]
    notes = [*(note for file in setup.files for note in file.notes), *setup.notes]
    lines += [f"{note.path}:{note.line}  {note.kind}  {note.text}" for note in notes]
    lines += [f"{file.path}  skipped  {file.reason}" for file in setup.skipped]
    if setup.hub_needed is not None:
        lines.append(f"logins to Docker Hub: {setup.hub_logins}; references that need one: {len(setup.hub_needed)}")
    return "".join(line + "\n" for line in lines)

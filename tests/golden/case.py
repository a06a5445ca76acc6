"""How a golden case is read and run. The format of a case is told in README.md beside this file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unhub.config.parse import parse
from unhub.config.settings import Settings
from unhub.data.facts import builtin
from unhub.image.source import FormatSettings, KubernetesPosition
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.plan import Plan
from unhub.migrate.run import RunOptions, plan_run

HERE = Path(__file__).parent
VARIANTS = ("crlf", "bom", "no-final-newline")
BOM = b"\xef\xbb\xbf"
_FORMAT_OPTIONS = ("helm_defaults", "build_outputs", "include_comments", "docs")


@dataclass(frozen=True)
class Case:
    folder: Path
    kind: str
    rules: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    exceptions: dict[str, str] = field(default_factory=dict)
    before: dict[str, bytes] = field(default_factory=dict)
    after: dict[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"


def _tree(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def load(folder: Path) -> Case:
    data = tomllib.loads((folder / "case.toml").read_text("utf-8"))
    return Case(
        folder,
        data["kind"],
        tuple(str(rule) for rule in data["rules"]),
        data.get("options", {}),
        data.get("not", {}),
        _tree(folder / "before"),
        _tree(folder / "after"),
    )


def all_cases() -> list[Case]:
    return [load(path.parent) for path in sorted(HERE.glob("*/*/case.toml"))]


def disguise(data: bytes, variant: str) -> bytes:
    if variant == "crlf":
        return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if variant == "bom":
        return data if data.startswith(BOM) else BOM + data
    return data.rstrip(b"\r\n")


def run_case(case: Case, tree: dict[str, bytes], folder: Path) -> Plan:
    for path, data in tree.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    config = folder / "unhub.toml"
    settings = parse(config.read_text("utf-8-sig"), "unhub.toml") if config.exists() else Settings()
    options = case.options
    mapping = MappingOptions(
        origin=options.get("from", settings.migrate.from_),
        targets=tuple(options.get("to", settings.migrate.to)),
        rules=settings.migrate.rule,
        unsafe=options.get("unsafe", settings.migrate.unsafe),
        require_login=options.get("require_login", settings.migrate.require_login),
        gitlab_alias=options.get("gitlab_alias", settings.migrate.gitlab_alias),
        short_names=options.get("short_names", settings.migrate.short_names),
        accept=frozenset(options.get("accept", settings.migrate.accept)),
    )
    positions = tuple(KubernetesPosition(position.kind, position.path) for position in settings.kubernetes.positions)
    formats = FormatSettings(kubernetes_positions=positions, **{key: bool(options.get(key, False)) for key in _FORMAT_OPTIONS})
    run = RunOptions(base=folder, use_gitignore=False, include=settings.migrate.paths, exclude=settings.migrate.not_paths)
    return plan_run(run, formats, Mapper(mapping, builtin()))


def findings_text(plan: Plan) -> str:
    lines = [
        f"{item.path}:{item.line}:{item.column}  {item.finding.where}  {item.finding.text!r}  {item.decision.class_}  "
        f"{item.decision.target or '-'}" + (f"  -- {item.decision.reason}" if item.decision.reason else "")
        for item in plan.items
    ]
    lines += [f"{skipped.path}  unreadable  -- {skipped.reason}" for skipped in plan.skipped]
    return "".join(line + "\n" for line in lines)

"""What Renovate needs so that it updates the moved images as it did before.

Renovate knows an image by the name in the file. A new name is looked up in its own registry, so
updates go on by themselves; what gets lost are rules that match the old name: those of Renovate's
presets (``data/renovate.toml``) and the user's own. Read in its source on 2026-11-23:
``lib/modules/manager/dockerfile/extract.ts`` (aliases), ``lib/modules/datasource/docker``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from unhub.data.facts import Knowledge, RenovateRule
from unhub.image.found import Class, Found
from unhub.image.reference import OFFICIAL_PREFIX, Reference
from unhub.migrate.plan import Plan
from unhub.migrate.targets import ECR_PUBLIC_REGISTRY, Place

MARK: Final = "unhub: "
"""Every rule of ours is described so; a later run replaces these rules and no others."""

Lookup = Literal["target", "docker-hub"]
"""Where Renovate shall look for new versions."""

Configuration = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Moved:
    """An image at Docker Hub, and its name after the move (both without a tag)."""

    origin: str
    target: str


def moved_images(plan: Plan, targets: Sequence[Place]) -> list[Moved]:
    """The images of a tree that will move, and those that have moved already."""
    found: set[Moved] = set()
    for item in plan.items:
        if not isinstance(item.finding, Found):
            continue
        reference = item.finding.reference
        if item.decision.class_ is Class.MIGRATABLE and item.decision.target is not None:
            found.add(Moved(reference.canonical.name, item.decision.target.name))
        elif item.decision.class_ is Class.ALREADY_MIRRORED:
            origins = (place.origin_of(reference) for place in targets)
            found.update(Moved(origin.name, reference.name) for origin in origins if origin is not None and origin.name != reference.name)
    return sorted(found)


def configuration(moved: Sequence[Moved], knowledge: Knowledge, lookup: Lookup) -> Configuration:
    """The settings to add: package rules, and how fast or where to look."""
    result: Configuration = {}
    if lookup == "docker-hub":
        result["registryAliases"] = _aliases(moved)
    elif any(_registry(image.target) == ECR_PUBLIC_REGISTRY for image in moved):
        result["hostRules"] = [_host_rule()]
    rules = [rule for row in knowledge.renovate if (rule := _package_rule(row, moved))]
    if rules:
        result["packageRules"] = rules
    return result


def _aliases(moved: Iterable[Moved]) -> dict[str, str]:
    """Prefix to prefix: what differs before the common end of the two names."""
    aliases: dict[str, str] = {}
    for image in moved:
        new, old = image.target.rpartition("/")[0], image.origin.rpartition("/")[0]
        aliases[new] = old
    return dict(sorted(aliases.items()))


def _host_rule() -> Configuration:
    """ECR Public allows 1 pull a second without a login; whether a look-up counts is not known, so it is taken to."""
    return {"hostType": "docker", "matchHost": ECR_PUBLIC_REGISTRY, "maxRequestsPerSecond": 1}


def _package_rule(row: RenovateRule, moved: Sequence[Moved]) -> Configuration | None:
    names = [image.target for image in moved if image.origin.rpartition(f"/{OFFICIAL_PREFIX}")[2] in row.images]
    if not names:
        return None
    return {
        "description": f"{MARK}{row.says} (Renovate's preset names the old image; as of {row.date.isoformat()})",
        "matchDatasources": ["docker"],
        "matchDepNames": sorted(set(names)),
        **row.settings,
    }


def _registry(name: str) -> str:
    return Reference.parse(name).registry


@dataclass(frozen=True, slots=True)
class Merged:
    """A Renovate configuration with ours in it, what of the user's was extended, and what a person must look at."""

    configuration: Configuration
    extended: list[str]
    look_at: list[str]


_EXACT = ("matchPackageNames", "matchDepNames")
_OTHER = ("matchPackagePatterns", "matchPackagePrefixes", "matchDepPatterns", "matchDepPrefixes", "excludePackageNames")


def merge(existing: Configuration, ours: Configuration, moved: Sequence[Moved]) -> Merged:
    """Put ``ours`` into ``existing``; rules that name an old image by heart name the new one, too.

    Nothing of the user's is taken away, and doing it twice changes nothing.
    """
    merged = dict(existing)
    names = _NewNames(moved, with_origin="registryAliases" in ours)
    rules = [rule for rule in _dictionaries(existing.get("packageRules")) if not _is_ours(rule)]
    extended_rules = [names.extend(rule, f"packageRules[{number}]") for number, rule in enumerate(rules)]
    if extended_rules or "packageRules" in ours:
        merged["packageRules"] = [*extended_rules, *ours.get("packageRules", [])]
    if isinstance(existing.get("ignoreDeps"), list):
        merged["ignoreDeps"] = names.added(existing["ignoreDeps"], "ignoreDeps")
    if "hostRules" in ours or "hostRules" in existing:
        theirs = [rule for rule in _dictionaries(existing.get("hostRules")) if rule != _host_rule()]
        known = any(rule.get("matchHost") == ECR_PUBLIC_REGISTRY for rule in theirs)
        merged["hostRules"] = theirs if known else [*theirs, *ours.get("hostRules", [])]
        if not merged["hostRules"]:
            del merged["hostRules"]
    if "registryAliases" in ours:
        merged["registryAliases"] = {**ours["registryAliases"], **cast(dict[str, str], existing.get("registryAliases") or {})}
    return Merged(merged, names.extended, names.look_at)


def _dictionaries(value: object) -> list[Configuration]:
    rows = cast(list[object], value) if isinstance(value, list) else []
    return [cast(Configuration, row) for row in rows if isinstance(row, dict)]


def _is_ours(rule: Configuration) -> bool:
    return str(rule.get("description", "")).startswith(MARK)


class _NewNames:
    """Adds the new name of an image wherever a user's rule has an old one, and notes where.

    ``with_origin`` where an alias makes packages be called as at Docker Hub, whole name.
    """

    def __init__(self, moved: Sequence[Moved], *, with_origin: bool) -> None:
        self._moved = moved
        self._with_origin = with_origin
        self.extended: list[str] = []
        self.look_at: list[str] = []

    def extend(self, rule: Configuration, where: str) -> Configuration:
        """A user's rule that holds for the new names, too."""
        result = dict(rule)
        for key in _EXACT:
            names = rule.get(key)
            if isinstance(names, list):
                result[key] = self.added(
                    cast(list[object], names), f"{where}.{key}", origin=self._with_origin and key == "matchPackageNames"
                )
                self.look_at += [f"{where}.{key}: {name}" for name in cast(list[object], names) if _is_pattern(str(name))]
        self.look_at += [f"{where}.{key}" for key in _OTHER if key in rule]
        return result

    def added(self, names: list[object], where: str, *, origin: bool = False) -> list[object]:
        """``names`` with the new name behind them of every image that they hold by an old one."""
        result = list(names)
        for image in self._moved:
            if any(name in names for name in _old_names(image.origin)):
                for name in (image.target, image.origin) if origin else (image.target,):
                    if name not in result:
                        result.append(name)
                        self.extended.append(f"{where}: {name}")
        return result


def _old_names(origin: str) -> tuple[str, ...]:
    """The names under which a file, and so a rule, may know an image of Docker Hub."""
    path = origin.partition("/")[2]
    short = path.removeprefix(OFFICIAL_PREFIX)
    return (short, path, f"docker.io/{short}", origin, f"index.docker.io/{path}")


def _is_pattern(name: str) -> bool:
    return name.startswith(("/", "!")) or "*" in name

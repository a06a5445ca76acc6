"""Many scans merged: which images, from which registries, in which repositories, and what still needs Docker Hub."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePath
from typing import Any, TypeVar

import msgspec

from unhub.image.errors import InvalidReference, UnreadableError
from unhub.image.found import Class
from unhub.image.reference import DOCKER_HUB, Reference
from unhub.migrate.reports.records import NOT_PULLED, SCHEMA

Key = TypeVar("Key")


class _Finding(msgspec.Struct):
    """The fields of a finding that count here."""

    class_: Class = msgspec.field(name="class")
    text: str
    canonical: str | None
    target: str | None
    reason: str | None
    pulled_by: str | None


class _SkippedFile(msgspec.Struct):
    unreadable: bool = True


class _Scan(msgspec.Struct):
    """What `unhub scan --format json` and `unhub migrate --format json` write."""

    schema: int
    findings: list[_Finding]
    skipped: list[_SkippedFile]


@dataclass(slots=True)
class Use:
    """An image in a repository: how often it is named there, and what became of it.

    ``image`` is its whole name as the repository now has it; ``target`` where it could move.
    """

    repository: str
    image: str
    class_: Class
    target: str | None
    reason: str | None
    references: int = 0
    platform: int = 0
    """References that the platform pulls before any login step."""

    @property
    def registry(self) -> str:
        """The host that the image comes from."""
        return _registry(self.image)

    @property
    def needs_docker_hub(self) -> bool:
        """Whether it is pulled from Docker Hub as things stand."""
        return self.registry == DOCKER_HUB


@dataclass(slots=True)
class Repository:
    """One scan: its name, its numbers, and its images."""

    name: str
    references: int = 0
    unknown: int = 0
    """References whose image cannot be told from the tree (a variable)."""
    unreadable_files: int = 0
    uses: list[Use] = field(default_factory=list)

    @property
    def images(self) -> set[str]:
        """The distinct images: what one build of everything pulls into an empty cache."""
        return {use.image for use in self.uses}

    def images_where(self, wanted: Callable[[Use], bool]) -> set[str]:
        """The distinct images of some uses."""
        return {use.image for use in self.uses if wanted(use)}


@dataclass(slots=True)
class Inventory:
    """Everything read, and every file that was not, with the reason."""

    repositories: list[Repository] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def uses(self) -> Iterator[Use]:
        """The images of all repositories."""
        return (use for repository in self.repositories for use in repository.uses)

    def registries(self) -> list[tuple[str, list[Use]]]:
        """The uses by registry, the one with the most pulls first."""
        return _grouped(self.uses, lambda use: use.registry)

    def images(self) -> list[tuple[str, list[Use]]]:
        """The uses by image, the one in the most repositories first."""
        return _grouped(self.uses, lambda use: use.image)

    def left(self) -> list[tuple[tuple[str, str, str], list[Use]]]:
        """What needs Docker Hub and cannot move, by image, class and reason."""
        stuck = (use for use in self.uses if use.needs_docker_hub and use.class_ is not Class.MIGRATABLE)
        return _grouped(stuck, lambda use: (use.image, use.class_.value, use.reason or ""))


def _grouped(uses: Iterable[Use], key: Callable[[Use], Key]) -> list[tuple[Key, list[Use]]]:
    groups: dict[Key, list[Use]] = {}
    for use in uses:
        groups.setdefault(key(use), []).append(use)
    return sorted(groups.items(), key=lambda row: (-pulls(row[1]), str(row[0])))


def pulls(uses: Iterable[Use]) -> int:
    """Pulls of one build of each repository from an empty cache: each image once a repository."""
    return len({(use.repository, use.image) for use in uses})


def read_scan(data: bytes, name: str) -> Repository:
    """Read one scan. Raises :class:`UnreadableError` for anything that is none."""
    if not data.strip():
        raise UnreadableError("is empty: the scan did not finish")
    try:
        raw: Any = json.loads(data)
        scan = msgspec.convert(raw, _Scan)
    except (ValueError, RecursionError) as error:
        what = "is not a scan of unhub" if isinstance(error, msgspec.ValidationError) else "is not JSON"
        raise UnreadableError(f"{what}: {error}") from None
    if scan.schema != SCHEMA:
        raise UnreadableError(f"has schema {scan.schema}; this unhub reads {SCHEMA}")
    return _repository(scan, name)


def _repository(scan: _Scan, name: str) -> Repository:
    repository = Repository(name, references=len(scan.findings), unreadable_files=sum(file.unreadable for file in scan.skipped))
    uses: dict[tuple[str, Class, str | None], Use] = {}
    for finding in scan.findings:
        if finding.class_ in NOT_PULLED:
            continue
        moved = finding.class_ is Class.MIGRATED and finding.target
        image = finding.target if moved else finding.canonical
        if image is None:
            repository.unknown += 1
            continue
        if finding.class_ is Class.NOT_DOCKER_HUB and _registry(image) == DOCKER_HUB:
            continue  # a name of the CI's own (aws/codebuild/…), which no registry serves
        target = None if moved else finding.target
        use = uses.setdefault((image, finding.class_, finding.reason), Use(name, image, finding.class_, target, finding.reason))
        use.references += 1
        use.platform += finding.pulled_by == "platform"
    repository.uses = list(uses.values())
    return repository


@cache
def _registry(image: str) -> str:
    try:
        reference = Reference.parse(image)
    except InvalidReference:
        return image.partition("/")[0]
    return DOCKER_HUB if reference.is_docker_hub else reference.registry


def names_of(paths: Sequence[PurePath]) -> list[str]:
    """A name for each scan: its file's, with as many folders as tell it apart from the others."""
    names = [path.name.removesuffix(".json") for path in paths]
    depth = 1
    while len(set(names)) < len(names) and depth < max(len(path.parts) for path in paths):
        depth += 1
        counts = Counter(names)
        names = [_longer(path, depth) if counts[name] > 1 else name for path, name in zip(paths, names, strict=True)]
    return names


def _longer(path: PurePath, depth: int) -> str:
    return "/".join(path.parts[-depth:]).removesuffix(".json")

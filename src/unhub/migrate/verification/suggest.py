"""Near misses: names that are nearly those of an official image, and what may be meant."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from unhub.data.facts import Knowledge
from unhub.image.reference import DOCKER_HUB, OFFICIAL_PREFIX, Reference
from unhub.migrate.targets import ECR_PUBLIC_PREFIX, ECR_PUBLIC_REGISTRY, Mirror, Place

_CLOSE = 0.75
"""How alike two names must be (difflib's ratio) to suggest one for the other."""


class Suggestions:
    """What may be meant by a name that nobody serves; ``knowledge`` lists the official images."""

    def __init__(self, knowledge: Knowledge, places: Sequence[Place] = ()) -> None:
        self._official = frozenset(name for row in knowledge.official for name in row.images)
        prefixes = [row.prefix for row in knowledge.mirror if not row.prefix.startswith(f"{ECR_PUBLIC_REGISTRY}/")]
        mirrors = [f"{place.registry}/{place.prefix}" for place in places if isinstance(place, Mirror)]
        self._mirrors = (*prefixes, *mirrors)

    def near_miss(self, reference: Reference) -> Reference | None:
        """An official image whose ``library/`` was forgotten or misplaced; ``None`` for a name that is as it should be."""
        forgotten = self._forgotten(reference)
        return None if forgotten is None or forgotten.name == reference.name else forgotten

    def misspelt(self, reference: Reference) -> Reference | None:
        """The official image whose name is the nearest to one that is no official image's."""
        head, slash, name = reference.repository.rpartition("/")
        if not f"{head}{slash}".endswith(OFFICIAL_PREFIX) or name in self._official:
            return None
        near = closest(name, self._official)
        return None if near is None else reference.with_name(reference.registry, f"{head}{slash}{near}")

    def suggest(self, reference: Reference) -> Reference | None:
        """What may be meant by a reference that was not found."""
        return self.near_miss(reference) or self.misspelt(reference)

    def _forgotten(self, reference: Reference) -> Reference | None:
        repository = reference.repository
        if reference.registry == ECR_PUBLIC_REGISTRY:
            return self._at_ecr_public(reference)
        if reference.registry == DOCKER_HUB:
            name = repository.removeprefix("docker/")
            known = name != repository and name in self._official
            return reference.with_name(DOCKER_HUB, OFFICIAL_PREFIX + name) if known else None
        for prefix in self._mirrors:
            rest = reference.name.removeprefix(prefix)
            if rest != reference.name and "/" not in rest and rest in self._official:
                host, _, path = prefix.partition("/")
                return reference.with_name(host, f"{path}{OFFICIAL_PREFIX}{rest}")
        return None

    def _at_ecr_public(self, reference: Reference) -> Reference | None:
        """``docker/node``, ``library/node``, ``node`` and ``docker/docker/node`` for ``docker/library/node``."""
        repository = reference.repository
        if repository.startswith(ECR_PUBLIC_PREFIX + OFFICIAL_PREFIX):
            return None
        head, _, name = repository.rpartition("/")
        known = name in self._official or (head != "" and closest(name, self._official) is not None)
        if head not in ("", "docker", "library", "docker/docker", "library/docker", "docker.io/library") or not known:
            return None
        name = name if name in self._official else closest(name, self._official) or name
        return reference.with_name(ECR_PUBLIC_REGISTRY, f"{ECR_PUBLIC_PREFIX}{OFFICIAL_PREFIX}{name}")


def closest(name: str, names: Collection[str]) -> str | None:
    """The most alike of ``names``, ``None`` where none is alike; of equally alike ones the first in the alphabet."""
    from difflib import get_close_matches  # only few runs need it

    near = get_close_matches(name, sorted(names), n=1, cutoff=_CLOSE)
    return near[0] if near else None

"""What a registry answers, beside the content: digests, sizes, and what is left of a limit."""

from __future__ import annotations

from dataclasses import dataclass

from unhub.image.digest import Digest
from unhub.image.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Budget:
    """What a registry says of its pull limit (Docker Hub's ``ratelimit-*`` headers).

    ``limit`` and ``remaining`` are pulls, ``window`` seconds; ``source`` is the address or account that is
    counted (``docker-ratelimit-source``). ``remaining`` may be negative. Each is ``None`` where it was not said.
    """

    limit: int | None
    remaining: int | None
    window: int | None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The answer to HEAD of a manifest: ``size`` in bytes and ``budget`` are ``None`` where they were not said."""

    digest: Digest
    media_type: str
    size: int | None
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer to GET of a manifest, its digest verified."""

    manifest: Manifest
    budget: Budget | None = None

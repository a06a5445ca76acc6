"""How many and how large things may be at ECR Public: the dated quotas, and a user's over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from unhub.data.terms import TermsData
from unhub.image.errors import ConfigurationError

REGISTRY: Final = "public.ecr.aws"

_NAMES: Final = {
    "repositories": "repositories",
    "images-per-repository": "images",
    "tags-per-image": "tags",
    "layer-parts": "parts",
    "layer-part-maximum": "part_max",
    "layer-part-minimum": "part_min",
    "layer-maximum": "layer_max",
}
"""The quotas by what their ids have after the profile's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The most of everything; ``part_min`` is the least. ``part_max``, ``part_min`` and ``layer_max`` are bytes.

    How large a part may be is not settled: the quota page says 10 MiB, the API reference 20 MiB (unverified).
    """

    repositories: int
    images: int
    tags: int
    parts: int
    part_max: int
    part_min: int
    layer_max: int


@lru_cache(maxsize=4)
def quotas_of(own: Path | None = None) -> Quotas:
    """The quotas of ECR Public's current terms, a user's data file considered.

    Raises :class:`ConfigurationError` where a row is wrong or missing.
    """
    terms = TermsData(own).terms(REGISTRY)
    known = {row.id.removeprefix(f"{terms.profile.id}."): row.amount for row in terms.quotas}
    missing = sorted(set(_NAMES) - set(known))
    if missing:
        raise ConfigurationError(f"cannot tell the quotas of {REGISTRY}: the profile {terms.profile.id} has no [[quota]] {missing[0]}")
    return Quotas(**{field: known[name] for name, field in _NAMES.items()})

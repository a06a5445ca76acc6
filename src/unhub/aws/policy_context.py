"""What is known about a request beside its action and resource: the context keys of IAM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


def _nothing() -> dict[str, tuple[str, ...]]:
    return {}


@dataclass(frozen=True, slots=True)
class Context:
    """The context keys of one request, by lower-case name; names of keys are case-insensitive in IAM.

    With ``complete``, a key that is not here is missing from the request. Without, it is not known:
    conditions on it are then neither true nor false. A key with no values is known to be missing.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=_nothing)
    complete: bool = True

    @classmethod
    def of(cls, values: Mapping[str, str | Iterable[str]], *, complete: bool = True) -> Context:
        """A context from plain values; a text is one value, anything else several."""
        pairs = {key.lower(): (value,) if isinstance(value, str) else tuple(value) for key, value in values.items()}
        return cls(pairs, complete)

    def look_up(self, key: str) -> tuple[str, ...] | None:
        """The values of a key: empty where it is missing from the request, ``None`` where nothing is known."""
        return self.values.get(key.lower(), () if self.complete else None)

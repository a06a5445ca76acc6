"""Refusals of ECR Public's API in AWS's words, and the same at the registry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from unhub.data.gallery import ApiRefusal, api_refusals, failure_reasons
from unhub.image.errors import ApiRefused, ServeError


class Refusals:
    """The texts of one server. Raises ``LookupError`` for a refusal that no row has."""

    def __init__(self, own: Path | None = None) -> None:
        """``own`` is a user's data file. Raises :class:`ConfigurationError` where a row of it is wrong."""
        self._rows = api_refusals(own)
        self._reasons = failure_reasons(own)

    def make(self, refusal: str, /, **words: object) -> ApiRefused:
        """The refusal ``refusal`` with what is known now."""
        return self.detailed(refusal, words)

    def detailed(
        self, refusal: str, words: Mapping[str, object], *, members: Mapping[str, str | int] | None = None, hint: str | None = None
    ) -> ApiRefused:
        """The same with what its shape has beside the message (``members``), and what we say beside AWS's words (``hint``)."""
        row = self._rows[refusal]
        return ApiRefused(_filled(row.message, words), aws_code=row.code, status=row.status, hint=hint, members=members)

    def at_registry(self, refusal: str, /, **words: object) -> ServeError:
        """The same as the registry answers it. Raises ``LookupError`` for one that no push can meet."""
        row = self._rows[refusal]
        if row.registry_code is None:
            raise LookupError(f"{refusal} is no refusal of the registry")
        return ServeError(_filled(row.message, words), status=row.registry_status, registry_code=row.registry_code)

    def reason(self, code: str, /, **words: object) -> str:
        """The text beside a failure code."""
        return _filled(self._reasons[code], words)

    def row(self, refusal: str) -> ApiRefusal:
        """What is known of a refusal."""
        return self._rows[refusal]


@lru_cache(maxsize=4)
def refusals_of(own: Path | None = None) -> Refusals:
    """The texts with a user's data file over them, read once."""
    return Refusals(own)


def _filled(message: str, words: Mapping[str, object]) -> str:
    """Only what is named is replaced, once: what was sent may hold braces, and texts of others do."""
    parts = message.split("{")
    filled = parts[0]
    for part in parts[1:]:
        name, closing, rest = part.partition("}")
        filled += f"{words[name]}{rest}" if closing and name in words else f"{{{part}"
    return filled

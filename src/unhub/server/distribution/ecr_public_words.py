"""What the registry says in mode ``ecr-public``: ECR Public's texts (``ecr_public.toml``), each in one error of the specification."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from unhub.data.ecr_public import registry_refusals
from unhub.image.errors import ServeError
from unhub.mirror.gallery.refusals import refusals_of
from unhub.mirror.names import UnknownRepository
from unhub.server.distribution.answers import Answer, Header
from unhub.server.distribution.credentials import asked_at
from unhub.server.distribution.errors import NotAllowed, Unauthorized, refusal

JSON_UTF8: Final[Header] = (b"content-type", b"application/json; charset=utf-8")
TOKEN_PATH: Final = "/token/"  # noqa: S105 (a path)


class EcrPublicWords:
    """``service`` is the registry's name as challenges have it, ``own`` a user's data file."""

    def __init__(self, service: str, own: Path | None = None) -> None:
        self._service = service
        self._rows = registry_refusals(own)
        self._refusals = refusals_of(own)

    def error(self, refusal: str, /, allowed: tuple[str, ...] = (), **words: object) -> ServeError:
        """A refusal of ``ecr_public.toml``; ``allowed`` are the methods that are, for one with the status 405."""
        row = self._rows[refusal]
        message = row.message
        for name, value in words.items():
            message = message.replace(f"{{{name}}}", str(value))
        if row.status == 405:
            return NotAllowed(message, allowed, registry_code=row.code)
        return ServeError(message, status=row.status, registry_code=row.code)

    def unauthorized(self, scope: dict[str, Any]) -> ServeError:
        """Who sends no credentials is told where to get a token."""
        row = self._rows["no-credentials"]
        challenge = row.challenge.replace("{realm}", asked_at(scope, TOKEN_PATH)).replace("{service}", self._service)
        return Unauthorized(row.message, challenge, status=row.status, registry_code=row.code)

    def unknown_repository(self, name: str, registry: str, hint: str | None = None) -> ServeError:
        """A repository that is not there; the registry is named by the alias that was asked for."""
        error = self._refusals.at_registry("repository-not-found", name=name, registry=registry)
        error.hint = hint
        return error

    def unknown(self, error: UnknownRepository) -> ServeError:
        """The same for an alias that nobody has."""
        return self.unknown_repository(error.repository, error.registry, error.hint)

    def answer(self, error: ServeError) -> Answer:
        """A refusal as it goes out: the body ends with a line end."""
        return refusal(error, content_type=JSON_UTF8, end=b"\n")

"""Who may do what in mode ``ecr-public``: a token for everything, an account's and its policies for what changes something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from unhub.data.ecr_public import page_most
from unhub.image.errors import ApiRefused, ServeError, TokenFault, TokenRefused
from unhub.mirror.gallery.subjects import Subjects
from unhub.mirror.names import Name, UnknownRepository
from unhub.mirror.principals import Principal, Surroundings
from unhub.mirror.tokens import Holder
from unhub.server.distribution.answers import Answer
from unhub.server.distribution.bearers import Bearers
from unhub.server.distribution.credentials import authorization
from unhub.server.distribution.ecr_public_words import EcrPublicWords
from unhub.server.distribution.note import Note
from unhub.server.distribution.permissions import actions_of
from unhub.server.distribution.request import Request
from unhub.server.distribution.routing import Kind
from unhub.server.identity_services import IdentityServices
from unhub.store.protocols_identity import IdentityStore

REGION: Final = "us-east-1"
"""The region of the registry, which has one name in the whole world (ecr-public.md, 3.4)."""

READS: Final = ("GET", "HEAD")
USER_AGENT_MAX: Final = 512

_FAULTS: Final = {
    TokenFault.INVALID: "invalid-bearer",
    TokenFault.EXPIRED: "expired-bearer",
    TokenFault.REVOKED: "revoked-bearer",
}

_MISSING: Final = {"MANIFEST_UNKNOWN": "missing-image", "BLOB_UNKNOWN": "missing-blob"}
"""What ECR Public says in the place of the specification's own words."""


class EcrPublicAccess:
    """Lives in one event loop; ``hears`` says whether this worker hears of changes, ``now`` is seconds since 1970.

    While it does not hear, tokens may have been revoked without its knowing: then only content by its digest is served, which
    is everybody's (docs/contracts.md, serving).
    """

    def __init__(
        self,
        services: IdentityServices,
        store: IdentityStore,
        words: EcrPublicWords,
        *,
        hears: Callable[[], bool],
        now: Callable[[], float],
        facts: Path | None = None,
    ) -> None:
        self._services = services
        self._registrations = store.registrations
        self._subjects = Subjects(store)
        self._words = words
        self._hears = hears
        self._now = now
        self._bearers = Bearers(lambda: services.tokens, now)
        self._page_most = page_most("tags", facts)

    def knows(self, scope: dict[str, Any], note: Note | None) -> bool:
        """See the protocol."""
        holder = self._bearers.find(scope["headers"]) if self._hears() else None
        if holder is None:
            return False
        if note is not None:
            note.account = holder.account
        return True

    def admit(self, scope: dict[str, Any], note: Note | None) -> None:
        """See the protocol: the challenge for who sends nothing, 400 for what is no token that counts."""
        kind, _ = authorization(scope["headers"])
        if not kind:
            raise self._words.unauthorized(scope)
        if kind != "bearer":
            raise self._words.error("basic-at-registry")
        try:
            holder = self._bearers.read(scope["headers"])
        except TokenRefused as error:
            raise self._words.error(_FAULTS[error.fault]) from None
        scope["unhub.holder"] = holder
        if note is not None:
            note.account = holder.account

    async def check(self, request: Request) -> None:
        """See the protocol: what this registry does not have, and what must wait until changes are heard of again."""
        kind, method = request.route.kind, request.method
        if kind is Kind.CATALOG:
            raise self._words.error("no-catalog")
        if kind is Kind.BLOB and method == "DELETE":
            raise self._words.error("delete-blob", READS)
        if kind is Kind.TAGS:
            self._check_page(request)
        if kind is Kind.UPLOADS and request.parameter("from") is None:
            request.query.pop("mount", None)  # a blob comes from a repository that is named; without one it is uploaded
        if kind is Kind.REFERRERS and await self._is_missing(request.repository):
            raise self._unknown_repository(request.repository)  # what is attached to nothing would be an empty list
        by_digest = method in READS and kind in (Kind.MANIFEST, Kind.BLOB) and ":" in request.route.reference
        if not by_digest and not self._hears():
            message = "cannot tell who may ask: the database does not answer"
            raise ServeError(message, status=503, registry_code="UNAVAILABLE", retry_after=1.0)

    def visitor(self, scope: dict[str, Any]) -> None:
        """Whoever was admitted may ask for the version."""

    async def writer(self, request: Request) -> str:
        """See the protocol; an anonymous token changes nothing, and an account's only what its policies allow."""
        holder: Holder = request.scope["unhub.holder"]
        if holder.anonymous:
            raise self._words.error("anonymous-push")
        principal = await self._services.principal(holder)
        if principal is None:
            raise self._words.error("revoked-bearer")
        await self._authorize(principal, request)
        return f"registry {principal.unique_id}"

    def unknown(self, error: UnknownRepository) -> ServeError:
        """See the protocol."""
        return self._words.unknown(error)

    def refused(self, error: ServeError) -> Answer:
        """See the protocol."""
        return self._words.answer(error)

    async def explained(self, error: ServeError, request: Request | None) -> ServeError:
        """See the protocol: a repository that was not created is unknown, whatever is asked of it."""
        if request is None or request.name is None or error.status != 404 or request.method not in READS:
            return error
        name = request.repository
        if await self._is_missing(name):
            return self._unknown_repository(name)
        row = _MISSING.get(error.registry_code)
        return self._words.error(row) if row else error

    async def _authorize(self, principal: Principal, request: Request) -> None:
        name = request.repository
        subject = await self._subjects.repository(name.account, name.key.path)
        around = self._surroundings(request, subject.tags)
        try:
            for action in actions_of(request):
                self._services.authority.require(principal, action, subject.target, around)
        except ApiRefused as error:
            raise self._words.error("not-allowed", denial=error.message) from None
        if subject.registration is None:
            raise self._unknown_repository(name)

    async def _is_missing(self, name: Name) -> bool:
        return name.own and await self._registrations.get(name.key) is None

    def _unknown_repository(self, name: Name) -> ServeError:
        return self._words.unknown_repository(name.key.path, name.written.partition("/")[0])

    def _surroundings(self, request: Request, tags: Any) -> Surroundings:
        note: Note | None = request.scope.get("unhub.note")
        return Surroundings(
            now=self._now(),
            address="" if note is None else note.address,
            secure=request.scope["scheme"] == "https",
            region=REGION,
            user_agent=(request.header(b"user-agent") or b"")[:USER_AGENT_MAX].decode("latin-1"),
            resource_tags=tags,
        )

    def _check_page(self, request: Request) -> None:
        """Pages of tags have a longest length here, and that where nothing is said."""
        said = request.parameter("n")
        if said is None:
            request.query["n"] = [str(self._page_most)]
        elif said.isascii() and said.isdigit() and (len(said) > 9 or int(said) > self._page_most):
            raise self._words.error("page-too-large", READS, most=self._page_most)

"""Catalog data of repositories: what is shown of them in the gallery, kept as JSON text beside the logo."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from unhub.data.control_plane import api_limits
from unhub.mirror.gallery.logos import wrong_logo
from unhub.mirror.gallery.refusals import refusals_of
from unhub.store.protocols_identity import Registrations
from unhub.store.records_identity import Registration


class Catalog(msgspec.Struct, frozen=True, omit_defaults=True):
    """Catalog data as it is kept, under the API's own names; ``logo`` is the SHA-256 of the picture in hexadecimal."""

    description: str | None = None
    architectures: tuple[str, ...] | None = None
    operatingSystems: tuple[str, ...] | None = None
    aboutText: str | None = None
    usageText: str | None = None
    logo: str | None = None

    @classmethod
    def of(cls, text: str) -> Catalog:
        """What is kept as text."""
        return msgspec.json.decode(text, type=cls)

    def shown(self, logo_url: str) -> dict[str, object]:
        """As the API shows it; ``logo_url`` holds ``{logo}``."""
        shown: dict[str, object] = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        logo = shown.pop("logo", None)
        return shown if logo is None else {**shown, "logoUrl": logo_url.replace("{logo}", str(logo))}


@dataclass(frozen=True, slots=True)
class NewCatalog:
    """Catalog data that was checked, ready to be kept."""

    text: str
    logo: bytes | None = field(repr=False)


class CatalogRules:
    """Checks, keeps and shows catalog data. ``facts`` is a user's data file."""

    def __init__(self, registrations: Registrations, facts: Path | None = None) -> None:
        self._registrations = registrations
        self._refusals = refusals_of(facts)
        self._pixels = api_limits(facts)["logo-pixels"]

    def read(self, given: Mapping[str, Any]) -> NewCatalog:
        """Catalog data of a request (``RepositoryCatalogDataInput``). Raises :class:`ApiRefused` for a logo that is none."""
        logo: bytes | None = given.get("logoImageBlob") or None
        wrong = wrong_logo(logo, self._pixels) if logo else ""
        if wrong:
            raise self._refusals.make("logo-invalid", reason=wrong)
        rest = {name: value for name, value in given.items() if name != "logoImageBlob"}
        kept = msgspec.convert({**rest, "logo": hashlib.sha256(logo).hexdigest() if logo else None}, Catalog)
        return NewCatalog(msgspec.json.encode(kept).decode(), logo)

    def of(self, repository: Registration) -> Catalog:
        """The catalog data of a repository. Raises :class:`ApiRefused` where it never had any."""
        if repository.catalog is None:
            raise self._refusals.make("catalog-data-not-found", name=repository.key.path, registry=repository.account)
        return Catalog.of(repository.catalog)

    async def put(self, repository: Registration, new: NewCatalog) -> Catalog:
        """Set the catalog data, whole: what is not given is no more. Raises :class:`ApiRefused` where the repository is gone."""
        if not await self._registrations.set_catalog(repository.key, new.text, new.logo):
            raise self._refusals.make("repository-not-found", name=repository.key.path, registry=repository.account)
        return Catalog.of(new.text)

"""What the registry's doors are in each mode: how names are understood, who may do what, and where tokens are had."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from unhub.mirror.names import GalleryNames, Mode, Names
from unhub.mirror.registries import KnownRegistries
from unhub.server.distribution.access import Access
from unhub.server.distribution.ecr_public_access import EcrPublicAccess
from unhub.server.distribution.ecr_public_words import EcrPublicWords
from unhub.server.distribution.open_access import OpenAccess
from unhub.server.identity_services import IdentityServices
from unhub.server.settings import ServeSettings
from unhub.server.token_service import TokenService
from unhub.store.protocols_identity import IdentityStore


class Doors(NamedTuple):
    """``tokens`` is an ASGI callable."""

    names: Names
    access: Access
    tokens: Callable[..., Awaitable[None]]


def doors_of(
    settings: ServeSettings,
    services: IdentityServices,
    store: IdentityStore,
    registries: KnownRegistries,
    *,
    hears: Callable[[], bool],
    now: Callable[[], float] = time.time,
) -> Doors:
    """The doors of one worker; ``hears`` says whether it hears of changes, ``now`` is seconds since 1970."""
    if settings.mode is Mode.OPEN:
        access = OpenAccess(push_password=settings.push_password, loopback_only=settings.is_local)
        return Doors(settings.names, access, access.token)
    words = EcrPublicWords(settings.registry_name, settings.facts)
    guarded = EcrPublicAccess(services, store, words, hears=hears, now=now, facts=settings.facts)
    tokens = TokenService(lambda: services.tokens, words, hears=hears, now=now)
    return Doors(GalleryNames(registries.owner), guarded, tokens)

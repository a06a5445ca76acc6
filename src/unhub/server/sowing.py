"""Before anybody is served: the accounts and identities that the settings name are in the database."""

from __future__ import annotations

import asyncio
import threading
import time

from unhub.data.identities import identity_limits
from unhub.mirror.identities import Identities
from unhub.mirror.names import Mode
from unhub.mirror.sealing import FILE, InstanceKey
from unhub.mirror.seeding import give_aliases, sow
from unhub.server.settings import ServeSettings
from unhub.store.sql.metadata import SqlMetadata


def sow_seeds(settings: ServeSettings) -> None:
    """Make what the settings name and the database lacks. To be called once, before any process is forked.

    Raises :class:`ConfigurationError`, which names the place, and :class:`RefusedError` for a wrong instance key.
    """
    if not (settings.seeds or _wanted(settings)):
        return
    asyncio.run(_sow(settings))
    for thread in threading.enumerate():  # the database's; a fork must not meet one
        if thread is not threading.current_thread():
            thread.join()


def _wanted(settings: ServeSettings) -> tuple[str, ...]:
    """The declared aliases, where they are those of a registry."""
    return settings.own_aliases if settings.mode is Mode.ECR_PUBLIC else ()


async def _sow(settings: ServeSettings) -> None:
    metadata = SqlMetadata(settings.database)
    try:
        instance = InstanceKey.at(settings.data / FILE)
        limits, reserved = identity_limits(settings.facts), settings.pulled_through
        identities = Identities(metadata.identity, instance, now=time.time, limits=limits, reserved=reserved)
        await sow(settings.seeds, identities)
        await give_aliases(_wanted(settings), identities)
    finally:
        await metadata.close()

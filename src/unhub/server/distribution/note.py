"""What the request log and the metrics get to know of an answer."""

from __future__ import annotations

from typing import Protocol

from unhub.image.digest import Digest
from unhub.store.records import RepositoryKey


class Note(Protocol):
    """Filled while a request is answered; ``bytes`` are those answered, ``cache`` is one of hit, stale, miss, flight.

    Who asks stands in it from the start, but for the ``account``.
    """

    status: int
    bytes: int
    door: str
    name: str
    reference: str
    cache: str
    caller: str
    account: str
    address: str
    in_region: bool


class Recorder(Protocol):
    """Counts who pulled what."""

    def pulled(self, key: RepositoryKey, digest: Digest, reference: str, caller: str, bytes_answered: int) -> None:
        """A manifest was answered to a caller."""
        ...

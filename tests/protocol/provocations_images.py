"""How the errors of layers and images are provoked, and those operations answered; see ``provocations``."""

from __future__ import annotations

from typing import Final

from tests.protocol.provocations import Provoke

DATA: Final = ""
"""What a data file says so that limits are within reach."""

PROVOKED: Final[dict[tuple[str, str], Provoke]] = {}
ANSWERED: Final[dict[str, Provoke]] = {}

"""What docker's daemon says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from unhub.doctor.machine import Machine, Reply


async def info(machine: Machine) -> Mapping[str, Any] | None:
    """``/info`` of the daemon; ``None`` where it does not answer, or answers something else."""
    reply = await machine.docker.get("/info")
    if not isinstance(reply, Reply) or reply.answer.status != 200:
        return None
    try:
        value: object = json.loads(reply.answer.body)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else None

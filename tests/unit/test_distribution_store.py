"""A store that does not answer is the server's trouble, and passing: clients are told to come back."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError

from unhub.mirror.memory import Memory
from unhub.mirror.names import NameRules
from unhub.server.distribution.app import Distribution


class Broken:
    """Stands for pull, push and blobs of a server whose database is gone."""

    memory = Memory()

    def remembered(self, *_: object) -> None:
        return None

    async def manifest(self, *_: object, **__: object) -> Any:
        raise OperationalError("SELECT", {}, Exception("disk I/O error"))


def test_a_database_that_does_not_answer_is_a_503_and_told_to_the_operator() -> None:
    broken = cast(Any, Broken())
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    path = b"/v2/library/node/manifests/20"
    scope = {"type": "http", "method": "GET", "raw_path": path, "path": path.decode(), "query_string": b"", "headers": [], "extensions": {}}
    with pytest.raises(OperationalError):
        asyncio.run(Distribution(broken, broken, broken, NameRules())(scope, receive, send))
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]
    assert b"UNAVAILABLE" in sent[1]["body"]
    assert b"SELECT" not in sent[1]["body"]

"""Work on the file of an upload: nobody closes the file under it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from unhub.mirror.upload_files import in_thread


@pytest.mark.parametrize("times", [1, 2, 3])
def test_work_has_ended_before_a_cancelled_request_goes_on(times: int) -> None:
    ended, may_end = threading.Event(), threading.Event()

    def work() -> None:
        may_end.wait(10)
        ended.set()

    async def cancelled(work: Callable[[], None]) -> None:
        request = asyncio.ensure_future(in_thread(work))
        for _ in range(times):
            await asyncio.sleep(0.01)
            request.cancel()
        await asyncio.sleep(0.01)
        assert not request.done(), "the file would be closed while it is written to"
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert ended.is_set()

    asyncio.run(cancelled(work))

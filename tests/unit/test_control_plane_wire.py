"""Bodies of the API: bounded one by one, and all large ones together until they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from unhub.image.errors import ApiRefused
from unhub.server.control_plane.wire import LARGE, ClientGone, Room, Share, discard_body, is_small, read_body

MIB = 1 << 20


def sending(*pieces: bytes, ends: bool = True) -> Callable[[], Awaitable[dict[str, Any]]]:
    """A client that sends so many pieces, and then ends, or leaves."""
    messages: Iterator[dict[str, Any]] = iter(
        [
            *({"type": "http.request", "body": piece, "more_body": True} for piece in pieces),
            {"type": "http.request", "body": b"", "more_body": False} if ends else {"type": "http.disconnect"},
        ]
    )

    async def receive() -> dict[str, Any]:
        return next(messages)

    return receive


def code(caught: pytest.ExceptionInfo[ApiRefused]) -> tuple[str, int]:
    return caught.value.aws_code, caught.value.status


def test_a_body_comes_whole() -> None:
    assert asyncio.run(read_body(sending(b"{", b"}"), 10, Share(Room()))) == b"{}"


def test_one_byte_too_many_is_refused() -> None:
    assert len(asyncio.run(read_body(sending(b"12345", b"67890"), 10, Share(Room())))) == 10
    with pytest.raises(ApiRefused) as caught:
        asyncio.run(read_body(sending(b"12345", b"678901"), 10, Share(Room())))
    assert code(caught) == ("RequestEntityTooLargeException", 413)


def test_a_client_that_leaves_is_nobodys_error() -> None:
    with pytest.raises(ClientGone):
        asyncio.run(read_body(sending(b"half", ends=False), 10, Share(Room())))


@pytest.mark.parametrize(
    ("length", "small"),
    [
        (b"0", True),
        (b"%d" % LARGE, True),
        (b"%d" % (LARGE + 1), False),
        (b"0" * 5000 + b"1", True),
        (b"9" * 5000, False),
        (b"\xb2", False),
        (b"-1", False),
        (b"", False),
    ],
)
def test_what_a_client_says_of_its_length_is_read_whatever_it_is(length: bytes, small: bool) -> None:
    assert is_small({"headers": [(b"content-length", length)]}) is small


def test_small_bodies_need_no_room() -> None:
    assert asyncio.run(read_body(sending(b"x" * LARGE), LARGE, Share(Room(0))))


def test_large_bodies_share_a_room_until_they_are_answered() -> None:
    room = Room(5 * MIB)
    body = (b"x" * MIB,) * 3
    with room.share() as first:
        asyncio.run(read_body(sending(*body), 10 * MIB, first))
        assert room.left == 2 * MIB
        with room.share() as second, pytest.raises(ApiRefused) as caught:
            asyncio.run(read_body(sending(*body), 10 * MIB, second))
        assert code(caught) == ("ServiceUnavailable", 503)
        assert room.left == 2 * MIB, "whoever was refused holds nothing"
    assert room.left == 5 * MIB
    with room.share() as third:
        assert len(asyncio.run(read_body(sending(*body), 10 * MIB, third))) == 3 * MIB


def test_what_is_discarded_is_read_to_its_end_and_no_further() -> None:
    asyncio.run(discard_body(sending(b"x" * 100), 1000))
    endless = sending(*[b"x" * 100] * 50)
    asyncio.run(discard_body(endless, 1000))
    assert asyncio.run(endless()) == {"type": "http.request", "body": b"x" * 100, "more_body": True}, "nobody is read for ever"

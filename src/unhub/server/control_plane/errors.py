"""Refusals in JSON 1.1, as AWS's services send them."""

from __future__ import annotations

from typing import Final

import msgspec

from unhub.image.errors import ApiRefused
from unhub.server.control_plane.wire import Answer

CONTENT_TYPE: Final = b"application/x-amz-json-1.1"


def refusal(error: ApiRefused) -> Answer:
    """The answer to a request that is refused: its code twice, in ``__type`` and in a header, and what its shape has beside the message."""
    message = _plain(str(error))
    body = msgspec.json.encode({"__type": error.aws_code, "message": message, **error.members})
    return Answer(error.status, body, CONTENT_TYPE, ((b"x-amzn-errortype", error.aws_code.encode("ascii")),))


def server_fault(request_id: str) -> ApiRefused:
    """``ServerException``: what went wrong is in the log and in no answer; the id joins the two."""
    message = f"The request could not be answered because of a problem of the server (request {request_id})."
    return ApiRefused(message, aws_code="ServerException", status=500)


def incomplete() -> ApiRefused:
    """400: the body ended before its end."""
    return ApiRefused("The request ended before its body was whole.", aws_code="IncompleteBodyException", status=400)


def _plain(text: str) -> str:
    """Texts may quote what was sent: no lone surrogates, no endless names."""
    return text.encode("utf-8", "replace").decode("utf-8")[:4000]

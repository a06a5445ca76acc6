"""A small STS over the query protocol: ``GetCallerIdentity``, so that tools that ask who they are keep working.

Whoever signs may ask it, as at AWS, whatever policies say. Everything else that STS can do (sessions, roles) is for
``unhub admin`` here.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from unhub.aws.sigv4_rules import SigningRules, rules_for
from unhub.image.errors import ApiRefused
from unhub.mirror.principals import Principal
from unhub.server.control_plane.ecr_public import Arrived
from unhub.server.control_plane.hosts import signed_for
from unhub.server.control_plane.wire import Answer, Room, Share, read_body, signed_request
from unhub.server.identity_services import IdentityServices

SERVICE: Final = "sts"
VERSION: Final = "2011-06-15"
NAMESPACE: Final = f"https://sts.amazonaws.com/doc/{VERSION}/"
BODY_MAX: Final = 16 * 1024
CONTENT_TYPE: Final = b"text/xml"

DEFAULT: Final = "us-east-1"
"""The region of what does not say one."""


class Sts:
    """Answers ``GetCallerIdentity``."""

    def __init__(self, identity: IdentityServices, *, facts: Path | None = None) -> None:
        self._identity = identity
        self._facts = facts

    async def answer(self, arrived: Arrived, request_id: str) -> Answer:
        """The answer of one request. Raises :class:`ApiRefused`."""
        body = await read_body(arrived.receive, BODY_MAX, Share(Room(0)))
        request = signed_request(arrived.scope, body)
        said = signed_for(arrived.scope)
        caller = await self._identity.caller(request, _rules(arrived.region or (said[1] if said else DEFAULT), self._facts))
        arrived.note.account = caller.principal.account
        given = dict(parse_qsl(request.query)) | dict(parse_qsl(body.decode("latin-1")))
        action = arrived.note.reference = given.get("Action", "")[:60]
        if action != "GetCallerIdentity":
            raise _unknown(action, given.get("Version", "")[:20])
        return Answer(200, _identity(caller.principal, request_id), CONTENT_TYPE)

    @staticmethod
    def refuse(error: ApiRefused, request_id: str) -> Answer:
        """The answer to a request that is refused."""
        side = "Receiver" if error.status >= 500 else "Sender"
        parts = f"<Type>{side}</Type><Code>{escape(error.aws_code)}</Code><Message>{escape(_plain(str(error)))}</Message>"
        text = f'<ErrorResponse xmlns="{NAMESPACE}"><Error>{parts}</Error><RequestId>{request_id}</RequestId></ErrorResponse>'
        return Answer(error.status, text.encode(), CONTENT_TYPE)


@lru_cache(maxsize=64)
def _rules(region: str, facts: Path | None) -> SigningRules:
    return rules_for(SERVICE, {region}, own=facts)


def _unknown(action: str, version: str) -> ApiRefused:
    message = f"Could not find operation {action} for version {version or VERSION}"
    hint = "This STS answers GetCallerIdentity only; `unhub admin key create --session` makes sessions"
    return ApiRefused(message, aws_code="InvalidAction", status=400, hint=hint)


def _identity(principal: Principal, request_id: str) -> bytes:
    parts = f"<Arn>{escape(principal.arn)}</Arn><UserId>{escape(principal.user_id)}</UserId><Account>{escape(principal.account)}</Account>"
    return (
        f'<GetCallerIdentityResponse xmlns="{NAMESPACE}"><GetCallerIdentityResult>{parts}</GetCallerIdentityResult>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    ).encode()


def _plain(text: str) -> str:
    """What XML can hold of a text."""
    return "".join(one if one >= " " and one not in "\ufffe\uffff" else " " for one in text.encode("utf-8", "replace").decode())

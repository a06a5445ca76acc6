"""The control plane as ASGI: to which of AWS's services a request goes, and an answer of that service whatever happens."""

from __future__ import annotations

import uuid
from typing import Any, Final

from unhub.data.control_plane import api_hosts
from unhub.image.errors import ApiRefused
from unhub.server.allowance import Allowance
from unhub.server.control_plane.call import Services
from unhub.server.control_plane.ecr_public import Arrived, EcrPublic
from unhub.server.control_plane.errors import incomplete, server_fault
from unhub.server.control_plane.hosts import Endpoint, Hosts, signed_for
from unhub.server.control_plane.logos import send_logo
from unhub.server.control_plane.pagination import PageTokens
from unhub.server.control_plane.sts import Sts
from unhub.server.control_plane.wire import Answer, ClientGone, Message, Receive, Room, Send, deliver, header
from unhub.server.note import Note

DOOR: Final = "api"
"""What the request log calls this door."""


class ControlPlane:
    """ECR Public's API and STS of one worker."""

    def __init__(self, services: Services, *, allowance: Allowance | None = None) -> None:
        pages = PageTokens(services.identity.instance, now=services.now)
        self._ecr_public = EcrPublic(services, pages, Room(), allowance=allowance)
        self._sts = Sts(services.identity, facts=services.facts)
        self._registrations = services.store.registrations
        self._hosts = Hosts(api_hosts(services.facts))

    def endpoint(self, scope: Message) -> Endpoint | None:
        """The endpoint that a request (ASGI) names by its host; ``None`` where it is for somebody else."""
        return self._hosts.of(scope)

    async def logo(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request for a logo (ASGI)."""
        del receive
        await send_logo(self._registrations, scope, send)

    async def __call__(self, endpoint: Endpoint, scope: Message, receive: Receive, send: Send) -> None:
        """One request (ASGI 3) at one endpoint. Raises whatever was not foreseen, after it was answered with 500."""
        note: Note = scope["unhub.note"]
        note.door = DOOR
        request_id, unforeseen = str(uuid.uuid4()), None
        arrived = Arrived(scope, receive, note, endpoint.region)
        is_sts = (endpoint.service or _meant(scope)) == "sts"
        try:
            _check_served(endpoint, scope)
            made = await (self._sts.answer(arrived, request_id) if is_sts else self._ecr_public.answer(arrived))
        except ApiRefused as error:
            made = self._refused(error, request_id, sts=is_sts)
        except ClientGone:  # who has only stopped sending may still listen
            made = self._refused(incomplete(), request_id, sts=is_sts)
        except Exception as error:  # whatever it is, the client gets an answer of the protocol
            unforeseen = error
            made = self._refused(server_fault(request_id), request_id, sts=is_sts)
        await deliver(made, request_id, scope["method"], send)
        if unforeseen is not None:
            raise unforeseen

    def _refused(self, error: ApiRefused, request_id: str, *, sts: bool) -> Answer:
        return self._sts.refuse(error, request_id) if sts else self._ecr_public.refuse(error)


def _check_served(endpoint: Endpoint, scope: dict[str, Any]) -> None:
    """Refuse the name of a host that AWS does not have: whoever resolves it to this server must notice as early."""
    if endpoint.served:
        return
    host = header(scope, b"host") or header(scope, b":authority")
    message = f"There is no {host[:100]}: AWS has no such host, since the region {endpoint.region} does not have this service"
    raise ApiRefused(message, aws_code="MisdirectedRequest", status=421, hint="Use --region us-east-1")


def _meant(scope: Message) -> str:
    """The service that a request at a nameless endpoint is for: what it is signed for, else what it looks like."""
    said = signed_for(scope)
    if said is not None:
        return said[0]
    is_form = header(scope, b"content-type").startswith("application/x-www-form-urlencoded")
    return "sts" if is_form and not header(scope, b"x-amz-target") else "ecr-public"

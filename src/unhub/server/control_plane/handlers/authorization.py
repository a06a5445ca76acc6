"""``GetAuthorizationToken``: the password for ``docker login``."""

from __future__ import annotations

from collections.abc import Mapping

from unhub.server.control_plane.call import Call


async def get_authorization_token(call: Call) -> Mapping[str, object]:
    """A password that ends with the caller's session, and after twelve hours at the latest; two permissions are needed for it."""
    services = call.services.identity
    services.authority.require_login(call.caller.principal, call.around, services.password_seconds(call.caller))
    issued = services.password(call.caller)
    return {"authorizationData": {"authorizationToken": issued.authorization_token, "expiresAt": float(issued.expires_at)}}

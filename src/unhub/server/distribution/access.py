"""Who may push, in mode ``open``: pulls are anybody's (docs/contracts.md, how a name is understood)."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from typing import Any, Final

from unhub.image.errors import ServeError

ANONYMOUS: Final = "anonymous"


@dataclass(frozen=True, slots=True)
class Access:
    """With ``push_password`` whoever knows it may push, as any user; without, anybody where only this machine can ask.

    Docker, podman and skopeo send a password only where ``/v2/`` asked for one, and use no mirror whose ``/v2/`` does. So it
    does under the host names ``push_hosts`` only: those are for pushing, the other names of the mirror for pulling.
    """

    push_password: str | None = field(default=None, repr=False)
    loopback_only: bool = True
    push_hosts: frozenset[str] = frozenset()

    def visitor(self, scope: dict[str, Any]) -> None:
        """Whoever asks ``/v2/``. Raises :class:`ServeError` 401 under a host name that is for pushing."""
        if self.push_hosts and self.push_password is not None and _host(scope) in self.push_hosts:
            self.writer(scope)

    def writer(self, scope: dict[str, Any]) -> str:
        """Who pushes or deletes. Raises :class:`ServeError` 401 or 403."""
        if self.push_password is None:
            if self.loopback_only:
                return ANONYMOUS
            message = "cannot push: this mirror listens to other machines and has no push password"
            raise ServeError(message, status=403, registry_code="DENIED", hint="Start it with --push-password-file")
        user, password = _basic(scope)
        if not hmac.compare_digest(password.encode("utf-8"), self.push_password.encode("utf-8")):
            raise ServeError("cannot push without the push password", status=401, registry_code="UNAUTHORIZED")
        return user


def _basic(scope: dict[str, Any]) -> tuple[str, str]:
    """User and password of ``Authorization: Basic``; empty ones where there are none."""
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:6].lower() == b"basic ":
            try:
                user, _, password = base64.b64decode(value[6:].strip(), validate=True).decode("utf-8").partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return "", ""
            return user, password
    return "", ""


def _host(scope: dict[str, Any]) -> str:
    """The host name that was asked, without its port."""
    for name, value in scope["headers"]:
        if name in (b"host", b":authority"):
            host = value.decode("latin-1").lower()
            return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return ""

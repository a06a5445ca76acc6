"""Values that must not be shown, taken out of a stream of bytes however it is cut."""

from __future__ import annotations

from collections.abc import Iterable

MASK = b"***"
"""What CodeBuild's log shows in the place of a secret."""


class Mask:
    """Replaces secrets; the end of what was fed is held back while it may be the beginning of one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({secret.encode("utf-8", "surrogateescape") for secret in secrets if secret}, key=len, reverse=True)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be shown now."""
        if not self._secrets:
            return data
        data = self._hidden(self._held + data)
        keep = max(self._begun(data, secret) for secret in self._secrets)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def end(self) -> bytes:
        """What was held back."""
        held, self._held = self._held, b""
        return held

    def _hidden(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, MASK)
        return data

    @staticmethod
    def _begun(data: bytes, secret: bytes) -> int:
        """How many bytes at the end of ``data`` are the beginning of ``secret``."""
        return next((size for size in range(min(len(data), len(secret) - 1), 0, -1) if data.endswith(secret[:size])), 0)

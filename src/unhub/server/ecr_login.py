"""The login for ECR Public with ambient AWS credentials: ten pulls a second instead of one, renewed before it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from unhub.aws import password_process
from unhub.image.errors import AwsError, MissingExtra, UsageError
from unhub.registry.credential import Credential, Credentials

RENEW_EARLY: Final = 3600.0
"""Seconds before its end at which a login is renewed; it holds twelve hours (ecr-public.md)."""

AGAIN: Final = 600.0
"""Seconds until AWS is asked again where it gave no login."""

Fetch = Callable[[], tuple[str, str, float]]
"""Asks AWS, and blocks: user name, password, and when it ends (seconds since 1970)."""


class _Fixed:
    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def find(self, registry: str) -> Credential | None:
        del registry
        return self._credential


class EcrPublicLogin:
    """See :class:`unhub.server.sources.AwsLogin`."""

    def __init__(self, notice: Callable[[str], None], fetch: Fetch = password_process.ask, now: Callable[[], float] = time.time) -> None:
        self._notice = notice
        self._fetch = fetch
        self._now = now
        self.logged_in = False
        self.failures = 0
        """How often AWS gave no login, for the metrics."""

    async def keep(self, changed: Callable[[Credentials | None], None]) -> None:
        """See the protocol."""
        until = 0.0
        while True:
            try:
                username, password, until = await asyncio.to_thread(self._fetch)
            except MissingExtra:
                return
            except (AwsError, UsageError) as error:
                self._failed(error, changed, expired=self._now() >= until)
                await asyncio.sleep(AGAIN)
                continue
            if not self.logged_in:
                self._notice("logged in to ECR Public with the AWS credentials found here")
            self.logged_in = True
            changed(_Fixed(Credential(username, password, "AWS credentials of this machine")))
            await asyncio.sleep(max(until - self._now() - RENEW_EARLY, 60.0))

    def _failed(self, error: AwsError | UsageError, changed: Callable[[Credentials | None], None], *, expired: bool) -> None:
        self.failures += 1
        if self.logged_in and expired:
            self.logged_in = False
            self._notice(f"the login to ECR Public has ended, going on without one: {error.message}")
            changed(None)

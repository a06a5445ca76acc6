"""From options to answers: the lock file, the client, and one event loop for all questions of a command."""

from __future__ import annotations

import asyncio
import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from unhub.cli.network import Network
from unhub.cli.options import Proving
from unhub.cli.output import Progress, say
from unhub.image.errors import UsageError
from unhub.migrate.verification.compare import CompareOptions
from unhub.migrate.verification.lock import Lock
from unhub.migrate.verification.question import Question
from unhub.migrate.verification.verdict import Verdict, registry_title
from unhub.migrate.verification.verifier import Verifier, VerifyOptions
from unhub.registry.answers import Budget

if TYPE_CHECKING:
    from unhub.cli.session import Session
    from unhub.registry.client import RegistryClient

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_NOT_ASKED = frozenset({"offline", "variable"})
_LONG = 10.0
"""Seconds of waiting for a registry's rate that are announced."""


@dataclass(slots=True)
class Traffic:
    """What was asked: requests and counted GETs of manifests by registry, and what was said of limits."""

    requests: Mapping[str, int] = field(default_factory=dict[str, int])
    manifests: Mapping[str, int] = field(default_factory=dict[str, int])
    budgets: Mapping[str, Budget] = field(default_factory=dict[str, Budget])

    @property
    def pulls_spent(self) -> int:
        """GETs of manifests at Docker Hub, which it counts."""
        return self.manifests.get("docker.io", 0)


class Prover(AbstractContextManager["Prover"]):
    """Asks the registries for one command; a client is made only when there is something to ask."""

    def __init__(self, session: Session, proving: Proving, network: Network, now: datetime.datetime) -> None:
        self._network = network
        self._proving = proving
        self._configuration = session.configuration
        self._runner: asyncio.Runner | None = None
        self._client: RegistryClient | None = None
        self.traffic = Traffic()
        self.verifier = Verifier(_lock(session, proving), now, _options(session, proving, network))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self._runner is not None and self._client is not None:
                self._runner.run(self._client.close())
        finally:
            if self._runner is not None:
                self._runner.close()
            self._runner = self._client = None

    def ask(self, questions: Sequence[Question]) -> None:
        """Answer what the lock file does not: by asking, or, offline, by giving up."""
        open_ = self.verifier.open_questions(questions)
        if not open_:
            return
        if self._network.offline:
            asyncio.run(self.verifier.ask(open_, None))
            return
        progress = Progress("verifying", "images", estimate=True)
        try:
            self._run(open_, progress)
        finally:
            progress.end()

    def _run(self, questions: Sequence[Question], progress: Callable[[int, int], None]) -> None:
        if self._runner is None:
            self._runner = asyncio.Runner()
        self._runner.run(self._asking(questions, progress))

    async def _asking(self, questions: Sequence[Question], progress: Callable[[int, int], None]) -> None:
        from unhub.cli.network import open_client

        if self._client is None:
            self._client = open_client(self._network, self._configuration)
        client = self._client
        announce(client, questions)
        try:
            await self.verifier.ask(questions, client, progress)
        finally:
            self.traffic = Traffic(client.requests_sent, client.manifests_got, client.budgets)

    @property
    def nobody_answered(self) -> bool:
        """Whether registries were asked, and not one of them gave an answer."""
        asked = [one for one in self.verifier.evidences if not one.from_lock and one.failure not in _NOT_ASKED]
        silent = (one.verdict is Verdict.UNKNOWN and one.failure and not one.origin_digest and not one.target_digest for one in asked)
        return bool(asked) and all(silent)

    def save_lock(self) -> Path | None:
        """Write the lock file where there is one or one is wanted; its path if it was written."""
        lock = self.verifier.lock
        if self._proving.no_lock or not (lock.exists or self._proving.write_lock):
            return None
        return lock.path if lock.save() else None


def announce(client: RegistryClient, questions: Sequence[Question]) -> None:
    """Say how long a registry's rate makes this take, where that is long."""
    counts: dict[str, int] = {}
    for question in questions:
        registry = question.targets[0].registry
        counts[registry] = counts.get(registry, 0) + 1
    for registry, count in counts.items():
        seconds = client.seconds_for(registry, count)
        if seconds >= _LONG:
            about = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
            say(f"{count} images are to be found at {registry_title(registry)}: without a login its rate makes that about {about}")


def _lock(session: Session, proving: Proving) -> Lock:
    if proving.no_lock and (proving.lock is not None or proving.write_lock):
        raise UsageError("cannot use --no-lock together with --lock or --write-lock")
    path = proving.lock or session.lock_path
    return Lock(path) if proving.no_lock else Lock.read(path)


def _options(session: Session, proving: Proving, network: Network) -> VerifyOptions:
    if network.offline and proving.refresh:
        raise UsageError("cannot use --refresh together with --offline")
    writes_lock = proving.write_lock or (not proving.no_lock and (proving.lock or session.lock_path).exists())
    return VerifyOptions(
        accept=frozenset(session.migrate.accept),
        refresh=proving.refresh,
        deep=proving.deep,
        offline=network.offline,
        compare=CompareOptions(
            max_lag=duration(proving.max_lag or session.migrate.max_lag),
            spend=proving.spend,
            platforms=writes_lock or proving.deep,
        ),
    )


def duration(text: str) -> datetime.timedelta:
    """Read ``90m``, ``72h``, ``7d`` or ``2w``. Raises :class:`UsageError` for anything else."""
    match = re.fullmatch(r"([0-9]{1,5})([mhdw])", text)
    if match is None:
        raise UsageError(f"cannot read the time {text!r}", hint="Write a number and m, h, d or w: 90m, 72h, 7d")
    return datetime.timedelta(**{_UNITS[match[2]]: int(match[1])})

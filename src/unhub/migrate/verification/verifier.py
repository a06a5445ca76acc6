"""All questions of a run, asked at the same time within each registry's own limits."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from unhub.image.reference import Reference
from unhub.migrate.verification.compare import CompareOptions, Comparer, Registries
from unhub.migrate.verification.deep import Contents, look_deep
from unhub.migrate.verification.lock import Lock
from unhub.migrate.verification.question import Question
from unhub.migrate.verification.verdict import Evidence, Verdict, tagged

AT_ONCE: Final = 64
"""Most questions that wait for answers at a time; the registries' own limits are kept by the client."""

Asked = Callable[[int, int], None]
"""Told how many of how many questions are answered."""


class Client(Registries, Contents, Protocol):
    """What a registry client must be able to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """How to verify: ``accept`` are the verdicts taken beside the proven ones, ``refresh`` asks although the lock knows,
    ``deep`` looks behind the tags, ``compare`` is about one comparison, ``offline`` asks nobody."""

    accept: frozenset[str] = frozenset()
    refresh: bool = False
    deep: bool = False
    offline: bool = False
    compare: CompareOptions = field(default_factory=CompareOptions)


class Verifier:
    """What is known after asking: a :class:`Proof` for the mapper, and the answers for reports.

    ``now`` is the time of the run. What the lock knows is not asked again, unless ``refresh`` is wanted or the lock
    was not told what is wanted now.
    """

    def __init__(self, lock: Lock, now: datetime.datetime, options: VerifyOptions) -> None:
        self.options = options
        self.lock = lock
        self._now = now
        self._evidence: dict[tuple[Reference | None, Reference], Evidence] = {}
        self._comparer: Comparer | None = None

    @property
    def wanted(self) -> bool:
        """See :class:`Proof`: whoever has a verifier asks."""
        return True

    @property
    def evidences(self) -> list[Evidence]:
        """Everything that was seen or remembered, in the order of the questions."""
        return list(self._evidence.values())

    def evidence(self, origin: Reference | None, target: Reference) -> Evidence | None:
        """See :meth:`Proof.evidence`."""
        known = self._evidence.get(_pair(origin, target))
        return None if known is None else replace(known, origin=origin, target=target)

    def open_questions(self, questions: Iterable[Question]) -> list[Question]:
        """The distinct questions that the lock does not answer; what it knows counts as seen from here on."""
        distinct = dict.fromkeys(question.distinct for question in questions)
        return [question for question in distinct if not self._answered(question)]

    async def ask(self, questions: Sequence[Question], client: Client | None, asked: Asked = lambda done, total: None) -> None:
        """Answer every question: until a target is accepted, or all of its targets are seen.

        ``client`` is ``None`` where nobody may be asked. Only errors that are no registry's are raised.
        """
        if client is None or self.options.offline:
            for question in questions:
                self._give_up(question)
            return
        if self._comparer is None:
            self._comparer = Comparer(client, self.lock.last_served, self._now, self.options.compare)
        await self._ask_all(questions, client, self._comparer, asked)

    async def _ask_all(self, questions: Sequence[Question], client: Client, comparer: Comparer, asked: Asked) -> None:
        waiting = iter(questions)
        done = 0

        async def work() -> None:
            nonlocal done
            for question in waiting:
                await self._one(question, client, comparer)
                done += 1
                asked(done, len(questions))

        tasks = [asyncio.ensure_future(work()) for _ in range(min(AT_ONCE, len(questions)))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, question: Question, client: Client, comparer: Comparer) -> None:
        for target in question.targets:
            known = self._known(question.origin, target)
            if known is None:
                known = await comparer.compare(question.origin, target)
                if self.options.deep:
                    known = await look_deep(known, client)
                self._keep(known)
            if known.accepted(self.options.accept):
                return

    def _keep(self, evidence: Evidence) -> None:
        self._evidence[_pair(evidence.origin, evidence.target)] = evidence
        self.lock.record(evidence)

    def _answered(self, question: Question) -> bool:
        for target in question.targets:
            known = self._known(question.origin, target)
            if known is None:
                return False
            if known.accepted(self.options.accept):
                return True
        return True

    def _known(self, origin: Reference | None, target: Reference) -> Evidence | None:
        pair = _pair(origin, target)
        if pair in self._evidence:
            return self._evidence[pair]
        remembered = None if self.options.refresh else self.lock.evidence(origin, target)
        if remembered is None or not self._enough(remembered):
            return None
        self._evidence[pair] = remembered
        return remembered

    def _enough(self, remembered: Evidence) -> bool:
        """Whether the lock was told all that is wanted now; offline there is no more to be had."""
        if self.options.offline:
            return True
        unspent = self.options.compare.spend > 0 and remembered.verdict is Verdict.DIFFERENT
        return not unspent and (remembered.deep or not self.options.deep or remembered.verdict is Verdict.MISSING)

    def _give_up(self, question: Question) -> None:
        for target in question.targets:
            if self._known(question.origin, target) is None:
                cause = "nobody was asked (--offline), and unhub.lock does not know it"
                unknown = Evidence(
                    origin=question.origin, target=target, verdict=Verdict.UNKNOWN, seen=self._now, cause=cause, failure="offline"
                )
                self._evidence[_pair(question.origin, target)] = unknown


def _pair(origin: Reference | None, target: Reference) -> tuple[Reference | None, Reference]:
    return (tagged(origin) if origin else None, tagged(target))

"""What ``unhub limits`` asks registries: what is left at Docker Hub, by HEAD alone, and how large images at ECR Public are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from unhub.cli.configuration import Configuration
from unhub.cli.network import Network, client_settings, logins, open_client
from unhub.cli.output import Progress, printable, say
from unhub.data.terms import Caller, Limit, Terms
from unhub.image.errors import CredentialsError, LimitKind, RateLimited, RegistryError
from unhub.image.reference import DOCKER_HUB, Reference
from unhub.registry.answers import Budget

if TYPE_CHECKING:
    from unhub.image.manifest import Platform
    from unhub.migrate.sizes import Size
    from unhub.registry.client import RegistryClient


PATIENCE = 5.0
"""Seconds that are waited between attempts, at most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What Docker Hub said of one caller's limit.

    ``limit`` is the one to reckon with: the dated one, unless Docker Hub said another. ``used`` is how much of it is
    taken, ``None`` where that was not said. ``error`` is why there was no answer. ``contradicts``: the dated figure is
    not what Docker Hub says.
    """

    caller: Caller
    says: str
    limit: Limit | None
    used: int | None = None
    budget: Budget | None = None
    error: RegistryError | None = None
    contradicts: bool = False


@dataclass(slots=True)
class Answers:
    """Everything that was asked; empty where nothing was."""

    asked: list[Asked] = field(default_factory=list[Asked])
    sizes: dict[Reference, Size] = field(default_factory=dict["Reference", "Size"])
    failed: dict[Reference, RegistryError] = field(default_factory=dict[Reference, RegistryError])


@dataclass(frozen=True, slots=True)
class Questions:
    """What to ask: the image whose HEAD is free, with the terms that the answer is compared with, and images to measure."""

    probe: Reference
    hub: Terms
    images: Sequence[Reference]
    platforms: Sequence[Platform]


async def ask(network: Network, configuration: Configuration, questions: Questions) -> Answers:
    """Ask Docker Hub with the stored login, if there is one, and without; and ECR Public for the sizes of images."""
    from unhub.migrate.sizes import sizes

    answers = Answers()
    async with _impatient(replace(network, login=False), configuration) as client:
        answers.asked.append(await _probe(client, questions.probe, questions.hub, "anonymous"))
    if _has_login(network):
        async with _impatient(network, configuration) as client:
            answers.asked.append(await _probe(client, questions.probe, questions.hub, "account"))
    async with open_client(network, configuration) as client:
        progress = Progress("asking for sizes", "images", estimate=True)
        try:
            answers.sizes, answers.failed = await sizes(client, questions.images, questions.platforms, progress)
        finally:
            progress.end()
    return answers


def _impatient(network: Network, configuration: Configuration) -> RegistryClient:
    """A client that does not wait for a limit to pass: that it is reached is the answer."""
    from unhub.registry.client import RegistryClient

    settings = replace(client_settings(network, configuration), patience_seconds=PATIENCE)
    return RegistryClient(settings, logins(network), notice=lambda text: say(f"unhub: {printable(text)}"))


def _has_login(network: Network) -> bool:
    try:
        return logins(network).find(DOCKER_HUB) is not None
    except CredentialsError:
        return True  # the client says what is wrong with it


async def _probe(client: RegistryClient, probe: Reference, hub: Terms, caller: Caller) -> Asked:
    dated = hub.limit(caller, "pulls")
    try:
        head = await client.head_manifest(probe)
    except RateLimited as error:
        if error.kind is LimitKind.PULLS:
            return Asked(caller, "used up: even this question is refused (429)", dated, dated.amount if dated else None)
        return Asked(caller, f"not known: {error.message}", dated, error=error)
    except RegistryError as error:
        return Asked(caller, f"not known: {error.message}", dated, error=error)
    if head.budget is None:
        return Asked(caller, "not limited (no ratelimit headers)", _without_amount(hub, dated), 0)
    return _left(caller, head.budget, hub, dated)


def _without_amount(hub: Terms, dated: Limit | None) -> Limit | None:
    """A caller's limit where there is none: for an account, in the words of the paid one's."""
    if dated is None:
        return None
    paid = hub.limit("paid", "pulls") if dated.caller == "account" else None
    return msgspec.structs.replace(paid or dated, id=dated.id, caller=dated.caller, amount=None)


def _left(caller: Caller, budget: Budget, hub: Terms, dated: Limit | None) -> Asked:
    limit, contradicts = said_limit(budget, dated)
    whose = f", counted for {budget.source}" if budget.source else ""
    if limit is None or limit.amount is None or budget.remaining is None:
        return Asked(caller, f"not known: the ratelimit headers are not complete{whose}", limit, budget=budget)
    left = max(0, budget.remaining)
    says = f"{left:,} of {limit.text} {'is' if left == 1 else 'are'} left{whose}"
    return Asked(caller, says, limit, max(0, limit.amount - left), budget, contradicts=contradicts and hub.profile.current)


def said_limit(budget: Budget, dated: Limit | None) -> tuple[Limit | None, bool]:
    """The limit that Docker Hub says it applies, in the words of the dated one, and whether the two differ."""
    if dated is None or budget.limit is None or budget.limit < 1:
        return dated, False
    window = dated.window if budget.window in (None, dated.seconds) else _window(budget.window or 0)
    said = msgspec.structs.replace(dated, amount=budget.limit, window=window)
    return said, (said.amount, said.seconds) != (dated.amount, dated.seconds)


def _window(seconds: int) -> str:
    seconds = max(1, seconds)
    unit, size = next((unit, size) for unit, size in (("h", 3_600), ("m", 60), ("s", 1)) if seconds % size == 0)
    return f"{seconds // size}{unit}"

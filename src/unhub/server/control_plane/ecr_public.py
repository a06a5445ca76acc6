"""ECR Public's API over JSON 1.1: from a request to the function of its operation, and back.

In this order: the operation, the bounded body, the signature, the region, the rate, the model, the permissions. So nobody
without an access key learns more than that one is needed, and nothing is looked up for a request that makes no sense.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from unhub.aws.arns import read_repository_arn
from unhub.aws.sigv4 import SignedRequest, read_claim
from unhub.aws.sigv4_rules import Cause, SigningRules, rules_for
from unhub.data.control_plane import EVERY, api_constraints, api_support
from unhub.data.iam import resource_of
from unhub.image.errors import ApiRefused
from unhub.mirror.gallery.refusals import refusals_of
from unhub.mirror.gallery.registries import Registries
from unhub.mirror.gallery.subjects import NOTHING, Subject, Subjects
from unhub.mirror.principals import Surroundings
from unhub.server.allowance import Allowance
from unhub.server.control_plane.call import ACTION, Call, Services
from unhub.server.control_plane.discovery import found_handlers
from unhub.server.control_plane.errors import CONTENT_TYPE, refusal
from unhub.server.control_plane.model import Operation, ecr_public
from unhub.server.control_plane.pagination import PageTokens
from unhub.server.control_plane.rendering import rendered
from unhub.server.control_plane.validation import Validator, invalid_parameter
from unhub.server.control_plane.wire import (
    LARGE,
    Answer,
    Message,
    Receive,
    Room,
    Share,
    discard_body,
    header,
    is_small,
    read_body,
    signed_request,
)
from unhub.server.identity_services import Caller
from unhub.server.note import Note

SERVICE: Final = "ecr-public"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request with what the server knows of it; ``region`` is that of the host's name, ``None`` where it has none."""

    scope: Message
    receive: Receive
    note: Note
    region: str | None


class EcrPublic:
    """Answers operations. ``allowance`` is ``None`` where nothing is limited."""

    def __init__(self, services: Services, pages: PageTokens, room: Room, *, allowance: Allowance | None = None) -> None:
        self._services = services
        self._pages = pages
        self._room = room
        self._allowance = allowance
        self._model = ecr_public()
        self._handlers = found_handlers()
        self._support = api_support(services.facts)
        self._constraints = api_constraints(services.facts)
        self._validator = Validator(self._constraints)
        self._refusals = refusals_of(services.facts)
        self._subjects = Subjects(services.store)
        self._registries = Registries(services.store)

    refuse = staticmethod(refusal)

    async def answer(self, arrived: Arrived) -> Answer:
        """The answer of one request. Raises :class:`ApiRefused`."""
        operation = self._operation(arrived.scope)
        arrived.note.reference = operation.name
        with self._room.share() as share:
            caller, given = await self._read(arrived, operation, share)
            call = await self._call(operation, given, caller, _surroundings(arrived, caller, self._services.now()))
            call.require(operation.name)
            output = await self._handlers[operation.name](call)
        return Answer(200, rendered(operation.output, output) if operation.output else b"{}", CONTENT_TYPE)

    async def _read(self, arrived: Arrived, operation: Operation, share: Share) -> tuple[Caller, Mapping[str, Any]]:
        """Who asks, and for what, once that is known to be signed, possible here, not too often, and by the model."""
        rules = self._rules(arrived.region)
        body = await self._body(arrived, operation, rules, share)
        caller = await self._services.identity.caller(signed_request(arrived.scope, body), rules)
        arrived.note.account = caller.principal.account
        self._check_region(operation, caller.region)
        if self._allowance is not None:
            self._allowance.check_operation(caller.principal.account, operation.name)
        return caller, await self._input(operation, body)

    def _operation(self, scope: Message) -> Operation:
        prefix, _, name = header(scope, b"x-amz-target").partition(".")
        found = self._model.operations.get(name)
        if scope["method"] == "POST" and found is not None and prefix == self._model.target_prefix and name in self._handlers:
            return found
        hint = None
        if not header(scope, b"x-amz-target"):
            hint = "This is ECR Public's API: ask it as `aws ecr-public … --endpoint-url URL` does, by a signed POST with X-Amz-Target"
        raise ApiRefused("The operation is not known here", aws_code="UnknownOperationException", status=400, hint=hint)

    def _rules(self, region: str | None) -> SigningRules:
        return _rules(frozenset(self._support) if region is None else frozenset({region}), self._services.facts)

    async def _body(self, arrived: Arrived, operation: Operation, rules: SigningRules, share: Share) -> bytes:
        """The body; of a large one nothing is kept before its access key is known."""
        limit = operation.body_max
        if is_small(arrived.scope):
            return await read_body(arrived.receive, limit, share)
        try:
            await self._check_key(signed_request(arrived.scope, b""), rules)
        except ApiRefused:
            await discard_body(arrived.receive, limit)
            raise
        return await read_body(arrived.receive, limit, share)

    async def _check_key(self, request: SignedRequest, rules: SigningRules) -> None:
        if await self._services.identity.known.look_up(read_claim(request, rules).access_key) is None:
            raise rules.refuse(Cause.UNKNOWN_KEY)

    def _check_region(self, operation: Operation, region: str) -> None:
        supported = self._support.get(region, frozenset())
        if EVERY not in supported and operation.name not in supported:
            message = "The action isn't supported in this Region."
            raise ApiRefused(message, aws_code="UnsupportedCommandException", status=400)

    async def _input(self, operation: Operation, body: bytes) -> Mapping[str, Any]:
        if len(body) > LARGE:
            return await asyncio.to_thread(self._validator.read, operation.input, body)
        return self._validator.read(operation.input, body)

    async def _call(self, operation: Operation, given: Mapping[str, Any], caller: Caller, around: Surroundings) -> Call:
        account = caller.principal.account
        after = self._after(operation, given, account)
        return Call(
            operation=operation.name,
            input=given,
            caller=caller,
            around=_tagged(around, given),
            subjects=await self._find_subjects(operation, given, account),
            services=self._services,
            pages=self._pages,
            after=after,
        )

    def _after(self, operation: Operation, given: Mapping[str, Any], account: str) -> str:
        token = given.get("nextToken")
        if token is None:
            return ""
        after = self._pages.read(token, operation.name, account, given)
        if after is None:
            raise invalid_parameter("nextToken", self._constraints["page-token"])
        return after

    async def _find_subjects(self, operation: Operation, given: Mapping[str, Any], account: str) -> tuple[Subject, ...]:
        kind = resource_of(ACTION.format(operation.name))
        if kind == "registry":
            return (self._subjects.registry(account),)
        if kind != "repository":
            return (NOTHING,)
        if "resourceArn" in given:
            return (await self._by_arn(given["resourceArn"]),)
        names: list[str] = [given["repositoryName"]] if "repositoryName" in given else given.get("repositoryNames", [])
        owner = await self._registries.account_of(given.get("registryId"), account)
        if owner is None:
            raise self._no_registry(operation, given["registryId"], names)
        return await self._subjects.repositories(owner, names) if names else (self._subjects.every_repository(owner),)

    async def _by_arn(self, arn: str) -> Subject:
        found = read_repository_arn(arn)
        if found is None:
            raise invalid_parameter("resourceArn", self._constraints["arn"])
        return await self._subjects.repository(found.account, found.name)

    def _no_registry(self, operation: Operation, registry: str, names: list[str]) -> ApiRefused:
        """Nobody has an alias; operations that do not know of registries say that there is no such repository."""
        if "RegistryNotFoundException" in operation.errors:
            return self._refusals.make("registry-not-found", registry=registry)
        return self._refusals.make("repository-not-found", name=names[0] if names else "", registry=registry)


@lru_cache(maxsize=64)
def _rules(regions: frozenset[str], facts: Any) -> SigningRules:
    return rules_for(SERVICE, regions, own=facts)


def _surroundings(arrived: Arrived, caller: Caller, now: float) -> Surroundings:
    scope = arrived.scope
    return Surroundings(
        now=now,
        address=arrived.note.address,
        secure=scope["scheme"] == "https",
        region=caller.region,
        user_agent=header(scope, b"user-agent")[:512],
    )


def _tagged(around: Surroundings, given: Mapping[str, Any]) -> Surroundings:
    """The surroundings with the tags that a request brings, or the keys of those that it takes away."""
    tags = {tag.get("Key", ""): tag.get("Value", "") for tag in given.get("tags", ())}
    keys = tuple(given.get("tagKeys", ()))
    return replace(around, request_tags=tags, more={"aws:TagKeys": keys} if keys else {})

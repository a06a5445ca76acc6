"""IAM's policy documents: read strictly, with the place of each statement, and written again.

Grammar: codebuild-and-iam.md, 5.5. Refused is what IAM itself refuses (its grammar, and the errors of Access
Analyzer's policy validation): keys that stand twice, unknown elements, ``Action`` beside ``NotAction``,
equal Sids, operators and values that do not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from unhub.aws.json_places import Json, Number, Place, parse
from unhub.aws.policy_conditions import Condition, Operator, parse_operator, wrong_value
from unhub.aws.policy_match import variables_are_well_formed
from unhub.aws.policy_principals import KINDS, Principals

VERSION = "2012-10-17"
"""The version with variables; a document that names none is read as the older one, as IAM does."""

OLD_VERSION = "2008-10-17"

_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_ELEMENTS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"},
)


class Kind(StrEnum):
    """Where a policy is attached, which decides on its elements."""

    IDENTITY = "identity policy"
    """To a user, group or role: it names resources, and no principal."""
    RESOURCE = "resource policy"
    """To a repository: it names principals; ``Resource`` may be left out."""
    TRUST = "trust policy"
    """To a role, saying who may assume it: principals, and no resource."""


class Effect(StrEnum):
    """What a statement does where it matches."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns of ``Action`` or ``Resource``; ``excluded``: of ``NotAction`` or ``NotResource``."""

    values: tuple[str, ...]
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. ``number`` counts from 1; ``resource`` is ``None`` where a resource policy names none."""

    effect: Effect
    action: Patterns
    resource: Patterns | None
    principal: Principals | None = None
    conditions: tuple[Condition, ...] = ()
    sid: str | None = None
    number: int = 1
    place: Place = field(default=Place(), compare=False)

    def __str__(self) -> str:
        return f'statement {self.number} "{self.sid}"' if self.sid else f"statement {self.number}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A document; ``name`` is the policy's name where it is known, for messages."""

    statements: tuple[Statement, ...]
    version: str = VERSION
    id: str | None = None
    name: str = field(default="", compare=False)

    @property
    def variables(self) -> bool:
        """Whether ``${…}`` stands for a value of the request."""
        return self.version == VERSION


def read_policy(data: bytes, path: str, kind: Kind = Kind.IDENTITY) -> Policy:
    """The one policy document in a file's bytes; ``path`` is for messages. Raises :class:`InvalidPolicy`."""
    values = parse(data, path)
    if len(values) > 1:
        raise values[1].place.wrong("a second document begins here")
    return policy_of(values[0], kind)


def policy_of(document: Json, kind: Kind = Kind.IDENTITY, name: str = "") -> Policy:
    """A policy from its JSON. Raises :class:`InvalidPolicy` with the place of what is wrong."""
    _known(document, frozenset({"Version", "Id", "Statement"}), "a policy document")
    version = document.members.get("Version")
    if version and version.text not in (VERSION, OLD_VERSION):
        raise version.place.wrong(f"there is no version {version.text!r}", hint=f"The current one is {VERSION}")
    if "Statement" not in document.members:
        raise document.place.wrong("the document has no Statement")
    variables = version is not None and version.text == VERSION
    items = document.members["Statement"].items
    statements = tuple(_Statement(item, kind, variables).read(number) for number, item in enumerate(items, 1))
    if not statements:
        raise document.members["Statement"].place.wrong("the list of statements is empty")
    _different_sids(statements)
    identifier = document.members.get("Id")
    return Policy(statements, version.text if version else OLD_VERSION, identifier.text if identifier else None, name)


def _known(value: Json, names: frozenset[str], what: str) -> None:
    for key, member in value.members.items():
        if key not in names:
            near = next((name for name in names if name.lower() == key.lower()), None)
            hint = f"Write {near}: case counts" if near else f"Known are {', '.join(sorted(names))}"
            raise (member.key or member.place).wrong(f"there is no element {key!r} in {what}", hint=hint)


def _different_sids(statements: tuple[Statement, ...]) -> None:
    seen: set[str] = set()
    for statement in statements:
        if statement.sid in seen:
            raise statement.place.wrong(f"a second statement has the Sid {statement.sid!r}")
        if statement.sid is not None:
            seen.add(statement.sid)


@dataclass(frozen=True, slots=True)
class _Statement:
    json: Json
    kind: Kind
    variables: bool

    def read(self, number: int) -> Statement:
        _known(self.json, _ELEMENTS, "a statement")
        sid = self.json.members.get("Sid")
        effect = self._effect()
        return Statement(
            effect=effect,
            action=self._action(),
            resource=self._resource(),
            principal=self._principal(effect),
            conditions=self._conditions(),
            sid=sid.text if sid else None,
            number=number,
            place=self.json.place,
        )

    def _effect(self) -> Effect:
        effect = self.json.members.get("Effect")
        if effect is None:
            raise self.json.place.wrong("the statement has no Effect", hint="Allow or Deny")
        if effect.text not in ("Allow", "Deny"):
            raise effect.place.wrong(f"there is no Effect {effect.text!r}", hint="Allow or Deny; case counts")
        return Effect(effect.text)

    def _one_of(self, name: str) -> tuple[Json, bool] | None:
        """The element ``name`` or its opposite, and whether it is the opposite."""
        here, opposite = self.json.members.get(name), self.json.members.get(f"Not{name}")
        if here and opposite:
            raise (opposite.key or opposite.place).wrong(f"the statement has both {name} and Not{name}", hint="Keep one of them")
        if opposite:
            return opposite, True
        return (here, False) if here else None

    def _action(self) -> Patterns:
        found = self._one_of("Action")
        if found is None:
            raise self.json.place.wrong("the statement has neither Action nor NotAction")
        for item in found[0].items:
            if not _ACTION.fullmatch(item.text):
                raise item.place.wrong(
                    f"{item.text!r} is no action", hint="An action reads service:Name, such as ecr-public:PutImage, or *"
                )
        return self._patterns(found)

    def _resource(self) -> Patterns | None:
        found = self._one_of("Resource")
        if found is None:
            if self.kind is Kind.IDENTITY:
                raise self.json.place.wrong("the statement has neither Resource nor NotResource")
            return None
        if self.kind is Kind.TRUST:
            raise found[0].place.wrong("a trust policy names no Resource")
        for item in found[0].items:
            if item.text != "*" and not item.text.startswith("arn:"):
                raise item.place.wrong(f"{item.text!r} is no resource", hint="A resource is an ARN, or *")
            self._check_variables(item.text, item.place)
        return self._patterns(found)

    def _patterns(self, found: tuple[Json, bool]) -> Patterns:
        element, excluded = found
        if not element.items:
            raise element.place.wrong("the list is empty")
        return Patterns(tuple(item.text for item in element.items), excluded)

    def _check_variables(self, text: str, place: Place) -> None:
        if self.variables and not variables_are_well_formed(text):
            raise place.wrong(f"a variable in {text!r} is misspelt", hint="A variable reads ${aws:username}")

    def _principal(self, effect: Effect) -> Principals | None:
        found = self._one_of("Principal")
        if self.kind is Kind.IDENTITY:
            if found:
                raise (found[0].key or found[0].place).wrong(
                    "an identity policy names no Principal",
                    hint="It is about whoever it is attached to. With a Principal this is a role's trust policy, or a repository's",
                )
            return None
        if found is None:
            raise self.json.place.wrong(f"the statement of a {self.kind} has no Principal")
        element, excluded = found
        if excluded and effect is Effect.ALLOW:
            raise element.place.wrong("NotPrincipal goes with Deny only", hint="With Allow it would mean the rest of the world")
        if element.value == "*":
            return Principals(everybody=True, excluded=excluded)
        return Principals(names=tuple(_principals(element)), excluded=excluded)

    def _conditions(self) -> tuple[Condition, ...]:
        element = self.json.members.get("Condition")
        if element is None:
            return ()
        return tuple(one for name, keys in element.members.items() for one in self._under(name, keys))

    def _under(self, name: str, keys: Json) -> Iterator[Condition]:
        """The conditions under one operator."""
        try:
            operator = parse_operator(name)
        except ValueError as error:
            raise (keys.key or keys.place).wrong(str(error)) from None
        for key, value in _different_keys(keys).members.items():
            yield self._condition(operator, key, value)

    def _condition(self, operator: Operator, key: str, value: Json) -> Condition:
        if not value.items:
            raise value.place.wrong(f"{operator} has no values to compare with")
        for item in value.items:
            wanted = wrong_value(operator.base, _scalar(item), variables=self.variables)
            if wanted:
                raise item.place.wrong(f"{operator} compares with {wanted}, and {_scalar(item)!r} is none")
            if operator.base.variables:
                self._check_variables(_scalar(item), item.place)
        return Condition(operator, key, tuple(_scalar(item) for item in value.items), value.key or value.place)


def _principals(element: Json) -> list[tuple[str, tuple[str, ...]]]:
    names: list[tuple[str, tuple[str, ...]]] = []
    for kind, value in element.members.items():
        if kind not in KINDS:
            raise (value.key or value.place).wrong(f"there is no kind of principal {kind!r}", hint=f"Known are {', '.join(KINDS)}")
        for item in value.items:
            if item.text != "*" and ("*" in item.text or "?" in item.text):
                raise item.place.wrong(
                    f"{item.text!r} has a wildcard, and a principal takes none", hint="Use * alone, or a condition on aws:PrincipalArn"
                )
        if not value.items:
            raise value.place.wrong("the list is empty")
        names.append((kind, tuple(item.text for item in value.items)))
    if not names:
        raise element.place.wrong("the Principal is empty")
    return names


def _different_keys(keys: Json) -> Json:
    seen: set[str] = set()
    for key, value in keys.members.items():
        if key.lower() in seen:
            raise (value.key or value.place).wrong(
                f"the key {key!r} stands here a second time in other letters", hint="Case does not count in keys"
            )
        seen.add(key.lower())
    return keys


def _scalar(item: Json) -> str:
    """A value of a condition as text; JSON's numbers and booleans are taken as they are written."""
    match item.value:
        case bool():
            return "true" if item.value else "false"
        case Number():
            return item.value.text
        case str():
            return item.value
        case _:
            raise item.place.wrong("a text, a number, true or false is wanted here")


def as_json(policy: Policy) -> dict[str, Any]:
    """The document that :func:`policy_of` reads as this policy."""
    document: dict[str, Any] = {"Version": policy.version}
    if policy.id is not None:
        document["Id"] = policy.id
    return {**document, "Statement": [_statement_as_json(statement) for statement in policy.statements]}


def _statement_as_json(statement: Statement) -> dict[str, Any]:
    document: dict[str, Any] = {} if statement.sid is None else {"Sid": statement.sid}
    document["Effect"] = str(statement.effect)
    if statement.principal is not None:
        document[_named("Principal", statement.principal.excluded)] = _principals_as_json(statement.principal)
    document[_named("Action", statement.action.excluded)] = _short(statement.action.values)
    if statement.resource is not None:
        document[_named("Resource", statement.resource.excluded)] = _short(statement.resource.values)
    if statement.conditions:
        document["Condition"] = _conditions_as_json(statement.conditions)
    return document


def _named(name: str, excluded: bool) -> str:
    return f"Not{name}" if excluded else name


def _short(values: tuple[str, ...]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


def _principals_as_json(principals: Principals) -> str | dict[str, Any]:
    return "*" if principals.everybody else {kind: _short(names) for kind, names in principals.names}


def _conditions_as_json(conditions: tuple[Condition, ...]) -> Mapping[str, Mapping[str, Any]]:
    document: dict[str, dict[str, Any]] = {}
    for condition in conditions:
        document.setdefault(str(condition.operator), {})[condition.key] = _short(condition.values)
    return document

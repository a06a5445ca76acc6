"""The element ``Condition``: every operator of IAM, and what a missing key means.

Rules (codebuild-and-iam.md, 5.5): several operators and keys must all hold; of several values one is enough,
and for a negated operator none may match. Where the key is missing, a positive operator is false, a negated
one true, ``…IfExists`` true; ``ForAllValues:`` is true and ``ForAnyValue:`` false, with ``IfExists`` or without
(``IfExists`` is looked at inside the loop over values, says iam.cloudcopilot.io). A value that cannot be read
as a number, date or address matches nothing.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import ipaddress
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Protocol, TypeVar

from unhub.aws.json_places import Place
from unhub.aws.policy_context import Context
from unhub.aws.policy_match import matches_arn, matches_text
from unhub.aws.truth import Truth, all_of, any_of, negated

Readable = TypeVar("Readable")


class Compare(Protocol):
    """How one value of the request is compared with one value of the policy."""

    def __call__(self, wanted: str, value: str, context: Context, *, variables: bool) -> Truth:
        """Whether ``value``, of the request, is what ``wanted``, of the policy, names."""
        ...


@dataclass(frozen=True, slots=True)
class Base:
    """An operator without prefix and suffix; ``reads`` is what its values must be, in words and as a check."""

    name: str
    compare: Compare
    negated: bool = False
    values: str = "text"
    reads: Callable[[str], object] = str
    variables: bool = False


class Quantifier(Enum):
    """What is asked of the values of a key that has several."""

    NONE = ""
    ALL = "ForAllValues:"
    ANY = "ForAnyValue:"


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as it stands in a policy: ``ForAllValues:StringLikeIfExists``."""

    base: Base
    quantifier: Quantifier = Quantifier.NONE
    if_exists: bool = False

    def __str__(self) -> str:
        return f"{self.quantifier.value}{self.base.name}{'IfExists' if self.if_exists else ''}"


@dataclass(frozen=True, slots=True)
class Condition:
    """One key under one operator, with the values that are asked for."""

    operator: Operator
    key: str
    values: tuple[str, ...]
    place: Place = field(default=Place(), compare=False)

    def __str__(self) -> str:
        return f"{self.operator} {self.key} {', '.join(self.values)}"


def holds(condition: Condition, context: Context, *, variables: bool) -> Truth:
    """Whether a condition holds for a request; ``None`` where its key is not known.

    ``variables`` says whether ``${…}`` stands for values of the request (version 2012-10-17).
    """
    values = context.look_up(condition.key)
    if values is None:
        return None
    if condition.operator.base is NULL:
        return (not values) in {_boolean(wanted) for wanted in condition.values}
    if not values:
        return _missing(condition.operator)
    truths = (_meets(condition, value, context, variables=variables) for value in values)
    quantifier = condition.operator.quantifier
    wants_all = quantifier is Quantifier.ALL or (quantifier is Quantifier.NONE and condition.operator.base.negated)
    return all_of(truths) if wants_all else any_of(truths)


def _missing(asked: Operator) -> bool:
    if asked.quantifier is Quantifier.NONE:
        return asked.if_exists or asked.base.negated
    return asked.quantifier is Quantifier.ALL


def _meets(condition: Condition, value: str, context: Context, *, variables: bool) -> Truth:
    base = condition.operator.base
    found = any_of(base.compare(wanted, value, context, variables=variables) for wanted in condition.values)
    return negated(found) if base.negated else found


def _string(*, wildcards: bool = False, ignore_case: bool = False) -> Compare:
    def compare(wanted: str, value: str, context: Context, *, variables: bool) -> Truth:
        if ignore_case:
            context = Context({key: tuple(one.lower() for one in values) for key, values in context.values.items()}, context.complete)
            wanted, value = wanted.lower(), value.lower()
        return matches_text(wanted, value, context, variables=variables, wildcards=wildcards)

    return compare


def _arn(wanted: str, value: str, context: Context, *, variables: bool) -> Truth:
    return matches_arn(wanted, value, context, variables=variables)


def _read(reads: Callable[[str], Readable], compare: Callable[[Readable, Readable], object]) -> Compare:
    """Compare what two texts mean; what cannot be read matches nothing. The request's value goes first."""

    def compared(wanted: str, value: str, context: Context, *, variables: bool) -> Truth:
        try:
            return bool(compare(reads(value), reads(wanted)))
        except ValueError:
            return False

    return compared


def _number(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?", text):
        raise ValueError(text)
    return Decimal(text)


def _date(text: str) -> datetime.datetime:
    """A date of ISO 8601, or seconds since 1970; without a zone it is UTC."""
    if re.fullmatch(r"[0-9]{1,11}", text):
        return datetime.datetime.fromtimestamp(int(text), datetime.UTC)
    if not re.match(r"[0-9]{4}-", text):
        raise ValueError(text)
    date = datetime.datetime.fromisoformat(text)
    return date if date.tzinfo else date.replace(tzinfo=datetime.UTC)


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"


def _binary(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError(text) from None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)


def _address(wanted: str, value: str, context: Context, *, variables: bool) -> Truth:
    try:
        return ipaddress.ip_address(value) in _network(wanted)
    except ValueError:
        return False


def _bool(wanted: str, value: str, context: Context, *, variables: bool) -> Truth:
    return _string(ignore_case=True)(wanted, value, context, variables=variables)


_ORDERS = {
    "Equals": operator.eq,
    "NotEquals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}

NULL = Base("Null", _bool, values="true or false", reads=_boolean)
"""Asks whether the key is missing."""


def _bases() -> list[Base]:
    texts = {"Equals": _string(), "EqualsIgnoreCase": _string(ignore_case=True), "Like": _string(wildcards=True)}
    return [
        *(Base(f"String{name}", compare, variables=True) for name, compare in texts.items()),
        *(Base(f"StringNot{name}", compare, negated=True, variables=True) for name, compare in texts.items()),
        *(Base(f"Arn{name}", _arn, variables=True) for name in ("Equals", "Like")),
        *(Base(f"ArnNot{name}", _arn, negated=True, variables=True) for name in ("Equals", "Like")),
        *(Base(f"Numeric{name}", _read(_number, order), name == "NotEquals", "a number", _number) for name, order in _ORDERS.items()),
        *(Base(f"Date{name}", _read(_date, order), name == "NotEquals", "a date", _date) for name, order in _ORDERS.items()),
        Base("Bool", _bool, values="true or false", reads=_boolean, variables=True),
        Base("BinaryEquals", _read(_binary, operator.eq), values="base64", reads=_binary),
        Base("IpAddress", _address, values="an address or a network", reads=_network),
        Base("NotIpAddress", _address, negated=True, values="an address or a network", reads=_network),
        NULL,
    ]


BASES = {base.name.lower(): base for base in _bases()}
"""Every operator of section 5.5, by its name in lower case."""


def parse_operator(text: str) -> Operator:
    """An operator as written in a policy. Raises :class:`ValueError`, whose text says what is wrong."""
    quantifier, rest = Quantifier.NONE, text
    for one in (Quantifier.ALL, Quantifier.ANY):
        if text.lower().startswith(one.value.lower()):
            quantifier, rest = one, text[len(one.value) :]
    if_exists = rest.lower().endswith("ifexists")
    base = BASES.get(rest[: -len("IfExists")].lower() if if_exists else rest.lower())
    if base is None:
        raise ValueError(f"there is no condition operator {text!r}")
    if base is NULL and (if_exists or quantifier is not Quantifier.NONE):
        raise ValueError("Null asks whether the key exists: it takes no IfExists and no ForAllValues or ForAnyValue")
    return Operator(base, quantifier, if_exists)


def wrong_value(base: Base, value: str, *, variables: bool) -> str | None:
    """What a value must be for this operator, where it is something else; ``None`` where it is right."""
    if base.variables and variables and "${" in value:
        return None
    try:
        base.reads(value)
    except ValueError:
        return base.values
    return None

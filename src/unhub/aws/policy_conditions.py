"""The element ``Condition``: every operator of IAM, and what a missing key means.

Rules (codebuild-and-iam.md, 5.5): several operators and keys must all hold; of several values one is enough,
and for a negated operator none may match. Where the key is missing, a positive operator is false, a negated
one true, ``…IfExists`` true; ``ForAllValues:`` is true and ``ForAnyValue:`` false, with ``IfExists`` or without
(``IfExists`` is looked at inside the loop over values, says iam.cloudcopilot.io). A value that cannot be read
as a number, date or address matches nothing.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

from unhub.aws.json_places import Place
from unhub.aws.policy_context import Context
from unhub.aws.policy_match import matches_arn, matches_text
from unhub.aws.truth import Truth, all_of, any_of, negated

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Values(Enum):
    """What an operator compares, in the words of a message."""

    TEXT = "text"
    ARN = "an ARN"
    BOOLEAN = "true or false"
    NUMBER = "a number"
    DATE = "a date"
    BINARY = "base64"
    ADDRESS = "an address or a network"


@dataclass(frozen=True, slots=True)
class Base:
    """An operator without prefix and suffix.

    ``order`` compares the request's value with the policy's where both mean something, such as a number.
    """

    name: str
    values: Values
    negated: bool = False
    wildcards: bool = False
    ignore_case: bool = False
    order: Callable[[Any, Any], bool] = operator.eq

    @property
    def variables(self) -> bool:
        """Whether ``${…}`` may stand among its values."""
        return self.values in (Values.TEXT, Values.ARN, Values.BOOLEAN) and self is not NULL


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
    found = any_of(_is(base, wanted, value, context, variables=variables) for wanted in condition.values)
    return negated(found) if base.negated else found


def _is(base: Base, wanted: str, value: str, context: Context, *, variables: bool) -> Truth:
    """Whether one value of the request is what one value of the policy names."""
    match base.values:
        case Values.TEXT | Values.BOOLEAN:
            if base.ignore_case:
                wanted, value, context = wanted.lower(), value.lower(), _lower(context)
            return matches_text(wanted, value, context, variables=variables, wildcards=base.wildcards)
        case Values.ARN:
            return matches_arn(wanted, value, context, variables=variables)
        case _:
            try:
                return base.order(_meaning(base.values, value), _meaning(base.values, wanted))
            except ValueError:
                return False


def _lower(context: Context) -> Context:
    return Context({key: tuple(one.lower() for one in values) for key, values in context.values.items()}, context.complete)


def _meaning(values: Values, text: str) -> object:
    """What a text means; raises :class:`ValueError` where it means nothing of the kind."""
    match values:
        case Values.BOOLEAN:
            return _boolean(text)
        case Values.NUMBER:
            return _number(text)
        case Values.DATE:
            return _date(text)
        case Values.BINARY:
            return base64.b64decode(text, validate=True)
        case Values.ADDRESS:
            return ipaddress.ip_network(text, strict=False)
        case _:
            return text


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


def within(address: Network, network: Network) -> bool:
    """Whether an address of the request is in a network of the policy; a network in the request is in none."""
    return address.num_addresses == 1 and address.network_address in network


NULL = Base("Null", Values.BOOLEAN)
"""Asks whether the key is missing."""

_ALL = (
    Base("StringEquals", Values.TEXT),
    Base("StringNotEquals", Values.TEXT, negated=True),
    Base("StringEqualsIgnoreCase", Values.TEXT, ignore_case=True),
    Base("StringNotEqualsIgnoreCase", Values.TEXT, negated=True, ignore_case=True),
    Base("StringLike", Values.TEXT, wildcards=True),
    Base("StringNotLike", Values.TEXT, negated=True, wildcards=True),
    Base("NumericEquals", Values.NUMBER),
    Base("NumericNotEquals", Values.NUMBER, negated=True),
    Base("NumericLessThan", Values.NUMBER, order=operator.lt),
    Base("NumericLessThanEquals", Values.NUMBER, order=operator.le),
    Base("NumericGreaterThan", Values.NUMBER, order=operator.gt),
    Base("NumericGreaterThanEquals", Values.NUMBER, order=operator.ge),
    Base("DateEquals", Values.DATE),
    Base("DateNotEquals", Values.DATE, negated=True),
    Base("DateLessThan", Values.DATE, order=operator.lt),
    Base("DateLessThanEquals", Values.DATE, order=operator.le),
    Base("DateGreaterThan", Values.DATE, order=operator.gt),
    Base("DateGreaterThanEquals", Values.DATE, order=operator.ge),
    Base("Bool", Values.BOOLEAN, ignore_case=True),
    Base("BinaryEquals", Values.BINARY),
    Base("IpAddress", Values.ADDRESS, order=within),
    Base("NotIpAddress", Values.ADDRESS, negated=True, order=within),
    Base("ArnEquals", Values.ARN),
    Base("ArnLike", Values.ARN),
    Base("ArnNotEquals", Values.ARN, negated=True),
    Base("ArnNotLike", Values.ARN, negated=True),
    NULL,
)

BASES = {base.name.lower(): base for base in _ALL}
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
        _meaning(base.values, value)
    except ValueError:
        return base.values.value
    return None

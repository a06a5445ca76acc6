"""How IAM compares a pattern of a policy with a name of a request.

Rules (codebuild-and-iam.md, 5.5; unverified there, and checked against AWS's page about the element
``Resource``): ``*`` is any text, ``?`` any one character. Actions are compared without regard to case,
resources with it. In a resource a wildcard stays between two colons, but a ``*`` that ends its segment may
go on past them. With version 2012-10-17 ``${aws:username}`` stands for a value of the request. A value that
comes from the request is always taken literally: a user who is called ``*`` matches nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from unhub.aws.policy_context import Context
from unhub.aws.truth import Truth, all_of

_VARIABLE = re.compile(r"""\$\{\s*([^{}'",\s]+)\s*(?:,\s*'([^'{}]*)'\s*)?\}""")


class Wild(Enum):
    """A wildcard: any text, any text without a colon, any one character, any one but a colon."""

    TEXT = "any text"
    SEGMENT = "any text without a colon"
    CHARACTER = "any character"
    NO_COLON = "any character but a colon"


@dataclass(frozen=True, slots=True)
class Variable:
    """``${key}`` or ``${key, 'default'}``."""

    key: str
    default: str | None


Piece = str | Wild | Variable
"""A character, a wildcard, or a variable of a pattern."""

Token = str | Wild
"""A character or a wildcard, the variables filled in."""


def variables_are_well_formed(text: str) -> bool:
    """Whether every ``${`` of a text opens a variable that IAM understands."""
    return "${" not in _VARIABLE.sub("", text)


@lru_cache(maxsize=4096)
def pieces(text: str, *, variables: bool, wildcards: bool) -> tuple[Piece, ...]:
    """A pattern taken apart; ``${*}``, ``${?}`` and ``${$}`` are the characters themselves."""
    return tuple(_pieces(text, variables=variables, wildcards=wildcards))


def _pieces(text: str, *, variables: bool, wildcards: bool) -> Iterator[Piece]:
    done = 0
    for found in _VARIABLE.finditer(text) if variables else ():
        yield from _characters(text[done : found.start()], wildcards=wildcards)
        yield found[1] if found[1] in {"*", "?", "$"} else Variable(found[1], found[2])
        done = found.end()
    yield from _characters(text[done:], wildcards=wildcards)


def _characters(text: str, *, wildcards: bool) -> Iterator[Piece]:
    wild = {"*": Wild.TEXT, "?": Wild.CHARACTER} if wildcards else {}
    return (wild.get(character, character) for character in text)


def filled(pattern: Iterable[Piece], context: Context) -> tuple[Token, ...] | Truth:
    """The pattern with the request's values in it.

    ``False`` where a variable has no value, so that the pattern matches nothing; ``None`` where its value
    is not known. A variable with several values has none that could stand for it.
    """
    tokens: list[Token] = []
    for piece in pattern:
        if not isinstance(piece, Variable):
            tokens.append(piece)
            continue
        values = context.look_up(piece.key)
        if values is None:
            return None
        if not values and piece.default is not None:
            values = (piece.default,)
        if len(values) != 1:
            return False
        tokens.extend(values[0])
    return tuple(tokens)


def matches(tokens: Sequence[Token], text: str) -> bool:
    """Whether a text is what the tokens describe, from its first to its last character.

    All ways through the pattern are followed at once, so the time is bounded by length times length.
    """
    places = _reachable(tokens, {0})
    for character in text:
        onward: set[int] = set()
        for place in places:
            if place == len(tokens):
                continue
            token = tokens[place]
            if _takes(token, character):
                onward.add(place if token in _REPEATED else place + 1)
        if not onward:
            return False
        places = _reachable(tokens, onward)
    return len(tokens) in places


_REPEATED = (Wild.TEXT, Wild.SEGMENT)


def _takes(token: Token, character: str) -> bool:
    if isinstance(token, str):
        return token == character
    return token in {Wild.TEXT, Wild.CHARACTER} or character != ":"


def _reachable(tokens: Sequence[Token], places: set[int]) -> set[int]:
    """The places, and those behind repeated wildcards, which may stand for no text at all."""
    reached = set(places)
    for place in places:
        after = place
        while after < len(tokens) and tokens[after] in _REPEATED:
            after += 1
            reached.add(after)
    return reached


def matches_action(pattern: str, action: str) -> bool:
    """Whether ``ecr-public:Get*`` means ``ecr-public:GetAuthorizationToken``; case does not count."""
    tokens = filled(pieces(pattern.lower(), variables=False, wildcards=True), Context())
    return isinstance(tokens, tuple) and matches(tokens, action.lower())


def matches_resource(pattern: str, resource: str, context: Context, *, variables: bool) -> Truth:
    """Whether an ARN, or the ``*`` of an action without resources, is what ``Resource`` names.

    ``*`` as the resource of a request is met by the pattern ``*`` only: an action that knows no
    resources is never allowed on one.
    """
    if pattern == "*":
        return True
    tokens = filled(pieces(pattern, variables=variables, wildcards=True), context)
    if not isinstance(tokens, tuple):
        return tokens
    return resource != "*" and matches(_within_segments(tokens), resource)


def _within_segments(tokens: Sequence[Token]) -> tuple[Token, ...]:
    return tuple(_bound(token, ends=token_ends) for token, token_ends in zip(tokens, _ends(tokens), strict=True))


def _ends(tokens: Sequence[Token]) -> list[bool]:
    """For each token whether it is the last of its segment."""
    return [place + 1 == len(tokens) or tokens[place + 1] == ":" for place in range(len(tokens))]


def _bound(token: Token, *, ends: bool) -> Token:
    if token is Wild.CHARACTER:
        return Wild.NO_COLON
    return Wild.SEGMENT if token is Wild.TEXT and not ends else token


def matches_text(pattern: str, text: str, context: Context, *, variables: bool, wildcards: bool) -> Truth:
    """Whether a value of a condition is what ``StringLike`` (with wildcards) or ``StringEquals`` names."""
    tokens = filled(pieces(pattern, variables=variables, wildcards=wildcards), context)
    return matches(tokens, text) if isinstance(tokens, tuple) else tokens


def matches_arn(pattern: str, arn: str, context: Context, *, variables: bool) -> Truth:
    """Whether an ARN is what ``ArnLike`` names: each of the six parts between colons on its own.

    What is no ARN matches nothing, but ``*`` alone is any ARN.
    """
    parts = arn.split(":", 5)
    if len(parts) != 6:
        return False
    if pattern == "*":
        return True
    patterns = _split(pieces(pattern, variables=variables, wildcards=True))
    if len(patterns) != 6:
        return False
    return all_of(_part(one, part, context) for one, part in zip(patterns, parts, strict=True))


def _part(pattern: Sequence[Piece], part: str, context: Context) -> Truth:
    tokens = filled(pattern, context)
    return matches(tokens, part) if isinstance(tokens, tuple) else tokens


def _split(pattern: Sequence[Piece]) -> list[list[Piece]]:
    """The parts of an ARN's pattern; colons inside of variables' values do not count."""
    parts: list[list[Piece]] = [[]]
    for piece in pattern:
        if piece == ":" and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append(piece)
    return parts

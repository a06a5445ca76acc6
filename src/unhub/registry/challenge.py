"""Challenges: what a server asks for before it answers (``WWW-Authenticate``, RFC 9110 section 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

HEADER_LENGTH_MAX = 16 * 1024
"""Characters of one header line that are read; no honest challenge is near it."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
_PARAMETER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BARE = re.compile(r"[^\s,\"]+")
_GAP = re.compile(r"[ \t]*(?:,[ \t]*)*")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: the scheme and the names of its parameters in lower case, the values as they are."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def realm(self) -> str | None:
        """The token service of a Bearer challenge; for people in a Basic one."""
        return self.parameters.get("realm")


def parse_challenges(lines: Iterable[str]) -> tuple[Challenge, ...]:
    """Every challenge of every header line, in order.

    Commas separate challenges as well as parameters, so a name without ``=`` begins a new one. What cannot
    be read ends its line; what was read before it counts.
    """
    return tuple(challenge for line in lines if len(line) <= HEADER_LENGTH_MAX for challenge in _line(line))


def _line(line: str) -> list[Challenge]:
    found: list[Challenge] = []
    at = _skip(line, 0)
    while scheme := _TOKEN.match(line, at):
        parameters: dict[str, str] = {}
        at, sound = _parameters(line, scheme.end(), parameters)
        found.append(Challenge(scheme[0].lower(), parameters))
        if not sound:
            break
    return found


def _parameters(line: str, at: int, parameters: dict[str, str]) -> tuple[int, bool]:
    """Read parameters up to the next scheme; where that is, and whether the line made sense up to there."""
    after_space = _spaces(line, at)
    if after_space > at and (blob := _TOKEN68.match(line, after_space)):
        at = blob.end()
    while True:
        at = _skip(line, at)
        name = _PARAMETER.match(line, at)
        if name is None:
            return at, _TOKEN.match(line, at) is not None
        value = _QUOTED.match(line, name.end()) or _BARE.match(line, name.end())
        if value is None:
            return name.end(), False
        text = re.sub(r"\\(.)", r"\1", value[1], flags=re.DOTALL) if value.re is _QUOTED else value[0]
        parameters.setdefault(name[1].lower(), text)
        at = value.end()


def _skip(line: str, at: int) -> int:
    gap = _GAP.match(line, at)
    return gap.end() if gap else at


def _spaces(line: str, at: int) -> int:
    while at < len(line) and line[at] in " \t":
        at += 1
    return at

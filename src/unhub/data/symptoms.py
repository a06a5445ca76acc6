"""The symptoms of failing pulls, builds and logins: ``symptoms.toml`` as objects.

A pattern is matched with the letter case ignored, and a hyphen or a blank between two letters stand for each other:
programs and versions differ in both (``non-TTY``, ``non TTY``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from unhub.data.facts import Dated
from unhub.data.rows import typed

Place = Literal["docker-hub", "ecr-public", "ecr"]
"""A registry as far as explanations differ: Docker Hub, ECR Public, private ECR."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table that refuses keys it does not know."""


class Step(_Table, frozen=True, kw_only=True):
    """Something to do: a sentence, and the command that does it, if one does."""

    do: str
    run: str | None = None


class Case(_Table, frozen=True, kw_only=True):
    """What a symptom means where more is known; the first case that holds takes the place of the symptom's own texts.

    ``here`` is a pattern for the line, ``near`` one for it and the lines around it, ``registry`` the registry that is
    meant there, ``param`` the name of a value that must be known. ``kind`` and ``family`` are those of :class:`Symptom`.
    """

    here: str | None = None
    near: str | None = None
    registry: Place | None = None
    param: str | None = None
    kind: str | None = None
    family: str | None = None
    title: str
    cause: str
    fix: tuple[Step, ...]


class Symptom(Dated, frozen=True, kw_only=True):
    """A text that programs print, what it means, and what to do.

    ``role`` is ``cause``; ``wrapper`` for a line that only passes on another's reason; ``echo`` for one that follows from
    another error; ``warning`` for what fails nothing; ``silent`` for what no log shows. Symptoms of one ``family`` are
    one cause with several faces. ``kind`` groups what comes from one part of the way; ``echo_of`` names kinds or
    symptoms of which this one is a follow-up where they occur too. ``depth`` tells the innermost of several symptoms in
    one line: the largest. ``place`` marks those that say where to act, in a file that ``label`` names; without
    ``image`` the image of the line is not the user's. ``spans`` joins the lines of a build step before matching;
    ``together`` must occur near a line that is harmless alone.
    """

    id: str
    number: int
    emitter: str
    title: str
    cause: str
    fix: tuple[Step, ...]
    pattern: str | None = None
    needles: tuple[str, ...] = ()
    sample: str | None = None
    role: Literal["cause", "wrapper", "echo", "warning", "silent"] = "cause"
    kind: str
    family: str = ""
    depth: int = 2
    place: bool = False
    label: str | None = None
    image: bool = True
    spans: bool = False
    together: str | None = None
    echo_of: tuple[str, ...] = ()
    case: tuple[Case, ...] = ()
    notes: str | None = None

    def search(self, text: str) -> re.Match[str] | None:
        """The first place of the pattern in a text, which the caller keeps short."""
        return loose(self.pattern).search(text) if self.pattern else None


class Consequence(Dated, frozen=True, kw_only=True):
    """A line that programs print whenever something before it failed, so that it explains nothing."""

    id: str
    pattern: str
    says: str


@cache
def symptoms(own: Path | None = None) -> tuple[Symptom, ...]:
    """All symptoms, in the order of their numbers; rows of the user's file ``own`` take the place of shipped ones.

    Raises :class:`ConfigurationError` where that file cannot be read, or a pattern in it is no pattern.
    """
    return tuple(sorted(typed("symptom", Symptom, own), key=lambda symptom: symptom.number))


@cache
def consequences(own: Path | None = None) -> tuple[Consequence, ...]:
    """The lines that always follow a failure."""
    return typed("consequence", Consequence, own)


@cache
def loose(pattern: str) -> re.Pattern[str]:
    """A pattern, compiled on first use: letter case ignored, hyphens and blanks between letters the same."""
    return re.compile("".join(_loosened(pattern)), re.IGNORECASE)


_TOKEN = re.compile(r"\[(?:\\.|[^\]\\])+\]|\\.|.", re.DOTALL)


def _loosened(pattern: str) -> Iterator[str]:
    tokens = _TOKEN.findall(pattern)
    for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        between = before.isalnum() and after.isalnum()
        yield "[- ]" if token in ("-", " ") and between else token

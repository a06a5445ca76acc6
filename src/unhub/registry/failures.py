"""Answers that are refusals, put into words: who said what, why, and what to do about it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

import msgspec

from unhub.image.errors import AccessRefused, BadAnswer, LimitKind, NotFound, RateLimited, RegistryError
from unhub.registry.challenge import parse_challenges
from unhub.registry.exchange import Answer
from unhub.registry.limits import budget, limit_kind, retry_after

WORDS_MAX: Final = 160
"""Characters of a registry's own words that are passed on."""

_UNKNOWN: Final = frozenset({"NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "TAG_INVALID", "NOT_FOUND"})
_MINUTES: Final = 60


class _Row(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct, frozen=True):
    errors: tuple[_Row, ...] = ()


def failure(answer: Answer, *, action: str, place: str, host: str, secrets: Iterable[str] = (), hint: str | None = None) -> RegistryError:
    """The error that an answer means.

    ``action`` completes "cannot …", ``place`` is what people call the registry; ``secrets`` are cut out of what the
    registry says. ``hint`` is for refused access, where the caller knows which login was used.
    """
    code, words = _said(answer, tuple(secrets))
    start = f"cannot {action} at {place}"
    if answer.status == 429:
        return _limited(answer, start, place, host, words)
    said = f"{start}: it answered {answer.status}{f' ({words})' if words else ''}"
    if answer.is_web_page and answer.status != 401 and answer.status < 500:  # not the registry's own word: neither 403 nor 404 counts
        return BadAnswer(said, host=host, status=answer.status, hint="Open the address in a browser: it may say why")
    if answer.status == 404 or code in _UNKNOWN:
        return NotFound(said, host=host, status=answer.status, hint=None if words else "No such tag, digest or repository is known there")
    if answer.status == 401 and _refuses_own_tokens(answer):  # says nothing about the repository
        return BadAnswer(f"{said}: it does not take the tokens of its own token service", host=host, status=answer.status)
    if answer.status in (401, 403):
        return AccessRefused(said, host=host, status=answer.status, hint=hint)
    if answer.status in (200, 206) or 300 <= answer.status < 400:
        return BadAnswer(f"{said}, which makes no sense here", host=host, status=answer.status)
    if answer.status == 407:
        return RegistryError(said, host=host, status=407, hint="The proxy wants a login: put it into HTTPS_PROXY")
    later = "The registry has a fault of its own; try again later" if answer.status >= 500 else None
    return RegistryError(said, host=host, status=answer.status, hint=later)


def _refuses_own_tokens(answer: Answer) -> bool:
    """Whether a challenge says that the token itself is bad (RFC 6750, 3.1), which it is not: it is as fresh as can be."""
    challenges = parse_challenges(answer.all("www-authenticate"))
    return any(one.scheme == "bearer" and one.parameters.get("error") == "invalid_token" for one in challenges)


def code_of(answer: Answer) -> str:
    """The registry's own code of its first error, in upper case; empty where it gave none."""
    return _said(answer, ())[0]


def _said(answer: Answer, secrets: tuple[str, ...]) -> tuple[str, str]:
    """The first error's code, and what a person can read of it."""
    if answer.is_web_page:
        return "", "with a web page: a firewall, a portal or a proxy may stand in between"
    try:
        rows = msgspec.json.decode(answer.body, type=_Errors).errors
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", ""
    if not rows:
        return "", ""
    return rows[0].code.upper()[:64], clean(rows[0].message or rows[0].code.lower().replace("_", " "), secrets)


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """Foreign words made fit to be shown: one line, no controls, not long, no secret that was echoed."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "…")
    text = " ".join("".join(char if unicodedata.category(char)[0] != "C" else " " for char in text).split())
    return text if len(text) <= WORDS_MAX else text[: WORDS_MAX - 1] + "…"


def _limited(answer: Answer, start: str, place: str, host: str, words: str) -> RateLimited:
    kind, wait = limit_kind(answer), retry_after(answer)
    said = budget(answer)
    if kind is LimitKind.PULLS and wait is None and said is not None and said.window:
        wait = float(said.window)
    cause = {
        LimitKind.PULLS: "its pull limit for this address or account is used up",
        LimitKind.ABUSE: "it wants fewer requests from this address",
        LimitKind.LOGINS: "it takes no login after too many failed ones",
        LimitKind.API: "its API wants fewer requests; pulls are not concerned",
        LimitKind.RATE: "it wants fewer requests a second",
        LimitKind.DATA: "the month's data for callers without a login is used up for this address",
        LimitKind.OTHER: f"it answered 429{f' ({words})' if words else ''}",
    }[kind]
    return RateLimited(f"{start}: {cause}", host=host, kind=kind, retry_after=wait, hint=_advice(kind, wait, place))


def _advice(kind: LimitKind, wait: float | None, place: str) -> str:
    long = f"Wait {'up to ' if kind is LimitKind.PULLS else ''}{duration(wait)}" if wait is not None else "Wait a while"
    if kind is LimitKind.PULLS:
        return f"{long}, log in, or take the image from a registry without that limit: unhub migrate"
    if kind is LimitKind.DATA:
        return f"Log in: `unhub login`; {place} then has another, larger limit"
    if kind is LimitKind.RATE:
        return f"{long}, log in for a higher rate, or ask more slowly (rate in unhub.toml)"
    return long


def duration(seconds: float) -> str:
    """Seconds for people: ``45 s``, ``10 min``, ``6 h``."""
    if seconds < 2 * _MINUTES:
        return f"{max(round(seconds), 1)} s"
    if seconds < 2 * 3600:
        return f"{round(seconds / _MINUTES)} min"
    return f"{round(seconds / 3600)} h" if seconds < 3 * 86400 else f"{round(seconds / 86400)} days"

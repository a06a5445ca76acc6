"""What a signed request says of its signature, in its ``Authorization`` header or (presigned) in its query.

Read strictly: whatever two readers might understand in two ways is refused, since a signature covers the canonical
form of a request and not its bytes. The format is in codebuild-and-iam.md, 6.2; the texts are AWS's.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

from unhub.aws.sigv4_rules import Cause, SigningRules

ALGORITHM: Final = "AWS4-HMAC-SHA256"
TERMINATOR: Final = "aws4_request"

_TIME_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_KEY_ID = re.compile(r"[A-Za-z0-9_]{4,128}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_PARAMETERS: Final = ("Credential", "SignedHeaders", "Signature")
_QUERY_PARAMETERS: Final = tuple(f"X-Amz-{name}" for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"))
_SECONDS = re.compile(r"[0-9]{1,7}")


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it came: the path and query undecoded, the headers in their order, under names in any case."""

    method: str
    path: str
    query: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)

    def values(self, name: str) -> list[str]:
        """Every value of a header; ``name`` is in lower case."""
        return [value for header, value in self.headers if header.lower() == name]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says; nothing of it counts before :func:`unhub.aws.sigv4.verify` has agreed.

    ``time`` is when it was signed, as it stands there, ``expires`` the seconds that a presigned one counts for, ``query``
    what of the query is signed.
    """

    access_key: str
    date: str
    region: str
    service: str
    time: str
    signed_headers: tuple[str, ...]
    signature: str = field(repr=False)
    session_token: str | None = field(repr=False)
    query: str = field(repr=False)
    expires: int | None = None

    @property
    def signed_at(self) -> float:
        """Seconds since 1970."""
        return datetime.strptime(self.time, _TIME_FORMAT).replace(tzinfo=UTC).timestamp()


def read_claim(request: SignedRequest, rules: SigningRules) -> Claim:
    """What the request says of its signature. Raises :class:`ApiRefused`: missing or incomplete."""
    headers = request.values("authorization")
    parameters = _query(request.query, rules)
    presigned = [name for name in _QUERY_PARAMETERS if name in parameters]
    if headers and presigned:
        raise rules.refuse(Cause.INCOMPLETE, "The Authorization header and the query both hold a signature")
    if presigned:
        return _from_query(request, parameters, rules)
    if not headers:
        raise rules.refuse(Cause.MISSING)
    if len(headers) > 1:
        raise rules.refuse(Cause.INCOMPLETE, "There is more than one Authorization header")
    return _from_header(request, headers[0], rules)


def amazon_time(seconds: float) -> str:
    """A time as signatures have it: ``20261125T120000Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME_FORMAT)


def _from_header(request: SignedRequest, text: str, rules: SigningRules) -> Claim:
    algorithm, _, rest = text.strip(" ").partition(" ")
    if algorithm.startswith("AWS4-") and algorithm != ALGORITHM:
        raise rules.refuse(Cause.INCOMPLETE, f"Unsupported AWS 'algorithm': '{algorithm[:60]}'")
    found = _parameters(rest if algorithm == ALGORITHM else "", rules)
    time = _time_of(request, rules)
    lacking = [f"Authorization header requires '{name}' parameter." for name in _PARAMETERS if name not in found]
    if time is None:
        lacking.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if lacking or time is None:
        # as AWS does now: the hash lets the sender recognize the header, and shows nobody what it held
        hashed = base64.b64encode(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()).decode()
        lacking.append(f"(Hashed with SHA-256 and encoded with Base64) Authorization={hashed}")
        raise rules.refuse(Cause.INCOMPLETE, " ".join(lacking))
    tokens = request.values("x-amz-security-token")
    token = tokens[0] if tokens else None
    return _claim(_Said(found["Credential"], found["SignedHeaders"], found["Signature"], time, token, request.query), rules)


def _from_query(request: SignedRequest, parameters: Mapping[str, str], rules: SigningRules) -> Claim:
    lacking = [name for name in _QUERY_PARAMETERS if not parameters.get(name)]
    if lacking:
        raise rules.refuse(Cause.INCOMPLETE, " ".join(f"AWS query-string parameters must include '{name}'." for name in lacking))
    algorithm, expires = parameters["X-Amz-Algorithm"], parameters["X-Amz-Expires"]
    if algorithm != ALGORITHM:
        raise rules.refuse(Cause.INCOMPLETE, f"Unsupported AWS 'algorithm': '{algorithm[:60]}'")
    if not _SECONDS.fullmatch(expires) or not 1 <= int(expires) <= rules.presigned_max:
        raise rules.refuse(Cause.INCOMPLETE, f"X-Amz-Expires must be a number of seconds from 1 to {rules.presigned_max}")
    token = parameters.get("X-Amz-Security-Token")
    if token is not None and request.values("x-amz-security-token"):
        raise rules.refuse(Cause.INCOMPLETE, "The header and the query both hold a security token")
    tokens = [token] if token is not None else request.values("x-amz-security-token")
    signed = "&".join(pair for pair in request.query.split("&") if not pair.startswith("X-Amz-Signature="))
    said = _Said(
        credential=parameters["X-Amz-Credential"],
        headers=parameters["X-Amz-SignedHeaders"],
        signature=parameters["X-Amz-Signature"],
        time=parameters["X-Amz-Date"],
        token=tokens[0] if tokens else None,
        query=signed,
        expires=int(expires),
    )
    return _claim(said, rules)


@dataclass(frozen=True, slots=True)
class _Said:
    """A signature's parts as text, wherever they stood."""

    credential: str
    headers: str
    signature: str = field(repr=False)
    time: str
    token: str | None = field(repr=False)
    query: str = field(repr=False)
    expires: int | None = None


def _claim(said: _Said, rules: SigningRules) -> Claim:
    parts = said.credential.split("/")
    if len(parts) != 5 or not all(parts) or not _KEY_ID.fullmatch(parts[0]):
        detail = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term"
        raise rules.refuse(Cause.INCOMPLETE, f"{detail}, got '{said.credential[:200]}'")
    key, date, region, service, terminator = parts
    if terminator != TERMINATOR:
        detail = f"Credential should be scoped with a valid terminator: '{TERMINATOR}'"
        raise rules.refuse(Cause.INCOMPLETE, f"{detail}, not '{terminator[:60]}'.")
    names = tuple(said.headers.split(";"))
    if not all(_HEADER_NAME.fullmatch(name) for name in names) or any(one >= other for one, other in pairwise(names)):
        raise rules.refuse(Cause.INCOMPLETE, "SignedHeaders must be names in lower case, in order, each once, between semicolons")
    if not _SIGNATURE.fullmatch(said.signature):
        raise rules.refuse(Cause.INCOMPLETE, "Signature must be 64 hexadecimal digits in lower case")
    if not _is_time(said.time):
        raise rules.refuse(Cause.INCOMPLETE, f"Date must be in ISO-8601 'basic format'. Got '{said.time[:60]}'.")
    return Claim(key, date, region, service, said.time, names, said.signature, said.token, said.query, said.expires)


def _parameters(text: str, rules: SigningRules) -> dict[str, str]:
    """``Credential=…, SignedHeaders=…, Signature=…``; nothing else, and each once."""
    found: dict[str, str] = {}
    for part in text.split(",") if text else ():
        name, equals, value = part.strip(" ").partition("=")
        if not equals or name not in _PARAMETERS or name in found:
            known = ", ".join(_PARAMETERS)
            raise rules.refuse(Cause.INCOMPLETE, f"Authorization header holds more or something else than {known}, each once")
        found[name] = value
    return found


def _time_of(request: SignedRequest, rules: SigningRules) -> str | None:
    """When the request was signed, by ``X-Amz-Date``, else by ``Date``; ``None`` where it has neither."""
    times = request.values("x-amz-date") or request.values("date")
    if len(times) > 1:
        raise rules.refuse(Cause.INCOMPLETE, "There is more than one date")
    if not times:
        return None
    time = times[0].strip(" ")
    if request.values("x-amz-date") or _TIME.fullmatch(time):
        return time
    try:
        return amazon_time(parsedate_to_datetime(time).timestamp())
    except (ValueError, OverflowError, OSError):
        raise rules.refuse(Cause.INCOMPLETE, f"Date must be in ISO-8601 'basic format'. Got '{time[:60]}'.") from None


def _is_time(text: str) -> bool:
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return False
    return True


def _query(query: str, rules: SigningRules) -> dict[str, str]:
    """The parameters of a query, decoded: each once, ``name=value``, and those of a signature spelt as they are.

    Otherwise two spellings would have one canonical form, and the one that was signed need not be the one that is read.
    """
    found: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        raw, equals, value = pair.partition("=")
        name = unquote(raw)
        if not equals or name in found or (name.lower().startswith("x-amz-") and name != raw):
            raise rules.refuse(Cause.INCOMPLETE, "The query must be name=value pairs, each name once")
        found[name] = unquote(value)
    return found

"""Verifies Signature Version 4 by signing again with botocore's signer, and comparing.

Sans I/O: :func:`read_claim` says whose access key to look up, :func:`verify` decides. Two traps of recomputing with
botocore are closed (both seen): it trusts an ``X-Amz-Content-SHA256`` that the request brings, so the body is always
hashed here and the header must equal that; and it leaves some headers (``User-Agent`` among them) out of the signature
by itself, so the canonical request is built from the headers that the client says it signed, of which ``host`` and
every ``x-amz-*`` header of the request must be part.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Protocol, cast

from unhub.aws.sigv4_claim import Claim, SignedRequest, amazon_time, read_claim
from unhub.aws.sigv4_rules import Cause, SigningRules
from unhub.image.errors import MissingExtra

__all__ = ["AccessKey", "Claim", "SignedRequest", "VerifiedCaller", "read_claim", "verify"]

_METHOD = re.compile(r"[A-Z]{1,20}")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/%-]*")
_QUERY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*")
_VALUE = re.compile(r"[\t\x20-\x7e]*")

CONTENT_HASH: Final = "x-amz-content-sha256"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key as its owner's registry knows it.

    A temporary one has the SHA-256 of its session token and an end (seconds since 1970); ``owner`` is whatever the
    caller of :func:`verify` knows its owner by.
    """

    id: str
    secret: str = field(repr=False)
    owner: str
    token_hash: bytes | None = field(default=None, repr=False)
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class VerifiedCaller:
    """Who signed a request, for which region and service, and when (seconds since 1970)."""

    access_key: str
    owner: str
    region: str
    service: str
    signed_at: float
    session: bool


def verify(request: SignedRequest, claim: Claim, key: AccessKey | None, now: float, rules: SigningRules) -> VerifiedCaller:
    """Who signed the request. ``key`` is what is known of the claim's access key, ``None`` where nothing is.

    Raises :class:`ApiRefused` with AWS's code, text and status; :class:`MissingExtra` without botocore.
    """
    _check_scope(claim, rules)
    if key is None or not hmac.compare_digest(key.id, claim.access_key):
        raise rules.refuse(Cause.UNKNOWN_KEY)
    _check_form(request, rules)
    headers = _signed_headers(request, claim, rules)
    body_hash = _body_hash(request, rules)
    _check_session_token(claim, key, rules)
    expected = _signature(request, claim, key, headers, body_hash)
    if not hmac.compare_digest(expected, claim.signature):
        raise rules.refuse(Cause.WRONG_SIGNATURE)
    _check_time(claim, now, rules)
    if key.expires_at is not None and now >= key.expires_at:
        raise rules.refuse(Cause.EXPIRED_TOKEN)
    return VerifiedCaller(key.id, key.owner, claim.region, claim.service, claim.signed_at, key.token_hash is not None)


def _check_scope(claim: Claim, rules: SigningRules) -> None:
    if claim.service != rules.service:
        raise rules.refuse(Cause.INVALID, f"Credential should be scoped to correct service: '{rules.service}'. ")
    if claim.region not in rules.regions:
        raise rules.refuse(Cause.INVALID, f"Credential should be scoped to a valid region, not '{claim.region[:60]}'. ")
    if claim.date != claim.time[:8]:
        detail = (
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{claim.date[:60]}' != '{claim.time[:8]}', from '{claim.time}'."
        )
        raise rules.refuse(Cause.INVALID, detail)


def _check_form(request: SignedRequest, rules: SigningRules) -> None:
    """Refuse whatever the canonical form would not tell from something else: it is not what the client signed for sure."""
    *folders, last = request.path[1:].split("/")
    normal = last not in (".", "..") and not {"", ".", ".."} & set(folders)
    if not (normal and _METHOD.fullmatch(request.method) and _PATH.fullmatch(request.path) and _QUERY.fullmatch(request.query)):
        raise rules.refuse(Cause.INVALID, "The method, path or query is not in the form that is signed")


def _signed_headers(request: SignedRequest, claim: Claim, rules: SigningRules) -> dict[str, str]:
    """The headers that the signature covers, by lower-case names, once they are the ones that it must cover."""
    names = set(claim.signed_headers)
    if "host" not in names:
        raise rules.refuse(Cause.INVALID, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    present = [name.lower() for name, _ in request.headers]
    unsigned = sorted({name for name in present if name.startswith("x-amz-")} - names)
    if claim.expires is None and "x-amz-date" not in present and "date" not in names:
        unsigned.append("date")
    if unsigned:
        raise rules.refuse(Cause.INVALID, f"There were headers present in the request which were not signed: {', '.join(unsigned)[:200]}")
    found: dict[str, str] = {}
    for name in claim.signed_headers:
        values = request.values(name)
        if len(values) != 1 or not _VALUE.fullmatch(values[0]) or name == "authorization":
            raise rules.refuse(Cause.INVALID, f"The signed header '{name[:60]}' must be in the request, once, in plain ASCII")
        found[name] = values[0]
    return found


def _body_hash(request: SignedRequest, rules: SigningRules) -> str:
    """The SHA-256 of the body in hexadecimal, which is what a ``X-Amz-Content-SHA256`` must be."""
    computed = hashlib.sha256(request.body).hexdigest()
    for said in request.values(CONTENT_HASH):
        if said.strip(" ") == computed:
            continue
        if said.startswith(("UNSIGNED-PAYLOAD", "STREAMING-")):
            raise rules.refuse(Cause.INVALID, f"The body must be signed: x-amz-content-sha256 must not be '{said[:60]}'")
        raise rules.refuse(Cause.INVALID, "The provided 'x-amz-content-sha256' header does not match what was computed.")
    return computed


def _check_session_token(claim: Claim, key: AccessKey, rules: SigningRules) -> None:
    """A temporary key goes with its token, a lasting one with none."""
    given = None if claim.session_token is None else hashlib.sha256(claim.session_token.encode("utf-8", "surrogateescape")).digest()
    if (given is None) != (key.token_hash is None) or not hmac.compare_digest(given or b"", key.token_hash or b""):
        raise rules.refuse(Cause.UNKNOWN_KEY)


def _check_time(claim: Claim, now: float, rules: SigningRules) -> None:
    if claim.signed_at > now + rules.skew:
        limit = f"{amazon_time(now + rules.skew)} ({amazon_time(now)} + {rules.skew // 60} min.)"
        raise rules.refuse(Cause.INVALID, f"Signature not yet current: {claim.time} is still later than {limit}")
    if claim.expires is not None:
        if claim.signed_at + claim.expires < now:
            ended = amazon_time(claim.signed_at + claim.expires)
            raise rules.refuse(Cause.INVALID, f"Signature expired: {ended} is now earlier than {amazon_time(now)}")
    elif claim.signed_at < now - rules.skew:
        limit = f"{amazon_time(now - rules.skew)} ({amazon_time(now)} - {rules.skew // 60} min.)"
        raise rules.refuse(Cause.INVALID, f"Signature expired: {claim.time} is now earlier than {limit}")


class _Signer(Protocol):
    """What is used of botocore's ``SigV4Auth``; the first two are replaced."""

    headers_to_sign: Callable[[Any], Any]
    payload: Callable[[Any], str]

    def canonical_request(self, request: Any) -> str: ...

    def string_to_sign(self, request: Any, canonical_request: str) -> str: ...

    def signature(self, string_to_sign: str, request: Any) -> str: ...


@dataclass(frozen=True, slots=True)
class _Botocore:
    signer: Callable[[object, str, str], _Signer]
    request: Callable[..., Any]
    credentials: Callable[[str, str], object]


def preload() -> None:
    """Import what signatures are checked with, so that processes that are forked share it. Raises :class:`MissingExtra`."""
    _botocore()


@cache
def _botocore() -> _Botocore:
    try:
        from botocore.auth import SigV4Auth  # pyright: ignore[reportMissingTypeStubs]
        from botocore.awsrequest import AWSRequest  # pyright: ignore[reportMissingTypeStubs]
        from botocore.credentials import Credentials  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise MissingExtra("check signatures", "aws") from None
    return _Botocore(cast(Any, SigV4Auth), cast(Any, AWSRequest), cast(Any, Credentials))


def _signature(request: SignedRequest, claim: Claim, key: AccessKey, headers: Mapping[str, str], body_hash: str) -> str:
    """What the signature is when the key signs exactly this."""
    botocore = _botocore()
    signer = botocore.signer(botocore.credentials(key.id, key.secret), claim.service, claim.region)
    signer.headers_to_sign = lambda signed: signed.headers
    signer.payload = lambda signed: body_hash
    # the name in the URL is never read: `host` is among the signed headers
    url = f"http://host{request.path}" + (f"?{claim.query}" if claim.query else "")
    again = botocore.request(method=request.method, url=url, headers=dict(headers))
    again.context["timestamp"] = claim.time
    return signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)

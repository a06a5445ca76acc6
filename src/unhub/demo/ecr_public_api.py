"""The AWS endpoint of ECR Public, as far as a login needs it: it answers ``GetAuthorizationToken`` and nothing else.

JSON 1.1 by ``X-Amz-Target`` (ecr-public.md 6.1, codebuild-and-iam.md 6). Signatures are not verified; the access key is
read from them, to know the caller. The real aws CLI and boto3 reach it through ``AWS_ENDPOINT_URL_ECR_PUBLIC``.
"""

from __future__ import annotations

import datetime
import email.utils
import re
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from unhub.demo.exchange import Answer, Asked, json_answer
from unhub.demo.faults import Faults
from unhub.demo.state import Record
from unhub.demo.tokens import EcrToken, Mint, authorization_token

TARGET = "SpencerFrontendService."
ALLOWED = "ecr-public:GetAuthorizationToken"
BEARER = "sts:GetServiceBearerToken"
PASSWORD_SECONDS = 12 * 3600
"""How long a password holds (ecr-public.md 2.4)."""

OPERATIONS = frozenset({
    "BatchCheckLayerAvailability", "BatchDeleteImage", "CompleteLayerUpload", "CreateRepository", "DeleteRepository",
    "DeleteRepositoryPolicy", "DescribeImageTags", "DescribeImages", "DescribeRegistries", "DescribeRepositories",
    "GetAuthorizationToken", "GetRegistryCatalogData", "GetRepositoryCatalogData", "GetRepositoryPolicy", "InitiateLayerUpload",
    "ListTagsForResource", "PutImage", "PutRegistryCatalogData", "PutRepositoryCatalogData", "SetRepositoryPolicy",
    "TagResource", "UntagResource", "UploadLayerPart",
})  # fmt: skip
"""The operations of the service (ecr-public.md 6.2)."""

_CREDENTIAL = re.compile(r"Credential=(?P<key>[\w-]+)/(?P<date>\d{8})/(?P<region>[\w-]+)/(?P<service>[\w-]+)/aws4_request")
_AMZ_DATE = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """How the endpoint answers. Port 0 is any free port.

    ``denied`` names the action that the caller's policy does not allow, ``explicit`` says that a statement denies it.
    ``expired_credentials``: the caller's session has ended. ``throttled`` is how many requests are refused first (-1: all).
    ``clock_offset`` is how far its clock is ahead, in seconds; requests signed more than ``skew`` seconds away are refused.
    ``password_seconds`` may be negative: then the passwords that it gives out have expired.
    ``known_keys`` are the access keys that exist; ``None``: every one. ``error_status`` is that of client errors (not settled).
    """

    host: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    key: Path | None = None
    denied: Literal["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"] | None = None
    explicit: bool = False
    identity: str = "arn:aws:sts::123456789012:assumed-role/codebuild-shop/AWSCodeBuild"
    expired_credentials: bool = False
    throttled: int = 0
    clock_offset: float = 0.0
    skew: float = 300.0
    password_seconds: int = PASSWORD_SECONDS
    known_keys: frozenset[str] | None = None
    error_status: int = 400
    latency: float = 0.0
    control_token: str | None = field(default=None, repr=False)
    """What ``/_demo/`` wants as Bearer; ``None``: there is no ``/_demo/``."""


@dataclass(slots=True)
class ApiState:
    """What the endpoint knows while it runs."""

    settings: ApiSettings
    clock: Callable[[], float]
    mint: Mint
    faults: Faults = field(default_factory=Faults)
    log: deque[Record] = field(default_factory=lambda: deque[Record](maxlen=10_000))
    refused: int = 0

    def now(self) -> float:
        """Its own idea of the time."""
        return self.clock() + self.settings.clock_offset

    def apply(self, settings: ApiSettings) -> None:
        """Go on with other settings; throttling begins anew."""
        self.settings = settings
        self.refused = 0


class EcrPublicApi:
    """One host: ``POST /``."""

    def __init__(self, state: ApiState) -> None:
        self._state = state

    def answer(self, asked: Asked) -> Answer:
        """The token, or an error of JSON 1.1."""
        if asked.method != "POST" or asked.path != "/":
            return self._error("UnknownOperationException", "")
        match = _CREDENTIAL.search(asked.headers.get("Authorization", ""))
        target, operation = asked.headers.get("X-Amz-Target", ""), asked.headers.get("X-Amz-Target", "").removeprefix(TARGET)
        if not target.startswith(TARGET) or operation not in OPERATIONS:
            return self._error("UnknownOperationException", "")
        if match is None:
            return self._error("MissingAuthenticationTokenException", "Missing Authentication Token")
        refused = self._refusal(asked, match["key"])
        if refused is not None:
            return refused
        if operation != "GetAuthorizationToken":
            return self._error("UnsupportedCommandException", "The action isn't supported in this Region.")
        return self._token(match["key"])

    def _refusal(self, asked: Asked, access_key: str) -> Answer | None:
        settings, state = self._state.settings, self._state
        if settings.throttled < 0 or state.refused < settings.throttled:
            state.refused += 1
            return self._error("ThrottlingException", "Rate exceeded")
        if settings.known_keys is not None and access_key not in settings.known_keys:
            return self._error("UnrecognizedClientException", "The security token included in the request is invalid.")
        if settings.expired_credentials:
            return self._error("ExpiredTokenException", "The security token included in the request is expired")
        skewed = self._skewed(asked.headers.get("X-Amz-Date", ""))
        if skewed is not None:
            return self._error("InvalidSignatureException", skewed)
        return self._error("AccessDeniedException", self._denial(settings.denied)) if settings.denied else None

    def _skewed(self, text: str) -> str | None:
        """What is said of a request whose date is too far from ours (codebuild-and-iam.md 6.4)."""
        try:
            signed = datetime.datetime.strptime(text, _AMZ_DATE).replace(tzinfo=datetime.UTC)
        except ValueError:
            return "Date must be in ISO-8601 'basic format'."
        now = datetime.datetime.fromtimestamp(self._state.now(), datetime.UTC)
        window = datetime.timedelta(seconds=self._state.settings.skew)
        minutes = f"{int(window.total_seconds()) // 60} min."
        ours = now.strftime(_AMZ_DATE)
        if signed < now - window:
            return f"Signature expired: {text} is now earlier than {(now - window).strftime(_AMZ_DATE)} ({ours} - {minutes})"
        if signed > now + window:
            return f"Signature not yet current: {text} is still later than {(now + window).strftime(_AMZ_DATE)} ({ours} + {minutes})"
        return None

    def _denial(self, action: str) -> str:
        settings = self._state.settings
        reason = "with an explicit deny" if settings.explicit else f"because no identity-based policy allows the {action} action"
        return f"User: {settings.identity} is not authorized to perform: {action} on resource: * {reason}"

    def _token(self, access_key: str) -> Answer:
        expires = self._state.now() + self._state.settings.password_seconds
        password = self._state.mint.ecr_password(EcrToken(access_key, expires))
        data = {"authorizationToken": authorization_token(password), "expiresAt": round(expires, 3)}
        return self._json(200, {"authorizationData": data}, caller=f"account {access_key}")

    def _error(self, code: str, message: str) -> Answer:
        content = {"__type": code, **({"message": message} if message else {})}
        return self._json(self._state.settings.error_status, content)

    def _json(self, status: int, content: object, *, caller: str = "") -> Answer:
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "x-amzn-RequestId": str(uuid.uuid4()),
            "Date": email.utils.formatdate(self._state.now(), usegmt=True),
        }
        return json_answer(status, content, headers, caller=caller)

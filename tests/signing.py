"""Signature Version 4 by hand, from AWS's description of it (codebuild-and-iam.md, 6.2): any header may be signed, anything sent."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlsplit

from tests.gallery import REGION, TARGET, Key
from tests.hub import Said

Header = tuple[str, str]


def amz_date(offset: float = 0) -> str:
    """Now and so many seconds, as it is signed."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + offset))


@dataclass(frozen=True)
class Handmade:
    """A request, before or after it was signed; ``url`` is where it goes, whatever ``Host`` says."""

    url: str
    method: str
    path: str
    headers: tuple[Header, ...]
    body: bytes = field(default=b"", repr=False)

    def plus(self, *headers: Header) -> Handmade:
        """The same with more headers, at the end."""
        return replace(self, headers=(*self.headers, *headers))

    def without(self, name: str) -> Handmade:
        """The same without a header."""
        return replace(self, headers=tuple(header for header in self.headers if header[0].lower() != name.lower()))

    def send(self) -> Said:
        """Send it as it is."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)) as connection:
            connection.putrequest(self.method, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in (*self.headers, ("Content-Length", str(len(self.body)))):
                connection.putheader(name, value)
            connection.endheaders(self.body)
            response = connection.getresponse()
            return Said(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def api_request(url: str, operation: str, body: bytes = b"{}", *, offset: float = 0, host: str | None = None) -> Handmade:
    """What an SDK sends for an operation of ECR Public, but for the signature."""
    headers = (
        ("Host", host or urlsplit(url).netloc),
        ("X-Amz-Target", TARGET + operation),
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Date", amz_date(offset)),
    )
    return Handmade(url, "POST", "/", headers, body)


def sign(request: Handmade, key: Key, *, region: str = REGION, service: str = "ecr-public", names: Sequence[str] | None = None) -> Handmade:
    """The request with ``Authorization``; signed are all of its headers, or those of ``names``."""
    if key.token:
        request = request.plus(("X-Amz-Security-Token", key.token))
    values = {name.lower(): " ".join(value.split()) for name, value in request.headers}
    signed = sorted(name.lower() for name in names) if names is not None else sorted(values)
    time_ = values["x-amz-date"]
    path, _, query = request.path.partition("?")
    canonical = "\n".join(
        (
            request.method,
            path,
            "&".join(sorted(query.split("&"))) if query else "",
            *(f"{name}:{values[name]}" for name in signed),
            "",
            ";".join(signed),
            hashlib.sha256(request.body).hexdigest(),
        )
    )
    scope = f"{time_[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{time_}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(_signing_key(key.secret, scope), text.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={key.id}/{scope}, SignedHeaders={';'.join(signed)}, Signature={signature}"
    return request.plus(("Authorization", f"AWS4-HMAC-SHA256 {credential}"))


def presign(request: Handmade, key: Key, *, service: str, region: str = REGION, expires: int = 60) -> Handmade:
    """The request with its signature in the query; signed are ``Host`` and every ``X-Amz-`` header."""
    values = {name.lower(): value for name, value in request.headers if name.lower() != "x-amz-date"}
    time_ = next((value for name, value in request.headers if name.lower() == "x-amz-date"), amz_date())
    signed = sorted(name for name in values if name == "host" or name.startswith("x-amz-"))
    scope = f"{time_[:8]}/{region}/{service}/aws4_request"
    path, _, query = request.path.partition("?")
    parameters = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key.id}/{scope}",
        "X-Amz-Date": time_,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": ";".join(signed),
        **({"X-Amz-Security-Token": key.token} if key.token else {}),
    }
    pairs = [*query.split("&")] if query else []
    query = "&".join(sorted([*pairs, *(f"{name}={quote(value, safe='')}" for name, value in parameters.items())]))
    lines = (request.method, path, query, *(f"{name}:{values[name]}" for name in signed), "", ";".join(signed))
    canonical = "\n".join((*lines, hashlib.sha256(request.body).hexdigest()))
    text = f"AWS4-HMAC-SHA256\n{time_}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(_signing_key(key.secret, scope), text.encode(), hashlib.sha256).hexdigest()
    return replace(request.without("X-Amz-Date"), path=f"{path}?{query}&X-Amz-Signature={signature}")


def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key

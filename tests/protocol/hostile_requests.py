"""Requests that nobody means well with, made by Hypothesis: to ECR Public's API and STS, and to the token service.

They go over the wire byte for byte, signed validly as often as not: what only strangers cannot reach is reached.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import botocore.session
from hypothesis import strategies as st

from tests.gallery import ACCOUNT, ALIAS, OTHER_ALIAS, REGION, TARGET, Key

MODEL: Any = botocore.session.get_session().get_service_model("ecr-public")
OPERATIONS: list[str] = sorted(MODEL.operation_names)
READ_SECONDS: Final = 20.0

Framing = Literal["length", "chunked", "short", "long", "both", "none"]
"""How the body's end is told: rightly, or with a length that is too short or too long, both ways at once, or not at all."""


@dataclass(frozen=True)
class Hostile:
    """One request; ``headers`` come before those that framing adds. ``fair`` says that HTTP itself must find nothing wrong with it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(default=b"", repr=False)
    framing: Framing = "length"

    @property
    def fair(self) -> bool:
        return self.framing in ("length", "chunked")

    def text(self, host: str) -> bytes:
        """The bytes that are sent."""
        names = {name.lower() for name, _ in self.headers}
        lines = [f"{self.method} {self.target} HTTP/1.1", *([] if "host" in names else [f"Host: {host}"]), "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        size = len(self.body)
        if self.framing in ("length", "short", "long", "both"):
            lines.append(f"Content-Length: {max(0, size + {'short': -3, 'long': 7}.get(self.framing, 0))}")
        if self.framing in ("chunked", "both"):
            lines.append("Transfer-Encoding: chunked")
        head = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
        return head + (_chunked(self.body) if self.framing in ("chunked", "both") else self.body)


@dataclass(frozen=True)
class Answered:
    """What came back: status 0 where the connection was closed without an answer."""

    status: int
    head: bytes
    body: bytes


def send(address: tuple[str, int], request: Hostile) -> Answered:
    """One request on a connection of its own."""
    received = b""
    with socket.create_connection(address, timeout=READ_SECONDS) as connection:
        try:
            connection.sendall(request.text(f"{address[0]}:{address[1]}"))
            if not request.fair:
                connection.shutdown(socket.SHUT_WR)  # whoever waits for more of the body learns that none comes
            while piece := connection.recv(65536):
                received += piece
        except OSError:
            pass
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return Answered(int(words[1]) if len(words) > 1 and words[1].isdigit() else 0, head, body)


def _chunked(body: bytes) -> bytes:
    pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"


# ------------------------------------------------------------------ bodies

WORDS = st.sampled_from(
    ["here", "absent", ACCOUNT, ALIAS, OTHER_ALIAS, f"arn:aws:ecr-public::{ACCOUNT}:repository/here", "sha256:" + "a" * 64]
)
WILD = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["", "\x00", "..", "/", "a/" * 300, "%00", "\ud800", "\U0010ffff", "ﷺ" * 200, "{{arn}}", "'; --", "${jndi:x}", "x" * 70_000]
    ),
)
NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.just(1e308),
)
SCALARS = st.one_of(WORDS, WILD, NUMBERS, st.booleans(), st.none())
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WILD, inner, max_size=4), max_leaves=12)


def values(shape: Any) -> st.SearchStrategy[Any]:
    """A value for a shape of the model: of its type for the most part, and valid by luck."""
    match shape.type_name:
        case "structure":
            members = {name: values(one) for name, one in shape.members.items()}
            right = st.fixed_dictionaries({}, optional=members)
        case "list":
            right = st.lists(values(shape.member), max_size=3)
        case "string":
            right = st.one_of(WORDS, WILD, *([st.sampled_from(shape.enum)] if shape.enum else []))
        case "blob":
            right = st.one_of(st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode()), WILD)
        case "boolean":
            right = st.booleans()
        case _:
            right = NUMBERS
    return st.one_of(right, right, right, right, right, ANYTHING)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


TWISTS = st.sampled_from(
    [
        lambda data: data,
        lambda data: data,
        lambda data: data,
        lambda data: data[:-1],
        lambda data: data + data,
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.decode().encode("utf-16"),
        lambda data: data.replace(b'"', b"'"),
        lambda data: data + b" " * 5000,
        lambda data: b'{"repositoryName":"here",' + data[1:],
        lambda data: b"[" * 30_000 + data + b"]" * 30_000,
        lambda data: b'{"repositoryName":' * 3000 + data + b"}" * 3000,
        lambda data: data.replace(b"null", b"NaN").replace(b"true", b"-Infinity"),
        lambda data: data.replace(b"1", b"1" * 5000),
        lambda data: data.replace(b"e", b"\xff"),
        lambda data: data.replace(b"a", b"\\ud800"),
    ]
)
BYTES = st.one_of(
    st.binary(max_size=200), st.sampled_from([b"", b"{}", b"null", b"[]", b'""', b"0", b"{", b"\x00" * 100, b"<x/>", b"{}" * 40_000])
)


def bodies(operation: str) -> st.SearchStrategy[bytes]:
    """A body for an operation: what its model wants, twisted; or anything."""
    shape = MODEL.operation_model(operation).input_shape
    made = st.builds(lambda value, twist: twist(_json(value)), values(shape), TWISTS)
    return st.one_of(made, made, made, st.builds(lambda value, twist: twist(_json(value)), ANYTHING, TWISTS), BYTES)


# ------------------------------------------------------------------ headers and signatures

HEADER_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)
ODD_HEADERS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["X-Amz-Security-Token", "X-Amz-Content-SHA256", "X-Amz-Date", "Date", "Content-Type", "Content-Encoding"]),
            HEADER_TEXT,
        ),
        st.tuples(
            st.sampled_from(["Accept", "Accept-Encoding", "Expect", "X-Forwarded-For", "Forwarded", "Range", "User-Agent", "X-Amz-Target"]),
            HEADER_TEXT,
        ),
        st.sampled_from(
            [
                ("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"),
                ("X-Amz-Content-SHA256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
                ("Content-Encoding", "gzip"),
                ("Cookie", "x" * 4000),
                ("X-Forwarded-For", "1.2.3.4, " * 300),
                ("Content-Type", "application/x-amz-json-1.1; charset=utf-16"),
            ]
        ),
    ),
    max_size=3,
)
SECRET_HEADERS = ("authorization", "x-amz-security-token")


def signature(key: Key, service: str, region: str, headers: Mapping[str, str], body: bytes, *, target: str = "/") -> str:
    """An Authorization header, computed here: only from what the documentation of Signature Version 4 says."""
    names = sorted(name.lower() for name in headers)
    lower = {name.lower(): value for name, value in headers.items()}
    canonical = "\n".join(
        ["POST", target, "", *(f"{name}:{lower[name]}" for name in names), "", ";".join(names), hashlib.sha256(body).hexdigest()]
    )
    moment = lower["x-amz-date"]
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    signed = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    secret = f"AWS4{key.secret}".encode()
    for part in (moment[:8], region, service, "aws4_request"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    mac = hmac.digest(secret, signed.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={key.id}/{scope}, SignedHeaders={';'.join(names)}, Signature={mac}"


BROKEN = st.sampled_from(
    [
        lambda text: text,
        lambda text: text,
        lambda text: text,
        lambda text: text,
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("Credential=", "Credential=/"),
        lambda text: text.replace("us-east-1", "mars-1"),
        lambda text: text.replace("SignedHeaders=", "SignedHeaders=x-absent;"),
        lambda text: text.replace(", ", ","),
        lambda text: text.replace("Signature=", "Signature=" + "f" * 9000),
        lambda text: text + ", Signature=0",
        lambda text: "AWS4-HMAC-SHA256",
        lambda text: "Bearer " + text,
        lambda text: "Basic " + base64.b64encode(text.encode()).decode(),
        lambda text: "AWS4-ECDSA-P256-SHA256 " + text,
        lambda text: "",
    ]
)


@st.composite
def api_requests(draw: st.DrawFn, keys: Mapping[str, Key], host: str) -> Hostile:
    """A request to ECR Public's API or STS at ``host``."""
    operation = draw(st.sampled_from(OPERATIONS))
    body = draw(bodies(operation))
    name = draw(st.one_of(st.just(TARGET + operation), st.just(TARGET + operation), st.just(TARGET + operation), HEADER_TEXT))
    if draw(st.integers(0, 9)) == 0:
        return draw(sts_requests(keys, host))
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"Host": host, "X-Amz-Target": name, "X-Amz-Date": moment, "Content-Type": "application/x-amz-json-1.1"}
    key = draw(st.sampled_from([*keys.values(), *keys.values(), Key("AKIAUNKNOWN000000000", "x" * 40)]))
    said = draw(BROKEN)(signature(key, "ecr-public", draw(st.sampled_from([REGION, REGION, REGION, "us-west-2"])), headers, body))
    signed = (*headers.items(), *([("Authorization", said)] if said else []))
    odd = draw(st.one_of(st.just([]), st.just([]), ODD_HEADERS))
    method = draw(st.sampled_from(["POST"] * 12 + ["GET", "PUT", "OPTIONS", "HEAD", "BREW"]))
    target = draw(st.sampled_from(["/"] * 12 + ["/?x=1", "//", "/%00", "/v2/", "/?X-Amz-Signature=x&X-Amz-Algorithm=AWS4-HMAC-SHA256"]))
    framing = draw(st.sampled_from(["length"] * 8 + ["chunked"] * 3 + ["short", "long", "both", "none"]))
    return Hostile(method, target, (*signed, *odd), body, framing)


@st.composite
def sts_requests(draw: st.DrawFn, keys: Mapping[str, Key], host: str) -> Hostile:
    """A request to STS: a form, as its protocol has it."""
    form = draw(
        st.one_of(
            st.just(b"Action=GetCallerIdentity&Version=2011-06-15"),
            st.sampled_from(
                [
                    b"Action=" + b"A" * 9000,
                    b"&" * 9000,
                    b"Action=%ff&Version=%00",
                    b"Action[]=x",
                    b"Action=GetSessionToken&Version=2011-06-15",
                ]
            ),
            BYTES,
        )
    )
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"Host": host, "X-Amz-Date": moment, "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    said = draw(BROKEN)(signature(draw(st.sampled_from(list(keys.values()))), "sts", REGION, headers, form))
    return Hostile(
        "POST", "/", (*headers.items(), *([("Authorization", said)] if said else [])), form, draw(st.sampled_from(["length", "chunked"]))
    )


# ------------------------------------------------------------------ who has a key

MANIFEST: Final = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []})
POLICY: Final = json.dumps({"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr-public:PutImage"}]})
GOOD: Final[dict[str, list[Any]]] = {
    "RepositoryName": ["here", "here", "here", "absent", "new/one", "new/two"],
    "RegistryId": [ACCOUNT, ACCOUNT, "210987654321", "000000000000"],
    "RegistryIdOrAlias": [ACCOUNT, ALIAS, OTHER_ALIAS, "nobody"],
    "BatchedOperationLayerDigest": ["sha256:" + "0" * 64, "sha512:" + "0" * 128, "x:0"],
    "LayerDigest": ["sha256:" + hashlib.sha256(b"layer").hexdigest(), "sha256:" + "0" * 64],
    "ImageDigest": ["sha256:" + hashlib.sha256(MANIFEST.encode()).hexdigest(), "sha256:" + "0" * 64],
    "ImageTag": ["latest", "1.0", "a" * 128],
    "ImageManifest": [MANIFEST, MANIFEST[:-1], "{}", MANIFEST.replace("[]", '[{"digest": 1}]'), "[" * 10_000],
    "MediaType": ["application/vnd.oci.image.index.v1+json", "text/plain"],
    "RepositoryPolicyText": [POLICY, POLICY.replace('"*"', '{"AWS": "é"}'), "{" * 5000, POLICY + POLICY],
    "UploadId": ["12345678-1234-1234-1234-123456789012"],
    "Arn": [f"arn:aws:ecr-public::{ACCOUNT}:repository/{name}" for name in ("here", "absent", "../x")],
    "LayerPartBlob": [base64.b64encode(b"layer").decode(), "", "====", "AAAA" * 300_000],
    "PartSize": [0, 4, 2**63 - 1],
    "MaxResults": [1, 100, 1000],
    "NextToken": ["AA==", "e30=", base64.b64encode(b"\x00" * 64).decode()],
    "TagKey": ["team", "aws:x"],
}
"""Values that the model takes, by the names of its shapes; not all of them make sense."""


def mostly_good(shape: Any) -> st.SearchStrategy[Any]:
    """A value that the model takes for the most part, with something hostile in it now and then."""
    match shape.type_name:
        case "structure":
            members = {name: mostly_good(one) for name, one in shape.members.items()}
            required = {name: members.pop(name) for name in shape.required_members}
            good: st.SearchStrategy[Any] = st.fixed_dictionaries(required, optional=members)
        case "list":
            good = st.lists(mostly_good(shape.member), min_size=1, max_size=3)
        case "boolean":
            good = st.booleans()
        case _:
            good = st.sampled_from(GOOD.get(shape.name, ["x"]))
    hostile = values(shape) if shape.type_name != "structure" else ANYTHING
    return st.integers(0, 14).flatmap(lambda chance: hostile if chance == 0 else good)


@st.composite
def insider_requests(draw: st.DrawFn, keys: Mapping[str, Key], host: str) -> Hostile:
    """A request of somebody with a key, signed well and asking for nonsense: it goes the whole way."""
    operation = draw(st.sampled_from(OPERATIONS))
    value = draw(mostly_good(MODEL.operation_model(operation).input_shape))
    twist = draw(TWISTS) if draw(st.integers(0, 9)) == 0 else bytes
    body = twist(_json(value))
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"Host": host, "X-Amz-Target": TARGET + operation, "X-Amz-Date": moment, "Content-Type": "application/x-amz-json-1.1"}
    key = draw(st.sampled_from([keys["owner"]] * 6 + list(keys.values())))
    said = signature(key, "ecr-public", REGION, headers, body)
    return Hostile("POST", "/", (*headers.items(), ("Authorization", said)), body, draw(st.sampled_from(["length", "length", "chunked"])))


# ------------------------------------------------------------------ the token service


@st.composite
def token_requests(draw: st.DrawFn, passwords: list[str]) -> Hostile:
    """A request to the token service, or to the registry with what it may have given out."""
    password = draw(st.sampled_from(passwords))
    at = draw(st.integers(0, len(password)))
    changed = draw(
        st.sampled_from(
            [password, password, password[:at] + draw(HEADER_TEXT) + password[at + 1 :], password[:at], draw(HEADER_TEXT), password * 3]
        )
    )
    user = draw(st.sampled_from(["AWS", "AWS", "AWS", "aws", "", "x" * 5000, "AWS:", "\x00"]))
    basic = base64.b64encode(f"{user}:{changed}".encode()).decode()
    said = draw(
        st.sampled_from(
            [
                f"Basic {basic}",
                f"Basic {basic}",
                f"Bearer {basic}",
                f"Bearer {changed}",
                f"basic  {basic}",
                f"Basic {basic}=",
                "Basic",
                "Bearer",
                f"Digest {basic}",
                "",
            ]
        )
    )
    path = draw(
        st.sampled_from(
            [
                "/token/",
                "/token/",
                "/token",
                "/token/?service=public.ecr.aws&scope=aws",
                "/token/?scope=repository:a/b:pull&scope=" + "x" * 3000,
                "/token/?%00=%ff&&&service=%E2%82",
                "/v2/",
                f"/v2/{ALIAS}/here/manifests/latest",
                f"/v2/{ALIAS}/here/tags/list?n=99999999999999999999999",
                f"/v2/{ALIAS}/here/blobs/uploads/",
            ]
        )
    )
    method = draw(st.sampled_from(["GET"] * 8 + ["POST", "HEAD", "PUT", "DELETE", "PATCH"]))
    body = draw(st.one_of(st.just(b""), st.just(b""), BYTES, st.just(b"grant_type=password&username=AWS&password=x&service=x")))
    odd = draw(st.one_of(st.just([]), ODD_HEADERS))
    return Hostile(
        method, path, (*([("Authorization", said)] if said else []), *odd), body, draw(st.sampled_from(["length", "length", "chunked"]))
    )

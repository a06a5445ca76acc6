"""Signatures: what real clients sign is accepted, and whatever anybody changes of it is refused, worded as AWS does."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tools import tool
from unhub.aws.sigv4 import AccessKey, SignedRequest, VerifiedCaller, read_claim, verify
from unhub.aws.sigv4_claim import amazon_time
from unhub.aws.sigv4_rules import Cause, SigningRules, rules_for
from unhub.image.errors import ApiRefused

KEY_ID, SECRET = "AKIAEXAMPLE000000000", "a secret/that+nobody knows"
TOKEN = "FwoGZXIvYXdzE+session/token=="
KEY = AccessKey(KEY_ID, SECRET, "arn:aws:iam::123456789012:user/ci")
SESSION = AccessKey(KEY_ID, SECRET, "role", hashlib.sha256(TOKEN.encode()).digest(), 2_000_000_000.0)
RULES = rules_for("ecr-public", ["us-east-1", "us-west-2"])
STS = rules_for("sts", ["us-east-1"])
BODY = b'{"maxResults": 7}'


def captured(headers: Mapping[str, str], body: bytes, *, method: str = "POST", url: str = "http://api.test:5001/") -> SignedRequest:
    parts = urlsplit(url)
    return SignedRequest(method, parts.path or "/", parts.query, tuple(headers.items()), body)


def signed(
    body: bytes = BODY, *, token: str | None = None, service: str = "ecr-public", region: str = "us-east-1", **more: str
) -> SignedRequest:
    """The request that the aws CLI sends (codebuild-and-iam.md, 6.1), signed by botocore; ``more`` are further headers."""
    headers = {
        "Host": "api.test:5001",
        "X-Amz-Target": "SpencerFrontendService.DescribeRepositories",
        "Content-Type": "application/x-amz-json-1.1",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    request = AWSRequest("POST", "http://api.test:5001/", headers=headers, data=body)
    SigV4Auth(Credentials(KEY_ID, SECRET, token), service, region).add_auth(request)
    return captured(dict(request.headers.items()), body)


def presigned(
    *, method: str = "GET", expires: int = 60, token: str | None = None, query: str = "Action=GetCallerIdentity"
) -> SignedRequest:
    request = AWSRequest(method, f"http://sts.test/?{query}", headers={"Host": "sts.test"}, data=b"")
    SigV4QueryAuth(Credentials(KEY_ID, SECRET, token), "sts", "us-east-1", expires=expires).add_auth(request)
    return captured(dict(request.headers.items()), b"", method=method, url=request.url)


def with_header(request: SignedRequest, name: str, value: str | None) -> SignedRequest:
    rest = tuple(pair for pair in request.headers if pair[0].lower() != name.lower())
    return replace(request, headers=rest if value is None else (*rest, (name, value)))


def header(request: SignedRequest, name: str) -> str:
    (value,) = request.values(name.lower())
    return value


def check(
    request: SignedRequest, key: AccessKey | None = KEY, *, rules: SigningRules = RULES, after: float = 0, now: float | None = None
) -> VerifiedCaller:
    """Verify a request so many seconds after it was signed."""
    claim = read_claim(request, rules)
    return verify(request, claim, key, claim.signed_at + after if now is None else now, rules)


def refused(request: SignedRequest, key: AccessKey | None = KEY, *, rules: SigningRules = RULES, after: float = 0) -> tuple[str, str]:
    with pytest.raises(ApiRefused) as caught:
        check(request, key, rules=rules, after=after)
    assert SECRET not in str(caught.value)
    return caught.value.aws_code, caught.value.message


def re_signed(request: SignedRequest, names: str) -> SignedRequest:
    """The same request, signed by another hand than botocore's over just these headers."""
    headers = {name: header(request, name) for name in names.split(";")}
    signer = SigV4Auth(Credentials(KEY_ID, SECRET), "ecr-public", "us-east-1")
    query = f"?{request.query}" if request.query else ""
    again = AWSRequest(request.method, f"http://api.test:5001{request.path}{query}", headers=headers, data=request.body)
    again.context["timestamp"] = header(request, "x-amz-date")
    signer.headers_to_sign = lambda signed_request: signed_request.headers
    signature = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    scope = f"{KEY_ID}/{header(request, 'x-amz-date')[:8]}/us-east-1/ecr-public/aws4_request"
    return with_header(request, "Authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}")


# What real clients send


def test_what_the_cli_sends_is_verified() -> None:
    request = signed()
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-target," in header(request, "authorization")
    found = check(request)
    assert (found.access_key, found.owner, found.region, found.service, found.session) == (
        KEY_ID,
        KEY.owner,
        "us-east-1",
        "ecr-public",
        False,
    )


def test_a_session_goes_with_its_token() -> None:
    request = signed(token=TOKEN)
    assert check(request, SESSION).session
    assert refused(request, KEY)[0] == "UnrecognizedClientException", "a token that does not belong to the key"
    assert refused(signed(), SESSION)[0] == "UnrecognizedClientException", "a temporary key without its token"
    assert refused(signed(token="another"), SESSION)[0] == "UnrecognizedClientException"


def boto3_request(service: str, call: Callable[[object], object], **keys: str) -> SignedRequest:
    """What boto3 is about to send."""
    seen: list[SignedRequest] = []

    def catch(request: object, **_: object) -> AWSResponse:
        sent = request
        headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in sent.headers.items()}
        headers.setdefault("Host", urlsplit(sent.url).netloc)
        body = sent.body or b""
        seen.append(captured(headers, body.encode() if isinstance(body, str) else body, method=sent.method, url=sent.url))
        return AWSResponse(sent.url, 500, {}, None)

    client = boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}),
        **keys,
    )
    client.meta.events.register("before-send", catch)
    with pytest.raises((ClientError, ResponseParserError, AttributeError)):  # the answer is empty; what was sent is what counts
        call(client)
    client.close()
    return seen[0]


def test_what_boto3_sends_is_verified() -> None:
    layer = boto3_request("ecr-public", lambda client: client.describe_repositories(maxResults=5))
    assert check(layer).access_key == KEY_ID
    assert layer.body == b'{"maxResults":5}' or json.loads(layer.body) == {"maxResults": 5}
    who = boto3_request("sts", lambda client: client.get_caller_identity(), aws_session_token=TOKEN)
    assert check(who, SESSION, rules=STS).session


def test_what_the_real_cli_sends_is_verified(tmp_path: Path) -> None:
    aws = tool("aws")
    seen: list[SignedRequest] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(SignedRequest("POST", self.path, "", tuple(self.headers.items()), body))
            self.send_response(400)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_ENDPOINT_URL_ECR_PUBLIC": f"http://127.0.0.1:{server.server_port}",
    }
    command = [aws, "ecr-public", "get-login-password", "--region", "us-west-2"]
    try:
        subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    found = check(seen[0], SESSION)
    assert (found.region, found.session) == ("us-west-2", True)


def test_a_presigned_request_counts_for_as_long_as_it_says() -> None:
    request = presigned(expires=60)
    for after in (0, 60):
        assert check(request, rules=STS, after=after).service == "sts"
    code, message = refused(request, rules=STS, after=61)
    assert code == "SignatureDoesNotMatch"
    assert message.startswith("Signature expired: ")
    assert check(presigned(token=TOKEN), SESSION, rules=STS).session
    assert refused(presigned(token=TOKEN), KEY, rules=STS)[0] == "InvalidClientTokenId"
    assert refused(presigned(expires=604_801), rules=STS)[0] == "IncompleteSignature"
    assert check(presigned(expires=604_800), rules=STS, after=604_800)


# The two traps


def test_the_body_is_hashed_whatever_the_request_says_of_it() -> None:
    honest = signed(X_Amz_Content_SHA256=hashlib.sha256(BODY).hexdigest())
    assert check(honest)
    for body in (b"", b"{}", BODY + b" ", BODY.upper()):
        swapped = refused(replace(honest, body=body))
        assert swapped == ("InvalidSignatureException", "The provided 'x-amz-content-sha256' header does not match what was computed.")
        assert refused(replace(signed(), body=body))[0] == "InvalidSignatureException"


@pytest.mark.parametrize("said", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "0" * 64])
def test_a_body_that_is_not_signed_is_refused_though_the_signature_is_right(said: str) -> None:
    code, message = refused(signed(X_Amz_Content_SHA256=said))
    assert code == "InvalidSignatureException"
    assert "x-amz-content-sha256" in message


def test_a_signed_user_agent_counts_and_an_unsigned_one_does_not() -> None:
    request = with_header(signed(), "User-Agent", "sdk-of-somebody/1.0")
    assert check(request), "botocore does not sign it"
    request = re_signed(request, "content-type;host;user-agent;x-amz-date;x-amz-target")
    assert check(request)
    assert refused(with_header(request, "User-Agent", "other/1.0")) == (
        "InvalidSignatureException",
        RULES.refusals[Cause.WRONG_SIGNATURE].message,
    )
    assert refused(with_header(request, "User-Agent", None))[0] == "InvalidSignatureException"


# What must be signed


def test_an_added_amz_header_is_refused() -> None:
    for name in ("X-Amz-Security-Token", "x-amz-target-2", "X-AMZ-Content-SHA256"):
        code, message = refused(with_header(signed(), name, hashlib.sha256(BODY).hexdigest()))
        assert code == "InvalidSignatureException"
        assert message == f"There were headers present in the request which were not signed: {name.lower()}"
    for name in ("amz-sdk-request", "X-Amzn-Trace-Id", "Accept-Encoding"):
        assert check(with_header(signed(), name, "1"))


def test_the_host_and_every_amz_header_must_be_signed() -> None:
    code, message = refused(re_signed(signed(), "content-type;x-amz-date;x-amz-target"))
    assert (code, message) == ("InvalidSignatureException", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    assert refused(re_signed(signed(), "content-type;host;x-amz-date"))[1].endswith("not signed: x-amz-target")
    assert refused(re_signed(signed(), "content-type;host;x-amz-target"))[1].endswith("not signed: x-amz-date")
    assert check(re_signed(signed(), "host;x-amz-date;x-amz-target"))


def test_a_signed_header_that_stands_twice_or_not_at_all_is_refused() -> None:
    request = signed()
    for name, value in request.headers:
        if name.lower() in ("host", "content-type", "x-amz-target"):
            doubled = replace(request, headers=(*request.headers, (name.upper(), value)))
            assert refused(doubled)[0] == "InvalidSignatureException"
            assert refused(with_header(request, name, None))[0] in ("InvalidSignatureException", "IncompleteSignatureException")


def test_only_plain_text_can_be_signed() -> None:
    for value in ("a\x00b", "a\r\nHost: b", "caf\u00e9", "a\u00a0b", "a\x85b"):
        assert refused(with_header(signed(), "X-Amz-Target", value))[0] == "InvalidSignatureException"
    assert refused(with_header(signed(), "X-Amz-Target", "SpencerFrontendService.DeleteRepository"))[0] == "InvalidSignatureException"


def test_nobody_signs_the_authorization_header() -> None:
    text = header(signed(), "authorization").replace("SignedHeaders=content-type", "SignedHeaders=authorization;content-type")
    assert refused(with_header(signed(), "Authorization", text))[0] == "InvalidSignatureException"


# Refusals as AWS words them


def test_a_request_without_a_signature() -> None:
    assert refused(with_header(signed(), "Authorization", None)) == ("MissingAuthenticationTokenException", "Missing Authentication Token")
    assert refused(with_header(presigned(), "X", "y"), rules=RULES)[0] == "InvalidSignatureException", "for another service"
    unsigned = SignedRequest("GET", "/", "Action=GetCallerIdentity", (("Host", "sts.test"),), b"")
    with pytest.raises(ApiRefused) as caught:
        check(unsigned, rules=STS, now=0)
    assert (caught.value.aws_code, caught.value.status) == ("MissingAuthenticationToken", 403)


def test_an_access_key_that_nobody_has() -> None:
    assert refused(signed(), None) == ("UnrecognizedClientException", "The security token included in the request is invalid.")
    assert refused(signed(), replace(KEY, id="AKIAOTHER00000000000"))[0] == "UnrecognizedClientException"


def test_another_secret() -> None:
    code, message = refused(signed(), replace(KEY, secret="wrong"))
    assert code == "InvalidSignatureException"
    assert message.startswith("The request signature we calculated does not match the signature you provided. Check your AWS Secret")


def test_a_session_that_has_ended() -> None:
    ended = replace(SESSION, expires_at=1.0)
    assert refused(signed(token=TOKEN), ended) == ("ExpiredTokenException", "The security token included in the request is expired")
    claim = read_claim(signed(token=TOKEN), RULES)
    assert check(signed(token=TOKEN), replace(SESSION, expires_at=claim.signed_at + 3600))
    assert refused(with_header(signed(token=TOKEN), "X-Amz-Target", "x"), ended)[0] == "InvalidSignatureException", (
        "who asks is looked at first"
    )


def test_clocks_may_be_five_minutes_apart() -> None:
    request = signed()
    for after in (-300, 300):
        assert check(request, after=after)
    time = header(request, "x-amz-date")
    moment = datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()

    def told(seconds: float) -> str:
        return datetime.fromtimestamp(moment + seconds, UTC).strftime("%Y%m%dT%H%M%SZ")

    late = f"Signature expired: {time} is now earlier than {told(1)} ({told(301)} - 5 min.)"
    assert refused(request, after=301) == ("InvalidSignatureException", late)
    early = f"Signature not yet current: {time} is still later than {told(-1)} ({told(-301)} + 5 min.)"
    assert refused(request, after=-301) == ("InvalidSignatureException", early)
    assert check(signed(service="sts"), rules=STS, after=900)
    assert "- 15 min.)" in refused(signed(service="sts"), rules=STS, after=901)[1]
    assert refused(presigned(), rules=STS, after=-901)[1].startswith("Signature not yet current: ")


def test_a_signature_for_somewhere_else() -> None:
    assert "valid region, not 'eu-central-1'" in refused(signed(region="eu-central-1"))[1]
    assert "correct service: 'ecr-public'" in refused(signed(service="sts"))[1]
    request = signed()
    text = header(request, "authorization").replace(header(request, "x-amz-date")[:8], "20110915", 1)
    assert refused(with_header(request, "Authorization", text))[1].startswith("Date in Credential scope does not match YYYYMMDD")


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (
            lambda text: "Basic QVdTOnNlY3JldA==",
            "Authorization header requires 'Credential' parameter. Authorization header requires 'SignedHeaders'",
        ),
        (lambda text: "AWS4-HMAC-SHA256", "Authorization header requires 'Credential' parameter."),
        (lambda text: text.replace("SHA256", "SHA512", 1), "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512'"),
        (lambda text: text.partition(", Signature")[0], "Authorization header requires 'Signature' parameter."),
        (lambda text: text + ", Signature=0", "each once"),
        (lambda text: text + ", Extra=0", "each once"),
        (lambda text: text.replace("/us-east-1", "", 1), "exactly 5 slash-delimited elements"),
        (lambda text: text.replace("/us-east-1", "/", 1), "exactly 5 slash-delimited elements"),
        (lambda text: text.replace("aws4_request", "aws5_request"), "valid terminator: 'aws4_request', not 'aws5_request'"),
        (lambda text: text.replace("content-type;host", "host;content-type"), "in order"),
        (lambda text: text.replace("content-type;host", "Content-Type;host"), "lower case"),
        (lambda text: text.replace("content-type;host", "content-type;host;host"), "each once"),
        (lambda text: text.replace("content-type;host", "content-type;;host"), "SignedHeaders must be names"),
        (lambda text: text[:-1], "64 hexadecimal digits"),
        (lambda text: text.rpartition("=")[0] + "=" + text.rpartition("=")[2].upper().replace("0", "A"), "64 hexadecimal digits"),
    ],
)
def test_what_cannot_be_read_is_incomplete(edit: Callable[[str], str], says: str) -> None:
    text = edit(header(signed(), "authorization"))
    code, message = refused(with_header(signed(), "Authorization", text))
    assert code == "IncompleteSignatureException"
    assert says in message
    assert "QVdT" not in message, "a password that came by mistake is not shown"


def test_a_header_is_shown_as_its_hash_only() -> None:
    message = refused(with_header(signed(), "Authorization", "Bearer abc"))[1]
    hashed = base64.b64encode(hashlib.sha256(b"Bearer abc").digest()).decode()
    assert message.endswith(f"(Hashed with SHA-256 and encoded with Base64) Authorization={hashed}")


@pytest.mark.parametrize("time", ["20261125", "20261325T000000Z", "2026-11-25T00:00:00Z", "\u0662\u0660261125T000000Z", "00001125T000000Z"])
def test_a_date_that_is_none(time: str) -> None:
    assert refused(with_header(signed(), "X-Amz-Date", time)) == (
        "IncompleteSignatureException",
        f"Date must be in ISO-8601 'basic format'. Got '{time}'.",
    )


def test_a_plain_date_will_do_where_it_is_signed() -> None:
    request = AWSRequest("POST", "http://api.test/", headers={"Host": "api.test", "Date": "now"}, data=BODY)
    SigV4Auth(Credentials(KEY_ID, SECRET), "ecr-public", "us-east-1").add_auth(request)
    found = captured(dict(request.headers.items()), BODY, url="http://api.test/")
    assert header(found, "date").endswith("GMT") or header(found, "date").endswith("-0000")
    assert check(found)
    text = header(found, "authorization").replace("date;", "")
    assert refused(with_header(found, "Authorization", text))[1].endswith("which were not signed: date")
    assert refused(with_header(found, "Date", "yesterday"))[0] == "IncompleteSignatureException"
    assert "existence of either a 'X-Amz-Date' or a 'Date' header" in refused(with_header(found, "Date", None))[1]


def test_two_signatures_two_dates_or_two_tokens_are_refused() -> None:
    request = signed()
    assert refused(replace(request, headers=(*request.headers, ("authorization", "x"))))[0] == "IncompleteSignatureException"
    assert refused(replace(request, headers=(*request.headers, ("x-amz-date", "x"))))[0] == "IncompleteSignatureException"
    assert refused(replace(request, query=presigned().query))[0] == "IncompleteSignatureException"
    both = with_header(presigned(token=TOKEN), "X-Amz-Security-Token", TOKEN)
    assert refused(both, SESSION, rules=STS)[0] == "IncompleteSignature"


@pytest.mark.parametrize(
    "edit",
    [
        lambda query: query.replace("X-Amz-Expires=60", "X-Amz-Expires=0"),
        lambda query: query.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
        lambda query: query.replace("X-Amz-Expires=60", "X-Amz-Expires=-6"),
        lambda query: query.replace("X-Amz-Expires=60", "x"),
        lambda query: query.replace("X-Amz-Signature", "X-Amz-%53ignature"),
        lambda query: query.replace("Action=", "Act%69on="),
        lambda query: query + "&Action=AssumeRole",
        lambda query: query + "&Version",
        lambda query: query + "&",
        lambda query: query + "#Action=AssumeRole",
        lambda query: query + "&X-Amz-Signature=0",
        lambda query: query.replace("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=none"),
        lambda query: query.replace("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""),
        lambda query: query.replace("GetCallerIdentity", "AssumeRole"),
    ],
)
def test_a_presigned_query_that_was_changed_is_refused(edit: Callable[[str], str]) -> None:
    request = presigned()
    assert edit(request.query) != request.query
    refused(replace(request, query=edit(request.query)), rules=STS)


def test_paths_that_have_the_same_canonical_form_are_not_the_same() -> None:
    for path in ("//", "/.", "/..", "/./", "/a/../", "/%2e/", "/x", "/\u00e9", "/?", "/#"):
        assert refused(replace(signed(), path=path))[0] == "InvalidSignatureException", path
    for method in ("post", "PUT", "POST ", ""):
        assert refused(replace(signed(), method=method))[0] == "InvalidSignatureException", method


def test_statuses_and_times_are_dated_facts_and_a_users_file_may_change_them(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    citation = 'date = 2026-12-01\nsource = "measured"\nconfidence = "source"\n'
    row = 'id = "unknown-key"\nmessage = "Who?"\njson_code = "Unknown"\njson_status = 403\nquery_code = "Unknown"\nquery_status = 403\n'
    time = 'id = "ecr-public"\nprotocol = "json"\nskew_seconds = 60\npresigned_max_seconds = 60\nsays = "one minute"\n'
    own.write_text(f"[[signature_refusal]]\n{row}{citation}\n[[signing]]\n{time}{citation}")
    rules = rules_for("ecr-public", ["us-east-1"], own=own)
    with pytest.raises(ApiRefused, match=r"Who\?") as caught:
        check(signed(), None, rules=rules)
    assert (caught.value.aws_code, caught.value.status) == ("Unknown", 403)
    assert "- 1 min.)" in refused(signed(), rules=rules, after=61)[1]
    assert rules.refusals[Cause.MISSING] == RULES.refusals[Cause.MISSING]


def test_each_service_has_rules_of_its_own() -> None:
    json, query = rules_for("ecr-public", ["us-east-1"]), rules_for("sts", ["us-west-2"])
    assert (json.service, json.regions, json.skew, json.presigned_max) == ("ecr-public", {"us-east-1"}, 300, 604_800)
    assert (query.service, query.regions, query.skew, query.presigned_max) == ("sts", {"us-west-2"}, 900, 604_800)
    unknown = [(rules.refusals[Cause.UNKNOWN_KEY].aws_code, rules.refusals[Cause.UNKNOWN_KEY].status) for rules in (json, query)]
    assert unknown == [("UnrecognizedClientException", 400), ("InvalidClientTokenId", 403)]


def test_what_is_wrong_about_a_request_is_said_whole() -> None:
    undated = with_header(with_header(signed(), "X-Amz-Date", None), "Date", "yesterday, at noon")
    assert refused(undated)[1] == "Date must be in ISO-8601 'basic format'. Got 'yesterday, at noon'."
    nothing = with_header(with_header(signed(), "X-Amz-Date", None), "Authorization", "AWS4-HMAC-SHA256 ")
    assert "parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed" in refused(nothing)[1]
    dated = with_header(signed(), "X-Amz-Date", f" {header(signed(), 'x-amz-date')}XX")
    assert refused(dated)[0] == "IncompleteSignatureException", "only blanks around a date are none of it"


# What is signed well, and may yet be read in two ways

NAMES = "content-type;host;x-amz-date;x-amz-target"


def test_a_query_that_can_be_read_in_two_ways_is_refused_though_it_is_signed() -> None:
    assert check(re_signed(replace(signed(), query="a=1&b=&c=%2F"), NAMES))
    for query in ("a=1&a=2", "a", "a=1&", "&a=1", "a=1&%61=2", "X-Amz-%44ate=1", "x-amz-%64ate=1", "a=1&b"):
        found = refused(re_signed(replace(signed(), query=query), NAMES))
        assert found == ("IncompleteSignatureException", "The query must be name=value pairs, each name once"), query
    found = check(re_signed(replace(signed(), query="a=b=c&x-other-%64=1"), NAMES))
    assert found.access_key == KEY_ID, "an equals sign may stand in a value"
    assert refused(replace(re_signed(replace(signed(), query="a=b=c"), NAMES), query="a=b%3Dc"))[0] == "InvalidSignatureException"


def test_a_path_or_method_in_another_form_is_refused_though_it_is_signed() -> None:
    for path in ("/./", "/a/../", "/..", "/a/.", "/a//b"):
        found = refused(re_signed(replace(signed(), path=path), NAMES))
        assert found == ("InvalidSignatureException", "The method, path or query is not in the form that is signed"), path
    assert refused(re_signed(replace(signed(), method="post"), NAMES))[1].startswith("The method, path or query")
    for path in ("/a/b", "/a/", "/...", "/a..b/.c", "/%20", "/a%2Fb"):
        assert check(re_signed(replace(signed(), path=path), NAMES)), path


def test_a_value_in_another_alphabet_is_refused_though_it_is_signed() -> None:
    for value in ("caf\u00e9", "a\u00a0b", "a\x0bb"):
        found = refused(re_signed(with_header(signed(), "X-Amz-Target", value), NAMES))
        assert found == ("InvalidSignatureException", "The signed header 'x-amz-target' must be in the request, once, in plain ASCII")
    assert check(re_signed(with_header(signed(), "X-Amz-Target", "a\tb   c"), NAMES)), "white space is only folded"


def test_every_refusal_says_what_is_wrong() -> None:
    request = signed()
    twice = replace(request, headers=(*request.headers, ("authorization", "x")))
    assert refused(twice)[1] == "There is more than one Authorization header"
    assert refused(replace(request, query=presigned().query))[1] == "The Authorization header and the query both hold a signature"
    both = with_header(presigned(token=TOKEN), "X-Amz-Security-Token", TOKEN)
    assert refused(both, SESSION, rules=STS)[1] == "The header and the query both hold a security token"
    dates = replace(request, headers=(*request.headers, ("x-amz-date", "x")))
    assert refused(dates)[1] == "There is more than one date"
    long = "x" * 300
    text = header(request, "authorization")
    cases = {
        text.replace("AWS4-HMAC-SHA256", f"AWS4-{long}"): f"Unsupported AWS 'algorithm': 'AWS4-{'x' * 55}'",
        text.replace("aws4_request", long): f"Credential should be scoped with a valid terminator: 'aws4_request', not '{'x' * 60}'.",
        text.replace("/us-east-1/", f"/{long}/"): f"Credential should be scoped to a valid region, not '{'x' * 60}'. ",
        text.replace(KEY_ID, f"a b{long}"): "Credential must have exactly 5 slash-delimited elements, "
        f"e.g. keyid/date/region/service/term, got 'a b{'x' * 197}'",
        f"{text}, A=1": "Authorization header holds more or something else than Credential, SignedHeaders, Signature, each once",
        text[:-1]: "Signature must be 64 hexadecimal digits in lower case",
        text.replace("host;", "host;host;"): "SignedHeaders must be names in lower case, in order, each once, between semicolons",
        text.replace(
            "content-type;", f"a{long};content-type;"
        ): f"The signed header 'a{'x' * 59}' must be in the request, once, in plain ASCII",
        text.replace("=content-type", "=authorization;content-type"): "The signed header 'authorization' must be in the request, "
        "once, in plain ASCII",
    }
    for changed, says in cases.items():
        assert refused(with_header(request, "Authorization", changed))[1] == says
    day = header(request, "x-amz-date")
    scope = refused(with_header(request, "Authorization", text.replace(f"/{day[:8]}/", f"/{long}/")))[1]
    assert scope == (
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        f"'{'x' * 60}' != '{day[:8]}', from '{day}'."
    )
    assert refused(with_header(request, "X-Amz-Date", long))[1] == f"Date must be in ISO-8601 'basic format'. Got '{'x' * 60}'."
    more = re_signed(with_header(with_header(request, "X-Amz-B", "1"), "X-Amz-A", "1"), NAMES)
    assert refused(more)[1] == "There were headers present in the request which were not signed: x-amz-a, x-amz-b"
    unsigned = refused(signed(X_Amz_Content_SHA256="UNSIGNED-PAYLOAD"))[1]
    assert unsigned == "The body must be signed: x-amz-content-sha256 must not be 'UNSIGNED-PAYLOAD'"
    streamed = refused(signed(X_Amz_Content_SHA256=f"STREAMING-{long}"))[1]
    assert streamed == f"The body must be signed: x-amz-content-sha256 must not be 'STREAMING-{'x' * 50}'"


def test_every_refusal_of_a_query_says_what_is_wrong() -> None:
    query = presigned().query

    def says(old: str, new: str) -> str:
        return refused(replace(presigned(), query=query.replace(old, new)), rules=STS)[1]

    assert says("X-Amz-Algorithm=AWS4-HMAC-SHA256", f"X-Amz-Algorithm={'x' * 99}") == f"Unsupported AWS 'algorithm': '{'x' * 60}'"
    assert says("X-Amz-Expires=60", "X-Amz-Expires=0") == "X-Amz-Expires must be a number of seconds from 1 to 604800"
    lacking = says("X-Amz-Expires=60", "a=1").replace(" AWS", "\nAWS").splitlines()
    assert lacking == ["AWS query-string parameters must include 'X-Amz-Expires'."]
    assert says("X-Amz-Expires=60&X-Amz-SignedHeaders=host", "a=1") == (
        "AWS query-string parameters must include 'X-Amz-Expires'. AWS query-string parameters must include 'X-Amz-SignedHeaders'."
    )
    request = presigned(expires=1)
    assert check(request, rules=STS, after=1)
    claim = read_claim(request, STS)
    ended, now = (datetime.fromtimestamp(claim.signed_at + after, UTC).strftime("%Y%m%dT%H%M%SZ") for after in (1, 3))
    assert refused(request, rules=STS, after=3)[1] == f"Signature expired: {ended} is now earlier than {now}"


def test_a_session_token_may_come_in_a_signed_header_of_a_presigned_request() -> None:
    request = AWSRequest("GET", "http://sts.test/", headers={"Host": "sts.test", "X-Amz-Security-Token": TOKEN}, data=b"")
    SigV4QueryAuth(Credentials(KEY_ID, SECRET), "sts", "us-east-1", expires=60).add_auth(request)
    found = captured(dict(request.headers.items()), b"", method="GET", url=request.url)
    assert check(found, SESSION, rules=STS).session
    assert refused(with_header(found, "X-Amz-Security-Token", "other"), SESSION, rules=STS)[0] == "InvalidClientTokenId"


def test_a_session_has_ended_at_its_end() -> None:
    request = signed(token=TOKEN)
    at = read_claim(request, RULES).signed_at
    assert check(request, replace(SESSION, expires_at=at + 1)).signed_at == at
    assert refused(request, replace(SESSION, expires_at=at))[0] == "ExpiredTokenException"


def test_services_of_the_query_protocol_have_names_and_statuses_of_their_own() -> None:
    for rules, code, status in ((RULES, "UnrecognizedClientException", 400), (STS, "InvalidClientTokenId", 403)):
        with pytest.raises(ApiRefused) as caught:
            check(signed(service=rules.service), None, rules=rules)
        assert (caught.value.aws_code, caught.value.status) == (code, status)


def test_bytes_that_are_no_text_are_refused() -> None:
    text = header(signed(), "authorization")
    assert refused(with_header(signed(), "Authorization", f"Bearer \udcff{text}"))[0] == "IncompleteSignatureException"
    assert refused(with_header(signed(token=TOKEN), "X-Amz-Security-Token", "\udcff"), SESSION)[0] == "InvalidSignatureException"
    query = presigned(token=TOKEN).query
    undecodable = replace(presigned(token=TOKEN), query=query.replace("Security-Token=", "Security-Token=%ff"))
    assert refused(undecodable, SESSION, rules=STS)[0] == "InvalidClientTokenId"


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_where_the_server_stands_does_not_matter(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    request = signed()
    moment = datetime.strptime(header(request, "x-amz-date"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert check(request, now=moment).signed_at == moment
        assert "(20" in refused(request, after=999)[1]
        assert amazon_time(0) == "19700101T000000Z"
    finally:
        monkeypatch.undo()
        time.tzset()


# Whatever is changed

REQUESTS = (signed(), signed(token=TOKEN), presigned(), presigned(token=TOKEN))


def outcome(request: SignedRequest, original: SignedRequest, now: float) -> VerifiedCaller | ApiRefused:
    rules = STS if original.query else RULES
    key = SESSION if TOKEN in str(original.headers) or "Security-Token" in original.query else KEY
    try:
        claim = read_claim(request, rules)
        return verify(request, claim, key if claim.access_key == key.id else None, now, rules)
    except ApiRefused as error:
        return error


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_every_change_of_what_is_signed_is_refused(data: st.DataObject) -> None:
    original = data.draw(st.sampled_from(REQUESTS))
    now = read_claim(original, STS if original.query else RULES).signed_at
    assert isinstance(outcome(original, original, now), VerifiedCaller)
    matters = [
        name
        for name, _ in original.headers
        if name.lower() in ("host", "content-type", "authorization") or name.lower().startswith("x-amz-")
    ]
    part = data.draw(st.sampled_from(["method", "path", "query", "body", *matters]))
    before = {"method": original.method, "path": original.path, "query": original.query, "body": original.body.decode("latin-1")}
    value = before[part] if part in before else header(original, part)
    changed = data.draw(changes(value))
    if part == "body":
        request = replace(original, body=changed.encode("latin-1", "replace"))
        same = request.body == original.body
    elif part in before:
        request = replace(original, **{part: changed})
        same = part == "query" and sorted(changed.split("&")) == sorted(value.split("&"))
    else:
        request = with_header(original, part, changed)
        same = " ".join(changed.split()).replace(" ,", ",").replace(",", ", ").split() == value.replace(",", ", ").split()
    found = outcome(request, original, now)
    assert same or isinstance(found, ApiRefused), (part, value, changed)


def changes(value: str) -> st.SearchStrategy[str]:
    """Texts that are nearly this one: a character in the place of another, more, or none."""
    character = st.characters(max_codepoint=255)
    places = st.integers(0, max(len(value) - 1, 0))
    return st.one_of(
        st.builds(lambda at, what: value[:at] + what + value[at + 1 :], places, character),
        st.builds(lambda at, what: value[:at] + what + value[at:], st.integers(0, len(value)), st.text(character, min_size=1, max_size=3)),
        st.builds(lambda at: value[:at] + value[at + 1 :], places),
        st.just(value.swapcase()),
        st.text(character, max_size=20),
    ).filter(lambda changed: changed != value)


@settings(max_examples=300)
@given(
    st.text(max_size=8),
    st.text(max_size=20),
    st.text(max_size=200),
    st.lists(
        st.tuples(st.sampled_from(["Authorization", "X-Amz-Date", "Host", "Date", "X-Amz-Security-Token"]), st.text(max_size=100)),
        max_size=6,
    ),
    st.binary(max_size=50),
)
def test_nothing_but_a_refusal_comes_of_nonsense(method: str, path: str, query: str, headers: list[tuple[str, str]], body: bytes) -> None:
    request = SignedRequest(method, path, query, tuple(headers), body)
    assert isinstance(outcome(request, request, 0.0), ApiRefused)

"""Who signs a request of ECR Public's API, through the server: what counts, what does not, and AWS's words for it.

The signatures are made by hand here, not by the signer that the server uses.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import pytest

from tests.gallery import EVERYTHING, Gallery, Key, running_gallery
from tests.hub import Said, ask
from tests.mirror import wait_until
from tests.signing import Handmade, amz_date, api_request, presign, sign

SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)
INVALID_TOKEN = "The security token included in the request is invalid."


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Generator[Gallery]:
    users = {"owner": EVERYTHING, "second": EVERYTHING, "switched-off": EVERYTHING}
    with running_gallery(tmp_path_factory.mktemp("signatures"), users=users) as gallery:
        yield gallery


@pytest.fixture(scope="module")
def session(gallery: Gallery) -> Key:
    """A temporary key, with its session token."""
    made = admin(gallery, "key/create", kind="user", name="owner", session="tests", seconds=900)["access_key"]
    return Key(made["id"], made["secret"], made["session_token"])


def admin(gallery: Gallery, what: str, **given: object) -> dict[str, dict[str, str]]:
    headers = {"Authorization": f"Bearer {gallery.mirror.token}", "Content-Type": "application/json"}
    said = ask(f"{gallery.mirror.url}/_unhub/admin/{what}", "POST", body=json.dumps(given).encode(), **headers)
    assert said.status == 200, said.body
    return said.json


def describe(gallery: Gallery, body: bytes = b"{}", *, offset: float = 0) -> Handmade:
    return api_request(gallery.url, "DescribeRegistries", body, offset=offset)


def check(said: Said, code: str, message: str) -> None:
    assert (said.json["__type"], said.json["message"]) == (code, message)
    assert said.status == 400
    assert said.headers["x-amzn-errortype"] == code


def test_a_signature_made_by_hand_is_taken(gallery: Gallery) -> None:
    said = sign(describe(gallery), gallery.key("owner")).send()
    assert said.status == 200
    assert said.json["registries"]


def test_a_body_that_was_swapped(gallery: Gallery) -> None:
    signed = sign(describe(gallery), gallery.key("owner"))
    check(replace(signed, body=b'{"maxResults":1}').send(), "InvalidSignatureException", SIGNATURE)


def test_a_hash_of_the_body_that_the_client_brings_is_only_compared(gallery: Gallery) -> None:
    key, body = gallery.key("owner"), b'{"maxResults":1}'
    honest = sign(describe(gallery, body).plus(("X-Amz-Content-SHA256", hashlib.sha256(body).hexdigest())), key)
    assert honest.send().status == 200
    text = "The provided 'x-amz-content-sha256' header does not match what was computed."
    check(replace(honest, body=b"{}").send(), "InvalidSignatureException", text)


@pytest.mark.parametrize("said", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"])
def test_a_body_must_be_signed(gallery: Gallery, said: str) -> None:
    signed = sign(describe(gallery).plus(("X-Amz-Content-SHA256", said)), gallery.key("owner"))
    text = f"The body must be signed: x-amz-content-sha256 must not be '{said}'"
    check(signed.send(), "InvalidSignatureException", text)


def test_an_amz_header_that_was_added(gallery: Gallery) -> None:
    signed = sign(describe(gallery), gallery.key("owner")).plus(("X-Amz-Acl", "public-read"))
    text = "There were headers present in the request which were not signed: x-amz-acl"
    check(signed.send(), "InvalidSignatureException", text)


def test_another_operation_than_the_one_that_was_signed(gallery: Gallery) -> None:
    signed = sign(describe(gallery), gallery.key("owner"))
    other = signed.without("X-Amz-Target").plus(("X-Amz-Target", "SpencerFrontendService.GetAuthorizationToken"))
    check(other.send(), "InvalidSignatureException", SIGNATURE)


def test_a_signed_user_agent_counts(gallery: Gallery) -> None:
    signed = sign(describe(gallery).plus(("User-Agent", "tests/1")), gallery.key("owner"))
    assert signed.send().status == 200
    check(signed.without("User-Agent").plus(("User-Agent", "tests/2")).send(), "InvalidSignatureException", SIGNATURE)


def test_an_unsigned_user_agent_may_change_on_the_way(gallery: Gallery) -> None:
    assert sign(describe(gallery), gallery.key("owner")).plus(("User-Agent", "proxy/1")).send().status == 200


def test_a_signed_header_that_stands_there_twice(gallery: Gallery) -> None:
    signed = sign(describe(gallery), gallery.key("owner"))
    text = "The signed header 'x-amz-target' must be in the request, once, in plain ASCII"
    twice = signed.plus(("X-Amz-Target", "SpencerFrontendService.GetAuthorizationToken"))
    check(twice.send(), "InvalidSignatureException", text)


def test_a_second_host_is_refused_before_anything_is_asked(gallery: Gallery) -> None:
    twice = sign(describe(gallery), gallery.key("owner")).plus(("Host", "elsewhere.example"))
    assert twice.send().status == 400


def test_without_a_signature(gallery: Gallery) -> None:
    check(describe(gallery).send(), "MissingAuthenticationTokenException", "Missing Authentication Token")


def test_a_signature_that_cannot_be_read(gallery: Gallery) -> None:
    said = describe(gallery).plus(("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/ecr-public/aws4_request")).send()
    assert said.json["__type"] == "IncompleteSignatureException"
    assert said.status == 400


def test_a_key_that_nobody_has(gallery: Gallery) -> None:
    said = sign(describe(gallery), Key("AKIANOBODYHASTHISKEY", "x" * 40)).send()
    check(said, "UnrecognizedClientException", INVALID_TOKEN)


def test_the_secret_of_somebody_else(gallery: Gallery) -> None:
    mixed = Key(gallery.key("owner").id, gallery.key("second").secret)
    check(sign(describe(gallery), mixed).send(), "InvalidSignatureException", SIGNATURE)


def test_a_key_that_was_switched_off_is_unknown_within_a_second(gallery: Gallery) -> None:
    key = gallery.key("switched-off")
    assert sign(describe(gallery), key).send().status == 200
    admin(gallery, "key/switch", id=key.id, active=False)
    began = time.monotonic()
    wait_until(lambda: sign(describe(gallery), key).send().status == 400, 5)
    assert time.monotonic() - began < 1.0
    check(sign(describe(gallery), key).send(), "UnrecognizedClientException", INVALID_TOKEN)


def test_a_session_goes_with_its_token(gallery: Gallery, session: Key) -> None:
    assert sign(describe(gallery), session).send().status == 200
    check(sign(describe(gallery), replace(session, token=None)).send(), "UnrecognizedClientException", INVALID_TOKEN)
    check(sign(describe(gallery), replace(session, token="another")).send(), "UnrecognizedClientException", INVALID_TOKEN)
    lasting = replace(gallery.key("owner"), token=session.token)
    check(sign(describe(gallery), lasting).send(), "UnrecognizedClientException", INVALID_TOKEN)


def test_a_session_that_has_ended(gallery: Gallery) -> None:
    made = admin(gallery, "key/create", kind="user", name="owner", session="short", seconds=900)["access_key"]
    with closing(sqlite3.connect(gallery.mirror.data / "unhub.db", timeout=20)) as database:
        database.execute("UPDATE access_key SET expires_at = ? WHERE id = ?", (time.time() - 1, made["id"]))
        database.commit()
    said = sign(describe(gallery), Key(made["id"], made["secret"], made["session_token"])).send()
    check(said, "ExpiredTokenException", "The security token included in the request is expired")


def test_clocks_may_be_five_minutes_apart(gallery: Gallery) -> None:
    key = gallery.key("owner")
    for offset in (-290, 290):
        assert sign(describe(gallery, offset=offset), key).send().status == 200
    early = sign(describe(gallery, offset=-600), key).send()
    assert early.json["__type"] == "InvalidSignatureException"
    assert early.json["message"].startswith(f"Signature expired: {amz_date(-600)[:11]}")
    assert early.json["message"].endswith("- 5 min.)")
    late = sign(describe(gallery, offset=600), key).send()
    assert late.json["message"].startswith("Signature not yet current: ")
    assert late.json["message"].endswith("+ 5 min.)")


@pytest.mark.parametrize(
    ("region", "service", "says"),
    [
        ("ap-northeast-1", "ecr-public", "Credential should be scoped to a valid region, not 'ap-northeast-1'. "),
        ("us-east-1", "ecr", "Credential should be scoped to correct service: 'ecr-public'. "),
    ],
)
def test_a_signature_for_something_else(gallery: Gallery, region: str, service: str, says: str) -> None:
    said = sign(describe(gallery), gallery.key("owner"), region=region, service=service).send()
    check(said, "InvalidSignatureException", says)


def test_presigned_requests_count_as_long_as_they_say(gallery: Gallery, session: Key) -> None:
    for key in (gallery.key("owner"), session):
        assert presign(describe(gallery), key, service="ecr-public").send().status == 200
    over = presign(describe(gallery, offset=-120), gallery.key("owner"), service="ecr-public").send()
    assert over.json["__type"] == "InvalidSignatureException"
    assert over.json["message"].startswith("Signature expired: ")
    swapped = replace(presign(describe(gallery), gallery.key("owner"), service="ecr-public"), body=b'{"maxResults":1}')
    check(swapped.send(), "InvalidSignatureException", SIGNATURE)


def identity(gallery: Gallery) -> Handmade:
    return Handmade(gallery.url, "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", (("Host", gallery.url.partition("://")[2]),))


def test_a_presigned_get_of_sts_tells_who_signed_it(gallery: Gallery) -> None:
    said = presign(identity(gallery), gallery.key("owner"), service="sts").send()
    assert said.status == 200
    assert b"<Arn>arn:aws:iam::123456789012:user/owner</Arn>" in said.body
    other = replace(identity(gallery), path="/?Action=GetSessionToken&Version=2011-06-15")
    signed = presign(other, gallery.key("owner"), service="sts")
    changed = replace(signed, path=signed.path.replace("GetSessionToken", "GetCallerIdentity"))
    assert b"<Code>SignatureDoesNotMatch</Code>" in changed.send().body


def test_sts_takes_clocks_that_are_fifteen_minutes_apart(gallery: Gallery) -> None:
    def asked(offset: float) -> Said:
        headers = (("Host", gallery.url.partition("://")[2]), ("X-Amz-Date", amz_date(offset)))
        form = ("Content-Type", "application/x-www-form-urlencoded")
        request = Handmade(gallery.url, "POST", "/", (*headers, form), b"Action=GetCallerIdentity&Version=2011-06-15")
        return sign(request, gallery.key("owner"), service="sts").send()

    assert asked(-800).status == asked(800).status == 200
    late = asked(-1000)
    assert late.status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in late.body
    assert b"- 15 min.)" in late.body


def test_no_secret_is_in_the_log_or_an_answer(gallery: Gallery, session: Key) -> None:
    said = sign(describe(gallery), replace(session, secret="wrong" * 8)).send()
    presign(identity(gallery), session, service="sts").send()
    time.sleep(0.3)
    seen = said.body.decode() + json.dumps(gallery.mirror.log) + gallery.mirror.stderr
    for key in (*gallery.keys.values(), session):
        assert key.secret not in seen
    assert session.token is not None
    assert session.token not in seen
    assert "X-Amz-Signature" not in seen

"""What the token service gives out: its shape, its life, and that nobody but this registry can make or change it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.store.stores import with_identities
from unhub.image.errors import RefusedError, TokenFault, TokenRefused
from unhub.mirror.revoked import Revoked
from unhub.mirror.sealing import InstanceKey
from unhub.mirror.signing_keys import KeyKeeper, Keyring, Signature, SigningKey
from unhub.mirror.tokens import Holder, Issued, Owner, TokenKind, Tokens
from unhub.store.protocols import MetadataStore
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records_identity import Revocation, RevokedKind

OWNER = Owner("123456789012", "arn:aws:iam::123456789012:user/ci", "AIDA1", "AKIA1")
START = 1_795_000_000.25
HOUR = 3600


class Clock:
    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def keyring(secret: bytes = b"k" * 32, **more: float) -> Keyring:
    return Keyring([SigningKey(1, secret, START, **more)])


def tokens(clock: Callable[[], float] | None = None, ring: Keyring | None = None, revoked: Revoked | None = None) -> Tokens:
    return Tokens(ring or keyring(), revoked or Revoked(), now=clock or Clock())


def fault(read: Callable[[], object]) -> TokenFault:
    with pytest.raises(TokenRefused) as caught:
        read()
    return caught.value.fault


def body(text: str) -> dict[str, object]:
    return json.loads(base64.b64decode(text))


def test_a_password_has_the_documented_shape_and_holds_twelve_hours() -> None:
    given_out = tokens().password(OWNER)
    assert ":" not in given_out.text, "the aws CLI splits user and password at every colon"
    shape = body(given_out.text)
    assert list(shape) == ["payload", "datakey", "version", "type", "expiration"]
    assert (shape["version"], shape["type"], shape["expiration"]) == ("3", "DATA_KEY", int(START) + 12 * HOUR)
    assert given_out.expires_at == int(START) + 12 * HOUR
    assert given_out.authorization_token.startswith("QVdTOmV5Sn"), "as in AWS's examples"
    user, password = base64.b64decode(given_out.authorization_token).decode().split(":")
    assert (user, password) == ("AWS", given_out.text)
    assert re.fullmatch(r"\S+", given_out.authorization_token)
    assert given_out.text not in repr(given_out)


def test_a_login_is_a_password_that_becomes_a_bearer_token() -> None:
    clock = Clock()
    service = tokens(clock)
    password = service.password(OWNER)
    bearer = service.exchange("AWS", password.text)
    holder = service.read_bearer(bearer.text)
    assert (holder.kind, holder.account, holder.arn, holder.unique_id, holder.access_key) == (TokenKind.BEARER, *vars_of(OWNER))
    assert (holder.parent, holder.id, holder.anonymous) == (password.id, bearer.id, False)
    assert bearer.expires_at == int(START) + HOUR
    clock.now = bearer.expires_at - 0.001
    assert service.read_bearer(bearer.text) == holder
    clock.now = bearer.expires_at
    assert fault(lambda: service.read_bearer(bearer.text)) is TokenFault.EXPIRED
    assert service.read_password("AWS", password.text).expires_at == password.expires_at, "the password goes on"


def vars_of(owner: Owner) -> tuple[str, ...]:
    return (owner.account, owner.arn, owner.unique_id, owner.access_key)


def test_a_password_ends_after_twelve_hours_and_a_token_does_not_outlive_it() -> None:
    clock = Clock()
    service = tokens(clock)
    password = service.password(OWNER)
    clock.now = password.expires_at - 60
    assert service.exchange("AWS", password.text).expires_at == password.expires_at
    clock.now = password.expires_at
    with pytest.raises(TokenRefused, match=r"^Your authorization token has expired\. Reauthenticate and try again\.$"):
        service.exchange("AWS", password.text)
    assert service.password(OWNER, 900).expires_at == int(clock.now) + 900, "a session's login ends with the session"
    assert service.password(OWNER, 10**9).expires_at == int(clock.now) + 12 * HOUR


def test_an_anonymous_token_holds_an_hour_and_says_nobody() -> None:
    clock = Clock()
    service = tokens(clock)
    token = service.anonymous()
    holder = service.read_bearer(token.text)
    assert (holder.anonymous, holder.account, holder.arn, holder.unique_id) == (True, "", "", "")
    assert token.expires_at == int(START) + HOUR == body(token.text)["expiration"]
    clock.now += HOUR
    assert fault(lambda: service.read_bearer(token.text)) is TokenFault.EXPIRED


def test_the_raw_authorization_token_works_as_a_bearer_the_bare_password_does_not() -> None:
    service = tokens()
    password = service.password(OWNER)
    assert service.read_bearer(password.authorization_token).kind is TokenKind.PASSWORD
    assert fault(lambda: service.read_bearer(password.text)) is TokenFault.INVALID


def test_each_kind_is_good_for_its_own_door_only() -> None:
    service = tokens()
    bearer = service.exchange("AWS", service.password(OWNER).text)
    for text in (bearer.text, service.anonymous().text):
        assert fault(lambda text=text: service.read_password("AWS", text)) is TokenFault.INVALID
        wrapped = Issued(text, "", 0).authorization_token
        assert fault(lambda wrapped=wrapped: service.read_bearer(wrapped)) is TokenFault.INVALID
    for username in ("", "aws", "AWS ", "root"):
        assert fault(lambda username=username: service.exchange(username, service.password(OWNER).text)) is TokenFault.INVALID


def test_a_token_of_another_registry_is_none() -> None:
    stranger = tokens(ring=keyring(b"x" * 32))
    assert fault(lambda: tokens().read_bearer(stranger.anonymous().text)) is TokenFault.INVALID
    assert fault(lambda: tokens(ring=Keyring()).read_bearer(stranger.anonymous().text)) is TokenFault.INVALID
    with pytest.raises(LookupError):
        tokens(ring=Keyring()).anonymous()


def every_kind() -> Iterator[tuple[str, Callable[[str], Holder]]]:
    service = tokens()
    password = service.password(OWNER)
    yield password.text, lambda text: service.read_password("AWS", text)
    yield password.authorization_token, service.read_bearer
    yield service.exchange("AWS", password.text).text, service.read_bearer
    yield service.anonymous().text, service.read_bearer


KINDS = list(every_kind())


@settings(max_examples=500)
@given(st.data())
def test_whatever_is_changed_is_refused(data: st.DataObject) -> None:
    text, read = data.draw(st.sampled_from(KINDS))
    at = data.draw(st.integers(0, len(text)))
    what = data.draw(st.text(st.sampled_from("AZaz09+/=-_ \n:\u00e9"), max_size=2))
    changed = text[:at] + what + text[at + data.draw(st.integers(0, 3)) :]
    if changed == text:
        assert read(changed)
    else:
        assert fault(lambda: read(changed)) is TokenFault.INVALID


def test_an_authorization_token_is_spelled_in_one_way_only() -> None:
    service = tokens()
    lengths = set[int]()
    for length in range(24):  # base64 ends with one, two or no signs of padding, which all leave room for other spellings
        text = service.password(replace(OWNER, access_key="A" * length)).authorization_token
        lengths.add(text.count("="))
        assert service.read_bearer(text)
        for other in (f"{text}=", f"{text}==", text.rstrip("=") + "=" * 3, _next_to_last_bits_changed(text)):
            if other != text:
                assert fault(lambda other=other: service.read_bearer(other)) is TokenFault.INVALID
    assert lengths == {0, 1, 2}


def _next_to_last_bits_changed(text: str) -> str:
    """The same bytes for a decoder that does not look at bits which padding leaves over."""
    body, padding = text.rstrip("="), text[len(text.rstrip("=")) :]
    if not padding:
        return text
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return body[:-1] + alphabet[alphabet.index(body[-1]) ^ 1] + padding


@settings(max_examples=200)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode())))
def test_nonsense_is_refused_and_nothing_else(text: str) -> None:
    for read in (lambda: tokens().read_bearer(text), lambda: tokens().exchange("AWS", text)):
        assert fault(read) is TokenFault.INVALID


def encoded(members: object) -> str:
    return base64.b64encode(json.dumps(members, separators=(",", ":")).encode()).decode()


def test_no_unsigned_field_counts() -> None:
    service = tokens()
    shape = body(service.password(OWNER).text)
    later = {**shape, "expiration": shape["expiration"] + HOUR}
    claims = json.loads(base64.b64decode(shape["payload"]))
    other = {**shape, "payload": encoded({**claims, "account": "210987654321"})}
    more = {**shape, "account": "210987654321"}
    reordered = dict(reversed(shape.items()))
    without = {name: value for name, value in shape.items() if name != "type"}
    wrong = [{**shape, name: value} for name in shape for value in (None, True, 3, "", [], {}, -1, 1 << 80)]
    for forged in (later, other, more, reordered, without, *wrong, [], None, [shape] * 2, "x"):
        assert fault(lambda forged=forged: service.read_password("AWS", encoded(forged))) is TokenFault.INVALID
    spaced = base64.b64encode(json.dumps(shape).encode()).decode()
    assert fault(lambda: service.read_password("AWS", spaced)) is TokenFault.INVALID
    assert fault(lambda: service.read_password("AWS", "A" * 100_000)) is TokenFault.INVALID
    deep = base64.b64encode(b"[" * 5000).decode()
    assert fault(lambda: service.read_password("AWS", deep)) is TokenFault.INVALID


def test_a_signature_is_for_one_purpose() -> None:
    ring = keyring()
    signature = ring.sign("token", b"data", START)
    assert ring.check("token", b"data", signature, START)
    assert not ring.check("page", b"data", signature, START)
    assert not ring.check("token", b"dat", Signature(1, signature.mac), START)
    assert not ring.check("token", b"data", Signature(2, signature.mac), START)


# Revocation


@pytest.mark.parametrize(
    ("kind", "subject", "anonymous"),
    [
        (RevokedKind.ACCESS_KEY, "AKIA1", False),
        (RevokedKind.IDENTITY, "AIDA1", False),
        (RevokedKind.ACCOUNT, "123456789012", False),
        (RevokedKind.EVERYTHING, "", True),
    ],
)
def test_what_was_given_out_before_a_revocation_counts_no_more(kind: RevokedKind, subject: str, anonymous: bool) -> None:
    clock = Clock()
    service = tokens(clock)
    password, nobody = service.password(OWNER), service.anonymous()
    bearer = service.exchange("AWS", password.text)
    stranger = service.password(replace(OWNER, account="210987654321", unique_id="AIDA2", access_key="AKIA2"))
    clock.now += 1
    service.revoked = Revoked([Revocation(kind, subject, clock.now, clock.now + 12 * HOUR)])
    for read in (
        lambda: service.exchange("AWS", password.text),
        lambda: service.read_bearer(bearer.text),
        lambda: service.read_bearer(password.authorization_token),
    ):
        assert fault(read) is TokenFault.REVOKED
    if anonymous:
        assert fault(lambda: service.read_bearer(nobody.text)) is TokenFault.REVOKED
    else:
        assert service.read_bearer(nobody.text).anonymous
        assert service.exchange("AWS", stranger.text), "of others nothing is revoked"
    clock.now += 1
    assert service.exchange("AWS", service.password(OWNER).text), "what is given out afterwards counts"


def test_a_revoked_password_takes_its_tokens_along() -> None:
    service = tokens()
    password, other = service.password(OWNER), service.password(OWNER)
    bearer, others = service.exchange("AWS", password.text), service.exchange("AWS", other.text)
    service.revoked = Revoked([Revocation(RevokedKind.TOKEN, password.id, START - 100, START + HOUR)])
    assert fault(lambda: service.read_bearer(bearer.text)) is TokenFault.REVOKED
    assert fault(lambda: service.exchange("AWS", password.text)) is TokenFault.REVOKED
    assert service.read_bearer(others.text)
    service.revoked = Revoked([Revocation(RevokedKind.TOKEN, others.id, START, START + HOUR)])
    assert fault(lambda: service.read_bearer(others.text)) is TokenFault.REVOKED
    assert service.exchange("AWS", other.text), "one token, not its password"
    anonymous = service.anonymous()
    service.revoked = Revoked([Revocation(kind, "", START + 5, START + HOUR) for kind in RevokedKind if kind is not RevokedKind.EVERYTHING])
    assert service.read_bearer(anonymous.text), "an empty subject means nobody"


# Keys


def test_keys_are_made_once_and_replaced_with_an_overlap(tmp_path: Path) -> None:
    clock = Clock()
    instance = InstanceKey.at(tmp_path / "instance.key")

    async def work(store: IdentityStore, _: MetadataStore) -> None:
        keeper = KeyKeeper(store.signing_keys, instance, now=clock)
        first, again = await asyncio.gather(keeper.load(), KeyKeeper(store.signing_keys, instance, now=clock).load())
        old = Tokens(first, Revoked(), now=clock).password(OWNER)
        assert Tokens(again, Revoked(), now=clock).exchange("AWS", old.text), "two processes that start have one key"
        assert await keeper.rotate() == 2
        service = Tokens(await keeper.load(), Revoked(), now=clock)
        assert Tokens(first, Revoked(), now=clock).exchange("AWS", service.password(OWNER).text), "it signs when all have heard of it"
        clock.now += 6
        new = service.password(OWNER)
        assert fault(lambda: Tokens(first, Revoked(), now=clock).exchange("AWS", new.text)) is TokenFault.INVALID
        assert service.exchange("AWS", old.text)
        clock.now += 11 * HOUR
        assert await keeper.clean(12 * HOUR) == 0
        assert service.exchange("AWS", old.text), "as long as it holds"
        clock.now += 2 * HOUR
        assert await keeper.clean(12 * HOUR) == 1
        assert 1 not in await keeper.load()

    with_identities(f"sqlite:///{tmp_path}/m.db", work)


def test_a_leaked_key_is_discarded_and_what_it_signed_with_it(tmp_path: Path) -> None:
    clock = Clock()
    instance = InstanceKey.at(tmp_path / "instance.key")

    async def work(store: IdentityStore, _: MetadataStore) -> None:
        keeper = KeyKeeper(store.signing_keys, instance, now=clock)
        old = Tokens(await keeper.load(), Revoked(), now=clock).password(OWNER)
        await keeper.rotate()
        clock.now += 1
        assert await keeper.discard_older() == 3
        service = Tokens(await keeper.load(), Revoked(), now=clock)
        assert fault(lambda: service.exchange("AWS", old.text)) is TokenFault.INVALID
        assert service.exchange("AWS", service.password(OWNER).text)

    with_identities(f"sqlite:///{tmp_path}/m.db", work)


def test_a_retired_key_vouches_for_nothing_that_says_it_is_newer() -> None:
    retired = Keyring([SigningKey(1, b"k" * 32, START, retired_at=START + 10)])
    signature = retired.sign("token", b"x", START)
    assert retired.check("token", b"x", signature, START + 70)
    assert not retired.check("token", b"x", signature, START + 71)


def test_the_instances_key_is_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "instance.key"
    first = InstanceKey.at(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["instance.key"]
    sealed = first.seal(b"secret", "a purpose")
    assert b"secret" not in sealed
    assert sealed != first.seal(b"secret", "a purpose")
    assert InstanceKey.at(path).open(sealed, "a purpose") == b"secret"
    for changed, purpose in (
        (sealed, "another purpose"),
        (sealed[:-1], "a purpose"),
        (b"\x02" + sealed[1:], "a purpose"),
        (b"", "a purpose"),
    ):
        with pytest.raises(RefusedError, match="it was sealed with another key"):
            first.open(changed, purpose)
    with pytest.raises(RefusedError, match="it was sealed with another key"):
        InstanceKey(b"o" * 32).open(sealed, "a purpose")
    path.chmod(0o640)
    with pytest.raises(RefusedError, match="others may read it"):
        InstanceKey.at(path)
    for text in ("", "c2hvcnQ=\n", "not base64!"):
        path.write_text(text)
        path.chmod(0o600)
        with pytest.raises(RefusedError, match="it holds no key"):
            InstanceKey.at(path)
    assert "instance" not in repr(first).replace("InstanceKey", "")


def test_a_database_with_the_key_of_another_instance_is_refused(tmp_path: Path) -> None:
    async def work(store: IdentityStore, _: MetadataStore) -> None:
        await KeyKeeper(store.signing_keys, InstanceKey(b"a" * 32), now=Clock()).load()
        with pytest.raises(RefusedError, match="cannot open what is stored about signing key 1"):
            await KeyKeeper(store.signing_keys, InstanceKey(b"b" * 32), now=Clock()).load()

    with_identities(f"sqlite:///{tmp_path}/m.db", work)

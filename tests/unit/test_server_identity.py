"""One worker knows who asks, and hears of what another one changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.contract.store.stores import with_identities
from unhub.aws.sigv4 import SignedRequest
from unhub.aws.sigv4_claim import amazon_time
from unhub.aws.sigv4_rules import rules_for
from unhub.image.errors import ApiRefused, TokenRefused
from unhub.mirror.identities import NewKey
from unhub.mirror.sealing import InstanceKey
from unhub.server.identity_services import IdentityServices
from unhub.store.protocols import MetadataStore
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records_identity import IdentityKind, RevokedKind

NOW = 1_795_000_000.0
RULES = rules_for("ecr-public", ["us-east-1"])


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def signed(key: NewKey, at: float) -> SignedRequest:
    """A request signed at a time of our choice."""
    headers = {"host": "api.test", "x-amz-date": amazon_time(at), "x-amz-target": "SpencerFrontendService.GetAuthorizationToken"}
    if key.session_token:
        headers["x-amz-security-token"] = key.session_token
    request = AWSRequest("POST", "http://api.test/", headers=headers, data=b"{}")
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(key.id, key.secret), "ecr-public", "us-east-1")
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    scope = f"{key.id}/{amazon_time(at)[:8]}/us-east-1/ecr-public/aws4_request"
    said = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={';'.join(sorted(headers))}, Signature={signature}"
    return SignedRequest("POST", "/", "", (*headers.items(), ("authorization", said)), b"{}")


def test_a_signature_becomes_a_password_and_that_a_token_until_another_worker_revokes_it(tmp_path: Path) -> None:
    clock = Clock()

    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        one = await IdentityServices.open(tmp_path, store, now=clock)
        other = await IdentityServices.open(tmp_path, store, now=clock)
        key = await one.identities.key_of(IdentityKind.USER, "ci")
        owner = await one.identities.create(key)
        caller = await other.caller(signed(await one.identities.create_key(key), NOW), RULES)
        assert (caller.principal.unique_id, caller.region, caller.key_expires_at) == (owner.unique_id, "us-east-1", None)
        password = other.password(caller)
        assert password.expires_at == NOW + 12 * 3600
        token = one.tokens.exchange("AWS", password.text)
        assert other.tokens.read_bearer(token.text).unique_id == owner.unique_id
        seen = await metadata.changes.generation()
        clock.now += 1
        await one.identities.revoke(RevokedKind.IDENTITY, owner.unique_id)
        await other.apply(await metadata.changes.since(seen))
        with pytest.raises(TokenRefused):
            other.tokens.read_bearer(token.text)
        seen = await metadata.changes.generation()
        await one.keeper.rotate()
        await other.apply(await metadata.changes.since(seen))
        clock.now += 6
        await one.load()
        assert other.tokens.read_bearer(one.tokens.anonymous().text).anonymous, "both know the new key"
        clock.now += 13 * 3600
        await one.chores()
        assert await store.revocations.all(0) == []
        assert len(await store.signing_keys.all()) == 1

    with_identities(f"sqlite:///{tmp_path}/m.db", work)


def test_the_holder_of_a_token_is_somebody_with_the_policies_of_now(tmp_path: Path) -> None:
    clock = Clock()
    allowed = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'

    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        services = await IdentityServices.open(tmp_path, store, now=clock)
        key = await services.identities.key_of(IdentityKind.ROLE, "build")
        role = await services.identities.create(key)
        session = await services.identities.create_session(key, "b-7", 900)
        caller = await services.caller(signed(session, NOW), RULES)
        holder = services.tokens.read_bearer(services.tokens.exchange("AWS", services.password(caller).text).text)
        principal = await services.principal(holder)
        assert principal == caller.principal
        assert principal is not None
        assert (principal.arn, principal.access_key) == (f"arn:aws:sts::{key.account}:assumed-role/build/b-7", session.id)
        assert await services.principal(services.tokens.read_bearer(services.tokens.anonymous().text)) is None
        seen = await metadata.changes.generation()
        await services.identities.attach(key, "all", allowed)
        await services.apply(await metadata.changes.since(seen))
        now = await services.principal(holder)
        assert now is not None
        assert [policy.name for policy in now.policies] == ["all"]
        seen = await metadata.changes.generation()
        await store.identities.delete(role.key)
        await services.apply(await metadata.changes.since(seen))
        assert await services.principal(holder) is None

    with_identities(f"sqlite:///{tmp_path}/m.db", work)


def test_a_password_ends_with_the_session_that_asked_for_it(tmp_path: Path) -> None:
    clock = Clock()

    async def work(store: IdentityStore, _: MetadataStore) -> None:
        services = await IdentityServices.open(tmp_path, store, now=clock)
        key = await services.identities.key_of(IdentityKind.ROLE, "build")
        await services.identities.create(key)
        session = await services.identities.create_session(key, "b-7", 900)
        caller = await services.caller(signed(session, NOW), RULES)
        assert services.password(caller).expires_at == NOW + 900
        clock.now += 900
        with pytest.raises(ApiRefused, match="The security token included in the request is expired"):
            await services.caller(signed(session, clock.now), RULES)
        with pytest.raises(LookupError):
            _ = IdentityServices(store, InstanceKey.at(tmp_path / "instance.key"), now=clock).tokens

    with_identities(f"sqlite:///{tmp_path}/m.db", work)

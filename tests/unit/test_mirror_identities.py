"""Users, roles, policies and keys of the registry: who somebody is, what he may do, and what leaves with him."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.store.stores import with_identities
from unhub.aws.json_places import parse
from unhub.aws.policy_document import Kind, Policy, policy_of
from unhub.aws.sigv4 import SignedRequest, read_claim, verify
from unhub.aws.sigv4_rules import rules_for
from unhub.data.identities import IdentityLimits, identity_limits
from unhub.image.errors import ApiRefused, ConfigurationError, InvalidPolicy, RefusedError, UsageError
from unhub.mirror.authorization import Authority, Target, require, require_login
from unhub.mirror.identities import Identities, NewKey, arn_of
from unhub.mirror.principals import Principal, Surroundings
from unhub.mirror.revoked import Revoked
from unhub.mirror.sealing import InstanceKey
from unhub.mirror.signing_keys import Keyring, SigningKey
from unhub.mirror.tokens import Owner, Tokens
from unhub.store.protocols import MetadataStore
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records_identity import IdentityKey, IdentityKind, RevokedKind

OURS, THEIRS = "123456789012", "210987654321"
NOW = 1_795_000_000.0
AROUND = Surroundings(now=NOW, address="192.0.2.7")
KEY = InstanceKey(b"i" * 32)
PULL = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow",'
    '"Action":["ecr-public:GetAuthorizationToken","sts:GetServiceBearerToken"],"Resource":"*"}}'
)


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def on_a_store(tmp_path: Path, work: Callable[[Identities, IdentityStore], Awaitable[None]], clock: Clock | None = None) -> None:
    async def run(store: IdentityStore, _: MetadataStore) -> None:
        await work(Identities(store, KEY, now=clock or Clock()), store)

    with_identities(f"sqlite:///{tmp_path}/m.db", run)


async def user(identities: Identities, name: str = "ci", account: str = OURS) -> IdentityKey:
    await identities.create_account(account)
    key = await identities.key_of(IdentityKind.USER, name, account)
    await identities.create(key)
    return key


def test_the_first_account_is_made_by_itself_and_has_an_alias_of_its_own(tmp_path: Path) -> None:
    async def work(identities: Identities, store: IdentityStore) -> None:
        account = await identities.default_account()
        assert len(account.id) == 12
        assert account.id.isdecimal()
        assert await identities.default_account() == account
        await identities.create_account(THEIRS)
        with pytest.raises(UsageError, match="there is one"):
            await identities.create_account(THEIRS)
        for wrong in ("12345678901", "12345678901x", "1234567890123"):
            with pytest.raises(UsageError, match="12 digits"):
                await identities.create_account(wrong)
        assert (await identities.default_account()).id in (account.id, THEIRS)
        alias = await identities.default_alias(THEIRS)
        assert len(alias.name) == 8
        assert all(letter.isalpha() and digit.isdigit() for letter, digit in zip(alias.name[::2], alias.name[1::2], strict=True))
        assert alias.primary
        assert await identities.default_alias(THEIRS) == alias
        own = await identities.add_alias(THEIRS, "acme")
        assert [row.name for row in await store.accounts.aliases(THEIRS)] == ["acme", alias.name]
        for wrong in ("Acme", "a", "1ab", "a..b", "a" * 51, "acme-"):
            with pytest.raises(UsageError, match="cannot use the alias"):
                await identities.add_alias(THEIRS, wrong)
        with pytest.raises(UsageError, match="it is taken"):
            await identities.add_alias(account.id, own.name)

    on_a_store(tmp_path, work)


def signed_by(key: NewKey, service: str = "ecr-public") -> SignedRequest:
    headers = {"Host": "api.test", "X-Amz-Target": "SpencerFrontendService.GetAuthorizationToken"}
    request = AWSRequest("POST", "http://api.test/", headers=headers, data=b"{}")
    SigV4Auth(Credentials(key.id, key.secret, key.session_token), service, "us-east-1").add_auth(request)
    return SignedRequest("POST", "/", "", tuple(request.headers.items()), b"{}")


async def caller(identities: Identities, request: SignedRequest) -> Principal:
    """The way of a request through the front door."""
    rules = rules_for("ecr-public", ["us-east-1"])
    claim = read_claim(request, rules)
    found = await identities.look_up(claim.access_key)
    verify(request, claim, found[0] if found else None, claim.signed_at, rules)
    assert found is not None
    return found[1]


def test_a_user_signs_with_a_key_that_is_shown_once(tmp_path: Path) -> None:
    async def work(identities: Identities, store: IdentityStore) -> None:
        key = await user(identities)
        await identities.attach(key, "pull", PULL)
        new = await identities.create_key(key)
        assert new.id.startswith("AKIA")
        assert (len(new.id), len(new.secret)) == (20, 40)
        assert new.secret not in repr(new)
        principal = await caller(identities, signed_by(new))
        assert (principal.arn, principal.account, principal.access_key) == (f"arn:aws:iam::{OURS}:user/ci", OURS, new.id)
        assert principal.user_id == principal.unique_id
        assert principal.unique_id.startswith("AIDA")
        assert [policy.name for policy in principal.policies] == ["pull"]
        stored = await store.access_keys.get(new.id)
        assert stored is not None
        assert new.secret.encode() not in stored[0].secret
        assert new.secret not in (tmp_path / "m.db").read_bytes().decode("latin-1")

    on_a_store(tmp_path, work)


def test_a_role_has_sessions_with_an_end(tmp_path: Path) -> None:
    clock = Clock()
    clock.now = started = float(int(time.time()))

    async def work(identities: Identities, store: IdentityStore) -> None:
        await identities.create_account(OURS)
        key = await identities.key_of(IdentityKind.ROLE, "build")
        trust = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}'
        await identities.create(key, trust)
        session = await identities.create_session(key, "build-7", 900)
        assert session.id.startswith("ASIA")
        assert session.expires_at == started + 900
        principal = await caller(identities, signed_by(session))
        assert principal.arn == f"arn:aws:sts::{OURS}:assumed-role/build/build-7"
        assert principal.identity_arn == f"arn:aws:iam::{OURS}:role/build"
        assert principal.user_id == f"{principal.unique_id}:build-7"
        assert set(principal.caller.names) == {principal.arn, principal.identity_arn}
        with pytest.raises(ApiRefused, match="security token"):
            await caller(identities, signed_by(NewKey(session.id, session.secret, key)))
        stored = await store.access_keys.get(session.id)
        assert stored is not None
        assert session.session_token is not None
        assert stored[0].token_hash == hashlib.sha256(session.session_token.encode()).digest()
        for name, seconds in (("x", 900), ("a b", 900), ("build", 899), ("build", 43_201)):
            with pytest.raises(UsageError):
                await identities.create_session(key, name, seconds)
        clock.now += 100_000
        await identities.create_session(key, "later")
        assert [row.session for row in await identities.keys(key)] == ["later"], "what ended long ago is forgotten"

    on_a_store(tmp_path, work, clock)


def test_keys_are_switched_off_and_on_and_deleted(tmp_path: Path) -> None:
    async def work(identities: Identities, store: IdentityStore) -> None:
        key = await user(identities)
        new, second = await identities.create_key(key), await identities.create_key(key)
        with pytest.raises(UsageError, match="it has 2") as caught:
            await identities.create_key(key)
        assert "unhub admin key delete" in str(caught.value)
        assert await identities.set_key_active(new.id, False)
        with pytest.raises(ApiRefused, match="The security token included in the request is invalid"):
            await caller(identities, signed_by(new))
        assert await identities.set_key_active(new.id, True)
        assert await caller(identities, signed_by(new))
        assert await identities.delete_key(new.id)
        assert not await identities.delete_key(new.id)
        assert not await identities.set_key_active(new.id, True)
        assert await identities.look_up(new.id) is None
        assert await caller(identities, signed_by(second))

    on_a_store(tmp_path, work)


def test_a_given_key_is_taken_over(tmp_path: Path) -> None:
    async def work(identities: Identities, _: IdentityStore) -> None:
        key = await user(identities)
        given_key = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
        new = await identities.create_key(key, given=given_key)
        assert await caller(identities, signed_by(new))
        with pytest.raises(UsageError, match="there is a AKIAIOSFODNN7EXAMPLE"):
            await identities.create_key(key, given=given_key)
        for wrong in (("akia", "x" * 40), ("AKIAIOSFODNN7EXAMPL2", "short"), ("AKIAIOSFODNN7EXAMPL2", "x" * 20 + "\n")):
            with pytest.raises(UsageError) as caught:
                await identities.create_key(key, given=wrong)
            assert wrong[1] not in str(caught.value)

    on_a_store(tmp_path, work)


def test_what_was_given_out_leaves_with_the_user_or_the_key(tmp_path: Path) -> None:
    clock = Clock()

    async def work(identities: Identities, store: IdentityStore) -> None:
        service = Tokens(Keyring([SigningKey(1, b"k" * 32, 0)]), Revoked(), now=clock)

        async def password(key: IdentityKey, new: NewKey) -> str:
            found = await identities.get(key)
            return service.password(Owner(key.account, arn_of(key), found.unique_id, new.id)).text

        async def counts(text: str) -> bool:
            service.revoked = Revoked(await store.revocations.all(clock.now))
            try:
                return bool(service.exchange("AWS", text))
            except Exception:
                return False

        key = await user(identities)
        first, second = await identities.create_key(key), await identities.create_key(key)
        by_first, by_second = await password(key, first), await password(key, second)
        clock.now += 1
        await identities.set_key_active(first.id, False)
        assert not await counts(by_first)
        assert await counts(by_second)
        gone = await identities.delete(key)
        assert not await counts(by_second)
        assert await identities.principal(gone.unique_id) is None
        clock.now += 1
        await identities.create(key)
        assert await counts(await password(key, second)), "a new user of that name is somebody else"
        assert not await counts(by_second)
        with pytest.raises(UsageError, match="it must name whose"):
            await identities.revoke(RevokedKind.ACCOUNT, "")

    on_a_store(tmp_path, work, clock)


def test_policies_are_checked_when_they_are_attached(tmp_path: Path) -> None:
    async def work(identities: Identities, _: IdentityStore) -> None:
        key = await user(identities)
        for wrong in (
            "{",
            '{"Statement":[]}',
            PULL.replace("Allow", "Alow"),
            PULL * 2,
            "",
            PULL.replace('"Resource":"*"', '"Principal":"*"'),
        ):
            with pytest.raises((InvalidPolicy, UsageError)):
                await identities.attach(key, "wrong", wrong)
        with pytest.raises(UsageError, match="10240 characters"):
            await identities.attach(key, "long", PULL + " " * 10_240)
        with pytest.raises(UsageError, match="policy name"):
            await identities.attach(key, "a/b", PULL)
        with pytest.raises(UsageError, match="cannot find the user nobody"):
            await identities.attach(key._replace(name="nobody"), "pull", PULL)
        for number in range(10):
            await identities.attach(key, f"p{number}", PULL)
        with pytest.raises(UsageError, match="has 10 policies"):
            await identities.attach(key, "p10", PULL)
        await identities.attach(key, "p9", PULL)
        assert await identities.detach(key, "p9")
        managed = await identities.attach_managed(key, "arn:aws:iam::aws:policy/AmazonElasticContainerRegistryPublicReadOnly")
        assert "ecr-public:DescribeImages" in json.loads(managed.document)["Statement"][0]["Action"]
        with pytest.raises(UsageError, match="none of AWS's policies"):
            await identities.attach_managed(key, "Whatever")

    on_a_store(tmp_path, work)


CITED = 'date = 2026-11-26\nsource = "ours"\nconfidence = "source"\n'


def test_limits_are_dated_facts_that_a_data_file_changes(tmp_path: Path) -> None:
    assert identity_limits() == IdentityLimits(access_keys=2, policies=10, policy_characters=10_240, session_seconds=(900, 43_200))
    own = tmp_path / "own.toml"
    rows = {
        "access-keys": "most = 1",
        "policies": "most = 1",
        "policy-characters": "most = 200",
        "session-seconds": "least = 60\nmost = 120",
    }
    own.write_text("".join(f'[[identity_limit]]\nid = "{name}"\n{figures}\nsays = "less"\n{CITED}' for name, figures in rows.items()))

    async def work(_: Identities, store: IdentityStore) -> None:
        identities = Identities(store, KEY, now=Clock(), limits=identity_limits(own))
        key = await user(identities)
        await identities.create_key(key)
        with pytest.raises(UsageError, match="it has 1, and no more"):
            await identities.create_key(key)
        await identities.attach(key, "one", PULL)
        with pytest.raises(UsageError, match="no more than 1 are possible"):
            await identities.attach(key, "two", PULL)
        with pytest.raises(UsageError, match="at most 200 characters"):
            await identities.attach(key, "one", PULL + " " * 200)
        await identities.create_session(key, "short", 60)
        with pytest.raises(UsageError, match="60 to 120 are possible"):
            await identities.create_session(key, "long", 121)

    on_a_store(tmp_path, work)
    own.write_text(f'[[identity_limit]]\nid = "access-keys"\nleast = 3\nmost = 2\nsays = "nonsense"\n{CITED}')
    with pytest.raises(ConfigurationError, match="access-keys: at least 0 and not more than the most"):
        identity_limits(own)


def test_a_data_file_says_how_somebody_is_denied(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(f'[[denial]]\nid = "implicit-identity"\nmessage = "{{arn}} must not {{action}} {{resource}}"\nstatus = 403\n{CITED}')
    who = Principal(IdentityKey(OURS, IdentityKind.USER, "ci"), "AIDAX", ())
    with pytest.raises(ApiRefused) as caught:
        Authority(own).require_login(who, AROUND, 60)
    assert (caught.value.message, caught.value.status, caught.value.aws_code) == (
        f"arn:aws:iam::{OURS}:user/ci must not ecr-public:GetAuthorizationToken *",
        403,
        "AccessDeniedException",
    )
    with pytest.raises(ApiRefused) as caught:
        require_login(who, AROUND, 60)
    assert caught.value.status == 400


def test_names_and_doubles_are_refused(tmp_path: Path) -> None:
    async def work(identities: Identities, _: IdentityStore) -> None:
        key = await user(identities)
        with pytest.raises(UsageError, match="there is one"):
            await identities.create(key)
        for name in ("", "a b", "a/b", "ü", "x" * 65, "a\n"):
            with pytest.raises(UsageError, match="cannot use the name"):
                await identities.key_of(IdentityKind.USER, name)
        with pytest.raises(UsageError, match="cannot find the account"):
            await identities.key_of(IdentityKind.USER, "x", "000000000000")
        with pytest.raises(UsageError, match="cannot find the role ci"):
            await identities.get(key._replace(kind=IdentityKind.ROLE))

    on_a_store(tmp_path, work)


def test_another_instances_key_opens_nothing(tmp_path: Path) -> None:
    async def work(identities: Identities, store: IdentityStore) -> None:
        new = await identities.create_key(await user(identities))
        with pytest.raises(RefusedError, match=f"cannot open what is stored about access key {new.id}"):
            await Identities(store, InstanceKey(b"x" * 32), now=Clock()).look_up(new.id)

    on_a_store(tmp_path, work)


# Decisions


def policy(text: str | dict[str, object], kind: Kind = Kind.IDENTITY) -> Policy:
    data = text if isinstance(text, str) else json.dumps({"Version": "2012-10-17", "Statement": text})
    return policy_of(parse(data.encode(), "policy")[0], kind, "policy")


def principal(*policies: Policy, account: str = OURS, session: str = "", kind: IdentityKind = IdentityKind.USER) -> Principal:
    return Principal(IdentityKey(account, kind, "ci"), "AIDA1", policies, session)


REPOSITORY = f"arn:aws:ecr-public::{OURS}:repository/app"
ALLOW = {"Effect": "Allow", "Action": "ecr-public:PutImage", "Resource": REPOSITORY}
EVERYBODY = {"Effect": "Allow", "Principal": "*", "Action": "ecr-public:PutImage"}
DENY = {"Effect": "Deny", "Action": "*", "Resource": "*"}
DENY_ALL = {"Effect": "Deny", "Principal": "*", "Action": "*"}


def refusal(who: Principal, action: str, target: Target, around: Surroundings = AROUND) -> str | None:
    try:
        require(who, action, target, around)
    except ApiRefused as error:
        assert (error.aws_code, error.status) == ("AccessDeniedException", 400)
        return error.message
    return None


@pytest.mark.parametrize(
    ("identity", "resource", "foreign", "end"),
    [
        ([ALLOW], None, False, None),
        ([], EVERYBODY, False, None),
        ([], None, False, "because no identity-based policy allows the ecr-public:PutImage action"),
        ([ALLOW], None, True, "because no resource-based policy allows the ecr-public:PutImage action"),
        ([], EVERYBODY, True, "because no identity-based policy allows the ecr-public:PutImage action"),
        ([ALLOW], EVERYBODY, True, None),
        ([ALLOW, DENY], EVERYBODY, False, "with an explicit deny in an identity-based policy"),
        ([ALLOW], DENY_ALL, False, "with an explicit deny in a resource-based policy"),
        ([DENY], DENY_ALL, True, "with an explicit deny in an identity-based policy"),
    ],
)
def test_who_may_push(identity: list[dict[str, object]], resource: dict[str, object] | None, foreign: bool, end: str | None) -> None:
    who = principal(*(policy(statement) for statement in identity), account=THEIRS if foreign else OURS)
    target = Target(REPOSITORY, OURS, None if resource is None else policy(resource, Kind.RESOURCE))
    said = refusal(who, "ecr-public:PutImage", target)
    expected = None if end is None else f"User: {who.arn} is not authorized to perform: ecr-public:PutImage on resource: {REPOSITORY} {end}"
    assert said == expected


def test_a_password_takes_two_permissions() -> None:
    token = {"Effect": "Allow", "Action": "ecr-public:GetAuthorizationToken", "Resource": "*"}
    bearer = {"Effect": "Allow", "Action": "sts:GetServiceBearerToken", "Resource": "*"}
    require_login(principal(policy(token), policy(bearer)), AROUND, 43_200)
    role = principal(policy(token), session="OCI_GH_Actions", kind=IdentityKind.ROLE)
    with pytest.raises(ApiRefused) as caught:
        require_login(role, AROUND, 43_200)
    assert caught.value.message == (
        f"User: arn:aws:sts::{OURS}:assumed-role/ci/OCI_GH_Actions is not authorized to perform: sts:GetServiceBearerToken "
        "on resource: * because no identity-based policy allows the sts:GetServiceBearerToken action"
    ), "as fluxcd/pkg#938 quotes it"
    with pytest.raises(ApiRefused, match="not authorized to perform: ecr-public:GetAuthorizationToken"):
        require_login(principal(policy(bearer)), AROUND, 43_200)
    short = {**bearer, "Condition": {"NumericLessThanEquals": {"sts:DurationSeconds": "900"}}}
    require_login(principal(policy(token), policy(short)), AROUND, 900)
    with pytest.raises(ApiRefused):
        require_login(principal(policy(token), policy(short)), AROUND, 901)


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, True),
        ({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
        ({"StringEquals": {"aws:username": "ci"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": OURS, "aws:PrincipalArn": f"arn:aws:iam::{OURS}:user/ci"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}, False),
        ({"NumericGreaterThan": {"aws:EpochTime": str(int(NOW) - 1)}}, True),
        ({"StringEquals": {"ecr-public:ResourceTag/team": "a"}}, True),
        ({"StringEquals": {"aws:ResourceTag/team": "b"}}, False),
        ({"StringEquals": {"aws:RequestTag/cost": "1"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["cost", "team"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, False),
        ({"Null": {"aws:MultiFactorAuthPresent": "true"}}, True),
        ({"StringLike": {"aws:UserAgent": "aws-cli/*"}}, True),
    ],
)
def test_conditions_see_the_surroundings(condition: dict[str, object], allowed: bool) -> None:
    around = Surroundings(NOW, "192.0.2.7", user_agent="aws-cli/1", resource_tags={"team": "a"}, request_tags={"cost": "1"})
    who = principal(policy({**ALLOW, "Condition": condition}))
    assert (refusal(who, "ecr-public:PutImage", Target(REPOSITORY, OURS), around) is None) is allowed


STATEMENTS = st.builds(
    lambda effect, action, resource: {"Effect": effect, "Action": action, "Resource": resource},
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["*", "ecr-public:*", "ecr-public:Put*", "ecr-public:PutImage", "sts:*"]),
    st.sampled_from(["*", REPOSITORY, f"arn:aws:ecr-public::{OURS}:repository/*", "arn:aws:ecr-public::*:repository/other"]),
)


@given(st.lists(STATEMENTS, max_size=5), st.permutations(range(5)), st.booleans())
def test_a_deny_never_allows_and_order_never_matters(statements: list[dict[str, object]], order: list[int], foreign: bool) -> None:
    target = Target(REPOSITORY, OURS, policy(EVERYBODY, Kind.RESOURCE))

    def allowed(rows: list[dict[str, object]]) -> bool:
        who = principal(*(policy(row) for row in rows), account=THEIRS if foreign else OURS)
        return refusal(who, "ecr-public:PutImage", target) is None

    before = allowed(statements)
    assert allowed([statements[at] for at in order if at < len(statements)]) is before
    assert not allowed([*statements, DENY])
    narrow = {"Effect": "Deny", "Action": "ecr-public:DeleteRepository", "Resource": "*"}
    assert allowed([*statements, narrow]) is before

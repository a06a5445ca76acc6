"""What every store promises about accounts, identities, their repositories, keys and meters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.store.images import image
from tests.contract.store.stores import METADATA, with_identities
from unhub.store.protocols import MetadataStore
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records import ChangeKind, RepositoryKey
from unhub.store.records_identity import (
    Account,
    AliasStatus,
    AttachedPolicy,
    IdentityKey,
    IdentityKind,
    MeterField,
    MeterRow,
    Registration,
    Revocation,
    RevokedKind,
    StoredAccessKey,
    StoredAlias,
    StoredIdentity,
    StoredSigningKey,
)
from unhub.store.refusals import Counted, NotEmpty, TooMany

OURS, THEIRS = "123456789012", "210987654321"
CI = IdentityKey(OURS, IdentityKind.USER, "ci")
BUILD = IdentityKey(OURS, IdentityKind.ROLE, "ci")
APP = RepositoryKey("u7m1j8y0", "team/app")
KEY = StoredAccessKey("AKIA0000000000000001", CI, b"sealed", 10)

Work = Callable[[IdentityStore, MetadataStore], Awaitable[None]]


@pytest.fixture(params=METADATA)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return METADATA[request.param](tmp_path)


async def with_users(store: IdentityStore) -> None:
    await store.accounts.create(Account(OURS, 1))
    await store.accounts.create(Account(THEIRS, 2))
    await store.identities.create(StoredIdentity(CI, "AIDA1", 3))
    await store.identities.create(StoredIdentity(BUILD, "AROA1", 4, trust='{"Version":"2012-10-17"}'))


async def changes(metadata: MetadataStore, kind: ChangeKind) -> list[str]:
    return [change.key for change in await metadata.changes.since(0) if change.kind is kind]


def test_accounts_and_the_names_of_their_registries(url: str) -> None:
    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        accounts = store.accounts
        assert await accounts.create(Account(OURS, 1))
        assert not await accounts.create(Account(OURS, 9))
        assert await accounts.get(THEIRS) is None
        assert await accounts.set_display_name(OURS, "Our registry")
        assert not await accounts.set_display_name(THEIRS, "x")
        assert await accounts.set_verified(OURS, True)
        assert not await accounts.set_verified(THEIRS, True)
        assert await accounts.all() == [Account(OURS, 1, verified=True, display_name="Our registry")]
        first = StoredAlias("u7m1j8y0", OURS, AliasStatus.ACTIVE, 2, primary=True, default=True)
        second = StoredAlias("acme", OURS, AliasStatus.PENDING, 3, primary=True)
        assert await accounts.add_alias(first)
        assert await accounts.add_alias(second)
        assert not await accounts.add_alias(replace(second, created_at=4)), "names are given once"
        assert not await accounts.add_alias(replace(first, name="other", account=THEIRS)), "there is no such account"
        assert await accounts.aliases(OURS) == [second, replace(first, primary=False)], "one is primary, and comes first"
        assert await accounts.alias("acme") == second
        assert await accounts.alias("nobody") is None
        assert set(await changes(metadata, ChangeKind.IDENTITY)) == {OURS}

    with_identities(url, work)


def test_users_and_roles_have_names_of_their_own(url: str) -> None:
    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        await with_users(store)
        identities = store.identities
        assert not await identities.create(StoredIdentity(CI, "AIDA2", 5)), "the name is taken"
        assert not await identities.create(StoredIdentity(IdentityKey("000000000000", IdentityKind.USER, "x"), "AIDA3", 5)), "no account"
        user, role = await identities.get(CI), await identities.get(BUILD)
        assert user == StoredIdentity(CI, "AIDA1", 3)
        assert role is not None
        assert role.trust == '{"Version":"2012-10-17"}'
        assert await identities.by_id("AROA1") == role
        assert await identities.by_id("AROA2") is None
        assert await identities.all() == [role, user]
        assert await identities.all(OURS, IdentityKind.USER) == [user]
        assert await identities.all(THEIRS) == []
        assert {"AIDA1", "AROA1"} <= set(await changes(metadata, ChangeKind.IDENTITY))

    with_identities(url, work)


def test_policies_are_attached_by_name(url: str) -> None:
    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        await with_users(store)
        identities = store.identities
        pull, push = AttachedPolicy("pull", "{ 1 }", 5), AttachedPolicy("push", "{}", 6)
        assert await identities.attach(CI, push)
        assert await identities.attach(CI, pull)
        newer = replace(pull, document="{ 2 }", attached_at=7)
        assert await identities.attach(CI, newer), "in the place of the older one"
        assert not await identities.attach(CI._replace(name="nobody"), pull)
        assert await identities.policies(CI) == [newer, push]
        assert await identities.policies(BUILD) == [], "the role of the same name is somebody else"
        assert await identities.detach(CI, "pull")
        assert not await identities.detach(CI, "pull")
        assert not await identities.detach(CI._replace(name="nobody"), "push")
        assert await identities.policies(CI) == [push]

    with_identities(url, work)


def test_an_access_key_leads_to_its_owner(url: str) -> None:
    session = replace(KEY, id="ASIA0000000000000001", identity=BUILD, session="build-7", token_hash=b"\0hash", expires_at=100.5)

    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        await with_users(store)
        keys = store.access_keys
        assert await keys.add(KEY, "AIDA1")
        assert await keys.add(session, "AROA1")
        assert not await keys.add(replace(KEY, id="AKIA2"), "AIDA-of-a-deleted-user"), "made again under the same name in between"
        assert await keys.get(KEY.id) == (KEY, StoredIdentity(CI, "AIDA1", 3))
        found = await keys.get(session.id)
        assert found is not None
        assert found[0] == session
        assert found[1].key == BUILD
        assert await keys.get("AKIA2") is None
        assert await keys.of(CI) == [KEY]
        assert await keys.set_active(KEY.id, False)
        assert await keys.of(CI) == [replace(KEY, active=False)]
        assert not await keys.set_active("AKIA2", False)
        assert await keys.forget_expired(100) == 0
        assert await keys.forget_expired(101) == 1
        assert await keys.delete(KEY.id)
        assert not await keys.delete(KEY.id)
        assert set(await changes(metadata, ChangeKind.IDENTITY)) >= {KEY.id, session.id}

    with_identities(url, work)


def test_a_deleted_identity_takes_its_policies_and_keys_along(url: str) -> None:
    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        await with_users(store)
        await store.identities.attach(CI, AttachedPolicy("pull", "{}", 5))
        await store.access_keys.add(KEY, "AIDA1")
        assert await store.identities.delete(CI)
        assert not await store.identities.delete(CI)
        assert await store.access_keys.get(KEY.id) is None
        assert await store.access_keys.of(CI) == []
        assert await store.identities.create(StoredIdentity(CI, "AIDA9", 8))
        assert await store.identities.policies(CI) == [], "nothing comes back with the name"
        assert (await changes(metadata, ChangeKind.IDENTITY)).count("AIDA1") == 3

    with_identities(url, work)


def test_a_registered_repository_has_catalog_data_a_policy_and_tags(url: str) -> None:
    registered = Registration(APP, OURS, 5, catalog='{"description":"x"}', logo=b"\x89PNG")

    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        await with_users(store)
        rows = store.registrations
        assert await rows.create(registered, {"team": "a", "Team": "b"})
        assert not await rows.create(replace(registered, account=THEIRS), {}), "the name is taken"
        assert await rows.get(APP) == replace(registered, logo=None), "who asks for a repository does not want its picture"
        assert await rows.logo(APP) == b"\x89PNG"
        repository = await metadata.repositories.get(APP)
        assert repository is not None
        assert repository.own
        assert await rows.tags(APP) == {"Team": "b", "team": "a"}
        assert await rows.set_tags(APP, {"team": "c", "new": ""}, most=3)
        assert await rows.set_tags(APP, {"fourth": "x"}, most=3) is False
        assert await rows.set_tags(APP._replace(path="none"), {"x": "y"}, most=3) is None
        assert await rows.tags(APP) == {"Team": "b", "new": "", "team": "c"}
        assert await rows.remove_tags(APP, ["new", "unknown"])
        assert not await rows.remove_tags(APP._replace(path="none"), ["x"])
        assert await rows.tags(APP) == {"Team": "b", "team": "c"}
        assert await rows.set_policy(APP, ' {"Version":"2008-10-17"} ')
        assert await rows.set_catalog(APP, None, None)
        assert not await rows.set_policy(APP._replace(path="none"), None)
        assert await rows.get(APP) == Registration(APP, OURS, 5, policy=' {"Version":"2008-10-17"} '), "the text stays as it was set"
        kinds = [change for change in await metadata.changes.since(0) if change.kind is ChangeKind.REPOSITORY]
        assert {(change.alias, change.path) for change in kinds} == {tuple(APP)}

    with_identities(url, work)


def test_a_deleted_repository_is_registered_no_more(url: str) -> None:
    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        await with_users(store)
        await store.registrations.create(Registration(APP, OURS, 5), {"team": "a"})
        await metadata.manifests.put(APP, image("one"), now=6, tags=["1"])
        assert await metadata.repositories.delete(APP)
        assert await store.registrations.get(APP) is None
        assert await store.registrations.tags(APP) == {}
        assert await store.registrations.create(Registration(APP, OURS, 7), {})
        assert await metadata.manifests.tags(APP) == []

    with_identities(url, work)


def test_an_account_has_no_more_repositories_than_it_may(url: str) -> None:
    async def work(store: IdentityStore, _: MetadataStore) -> None:
        await with_users(store)
        one, other = Registration(APP, OURS, 5), Registration(APP._replace(path="other"), OURS, 5)
        assert await store.registrations.create(one, {}, most=1)
        with pytest.raises(TooMany) as caught:
            await store.registrations.create(other, {}, most=1)
        assert (caught.value.counted, caught.value.most) == (Counted.REPOSITORIES, 1)
        assert not await store.registrations.create(one, {}, most=1), "one that is there is there, full or not"
        assert await store.registrations.count(OURS) == 1

    with_identities(url, work)


def test_a_repository_with_images_is_removed_only_by_force(url: str) -> None:
    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        await with_users(store)
        await store.registrations.create(Registration(APP, OURS, 5), {"team": "a"})
        await metadata.manifests.put(APP, image("one"), now=6)
        with pytest.raises(NotEmpty):
            await store.registrations.remove(APP)
        assert await store.registrations.get(APP) is not None
        assert await store.registrations.remove(APP, force=True)
        assert not await store.registrations.remove(APP, force=True)
        assert await metadata.repositories.get(APP) is None
        assert await metadata.manifests.digests(APP) == []
        assert [change for change in await metadata.changes.since(0) if change.kind is ChangeKind.REPOSITORY][-1].path == APP.path

    with_identities(url, work)


def test_an_empty_repository_is_removed_and_only_one_that_is_registered(url: str) -> None:
    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        await with_users(store)
        await store.registrations.create(Registration(APP, OURS, 5), {})
        pushed = RepositoryKey("local", "pushed")
        await metadata.repositories.create(pushed, 5, own=True)
        assert await store.registrations.remove(APP)
        assert not await store.registrations.remove(pushed, force=True), "what was pushed in mode open is not of this kind"
        assert await metadata.repositories.get(pushed) is not None

    with_identities(url, work)


def test_the_repositories_of_an_account_are_listed_in_order(url: str) -> None:
    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        await with_users(store)
        paths = ["b", "a/b", "a", "a-b", "c"]
        for path in paths:
            await store.registrations.create(Registration(RepositoryKey("u7m1j8y0", path), OURS, 5, logo=b"big"), {})
        await store.registrations.create(Registration(RepositoryKey("z9z9z9z9", "b"), THEIRS, 5), {})
        found = await store.registrations.of(OURS)
        assert [row.key.path for row in found] == sorted(paths)
        assert {row.logo for row in found} == {None}
        assert [row.key.path for row in await store.registrations.of(OURS, after="a/b", limit=1)] == ["b"]
        assert (await store.registrations.count(OURS), await store.registrations.count("000000000000")) == (5, 0)

    with_identities(url, work)


def test_a_new_signing_key_retires_the_older_ones(url: str) -> None:
    first, second = StoredSigningKey(1, b"one", 10, 10), StoredSigningKey(2, b"two", 20, 80)

    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        keys = store.signing_keys
        assert await keys.add(first)
        assert not await keys.add(StoredSigningKey(1, b"other", 11, 11)), "of two who make the first key one does"
        assert await keys.all() == [first]
        assert await keys.add(second)
        assert await keys.all() == [second, replace(first, retired_at=80)]
        assert await keys.add(StoredSigningKey(3, b"three", 90, 100))
        assert [key.retired_at for key in await keys.all()] == [None, 100, 80], "what was retired stays so"
        assert await keys.forget(80) == 0
        assert await keys.forget(81) == 1
        assert [key.number for key in await keys.all()] == [3, 2]
        assert (await changes(metadata, ChangeKind.SIGNING_KEY)) == ["1", "2", "3", ""]

    with_identities(url, work)


def test_revocations_hold_until_they_end(url: str) -> None:
    token = Revocation(RevokedKind.TOKEN, "t1", 10, 100, "lost laptop")
    user = Revocation(RevokedKind.IDENTITY, "AIDA1", 10, 50)

    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        rows = store.revocations
        await rows.add(token)
        await rows.add(user)
        await rows.add(replace(user, revoked_at=20, until=60))
        assert await rows.all(60) == [replace(user, revoked_at=20, until=60), token]
        assert await rows.all(61) == [token]
        assert await rows.forget(60) == 0
        assert await rows.forget(61) == 1
        assert await rows.all(0) == [token]
        assert await changes(metadata, ChangeKind.REVOCATION) == ["token t1", "identity AIDA1", "identity AIDA1"]

    with_identities(url, work)


def test_meters_add_up_by_what_is_asked(url: str) -> None:
    rows = [
        MeterRow(20_000, OURS, "192.0.2.1", "docker/library/node", False, 1, 100),
        MeterRow(20_000, OURS, "192.0.2.1", "docker/library/node", False, 1, 50),
        MeterRow(20_001, OURS, "192.0.2.2", "docker/library/go", False, 1, 7),
        MeterRow(20_001, "", "192.0.2.1", "docker/library/go", False, 2, 20),
        MeterRow(20_001, "", "192.0.2.1", "docker/library/go", True, 1, 1 << 45),
    ]

    async def work(store: IdentityStore, metadata: MetadataStore) -> None:
        meters = store.meters
        await meters.add(rows[:1])
        await meters.add(rows[1:])
        (everything,) = await meters.sums([], 0, 99_999)
        assert (everything.pulls, everything.bytes_answered) == (6, 177 + (1 << 45))
        by_account = await meters.sums([MeterField.ACCOUNT], 20_000, 20_001)
        assert by_account == [MeterRow(0, "", "", "", False, 3, 20 + (1 << 45)), MeterRow(0, OURS, "", "", False, 3, 157)]
        days = await meters.sums([MeterField.DAY, MeterField.EXEMPT], 20_001, 20_001)
        assert [(row.day, row.exempt, row.bytes_answered) for row in days] == [(20_001, False, 27), (20_001, True, 1 << 45)]
        both = await meters.sums([MeterField.ADDRESS, MeterField.REPOSITORY], 20_000, 20_001)
        assert [(row.address, row.repository) for row in both] == sorted((row.address, row.repository) for row in both)
        assert await meters.total(20_000, 20_001, account=OURS) == 157, "wherever the account pulls from"
        assert await meters.total(20_000, 20_001, address="192.0.2.1") == 20, "without a login, and what is exempt left out"
        assert await meters.total(20_000, 20_000, address="192.0.2.1") == 0
        asked = [(OURS, ""), (THEIRS, ""), ("", "192.0.2.1"), ("", "192.0.2.2")]
        assert await meters.totals(20_000, 20_001, asked) == {(OURS, ""): 157, ("", "192.0.2.1"): 20}
        assert await meters.totals(20_000, 20_001, []) == {}
        (whole,) = await meters.report([], 20_000, 20_001, limit=9)
        assert (whole.pulls, whole.bytes_answered, whole.exempt_pulls, whole.counted) == (6, 177 + (1 << 45), 1, 177)
        largest = await meters.report([MeterField.REPOSITORY], 20_000, 20_001, limit=9, largest=True)
        assert [(row.repository, row.counted) for row in largest] == [("docker/library/node", 150), ("docker/library/go", 27)]
        first = await meters.report([MeterField.DAY, MeterField.REPOSITORY], 20_000, 20_001, limit=1)
        assert [(row.day, row.repository, row.pulls) for row in first] == [(20_000, "docker/library/node", 2)]
        nobody = await meters.report([MeterField.ADDRESS], 20_000, 20_001, limit=9, account="")
        assert [(row.address, row.counted, row.exempt_bytes) for row in nobody] == [("192.0.2.1", 20, 1 << 45)]
        assert await meters.forget_addresses(20_001) == 1
        assert await meters.forget_addresses(20_001) == 0
        (old,) = await meters.report([MeterField.DAY, MeterField.ADDRESS], 20_000, 20_000, limit=9)
        assert (old.address, old.pulls, old.bytes_answered) == ("", 2, 150), "the sums stay"
        await meters.add([MeterRow(20_000, OURS, "192.0.2.9", "docker/library/node", False, 1, 5)])
        assert await meters.forget_addresses(20_001) == 1
        assert (await meters.report([], 20_000, 20_000, limit=1))[0].bytes_answered == 155
        assert await meters.total(20_001, 20_001, address="192.0.2.1") == 20, "younger ones keep theirs"
        assert await meters.forget(20_001) == 1
        assert await meters.total(0, 99_999, account=OURS) == 7

    with_identities(url, work)


def test_all_of_it_outlives_the_process(url: str) -> None:
    async def write(store: IdentityStore, _: MetadataStore) -> None:
        await with_users(store)
        await store.access_keys.add(KEY, "AIDA1")
        await store.meters.add([MeterRow(1, OURS, "a", "r", False, 1, 5)])

    async def read(store: IdentityStore, _: MetadataStore) -> None:
        found = await store.access_keys.get(KEY.id)
        assert found is not None
        assert found[0] == KEY
        assert await store.meters.total(1, 1, account=OURS) == 5

    with_identities(url, write)
    with_identities(url, read)

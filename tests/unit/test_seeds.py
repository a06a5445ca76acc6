"""Identities that the settings name: read with their places, made where they are missing, and nothing of the database's is lost."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.command_line import unhub
from tests.contract.store.stores import with_identities
from tests.mirror import running_mirror
from tests.unit.test_server_settings import understood
from unhub.image.errors import ConfigurationError
from unhub.mirror.identities import Identities
from unhub.mirror.sealing import FILE, InstanceKey
from unhub.mirror.seeding import AccountSeed, Seed, sow
from unhub.server.settings import ServeSettings
from unhub.server.sowing import sow_seeds
from unhub.store.protocols import MetadataStore
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records_identity import IdentityKey, IdentityKind
from unhub.store.sql.upgrade import upgrade

OURS, THEIRS = "123456789012", "210987654321"
CI = IdentityKey(OURS, IdentityKind.USER, "ci")
READERS = "AmazonElasticContainerRegistryPublicReadOnly"
PULL = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"], "Resource": "*"},
    }
)
NOTHING = PULL.replace("Allow", "Deny")
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
WHOLE = f"""\
[account.{OURS}]
aliases = ["acme", "acme-tools"]
verified = true

[account.{OURS}.user.ci]
policies = ["policies/pull.json"]
managed = ["{READERS}"]
access-key = "AKIAIOSFODNN7EXAMPLE"
secret-file = "ci.secret"

[account.{OURS}.role.build]
managed = ["arn:aws:iam::aws:policy/{READERS}"]

[account.{THEIRS}.user.other]
access-key = "AKIAIOSFODNN7EXAMPL2"
secret-variable = "OTHER_SECRET"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "pull.json").write_text(PULL)
    (tmp_path / "ci.secret").write_text(f"{SECRET}\n")
    (tmp_path / "ci.secret").chmod(0o600)
    (tmp_path / "data").mkdir()
    return tmp_path


def settings(folder: Path, text: str = WHOLE) -> ServeSettings:
    return understood(text, folder=folder, environment={"OTHER_SECRET": SECRET[::-1]}, data=folder / "data")


# ------------------------------------------------------------------ what the file says


def test_the_file_says_who_there_is(folder: Path) -> None:
    ours, theirs = settings(folder).seeds
    assert (ours.id, ours.aliases, ours.verified, ours.place) == (OURS, ("acme", "acme-tools"), True, "unhub.toml:1:1")
    ci, build = ours.identities
    assert (ci.kind, ci.name, list(ci.policies), ci.place) == (IdentityKind.USER, "ci", ["pull", READERS], "unhub.toml:5:1")
    assert ci.policies["pull"] == PULL, "as it is written"
    assert (ci.access_key, ci.secret) == ("AKIAIOSFODNN7EXAMPLE", SECRET)
    assert (build.kind, build.name, list(build.policies), build.access_key) == (IdentityKind.ROLE, "build", [READERS], None)
    (other,) = theirs.identities
    assert (theirs.aliases, theirs.verified, other.secret) == ((), None, SECRET[::-1])


def test_a_secret_is_shown_nowhere(folder: Path) -> None:
    assert SECRET not in repr(settings(folder))
    assert SECRET[::-1] not in repr(settings(folder))


USER = f"[account.{OURS}.user.ci]\n"
WITH_KEY = USER + 'access-key = "AKIAIOSFODNN7EXAMPLE"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[account.acme]\n", "1:1: cannot use the account 'acme': an account has 12 digits"),
        (f"[account.{OURS}]\nalias = 'x'\n", "2:1: .*there is no setting 'alias' here. Did you mean 'aliases'"),
        (USER + "polices = []\n", "2:1: .*there is no setting 'polices' here. Did you mean 'policies'"),
        (f"{USER}\n[account.{THEIRS}.user.x]\nmanaged = 3\n", "4:1: .*Expected `array`, got `int`"),
        (f"[account.{OURS}.role.x]\naccess-key = 'AKIA'\n", "2:1: .*there is no setting 'access-key' here"),
        (USER + "secret = 'x'\n", "2:1: .*there is no setting 'secret' here"),
        (USER + "policies = ['policies/pull.json', 'absent.json']\n", "2:35: cannot read the policy from .*absent.json: No such file"),
        (USER + "policies = ['broken.json']\n", r"2:13: cannot read the policy .*broken.json:3:27: there is no Effect 'Alow'"),
        (USER + "policies = ['two.json']\n", "2:13: cannot use .*two.json: it must hold one policy document"),
        (USER + "policies = ['latin.json']\n", "2:13: cannot read the policy from .*latin.json: it is not UTF-8"),
        (USER + "policies = ['long.json']\n", "2:13: cannot read the policy from .*long.json: it has more than 65536 bytes"),
        (USER + "policies = ['policies/pull.json', 'pull.json']\n", "2:35: cannot use two policies of the name 'pull'"),
        (USER + "managed = ['Whatever']\n", "2:12: cannot attach Whatever: it is none of AWS's policies"),
        (WITH_KEY, "2:1: cannot use the access key AKIAIOSFODNN7EXAMPLE: it has no secret.*secret-file = "),
        (WITH_KEY + "secret-file = 'ci.secret'\nsecret-variable = 'X'\n", "2:1: .*it has both secret-file and secret-variable"),
        (USER + "secret-file = 'ci.secret'\n", "2:1: cannot use a secret without the access-key"),
        (WITH_KEY + "secret-file = 'absent'\n", "3:1: cannot read the secret from .*absent: No such file"),
        (WITH_KEY + "secret-file = 'open.secret'\n", "3:1: cannot read the secret from .*open.secret: others may read it.*chmod 600"),
        (WITH_KEY + "secret-file = 'lines.secret'\n", "3:1: cannot read the secret from .*lines.secret: it is not one line"),
        (WITH_KEY + "secret-variable = 'ABSENT'\n", "3:1: cannot find the secret: the environment has no ABSENT"),
    ],
)
def test_mistakes_are_told_with_their_place_and_no_secret(folder: Path, text: str, says: str) -> None:
    broken = '{\n  "Version": "2012-10-17",\n  "Statement": {"Effect": "Alow", "Action": "*", "Resource": "*"}\n}'
    texts = {"broken.json": broken, "two.json": PULL * 2, "long.json": PULL + " " * 65_536, "pull.json": NOTHING, "latin.json": "é"}
    for name, content in texts.items():
        (folder / name).write_text(content, "latin-1" if name == "latin.json" else "utf-8")
    for name, content, mode in (("open.secret", SECRET, 0o640), ("lines.secret", f"{SECRET}\n\n", 0o600)):
        (folder / name).write_text(content)
        (folder / name).chmod(mode)
    with pytest.raises(ConfigurationError, match=rf"^unhub\.toml:{says}") as caught:
        settings(folder, text)
    assert SECRET not in str(caught.value)


# ------------------------------------------------------------------ what the database has afterwards


def sown(folder: Path, text: str = WHOLE) -> None:
    """What ``unhub serve`` does with the settings before it serves."""
    found = settings(folder, text)
    upgrade(found.database)
    sow_seeds(found)
    assert threading.enumerate() == [threading.main_thread()], "processes are forked next"


def looked_at(folder: Path, work: Callable[[Identities, IdentityStore], Awaitable[None]]) -> None:
    async def run(store: IdentityStore, _: MetadataStore) -> None:
        await work(Identities(store, InstanceKey.at(folder / "data" / FILE), now=lambda: 1_795_000_000.0), store)

    with_identities(f"sqlite:///{folder / 'data' / 'unhub.db'}", run)


def test_what_is_missing_is_made_at_the_first_start_and_nothing_at_the_next(folder: Path) -> None:
    sown(folder)

    async def first(identities: Identities, store: IdentityStore) -> None:
        assert (await identities.default_account()).id == OURS, "the first one of the file"
        aliases = await store.accounts.aliases(OURS)
        assert [(alias.name, alias.primary) for alias in aliases if not alias.default] == [("acme", True), ("acme-tools", False)]
        assert [account.verified for account in await store.accounts.all()] == [True, False]
        assert {(row.key.account, row.key.kind.value, row.key.name) for row in await identities.all()} == {
            (OURS, "user", "ci"),
            (OURS, "role", "build"),
            (THEIRS, "user", "other"),
        }
        found = await identities.look_up("AKIAIOSFODNN7EXAMPLE")
        assert found is not None
        assert (found[0].secret, found[1].arn) == (SECRET, f"arn:aws:iam::{OURS}:user/ci")

    looked_at(folder, first)
    before = everything(folder)
    sown(folder)
    assert everything(folder) == before


def everything(folder: Path) -> list[str]:
    """Every row about identities, and how often anything was changed."""
    connection = sqlite3.connect(folder / "data" / "unhub.db")
    try:
        return [line for line in connection.iterdump() if line.startswith("INSERT")]
    finally:
        connection.close()


def test_the_database_decides_afterwards_but_an_edited_policy_file_counts(folder: Path) -> None:
    sown(folder)

    async def by_hand(identities: Identities, _: IdentityStore) -> None:
        await identities.attach(CI, "by-hand", PULL)
        await identities.attach(CI, "pull", NOTHING)
        await identities.set_verified(OURS, False)
        await identities.add_alias(OURS, "newer")
        await identities.set_key_active("AKIAIOSFODNN7EXAMPLE", False)
        await identities.create(IdentityKey(OURS, IdentityKind.USER, "by-hand"))
        await identities.delete(IdentityKey(THEIRS, IdentityKind.USER, "other"))

    looked_at(folder, by_hand)
    edited = PULL.replace("*", "*")[:-1] + " }"
    (folder / "policies" / "pull.json").write_text(edited)
    sown(folder)

    async def afterwards(identities: Identities, store: IdentityStore) -> None:
        policies = {row.name: row.document for row in await identities.policies(CI)}
        assert list(policies) == [READERS, "by-hand", "pull"]
        assert policies["pull"] == edited, "the file's"
        assert policies["by-hand"] == PULL, "stays"
        assert (await store.accounts.aliases(OURS))[0].name == "newer", "is displayed still"
        assert await identities.look_up("AKIAIOSFODNN7EXAMPLE") is None, "what was switched off stays so"
        names = {row.key.name for row in await identities.all()}
        assert names == {"ci", "build", "by-hand", "other"}, "who was deleted and is named comes back"
        assert (await store.accounts.all())[0].verified, "the file says so"

    looked_at(folder, afterwards)


def test_what_the_file_names_no_more_stays(folder: Path) -> None:
    sown(folder)
    sown(folder, f"[account.{OURS}]\n")

    async def work(identities: Identities, store: IdentityStore) -> None:
        assert len(await identities.all()) == 3
        assert [row.name for row in await identities.policies(CI)] == [READERS, "pull"]
        assert (await store.accounts.all())[0].verified

    looked_at(folder, work)


def test_what_the_database_refuses_is_told_with_its_place(folder: Path) -> None:
    sown(folder)
    (folder / "ci.secret").write_text(SECRET[::-1])
    with pytest.raises(ConfigurationError, match=r"unhub\.toml:5:1: cannot take over the access key .* another secret.*admin key delete"):
        sown(folder)
    (folder / "ci.secret").write_text(SECRET)
    taken = f'[account.{THEIRS}]\naliases = ["acme"]\n'
    with pytest.raises(ConfigurationError, match=r"unhub\.toml:1:1: cannot use the alias acme: it is taken"):
        sown(folder, taken)
    many = f"[account.{OURS}.user.ci]\npolicies = [{', '.join(map(repr, _copies(folder, 10)))}]\n"
    with pytest.raises(ConfigurationError, match=r"unhub\.toml:1:1: cannot attach p8: .* no more than 10 are possible"):
        sown(folder, many)
    for name in ("a b", "ü", "x" * 65):
        with pytest.raises(ConfigurationError, match=rf"unhub\.toml:1:1: cannot use the name '{name}"):
            sown(folder, f'[account.{OURS}.user."{name}"]\n')


def _copies(folder: Path, number: int) -> list[str]:
    names = [f"p{one}.json" for one in range(number)]
    for name in names:
        (folder / name).write_text(PULL)
    return names


def test_a_mirror_begins_with_them_and_says_what_is_wrong(folder: Path) -> None:
    text = WHOLE + '\n[upstream.docker]\nurl = "http://127.0.0.1:9"\n'
    (folder / "unhub.toml").write_text(text)
    arguments = ["--config", folder / "unhub.toml", "--workers", "2"]
    with running_mirror(folder, None, arguments=arguments, env={"OTHER_SECRET": SECRET[::-1]}) as mirror:
        where = {"UNHUB_SERVER": mirror.url, "UNHUB_TOKEN": mirror.token}
        listed = unhub("admin", "user", "list", "--json", cwd=folder, env=where)
        assert [row["name"] for row in listed.json["identities"]] == ["ci", "other"]
        assert not [secret for secret in (SECRET, SECRET[::-1]) if secret in mirror.stderr + listed.text + listed.err]
    (folder / "ci.secret").write_text(SECRET[::-1])
    env = {**os.environ, "OTHER_SECRET": SECRET[::-1]}
    command = [sys.executable, "-m", "unhub", "serve", "--data", folder / "data", "--listen", "localhost:0", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unhub.toml:5:1: cannot take over the access key" in done.stderr
    assert SECRET[::-1] not in done.stderr


def test_the_folder_of_another_instance_is_refused_as_ever(folder: Path) -> None:
    sown(folder)
    (folder / "data" / FILE).chmod(0o644)
    with pytest.raises(Exception, match="others may read it"):
        sown(folder)


def test_a_key_needs_its_secret_and_a_secret_its_key(tmp_path: Path) -> None:
    async def work(store: IdentityStore, _: MetadataStore) -> None:
        identities = Identities(store, InstanceKey(b"i" * 32), now=lambda: 1_795_000_000.0)
        for half in ({"access_key": "AKIAIOSFODNN7EXAMPLE"}, {"secret": SECRET}):
            seed = AccountSeed(id=OURS, identities=(Seed(kind=IdentityKind.USER, name="ci", **half),))
            with pytest.raises(Exception, match="go together"):
                await sow([seed], identities)

    with_identities(f"sqlite:///{tmp_path}/m.db", work)

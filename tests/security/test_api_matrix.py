"""Who may do what by ECR Public's API: every operation, by every kind of caller, at both doors: its own port, and its name's.

Columns are operations, and rows are below; what a cell must be is told by the row, and by IAM's own tables for AWS's policies.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from tests.command_line import unhub
from tests.gallery import ACCOUNT, EVERYTHING, REGION, TARGET, Gallery, Key, running_gallery
from tests.hub import Said, ask
from tests.protocol.hostile_requests import signature
from tests.protocol.provocations import BY_ARN, GIVEN, MISSING, sensible
from unhub.aws.arns import registry_arn, repository_arn
from unhub.data.iam import iam_knowledge, resource_of

MODEL: Any = botocore.session.get_session().get_service_model("ecr-public")
OPERATIONS: list[str] = sorted(MODEL.operation_names)
HOST = "api.ecr-public.us-east-1.amazonaws.com"
BEARER = "sts:GetServiceBearerToken"
HERE = repository_arn(ACCOUNT, MISSING)

SHORT_SESSIONS = """
[[identity_limit]]
id = "session-seconds"
least = 1
most = 43200
says = "sessions that end while a test runs"
date = 2026-11-26
source = "these tests"
confidence = "source"
"""


def allow(actions: str | Sequence[str], resource: str = "*", **more: Any) -> Mapping[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def every_other(operation: str) -> list[str]:
    return [BEARER, *(f"ecr-public:{name}" for name in OPERATIONS if name != operation)]


MANAGED = {row.name.removeprefix("AmazonElasticContainerRegistryPublic"): row.actions for row in iam_knowledge().managed}
USERS: dict[str, Sequence[Mapping[str, Any]]] = {
    "everything": EVERYTHING,
    "nothing": (),
    "no-sts": (allow("ecr-public:*"),),
    "elsewhere": (allow(["ecr-public:*", BEARER], repository_arn(ACCOUNT, "another/*")),),
    "right-here": (allow(["ecr-public:*", BEARER], HERE),),
    "other-address": (allow(["ecr-public:*", BEARER], Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),),
    "other/rival": EVERYTHING,
    **{f"aws-{name}": (allow(list(actions)),) for name, actions in MANAGED.items()},
    **{f"only-{name}": (allow([f"ecr-public:{name}", BEARER]),) for name in OPERATIONS},
    **{f"all-but-{name}": (allow(every_other(name)),) for name in OPERATIONS},
    **{f"denied-{name}": (*EVERYTHING, {"Effect": "Deny", "Action": f"ecr-public:{name}", "Resource": "*"}) for name in OPERATIONS},
}


@dataclass
class Site:
    gallery: Gallery
    expired: Key

    def send(self, door: str, headers: Mapping[str, str], body: bytes) -> Said:
        url = self.gallery.url if door == "port" else self.gallery.mirror.url
        return ask(f"{url}/", "POST", body=body, **headers)

    def ask(self, door: str, operation: str, key: Key | None, *, given: Any = None, ago: float = 0.0) -> Said:
        """One operation as somebody (``None``: without a signature), signed so many seconds ago."""
        host = HOST if door == "name" else self.gallery.url.partition("://")[2]
        body = json.dumps(sensible(operation, MISSING) if given is None else given).encode()
        moment = datetime.fromtimestamp(time.time() - ago, UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {"Host": host, "X-Amz-Target": TARGET + operation, "X-Amz-Date": moment, "Content-Type": "application/x-amz-json-1.1"}
        if key is not None:
            headers |= {"X-Amz-Security-Token": key.token} if key.token else {}
            headers["Authorization"] = signature(key, "ecr-public", REGION, headers, body)
        return self.send(door, headers, body)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    folder = tmp_path_factory.mktemp("matrix")
    (folder / "data.toml").write_text(SHORT_SESSIONS)
    with running_gallery(folder, users=USERS, settings='[data]\nfile = "data.toml"\n') as gallery:
        yield Site(gallery, session(gallery, folder, 1))


def session(gallery: Gallery, folder: Path, seconds: int) -> Key:
    """A session of the user who may do everything, that has ended."""
    where = {"UNHUB_SERVER": gallery.mirror.url, "UNHUB_TOKEN": gallery.mirror.token}
    made = unhub("admin", "key", "create", "everything", "--session", "short", "--seconds", str(seconds), "--json", cwd=folder, env=where)
    assert made.status == 0, made.err
    key = made.json["access_key"]
    time.sleep(seconds + 0.1)
    return Key(key["id"], key["secret"], key["session_token"])


ALLOWED = "allowed"
DENIED = "AccessDeniedException"
UNKNOWN = Key("AKIANOBODYKNOWS00000", "x" * 40)
SIGNED_WRONGLY: dict[str, tuple[Callable[[Site], Key | None], float, str]] = {
    "without a signature": (lambda _: None, 0, "MissingAuthenticationTokenException"),
    "with a key that nobody has": (lambda _: UNKNOWN, 0, "UnrecognizedClientException"),
    "with a wrong secret": (lambda site: Key(site.gallery.key("everything").id, "x" * 40), 0, "InvalidSignatureException"),
    "signed an hour ago": (lambda site: site.gallery.key("everything"), 3600, "InvalidSignatureException"),
    "signed an hour ahead": (lambda site: site.gallery.key("everything"), -3600, "InvalidSignatureException"),
    "in a session that has ended": (lambda site: site.expired, 0, "ExpiredTokenException"),
    "in a session without its token": (lambda site: Key(site.expired.id, site.expired.secret), 0, "UnrecognizedClientException"),
}


def on_repositories(operation: str) -> bool:
    return resource_of(f"ecr-public:{operation}") == "repository"


def wanted(operation: str) -> dict[str, str]:
    """What each user must be answered."""
    here = ALLOWED if on_repositories(operation) else DENIED
    return {
        "everything": ALLOWED,
        "nothing": DENIED,
        "no-sts": DENIED if operation == "GetAuthorizationToken" else ALLOWED,
        "elsewhere": DENIED,
        "right-here": here,
        "other-address": DENIED,
        f"only-{operation}": ALLOWED,
        f"all-but-{operation}": DENIED,
        f"denied-{operation}": DENIED,
        **{f"aws-{name}": ALLOWED if _covers(actions, operation) else DENIED for name, actions in MANAGED.items()},
    }


def _covers(actions: Sequence[str], operation: str) -> bool:
    return bool({"*", "ecr-public:*", f"ecr-public:{operation}"} & set(actions))


def outcome(said: Said) -> str:
    """Whether it was let through: then it was done, or refused for what it asks."""
    code = said.json.get("__type", "") if said.status != 200 else ""
    assert said.status in (200, 400), said.body
    is_about_who = code in {DENIED, *(row[2] for row in SIGNED_WRONGLY.values()), "IncompleteSignatureException"}
    return code if is_about_who else ALLOWED


@pytest.mark.parametrize("door", ["port", "name"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_for_those_who_sign_it_well(site: Site, door: str, operation: str) -> None:
    found = {row: outcome(site.ask(door, operation, key(site), ago=ago)) for row, (key, ago, _) in SIGNED_WRONGLY.items()}
    assert found == {row: code for row, (_, _, code) in SIGNED_WRONGLY.items()}


@pytest.mark.parametrize("door", ["port", "name"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_for_those_whose_policies_allow_it(site: Site, door: str, operation: str) -> None:
    table = wanted(operation)
    found = {user: outcome(site.ask(door, operation, site.gallery.key(user))) for user in table}
    assert found == table


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_denial_names_who_what_and_where_in_aws_s_words(site: Site, operation: str) -> None:
    kind = resource_of(f"ecr-public:{operation}")
    resource = {"repository": HERE, "registry": registry_arn(ACCOUNT)}.get(str(kind), "*")
    action = f"ecr-public:{operation}"

    def about(user: str) -> str:
        return f"User: arn:aws:iam::{ACCOUNT}:user/{user} is not authorized to perform: {action} on resource: {resource}"

    said = site.ask("port", operation, site.gallery.key("nothing")).json["message"]
    assert said == f"{about('nothing')} because no identity-based policy allows the {action} action"
    said = site.ask("port", operation, site.gallery.key(f"denied-{operation}")).json["message"]
    assert said == f"{about(f'denied-{operation}')} with an explicit deny in an identity-based policy"


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if "registryId" in MODEL.operation_model(name).input_shape.members])
def test_another_account_may_do_nothing_here_whatever_its_own_policies_say(site: Site, operation: str) -> None:
    rival = site.gallery.key("other/rival")
    said = site.ask("port", operation, rival, given={**sensible(operation, MISSING), "registryId": ACCOUNT})
    assert outcome(said) == DENIED
    assert outcome(site.ask("port", operation, rival)) == ALLOWED, "in its own registry it may"


def test_every_operation_is_in_one_of_the_tables_of_inputs() -> None:
    assert {name for name in OPERATIONS if on_repositories(name)} <= {*GIVEN, *BY_ARN, "DescribeRepositories"}


@pytest.mark.parametrize("door", ["port", "name"])
def test_sts_tells_everybody_with_a_key_who_he_is_and_nobody_else(site: Site, door: str) -> None:
    body = b"Action=GetCallerIdentity&Version=2011-06-15"

    def who(key: Key | None) -> Said:
        host = "sts.us-east-1.amazonaws.com" if door == "name" else site.gallery.url.partition("://")[2]
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {"Host": host, "X-Amz-Date": moment, "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        if key is not None:
            headers |= {"X-Amz-Security-Token": key.token} if key.token else {}
            headers["Authorization"] = signature(key, "sts", REGION, headers, body)
        return site.send(door, headers, body)

    said = who(site.gallery.key("nothing"))
    assert said.status == 200, "no policy is asked"
    assert f"<Arn>arn:aws:iam::{ACCOUNT}:user/nothing</Arn>".encode() in said.body
    refused = {"MissingAuthenticationToken": None, "InvalidClientTokenId": UNKNOWN, "ExpiredToken": site.expired}
    refused["SignatureDoesNotMatch"] = Key(site.gallery.key("nothing").id, "x" * 40)
    for code, key in refused.items():
        said = who(key)
        assert (said.status, f"<Code>{code}</Code>".encode() in said.body) == (403, True), (code, said.body)

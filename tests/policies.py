"""Reading the truth table of tests/golden/policy, and policies for property tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from unhub.aws.policy import Decision, Limit, Policies, Request, evaluate
from unhub.aws.policy_context import Context
from unhub.aws.policy_document import Kind, Policy, read_policy
from unhub.aws.policy_principals import Caller

TABLE = Path(__file__).parent / "golden" / "policy"
REPOSITORY = "arn:aws:ecr-public::123456789012:repository/app"


@dataclass(frozen=True)
class Row:
    """A line of an ``expected.txt``."""

    case: str
    line: int
    outcome: str
    action: str
    resource: str
    facts: tuple[str, ...]
    deciding: str

    def __str__(self) -> str:
        return f"{self.case}:{self.line}"


def rows() -> Iterator[Row]:
    for file in sorted(TABLE.glob("*/expected.txt")):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                request, _, deciding = line.partition(" -> ")
                outcome, action, resource, *facts = request.split()
                yield Row(file.parent.name, number, outcome, action, resource, tuple(facts), deciding.strip())


def policies(case: str) -> Policies:
    found = {name: _read(TABLE / case / f"{name}.json", kind) for name, kind in _KINDS.items()}
    boundary = found["boundary"]
    return Policies(found["policy"], found["repository"], (Limit("permissions boundary", boundary),) if boundary else ())


_KINDS = {"policy": Kind.IDENTITY, "repository": Kind.RESOURCE, "boundary": Kind.IDENTITY}


def _read(path: Path, kind: Kind) -> tuple[Policy, ...]:
    return (read_policy(path.read_bytes(), path.stem, kind),) if path.exists() else ()


def decide(row: Row) -> Decision:
    values: dict[str, list[str]] = {}
    for fact in row.facts:
        key, equals, value = fact.partition("=")
        if equals and key not in ("caller", "service"):
            values.setdefault(key, []).append(value)
    request = Request(row.action, row.resource, Context.of(values, complete="?" not in row.facts), _caller(row.facts))
    return evaluate(request, policies(row.case), cross_account="cross-account" in row.facts)


def _caller(facts: tuple[str, ...]) -> Caller | None:
    for fact in facts:
        key, _, value = fact.partition("=")
        names = tuple(value.split(","))
        if key == "caller":
            return Caller(names, names[0].split(":")[4] if names[0].startswith("arn:") else None)
        if key == "service":
            return Caller(names, kind="Service")
    return None


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> bytes:
    return json.dumps({"Version": version, "Statement": list(statements)}).encode()


# Policies by chance: few actions, resources and keys, so that statements often meet requests.

ACTIONS = st.sampled_from(["ecr-public:PutImage", "ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken", "s3:GetObject"])
RESOURCES = st.sampled_from([REPOSITORY, f"{REPOSITORY}-2", "*", "arn:aws:s3:::bucket/key"])
CALLERS = st.sampled_from(
    [
        None,
        Caller(("arn:aws:iam::123456789012:user/bob",), "123456789012"),
        Caller(("arn:aws:iam::123456789012:root",), "123456789012"),
        Caller(("arn:aws:sts::999999999999:assumed-role/ci/x", "arn:aws:iam::999999999999:role/ci"), "999999999999"),
        Caller(("codebuild.amazonaws.com",), kind="Service"),
    ]
)
VALUES = st.dictionaries(
    st.sampled_from(["aws:username", "aws:SourceIp", "aws:TagKeys"]), st.lists(st.sampled_from(["bob", "*", "10.0.0.1", "a"]), max_size=2)
)
CONTEXTS = st.builds(lambda values: Context.of({key: tuple(value) for key, value in values.items()}), VALUES)
REQUESTS = st.builds(Request, ACTIONS, RESOURCES, CONTEXTS, CALLERS)

_ACTION_PATTERNS = st.lists(
    st.sampled_from(["*", "ecr-public:*", "ECR-public:put?mage", "sts:Get*", "s3:GetObject", "ecr-public:PutImage"]), min_size=1, max_size=2
)
_RESOURCE_PATTERNS = st.lists(
    st.sampled_from(
        ["*", REPOSITORY, "arn:aws:ecr-public::*:repository/*", "arn:*", "arn:aws:ecr-public::123456789012:repository/${aws:username}"]
    ),
    min_size=1,
    max_size=2,
)
_CONDITIONS = st.dictionaries(
    st.sampled_from(["StringEquals", "StringNotLike", "ForAllValues:StringEquals", "ForAnyValue:StringLike", "StringEqualsIfExists"]),
    st.dictionaries(st.sampled_from(["aws:username", "AWS:TagKeys"]), st.sampled_from(["bob", "*", ["a", "${aws:username}"]]), min_size=1),
    max_size=2,
)
_PRINCIPALS = st.sampled_from(
    [
        "*",
        {"AWS": "123456789012"},
        {"AWS": ["arn:aws:iam::123456789012:user/bob", "arn:aws:iam::999999999999:role/ci"]},
        {"Service": "codebuild.amazonaws.com", "AWS": "arn:aws:iam::999999999999:root"},
    ]
)


@st.composite
def statements(draw: st.DrawFn, *, effect: str | None = None, principal: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {"Effect": effect or draw(st.sampled_from(["Allow", "Deny"]))}
    made[draw(st.sampled_from(["Action", "Action", "NotAction"]))] = draw(_ACTION_PATTERNS)
    if principal:
        opposite = made["Effect"] == "Deny" and draw(st.booleans())
        made["NotPrincipal" if opposite else "Principal"] = draw(_PRINCIPALS)
    if not principal or draw(st.booleans()):
        made[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(_RESOURCE_PATTERNS)
    conditions = draw(_CONDITIONS)
    return {**made, "Condition": conditions} if conditions else made


def identity(statements: list[dict[str, Any]]) -> Policy:
    return read_policy(document(*statements), "policy")


def resource(statements: list[dict[str, Any]]) -> Policy:
    return read_policy(document(*statements), "repository", Kind.RESOURCE)

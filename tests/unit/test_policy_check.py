"""Checking given policies: what is needed, what `aws` prints, known mistakes, and the words for a person."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.policies import REPOSITORY, document
from unhub.aws.least import Need, Use, least_policy, needs, repository_arn, statements_for
from unhub.aws.policy import Outcome
from unhub.aws.policy_check import Check, accounts_named, check
from unhub.aws.policy_sources import Given, Subject, collect
from unhub.data.iam import iam_knowledge, resource_of
from unhub.image.errors import InvalidPolicy, UsageError

LOGIN = ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"]
TOKEN = {"Effect": "Allow", "Action": LOGIN, "Resource": "*"}
TEXT = {"Version": "2012-10-17", "Statement": [TOKEN]}


def given(*values: Any, subject: Subject | None = None) -> Given:
    return collect([("p.json", json.dumps(value).encode()) for value in values], subject)


def checked(*statements: dict[str, Any], use: Use = Use.PULL, arn: str | None = None, **told: list[str]) -> Check:
    needed = needs(use, [arn] if arn else ())
    return check(collect([("p.json", document(*statements))]), needed, told)


def codes(done: Check) -> list[str]:
    return [mistake.code for mistake in done.mistakes]


# The least policy


def test_the_least_policy_is_the_article_s() -> None:
    assert least_policy(Use.PULL) == {"Version": "2012-10-17", "Statement": [TOKEN]}


def test_pushing_adds_five_actions_on_the_named_repositories_only() -> None:
    arns = [repository_arn("app", "123456789012"), repository_arn("team/web", "123456789012")]
    login, push = least_policy(Use.PUSH, arns)["Statement"]
    assert login == TOKEN
    assert push["Resource"] == arns
    assert [action.partition(":")[2] for action in push["Action"]] == [
        "BatchCheckLayerAvailability",
        "InitiateLayerUpload",
        "UploadLayerPart",
        "CompleteLayerUpload",
        "PutImage",
    ]
    assert least_policy(Use.PUSH)["Statement"][1]["Resource"] == "arn:aws:ecr-public::*:repository/*"


@pytest.mark.parametrize("use", list(Use))
def test_the_least_policy_allows_what_is_needed_and_each_action_is_needed(use: Use) -> None:
    policy = least_policy(use, [REPOSITORY])
    assert check(given(policy), needs(use, [REPOSITORY]), {}).allowed
    for statement in policy["Statement"]:
        for action in statement["Action"]:
            fewer = [{**one, "Action": [name for name in one["Action"] if name != action] or "s3:x"} for one in policy["Statement"]]
            done = check(given({**policy, "Statement": fewer}), needs(use, [REPOSITORY]), {})
            assert [result.need.action for result in done.results if not result.decision.allowed] == [action]


def test_every_action_that_is_needed_is_a_known_one_with_the_right_resource() -> None:
    for use in Use:
        for need in needs(use, [REPOSITORY]):
            assert resource_of(need.action) == ("*" if need.resource == "*" else "repository")
    assert resource_of("ECR-PUBLIC:putimage") == "repository"
    assert resource_of("s3:GetObject") is None


@pytest.mark.parametrize(
    ("name", "account", "arn"),
    [
        ("app", "123456789012", REPOSITORY),
        (REPOSITORY, None, REPOSITORY),
        (REPOSITORY, "999999999999", REPOSITORY),
        ("team/a-b_c.d", None, "arn:aws:ecr-public::*:repository/team/a-b_c.d"),
        ("team/*", None, "arn:aws:ecr-public::*:repository/team/*"),
    ],
)
def test_a_repository_has_an_arn_without_a_region(name: str, account: str | None, arn: str) -> None:
    assert repository_arn(name, account) == arn


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("App", None),
        ("app:1", None),
        ("", None),
        ("a//b", None),
        ("app", "12"),
        ("app", "1234-5678-9012"),
        ("arn:aws:ecr:us-east-1:1:repository/a", None),
    ],
)
def test_what_is_no_repository_is_refused(name: str, account: str | None) -> None:
    with pytest.raises(UsageError):
        repository_arn(name, account)


def test_statements_are_shared_by_actions_with_the_same_resources() -> None:
    made = statements_for([Need("a:X", "1"), Need("a:Y", "1"), Need("a:Y", "2"), Need("a:Z", "1")])
    assert made == [
        {"Effect": "Allow", "Action": ["a:X", "a:Z"], "Resource": "1"},
        {"Effect": "Allow", "Action": "a:Y", "Resource": ["1", "2"]},
    ]
    assert statements_for([]) == []


# What `aws` prints


def test_what_the_aws_commands_print_is_understood() -> None:
    role = {"RoleName": "ci", "PolicyName": "login", "PolicyDocument": TEXT}
    encoded = {"PolicyName": "login", "PolicyDocument": quote(json.dumps(TEXT))}
    plain = {"PolicyName": "login", "PolicyDocument": json.dumps(TEXT)}
    version = {"PolicyVersion": {"Document": TEXT, "VersionId": "v1", "IsDefaultVersion": True}}
    managed = "AmazonElasticContainerRegistryPublicReadOnly"
    attached = {"AttachedPolicies": [{"PolicyName": managed, "PolicyArn": f"arn:aws:iam::aws:policy/{managed}"}]}
    for value in (TEXT, role, encoded, plain, version, attached, [role], [[TEXT]]):
        found = given(value)
        assert check(found, needs(Use.PULL), {}).allowed, value
        assert found.mistakes == []
    assert given(role).identity[0].name == "login"


def test_documents_behind_each_other_count_together() -> None:
    halves = [{**TEXT, "Statement": {**TOKEN, "Action": action}} for action in LOGIN]
    together = "\n".join(json.dumps(half) for half in halves).encode()
    found = collect([("p.json", together)])
    assert check(found, needs(Use.PULL), {}).allowed
    assert [str(policy.statements[0].place) for policy in found.identity] == ["p.json:1:40", "p.json:2:40"]


def test_a_mistake_inside_of_a_document_as_text_is_found_there() -> None:
    with pytest.raises(InvalidPolicy) as caught:
        given({"PolicyDocument": '{"Statement": []}'})
    assert (caught.value.path, caught.value.line, caught.value.column) == ("p.json:1:20, inside the text", 1, 15)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ({"PolicyNames": ["a"]}, "aws iam get-role-policy"),
        ({"Policy": {"Arn": "arn:x", "DefaultVersionId": "v3"}}, "aws iam get-policy-version --policy-arn arn:x --version-id v3"),
        ({"Role": {"AssumeRolePolicyDocument": {}}}, "It says who may use the role"),
        ({"Foo": 1}, "A document has Version and Statement"),
        ({"PolicyVersion": {}}, None),
        ("text", None),
    ],
)
def test_other_output_is_refused_with_the_command_that_helps(value: Any, hint: str | None) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        given(value)
    assert caught.value.hint is None if hint is None else hint in (caught.value.hint or "")


def account(**boundary: Any) -> dict[str, Any]:
    """The details of an account with a user in a group, and a role."""
    return {
        "UserDetailList": [
            {
                "UserName": "bob",
                "Arn": "arn:aws:iam::123456789012:user/bob",
                "GroupList": ["builders"],
                "AttachedManagedPolicies": [{"PolicyName": "mine", "PolicyArn": "arn:aws:iam::123456789012:policy/mine"}],
                **boundary,
            }
        ],
        "GroupDetailList": [
            {"GroupName": "builders", "GroupPolicyList": [{"PolicyName": "g", "PolicyDocument": _half(0)}], "AttachedManagedPolicies": []},
            {"GroupName": "others", "GroupPolicyList": [{"PolicyName": "o", "PolicyDocument": {"Statement": {**TOKEN, "Effect": "Deny"}}}]},
        ],
        "RoleDetailList": [
            {
                "RoleName": "ci",
                "Arn": "arn:aws:iam::123456789012:role/ci",
                "RolePolicyList": [{"PolicyName": "r", "PolicyDocument": TEXT}],
            }
        ],
        "Policies": [
            {
                "PolicyName": "mine",
                "Arn": "arn:aws:iam::123456789012:policy/mine",
                "PolicyVersionList": [
                    {"Document": {"Statement": {**TOKEN, "Effect": "Deny"}}, "IsDefaultVersion": False},
                    {"Document": _half(1), "IsDefaultVersion": True},
                ],
            }
        ],
    }


def _half(number: int) -> dict[str, Any]:
    condition = {"StringEquals": {"aws:username": "bob", "aws:PrincipalArn": "arn:aws:iam::123456789012:user/bob"}}
    return {"Version": "2012-10-17", "Statement": {**TOKEN, "Action": LOGIN[number], "Condition": condition}}


def test_the_details_of_an_account_are_read_for_one_user_with_its_groups() -> None:
    found = given(account(), subject=Subject("user", "bob"))
    done = check(found, needs(Use.PULL), {})
    assert done.allowed
    assert sorted(policy.name for policy in found.identity) == ["g", "mine"]
    assert {one.key: one.value for one in done.assumptions} == {
        "aws:username": "bob",
        "aws:PrincipalArn": "arn:aws:iam::123456789012:user/bob",
    }


def test_the_details_of_an_account_are_read_for_one_role() -> None:
    found = given(account(), subject=Subject("role", "ci"))
    assert ([policy.name for policy in found.identity], str(found.subject)) == (["r"], "role ci")
    assert check(found, needs(Use.PULL), {}).allowed


def test_somebody_must_be_chosen_in_an_account_and_be_there() -> None:
    with pytest.raises(UsageError, match="role ci, user bob") as caught:
        given(account())
    assert caught.value.hint == "Say --role or --user"
    with pytest.raises(UsageError, match="cannot check role bob"):
        given(account(), subject=Subject("role", "bob"))
    alone = {**account(), "UserDetailList": []}
    assert str(given(alone).subject) == "role ci"


def test_a_permissions_boundary_counts() -> None:
    arn = {"PermissionsBoundary": {"PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/mine"}}
    done = check(given(account(**arn), subject=Subject("user", "bob")), needs(Use.PULL), {})
    first, second = done.results
    assert (first.decision.allowed, second.decision.allowed, first.decision.lacking) == (False, True, ("permissions boundary mine",))
    assert first.reasons == ("the permissions boundary mine does not allow it",)
    assert first.fix is not None
    assert first.fix.startswith("Add it to the permissions boundary mine, too: {")
    assert (done.missing, done.unseen) == ([], False)


def test_what_was_not_given_is_said() -> None:
    arn = {"PermissionsBoundary": {"PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/edge"}}
    done = check(given(account(**arn), subject=Subject("user", "bob")), needs(Use.PULL), {})
    assert (codes(done), done.unseen) == (["not-seen"], True)
    assert "aws iam get-policy --policy-arn arn:aws:iam::123456789012:policy/edge" in done.mistakes[0].fix
    private = "AmazonEC2ContainerRegistryReadOnly"
    other = given({"AttachedPolicies": [{"PolicyName": private, "PolicyArn": f"arn:aws:iam::aws:policy/{private}"}]})
    done = check(other, needs(Use.PULL), {})
    assert (codes(done), done.unseen, done.allowed) == (["private-policy"], False, False)
    named_alike = {"PolicyName": "AdministratorAccess", "PolicyArn": "arn:aws:iam::123456789012:policy/AdministratorAccess"}
    assert codes(check(given({"AttachedPolicies": [named_alike]}), needs(Use.PULL), {})) == ["not-seen"]


@pytest.mark.parametrize("row", iam_knowledge().managed, ids=lambda row: row.name)
def test_aws_s_own_policies_are_known(row: Any) -> None:
    attached = {"AttachedPolicies": [{"PolicyName": row.name, "PolicyArn": f"arn:aws:iam::aws:policy/{row.name}"}]}
    assert check(given(attached), needs(Use.PULL), {}).allowed
    pushes = check(given(attached), needs(Use.PUSH, [REPOSITORY]), {}).allowed
    assert pushes == (row.name != "AmazonElasticContainerRegistryPublicReadOnly")


# Mistakes


@pytest.mark.parametrize(
    ("statement", "code", "says"),
    [
        ({**TOKEN, "Resource": REPOSITORY}, "scoped-token", "has no resource"),
        (
            {**TOKEN, "Action": ["ecr-public:Get*", LOGIN[1]], "Resource": [REPOSITORY]},
            "scoped-token",
            "GetAuthorizationToken is allowed on",
        ),
        ({**TOKEN, "Condition": {"StringEquals": {"STS:AWSServiceName": "ecr-public.amazonaws.com"}}}, "doubted-condition", "unverified"),
        ({**TOKEN, "Action": "ecr:GetAuthorizationToken"}, "private-action", "is about private ECR"),
        ({**TOKEN, "Action": "ecr:Get*"}, "private-action", "is about private ECR"),
        ({**TOKEN, "Action": LOGIN[0]}, "no-bearer-token", "the login needs both"),
        (
            {**TOKEN, "Action": "ecr-public:PutImage", "Resource": "arn:aws:ecr-public:us-east-1:123456789012:repository/app"},
            "wrong-arn",
            "no region",
        ),
        ({**TOKEN, "Action": "ecr-public:PutImage", "Resource": "arn:aws:ecr-public:::repository/app"}, "wrong-arn", "three colons"),
        (
            {**TOKEN, "Action": "ecr-public:PutImage", "Resource": "arn:aws-cn:ecr-public::123456789012:repository/app"},
            "wrong-arn",
            "partition",
        ),
        (
            {**TOKEN, "Action": "ecr-public:PutImage", "Resource": f"{REPOSITORY.replace('app', 'public.ecr.aws/x/app')}"},
            "wrong-arn",
            "alias",
        ),
        ({**TOKEN, "Action": "ecr-public:PutImage", "Resource": "arn:aws:ecr-public::123456789012:app"}, "wrong-arn", "neither repository"),
        (
            {**TOKEN, "Action": "ecr-public:PutImage", "Resource": "arn:aws:ecr:us-east-1:123456789012:repository/app"},
            "wrong-arn",
            "private ECR",
        ),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "allow-not-action", "every action of AWS but iam:*"),
        ({**TOKEN, "Action": "*"}, "too-wide", "allows everything"),
        ({**TOKEN, "Action": ["ECR-public:*", LOGIN[1]]}, "too-wide", "delete images"),
        ({**TOKEN, "Action": [*LOGIN, "ecr-public:PutImages"]}, "unknown-action", "no action of ECR Public is called ecr-public:PutImages"),
        ({**TOKEN, "Action": [*LOGIN, "ecr-public:GetServiceBearerToken"]}, "unknown-action", "belongs to sts"),
        ({**TOKEN, "Action": [*LOGIN, "sts:GetAuthorizationToken"]}, "unknown-action", "belongs to ecr-public"),
    ],
)
def test_known_mistakes_are_found(statement: dict[str, Any], code: str, says: str) -> None:
    done = checked(statement)
    assert codes(done) == [code] * len(done.mistakes)
    assert says in done.mistakes[0].says
    assert all(mistake.fix and mistake.place.line == 1 for mistake in done.mistakes)


def test_misspelt_actions_get_a_suggestion() -> None:
    fixes = [mistake.fix for mistake in checked({**TOKEN, "Action": [*LOGIN, "ecr-public:PutImages", "ecr-public:Xyzzy"]}).mistakes]
    assert fixes == ["Write ecr-public:PutImage", "`unhub iam-policy` prints the actions that are needed"]


def test_variables_in_the_old_version_are_said_to_be_dead() -> None:
    data = document({**TOKEN, "Resource": ["*", "arn:aws:s3:::${aws:username}"]}, version="2008-10-17")
    assert codes(check(collect([("p", data)]), needs(Use.PULL), {})) == ["dead-variable"]


@pytest.mark.parametrize(
    "statements",
    [
        [TOKEN],
        [TOKEN, {**TOKEN, "Action": ["ecr:GetAuthorizationToken", "ecr:BatchGetImage"]}],
        [TOKEN, {**TOKEN, "Action": "ecr-public:*", "Resource": [REPOSITORY, "arn:aws:ecr-public::*:*"]}],
        [TOKEN, {**TOKEN, "Action": "ecr-public:Describe*"}, {**TOKEN, "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::1:role/x"}],
        [TOKEN, {**TOKEN, "Effect": "Deny", "Resource": REPOSITORY}],
        [TOKEN, {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}],
        [TOKEN, {"Effect": "Allow", "Action": "ecr-public:Get*", "NotResource": REPOSITORY}],
        [TOKEN, {**TOKEN, "Action": "ecr:GetAuthorizationToken", "Resource": "arn:aws:ecr:us-east-1:123456789012:repository/app"}],
    ],
)
def test_what_is_right_is_left_alone(statements: list[dict[str, Any]]) -> None:
    done = checked(*statements)
    assert (codes(done), done.allowed) == ([], True)


# Words


def test_an_allowed_action_names_the_statement_and_its_place() -> None:
    done = check(given({"PolicyName": "login", "PolicyDocument": {"Statement": {"Sid": "Mine", **TOKEN}}}), needs(Use.PULL), {})
    assert [result.reasons for result in done.results] == [('statement 1 "Mine" of login (p.json:1:57)',)] * 2
    assert [result.fix for result in done.results] == [None, None]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ({**TOKEN, "Action": "s3:*"}, "no statement allows it"),
        ({**TOKEN, "Resource": REPOSITORY}, f"names it, but on {REPOSITORY}: the action has no resource, and is allowed on * only"),
        ({"Effect": "Allow", "NotAction": ["s3:*", "ecr-public:*", "*"], "Resource": "*"}, "leaves it out by NotAction ecr-public:*, *"),
        (
            {**TOKEN, "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}},
            "names it, but only if StringEquals aws:RequestedRegion eu-west-1 (here it is us-east-1)",
        ),
    ],
)
def test_a_near_miss_is_explained(statement: dict[str, Any], reason: str) -> None:
    result = checked(statement).results[0]
    assert result.decision.outcome is Outcome.IMPLICIT_DENY
    assert result.reasons[0].endswith(reason)
    assert result.fix == 'Add {"Effect": "Allow", "Action": "ecr-public:GetAuthorizationToken", "Resource": "*"}'


def test_a_repository_out_of_reach_is_explained() -> None:
    push = {"Effect": "Allow", "Action": "ecr-public:*", "Resource": REPOSITORY}
    (*_, last) = checked(TOKEN, push, use=Use.PUSH, arn=f"{REPOSITORY}-2").results
    assert last.reasons == (f"statement 2 (p.json:1:156) names it, but only on {REPOSITORY}",)
    without = {"Effect": "Allow", "Action": "ecr-public:*", "NotResource": REPOSITORY}
    (*_, last) = checked(TOKEN, without, use=Use.PUSH, arn=REPOSITORY).results
    assert last.reasons[0].endswith(f"leaves {REPOSITORY} out by NotResource {REPOSITORY}")


def test_a_deny_is_named_and_said_to_win() -> None:
    unless = {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}
    done = checked(TOKEN, {"Sid": "Region", "Effect": "Deny", "NotAction": "s3:*", "Resource": "*", "Condition": unless})
    result = done.results[0]
    assert result.decision.outcome is Outcome.EXPLICIT_DENY
    assert 'statement 2 "Region"' in result.reasons[0]
    assert "by NotAction, being none of s3:*, since StringNotEquals aws:RequestedRegion eu-west-1" in result.reasons[0]
    assert "a Deny beats every Allow" in result.reasons[0]
    assert "adding an Allow does not help" in (result.fix or "")
    assert done.missing == []
    assert [(one.key, one.value) for one in done.assumptions] == [("aws:RequestedRegion", "us-east-1")]


def test_a_condition_on_what_nobody_knows_is_left_open_until_it_is_told() -> None:
    office = {**TOKEN, "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}
    result = checked(office).results[0]
    assert (result.decision.outcome, result.fix) == (Outcome.DEPENDS, "Say what the request has: --context aws:SourceIp=VALUE")
    assert result.reasons[0].endswith("allows it only if IpAddress aws:SourceIp 203.0.113.0/24")
    deny = {**TOKEN, "Effect": "Deny", "Condition": {"Null": {"aws:SourceVpc": "true"}}}
    assert "denies it only if Null aws:SourceVpc true" in checked(TOKEN, deny).results[0].reasons[0]
    assert checked(TOKEN, deny, **{"aws:SourceVpc": ["vpc-1"]}).allowed
    assert checked(TOKEN, deny, **{"aws:SourceVpc": []}).results[0].decision.outcome is Outcome.EXPLICIT_DENY
    assert checked(office, **{"AWS:sourceip": ["203.0.113.9"]}).allowed
    told = checked(office, **{"aws:SourceIp": ["198.51.100.9"]})
    assert told.results[0].decision.outcome is Outcome.IMPLICIT_DENY
    assert [(one.key, one.value, one.says) for one in told.assumptions] == [("aws:SourceIp", "198.51.100.9", "as --context says")]
    own = {**TOKEN, "Action": "ecr-public:PutImage", "Resource": "arn:aws:ecr-public::123456789012:repository/${aws:username}"}
    variable = checked(own, use=Use.PUSH, arn=REPOSITORY)
    assert variable.results[-1].reasons[0].endswith("only if its resource is the one that is meant")


def test_what_is_told_goes_before_what_is_assumed() -> None:
    only = {**TOKEN, "Condition": {"StringEquals": {"aws:RequestedRegion": "us-west-2"}}}
    assert not checked(only).allowed
    assert checked(only, **{"AWS:RequestedRegion": ["us-west-2"]}).allowed


def test_the_account_of_the_repositories_is_found_in_the_policies() -> None:
    push = {"Effect": "Allow", "Action": "ecr-public:*", "Resource": [REPOSITORY, f"{REPOSITORY}-2", "arn:aws:s3:::b", "*"]}
    other = {**push, "Resource": "arn:aws:ecr-public:us-east-1:999999999999:repository/x"}
    assert accounts_named(collect([("p", document(push))]).identity) == ["123456789012"]
    assert accounts_named(collect([("p", document(push, other))]).identity) == ["123456789012", "999999999999"]
    assert accounts_named(collect([("p", document(TOKEN))]).identity) == []

"""The policy in every form is the same document: YAML, HCL and TypeScript are read back and compared."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
import tree_sitter_hcl
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from tree_sitter import Language, Node, Parser

from unhub.aws.least import Use, least_policy, repository_arn
from unhub.aws.renderings import cdk, cloudformation, commands, json_document, terraform
from unhub.aws.renderings.grant import Grant, holder
from unhub.aws.trust import ACCOUNT_PLACEHOLDER, parse_trusted, trust_policy
from unhub.image.errors import UsageError

PUSH = least_policy(Use.PUSH, [repository_arn("app", "123456789012"), repository_arn("team/web", "123456789012")])
ODD = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::${aws:username}/%{x}", 'a "quoted" \\ text', "# no comment", "yes", "1", "a: b", "- c", "é", "'"],
            "Condition": {"StringLike": {"aws:PrincipalTag/${x}": ["*", "null"]}},
        }
    ],
}
HOLDERS = [None, holder("role", "ci"), holder("user", "bob"), holder("codebuild", "web")]


def grants(policy: dict[str, Any]) -> list[Grant]:
    plain = [Grant("unhub-ecr-public-push", policy, one) for one in HOLDERS]
    trusted = parse_trusted("github:octo/app", ["main"])
    return [*plain, *(Grant("p", policy, one, trusted, trust_policy(trusted)) for one in HOLDERS[:2])]


def named(grant: Grant) -> str:
    return f"{grant.holder.kind if grant.holder else 'nobody'}{'-trust' if grant.trust else ''}"


BOTH = pytest.mark.parametrize("grant", [*grants(PUSH), *grants(ODD)], ids=named)


# CloudFormation


def read_yaml(text: str) -> Any:
    """YAML with CloudFormation's tags; ``!Sub`` becomes what the account's number would make of it."""
    yaml = YAML(typ="safe", pure=True)
    yaml.constructor.add_constructor("!Sub", lambda _, node: _substituted(node))
    return yaml.load(io.StringIO(text))


def _substituted(node: ScalarNode) -> str:
    return node.value.replace("${AWS::AccountId}", ACCOUNT_PLACEHOLDER)


def documents(value: Any) -> list[Any]:
    """Every policy document in a structure, in its order."""
    if isinstance(value, dict):
        return [value] if "Statement" in value else [one for member in value.values() for one in documents(member)]
    return [one for item in value for one in documents(item)] if isinstance(value, list) else []


@BOTH
def test_the_template_holds_the_documents(grant: Grant) -> None:
    read = read_yaml(cloudformation.render(grant))
    expected = [grant.trust, grant.policy] if grant.trust else [grant.policy]
    assert documents(read) == expected
    assert read == cloudformation.template(grant)


def test_the_template_gives_the_policy_to_whom_it_is_for() -> None:
    def properties(one: Grant) -> tuple[str, dict[str, Any]]:
        (resource,) = read_yaml(cloudformation.render(one))["Resources"].values()
        return resource["Type"], {
            key: value for key, value in resource["Properties"].items() if "Document" not in key and key != "Policies"
        }

    nobody, role, user, codebuild, trust, trust_role = grants(PUSH)
    assert properties(nobody) == ("AWS::IAM::ManagedPolicy", {"ManagedPolicyName": "unhub-ecr-public-push"})
    assert properties(role) == ("AWS::IAM::Policy", {"PolicyName": "unhub-ecr-public-push", "Roles": ["ci"]})
    assert properties(user) == ("AWS::IAM::Policy", {"PolicyName": "unhub-ecr-public-push", "Users": ["bob"]})
    assert properties(codebuild) == ("AWS::IAM::Policy", {"PolicyName": "unhub-ecr-public-push", "Roles": [{"Ref": "ServiceRole"}]})
    assert list(read_yaml(cloudformation.render(codebuild))["Parameters"]) == ["ServiceRole"]
    assert properties(trust) == ("AWS::IAM::Role", {})
    assert properties(trust_role) == ("AWS::IAM::Role", {"RoleName": "ci"})


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12) | st.sampled_from(
    ["on", "NO", "~", "1.0", "a:b", "a #b", "::", "<<"]
)
STRUCTURES = st.recursive(
    TEXTS,
    lambda one: (
        st.lists(one.filter(lambda item: not isinstance(item, list)), min_size=1, max_size=3)
        | st.dictionaries(TEXTS, one, min_size=1, max_size=3)
    ),
    max_leaves=6,
)


@given(STRUCTURES)
def test_any_text_survives_in_yaml(value: Any) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{"Condition": {"k": value}}]}
    assert documents(read_yaml(cloudformation.render(Grant("p", policy)))) == [policy]


# Terraform


def read_hcl(text: str) -> Node:
    tree = Parser(Language(tree_sitter_hcl.language())).parse(text.encode())
    assert not tree.root_node.has_error, text
    return tree.root_node


def nodes(node: Node, kind: str) -> list[Node]:
    return ([node] if node.type == kind else []) + [one for child in node.named_children for one in nodes(child, kind)]


def value_of(node: Node) -> Any:
    """What Terraform makes of an expression of texts, objects and lists."""
    assert node.text is not None
    match node.type:
        case "object":
            return {
                value_of(element.named_children[0]): value_of(element.named_children[1])
                for element in node.named_children
                if element.type == "object_elem"
            }
        case "tuple":
            return [value_of(item) for item in node.named_children if item.type == "expression"]
        case "string_lit" | "quoted_template":
            text = node.text.decode().replace("${data.aws_caller_identity.current.account_id}", ACCOUNT_PLACEHOLDER)
            return json.loads(text.replace("$${", "${").replace("%%{", "%{"))
        case "identifier" | "variable_expr":
            return node.text.decode()
        case _:
            (only,) = [
                child for child in node.named_children if child.type not in ("object_start", "object_end", "tuple_start", "tuple_end")
            ]
            return value_of(only)


@BOTH
def test_the_terraform_holds_the_documents(grant: Grant) -> None:
    calls = nodes(read_hcl(terraform.render(grant)), "function_call")
    assert [call.named_children[0].text for call in calls] == [b"jsonencode"] * len(calls)
    found = [value_of(nodes(call, "function_arguments")[0]) for call in calls]
    assert found == ([grant.trust, grant.policy] if grant.trust else [grant.policy])


def test_the_terraform_gives_the_policy_to_whom_it_is_for() -> None:
    def resources(one: Grant) -> list[str]:
        return re.findall(r'^(?:resource|data|variable) "(\w+)"', terraform.render(one), re.MULTILINE)

    nobody, role, user, codebuild, trust, trust_role = grants(PUSH)
    assert [resources(one) for one in (nobody, role, user)] == [["aws_iam_policy"], ["aws_iam_role_policy"], ["aws_iam_user_policy"]]
    assert resources(codebuild) == ["service_role", "aws_iam_role_policy"]
    assert resources(trust) == ["aws_caller_identity", "aws_iam_role", "aws_iam_role_policy"]
    assert '  user = "bob"' in terraform.render(user)
    assert '  name = "ci"' in terraform.render(trust_role)
    known = trust_policy(parse_trusted("github:octo/app"), "123456789012")
    assert resources(Grant("p", PUSH, None, trust.trusted, known)) == ["aws_iam_role", "aws_iam_role_policy"]


# CDK: no TypeScript is run here; the objects in it are JSON but for the account


@BOTH
def test_the_cdk_snippet_holds_the_documents(grant: Grant) -> None:
    text = re.sub(r"`([^`]*)`", lambda found: json.dumps(found[1].replace("${this.account}", ACCOUNT_PLACEHOLDER)), cdk.render(grant))
    decoder, found = json.JSONDecoder(), []
    for start in re.finditer(r"(?:fromJson\(|Document: |of )(?=[\[{])", text):
        found.append(decoder.raw_decode(text, start.end())[0])
    found = [{**grant.policy, "Statement": one} if isinstance(one, list) else one for one in found]
    assert found == ([grant.trust, grant.policy] if grant.trust else [grant.policy])
    assert text.count("{") == text.count("}")
    assert text.count("(") == text.count(")")


def test_the_cdk_snippet_gives_the_policy_to_whom_it_is_for() -> None:
    nobody, role, user, codebuild, trust, trust_role = (cdk.render(one) for one in grants(PUSH))
    assert "new iam.ManagedPolicy(this" in nobody
    assert "iam.Role.fromRoleName(this, 'Role', \"ci\")" in role
    assert "user.attachInlinePolicy(new iam.Policy(this" in user
    assert "project.addToRolePolicy(iam.PolicyStatement.fromJson(statement))" in codebuild
    assert "new iam.CfnRole(this" in trust
    assert "roleName" not in trust
    assert '  roleName: "ci",' in trust_role


# JSON and commands


def test_json_is_the_trust_policy_where_one_is_wanted() -> None:
    nobody, *_, trust, _ = grants(PUSH)
    assert json.loads(json_document.render(nobody)) == PUSH
    assert json.loads(json_document.render(trust)) == trust.trust
    with pytest.raises(ValueError, match="no command"):
        commands.commands(nobody)


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("role", "arn:aws:iam::123456789012:role/service-role/ci", "ci"),
        ("user", "a.b+c=d@e,f_g-h", "a.b+c=d@e,f_g-h"),
        ("codebuild", "My-web_1", "My-web_1"),
    ],
)
def test_a_holder_is_named_as_aws_names_it(kind: str, name: str, expected: str) -> None:
    assert holder(kind, name).name == expected


@pytest.mark.parametrize(
    ("kind", "name"), [("role", "a b"), ("user", "x;rm"), ("codebuild", "a.b"), ("role", ""), ("role", "a" * 65), ("codebuild", "$(x)")]
)
def test_a_name_that_aws_would_refuse_is_refused(kind: str, name: str) -> None:
    with pytest.raises(UsageError, match="no name of a"):
        holder(kind, name)


# Trust


def test_a_github_repository_is_trusted_with_its_audience_and_subject() -> None:
    (statement,) = trust_policy(parse_trusted("github:octo-org/app.js"), "123456789012")["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
            "StringLike": {"token.actions.githubusercontent.com:sub": "repo:octo-org/app.js:*"},
        },
    }


def test_branches_and_environments_are_alternatives_and_exact_where_they_can_be() -> None:
    trusted = parse_trusted("github:o/r", ["main", "release/*"], ["production"])
    exact, like = trust_policy(trusted)["Statement"]
    key = "token.actions.githubusercontent.com:sub"
    assert exact["Condition"]["StringEquals"][key] == ["repo:o/r:ref:refs/heads/main", "repo:o/r:environment:production"]
    assert like["Condition"]["StringLike"] == {key: "repo:o/r:ref:refs/heads/release/*"}
    assert like["Condition"]["StringEquals"] == {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}


def test_a_gitlab_may_be_one_s_own() -> None:
    (statement,) = trust_policy(parse_trusted("gitlab:group/sub/app", ["main"]))["Statement"]
    assert statement["Condition"]["StringEquals"] == {
        "gitlab.com:aud": "https://gitlab.com",
        "gitlab.com:sub": "project_path:group/sub/app:ref_type:branch:ref:main",
    }
    (own,) = trust_policy(parse_trusted("gitlab@git.example.com:g/p"))["Statement"]
    assert own["Principal"]["Federated"].endswith(":oidc-provider/git.example.com")
    assert own["Condition"] == {
        "StringEquals": {"git.example.com:aud": "https://git.example.com"},
        "StringLike": {"git.example.com:sub": "project_path:g/p:*"},
    }


@pytest.mark.parametrize(
    ("text", "branches", "environments"),
    [
        ("github", [], []),
        ("github:", [], []),
        ("github:org", [], []),
        ("github:org/*", [], []),
        ("github:o/r/x", [], []),
        ("github@ghe.example.com:o/r", [], []),
        ("gitlab@:g/p*", [], []),
        ("gitlab@bad host:g/p", [], []),
        ("bitbucket:o/r", [], []),
        ("github:o/r", ["a b"], []),
        ("github:o/r", [], ['"']),
        ("gitlab:g/p", [], ["production"]),
    ],
)
def test_what_would_trust_strangers_is_refused(text: str, branches: list[str], environments: list[str]) -> None:
    with pytest.raises(UsageError, match="cannot trust"):
        parse_trusted(text, branches, environments)


def test_a_trust_policy_lets_its_branch_in_and_nobody_else() -> None:
    """Evaluated as a role's policy is, with the claims of a token as AWS passes them on."""
    from unhub.aws.policy import Policies, Request, evaluate
    from unhub.aws.policy_context import Context
    from unhub.aws.policy_document import Kind, read_policy
    from unhub.aws.policy_principals import Caller

    host = "token.actions.githubusercontent.com"
    text = json.dumps(trust_policy(parse_trusted("github:o/r", ["main", "rel/*"]), "123456789012")).encode()
    policy = read_policy(text, "trust", Kind.TRUST)
    caller = Caller((f"arn:aws:iam::123456789012:oidc-provider/{host}",), kind="Federated")

    def lets_in(subject: str, audience: str = "sts.amazonaws.com") -> bool:
        context = Context.of({f"{host}:sub": subject, f"{host}:aud": audience})
        request = Request("sts:AssumeRoleWithWebIdentity", "arn:aws:iam::123456789012:role/ci", context, caller)
        return evaluate(request, Policies(resource=(policy,))).allowed

    assert lets_in("repo:o/r:ref:refs/heads/main")
    assert lets_in("repo:o/r:ref:refs/heads/rel/1")
    assert not lets_in("repo:o/r:ref:refs/heads/main", "https://github.com/o")
    for other in (
        "repo:o/r:ref:refs/heads/main2",
        "repo:o/r:pull_request",
        "repo:evil/r:ref:refs/heads/main",
        "repo:o/r:ref:refs/heads/rel",
    ):
        assert not lets_in(other)

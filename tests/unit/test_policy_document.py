"""Policy documents: what is refused, where, and what comes back when one is written again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policies import document, statements
from unhub.aws.json_places import Json, Number, Place, parse
from unhub.aws.policy_document import Effect, Kind, Patterns, Policy, as_json, policy_of, read_policy
from unhub.aws.policy_principals import Principals
from unhub.image.errors import InvalidPolicy

ALLOW = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


def refused(data: bytes, kind: Kind = Kind.IDENTITY) -> str:
    """``line:column reason`` of the error."""
    with pytest.raises(InvalidPolicy) as caught:
        read_policy(data, "p.json", kind)
    error = caught.value
    assert (error.path, error.exit_status, error.code) == ("p.json", 3, "invalid-policy")
    assert error.message == f"cannot read the policy p.json:{error.line}:{error.column}: {error.reason}"
    return f"{error.line}:{error.column} {error.reason}"


def test_a_document_is_read_with_the_place_of_each_statement() -> None:
    data = b"""{
  "Version": "2012-10-17", "Id": "mine",
  "Statement": [
    {"Sid": "One", "Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    {"Effect": "Deny", "NotAction": ["sts:*", "s3:Get*"], "NotResource": "arn:aws:s3:::b",
     "Condition": {"bool": {"aws:SecureTransport": [false, true]}, "NumericLessThan": {"k": [1.50, "2"]}}}
  ]
}"""
    policy = read_policy(data, "p.json")
    one, two = policy.statements
    assert (policy.version, policy.id, policy.variables) == ("2012-10-17", "mine", True)
    assert (str(one), str(one.place), one.effect, one.action) == ('statement 1 "One"', "p.json:4:5", Effect.ALLOW, Patterns(("s3:*",)))
    assert (str(two), str(two.place), two.effect, two.number) == ("statement 2", "p.json:5:5", Effect.DENY, 2)
    assert two.action == Patterns(("sts:*", "s3:Get*"), excluded=True)
    assert two.resource == Patterns(("arn:aws:s3:::b",), excluded=True)
    assert [str(condition) for condition in two.conditions] == ["Bool aws:SecureTransport false, true", "NumericLessThan k 1.50, 2"]
    assert [str(condition.place) for condition in two.conditions] == ["p.json:6:29", "p.json:6:88"]


def test_one_statement_needs_no_list_and_no_version_means_the_old_one() -> None:
    policy = read_policy(json.dumps({"Statement": ALLOW}).encode(), "p.json")
    assert (policy.version, policy.variables, len(policy.statements)) == ("2008-10-17", False, 1)


def test_a_byte_order_mark_and_windows_line_ends_are_no_trouble() -> None:
    data = b"\xef\xbb\xbf" + json.dumps({"Statement": [ALLOW]}, indent=1).encode().replace(b"\n", b"\r\n")
    assert str(read_policy(data, "p.json").statements[0].place) == "p.json:3:3"


def test_columns_are_counted_in_characters() -> None:
    data = '{"Version": "2012-10-17", "Id": "ä€😀", "Statement": [1]}'.encode()
    assert refused(data) == "1:54 an object is wanted here"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1:1 it is empty"),
        (" \n ", "1:1 it is empty"),
        ("{", "1:2 it is not JSON: Expecting property name enclosed in double quotes"),
        ('{"a": 1,}', "1:8 it is not JSON: Illegal trailing comma before end of object"),
        ('{\n "a": // b\n 1}', "2:7 it is not JSON: Expecting value"),
        ('{\n "a": NaN}', "1:1 it is not JSON: NaN is no number"),
        ("[" * 100 + "]" * 100, "1:65 lists and objects are nested too deep"),
        ("[" * 100_000, "1:1 lists and objects are nested too deep"),
        ('{"Statement": [],\n "Statement": []}', "2:2 the key 'Statement' stands here a second time"),
        ("{} \n{}", "2:1 a second document begins here"),
        ("[]", "1:1 an object is wanted here"),
        ('"x"', "1:1 an object is wanted here"),
        ("{}", "1:1 the document has no Statement"),
        ('{"Statement": []}', "1:15 the list of statements is empty"),
        ('{"statement": []}', "1:2 there is no element 'statement' in a policy document"),
        ('{"Version": "2012-10-18", "Statement": {}}', "1:13 there is no version '2012-10-18'"),
        ('{"Version": 1, "Statement": {}}', "1:13 a text is wanted here"),
        ('{"Id": [], "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}', "1:8 a text is wanted here"),
    ],
)
def test_what_is_no_document_is_refused_with_its_place(text: str, told: str) -> None:
    said = refused(text.encode())
    if "not JSON: " in told and "NaN" not in told:  # Python's own words differ between its versions
        said, told = said.partition("JSON: ")[0], told.partition("JSON: ")[0]
        assert said.split(":")[0] == told.split(":")[0]
        return
    assert said == told


def test_bytes_that_are_no_text_are_refused() -> None:
    assert refused(b'{"a": "\xff"}') == "1:1 it is not UTF-8 at byte 8"


@pytest.mark.parametrize(
    ("change", "there", "told"),
    [
        ({"Effect": None}, '{"Action": "s3', "the statement has no Effect. Allow or Deny"),
        ({"Effect": "allow"}, '"allow", "Acti', "there is no Effect 'allow'. Allow or Deny; case counts"),
        (
            {"Efect": "Allow"},
            '"Efect": "Allo',
            "there is no element 'Efect' in a statement. Known are Action, Condition, Effect, NotAction, NotPrincipal, NotResource, "
            "Principal, Resource, Sid",
        ),
        ({"Action": None}, '{"Effect": "Al', "the statement has neither Action nor NotAction"),
        ({"NotAction": "s3:*"}, '"NotAction": "', "the statement has both Action and NotAction. Keep one of them"),
        ({"NotResource": "*"}, '"NotResource":', "the statement has both Resource and NotResource. Keep one of them"),
        ({"Resource": None}, '{"Effect": "Al', "the statement has neither Resource nor NotResource"),
        ({"Action": []}, '[], "Resource"', "the list is empty"),
        ({"Action": [[]]}, '[]], "Resource', "a text is wanted here"),
        (
            {"Action": "PutImage"},
            '"PutImage", "R',
            "'PutImage' is no action. An action reads service:Name, such as ecr-public:PutImage, or *",
        ),
        (
            {"Action": "ecr-public:"},
            '"ecr-public:",',
            "'ecr-public:' is no action. An action reads service:Name, such as ecr-public:PutImage, or *",
        ),
        (
            {"Action": "ecr*:PutImage"},
            '"ecr*:PutImage',
            "'ecr*:PutImage' is no action. An action reads service:Name, such as ecr-public:PutImage, or *",
        ),
        (
            {"Action": "ecr-public:Put Image"},
            '"ecr-public:Pu',
            "'ecr-public:Put Image' is no action. An action reads service:Name, such as ecr-public:PutImage, or *",
        ),
        ({"Resource": "app"}, '"app"}]}', "'app' is no resource. A resource is an ARN, or *"),
        ({"Resource": "**"}, '"**"}]}', "'**' is no resource. A resource is an ARN, or *"),
        (
            {"Resource": "arn:aws:s3:::${aws:username"},
            '"arn:aws:s3:::',
            "a variable in 'arn:aws:s3:::${aws:username' is misspelt. A variable reads ${aws:username}",
        ),
        (
            {"Resource": "arn:aws:s3:::${}"},
            '"arn:aws:s3:::',
            "a variable in 'arn:aws:s3:::${}' is misspelt. A variable reads ${aws:username}",
        ),
        ({"Sid": 1}, "1}]}", "a text is wanted here"),
        (
            {"Principal": "*"},
            '"Principal": "',
            "an identity policy names no Principal. It is about whoever it is attached to. "
            "With a Principal this is a role's trust policy, or a repository's",
        ),
        (
            {"NotPrincipal": "*"},
            '"NotPrincipal"',
            "an identity policy names no Principal. It is about whoever it is attached to. "
            "With a Principal this is a role's trust policy, or a repository's",
        ),
        ({"Condition": []}, "[]}]}", "an object is wanted here"),
        ({"Condition": {"StringEquals": 1}}, "1}}]}", "an object is wanted here"),
        ({"Condition": {"StringMatches": {"k": "v"}}}, '"StringMatches', "there is no condition operator 'StringMatches'"),
        (
            {"Condition": {"NullIfExists": {"k": "true"}}},
            '"NullIfExists"',
            "Null asks whether the key exists: it takes no IfExists and no ForAllValues or ForAnyValue",
        ),
        ({"Condition": {"StringEquals": {"k": []}}}, "[]}}}]}", "StringEquals has no values to compare with"),
        ({"Condition": {"StringEquals": {"k": None}}}, "null}}}]}", "a text, a number, true or false is wanted here"),
        ({"Condition": {"StringEquals": {"k": [{}]}}}, "{}]}}}]}", "a text, a number, true or false is wanted here"),
        (
            {"Condition": {"StringEquals": {"aws:K": "1", "AWS:k": "1"}}},
            '"AWS:k": "1"}}',
            "the key 'AWS:k' stands here a second time in other letters. Case does not count in keys",
        ),
        ({"Condition": {"StringEquals": {"k": "${x"}}}, '"${x"}}}]}', "a variable in '${x' is misspelt. A variable reads ${aws:username}"),
        ({"Condition": {"NumericEquals": {"k": "ten"}}}, '"ten"}}}]}', "NumericEquals compares with a number, and 'ten' is none"),
        ({"Condition": {"NumericEquals": {"k": "1e3"}}}, '"1e3"}}}]}', "NumericEquals compares with a number, and '1e3' is none"),
        ({"Condition": {"NumericEquals": {"k": "${n}"}}}, '"${n}"}}}]}', "NumericEquals compares with a number, and '${n}' is none"),
        ({"Condition": {"DateLessThan": {"k": "soon"}}}, '"soon"}}}]}', "DateLessThan compares with a date, and 'soon' is none"),
        (
            {"Condition": {"DateLessThan": {"k": "2026-13-01"}}},
            '"2026-13-01"}}',
            "DateLessThan compares with a date, and '2026-13-01' is none",
        ),
        ({"Condition": {"Bool": {"k": "yes"}}}, '"yes"}}}]}', "Bool compares with true or false, and 'yes' is none"),
        ({"Condition": {"Null": {"k": "no"}}}, '"no"}}}]}', "Null compares with true or false, and 'no' is none"),
        ({"Condition": {"BinaryEquals": {"k": "a"}}}, '"a"}}}]}', "BinaryEquals compares with base64, and 'a' is none"),
        (
            {"Condition": {"IpAddress": {"k": "10.0.0"}}},
            '"10.0.0"}}}]}',
            "IpAddress compares with an address or a network, and '10.0.0' is none",
        ),
        (
            {"Condition": {"NotIpAddress": {"k": "10.0.0.0/33"}}},
            '"10.0.0.0/33"}',
            "NotIpAddress compares with an address or a network, and '10.0.0.0/33' is none",
        ),
    ],
)
def test_a_statement_that_iam_would_refuse_is_refused(change: dict[str, Any], there: str, told: str) -> None:
    changed = {key: value for key, value in {**ALLOW, **change}.items() if value is not None}
    data = document(changed)
    with pytest.raises(InvalidPolicy) as caught:
        read_policy(data, "p.json", Kind.IDENTITY)
    assert data.decode()[caught.value.column - 1 :].startswith(there)
    assert str(caught.value) == f"cannot read the policy p.json:1:{caught.value.column}: {told}"


@pytest.mark.parametrize(
    ("change", "there", "told"),
    [
        ({}, '{"Effect": "Al', "the statement of a resource policy has no Principal"),
        ({"Principal": {}}, "{}}]}", "the Principal is empty"),
        ({"Principal": "bob"}, '"bob"}]}', "an object is wanted here"),
        (
            {"Principal": {"Aws": "*"}},
            '"Aws": "*"}}]}',
            "there is no kind of principal 'Aws'. Known are AWS, Service, Federated, CanonicalUser",
        ),
        ({"Principal": {"AWS": []}}, "[]}}]}", "the list is empty"),
        (
            {"Principal": {"AWS": "arn:aws:iam::1:user/*"}},
            '"arn:aws:iam::',
            "'arn:aws:iam::1:user/*' has a wildcard, and a principal takes none. Use * alone, or a condition on aws:PrincipalArn",
        ),
        (
            {"Principal": {"AWS": ["*", "a?"]}},
            '"a?"]}}]}',
            "'a?' has a wildcard, and a principal takes none. Use * alone, or a condition on aws:PrincipalArn",
        ),
        ({"Principal": "*", "NotPrincipal": "*"}, '"NotPrincipal"', "the statement has both Principal and NotPrincipal. Keep one of them"),
        (
            {"NotPrincipal": {"AWS": "123456789012"}},
            '{"AWS": "12345',
            "NotPrincipal goes with Deny only. With Allow it would mean the rest of the world",
        ),
    ],
)
def test_principals_that_iam_would_refuse_are_refused(change: dict[str, Any], there: str, told: str) -> None:
    data = document({**ALLOW, **change})
    with pytest.raises(InvalidPolicy) as caught:
        read_policy(data, "p.json", Kind.RESOURCE)
    assert data.decode()[caught.value.column - 1 :].startswith(there)
    assert str(caught.value) == f"cannot read the policy p.json:1:{caught.value.column}: {told}"


def test_a_resource_policy_may_leave_the_resource_out_and_a_trust_policy_must() -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "codebuild.amazonaws.com"}}
    assert read_policy(document(trust), "p", Kind.RESOURCE).statements[0].resource is None
    policy = read_policy(document(trust), "p", Kind.TRUST)
    assert policy.statements[0].principal == Principals(names=(("Service", ("codebuild.amazonaws.com",)),))
    assert refused(document({**trust, "Resource": "*"}), Kind.TRUST).endswith("a trust policy names no Resource")


def test_equal_sids_are_refused_and_missing_ones_are_not() -> None:
    named = {**ALLOW, "Sid": "A"}
    assert refused(document(ALLOW, named, ALLOW, named)).endswith("a second statement has the Sid 'A'")
    assert len(read_policy(document(ALLOW, named, ALLOW, {**ALLOW, "Sid": "B"}), "p").statements) == 4


def test_an_error_says_what_to_do() -> None:
    with pytest.raises(InvalidPolicy) as caught:
        read_policy(b'{"statement": []}', "p.json")
    assert caught.value.hint == "Write Statement: case counts"
    with pytest.raises(InvalidPolicy) as caught:
        read_policy(b'{"Statements": []}', "p.json")
    assert caught.value.hint == "Known are Id, Statement, Version"


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"", "A policy document in JSON is wanted; `unhub iam-policy` prints one"),
        (b'{"Id": "a", "Id": "b"}', "Only one of the two would count"),
        (b'{"Version": "1"}', "The current one is 2012-10-17"),
        (document({**ALLOW, "sid": "x"}), "Write Sid: case counts"),
    ],
)
def test_a_document_that_is_refused_comes_with_what_to_do(data: bytes, hint: str) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        read_policy(data, "p.json")
    assert caught.value.hint == hint


def test_the_second_of_two_equal_sids_is_pointed_at() -> None:
    data = document({**ALLOW, "Sid": "A"}, {**ALLOW, "Sid": "A"})
    with pytest.raises(InvalidPolicy) as caught:
        read_policy(data, "p.json")
    assert caught.value.column == data.index(b"{", data.index(b"},")) + 1


@given(st.lists(statements(), min_size=1, max_size=3), st.sampled_from(["2012-10-17", "2008-10-17"]))
def test_a_policy_comes_back_as_it_was_written(made: list[dict[str, Any]], version: str) -> None:
    policy = read_policy(document(*made, version=version), "p")
    assert _again(policy, Kind.IDENTITY) == policy
    assert as_json(_again(policy, Kind.IDENTITY)) == as_json(policy)


@given(st.lists(statements(principal=True), min_size=1, max_size=3))
def test_a_resource_policy_comes_back_as_it_was_written(made: list[dict[str, Any]]) -> None:
    policy = read_policy(document(*made), "p", Kind.RESOURCE)
    assert _again(policy, Kind.RESOURCE) == policy


def _again(policy: Policy, kind: Kind) -> Policy:
    return read_policy(json.dumps(as_json(policy), indent=1).encode(), "q", kind)


def test_the_article_s_policy_is_written_as_it_was() -> None:
    text = {"Version": "2012-10-17", "Id": "x", "Statement": [{"Sid": "A", **ALLOW}, {**ALLOW, "Action": ["s3:A", "s3:B"]}]}
    assert as_json(read_policy(json.dumps(text).encode(), "p")) == text


@given(st.binary(max_size=60) | st.text('{}[]":,\\ \nStatementEfec1', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused_with_a_place(data: bytes) -> None:
    try:
        read_policy(data, "p")
    except InvalidPolicy as error:
        assert error.line >= 1
        assert error.column >= 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=3), one, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, min_size=1, max_size=3), st.sampled_from([None, 1]))
def test_json_is_read_as_python_reads_it(values: list[Any], indent: int | None) -> None:
    data = "\n".join(json.dumps(value, indent=indent) for value in values).encode()
    assert [_plain(value) for value in parse(data, "p")] == values


def _plain(value: Json) -> Any:
    match value.value:
        case tuple():
            return [_plain(item) for item in value.value]
        case Number():
            return int(value.value.text)
        case str() | bool() | None:
            return value.value
        case _:
            return {key: _plain(member) for key, member in value.value.items()}


def test_a_place_is_written_as_compilers_write_it() -> None:
    assert (str(Place("p", 2, 3)), str(Place("p")), str(Place())) == ("p:2:3", "p", "")
    value = parse(b' {"a": {"b": [1]}}', "p")[0]
    inner = value.get("a", "b")
    assert inner is not None
    assert (str(inner.place), str(inner.key), value.get("a", "x"), value.get("a", "b", "c")) == ("p:1:14", "p:1:9", None, None)
    assert policy_of(parse(document(ALLOW), "p")[0], name="n").name == "n"

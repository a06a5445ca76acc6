"""Decisions about IAM policies: the truth table of tests/golden/policy, and what holds for every policy."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policies import CALLERS, REQUESTS, TABLE, Row, decide, identity, resource, rows, statements
from unhub.aws.json_places import Place
from unhub.aws.policy import IDENTITY_POLICIES, RESOURCE_POLICY, Decision, Limit, Outcome, Policies, Request, Side, evaluate
from unhub.aws.policy_conditions import Condition, holds, parse_operator
from unhub.aws.policy_context import Context
from unhub.aws.policy_match import Wild, matches, matches_action, matches_arn, matches_resource, matches_text, pieces
from unhub.aws.policy_principals import Caller, Principals, is_meant
from unhub.aws.truth import all_of, any_of, negated


@pytest.fixture(autouse=True)
def _fresh_patterns() -> None:
    """Patterns are taken apart once; no test may live on what another one took apart."""
    pieces.cache_clear()


OUTCOMES = {"allowed": Outcome.ALLOW, "denied": Outcome.EXPLICIT_DENY, "not-allowed": Outcome.IMPLICIT_DENY, "depends": Outcome.DEPENDS}
SIDES = {Side.IDENTITY: "policy", Side.RESOURCE: "repository", Side.LIMIT: "boundary"}


@pytest.mark.parametrize("row", list(rows()), ids=str)
def test_the_truth_table(row: Row) -> None:
    decision = decide(row)
    deciding = " ".join(f"{SIDES[trace.side]} {trace.statement.number}" for trace in decision.deciding)
    assert (decision.outcome, deciding) == (OUTCOMES[row.outcome], row.deciding)
    assert set(decision.deciding) <= set(decision.trace)
    assert decision.trace
    assert decision.allowed == (row.outcome == "allowed")


def test_every_case_of_the_table_says_what_it_shows() -> None:
    for folder in (path for path in TABLE.iterdir() if path.is_dir()):
        first = (folder / "expected.txt").read_text("utf-8").splitlines()[0]
        assert re.fullmatch(r"# .{30,}\.", first), folder.name


def operator_rows() -> list[list[str]]:
    lines = (TABLE / "conditions.txt").read_text("utf-8").splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in lines if "|" in line and not line.startswith("#")]


@pytest.mark.parametrize("row", operator_rows(), ids=" ".join)
def test_every_condition_operator(row: list[str]) -> None:
    operator, wanted, values, outcome = row
    found = {} if values in ("-", "?") else {"aws:Key": tuple(values.split(", "))}
    condition = Condition(parse_operator(operator), "AWS:key", tuple(wanted.split(", ")))
    context = Context.of(found, complete=values != "?")
    assert holds(condition, context, variables=True) is {"true": True, "false": False, "unknown": None}[outcome]


def test_the_table_has_every_operator_both_ways() -> None:
    from unhub.aws.policy_conditions import BASES

    seen = {(parse_operator(row[0]).base.name.lower(), row[3]) for row in operator_rows()}
    assert {(name, outcome) for name in BASES for outcome in ("true", "false")} <= seen


# What holds for every policy


@given(
    REQUESTS, st.lists(statements(), max_size=3), st.lists(statements(principal=True), max_size=2), statements(effect="Deny"), st.booleans()
)
def test_a_deny_more_never_allows(
    request: Request, mine: list[dict[str, Any]], theirs: list[dict[str, Any]], deny: dict[str, Any], across: bool
) -> None:
    before = _decide(request, mine, theirs, across=across)
    after = _decide(request, [*mine, deny], theirs, across=across)
    assert not after.allowed or before.allowed
    assert after.outcome in (before.outcome, Outcome.EXPLICIT_DENY)


@given(REQUESTS, st.lists(statements(), max_size=3), statements(effect="Allow"), st.booleans())
def test_an_allow_more_never_denies(request: Request, mine: list[dict[str, Any]], allow: dict[str, Any], across: bool) -> None:
    before = _decide(request, mine, [], across=across)
    after = _decide(request, [*mine, allow], [], across=across)
    assert after.allowed or not before.allowed


@given(REQUESTS, st.lists(statements(), max_size=4).flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))))
def test_the_order_of_statements_never_matters(request: Request, orders: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    first, second = (_decide(request, order, [], across=False) for order in orders)
    assert first.outcome is second.outcome
    assert sorted(str(trace.statement.action) for trace in first.deciding) == sorted(
        str(trace.statement.action) for trace in second.deciding
    )


@given(REQUESTS, st.lists(statements(), min_size=2, max_size=4), st.integers(1, 3))
def test_it_never_matters_how_statements_are_spread_over_policies(request: Request, mine: list[dict[str, Any]], cut: int) -> None:
    together = evaluate(request, Policies((identity(mine),)))
    halves = [half for half in (mine[:cut], mine[cut:]) if half]
    apart = evaluate(request, Policies(tuple(identity(half) for half in halves)))
    assert together.outcome is apart.outcome


@given(REQUESTS, st.lists(statements(), max_size=3), st.lists(statements(), min_size=1, max_size=2))
def test_a_limit_never_allows_more(request: Request, mine: list[dict[str, Any]], limit: list[dict[str, Any]]) -> None:
    policies = Policies((identity(mine),) if mine else ())
    limited = replace(policies, limits=(Limit("session policy", (identity(limit),)),))
    assert evaluate(request, policies).allowed or not evaluate(request, limited).allowed


@given(REQUESTS, st.lists(statements(), max_size=3), st.lists(statements(principal=True), max_size=2), st.booleans())
def test_with_everything_known_nothing_is_left_open(
    request: Request, mine: list[dict[str, Any]], theirs: list[dict[str, Any]], across: bool
) -> None:
    decision = _decide(request, mine, theirs, across=across)
    assert decision.outcome is not Outcome.DEPENDS
    assert all(trace.applies is not None for trace in decision.trace)
    assert bool(decision.deciding) == (decision.outcome is not Outcome.IMPLICIT_DENY)
    assert bool(decision.lacking) == (decision.outcome is Outcome.IMPLICIT_DENY)


@given(REQUESTS, st.lists(statements(), max_size=3))
def test_what_is_certain_without_some_keys_stays_so_whatever_they_are(request: Request, mine: list[dict[str, Any]]) -> None:
    """A decision that does not need a key is not changed by it."""
    unknown = Request(request.action, request.resource, Context(complete=False), request.caller)
    before, after = _decide(unknown, mine, [], across=False), _decide(request, mine, [], across=False)
    if before.outcome in (Outcome.ALLOW, Outcome.EXPLICIT_DENY):
        assert after.outcome is before.outcome
    elif before.outcome is Outcome.IMPLICIT_DENY:
        assert not after.allowed


@given(REQUESTS, st.lists(statements(principal=True), max_size=3), CALLERS)
def test_across_accounts_both_sides_are_needed(request: Request, theirs: list[dict[str, Any]], caller: Caller | None) -> None:
    request = replace(request, caller=caller)
    decision = _decide(request, [], theirs, across=True)
    assert not decision.allowed
    assert decision.outcome is Outcome.EXPLICIT_DENY or IDENTITY_POLICIES in decision.lacking


def _decide(request: Request, mine: list[dict[str, Any]], theirs: list[dict[str, Any]], *, across: bool) -> Decision:
    policies = Policies((identity(mine),) if mine else (), (resource(theirs),) if theirs else ())
    return evaluate(request, policies, cross_account=across)


def test_a_decision_says_which_side_lacks_an_allow() -> None:
    allow = identity([{"Effect": "Allow", "Action": "*", "Resource": "*"}])
    other = identity([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])
    request = Request("sts:GetServiceBearerToken", "*")
    assert evaluate(request, Policies()).lacking == (IDENTITY_POLICIES,)
    assert evaluate(request, Policies((allow,)), cross_account=True).lacking == (RESOURCE_POLICY,)
    limits = (Limit("first", (allow,)), Limit("second", (other,)), Limit("third", ()))
    assert evaluate(request, Policies((allow,), limits=limits)).lacking == ("second", "third")
    assert evaluate(request, Policies((other,), limits=limits[:1])).lacking == (IDENTITY_POLICIES,)


def test_the_trace_has_every_statement_and_why_it_does_not_apply() -> None:
    mine = identity(
        [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Allow", "Action": "sts:*", "Resource": "arn:aws:sts::123456789012:x"},
            {"Effect": "Allow", "Action": "sts:*", "Resource": "*", "Condition": {"StringEquals": {"a": "1", "b": "2"}}},
        ]
    )
    limit = Limit("one", (identity([{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]),))
    request = Request("sts:GetServiceBearerToken", "*", Context.of({"a": "1"}))
    first, second, third, last = evaluate(request, Policies((mine,), limits=(limit, limit))).trace[:4]
    assert (first.action, first.resource, first.applies) == (False, True, False)
    assert (second.action, second.resource, second.applies) == (True, False, False)
    assert ([truth for _, truth in third.conditions], third.applies) == ([True, False], False)
    assert (last.side, last.limit, last.policy) == (Side.LIMIT, 0, limit.policies[0])
    assert evaluate(request, Policies(limits=(limit, limit))).trace[1].limit == 1


# Wildcards agree with a reference: regular expressions, which are slow on hostile patterns but plain

LETTERS = st.text(alphabet="aB:/*?", max_size=7)


@given(LETTERS, LETTERS)
def test_texts_match_as_a_regular_expression_says(pattern: str, text: str) -> None:
    expected = re.fullmatch("".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in pattern), text, re.DOTALL)
    assert matches_text(pattern, text, Context(), variables=True, wildcards=True) is bool(expected)
    assert matches_text(pattern, text, Context(), variables=False, wildcards=False) is (pattern == text)


@given(LETTERS, LETTERS)
def test_actions_match_as_a_regular_expression_says(pattern: str, text: str) -> None:
    expected = re.fullmatch("".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in pattern), text, re.IGNORECASE)
    assert matches_action(pattern, text) is bool(expected)


@given(LETTERS, LETTERS)
def test_resources_match_as_a_regular_expression_says(pattern: str, text: str) -> None:
    """A star goes past colons only where it ends its segment."""
    parts = {"*": "[^:]*", "?": "[^:]"}
    expected = "".join(parts.get(one, re.escape(one)) for one in re.sub(r"\*(?=:|$)", "!", pattern)).replace("!", ".*")
    wanted = pattern == "*" or (text != "*" and re.fullmatch(expected, text, re.DOTALL) is not None)
    assert matches_resource(pattern, text, Context(), variables=True) is wanted


@given(st.lists(LETTERS, min_size=6, max_size=6), st.lists(st.text("aB/", max_size=4), min_size=6, max_size=6))
def test_arns_match_part_by_part(patterns: list[str], parts: list[str]) -> None:
    patterns = [*(one.replace(":", "") for one in patterns[:5]), patterns[5]]
    alone = [matches_text(one, part, Context(), variables=True, wildcards=True) for one, part in zip(patterns, parts, strict=True)]
    assert matches_arn(":".join(patterns), ":".join(parts), Context(), variables=True) is all(alone)


def test_a_hostile_pattern_takes_no_time() -> None:
    assert not matches_text("*a" * 200 + "b", "a" * 400, Context(), variables=False, wildcards=True)


@given(st.text("a*?:${}", max_size=6))
def test_a_value_of_the_request_is_never_a_pattern(name: str) -> None:
    context = Context.of({"aws:username": name})
    assert matches_text("x/${aws:username}", f"x/{name}", context, variables=True, wildcards=True)
    assert not matches_text("x/${aws:username}", f"x/{name}b", context, variables=True, wildcards=True)
    arn = "arn:aws:iam::1:user/"
    assert matches_arn(f"{arn}${{aws:username}}", arn + name, context, variables=True)
    assert matches_arn("arn:aws:${aws:username}::1:x", "arn:aws:s3::1:x", Context.of({"aws:username": "s3::1:x"}), variables=True) is False


def test_a_variable_without_one_value_matches_nothing() -> None:
    for values in ((), ("a", "b")):
        context = Context.of({"k": values})
        assert matches_text("${k}", "a", context, variables=True, wildcards=True) is False
        assert matches_resource("arn:${k}", "arn:a", context, variables=True) is False
    assert matches_resource("arn:${k}", "arn:a", Context(complete=False), variables=True) is None
    assert matches_arn("arn:${k}:::1:x", "arn:a:::1:x", Context(complete=False), variables=True) is None
    assert matches_arn("arn:${k}:::1:x", "arn:a:::2:x", Context(complete=False), variables=True) is False


def test_the_default_of_a_variable_stands_in_for_a_missing_key_only() -> None:
    def value(context: Context, text: str) -> object:
        return matches_text("${k, 'all of it'}", text, context, variables=True, wildcards=True)

    assert value(Context(), "all of it") is True
    assert value(Context.of({"k": "b"}), "all of it") is False
    assert value(Context.of({"k": "b"}), "b") is True
    assert value(Context(complete=False), "b") is None


def test_the_characters_that_mean_something_can_be_named() -> None:
    assert matches_text("${*}${?}${$}", "*?$", Context(), variables=True, wildcards=True)
    assert not matches_text("${*}${?}${$}", "aa$", Context(), variables=True, wildcards=True)
    assert pieces("a*${k}", variables=False, wildcards=True) == ("a", Wild.TEXT, "$", "{", "k", "}")
    assert matches((Wild.NO_COLON,), ":") is False
    assert matches((Wild.CHARACTER,), ":") is True


def test_ignoring_case_also_goes_for_what_a_variable_stands_for() -> None:
    condition = Condition(parse_operator("StringEqualsIgnoreCase"), "aws:PrincipalTag/owner", ("${aws:Username}",))
    context = Context.of({"aws:username": "BoB", "aws:PrincipalTag/owner": "bOb"})
    assert holds(condition, context, variables=True) is True
    assert holds(condition, context, variables=False) is False
    unknown = Context.of({"aws:PrincipalTag/owner": "bob"}, complete=False)
    assert holds(condition, unknown, variables=True) is None


@pytest.mark.parametrize(
    ("operator", "pattern", "key", "value", "wanted"),
    [
        ("StringEquals", "${k}", "x", "x", True),
        ("StringNotEquals", "${k}", "x", "y", True),
        ("ArnLike", "arn:${k}:::1:x", "a", "arn:a:::1:x", True),
        ("ArnLike", "arn:${k}:::1:x", "a", "arn:b:::1:x", False),
        ("Bool", "${k}", "true", "True", True),
        ("Bool", "${k}", "false", "true", False),
    ],
)
def test_variables_work_in_texts_arns_and_booleans(operator: str, pattern: str, key: str, value: str, wanted: bool) -> None:
    condition = Condition(parse_operator(operator), "v", (pattern,))
    assert holds(condition, Context.of({"k": key, "v": value}), variables=True) is wanted


def test_operators_are_written_as_they_are_read() -> None:
    for text in ("StringEquals", "ForAnyValue:StringLikeIfExists", "ForAllValues:ArnNotEquals", "Null"):
        assert str(parse_operator(text)) == text
        assert parse_operator(text.lower()) == parse_operator(text)
    assert str(Condition(parse_operator("StringLike"), "aws:k", ("a", "b"), Place())) == "StringLike aws:k a, b"
    for wrong in ("StringMatches", "NullIfExists", "ForAnyValue:Null", "IfExists", "ForSomeValue:StringEquals", ""):
        with pytest.raises(ValueError, match=r"condition operator|Null asks"):
            parse_operator(wrong)


# Three-valued truth, and principals

TRUTHS = (True, False, None)


def test_the_truth_tables_of_three_values() -> None:
    assert [[all_of((a, b)) for b in TRUTHS] for a in TRUTHS] == [[True, False, None], [False, False, False], [None, False, None]]
    assert [[any_of((a, b)) for b in TRUTHS] for a in TRUTHS] == [[True, True, True], [True, False, None], [True, None, None]]
    assert [negated(a) for a in TRUTHS] == [False, True, None]
    assert (all_of(()), any_of(())) == (True, False)


BOB = Caller(("arn:aws:iam::123456789012:user/bob",), "123456789012")
ROOT = Caller(("arn:aws:iam::123456789012:root",), "123456789012")


@pytest.mark.parametrize(
    ("names", "caller", "meant", "delegated"),
    [
        ({"AWS": ["123456789012"]}, BOB, True, True),
        ({"AWS": ["123456789012"]}, ROOT, True, False),
        ({"AWS": ["arn:aws:iam::123456789012:root"]}, BOB, True, True),
        ({"AWS": ["arn:aws:iam::123456789012:root"]}, ROOT, True, False),
        ({"AWS": ["x", "123456789012"]}, BOB, True, True),
        ({"AWS": ["12345678901"]}, BOB, False, False),
        ({"AWS": ["arn:aws:iam::123456789012:user/bob", "123456789012"]}, BOB, True, False),
        ({"Service": ["123456789012"]}, BOB, False, False),
        ({"AWS": ["123456789012"]}, None, False, False),
        ({"AWS": ["123456789012"]}, Caller(("s.amazonaws.com",), "123456789012", "Service"), False, False),
        ({"AWS": ["*"]}, None, True, False),
        ({"Service": ["*"]}, None, False, False),
        ({"Federated": ["a"], "AWS": ["b"]}, Caller(("b",)), True, False),
        ({"Federated": ["b"]}, Caller(("b",)), False, False),
    ],
)
def test_who_is_meant(names: dict[str, list[str]], caller: Caller | None, meant: bool, delegated: bool) -> None:
    pairs = tuple((kind, tuple(values)) for kind, values in names.items())
    found = is_meant(Principals(names=pairs), caller)
    assert (found.meant, found.delegated) == (meant, delegated)
    excluded = is_meant(Principals(names=pairs, excluded=True), caller)
    assert (excluded.meant, excluded.delegated) == (not meant, False)


def test_everybody_is_everybody() -> None:
    assert is_meant(Principals(everybody=True), None).meant
    assert is_meant(Principals(everybody=True), BOB) == is_meant(Principals(names=(("AWS", ("*",)),)), BOB)

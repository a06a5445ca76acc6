"""Challenges: what servers write into WWW-Authenticate, well and badly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.registry.challenge import Challenge, parse_challenges

ECR = 'Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws"'
HUB = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/node:pull"'


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([ECR], [("bearer", {"realm": "https://public.ecr.aws/token/", "service": "public.ecr.aws", "scope": "aws"})]),
        (
            [HUB + ',error="insufficient_scope"'],
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:library/node:pull",
                        "error": "insufficient_scope",
                    },
                )
            ],
        ),
        (['Basic realm="Registry, with comma"'], [("basic", {"realm": "Registry, with comma"})]),
        (["BASIC Realm=registry"], [("basic", {"realm": "registry"})]),
        (["Negotiate"], [("negotiate", {})]),
        (["Negotiate, Basic realm=x"], [("negotiate", {}), ("basic", {"realm": "x"})]),
        (["Negotiate dG9rZW4=, Basic realm=x"], [("negotiate", {}), ("basic", {"realm": "x"})]),
        (['Bearer realm="a", service="b", Basic realm="c"'], [("bearer", {"realm": "a", "service": "b"}), ("basic", {"realm": "c"})]),
        (["Basic realm=one", "Bearer realm=two"], [("basic", {"realm": "one"}), ("bearer", {"realm": "two"})]),
        (['Bearer realm = "a" ,  service= b'], [("bearer", {"realm": "a", "service": "b"})]),
        ([r'Basic realm="a \"quoted\" \\ word"'], [("basic", {"realm": r'a "quoted" \ word'})]),
        ([',, Bearer realm="a",,service="b",'], [("bearer", {"realm": "a", "service": "b"})]),
        (['Bearer realm="first",realm="second"'], [("bearer", {"realm": "first"})]),
        (['Bearer realm="never closed'], [("bearer", {})]),
        (['Bearer realm="a",service=,scope="b"'], [("bearer", {"realm": "a"})]),
        (['=x, Bearer realm="a"'], []),
        ([""], []),
        ([], []),
        (["Bearer " + "a" * 20_000], []),
    ],
)
def test_challenges_are_read_as_the_rfc_has_them(lines: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges(lines) == tuple(Challenge(scheme, parameters) for scheme, parameters in expected)


@given(st.lists(st.text(max_size=200), max_size=4))
def test_no_header_line_makes_it_fail(lines: list[str]) -> None:
    for challenge in parse_challenges(lines):
        assert challenge.scheme == challenge.scheme.lower() != ""


@given(st.lists(st.text('abAB="\\, \t;/:', max_size=60), max_size=3))
def test_nor_does_one_of_the_grammar_s_own_characters(lines: list[str]) -> None:
    parse_challenges(lines)


NAME = st.text("abcdefghijklmnopqrstuvwxyz-_", min_size=1, max_size=12)
VALUE = st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=40)


@given(st.lists(st.tuples(NAME, st.dictionaries(NAME, VALUE, min_size=1, max_size=4)), min_size=1, max_size=4))
def test_what_is_written_by_the_rules_is_read_back(written: list[tuple[str, dict[str, str]]]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    line = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={quoted(value)}" for name, value in parameters.items()) for scheme, parameters in written
    )
    assert parse_challenges([line]) == tuple(Challenge(scheme, parameters) for scheme, parameters in written)

"""Words of a Dockerfile: what they evaluate to, and where each byte of the value stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.formats._dockerfile.pattern import BrokenPattern, Pattern
from unhub.formats._dockerfile.text import Spelled
from unhub.formats._dockerfile.value import LENGTH_MAX, Scope, Value
from unhub.formats._dockerfile.word import DEPTH_MAX, BrokenWord


def evaluated(word: str, *declarations: str, escape: str = "\\") -> Value:
    scope = Scope(ord(escape))
    for declaration in declarations:
        data = declaration.encode()
        scope.declare(Spelled.at(data, 0, len(data)))
    data = word.encode()
    return scope.evaluate(Spelled.at(data, 0, len(data)))


PERSON = ("PWD=/home", "SHELL=bash", "NULL=", "VERSION=v1.2.3-rc1")


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("hello", "hello"),
        ("he'll'o", "hello"),
        ('he"ll"o', "hello"),
        ("he'l\\l'o", "hel\\lo"),
        ("hel\\lo", "hello"),
        ("hello\\", "hello"),
        ('"hel\\lo"', "hel\\lo"),
        ('"hel\\"lo"', 'hel"lo'),
        ('"hel\\\\lo"', "hel\\lo"),
        ('"h$PWD"', "h/home"),
        ("'h$PWD'", "h$PWD"),
        ("$PWD/x", "/home/x"),
        ("${PWD}x", "/homex"),
        ("$NULL.", "."),
        ("\\$PWD", "$PWD"),
        ("a$", "a$"),
        ("a$.b", "a$.b"),
        ("${PWD:-x}", "/home"),
        ("${NULL:-x}", "x"),
        ("${NULL-x}", ""),
        ("${NONE-x}", "x"),
        ("${NONE:-a'b}c'}", "ab}c"),
        ("${NONE:-${NONE:-x}y}", "xy"),
        ("${NONE:-${PWD}}", "/home"),
        ("${PWD:+x}", "x"),
        ("${NULL:+x}", ""),
        ("${NULL+x}", "x"),
        ("${NONE+x}", ""),
        ("${PWD:?no}", "/home"),
        ("${NULL?no}", ""),
        ("${VERSION#v}", "1.2.3-rc1"),
        ("${VERSION#*.}", "2.3-rc1"),
        ("${VERSION##*.}", "3-rc1"),
        ("${VERSION%-*}", "v1.2.3"),
        ("${VERSION%.*}", "v1.2"),
        ("${VERSION%%.*}", "v1"),
        ("${VERSION%%x}", "v1.2.3-rc1"),
        ("${VERSION/./_}", "v1_2.3-rc1"),
        ("${VERSION//./_}", "v1_2_3-rc1"),
        ("${VERSION/v?/w}", "w.2.3-rc1"),
        ("${PWD/\\/home/x}", "x"),
        ("${VERSION//*/x}", "x"),
    ],
)
def test_a_word_evaluates_as_buildkit_evaluates_it(word: str, text: str) -> None:
    value = evaluated(word, *PERSON)
    assert value.known
    assert value.text == text


def test_with_a_backtick_as_escape_a_backslash_is_a_character() -> None:
    assert evaluated("a\\b`$c", escape="`").text == "a\\b$c"


@pytest.mark.parametrize(
    "word", ["'a", '"a', "${a", "${", "${}", "${:-x}", "${{a}}", "${a^^}", "${a:=x}", "${a/b}", "${a[0]}", "${NONE:-'x}"]
)
def test_a_word_that_buildkit_refuses_is_refused(word: str) -> None:
    with pytest.raises(BrokenWord):
        evaluated(word)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("${NONE}", "NONE is not declared before the first FROM, so no FROM sees it"),
        ("${BARE}/node", "ARG BARE has no default"),
        ("node:$TARGETARCH", "TARGETARCH is set by BuildKit, differently for each platform"),
        ("${TARGETARCH:-amd64}", "TARGETARCH is set by BuildKit, differently for each platform"),
        ("${BARE:?give one}", "the build is stopped unless BARE is given"),
        ("${NULL:?give one}", "the build is stopped unless NULL is given"),
        ("${BARE#v}", "ARG BARE has no default"),
        ("${TARGETARCH%64}", "TARGETARCH is set by BuildKit, differently for each platform"),
        ("${VERSION#\\x}", "BuildKit refuses the pattern of ${VERSION#\\x}"),
        ("${VERSION:+$BARE}", "${VERSION:+$BARE} is not known here"),
    ],
)
def test_a_value_that_is_not_known_says_why(word: str, reason: str) -> None:
    value = evaluated(word, "BARE", *PERSON)
    assert not value.known
    assert value.reason == reason


def test_an_argument_given_again_without_a_default_keeps_the_one_it_had() -> None:
    assert evaluated("$A", "A=1", "A").text == "1"


def test_a_default_sees_the_arguments_above_it_only() -> None:
    assert evaluated("$B", "A=1", "B=$A", "A=2").text == "1"


def test_arguments_that_double_each_other_do_not_grow_without_end() -> None:
    declarations = ["A0=" + "x" * 100] + [f"A{number + 1}=$A{number}$A{number}" for number in range(60)]
    value = evaluated("$A60", *declarations)
    assert not value.known
    assert value.reason == "the value is too long to be an image"
    assert len(value.text) <= LENGTH_MAX


def test_expansions_nested_too_deep_are_refused() -> None:
    with pytest.raises(BrokenWord):
        evaluated("${A:-" * (DEPTH_MAX + 2) + "}" * (DEPTH_MAX + 2))


def test_a_word_through_an_argument_as_a_whole_says_so_and_one_with_more_does_not() -> None:
    assert [argument.name for argument in evaluated('"${B}"', "A=node", "B=$A").arguments()] == ["B", "A"]
    assert evaluated("${A}:20", "A=node").through is None


@pytest.mark.parametrize(("declaration", "place"), [("REG=", 4), ('REG=""', 5), ("REG=''", 5)])
def test_an_empty_default_has_a_place_where_text_could_be_put(declaration: str, place: int) -> None:
    (part, *_) = evaluated("$REG", declaration).parts
    assert part.text == ""
    assert tuple(part.span) == (place, place)
    assert part.literal


@given(st.text(alphabet="ab*?\\/}$", max_size=6), st.text(alphabet="ab*\\", max_size=8), st.booleans())
def test_what_a_pattern_leaves_is_an_end_or_a_beginning_of_the_text(pattern: str, text: str, longest: bool) -> None:
    try:
        parsed = Pattern.parse(pattern)
    except BrokenPattern:
        return
    assert text.endswith(parsed.without_prefix(text, longest=longest))
    assert text.startswith(parsed.without_suffix(text, longest=longest))
    assert len(parsed.without_prefix(text, longest=True)) <= len(parsed.without_prefix(text, longest=False))


def test_a_pattern_of_many_stars_takes_no_longer_than_its_length_times_the_texts() -> None:
    assert Pattern.parse("*a" * 40 + "b").without_prefix("a" * 4000, longest=False) == "a" * 4000

"""Changing one member of a JSON text leaves every other byte alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.registry.json_text import parse, with_member, without_member

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)
others = st.dictionaries(st.text().filter(lambda key: key.lower() not in {"auths", "credhelpers", "credsstore"}), values, max_size=4)
hosts = st.from_regex(r"[a-z]{1,8}(\.[a-z]{2,5}){0,2}(:[0-9]{1,5})?", fullmatch=True)
auths = st.dictionaries(hosts, st.fixed_dictionaries({"auth": st.text("abcdef", min_size=1)}), max_size=3)
layouts = st.sampled_from([None, "\t", 2, 4])


@st.composite
def documents(draw: st.DrawFn) -> tuple[dict[str, object], str]:
    """A configuration file in one of the layouts that programs and people write."""
    document: dict[str, object] = dict(draw(others))
    if draw(st.booleans()):
        document["auths"] = draw(auths)
    document |= draw(others)
    text = json.dumps(document, indent=draw(layouts), ensure_ascii=draw(st.booleans()))
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return document, text + draw(st.sampled_from(["", "\n"]))


@given(documents(), hosts)
def test_a_login_is_set_and_everything_else_survives_in_its_order(given_: tuple[dict[str, object], str], host: str) -> None:
    document, text = given_
    changed = json.loads(with_member(text, ("auths", host), {"auth": "x"}))
    assert changed["auths"][host] == {"auth": "x"}
    assert {key: value for key, value in changed["auths"].items() if key != host} == {
        key: value
        for key, value in document.get("auths", {}).items()  # type: ignore[attr-defined]
        if key != host
    }
    assert {key: value for key, value in changed.items() if key != "auths"} == {
        key: value for key, value in document.items() if key != "auths"
    }
    assert [key for key in changed if key in document] == list(document)


@given(documents(), hosts)
def test_what_is_set_and_taken_out_again_leaves_the_same_bytes(given_: tuple[dict[str, object], str], host: str) -> None:
    document, text = given_
    held = document.get("auths", {})
    if isinstance(held, dict) and held and host not in held:
        assert without_member(with_member(text, ("auths", host), {"auth": "x"}), ("auths", host)) == text


@given(documents(), hosts)
def test_nothing_is_left_of_what_is_taken_out(given_: tuple[dict[str, object], str], host: str) -> None:
    _, text = given_
    assert "auths" not in json.loads(without_member(text, ("auths",)))
    gone = json.loads(without_member(with_member(text, ("auths", host), {}), ("auths", host)))
    assert host not in gone["auths"]


def test_bytes_that_no_printer_would_write_alike_stay() -> None:
    text = '{ "HttpHeaders":{"X" : "\\u00e9"},\n   "detachKeys": "ctrl-e,e",  "big": 1.0E+5, "auths": {} }\r\n'
    changed = with_member(text, ("auths", "h"), {"auth": "x"})
    assert changed == text.replace('"auths": {}', '"auths": {"h": {"auth": "x"}}')


def test_dockers_own_layout_is_kept() -> None:
    text = '{\n\t"auths": {\n\t\t"a": {\n\t\t\t"auth": "x"\n\t\t}\n\t},\n\t"detachKeys": "k"\n}'
    assert with_member(text, ("auths", "b"), {"auth": "y"}) == (
        '{\n\t"auths": {\n\t\t"a": {\n\t\t\t"auth": "x"\n\t\t},\n\t\t"b": {\n\t\t\t"auth": "y"\n\t\t}\n\t},\n\t"detachKeys": "k"\n}'
    )
    assert with_member("", ("auths", "b"), {}) == '{\n\t"auths": {\n\t\t"b": {}\n\t}\n}'


def test_field_names_are_found_in_any_case_and_hosts_exactly() -> None:
    text = '{"AUTHS": {"Host": {"auth": "x"}}}'
    assert json.loads(with_member(text, ("auths", "host"), {})) == {"AUTHS": {"Host": {"auth": "x"}, "host": {}}}
    assert without_member(text, ("auths", "host")) == text


def test_of_a_doubled_member_the_last_counts_and_both_go() -> None:
    text = '{"auths": {"h": {"auth": "a"}, "h": {"auth": "b"}}}'
    assert with_member(text, ("auths", "h"), {}) == '{"auths": {"h": {"auth": "a"}, "h": {}}}'
    assert without_member(text, ("auths", "h")) == '{"auths": {}}'


def test_what_is_no_object_on_the_way_is_replaced_by_one() -> None:
    assert json.loads(with_member('{"auths": null}', ("auths", "h"), {})) == {"auths": {"h": {}}}
    assert without_member('{"auths": null}', ("auths", "h")) == '{"auths": null}'
    assert without_member(" ", ("auths", "h")) == " "


@pytest.mark.parametrize("text", ["[]", "1", "{", '{"a": }', '{"a": NaN}', "{'a': 1}", '{"a": "\n"}', "\ufeff{}", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_space_is_an_empty_object_and_what_follows_the_object_is_passed_over() -> None:
    assert parse(" \n") == {}
    assert parse('{"a": 1} trailing') == {"a": 1}

"""Compose: interpolation as compose-go does it, .env files, and which files are Compose's."""

from __future__ import annotations

import re
from collections.abc import Mapping as Environment

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unhub.formats import compose
from unhub.formats._compose.dotenv import read_dotenv
from unhub.formats._compose.template import Dollar, Literal, Node, Variable, parse
from unhub.formats._compose.values import Values
from unhub.formats._yaml.parse import Mapping, Scalar
from unhub.formats._yaml.parse import parse as parse_yaml
from unhub.image.errors import UnreadableError
from unhub.image.found import Found, Skipped, Span
from unhub.image.source import Source


def scalar(text: str) -> Scalar:
    root = parse_yaml(b"a: '" + text.replace("'", "''").encode() + b"'\n")[0].root
    assert isinstance(root, Mapping)
    value = root.get("a")
    assert isinstance(value, Scalar)
    return value


def interpolated(text: str, environment: Environment[str, str]) -> str | None:
    dotenv = "".join(f"{name}='{value}'\n" for name, value in environment.items()).encode()
    source = Source("compose.yaml", b"", read=lambda path: dotenv if path == ".env" else None)
    return Values(source).text(scalar(text))


ENVIRONMENT = {"FOO": "first", "BAR": "", "JSON": '{"json": 1}'}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${FOO}", "first"),
        ("$FOO", "first"),
        ("$FOO/x", "first/x"),
        ("$FOO-x", "first-x"),
        ("ok ${missing:-def}", "ok def"),
        ("ok ${missing-def}", "ok def"),
        ("ok ${BAR:-def}", "ok def"),
        ("ok ${BAR-def}", "ok "),
        ("ok ${FOO:-def}", "ok first"),
        ("ok ${missing:-/non:-alphanumeric}", "ok /non:-alphanumeric"),
        ("ok ${missing:-}", "ok "),
        ("ok ${missing:-${FOO:-def}}", "ok first"),
        ("ok ${missing:-${BAR:-def}}", "ok def"),
        ("ok ${missing:-a ${BAR:-b} c}", "ok a b c"),
        ("ok ${missing:-$FOO}", "ok first"),
        ("${missing:-a{b}c}", "a{b}c"),
        ("ok ${FOO:+yes}", "ok yes"),
        ("ok ${FOO+yes $FOO}", "ok yes first"),
        ("ok ${BAR:+yes}", "ok "),
        ("ok ${BAR+yes}", "ok yes"),
        ("ok ${missing+yes}", "ok "),
        ("ok ${FOO:?err}", "ok first"),
        ("ok ${BAR?err}", "ok "),
        ("$$FOO", "$FOO"),
        ("$${FOO}", "${FOO}"),
        ("$$$FOO", "$first"),
        ("${JSON}", '{"json": 1}'),
        ("${missing:-it: '${FOO}'}", "it: 'first'"),
        ("no variable", "no variable"),
        ("", ""),
        ("$", "$"),
        ("${", "${"),
        ("$1", "$1"),
        ("${missing}", None),
        ("$missing", None),
        ("${BAR:?err}", None),
        ("${missing?err}", None),
        ("${ }", None),
        ("${FOO!x}", None),
        ("x ${missing:-${other}}", None),
    ],
)
def test_a_value_is_interpolated_as_compose_does(text: str, value: str | None) -> None:
    assert interpolated(text, ENVIRONMENT) == value


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="$${}:-?+AB_ x1", max_size=40))
def test_the_nodes_of_a_template_cover_it_without_gaps(text: str) -> None:
    data = text.encode()

    def check(nodes: tuple[Node, ...], span: Span) -> None:
        at = span.start
        for node in nodes:
            assert node.span.start == at
            at = node.span.end
            match node:
                case Literal():
                    assert node.span.end > node.span.start
                case Dollar():
                    assert data[node.span.start : node.span.end] == b"$$"
                case Variable():
                    assert data[node.span.start : node.span.start + 1] == b"$"
                    check(node.word, node.word_span)
        assert at == span.end

    check(parse(data, Span(0, len(data))), Span(0, len(data)))


def test_deep_nesting_of_defaults_ends() -> None:
    deep = "${A:-" * 500 + "node" + "}" * 500
    assert interpolated(deep, {}) is not None


def test_variables_of_dotenv_that_name_each_other_end() -> None:
    source = Source("compose.yaml", b"", read=lambda path: b"A=${B}\nB=${A}\nIMG=${IMG}\n")
    assert Values(source).text(scalar("${A}${IMG}")) is None


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b"A=node:20", "A", b"node:20"),
        (b"A = node:20  ", "A", b"node:20"),
        (b"  export A=node:20 # why", "A", b"node:20"),
        (b"A: node:20", "A", b"node:20"),
        (b"A='node:20' # why", "A", b"node:20"),
        (b'A="node:20"', "A", b"node:20"),
        (b"A='it # stays'", "A", b"it # stays"),
        (b"A='two\nlines'", "A", b"two\nlines"),
        (b'A="tab\\tquote\\"end"', "A", b'tab\ttquote"end'.replace(b"\ttq", b"\tq")),
        (b"A=a#b", "A", b"a#b"),
        (b"A=#b", "A", b"#b"),
        (b"A= x#y #z", "A", b"x#y"),
        (b"A='it\\'s'", "A", b"it's"),
        (b'A="\\$B"', "A", b"$$B"),
        (b"A=", "A", b""),
        (b"A=''", "A", b""),
        (b"A='open", "A", b"'open"),
        (b"A.b-c=x", "A.b-c", b"x"),
        (b"\xef\xbb\xbfA=x", "A", b"x"),
        (b"# A=no\n\nA=x", "A", b"x"),
        (b"A=one\nA=two", "A", b"two"),
    ],
)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_dotenv_line_is_read_with_the_place_of_its_value(line: bytes, name: str, value: bytes, end: bytes) -> None:
    data = line + end
    text = read_dotenv(data)[name].text
    assert text.data == value
    for piece in text.pieces:
        if piece.literal:
            assert data[piece.outer : piece.outer_end] == value[piece.inner : piece.inner + piece.length]


def test_lines_of_a_dotenv_that_set_nothing_are_passed_over() -> None:
    assert read_dotenv(b"A\n=x\n1B=x\n???\nexport\n") == {}


@given(st.binary(max_size=60))
def test_a_dotenv_of_any_bytes_is_read(data: bytes) -> None:
    for value in read_dotenv(data).values():
        assert all(0 <= piece.outer <= piece.outer_end <= len(data) for piece in value.text.pieces)


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("compose.yaml", b"services: {web: {image: node}}", True),
        ("deploy/docker-compose.prod.yml", b"services: {web: {ports: [1]}}", True),
        ("compose.override.yaml", b"services: {web: {build: .}}", True),
        ("anything.yml", b"services: {web: {image: node}}\nvolumes: {}\nx-a: 1", True),
        ("anything.yml", b"services: {web: {ports: [1]}}", False),
        ("anything.yml", b"services: {web: {image: node}}\nstages: [a]", False),
        (".gitlab-ci.yml", b"services: [node]\nimage: node", False),
        ("values.yaml", b"services: {web: {image: node}}\nimage: {tag: 1}", False),
        ("anything.yml", b"apiVersion: v1\nkind: x\nservices: {web: {image: node}}", False),
        ("docker-compose.yml", b"web: {image: node}", True),
        ("anything.yml", b"web: {image: node}", False),
        ("docker-compose.yml", b"services: [", True),
        ("anything.yml", b"services: [", False),
        ("docker-compose.json", b'{"services": {"web": {"image": "node"}}}', True),
    ],
)
def test_a_compose_file_is_known_by_its_name_and_content(path: str, data: bytes, wanted: bool) -> None:
    assert compose.FORMAT.recognise(Source(path, data)) == wanted


_PIECES = st.sampled_from(
    [
        *("services:\n", "  web:\n", "    image: ", "node:20\n", "${A:-x}\n", "    build:\n", "      args:\n", "        - A=node\n", "\n"),
        *("      context: .\n", "      cache_from: [a, 'type=registry,ref=b']\n", "      additional_contexts: [a=docker-image://b]\n"),
        *("    <<: *a\n", "    build: .\n", "x-a: &a\n", "  image: &b c\n", "    image: *b\n", "    extends: web\n", "    volumes:\n"),
        *("        A: b\n", "      dockerfile_inline: FROM a\n"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_PIECES, max_size=14).map("".join))
def test_whatever_a_compose_file_holds_findings_cover_what_they_say(text: str) -> None:
    data = text.encode()
    try:
        findings = list(compose.find(Source("compose.yaml", data, read=lambda path: b"A=y\nFROM a\n")))
    except UnreadableError:
        return
    places = [finding.span for finding in findings]
    assert places == sorted(places)
    for finding in findings:
        if isinstance(finding, Found | Skipped):
            assert data[finding.span.start : finding.span.end].decode() == finding.text
            assert re.match(r"services\.|x-a|web|x|image", finding.where)

"""The build and infrastructure formats on bytes that nobody meant for them, and the scanners they stand on."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.case import HERE
from unhub.formats._format import Finder
from unhub.formats._groovy.tokens import Group, Text, Token, read
from unhub.formats._hcl.nodes import Template
from unhub.formats._hcl.parse import read_hcl
from unhub.formats._text import decode
from unhub.formats._yaml.nodes import Mapping
from unhub.image.errors import UnreadableError
from unhub.image.found import Declared, Finding, Found, Skipped
from unhub.image.source import Source

FORMATS = {
    "skaffold": "skaffold.yaml",
    "jenkinsfile": "Jenkinsfile",
    "bake": "docker-bake.hcl",
    "terraform": "main.tf",
    "cloudformation": "template.yaml",
    "ecs_task": "taskdef.json",
    "devcontainer": "devcontainer.json",
    "quadlet": "web.container",
    "nomad": "web.nomad",
}
JSON_NAMES = {"bake": "docker-bake.json", "terraform": "main.tf.json", "nomad": "job.json"}


def finder(name: str) -> Finder:
    return importlib.import_module(f"unhub.formats.{name}").find


def look(name: str, data: bytes, path: str | None = None) -> list[Finding]:
    try:
        return list(finder(name)(Source(path or FORMATS[name], data)))
    except UnreadableError:
        return []


def check(data: bytes, findings: list[Finding]) -> None:
    """Every span lies in the file, shows what the finding says, and every literal part spells its text."""
    for finding in findings:
        span = finding.span
        assert 0 <= span.start <= span.end <= len(data)
        if isinstance(finding, Declared):
            continue
        if isinstance(finding, Found):
            assert finding.text == decode(data[span.start : span.end])
            for part in finding.parts:
                assert 0 <= part.span.start <= part.span.end <= len(data)
                if part.literal and part.known and part.path is None:
                    assert part.text == decode(data[part.span.start : part.span.end])
        else:
            assert isinstance(finding, Skipped)
            assert finding.reason


def samples(name: str) -> list[bytes]:
    folder = HERE / name
    return [path.read_bytes() for path in sorted(folder.glob("*/before/**/*")) if path.is_file()]


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """A golden file with a piece taken out and another put in."""
    data = draw(st.sampled_from(samples(name)))
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 40)))
    put = draw(
        st.sampled_from([b"", b"'", b'"', b"${", b"}", b"{", b"\\", b"<<EOF\n", b"\xff", b"\0", b"\r\n", b"*a", b"&a ", b"/*", b"- ["])
    )
    return data[:start] + put + data[end:]


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_and_its_spans_are_true(name: str, data: st.DataObject) -> None:
    text = data.draw(damaged(name))
    check(text, look(name, text))


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_never_break_a_format(name: str, data: bytes) -> None:
    check(data, look(name, data))
    if name in JSON_NAMES:
        check(data, look(name, data, JSON_NAMES[name]))


@pytest.mark.parametrize("name", ["bake", "terraform", "nomad", "jenkinsfile"])
def test_deep_nesting_is_refused_and_not_recursed_into(name: str) -> None:
    with pytest.raises(UnreadableError, match="nested deeper"):
        list(finder(name)(Source(FORMATS[name], b"a = " + b"[" * 5000 + b"]" * 5000)))


def texts(group: Group) -> Iterator[Text]:
    for item in group.items:
        if isinstance(item, Text):
            yield item
        elif isinstance(item, Group):
            yield from texts(item)


@pytest.mark.parametrize(
    ("script", "values"),
    [
        (b"x 'a' + \"b\"", ["a", "b"]),
        (b"x '''a\n'b''' ", ["a\n'b"]),
        (b'x """a "b" ${c("}")} d"""', ['a "b" ${c("}")} d']),
        (b"x 'it\\'s' // 'no'", ["it's"]),
        (b"/* 'no' */ x 'yes'", ["yes"]),
        (b"x = /a\\/b/; y = a / b / c", ["a/b"]),
        (b"x = $/ a $$ b /$", [" a $ b "]),
        (b"x 'a\\\nb'", ["ab"]),
        (b"x 'n\\u006fde'", ["node"]),
        (b"x 'open\ny 'yes'", ["yes"]),
    ],
)
def test_groovy_strings_are_read_as_groovy_reads_them(script: bytes, values: list[str]) -> None:
    assert [text.value for text in texts(read(script))] == values


def test_interpolations_of_single_quoted_strings_are_none() -> None:
    single, double = texts(read(b"x '$a ${b}', \"$a.c ${b}\""))
    assert single.variables == []
    assert [double.value[span.start : span.end] for span in double.variables] == ["$a.c", "${b}"]


def test_brackets_that_do_not_match_close_what_they_can() -> None:
    root = read(b"a { b ( c } d")
    assert [item.text for item in root.items if isinstance(item, Token)] == ["a", "d"]


def attribute(data: bytes, name: str) -> Template:
    root = read_hcl(data).root
    assert isinstance(root, Mapping)
    value = root.get(name)
    assert isinstance(value, Template)
    return value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'a = "x\\ty\\"z"\n', 'x\ty"z'),
        (b'a = "$${x} %%{y}"\n', "${x} %{y}"),
        (b'a = "n\\u006fde"\n', "node"),
        (b"a = <<EOT\nFROM x\n  y\nEOT\n", "FROM x\n  y\n"),
        (b"a = <<-EOT\n    FROM x\n      y\n    EOT\n", "FROM x\n  y\n"),
        (b"a = <<-EOT\r\n  FROM x\r\n  EOT\r\n", "FROM x\r\n"),
        (b'a = ""\n', ""),
    ],
)
def test_hcl_texts_are_unquoted_as_hcl_does(data: bytes, value: str) -> None:
    assert attribute(data, "a").text == value


def test_a_place_in_an_indented_heredoc_leads_back_to_its_bytes() -> None:
    data = b"a = <<-EOT\n    FROM ${x}\n    FROM node\n  EOT\n"
    text = attribute(data, "a")
    at = text.mapped.data.index(b"node")
    outer = text.mapped.outer(text.span.__class__(at, at + 4))
    assert data[outer.start : outer.end] == b"node"
    assert [data[one.span.start : one.span.end] for one in text.interpolations] == [b"${x}"]


def test_what_is_no_hcl_names_the_line() -> None:
    with pytest.raises(UnreadableError, match="near line 2"):
        read_hcl(b"a = 1\nb = = 2\n")

"""Dockerfiles: places of findings are exact, whatever the bytes; odd files neither crash nor take for ever."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bounded import must_end
from unhub.data.facts import builtin
from unhub.formats import dockerfile
from unhub.formats._choice import choose
from unhub.formats._format import by_name
from unhub.formats._text import decode
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Found, Skipped
from unhub.image.source import FormatSettings, Source
from unhub.migrate.look import look
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.plan import Plan, make_plan
from unhub.migrate.selfcheck import prove


def found(data: bytes, path: str = "Dockerfile", settings: FormatSettings | None = None) -> list[Found | Skipped]:
    findings = dockerfile.find(Source(path, data, settings or FormatSettings()))
    return [finding for finding in findings if isinstance(finding, Found | Skipped)]


def check_places(data: bytes) -> None:
    findings = found(data, settings=FormatSettings(include_comments=True))
    assert [finding.span for finding in findings] == sorted(finding.span for finding in findings)
    for finding in findings:
        assert finding.text == decode(data[slice(*finding.span)])
        assert isinstance(finding, Skipped) or finding.parts
        for part in finding.parts if isinstance(finding, Found) else ():
            assert 0 <= part.span.start <= part.span.end <= len(data)
            if part.literal and part.known and part.text:
                assert part.text == decode(data[slice(*part.span)])


LINES = st.one_of(
    st.sampled_from(
        [
            b"FROM node:20 AS b\n",
            b'from "${BASE}"\n',
            b"FROM ${REG:-}$NAME:${V#v}${V:+x}\n",
            b"FROM no\\\n# c\n\n\xff:20\n",
            b"FROM {{ x }}node:{% y %}\n",
            b"ARG BASE=no\\\nde:20\n",
            b'ARG REG="" NAME=\'node\' V=v1 BASE="$REG$NAME"\n',
            b'COPY --from="no"de:20 a b\n',
            b'RUN --mount=type=bind,\\"from=a""b\\" --mount=from=re\\\ndis x\n',
            b"ONBUILD COPY --from=nginx:1 a b\n",
            b"RUN <<EOF\nFROM x\nEOF\n",
            b"RUN << EOF\nFROM x\nEOF\n",
            b"# FROM alpine AS x\n",
            b"# syntax=docker/dockerfile:1 x\n",
            b"# escape=`\n",
            b'{"syntax":"a/b"}',
        ]
    ),
    st.binary(max_size=12),
)


@given(st.lists(LINES, max_size=8).map(b"".join))
def test_every_finding_covers_the_bytes_it_names(data: bytes) -> None:
    with contextlib.suppress(UnreadableError):
        check_places(data)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_scanner_fail_in_its_own_way(data: bytes) -> None:
    with contextlib.suppress(UnreadableError):
        check_places(data)


def test_an_escape_directive_with_another_character_makes_the_file_unreadable() -> None:
    with pytest.raises(UnreadableError, match="line 1, column 1"):
        found(b"# escape=x\nFROM node\n")


def test_a_file_in_utf_16_is_said_to_be_that() -> None:
    with pytest.raises(UnreadableError, match="UTF-16"):
        found("\ufeffFROM node\n".encode("utf-16-le"))


@pytest.mark.parametrize(
    "data",
    [
        b"RUN <<EOF\n" * 10_000,
        b"RUN << EOF\n" * 10_000 + b"EOF\n",
        b"FROM a \\\n" * 20_000,
        b"FROM " + b"x\\\n" * 20_000,
        b"RUN --mount=from=a,x " + b"\\\n" * 20_000,
        b"FROM node AS a\n" * 5_000,
        b"RUN --mount=" + b"from=a," * 10_000 + b" x\n",
        b"FROM " + b"${A:-" * 10_000 + b"\n",
        b"COPY --from=" + b"\\a" * 20_000 + b" a b\n",
        b"ARG A=" + b"x" * 100_000 + b"\nFROM $A\n",
        b"RUN " + b" " * 200_000 + b"<<EOF x\n",
        b"FROM a" + b" " * 200_000 + b"b\n",
        b'{"a":' * 20_000,
    ],
    ids=range(13),
)
def test_long_and_odd_files_come_to_an_end(data: bytes) -> None:
    with must_end():
        found(data)


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("Dockerfile", b"", True),
        ("a/b/DOCKERFILE", b"", True),
        ("web.Dockerfile", b"", True),
        ("Containerfile", b"", True),
        ("Dockerfile.dev", b"FROM node\n", True),
        ("Dockerfile.dev", b"\xef\xbb\xbfARG A\n", True),
        ("Dockerfile.dev", b"hello\n", False),
        ("Dockerfile.dockerignore", b"FROM node\n", False),
        ("Dockerfile.md", b"FROM node\n", False),
        ("Dockerfile.yaml", b"FROM: node\n", False),
        ("dockerfile.go", b"package dockerfile\n", False),
        ("Dockerfile.go", b"FROM golang\n", True),
        ("Dockerfile-prod", b"FROM node\n", True),
        ("Dockerfile.j2", b"{% if x %}\nFROM node\n{% endif %}\n", True),
    ],
)
def test_a_dockerfile_is_known_by_its_name_and_first_words(path: str, data: bytes, wanted: bool) -> None:
    entry = choose(Source(path, data))
    assert (entry is not None and entry.format.name == "dockerfile") is wanted


def test_the_name_that_buildkit_looks_a_context_up_by_is_the_familiar_one() -> None:
    (finding,) = found(b"FROM docker.io/library/node:latest\n")
    assert isinstance(finding, Found)
    assert finding.context_name == "node"


def test_a_copy_from_a_template_is_no_stage_that_a_template_of_the_same_length_names() -> None:
    *_, finding = found(b"FROM a AS {{ x }}\nCOPY --from={{ y }} a b\n")
    assert isinstance(finding, Skipped)
    assert finding.class_ is Class.VARIABLE


BUILDS = st.lists(
    st.sampled_from(
        [
            b"ARG BASE=node:20\n",
            b"ARG BASE\n",
            b'ARG REG="" NAME=node\n',
            b"ARG REG=docker.io/ FULL=$REG$NAME\n",
            b"ARG NAME=redis\n",
            b"ARG V=x\n",
            b"FROM $BASE\n",
            b"FROM ${BASE} AS node\n",
            b"FROM ${REG}node:20 AS redis\n",
            b"FROM ${REG}${NAME}\n",
            b"FROM ${FULL:-alpine}\n",
            b"FROM ${REG:-docker.io/}bitnami/redis\n",
            b"FROM ${NAME}\n",
            b"FROM ${OTHER}/${NAME}\n",
            b"FROM ${REG:+x}${NAME%e}e\n",
            b"FROM no\\\nde:20 AS ${V}\n",
            b"FROM ${BASE:+${NAME}}:$V\n",
            b"FROM ${BASE%%:*}:18\n",
            b"COPY --from=node a b\n",
            b"RUN --mount=from=redis x\n",
        ]
    ),
    max_size=9,
).map(b"".join)


@given(BUILDS)
def test_whatever_is_planned_reads_back_as_planned_and_a_second_run_changes_nothing(data: bytes) -> None:
    def plan_of(text: bytes) -> Plan:
        looked = look(Source("Dockerfile", text), by_name("dockerfile"))
        assert looked is not None
        plan = make_plan([looked], mapper)
        prove(plan, mapper, FormatSettings(), lambda path: None)
        assert plan.refused == []
        return plan

    mapper = Mapper(MappingOptions(), builtin())
    after = plan_of(data).after.get("Dockerfile", data)
    assert plan_of(after).after == {}

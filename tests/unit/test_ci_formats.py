"""GitHub Actions and GitLab CI where golden cases do not reach: expressions, scripts, host names, any bytes at all."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.formats import (
    azure_pipelines,
    bitbucket,
    circleci,
    cloud_build,
    drone,
    github_action,
    github_actions,
    gitlab_ci,
    tekton,
    woodpecker,
)
from unhub.formats._docker_actions import Kind, items
from unhub.formats._github.expressions import EXPRESSION, Context, Literal, Opaque, outcomes
from unhub.formats._gitlab.services import host_names
from unhub.formats._gitlab.variables import INPUT
from unhub.formats._scripts import assigned, commands, joined, mask
from unhub.formats._text import Mapped
from unhub.formats._variable_uses import Spans, scalars
from unhub.formats._yaml.parse import parse
from unhub.formats.cloud_build import command_line
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Found, Skipped, Span
from unhub.image.source import Source

FORMATS = (github_actions, github_action, gitlab_ci, circleci, azure_pipelines, bitbucket, drone, woodpecker, cloud_build, tekton)
FINDERS = {module.FORMAT.name: module.find for module in FORMATS}


def shown(text: str) -> list[str]:
    data = text.encode()
    return [f"{type(o).__name__}:{o.text if isinstance(o, Literal | Opaque) else o}" for o in outcomes(data, 0, len(data))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" matrix.image ", ["Context:matrix.image"]),
        ("matrix['image']", ["Context:matrix.image"]),
        ("'node:20'", ["Literal:node:20"]),
        ("inputs.image || 'node:20'", ["Context:inputs.image", "Literal:node:20"]),
        ("'' || 'node:20'", ["Literal:node:20"]),
        ("github.ref == 'x' && 'a' || 'b'", ["Literal:a", "Literal:b"]),
        ("(a.b && 'x') || (c.d && 'y') || 'z'", ["Literal:x", "Literal:y", "Literal:z"]),
        ("!a.b", ["Opaque:a condition"]),
        ("a.b >= 1", ["Opaque:a comparison"]),
        ("format('node:{0}', matrix.v)", ["Opaque:format(…)"]),
        ("fromJSON(a.b).image", ["Opaque:fromJSON(…).image"]),
        ("'it''s'", ["Opaque:it''s"]),
        ("true", ["Opaque:true"]),
        ("1.5", ["Opaque:1.5"]),
        ("a b", ["Opaque:a b"]),
        ("a.", ["Opaque:a."]),
        ("(a", ["Opaque:(a"]),
        ("f(a", ["Opaque:f(a"]),
        ("a[b]", ["Opaque:a[b]"]),
        ("#", ["Opaque:#"]),
        ("", ["Opaque:"]),
    ],
)
def test_an_expression_comes_to_the_values_it_can_hand_through(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


def test_a_literal_knows_its_bytes_between_the_quotes() -> None:
    data = b"x || 'node:20'"
    literal = outcomes(data, 0, len(data))[1]
    assert isinstance(literal, Literal)
    assert data[literal.span.start : literal.span.end] == b"node:20"


def test_a_deep_expression_is_opaque_instead_of_a_crash() -> None:
    data = b"(" * 5000 + b"a" + b")" * 5000
    assert isinstance(outcomes(data, 0, len(data))[0], Opaque)


def test_braces_in_a_text_do_not_end_an_expression() -> None:
    assert [match[0] for match in EXPRESSION.finditer(b"a ${{ '}}' }} ${{ b }}")] == [b"${{ '}}' }}", b"${{ b }}"]


@given(st.binary())
def test_an_expression_of_any_bytes_has_outcomes(data: bytes) -> None:
    for outcome in outcomes(data, 0, len(data)):
        assert isinstance(outcome, Literal | Context | Opaque)


@pytest.mark.parametrize("pattern", [EXPRESSION, INPUT])
@given(data=st.binary() | st.text("${}[] inputs.x'\n").map(str.encode))
def test_a_masked_script_keeps_its_length_and_everything_else(pattern: re.Pattern[bytes], data: bytes) -> None:
    text = Mapped.plain(data, 0, len(data))
    masked = mask(text, pattern)
    assert len(masked.data) == len(data)
    kept = bytearray(data)
    for match in pattern.finditer(data):
        kept[match.start() : match.end()] = b"${" + b"_" * (len(match[0]) - 3) + b"}"
    assert masked.data == bytes(kept)


@given(st.lists(st.text("ab \n", max_size=5).map(str.encode), max_size=5))
def test_joined_lines_lead_back_to_their_bytes(parts: list[bytes]) -> None:
    data = b"|".join(parts)
    texts, at = [], 0
    for part in parts:
        texts.append(Mapped.plain(data, at, at + len(part)))
        at += len(part) + 1
    text = joined(texts)
    assert text.data == b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts)
    for place, byte in enumerate(text.data):
        if byte in b"ab ":
            outer = text.outer(Span(place, place + 1))
            assert data[outer.start : outer.end] == bytes([byte])


def test_a_script_says_which_names_it_sets_itself() -> None:
    script = b"A=1\nexport B=2; local C=3 && D=$(x)\nfor E in 1 2; do read -r F; done\ndeclare -x G=1\necho $H I = 1"
    assert assigned(script) == {"A", "B", "C", "D", "E", "F", "G"}


def test_commands_of_a_foreign_script_end_with_their_line() -> None:
    script = b'# docker run no\ndocker.exe pull node:20 \nsubprocess.run(["docker", "run", "node"])\ndocker ps\n'
    assert [script[span.start : span.end] for span in commands(script)] == [b"docker.exe pull node:20", b'docker", "run", "node']


@pytest.mark.parametrize(
    ("image", "hosts"),
    [
        ("postgres:15", ("postgres",)),
        ("postgres@sha256:" + "0" * 64, ("postgres",)),
        ("tutum/wordpress:latest", ("tutum__wordpress", "tutum-wordpress")),
        ("registry.example.com:5000/team/db:1", ("registry.example.com__team__db", "registry.example.com-team-db")),
        ("r-base", ("r-base",)),
    ],
)
def test_a_service_is_reached_by_its_image_name(image: str, hosts: tuple[str, ...]) -> None:
    assert host_names(image) == hosts


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Kind.CACHE_FROM, "type=registry,ref=a:1\ntype=gha\nb\n\n# c", ["a:1", "b"]),
        (Kind.CACHE_FROM, 'type=registry,"ref=a:1"', ["a:1"]),
        (Kind.CACHE_FROM, "type=local,ref=a", []),
        (Kind.CONTEXTS, "x=docker-image://a:1\ny=./b\nz", ["a:1", ""]),
        (Kind.DRIVER_OPTIONS, "network=host,image=a:1\nenv.image=b", ["a:1"]),
        (Kind.BAKE_SET, "t.contexts.n=docker-image://a\n*.tags=b\nt.args.X=c\nt.platform=linux", ["a", "b", "c"]),
        (Kind.IMAGE, "  a:1\n", ["a:1"]),
    ],
)
def test_inputs_of_actions_give_their_references(kind: Kind, text: str, expected: list[str]) -> None:
    mapped = Mapped.plain(text.encode(), 0, len(text))
    assert [text[item.span.start : item.span.end] for item in items(kind, mapped)] == expected


def test_spans_tell_which_one_holds_a_byte() -> None:
    spans = Spans([Span(5, 8), Span(1, 3), Span(9, 9)])
    assert [spans.at(place) for place in range(11)] == [
        None, Span(1, 3), Span(1, 3), None, None, Span(5, 8), Span(5, 8), Span(5, 8), None, Span(9, 9), None,
    ]  # fmt: skip


WORDS = st.sampled_from([
    "jobs:", "container:", "image:", "services:", "steps:", "- run: docker run ", "- uses: docker://", "node:20", "strategy:", "matrix:",
    "${{ matrix.image }}", "${{ ", " }}", "$IMAGE", "variables:", "IMAGE:", "name:", "alias: x", "script:", "- ", "&a ", "*a", "<<: *a",
    "!reference [a, b]", "\n", "\n  ", "\n    ", "\n      ", "'", '"', "[", "]", "{", "}", ": ", "include:", "spec:", "inputs:", "---\n",
    "$[[ inputs.x ]]", "docker:", "parameters:", "<< parameters.image >>", "pool: {vmImage: x}", "resources:", "containers:", "$(IMAGE)",
    "apiVersion: tekton.dev/v1\nkind: Task\nspec:", "params:", "taskRef:", "bundle: ", "args: [run, ", "commands:", "settings:", "pipe: docker://",
    "substitutions:", "orbs:", "executors:", "environment:", "definitions:", "entrypoint: bash", ">-\n",
    "|\n", "parallel:", "default: ruby", "runs:", "é", "\t", "with:", "tags:",
])  # fmt: skip


@pytest.mark.parametrize("name", FINDERS)
@given(data=st.lists(WORDS, max_size=40).map(lambda words: "".join(words).encode()) | st.binary(max_size=60))
def test_any_bytes_give_findings_within_the_file_or_are_unreadable(name: str, data: bytes) -> None:
    try:
        findings = list(FINDERS[name](Source("x/.github/workflows/a.yml", data)))
    except UnreadableError:
        return
    for finding in findings:
        assert 0 <= finding.span.start <= finding.span.end <= len(data)
        if isinstance(finding, Found):
            for part in finding.parts:
                if part.known and part.literal and part.text:
                    assert data[part.span.start : part.span.end].decode("utf-8", "surrogateescape") == part.text


def test_a_workflow_that_calls_itself_ends() -> None:
    data = b"on: {workflow_call: {inputs: {image: {type: string}}}}\njobs: {a: {uses: ./.github/workflows/a.yml, with: {image: node:20}}}\n"
    source = Source(".github/workflows/a.yml", data, read=lambda path: data if path == ".github/workflows/a.yml" else None)
    (finding,) = github_actions.find(source)
    assert isinstance(finding, Skipped)
    assert finding.class_ is Class.VARIABLE


def test_a_called_file_that_is_no_yaml_says_nothing() -> None:
    data = b"jobs: {a: {steps: [{uses: ./tool, with: {thing: node}}, {uses: docker://alpine}]}}"
    source = Source(".github/workflows/a.yml", data, read=lambda path: b"{" if path == "tool/action.yml" else None)
    (finding,) = github_actions.find(source)
    assert isinstance(finding, Found)
    assert finding.text == "alpine"


@pytest.mark.parametrize(
    "text",
    ["docker pull node:20", "docker run -e X='a b' node", "docker build -t 'x y' .", "docker run node sh -c 'a; docker pull x'", "docker"],
)
def test_arguments_become_a_command_line_that_leads_back_to_them(text: str) -> None:
    words = shlex.split(text)[1:]
    data = json.dumps({"args": words}).encode()
    document = parse(data)[0]
    arguments = list(scalars(document.root))
    line = command_line("docker", arguments)
    assert shlex.split(line.data.decode()) == shlex.split(text)
    for word, argument in zip(words, arguments, strict=True):
        at = line.data.find(word.encode())
        assert line.outer(Span(at, at + len(word))) == argument.content


def test_a_task_in_another_kind_of_cluster_resource_is_left_to_kubernetes() -> None:
    data = (
        b"apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: node}], steps: [{image: ruby}]}\n---\napiVersion: tekton.dev/v1\n"
    )
    assert [finding.text for finding in tekton.find(Source("a.yaml", data)) if isinstance(finding, Found)] == ["node"]


@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        ("azure-pipelines.yml", "", True),
        (".azure-pipelines/x.yml", "", True),
        ("ci/x.yml", "pool: {vmImage: a}", True),
        ("ci/x.yml", "steps:\n- task: Docker@2\n", True),
        ("ci/x.yml", "resources:\n  containers:\n  - container: a\n", True),
        ("ci/x.yml", "resources:\n  limits: x\ncontainers:\n", False),
        ("ci/x.yml", "steps:\n- task: docker\n", False),
    ],
)
def test_azure_templates_are_known_by_what_they_hold(path: str, text: str, wanted: bool) -> None:
    assert azure_pipelines.FORMAT.recognise(Source(path, text.encode())) is wanted


@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        ("a/.gitlab-ci.yml", "", True),
        ("templates/Jobs.gitlab-ci.yml", "", True),
        (".gitlab/ci/x.yml", "", True),
        ("ci/x.yml", "test:\n  stage: a\n  script: ls\n", True),
        ("ci/x.yml", "'a b':\n    script:\n      - ls\n    image: x\n", True),
        ("ci/x.yml", ".hidden: &h\n  script: [ls]\n  tags: [x]\n", True),
        ("ci/x.yml", ".base:\n  # here\n  image: node:20\n", True),
        ("ci/x.yml", "base:\n  image: node:20\n", False),
        ("ci/x.yml", "a:\n  b:\n    script: ls\n    image: x\n", False),
        ("ci/x.yml", "script: ls\nstage:\n  image: x\n", False),
        ("ci/x.yml", "# a:\n- b:\n    script: x\n    image: y\n", False),
        (".cirrus.yml", "task:\n  script: ls\n  only: x\n", False),
        (".travis.yml", "a:\n  script: ls\n  only: x\n", False),
    ],
)
def test_included_files_are_known_by_their_jobs(path: str, text: str, wanted: bool) -> None:
    assert gitlab_ci.FORMAT.recognise(Source(path, text.encode())) is wanted

"""Shell scripts: properties that hold for any bytes, and readings that goldens would blur."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bounded import must_end
from unhub.formats import buildspec, makefile, shell
from unhub.formats._commands.docker import DOCKER
from unhub.formats._shell.scan import scan
from unhub.formats._text import Mapped
from unhub.image.errors import UnreadableError
from unhub.image.found import Declared, DeclaredKind, Found, PulledBy, Skipped
from unhub.image.source import Source
from unhub.migrate.edits import apply, merge, plan_fix

WORDS = st.sampled_from(
    [
        b"docker", b"run", b"pull", b"node:20", b"-it", b"--rm", b"$X", b"${X:-redis}", b"'", b'"', b"`", b"$(",
        b")", b"(", b"{", b"}", b"<<E",
        b"E", b"\n", b";", b"&&", b"|", b"X=alpine", b"for", b"in", b"do", b"done", b"case", b"esac", b"\\", b"#", b"\xff", b"\0", b"\r\n",
        b"f()", b"$@", b"build", b"-", b"FROM x",
        b"sh -c", b"[[", b"((", b"${{ y }}", b"{{z}}", b"\x01v\x02", b"<(", b"X=(", b"${X#a}",
    ]
)  # fmt: skip
SCRIPTS = st.lists(WORDS, max_size=40).map(b" ".join) | st.binary(max_size=200)


def found_in(text: str | bytes) -> list[Found]:
    data = text.encode() if isinstance(text, str) else text
    return [finding for finding in shell.find(Source("run.sh", data)) if isinstance(finding, Found)]


def texts(text: str) -> list[str]:
    return [finding.text for finding in found_in(text)]


def skipped(text: str) -> list[tuple[str, str]]:
    return [(finding.text, finding.class_) for finding in shell.find(Source("run.sh", text.encode())) if isinstance(finding, Skipped)]


def commands(text: str) -> list[list[str | None]]:
    return [[word.text for word in command.words] for command in scan(text.encode()).commands if command.words]


@given(SCRIPTS)
@pytest.mark.parametrize("find", [shell.find, makefile.find])
def test_any_bytes_are_read_and_every_span_lies_in_the_file(find: object, data: bytes) -> None:
    assert callable(find)
    for finding in find(Source("run.sh", data)):
        assert 0 <= finding.span.start <= finding.span.end <= len(data)
        for part in finding.parts if isinstance(finding, Found) else ():
            if part.literal and part.known and part.path is None:
                assert data[part.span.start : part.span.end].decode("utf-8", "surrogateescape") == part.text


@given(SCRIPTS)
def test_moving_every_reference_leaves_as_many_behind_each_with_its_new_name(data: bytes) -> None:
    before = [finding for finding in shell.find(Source("run.sh", data)) if isinstance(finding, Found) and not finding.together]
    if len(before) != 1:
        return
    target = replace(before[0].reference, registry="mirror.test:5000")
    edits = merge(plan_fix(before[0], target, "run.sh").edits)
    after = [finding for finding in shell.find(Source("run.sh", apply(data, edits))) if isinstance(finding, Found)]
    assert [str(finding.reference) for finding in after] == [str(target)]


@given(st.text(st.sampled_from("node:20/'\"$ \\\n{}()`#a-"), max_size=30))
def test_a_text_in_quotes_hides_nothing_behind_it(text: str) -> None:
    quoted = "'" + text.replace("'", "'\\''") + "'"
    assert texts(f"echo {quoted}; docker pull redis\n") == ["redis"]


def test_deep_nesting_is_reported_and_not_followed() -> None:
    with pytest.raises(UnreadableError, match=r"nested deeper than 60 levels near line 1"):
        list(shell.find(Source("run.sh", b"docker pull " + b"$(" * 5000)))


@pytest.mark.parametrize(
    "piece", [b"'", b'"', b"`", b"$(", b"{{", b"${", b"<<E\n", b"a=(", b"case x in ", b"[[ ", b"f() {", b"\\\n", b"$'"]
)
def test_long_and_odd_scripts_come_to_an_end(piece: bytes) -> None:
    data = piece * 20 + b"\n" + (b"docker pull node:20 " + piece + b"\n") * 3000
    with must_end(), contextlib.suppress(UnreadableError):
        list(shell.find(Source("run.sh", data)))


def test_variables_made_of_variables_do_not_explode() -> None:
    lines = ["X0=node", *(f"X{n}=$X{n - 1}$X{n - 1}" for n in range(1, 60)), "docker pull $X59", "A=$B", "B=$A", "docker pull $A"]
    assert skipped("\n".join(lines)) == [("$X59", "variable"), ("$A", "variable")]


def test_many_values_are_followed_up_to_a_limit() -> None:
    words = " ".join(f"i{n}:1" for n in range(1100))
    assert len(texts(f"for i in {words}; do docker pull $i; done")) == 1000


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("a; b && c || d & e | f", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]),
        ("if a; then b; elif c; then d; else e; fi", [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ("while a; do b; done; until c\ndo d; done", [["a"], ["b"], ["c"], ["d"]]),
        ("case $x in a|b) c;; (d) e ;& *) f; esac; g", [["c"], ["e"], ["f"], ["g"]]),
        ("f() { a; }; function g { b; }\nh () ( c )", [["a"], ["b"], ["c"]]),
        ("[[ a && b || c < d ]] && e", [["e"]]),
        ("(( a > b )); for (( i = 0; i < 3; i++ )); do c; done", [["c"]]),
        ("! a | b &> c 2>&1; { d; }", [["a"], ["b"], ["d"]]),
        ("a b\\\nc \\\n d # e; f\n# g\nh#i", [["a", "bc", "d"], ["h#i"]]),
        ("a <<X <<-'Y'; b\nc\nX\n\td $(e)\n\tY\nf", [["a"], ["b"], ["f"]]),
        ("a $(b $(c)) `d` <(e)", [["c"], ["b", None], ["d"], ["e"], ["a", None, None, ""]]),
        ("a 'b c' \"d e\" f\\ g $'h\\ni'", [["a", "b c", "d e", "f g", "h\ni"]]),
        ("a\r\nb \\\r\n c\r\n", [["a"], ["b", "c"]]),
        ("it's one; a", [["its one; a"]]),
        ("a |\n\n b", [["a"], ["b"]]),
        ("x=1 y=(2 3) a", [["a"]]),
    ],
)
def test_commands_are_told_apart(script: str, expected: list[list[str | None]]) -> None:
    read = commands(script)
    if script.startswith("it's"):
        assert read[0][0] == "it's"
    else:
        assert read == expected


@pytest.mark.parametrize(
    ("script", "images"),
    [
        ("docker run --rm -itv a:b -e X -e Y=z -w/x --name n --cpus=2 node:20 -v nope", ["node:20"]),
        ("docker run -h host -u 1 node ls -it redis", ["node"]),
        ("docker --host tcp://x -D run --init node", ["node"]),
        ("docker run -d -- node", ["node"]),
        ("docker pull -q a && docker pull --all-tags b", ["a", "b"]),
        ("docker buildx build -t x --build-context k=docker-image://node .", ["node"]),
        ("docker build --build-arg NODE_VERSION=20 --build-arg BASE=alpine:3 --build-arg=BUILDER_IMAGE=golang .", ["alpine:3", "golang"]),
        ("docker build --build-arg IMAGE_TAG=20 --build-arg BASE=jammy --build-arg BASE_URL=x:1 .", []),
        ("docker run $DOCKER_OPTS node:20", ["node:20"]),
        ("docker run $A $B -it node", ["node"]),
        ('docker run "$@" node:20', ["node:20"]),
        ("$DOCKER run node; ${CONTAINER_ENGINE} pull redis", ["node", "redis"]),
        ("/usr/bin/docker run node; docker.exe pull redis", ["node", "redis"]),
        ("dockerCmd create --name x alpine", ["alpine"]),
        ("nohup time nice -n 5 docker run node &", ["node"]),
        ("env -i A=b docker run node", ["node"]),
        ("xargs -n1 docker run --rm node", ["node"]),
        ("docker run docker:cli docker run node", ["docker:cli", "node"]),
        ("docker exec -it dind docker pull node", ["node"]),
        ("kubectl exec -it pod -- docker pull node", ["node"]),
        ("kubectl run x --image node --command -- sh --image=no", ["node"]),
        ("skopeo copy docker-archive:x.tar docker://r.example/x", []),
        ("skopeo copy oci:x docker://r.example/x && skopeo sync --src yaml --dest dir images.yaml x", []),
        ("syft dir:. && syft registry:node && grype ./x.tar && trivy fs .", ["node"]),
        ("docker buildx create --driver-opt network=host,image=node", ["node"]),
        ("docker run --mount type=bind,source=/a,target=/b node", ["node"]),
        ("buildctl build --opt context:x=docker-image://node --opt build-arg:BASE_IMAGE=redis", ["node", "redis"]),
        ("docker run node:${{ matrix.node }}", ["node:${{ matrix.node }}"]),
        ("IMAGES='a:1 b:2'; for i in $IMAGES; do docker pull $i; done", ["a:1", "b:2"]),
        ("X=node; X=redis; docker pull $X", ["node", "redis"]),
        ("a=(--rm -v x:y); a+=(--init); docker run \"${a[@]}\" node", ["node"]),
        ("f() { shift; docker pull $1; }; f a b", []),
        ("docker ps -f ancestor=node; docker pull node", ["node", "node"]),
        ("aws codebuild start-build --project-name p --image-override node", ["node"]),
        ("act -P ubuntu-latest=node:20", ["node:20"]),
        ("BUILDKIT_SYNTAX=docker/dockerfile:1 docker build .", ["docker/dockerfile:1"]),
    ],
)  # fmt: skip
def test_images_are_found_where_the_command_takes_them(script: str, images: list[str]) -> None:
    assert texts(script) == images


def test_a_name_with_several_tags_is_found_once() -> None:
    (found,) = found_in("for v in 18 20; do docker run node:$v; done")
    assert (found.text, str(found.reference), found.note) == (
        "node:$v",
        "docker.io/library/node:18",
        "stands for 2 images of that name: :18, :20",
    )


def test_what_is_built_here_is_declared_for_the_rest_of_the_tree() -> None:
    declared = [
        one for one in shell.find(Source("a/scripts/x.sh", b"docker build -t app:1 .\ndocker push app:1")) if isinstance(one, Declared)
    ]
    assert [(one.kind, one.key, one.scope) for one in declared] == [(DeclaredKind.OUTPUT, "app:1", ("a/scripts", "a"))]


def test_the_kubelet_pulls_before_anybody_can_log_in() -> None:
    (found,) = found_in("kubectl run x --image=node")
    assert found.pulled_by is PulledBy.PLATFORM


@pytest.mark.parametrize(
    "how", ["echo $X/y", "mkdir $X", "[ $X = node ]", "case $X in a) ;; esac", "docker rm $X", "y=${X##*/}", "> $X.log"]
)
def test_a_variable_with_another_use_is_kept(how: str) -> None:
    expected = [] if how.startswith("echo") else [("$X", "conflict")]
    assert [one for one in skipped(f"X=node\ndocker pull $X\n{how}\n") if one[0] == "$X" and one[1] == "conflict"] == expected


def _switches(command: str) -> Iterator[str]:
    done = subprocess.run(["docker", *command.split(), "--help"], capture_output=True, text=True, check=True)
    for short, long in re.findall(r"^ +(?:(-[a-zA-Z]), )?(--[a-z-]+) {3,}", done.stdout, re.MULTILINE):
        yield from (flag for flag in (short, long) if flag)


def _valued(command: str) -> Iterator[str]:
    done = subprocess.run(["docker", *command.split(), "--help"], capture_output=True, text=True, check=True)
    for short, long in re.findall(r"^ +(?:(-[a-zA-Z]), )?(--[a-z-]+) [a-zA-Z]", done.stdout, re.MULTILINE):
        yield from (flag for flag in (short, long) if flag)


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "create",
        "pull",
        "push",
        "save",
        "rmi",
        "service create",
        "service update",
        "inspect",
        "history",
        "images",
        "manifest create",
        "commit",
    ],
)
def test_the_docker_client_itself_agrees_which_flags_take_a_value(command: str) -> None:
    try:
        subprocess.run(["docker", "--version"], capture_output=True, check=True)
    except OSError:
        pytest.skip("needs the docker client")
    known = DOCKER[command].switches
    assert set(_switches(command)) <= known
    assert known.isdisjoint(_valued(command))


def test_a_buildspec_knows_what_a_command_before_it_set() -> None:
    data = b"version: 0.2\nphases:\n  build:\n    commands:\n      - X=node\n      - docker pull $X\n"
    (found,) = (one for one in buildspec.find(Source("buildspec.yml", data)) if isinstance(one, Found))
    assert (found.where, str(found.reference)) == ("phases.build.commands[1]: docker pull", "docker.io/library/node")


def test_quotes_that_one_command_leaves_open_do_not_reach_the_next() -> None:
    data = b"version: 0.2\nphases:\n  build:\n    commands:\n      - echo it's\n      - docker pull node\n      - echo \"\n"
    found = [one.text for one in buildspec.find(Source("buildspec.yml", data)) if isinstance(one, Found)]
    assert found == ["node"]


def test_a_text_without_bytes_of_its_own_has_no_commands() -> None:
    assert list(shell.find(Source("run.sh", b""))) == []
    assert scan(Mapped.plain(b"", 0, 0).data).commands == []

"""Logs as they come: any bytes, any line ends, colours, prefixes of every runner, JSON; and no secret is shown again."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.doctor.log.cleaning import messages
from unhub.doctor.log.images import mentions, place_of
from unhub.doctor.log.masking import HIDDEN, masked
from unhub.doctor.log.reading import LINE_MAX, OVERLAP, RawLine, Splitter, lines


def texts(data: bytes) -> list[str]:
    return [line.text for line in messages(RawLine(1, data))]


def test_lines_are_numbered_and_the_last_one_needs_no_end() -> None:
    found = list(lines(io.BytesIO(b"one\r\n\ntwo\n\xff three")))
    assert found == [RawLine(1, b"one\r"), RawLine(2, b""), RawLine(3, b"two"), RawLine(4, b"\xff three")]
    assert texts(found[0].data) == ["one"]
    assert texts(found[3].data) == ["\ufffd three"]
    assert list(lines(io.BytesIO(b""))) == []
    assert list(lines(io.BytesIO(b"x"))) == [RawLine(1, b"x")]


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_pieces_of_any_size_give_the_same_lines(pieces: list[bytes]) -> None:
    data = b"log\n" + b"".join(pieces)
    splitter = Splitter()
    found = [line for piece in (b"lo", b"g\n", *pieces) for line in splitter.feed(piece)] + list(splitter.end())
    wanted = data.split(b"\n")
    assert [line.data for line in found] == (wanted if wanted[-1] else wanted[:-1])
    assert [line.number for line in found] == list(range(1, len(found) + 1))


def test_a_line_without_end_is_looked_at_in_pieces_that_overlap() -> None:
    splitter = Splitter()
    found = [line for _ in range(64) for line in splitter.feed(b"x" * 10_000)] + list(splitter.end())
    assert {line.number for line in found} == {1}
    assert max(len(line.data) for line in found) <= LINE_MAX
    needle = b"A" * OVERLAP
    for before in range(LINE_MAX - 3 * OVERLAP, LINE_MAX + OVERLAP, OVERLAP // 3):
        long = b"." * before + needle[: OVERLAP - 1] + b"." * LINE_MAX
        assert any(needle[: OVERLAP - 1] in line.data for line in lines(io.BytesIO(long + b"\n")))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
def test_powershell_writes_utf_16(encoding: str) -> None:
    data = "Zeile 1: ä\r\nZeile 2".encode(encoding)
    assert [texts(line.data) for line in lines(io.BytesIO(data))] == [["Zeile 1: ä"], ["Zeile 2"]]


MESSAGE = "Error: boom in docker.io/library/node:18"
WRAPPERS = {
    "CodeBuild": "[Container] 2024/03/11 01:02:03 {}",
    "CodeBuild, parts of seconds": "[Container] 2024/03/11 01:02:03.123456 {}",
    "Actions": "2024-03-11T01:02:03.1234567Z {}",
    "Actions, error": "2024-03-11T01:02:03.1234567Z ##[error]{}",
    "Actions, command": "::error file=Dockerfile,line=1::{}",
    "gh run view": "build\tUNKNOWN STEP\t2024-03-11T01:02:03.1234567Z {}",
    "GitLab": "2024-03-11T01:02:03.123456Z 01E {}",
    "GitLab, going on": "2024-03-11T01:02:03.123456Z 01E+{}",
    "GitLab, section": "section_start:1710118923:prepare_script\r\x1b[0K\x1b[0K{}",
    "Jenkins": "[2024-03-11T01:02:03.123Z] {}",
    "clock": "01:02:03  {}",
    "minutes": "00:01 {}",
    "syslog": "Mar 11 01:02:03 node-1 kubelet[1234]: {}",
    "klog": "E0311 01:02:03.123456    1234 kuberuntime_image.go:55] {}",
    "kubectl describe": "  Warning  Failed     3m (x4 over 5m)    kubelet            {}",
    "kubectl get events": "3m12s       Warning   Failed      pod/web-1     {}",
    "container file": "2024-03-11T01:02:03.123456789+00:00 stderr F {}",
    "BuildKit": "#12 0.345 {}",
    "BuildKit, no time": "#12 {}",
    "compose": "web-1  | {}",
    "logrus": "\x1b[31mERRO\x1b[0m[0012] {}",
    "Maven": "[ERROR] {}",
    "colours": "\x1b[1;31m{}\x1b[0m",
    "colours without escape": "[31m{}[0m",
    "link and title": "\x1b]0;title\x07\x1b]8;;https://x.example\x1b\\{}",
    "several": "2024-03-11T01:02:03.1234567Z web-1  | #12 0.345 [Container] 2024/03/11 01:02:03 {}",
    "progress before": "downloading 10%\rdownloading 20%\r{}",
}


@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)
def test_what_runners_write_before_a_line_is_taken_off(wrapper: str) -> None:
    assert texts(wrapper.format(MESSAGE).encode())[-1] == MESSAGE


QUOTED = 'Could not connect to "https://x.example/"'
STRUCTURED = {
    "docker's file": json.dumps({"log": f"{QUOTED}\n", "stream": "stderr", "time": "2024-03-11T01:02:03Z"}),
    "escaped colours": json.dumps({"log": f"\x1b[31m{QUOTED}\x1b[0m\r\n", "stream": "stderr"}),
    "docker's API": json.dumps({"errorDetail": {"message": QUOTED}, "error": QUOTED}),
    "logger": json.dumps({"level": "error", "msg": QUOTED}),
    "logfmt": f'time="2024" level=error msg={json.dumps(QUOTED)}',
    "logs of AWS": f'            "message": {json.dumps(f"[Container] 2024/03/11 01:02:03 {QUOTED}" + chr(10))},',
    "escaped": json.dumps(QUOTED)[1:-1],
}


@pytest.mark.parametrize("line", STRUCTURED.values(), ids=STRUCTURED)
def test_texts_are_taken_out_of_what_loggers_pack_them_into(line: str) -> None:
    assert QUOTED in texts(line.encode())


@pytest.mark.parametrize("line", ['{"errors":[{"code":"DENIED"}]}', "{not json}", "{" * 5_000 + "}" * 5_000, '"plain"', "[manifests 18]"])
def test_what_only_looks_packed_stays_as_it_is(line: str) -> None:
    assert texts(line.encode()) == [line]


def test_a_line_knows_its_build_step_service_and_job() -> None:
    (line,) = messages(RawLine(7, b"build\tRun\t2024-03-11T01:02:03.1234567Z web-1  | #12 0.345 x"))
    assert (line.number, line.text, line.step) == (7, "x", "job build\tRun/service web-1/step 12")


@given(st.binary(max_size=400))
def test_any_bytes_are_cleaned(data: bytes) -> None:
    for line in messages(RawLine(1, data)):
        assert "\n" not in line.text
        assert "\x1b" not in line.text
        mentions(line.text)
        masked(line.text)


IMAGES = {
    "#3 [internal] load metadata for docker.io/library/golang:1.22": ("golang:1.22", "FROM"),
    "FROM node:18": ("node:18", "FROM"),
    "Step 1/5 : FROM --platform=linux/amd64 node:21.7.0-alpine3.19": ("node:21.7.0-alpine3.19", "FROM"),
    "   1 | >>> FROM golang:1.22 AS build": ("golang:1.22", "FROM"),
    "STEP 1/4: FROM docker.io/library/node:18": ("node:18", "FROM"),
    "INFO[0000] Retrieving image manifest node:18": ("node:18", "FROM"),
    'Failed to pull image "nginx": rpc error': ("nginx", None),
    'Pulling image "acme/app:1"': ("acme/app:1", "image:"),
    "Using Docker executor with image ruby:3.3 ...": ("ruby:3.3", "image:"),
    "21.7.0-alpine3.19: Pulling from library/node": ("node:21.7.0-alpine3.19", None),
    "error building image: GET https://index.docker.io/v2/library/node/manifests/18: TOOMANYREQUESTS": ("node:18", None),
    "Get https://registry-1.docker.io/v2/library/node/manifests/18: toomanyrequests": ("node:18", None),
    "reading manifest 18 in docker.io/library/node: toomanyrequests": ("node:18", None),
    "Trying to pull docker.io/library/node:18...": ("node:18", None),
    "+ docker pull --quiet node:18": ("node:18", "docker pull"),
    "  image: postgres:16": ("postgres:16", "image:"),
    "Unable to find image 'hello-world:latest' locally": ("hello-world:latest", None),
    "repository public.ecr.aws/docker/node not found": ("public.ecr.aws/docker/node", None),
    "denied for 123456789012.dkr.ecr.eu-west-1.amazonaws.com/a/b:1 here": ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/a/b:1", None),
}


@pytest.mark.parametrize(("text", "wanted"), IMAGES.items(), ids=list(IMAGES))
def test_images_are_found_in_the_words_around_them(text: str, wanted: tuple[str, str | None]) -> None:
    (line,) = messages(RawLine(1, text.encode()))
    mention = mentions(line.text)[0]
    assert (mention.reference.familiar(), mention.label) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "Error response from daemon: x",
        "pulling from host registry-1.docker.io failed with status code [manifests 18]: 429",
        "pull image manifest has been retried 1 time(s)",
        "[auth] docker/dockerfile:pull token for registry-1.docker.io",
        "https://www.docker.com/increase-rate-limit",
        "error building image: GET https://x",
    ],
)
def test_words_that_are_no_images_are_not_taken_for_one(text: str) -> None:
    assert mentions(text) == ()


def test_the_registry_of_a_line() -> None:
    assert place_of("dial tcp: lookup registry-1.docker.io") == "docker-hub"
    assert place_of("FROM node:18", mentions("FROM node:18")) == "docker-hub"
    assert place_of("Get https://public.ecr.aws/v2/") == "ecr-public"
    assert place_of("push to 123456789012.dkr.ecr.eu-west-1.amazonaws.com/x") == "ecr"
    assert place_of("quay.io/x") is None


SECRETS = {
    "AKIAIOSFODNN7EXAMPLE": "key AKIAIOSFODNN7EXAMPLE is used",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY": "the key je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY alone",
    "eyJwYXlsb2FkIjoiYWJj": "docker login -u AWS -p eyJwYXlsb2FkIjoiYWJj public.ecr.aws",
    "QVdTOmV5SndhWGxzYjJG": '"auth": "QVdTOmV5SndhWGxzYjJG"',
    "dXNlcjpwYXNz": "Authorization: Basic dXNlcjpwYXNz",
    "abc.def-ghi": "authorization: Bearer abc.def-ghi",
    "hunter2": "https://user:hunter2@registry.example/v2/",
    "hunter3": "password: hunter3",
    "hunter4": 'DB_PASSWORD="hunter4"',
    "hunter5": "docker login --username x --password hunter5 host",
    "hunter6": "docker login -u x -p hunter6 host",
    "hunter7": "  client_secret => 'hunter7'",
    "ghp_abcdefghij0123456789": "git clone with ghp_abcdefghij0123456789",
    "glpat-abcdefghij01": "glpat-abcdefghij01",
    "dckr_pat_abcdef": "echo dckr_pat_abcdef | docker login",
    "deadbeef01": "GET https://cdn.example/x?X-Amz-Signature=deadbeef01&x=1",
    "AQoDYXdzEJr": "AWS_SESSION_TOKEN=AQoDYXdzEJr//////////",
}


@pytest.mark.parametrize(("secret", "text"), SECRETS.items(), ids=list(SECRETS))
def test_a_secret_is_hidden(secret: str, text: str) -> None:
    assert secret not in masked(text)
    assert HIDDEN in masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "failed to fetch oauth token: unexpected status from POST request to https://auth.docker.io/token: 401 Unauthorized",
        "unable to retrieve auth token: invalid username/password: unauthorized",
        "The security token included in the request is invalid.",
        "commit 0123456789abcdef0123456789abcdef01234567 of main",
        "WARNING! Using --password via the CLI is insecure. Use --password-stdin.",
        "the --password-stdin option requires --username to be set",
        "sha256:0a1b2c3d4e5f60718293a4b5c6d7e8f900112233445566778899aabbccddeeff",
        "docker.io/library/node:21.7.0-alpine3.19",
        "Pulling image https://registry.example:5000/v2/",
    ],
)
def test_an_ordinary_message_stays_readable(text: str) -> None:
    assert masked(text) == text

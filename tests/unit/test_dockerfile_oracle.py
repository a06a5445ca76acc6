"""BuildKit's own parser, in the package ``dockerfile``, sees the same instructions as ours."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unhub.formats._dockerfile.lines import Dockerfile
from unhub.formats._dockerfile.split import fields, split_command, words
from unhub.image.errors import UnreadableError

dockerfile = pytest.importorskip("dockerfile", reason="BuildKit's parser is a development dependency")

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
NOT_DOCKERFILES = (".dockerignore", ".groovy", ".go", ".md")

Instruction = tuple[str, int, int, tuple[str, ...], tuple[str, ...] | None]


def ours(data: bytes) -> list[Instruction]:
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    parsed = Dockerfile(data, start)
    found: list[Instruction] = []
    for line in parsed.lines():
        if line.comment:
            continue
        command = split_command(line.text)
        arguments = None
        if command.keyword == "from":
            arguments = tuple(word.text for word in fields(command.rest))
        elif command.keyword == "arg":
            arguments = tuple(word.text for word in words(command.rest, parsed.escape))
        # BuildKit reads flags byte by byte, so a byte is a character there
        flags = tuple(flag.data.decode("latin-1") for flag in command.flags)
        found.append((command.keyword, line.first, line.last, flags, arguments))
    return found


def theirs(data: bytes) -> list[Instruction]:
    compared = ("from", "arg")
    return [
        (
            # an instruction of continuations alone has no keyword
            (command.cmd or "").lower(),
            command.start_line,
            command.end_line,
            command.flags,
            tuple(command.value) if (command.cmd or "").lower() in compared else None,
        )
        for command in dockerfile.parse_string(data.decode())
    ]


def corpus_files() -> list[Path]:
    if not CORPUS.is_dir():
        return []
    paths = (path for path in CORPUS.rglob("*") if "dockerfile" in path.name.lower() and path.is_file())
    return sorted(path for path in paths if not path.name.lower().endswith(NOT_DOCKERFILES))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/corpus is not here")
def test_every_dockerfile_of_the_corpus_has_the_same_instructions() -> None:
    paths = corpus_files()
    assert len(paths) > 90
    differing = [path for path in paths if ours(path.read_bytes()) != theirs(path.read_bytes())]
    assert differing == []


KEYWORDS = st.sampled_from(["FROM", "from", "ARG", "RUN", "COPY", "ADD", "ONBUILD RUN", "onbuild COPY", "ENV", "LABEL", "CMD", "foo", "//"])
PIECES = st.sampled_from(
    [
        *"ab$'\"\\`#=<,- \t",
        "\u00a0",
        "\u00e9",
        "node:20",
        "AS b",
        "--from=x",
        "--mount=type=bind,from=y",
        "--platform=$P",
        "${V:-x}",
        "<<EOF",
        "<<-EOF",
        "3<<'EOF'",
        "<<E\\OF",
        '<<"EOF"',
        "<< EOF",
        "${x",
        "$(a)",
        '["<<EOF"]',
        "a='b c'",
        'A="x\\"y"',
        " ",
    ]
)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", " \\\n", "\\\n", "\\ \t\n", "\\\\\n", "`\n", "` \r\n", "\\\r\n"])
BODIES = st.sampled_from(["EOF\n", "\tEOF\n", "EOF\r\n", "FROM x\n", "# c\n", "  # c \\\n", "\n", " \t\n", "\\\n", "  EOF\n"])
LINES = st.one_of(
    st.builds(lambda keyword, pieces, end: f"{keyword} {''.join(pieces)}{end}", KEYWORDS, st.lists(PIECES, max_size=6), ENDS), BODIES
)
TOPS = st.sampled_from(
    [
        "",
        "# escape=`\n",
        "#escape = \\\n",
        "# EScape=`\n",
        "# syntax=a\n# escape=`\n",
        "#!/bin/sh\n# escape=`\n",
        "  # escape=`\n",
        "\n# escape=`\n",
        "# c\n# escape=`\n",
    ]
)
FILES = st.builds(
    lambda top, lines, bom: ("\ufeff" if bom else "") + top + "".join(lines), TOPS, st.lists(LINES, max_size=8), st.booleans()
)


@example("FROM a\nRUN cat > f << 'EOF'\nFROM x\nEOF\n")
@example("COPY <<X <<Y /dest\nY\nX\nX\nY\nFROM a\n")
@example("FR\\\nOM no\\\n# c\n\nde:20\n")
@example("# escape=`\nFROM a `\n# c\n AS b\n")
@example("RUN ${a:-<<EOF}\nEOF\n")
@given(FILES)
def test_generated_dockerfiles_have_the_same_instructions(text: str) -> None:
    data = text.encode()
    try:
        expected = theirs(data)
    except (dockerfile.GoParseError, UnicodeDecodeError):
        # BuildKit refuses the file; ours may read on, but must not fail in its own way
        with contextlib.suppress(UnreadableError):
            ours(data)
        return
    assert ours(data) == expected

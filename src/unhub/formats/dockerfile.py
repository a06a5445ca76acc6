"""Dockerfiles and Containerfiles: every image a build pulls, read as BuildKit reads them (rules #15 to #44)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._build import build, literal
from unhub.formats._dockerfile.lines import Dockerfile
from unhub.formats._dockerfile.reader import Reader, stage_name
from unhub.formats._dockerfile.split import split_command
from unhub.formats._dockerfile.stages import Stages
from unhub.formats._dockerfile.syntax import syntax
from unhub.formats._dockerfile.template import masked
from unhub.formats._dockerfile.text import leading_space
from unhub.formats._dockerfile.value import Scope
from unhub.formats._format import Format
from unhub.formats._text import decode
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Finding, Found, PulledBy, Skipped
from unhub.image.source import Source

_PLAIN_NAME = re.compile(r"(?:.+\.)?(?:dockerfile|containerfile)")
_OTHER_KIND = re.compile(r".*\.(?:dockerignore|containerignore|md|markdown|rst|adoc|html?|json|ya?ml|toml|xml|lock|log|orig|rej|sw[po])")
_INSTRUCTION = re.compile(rb"(?mi)^(?:\xef\xbb\xbf)?[ \t]*(?:FROM|ARG)[ \t\\`]")
_WORTH_A_LOOK = re.compile(rb"(?i)from|arg|onbuild|[{%@<]|(?:run|copy|add)[\t\v\f\r ][\t\n\v\f\r \x85\xa0]*--")
_WIDE_ENCODINGS = (b"\xff\xfe", b"\xfe\xff")


def _recognise(source: Source) -> bool:
    name = source.name.lower()
    if _OTHER_KIND.fullmatch(name):
        return False
    return _PLAIN_NAME.fullmatch(name) is not None or _INSTRUCTION.search(source.data) is not None


FORMAT = Format(
    name="dockerfile",
    title="Dockerfiles and Containerfiles",
    tier="A",
    files=(
        "dockerfile",
        "containerfile",
        "*.dockerfile",
        "*.containerfile",
        "dockerfile.*",
        "dockerfile-*",
        "dockerfile_*",
        "containerfile.*",
        "containerfile-*",
    ),
    positions=(
        "FROM, with stages, quotes, continuations and evaluated variables",
        "ARG: the default that a FROM uses, as a whole or as the registry before a name",
        "COPY --from",
        "RUN --mount from=, every mount",
        "ONBUILD COPY --from and ONBUILD RUN --mount",
        "# syntax, in all four spellings",
    ),
    gaps=(
        "docker commands inside RUN: they run in the build's own container, so they are no pull of this build",
        "a build's --build-arg: ARGs are evaluated from their defaults",
    ),
    order=10,
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """The images of a Dockerfile. Works on any text: other formats call it for what they embed (rule #56)."""
    data = source.data
    if data.startswith(_WIDE_ENCODINGS):
        raise UnreadableError("it is UTF-16, which no builder reads, near line 1, column 1")
    yield from _frontends(source)
    dockerfile = Dockerfile(data, source.body_start)
    lines = list(dockerfile.lines())
    commands = {line.first: split_command(masked(line.text)) for line in lines if not line.comment and _names_something(line.text.data)}
    stages = Stages()
    for line in lines:
        if line.first in commands and commands[line.first].keyword == "from" and not line.doubtful:
            stages.add(stage_name(commands[line.first]))
    reader = Reader(data, Scope(dockerfile.escape), stages, short_names="containerfile" in source.name.lower())
    for line in lines:
        if line.first in commands:
            reader.read(line, commands[line.first])
        elif not line.comment:
            reader.look_for_arguments(line)
        elif source.settings.include_comments:
            reader.comment(line)
    yield from reader.result()


def _frontends(source: Source) -> Iterator[Found | Skipped]:
    for frontend in syntax(source.data, source.body_start):
        span = frontend.span
        if frontend.again:
            text = decode(source.data[span.start : span.end])
            yield Skipped(span, text, "# syntax", Class.INVALID, "a second syntax directive; BuildKit refuses the file", PulledBy.BUILD)
        else:
            yield build(source.data, span, literal(source.data, *span), where="# syntax", pulled_by=PulledBy.BUILD)


def _names_something(text: bytes) -> bool:
    """Whether an instruction can name an image or a stage: most of a file cannot, and need not be taken apart."""
    return _WORTH_A_LOOK.match(text, leading_space(text)) is not None

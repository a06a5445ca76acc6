"""What a pipeline runs in containers: agents, the ``docker`` variable, pods, and its shell steps (rule #68)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from unhub.formats import _build
from unhub.formats._groovy.calls import (
    Argument,
    arguments_of,
    call_before,
    followed_by,
    goes_on,
    group_items,
    is_sign,
    is_word,
    name_at,
    split,
)
from unhub.formats._groovy.tokens import Group, Item, Text, Token, read
from unhub.formats._helm.fields import is_image_key
from unhub.formats._interpolated import build_options, pods, shell
from unhub.formats._scripts import commands
from unhub.formats._text import decode
from unhub.image.errors import InvalidReference
from unhub.image.found import Class, Declared, DeclaredKind, Finding, PulledBy, Skipped, Span
from unhub.image.reference import Reference
from unhub.image.source import Source

_AGENTS = frozenset({"docker", "dockerContainer"})
_CALLS = frozenset({"containerTemplate", "withDockerContainer", "dockerNode", "dockerContainer", "docker"})
"""Steps whose ``image`` is pulled: pipeline plugins docker-workflow, docker-plugin and kubernetes, 2026-08."""

_WORDS = frozenset(
    {*_AGENTS, "image", "build", "withDockerContainer", "dockerNode", "yaml", "additionalBuildArgs", "sh", "bat", "powershell", "pwsh"}
)
"""Names of the calls that are looked at."""

_STEPS = {"sh": "", "bat": "batch", "powershell": "PowerShell", "pwsh": "PowerShell"}
_DOCKER_HUB = re.compile(r"https?://(?:(?:index|registry-1|registry\.hub|registry)\.)?docker\.(?:io|com)(?:/.*)?")
_HOST = re.compile(r"(?:https?://)?([^/\s]+)")
_IMAGE_NAME = re.compile(r"(?i)(?:.*_)?(?:image|img)(?:_?(?:name|ref|tag))?|.*Image(?:Name)?")


class _Inside(Struct, frozen=True):
    """Where in the pipeline something stands: the closures around it, the call it is an argument of,
    and why images here do not come from Docker Hub by their bare name, if so."""

    blocks: tuple[str, ...] = ()
    call: str = ""
    registry: tuple[Class, str] | None = None

    @property
    def block(self) -> str:
        return self.blocks[-1] if self.blocks else ""


class Pipeline:
    """One Jenkinsfile, or a file of a shared library."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root = read(source.data)
        self._pushed = frozenset(self._pushed_names())

    def findings(self) -> Iterator[Finding]:
        """Everything found, in no special order."""
        for group, inside in self._groups():
            for number, item in enumerate(group.items):
                if isinstance(item, Token) and item.kind == "word":
                    yield from self._word(group.items, number, inside)

    def _groups(self) -> Iterator[tuple[Group, _Inside]]:
        stack = [(self.root, _Inside())]
        while stack:
            group, inside = stack.pop()
            yield group, inside
            for number, item in enumerate(group.items):
                if isinstance(item, Group):
                    stack.append((item, self._enter(group.items, number, item, inside)))

    def _enter(self, items: Sequence[Item], number: int, group: Group, inside: _Inside) -> _Inside:
        if group.opener == "[":
            return inside
        before = number - 1
        given: Sequence[Item] = ()
        if group.opener == "{" and before >= 0 and isinstance(items[before], Group):
            given = group_items(items[before])
            before -= 1
        name = name_at(items, before)
        if group.opener == "(":
            return replace(inside, call=name)
        registry = self._registry(name, given, group) or inside.registry
        return _Inside((*inside.blocks, name), "", registry)

    def _registry(self, name: str, given: Sequence[Item], group: Group) -> tuple[Class, str] | None:
        """Why the names inside are not Docker Hub's: the plugin puts the registry's host before each."""
        arguments: list[Argument] = []
        if name == "docker.withRegistry":
            arguments = split(given)[:1]
        elif name in _AGENTS:
            at = next((n for n, item in enumerate(group.items) if is_word(item, "registryUrl")), None)
            arguments = arguments_of(group.items, at)[:1] if at is not None else []
        if not arguments:
            return None
        text = arguments[0].text
        line = self.source.data.count(b"\n", 0, arguments[0].span.start) + 1
        if text is None or text.variables:
            return Class.VARIABLE, f"pulled from the registry that is named at line {line}, whose value is not known here"
        if not text.value.strip():
            return None
        host = _HOST.match(text.value.strip())
        shown = host[1] if host else text.value
        if _DOCKER_HUB.fullmatch(text.value.strip()):
            return Class.CONFLICT, f"line {line} puts {shown} before the name; take that registry away, then the image can move"
        return Class.NOT_DOCKER_HUB, f"is at {shown}, which line {line} puts before the name"

    def _pushed_names(self) -> Iterator[str]:
        for group, _ in self._groups():
            for first, dot, last in zip(group.items, group.items[1:], group.items[2:], strict=False):
                if isinstance(first, Token) and is_sign(dot, ".") and (is_word(last, "push") or is_word(last, "tag")):
                    yield first.text

    def _word(self, items: Sequence[Item], at: int, inside: _Inside) -> Iterator[Finding]:
        name = name_at(items, at)
        word = name.rpartition(".")[2]
        if followed_by(items, at, ":") or followed_by(items, at, "="):
            yield from self._named(items, at, word, inside)
        elif word in _WORDS:
            yield from self._call(items, at, name, inside)

    def _call(self, items: Sequence[Item], at: int, name: str, inside: _Inside) -> Iterator[Finding]:
        word = name.rpartition(".")[2]
        arguments = arguments_of(items, at)
        first = next((argument for argument in arguments if argument.name is None), None)
        if name == "docker.image" and first:
            yield from self._docker_image(items, at, first, inside)
        elif name == "docker.build" and first:
            yield from self._docker_build(arguments)
        elif word == "image" and inside.block in (*_AGENTS, "containerTemplate") and first:
            yield from self._image(first, f"{_agent(inside)} image", PulledBy.PLATFORM, inside)
        elif word in _AGENTS and inside.block == "agent" and first:
            yield from self._image(first, f"agent {word}", PulledBy.PLATFORM, inside)
        elif word in ("withDockerContainer", "dockerNode") and first:
            yield from self._image(first, word, PulledBy.BUILD, inside)
        elif word == "yaml" and inside.block in ("kubernetes", "podTemplate") and first and first.text:
            yield from pods(self.source, first.text.mapped, first.text.variables, f"{inside.block} yaml")
        elif word == "additionalBuildArgs" and inside.block == "dockerfile" and first and first.text:
            yield from build_options(self.source, first.text.mapped, first.text.variables, "dockerfile additionalBuildArgs")
        elif word in _STEPS:
            yield from self._step(word, arguments)

    def _named(self, items: Sequence[Item], at: int, word: str, inside: _Inside) -> Iterator[Finding]:
        """A named argument (``image: 'node:20'``), or a variable that is given a value."""
        if followed_by(items, at, "="):
            yield from self._assigned(items, at, word)
            return
        if word != "yaml" and not is_image_key(word):
            return
        call = inside.call or call_before(items, at)
        argument = next((argument for argument in split(items, at) if argument.name == word), None)
        if argument is None:
            return
        if word == "image" and call in _CALLS:
            pulled_by = PulledBy.BUILD if call == "withDockerContainer" else PulledBy.PLATFORM
            yield from self._image(argument, f"{call} image", pulled_by, inside)
        elif word == "yaml" and call in ("podTemplate", "kubernetes") and argument.text:
            yield from pods(self.source, argument.text.mapped, argument.text.variables, f"{call} yaml")
        elif is_image_key(word):
            yield from self._unsure(
                argument, f"{call or 'a map'} {word}", f"an argument of {call}(), which is not known here" if call else "an entry of a map"
            )

    def _assigned(self, items: Sequence[Item], at: int, word: str) -> Iterator[Finding]:
        """``IMAGE = 'node:20'``, in an ``environment`` or in code."""
        value = items[at + 2] if at + 2 < len(items) else None
        if _IMAGE_NAME.fullmatch(word) and isinstance(value, Text) and not goes_on(items, at + 3):
            yield from self._unsure(Argument(None, [value]), word, "a variable")

    def _unsure(self, argument: Argument, where: str, what: str) -> Iterator[Finding]:
        text = argument.text
        if text is None or text.variables or not _is_reference(text.value):
            return
        reason = f"{what}; only a literal at the place of use is rewritten in a pipeline, so change it by hand if it is pulled"
        yield self._skip(text.content, where, (Class.VARIABLE, reason))

    def _docker_image(self, items: Sequence[Item], at: int, argument: Argument, inside: _Inside) -> Iterator[Finding]:
        method = items[at + 3] if at + 3 < len(items) and is_sign(items[at + 2], ".") else None
        assigned = items[at - 4] if at >= 4 and is_sign(items[at - 3], "=") else None
        output = is_word(method, "push") or is_word(method, "tag") or (isinstance(assigned, Token) and assigned.text in self._pushed)
        if output:
            yield self._skip(argument.span, "docker.image", (Class.BUILD_OUTPUT, "is tagged or pushed here, not pulled"))
        else:
            yield from self._image(argument, "docker.image", PulledBy.BUILD, inside)

    def _docker_build(self, arguments: Sequence[Argument]) -> Iterator[Finding]:
        yield self._skip(arguments[0].span, "docker.build", (Class.BUILD_OUTPUT, "names what is built, not what is pulled"))
        text = arguments[0].text
        if text and not text.variables and _is_reference(text.value):
            yield Declared(DeclaredKind.OUTPUT, text.value.strip(), text.content, "docker.build")
        options = arguments[1].text if len(arguments) > 1 else None
        if options:
            yield from build_options(self.source, options.mapped, options.variables, "docker.build")

    def _image(self, argument: Argument, where: str, pulled_by: PulledBy, inside: _Inside) -> Iterator[Finding]:
        text = argument.text
        if inside.registry and where.split(maxsplit=1)[0] != "containerTemplate":
            yield self._skip(argument.span, where, inside.registry, pulled_by)
        elif text is None:
            shown = decode(self.source.data[argument.span.start : argument.span.end])
            yield self._skip(argument.span, where, (Class.VARIABLE, f"the value of {shown} is not known here"), pulled_by)
        else:
            data = text.mapped.data
            inner = Span(len(data) - len(data.lstrip()), max(len(data.rstrip()), len(data) - len(data.lstrip())))
            yield _build.build(self.source.data, text.mapped.outer(inner), text.parts(inner), where=where, pulled_by=pulled_by)

    def _step(self, word: str, arguments: Sequence[Argument]) -> Iterator[Finding]:
        text = next((argument.text for argument in arguments if argument.name in (None, "script")), None)
        language = _STEPS[word]
        if text and not language:
            yield from shell(self.source, text.mapped, text.variables, word)
        elif text:
            for inner in commands(text.mapped.data):
                reason = f"a command in a {language} script, which is not read here; change it by hand"
                yield self._skip(text.mapped.outer(inner), word, (Class.UNREADABLE, reason), PulledBy.BUILD)

    def _skip(self, span: Span, where: str, why: tuple[Class, str], pulled_by: PulledBy | None = None) -> Skipped:
        return Skipped(span, decode(self.source.data[span.start : span.end]), where, *why, pulled_by)


def _agent(inside: _Inside) -> str:
    return inside.block if inside.block == "containerTemplate" else f"agent {inside.block}"


def _is_reference(text: str) -> bool:
    try:
        Reference.parse(text.strip())
    except InvalidReference:
        return False
    return True

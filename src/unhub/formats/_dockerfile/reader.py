"""The images of one Dockerfile: FROM, COPY --from, RUN --mount, and the defaults of the ARGs they use."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from unhub.data.facts import official_images
from unhub.formats._build import build
from unhub.formats._dockerfile.lines import Line
from unhub.formats._dockerfile.mount import BrokenMount, read_mount
from unhub.formats._dockerfile.split import Command, fields, flag_value, split_command, words
from unhub.formats._dockerfile.stages import Stages, is_integer
from unhub.formats._dockerfile.template import is_masked, masked, unmasked
from unhub.formats._dockerfile.text import Spelled
from unhub.formats._dockerfile.uses import Uses
from unhub.formats._dockerfile.value import Argument, Scope, Value, without_quotes
from unhub.formats._dockerfile.word import BrokenWord, Text, Variable, take_apart
from unhub.formats._text import decode
from unhub.image.found import Class, Found, Part, PulledBy, Safety, Skipped, Span
from unhub.image.reference import written_name_length

DOUBTFUL = "stands in a heredoc with a space behind <<: text since BuildKit 0.22, an instruction before; take the space out"


class Reader(Struct):
    """Reads instructions in their order and collects what they name.

    ``stages`` holds all stages of the file, gathered beforehand. ``short_names`` says that
    podman builds from this file (rule #44).
    """

    data: bytes
    scope: Scope
    stages: Stages
    short_names: bool = False
    stage: int = -1
    findings: list[Found | Skipped] = field(default_factory=list[Found | Skipped])
    _arguments: dict[Argument, Value] = field(default_factory=dict[Argument, Value])
    _staying: dict[Span, str] = field(default_factory=dict[Span, str])
    _uses: Uses = field(default_factory=Uses)

    def read(self, line: Line, command: Command) -> None:
        """Take in one instruction."""
        before = len(self.findings)
        self._command(command, line)
        if line.doubtful:
            self.findings[before:] = [_doubted(finding) for finding in self.findings[before:]]
        elif self.stage >= 0:
            self._uses.see(command, line.text, self.scope.escape)

    def look_for_arguments(self, line: Line) -> None:
        """Take in an instruction that names nothing, but may use an ARG."""
        if self._uses.keywords and b"$" in line.text.data and not line.doubtful:
            self._uses.see(split_command(line.text), line.text, self.scope.escape)

    def comment(self, line: Line) -> None:
        """Take in a comment that is an instruction taken out of use (rule #73): it changes nothing else."""
        text = masked(line.text.cut(1, len(line.text)).trimmed())
        command = split_command(text)
        if command.spelled.data not in (b"FROM", b"COPY", b"RUN"):
            return
        if command.keyword == "from" and _stage_arguments(command) is None:
            return
        before = len(self.findings)
        self._command(command, replace(line, doubtful=True), prefix="# ")
        kept = [finding for finding in self.findings[before:] if not (isinstance(finding, Skipped) and finding.class_ is Class.INVALID)]
        self.findings[before:] = kept

    def result(self) -> Iterator[Found | Skipped]:
        """Everything found, the defaults of ARGs that are a whole reference included, in the order of the file."""
        for argument, value in self._arguments.items():
            self.findings.append(self._build(argument.written, value, f"ARG {argument.name}"))
        owners: dict[Span, list[str]] = {}
        for name, argument in self.scope.arguments.items():
            for part in argument.value.parts:
                owners.setdefault(part.span, []).append(name)
        careful = [self._careful(finding, owners) if isinstance(finding, Found) else finding for finding in self.findings]
        yield from sorted(careful, key=lambda finding: finding.span)

    def _command(self, command: Command, line: Line, prefix: str = "") -> None:
        if command.keyword == "from":
            self._from(command, line, f"{prefix}FROM")
        elif command.keyword == "arg" and self.stage < 0 and not line.doubtful:
            self._arg(command)
        elif command.keyword == "onbuild":
            inner = split_command(command.rest)
            if inner.keyword == "from":
                arguments = list(fields(inner.rest))
                if arguments:
                    self._skip(arguments[0].span, "ONBUILD FROM", Class.INVALID, "BuildKit allows no FROM under ONBUILD")
                return
            self._sources(inner, f"{prefix}ONBUILD ", onbuild=True)
        else:
            self._sources(command, prefix, onbuild=False)

    def _arg(self, command: Command) -> None:
        for word in words(command.rest, self.scope.escape):
            try:
                self.scope.declare(word)
            except BrokenWord as error:
                self._skip(word.span, "ARG", Class.INVALID, f"BuildKit refuses this: {error}")

    def _from(self, command: Command, line: Line, where: str) -> None:
        arguments = list(fields(command.rest))
        if not line.doubtful:
            self.stage += 1
        if not arguments:
            self._skip(command.spelled.span, where, Class.INVALID, "no image is named here")
            return
        name = arguments[0]
        word = without_quotes(name)
        if _stage_arguments(command) is None:
            if any(is_masked(argument) for argument in arguments):
                self._skip(command.rest.span, where, Class.VARIABLE, "a template decides what stands here")
            else:
                self._skip(word.span, where, Class.INVALID, "BuildKit takes one name, or one name AS a stage, and refuses anything else")
            return
        try:
            value = self._value(name)
        except BrokenWord as error:
            self._skip(word.span, where, Class.INVALID, f"BuildKit refuses this: {error}")
            return
        reason = self.stages.base(value, self.stage + line.doubtful)
        if reason is not None:
            self._skip(word.span, where, Class.STAGE, reason)
            self._stays(value, "its ARG also names a stage of this file")
            return
        finding = self._build(word.span, value, where, is_pull=True)
        self.findings.append(finding)
        if isinstance(finding, Skipped):
            self._stays(value, f"its ARG is also part of {finding.text}, which stays")
        elif not line.doubtful:
            for argument in value.arguments():
                self._arguments.setdefault(argument, value)

    def _stays(self, value: Value, note: str) -> None:
        """Remember the bytes of a name that is not rewritten: what shares them must not be either (rule #36)."""
        for part in value.parts:
            if part.known:
                self._staying.setdefault(part.span, note)

    def _value(self, word: Spelled) -> Value:
        value = self.scope.evaluate(word)
        return replace(value, parts=tuple(unmasked(value.parts)))

    def _sources(self, command: Command, prefix: str, *, onbuild: bool) -> None:
        if command.keyword in ("copy", "add"):
            where = f"{prefix}{command.keyword.upper()} --from"
            for flag in command.flags:
                value = flag_value(flag, b"from")
                if flag.data == b"--from":
                    self._skip(flag.span, where, Class.INVALID, "the flag has no value; write --from=NAME")
                elif value is not None and command.keyword == "add":
                    self._skip(value.span, where, Class.INVALID, "ADD takes no --from; BuildKit refuses it")
                elif value is not None:
                    self._source(value, where, onbuild=onbuild)
        elif command.keyword == "run":
            for flag in command.flags:
                value = flag_value(flag, b"mount")
                if value is not None:
                    self._mount(value, f"{prefix}RUN --mount", onbuild=onbuild)

    def _mount(self, value: Spelled, where: str, *, onbuild: bool) -> None:
        try:
            mount = read_mount(value)
        except BrokenMount:
            if b"from=" in value.data.lower():
                self._skip(value.span, where, Class.INVALID, "the mount is no list of key=value with commas; BuildKit refuses it")
            return
        for source in mount.sources:
            if mount.kind == "secret":
                self._skip(source.span, where, Class.INVALID, "a secret mount takes no from; BuildKit refuses it")
            elif mount.kind == "tmpfs":
                self._skip(source.span, where, Class.INVALID, "a tmpfs mount is empty whatever from says; nothing is pulled")
            elif is_integer(source.text):
                self._skip(source.span, where, Class.INVALID, "a mount takes no stage number; BuildKit would pull an image of that name")
            else:
                self._source(source, where, onbuild=onbuild)

    def _source(self, name: Spelled, where: str, *, onbuild: bool) -> None:
        """A name that may be any stage of the file (rules #17 to #20), and of the child's build under ONBUILD (rule #23)."""
        if not len(name):
            return
        try:
            items = take_apart(name.data, self.scope.escape)
        except BrokenWord as error:
            self._skip(name.span, where, Class.INVALID, f"BuildKit refuses this: {error}")
            return
        if any(isinstance(item, Variable) for item in items):
            self._skip(name.span, where, Class.VARIABLE, "BuildKit expands no variables here; take from a stage that is FROM it")
            return
        if not all(isinstance(item, Text) for item in items):
            self._skip(name.span, where, Class.INVALID, "BuildKit allows no quotes or escapes in the value itself")
            return
        reason = self._stage_of_child(name.text) if onbuild else self.stages.source(name.text, self.stage)
        if reason is not None:
            self._skip(name.span, where, Class.STAGE, reason)
            return
        self.findings.append(self._build(name.span, Value(tuple(unmasked(name.parts()))), where, is_pull=True))

    def _stage_of_child(self, name: str) -> str | None:
        """Why a name under ONBUILD is no image, or may be none, in the build that uses this image (rule #23)."""
        if is_integer(name) or name.lower() in self.stages.by_name:
            return "names a stage of the build that uses this image"
        if _may_be_stage(name):
            return "may be a stage of the build that uses this image; give it a tag if it is an image"
        return self.stages.source(name, self.stage)

    def _build(self, span: Span, value: Value, where: str, *, is_pull: bool = False) -> Found | Skipped:
        short = self.short_names and "/" not in value.text
        computed = not all(part.literal for part in _name_parts(value.parts))
        note = value.reason or ("the name is computed by an expansion that is never rewritten" if computed else None)
        finding = build(self.data, span, value.parts, where=where, pulled_by=PulledBy.BUILD, note=note, short_name=short)
        if isinstance(finding, Skipped):
            return replace(finding, reason=value.reason) if value.reason and finding.class_ is Class.VARIABLE else finding
        return replace(finding, context_name=finding.reference.familiar().removesuffix(":latest")) if is_pull else finding

    def _skip(self, span: Span, where: str, class_: Class, reason: str) -> None:
        self.findings.append(Skipped(span, decode(self.data[span.start : span.end]), where, class_, reason, PulledBy.BUILD))

    def _careful(self, found: Found, owners: dict[Span, list[str]]) -> Found:
        """A name made of an ARG that means something else too: held back if that stays, else said.

        ``owners`` tells the ARGs that each span spells.
        """
        spelling = [part.span for part in _name_parts(found.parts)]
        staying = next((self._staying[span] for span in spelling if span in self._staying), None)
        if staying is not None:
            return replace(found, safety=Safety.SHOWN, note=staying)
        names = dict.fromkeys(name for span in spelling for name in owners.get(span, ()))
        notes = [note for name in names if (note := self._uses.note(name))]
        return replace(found, note="; ".join([found.note, *notes] if found.note else notes)) if notes else found


def stage_name(command: Command) -> str | None:
    """The name a FROM gives its stage, in its own case; ``None`` where it gives none, or a template does."""
    arguments = _stage_arguments(command)
    return arguments[2].text if arguments and len(arguments) == 3 and not is_masked(arguments[2]) else None


def _stage_arguments(command: Command) -> list[Spelled] | None:
    """The arguments of a FROM that BuildKit takes: a name, or a name AS a stage."""
    arguments = list(fields(command.rest))
    if len(arguments) == 1 or (len(arguments) == 3 and arguments[1].data.lower() == b"as"):
        return arguments
    return None


def _name_parts(parts: tuple[Part, ...]) -> Iterator[Part]:
    """The parts that spell some of the name, not only the tag."""
    end = written_name_length("".join(part.text for part in parts))
    place = 0
    for part in parts:
        if place < end:
            yield part
        place += len(part.text)


def _may_be_stage(name: str) -> bool:
    """Whether a name under ONBUILD can be a stage's: no tag, no path, and not an official image."""
    return not any(mark in name for mark in "/:@") and name not in official_images()


def _doubted(finding: Found | Skipped) -> Skipped:
    return Skipped(finding.span, finding.text, finding.where, Class.CONFLICT, DOUBTFUL, PulledBy.BUILD)

"""The findings of a script, or of several texts that one shell runs, as one whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from unhub.formats._commands.usage import Role, Usage
from unhub.formats._shell.documents import read_by, written_by
from unhub.formats._shell.findings import Judge
from unhub.formats._shell.inner import with_inner
from unhub.formats._shell.scan import scan
from unhub.formats._shell.tree import Assignment, Command, Lift, Script
from unhub.formats._shell.uses import Reader, Use, takes_all_arguments
from unhub.formats._shell.values import Field, Values
from unhub.formats._shell.variables import Variables
from unhub.formats._text import Mapped
from unhub.image.found import Finding, Found, Skipped, Span
from unhub.image.source import Source

NEEDLES = (
    b"docker", b"podman", b"nerdctl", b"finch", b"buildah", b"buildctl", b"skopeo", b"crane", b"oras", b"regctl", b"ctr", b"crictl",
    b"kubectl", b"oc ", b"helm", b"kind", b"k3d", b"minikube", b"pack ", b"singularity", b"apptainer", b"trivy", b"grype", b"syft", b"dive",
    b"dockle", b"snyk", b"act ", b"toolbox", b"distrobox", b"gitlab-runner", b"codebuild", b"gcloud", b"az ", b"container", b"image",
    b"from",
)  # fmt: skip
"""Texts of which at least one stands in a script that has findings."""

_PULLED_VARIABLES = {"BUILDKIT_SYNTAX": "BUILDKIT_SYNTAX"}
"""Variables of the environment that make a tool pull the image they name."""


def of_texts(
    source: Source,
    texts: Iterable[tuple[str, Mapped]],
    environment: Sequence[Assignment] = (),
) -> Iterator[Finding]:
    """The findings of texts that one shell, or one machine, runs after another.

    Each text comes with the name of its place (``phases.build.commands[2]``), which is put
    before ``where``. What one text assigns, pulls or builds, the others know of; quotes
    and blocks end with their text. ``environment`` holds variables that
    are set outside, for what the texts do not assign themselves.
    """
    script = Script()
    for where, text in texts:
        script.add(read(source, text, where))
    yield from of_script(source, script, environment)


def read(source: Source, text: Mapped, where: str) -> Script:
    """What one text holds, its comments too where the user asks for them (rule #73)."""
    found = scan(text.data)
    script = Lift(text).script(found, where)
    if source.settings.include_comments:
        for comment in found.comments:
            inner = scan(text.data, comment.start + 1, comment.end)
            script.commands += Lift(text).script(inner, f"{where}: comment" if where else "comment").commands
    return script


def of_script(source: Source, script: Script, environment: Sequence[Assignment] = ()) -> Iterator[Finding]:
    """The findings of what was read, in the order of their places; spans count in ``source.data``."""
    whole = with_inner(source.data, script)
    values = Values(whole, environment)
    reader = Reader(values, _bodies(whole))
    runs = [run for command in whole.commands for run in reader.runs(command)]
    uses = [use for run in runs for use in run.uses] + list(_environment_uses(whole, values))
    image_words = [use.field.word.span for use in uses if use.role not in (Role.FILE, Role.OUTPUT, Role.CACHE_OUTPUT)]
    variables = Variables(source.data, whole, image_words, [run.command for run in runs])
    found: list[Finding] = list(Judge(source.data, source.folder, variables).findings(uses))
    for run in runs:
        found += read_by(source, run)
    for command in whole.commands:
        found += written_by(source, command)
    yield from _distinct(found)


def _bodies(script: Script) -> dict[str, list[Command]]:
    """Functions that hand all their arguments on to a command."""
    bodies: dict[str, list[Command]] = {}
    for command in script.commands:
        if command.function and any(takes_all_arguments(word) for word in command.words):
            bodies.setdefault(command.function, []).append(command)
    return bodies


def _environment_uses(script: Script, values: Values) -> Iterator[Use]:
    for command in script.commands:
        for assignment in command.assignments:
            where = _PULLED_VARIABLES.get(assignment.name)
            if where and assignment.value is not None:
                word = assignment.value
                yield Use(Role.PULL, Field(values.word(word, command.function), word), where, command, Usage(), "")


def _distinct(findings: Iterable[Finding]) -> Iterator[Finding]:
    seen: set[tuple[Span, str]] = set()
    for finding in sorted(findings, key=lambda one: (one.span.start, one.span.end)):
        kind = type(finding).__name__
        if (finding.span, kind) in seen and isinstance(finding, Found | Skipped):
            continue
        seen.add((finding.span, kind))
        yield finding
